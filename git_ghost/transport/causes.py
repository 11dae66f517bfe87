"""Network failures as sentences: what git, ssh, curl and servers say, and what it means."""

from __future__ import annotations

import re
from typing import NamedTuple

from git_ghost.errors import GhostError, GitFailed, NoSuchGhost, RemoteError
from git_ghost.process import SILENT
from git_ghost.urls import redact, redact_text


class _Cause(NamedTuple):
    """What git, ssh, curl and servers say (in the C locale), what to tell, what to do."""

    said: str
    text: str
    hint: str
    passing: bool = False
    """Whether it may pass by itself: trying again is of use."""


OTHER_FORMAT = "another object format"
"""How the message begins when a repository has objects of the other kind."""

LOST = "objects got lost"
"""How the message begins when the server lost what it was sent before it could keep it."""

BROKEN = "some of the objects are gone or damaged"
"""How the message begins when the server cannot give what it has a ref for."""

_REJECTED = (
    "the server refused the push to",
    "The server's own rules say no; its message is above.",
)

_CHECK = "Check the URL."
_MAKE = " (A new ghost repository is made with `git init --bare`.)"

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
        "the ssh host key could not be verified for",
        "Add the host's key to ~/.ssh/known_hosts, or to `known_hosts` in a mounted secret:"
        " take it from `ssh-keyscan HOST` and compare it with what the host's owners publish."
        " Host key checks are never switched off.",
    ),
    _Cause(
        r"certificate (?:problem|verif)|certificate has expired|self.signed certificate",
        "the TLS certificate could not be verified for",
        "Give git the authority that signed it: git config http.<url>.sslCAInfo FILE; in a mounted"
        " secret, its key `ca.crt`.",
    ),
    _Cause(r"hook declined|aborted by hook", *_REJECTED),
    _Cause(
        r"'refs/heads/([^']+)' exists; cannot create",
        "a branch called '{0}' is in the way of ghosts' branches in",
        "Let ghosts begin with another word (--ghost-prefix PREFIX, GIT_GHOST_PREFIX or git config"
        " ghost.prefix), or rename that branch.",
    ),
    _Cause(
        r"dubious ownership in repository at '([^']+)'",
        "git does not trust {0}, since it belongs to another user; it was to serve",
        "If you trust its owner: git config --global --add safe.directory {0}",
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
        r"bad object (refs/\S+)",
        "the objects of {0} are gone, and git takes nothing more until that ref is, in",
        "Delete it there (git ghost delete HASH, or git push URL --delete REF), and push that ghost"
        " again from where it was made.",
    ),
    _Cause(
        r"upload-pack: not our ref|possible repository corruption",
        f"{BROKEN} in",
        "Push the ghost again from where it was made: what is broken is replaced then.",
    ),
    _Cause(
        r"missing necessary objects|unpack should have generated|bad (?:\w+ )?object [0-9a-f']"
        r"|missing \w+ object '|unable to (?:create temporary|write) file.*: No such file"
        r"|unable to migrate objects|not a git repository: '\.'",
        f"{LOST} while they were sent to",
        "Something removes objects there at the same time (git gc --prune=now?): let it keep those"
        " of the last hours, and run the command again.",
        passing=True,
    ),
    _Cause(
        r"access denied or repository not exported",
        "there is no repository, or no permission to do this, at",
        "Check the URL, and that the server lets you push (git daemon: --enable=receive-pack).",
    ),
    _Cause(
        r"returned error: 403|insufficient permission|unable to create temporary|Permission denied"
        r"|service not enabled|[Rr]ead-only|Write access to repository not granted|not authorized",
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
        _CHECK + _MAKE,
    ),
    _Cause(
        r"returned error: 429|Too Many Requests",
        "there were too many requests for",
        "Wait a while, then run the command again.",
        passing=True,
    ),
    _Cause(
        rf"(?m)^{SILENT} (\S+ s)$",
        "not a word in {0} from",
        "Check whether the server is up. How long it may be silent says ghost.timeout.",
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
    _Cause(r"remote rejected", *_REJECTED),  # the session came to its end: nothing broke off
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
)


def is_known(said: str) -> bool:
    """Whether ``said``, by ssh or git, names a cause that is known here."""
    return any(re.search(cause.said, said) for cause in _CAUSES)


def explain(failure: GitFailed, url: str, *, source: bool = False) -> GhostError:
    """The sentence for a failed network command: what, where, git's own words, what to do.

    ``source``: ``url`` is that of the source, not of the ghost repository.
    """
    said = redact_text(failure.stderr, url)
    shown = redact(url)
    if match := re.search(r"couldn't find remote ref (\S+)", said):
        return NoSuchGhost(f"{shown} has no {match[1]}")
    for cause in _CAUSES:
        if match := re.search(cause.said, said):
            text = cause.text.format(*match.groups())
            passing = cause.passing and not _REFUSED.search(said)
            hint = cause.hint.removesuffix(_MAKE if source else "").format(*match.groups())
            return RemoteError(f"{text} {shown}{_quoted(said)}", hint, passing=passing)
    return RemoteError(
        f"git could not talk to {shown}{_quoted(said)}",
        "Try `git ls-remote` with the same URL.",
    )


_REFUSED = re.compile(r"returned error: 4(?!08|29)\d\d")
"""What an http server has against the request itself, and will have again."""


def _quoted(said: str) -> str:
    """git's and the server's own words, indented, without progress and repetition."""
    lines = (line.rstrip().rpartition("\r")[2] for line in said.split("\n"))
    kept = [line for line in dict.fromkeys(lines) if line.strip() and not _NOISE.match(line)]
    return "".join(f"\n  {line}" for line in kept[:12])


_NOISE = re.compile(
    r"(?:remote: )?(?:Enumerating|Counting|Compressing|Writing|Total|Delta|Receiving|Resolving"
    r"|Unpacking)\b"
    r"|and the repository exists|Please make sure|To \S+$|remote:\s*$|hint: |send-pack: "
    rf"|error: failed to push some refs|{SILENT}"
)
