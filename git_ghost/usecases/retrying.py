"""Going on after network faults of the passing kind: what is asked again may be answered."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from git_ghost.errors import RemoteError, StillUnreachable

T = TypeVar("T")

FIRST_SECONDS = 1.0
MOST_SECONDS = 30.0
"""The pauses are 1, 2, 4 … 30 s, each shortened by up to a half: many pods start at once."""


class Failed(NamedTuple):
    """An attempt that failed; ``pause`` is the time in seconds until the next."""

    error: RemoteError
    attempt: int
    pause: float


@dataclass(frozen=True)
class Done(Generic[T]):  # a NamedTuple cannot be generic before Python 3.11
    """What came out, and how many attempts it took."""

    result: T
    attempts: int


def _random() -> float:
    return int.from_bytes(os.urandom(4), "big") / 2**32


def retry(
    work: Callable[[], T],
    seconds: float,
    *,
    tell: Callable[[Failed], None] = lambda _: None,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    jitter: Callable[[], float] = _random,
) -> Done[T]:
    """Call ``work`` until it succeeds, or fails otherwise than by a fault that may pass.

    No attempt begins later than ``seconds`` after the first; with 0 there is one. ``tell`` hears of
    each that failed; ``jitter`` gives numbers from 0 to 1. Raises what ``work`` raised, for a fault
    that may pass StillUnreachable (with 0 seconds: that fault).
    """
    began = clock()
    attempt, pause = 1, FIRST_SECONDS
    while True:
        try:
            return Done(work(), attempt)
        except RemoteError as e:
            left = began + seconds - clock()
            if not e.passing or seconds <= 0:
                raise
            if left <= 0:
                raise _given_up(e, attempt, clock() - began) from e
            shortened = min(pause * (1 - jitter() / 2), left)
            tell(Failed(e, attempt, shortened))
            wait(shortened)
        attempt, pause = attempt + 1, min(2 * pause, MOST_SECONDS)


def _given_up(error: RemoteError, attempts: int, seconds: float) -> StillUnreachable:
    times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    return StillUnreachable(
        f"given up after {times} in {seconds:.0f} s: {error.message}",
        f"{error.hint}\nOr give it more time: --retry.".lstrip(),
        passing=True,
    )
