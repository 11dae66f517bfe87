"""inject: a large file, and what the smallest one costs."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.harness import Bench, Contender, Goal, Report, race

DOCUMENTS = 1000
_HASH, _BASE = "8" * 40, "1" * 40
_FLAGS = ("--image=git-ghost:1", "--ghost-repo=ssh://git@git.example.com/ghosts.git")
_SAMPLE = Path(__file__).parent.parent / "tests/manifests/job.yaml"
_PYYAML = """\
import sys, yaml
with open(sys.argv[1]) as file:
    objects = list(yaml.load_all(file, Loader=yaml.CSafeLoader))
yaml.dump_all(objects, sys.stdout, Dumper=yaml.CSafeDumper, sort_keys=False)
"""


def inject(bench: Bench) -> Report:
    """Time `git ghost inject` against parsing and dumping the same file with PyYAML's C parts."""
    report = Report()
    with bench.workshop("inject") as sandbox:
        one, many = sandbox.root / "one.yaml", sandbox.root / "many.yaml"
        one.write_text(_SAMPLE.read_text())
        many.write_text("---\n".join([one.read_text()] * DOCUMENTS))
        ours = f"git ghost inject, {DOCUMENTS:,} documents"
        theirs = f"PyYAML (C): parse and dump {DOCUMENTS:,} documents"
        small = "git ghost inject, one document"

        def injecting(name: str, file: Path) -> Contender:
            command: tuple[str | Path, ...] = (*bench.programs.ours, "inject", "-f", file)
            return Contender(name, lambda: sandbox.run(*command, *_FLAGS, _BASE, _HASH).ok())

        def python(name: str, *arguments: str | Path) -> Contender:
            return Contender(name, lambda: sandbox.run(sys.executable, *arguments).ok())

        large = race([injecting(ours, many), python(theirs, "-c", _PYYAML, many)], bench.rounds(11))
        start = race(
            [
                injecting(small, one),
                python("python -c 'import click, yaml'", "-c", "import click, yaml"),
                python("python -c 'import kubernetes'", "-c", "import kubernetes"),
            ],
            bench.rounds(15),
        )
    report.add_times("inject", large)
    report.add_times("start of inject", start)
    report.goals.append(Goal(f"{ours} against {theirs}", 3, large.ratio(ours, theirs)))
    return report
