"""push: snapshot the working tree, make its ghosts, send them in one session."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from git_ghost import store
from git_ghost.config import locate
from git_ghost.errors import UsageError
from git_ghost.git import Background, Running
from git_ghost.model import (
    BUNDLE_FILE,
    COMMITS_FILE,
    DIFF_FILE,
    CommitsGhost,
    DiffGhost,
    Ghost,
    Notice,
    Oid,
    Trailers,
    redact,
)
from git_ghost.repository import Quarantine, Repository, needs_work_tree, quarantine
from git_ghost.sync.context import Context, Options, open_context
from git_ghost.worktree import base as bases, guards, snapshot
from git_ghost.worktree.base import Range
from git_ghost.worktree.snapshot import Survey, Wanted

DIFF_TREE = (
    "diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv",
    "--no-color", "--no-relative", "--src-prefix=a/", "--dst-prefix=b/", "--ignore-submodules=none",
    "--submodule=short", "-U3", "--inter-hunk-context=0", "--diff-algorithm=myers",
)  # fmt: skip
"""The patch of a diff ghost: between immutable objects, by plumbing, no setting of the user's in it."""

_LOG = (
    "-c", "diff.orderFile=/dev/null", "-c", "log.mailmap=false", "-c", "diff.suppressBlankEmpty=false",
    "log", "-p", "--reverse", "--pretty=email", "--stat", "-m", "--first-parent", "--binary", "--full-index",
    "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "--no-relative", "--src-prefix=a/",
    "--dst-prefix=b/", "--ignore-submodules=none", "--submodule=short", "-U3", "--inter-hunk-context=0",
    "--diff-algorithm=myers", "--no-notes", "--no-decorate", "--no-show-signature", "--encoding=UTF-8",
)  # fmt: skip
"""``commits.patch``, for people and v0.1 readers: v0.1's command without what settings would change."""


@dataclass(frozen=True)
class Sent:
    """A ghost that a push made, and whether the ghost repository did not have it yet."""

    ghost: Ghost
    new: bool


@dataclass(frozen=True)
class Pushed:
    """What a push did (``dry_run``: would do). ``lines`` is v0.1's output."""

    ghosts: tuple[Sent, ...]
    repo: str
    """The ghost repository, without credentials."""
    head: Oid
    remote_base: str
    """R, the newest commit of the history that the source remote has; empty when there is none."""
    source: str
    """The source remote's URL, without credentials; empty when there is none."""
    commits: int
    """How many local commits go with it."""
    changed: tuple[str, ...]
    """Tracked paths that differ from HEAD."""
    untracked: tuple[str, ...]
    """New files that go with it: not ignored ones, and those named with ``include``."""
    notices: tuple[Notice, ...]
    made_repository: bool
    """Whether the embedded default ghost repository was made for this push."""
    dry_run: bool

    @property
    def lines(self) -> tuple[str, ...]:
        """``<base> <commit>`` for a commits ghost, then ``<base> <hash>`` for a diff ghost."""
        return tuple(f"{sent.ghost.base} {sent.ghost.to}" for sent in self.ghosts)

    @property
    def hash(self) -> str:
        """The hash to pull: of the working tree, or of the last commit when only commits went."""
        return self.ghosts[-1].ghost.to


@dataclass(frozen=True)
class _Bases:
    """The commits a push is between: ``span`` when commits go; ``start`` when a diff goes."""

    head: Oid
    remote_base: Oid | None
    start: Oid | None
    span: Range | None
    source: bases.Source


