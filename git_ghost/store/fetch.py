"""Fetch ghosts: exactly the refs that are needed, into a repository of their own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from git_ghost.errors import GitFailed, NoSuchGhost, VerificationFailed
from git_ghost.git import Running, git
from git_ghost.model import Oid, oid
from git_ghost.process import Environment
from git_ghost.quarantine import Scratch
from git_ghost.store.format import (
    COMMITS_FILE,
    DIFF_FILE,
    DiffGhost,
    Ghost,
    Trailers,
    parse_ref,
)
from git_ghost.store.repository import GhostRepository
from git_ghost.transport import network
from git_ghost.transport.network import Link, Place


def inbox_ref(ref: str) -> str:
    """Where a ref of the ghost repository goes in an :class:`Inbox`."""
    return "refs/ghosts/" + ref.removeprefix("refs/heads/")


def refspecs_for(prefix: str, target: str, start: str = "") -> list[str]:
    """Refspecs for the ghosts that lead to the full id ``target``, from commit ``start`` if given.

    With ``start`` the names are exact but may be missing, so a pattern is used that matches one
    name: fetching an exact name that is not there fails the whole session.
    """
    diff = f"refs/heads/{prefix}/{start or '*'}/{target}"
    commits = f"refs/heads/{prefix}/{start or '*'}-{target}"
    if start:  # a pattern must hold a star: one that stands for the rest of a full-length name
        diff, commits = (name[:-1] + "*" for name in (diff, commits))
    return [f"{name}:{inbox_ref(name)}" for name in (diff, commits)]


@dataclass(frozen=True)
class Fetched:
    """A ghost in hand: its name, its commit in the bare repository ``git_dir``, what it says."""

    ghost: Ghost
    commit: Oid
    git_dir: str
    trailers: Trailers
    date: int = 0
    """When its commit was made, in seconds since 1970."""
    env: Environment = field(repr=False, default_factory=dict)

    def start_file(self, name: str) -> Running:
        """Start reading one of its files, unbuffered: a part may be read, the rest handed on."""
        return Running(
            "cat-file", "blob", f"{self.commit}:{name}", cwd=self.git_dir, env=self.env, buffering=0
        )

    def file(self, name: str) -> bytes:
        """The whole of one of its files; VerificationFailed when it has none of that name."""
        try:
            return self.start_file(name).result()
        except GitFailed as e:
            raise VerificationFailed(f"the ghost {self.ghost.to} holds no {name}") from e

    def has(self, name: str) -> bool:
        """Whether it holds a file of that name, which itself may not have been fetched."""
        args = ("ls-tree", "-z", "--name-only", self.commit)
        names = git(*args, cwd=self.git_dir, env=self.env).split(b"\0")
        return os.fsencode(name) in names

    @property
    def patch_name(self) -> str:
        """The name of the file people want to see."""
        return DIFF_FILE if isinstance(self.ghost, DiffGhost) else COMMITS_FILE


class Inbox:
    """A bare repository in a private folder that ghosts are fetched into."""

    def __init__(
        self,
        private: Scratch,
        store: GhostRepository,
        object_format: str,
        link: Link = Link(),
    ) -> None:
        self.store = store
        self.git_dir, cwd, self.env = private.bare("inbox", object_format)
        self.place = Place(cwd, self.env, link)

    def start(self, refspecs: Sequence[str], objects: str = "") -> Running:
        """Start fetching refs of the ghost repository; hand the result to :meth:`finish`.

        ``objects`` is that of :func:`network.fetch`.
        """
        if self.store.embedded and not os.path.exists(self.store.url):
            raise NoSuchGhost(
                f"no ghost was ever stored in {self.store.shown}",
                "Name the ghost repository it was pushed to: --ghost-repo, GIT_GHOST_REPO or"
                " git config ghost.repo.",
            )
        config = ("-c", "fetch.negotiationAlgorithm=noop")
        return network.fetch(self.place, self.store.url, refspecs, config=config, objects=objects)

    def finish(self, running: Running) -> list[Fetched]:
        """Wait for :meth:`start`; every ghost fetched so far, sorted by name."""
        network.finish(running, self.store.url)
        form = (
            "%(objectname)%00%(objecttype)%00%(refname)%00%(committerdate:unix)%00%(contents)%00%01"
        )
        out = git(
            "for-each-ref", f"--format={form}", "refs/ghosts/", cwd=self.git_dir, env=self.env
        )
        found = []
        for record in out.split(b"\0\x01\n"):
            if not record:
                continue
            value, kind, ref, date, message = record.split(b"\0", 4)
            name = "refs/heads/" + os.fsdecode(ref).removeprefix("refs/ghosts/")
            ghost = parse_ref(name, self.store.prefix)
            if ghost is not None and kind == b"commit":
                said = Trailers.parse(message)
                found.append(
                    Fetched(ghost, oid(value), self.git_dir, said, int(date or 0), self.env)
                )
        return sorted(found, key=lambda f: f.ghost.ref)

    def fetch(self, ghosts: Iterable[Ghost], objects: str = "") -> list[Fetched]:
        """Fetch ghosts by their exact names; NoSuchGhost when one is not there."""
        names = [ghost.ref for ghost in ghosts]
        return self.finish(self.start([f"{name}:{inbox_ref(name)}" for name in names], objects))
