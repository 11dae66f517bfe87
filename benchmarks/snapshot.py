"""Snapshot: how long finding what changed takes in a large working tree."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import data
from benchmarks.harness import Bench, Contender, Figure, Goal, Report, race
from benchmarks.places import Laptop, ghost_env, settle
from tests.support.sandbox import Sandbox

FILES = 50_000
_STATUS = "git status"
_PUSH = "git ghost push --dry-run"
_INSIDE = "of it, the snapshot itself"

_IN_PROCESS = """\
import sys, time
from git_ghost.quarantine import quarantine
from git_ghost.repository import open_repository
from git_ghost.worktree import snapshot
repository = open_repository(".")
start = time.perf_counter()
with quarantine(repository) as private:
    private.copy_index()
    tree = snapshot.write_tree(private, snapshot.survey(private))
print(time.perf_counter() - start)
"""


def snapshot(bench: Bench) -> Report:
    """Time a push that sends nothing against `git status`, which looks at the same files."""
    report = Report()
    what = f"snapshot of {FILES:,} files"
    with bench.workshop("snapshot") as sandbox:
        laptop = _laptop(bench, sandbox)
        env = ghost_env(str(sandbox.repo("ghosts.git", bare=True)))
        dry = (*bench.programs.ours, "push", "--dry-run")
        inside: list[float] = []

        def in_process() -> None:
            command = (sys.executable, "-c", _IN_PROCESS)
            inside.append(float(sandbox.run(*command, cwd=laptop.path).ok()))

        contenders = [
            Contender(_STATUS, lambda: sandbox.git("status", cwd=laptop.path), laptop.edit),
            Contender(_PUSH, lambda: sandbox.run(*dry, cwd=laptop.path, env=env).ok(), laptop.edit),
            Contender(_INSIDE, in_process, laptop.edit),
        ]
        times = race(contenders, bench.rounds(11))
    times.seconds[_INSIDE] = inside[1:]
    report.add_times(what, times)
    report.goals += [
        Goal(f"{what}: the whole process against {_STATUS}", 1.5, times.ratio(_PUSH, _STATUS)),
    ]
    ratio = times.ratio(_INSIDE, _STATUS)
    report.figures.append(Figure(what, "the snapshot itself against git status", f"{ratio:.2f} ×"))
    return report


def _laptop(bench: Bench, sandbox: Sandbox) -> Laptop:
    path: Path = sandbox.root / "many"
    sandbox.git("clone", "--quiet", "--shared", data.many_files(bench.cache, FILES), path)
    settle(sandbox, path)
    return Laptop(sandbox, path)
