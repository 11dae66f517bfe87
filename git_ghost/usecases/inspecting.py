"""show and diff: look at ghosts and at the working tree; nothing changes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import BinaryIO

from git_ghost.errors import GitFailed, NoSuchBase, UsageError, VerificationFailed
from git_ghost.git import git
from git_ghost.model import Oid, hash_argument
from git_ghost.repository import Quarantine, needs_work_tree, quarantine
from git_ghost.store.fetch import Fetched, Inbox
from git_ghost.usecases import pulling
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
    Raises NoSuchGhost, NoSuchBase (``base`` is no commit), UsageError, VerificationFailed (a ghost
    without its file), RemoteError.
    """
    if what not in KINDS:
        raise UsageError(f"there is no '{what}' to show", f"One of: {', '.join(KINDS)}.")
    if what == "all" and base is None:
        raise UsageError("the commits to show are not named", "git ghost show all [FROM] TO HASH")
    context = context_anywhere(options)
    with quarantine(context.repository, options.working_dir) as private:
        start = commits_from if what == "commits" else base
        kind = "diff" if what == "all" else what
        inbox, fetched = pulling.find_in_any_format(context, private, hash, start, kind)
        found = [fetched]
        if what == "all":
            assert base is not None
            found.insert(0, pulling.find(inbox, context, base, commits_from, "commits"))
        for fetched in found:
            _show_one(fetched, out)


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
    include: Sequence[str | bytes | os.PathLike[str]] = (),
    untracked: bool | None = None,
) -> bytes:
    """The patch from ``a`` (default HEAD) to ``b`` (default: the working tree as push sends it).

    Each side may be a commit or a ghost's hash, which is rebuilt in memory. ``color`` gives the
    user's own diff style, coloured; without it the patch has the bytes a ghost would store.
    ``include`` and ``untracked`` are those of :func:`git_ghost.push`. Raises NoSuchGhost,
    NoSuchBase, UsageError, VerificationFailed, RemoteError, and GhostError for files too large.
    """
    context = open_context(options)
    repository = context.here
    with quarantine(repository, options.working_dir) as private:
        sides = _Sides(context, private)
        left = sides.tree("HEAD" if a is None else a)
        if b is None:
            needs_work_tree(repository)
            private.copy_index()
            wanted = what_is_wanted(context, include, untracked)
            found = snapshot.select(private, snapshot.survey(private), wanted)
            guards.check_sizes(snapshot.sizes(repository, found), wanted.limits)
            right = snapshot.write_tree(private, found)
        else:
            right = sides.tree(b)
        args = ("diff", "--color=always", "--no-ext-diff") if color else DIFF_TREE
        return git(*args, left, right, cwd=repository.cwd, env=private.env())


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
            raise NoSuchBase(f"'{text}' is neither a commit here nor a ghost's hash") from e
        if self._inbox is None:
            self._inbox = Inbox(private, context.store(), context.object_format, context.link)
        wanted = pulling.find(self._inbox, context, text, None, "auto")
        source = pulling.source_of(context, wanted.trailers)
        return pulling.rebuild_ghost(context, private, self._inbox, wanted, source).tree
