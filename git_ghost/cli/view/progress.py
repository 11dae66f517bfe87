"""What git is doing: a single line on the terminal, once that takes a while, or lines in a log."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

from git_ghost.cli.view.output import redraw, say

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
            redraw(text, self._stream)

    def wipe(self) -> None:
        """Make room for a line of somebody else's."""
        with self._lock:
            if self._shown:
                self._shown = False
                redraw("", self._stream)

    def close(self) -> None:
        """Wipe the line; nothing is shown any more."""
        with self._lock:
            self._closed = True
        self.wipe()


LINES_SECONDS = 5.0
"""A log gets no more than one line in so long, or one for each phase."""
_PROGRESS = re.compile(r"(?:remote: )?([A-Z][a-z]+(?: [a-z0-9]+)*): +[0-9]|waiting for ")
"""What git says when it tells progress, and we do; the rest of what it says is no news."""
_PREPARING = ("Enumerating objects", "Counting objects", "Compressing objects")
"""Phases on the server, which are not worth a line unless they take long."""


class ProgressLines:
    """Call it with a line of progress, from any thread: some of them, whole and plain, for a log.

    A phase that was not heard of for a while is told at once, others every :data:`LINES_SECONDS`.
    """

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._lock = threading.Lock()
        self._written = clock()
        self._heard: dict[str, float] = {}
        self._closed = False

    def __call__(self, text: str) -> None:
        """Write ``text``, if it is its turn."""
        match = _PROGRESS.match(text)
        if match is None:
            return
        with self._lock:
            now, phase = self._clock(), match[1] or text
            since = now - self._heard.get(phase, now - LINES_SECONDS)
            self._heard[phase] = now
            begins = since >= LINES_SECONDS and phase not in _PREPARING
            if self._closed or not (begins or now - self._written >= LINES_SECONDS):
                return
            self._written = now
            say(text, self._stream)

    def close(self) -> None:
        """Nothing is written any more."""
        with self._lock:
            self._closed = True
