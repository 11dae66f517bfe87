"""push: snapshot the working tree, make its ghosts, send them in one session."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from git_ghost.errors import GitFailed, UsageError
from git_ghost.model import Notice, Oid
from git_ghost.process import Background
from git_ghost.quarantine import Quarantine, quarantine
from git_ghost.repository import STATE, Repository, needs_work_tree
from git_ghost.store import send
from git_ghost.store.format import (
    BUNDLE_FILE,
    COMMITS_FILE,
    DIFF_FILE,
    CommitsGhost,
    DiffGhost,
    Ghost,
    Trailers,
    submodules_text,
)
from git_ghost.store.make import identity, make_commit, start_blob, warm_up
from git_ghost.store.repository import GhostRepository, make_embedded
from git_ghost.store.send import Settled, settle
from git_ghost.usecases import notices, sources
from git_ghost.usecases.context import Context, Options, open_context
from git_ghost.usecases.remembering import remember
from git_ghost.worktree import base as bases, conversions, guards, snapshot
from git_ghost.worktree.base import Range
from git_ghost.worktree.leftovers import large_ignored, left_behind
from git_ghost.worktree.overlooked import checked_out
from git_ghost.worktree.snapshot import Survey, Wanted

KINDS = ("auto", "diff", "commits", "all")
"""What a push can send."""

_PATCH = (
    "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv",
    "--no-color", "--no-relative", "--src-prefix=a/", "--dst-prefix=b/", "-U3",
    "--ignore-submodules=none", "--submodule=short", "--inter-hunk-context=0",
    "--diff-algorithm=myers",
)  # fmt: skip

DIFF_TREE = (
    "diff-tree",
    "-r",
    *_PATCH,
)
"""The patch of a diff ghost: between immutable objects, by plumbing, no user's setting in it."""

_LOG = (
    "-c", "diff.orderFile=/dev/null", "-c", "diff.suppressBlankEmpty=false",
    "-c", "log.mailmap=false", "-c", "log.diffMerges=separate",
    "log", "--reverse", "--pretty=email", "--stat", "-m", "--first-parent", *_PATCH,
    "--no-notes", "--no-decorate", "--no-show-signature", "--encoding=UTF-8",
)  # fmt: skip
"""``commits.patch``, for people and v0.1 readers: v0.1's command, deaf to the user's settings."""


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
    """The newest commit the ghosts are about: HEAD, unless another one was named."""
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
    ignored: tuple[tuple[str, int], ...]
    """Ignored files and folders of a MiB and more and their bytes, where that was asked."""
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


class Bases(NamedTuple):
    """The commits a push is between: ``span`` when commits go; ``start`` when a diff goes."""

    head: Oid
    remote_base: Oid | None
    start: Oid | None
    span: Range | None
    source: bases.SourceRemote
    stray: bool = False
    """Whether the commits begin at one that was named and is on no remote."""

    @property
    def first(self) -> Oid | None:
        """Where the commits begin that may be nowhere else; None when no remote has any."""
        return self.span.base if self.span else self.remote_base


class Content(NamedTuple):
    """What goes with a push: the arguments of :func:`push` of these names, and what does not."""

    include: Sequence[str | bytes | os.PathLike[str]] = ()
    follow_symlinks: bool = False
    untracked: bool | None = None
    without: Sequence[str] = ()
    message: str = ""
    leave_out: tuple[int, int] | None = None
    """Device and inode of a new file that is not of the tree: the caller's own output."""


_EVERYTHING = Content()


class _Request(NamedTuple):
    """A push under way: where, of what, and what is said about it."""

    context: Context
    private: Quarantine
    surveyed: Survey
    found: Survey
    """``surveyed``, reduced to and completed by what is wanted."""
    decided: Bases
    wanted: Wanted
    message: str
    dry_run: bool
    ignored: bool

    @property
    def repository(self) -> Repository:
        return self.context.here


