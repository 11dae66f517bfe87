"""Contenders run in turn, round by round, and are compared round by round.

The machine's mood changes from second to second. Contenders of one round share it, so the ratio
within a round says more than two averages; the median of those ratios is what counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.programs import Programs
from tests.support.sandbox import Sandbox


def nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Contender:
    """One way to do the same thing: `prepare`, which is not timed, then `run`, which is."""

    name: str
    run: Callable[[], object]
    prepare: Callable[[], object] = nothing
    rounds: int | None = None
    """Take part in the first so many rounds only; None: in all."""


class Times:
    """Seconds per contender, in the order of the rounds."""

    def __init__(self, seconds: dict[str, list[float]]) -> None:
        """Hold what `race` measured."""
        self.seconds = seconds

    def median(self, name: str) -> float:
        """Return a contender's median in seconds."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, other: str) -> float:
        """Return the median of name / other, taken round by round."""
        pairs = zip(self.seconds[name], self.seconds[other], strict=False)
        return statistics.median(ours / theirs for ours, theirs in pairs)


def race(contenders: Sequence[Contender], rounds: int) -> Times:
    """Let each contender warm up, then run them `rounds` times; who goes first changes."""
    seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(-1, rounds):
        shift = number % len(contenders)
        for contender in (*contenders[shift:], *contenders[:shift]):
            if contender.rounds is not None and number >= contender.rounds:
                continue
            contender.prepare()
            start = time.perf_counter()
            contender.run()
            spent = time.perf_counter() - start
            if number >= 0:
                seconds[contender.name].append(spent)
    return Times(seconds)


@dataclass(frozen=True)
class Goal:
    """A bound that the project has set itself, and what was measured."""

    text: str
    limit: float
    measured: float
    at_least: bool = False
    """Whether more is better."""
    unit: str = "×"

    @property
    def reached(self) -> bool:
        """Whether the bound holds."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


@dataclass(frozen=True)
class Figure:
    """A measured value without a bound of its own."""

    what: str
    who: str
    value: str
    note: str = ""


@dataclass
class Report:
    """What one benchmark found out."""

    goals: list[Goal] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)

    def add_times(self, what: str, times: Times) -> None:
        """Add the medians of a race."""
        for name, seconds in times.seconds.items():
            spread = f"{_time(min(seconds))} – {_time(max(seconds))}, {len(seconds)} rounds"
            self.figures.append(Figure(what, name, _time(times.median(name)), spread))


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"


@dataclass(frozen=True)
class Bench:
    """What a benchmark works with."""

    cache: Path
    """Keeps generated repositories from one run to the next."""
    scratch: Path
    """Gone when the run ends."""
    programs: Programs
    rounds_wanted: int | None

    def rounds(self, default: int) -> int:
        """Return how many rounds to run: what the user asked for, or else `default`."""
        return self.rounds_wanted or default

    @contextmanager
    def workshop(self, name: str) -> Iterator[Sandbox]:
        """Give a benchmark its own sandbox."""
        sandbox = Sandbox(self.scratch / name)
        yield sandbox
