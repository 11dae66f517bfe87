"""git's own lock files in the user's repository: seen before anything is written, told, cleared.

Which files lock a ref is git's business (it differs between files and reftables), so git is asked:
a transaction that is prepared and given up takes the locks and lets go of them.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator

from git_ghost.errors import GitFailed, LocalChanges
from git_ghost.model import null
from git_ghost.repository import Repository

_GRACE_SECONDS = 2.0
"""How long a lock file may stay before it counts as left: git holds these for milliseconds."""

_IN_THE_WAY = re.compile(r"Unable to create '(.+?\.lock)': File exists")


def _at_work(path: str) -> LocalChanges:
    return LocalChanges(
        f"another git command is at work in this repository: {path} exists",
        "Wait for it to end. If none runs, a crashed one left it: remove the file.",
    )


@contextlib.contextmanager
def index_lock(repository: Repository, mark: str, scratch: str) -> Iterator[None]:
    """Hold git's own lock on the user's index, with our mark in it: a stale one can be told.

    ``scratch`` is a private path. Raises LocalChanges when somebody else holds the lock.
    """
    path = repository.index + ".lock"
    with open(scratch, "w", encoding="ascii") as file:
        file.write(mark)
    try:
        _take(path, scratch, mark)
    except FileExistsError as e:
        raise _at_work(path) from e
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _take(path: str, scratch: str, mark: str) -> None:
    try:
        os.link(scratch, path)  # there with the mark in it, or not at all
    except FileExistsError:
        raise
    except OSError:  # no hard links here, or another file system
        with open(path, "x", encoding="ascii") as file:
            file.write(mark)


def require_free_head(repository: Repository, head: str | None, *, detach: bool) -> None:
    """Raise LocalChanges when HEAD, which is at ``head``, could not be moved for a lock.

    ``detach``: its branch stays where it is.
    """
    if path := _lock_on_head(repository, head, "option no-deref\n" if detach else ""):
        raise _at_work(path)


def _lock_on_head(repository: Repository, head: str | None, before: str) -> str:
    """The lock file that keeps git from changing HEAD; empty when there is none."""
    old = head or null(repository.object_format)
    feed = f"start\n{before}verify HEAD {old}\nprepare\nabort\n".encode()
    try:
        repository.git("update-ref", "--stdin", stdin=feed)
    except GitFailed as e:
        if found := _IN_THE_WAY.search(e.stderr):
            return found[1]
        tables = (os.path.join(d, _TABLES) for d in (repository.git_dir, repository.common_dir))
        return next((path for path in tables if os.path.exists(path)), "")
    return ""


_TABLES = os.path.join("reftable", "tables.list.lock")
"""What locks a stack of reftables; git does not name it."""


def clear_stale(repository: Repository, mark: str, begun: int) -> None:
    """Remove git's lock files that a killed pull left; the caller holds the pull lock.

    The index's is told by the pull's ``mark`` (without one, it had fetched at most), the others by
    being younger than ``begun`` (in nanoseconds since 1970), when it noted down that it began, and
    by staying.
    """
    _clear(os.path.join(repository.common_dir, "shallow.lock"), begun)
    if not mark:
        return
    index_lock = repository.index + ".lock"
    with contextlib.suppress(OSError), open(index_lock, encoding="ascii", errors="replace") as file:
        if file.read(100) == mark:
            os.unlink(index_lock)
    head = repository.commit("HEAD")
    # A deletion locks the packed refs too.
    before = "delete refs/git-ghost/none\n"
    while (path := _lock_on_head(repository, head, before)) and _clear(path, begun):
        pass


def _clear(path: str, begun: int) -> bool:
    """Remove a lock file that is younger than ``begun`` and stays; whether it is gone."""
    deadline = time.monotonic() + _GRACE_SECONDS
    try:
        while os.stat(path).st_mtime_ns >= begun:
            if time.monotonic() > deadline:
                os.unlink(path)
                return True
            time.sleep(0.05)
    except FileNotFoundError:
        return True
    return False
