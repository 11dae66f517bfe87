"""Signals that end the process: by an exception while there is work under way, else at once.

Loaded before anything else, so it must load next to nothing itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_WORDS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "terminated",
}


class Terminated(BaseException):
    """SIGTERM or SIGHUP, as an exception: what is temporary is cleaned up on the way out."""

    def __init__(self, number: int = signal.SIGTERM) -> None:
        super().__init__(number)
        self.number = number


def leave_at_once() -> None:
    """Let a signal end the process with a word: nothing is under way, or any more."""
    for number in _WORDS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, _leave)


def raise_errors() -> None:
    """Let SIGINT raise KeyboardInterrupt, SIGTERM and SIGHUP :class:`Terminated`."""
    for number in _WORDS:
        if signal.getsignal(number) != signal.SIG_IGN:
            handler = signal.default_int_handler if number == signal.SIGINT else _terminate
            signal.signal(number, handler)
    sys.unraisablehook = _raise_again


def _leave(number: int, _frame: FrameType | None) -> None:
    with contextlib.suppress(OSError):  # nobody listens
        os.write(2, f"error: {_WORDS[signal.Signals(number)]}\n".encode())
    os._exit(128 + number)


def _terminate(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # cleaning up is not to be interrupted in its turn
    raise Terminated(number)


def _raise_again(lost: sys.UnraisableHookArgs) -> None:
    """Raise later what a signal raised where Python would only print it: in a ``__del__``."""
    error = lost.exc_value
    if not isinstance(error, KeyboardInterrupt | Terminated):
        sys.__unraisablehook__(lost)
        return

    def raise_it(_number: int, _frame: FrameType | None) -> None:
        raise error

    signal.signal(signal.SIGALRM, raise_it)
    signal.setitimer(signal.ITIMER_REAL, 0.001)  # seconds
