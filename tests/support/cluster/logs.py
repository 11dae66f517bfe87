"""What containers print, kept and handed out as a kubelet does it: line by line, with times."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import NamedTuple


class Line(NamedTuple):
    """A line; only the last one may lack its end, and only once the container has ended."""

    nanoseconds: int
    data: bytes

    @property
    def stamp(self) -> bytes:
        """The time, as `timestamps=true` shows it."""
        seconds, rest = divmod(self.nanoseconds, 10**9)
        moment = datetime.fromtimestamp(seconds, timezone.utc)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09d}Z ".encode()


class Ask(NamedTuple):
    """Which part of a log is wanted."""

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: float | None = None
    """Seconds since the epoch."""


class ContainerLog:
    """The log of one run of one container."""

    def __init__(self) -> None:
        """Begin empty."""
        self._changed = threading.Condition()
        self._lines: list[Line] = []
        self._partial = b""
        self.ended = False

    def write(self, data: bytes) -> None:
        """Take what the container printed; lines that are not complete wait for their end."""
        *lines, partial = (self._partial + data).split(b"\n")
        with self._changed:
            self._partial = partial
            moment = time.time_ns()
            self._lines += (Line(moment, line + b"\n") for line in lines)
            self._changed.notify_all()

    def end(self) -> None:
        """Say that nothing more will come."""
        with self._changed:
            if self._partial:
                self._lines.append(Line(time.time_ns(), self._partial))
                self._partial = b""
            self.ended = True
            self._changed.notify_all()

    def tail(self, lines: int, size: int) -> bytes:
        """Return the end of the log: what a termination message falls back to."""
        with self._changed:
            return b"".join(line.data for line in self._lines[-lines:])[-size:]

    def read(self, ask: Ask, stop: threading.Event) -> Iterator[bytes]:
        """Yield what is wanted line by line, until the container ends or `stop` is set."""
        with self._changed:
            lines = [n for n, line in enumerate(self._lines) if _is_since(line, ask.since)]
            at = lines[0] if lines else len(self._lines)
            if ask.tail_lines is not None:
                at = max(at, len(self._lines) - ask.tail_lines)
        while not stop.is_set():
            with self._changed:
                if at >= len(self._lines):
                    if self.ended or not ask.follow:
                        return
                    self._changed.wait(0.2)
                    continue
                line = self._lines[at]
            at += 1
            if _is_since(line, ask.since):
                yield (line.stamp if ask.timestamps else b"") + line.data


def _is_since(line: Line, since: float | None) -> bool:
    return since is None or line.nanoseconds >= since * 10**9
