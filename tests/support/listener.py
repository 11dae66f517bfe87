"""A loopback port that serves each connection in its own thread."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable

_JOIN_SECONDS = 5


class Listener:
    """Listens from construction to `close`.

    The kernel queues connections from the first moment on, so nobody needs to wait for it.
    """

    def __init__(
        self, handle: Callable[[socket.socket], None], port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        """Call `handle` with each connection, which `handle` has to close; port 0 is any port."""
        self._handle = handle
        self._socket = socket.create_server((host, port))
        self.port: int = self._socket.getsockname()[1]
        self.connections = 0
        """How many connections were accepted so far."""
        self._wake, self._waker = socket.socketpair()
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Take no more connections; idempotent."""
        self._waker.close()
        self._accepting.join()
        self._socket.close()
        self._wake.close()

    def join(self) -> None:
        """Wait until the handlers are done, for a bounded time."""
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while all(key.fileobj is not self._wake for key, _ in selector.select()):
                connection, _ = self._socket.accept()
                self.connections += 1
                thread = threading.Thread(target=self._handle, args=[connection], daemon=True)
                self._threads.append(thread)
                thread.start()