def push(
    options: Options = Options(),
    *,
    what: str = "auto",
    base: str | None = None,
    to: str | None = None,
    include: Sequence[str | bytes] = (),
    follow_symlinks: bool = False,
    untracked: bool | None = None,
    without: Sequence[str] = (),
    message: str = "",
    dry_run: bool = False,
) -> Pushed:
    """Store the working tree, and local commits, as ghosts; returns what to pull.

    ``what`` is ``auto`` (the diff, and the commits when the source remote lacks some), ``diff``
    (from ``base``, default HEAD), ``commits`` (``base..to``; default: the remote base, HEAD) or ``all``
    (commits ``base..to`` and the diff from ``to``). ``include`` names files and folders that git
    ignores (relative to the directory); ``untracked`` False leaves new files behind; ``without`` any
    of :data:`git_ghost.worktree.guards.WITHOUT` goes on without what a ghost cannot carry.

    Nothing in the repository changes. Raises GhostError (refused, with reasons), UsageError,
    NoSuchBase (no such commit here), RemoteError.
    """
    context = open_context(options)
    repository = needs_work_tree(context.here)
    if unknown := set(without) - set(guards.WITHOUT):
        raise UsageError(
            f"there is no '{min(unknown)}' to go without", f"One of: {', '.join(guards.WITHOUT)}."
        )
    wanted = replace(
        what_is_wanted(context, include, untracked),
        follow_symlinks=follow_symlinks,
        without=frozenset(without),
    )
    with quarantine(repository, options.working_dir) as private:
        private.copy_index()
        settling = Background(lambda: _settle_bases(context, what, base, to))
        surveyed = snapshot.survey(private)
        found = (
            snapshot.select(private, surveyed, wanted)
            if what != "commits"
            else Survey(surveyed.head)
        )
        decided = settling.get()
        snapshot.guard(repository, private.env(), found, wanted)
        return _make_and_send(context, private, surveyed, found, decided, message, dry_run)


def what_is_wanted(
    context: Context, include: Sequence[str | bytes], untracked: bool | None
) -> Wanted:
    """What a snapshot is to hold, by the arguments and the settings."""
    here = os.fsencode(os.path.abspath(context.options.directory or "."))
    return Wanted(
        untracked=context.settings.untracked if untracked is None else untracked,
        include=tuple(os.path.join(here, os.fsencode(path)) for path in include),
        limits=guards.Limits(context.settings.max_file_size, context.settings.max_size),
    )


def _settle_bases(context: Context, what: str, base: str | None, to: str | None) -> _Bases:
    """Which commits the push is between, asking git as little as possible."""
    repository, remote = context.here, context.settings.remote
    if what == "diff" or (what == "auto" and base is not None):
        start = head = bases.require_commit(repository, base or "HEAD")
    else:
        head = bases.require_commit(repository, to or "HEAD")
        start = head
    remote_base = bases.find_remote_base(repository, head, remote)
    span = None
    if what in ("commits", "all"):
        first = bases.require_commit(repository, base) if base is not None else remote_base
        if first is None:
            raise UsageError(
                "no commit of this history is on a remote, so there is no base for the commits to be found",
                "Name one: git ghost push commits FROM.",
            )
        span = bases.describe_range(repository, first, head)
    elif what == "auto" and base is None and remote_base not in (None, head):
        assert remote_base is not None
        span = bases.describe_range(repository, remote_base, head)
    branch = _upstream_remote(repository)
    prefer = tuple(name for name in (remote, branch) if name)
    anchor = span.base if span else remote_base
    source = bases.find_source(repository, anchor, prefer)
    if context.settings.source:
        source = replace(
            source, url=redact(locate(context.settings.source, context.settings.repo_base))
        )
    return _Bases(head, remote_base, start if what != "commits" else None, span, source)


def _upstream_remote(repository: Repository) -> str:
    try:
        with open(os.path.join(repository.git_dir, "HEAD")) as head:
            branch = head.read().strip().removeprefix("ref: refs/heads/")
    except OSError:
        return ""
    return repository.config.get(f"branch.{branch}.remote")


