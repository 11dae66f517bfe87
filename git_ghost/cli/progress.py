"""What git is doing: a single line on the terminal, once that takes a while, or lines in a log."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

DELAY_SECONDS = 1.0
"""What is quicker needs no progress."""
PAUSE_SECONDS = 0.05
"""The line is not rewritten more often than this."""


class ProgressLine:
    """Call it with a line of progress, from any thread; :meth:`close` wipes it away.

    It only ever speaks when git does, so that it cannot overwrite a question git or ssh asks.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()
        self._next = time.monotonic() + DELAY_SECONDS
        self._shown = False
        self._closed = False

    def __call__(self, text: str) -> None:
        """Show ``text`` instead of what was there, cut to the width of the terminal."""
        with self._lock:
            now = time.monotonic()
            if self._closed or now < self._next:
                return
            self._next = now + PAUSE_SECONDS
            self._shown = True
            plain = "".join(c if c.isprintable() else " " for c in text)
            self._stream.write(f"\r{plain[: self._width() - 1]}\x1b[K")
            self._stream.flush()

    def close(self) -> None:
        """Wipe the line; nothing is shown any more."""
        with self._lock:
            self._closed = True
            if self._shown:
                self._stream.write("\r\x1b[K")
                self._stream.flush()

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except OSError:
            return 80


LINES_SECONDS = 5.0
"""A log gets no more than one line in so long, or one for each phase."""
_ON_THE_SERVER = ("remote: Enumerating", "remote: Counting", "remote: Compressing")
"""Phases that are not worth a line unless they take long."""


class ProgressLines:
    """Call it with a line of progress, from any thread: some of them, whole and plain, for a log.

    What is written at once is a phase that was not heard of for a while; otherwise a line every
    :data:`LINES_SECONDS`.
    """

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._lock = threading.Lock()
        self._last = clock()
        self._phases: dict[str, float] = {}
        self._closed = False

    def __call__(self, text: str) -> None:
        """Write ``text``, if it is its turn."""
        with self._lock:
            now = self._clock()
            phase = text.partition(":")[0] if not text.startswith("remote:") else text[:19]
            heard = self._phases.get(phase)
            self._phases[phase] = now
            new = heard is None and not text.startswith(_ON_THE_SERVER)
            if self._closed or not (new or now - self._last >= LINES_SECONDS):
                return
            self._last = now
            plain = "".join(c if c.isprintable() else " " for c in text)
            self._stream.write(plain + "\n")
            self._stream.flush()

    def close(self) -> None:
        """Nothing is written any more."""
        with self._lock:
            self._closed = True
