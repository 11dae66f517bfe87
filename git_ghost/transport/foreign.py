"""Talk to a server that only a ghost names: nothing of the user's goes there unasked.

Whoever can write to a ghost repository says in ``Ghost-Source`` where the base is. What git sends
to any host (a credential helper without a URL, a header, a cookie) must not go to one that a
stranger chose; what the user configured for exactly that host may.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from git_ghost.errors import RemoteError
from git_ghost.git import git
from git_ghost.gitconfig import GitConfig
from git_ghost.process import Environment
from git_ghost.transport.network import Place
from git_ghost.urls import Server, Url, is_local, parse, redact, server_of

_TRANSPORTS = ("https", "ssh", "git")
"""What may be spoken with a host nobody agreed to: git:// knows no credentials."""

_PORTS = {"https": "443", "http": "80", "ssh": "22", "git": "9418"}


def is_agreed(url: str, ghosts: str, patterns: Sequence[str]) -> bool:
    """Whether the user agreed to the host of ``url``.

    It is that of the ghost repository ``ghosts`` (by the same scheme and port, or by ssh beside
    https), or one of ``patterns`` names it: a host, ``*`` standing for anything in it, after a
    scheme and before the beginning of a path if these are to count.
    """
    there, known = parse(url), parse(ghosts)
    same = there.host and there.host.lower() == known.host.lower()
    if same and _address(there) == _address(known):
        return True
    if same and {there.scheme, known.scheme} == {"ssh", "https"}:
        return True
    return any(_matches(there, url, pattern) for pattern in patterns)


def _address(parts: Url) -> tuple[str, str]:
    return parts.scheme, parts.port or _PORTS.get(parts.scheme, "")


def _matches(there: Url, url: str, pattern: str) -> bool:
    wanted = parse(pattern)
    if not wanted.host:
        if wanted.scheme or "/" in pattern:  # a path, or what a helper understands
            return bool(pattern) and url == pattern
        return bool(there.host) and fnmatchcase(there.host.lower(), pattern.lower())
    begin, path = (_segments(parts.path) for parts in (wanted, there))
    return (
        _address(wanted) == _address(there)
        and fnmatchcase(there.host.lower(), wanted.host.lower())
        and path[: len(begin)] == begin
    )


def _segments(path: str) -> list[str]:
    found = [part for part in path.split("/") if part]
    return ["<up>"] if ".." in found else found


def guarded(
    place: Place, url: str, ghosts: str, patterns: Sequence[str], config: GitConfig
) -> Place:
    """``place`` for a git that talks to ``url``, which only a ghost of ``ghosts`` names.

    Raises RemoteError, before anybody is contacted, for what needs the user's word.
    """
    real = _rewritten(place, url, config)
    if is_agreed(real, ghosts, patterns):
        return place
    scheme, allowed = parse(real).scheme or "file", _allowed(ghosts, place.env, config)
    if scheme not in allowed:
        raise _refused(url, f"over '{scheme.removesuffix('::')}'")
    env = {**place.env, "GIT_PROTOCOL_FROM_USER": "0", "GIT_ALLOW_PROTOCOL": ":".join(allowed)}
    if scheme == "ssh":
        command = place.link.ssh.strict_command() if place.link.ssh else ""
        if not command:
            raise _refused(url, "with an ssh that is not OpenSSH's")
        env["GIT_SSH_COMMAND"] = command
    elif scheme == "https":
        env = _without_secrets(env, real, config, url)
    return place._replace(env=env, link=place.link._replace(ssh=None, credentials=None))


def _allowed(ghosts: str, env: Environment, config: GitConfig) -> list[str]:
    """The transports that may be used, without those that the user rules out."""
    local = is_local(ghosts) or parse(ghosts).scheme == "file"
    known = [*_TRANSPORTS, *(["file"] if local else [])]
    if env.get("GIT_ALLOW_PROTOCOL") is not None:
        return [name for name in known if name in env["GIT_ALLOW_PROTOCOL"].split(":")]
    default = config.get("protocol.allow", "always")
    return [n for n in known if config.get(f"protocol.{n}.allow", default).lower() != "never"]


def _rewritten(place: Place, url: str, config: GitConfig) -> str:
    """``url`` as the user's ``insteadOf`` rules make it."""
    if not config.any(r"url\..*\.insteadof$"):
        return url
    args = ("ls-remote", "--get-url", "--", url)
    return os.fsdecode(git(*args, cwd=place.cwd, env=place.env)).removesuffix("\n")


