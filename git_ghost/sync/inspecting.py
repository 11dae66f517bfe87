"""show and diff: look at ghosts and at the working tree; nothing changes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import BinaryIO

from git_ghost.errors import GhostError, GitFailed, UsageError, VerificationFailed
from git_ghost.git import git
from git_ghost.model import Oid, format_of, hash_argument, is_oid
from git_ghost.repository import Quarantine, needs_work_tree, quarantine
from git_ghost.store import Fetched, Inbox
from git_ghost.sync import pulling
from git_ghost.sync.context import Context, Options, context_anywhere, open_context
from git_ghost.sync.pushing import DIFF_TREE, what_is_wanted
from git_ghost.worktree import guards, snapshot


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

    The arguments are those of :func:`git_ghost.pull`. Raises NoSuchGhost, RemoteError.
    """
    context = context_anywhere(options)
    with quarantine(context.repository, options.working_dir) as private:
        if what == "all":
            if base is None:
                raise UsageError(
                    "the commits to show are not named", "git ghost show all [FROM] TO HASH"
                )
            _show_one(_fetch(context, private, base, commits_from, "commits"), out)
        start = commits_from if what == "commits" else base
        _show_one(_fetch(context, private, hash, start, "diff" if what == "all" else what), out)


def _fetch(
    context: Context, private: Quarantine, hash: str, start: str | None, what: str
) -> Fetched:
    try:
        object_format = (
            format_of(hash_argument(hash)) if is_oid(hash.strip()) else context.object_format
        )
    except UsageError:
        object_format = context.object_format
    inbox = Inbox(private, context.store(object_format), object_format, context.options.progress)
    return pulling.find(inbox, context, hash, start, what)


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
    include: Sequence[str | bytes] = (),
    untracked: bool | None = None,
) -> bytes:
    """The patch from ``a`` (default HEAD) to ``b`` (default: the working tree as push would send it).

    Each side may be a commit or a ghost's hash, which is rebuilt in memory. ``color`` gives the
    user's own diff style, coloured; without it the patch has the bytes a ghost would store. Raises
    NoSuchGhost, NoSuchBase, VerificationFailed, RemoteError.
    """
    context = open_context(options)
    repository = context.here
    with quarantine(repository, options.working_dir) as private:
        left = _side(context, private, "HEAD" if a is None else a)
        if b is None:
            needs_work_tree(repository)
            private.copy_index()
            wanted = what_is_wanted(context, include, untracked)
            found = snapshot.select(private, snapshot.survey(private), wanted)
            guards.check_sizes(snapshot.sizes(repository, found), wanted.limits)
            right = snapshot.write_tree(private, found)
        else:
            right = _side(context, private, b)
        args = ("diff", "--color=always", "--no-ext-diff") if color else DIFF_TREE
        return git(*args, left, right, cwd=repository.cwd, env=private.env())


def _side(context: Context, private: Quarantine, name: str) -> Oid:
    """The tree a commit or a ghost's hash stands for."""
    text = name.strip()
    if text.startswith("-"):
        raise UsageError(f"'{text}' begins with a dash and cannot name a commit or a ghost")
    if found := private.tree(text):
        return found
    try:
        hash_argument(text)
    except UsageError as e:
        raise GhostError(f"'{text}' is neither a commit here nor a ghost's hash") from e
    repository = context.here
    inbox = Inbox(private, context.store(), repository.object_format, context.options.progress)
    wanted = pulling.find(inbox, context, text, None, "auto")
    source = pulling.source_of(context, wanted.trailers)
    return pulling.rebuild_ghost(context, private, inbox, wanted, source).tree
