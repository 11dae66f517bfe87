"""Find ghosts in the list of those the ghost repository has."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from git_ghost.errors import NoSuchGhost
from git_ghost.git import environment, git
from git_ghost.model import Oid, is_oid
from git_ghost.repository import Repository
from git_ghost.store.format import (
    Ghost,
    parse_ref,
)
from git_ghost.store.repository import GhostRepository
from git_ghost.transport import network
from git_ghost.transport.network import Link, Place
from git_ghost.urls import is_local


class Listed(NamedTuple):
    """One ghost in the ghost repository, and the id of its commit."""

    ghost: Ghost
    commit: Oid
    whole: bool = True
    """Whether the ghost repository has its commit, as far as is known (see :func:`checked`)."""


def place_of(repository: Repository | None, link: Link = Link()) -> Place:
    """Where commands about a ghost repository run: in the user's repository, if there is one."""
    if repository is None:
        return Place(None, environment(foreign=True), link)
    return Place(repository.cwd, repository.env(), link)


def list_ghosts(place: Place, store: GhostRepository) -> list[Listed]:
    """Every ghost under the store's prefix, sorted by name; raises RemoteError."""
    if store.embedded and not os.path.exists(store.url):
        return []
    found = []
    for value, ref in network.list_heads(place, store.url):
        ghost = parse_ref(ref, store.prefix)
        if ghost is not None and is_oid(value):
            found.append(Listed(ghost, Oid(value)))
    return sorted(found, key=lambda listed: listed.ghost.ref)


def checked(store: GhostRepository, listed: Sequence[Listed]) -> list[Listed]:
    """``listed``, those marked whose commit is gone; asked only where it costs no session."""
    if not (listed and is_local(store.url) and os.path.isdir(store.url)):
        return list(listed)
    feed = "".join(f"{g.commit}\n" for g in listed).encode()
    env = environment(foreign=True, GIT_NO_LAZY_FETCH="1")
    out = git("cat-file", "--batch-check", cwd=store.url, env=env, stdin=feed, ok=(0, 128))
    gone = {line.split()[0] for line in out.decode().splitlines() if line.endswith(" missing")}
    return [g._replace(whole=g.commit not in gone) for g in listed]


def matching(ghosts: Iterable[Listed], start: str = "", to: str = "") -> list[Listed]:
    """The ghosts whose ends match the globs ``start`` and ``to`` (empty: any)."""
    return [
        g
        for g in ghosts
        if fnmatchcase(g.ghost.base, start or "*") and fnmatchcase(g.ghost.to, to or "*")
    ]


def resolve_prefix(listed: Sequence[Listed], digits: str, where: str) -> str:
    """The full id that ``digits`` begin: of a tree, a commit, or a ghost's own commit.

    ``where`` is the ghost repository they are in.

    Raises NoSuchGhost when there is none, or more than one.
    """
    ends = {g.ghost.to for g in listed if g.ghost.to.startswith(digits)}
    if not ends:
        ends = {g.ghost.to for g in listed if g.commit.startswith(digits)}
    if len(ends) > 1:
        shown = "".join(f"\n  {end}" for end in sorted(ends)[:8])
        raise NoSuchGhost(f"{digits} is ambiguous; it may be:{shown}", "Give more digits.")
    if not ends:
        raise no_such_ghost(digits, where)
    return ends.pop()


def no_such_ghost(digits: str, where: str) -> NoSuchGhost:
    """The error for a hash that names no ghost."""
    return NoSuchGhost(
        f"there is no ghost {digits} in {where}",
        "See `git ghost list`; check --ghost-repo and --ghost-prefix, and that the push succeeded.",
    )
