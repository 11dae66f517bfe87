"""Send ghosts to the ghost repository, and delete them there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from git_ghost.git import git
from git_ghost.model import Oid, format_of, oid
from git_ghost.quarantine import Quarantine, scratch
from git_ghost.repository import Repository
from git_ghost.store.fetch import Inbox
from git_ghost.store.format import (
    BUNDLE_FILE,
    CommitsGhost,
    Ghost,
)
from git_ghost.store.listing import Listed
from git_ghost.store.repository import GhostRepository
from git_ghost.transport import network
from git_ghost.transport.network import Link, Place, Update


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
    fates = network.push(
        place, store.url, [Update(ghost.ref, commit) for ghost, commit in ghosts.items()]
    )
    return {ghost: fates[ghost.ref] == "new" for ghost in ghosts}


def replace_without_bundle(
    quarantine: Quarantine, store: GhostRepository, ghost: CommitsGhost, commit: Oid, link: Link
) -> bool:
    """Put ``commit`` in the place of a commits ghost that v0.1 made; whether that was called for.

    A v0.1 reader finds what it needs in the new one too. Raises RemoteError.
    """
    inbox = Inbox(quarantine, store, format_of(ghost.base), link)
    found = next((f for f in inbox.fetch([ghost]) if f.ghost == ghost), None)
    if found is None or found.has(BUNDLE_FILE):
        return False
    place = Place(quarantine.repository.cwd, quarantine.env(), link)
    network.push(place, store.url, [Update(ghost.ref, commit, found.commit)])
    return True


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


def probe_write(repository: Repository | None, store: GhostRepository) -> bool:
    """Ask the ghost repository for write access without writing; True, or RemoteError why not."""
    with scratch(repository) as private:
        object_format = repository.object_format if repository else "sha1"
        inbox = Inbox(private, store, object_format)
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
