"""Many files for git to read, in parts: git tells nothing while it hashes them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from git_ghost.activity import Activity
from git_ghost.repository import Repository

_PARTS: Final = 25
"""A part takes git as long as it needs to read and write the index: some milliseconds."""
_LEAST: Final = 8 << 20
"""Bytes a part has at least."""
_FILE: Final = 4 << 10
"""Bytes that a file costs beside its content."""


def in_batches(
    repository: Repository, paths: Sequence[bytes], activity: Activity
) -> Iterator[Sequence[bytes]]:
    """``paths``, relative to the top, in parts of about the same size; told as they are taken.

    All at once when nobody listens.
    """
    if activity.progress is None:
        if paths:
            yield paths
        return
    top = os.fsencode(repository.work_tree)
    sizes = [_size(os.path.join(top, path)) for path in paths]
    total = sum(sizes)
    part = max(_LEAST, (total + _FILE * len(paths)) // _PARTS)
    first = weight = done = 0
    for last, size in enumerate(sizes, 1):
        weight += size + _FILE
        if weight >= part or last == len(paths):
            activity.count(_line(first, len(paths), done, total))
            yield paths[first:last]
            done += sum(sizes[first:last])
            first, weight = last, 0


def _line(files: int, of_files: int, size: int, of_size: int) -> Callable[[float], str]:
    percent = 100 * size // of_size if of_size else 100 * files // of_files
    text = f"Hashing files: {percent:3}% ({files}/{of_files})"
    if of_size >= 1 << 20:
        text += f", {_mib(size)} of {_mib(of_size)} MiB"
    return lambda seconds: f"{text} ({seconds:.0f} s)" if seconds >= 2 else text


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.1f}"


def _size(path: bytes) -> int:
    try:
        found = os.lstat(path)
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
