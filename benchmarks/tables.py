"""The tables, in Markdown."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from benchmarks.harness import Goal, Report


def render(reports: Mapping[str, Report], notes: Sequence[str], spent: float) -> str:
    """Return what a run found out as a Markdown document."""
    goals = [goal for report in reports.values() for goal in report.goals]
    reached = sum(goal.reached for goal in goals)
    figures = [figure for report in reports.values() for figure in report.figures]
    summary = f"{reached} of {len(goals)} goals reached. Ratios are medians of the rounds' ratios;"
    parts = [
        "# Results",
        f"{summary} [README.md](README.md) says what is measured.",
        "\n".join(f"- {line}" for line in (*_machine(spent), *notes)),
        "## Goals",
        _table(("What", "Goal", "Measured", "Reached"), map(_goal_row, goals)),
        "## Figures",
        _table(
            ("What", "Who", "Value", "Range"),
            ((figure.what, figure.who, figure.value, figure.note) for figure in figures),
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _goal_row(goal: Goal) -> tuple[str, str, str, str]:
    sign = "≥" if goal.at_least else "≤"
    unit = f" {goal.unit}" if goal.unit else ""
    measured = f"{goal.measured:.2f}" if goal.unit else f"{goal.measured:g}"
    return goal.text, f"{sign} {goal.limit:g}{unit}", measured + unit, _yes(goal.reached)


def _yes(reached: bool) -> str:
    return "yes" if reached else "**no**"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _machine(spent: float) -> list[str]:
    day = datetime.now(timezone.utc).date()
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    programs = (_first_line("git", "version"), _first_line("ssh", "-V").partition(",")[0])
    python = f"Python {platform.python_version()}"
    return [
        f"{day}, {spent / 60:.1f} minutes, load average at the end {load}",
        f"{system}, {os.cpu_count()} × {_processor()}, {_memory()} of memory",
        ", ".join((*programs, python, *_packages())),
    ]


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return f"no {command[0]}"
    return (done.stdout + done.stderr).strip().split("\n")[0]


def _packages() -> list[str]:
    return [f"{name} {metadata.version(name)}" for name in ("click", "dulwich")]


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "processor"


def _memory() -> str:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{size / (1 << 30):.0f} GiB"
