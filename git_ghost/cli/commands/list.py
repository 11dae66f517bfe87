"""``git ghost list``, and the lists ``git ghost delete`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from git_ghost.cli.options.common import (
    Decorator,
    GhostCommand,
    calling,
    expect,
    json_option,
    quiet,
    split_form,
    together,
    verbose,
)
from git_ghost.cli.types import BASE, FREE, HASH, KINDS, OneOf, Word, Words
from git_ghost.cli.view.ids import shown_ids
from git_ghost.cli.view.output import count, few, put, put_json, say, tell
from git_ghost.v01.tables import ONLY, table

if TYPE_CHECKING:
    from git_ghost.store.listing import Listed


def range_options() -> Decorator:
    """``--from``, ``--to`` and how the list is printed: for list and delete."""
    return together(
        click.option(
            "--from", "start", default="", type=BASE, metavar="GLOB",
            help="Only ghosts that start at this commit: an id with `*`, or a commit's name here.",
        ),
        click.option(
            "--to", default="", type=HASH, metavar="GLOB",
            help="Only ghosts that lead to this hash, or this commit.",
        ),
        click.option(
            "-o", "--output", type=OneOf(list(ONLY)), help="Print one of the two columns."
        ),
        click.option("--no-headers", is_flag=True, help="Print the rows alone."),
        json_option(),
    )  # fmt: skip


@click.command("list", cls=GhostCommand, forms=["[diff | commits | all]"])
@click.argument("words", nargs=-1, type=Words(Word(words=KINDS), FREE))
@range_options()
def command(
    words: tuple[str, ...], start: str, to: str, output: str | None, no_headers: bool, as_json: bool
) -> None:
    """List the ghosts in the ghost repository.

    It lists diffs, commits or all; by default diffs. A row is the commit a ghost starts from, and
    the hash, or the commit, it leads to.
    """
    what, rest = split_form(words, KINDS, "diff")
    expect(rest, 0, 0, "")
    with calling() as options:
        from git_ghost import usecases

        found = usecases.list_ghosts(options, what=what, start=start.strip(), to=to.strip())
        where = "" if found or quiet() else usecases.where_ghosts_are(options)
    put_ghosts(found, what, "", output, no_headers, as_json)
    if gone := [one.ghost.to for one in found if not one.whole]:
        tell("warning", f"the objects of {count(len(gone), 'ghost')} are gone: {few(gone, 4)}")
        tell("hint", "Push them again, or delete them: git ghost delete HASH")
    if where:
        kind = "ghosts" if what == "all" else f"{what} ghosts"
        matching = " that match" if start or to else ""
        say(f"there are no {kind}{matching} in {where}")


def put_ghosts(
    found: Sequence[Listed],
    what: str,
    did: str,
    output: str | None,
    no_headers: bool,
    as_json: bool,
) -> None:
    """Print ghosts as v0.1 does, or as JSON; ``did`` goes into the titles."""
    if as_json:
        put_json([_as_json(listed) for listed in found])
        return
    for kind in ("commits", "diff"):
        if what in (kind, "all"):
            ends = [(one.ghost.base, one.ghost.to) for one in found if kind_of(one) == kind]
            shown = shown_ids((end for row in ends for end in row), whole=verbose() > 0)
            lines = table(kind, ends, did=did, only=output, headers=not no_headers, shown=shown)
            for line in lines:
                put(line)


def kind_of(listed: Listed) -> str:
    """``commits`` or ``diff``."""
    from git_ghost.store.format import CommitsGhost

    return "commits" if isinstance(listed.ghost, CommitsGhost) else "diff"


def _as_json(listed: Listed) -> dict[str, str]:
    ghost = listed.ghost
    ends = {"kind": kind_of(listed), "base": ghost.base, "to": ghost.to}
    return {**ends, "ref": ghost.ref, "commit": listed.commit}
