"""git's network commands.

git itself does the talking: it alone knows the user's credential helpers, ssh, proxies and
``insteadOf`` rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from git_ghost.activity import Activity
from git_ghost.errors import GitFailed
from git_ghost.git import Running
from git_ghost.process import Environment
from git_ghost.transport.causes import explain, is_known
from git_ghost.transport.credentials import Credentials
from git_ghost.transport.patience import Patience
from git_ghost.transport.ssh import SharedConnections

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


class Link(NamedTuple):
    """What the network commands of one call share.

    What is told of what is done, ssh connections, mounted credentials, how long a server may be
    silent.
    """

    activity: Activity = Activity()
    ssh: SharedConnections | None = None
    credentials: Credentials | None = None
    patience: Patience = Patience()

    def ahead(self, url: str) -> None:
        """Begin to connect to ``url``, which will be needed."""
        if self.ssh is not None:
            self.ssh.ahead(url, self.ssh_command(url))

    def ssh_command(self, url: str) -> str:
        """The ssh command that has the key for ``url``; empty: the user's own."""
        return self.credentials.ssh_command(url) if self.credentials else ""

    def __enter__(self) -> Link:
        self.activity.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.activity.__exit__(*exc)
        if self.ssh is not None:
            self.ssh.close()


class Place(NamedTuple):
    """Where a network command runs: a folder, its environment, and the call it belongs to."""

    cwd: str | None
    env: Environment
    link: Link = Link()
    keep: tuple[int, ...] = ()
    """Descriptors a fetch inherits: locks to be held until it has ended, even if we are killed."""


def _env(place: Place, url: str) -> Environment:
    """The environment for git to talk to ``url``: its credentials, the connection opened ahead.

    What ssh has said already, git need not be told again: raises RemoteError.
    """
    env, link = place.env, place.link
    if link.credentials is not None:
        env = link.credentials.applied(env, url)
    env = {**link.patience.variables, **env}
    if link.ssh is None:
        return env
    variables, said = link.ssh.ready(url, link.ssh_command(url))
    if said and is_known(said):
        raise explain(GitFailed(("ssh",), 255, said), url)
    return {**env, **variables}


def _start(
    place: Place, url: str, *args: str, tells: bool = False, keep: Sequence[int] = ()
) -> Running:
    """Start a git command that talks to ``url``, in :func:`_env`; ``tells``: it has progress."""
    env = _env(place, url)
    activity = place.link.activity
    progress = activity.progress if tells else None
    watch = place.link.patience.watch(url, env)
    running = Running(*args, cwd=place.cwd, env=env, watch=watch, progress=progress, keep=keep)
    activity.wait_for(running, instead=tells)
    return running


def _progress(place: Place, url: str) -> bool:
    """Whether git is to tell how it gets on: somebody listens, or watches that it does."""
    link = place.link
    return link.activity.progress is not None or link.patience.watch(url, place.env) is not None


def fetch(
    place: Place,
    url: str,
    refspecs: Sequence[str],
    *,
    depth: int = 0,
    config: Sequence[str] = (),
    objects: str = "",
) -> Running:
    """Start fetching exactly ``refspecs`` from ``url``; nothing else of the repository changes.

    ``depth`` 0 fetches the history too; ``objects`` is a filter (git-rev-list(1)) that leaves some
    out, where the server can do that. Hand the result to :func:`finish`.
    """
    args = [*_FETCH_CONFIG, *config, "fetch", *_FETCH]
    if depth:
        args.append(f"--depth={depth}")
    if objects:
        args.append(f"--filter={objects}")
    args.append("--progress" if _progress(place, url) else "--quiet")
    return _start(place, url, *args, "--", url, *refspecs, tells=True, keep=place.keep)


def finish(running: Running, url: str) -> None:
    """Wait for a :func:`fetch`; raises RemoteError, or NoSuchGhost for a ref that is not there."""
    try:
        running.result()
    except GitFailed as e:
        raise explain(e, url) from e


def list_heads(place: Place, url: str) -> Iterator[tuple[str, str]]:
    """The branches of ``url`` as (object id, full ref name); raises RemoteError."""
    return _list(place, url, "--refs", "--heads")


def list_refs(place: Place, url: str) -> Iterator[tuple[str, str]]:
    """All refs of ``url``, and what its tags stand for (``refs/tags/x^{}``); as list_heads."""
    return _list(place, url)


def _list(place: Place, url: str, *which: str) -> Iterator[tuple[str, str]]:
    running = _start(place, url, "ls-remote", "--quiet", *which, "--", url)
    try:
        out = running.result()
    except GitFailed as e:
        raise explain(e, url) from e
    for line in out.decode("utf-8", "surrogateescape").splitlines():
        value, _, ref = line.partition("\t")
        yield value, ref


class Update(NamedTuple):
    """One ref to change elsewhere: from ``old`` (empty: it must be absent) to ``new``."""

    ref: str
    new: str
    old: str = ""


def push(
    place: Place, url: str, updates: Sequence[Update], *, dry_run: bool = False
) -> dict[str, str]:
    """Send all ``updates`` in one session, each only if its ref still has its old value.

    Returns what became of each ref: ``new``, ``deleted``, ``same`` or ``stale`` (it had another
    value, or has one now). ``dry_run`` goes as far as the server's list of refs. Raises RemoteError
    when the session failed or the server refused a ref.
    """
    args = ["-c", "push.pushOption=", "-c", "push.negotiate=false", "push", *_PUSH]
    args.append("--progress" if _progress(place, url) else "--no-progress")
    args += ["--dry-run"] * dry_run
    args += [f"--force-with-lease={u.ref}:{u.old}" for u in updates]
    refspecs = [f"{u.new}:{u.ref}" for u in updates]
    running = _start(place, url, *args, "--", url, *refspecs, tells=True)
    out = running.result(ok=range(-128, 256))
    status, said = running.wait()
    fates = dict(_fates(out.decode("utf-8", "surrogateescape")))
    refused = {u.ref: fate for u in updates if (fate := fates.get(u.ref, "!")).startswith("!")}
    if not refused:
        return fates
    if not dry_run and _may_be_there(updates, refused):
        there = _existing(place, url, list(refused))
        fates.update(dict.fromkeys(there, "stale"))
        refused = {ref: fate for ref, fate in refused.items() if ref not in there}
    if refused:
        reason = "\n".join(f"{ref}: {fate[1:]}" for ref, fate in refused.items() if fate[1:])
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
            yield ref, "stale" if summary.startswith("[rejected]") else f"!{summary}"
        else:
            yield ref, {"*": "new", "-": "deleted", "=": "same"}.get(flag, "new")


def _may_be_there(updates: Sequence[Update], refused: Mapping[str, str]) -> bool:
    """Whether refs that could not be made may exist now: somebody else was faster, or the server's
    answer got lost on its way. Every kind of server has its own words for the former."""
    creations = {u.ref for u in updates if not u.old}
    return all(
        ref in creations and fate != "!" and "hook" not in fate for ref, fate in refused.items()
    )


def _existing(place: Place, url: str, refs: Sequence[str]) -> set[str]:
    """Which of ``refs`` are in ``url`` now; none when that cannot be told."""
    running = _start(place, url, "ls-remote", "--quiet", "--refs", "--", url, *refs)
    out = running.result(ok=range(-128, 256)).decode("utf-8", "surrogateescape")
    return {line.partition("\t")[2] for line in out.splitlines()}.intersection(refs)
