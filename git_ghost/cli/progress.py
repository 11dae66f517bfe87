"""A single line on the terminal that tells what git is doing, once that takes a while."""

from __future__ import annotations

import os
import sys
import threading
import time
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
