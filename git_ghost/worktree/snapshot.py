"""Snapshot: the git tree id of the working tree, with the user's index and objects never written.

First :func:`survey` looks (plan), then the guards judge, then :func:`write_tree` hashes (act).
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from git_ghost.errors import GhostError, GitFailed, Refusal, UsageError
from git_ghost.git import Running
from git_ghost.model import Oid, count, null, oid
from git_ghost.quarantine import Quarantine
from git_ghost.repository import Repository
from git_ghost.worktree import filters, guards
from git_ghost.worktree.batches import in_batches
from git_ghost.worktree.overlooked import (
    Unread,
    file_system_options,
    filled,
    homeless,
    told_to_ignore,
    unread,
)


class Survey(NamedTuple):
    """What differs from HEAD in a working tree; paths are bytes, relative to its top."""

    head: Oid | None
    branch: str = ""
    upstream: str = ""
    written: tuple[bytes, ...] = ()
    """Tracked paths whose content on disk is not the index's."""
    deleted: tuple[bytes, ...] = ()
    """Tracked paths that are not on disk."""
    added: tuple[bytes, ...] = ()
    """Paths in the index that are not in HEAD: somebody said `git add`, perhaps without looking."""
    staged: tuple[bytes, ...] = ()
    """Paths whose index entry is not HEAD's, whatever is on disk."""
    conflicted: tuple[bytes, ...] = ()
    untracked: tuple[bytes, ...] = ()
    included: tuple[bytes, ...] = ()
    """Paths named by ``-I`` that git would not have offered: ignored ones, mostly."""
    nested: tuple[bytes, ...] = ()
    """Repositories inside the working tree that are not submodules (a trailing slash each)."""
    dirty_submodules: tuple[bytes, ...] = ()
    gitlinks: tuple[bytes, ...] = ()
    hidden: tuple[bytes, ...] = ()
    """Changed paths that the user told git to overlook (assume-unchanged, skip-worktree)."""
    unread: tuple[Unread, ...] = ()
    """What git could not look at."""
    filled: tuple[bytes, ...] = ()
    """Submodules that are not checked out, in whose folders there is something all the same."""
    homeless: tuple[bytes, ...] = ()
    """Gitlinks that are checked out, but that no ``.gitmodules`` has."""
    unchanged: tuple[bytes, ...] = ()
    """Paths that only look written, because a filter never gives the same twice."""
    words: tuple[str, ...] = ()
    """What else git had to say about the working tree."""
    listing: bytes = b""
    """``git ls-files -s -z`` of what is tracked (with a letter before each mode)."""

    @property
    def has_attributes(self) -> bool:
        """Whether there is a ``.gitattributes``, tracked or new."""
        new = b"".join(b"/" + path + b"\0" for path in (*self.untracked, *self.included))
        return any(re.search(rb"[\t/]\.gitattributes\0", paths) for paths in (self.listing, new))

    @property
    def changed(self) -> frozenset[bytes]:
        """Every tracked path that is not as in HEAD, on disk or in the index."""
        return frozenset((*self.written, *self.deleted, *self.staged, *self.conflicted))


class Entry(NamedTuple):
    """Index flags of a path that deserve attention."""

    path: bytes
    gitlink: bool
    overlooked: bool
    may_be_absent: bool = False
    """Whether it is flagged so that it need not be on disk (skip-worktree)."""


_ENTRY = re.compile(rb"(?:(?<=\0)|\A)([A-Za-z]) (\d{6}) [0-9a-f]+ \d\t([^\0]*)\0")
_NOTABLE = re.compile(rb"(?:\A|\0)(?:[a-zS] |. 160000)")


def _notable(listing: bytes) -> Iterator[Entry]:
    """The gitlinks and overlooked entries in ``git ls-files -v -s -z``."""
    if not _NOTABLE.search(listing):
        return
    for tag, mode, path in _ENTRY.findall(listing):
        gitlink = mode == b"160000"
        if gitlink or tag.islower() or tag == b"S":
            skipped = tag.upper() == b"S"
            yield Entry(path, gitlink, skipped or tag.islower(), skipped)


def start_status(quarantine: Quarantine) -> Running:
    """Start the one look at the whole working tree, on a private index."""
    return quarantine.start(
        *file_system_options(quarantine.repository),
        "-c", "diff.orderFile=/dev/null",  # a missing one is fatal
        "-c", "status.showUntrackedFiles=normal",  # what submodules are asked with
        "status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all",
        "--ignore-submodules=none", "--no-renames", "--no-ahead-behind",
    )  # fmt: skip


