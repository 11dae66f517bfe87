"""Rebuild: a ghost's tree and commits out of objects, checked before anything is used.

Everything happens in a quarantine; the working tree is not looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import IO

from git_ghost.errors import GhostError, GitFailed, NoSuchBase, RemoteError, VerificationFailed
from git_ghost.git import Running, git
from git_ghost.model import Oid
from git_ghost.quarantine import Quarantine
from git_ghost.repository import Repository
from git_ghost.transport import network
from git_ghost.transport.causes import explain
from git_ghost.transport.network import Place
from git_ghost.urls import redact
from git_ghost.worktree.base import MAX_HEADER

APPLY = (
    "-c", "apply.whitespace=nowarn", "-c", "apply.ignoreWhitespace=no",
    "apply", "--cached", "--whitespace=nowarn", "-p1", "-",
)  # fmt: skip
"""Apply a patch from stdin to the index alone, whatever the user's settings for patches."""


def missing_commits(repository: Repository, commits: Sequence[str]) -> list[str]:
    """Those of ``commits`` that are not here, or whose tree is not.

    In a partial clone the commit is enough: git fetches the rest when it is needed.
    """
    kind = "commit" if repository.config.any(_PROMISOR) else "tree"
    found = _kinds(repository, [f"{commit}^{{{kind}}}" for commit in commits])
    if len(found) < len(commits):  # git gave up at an object that was promised and is not here
        found = [(*_kinds(repository, [f"{commit}^{{{kind}}}"]), "")[0] for commit in commits]
    return [commit for commit, is_here in zip(commits, found, strict=True) if is_here != kind]


_PROMISOR = r"remote\..*\.(?:promisor|partialclonefilter)$|extensions\.partialclone$"


def _kinds(repository: Repository, names: Sequence[str]) -> list[str]:
    """What kind of object each of ``names`` is, asking nobody else; fewer when git gives up."""
    feed = "".join(f"{name}\n" for name in names).encode()
    args = ("cat-file", "--batch-check")
    out = repository.git(*args, stdin=feed, ok=(0, 128), GIT_NO_LAZY_FETCH="1")
    return [line.split(" ")[1] for line in out.decode("ascii", "replace").splitlines()]


def start_fetch_commits(place: Place, source: str, commits: Sequence[str], depth: int) -> Running:
    """Start fetching exactly ``commits`` from ``source`` into the repository of ``place``.

    ``depth`` 1 brings the trees alone, 0 the history too.
    """
    return network.fetch(place, source, commits, depth=depth)


def finish_fetch_commits(
    place: Place, running: Running, source: str, commits: Sequence[str]
) -> None:
    """Wait for :func:`start_fetch_commits`; NoSuchBase when the source does not have a commit.

    A server that hands out branch tips only (protocol version 0 and
    ``uploadpack.allowReachableSHA1InWant`` off) is asked for all its branches and tags
    instead, back to their beginnings: an older commit may be what a shallow clone lacks.
    """
    try:
        running.result()
        return
    except GitFailed as e:
        if _NO_DEPTH in e.stderr:  # with its history, then
            whole = network.fetch(place, source, commits)
            finish_fetch_commits(place, whole, source, commits)
            return
        if not _not_ours(e.stderr):
            raise explain(e, source, source=True) from e
    inside = [f"+refs/{kind}/*:refs/git-ghost/base/{kind}/*" for kind in ("heads", "tags")]
    try:
        network.finish(network.fetch(place, source, inside, depth=_WHOLE), source)
    except (RemoteError, GhostError) as e:
        if isinstance(e, RemoteError) and e.passing:
            raise
        raise no_base(commits[0], source) from e
    finally:
        _forget_base_refs(place)
    feed = "".join(f"{commit}\n" for commit in commits).encode()
    args = ("cat-file", "--batch-check")
    if b" missing" in git(*args, cwd=place.cwd, env={**place.env, **_HERE}, stdin=feed):
        raise no_base(commits[0], source)


_NO_DEPTH = "does not support shallow"
"""What git says of a server that hands out files and no more (dumb http), or an old one."""
_HERE = {"GIT_NO_LAZY_FETCH": "1"}
_WHOLE = 0x7FFFFFFF
"""The depth git takes for all of the history, in a clone that is whole already too."""


def _not_ours(said: str) -> bool:
    return any(
        text in said
        for text in (
            "not our ref",
            "unadvertised object",
            "couldn't find remote ref",
            "no such remote ref",
            "Cannot obtain needed",  # dumb http
        )
    )


def _forget_base_refs(place: Place) -> None:
    out = git(
        "for-each-ref",
        "--format=delete %(refname)",
        "refs/git-ghost/base/",
        cwd=place.cwd,
        env=place.env,
    )
    git("update-ref", "--stdin", cwd=place.cwd, env=place.env, stdin=out)


