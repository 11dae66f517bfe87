"""See to it that the commit a ghost is about can be built on: here, from the source, or stored."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from git_ghost.errors import GitFailed, NoSuchBase, NoSuchGhost
from git_ghost.git import Running
from git_ghost.model import Notice, Oid, is_oid
from git_ghost.quarantine import Quarantine
from git_ghost.repository import Repository
from git_ghost.store.fetch import Fetched, Inbox, inbox_ref
from git_ghost.store.format import BUNDLE_FILE, COMMITS_FILE, CommitsGhost, DiffGhost
from git_ghost.transport import foreign
from git_ghost.transport.network import Place
from git_ghost.usecases.context import Context
from git_ghost.usecases.finding import nearest_first
from git_ghost.usecases.sources import Source
from git_ghost.v01 import commits as v01_commits
from git_ghost.worktree import rebuild


class Obtained(NamedTuple):
    """The commit to build on."""

    base: Oid
    """The one that was asked for; out of a commits ghost of v0.1, which keeps no ids, the one that
    stands for it."""
    start: str = ""
    """Where the commits begin that came with it, if any did."""
    notices: tuple[Notice, ...] = ()


T = TypeVar("T")


def first_that_works(ways: Iterable[Callable[[], T | None]]) -> T | None:
    """What the first way gives that leads anywhere; None when none does.

    Raises NoSuchBase, of the first way that ended with it, when nothing else is left.
    """
    refused = None
    for way in ways:
        try:
            if (found := way()) is not None:
                return found
        except NoSuchBase as e:  # noqa: PERF203 - each way is a network session
            refused = refused or e
    if refused is not None:
        raise refused
    return None


class Supply(NamedTuple):
    """Where commits may come from: this repository, the source, the ghost repository."""

    context: Context
    private: Quarantine
    inbox: Inbox
    source: Source
    resumed: bool = False
    """Whether a fetch may have been killed here."""
    keep: tuple[int, ...] = ()
    """Descriptors that a fetch inherits."""

    def obtain(self, wanted: Fetched, start: str) -> Obtained:
        """What ``wanted`` builds on; ``start`` is where its commits begin, if the user said so.

        What a ghost says of its source was true when it was made. So what does not lead there is
        no reason to give up while there is another way. Raises NoSuchBase when there is none,
        VerificationFailed, RemoteError.
        """
        needed = Oid(wanted.ghost.base if isinstance(wanted.ghost, DiffGhost) else wanted.ghost.to)
        if not self._is_missing(needed):
            return Obtained(needed)
        found = first_that_works(self._ways(wanted, needed, start))
        if found is None:
            raise rebuild.no_base(needed, self.source.name)
        return found

    def _ways(
        self, wanted: Fetched, needed: Oid, start: str
    ) -> Iterator[Callable[[], Obtained | None]]:
        """What to try, one after the other; what is not reached costs nothing."""
        if isinstance(wanted.ghost, CommitsGhost):
            yield partial(self._out_of, wanted.ghost, wanted)
            yield partial(self._from_source, needed)
            return
        first = start or wanted.trailers.remote_base
        if first == needed:
            yield partial(self._from_source, needed)
        elif is_oid(first):
            yield partial(self._out_of, CommitsGhost(first, needed, self.inbox.store.prefix))
        for ghost, other in self._leading_to(needed):
            if ghost.base != first:
                yield partial(self._out_of, ghost, other)
        if first != needed:  # the commits may have reached the source meanwhile
            yield partial(self._from_source, needed)

    def _leading_to(self, needed: Oid) -> Iterator[tuple[CommitsGhost, Fetched]]:
        """The commits ghosts that end at ``needed``, the nearest first; no empty range."""
        ref = f"refs/heads/{self.inbox.store.prefix}/*-{needed}"
        found = self.inbox.finish(self.inbox.start([f"{ref}:{inbox_ref(ref)}"]))
        for one in nearest_first(self.context, [f for f in found if f.ghost.to == needed]):
            if isinstance(one.ghost, CommitsGhost) and one.ghost.base != needed:
                yield one.ghost, one

    def _from_source(self, needed: Oid) -> Obtained:
        self._fetch([needed], needed)
        return Obtained(needed)

    def _out_of(self, ghost: CommitsGhost, fetched: Fetched | None = None) -> Obtained | None:
        """The end of a commits ghost, fetched here unless it was; None when there is none."""
        first, needed = Oid(ghost.base), Oid(ghost.head)
        running = self._start_fetch([first], first) if self._is_missing(first) else None
        with running or contextlib.nullcontext():
            fetched = fetched or self._fetched(ghost)
            if running is not None:
                self._finish_fetch(running, [first])
        if fetched is None:
            return None
        if not fetched.has(BUNDLE_FILE):
            return self._out_of_v01(fetched, first, needed)
        for _ in range(2):
            with fetched.start_file(BUNDLE_FILE) as bundle:
                missing = rebuild.unbundle(self.private, bundle.stdout, first, needed)
            if not missing:
                return Obtained(needed, first)
            self._fetch(missing, needed)
        raise rebuild.no_base(needed, self.source.name)

    def _out_of_v01(self, fetched: Fetched, first: Oid, needed: Oid) -> Obtained:
        made = v01_commits.apply(self.private, first, fetched.file(COMMITS_FILE), needed)
        if made == needed:
            return Obtained(made, first)
        text = f"the commits come from v0.1, which keeps no ids: {needed} is {made} here"
        return Obtained(made, first, (Notice(text),))

    def _fetched(self, ghost: CommitsGhost) -> Fetched | None:
        try:
            found = self.inbox.fetch([ghost])
        except NoSuchGhost:
            return None
        return next((f for f in found if f.ghost == ghost), None)

    @property
    def _repository(self) -> Repository:
        return self.private.repository

    @property
    def _place(self) -> Place:
        repository, source = self._repository, self.source
        place = Place(repository.cwd, repository.env(), self.context.link, self.keep)
        if not source.foreign:
            return place
        ghosts, agreed = self.inbox.store.url, self.context.settings.trusted_sources
        return foreign.guarded(place, source.name, ghosts, agreed, repository.config)

    def _is_missing(self, commit: Oid) -> bool:
        """Whether a commit has to be fetched.

        A shallow fetch that is killed may leave a commit without its parents and without the note
        that they are cut off; only where one may have been is that looked for.
        """
        if rebuild.missing_commits(self._repository, [commit]):
            return True
        if not self.resumed:
            return False
        try:
            self._repository.git("rev-list", "--max-count=2", commit)
        except GitFailed:
            return True
        return False

    def _start_fetch(self, commits: Sequence[str], needed: str) -> Running:
        if not self.source.name:
            raise rebuild.no_base(needed, "")
        return rebuild.start_fetch_commits(
            self._place, self.source.name, commits, self.source.depth
        )

    def _fetch(self, commits: Sequence[str], needed: str) -> None:
        with self._start_fetch(commits, needed) as running:
            self._finish_fetch(running, commits)

    def _finish_fetch(self, running: Running, commits: Sequence[str]) -> None:
        name = self.source.name
        with foreign.explained(name) if self.source.foreign else contextlib.nullcontext():
            rebuild.finish_fetch_commits(self._place, running, name, commits)