def survey(quarantine: Quarantine) -> Survey:
    """Look at the working tree through a private index; nothing is hashed or written.

    Raises GhostError where git cannot read it.
    """
    repository = quarantine.repository
    quarantine.activity.now("Scanning files")
    with start_status(quarantine) as status:
        with quarantine.start("ls-files", "-v", "-s", "-z") as listing:
            entries = listing.result()
            quarantine.activity.now(f"Scanning {entries.count(0)} tracked files")
            notable = list(_notable(entries))
        found = _parse_status(status.result())
        not_read, words = unread(status.wait()[1])
    overlooked = [e for e in notable if e.overlooked]
    flagged = [e.path for e in overlooked if not e.may_be_absent or _on_disk(repository, e.path)]
    gitlinks = tuple(entry.path for entry in notable if entry.gitlink)
    unchanged = filters.unchanged(quarantine, found.written)
    return found._replace(
        written=tuple(path for path in found.written if path not in unchanged),
        unchanged=unchanged,
        hidden=tuple(_changed_behind_flags(quarantine, flagged)) if flagged else (),
        gitlinks=gitlinks,
        unread=not_read,
        filled=tuple(filled(repository, gitlinks)),
        dirty_submodules=tuple(
            dict.fromkeys((*found.dirty_submodules, *told_to_ignore(repository, gitlinks)))
        ),
        homeless=homeless(repository, gitlinks),
        words=words,
        listing=entries,
    )


def leaving_out(repository: Repository, found: Survey, file: tuple[int, int]) -> Survey:
    """``found`` without the untracked file of that device and inode number."""
    top = os.fsencode(repository.work_tree)

    def is_it(path: bytes) -> bool:
        with contextlib.suppress(OSError):
            there = os.lstat(os.path.join(top, path))
            return (there.st_dev, there.st_ino) == file
        return False

    return found._replace(untracked=tuple(path for path in found.untracked if not is_it(path)))


def _on_disk(repository: Repository, path: bytes) -> bool:
    return os.path.lexists(os.path.join(os.fsencode(repository.work_tree), path))


def _changed_behind_flags(quarantine: Quarantine, paths: list[bytes]) -> list[bytes]:
    """Which of ``paths``, flagged to be overlooked, differ: asked of another private index."""
    quarantine.copy_index("unflagged")
    unflag(quarantine, paths, "unflagged")
    quarantine.git("update-index", "-q", "--refresh", index="unflagged", ok=(0, 1))
    out = quarantine.git("diff-files", "--name-only", "-z", index="unflagged")
    return sorted(set(out.split(b"\0")).intersection(paths))


def unflag(quarantine: Quarantine, paths: Iterable[bytes], index: str = "index") -> None:
    """Drop the flags that make git overlook ``paths``, in a private index."""
    feed = b"".join(path + b"\0" for path in paths)
    for flag in ("--no-assume-unchanged", "--no-skip-worktree"):
        quarantine.git("update-index", flag, "-z", "--stdin", index=index, stdin=feed)


def _parse_status(out: bytes) -> Survey:
    """Read ``git status --porcelain=v2 -z --branch`` (see git-status(1))."""
    header: dict[str, str] = {}
    lists: dict[str, list[bytes]] = {
        name: []
        for name in (
            "written",
            "deleted",
            "added",
            "staged",
            "conflicted",
            "untracked",
            "nested",
            "dirty_submodules",
        )
    }
    for line in out.split(b"\0"):
        kind = line[:2]
        if kind == b"# ":
            key, _, value = os.fsdecode(line[2:]).partition(" ")
            header[key] = value
        elif kind == b"1 ":
            _, xy, sub, _, index_mode, disk_mode, _, _, path = line.split(b" ", 8)
            if xy[:1] != b".":
                lists["staged"].append(path)
            if xy == b".A" or xy[:1] == b"A":
                lists["added"].append(path)
            if sub[:1] == b"S" and b"160000" in (index_mode, disk_mode) and xy[1:] != b"T":
                if sub[2:] != b"..":
                    lists["dirty_submodules"].append(path)
                if sub[1:2] == b"C":
                    lists["written"].append(path)
                elif xy[1:] == b"D" or disk_mode == b"000000":
                    lists["deleted"].append(path)
            elif disk_mode == b"160000" and index_mode != b"160000":
                lists["nested"].append(path + b"/")
                lists["deleted"].append(path)
            elif xy[1:] != b".":
                lists["deleted" if disk_mode == b"000000" else "written"].append(path)
        elif kind == b"u ":
            fields = line.split(b" ", 10)
            path = fields[10]
            lists["conflicted"].append(path)
            lists["deleted" if fields[6] == b"000000" else "written"].append(path)
        elif kind == b"? ":
            path = line[2:]
            lists["nested" if path.endswith(b"/") else "untracked"].append(path)
    head = header.get("branch.oid", "(initial)")
    branch = header.get("branch.head", "")
    named: dict[str, Any] = {name: tuple(paths) for name, paths in lists.items()}
    return Survey(
        head=None if head == "(initial)" else oid(head),
        branch="" if branch == "(detached)" else branch,
        upstream=header.get("branch.upstream", ""),
        **named,
    )


