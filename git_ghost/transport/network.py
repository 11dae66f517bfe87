"""git's network commands, and its network failures as sentences.

git itself does the talking: it alone knows the user's credential helpers, ssh, proxies and
``insteadOf`` rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from git_ghost.errors import GhostError, GitFailed, NoSuchGhost, RemoteError
from git_ghost.git import Running
from git_ghost.process import Environment, Progress
from git_ghost.transport.credentials import Credentials
from git_ghost.transport.ssh import SharedConnections
from git_ghost.urls import redact, redact_text

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

    Who hears about progress, ssh connections, mounted credentials; ``bounded``: a connection on
    which nothing moves for a minute is given up.
    """

    progress: Progress | None = None
    ssh: SharedConnections | None = None
    credentials: Credentials | None = None
    bounded: bool = False

    def ahead(self, url: str) -> None:
        """Begin to connect to ``url``, which will be needed."""
        if self.ssh is not None:
            self.ssh.ahead(url, self.ssh_command(url))

    def ssh_command(self, url: str) -> str:
        """The ssh command that has the key for ``url``; empty: the user's own."""
        return self.credentials.ssh_command(url) if self.credentials else ""

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *exc: object) -> None:
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
    if link.bounded:
        env = {**_SPEED, **env}
    if link.ssh is None:
        return env
    variables, said = link.ssh.ready(url, link.ssh_command(url))
    if said and any(re.search(cause.said, said) for cause in _CAUSES):
        raise explain(GitFailed(("ssh",), 255, said), url)
    return {**env, **variables}


_SPEED = {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "60"}
"""Nothing in a minute: a server that is still counting objects sends a sign of life every 5 s."""


def fetch(
    place: Place, url: str, refspecs: Sequence[str], *, depth: int = 0, config: Sequence[str] = ()
) -> Running:
    """Start fetching exactly ``refspecs`` from ``url``; nothing else of the repository changes.

    ``depth`` 0 fetches the history too. Hand the result to :func:`finish`.
    """
    args = [*_FETCH_CONFIG, *config, "fetch", *_FETCH]
    if depth:
        args.append(f"--depth={depth}")
    args.append("--progress" if place.link.progress else "--quiet")
    return Running(
        *args, "--", url, *refspecs,
        cwd=place.cwd, env=_env(place, url), progress=place.link.progress, keep=place.keep,
    )  # fmt: skip


def finish(running: Running, url: str) -> None:
    """Wait for a :func:`fetch`; raises RemoteError, or NoSuchGhost for a ref that is not there."""
    try:
        running.result()
    except GitFailed as e:
        raise explain(e, url) from e


def list_heads(place: Place, url: str) -> Iterator[tuple[str, str]]:
    """The branches of ``url`` as (object id, full ref name); raises RemoteError."""
    running = Running(
        "ls-remote", "--quiet", "--refs", "--heads", "--", url, cwd=place.cwd, env=_env(place, url)
    )
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
    args.append("--progress" if place.link.progress else "--no-progress")
    args += ["--dry-run"] * dry_run
    args += [f"--force-with-lease={u.ref}:{u.old}" for u in updates]
    running = Running(
        *args, "--", url, *(f"{u.new}:{u.ref}" for u in updates),
        cwd=place.cwd, env=_env(place, url), progress=place.link.progress,
    )  # fmt: skip
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
    running = Running(
        "ls-remote", "--quiet", "--refs", "--", url, *refs, cwd=place.cwd, env=_env(place, url)
    )
    out = running.result(ok=range(-128, 256)).decode("utf-8", "surrogateescape")
    return {line.partition("\t")[2] for line in out.splitlines()}.intersection(refs)


class _Cause(NamedTuple):
    """What git, ssh, curl and servers say (in the C locale), what to tell, what to do."""

    said: str
    text: str
    hint: str
    passing: bool = False
    """Whether it may pass by itself: trying again is of use."""


OTHER_FORMAT = "another object format"
"""How the message begins when a repository has objects of the other kind."""

