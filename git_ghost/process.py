"""Processes and threads under way: started in one way, told about, never left behind."""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Final, Generic, NamedTuple, TypeVar

from git_ghost.errors import GitFailed
from git_ghost.urls import redact_text

Progress = Callable[[str], None]
"""Called with a short line of progress, from any thread."""

T = TypeVar("T")
P = TypeVar("P", bound="Process")

Environment = Mapping[str, str]

_told: Final[list[Callable[[Sequence[str]], None]]] = []
"""Who hears of every command that is started."""


@contextlib.contextmanager
def commands_told(tell: Callable[[Sequence[str]], None]) -> Iterator[None]:
    """Call ``tell`` with the argv of every command that any thread starts inside the block."""
    _told.append(tell)
    try:
        yield
    finally:
        _told.remove(tell)


def start(
    argv: Sequence[str], *, shown: Sequence[str] | None = None, **options: Any
) -> subprocess.Popen[bytes]:
    """Start ``argv``, with the options of :class:`subprocess.Popen`, and tell those who listen.

    They hear ``shown`` instead, where arguments may be secrets.
    """
    told(argv if shown is None else shown)
    return subprocess.Popen(argv, **options)


def told(argv: Sequence[str]) -> None:
    """Tell those who listen that ``argv`` is started."""
    for tell in tuple(_told):
        tell(argv)


_AT_ONCE: Final = 4096
"""Bytes that an empty pipe takes without blocking, on Linux and macOS."""

_GRACE: Final = 2.0
"""Seconds to wait for the end of stderr after git's: a daemon it started may hold it open."""


_SAID: Final = 1 << 17
"""Bytes of stderr that are kept: its end, where errors are."""

_PATIENCE: Final = 5.0
"""Seconds to wait for what was told to end."""


SILENT: Final = "not a sign of life in"
"""What is added to stderr when a :class:`Watch` ends a command."""


class Watch(NamedTuple):
    """Ends a command that gives no sign of life, on stderr or elsewhere, for ``seconds``."""

    seconds: float
    variables: Environment
    """What makes the command give signs; ``{}`` stands for the file it is to write them to."""
    until: re.Pattern[bytes]
    """The watch is over when this has been said, on stderr or there."""
    at_once: bool = True
    """Whether it begins with the command, and not with the first sign."""


class _Guard:
    """A :class:`Watch` on duty over one command."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._signs, self.end = os.pipe()
        self._signed = False
        self._on_duty = watch.at_once
        self._torn = b""

    def variables(self) -> Environment:
        return {
            name: value.format(f"/dev/fd/{self.end}")
            for name, value in self.watch.variables.items()
        }

    def wait(self, descriptor: int) -> bool:
        """Wait for something to read from ``descriptor``; False when the silence was too long."""
        while True:
            given = [descriptor, self._signs] if self._signs >= 0 else [descriptor]
            ready = select.select(given, (), (), self.watch.seconds if self._on_duty else None)[0]
            if not ready:
                self._on_duty = False
                return False
            if self._signs in ready:
                signs = os.read(self._signs, 65536)
                self._on_duty |= not self._signed
                self._signed = True
                self.look(signs)
                if not signs:
                    self.close()
            if descriptor in ready:
                return True

    def look(self, said: bytes) -> None:
        """End the watch if what ends it was said."""
        self._torn = (self._torn + said)[-256:] if len(said) < 256 else said
        if self._on_duty and self.watch.until.search(self._torn):
            self._on_duty = False

    def close(self) -> None:
        if self._signs >= 0:
            os.close(self._signs)
            self._signs = -1


class Stopped(Exception):
    """A background task that was stopped tried to start another command."""


class _Scope:
    """What one thread has under way, so that another can end all of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: dict[Process | Background[Any], None] = {}
        self._closed = False

    def add(self, thing: Process | Background[Any]) -> bool:
        """Take note of ``thing``; False when it is too late for it."""
        with self._lock:
            if not self._closed:
                self._live[thing] = None
            return not self._closed

    def discard(self, thing: Process | Background[Any]) -> None:
        with self._lock:
            self._live.pop(thing, None)

    def stop(self, *, for_good: bool) -> None:
        with self._lock:
            self._closed = self._closed or for_good
            live = list(self._live)
        for thing in live:
            thing.end()


class _Here(threading.local):
    def __init__(self) -> None:
        self.scope = _Scope()


_here = _Here()


def stop_all() -> None:
    """End every command and background task the current thread still has under way.

    Called where a private folder is about to go: nobody may write to it any more.
    """
    _here.scope.stop(for_good=False)