class Wanted(NamedTuple):
    """What a snapshot is to hold."""

    untracked: bool = True
    include: tuple[bytes, ...] = ()
    """Absolute paths named by ``-I``."""
    follow_symlinks: bool = False
    without: frozenset[str] = frozenset()
    limits: guards.SizeLimits = guards.SizeLimits(25 << 20, 200 << 20)


def select(quarantine: Quarantine, found: Survey, wanted: Wanted) -> Survey:
    """``found`` reduced to, and completed by, what is wanted. UsageError for a path outside."""
    repository = quarantine.repository
    named = _named_paths(repository, wanted)
    listed: dict[bytes, None] = {}
    nested = list(found.nested)
    if named:
        feed = [b":(literal,top)" + path for path in named]
        known = set(quarantine.git("ls-files", "-z", "--cached", "--", *feed).split(b"\0"))
        truth = file_system_options(repository)
        out = quarantine.git(*truth, "ls-files", "-z", "--others", "--", *feed)
        own = quarantine.prefix
        for path in filter(None, out.split(b"\0")):
            if own and path.startswith(own):
                continue
            if path.endswith(b"/"):
                nested.append(path)
            else:
                listed[path] = None
        for path in named:  # tracked but overlooked ones, and what git lists nowhere
            if path in known and path in found.hidden:
                listed[path] = None
            elif (
                not any(p == path or p.startswith(path + b"/") for p in (*listed, *known, *nested))
                and path
            ):
                _refuse_unlistable(repository, path)
    if seen := [path for path in found.hidden if path in listed]:
        unflag(quarantine, seen)
    hidden = tuple(path for path in found.hidden if path not in listed)
    untracked = found.untracked if wanted.untracked else ()
    included = tuple(path for path in listed if path not in set(untracked))
    return found._replace(
        untracked=untracked,
        included=included,
        nested=tuple(dict.fromkeys(nested)),
        hidden=hidden,
        unread=tuple(u for u in found.unread if wanted.untracked or not u.only_new),
    )


def _refuse_unlistable(repository: Repository, path: bytes) -> None:
    full = os.path.join(os.fsencode(repository.work_tree), path)
    shown = guards.show_path(path)
    if not os.path.lexists(full):
        raise UsageError(f"there is no file {shown} to include")
    parts = path.split(b"/")
    for depth in range(1, len(parts)):
        link = os.path.join(os.fsencode(repository.work_tree), *parts[:depth])
        if os.path.islink(link):
            raise UsageError(
                f"{shown} is beyond a symbolic link", "Include the file by its own path."
            )
    if not os.path.isdir(full):
        raise UsageError(
            f"git cannot carry {shown}: it is neither a file, a folder nor a symbolic link"
        )


def _named_paths(repository: Repository, wanted: Wanted) -> list[bytes]:
    """The paths named by ``-I``, relative to the top; followed links' targets too."""
    found: dict[bytes, None] = {}
    for path in wanted.include:
        relative = _relative(repository, path)
        found[relative] = None
        full = os.path.join(os.fsencode(repository.work_tree), relative)
        while wanted.follow_symlinks and os.path.islink(full):
            target = os.readlink(full)
            if os.path.isabs(target):
                raise UsageError(
                    f"{guards.show_path(relative)} is a symbolic link to the absolute path"
                    f" {guards.show_path(target)}",
                    "--follow-symlinks takes relative links inside the repository.",
                )
            full = os.path.normpath(os.path.join(os.path.dirname(full), target))
            relative = _relative(repository, full)
            if relative in found:
                break
            found[relative] = None
    return list(found)


def _relative(repository: Repository, path: bytes) -> bytes:
    """``path`` relative to the top; links above it resolved, itself not."""
    top = os.path.realpath(os.fsencode(repository.work_tree))
    path = os.path.normpath(path)
    full = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    if path == os.path.normpath(os.fsencode(repository.work_tree)) or full == top:
        return b""
    relative = os.path.relpath(full, top)
    if relative.startswith(b"../") or relative == b"..":
        raise UsageError(f"{guards.show_path(path)} is not inside {repository.work_tree}")
    if relative.split(b"/")[0].lower() == b".git":
        raise UsageError(f"{guards.show_path(path)} is git's own")
    return relative


