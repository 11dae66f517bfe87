"""show and diff: look at ghosts and at the working tree; nothing changes."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from git_ghost.errors import GitFailed, NoSuchBase, UsageError, VerificationFailed
from git_ghost.model import Oid, hash_argument
from git_ghost.quarantine import Quarantine, quarantine, scratch
from git_ghost.repository import needs_work_tree
from git_ghost.store.fetch import Fetched, Inbox
from git_ghost.store.format import CommitsGhost
from git_ghost.usecases import finding, pulling, sources
from git_ghost.usecases.context import Context, Options, context_anywhere, open_context
from git_ghost.usecases.pushing import DIFF_TREE, KINDS, what_is_wanted
from git_ghost.worktree import base as bases, guards, snapshot


def show(
    hash: str,
    options: Options = Options(),
    *,
    out: BinaryIO,
    base: str | None = None,
    what: str = "auto",
    commits_from: str | None = None,
) -> None:
    """Write the stored patches to ``out``, commits first.

    The arguments are those of :func:`git_ghost.pull`. Nothing is written before all is there.
    Raises NoSuchGhost, NoSuchBase (``base`` is not a commit), UsageError, VerificationFailed (a
    ghost without its file), RemoteError.
    """
    with _in_hand(hash, options, base, what, commits_from) as found:
        for fetched in found:
            _show_one(fetched, out)


@dataclass(frozen=True)
class StoredGhost:
    """A ghost as it is stored: its name, what its commit says, its patch."""

    kind: str
    """``commits`` or ``diff``."""
    base: str
    to: str
    ref: str
    commit: str
    """The id of the commit that holds it in the ghost repository."""
    format: str
    """The version of its format; empty for one that v0.1 made."""
    remote_base: str
    source: str
    branch: str
    message: str
    patch: bytes = field(repr=False)


def describe(
    hash: str,
    options: Options = Options(),
    *,
    base: str | None = None,
    what: str = "auto",
    commits_from: str | None = None,
) -> tuple[StoredGhost, ...]:
    """What :func:`show` prints, and what is known of it; arguments and errors are the same."""
    with _in_hand(hash, options, base, what, commits_from) as found:
        return tuple(_stored(fetched) for fetched in found)


def _stored(fetched: Fetched) -> StoredGhost:
    ghost, said = fetched.ghost, fetched.trailers
    return StoredGhost(
        kind="commits" if isinstance(ghost, CommitsGhost) else "diff",
        base=ghost.base,
        to=ghost.to,
        ref=ghost.ref,
        commit=fetched.commit,
        format=said.format,
        remote_base=said.remote_base,
        source=said.source,
        branch=said.branch,
        message=said.subject,
        patch=fetched.file(fetched.patch_name),
    )


@contextlib.contextmanager
def _in_hand(
    hash: str, options: Options, base: str | None, what: str, commits_from: str | None
) -> Iterator[list[Fetched]]:
    """The ghosts to show, fetched, while the block runs."""
    if what not in KINDS:
        raise UsageError(f"there is no '{what}' to show", f"One of: {', '.join(KINDS)}.")
    if what == "all" and base is None:
        raise UsageError("the commits to show are not named", "git ghost show all [FROM] TO HASH")
    context = context_anywhere(options)
    with scratch(context.repository, options.working_dir) as private:
        start = commits_from if what == "commits" else base
        kind = "diff" if what == "all" else what
        inbox, fetched = finding.find_in_any_format(context, private, hash, start, kind)
        found = [fetched[0]]
        if what == "all":
            assert base is not None
            found.insert(0, finding.find(inbox, context, base, commits_from, "commits")[0])
        yield found


def _show_one(fetched: Fetched, out: BinaryIO) -> None:
    with fetched.start_file(fetched.patch_name) as reading:
        shutil.copyfileobj(reading.stdout, out, 1 << 20)
        try:
            reading.result()
        except GitFailed as e:
            raise VerificationFailed(
                f"the ghost {fetched.ghost.to} holds no {fetched.patch_name}"
            ) from e


def diff(
    a: str | None = None,
    b: str | None = None,
    options: Options = Options(),
    *,
    color: bool = False,
    stat: int = 0,
    include: Sequence[str | bytes | os.PathLike[str]] = (),
    untracked: bool | None = None,
) -> bytes:
    """The patch from ``a`` (default HEAD) to ``b`` (default: the working tree as push sends it).

    Each side may be a commit or a ghost's hash, which is rebuilt in memory. ``color`` gives the
    user's own diff style, coloured; without it the patch has the bytes a ghost would store.
    ``stat`` gives a summary instead, of that many columns. ``include`` and ``untracked`` are those
    of :func:`git_ghost.push`. Raises NoSuchGhost, NoSuchBase, UsageError, VerificationFailed,
    RemoteError, and GhostError for files too large.
    """
    return diff_in(
        open_context(options), a, b, color=color, stat=stat, include=include, untracked=untracked
    )


def diff_in(
    context: Context,
    a: str | None,
    b: str | None,
    *,
    color: bool = False,
    stat: int = 0,
    include: Sequence[str | bytes | os.PathLike[str]] = (),
    untracked: bool | None = None,
) -> bytes:
    """:func:`diff` for a use case that has opened the repository already."""
    args: tuple[str, ...] = DIFF_TREE
    if color:
        args = ("diff", "--no-ext-diff", "--color=always")
    elif stat:
        args = ("diff-tree", "-r", "--no-renames", "--no-ext-diff")
    if stat:
        args = (*args, f"--stat={stat}")
    with _compared(context, a, b, include, untracked) as (private, left, right):
        return private.git(*args, left, right)


@dataclass(frozen=True)
class FileChange:
    """A file that differs between two trees."""

    path: str
    """From the top of the repository, decoded as :func:`os.fsdecode` does."""
    status: str
    """git's letter: A added, D deleted, M modified, T another type."""
    added: int | None
    """Lines added; None where the content is binary."""
    deleted: int | None


