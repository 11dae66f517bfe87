"""``git ghost version``, and the `--version` of git ghost itself."""

from __future__ import annotations

import click

from git_ghost import __version__
from git_ghost.cli.options.common import GhostCommand, json_option
from git_ghost.cli.view.output import put, put_json


@click.command("version", cls=GhostCommand)
@json_option()
def command(as_json: bool) -> None:
    """Print the version of git ghost.

    With --json also those of git, Python and the platform, for a report of a fault.
    """
    if as_json:
        put_json(_versions())
    else:
        put(f"git-ghost {__version__}")


def _versions() -> dict[str, str | None]:
    import platform

    from git_ghost.errors import GhostError
    from git_ghost.git import version

    try:
        git: str | None = ".".join(map(str, version()))
    except GhostError:  # none, or one that is too old: `git ghost doctor` tells
        git = None
    return {
        "git-ghost": __version__,
        "git": git,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
