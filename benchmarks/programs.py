"""The programs that are compared: how they are called, and what they call themselves."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.v01 import BINARY

OURS = "git ghost"
FLOOR = "floor (plain git)"


@dataclass(frozen=True)
class Programs:
    """How to call them."""

    ours: tuple[str, ...]
    """The command line, to which arguments are added."""
    v01: str | None
    """v0.1.5's program; None: its git commands are run by this process."""
    v01_name: str
    """What the tables call v0.1.5: whether it is the program or its git commands only."""
    notes: tuple[str, ...]


def find_programs(*, v01: bool) -> Programs:
    """Look for what is installed; `v01`: v0.1.5 too, which GIT_GHOST_V01 names."""
    notes = []
    script = Path(sys.executable).parent / "git-ghost"
    if script.exists():
        ours: tuple[str, ...] = ("git", "ghost")
    else:
        ours = (sys.executable, "-m", "git_ghost")
        notes.append("git-ghost is not installed: `python -m git_ghost` was timed instead.")
    if not v01 or BINARY:
        return Programs(ours, BINARY, "v0.1.5", tuple(notes))
    notes.append(
        "GIT_GHOST_V01 did not name v0.1.5: its git commands were run in its place, which leaves"
        " out the time of its own process."
    )
    return Programs(ours, None, "v0.1.5 (its git commands replayed)", tuple(notes))
