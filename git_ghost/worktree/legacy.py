"""Commits ghosts of v0.1: no bundle, only ``git log -p --pretty=email`` text."""

from __future__ import annotations

from git_ghost.errors import VerificationFailed
from git_ghost.model import Oid
from git_ghost.repository import Quarantine


def apply(quarantine: Quarantine, base: Oid, patch: bytes) -> Oid:
    """Make the commits that ``patch`` describes on top of ``base``; the last one's id."""
    raise VerificationFailed("commits ghosts of v0.1 cannot be pulled yet")
