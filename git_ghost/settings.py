"""Settings: flag, then environment, then git config, then default. Pure, but for the folders."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from git_ghost.errors import UsageError
from git_ghost.model import check_prefix
from git_ghost.urls import locate

MAX_FILE_SIZE = 25 << 20
"""Bytes a single file may have: 25 MiB."""
MAX_SIZE = 200 << 20
"""Bytes all changed files together may have: 200 MiB."""

_UNITS = {"": 0, "k": 10, "m": 20, "g": 30}
_TRUE = ("true", "yes", "on")
_FALSE = ("false", "no", "off", "")


def parse_size(text: str, name: str) -> int:
    """A size with git's suffixes (k, m, g: powers of 1024) in bytes; UsageError names ``name``."""
    match = re.fullmatch(r"\s*([0-9]+)([kmg]?)(?:i?b)?\s*", text, re.IGNORECASE)
    if match is None:
        raise UsageError(
            f"{name} is '{text}', which is no size", "Use a number of bytes, or 10k, 25m, 1g."
        )
    return int(match[1]) << _UNITS[match[2].lower()]


def parse_bool(text: str, name: str) -> bool:
    """A boolean as git config spells it (a number too); UsageError names ``name``."""
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    if re.fullmatch(r"[+-]?[0-9]+", text):
        return int(text) != 0
    raise UsageError(f"{name} is '{text}', which is neither true nor false")


class GitConfig(NamedTuple):
    """A repository's git configuration as read by ``git config --list -z``."""

    values: Mapping[str, tuple[str, ...]] = {}
    entries: tuple[tuple[str, str], ...] = ()
    """The same, in git's own order."""

    @classmethod
    def parse(cls, listing: bytes) -> GitConfig:
        """Read the output of ``git config --list -z``: ``key LF value NUL``, or the key alone.

        A key alone (``[ghost] untracked``, without ``=``) is how git writes true.
        """
        values: dict[str, tuple[str, ...]] = {}
        entries = []
        for entry in listing.split(b"\0"):
            if entry:
                key, line_end, value = entry.partition(b"\n")
                value = value if line_end else b"true"
                name = os.fsdecode(key)
                values[name] = (*values.get(name, ()), os.fsdecode(value))
                entries.append((name, os.fsdecode(value)))
        return cls(values, tuple(entries))

    def get(self, key: str, default: str = "") -> str:
        """The last value of ``key`` (section and name in lower case), as git reads it."""
        return self.values.get(key, (default,))[-1]

    def remotes(self) -> tuple[str, ...]:
        """The names of the remotes that have a URL, in the order of the configuration."""
        found = (
            key[7:-4] for key in self.values if key.startswith("remote.") and key.endswith(".url")
        )
        return tuple(name for name in found if name)

    def any(self, pattern: str) -> bool:
        """Whether a key matches the regular expression ``pattern``."""
        return any(re.match(pattern, key) for key in self.values)


class Settings(NamedTuple):
    """What a call runs with."""

    repo: str = ""
    """URL of the ghost repository, a local path absolute; empty: the embedded default."""
    repo_base: str = ""
    """The folder a relative path starts from that none of the settings gave."""
    prefix: str = "ghost"
    remote: str = ""
    source: str = ""
    """URL of the source repository, a local path absolute; empty: the source remote's."""
    untracked: bool = True
    max_file_size: int = MAX_FILE_SIZE
    max_size: int = MAX_SIZE

    @classmethod
    def resolve(
        cls,
        flags: Mapping[str, str | None],
        environ: Mapping[str, str],
        config: GitConfig,
        toplevel: str = "",
    ) -> Settings:
        """Settle every setting; ``flags`` holds what was given on the command line (or to the API).

        ``environ`` is consulted for ``GIT_GHOST_REPO``, ``GIT_GHOST_PREFIX`` and
        ``GIT_GHOST_SOURCE``; the git config names are ``ghost.repo`` and so on. A relative path
        starts at the current folder; at ``toplevel`` when it comes from git config. UsageError for
        values that cannot be.
        """

        def setting(name: str, variable: str = "") -> str:
            given = flags.get(name)
            if given is not None:
                return given
            return environ.get(variable, "") or config.get(f"ghost.{name}")

        def place(name: str, variable: str) -> str:
            if given := flags.get(name) or environ.get(variable, ""):
                return locate(given, os.getcwd())
            configured = config.get(f"ghost.{name}")
            return locate(configured, toplevel or os.getcwd()) if configured else ""

        size, file_size = config.get("ghost.maxsize"), config.get("ghost.maxfilesize")
        untracked = config.values.get("ghost.untracked", ("true",))[-1]
        return cls(
            repo=place("repo", "GIT_GHOST_REPO"),
            repo_base=toplevel or os.getcwd(),
            prefix=check_prefix(setting("prefix", "GIT_GHOST_PREFIX") or "ghost"),
            remote=setting("remote"),
            source=place("source", "GIT_GHOST_SOURCE"),
            untracked=parse_bool(untracked, "ghost.untracked"),
            max_file_size=parse_size(file_size, "ghost.maxFileSize")
            if file_size
            else MAX_FILE_SIZE,
            max_size=parse_size(size, "ghost.maxSize") if size else MAX_SIZE,
        )


def default_repository(object_format: str, environ: Mapping[str, str]) -> str:
    """Where the embedded default ghost repository for ``object_format`` lives.

    Under ``$XDG_DATA_HOME/git-ghost`` (XDG Base Directory Specification); one for each object
    format, since git keeps SHA-1 and SHA-256 apart.
    """
    home = environ.get("XDG_DATA_HOME", "")
    if not os.path.isabs(home):  # the specification: a relative path is to be ignored
        home = os.path.join(os.path.expanduser("~"), ".local", "share")
    name = "ghosts.git" if object_format == "sha1" else f"ghosts-{object_format}.git"
    return os.path.join(home, "git-ghost", name)
