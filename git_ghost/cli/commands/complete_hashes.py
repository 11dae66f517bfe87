"""``git-ghost _complete-hashes``: what the completion scripts ask."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING

import click

from git_ghost.cli.options.common import GhostCommand, calling
from git_ghost.cli.types import FREE
from git_ghost.cli.view.output import clean, put

if TYPE_CHECKING:
    from git_ghost.usecases.context import Options
    from git_ghost.usecases.remembering import Known

PATIENCE_SECONDS = 3
"""A shell that completes must not hang on a host that does not answer."""

_MOST_CHARACTERS = 60
"""What a shell shows beside a hash."""


class _TooLong(Exception):
    """The ghost repository did not answer in time."""


@click.command("_complete-hashes", cls=GhostCommand, hidden=True)
@click.argument("digits", default="", metavar="[PREFIX]", type=FREE)
@click.option("--bases", is_flag=True, help="Print the commits that ghosts start from instead.")
@click.option("--about", is_flag=True, help="Add a tab, and date and message where known.")
def command(digits: str, bases: bool, about: bool) -> None:
    """Print the hashes in the ghost repository that begin with PREFIX; nothing on failure.

    Where it does not answer, those that were pushed from here.
    """
    with contextlib.suppress(OSError):
        os.setsid()  # without a terminal, neither git nor ssh can ask for anything
    os.environ.update(GIT_TERMINAL_PROMPT="0", GIT_ASKPASS="true", SSH_ASKPASS_REQUIRE="never")
    with contextlib.suppress(Exception), calling() as options:
        for line in _lines(_known(options), digits, bases=bases, about=about):
            put(line)


def _known(options: Options) -> Sequence[Known]:
    from git_ghost.usecases.remembering import known, remembered

    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(PATIENCE_SECONDS)
    try:
        return known(options)
    except Exception:
        return remembered(options)
    finally:
        signal.alarm(0)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise _TooLong


def _lines(found: Sequence[Known], digits: str, *, bases: bool, about: bool) -> Iterator[str]:
    told = set()
    for one in found:
        end = one.base if bases else one.to
        if end.startswith(digits) and end not in told:
            told.add(end)
            said = _about(one) if about and not bases else ""
            yield f"{end}\t{said}" if said else end


def _about(one: Known) -> str:
    if not one.when:
        return ""
    first = clean(one.about.split("\n")[0].replace("\t", " "))  # no pipe is what reads this
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.when))
    return f"{when} {first[:_MOST_CHARACTERS]}".strip()
