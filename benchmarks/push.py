"""Push: what a researcher waits for before each run."""

from __future__ import annotations

from benchmarks.harness import Bench, Contender, Goal, Report, race
from benchmarks.places import Laptop, Place, ghost_env, place
from benchmarks.programs import FLOOR, OURS, Programs


def push_ssh(bench: Bench) -> Report:
    """Push over ssh, with 20 and with 10,000 ghosts stored."""
    report = Report()
    for stored, rounds, v01_rounds in ((20, 15, 15), (10_000, 11, 5)):
        with place(bench, stored, network=True) as here:
            contenders = _contenders(here, here.laptop(), bench.programs, v01_rounds)
            times = race(contenders, bench.rounds(rounds))
        report.add_times(f"push over ssh, {stored:,} ghosts stored", times)
        v01 = bench.programs.v01_name
        suffix = f"push over ssh, {stored:,} ghosts stored"
        report.goals += [
            Goal(f"{suffix}: time against the floor's", 1.25, times.ratio(OURS, FLOOR)),
            Goal(
                f"{suffix}: times faster than {v01}",
                2.5 if stored == 20 else 4,
                times.ratio(v01, OURS),
                at_least=True,
            ),
        ]
    return report


def push_local(bench: Bench) -> Report:
    """Push to a ghost repository on the same machine, by its path."""
    report = Report()
    v01 = bench.programs.v01_name
    for stored, rounds, v01_rounds in ((20, 21, 21), (10_000, 15, 7)):
        what = f"push to a local path, {stored:,} ghosts stored"
        with place(bench, stored, network=False) as here:
            contenders = _contenders(here, here.laptop(), bench.programs, v01_rounds)
            times = race(contenders, bench.rounds(rounds))
        report.add_times(what, times)
        if stored == 20:
            report.goals.append(Goal(f"{what}: time against {v01}", 1.2, times.ratio(OURS, v01)))
        else:
            faster = times.ratio(v01, OURS)
            report.goals.append(Goal(f"{what}: times faster than {v01}", 2, faster, at_least=True))
    return report


def _contenders(
    here: Place, laptop: Laptop, programs: Programs, v01_rounds: int
) -> list[Contender]:
    sandbox = here.sandbox
    ready: list[tuple[str, str]] = []

    def prepare(who: str) -> None:
        here.forget_new(who)
        laptop.edit()
        if who == FLOOR:
            ready[:] = [laptop.ready_commit()]

    def floor() -> None:
        commit, ref = ready[0]
        sandbox.git("diff", "--binary", "HEAD", cwd=laptop.path)
        url = here.url(here.ghosts_of(FLOOR))
        sandbox.git("push", "--quiet", url, f"{commit}:{ref}", cwd=laptop.path)
        assert here.count_new(FLOOR) == 1

    def ours() -> None:
        env = ghost_env(here.url(here.ghosts_of(OURS)))
        said = sandbox.run(*programs.ours, "push", cwd=laptop.path, env=env).ok()
        assert said.split()[0] == laptop.head, said
        assert here.count_new(OURS) == 1

    def old() -> None:
        said = here.run_v01(programs, "push", "diff", cwd=laptop.path)
        assert said.split()[0] == laptop.head, said
        assert here.count_new(v01) == 1

    v01 = programs.v01_name
    return [
        Contender(OURS, ours, lambda: prepare(OURS)),
        Contender(FLOOR, floor, lambda: prepare(FLOOR)),
        Contender(v01, old, lambda: prepare(v01), v01_rounds),
    ]


def sessions(bench: Bench) -> Report:
    """Count the connections that a push makes, whatever it sends."""
    report = Report()
    worst = 0
    with place(bench, 20, network=True, delay_ms=0) as here:
        laptop = here.laptop()
        sandbox, relay = here.sandbox, here.relay
        assert relay is not None
        laptop.edit()
        sandbox.git("commit", "--quiet", "--all", "--message=local", cwd=laptop.path)
        local = sandbox.text("rev-parse", "HEAD", cwd=laptop.path)
        laptop.edit()
        env = ghost_env(here.url(here.ghosts_of(OURS)))
        for arguments in (
            ("push", "diff"),
            ("push", "commits", laptop.head),
            ("push", "all", laptop.head, local),
            ("push",),
            ("push",),
        ):
            before = relay.connections
            sandbox.run(*bench.programs.ours, *arguments, cwd=laptop.path, env=env).ok()
            worst = max(worst, relay.connections - before)
    goal = Goal("network sessions of a push (the worst of five kinds)", 1, worst, unit="")
    report.goals.append(goal)
    return report