def objections(
    quarantine: Quarantine, found: Survey, wanted: Wanted, since: Iterable[bytes] = ()
) -> Iterator[Refusal]:
    """What speaks against sending this, before anything is hashed.

    ``since`` are paths that only local commits changed.
    """
    repository = quarantine.repository
    yield from guards.check_unread(found.unread)
    alone = set(found.homeless).intersection(found.gitlinks)
    if "submodules" not in wanted.without:
        yield from guards.check_nested((*found.nested, *sorted(alone)), wanted.without)
        known = (path for path in found.gitlinks if path not in alone)
        yield from guards.check_submodules(repository, found.dirty_submodules, known, found.filled)
    else:
        yield from guards.check_nested(found.nested, wanted.without)
    named = frozenset(_named_paths(repository, wanted._replace(follow_symlinks=False)))
    new, how = (*found.added, *found.untracked, *found.included), origins(found)
    yield from guards.check_secrets(new, named, how)
    on_disk = sizes(repository, found)
    yield from guards.check_sizes(on_disk, wanted.limits, how)
    yield from guards.check_lfs(quarantine, dict.fromkeys((*on_disk, *since)), wanted.without)


def origins(found: Survey) -> dict[bytes, str]:
    """How each path came to be sent, as :func:`git_ghost.worktree.guards.check_sizes` takes it."""
    return {
        **dict.fromkeys((*found.written, *found.staged), "tracked"),
        **dict.fromkeys(found.added, "added"),
        **dict.fromkeys(found.included, "included"),
        **dict.fromkeys(found.untracked, "new"),
    }


def sizes(repository: Repository, found: Survey) -> dict[bytes, int]:
    """Every changed or new path that is on disk, and its size there in bytes."""
    staged = (path for path in found.staged if _on_disk(repository, path))
    return {
        path: _size(repository, path)
        for path in (*found.written, *staged, *found.untracked, *found.included)
    }


def _size(repository: Repository, path: bytes) -> int:
    try:
        found = os.lstat(os.path.join(os.fsencode(repository.work_tree), path))
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def write_tree(quarantine: Quarantine, found: Survey, index: str = "index") -> Oid:
    """Hash what :func:`survey` found into the quarantine; the tree id of the working tree.

    Only paths that differ are read. Raises GhostError for a file that cannot be.
    """
    written = (*found.written, *found.untracked, *found.included)
    update_index(quarantine, found.deleted, written, index)
    return quarantine.write_tree(index)


Stamps = Mapping[bytes, tuple[int, int, int]]
"""Of each file its time stamp, size and inode number."""


def stamps(repository: Repository, found: Survey) -> Stamps:
    """The stamps of what will be read, so that what changes meanwhile can be told."""
    top, stamped = os.fsencode(repository.work_tree), {}
    for path in (*found.written, *found.untracked, *found.included):
        with contextlib.suppress(OSError):
            now = os.lstat(os.path.join(top, path))
            stamped[path] = (now.st_mtime_ns, now.st_size, now.st_ino)
    return stamped


def update_index(
    quarantine: Quarantine,
    deleted: Iterable[bytes],
    written: Iterable[bytes],
    index: str = "index",
) -> None:
    """Record ``deleted`` paths as gone and ``written`` ones as they are on disk.

    Deletions go first: a folder may have taken a file's place, a link a folder's.
    """
    removal = b"0 " + null(quarantine.repository.object_format).encode() + b"\t"
    if gone := b"".join(removal + path + b"\0" for path in deleted):
        quarantine.git("update-index", "-z", "--index-info", index=index, stdin=gone)
    written = filters.recall(quarantine, tuple(written), index)
    truth = file_system_options(quarantine.repository)
    said = ""
    for part in in_batches(quarantine.repository, written, quarantine.activity):
        there = b"".join(path + b"\0" for path in part)
        args = ("update-index", "--add", "--remove", "--replace", "-z", "--stdin")
        running = quarantine.start(*truth, *args, index=index, stdin=there)
        try:
            running.result()
        except GitFailed as e:
            raise GhostError(
                f"git could not read the working tree: {e.said}", "Nothing was sent."
            ) from e
        said += running.wait()[1]
    not_read, words = unread(said)
    guards.refuse(guards.check_unread(not_read), so="")
    ignored = [line for line in words if line.startswith(_IGNORED)]
    if ignored:  # it passes over these with a word, and success
        names = "".join(f"\n  {line.removeprefix(_IGNORED)}" for line in ignored)
        raise GhostError(
            f"git refuses to carry {count(len(ignored), 'file')}, whose names could mean .git"
            f" elsewhere:{names}",
            "Rename them, or put them into .gitignore.",
        )
    if written:
        filters.remember(quarantine, written, index)


_IGNORED = "Ignoring path "
