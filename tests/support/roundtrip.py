"""From laptop to pod: push, rebuild elsewhere, compare without git ghost's help."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from git_ghost.model import format_of
from git_ghost.usecases import Options, Pushed, clone, pull, push
from tests.support.lab import Lab
from tests.support.oracle import Entry, disk_state, disk_tree_of

_OURS = b"git-ghost"
"""The one folder in a git folder that is git ghost's own."""


def some(name: str, cases: Mapping[str, object], *, quick: Collection[str]) -> pytest.MarkDecorator:
    """Run a test with every case, all but those named in `quick` marked as slow."""
    chosen = (
        pytest.param(case, id=key, marks=[] if key in quick else [pytest.mark.slow])
        for key, case in cases.items()
    )
    return pytest.mark.parametrize(name, list(chosen))


def options(lab: Lab, at: Path | None = None) -> Options:
    """Return the options of a call that is about the repository at `at` (default: the laptop's)."""
    return Options(directory=str(at or lab.laptop), repo=lab.ghost_url)


def push_untouched(lab: Lab, at: Path | None = None, **how: Any) -> Pushed:
    """Push; assert that not a byte of the repository changed, nor the index's time stamp."""
    top = at or lab.laptop
    before = _traces(lab, top)
    pushed = push(options(lab, top), **how)
    after = _traces(lab, top)
    changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    assert not changed, f"push changed {changed}"
    return pushed


def round_trip(
    lab: Lab,
    *,
    at: Path | None = None,
    unsent: Collection[bytes] = (),
    same_bytes: bool = True,
    how: dict[str, Any] | None = None,
) -> Pushed:
    """Push, pull in a fresh clone, clone into nothing; assert that both are exactly what was there.

    `unsent` are paths (or folders) on the laptop that are not meant to arrive; `same_bytes` False
    leaves the comparison to git, for content that a filter writes differently.
    """
    top = at or lab.laptop
    pushed = push_untouched(lab, top, **(how or {}))
    assert pushed.hash == lab.tree_of(top)
    disk = without(disk_state(top), unsent) if same_bytes else None
    pod = lab.fresh_clone("pod")
    pulled = pull(pushed.hash, options(lab, pod))
    assert pulled.tree == pushed.hash
    assert_exact(lab, pod, pushed, disk)
    bare = lab.sandbox.root / "cloned"
    clone(pushed.hash, str(bare), Options(repo=lab.ghost_url))
    assert_exact(lab, bare, pushed, disk)
    return pushed


def assert_exact(
    lab: Lab, path: Path, pushed: Pushed, disk: dict[bytes, Entry] | None = None
) -> None:
    """Assert that `path` holds what was pushed, by plain git and (given `disk`) byte for byte."""
    if disk is not None:
        assert disk_state(path) == disk
    assert pushed.hash in (lab.tree_of(path), disk_tree_of(path, format_of(pushed.hash)))
    assert lab.head(at=path) == pushed.head
    lab.sandbox.git("fsck", "--no-dangling", "--no-progress", cwd=path)


def without(state: dict[bytes, Entry], unsent: Collection[bytes]) -> dict[bytes, Entry]:
    """Return `state` without the paths in `unsent` and what is below them."""
    return {
        path: entry
        for path, entry in state.items()
        if not any(path == gone or path.startswith(gone + b"/") for gone in unsent)
    }


def _traces(lab: Lab, top: Path) -> dict[bytes, tuple[int, int, bytes]]:
    """Everything on disk a push could have changed: type, time stamp and content of every file."""
    asked = ("rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir")
    folders = dict.fromkeys(lab.sandbox.text(*asked, cwd=top).splitlines())
    found = {}
    for folder in (str(top), *folders):
        for place, below, names in os.walk(os.fsencode(folder)):
            if _OURS in below and (place == os.fsencode(folder) or place.endswith(b"/.git")):
                below.remove(_OURS)
            for name in names:
                path = place + b"/" + name
                found[path] = _trace(Path(os.fsdecode(path)))
    return found


def _trace(path: Path) -> tuple[int, int, bytes]:
    status = path.lstat()
    if path.is_symlink():
        return status.st_mode, status.st_mtime_ns, os.fsencode(path.readlink())
    if path.name.startswith("sharedindex.") or "objects" in path.parts:
        # git freshens their time stamps to say that they are in use
        return status.st_mode, 0, path.read_bytes()
    return status.st_mode, status.st_mtime_ns, path.read_bytes()
