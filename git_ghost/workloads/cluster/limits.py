"""The time a run may take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple


class Limits(NamedTuple):
    """Seconds; 0: no limit."""

    whole: float = 0.0
    """Until the end of what is followed."""
    start: float = 0.0
    """Until the first container runs; time in a queue does not count."""


class Clock:
    """How long a run has taken, and how long it has waited for pods."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._began = time.monotonic()
        self._idle_since: float | None = self._began
        """Since when nothing runs, and nothing is in a queue."""

    def seconds(self) -> float:
        """How long it has taken."""
        return time.monotonic() - self._began

    def is_over(self) -> bool:
        """Whether it has taken as long as it may."""
        return 0 < self._limits.whole <= self.seconds()

    def is_idle_too_long(self, *, idle: bool) -> bool:
        """Whether the time to start is over, ``idle`` being whether it goes on."""
        if not idle:
            self._idle_since = None
            return False
        now = time.monotonic()
        if self._idle_since is None:
            self._idle_since = now
        return 0 < self._limits.start <= now - self._idle_since

    def left(self) -> Iterator[float]:
        """Seconds until each limit is over."""
        now = time.monotonic()
        if self._limits.whole:
            yield self._began + self._limits.whole - now
        if self._limits.start and self._idle_since is not None:
            yield self._idle_since + self._limits.start - now