def push(
    options: Options = Options(),
    *,
    what: str = "auto",
    base: str | None = None,
    to: str | None = None,
    include: Sequence[str | bytes | os.PathLike[str]] = (),
    follow_symlinks: bool = False,
    untracked: bool | None = None,
    without: Sequence[str] = (),
    message: str = "",
    dry_run: bool = False,
    ignored: bool = False,
) -> Pushed:
    """Store the working tree, and local commits, as ghosts; returns what to pull.

    ``what`` is ``auto`` (the diff, and the commits when the source remote lacks some), ``diff``
    (from ``base``, default HEAD), ``commits`` (``base..to``; default: the remote base, HEAD) or
    ``all`` (commits ``base..to`` and the diff from ``to``). ``include`` names files and folders,
    relative to the directory, that go even if git ignores them or they look like secrets;
    ``follow_symlinks`` adds what included links point to; ``untracked`` False leaves new files
    behind; ``without`` (``nested``, ``submodules``, ``lfs``) goes on without what a ghost
    cannot carry. ``message`` is kept with the ghosts. ``dry_run`` sends and makes nothing.
    ``ignored`` looks at ignored files too, and names the large ones.

    Nothing in the repository changes. Raises GhostError (refused, with reasons), UsageError,
    NoSuchBase (no such commit here, or the source has nothing of its history), RemoteError.
    """
    if what not in KINDS:
        raise UsageError(f"there is no '{what}' to push", f"One of: {', '.join(KINDS)}.")
    if to is not None and what not in ("commits", "all"):
        raise UsageError(f"a push of '{what}' takes no second commit, such as '{to}'")
    return push_in(
        open_context(options),
        Content(include, follow_symlinks, untracked, without, message),
        what=what, base=base, to=to, dry_run=dry_run, ignored=ignored,
    )  # fmt: skip


def push_in(
    context: Context,
    content: Content = _EVERYTHING,
    *,
    what: str = "auto",
    base: str | None = None,
    to: str | None = None,
    dry_run: bool = False,
    before_sending: Callable[[], None] = lambda: None,
    ignored: bool = False,
) -> Pushed:
    """:func:`push` for a use case that has opened the repository already.

    ``before_sending`` is called once nothing here is against the push; what it raises ends it.
    """
    repository = needs_work_tree(context.here)
    if unknown := set(content.without) - set(guards.WITHOUT):
        raise UsageError(
            f"there is no '{min(unknown)}' to go without", f"One of: {', '.join(guards.WITHOUT)}."
        )
    wanted = what_is_wanted(context, content.include, content.untracked)._replace(
        follow_symlinks=content.follow_symlinks, without=frozenset(content.without)
    )
    activity, folder = context.link.activity, context.options.working_dir
    with context.link, quarantine(repository, folder, activity) as private:
        if not dry_run:
            context.link.ahead(context.store().url)
            Background(warm_up)
        settling = Background(lambda: settle_bases(context, what, base, to))
        if what == "commits":  # the working tree is not asked
            surveyed = found = Survey(None, repository.branch)
        else:
            private.copy_index()
            surveyed = snapshot.survey(private)
            if content.leave_out:
                surveyed = snapshot.leaving_out(repository, surveyed, content.leave_out)
            found = snapshot.select(private, surveyed, wanted)
        decided = settling.get()
        guard(private, found, decided, wanted)
        before_sending()
        request = _Request(
            context, private, surveyed, found, decided, wanted, content.message, dry_run, ignored
        )
        return _make_and_send(request)


def what_is_wanted(
    context: Context, include: Sequence[str | bytes | os.PathLike[str]], untracked: bool | None
) -> Wanted:
    """What a snapshot is to hold, by the arguments and the settings."""
    here = os.fsencode(os.path.abspath(context.options.folder))
    named = (name for path in include for name in _as_v01(here, os.fsencode(path)))
    return Wanted(
        untracked=context.settings.untracked if untracked is None else untracked,
        include=tuple(os.path.join(here, name) for name in named),
        limits=guards.SizeLimits(context.settings.max_file_size, context.settings.max_size),
    )


def _as_v01(folder: bytes, name: bytes) -> Sequence[bytes]:
    """The files that ``a,b`` names, as v0.1 takes it, where there is no file of that name."""
    if b"," not in name or os.path.lexists(os.path.join(folder, name)):
        return (name,)
    import csv  # what v0.1 splits it as; a name with a comma and without a file is rare

    try:
        (names,) = csv.reader([os.fsdecode(name)], strict=True)
    except (csv.Error, ValueError):
        return (name,)
    return [os.fsencode(one) for one in names]