def changed_files(
    a: str | None = None,
    b: str | None = None,
    options: Options = Options(),
    *,
    include: Sequence[str | bytes | os.PathLike[str]] = (),
    untracked: bool | None = None,
) -> tuple[FileChange, ...]:
    """The files in :func:`diff`'s patch, by their paths; arguments and errors are the same."""
    args = ("diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", "--no-textconv")
    with _compared(open_context(options), a, b, include, untracked) as (private, left, right):
        raw = private.git(*args, "--raw", left, right).split(b"\0")[:-1]
        counted = private.git(*args, "--numstat", left, right)
    letters = {path: meta.split()[-1] for meta, path in zip(raw[::2], raw[1::2], strict=True)}
    return tuple(_file_change(line, letters) for line in counted.split(b"\0")[:-1])


def _file_change(line: bytes, letters: dict[bytes, bytes]) -> FileChange:
    added, deleted, path = line.split(b"\t", 2)
    lines = (None if number == b"-" else int(number) for number in (added, deleted))
    return FileChange(os.fsdecode(path), letters[path].decode(), *lines)


@contextlib.contextmanager
def _compared(
    context: Context,
    a: str | None,
    b: str | None,
    include: Sequence[str | bytes | os.PathLike[str]],
    untracked: bool | None,
) -> Iterator[tuple[Quarantine, Oid, Oid]]:
    """The two trees a comparison is between, in a quarantine that has both."""
    repository = context.here
    link, folder = context.link, context.options.working_dir
    with link, quarantine(repository, folder, link.activity) as private:
        sides = _Sides(context, private)
        left = sides.tree("HEAD" if a is None else a)
        if b is None:
            needs_work_tree(repository)
            private.copy_index()
            wanted = what_is_wanted(context, include, untracked)
            found = snapshot.select(private, snapshot.survey(private), wanted)
            on_disk = snapshot.sizes(repository, found)
            sized = guards.check_sizes(on_disk, wanted.limits, snapshot.origins(found))
            guards.refuse(sized, so="")
            guards.refuse(guards.check_unread(found.unread), so="")
            right = snapshot.write_tree(private, found)
        else:
            right = sides.tree(b)
        yield private, left, right


class _Sides:
    """The trees the arguments of :func:`diff` stand for; what is fetched for one serves both."""

    def __init__(self, context: Context, private: Quarantine) -> None:
        self._context = context
        self._private = private
        self._inbox: Inbox | None = None

    def tree(self, name: str) -> Oid:
        """The tree of a commit here, or of a ghost, rebuilt."""
        context, private, text = self._context, self._private, name.strip()
        if text.startswith("-"):
            raise UsageError(f"'{text}' begins with a dash and cannot name a commit or a ghost")
        if found := private.tree(text):
            return found
        if text == "HEAD":
            bases.require_commit(context.here, text)
        try:
            hash_argument(text)
        except UsageError as e:
            raise NoSuchBase(
                f"'{text}' is neither a commit here nor a ghost's hash",
                "Name a commit, a branch or a tag of this repository, or a ghost by 7 or more"
                " digits of its hash: see `git ghost list`.",
            ) from e
        if self._inbox is None:
            self._inbox = Inbox(private, context.store(), context.object_format, context.link)
        wanted = finding.find(self._inbox, context, text, None, "auto")
        source = sources.for_pull(context, wanted[0].trailers)
        return pulling.rebuild_ghost(context, private, self._inbox, wanted, source).tree
