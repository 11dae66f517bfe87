"""The cluster's own warnings (events of the type Warning), told once each."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from git_ghost.workloads.cluster import events, workloads

_MOST = 500
"""Warnings that are kept, in case that what they are about becomes known."""
_TOLD_ELSEWHERE = frozenset(
    "FailedScheduling Failed BackOff Unhealthy InspectFailed BackoffLimitExceeded"
    " DeadlineExceeded Evicted FailedPreStopHook ErrImageNeverPull".split()
)
"""Reasons of warnings that a pod's or a Job's own status tells as well."""


class Warnings:
    """What was warned of, and what of it was told."""

    def __init__(self, listen: events.Listener) -> None:
        self._listen = listen
        self._waiting: deque[Mapping[str, Any]] = deque(maxlen=_MOST)
        self._told: set[tuple[str, str]] = set()

    def hear(self, kind: str, data: Any) -> None:
        """Take what a watcher says. Who may not read events (FAILED) does without."""
        if kind == "LISTED":
            self._waiting.extend(data)
        elif kind in ("ADDED", "MODIFIED"):
            self._waiting.append(data)

    def tell(self, names: Mapping[str, str]) -> None:
        """Tell the warnings about what has one of the ``names``, by uid.

        The others may turn out to be about us, once a pod is known.
        """
        for _ in range(len(self._waiting)):
            warning = self._waiting.popleft()
            about = warning.get("involvedObject") or warning.get("regarding") or {}
            where = names.get(str(about.get("uid")))
            if where is None:
                self._waiting.append(warning)
                continue
            reason = str(warning.get("reason") or "")
            text = workloads.told(reason, warning.get("message") or warning.get("note"))
            if reason not in _TOLD_ELSEWHERE and "failed to sync" not in text:  # it passes
                self.tell_once(where, text)

    def tell_once(self, where: str, text: str) -> None:
        """Tell what was not told before, but for its numbers."""
        key = (where, "".join(c for c in text if not c.isdigit()))
        if key not in self._told:
            self._told.add(key)
            self._listen(events.Trouble(where, text))
