"""``git-ghost _complete-hashes``: what the completion scripts ask."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType

import click

from git_ghost.cli.options.common import GhostCommand, calling
from git_ghost.cli.view.output import put

PATIENCE_SECONDS = 3
"""A shell that completes must not hang on a host that does not answer."""


class _TooLong(Exception):
    """The ghost repository did not answer in time."""


@click.command("_complete-hashes", cls=GhostCommand, hidden=True)
@click.argument("digits", default="", metavar="[PREFIX]")
def command(digits: str) -> None:
    """Print the hashes in the ghost repository that begin with PREFIX; nothing on failure."""
    with contextlib.suppress(OSError):
        os.setsid()  # without a terminal, neither git nor ssh can ask for anything
    os.environ.update(GIT_TERMINAL_PROMPT="0", GIT_ASKPASS="true", SSH_ASKPASS_REQUIRE="never")
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(PATIENCE_SECONDS)
    with contextlib.suppress(Exception), calling() as options:
        from git_ghost import usecases

        found = usecases.list_ghosts(options, what="all")
        for to in sorted({listed.ghost.to for listed in found}):
            if to.startswith(digits):
                put(to)
    signal.alarm(0)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise _TooLong
