"""Planning a pull: what has to change in the working tree, and what of the user's is in the way.

Nothing of the user's is written here; :mod:`git_ghost.worktree.checkout` acts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from git_ghost.errors import LocalChanges
from git_ghost.model import Oid, count
from git_ghost.quarantine import Quarantine
from git_ghost.repository import Repository
from git_ghost.worktree import filters, guards, journal, snapshot
from git_ghost.worktree.journal import Journal, LastPull
from git_ghost.worktree.snapshot import Survey

INDEX = "index"
"""The private index: a copy of the user's, brought to what is on disk, then to the target."""

GITLINK = "160000 "
_IN_PROGRESS = {"MERGE_HEAD": "merge", "CHERRY_PICK_HEAD": "cherry-pick", "REVERT_HEAD": "revert"}
"""Refs: git alone knows where it keeps them."""
_FOLDERS_IN_PROGRESS = {"rebase-merge": "rebase", "rebase-apply": "rebase or am"}

Changes = Mapping[bytes, tuple[str, str]]
"""For each path that differs between two trees its entries (``mode id``, empty: none) in both."""


class Target(NamedTuple):
    """Where a pull leads: working tree ``tree`` with HEAD on ``base``.

    ``remote_base`` is where a branch must be to be fast-forwarded to ``base`` (empty: nowhere);
    ``submodules`` are those that are of use there (None: not known, so all).
    """

    tree: Oid
    base: Oid
    remote_base: str = ""
    submodules: frozenset[str] | None = None


class Plan(NamedTuple):
    """What a pull would do; paths relative to the top of the working tree."""

    target: Target
    current: Oid
    """The tree of what is there now: tracked files as on disk, and files the target has too."""
    survey: Survey
    changes: Changes
    """What changes from ``current`` to the target."""
    in_the_way: tuple[bytes, ...]
    """Local changes to set aside first."""
    head_moves: str
    """``""`` (it stays), ``branch`` (fast-forward) or ``detached``."""
    stamp: tuple[int, ...] | None
    """The user's index, as it was looked at."""
    before: Journal | None = None
    """The interrupted pull that this one finishes."""

    @property
    def nothing_to_do(self) -> bool:
        """Whether everything is as it should be already."""
        return not (self.changes or self.head_moves or self.in_the_way or self.before)


def plan(quarantine: Quarantine, target: Target, before: Journal | None, *, force: bool) -> Plan:
    """Compare the working tree with the target. The private index then holds :attr:`Plan.current`.

    Raises LocalChanges for what would be lost, unless ``force`` or an earlier pull put it there.
    """
    repository = quarantine.repository
    _refuse_in_progress(repository)
    stamp = journal.stamp(repository.index)
    quarantine.copy_index(INDEX)
    found = _survey_refreshed(quarantine)
    filters.refresh(quarantine, found.unchanged)
    snapshot.update_index(quarantine, found.deleted, (*found.written, *found.hidden))
    pulled = journal.last_pulled(repository)
    ours = _adopt_left(quarantine, pulled, before)
    current = quarantine.write_tree()
    is_ghost = pulled is not None and current == pulled.tree
    disk = _Disk(repository)
    changes = changes_between(quarantine, current, target.tree)
    obstacles, inside = _obstacles(quarantine, disk, changes)
    adopted = _adopt(quarantine, [*obstacles, *(inside if force else ())])
    if adopted:
        current = quarantine.write_tree()
        changes = changes_between(quarantine, current, target.tree)
    local = {*found.changed, *found.hidden, *adopted, *ours}
    known = _Known(quarantine, target.tree, pulled, before, is_ghost=is_ghost)
    blocking = {p for p in local.intersection(changes) if not known.on_disk(p, changes[p][0])}
    # The index goes back to the base commit, so what is in the index alone would be lost.
    both = set(found.staged).intersection((*found.written, *found.deleted, *found.hidden))
    both.update(found.conflicted)
    blocking |= known.not_in_index(both)
    if force:
        inside = []
    if (blocking or inside) and not force:
        raise LocalChanges(
            f"local changes are in the way of {target.tree}; nothing was touched:"
            f"{guards.show_paths(sorted({*blocking, *inside}))}",
            "Commit or stash them, or let --force set them aside in a backup ref first.",
        )
    if _settle_submodules(quarantine, disk, changes, local):
        current = quarantine.write_tree()
        changes = changes_between(quarantine, current, target.tree)
    return Plan(
        target=target,
        current=current,
        survey=found,
        changes=changes,
        in_the_way=tuple(sorted(blocking)),
        head_moves=_head_moves(quarantine, found, target),
        stamp=stamp,
        before=before,
    )


def _refuse_in_progress(repository: Repository) -> None:
    for what in _in_progress(repository):
        raise LocalChanges(
            f"a {what} is in progress in {repository.work_tree}; nothing was touched",
            "Finish it or abort it first (see `git status`).",
        )