@contextlib.contextmanager
def explained(url: str) -> Iterator[None]:
    """Say, with a failure to talk to ``url``, that nothing of the user's went there."""
    try:
        yield
    except RemoteError as e:
        if e.passing:
            raise
        text = (
            f"\nOnly the ghost names {_host(url)}: nothing of yours went there but what is"
            f" configured for exactly that host. {_how_to_agree(url)}"
        )
        raise RemoteError(e.message, f"{e.hint}{text}".lstrip()) from e


def _refused(url: str, how: str) -> RemoteError:
    return RemoteError(
        f"only the ghost names the source {redact(url)};"
        f" unless you agree, it is not contacted {how}",
        _how_to_agree(url),
    )


def _host(url: str) -> str:
    return parse(url).host or redact(url)


def _how_to_agree(url: str) -> str:
    return (
        f"If you trust it: --source {redact(url)}, or for good:"
        f" git config --global --add ghost.trustedSource {_host(url)}"
    )


# --- http ----------------------------------------------------------------------------------------


class _Scoped(NamedTuple):
    """Settings of the user's for exactly one server and a beginning of its paths."""

    server: Server
    config: GitConfig

    def keys(self, section: str, name: str) -> Iterator[tuple[str, str, str]]:
        """Key, path and value of ``section.<url>.name`` for this server, in git's order."""
        for key, value in self.config.entries:
            if key.startswith(f"{section}.") and key.endswith(f".{name}"):
                url = key[len(section) + 1 : -len(name) - 1]
                found = server_of(url)
                if found is not None and found.address == self.server.address:
                    yield key, parse(url).path, value

    def values(self, name: str, path: str) -> list[str]:
        """The values of ``http.<url>.name`` that git would use for ``path``."""
        there = _segments(path)
        found = [(_segments(begin), value) for _, begin, value in self.keys("http", name)]
        return [value for begin, value in found if there[: len(begin)] == begin]


def _without_secrets(env: Environment, real: str, config: GitConfig, url: str) -> dict[str, str]:
    """``env`` in which git has, for ``real``, only what is configured for exactly its server."""
    server, path = server_of(real), parse(real).path.partition("?")[0]
    if server is None:
        raise _refused(url, "by a URL whose host is not certain")
    if re.search(r"[?#]", real):  # git would not find the settings below for such a URL
        raise _refused(url, "by a URL with a query or a fragment")
    scoped = _Scoped(server, config)
    certificate = env.get("GIT_SSL_CERT") or config.get("http.sslcert")
    if certificate and not scoped.values("sslcert", path):
        raise _refused(url, f"with the client certificate {certificate}")
    if _has_default_login(env):
        raise _refused(url, "while ~/.netrc has a login for any host")
    settings = [("credential.helper", "")]  # an empty one makes the others be forgotten
    settings += [(key, value) for key, _, value in scoped.keys("credential", "helper")]
    here = f"http.{server.base}{path}"
    settings += [(f"{here}.extraHeader", "")]
    settings += [(f"{here}.extraHeader", value) for value in scoped.values("extraheader", path)]
    if not scoped.values("cookiefile", path):
        settings += [(f"{here}.cookieFile", ""), (f"{here}.saveCookies", "false")]
    settings += [(f"{here}.delegation", "none"), (f"{here}.emptyAuth", "false")]
    nobody = {"GIT_ASKPASS": "", "GIT_TERMINAL_PROMPT": "0"}
    return {**env, **nobody, "GIT_CONFIG_PARAMETERS": _parameters(env, settings)}


def _parameters(env: Environment, settings: Sequence[tuple[str, str]]) -> str:
    """``GIT_CONFIG_PARAMETERS`` with ``settings`` after all others: no argument shows them.

    git before 2.31 knows only one quotation for both, in which a key has no ``=``.
    """
    written = [
        _quoted(key) + "=" + _quoted(value) if "=" in key else _quoted(f"{key}={value}")
        for key, value in settings
    ]
    return " ".join([*filter(None, [env.get("GIT_CONFIG_PARAMETERS", "")]), *written])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''").replace("!", "'\\!'") + "'"


def _has_default_login(env: Environment) -> bool:
    """Whether curl's ``.netrc`` has a ``default`` entry (its ``machine`` entries name a host)."""
    home = env.get("HOME", "")
    try:
        with open(os.path.join(home, ".netrc"), "rb") as file:
            return re.search(rb"(?:\A|\s)default(?:\s|\Z)", file.read(1 << 20)) is not None
    except OSError:
        return False
