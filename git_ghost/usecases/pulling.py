"""pull: find a ghost, fetch what is missing, rebuild and prove it, bring the working tree there."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from git_ghost.errors import (
    GhostError,
    GitFailed,
    NoSuchBase,
    NoSuchGhost,
    RemoteError,
    UsageError,
    VerificationFailed,
)
from git_ghost.git import Running
from git_ghost.model import Notice, Oid, hash_argument, is_oid
from git_ghost.quarantine import Quarantine, Scratch, quarantine
from git_ghost.repository import Repository, needs_work_tree
from git_ghost.store import listing
from git_ghost.store.fetch import Fetched, Inbox, inbox_ref, refspecs_for
from git_ghost.store.format import (
    BUNDLE_FILE,
    COMMITS_FILE,
    DIFF_FILE,
    CommitsGhost,
    DiffGhost,
)
from git_ghost.store.listing import no_such_ghost, resolve_prefix
from git_ghost.transport.causes import OTHER_FORMAT
from git_ghost.transport.network import Place
from git_ghost.usecases import sources
from git_ghost.usecases.context import Context, Options, open_context
from git_ghost.usecases.linking import linked
from git_ghost.usecases.sources import Source
from git_ghost.v01 import commits as v01_commits
from git_ghost.worktree import checkout, journal, locks, planning, rebuild
from git_ghost.worktree.journal import Journal
from git_ghost.worktree.planning import Target


@dataclass(frozen=True)
class Pulled:
    """What a pull did."""

    hash: str
    """What was pulled: the tree id (of a v0.1 ghost: the SHA-1 of its patch), or the commit."""
    tree: str
    base: str
    """The commit HEAD is on."""
    changed: int
    """How many files were written or removed."""
    head: str
    """``""`` (HEAD stayed), ``branch`` (its branch was fast-forwarded) or ``detached``."""
    branch: str
    backup: str
    """The ref that holds what ``force`` set aside, or empty."""
    untracked: tuple[str, ...]
    """Files in the working tree that are not part of the tree (ignored ones not counted)."""
    submodules: tuple[str, ...]
    """Submodules that are not checked out at the commit the tree names."""
    verified: bool
    """False for a v0.1 ghost, which promises no tree id."""
    notices: tuple[Notice, ...] = field(default=())


class Rebuilt(NamedTuple):
    """A ghost put together in the quarantine and checked against its hash."""

    hash: str
    tree: Oid
    base: Oid
    remote_base: str
    verified: bool
    notices: tuple[Notice, ...] = ()


def pull(
    hash: str,
    options: Options = Options(),
    *,
    base: str | None = None,
    what: str = "auto",
    commits_from: str | None = None,
    force: bool = False,
    exact: bool = False,
) -> Pulled:
    """Make the working tree exactly what ``hash`` names.

    ``hash`` is a tree id as ``push`` printed it, a prefix of 7 or more digits, or a commit id.
    ``base`` pins the commit the diff must be against; ``what`` and ``commits_from`` are v0.1's
    forms (``commits``: the commits ``commits_from..hash``; ``all``: those up to ``base``, then the
    diff). ``force`` sets local changes aside in a backup ref; ``exact`` refuses untracked files
    that are not part of the tree.

    Raises NoSuchGhost, NoSuchBase, LocalChanges (nothing touched), VerificationFailed (nothing
    touched), RemoteError.
    """
    unlinked = open_context(options)
    repository = needs_work_tree(unlinked.here)
    target = unlinked.store()
    with (
        linked(unlinked) as context,
        journal.one_at_a_time(repository, options.progress) as lock,
        quarantine(repository, options.working_dir) as private,
    ):
        context.link.ahead(target.url)  # the source is often on the same host
        inbox = Inbox(private, target, repository.object_format, context.link)
        wanted = find(inbox, context, hash, commits_from if what == "commits" else base, what)
        source = sources.for_pull(context, wanted.trailers)
        return bring(
            context, private, inbox, wanted, source, lock,
            commits_from=commits_from, force=force, exact=exact,
        )  # fmt: skip


def bring(
    context: Context,
    private: Quarantine,
    inbox: Inbox,
    wanted: Fetched,
    source: Source,
    lock: int,
    *,
    commits_from: str | None = None,
    force: bool = False,
    exact: bool = False,
) -> Pulled:
    """Bring the working tree to the ghost ``wanted``; ``lock`` is the pull lock's descriptor.

    What an interrupted pull left behind is finished or cleaned up. Raises as :func:`pull` does.
    """
    repository = context.here
    before = journal.interrupted(repository)
    if before is not None:
        locks.clear_stale(repository, before.mark, journal.begun(repository))
    mark = f"git-ghost {secrets.token_hex(8)}"
    fresh = Journal(wanted.ghost.to, mark)
    journal.begin(repository, before._replace(mark=mark) if before else fresh)
    try:
        rebuilt = rebuild_ghost(
            context, private, inbox, wanted, source, commits_from,
            resumed=before is not None, keep=(lock,),
        )  # fmt: skip
        return _settle(private, rebuilt, before, mark, lock, force=force, exact=exact)
    except GhostError:
        if before is None and not journal.touched(repository):
            journal.abandon(repository)
        raise


def find(inbox: Inbox, context: Context, hash: str, base: str | None, what: str) -> Fetched:
    """Fetch the ghost that ``hash`` names; NoSuchGhost when there is none.

    A full id costs one session. A prefix has to be looked up in the list of all ghosts first.
    """
    target = _target(context, hash, what)
    start = _base_id(context, base) if base is not None else ""
    if not is_oid(target):
        listed = listing.list_ghosts(inbox.place, inbox.store)
        target = resolve_prefix(listed, target)
    fetched = inbox.finish(inbox.start(refspecs_for(inbox.store.prefix, target, start)))
    found = [f for f in fetched if f.ghost.to == target and (not start or f.ghost.base == start)]
    diffs = [f for f in found if isinstance(f.ghost, DiffGhost)]
    commits = [f for f in found if isinstance(f.ghost, CommitsGhost)]
    candidates = commits if what == "commits" else diffs or (commits if what == "auto" else [])
    if not candidates:
        raise no_such_ghost(hash.strip(), inbox.store.shown)
    return _nearest(context, candidates)


def find_in_any_format(
    context: Context, private: Scratch, hash: str, base: str | None, what: str
) -> tuple[Inbox, Fetched]:
    """:func:`find`, where the object format of the ghost repository is not known beforehand.

    An id of 64 digits tells it. One of 40 may be v0.1's name for a ghost in either kind.
    """
    long = len(hash.strip()) == 64
    guesses = dict.fromkeys(("sha256",) if long else (context.object_format, "sha1", "sha256"))
    for guess in guesses:
        inbox = Inbox(private, context.store(guess), guess, context.link)
        try:
            return inbox, find(inbox, context, hash, base, what)
        except RemoteError as e:
            if not e.message.startswith(OTHER_FORMAT) or guess == "sha256":
                raise
    raise AssertionError("the last guess returns or raises")


def _target(context: Context, hash: str, what: str) -> str:
    """The id to look for; for commits, any name this repository knows is as good."""
    try:
        return hash_argument(hash)
    except UsageError:
        if (
            what == "commits"
            and context.repository
            and (found := context.repository.commit(hash.strip()))
        ):
            return found
        raise


def _base_id(context: Context, base: str) -> str:
    text = base.strip()
    if is_oid(text):
        return text
    if text.startswith("-"):
        raise UsageError(f"'{text}' begins with a dash and cannot name a commit")
    found = context.repository.commit(text) if context.repository else None
    if found is None:
        raise NoSuchBase(
            f"there is no commit '{text}' here", "Give the full id that `git ghost push` printed."
        )
    return found


def _nearest(context: Context, candidates: Sequence[Fetched]) -> Fetched:
    """Of several ghosts with the same tree, the one whose base is HEAD, or is easiest to have.

    That is: it is here, or the source remote had it when the ghost was made.
    """
    if len(candidates) == 1:
        return candidates[0]

    def needed(c: Fetched) -> str:
        return c.ghost.base if isinstance(c.ghost, DiffGhost) else c.ghost.to

    head, missing = None, {needed(c) for c in candidates}
    if context.repository is not None:
        head = context.repository.commit("HEAD")
        missing = set(rebuild.missing_commits(context.repository, sorted(missing)))

    def cost(c: Fetched) -> tuple[bool, bool, bool]:
        return needed(c) != head, needed(c) in missing, c.trailers.remote_base != c.ghost.base

    return min(candidates, key=cost)


def rebuild_ghost(
    context: Context,
    private: Quarantine,
    inbox: Inbox,
    wanted: Fetched,
    source: Source,
    commits_from: str | None = None,
    *,
    resumed: bool = False,
    keep: tuple[int, ...] = (),
) -> Rebuilt:
    """Put ``wanted`` together in the quarantine, fetching what is missing, and check it.

    ``resumed``: a fetch may have been killed here; ``keep``: descriptors for one that is begun now.
    Raises NoSuchBase, VerificationFailed, RemoteError.
    """
    is_diff = isinstance(wanted.ghost, DiffGhost)
    needed = wanted.ghost.base if is_diff else wanted.ghost.to
    start = _base_id(context, commits_from) if commits_from is not None else ""
    base, notices = _ensure_base(
        context, private, inbox, wanted, Oid(needed), source, start, resumed=resumed, keep=keep
    )
    remote_base = start or wanted.trailers.remote_base or (wanted.ghost.base if not is_diff else "")
    if not is_diff:
        tree = rebuild.rebuild_tree(private, base, lambda: None)
        return Rebuilt(wanted.ghost.to, tree, base, remote_base, base == needed, notices)
    tree = _apply_diff(private, wanted, base)
    verified = not wanted.trailers.from_v01 or tree == wanted.ghost.to
    return Rebuilt(wanted.ghost.to, tree, base, remote_base, verified, notices)


def _apply_diff(private: Quarantine, wanted: Fetched, base: Oid) -> Oid:
    promised = wanted.ghost.to
    sha1, size = "", -1
    if wanted.trailers.from_v01:
        with wanted.start_file(DIFF_FILE) as reading:
            sha1, size = rebuild.sha1_of(reading.stdout)

    def start_patch() -> Running | None:
        empty = size == 0 if sha1 else private.tree(base) == promised
        return None if empty else wanted.start_file(DIFF_FILE)

    tree = rebuild.rebuild_tree(private, base, start_patch)
    if promised not in (tree, sha1):
        raise VerificationFailed(
            "the ghost does not give what its hash promises:"
            f" {promised} was asked for, {tree} came out",
            "It was tampered with or is damaged. Delete it (`git ghost delete`), then push again.",
        )
    return tree


def _ensure_base(
    context: Context,
    private: Quarantine,
    inbox: Inbox,
    wanted: Fetched,
    needed: Oid,
    source: Source,
    start: str,
    *,
    resumed: bool,
    keep: tuple[int, ...],
) -> tuple[Oid, tuple[Notice, ...]]:
    """See to it that ``needed`` can be built on: already here, out of a commits ghost, or fetched.

    Returns it, or for a commits ghost of v0.1, which keeps no ids, the commit that stands for it.
    """
    repository = context.here
    place = Place(repository.cwd, repository.env(), context.link, keep)
    if not _is_missing(repository, needed, resumed=resumed):
        return needed, ()
    commits = _commits_ghost(inbox, wanted, needed, start)
    if commits is None:
        fetch_commits(place, source, [needed], needed)
        return needed, ()
    first = Oid(commits.ghost.base)
    running = None
    if _is_missing(repository, first, resumed=resumed):
        running = _start_fetch(place, source, [first], first)
    with running or contextlib.nullcontext():
        fetched = _fetched(inbox, commits)
        if running is not None:
            rebuild.finish_fetch_commits(place, running, source.name, [first])
    if fetched is None:  # the commits may have reached the source meanwhile
        fetch_commits(place, source, [needed], needed)
        return needed, ()
    if not fetched.has(BUNDLE_FILE):
        made = v01_commits.apply(private, first, fetched.file(COMMITS_FILE), needed)
        notice = Notice(f"the commits come from v0.1, which keeps no ids: {needed} is {made} here")
        return made, () if made == needed else (notice,)
    for _ in range(2):
        with fetched.start_file(BUNDLE_FILE) as bundle:
            missing = rebuild.unbundle(private, bundle.stdout, first, needed)
        if not missing:
            return needed, ()
        fetch_commits(place, source, missing, needed)
    raise rebuild.no_base(needed, source.name)


class _Named(NamedTuple):
    ghost: CommitsGhost


def _commits_ghost(
    inbox: Inbox, wanted: Fetched, needed: Oid, start: str
) -> Fetched | _Named | None:
    """The commits ghost that leads to ``needed``: in hand, by its name, or found; else None."""
    prefix = inbox.store.prefix
    if isinstance(wanted.ghost, CommitsGhost):
        return wanted
    remote_base = start or wanted.trailers.remote_base
    if is_oid(remote_base):
        return _Named(CommitsGhost(remote_base, needed, prefix)) if remote_base != needed else None
    ref = f"refs/heads/{prefix}/*-{needed}"
    found = inbox.finish(inbox.start([f"{ref}:{inbox_ref(ref)}"]))
    return next(
        (f for f in found if isinstance(f.ghost, CommitsGhost) and f.ghost.to == needed), None
    )


def _fetched(inbox: Inbox, commits: Fetched | _Named) -> Fetched | None:
    if isinstance(commits, Fetched):
        return commits
    try:
        found = inbox.fetch([commits.ghost])
    except NoSuchGhost:
        return None
    return next((f for f in found if f.ghost == commits.ghost), None)


def _is_missing(repository: Repository, commit: Oid, *, resumed: bool) -> bool:
    """Whether a commit has to be fetched.

    A shallow fetch that is killed may leave a commit without its parents and without the note that
    they are cut off; only where one may have been is that looked for.
    """
    if rebuild.missing_commits(repository, [commit]):
        return True
    if not resumed:
        return False
    try:
        repository.git("rev-list", "--max-count=2", commit)
    except GitFailed:
        return True
    return False


def _start_fetch(place: Place, source: Source, commits: Sequence[str], needed: str) -> Running:
    if not source.name:
        raise rebuild.no_base(needed, "")
    return rebuild.start_fetch_commits(place, source.name, commits, source.depth)


def fetch_commits(place: Place, source: Source, commits: Sequence[str], needed: str) -> None:
    """Fetch ``commits`` from the source; NoSuchBase (naming ``needed``) when it has them not."""
    with _start_fetch(place, source, commits, needed) as running:
        rebuild.finish_fetch_commits(place, running, source.name, commits)


def _settle(
    private: Quarantine,
    rebuilt: Rebuilt,
    before: Journal | None,
    mark: str,
    lock: int,
    *,
    force: bool,
    exact: bool,
) -> Pulled:
    """Bring the working tree to what was rebuilt, and report."""
    target = Target(rebuilt.tree, rebuilt.base, rebuilt.remote_base)
    todo = planning.plan(private, target, before, force=force)
    if exact:
        planning.refuse_untracked(private, todo)
    outcome = checkout.carry_out(private, todo, mark, lock)
    return Pulled(
        hash=rebuilt.hash,
        tree=outcome.tree,
        base=outcome.base,
        changed=outcome.changed,
        head=outcome.head,
        branch=outcome.branch,
        backup=outcome.backup,
        untracked=tuple(os.fsdecode(path) for path in outcome.untracked),
        submodules=tuple(os.fsdecode(path) for path in outcome.submodules),
        verified=rebuilt.verified,
        notices=rebuilt.notices,
    )
