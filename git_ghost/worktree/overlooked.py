"""What git passes over in a working tree: with success, and a word on stderr at most."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from git_ghost.errors import GitFailed
from git_ghost.git import environment, git
from git_ghost.gitconfig import GitConfig, parse_bool
from git_ghost.repository import Repository


class Unread(NamedTuple):
    """A path that git could not look at, as git writes it, and the system's reason."""

    path: str
    reason: str
    only_new: bool = False
    """Whether nothing but new files can stay behind for it."""


_NO_FOLDER = re.compile(r"warning: could not open directory '(.*)': (.*)")
_NO_FILE = re.compile(r"warning: unable to access '(.*)': (.*)")
_NO_STAT = re.compile(r"(?!(?:warning|error|fatal|hint): )(.*): (.*)")


def unread(said: str) -> tuple[tuple[Unread, ...], tuple[str, ...]]:
    """What a git that ended well could not look at, by its stderr; and what else it said.

    Of git's own files (``.gitignore``, ``.gitattributes``, ``.git/info``) only those inside the
    working tree count: without them other files go, or other bytes.
    """
    found: dict[Unread, None] = {}
    other: dict[str, None] = {}
    for line in filter(None, map(str.strip, said.split("\n"))):
        if match := _NO_FOLDER.fullmatch(line):
            found[Unread(match[1], match[2], only_new=True)] = None
        elif (match := _NO_FILE.fullmatch(line)) and not os.path.isabs(match[1]):
            found[Unread(match[1], match[2], "attributes" not in match[1])] = None
        elif not match and (match := _NO_STAT.fullmatch(line)):
            found[Unread(match[1], match[2])] = None
        else:
            other[line.removeprefix("warning: ")] = None
    return tuple(found), tuple(other)


def file_system_options(repository: Repository) -> tuple[str, ...]:
    """Options for git where the configuration says of the file system what is not so.

    Carried over from another system, ``core.ignoreCase`` makes git take a new file for a tracked
    one. (git itself asks the file system once, with the same kind of probe, in ``git init``.)
    """
    said = repository.config.get("core.ignorecase", "false")
    if parse_bool(said, "core.ignoreCase"):
        probe = os.path.join(repository.common_dir, "cOnFiG")
        if not os.path.lexists(probe):
            return "-c", "core.ignoreCase=false"
    return ()


def _folder(repository: Repository, path: bytes) -> str:
    return os.path.join(repository.work_tree, os.fsdecode(path))


def is_checked_out(folder: str) -> bool:
    """Whether a submodule's folder holds a repository."""
    return os.path.lexists(os.path.join(folder, ".git"))


def checked_out(repository: Repository, gitlinks: Iterable[bytes]) -> list[bytes]:
    """Those of the submodules whose folders hold repositories."""
    return [path for path in gitlinks if is_checked_out(_folder(repository, path))]


def filled(repository: Repository, gitlinks: Iterable[bytes]) -> Iterator[bytes]:
    """The submodules that are not checked out, but whose folders hold something all the same."""
    for path in gitlinks:
        folder = _folder(repository, path)
        if os.path.isdir(folder) and not is_checked_out(folder) and os.listdir(folder):
            yield path


def homeless(repository: Repository, gitlinks: Iterable[bytes]) -> tuple[bytes, ...]:
    """The repositories in the index that are checked out, but that no ``.gitmodules`` has.

    Wherever else they are checked out they are empty folders.
    """
    here = checked_out(repository, gitlinks)
    if not here:
        return ()
    on_disk = os.path.isfile(os.path.join(repository.work_tree, ".gitmodules"))
    where = "--file=.gitmodules" if on_disk else "--blob=:.gitmodules"
    try:
        config = GitConfig.parse(repository.git("config", where, "--list", "-z"))
    except GitFailed:  # there is none, or git cannot read it
        config = GitConfig()
    known = {
        os.fsencode(values[-1])
        for key, values in config.values.items()
        if key.startswith("submodule.") and key.endswith(".path")
    }
    return tuple(path for path in here if path not in known)


def told_to_ignore(repository: Repository, gitlinks: Iterable[bytes]) -> Iterator[bytes]:
    """The submodules with changes in submodules of theirs whose ``ignore`` keeps git quiet.

    What ``git status`` is told on the command line it does not hand on to them.
    """
    for path in gitlinks:
        folder = _folder(repository, path)
        with contextlib.suppress(OSError), open(os.path.join(folder, ".gitmodules"), "rb") as rules:
            if b"ignore" in rules.read() and is_checked_out(folder):
                args = ("status", "--porcelain", "--ignore-submodules=none")
                if git(*args, cwd=folder, env=environment(foreign=True)):
                    yield path


def unpushed(repository: Repository, gitlinks: Iterable[bytes]) -> Iterator[bytes]:
    """The submodules, and those inside them, at a commit that no remote of theirs has."""
    for path in gitlinks:
        yield from _unpushed(_folder(repository, path), path)


def _unpushed(folder: str, path: bytes) -> Iterator[bytes]:
    if not is_checked_out(folder):
        return  # its commit came from somewhere else
    env = environment(foreign=True)
    try:
        args = ("rev-list", "--ignore-missing", "--max-count=1", "HEAD", "--not", "--remotes")
        if git(*args, cwd=folder, env=env).strip():
            yield path
        listing = git("ls-files", "-s", "-z", cwd=folder, env=env)
    except GitFailed:
        yield path
        return
    for inner in re.findall(rb"(?:\A|\0)160000 [^\t]*\t([^\0]*)", listing):
        yield from _unpushed(os.path.join(folder, os.fsdecode(inner)), path + b"/" + inner)