def _in_progress(repository: Repository) -> Iterator[str]:
    feed = "".join(f"{name}\n" for name in _IN_PROGRESS).encode()
    answers = repository.git("cat-file", "--batch-check", stdin=feed).splitlines()
    for what, answer in zip(_IN_PROGRESS.values(), answers, strict=True):
        if not answer.endswith(b" missing"):
            yield what
    for name, what in _FOLDERS_IN_PROGRESS.items():
        if os.path.exists(os.path.join(repository.git_dir, name)):
            yield what


def _survey_refreshed(quarantine: Quarantine) -> Survey:
    """Survey, and leave fresh stat data in the private index, which ``read-tree -u`` relies on."""
    quarantine.git("update-index", "-q", "--refresh", ok=(0, 1))
    found = snapshot.survey(quarantine)
    if found.hidden:
        snapshot.unflag(quarantine, found.hidden)
    return found


def changes_between(quarantine: Quarantine, a: str, b: str) -> Changes:
    """What differs between two trees."""
    if a == b:
        return {}
    args = ("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames")
    out = quarantine.git(*args, "--ignore-submodules=none", a, b)
    fields = out.decode("utf-8", "surrogateescape").split("\0")
    found: dict[bytes, tuple[str, str]] = {}
    for about, path in zip(fields[0::2], fields[1::2], strict=False):
        old_mode, new_mode, old, new, _ = about.lstrip(":").split(" ")
        found[os.fsencode(path)] = (_entry(old_mode, old), _entry(new_mode, new))
    return found


def _entry(mode: str, value: str) -> str:
    return f"{mode} {value}" if int(mode) else ""


def _tracked(quarantine: Quarantine) -> set[bytes]:
    return {path for path in quarantine.git("ls-files", "-z").split(b"\0") if path}


class _Disk:
    """What stands at a path, nothing being looked at through symbolic links."""

    def __init__(self, repository: Repository) -> None:
        self._top = os.fsencode(repository.work_tree)
        self._kinds: dict[bytes, str] = {b"": "folder"}

    def kind(self, path: bytes) -> str:
        """``none``, ``file`` (or symbolic link), ``folder``, ``repository`` or ``other``."""
        unknown, step = [], path
        while step not in self._kinds:
            unknown.append(step)
            step = step.rpartition(b"/")[0]
        for step in reversed(unknown):
            above = self._kinds[step.rpartition(b"/")[0]]
            self._kinds[step] = self._look(step) if above in ("folder", "repository") else "none"
        return self._kinds[path]

    def _look(self, path: bytes) -> str:
        full = os.path.join(self._top, path)
        try:
            mode = os.lstat(full).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return "none"
        if stat.S_ISDIR(mode):
            return "repository" if os.path.lexists(os.path.join(full, b".git")) else "folder"
        return "file" if stat.S_ISREG(mode) or stat.S_ISLNK(mode) else "other"

    def in_place_of(self, path: bytes) -> bytes:
        """What stands where ``path`` is to be written: itself or a parent; empty for nothing."""
        parent = path.rpartition(b"/")[0]
        while parent and self.kind(parent) == "none":
            parent = parent.rpartition(b"/")[0]
        step = parent
        while step:
            if self.kind(step) == "repository":
                return step
            step = step.rpartition(b"/")[0]
        if self.kind(parent) != "folder":
            return parent
        return path if self.kind(path) != "none" else b""


def _obstacles(
    quarantine: Quarantine, disk: _Disk, changes: Changes
) -> tuple[list[bytes], list[bytes]]:
    """Untracked files that stand where the target adds something; and those in folders that do.

    Raises LocalChanges for what cannot be set aside: a repository, a device or pipe.
    """
    files: dict[bytes, None] = {}
    folders: list[bytes] = []
    stuck: dict[bytes, None] = {}
    left = _folders_left(changes)
    for path, (old, new) in changes.items():
        if not new or (old and not old.startswith(GITLINK)):
            continue
        found = disk.in_place_of(path)
        kind = disk.kind(found) if found else "none"
        link = new.startswith(GITLINK)
        if kind == "other" or (kind == "repository" and not (link and found == path)):
            stuck[found] = None
        elif kind == "file":
            files[found] = None
        elif kind == "folder" and (not link or path in left):
            folders.append(found)
    inside = _files_inside(quarantine, folders) if folders else []
    stuck.update(dict.fromkeys(path for path in inside if path.endswith(b"/")))
    if stuck:
        raise LocalChanges(
            "what git ghost cannot set aside stands where the ghost has files; nothing was touched:"
            f"{guards.show_paths(stuck)}",
            "Move it away first.",
        )
    tracked = _tracked(quarantine) if files else set()
    return [path for path in files if path not in tracked], inside


def _folders_left(changes: Changes) -> set[bytes]:
    """The folders that files are to be removed from."""
    found: set[bytes] = set()
    for path, (_, new) in changes.items():
        while not new and (path := path.rpartition(b"/")[0]) and path not in found:
            found.add(path)
    return found


