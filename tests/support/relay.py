"""A TCP relay on loopback that makes the network slow, or breaks it.

`python -m tests.support.relay --target 127.0.0.1:PORT --delay-ms 25` runs one for benchmarks: it
prints the port it listens on, then serves until it is terminated.
"""

from __future__ import annotations

import argparse
import contextlib
import queue
import signal
import socket
import threading
import time
from collections.abc import Iterator
from types import TracebackType

from tests.support.listener import Listener

_BLOCK = 1 << 16
_CONNECT_SECONDS = 10


class Relay:
    """Passes bytes on between clients of `port` and a target, late or not at all.

    Latency, not bandwidth: each block is passed on `delay_ms` after it came, no matter how many
    are under way. A connection's opening costs what TCP's handshake would: the target sees it
    three delays after the client asked, and the client waits for it with its first answer.

    The attributes hold for connections made after they were set, so that a test can lose the
    first connection and let the second live.
    """

    def __init__(
        self,
        target_port: int,
        *,
        target_host: str = "127.0.0.1",
        port: int = 0,
        delay_ms: float = 0.0,
        cut_up: int | None = None,
        cut_down: int | None = None,
        stalls: bool = False,
    ) -> None:
        """Listen on `port` (0: any). Delays are one-way, in milliseconds.

        Args:
            target_port: where to pass connections on to.
            target_host: the host of that port.
            port: where to listen.
            delay_ms: added to every block, in each direction.
            cut_up: lose a connection after so many bytes from client to target.
            cut_down: lose a connection after so many bytes from target to client.
            stalls: keep such a connection open, and pass nothing on any more.

        """
        self.target = (target_host, target_port)
        self.delay_ms = delay_ms
        self.cut_up = cut_up
        self.cut_down = cut_down
        self.stalls = stalls
        self.bytes_up = 0
        """Passed on from clients to the target so far."""
        self.bytes_down = 0
        """Passed on from the target to clients so far."""
        self.cuts = 0
        """Connections lost on purpose so far."""
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = Listener(self._handle, port)
        self.port = self._listener.port

    @property
    def connections(self) -> int:
        """How many connections clients have made so far."""
        return self._listener.connections

    def close(self) -> None:
        """Stop listening and break all connections."""
        self._listener.close()
        self._closed.set()
        with self._lock:
            for connection in self._open:
                _shut(connection, socket.SHUT_RDWR)
        self._listener.join()

    def __enter__(self) -> Relay:
        """Return the relay, which has been listening since it was made."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop relaying."""
        self.close()

    def _handle(self, client: socket.socket) -> None:
        delay = self.delay_ms / 1000
        cut_up, cut_down = self.cut_up, self.cut_down
        with client, self._tracked(client), _Lane(client, delay) as up:
            if self._closed.wait(3 * delay):
                return
            try:
                server = socket.create_connection(self.target, timeout=_CONNECT_SECONDS)
            except OSError:
                return  # the client sees its connection closed
            server.settimeout(None)
            with server, self._tracked(server), _Lane(server, delay) as down:
                args = (up, server, cut_up, "bytes_up")
                sending = threading.Thread(target=self._pass_on, args=args, daemon=True)
                sending.start()
                self._pass_on(down, client, cut_down, "bytes_down")
                sending.join()

    def _pass_on(self, lane: _Lane, to: socket.socket, cut: int | None, counter: str) -> None:
        left = cut
        while block := lane.next_block(self._closed):
            lost = left is not None and len(block) >= left
            block = block[:left] if lost else block
            with self._lock:  # before the block is seen at the other end
                setattr(self, counter, getattr(self, counter) + len(block))
                self.cuts += lost
            try:
                to.sendall(block)
            except OSError:  # nobody listens there: tell the reading side
                _shut(lane.source, socket.SHUT_RD)
                return
            left = left - len(block) if left is not None else None
            if lost and self.stalls:
                self._closed.wait()
            if lost:
                _shut(to, socket.SHUT_RDWR)
                _shut(lane.source, socket.SHUT_RDWR)
                return
        _shut(to, socket.SHUT_WR)

    @contextlib.contextmanager
    def _tracked(self, connection: socket.socket) -> Iterator[None]:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.add(connection)
        if self._closed.is_set():
            _shut(connection, socket.SHUT_RDWR)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)


class _Lane:
    """What a socket has said, each block with the time when it is due at the other side."""

    def __init__(self, source: socket.socket, delay: float) -> None:
        self.source = source
        self._delay = delay
        self._blocks: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def next_block(self, closed: threading.Event) -> bytes:
        """Wait until the next block is due; it is empty at the end."""
        due, block = self._blocks.get()
        closed.wait(max(0.0, due - time.monotonic()))
        return block

    def _read(self) -> None:
        block = b"-"
        while block:
            try:
                block = self.source.recv(_BLOCK)
            except OSError:
                block = b""
            self._blocks.put((time.monotonic() + self._delay, block))

    def __enter__(self) -> _Lane:
        return self

    def __exit__(self, *_: object) -> None:
        _shut(self.source, socket.SHUT_RDWR)
        self._reader.join()  # before the socket is closed and its number used again


def _shut(connection: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):  # it may be gone already
        connection.shutdown(how)


def main() -> None:
    """Run a relay until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.relay",
        description="A TCP relay on 127.0.0.1 that adds latency or loses connections.",
    )
    parser.add_argument("--target", required=True, metavar="[HOST:]PORT")
    parser.add_argument("--port", type=int, default=0, help="where to listen; default: any")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="one-way latency")
    parser.add_argument("--cut-up", type=int, metavar="N", help="lose connections after N bytes up")
    parser.add_argument("--cut-down", type=int, metavar="N", help="... after N bytes down")
    options = parser.parse_args()
    host, _, port = options.target.rpartition(":")
    endings = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, endings)  # before threads exist: they inherit it
    with Relay(
        int(port),
        target_host=host or "127.0.0.1",
        port=options.port,
        delay_ms=options.delay_ms,
        cut_up=options.cut_up,
        cut_down=options.cut_down,
    ) as relay:
        print(relay.port, flush=True)  # noqa: T201 - the ready line
        signal.sigwait(endings)


if __name__ == "__main__":
    main()
