"""git's network commands, and its network failures as sentences.

git itself does the talking: it alone knows the user's credential helpers, ssh, proxies and
``insteadOf`` rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from git_ghost.errors import GhostError, GitFailed, NoSuchGhost, RemoteError
from git_ghost.git import Environment, Progress, Running
from git_ghost.model import redact

_FETCH = (
    "--no-tags",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--no-recurse-submodules",
    "--no-prune",
    "--no-show-forced-updates",
    "--refmap=",
    "--force",
)

_FETCH_CONFIG = (
    "-c", "fetch.prune=false",
    "-c", "fetch.pruneTags=false",
    "-c", "fetch.writeCommitGraph=false",
    "-c", "fetch.parallel=1",
)  # fmt: skip

_PUSH = (
    "--porcelain",
    "--no-verify",
    "--no-follow-tags",
    "--no-signed",
    "--recurse-submodules=no",
    "--no-force-if-includes",
    "--no-atomic",
)


@dataclass(frozen=True)
class Place:
    """Where a network command runs: a folder, its environment, who hears about progress."""

    cwd: str | None
    env: Environment
    progress: Progress | None = None


def fetch(
    place: Place, url: str, refspecs: Sequence[str], *, depth: int = 0, config: Sequence[str] = ()
) -> Running:
    """Start fetching exactly ``refspecs`` from ``url``; nothing else of the repository changes.

    ``depth`` 0 fetches the history too. Hand the result to :func:`finish`.
    """
    args = [*_FETCH_CONFIG, *config, "fetch", *_FETCH]
    if depth:
        args.append(f"--depth={depth}")
    args.append("--progress" if place.progress else "--quiet")
    return Running(
        *args, "--", url, *refspecs, cwd=place.cwd, env=place.env, progress=place.progress
    )


def finish(running: Running, url: str) -> None:
    """Wait for a :func:`fetch`; raises RemoteError, or NoSuchGhost for a ref that is not there."""
    try:
        running.result()
    except GitFailed as e:
        raise explain(e, url) from e


def list_heads(place: Place, url: str) -> Iterator[tuple[str, str]]:
    """The branches of ``url`` as (object id, full ref name); raises RemoteError."""
    running = Running(
        "ls-remote", "--quiet", "--refs", "--heads", "--", url, cwd=place.cwd, env=place.env
    )
    try:
        out = running.result()
    except GitFailed as e:
        raise explain(e, url) from e
    for line in out.decode("utf-8", "surrogateescape").splitlines():
        value, _, ref = line.partition("\t")
        yield value, ref


@dataclass(frozen=True)
class Update:
    """One ref to change in another repository: from ``old`` (empty: it must be absent) to ``new``."""

    ref: str
    new: str
    old: str = ""


def push(
    place: Place, url: str, updates: Sequence[Update], *, dry_run: bool = False
) -> dict[str, str]:
    """Send all ``updates`` in one session, each only if its ref still has its old value.

    Returns what became of each ref: ``new``, ``deleted``, ``same`` or ``stale`` (its value was
    another). ``dry_run`` goes as far as the server's list of refs. Raises RemoteError when the session failed or the server refused a ref.
    """
    args = ["-c", "push.pushOption=", "-c", "push.negotiate=false", "push", *_PUSH]
    args.append("--progress" if place.progress else "--no-progress")
    args += ["--dry-run"] * dry_run
    args += [f"--force-with-lease={u.ref}:{u.old}" for u in updates]
    running = Running(
        *args, "--", url, *(f"{u.new}:{u.ref}" for u in updates),
        cwd=place.cwd, env=place.env, progress=place.progress,
    )  # fmt: skip
    out = running.result(ok=range(256))
    status, said = running.wait()
    fates = dict(_fates(out.decode("utf-8", "surrogateescape")))
    refused = {ref: fate for ref, fate in fates.items() if fate.startswith("!")}
    if refused or any(u.ref not in fates for u in updates):
        reason = "\n".join(f"{ref}: {fate[1:]}" for ref, fate in refused.items())
        raise explain(GitFailed(running.argv, status, f"{said}\n{reason}".strip()), url)
    return fates


def _fates(porcelain: str) -> Iterator[tuple[str, str]]:
    """Read ``git push --porcelain``: flag TAB from:to TAB summary (reason)."""
    for line in porcelain.splitlines():
        flag, tab, rest = line.partition("\t")
        if not tab or len(flag) != 1:
            continue
        names, _, summary = rest.partition("\t")
        ref = names.rpartition(":")[2]
        if flag == "!":
            stale = "stale info" in summary or "already exists" in summary
            yield ref, "stale" if stale else f"!{summary}"
        else:
            yield ref, {"*": "new", "-": "deleted", "=": "same"}.get(flag, "new")


_CAUSES = (  # what git, ssh, curl and servers say (in the C locale) → what to tell, what to do
    (
        r"transport '(\S+)' not allowed",
        "git does not allow the transport '{0}' of",
        "Use an https, ssh, git or file URL.",
    ),
    (
        r"Could not resolve host(?:name)?:? ?(\S*?):?(?:\s|$)|unable to look up ([^ \n]+)",
        "unknown host in",
        "Check the URL, and the network of this machine.",
    ),
    (
        r"Host key verification failed",
        "the ssh host key could not be verified of",
        "Add the host's key to known_hosts (compare it first); host key checks are never switched off.",
    ),
    (
        r"hook declined|remote rejected|pre-receive|\(hook\b",
        "the server refused the push to",
        "The server's own rules say no; its message is above.",
    ),
    (
        r"Authentication failed|could not read (?:Username|Password)|HTTP Basic: Access denied"
        r"|Permission denied \(|returned error: 401|Too many authentication failures",
        "wrong or missing credentials for",
        "Check the credential helper or the ssh key; try `git ls-remote` with the same URL.",
    ),
    (
        r"No space left on device|[Dd]isk quota exceeded|out of disk space|file write error",
        "the disk is full while talking to",
        "Free some space, here or on the server, and run the command again.",
    ),
    (
        r"returned error: 403|insufficient permission|unable to create temporary|Permission denied"
        r"|service not enabled|read-only|Write access to repository not granted|not authorized",
        "no permission to do this in",
        "The repository must be readable for pull, writable for push, delete and gc.",
    ),
    (
        r"does not appear to be a git repository|[Rr]epository .*not found|not a git repository"
        r"|repository '.*' does not exist|No such file or directory|access denied or repository not exported"
        r"|returned error: 404",
        "there is no repository at",
        "Check the URL; a ghost repository is made with `git init --bare`.",
    ),
    (
        r"(?:different|not support) .*(?:hash algorithm|object format)|mismatched algorithms"
        r"|expected .*object.format",
        "another object format (SHA-1 or SHA-256) is used by",
        "Use a ghost repository made with `git init --bare --object-format=…` as in the source repository.",
    ),
    (
        r"Connection refused|Failed to connect|Couldn't connect|No route to host|Network is unreachable"
        r"|[Cc]onnection timed out|Operation timed out",
        "no connection to",
        "Check the URL, and whether the server is up.",
    ),
    (
        r"hung up|early EOF|unexpected disconnect|RPC failed|[Cc]onnection (?:reset|closed)|Broken pipe"
        r"|returned error: 5\d\d|transfer closed|unexpected end|bad band|protocol error|invalid index-pack",
        "the connection broke off while talking to",
        "Run the command again: it starts where nothing is lost.",
    ),
)  # fmt: skip

PASSING = ("no connection to", "the connection broke off")
"""How the messages begin of failures that may pass by themselves."""


def explain(failure: GitFailed, url: str) -> GhostError:
    """The sentence for a failed network command: what, which repository, what git said, what to do."""
    said = failure.stderr
    shown = redact(url)
    if match := re.search(r"couldn't find remote ref (\S+)", said):
        return NoSuchGhost(f"{shown} has no {match[1]}")
    for pattern, text, hint in _CAUSES:
        if match := re.search(pattern, said):
            groups = [group or "" for group in match.groups()] or [""]
            return RemoteError(f"{text.format(*groups)} {shown}{_quoted(said)}", hint)
    return RemoteError(f"git could not talk to {shown}{_quoted(said)}")


def _quoted(said: str) -> str:
    """git's and the server's own words, indented, without progress and repetition."""
    lines = (line.rpartition("\r")[2].rstrip() for line in said.splitlines())
    kept = [line for line in dict.fromkeys(lines) if line.strip() and not _NOISE.match(line)]
    return "".join(f"\n  {line}" for line in kept[:12])


_NOISE = re.compile(
    r"(?:remote: )?(?:Enumerating|Counting|Compressing|Writing|Total|Delta|Receiving|Resolving|Unpacking)\b"
    r"|and the repository exists|Please make sure|To \S+$|remote:\s*$"
)