_CAUSES = (  # the first that is found counts
    _Cause(
        r"transport '(\S+)' not allowed",
        "git does not allow the transport '{0}' of",
        "Use an https, ssh, git or file URL.",
    ),
    _Cause(
        r"strange (?:hostname|pathname|port) '.*' blocked",
        "git refuses",
        "A host, path or port that begins with a dash would be taken as an option.",
    ),
    _Cause(
        r"[Cc]ould not resolve (?:host|proxy)|unable to look up ",
        "unknown host in",
        "Check the URL, and the network of this machine.",
        passing=True,
    ),
    _Cause(
        r"No user exists for uid (\d+)",
        "ssh does not work for uid {0}, which /etc/passwd does not have; it was to talk to",
        "Run as a user the image has (in a pod: runAsUser).",
    ),
    _Cause(
        r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the ssh host key could not be verified of",
        "Add the host's key to known_hosts, which in a mounted secret is its key `known_hosts`:"
        " take it from `ssh-keyscan HOST` and compare it with what the host's owners publish."
        " Host key checks are never switched off.",
    ),
    _Cause(
        r"certificate (?:problem|verif)|certificate has expired|self.signed certificate",
        "the TLS certificate could not be verified of",
        "Give git the authority that signed it: git config http.<url>.sslCAInfo FILE; in a mounted"
        " secret, its key `ca.crt`.",
    ),
    _Cause(
        r"hook declined",
        "the server refused the push to",
        "The server's own rules say no; its message is above.",
    ),
    _Cause(
        r"Authentication failed|could not read (?:Username|Password)|HTTP Basic: Access denied"
        r"|Permission denied \(|returned error: 401|Too many authentication failures",
        "wrong or missing credentials for",
        "Check the credential helper, the ssh key or the mounted secret; try `git ls-remote` with"
        " the same URL.",
    ),
    _Cause(
        r"No space left on device|[Dd]isk quota exceeded|out of disk space",
        "the disk is full while talking to",
        "Free some space, here or on the server, and run the command again.",
    ),
    _Cause(
        r"(?:different|not support) .*(?:hash algorithm|object format)|mismatched algorithms"
        r"|expected .*object.format",
        f"{OTHER_FORMAT} (SHA-1 or SHA-256) is used by",
        "Use a ghost repository made with `git init --bare --object-format=…`"
        " as in the source repository.",
    ),
    _Cause(
        r"access denied or repository not exported",
        "there is no repository, or no permission to do this, at",
        "Check the URL, and that the server lets you push (git daemon: --enable=receive-pack).",
    ),
    _Cause(
        r"returned error: 403|insufficient permission|unable to create temporary|Permission denied"
        r"|service not enabled|[Rr]ead-only|Write access to repository not granted|not authorized"
        r"|dubious ownership",
        "no permission to do this in",
        "The repository must be readable for pull, writable for push and delete.",
    ),
    _Cause(
        r"(?:cannot run |env: [‘']?|(?:\d|\bsh): )([^\s’':]+)[’']?:"
        r" (?:No such file or directory|(?:command )?not found)",
        "there is no program '{0}', which git needs to reach",
        "Install it, or correct core.sshCommand or GIT_SSH_COMMAND.",
    ),
    _Cause(
        r"does not appear to be a git repository|[Rr]epository .*not found|not a git repository"
        r"|repository '.*' does not exist|No such file or directory|returned error: 404",
        "there is no repository at",
        "Check the URL. (A new ghost repository is made with `git init --bare`.)",
    ),
    _Cause(
        r"returned error: 429|Too Many Requests",
        "there were too many requests for",
        "Wait a while, then run the command again.",
        passing=True,
    ),
    _Cause(
        r"Connection refused|Failed to connect|Couldn't connect|No route to host|Host is down"
        r"|Network is unreachable|[Cc]onnection timed out|Operation timed out|onnection timeout"
        r"|Cannot assign requested address|Resolving timed out",
        "no connection to",
        "Check the URL, and whether the server is up.",
        passing=True,
    ),
    _Cause(
        r"hung up|early EOF|unexpected disconnect|RPC failed"
        r"|[Cc]onnection (?:to \S+ )?(?:reset|closed)"
        r"|Operation too slow|not responding|SSL_ERROR_SYSCALL|unexpected eof|not closed cleanly"
        r"|non-properly terminated|returned error: 408"
        r"|Broken pipe|returned error: 5\d\d|transfer closed|[Ee]mpty reply|unexpected end|bad band"
        r"|protocol error|bad line length|invalid index-pack|remote failed to report|remote failure"
        r"|(?:unexpected|expected) flush|banner exchange|kex_exchange|Recv failure|Send failure"
        r"|in the pu(?:ll|sh) function|HTTP2 framing layer|caused connection abort"
        r"|Failure when receiving data|Failed sending data|(?:HTTP code|failed, response) 5\d\d"
        # ssh itself said nothing: a server that refuses, or a failure on this side, does.
        r"|\A\s*fatal: Could not read from remote repository\.",
        "the connection broke off while talking to",
        "Run the command again: nothing is lost.",
        passing=True,
    ),
    _Cause(
        r"remote rejected",
        "the server refused the push to",
        "The server's own rules say no; its message is above.",
    ),
)


def explain(failure: GitFailed, url: str) -> GhostError:
    """The sentence for a failed network command: what, where, git's own words, what to do."""
    said = redact_text(failure.stderr, url)
    shown = redact(url)
    if match := re.search(r"couldn't find remote ref (\S+)", said):
        return NoSuchGhost(f"{shown} has no {match[1]}")
    for cause in _CAUSES:
        if match := re.search(cause.said, said):
            text = cause.text.format(*match.groups())
            passing = cause.passing and not _REFUSED.search(said)
            return RemoteError(f"{text} {shown}{_quoted(said)}", cause.hint, passing=passing)
    return RemoteError(
        f"git could not talk to {shown}{_quoted(said)}",
        "Try `git ls-remote` with the same URL.",
    )


_REFUSED = re.compile(r"returned error: 4(?!08|29)\d\d")
"""What an http server has against the request itself, and will have again."""


def _quoted(said: str) -> str:
    """git's and the server's own words, indented, without progress and repetition."""
    lines = (_CONTROL.sub("?", line.rstrip().rpartition("\r")[2]) for line in said.split("\n"))
    kept = [line for line in dict.fromkeys(lines) if line.strip() and not _NOISE.match(line)]
    return "".join(f"\n  {line}" for line in kept[:12])


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What could drive a terminal; the words are a stranger's."""

_NOISE = re.compile(
    r"(?:remote: )?(?:Enumerating|Counting|Compressing|Writing|Total|Delta|Receiving|Resolving"
    r"|Unpacking)\b"
    r"|and the repository exists|Please make sure|To \S+$|remote:\s*$|hint: |send-pack: "
    r"|error: failed to push some refs"
)
