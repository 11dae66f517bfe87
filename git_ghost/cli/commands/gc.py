"""``git ghost gc``, which v0.1 has as well, and which does nothing there either."""

from __future__ import annotations

import click

from git_ghost.cli.options.common import GhostCommand, quiet
from git_ghost.cli.types import FREE
from git_ghost.cli.view.output import say


@click.command("gc", cls=GhostCommand, hidden=True)
@click.argument("words", nargs=-1, type=FREE)
def command(words: tuple[str, ...]) -> None:  # noqa: ARG001 (v0.1 takes any)
    """Do nothing: ghosts stay until `git ghost delete` deletes them."""
    if not quiet():
        say("nothing is collected: ghosts stay until git ghost delete deletes them")
