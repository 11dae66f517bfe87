"""What the threads of a run tell its loop."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Any, NamedTuple

_WAITING = 1000
"""Messages that may wait; a thread with another one waits as well."""


class Message(NamedTuple):
    """What a thread says: about a ``pod``, a ``workload``, the cluster's ``warning``, a ``log``."""

    about: str
    kind: str
    """As :class:`~git_ghost.workloads.cluster.watching.Watcher` has it; empty: a piece of a log."""
    data: Any
    key: Any = None


class MessageQueue:
    """The messages, in the order they came."""

    def __init__(self) -> None:
        self._messages: queue.Queue[Message] = queue.Queue(_WAITING)
        self._closed = threading.Event()

    def put(self, message: Message) -> None:
        """Hand a message to the loop; never waits for ever for one that has ended."""
        while not self._closed.is_set():
            with contextlib.suppress(queue.Full):
                self._messages.put(message, timeout=1.0)
                return

    def get(self, seconds: float) -> Message | None:
        """The next message; None when none comes for so long."""
        try:
            return self._messages.get(timeout=seconds)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Nobody reads it any more."""
        self._closed.set()
