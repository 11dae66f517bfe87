"""What was pushed from here: kept so that a shell can say what a hash is, offline too."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from git_ghost.repository import STATE
from git_ghost.store import listing
from git_ghost.store.format import Ghost
from git_ghost.usecases.context import Context, Options, context_anywhere

_FILE = "pushed"
_MOST_BYTES = 256 << 10
"""How much of the file's end is read: some thousand pushes."""


class Known(NamedTuple):
    """A ghost to choose; ``when`` (seconds since 1970) and ``about`` of those pushed from here."""

    base: str
    to: str
    when: int = 0
    about: str = ""


def remember(context: Context, ghosts: Sequence[Ghost], message: str, branch: str) -> None:
    """Keep what was pushed just now, and what the user or else the branch says of it.

    A note that cannot be written is not worth a word; whoever works in another folder wants none.
    """
    if context.options.working_dir:
        return
    path = os.path.join(context.here.common_dir, STATE, _FILE)
    about = " ".join((message or branch).split())
    rows = [
        (ghost.base, ghost.to, str(int(time.time())), context.store().shown, about)
        for ghost in ghosts
    ]
    with contextlib.suppress(OSError, UnicodeError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a", encoding="utf-8", errors="surrogateescape") as file:
            file.write("".join("\t".join(row) + "\n" for row in rows))
        if os.path.getsize(path) > 2 * _MOST_BYTES:
            _shorten(path)


def _shorten(path: str) -> None:
    """Leave the newest lines of the file."""
    lines = _last_lines(path)
    with open(f"{path}.new", "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("\n".join(lines[1:]))  # the first may be cut off
    os.replace(f"{path}.new", path)


def _last_lines(path: str) -> list[str]:
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - _MOST_BYTES))
        return file.read().decode("utf-8", "surrogateescape").split("\n")


def was_pushed(context: Context, base: str, to: str) -> bool:
    """Whether that ghost was pushed from here; True where no notes are kept."""
    mine = ((one.base, one.to) for one in _remembered(context))
    return bool(context.options.working_dir) or (base, to) in mine


def remembered(options: Options = Options()) -> list[Known]:
    """The ghosts pushed from here to the ghost repository of this call, newest first."""
    return _remembered(context_anywhere(options))


def known(options: Options = Options()) -> list[Known]:
    """The ghosts in the ghost repository: first those pushed from here, newest first.

    Raises RemoteError.
    """
    context = context_anywhere(options)
    place = listing.place_of(context.repository, context.link)
    found = listing.list_ghosts(place, context.store())
    there = {(listed.ghost.base, listed.ghost.to) for listed in found}
    mine = [one for one in _remembered(context) if (one.base, one.to) in there]
    others = there - {(one.base, one.to) for one in mine}
    return [*mine, *(Known(*ends) for ends in sorted(others))]


def _remembered(context: Context) -> list[Known]:
    if context.repository is None:
        return []
    where = context.store().shown
    path = os.path.join(context.repository.common_dir, STATE, _FILE)
    found = {}
    with contextlib.suppress(OSError):
        for line in _last_lines(path):
            with contextlib.suppress(ValueError):  # the first may be cut off
                base, to, when, place, about = line.split("\t")
                if place == where:
                    found[base, to] = Known(base, to, int(when), about)
    return sorted(found.values(), key=lambda one: -one.when)
