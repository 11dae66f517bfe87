"""Ids, ref names and ghosts: parsed once, frozen, pure.

Formats: ``docs/format.md``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NewType

from git_ghost.errors import UsageError

Oid = NewType("Oid", str)
"""A full object id: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits."""

MIN_PREFIX = 7
"""The shortest hash prefix that names a ghost, as git's own ``core.abbrev`` default."""

RUN_LABEL = "git-ghost.io/run"
"""The label that the pods of one ``git ghost run`` have in common; another value for each run."""

_ID = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"
_OID = re.compile(rf"{_ID}\Z")
_HEX = re.compile(r"[0-9a-f]{7,64}\Z")
_PREFIX = re.compile(
    r"(?!.*\.\.)(?!.*\.lock(?:/|\Z))(?!\.)[A-Za-z0-9_.+-]+(?:/[A-Za-z0-9_+-][A-Za-z0-9_.+-]*)*\Z"
)


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 file``, ``2 files``; ``plural`` is for nouns that take more than an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def is_oid(text: str) -> bool:
    """Whether ``text`` is a full object id."""
    return _OID.match(text) is not None


def oid(text: str | bytes) -> Oid:
    """``text``, stripped of white space, as a full object id; UsageError when it is not one."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    text = text.strip().lower()
    if not is_oid(text):
        raise UsageError(
            f"'{text}' is not a full object id",
            "It has 40 hexadecimal digits (64 in a SHA-256 repository).",
        )
    return Oid(text)


def hash_argument(text: str) -> str:
    """A user-given hash: a full id or a prefix of 7 or more digits, stripped and lower-cased."""
    hash = text.strip().lower()
    if not _HEX.match(hash):
        raise UsageError(
            f"'{text.strip()}' is not a ghost's hash",
            f"A hash is a tree id or at least {MIN_PREFIX} digits of one, as `git ghost push` and"
            " `git ghost list` print it.",
        )
    return hash


def null(object_format: str) -> Oid:
    """The all-zero id in ``object_format`` (``sha1`` or ``sha256``)."""
    return Oid("0" * (64 if object_format == "sha256" else 40))


def format_of(text: str) -> str:
    """The object format of a full id: ``sha256`` for 64 digits, ``sha1`` otherwise."""
    return "sha256" if len(text) == 64 else "sha1"


def check_prefix(prefix: str) -> str:
    """``prefix`` when it can start a branch name, UsageError otherwise."""
    if prefix.startswith("-") or prefix.endswith(".") or not _PREFIX.match(prefix):
        raise UsageError(
            f"'{prefix}' cannot be the prefix of ghosts' branch names",
            "Use letters, digits, '-', '_' and '/'; v0.1 readers only find [a-z0-9]+.",
        )
    return prefix


@dataclass(frozen=True)
class Notice:
    """What the user should hear about that is not a failure: one sentence, and the paths meant."""

    text: str
    paths: tuple[str, ...] = field(default=())
