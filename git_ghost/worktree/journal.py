"""What a pull notes down so that, killed anywhere, the next one can finish it.

Files in the repository's ``git-ghost`` folder: ``pull.json`` while a pull is under way,
``pulled.json`` about the last one that was completed, ``told.json`` about what it told. And one
lock, which a killed pull's git children keep until they have ended too.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from git_ghost.errors import GhostError
from git_ghost.files import copy_file, replace_file
from git_ghost.process import Progress
from git_ghost.repository import Repository

UNDER_WAY = "pull.json"
COMPLETED = "pulled.json"
TOLD = "told.json"


class Journal(NamedTuple):
    """A pull under way: the tree it leads to and what it may have left behind."""

    tree: str
    mark: str
    """What its lock on the index holds."""
    contents: Mapping[bytes, frozenset[str]] = {}
    """For each path it may have touched, the entries (``mode id``) it found and was to put there.

    Anything else at such a path is the user's work, done since.
    """
    backup: str = ""
    """The ref that holds what it set aside."""


class LastPull(NamedTuple):
    """The last completed pull: its tree, and what of it its base commit does not have."""

    tree: str
    entries: Mapping[bytes, str] = {}
    added: frozenset[bytes] = frozenset()
    """Those of the paths that the base commit does not have at all."""


def _write(repository: Repository, name: str, fields: dict[str, object]) -> None:
    os.makedirs(repository.state, exist_ok=True)
    replace_file(os.path.join(repository.state, name), json.dumps(fields).encode("ascii"))


def _read(repository: Repository, name: str) -> dict[str, object] | None:
    try:
        with open(os.path.join(repository.state, name), encoding="ascii") as file:
            found = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}  # unreadable: something was under way, nothing of it is known
    return found if isinstance(found, dict) else {}


def _table(found: object) -> Mapping[bytes, object]:
    return {os.fsencode(k): v for k, v in found.items()} if isinstance(found, dict) else {}


def begin(repository: Repository, journal: Journal) -> None:
    """Note down, on disk for certain, that a pull is about to do what ``journal`` says."""
    contents = {os.fsdecode(path): sorted(known) for path, known in journal.contents.items()}
    fields = {"tree": journal.tree, "mark": journal.mark, "backup": journal.backup}
    _write(repository, UNDER_WAY, {**fields, "contents": contents})


def interrupted(repository: Repository) -> Journal | None:
    """The pull that was begun and never completed, if any."""
    found = _read(repository, UNDER_WAY)
    if found is None:
        return None
    contents = {
        path: frozenset(map(str, known))
        for path, known in _table(found.get("contents")).items()
        if isinstance(known, list)
    }
    tree, mark, backup = (str(found.get(key, "")) for key in ("tree", "mark", "backup"))
    return Journal(tree, mark, contents, backup)


def complete(repository: Repository, pulled: LastPull) -> None:
    """Note down that the working tree is ``pulled.tree`` now."""
    entries = {os.fsdecode(path): entry for path, entry in pulled.entries.items()}
    added = sorted(map(os.fsdecode, pulled.added))
    _write(repository, COMPLETED, {"tree": pulled.tree, "entries": entries, "added": added})
    abandon(repository)


def touched(repository: Repository) -> bool:
    """Whether the pull under way may have begun to write to the working tree."""
    found = interrupted(repository)
    return found is not None and bool(found.contents)


def abandon(repository: Repository) -> None:
    """Forget the pull under way: nothing was touched."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(repository.state, UNDER_WAY))


def last_pulled(repository: Repository) -> LastPull | None:
    """The last completed pull here, if any."""
    found = _read(repository, COMPLETED)
    if not found:
        return None
    added = found.get("added")
    return LastPull(
        str(found.get("tree", "")),
        {path: str(entry) for path, entry in _table(found.get("entries")).items()},
        frozenset(map(os.fsencode, added)) if isinstance(added, list) else frozenset(),
    )


@contextlib.contextmanager
def one_at_a_time(
    repository: Repository, progress: Progress | None = None, patience: float = 600.0
) -> Iterator[int]:
    """Hold this working tree's pull lock; yields its descriptor, for git commands to inherit.

    Waits up to ``patience`` seconds for another pull (or what a killed one left running), which
    ``progress`` hears of, then raises GhostError.
    """
    os.makedirs(repository.state, exist_ok=True)
    with open(os.path.join(repository.state, "pull.lock"), "w") as lock:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as e:
                if progress is not None:
                    progress("waiting for another pull in this working tree")
                if time.monotonic() > deadline:
                    raise GhostError(
                        f"another git ghost pull has long been at work in {repository.work_tree}"
                    ) from e
                time.sleep(0.05)
        yield lock.fileno()


def stamp(path: str) -> tuple[int, ...] | None:
    """What tells one state of a file from the next; None when it is not there."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def install_index(repository: Repository, index: str) -> None:
    """Make the file ``index`` the user's index, at once; the caller holds the lock on it."""
    try:
        os.rename(index, repository.index)
    except OSError:  # another file system
        part = os.path.join(repository.state, "index.new")
        copy_file(index, part)
        os.replace(part, repository.index)


def told_before(repository: Repository, notices: Sequence[str]) -> bool:
    """Whether the last pull here told the same ``notices``; what this one tells is noted down."""
    before = (_read(repository, TOLD) or {}).get("notices", [])
    if before != list(notices):
        _write(repository, TOLD, {"notices": list(notices)})
    return before == list(notices)


def begun(repository: Repository) -> int:
    """When the pull under way was noted down, in nanoseconds since 1970."""
    return os.stat(os.path.join(repository.state, UNDER_WAY)).st_mtime_ns