def settle_bases(
    context: Context, what: str = "auto", base: str | None = None, to: str | None = None
) -> Bases:
    """Which commits the push is between, asking git as little as possible.

    Raises UsageError, NoSuchBase, and GhostError where a shallow history hides a part.
    """
    repository = context.here
    if what == "diff" or (what == "auto" and base is not None):
        start = head = bases.require_commit(repository, "HEAD" if base is None else base)
    else:
        head = bases.require_commit(repository, "HEAD" if to is None else to)
        start = head
    ask = what in ("auto", "commits", "all") and base is None  # what goes depends on it
    remote_base = sources.remote_base(context, head, ask=ask)
    span = None
    if what in ("commits", "all"):
        first = bases.require_commit(repository, base) if base is not None else remote_base
        if first is None:
            raise UsageError(
                "no commit of this history is on a remote, so the commits have no base",
                f"Name one (git ghost push {what} FROM), or fetch from the source remote.",
            )
        span = bases.describe_range(repository, first, head)
    elif what == "auto" and base is None and remote_base not in (None, head):
        assert remote_base is not None
        span = bases.describe_range(repository, remote_base, head)
    source = sources.for_push(context, span.base if span else remote_base)
    if what == "auto" and base is None and remote_base is None and not source.url:
        raise sources.nowhere(head)
    named = span and base is not None and span.base != remote_base
    stray = bool(named and span and not bases.is_on_remote(repository, span.base))
    return Bases(head, remote_base, start if what != "commits" else None, span, source, stray)


def guard(private: Quarantine, found: Survey, decided: Bases, wanted: Wanted) -> None:
    """Refuse (GhostError, with all reasons) what should not be sent, before anything is hashed.

    Local commits are looked at too: nobody else has the submodule commits and LFS files they name.
    A submodule that is as the source remote has it is not asked.
    """
    since = _changed_since(private.repository, decided, found)
    if decided.first is not None:
        known = found.gitlinks or tuple(path for path, gitlink in since.items() if gitlink)
        local = found.changed.union(since)
        found = found._replace(gitlinks=tuple(path for path in known if path in local))
    guards.refuse(snapshot.objections(private, found, wanted, since))


def _changed_since(repository: Repository, decided: Bases, found: Survey) -> dict[bytes, bool]:
    """What local commits changed, and whether it is a submodule; asked only where it matters."""
    first, last = decided.first, decided.head
    matters = found.gitlinks or decided.start is None or repository.config.any(r"filter\.lfs\.")
    if first in (None, last) or not matters:
        return {}
    raw = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--diff-filter=d")
    out = repository.git(*raw, "--ignore-submodules=none", str(first), last).split(b"\0")
    return {
        path: meta.split(b" ")[1] == b"160000"
        for meta, path in zip(out[0::2], out[1::2], strict=False)
    }


def _make_and_send(request: _Request) -> Pushed:
    context, private, decided = request.context, request.private, request.decided
    found, dry_run = request.found, request.dry_run
    target = context.store()
    span, start = decided.span, decided.start
    packing = None
    if span and not dry_run:
        packing = Background(lambda: _commits_files(private, span))
    before = snapshot.stamps(request.repository, found)
    tree = snapshot.write_tree(private, found) if start else None
    looking = Background(lambda: list(_look_again(request, before))) if tree else None
    ignored = Background(lambda: large_ignored(private)) if tree and request.ignored else None
    made = dict.fromkeys(_names(decided, tree, target.prefix), Oid(""))
    new_repository, fates = False, dict.fromkeys(made, True)
    settled: dict[Ghost, Settled] = {}
    if not dry_run:
        patch = _diff_files(private, start, tree) if start and tree else {}
        packed = packing.get() if packing else {}
        by = identity(context.config, os.environ, _user(), int(time.time()))
        for ghost in made:
            files = patch if isinstance(ghost, DiffGhost) else packed
            made[ghost] = make_commit(private, files, _trailers(request, ghost), by)
        new_repository = make_embedded(target, request.repository.object_format)
        fates = send.send(private, target, made, context.link)
        settled = _settle(request, target, made, fates)
        remember(context, list(made), request.message, request.surveyed.branch)
    return Pushed(
        ghosts=tuple(
            Sent(ghost, fates[ghost] or bool(ghost in settled and settled[ghost].why))
            for ghost in made
        ),
        repo=target.shown,
        head=decided.head,
        remote_base=decided.remote_base or "",
        source=decided.source.url,
        commits=decided.span.count if decided.span else 0,
        changed=tuple(os.fsdecode(path) for path in sorted(found.changed)),
        untracked=tuple(os.fsdecode(path) for path in (*found.untracked, *found.included)),
        notices=(
            *notices.about_settled(list(made)[-1], request.message, settled),
            *notices.about_content(request.surveyed, found),
            *(looking.get() if looking else ()),
            *notices.about_bases(
                decided, request.repository.config.remotes(), sources.this_repository(context)
            ),
        ),
        ignored=tuple((os.fsdecode(one.path), one.size) for one in ignored.get())
        if ignored
        else (),
        made_repository=new_repository,
        dry_run=dry_run,
    )


