"""The base commit: where HEAD leaves what the source remote has."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final, NamedTuple

from git_ghost.errors import GhostError, NoSuchBase, UsageError
from git_ghost.git import Running
from git_ghost.model import Oid, oid
from git_ghost.quarantine import Quarantine
from git_ghost.repository import Repository
from git_ghost.transport import network
from git_ghost.transport.network import Link, Place
from git_ghost.urls import locate, redact


class SourceRemote(NamedTuple):
    """The source remote: its name here (may be empty) and its URL without credentials."""

    remote: str = ""
    url: str = ""


def find_remote_base(repository: Repository, head: Oid, remote: str = "") -> Oid | None:
    """R: the first commit on ``head``'s first-parent chain that a remote-tracking ref contains.

    ``remote`` restricts it to that remote's refs. None when no such commit is there. Raises
    UsageError for an unknown remote.
    """
    if remote and remote not in repository.config.remotes():
        raise UsageError(
            f"there is no remote '{remote}'",
            "See `git remote`; set one with --remote or ghost.remote.",
        )
    which = f"--remotes={_glob_escape(remote)}/*" if remote else "--remotes"
    return _first_within(repository, head, "--not", which)


def _first_within(repository: Repository, head: Oid, *known: str, feed: bytes = b"") -> Oid | None:
    """The first commit on ``head``'s first-parent chain that ``known`` or ``feed`` excludes."""
    # A broken ref, as folders that are synchronised get, tells nothing: the others may.
    options = ("--ignore-missing", "--first-parent", "--parents", *(["--stdin"] if feed else []))
    args = ("rev-list", *options, head, *known)
    out = repository.git(*args, stdin=feed or None).split(b"\n")
    if not out[0]:
        return head
    last = out[-2].split()
    return oid(last[1]) if len(last) > 1 else None


def _glob_escape(name: str) -> str:
    return "".join("\\" + c if c in "*?[\\" else c for c in name)


def is_on_remote(repository: Repository, commit: str, remote: str = "") -> bool:
    """Whether a remote-tracking ref (of ``remote``, if given) contains ``commit``."""
    which = f"--remotes={_glob_escape(remote)}/*" if remote else "--remotes"
    return not repository.git(
        "rev-list", "--ignore-missing", "--max-count=1", commit, "--not", which
    ).strip()


def find_source(repository: Repository, base: str | None, prefer: tuple[str, ...]) -> SourceRemote:
    """The remote that has ``base``: the first of ``prefer`` that does, then ``origin``, then any.

    With a single remote it is that one, unasked. An empty SourceRemote when there is no remote.
    """
    remotes = repository.config.remotes()
    if not remotes:
        return SourceRemote()
    ordered = [r for r in dict.fromkeys((*prefer, "origin", *remotes)) if r in remotes]
    chosen = ordered[0]
    if base is not None and len(ordered) > 1:
        chosen = next((r for r in ordered if is_on_remote(repository, base, r)), chosen)
    return SourceRemote(chosen, redact(remote_url(repository, chosen)))


def remote_url(repository: Repository, remote: str) -> str:
    """The URL of a remote as git would use it: ``insteadOf`` applied, a local path absolute."""
    config = repository.config
    url = config.values.get(f"remote.{remote}.url", ("",))[0]  # the one git fetches from
    if config.any(r"url\..*\.insteadof$"):
        url = os.fsdecode(repository.git("remote", "get-url", "--", remote)).removesuffix("\n")
    return locate(url, repository.cwd)


def require_commit(repository: Repository, rev: str) -> Oid:
    """The commit ``rev`` names; NoSuchBase when there is none here."""
    if rev.startswith("-"):
        raise UsageError(f"'{rev}' begins with a dash and cannot name a commit")
    found = repository.commit(rev.strip())
    if found is None:
        if rev == "HEAD":
            raise NoSuchBase(
                "this repository has no commit yet",
                "Make one with `git commit`, then push it to the source remote.",
            )
        raise NoSuchBase(
            f"there is no commit '{rev}' in {repository.cwd}", "Fetch it, or check the name."
        )
    return found


class Advertised(NamedTuple):
    """What a remote has of a history; ``complete`` when all of its refs are known here."""

    base: Oid | None
    complete: bool


