"""The programs that are compared: how they are called, and what they call themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

OURS = "git ghost"
FLOOR = "floor (plain git)"
V01_MODULE = "github.com/pfnet-research/git-ghost@v0.1.5"


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


def find_programs(cache: Path, *, v01: bool) -> Programs:
    """Look for what is installed; `v01`: v0.1.5 too, built below `cache` where Go can do that."""
    notes = []
    script = Path(sys.executable).parent / "git-ghost"
    if script.exists():
        ours: tuple[str, ...] = ("git", "ghost")
    else:
        ours = (sys.executable, "-m", "git_ghost")
        notes.append("git-ghost is not installed: `python -m git_ghost` was timed instead.")
    if not v01:
        return Programs(ours, None, "v0.1.5", tuple(notes))
    binary, why = _v01_binary(cache)
    if binary:
        return Programs(ours, str(binary), "v0.1.5", tuple(notes))
    notes.append(
        f"v0.1.5 itself could not be had ({why}): its git commands were run in its place, which"
        " leaves out the time of its own process."
    )
    return Programs(ours, None, "v0.1.5 (its git commands replayed)", tuple(notes))


def _v01_binary(cache: Path) -> tuple[Path | None, str]:
    """Return v0.1.5's program, or None and the reason."""
    if given := os.environ.get("GIT_GHOST_V01"):
        return Path(given), ""
    built = cache / "go/bin/git-ghost"
    if built.exists():
        return built, ""
    go = shutil.which("go")
    if go is None:
        return None, "Go is not installed"
    folders = {"GOBIN": built.parent, "GOPATH": cache / "go", "GOCACHE": cache / "go/cache"}
    env = {**os.environ, **{name: str(path) for name, path in folders.items()}}
    command = [go, "install", "-modcacherw", V01_MODULE]
    try:
        done = subprocess.run(command, env=env, capture_output=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return None, "`go install` took too long"
    if built.exists():
        return built, ""
    said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
    return None, f"`go install {V01_MODULE}` failed: {said[-1].strip()[:200]}"