def _look_again(request: _Request, before: snapshot.Stamps) -> Iterator[Notice]:
    """What is known once the tree is written, while the ghosts are made and sent."""
    private, found, decided = request.private, request.found, request.decided
    now = snapshot.stamps(request.repository, found)
    yield from notices.about_moving(path for path in before if now.get(path) != before[path])
    if base := decided.first or decided.start:
        try:
            yield from conversions.differing(private, base, attributes=found.has_attributes)
        except GitFailed as e:  # a word that cannot be said is no reason to send nothing
            yield Notice(f"which files will differ where they are pulled is not known: {e.message}")
    if request.wanted.untracked:
        new = (*found.untracked, *found.included)
        left = left_behind(private, found.listing, new, found.deleted)
        yield from notices.about_leftovers(left)


def _settle(
    request: _Request,
    target: GhostRepository,
    made: Mapping[Ghost, Oid],
    fates: Mapping[Ghost, bool],
) -> dict[Ghost, Settled]:
    """Look at the ghosts that were there already, where it is not known that they can be pulled.

    A server that takes a new ghost has checked that the tips of its branches are there. That a
    commits ghost has a bundle, which v0.1 makes none of, is noted in our folder, so that with a new
    diff ghost beside it a push is one session.
    """
    context, private = request.context, request.private
    state = os.path.join(context.here.common_dir, STATE, "sent")
    lines: dict[Ghost, str] = {
        ghost: f"{target.shown} {ghost.ref}\n" for ghost in made if isinstance(ghost, CommitsGhost)
    }
    known: set[str] = set()
    with contextlib.suppress(OSError), open(state, encoding="utf-8") as noted:
        known.update(noted)
    unseen = {ghost for ghost, line in lines.items() if line not in known}
    if request.message:
        unseen.add(list(made)[-1])
    if not any(fates.values()):
        unseen.update(made)
    there = {ghost: made[ghost] for ghost in made if ghost in unseen and not fates[ghost]}
    settled = settle(private, target, there, context.link)
    if new := [line for line in lines.values() if line not in known]:
        with contextlib.suppress(OSError):  # without a note it costs a session next time
            os.makedirs(os.path.dirname(state), exist_ok=True)
            with open(state, "a", encoding="utf-8") as noted:
                noted.writelines(new)
    return settled


def _names(decided: Bases, tree: Oid | None, prefix: str) -> list[Ghost]:
    """The ghosts of a push, in the order they are printed."""
    names: list[Ghost] = []
    if decided.span:
        names.append(CommitsGhost(decided.span.base, decided.span.head, prefix))
    if decided.start and tree:
        names.append(DiffGhost(decided.start, tree, prefix))
    return names


def _trailers(request: _Request, ghost: Ghost) -> Trailers:
    is_diff, gitlinks = isinstance(ghost, DiffGhost), request.surveyed.gitlinks
    here = checked_out(request.repository, gitlinks)
    return Trailers(
        tree=ghost.to if is_diff else "",
        base=ghost.base if is_diff else ghost.to,
        remote_base=request.decided.first or "",
        source=request.decided.source.url,
        branch=request.surveyed.branch,
        submodules=submodules_text(map(os.fsdecode, here)) if gitlinks else "",
        subject=request.message,
    )


def _user() -> str:
    """The name of the user of this process, for ghosts whose author has none."""
    import getpass

    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container may run under an id nobody has
        return ""


def _diff_files(private: Quarantine, start: Oid, tree: Oid) -> dict[str, Oid]:
    private.activity.now("Compressing changes")
    patch = private.start(*DIFF_TREE, start, tree)
    return {DIFF_FILE: start_blob(private, patch)()}


def _commits_files(private: Quarantine, span: Range) -> dict[str, Oid]:
    log = private.start(*_LOG, f"{span.base}..{span.head}")
    patch = Background(start_blob(private, log))
    pack = bases.start_bundle_pack(private, span)
    header = bases.bundle_header(span, private.repository.object_format)
    bundle = start_blob(private, pack, header)()
    return {COMMITS_FILE: patch.get(), BUNDLE_FILE: bundle}
