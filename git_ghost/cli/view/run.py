"""What ``git ghost run`` shows: the log on stdout, all else on stderr."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

from git_ghost.cli.view.output import clean, has_color, is_plain, redraw, say, tell

if TYPE_CHECKING:
    from git_ghost.workloads.cluster import events

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAME_SECONDS = 0.1
_DIM = "\x1b[2m"


class StatusLine:
    """One line on the terminal that turns until something else is to be said."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._text = ""
        self._since = 0.0
        self._thread: threading.Thread | None = None
        self._closed = False

    def show(self, text: str) -> None:
        """Show ``text`` with the time it has been standing there."""
        with self._lock:
            self._text, self._since = text, time.monotonic()
        if self._thread is None:
            self._thread = threading.Thread(target=self._turn, daemon=True)
            self._thread.start()

    def hide(self) -> None:
        """Wipe it away, until :meth:`show` is called again."""
        with self._lock:
            if self._text:
                self._text = ""
                redraw("")

    def close(self) -> None:
        """Hide it for good."""
        self.hide()
        self._closed = True

    def _turn(self) -> None:
        dim = _DIM if has_color(sys.stderr) else ""
        step = 0
        while not self._closed:
            with self._lock:
                if self._text:
                    seconds = int(time.monotonic() - self._since)
                    took = f" ({seconds} s)" if seconds >= 3 else ""
                    frame = _FRAMES[step % len(_FRAMES)]
                    redraw(f"{frame} {self._text}{took}", color=dim)
            step += 1
            time.sleep(_FRAME_SECONDS)


class View:
    """Listens to a run; ``quiet`` says only what is wrong."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._status = None if quiet or is_plain(sys.stderr) else StatusLine()
        self._open: tuple[str, str] | None = None
        self._logs = False

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._status:
            self._status.close()
        self._end_line()

    def __call__(self, event: object) -> None:
        """Show what happened."""
        hear = getattr(self, f"_{type(event).__name__.lower()}", None)
        if hear is not None:
            hear(event)

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._make_room()
            say(text)

    def _make_room(self) -> None:
        """Wipe the status; end a line of the log that has no end, where both are on a terminal."""
        if self._status:
            self._status.hide()
        if sys.stdout.isatty():
            self._end_line()

    def _end_line(self) -> None:
        if self._open is not None and sys.stdout.isatty():
            sys.stdout.buffer.write(b"\n")
            sys.stdout.buffer.flush()
            self._open = None

    def _created(self, event: events.Created) -> None:
        one = event.object
        where = f" in namespace {one.namespace}" if one.namespace else ""
        did = "is there already" if one.reused else "created"
        did = "would be created" if event.dry_run and not one.reused else did
        self._say(f"{one.shown} {did}{where}")
        for text in one.warnings:
            self._make_room()
            tell("warning", f"{one.shown}: {text}")

    def _waiting(self, event: events.Waiting) -> None:
        if self._status is None:
            self._say(event.text)
        elif not self._logs or "lost" in event.text or "queued" in event.text:
            self._make_room()
            self._status.show(event.text)

    def _arrived(self, event: events.Arrived) -> None:
        what = f"pulled {event.hash}" if event.hash else "pulled the code"
        proof = ", verified" if event.verified else ""
        took = f" in {event.seconds:.1f} s" if event.seconds else ""
        tries = f", {event.attempts} attempts" if event.attempts > 1 else ""
        self._say(f"pod {event.pod}: {what}{proof}{took}{tries}")

    def _started(self, event: events.Started) -> None:
        node = f" on {event.node}" if event.node else ""
        self._say(f"pod {event.pod}: container {event.container} runs{node}")

    def _restarted(self, event: events.Restarted) -> None:
        self._say(f"{event.where}: {event.text}")

    def _trouble(self, event: events.Trouble) -> None:
        self._make_room()
        tell("warning", f"{event.where}: {event.text}")
        if event.log:
            text = event.log.decode("utf-8", "replace").rstrip("\n")
            say("\n".join(f"  | {line}" for line in text.splitlines()))
        if event.hint:
            tell("hint", event.hint)

    def _output(self, event: events.Output) -> None:
        if self._status:
            self._status.hide()
        self._logs = True
        whose = (event.pod, event.container)
        out = sys.stdout.buffer
        goes_on = self._open == whose
        if self._open is not None and not goes_on:
            out.write(b"\n")
        data = event.data
        if event.prefixed:
            prefix = clean(f"[pod/{event.pod}/{event.container}] ").encode()
            ended = data.endswith(b"\n")
            body = data[:-1] if ended else data
            data = body.replace(b"\n", b"\n" + prefix) + b"\n" * ended
            data = data if goes_on else prefix + data
        out.write(data)
        out.flush()
        self._open = None if data.endswith(b"\n") else whose
