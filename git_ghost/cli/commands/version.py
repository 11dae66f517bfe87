"""``git ghost version``."""

from __future__ import annotations

import click

from git_ghost import __version__
from git_ghost.cli.options.common import GhostCommand
from git_ghost.cli.view.output import put


@click.command("version", cls=GhostCommand)
def command() -> None:
    """Print the version of git ghost."""
    put(f"git-ghost {__version__}")