def advertised(repository: Repository, source: str, head: Oid, link: Link = Link()) -> Advertised:
    """Ask ``source`` for the first commit on ``head``'s first-parent chain that its refs reach.

    Branches, tags and whatever else it has refs for count, as far as they are known here. Raises
    RemoteError when it does not answer.
    """
    place = Place(repository.cwd, repository.env(), link)
    tips = list(dict.fromkeys(value for value, _ in network.list_refs(place, source)))
    feed = "".join(f"{tip}^{{commit}}\n" for tip in tips).encode()
    out = repository.git("cat-file", "--batch-check", stdin=feed, GIT_NO_LAZY_FETCH="1").decode(
        "ascii", "replace"
    )
    found = [line.split() for line in out.splitlines()]
    known = [words[0] for words in found if words[1] == "commit"]
    feed = "".join(f"^{commit}\n" for commit in known).encode()
    base = _first_within(repository, head, feed=feed) if known else None
    return Advertised(base, all(words[-1] != "missing" for words in found))


def require_advertised(repository: Repository, remote: str, base: Oid, link: Link = Link()) -> None:
    """Ask the remote whether its refs still reach ``base``, as far as can be told here.

    NoSuchBase when none of those it has now does; RemoteError when it does not answer.
    """
    found = advertised(repository, remote, base, link)
    if found.base != base and found.complete:
        raise NoSuchBase(
            f"{remote} no longer has the base commit {base}",
            "Push it there again, or `git fetch --prune`.",
        )


@dataclass(frozen=True)
class Range:
    """Local commits ``base..head`` and the commits their bundle builds on (``base`` first)."""

    base: Oid
    head: Oid
    prerequisites: tuple[Oid, ...]
    count: int


def describe_range(repository: Repository, base: Oid, head: Oid) -> Range:
    """What lies between ``base`` and ``head``; GhostError when a shallow clone hides a part."""
    out = (
        repository.git("rev-list", "--boundary", "--topo-order", head, f"^{base}")
        .decode("ascii")
        .split()
    )
    inside = [line for line in out if not line.startswith("-")]
    edges = dict.fromkeys([base, *(oid(line[1:]) for line in out if line.startswith("-"))])
    if not inside:
        edges = {base: None}
    if repository.shallow:
        with open(os.path.join(repository.common_dir, "shallow")) as shallow:
            cut = set(shallow.read().split()).intersection(inside)
        if cut:
            raise GhostError(
                f"this shallow clone does not reach from {head} back to {base}"
                f" (it ends at {min(cut)})",
                "Get the missing history first: git fetch --unshallow",
            )
    return Range(base, head, tuple(edges), len(inside))


def start_bundle_pack(quarantine: Quarantine, span: Range) -> Running:
    """Start packing ``span``'s objects, thin against its prerequisites only.

    Bitmaps would leave out everything those commits' *history* reaches, and the receiver may hold
    nothing but their trees; so they are switched off.
    """
    revs = "\n".join([span.head, "--not", *span.prerequisites]) + "\n"
    return quarantine.start(
        "-c", "pack.useBitmaps=false", "-c", "pack.useSparse=false",
        "pack-objects", "--revs", "--thin", "--stdout", "--delta-base-offset", "-q",
        stdin=revs.encode(),
    )  # fmt: skip


MAX_HEADER: Final = 1 << 20
"""Bytes a bundle's header may have: some 24,000 commits that the local ones were merged with."""


def bundle_header(span: Range, object_format: str) -> bytes:
    """The header of a git bundle for ``span`` (gitformat-bundle): version 3 only where needed.

    Raises GhostError where it is longer than a pull would read.
    """
    lines = (
        ["# v2 git bundle"]
        if object_format == "sha1"
        else ["# v3 git bundle", f"@object-format={object_format}"]
    )
    lines += [f"-{commit}" for commit in span.prerequisites]
    lines += [f"{span.head} refs/heads/ghost", "", ""]
    header = "\n".join(lines).encode()
    if len(header) > MAX_HEADER:
        raise GhostError(
            f"the local commits were merged with {len(span.prerequisites):,} others, too many for"
            " one ghost; nothing was sent",
            "Push a part of them to the source remote.",
        )
    return header
