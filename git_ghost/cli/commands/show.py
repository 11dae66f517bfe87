"""``git ghost show``."""

from __future__ import annotations

import sys

import click

from git_ghost.cli.commands.pull import FORMS, parse_words
from git_ghost.cli.options.common import GhostCommand, calling


@click.command("show", cls=GhostCommand, forms=FORMS)
@click.argument("words", nargs=-1)
def command(words: tuple[str, ...]) -> None:
    """Print the patches a ghost holds.

    They come as they are, byte for byte, commits first.

    \b
    show [FROM] HASH    the patch of HASH
    show diff           that of a working tree
    show commits        that of the commits FROM..TO
    show all            that of the commits FROM..TO, then that of HASH
    """
    what, hash, base, commits_from = parse_words(words)
    with calling() as options:
        from git_ghost import usecases

        usecases.show(
            hash, options, out=sys.stdout.buffer, base=base, what=what, commits_from=commits_from
        )
