"""Send ghosts to the ghost repository, and delete them there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from git_ghost.errors import NoSuchGhost, RemoteError
from git_ghost.git import git
from git_ghost.model import Oid, format_of, oid
from git_ghost.quarantine import Quarantine, scratch
from git_ghost.repository import Repository
from git_ghost.store.fetch import Fetched, Inbox
from git_ghost.store.format import (
    BUNDLE_FILE,
    CommitsGhost,
    Ghost,
)
from git_ghost.store.listing import Listed
from git_ghost.store.repository import GhostRepository
from git_ghost.transport import network
from git_ghost.transport.causes import BROKEN, LOST
from git_ghost.transport.network import Link, Place, Update

_TRIES = 8
"""How often a push is made whose objects the server loses: two of five go wrong beside an endless
``git gc --prune=now``, so eight do in one of 1,500."""


def send(
    quarantine: Quarantine,
    store: GhostRepository,
    ghosts: Mapping[Ghost, Oid],
    link: Link,
) -> dict[Ghost, bool]:
    """Send ghosts from the quarantine in one session; for each, whether it is new there.

    One that is there already is success: its name says its content. Raises RemoteError.
    """
    place = Place(quarantine.repository.cwd, quarantine.env(), link)
    updates = [Update(ghost.ref, commit) for ghost, commit in ghosts.items()]
    fates = _push_until_kept(place, store.url, updates)
    return {ghost: fates[ghost.ref] == "new" for ghost in ghosts}


def _push_until_kept(
    place: Place, url: str, updates: Sequence[Update], tries: int = _TRIES
) -> dict[str, str]:
    try:
        return network.push(place, url, updates)
    except RemoteError as e:
        if tries <= 1 or not _may_be_kept_next_time(e.message):
            raise
    return _push_until_kept(place, url, updates, tries - 1)


def _may_be_kept_next_time(message: str) -> bool:
    """Whether the server lost what it was sent, or could not get at its own branches just then."""
    busy = "(failed to update ref)" in message and "cannot lock ref" not in message
    return busy or message.startswith(LOST)


REPLACED = "its objects were gone or damaged"
COMPLETED = "v0.1 made it, without a bundle"


class Settled(NamedTuple):
    """A ghost that was there already: why it was sent again (empty: it was not), its message."""

    why: str
    message: str


def settle(
    quarantine: Quarantine, store: GhostRepository, ghosts: Mapping[Ghost, Oid], link: Link
) -> dict[Ghost, Settled]:
    """See to it that ghosts that are there already can be pulled, else put their commits there.

    They are fetched, in one session, but for large files. Replaced is one whose objects are gone or
    damaged, and a commits ghost that v0.1 made, without a bundle (v0.1 finds what it needs in the
    new one too). Raises RemoteError.
    """
    found = _look(quarantine, store, ghosts, link)
    return {
        ghost: _settle(quarantine, store, ghost, commit, found.get(ghost), link)
        for ghost, commit in ghosts.items()
    }


def _settle(
    quarantine: Quarantine,
    store: GhostRepository,
    ghost: Ghost,
    commit: Oid,
    found: Fetched | None,
    link: Link,
) -> Settled:
    place = Place(quarantine.repository.cwd, quarantine.env(), link)
    if found is None:
        _replace(place, store, ghost, commit)
        if not _look(quarantine, store, [ghost], link):
            raise RemoteError(
                f"{store.shown} has the ghost {ghost.to}, but cannot serve it, not even after it"
                " was sent again",
                "See `git fsck` there; until it is repaired use another ghost repository.",
            )
        return Settled(REPLACED, "")
    if isinstance(ghost, CommitsGhost) and not found.has(BUNDLE_FILE):
        network.push(place, store.url, [Update(ghost.ref, commit, found.commit)])
        return Settled(COMPLETED, "")
    return Settled("", found.trailers.subject)


_SMALL = "blob:limit=1m"
"""What is fetched of a ghost to see whether it is whole."""


def _look(
    quarantine: Quarantine, store: GhostRepository, ghosts: Collection[Ghost], link: Link
) -> dict[Ghost, Fetched]:
    """Those of ``ghosts`` that the ghost repository can give away."""
    if not ghosts:
        return {}
    try:
        inbox = Inbox(quarantine, store, format_of(next(iter(ghosts)).base), link)
        return {found.ghost: found for found in inbox.fetch(ghosts, _SMALL)}
    except (NoSuchGhost, RemoteError) as e:
        if isinstance(e, RemoteError) and not e.message.startswith(BROKEN):
            raise
    if len(ghosts) == 1:
        return {}
    each = (_look(quarantine, store, [ghost], link) for ghost in ghosts)
    return {ghost: found for one in each for ghost, found in one.items()}


def _replace(place: Place, store: GhostRepository, ghost: Ghost, commit: Oid) -> None:
    """Delete and make anew: a server checks a new value against all refs, and so against this."""
    value = next((v for v, ref in network.list_heads(place, store.url) if ref == ghost.ref), "")
    try:
        if value:
            network.push(place, store.url, [Update(ghost.ref, "", value)])
        network.push(place, store.url, [Update(ghost.ref, commit)])
    except RemoteError as e:
        raise RemoteError(
            f"the ghost {ghost.to} is in {store.shown}, but its objects are gone or damaged, and it"
            f" could not be replaced: {e.message}",
            f"Have its branch deleted there, then push again: {ghost.ref}",
        ) from e


def delete(place: Place, store: GhostRepository, ghosts: Sequence[Listed]) -> list[Listed]:
    """Delete ghosts, each only if it is still the one that was listed; those that are gone now.

    Raises RemoteError when the server refuses.
    """
    if ghosts and place.cwd is None:  # outside a repository; git wants one to push from
        with scratch() as private:
            _, cwd, env = private.bare("outbox", format_of(ghosts[0].commit))
            return delete(Place(cwd, env, place.link), store, ghosts)
    gone = []
    for start in range(0, len(ghosts), 500):  # a command line has a bounded length
        some = ghosts[start : start + 500]
        fates = network.push(place, store.url, [Update(g.ghost.ref, "", g.commit) for g in some])
        gone += [g for g in some if fates[g.ghost.ref] == "deleted"]
    return gone


def probe_write(repository: Repository | None, store: GhostRepository, link: Link) -> bool:
    """Ask the ghost repository for write access without writing; True, or RemoteError why not."""
    with scratch(repository) as private:
        object_format = repository.object_format if repository else "sha1"
        inbox = Inbox(private, store, object_format, link)
        feed = b"tree " + git("mktree", cwd=inbox.git_dir, env=inbox.env).strip()
        feed += b"\nauthor git ghost <> 0 +0000\ncommitter git ghost <> 0 +0000\n\nprobe\n"
        commit = git(
            "hash-object",
            "-w",
            "-t",
            "commit",
            "--stdin",
            cwd=inbox.git_dir,
            env=inbox.env,
            stdin=feed,
        )
        ref = f"refs/heads/{store.prefix}/doctor"
        network.push(inbox.place, store.url, [Update(ref, oid(commit))], dry_run=True)
    return True
