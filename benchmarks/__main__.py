"""`python -m benchmarks`: run the benchmarks and print what came out."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import Bench, Report
from benchmarks.image import image
from benchmarks.inject import inject
from benchmarks.listing import list_local
from benchmarks.memory import memory
from benchmarks.programs import find_programs
from benchmarks.push import push_local, push_ssh, sessions
from benchmarks.rebuild import clone_ssh, pull_local, pull_ssh
from benchmarks.run import run
from benchmarks.snapshot import snapshot
from benchmarks.startup import startup
from benchmarks.tables import render
from tests.support.servers import ServerUnavailable

HERE = Path(__file__).parent
BENCHMARKS: dict[str, Callable[[Bench], Report]] = {
    "push-ssh": push_ssh,
    "clone-ssh": clone_ssh,
    "pull-ssh": pull_ssh,
    "push-local": push_local,
    "pull-local": pull_local,
    "list-local": list_local,
    "sessions": sessions,
    "startup": startup,
    "snapshot": snapshot,
    "memory": memory,
    "image": image,
    "inject": inject,
    "run": run,
}
_WITH_V01 = {name for name in BENCHMARKS if name.startswith(("push-", "clone-", "pull-", "list-"))}


def main(argv: list[str] | None = None) -> int:
    """Run what was asked for; print the tables on stdout, progress on stderr."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = ", ".join(BENCHMARKS)
    parser.add_argument(
        "--only", nargs="+", choices=BENCHMARKS, metavar="NAME", help=f"some of: {names}"
    )
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="so many rounds, instead of each one's own number"
    )
    parser.add_argument(
        "--write", action="store_true", help="keep the tables in benchmarks/RESULTS.md"
    )
    options = parser.parse_args(argv)
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be at least 1")
    cache = HERE / ".cache"
    scratch = Path(tempfile.mkdtemp(prefix="git-ghost-benchmarks-"))
    chosen = options.only or list(BENCHMARKS)
    programs = find_programs(v01=bool(_WITH_V01.intersection(chosen)))
    bench = Bench(cache, scratch, programs, options.rounds)
    start = time.monotonic()
    reports: dict[str, Report] = {}
    missing: list[str] = []
    try:
        for name in chosen:
            print(f"{time.monotonic() - start:5.0f} s  {name}", file=sys.stderr, flush=True)
            try:
                reports[name] = BENCHMARKS[name](bench)
            except ServerUnavailable as error:
                missing.append(f"{name} was left out: {error}.")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    spent = time.monotonic() - start
    text = render(reports, (*programs.notes, *missing), spent)
    print(text)
    if options.write:
        (HERE / "RESULTS.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