def no_base(commit: str, source: str) -> NoSuchBase:
    """The error for a base commit that is unavailable."""
    where = f" or on {redact(source)}" if source else ""
    return NoSuchBase(
        f"the base commit {commit} is not here{where}",
        "Push that commit to the source remote, or name another source with --source. Or go where"
        " the ghost was pushed, let `git fetch --prune` learn what the source has now, and"
        " `git ghost push` again: the commits that the source lacks then go along.",
    )


def unbundle(quarantine: Quarantine, bundle: IO[bytes], base: str, head: str) -> tuple[str, ...]:
    """Unpack a ``commits.bundle`` into the quarantine and check that it leads to ``head``.

    ``bundle`` must be unbuffered: its header is read here, the pack by git. Returns the
    prerequisites that are missing here (nothing is unpacked then), else an empty tuple.
    Raises VerificationFailed for a bundle that is malformed or leads elsewhere.
    """
    prerequisites = _read_header(bundle, base, head)
    if missing := missing_commits(quarantine.repository, prerequisites):
        return tuple(missing)
    try:
        quarantine.git("index-pack", "--stdin", "--fix-thin", stdin=bundle)
        revs = "\n".join([head, *(f"^{commit}" for commit in prerequisites)]).encode()
        quarantine.git("rev-list", "--objects", "--quiet", "--stdin", stdin=revs)
    except GitFailed as e:
        _refuse_full_disk(e)
        raise VerificationFailed(
            f"the stored commits do not lead from {base} to {head}: {e.said}",
            "The ghost was tampered with or is damaged. Delete it, then push again.",
        ) from e
    return ()


def _read_header(bundle: IO[bytes], base: str, head: str) -> list[str]:
    broken = VerificationFailed(
        f"the stored commits of {base}-{head} are not a bundle that leads to {head}",
        "The ghost repository was tampered with or is damaged. Delete this ghost, then push again.",
    )
    if bundle.readline(MAX_HEADER) not in (b"# v2 git bundle\n", b"# v3 git bundle\n"):
        raise broken
    prerequisites: dict[str, None] = {}
    heads: list[str] = []
    left = MAX_HEADER
    while (line := _header_line(bundle, len(head), left)) not in (b"\n", b""):
        left -= len(line)
        if left <= 0:
            raise broken
        text = line.decode("ascii", "replace").strip()
        if text.startswith("@"):
            continue
        value = text.removeprefix("-").split(" ")[0]
        if len(value) != len(head) or not set(value) <= set("0123456789abcdef"):
            raise broken
        if text.startswith("-"):
            prerequisites[value] = None
        else:
            heads.append(value)
    if heads != [head] or base not in prerequisites:
        raise broken
    return list(prerequisites)


def _header_line(bundle: IO[bytes], width: int, most: int) -> bytes:
    """The next line of an unbuffered bundle's header, of ``most`` bytes at the most.

    Not a byte of what follows may be read. But a line that begins with a dash or a digit has an id
    of ``width`` digits, so that much is read at once: byte by byte, a long header takes minutes.
    """
    line = bundle.read(1)
    if line in b"\n@":
        return line if line in b"\n" else line + bundle.readline(most)
    while len(line) < width and (more := bundle.read(width - len(line))):
        line += more
    return line + bundle.readline(most)


def rebuild_tree(
    quarantine: Quarantine, base: str, start_patch: Callable[[], Running | None]
) -> Oid:
    """The tree that results from applying a patch to commit ``base``.

    ``start_patch`` is called while git is at work; it gives None where there is nothing to apply.
    The tree is put together in the private index ``rebuilt`` and left there. Raises
    VerificationFailed when the patch does not apply.
    """
    quarantine.activity.now("Applying changes")
    with quarantine.start("read-tree", f"{base}^{{tree}}", index="rebuilt") as reading:
        patch = start_patch()
        try:
            reading.result()
        except GitFailed as e:
            _refuse_full_disk(e)
            if "invalid path" not in e.stderr:
                raise
            raise VerificationFailed(
                f"git does not check out the tree of {base}: {e.said}",
                "It would write where no file may be, or where one is unsafe on some systems"
                " (see core.protectNTFS in git help config). Rename it, and push again.",
            ) from e
    if patch is not None:
        try:
            quarantine.pipe(patch, *APPLY, index="rebuilt")
        except GitFailed as e:
            _refuse_full_disk(e)
            raise VerificationFailed(
                f"the stored patch does not apply to {base}: {e.said}",
                "The ghost was tampered with, or v0.1 made it under a configuration that breaks"
                " patches. Delete it, then push again.",
            ) from e
    return quarantine.write_tree("rebuilt")


def _refuse_full_disk(failed: GitFailed) -> None:
    """Raise GhostError where the ghost is not to blame."""
    if "No space left on device" in failed.stderr or "quota exceeded" in failed.stderr.lower():
        raise GhostError(
            f"the disk is full: {failed.said}", "Free some space and run it again."
        ) from failed


def sha1_of(stream: IO[bytes]) -> tuple[str, int]:
    """SHA-1 (v0.1's name for a patch) and size in bytes of what ``stream`` holds."""
    digest, size = hashlib.sha1(usedforsecurity=False), 0
    while chunk := stream.read(1 << 20):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size
