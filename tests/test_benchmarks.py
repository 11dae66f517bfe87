"""The benchmarks still run; how fast anything is, no test says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_benchmark_prints_its_goals_and_figures() -> None:
    command = [sys.executable, "-m", "benchmarks", "--only", "startup", "--rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| git ghost version against python -c 'import click' | ≤ 2 × |" in done.stdout
    assert "| start-up | git ghost version |" in done.stdout


@pytest.mark.slow
def test_an_unknown_benchmark_is_a_usage_error() -> None:
    command = [sys.executable, "-m", "benchmarks", "--only", "nonsense"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "push-ssh" in done.stderr
