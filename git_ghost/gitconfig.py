"""git's configuration as values, and how git spells booleans and sizes in it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from git_ghost.errors import UsageError

_UNITS = {"": 0, "k": 10, "m": 20, "g": 30}
_TRUE = ("true", "yes", "on")
_FALSE = ("false", "no", "off", "")


def parse_size(text: str, name: str) -> int:
    """A size with git's suffixes (k, m, g: powers of 1024) in bytes; UsageError names ``name``."""
    match = re.fullmatch(r"\s*([0-9]+)([kmg]?)(?:i?b)?\s*", text, re.IGNORECASE)
    if match is None:
        raise UsageError(
            f"{name} is '{text}', which is not a size", "Use a number of bytes, or 10k, 25m, 1g."
        )
    return int(match[1]) << _UNITS[match[2].lower()]


_DURATION = re.compile(r"(?=.)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?\Z", re.ASCII)


def seconds_of(text: str) -> float | None:
    """A duration as 90, 90s, 5m or 1h in seconds; None for anything else."""
    match = _DURATION.match(text)
    if match is None:
        return None
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def parse_duration(text: str, name: str) -> float:
    """A duration in seconds; UsageError names ``name``."""
    found = seconds_of(text.strip())
    if found is None:
        raise UsageError(f"{name} is '{text}', which is not a duration", "Use 90, 90s, 5m or 1h.")
    return found


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
