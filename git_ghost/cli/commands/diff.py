"""``git ghost diff``."""

from __future__ import annotations

import os
import sys

import click

from git_ghost.cli.options.common import (
    GhostCommand,
    calling,
    expect,
    setting_option,
    source_option,
)
from git_ghost.cli.types import FILE, HASH_OR_REVISION
from git_ghost.cli.view.output import has_color, put_json
from git_ghost.cli.view.paging import paged
from git_ghost.settings import Settings


@click.command("diff", cls=GhostCommand, forms=["[A [B]]"])
@click.argument("words", nargs=-1, type=HASH_OR_REVISION)
@click.option(
    "-I", "--include", multiple=True, type=FILE, metavar="PATH",
    help="Look at this file or folder too, even if git ignores it. Repeatable.",
)  # fmt: skip
@setting_option(
    Settings.untracked, exposed=True,
    about="Take new files that git does not ignore as part of the working tree, or not",
)  # fmt: skip
@click.option("--stat", is_flag=True, help="Print a line for each file instead of the patch.")
@click.option("--json", "as_json", is_flag=True, help="Print the files of --stat as JSON.")
@source_option()
def command(
    words: tuple[str, ...],
    include: tuple[str, ...],
    untracked: bool | None,
    stat: bool,
    as_json: bool,
) -> None:
    """Compare the working tree, commits and ghosts.

    It prints the difference from A, by default HEAD, to B, by default the working tree. Each of
    them is a commit or the hash of a ghost, which is rebuilt for this; nothing in the repository
    changes. The working tree is taken as `git ghost push` would send it.
    """
    expect(words, 0, 2, "")
    a, b = [*(word.strip() for word in words), None, None][:2]
    with calling() as options:
        from git_ghost import usecases

        if as_json:
            from dataclasses import asdict

            found = usecases.changed_files(a, b, options, include=include, untracked=untracked)
            put_json([asdict(file) for file in found])
            return
        patch = usecases.diff(
            a, b, options,
            color=has_color(sys.stdout),
            stat=_columns() if stat else 0,
            include=include,
            untracked=untracked,
        )  # fmt: skip
    with paged() as out:
        out.write(patch)


def _columns() -> int:
    """The width of the terminal; 80 elsewhere, as git has it."""
    return os.get_terminal_size(1).columns or 80 if sys.stdout.isatty() else 80
