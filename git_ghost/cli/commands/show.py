"""``git ghost show``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from git_ghost.cli.commands.pull import FORMS, parse_words
from git_ghost.cli.options.common import GhostCommand, calling, json_option
from git_ghost.cli.types import HASH, after_kind
from git_ghost.cli.view.output import put_json
from git_ghost.cli.view.paging import paged

if TYPE_CHECKING:
    from git_ghost.usecases import StoredGhost


@click.command("show", cls=GhostCommand, forms=FORMS)
@click.argument("words", nargs=-1, type=after_kind(HASH))
@json_option()
def command(words: tuple[str, ...], as_json: bool) -> None:
    """Print the patches a ghost holds.

    They come as they are, byte for byte, commits first; on a terminal, in git's pager. With --json
    come also the message, the branch and the source that the ghosts name.

    \b
    show [FROM] HASH    the patch of HASH
    show diff           that of a working tree
    show commits        that of the commits FROM..TO
    show all            that of the commits FROM..TO, then that of HASH
    """
    what, hash, base, commits_from = parse_words(words)
    from git_ghost import usecases

    if as_json:
        with calling() as options:
            stored = usecases.describe(
                hash, options, base=base, what=what, commits_from=commits_from
            )
        put_json([_as_json(ghost) for ghost in stored])
        return
    with paged() as out, calling() as options:
        usecases.show(hash, options, out=out, base=base, what=what, commits_from=commits_from)


def _as_json(ghost: StoredGhost) -> dict[str, str]:
    from dataclasses import asdict

    return {**asdict(ghost), "patch": os.fsdecode(ghost.patch)}
