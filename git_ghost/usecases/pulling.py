"""pull: find a ghost, fetch what is missing, rebuild and prove it, bring the working tree there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from git_ghost.errors import (
    GhostError,
    VerificationFailed,
)
from git_ghost.git import Running
from git_ghost.model import Notice, Oid
from git_ghost.process import Background
from git_ghost.quarantine import Quarantine, quarantine
from git_ghost.repository import needs_work_tree
from git_ghost.store.fetch import Fetched, Inbox
from git_ghost.store.format import (
    DIFF_FILE,
    CommitsGhost,
    DiffGhost,
)
from git_ghost.usecases import sources
from git_ghost.usecases.context import Context, Options, open_context
from git_ghost.usecases.finding import commit_named, find
from git_ghost.usecases.linking import linked
from git_ghost.usecases.obtaining import Supply, first_that_works
from git_ghost.usecases.sources import Source
from git_ghost.worktree import checkout, filters, guards, journal, locks, planning, rebuild
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
    """How many files were written or removed: by a clone into a new folder, all there are."""
    head: str
    """``""`` (HEAD stayed), ``branch`` (its branch was fast-forwarded) or ``detached``."""
    branch: str
    """The branch HEAD is on, or was on before a pull detached it; empty: none."""
    backup: str
    """The ref that holds what ``force`` set aside, or empty."""
    restore: tuple[str, ...]
    """The commands, one after the other, that bring that back: files, index and HEAD."""
    untracked: tuple[str, ...]
    """Files in the working tree that are not part of the tree (ignored ones not counted)."""
    submodules: tuple[str, ...]
    """Submodules that are not checked out at the commit the tree names."""
    verified: bool
    """False for a v0.1 ghost, which promises no tree id."""
    notices: tuple[Notice, ...] = field(default=())
    told: bool = False
    """Whether the last pull here told the same of untracked files, submodules and notices."""


class Rebuilt(NamedTuple):
    """A ghost put together in the quarantine and checked against its hash."""

    hash: str
    tree: Oid
    base: Oid
    remote_base: str
    verified: bool
    notices: tuple[Notice, ...] = ()
    submodules: frozenset[str] | None = None
    """Those that were checked out where the ghost was made; None when that is not known."""


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
    that are not part of the tree, and files that ask for filters nobody set up here (GhostError).

    Raises NoSuchGhost, NoSuchBase, LocalChanges (nothing touched), VerificationFailed (nothing
    touched), RemoteError.
    """
    unlinked = open_context(options)
    repository = needs_work_tree(unlinked.here)
    target = unlinked.store()
    with (
        linked(unlinked) as context,
        journal.one_at_a_time(repository, options.progress) as lock,
        quarantine(repository, options.working_dir, context.link.activity) as private,
    ):
        context.link.ahead(target.url)  # the source is often on the same host
        inbox = Inbox(private, target, repository.object_format, context.link)
        wanted = find(inbox, context, hash, commits_from if what == "commits" else base, what)
        source = sources.for_pull(context, wanted[0].trailers)
        return bring(
            context, private, inbox, wanted, source, lock,
            commits_from=commits_from, force=force, exact=exact,
        )  # fmt: skip


def bring(
    context: Context,
    private: Quarantine,
    inbox: Inbox,
    wanted: Sequence[Fetched],
    source: Source,
    lock: int,
    *,
    commits_from: str | None = None,
    force: bool = False,
    exact: bool = False,
) -> Pulled:
    """Bring the working tree to a ghost of ``wanted``; ``lock`` is the pull lock's descriptor.

    What an interrupted pull left behind is finished or cleaned up. Raises as :func:`pull` does.
    """
    repository = context.here
    before = journal.interrupted(repository)
    if before is not None:
        locks.clear_stale(repository, before.mark, journal.begun(repository))
    mark = f"git-ghost {secrets.token_hex(8)}"
    fresh = Journal(wanted[0].ghost.to, mark)
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


