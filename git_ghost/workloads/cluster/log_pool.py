"""The logs of a run that are followed at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any

from git_ghost.errors import GhostError
from git_ghost.workloads.cluster import events, pods
from git_ghost.workloads.cluster.client import Client
from git_ghost.workloads.cluster.inbox import Message, MessageQueue
from git_ghost.workloads.cluster.logs import Log
from git_ghost.workloads.cluster.pods import State
from git_ghost.workloads.cluster.tracking import Tracked

MOST_LOGS = 60
"""Logs that are followed at the same time; the others come when one of them has ended."""

Key = tuple[str, str]
"""Uid of a pod, name of a container."""


class LogPool:
    """The logs, each a thread of its own; what they read comes back through the inbox."""

    def __init__(
        self, client: Client, inbox: MessageQueue, listen: events.Listener, where: str
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._listen = listen
        self._where = where
        """What the run is called."""
        self._logs: dict[Key, Log] = {}
        self.live: set[Key] = set()
        """Those that have not come to their end."""
        self._queued: deque[tuple[Tracked, str]] = deque()
        self._many = False

    def found(self, pod: Tracked, state: State) -> None:
        """A container of a pod runs, or has run: see to its log."""
        key = (pod.uid, state.name)
        ended = state.phase == "terminated" and _stays_ended(pod.data, state)
        if (log := self._logs.get(key)) is not None:
            log.restarted(state.restarts)
            if ended:
                log.over()
        elif len(self.live) < MOST_LOGS:
            self._start(pod, state, ended)
        elif pod.once(f"queued {state.name}"):
            self._queued.append((pod, state.name))
            self._tell_of_many()

    def _tell_of_many(self) -> None:
        if not self._many:
            self._many = True
            text = f"{MOST_LOGS} logs are shown at the same time; others come when one has ended"
            self._listen(events.Trouble(self._where, text, b"", "--pod NAME chooses."))

    def _start(self, pod: Tracked, state: State, ended: bool) -> None:
        key = (pod.uid, state.name)

        def deliver(data: bytes | None) -> None:
            self._inbox.put(Message("log", "", data, (key, pod.name)))

        def fail(error: GhostError) -> None:
            self._inbox.put(Message("log", "FAILED", error, (key, pod.name)))

        namespace = str(pod.data["metadata"].get("namespace") or "")
        log = Log(
            self._client, namespace, pod.name, state.name, deliver, fail,
            restartable=state.init or pods.is_restarted(pod.data, state),
        )  # fmt: skip
        self._logs[key] = log
        self.live.add(key)
        if ended:
            log.over()
        log.start(state.restarts)

    def hear(self, message: Message, *, prefixed: bool) -> None:
        """Pass on what a log says; at its end, begin with one that waits."""
        (key, pod), data = message.key, message.data
        if isinstance(data, GhostError):
            self._listen(events.Trouble(f"pod {pod}", data.message, b"", data.hint))
        elif data is not None:
            self._listen(events.Output(pod, key[1], data, prefixed))
        else:
            self.live.discard(key)
            if self._queued:
                waiting, name = self._queued.popleft()
                for state in pods.states(waiting.data):
                    if state.name == name:
                        self.found(waiting, state)

    def end_with(self, ended: Collection[str]) -> None:
        """The pods of those uids have ended: what their logs have now is all."""
        for (uid, _), log in self._logs.items() if ended else ():
            if uid in ended:
                log.over()

    def finish(self, goes_on: Callable[[str, str], bool] = lambda *_: False) -> None:
        """Let all come to their ends; what ``goes_on`` is not listened to any more."""
        for key, log in self._logs.items():
            if goes_on(*key):
                log.stop()
            log.over()

    def stop(self) -> None:
        """End all, wherever they are."""
        for log in self._logs.values():
            log.stop()


def _stays_ended(pod: Mapping[str, Any], state: State) -> bool:
    """Whether a container of the pod that has ended is not started again."""
    return not pods.is_restarted(pod, state) or pods.is_over(pod) or pods.is_going(pod)
