"""Start-up: what every call costs before it does anything."""

from __future__ import annotations

import sys

from benchmarks.harness import Bench, Contender, Goal, Report, race

_CLICK = "python -c 'import click'"


def startup(bench: Bench) -> Report:
    """Time `git ghost version` against importing click, and what else a call begins with."""
    report = Report()
    with bench.workshop("startup") as sandbox:
        ours = bench.programs.ours

        def contender(name: str, *command: str) -> Contender:
            return Contender(name, lambda: sandbox.run(*command).ok())

        version = "git ghost version"
        contenders = [
            contender(version, *ours, "version"),
            contender(_CLICK, sys.executable, "-c", "import click"),
            contender("python -c pass", sys.executable, "-c", "pass"),
            contender("git ghost push -h", *ours, "push", "-h"),
            contender("git version", "git", "version"),
            contender(
                "python -c 'from git_ghost import push'",
                sys.executable,
                "-c",
                "from git_ghost import push",
            ),
            contender(
                "python -c 'from git_ghost import pull'",
                sys.executable,
                "-c",
                "from git_ghost import pull",
            ),
        ]
        times = race(contenders, bench.rounds(31))
    report.add_times("start-up", times)
    report.goals.append(Goal(f"{version} against {_CLICK}", 2, times.ratio(version, _CLICK)))
    return report
