"""Know what objects there are: list them, watch them, and begin again wherever that breaks off."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from git_ghost.errors import GhostError
from git_ghost.workloads.cluster.answers import Answer, Unreachable, explain
from git_ghost.workloads.cluster.client import Client, Query, Stream
from git_ghost.workloads.cluster.resources import Resource

WATCH_SECONDS = 290
"""How long the server is asked to keep a watch; proxies cut off what lasts five minutes."""
SILENCE_SECONDS = 90.0
"""A watch sends a bookmark a minute: one that is silent for longer has lost its connection."""
PAGE = 500
"""Objects in a page of a list."""
_GONE = 410


class Pause:
    """How long to wait before the next attempt: 0.2, 0.4, 0.8 … 10 seconds."""

    FIRST, MOST = 0.2, 10.0

    def __init__(self) -> None:
        self._next = self.FIRST

    def reset(self) -> None:
        """It worked: begin at the shortest pause again."""
        self._next = self.FIRST

    def wait(self, stop: threading.Event) -> bool:
        """Wait, unless ``stop`` is set meanwhile; whether it is."""
        now, self._next = self._next, min(self._next * 2, self.MOST)
        return stop.wait(now)


class Watcher:
    """A thread that tells of every object of a kind that a selector matches.

    ``tell`` is called with ``LISTED`` and all objects first, and after each time the server has
    forgotten where we were (410); else with ``ADDED``, ``MODIFIED``, ``DELETED`` and the object;
    with ``LOST`` and the error when there is no connection (it tries again for ever); with
    ``FAILED`` and the error when it gives up, as the server does not let it.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        namespace: str,
        selector: Query,
        tell: Callable[[str, Any], None],
    ) -> None:
        self._client = client
        self._resource = resource
        self._path = resource.path(namespace)
        self._selector = tuple(selector)
        self._tell = tell
        self._doing = f"cannot watch {resource.plural}"
        self._version = ""
        self._heard = False
        self._stop = threading.Event()
        self._stream: Stream | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"watch-{self._path}")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End soon; nothing is told any more."""
        self._stop.set()
        if (stream := self._stream) is not None:
            stream.stop()

    def _run(self) -> None:
        pause, failures = Pause(), 0
        while not self._stop.is_set():
            began, self._heard = time.monotonic(), False
            try:
                if not self._version:
                    self._list()
                    self._heard = True
                self._watch()
                failures = 0
                if self._heard or time.monotonic() - began > 1:
                    pause.reset()
            except GhostError as e:
                if self._stop.is_set():
                    return
                failures = 0 if self._heard else failures + 1
                if getattr(e, "status", 0) == _GONE:
                    self._version = ""
                elif not isinstance(e, Unreachable):
                    self._tell("FAILED", e)
                    return
                elif self._heard:
                    pause.reset()
                else:  # what we were to hear next may be what breaks the connection
                    self._version = ""
                if failures > 1:
                    self._tell("LOST", e)
            if pause.wait(self._stop):
                return

    def _list(self) -> None:
        found: list[dict[str, Any]] = []
        following = ""
        while True:
            query = [*self._selector, ("limit", str(PAGE))]
            if following:
                query.append(("continue", following))
            page = self._client.get(self._path, query, self._doing)
            found += page.get("items") or ()
            metadata = page.get("metadata") or {}
            following = str(metadata.get("continue") or "")
            if not following:
                break
        for one in found:  # a list leaves out what all of them have in common
            one.setdefault("kind", self._resource.kind)
            one.setdefault("apiVersion", self._resource.api_version)
        self._tell("LISTED", found)
        self._version = str(metadata.get("resourceVersion") or "")

    def _watch(self) -> None:
        query = [
            *self._selector,
            ("watch", "true"),
            ("resourceVersion", self._version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(WATCH_SECONDS)),
        ]
        with self._client.stream(self._path, query, self._doing, SILENCE_SECONDS) as stream:
            self._stream = stream
            try:
                for line in stream.lines():
                    if self._stop.is_set():
                        return
                    if line.strip():
                        self._hear(line)
            finally:
                self._stream = None

    def _hear(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            kind, data = event["type"], event["object"]
        except (ValueError, KeyError, TypeError) as e:  # cut off in the middle
            raise Unreachable(f"{self._doing}: the server's words were cut off") from e
        if kind == "ERROR":
            answer = Answer.of(data)
            if answer.code != _GONE and answer.code < 500:
                raise explain(answer, self._doing, self._client.server)
            raise Unreachable(f"{self._doing}: {answer.message}", status=answer.code)
        self._heard = True
        version = str((data.get("metadata") or {}).get("resourceVersion") or "")
        if kind != "BOOKMARK":
            self._tell(kind, data)
        self._version = version or self._version
