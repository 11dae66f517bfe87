"""List: what scripts ask before they push, pull or delete."""

from __future__ import annotations

from benchmarks.harness import Bench, Contender, Figure, Report, race
from benchmarks.places import Place, ghost_env, place
from benchmarks.programs import FLOOR, OURS, Programs


def list_local(bench: Bench) -> Report:
    """List a ghost repository on the same machine, named by its path."""
    report = Report()
    v01 = bench.programs.v01_name
    for stored, rounds in ((20, 15), (10_000, 11)):
        what = f"list of a local path, {stored:,} ghosts stored"
        with place(bench, stored, network=False) as here:
            times = race(_contenders(here, bench.programs), bench.rounds(rounds))
        report.add_times(what, times)
        ratio = f"{times.ratio(OURS, v01):.2f} ×"
        report.figures.append(Figure(what, f"git ghost against {v01}", ratio))
    return report


def _contenders(here: Place, programs: Programs) -> list[Contender]:
    laptop = here.laptop().path
    url = here.url("ours.git")

    def ours() -> str:
        return here.sandbox.run(*programs.ours, "list", cwd=laptop, env=ghost_env(url)).ok()

    def floor() -> str:
        return here.sandbox.text("ls-remote", "--heads", url, "ghost/*", cwd=laptop)

    def old() -> str:
        return here.run_v01(programs, "list", cwd=laptop)

    assert ours() == old()
    return [
        Contender(OURS, ours),
        Contender(FLOOR, floor),
        Contender(programs.v01_name, old),
    ]