def _make_and_send(
    context: Context,
    private: Quarantine,
    surveyed: Survey,
    found: Survey,
    decided: _Bases,
    message: str,
    dry_run: bool,
) -> Pushed:
    repository = context.here
    target = context.store()
    packing = (
        Background(lambda: _commits_files(repository, private, decided.span))
        if decided.span
        else None
    )
    tree = snapshot.write_tree(private, found) if decided.start else None
    ghosts: dict[Ghost, Oid] = {}
    by = (
        store.identity(context.config, os.environ, getpass.getuser(), int(time.time()))
        if not dry_run
        else None
    )
    common = Trailers(
        remote_base=decided.span.base if decided.span else decided.remote_base or "",
        source=decided.source.url,
        branch=surveyed.branch,
        subject=message,
    )
    files = (
        _diff_files(repository, private, decided.start, tree)
        if decided.start and tree and by
        else {}
    )
    if decided.span and packing:
        packed = packing.get()
        ghost: Ghost = CommitsGhost(decided.span.base, decided.span.head, target.prefix)
        ghosts[ghost] = Oid("")
        if by:
            ghosts[ghost] = store.make_commit(
                private, packed, replace(common, base=decided.span.head), by
            )
    if decided.start and tree:
        ghost = DiffGhost(decided.start, tree, target.prefix)
        ghosts[ghost] = Oid("")
        if by:
            ghosts[ghost] = store.make_commit(
                private, files, replace(common, tree=tree, base=decided.start), by
            )
    made = False
    fates = dict.fromkeys(ghosts, True)
    if not dry_run:
        made = store.make_embedded(target, repository.object_format)
        fates = store.send(private, target, ghosts, context.options.progress)
    return Pushed(
        ghosts=tuple(Sent(ghost, fates[ghost]) for ghost in ghosts),
        repo=target.shown,
        head=decided.head,
        remote_base=decided.remote_base or "",
        source=decided.source.url,
        commits=decided.span.count if decided.span else 0,
        changed=tuple(os.fsdecode(path) for path in sorted(found.changed)),
        untracked=tuple(os.fsdecode(path) for path in (*found.untracked, *found.included)),
        notices=tuple(_notices(repository, surveyed, found, decided)),
        made_repository=made,
        dry_run=dry_run,
    )


def _diff_files(
    repository: Repository, private: Quarantine, start: Oid, tree: Oid
) -> dict[str, Oid]:
    env = private.env()
    patch = Running(*DIFF_TREE, start, tree, cwd=repository.cwd, env=env)
    return {DIFF_FILE: store.start_blob(env, repository.cwd, patch)()}


def _commits_files(
    repository: Repository, private: Quarantine, span: Range | None
) -> dict[str, Oid]:
    assert span is not None
    env, cwd = private.env(), repository.cwd
    log = Running(*_LOG, f"{span.base}..{span.head}", cwd=cwd, env=env)
    patch = Background(store.start_blob(env, cwd, log))
    pack = bases.start_bundle_pack(repository, env, span)
    header = bases.bundle_header(span, repository.object_format)
    bundle = store.start_blob(env, cwd, pack, header)()
    return {COMMITS_FILE: patch.get(), BUNDLE_FILE: bundle}


def _notices(
    repository: Repository, surveyed: Survey, found: Survey, decided: _Bases
) -> list[Notice]:
    """What the user should hear: what was not sent, and what a pull will need."""
    notices = []
    if found.hidden:
        text = "changed but not sent, since git was told to overlook them (name them with -I to send them)"
        notices.append(Notice(text, tuple(os.fsdecode(path) for path in found.hidden)))
    if decided.start and (
        left := set(surveyed.untracked) - set(found.untracked) - set(found.included)
    ):
        notices.append(
            Notice(
                "new files not sent (--no-untracked)", tuple(os.fsdecode(p) for p in sorted(left))
            )
        )
    if decided.start and found.nested:
        text = "repositories inside this one, not sent (--without nested)"
        notices.append(Notice(text, tuple(os.fsdecode(path) for path in found.nested)))
    if found.dirty_submodules:
        text = "submodules whose uncommitted changes are not sent (--without submodules)"
        notices.append(Notice(text, tuple(os.fsdecode(path) for path in found.dirty_submodules)))
    if not repository.config.remotes():
        notices.append(
            Notice(
                "there is no remote: the base commit must be had where this is pulled; only the diff goes"
            )
        )
    elif decided.remote_base is None:
        notices.append(
            Notice(
                f"no remote-tracking ref has {decided.head} or a commit before it (push or fetch it first)"
            )
        )
    elif decided.span is None and decided.start not in (None, decided.remote_base):
        text = f"the base commit {decided.start} is on no remote; `git ghost push` without a base sends the commits too"
        notices.append(Notice(text))
    return notices
