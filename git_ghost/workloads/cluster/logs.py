"""A container's log, byte for byte, across dropped connections and restarts of the container."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from datetime import datetime

from git_ghost.errors import GhostError
from git_ghost.workloads.cluster.answers import Refused, Unreachable
from git_ghost.workloads.cluster.client import Client, Stream
from git_ghost.workloads.cluster.resources import POD
from git_ghost.workloads.cluster.watching import Pause

SILENCE_SECONDS = 300.0
"""A log may well be silent; after this time it is asked for anew, lest the connection be dead."""
LONG_LINE = 1 << 16
"""Bytes of a line that has no end yet that are kept back."""
LAST_TRIES, LAST_PAUSE = 20, 1.0
"""How often, and with how many seconds between, a log is asked for without anything new coming,
once its container has ended."""

_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


class Position:
    """How much of a log has been delivered, in the server's own time stamps.

    The log is asked for with a stamp before each line. After a break it is asked for again from the
    newest second, and what was delivered is left out: of each stamp as many lines as there were,
    and the beginning of a line that had no end yet. Stamps are in no strict order: a container's
    stdout and stderr are stamped apart.
    """

    def __init__(self) -> None:
        self._stamp = b""  # one of the newest second
        self._counts: dict[bytes, int] = {}  # lines delivered of that second, by their stamps
        self._current = b""
        self._delivered = self._seen = 0
        self._rest = b""
        self._in_line = False
        self._stamped: bool | None = None
        self._skipping = False
        self._left: dict[bytes, int] = {}

    def since(self) -> str:
        """``sinceTime`` for the next request; empty: from the beginning."""
        return _second(self._stamp) if self._stamped and self._stamp else ""

    def resume(self) -> None:
        """A new response begins."""
        self._rest, self._in_line, self._seen = b"", False, 0
        self._skipping = bool(self._stamp)
        self._left = dict(self._counts)

    def begin_anew(self) -> None:
        """The container was started again: its stamps go on, but bytes are counted from none."""
        if not self._stamped:
            self._delivered = 0

    def take(self, chunk: bytes) -> bytes:
        """What of ``chunk`` is new, without stamps; an unfinished line is kept back."""
        data = self._rest + chunk
        if self._stamped is None and (b" " in data or b"\n" in data or len(data) > 64):
            self._stamped = _STAMP.match(data) is not None
        if not self._stamped:
            if self._stamped is None:
                self._rest = data
                return b""
            self._rest = b""
            return self._unstamped(data)
        *lines, self._rest = data.split(b"\n")
        new = []
        for line in lines:
            piece = self._line(line)
            if piece is not None:
                new.append(piece + b"\n")
        if len(self._rest) > LONG_LINE:
            new.append(self._begun(self._rest))
            self._rest = b""
        return b"".join(new)

    def finish(self) -> bytes:
        """What was kept back, once no more comes: the last line may have no end."""
        rest, self._rest = self._rest, b""
        if not rest:
            return b""
        if self._stamped is None:
            self._stamped = _STAMP.match(rest) is not None
        return self._line(rest) or b"" if self._stamped else self._unstamped(rest)

    def _unstamped(self, data: bytes) -> bytes:
        """From a server that knows no stamps: the whole log is like one line."""
        return self._fresh(data)

    def _line(self, line: bytes) -> bytes | None:
        """The new part of a whole line; None when all of it was delivered."""
        text = self._text(line)
        if text is None:
            return None
        new = self._fresh(text)
        self._in_line, self._delivered, self._seen = False, 0, 0
        if self._current:
            self._counts[self._current] = self._counts.get(self._current, 0) + 1
        return new

    def _begun(self, line: bytes) -> bytes:
        """The new part of a line that goes on."""
        text = self._text(line)
        if text is None:
            return b""
        self._in_line = True
        return self._fresh(text)

    def _text(self, line: bytes) -> bytes | None:
        """``line`` without its stamp; None when it is one that was delivered."""
        if self._in_line:
            return line
        stamp, _, text = line.partition(b" ")
        if not _STAMP.fullmatch(stamp):  # words of the kubelet's own, or what follows a known line
            self._current = b""
            return None if self._skipping else line
        if self._skipping and self._known(stamp):
            return None
        if stamp[:19] != self._stamp[:19] and _key(stamp) > _key(self._stamp):
            self._stamp = stamp
            self._counts.clear()
        self._current = stamp
        return text

    def _known(self, stamp: bytes) -> bool:
        if self._left.get(stamp, 0):
            self._left[stamp] -= 1
            return True
        if stamp[:19] != self._stamp[:19] and _key(stamp) < _key(self._stamp):
            return True  # the server sends all of it, whatever it is asked for
        self._skipping = False
        return False

    def _fresh(self, text: bytes) -> bytes:
        """What of the next bytes of the line was not delivered before the last break."""
        known = max(self._delivered - self._seen, 0)
        self._seen += len(text)
        self._delivered = max(self._delivered, self._seen)
        return text[known:]


def _key(stamp: bytes) -> float:
    """The second of a stamp, which stamps of any zone are ordered by."""
    match = _STAMP.match(stamp)
    if match is None:
        return 0.0
    zone = match[3].decode().replace("Z", "+00:00")
    return datetime.fromisoformat(match[1].decode() + zone).timestamp()


def _second(stamp: bytes) -> str:
    match = _STAMP.match(stamp)
    return (match[1] + match[3]).decode() if match else ""


class Log:
    """A thread that delivers the log of one container until it is over.

    ``deliver`` is called with bytes; with None at the end. ``fail`` is called with the error when
    the log cannot be read. A container that is ``restartable`` may have a new log at any time.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        pod: str,
        container: str,
        deliver: Callable[[bytes | None], None],
        fail: Callable[[GhostError], None],
        *,
        restartable: bool,
    ) -> None:
        self._client = client
        self._pod_path = POD.path(namespace, pod)
        self._restartable = restartable
        self._path = POD.path(namespace, pod, "log")
        self._container = container
        self._doing = f"cannot read the log of {container} in pod {pod}"
        self._deliver = deliver
        self._fail = fail
        self._over = threading.Event()
        self._stop = threading.Event()
        self._news = threading.Event()
        self._position = Position()
        self._progress = False
        self._stream: Stream | None = None
        self._restarts = 0
        self._followed = 0
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"log-{pod}")

    def start(self, restarts: int) -> None:
        """Begin; the container has been started again that many times."""
        self._restarts, self._followed = restarts, max(restarts - 1, 0)
        self._thread.start()

    def restarted(self, restarts: int) -> None:
        """The container has been started again."""
        if restarts > self._restarts:
            self._restarts = restarts
            self._news.set()

    def over(self) -> None:
        """The container has ended and is not started again: what is there is all."""
        self._over.set()
        self._news.set()

    def stop(self) -> None:
        """End soon; nothing is delivered any more."""
        self._stop.set()
        self.over()
        if (stream := self._stream) is not None:
            stream.stop()

    def _run(self) -> None:
        try:
            if self._read_all():
                self._finish()
        except GhostError as e:
            self._fail(e)
        finally:
            self._deliver(None)

    def _finish(self) -> None:
        """Deliver what was kept back, in case the line would still get its end."""
        if rest := self._position.finish():
            self._deliver(rest)

    def _read_all(self) -> bool:
        """Read until the log is complete; whether it is."""
        pause, tries, broken = Pause(), LAST_TRIES, True
        while not self._stop.is_set():
            self._news.clear()
            self._progress = False
            complete = self._over.is_set()  # known before, so that nothing is missed between
            try:
                if self._restarts > self._followed:
                    self._read_rest_of_previous()
                self._read(("follow", "true"))
                if self._restarts > self._followed:
                    continue
                broken = False
                if complete:
                    return True
            except Unreachable:
                broken = True
                tries = LAST_TRIES if self._progress else tries - complete
                if not tries:
                    raise
            except Refused as e:
                if e.status == 404 and broken:
                    text = f"{self._doing} to its end: the pod is gone, and its log with it"
                    raise Refused(text, status=404) from e
                if e.status == 404 or (complete and e.status == 400):
                    return True
                if e.status != 400:  # 400: the container is not there yet
                    raise
            if self._progress:
                pause.reset()
            if complete:
                self._stop.wait(Pause.FIRST if self._progress else LAST_PAUSE)
            else:
                pause.wait(self._news)
        return False

    def _read_rest_of_previous(self) -> None:
        """Deliver what is left of the run before this one."""
        before, self._followed = self._followed, self._restarts
        try:
            with contextlib.suppress(Refused):  # it is not kept
                self._read(("previous", "true"))
        except Unreachable:
            self._followed = before
            raise
        self._finish()
        self._position.begin_anew()

    def _read(self, which: tuple[str, str]) -> None:
        """Deliver what one request gives.

        A node's kubelet that was started a moment ago does not know its pods yet. It says 404 too,
        but not in the API server's words for a pod that is gone.
        """
        try:
            self._read_once(which)
        except Refused as e:
            if e.status == 404 and e.reason == "NoKind":
                raise Unreachable(f"{self._doing}: its node does not know the pod yet") from e
            raise

    def _read_once(self, which: tuple[str, str]) -> None:
        position = self._position
        position.resume()
        query = [("container", self._container), ("timestamps", "true"), which]
        if since := position.since():
            query.append(("sinceTime", since))
        with self._client.stream(self._path, query, self._doing, SILENCE_SECONDS) as stream:
            self._stream = stream
            try:
                if self._restartable and self._is_of_another_run():
                    return
                for chunk in stream.chunks():
                    if self._stop.is_set():
                        return
                    if new := position.take(chunk):
                        self._progress = True
                        self._deliver(new)
            finally:
                self._stream = None

    def _is_of_another_run(self) -> bool:
        """Whether the log that has just been opened may be that of a later run than we think.

        A log does not say which run of the container it is of. The pod tells how many there were
        afterwards: if that is no more than we know of, it is of the one we know.
        """
        status = self._client.get(self._pod_path, doing=self._doing).get("status") or {}
        both = [*(status.get("initContainerStatuses") or ()), *status.get("containerStatuses", ())]
        for one in both:
            if one.get("name") == self._container:
                self.restarted(int(one.get("restartCount") or 0))
        return self._restarts > self._followed