def rebuild_ghost(
    context: Context,
    private: Quarantine,
    inbox: Inbox,
    candidates: Sequence[Fetched],
    source: Source,
    commits_from: str | None = None,
    *,
    resumed: bool = False,
    keep: tuple[int, ...] = (),
) -> Rebuilt:
    """Put the first of ``candidates`` that can be had together in the quarantine, and check it.

    ``resumed``: a fetch may have been killed here; ``keep``: descriptors for one that is begun now.
    Raises NoSuchBase (of the first), VerificationFailed, RemoteError.
    """
    start = commit_named(context, commits_from) if commits_from is not None else ""
    supply = Supply(context, private, inbox, source, resumed, keep)
    rebuilt = first_that_works(
        partial(_put_together, private, supply, wanted, start) for wanted in candidates
    )
    assert rebuilt is not None
    return rebuilt._replace(notices=(*rebuilt.notices, *_choice(rebuilt, candidates)))


def _choice(rebuilt: Rebuilt, candidates: Sequence[Fetched]) -> Iterator[Notice]:
    """That there were other bases of the same tree to choose."""
    bases = [c.ghost.base for c in candidates if isinstance(c.ghost, DiffGhost)]
    if others := ", ".join(base for base in bases if base != rebuilt.base):
        yield Notice(
            f"the same tree was also pushed on {others}; this is the one on {rebuilt.base}:"
            " name the base to have another (git ghost pull BASE HASH, clone --base BASE HASH)"
        )


def _put_together(private: Quarantine, supply: Supply, wanted: Fetched, start: str) -> Rebuilt:
    found = supply.obtain(wanted, start)
    remote_base = start or found.start or wanted.trailers.remote_base
    if isinstance(wanted.ghost, CommitsGhost):
        tree = rebuild.rebuild_tree(private, found.base, lambda: None)
        verified, remote_base = found.base == wanted.ghost.to, remote_base or wanted.ghost.base
    else:
        tree = _apply_diff(private, wanted, found.base)
        verified = not wanted.trailers.from_v01 or tree == wanted.ghost.to
    of_use = wanted.trailers.checked_out
    return Rebuilt(wanted.ghost.to, tree, found.base, remote_base, verified, found.notices, of_use)


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
    target = Target(rebuilt.tree, rebuilt.base, rebuilt.remote_base, rebuilt.submodules)
    asking = Background(lambda: filters.missing(private))
    todo = planning.plan(private, target, before, force=force)
    lacking = asking.get()
    if exact:
        planning.refuse_untracked(private, todo)
        for name, paths in lacking.items():
            raise GhostError(
                f"{_lacks(name, paths)}; nothing was touched:{guards.show_paths(paths)}",
                "Set it up (see filter in git help attributes), or go on without --exact.",
            )
    outcome = checkout.carry_out(private, todo, mark, lock)
    notices = (
        *rebuilt.notices,
        *(Notice(_lacks(name, p), tuple(map(os.fsdecode, p))) for name, p in lacking.items()),
    )
    untracked, submodules = (
        tuple(map(os.fsdecode, paths)) for paths in (outcome.untracked, outcome.submodules)
    )
    to_tell = [
        *(f"untracked: {path}" for path in untracked),
        *(f"submodule: {path}" for path in submodules),
        *map(str, notices),
    ]
    return Pulled(
        hash=rebuilt.hash,
        tree=outcome.tree,
        base=outcome.base,
        changed=outcome.changed,
        head=outcome.head,
        branch=outcome.branch,
        backup=outcome.backup,
        restore=outcome.restore,
        untracked=untracked,
        submodules=submodules,
        verified=rebuilt.verified,
        notices=notices,
        told=journal.told_before(private.repository, to_tell),
    )


def _lacks(name: str, paths: Sequence[bytes]) -> str:
    some = "1 file asks" if len(paths) == 1 else f"{len(paths)} files ask"
    return f"{some} for the filter '{name}', which is not set up here: what git stores is there"
