"""Memory: what a push with a very large file needs, all its processes together."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Bench, Figure, Goal, Report
from benchmarks.places import ghost_env, place
from benchmarks.programs import OURS
from tests.support.sandbox import Sandbox

BIG = 100 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SAMPLE_SECONDS = 0.004


@dataclass
class Peak:
    """The most memory a tree of processes had at one moment, in bytes."""

    resident: int = 0
    anonymous: int = 0
    """Without pages of files, which the kernel can drop at any time."""
    largest: tuple[int, str] = (0, "")
    """The most that a single process had, and which it was."""


def memory(bench: Bench) -> Report:
    """Push 100 MB that cannot be compressed: as a new file, then as a change to it."""
    report = Report()
    with place(bench, 20, network=True, delay_ms=0) as here:
        sandbox = here.sandbox
        path = _laptop(sandbox, here.source)
        url = here.url(here.ghosts_of(OURS))
        command = (*bench.programs.ours, "push")
        for what, seed in (("new file", 1), ("changed file", 2)):
            (path / "weights.bin").write_bytes(random.Random(seed).randbytes(BIG))
            peak, said = _watch(command, path, {**sandbox.env, **ghost_env(url)})
            ref = "/".join(said.split())
            patch = f"refs/heads/ghost/{ref}:local-mod.patch"
            repository = here.server.root / here.ghosts_of(OURS)
            size = int(sandbox.text("cat-file", "-s", patch, cwd=repository))
            report.goals.append(
                Goal(f"peak memory of pushing a 100 MB {what}, in patches", 3, peak.resident / size)
            )
            for who, value in (
                ("size of the patch", _megabytes(size)),
                ("peak of all processes", _megabytes(peak.resident)),
                ("of it, not backed by files", _megabytes(peak.anonymous)),
                (f"largest process: {peak.largest[1]}", _megabytes(peak.largest[0])),
            ):
                report.figures.append(Figure(f"memory, 100 MB {what}", who, value))
            sandbox.git("add", "--all", cwd=path)
            sandbox.git("commit", "--quiet", "--message=big", cwd=path)
            sandbox.git("update-ref", "refs/remotes/origin/main", "HEAD", cwd=path)
    return report


def _laptop(sandbox: Sandbox, source: str) -> Path:
    path = sandbox.repo("laptop")
    (path / "train.py").write_text("print('training')\n", encoding="ascii")
    sandbox.git("add", "--all", cwd=path)
    sandbox.git("commit", "--quiet", "--message=start", cwd=path)
    sandbox.git("remote", "add", "origin", source, cwd=path)
    sandbox.git("update-ref", "refs/remotes/origin/main", "HEAD", cwd=path)
    sandbox.git("config", "ghost.maxFileSize", "1g", cwd=path)
    sandbox.git("config", "ghost.maxSize", "1g", cwd=path)
    return path


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.0f} MiB"


def _watch(command: Sequence[str], cwd: Path, env: dict[str, str]) -> tuple[Peak, str]:
    """Run a command and sample the memory of it and of all processes it starts."""
    peak = Peak()
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None:
            _sample(process.pid, peak)
            time.sleep(_SAMPLE_SECONDS)
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode == 0
    return peak, said


def _sample(root: int, peak: Peak) -> None:
    resident = anonymous = 0
    for pid in _family(root):
        with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile
            fields = Path(f"/proc/{pid}/statm").read_bytes().split()
            mine, of_files = int(fields[1]) * _PAGE, int(fields[2]) * _PAGE
            resident += mine
            anonymous += mine - of_files
            if mine > peak.largest[0]:
                peak.largest = (mine, _name(pid))
    peak.resident = max(peak.resident, resident)
    peak.anonymous = max(peak.anonymous, anonymous)


def _family(root: int) -> list[int]:
    """Return the process and its descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                status = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                children[int(status[1])].append(int(entry.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def _name(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").split("\0")
    if Path(words[0]).name != "git":
        return Path(words[0]).name
    rest = iter(words[1:])
    for word in rest:
        if word == "-c":
            next(rest, "")
        elif not word.startswith("-"):
            return f"git {word}"
    return "git"
