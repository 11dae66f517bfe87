"""The names of ghosts and what their commits say: ``docs/format.md`` as code, pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

FORMAT = "2"
"""The value of the ``Ghost-Format`` trailer written here (v0.1 wrote no trailers)."""

DIFF_FILE = "local-mod.patch"
COMMITS_FILE = "commits.patch"
BUNDLE_FILE = "commits.bundle"

_ID = r"[0-9a-f]{40}(?:[0-9a-f]{24})?"


@dataclass(frozen=True, order=True)
class DiffGhost:
    """The name of a diff ghost: working tree ``tree`` on top of commit ``base``."""

    base: str
    tree: str
    prefix: str = "ghost"

    @property
    def ref(self) -> str:
        """Its full ref in the ghost repository."""
        return f"refs/heads/{self.prefix}/{self.base}/{self.tree}"

    @property
    def to(self) -> str:
        """What the ghost leads to: the tree id (v0.1: the SHA-1 of its patch)."""
        return self.tree


@dataclass(frozen=True, order=True)
class CommitsGhost:
    """The name of a commits ghost: the commits ``base..head``."""

    base: str
    head: str
    prefix: str = "ghost"

    @property
    def ref(self) -> str:
        """Its full ref in the ghost repository."""
        return f"refs/heads/{self.prefix}/{self.base}-{self.head}"

    @property
    def to(self) -> str:
        """What the ghost leads to: the last commit."""
        return self.head


Ghost = DiffGhost | CommitsGhost

_DIFF_NAME = re.compile(rf"({_ID})/({_ID})\Z")
_COMMITS_NAME = re.compile(rf"({_ID})-({_ID})\Z")


def parse_ref(ref: str, prefix: str) -> Ghost | None:
    """The ghost a ref of the ghost repository names; None if it is not a ghost of ``prefix``."""
    start = f"refs/heads/{prefix}/"
    if not ref.startswith(start):
        return None
    name = ref[len(start) :]
    if match := _DIFF_NAME.match(name):
        return DiffGhost(match[1], match[2], prefix)
    if match := _COMMITS_NAME.match(name):
        return CommitsGhost(match[1], match[2], prefix)
    return None


_NO_SUBJECT = "Create ghost commit"
"""v0.1's subject, where the user said nothing."""


class Trailers(NamedTuple):
    """What a ghost commit's message carries beyond v0.1's names; empty strings where unknown."""

    tree: str = ""
    base: str = ""
    remote_base: str = ""
    source: str = ""
    branch: str = ""
    submodules: str = ""
    """As :func:`submodules_text` writes those that were checked out."""
    subject: str = ""
    format: str = ""

    @property
    def checked_out(self) -> frozenset[str] | None:
        """The submodules that were checked out where the ghost was made; None when unknown."""
        try:
            found = json.loads(self.submodules)
        except (ValueError, RecursionError):  # the text is whatever somebody wrote there
            return None
        return frozenset(map(str, found)) if isinstance(found, list) else None

    @property
    def from_v01(self) -> bool:
        """Whether the ghost carries no trailers, as those v0.1 made."""
        return not self.format

    def message(self) -> bytes:
        """The ghost commit's message: the user's text, then the trailers that are known."""
        pairs = (
            ("Ghost-Format", FORMAT),
            ("Ghost-Tree", self.tree),
            ("Ghost-Base", self.base),
            ("Ghost-Remote-Base", self.remote_base),
            ("Ghost-Source", self.source),
            ("Ghost-Branch", self.branch),
            ("Ghost-Submodules", self.submodules),
        )
        lines = [f"{key}: {_one_line(value)}" for key, value in pairs if value]
        subject = self.subject.replace("\0", " ").strip() or _NO_SUBJECT
        text = f"{subject}\n\n" + "\n".join(lines) + "\n"
        return text.encode("utf-8", "surrogateescape")

    @classmethod
    def parse(cls, message: bytes) -> Trailers:
        """Read :meth:`message` back; only the last paragraph can hold trailers."""
        text = message.decode("utf-8", "surrogateescape").rstrip("\n")
        body, _, last = text.rpartition("\n\n")
        found: dict[str, str] = {}
        for line in last.split("\n"):
            key, colon, value = line.partition(": ")
            if colon and key.startswith("Ghost-"):
                found[key[6:].lower().replace("-", "_")] = value.strip()
        if "format" not in found:
            return cls(subject="" if text == _NO_SUBJECT else text)
        known = ("tree", "base", "remote_base", "source", "branch", "submodules", "format")
        subject = body.strip()
        return cls(
            subject="" if subject == _NO_SUBJECT else subject,
            **{key: found.get(key, "") for key in known},
        )


def submodules_text(paths: Iterable[str]) -> str:
    """The ``Ghost-Submodules`` trailer: a JSON list, for a path may hold anything."""
    return json.dumps(list(paths))


def _one_line(value: str) -> str:
    return re.sub(r"[\r\n\0]+", " ", value)
