"""The places of repositories as git spells them: URLs, ssh's short form, paths. Pure.

What they look like is said in git-clone(1) (GIT URLS) and gitremote-helpers(7).
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from git_ghost.errors import UsageError

_SSH = ("ssh", "git+ssh", "ssh+git")
_PORTS = {"ssh": "22", "http": "80", "https": "443"}

_HELPER = re.compile(r"([A-Za-z0-9][A-Za-z0-9+.-]*)::")
_SCHEME = re.compile(r"([A-Za-z0-9][A-Za-z0-9+.-]*)://")
# A second @ is read as part of the user by some and of the host by others: then there is no host.
_AUTHORITY = re.compile(r"(?:([^/?#@]*)@)?((?:\[[^]/?#@]*\]|[^:/?#@]+)(?::[0-9]*)?)(?![^/?#])")
_SSH_AUTHORITY = re.compile(r"(?:([^/@]*)@)?((?:\[[^]/]+\]|[^/:@]+)(?::[0-9]*)?)(?![^/])")
_SHORT = re.compile(r"(?:([^/@:]+)@)?(\[[^]/]+\]|[^/:@]+):(?!//)")


class Url(NamedTuple):
    """A repository's place, taken apart; what it does not have is empty.

    ``scheme`` is in lower case: ``ssh`` for each of ssh's spellings, the name of a remote helper
    with its colons (``ext::``), empty for a path on this machine. ``user`` may hold a password.
    ``authority`` is host and port as they were written, empty where nothing certain can be said.
    """

    scheme: str
    user: str = ""
    authority: str = ""
    path: str = ""

    @property
    def host(self) -> str:
        """The host as it was written, an IPv6 address in its brackets."""
        return re.sub(r":[0-9]*\Z", "", self.authority)

    @property
    def port(self) -> str:
        """The port, if one is named."""
        return self.authority[len(self.host) + 1 :]


def parse(url: str) -> Url:
    """Take ``url`` apart as git does; nothing is refused."""
    if match := _HELPER.match(url):
        return Url(f"{match[1].lower()}::", path=url[match.end() :])
    if match := _SCHEME.match(url):
        scheme = "ssh" if match[1].lower() in _SSH else match[1].lower()
        form = _SSH_AUTHORITY if scheme == "ssh" else _AUTHORITY
        if found := form.match(url, match.end()):
            return Url(scheme, found[1] or "", found[2], url[found.end() :])
        return Url(scheme, path=url[match.end() :])
    colon, slash = url.find(":"), url.find("/")
    if "://" not in url and (colon < 0 or 0 <= slash < colon):
        return Url("", path=url)
    if found := _SHORT.match(url):
        return Url("ssh", found[1] or "", found[2], url[found.end() :])
    return Url("ssh", path=url)


def is_local(url: str) -> bool:
    """Whether git takes ``url`` as a path here."""
    return not parse(url).scheme


def is_path(url: str) -> bool:
    """Whether ``url`` is on this machine: a path, or one that begins with ``file:``."""
    return parse(url).scheme in ("", "file")


def locate(url: str, base: str) -> str:
    """``url`` as git is to be given it: a local path made absolute from folder ``base``.

    UsageError for one that starts with a dash, which git would take as an option.
    """
    if url.startswith("-"):
        raise UsageError(
            f"'{redact(url)}' begins with a dash and cannot name a repository",
            "Write a local path as ./-name.",
        )
    if not is_local(url):
        return url
    return os.path.normpath(os.path.join(base, os.path.expanduser(url)))


def folder_name(url: str) -> str:
    """The name that ``git clone`` gives the folder it makes of ``url``; empty without any."""
    name = re.sub(r"/?\.git/*$", "", url.rstrip("/"))
    name = re.split(r"[/:]", name)[-1]
    return "" if name in (".", "..") or name.startswith("-") else name


class Server(NamedTuple):
    """What a URL leads to: ``scheme`` is ssh, http or https; ``authority`` as the URL spells it."""

    scheme: str
    host: str
    port: str
    authority: str
    user: str = ""

    @property
    def address(self) -> tuple[str, str, str]:
        """What two URLs of one server have in common."""
        return self.scheme, self.host, self.port

    @property
    def base(self) -> str:
        """The beginning of its URLs, for ``credential.<url>`` and ``http.<url>`` settings."""
        return f"{self.scheme}://{self.authority}"


def server_of(url: str) -> Server | None:
    """The server of an ssh or http URL, in any of git's spellings; None for any other."""
    parts = parse(url)
    if not parts.host or parts.scheme not in _PORTS:
        return None
    host, port = parts.host.lower(), parts.port or _PORTS[parts.scheme]
    if parts.scheme == "ssh":
        return Server("ssh", host.strip("[]"), port, parts.host)
    return Server(parts.scheme, host, port, parts.authority, parts.user.partition(":")[0])


# --- without credentials -------------------------------------------------------------------------

# What stands before a host. A password may hold any character, a "/" or "@" too, though it should
# not: then what follows the first ":" is not a port. Bounded, so that no text takes long.
_USER = (
    r"([a-z][a-z0-9+.:-]{0,30})://"
    r"([^{0}/?#]{0,4096}@|[^{0}/?#@:\[]{0,99}:(?![0-9]{0,9}(?:[/?#\s'\"]|\Z))[^{0}]{0,4096}@)"
)
_URL_USER = re.compile(_USER.replace("{0}", r"\0"), re.IGNORECASE)
_URL_USER_IN_TEXT = re.compile(_USER.replace("{0}", r"\s"), re.IGNORECASE)
_HTTP = re.compile(r"(?:[a-z0-9+.-]+::)?(?:https?|ftps?)://", re.IGNORECASE)
_HTTP_QUERY = re.compile(r"((?:https?|ftps?)://[^\s?'\"]{1,4096})\?[^\s'\"]+", re.IGNORECASE)


def redact(url: str) -> str:
    """``url`` without what could be a credential.

    User names stay for ssh and go for http, with what follows a question mark.
    """
    if "@" not in url and "?" not in url:
        return url
    shown = _URL_USER.sub(_without_credentials, url)
    return shown.partition("?")[0] if _HTTP.match(shown) else shown


def redact_text(text: str, url: str = "") -> str:
    """``text`` (an error of git's, a log line) with every URL in it redacted.

    User and password of ``url`` go where they stand by themselves too.
    """
    text = _HTTP_QUERY.sub(r"\1", _URL_USER_IN_TEXT.sub(_without_credentials, text))
    match = _URL_USER.match(url)
    return text.replace(match[2], "") if match and ":" in match[2] else text


def _without_credentials(match: re.Match[str]) -> str:
    scheme, user = match[1], match[2].partition(":")[0].rstrip("@")
    ssh = scheme.lower().rpartition(":")[2] in _SSH
    keep = ssh and user and "@" not in user
    return f"{scheme}://{user}@" if keep else f"{scheme}://"