def _files_inside(quarantine: Quarantine, folders: list[bytes]) -> list[bytes]:
    """Every untracked file in ``folders``, ignored ones too; repositories end in a slash."""
    out = quarantine.git("ls-files", "-z", "--others")
    starts = tuple(folder + b"/" for folder in folders)
    return [path for path in out.split(b"\0") if path.startswith(starts)]


def _adopt_left(
    quarantine: Quarantine, pulled: LastPull | None, before: Journal | None
) -> list[bytes]:
    """Adopt the untracked files of pulls: the last one's new files, what a killed one wrote."""
    left = {*(pulled.added if pulled else ()), *(before.contents if before else ())}
    if left:
        left -= _tracked(quarantine)
    return _adopt(quarantine, sorted(left))


def _adopt(quarantine: Quarantine, paths: Iterable[bytes]) -> list[bytes]:
    """Take untracked files into the private index as they are on disk; those that exist."""
    disk = _Disk(quarantine.repository)
    there = [path for path in paths if disk.kind(path) == "file"]
    snapshot.update_index(quarantine, (), there)
    return there


class _Known:
    """What pulls of ours put into the working tree: taking that away loses nothing."""

    def __init__(
        self,
        quarantine: Quarantine,
        tree: Oid,
        pulled: LastPull | None,
        before: Journal | None,
        *,
        is_ghost: bool,
    ) -> None:
        self._quarantine = quarantine
        self._tree = tree
        self._pulled: Mapping[bytes, str] = pulled.entries if pulled else {}
        self._before: Mapping[bytes, frozenset[str]] = before.contents if before else {}
        self._is_ghost = is_ghost

    def on_disk(self, path: bytes, entry: str) -> bool:
        """Whether ``entry``, as found on disk at ``path``, is from a pull."""
        if self._is_ghost or (entry and entry == self._pulled.get(path)):
            return True
        if path not in self._before:
            return False
        return not entry or entry in self._before[path] or self._is_begun(path)

    def _is_begun(self, path: bytes) -> bool:
        """Whether the file is the beginning of the target's: git was killed while writing it."""
        full = os.path.join(os.fsencode(self._quarantine.repository.work_tree), path)
        expected = filters.smudged(self._quarantine, f"{self._tree}:".encode() + path, path)
        if expected is None or os.path.islink(full) or not os.path.isfile(full):
            return False
        with open(full, "rb") as file:
            return expected.startswith(file.read())

    def not_in_index(self, paths: set[bytes]) -> set[bytes]:
        """Those of ``paths`` whose entry in the user's index is from no pull."""
        if not self._before or not paths:
            return paths
        out = self._quarantine.repository.git("ls-files", "-s", "-z")
        staged = {}
        for line in out.split(b"\0"):
            about, _, path = line.partition(b"\t")
            if path in paths:
                mode, value, stage = about.decode("ascii").split(" ")
                staged[path] = f"{mode} {value}" if stage == "0" else stage
        return {p for p in paths if staged.get(p, "") not in self._before.get(p, ())}


def _settle_submodules(
    quarantine: Quarantine, disk: _Disk, changes: Changes, local: set[bytes]
) -> bool:
    """Take the target's submodules over into the private index: their folders are not ours.

    Whether there were any.
    """
    feed, left = b"", _folders_left(changes)
    for path, (old, new) in changes.items():
        if not new.startswith(GITLINK) or path in local:
            continue
        stands = not old and path not in left and disk.kind(path) in ("folder", "repository")
        if old.startswith(GITLINK) or stands:
            mode, value = new.split(" ")
            feed += f"{mode} {value} 0\t".encode() + path + b"\0"
    if feed:
        quarantine.git("update-index", "-z", "--index-info", stdin=feed)
    return bool(feed)


def _head_moves(quarantine: Quarantine, found: Survey, target: Target) -> str:
    if found.head == target.base:
        return ""
    if found.branch and found.head is not None and found.head == target.remote_base:
        # The ghost says where it starts; a branch is moved only if that is true.
        span = ("rev-list", "--max-count=1", found.head, "--not", target.base)
        if not quarantine.git(*span).strip():
            return "branch"
    return "detached"


def refuse_untracked(quarantine: Quarantine, todo: Plan) -> None:
    """Raise LocalChanges for untracked files that are not part of the target (unless ignored)."""
    out = quarantine.git("ls-files", "-z", "--others", "--exclude-standard", index="rebuilt")
    # What the checkout removes is still on disk now, and in the private index.
    going = {path for path, (_, new) in todo.changes.items() if not new}
    if left := [path for path in out.split(b"\0") if path and path not in going]:
        raise LocalChanges(
            f"{count(len(left), 'untracked file')} not part of {todo.target.tree};"
            f" nothing was touched:{guards.show_paths(left)}",
            "Remove them, or pull without --exact.",
        )
