"""What a call is doing, told to whoever listens for as long as it is done."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Final

from git_ghost.process import Process, Progress

_PAUSE_SECONDS: Final = 0.25
"""What is being done is told again after so long."""
_PROGRESS: Final = re.compile(r"remote: |[A-Z][a-z]+(?: [a-z]+)*: +[0-9]")


class Activity:
    """Tells a :data:`Progress` what is done now: when it changes, and by itself inside its block.

    ``is_asking`` tells whether ssh may be asking the user something, whose line on the terminal is
    then not to be overwritten. For the same reason nothing is told while a git command that talks
    to a server has not spoken itself: what it asks for, a password, it asks before.
    """

    def __init__(
        self, progress: Progress | None = None, is_asking: Callable[[], bool] = lambda: False
    ) -> None:
        self._progress = progress
        self._is_asking = is_asking
        self._what: Callable[[float], str] | None = None
        self._since = 0.0
        self._silent: list[Process] = []
        self._failure: BaseException | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def progress(self) -> Progress | None:
        """Who is to hear git's own lines; None when nobody listens."""
        return None if self._progress is None else self.hear

    def now(self, what: str) -> None:
        """Something begins that has no figures: told with the seconds it takes.

        Raises what the listener raised.
        """
        self.count(lambda seconds: f"{what}: {seconds:.0f} s")

    def count(self, what: Callable[[float], str]) -> None:
        """Something begins: ``what`` gives its line, after so many seconds. Raises as above."""
        if self._failure is not None:
            raise self._failure
        self._what, self._since = what, time.monotonic()

    def wait_for(self, running: Process, *, instead: bool) -> None:
        """Tell nothing before ``running`` has spoken; ``instead``: nothing else is under way."""
        if self._progress is not None:
            self._silent.append(running)
            self._what = None if instead else self._what

    def hear(self, line: str) -> None:
        """git says how it gets on."""
        assert self._progress is not None
        if line.startswith("Total "):  # all is sent, says `git push`
            self.now("Waiting for the server")
        elif _PROGRESS.match(line):
            self._what, self._since = (lambda seconds: _waiting(line, seconds)), time.monotonic()
        else:
            return
        self._progress(line)

    def __enter__(self) -> Activity:
        if self._progress is not None and self._thread is None:
            self._thread = threading.Thread(target=self._go_on_telling, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _go_on_telling(self) -> None:
        assert self._progress is not None
        while not self._ended.wait(_PAUSE_SECONDS):
            for running in [one for one in self._silent if not one.is_silent]:
                self._silent.remove(running)
            what, seconds = self._what, time.monotonic() - self._since
            if what is None or self._silent or self._is_asking():
                continue
            try:
                self._progress(what(seconds))
            except BaseException as e:  # for the call's own thread
                self._failure = e
                return


def _waiting(line: str, seconds: float) -> str:
    return f"{line} ({seconds:.0f} s)" if seconds >= 2 else line
