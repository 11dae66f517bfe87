"""Private folders and exact copies, without what shutil and tempfile cost to import (8 ms)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterator


def private_folder(parent: str, prefix: str = "git-ghost-") -> str:
    """A new folder in ``parent`` that only this user can enter."""
    while True:
        path = os.path.join(parent, prefix + os.urandom(6).hex())
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            continue
        return path


def write_private(path: str, content: bytes) -> str:
    """Make the file ``path``, which only this user can read, whatever the umask; its path."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
    return path


@contextlib.contextmanager
def temporary_folder(place: str) -> Iterator[str]:
    """A :func:`private_folder` in ``place``, gone when the block ends, however it ends.

    What a killed process left behind there is removed too: its lock is free.
    """
    _remove_abandoned(place)
    while True:
        path = private_folder(place)
        with open(os.path.join(path, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(lock.name):  # swept away by another before it was locked
                continue
            try:
                yield path
            finally:
                remove_folder(path)
            return


def _remove_abandoned(place: str) -> None:
    for name in os.listdir(place):
        path = os.path.join(place, name)
        if not re.fullmatch(r"git-ghost-[0-9a-f]{12}", name):
            continue
        with contextlib.suppress(OSError):
            folder, lock_file = os.lstat(path), os.lstat(os.path.join(path, "lock"))
            ours = folder.st_uid == lock_file.st_uid == os.geteuid()
            # The place may be one where others can put what they like: /tmp.
            if not (ours and stat.S_ISDIR(folder.st_mode) and stat.S_ISREG(lock_file.st_mode)):
                continue
            with open(os.path.join(path, "lock")) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_folder(path)


def temporary_place() -> str:
    """The system's folder for temporary files; FileNotFoundError when none can be written to."""
    import tempfile  # 3 ms that few calls need

    return tempfile.gettempdir()


def remove_folder(path: str) -> None:
    """Remove a folder and all in it, as far as that can be."""
    import shutil  # when the work is done, or imported in the background meanwhile

    shutil.rmtree(path, ignore_errors=True)


def copy_file(source: str, target: str) -> None:
    """Copy content, permissions and time stamps; racily clean index entries are judged by those."""
    with open(source, "rb") as reading, open(target, "wb") as writing:
        while chunk := reading.read(1 << 20):
            writing.write(chunk)
        found = os.fstat(reading.fileno())
    os.chmod(target, found.st_mode & 0o7777)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
