"""What a pull notes down so that, killed anywhere, the next one can finish it.

Two files in the repository's ``git-ghost`` folder: ``pull.json`` while a pull is under way,
``pulled.json`` about the last one that was completed. And one lock, which a killed pull's git
children keep until they have ended too.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from git_ghost.errors import GhostError, LocalChanges
from git_ghost.repository import Repository

UNDER_WAY = "pull.json"
COMPLETED = "pulled.json"


@dataclass(frozen=True)
class Journal:
    """A pull under way: the tree it leads to, the paths it may have touched, its index lock's mark."""

    tree: str
    paths: frozenset[bytes]
    mark: str


@dataclass(frozen=True)
class Pulled:
    """The last completed pull: its tree, and the files of it that are not in its base commit."""

    tree: str
    added: tuple[bytes, ...]


def _write(repository: Repository, name: str, fields: dict[str, object]) -> None:
    path = os.path.join(repository.state, name)
    part = f"{path}.{os.getpid()}"
    with open(part, "w", encoding="ascii") as file:
        json.dump(fields, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def _read(repository: Repository, name: str) -> dict[str, object] | None:
    try:
        with open(os.path.join(repository.state, name), encoding="ascii") as file:
            found = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}  # unreadable: something was under way, nothing of it is known
    return found if isinstance(found, dict) else {}


def _names(paths: Sequence[bytes]) -> list[str]:
    return [os.fsdecode(path) for path in paths]


def _paths(found: object) -> list[bytes]:
    return [os.fsencode(name) for name in found] if isinstance(found, list) else []


def begin(repository: Repository, tree: str, paths: Sequence[bytes], mark: str) -> None:
    """Note down, on disk for certain, that a pull of ``tree`` is about to touch ``paths``."""
    os.makedirs(repository.state, exist_ok=True)
    _write(repository, UNDER_WAY, {"tree": tree, "mark": mark, "paths": _names(paths)})


def interrupted(repository: Repository) -> Journal | None:
    """The pull that was begun and never completed, if any."""
    found = _read(repository, UNDER_WAY)
    if found is None:
        return None
    return Journal(
        str(found.get("tree", "")),
        frozenset(_paths(found.get("paths"))),
        str(found.get("mark", "")),
    )


def complete(repository: Repository, tree: str, added: Sequence[bytes]) -> None:
    """Note down that the working tree is ``tree`` now."""
    os.makedirs(repository.state, exist_ok=True)
    _write(repository, COMPLETED, {"tree": tree, "added": _names(added)})
    abandon(repository)


def touched(repository: Repository) -> bool:
    """Whether the pull under way may have begun to write to the working tree."""
    found = interrupted(repository)
    return found is not None and bool(found.paths)


def abandon(repository: Repository) -> None:
    """Forget the pull under way: nothing was touched."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(repository.state, UNDER_WAY))


def last_pulled(repository: Repository) -> Pulled | None:
    """The last completed pull here, if any."""
    found = _read(repository, COMPLETED)
    if not found:
        return None
    return Pulled(str(found.get("tree", "")), tuple(_paths(found.get("added"))))


@contextlib.contextmanager
def one_at_a_time(repository: Repository, patience: float = 600.0) -> Iterator[int]:
    """Hold this working tree's pull lock; yields a descriptor for the git commands that write to it.

    Waits up to ``patience`` seconds for another pull (or what a killed one left running), then
    raises GhostError.
    """
    os.makedirs(repository.state, exist_ok=True)
    with open(os.path.join(repository.state, "pull.lock"), "w") as lock:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as e:
                if time.monotonic() > deadline:
                    raise GhostError(
                        f"another git ghost pull has been at work in {repository.work_tree} for long"
                    ) from e
                time.sleep(0.05)
        yield lock.fileno()


class IndexLock:
    """git's own lock on the user's index, with our mark in it, so that a stale one can be told."""

    def __init__(self, repository: Repository, mark: str) -> None:
        self._target = repository.index
        self._path = repository.index + ".lock"
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError as e:
            raise LocalChanges(
                f"another git command is at work in this repository: {self._path} exists",
                "Wait for it to end. If none runs, a crashed one left it: remove the file.",
            ) from e
        with os.fdopen(handle, "w") as lock:
            lock.write(mark)

    def install(self, index: str) -> None:
        """Make the file ``index`` the user's index, at once."""
        part = f"{self._path}.{os.getpid()}"
        with open(index, "rb") as source, open(part, "wb") as target:
            while chunk := source.read(1 << 20):
                target.write(chunk)
        stamp = os.stat(index)
        os.utime(
            part, ns=(stamp.st_atime_ns, stamp.st_mtime_ns)
        )  # racily clean entries are judged by it
        os.replace(part, self._path)
        os.replace(self._path, self._target)

    def release(self) -> None:
        """Give the lock back, index unchanged."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)


def clear_stale_locks(repository: Repository, journal: Journal, branch: str) -> None:
    """Remove git's lock files that the killed pull of ``journal`` left.

    Nobody else is pulling (the caller holds the lock). The index's is told by our mark, the others by
    being younger than the journal, and the killed pull's git commands are given time to end.
    """
    index_lock = repository.index + ".lock"
    with contextlib.suppress(OSError), open(index_lock, encoding="ascii", errors="replace") as file:
        if journal.mark and file.read(100) == journal.mark:
            os.unlink(index_lock)
    begun = os.stat(os.path.join(repository.state, UNDER_WAY)).st_mtime_ns
    locks = [
        os.path.join(repository.common_dir, "shallow.lock"),
        os.path.join(repository.git_dir, "HEAD.lock"),
    ]
    if branch:
        locks.append(os.path.join(repository.common_dir, "refs", "heads", branch + ".lock"))
    for path in locks:
        with contextlib.suppress(FileNotFoundError):
            deadline = time.monotonic() + 5
            while os.stat(path).st_mtime_ns >= begun:
                if time.monotonic() > deadline:
                    os.unlink(path)
                    break
                time.sleep(0.05)
