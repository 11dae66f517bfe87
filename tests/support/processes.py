"""Processes that cannot outlive the server that started them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO


class Processes:
    """Starts each process in a process group of its own and can kill them all."""

    def __init__(self, log: Path) -> None:
        """Append the stderr of all processes to `log`."""
        self._log = log
        self._lock = threading.Lock()
        self._live: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    @contextlib.contextmanager
    def running(
        self, argv: Sequence[str], env: dict[str, str], stdin: IO[bytes] | int, stdout: int
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a process for the length of the block, and wait for its end afterwards.

        Raises:
            ConnectionAbortedError: everything is being shut down.

        """
        with self._log.open("ab") as log, self._lock:
            if self._closed:
                raise ConnectionAbortedError("the server is shutting down")
            process = subprocess.Popen(
                argv, env=env, stdin=stdin, stdout=stdout, stderr=log, start_new_session=True
            )
            self._live.add(process)
        try:
            yield process
        finally:
            if process.stdout:
                process.stdout.close()
            process.wait()
            with self._lock:
                self._live.discard(process)

    def kill(self) -> None:
        """Kill what still runs, with its children; nothing can be started any more."""
        with self._lock:
            self._closed = True
            for process in self._live:
                if process.poll() is None:  # not reaped, so the group's id is still its own
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
