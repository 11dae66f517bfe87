"""Private folders and exact copies, without what shutil and tempfile cost to import (8 ms)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterator


def private_folder(parent: str, prefix: str) -> str:
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


def replace_file(path: str, content: bytes) -> None:
    """Make ``content`` the file ``path``: on disk for certain, whole or not at all.

    One process at a time may do so.
    """
    part = f"{path}.new"
    with open(part, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


@contextlib.contextmanager
def temporary_folder(place: str) -> Iterator[str]:
    """A :func:`private_folder` in ``place``, gone when the block ends, however it ends.

    What a killed process left behind there is removed too: its lock is free.
    """
    _remove_abandoned(place)
    while True:
        path = private_folder(place, "git-ghost-")
        try:
            lock = open(os.path.join(path, "lock"), "w")  # noqa: SIM115 - closed below
        except FileNotFoundError:
            continue  # swept away by another before it was locked
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(lock.name):  # the same
                continue
            try:
                # In a working tree, git is not to take what is in here for the user's files.
                write_private(os.path.join(path, ".gitignore"), b"*\n")
                yield path
            finally:
                _discard(path)
            return


_GONE = ".gone"
"""What the name of a folder ends in that is being removed, lock and all."""


def _discard(path: str) -> None:
    """Remove a temporary folder; killed meanwhile, what is left cannot be taken for one in use."""
    if not path.endswith(_GONE):
        with contextlib.suppress(OSError):
            os.rename(path, path + _GONE)
            path += _GONE
    remove_folder(path)


def _remove_abandoned(place: str) -> None:
    for name in os.listdir(place):
        path = os.path.join(place, name)
        if not re.fullmatch(rf"git-ghost-[0-9a-f]{{12}}({re.escape(_GONE)})?", name):
            continue
        with contextlib.suppress(OSError):
            found = os.lstat(path)
            # The place may be one where others can put what they like: /tmp.
            if found.st_uid != os.geteuid() or found.st_mode != stat.S_IFDIR | 0o700:
                continue
            # Without a lock it is a new one that waits for it now, or an old one half removed.
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            with open(os.open(os.path.join(path, "lock"), flags, 0o600), "rb") as lock:
                if stat.S_ISREG(os.fstat(lock.fileno()).st_mode):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _discard(path)


def temporary_place() -> str:
    """The system's folder for temporary files; FileNotFoundError when none can be written to."""
    import tempfile  # 3 ms that few calls need

    return tempfile.gettempdir()


def remove_folder(path: str) -> None:
    """Remove a folder and all in it, as far as that can be, however deep it is."""
    pending, folders = [path], []
    while pending:
        folders.append(folder := pending.pop())
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)
    for folder in reversed(folders):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def copy_file(source: str, target: str) -> None:
    """Copy content, permissions and time stamps; racily clean index entries are judged by those."""
    with open(source, "rb") as reading, open(target, "wb") as writing:
        while chunk := reading.read(1 << 20):
            writing.write(chunk)
        found = os.fstat(reading.fileno())
    os.chmod(target, found.st_mode & 0o7777)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