class Process:
    """A command under way: read :attr:`stdout` or call :meth:`result`; it is never left behind.

    Use it as a context manager where anything may fail in between: leaving the block ends it.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: str | None,
        env: Environment,
        stdin: bytes | IO[bytes] | None = None,
        stdout: int | IO[bytes] = subprocess.PIPE,
        progress: Progress | None = None,
        keep: Sequence[int] = (),
        buffering: int = -1,
        watch: Watch | None = None,
    ) -> None:
        """Start ``argv``.

        ``stdin`` is bytes to feed or a file to read from; ``stdout`` a file to write to instead of
        the pipe; ``progress`` hears its lines on stderr; ``keep`` are file descriptors the command
        inherits; ``buffering`` 0 lets a part of the output be read here and the rest be handed on;
        ``watch`` bounds its silence. Raises OSError when it cannot be started.
        """
        self.argv = list(argv)
        self.status = -1
        feed: bytes | None = None
        source: int | IO[bytes] = subprocess.DEVNULL
        if isinstance(stdin, bytes):
            feed, source = stdin, subprocess.PIPE
        elif stdin is not None:
            source = stdin
        self._guard = None if watch is None else _Guard(watch)
        try:
            self._process = start(
                self.argv,
                cwd=cwd,
                env=env if self._guard is None else {**env, **self._guard.variables()},
                stdin=source,
                stdout=stdout,
                stderr=subprocess.PIPE,
                pass_fds=(*keep, self._guard.end) if self._guard else tuple(keep),
                bufsize=buffering,
            )
        finally:
            if self._guard is not None:
                os.close(self._guard.end)
        self._said: list[bytes] = []
        self._progress = progress
        self._failure: BaseException | None = None
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        if feed is not None and len(feed) > _AT_ONCE:
            self._threads.append(threading.Thread(target=self._feed, args=(feed,), daemon=True))
        for thread in self._threads:
            thread.start()
        if feed is not None and len(feed) <= _AT_ONCE:
            self._feed(feed)
        self._scope = _here.scope
        if not self._scope.add(self):
            self.stop()
            raise Stopped

    @property
    def stdout(self) -> IO[bytes]:
        """Its standard output, to read from or to give to the next command."""
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def is_silent(self) -> bool:
        """Whether it runs and has said nothing on stderr yet."""
        return not self._said and self._process.poll() is None

    def _feed(self, data: bytes) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        # A command that ends early breaks the pipe; its exit status tells why.
        with contextlib.suppress(BrokenPipeError), pipe:
            pipe.write(data)

    def _listen(self) -> None:
        pipe = self._process.stderr
        assert pipe is not None
        torn = b""
        with pipe:
            for chunk in self._chunks(pipe.fileno()):
                self._said.append(chunk)
                if self._progress is not None:
                    # Whole lines only: in half a URL a password would not be recognised.
                    *lines, torn = re.split(rb"[\r\n]", torn + chunk)
                    if whole := [line for line in lines if line.strip()]:
                        self._tell(self._progress, whole[-1])

    def _chunks(self, descriptor: int) -> Iterator[bytes]:
        """What it says on stderr; its guard ends it when that, and all else, is too little."""
        guard = self._guard
        while True:
            if guard is not None and not guard.wait(descriptor):
                self._process.terminate()
                yield f"\n{SILENT} {guard.watch.seconds:g} s\n".encode()
                continue
            chunk = os.read(descriptor, 65536)
            if guard is not None:
                guard.look(chunk)
            if not chunk:
                break
            yield chunk
        if guard is not None:
            guard.close()

    def _tell(self, progress: Progress, line: bytes) -> None:
        try:
            progress(redact_text(line.decode("utf-8", "replace").strip()))
        except BaseException as e:  # wait() raises it; until then git must be listened to
            self._progress, self._failure = None, e

    def _join(self) -> None:
        threads, self._threads = self._threads, []  # once: the grace is not given twice
        deadline = time.monotonic() + _GRACE
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def wait(self) -> tuple[int, str]:
        """Its exit status and what it said on stderr, credentials in URLs left out.

        Raises what the progress callback raised.
        """
        try:
            self._process.wait()
            self._join()
        except BaseException:
            self.stop()
            raise
        self._scope.discard(self)
        if self._failure is not None:
            raise self._failure
        said = b"".join(self._said)
        if len(said) > _SAID:  # a torn line could begin inside a password
            said = said[-_SAID:].partition(b"\n")[2]
        return self._process.returncode, redact_text(said.decode("utf-8", "replace"))

    def result(self, ok: Iterable[int] = (0,)) -> bytes:
        """All its output; raises GitFailed when its exit status is not in ``ok``."""
        try:
            out = self._process.stdout.read() if self._process.stdout else b""
        except BaseException:
            self.stop()
            raise
        if self._process.stdout:
            self._process.stdout.close()
        self.status, said = self.wait()
        if self.status not in ok:
            raise GitFailed(self.argv, self.status, said)
        return out

    def end(self) -> None:
        """End the process; for any thread. Who runs the command sees it fail."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        # Its helpers (git-remote-https, index-pack, ssh) share its stderr, whose end is theirs.
        self._join()

    def stop(self) -> None:
        """End it now if it still runs, and let go of it."""
        if self._process.stdout is not None and not self._process.stdout.closed:
            self._process.stdout.close()
        self.end()
        self._scope.discard(self)

    def __enter__(self: P) -> P:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


class Background(Generic[T]):
    """A function under way in a thread of its own; :meth:`get` waits and hands on what it did.

    Who started it ends it when it is no longer wanted (:func:`stop_all`); one that is ``apart`` may
    go on until the process ends, and nobody waits for it.
    """

    def __init__(self, work: Callable[[], T], *, apart: bool = False) -> None:
        self._work = work
        self._outcome: T
        self._failure: BaseException | None = None
        self._owner, self._scope = _here.scope, _Scope()
        self._thread = threading.Thread(target=self._run, daemon=True)
        if not (apart or self._owner.add(self)):
            raise Stopped
        self._thread.start()

    def _run(self) -> None:
        _here.scope = self._scope
        try:
            self._outcome = self._work()
        except BaseException as e:  # handed on by get()
            self._failure = e
        finally:
            self._scope.stop(for_good=True)

    @property
    def is_under_way(self) -> bool:
        """Whether it is still at work."""
        return self._thread.is_alive()

    def get(self) -> T:
        """Its result; raises what it raised."""
        self._thread.join()
        self._owner.discard(self)
        if self._failure is not None:
            raise self._failure
        return self._outcome

    def end(self) -> None:
        """Stop the commands it has under way and wait for its end; for any thread."""
        self._scope.stop(for_good=True)
        self._thread.join(_PATIENCE)
        self._owner.discard(self)
