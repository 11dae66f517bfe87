"""``git ghost clone``."""

from __future__ import annotations

import click

from git_ghost.cli.commands.pull import for_json, report
from git_ghost.cli.options.common import (
    GhostCommand,
    calling,
    exact_option,
    expect,
    force_option,
    from_stdin,
    json_option,
    source_option,
)
from git_ghost.cli.options.containers import attempt, container_options, write_report
from git_ghost.cli.types import BASE, FOLDER, HASH, Words
from git_ghost.cli.view.output import put_json


@click.command("clone", cls=GhostCommand, forms=["HASH [DIR]"])
@click.argument("words", nargs=-1, type=Words(HASH, FOLDER))
@click.option(
    "--depth", type=click.IntRange(min=0), default=1, show_default=True, metavar="N",
    help="Fetch N commits of the history that ends in the base; 0 fetches all of it.",
)  # fmt: skip
@click.option(
    "--base", type=BASE, metavar="COMMIT",
    help="The base, as `git ghost push` printed it first: with --source and DIR, it is fetched"
    " while the ghost is.",
)  # fmt: skip
@force_option("In a folder cloned into before: set")
@exact_option()
@source_option()
@json_option()
@container_options()
def command(
    words: tuple[str, ...],
    depth: int,
    base: str | None,
    force: bool,
    exact: bool,
    as_json: bool,
) -> None:
    """Make a repository whose working tree is what HASH names.

    The ghost says where to find its base commit; --source names another place. Without DIR,
    the folder is named after the source. This is what a container's init step needs: run again
    after it was interrupted, it finishes its work or finds it finished.
    """
    expect(words, 1, 2, "HASH")
    *before, hash = (word.strip() for word in from_stdin(words[:1], 2))
    if base is None and before:
        base = before[0]
    directory = words[1] if len(words) == 2 else None
    with calling() as options:
        from git_ghost import usecases

        cloned, finished = attempt(
            options,
            lambda options: usecases.clone(
                hash, directory, options, base=base, depth=depth, force=force, exact=exact
            ),
        )
    write_report(cloned.pulled, cloned.source, finished)
    if as_json:
        from dataclasses import asdict

        put_json({**asdict(cloned), "pulled": for_json(cloned.pulled)})
    report(cloned.pulled, cloned.directory, cloned.source)
