"""Follow what was created to its end: pods, logs, troubles, and the exit code."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from git_ghost.errors import GhostError
from git_ghost.model import RUN_LABEL
from git_ghost.workloads.cluster import events, pods, workloads
from git_ghost.workloads.cluster.answers import Unreachable
from git_ghost.workloads.cluster.client import Client
from git_ghost.workloads.cluster.create import CreatedObject
from git_ghost.workloads.cluster.event_warnings import Warnings
from git_ghost.workloads.cluster.inbox import Message, MessageQueue
from git_ghost.workloads.cluster.limits import Clock, Limits
from git_ghost.workloads.cluster.log_pool import LogPool
from git_ghost.workloads.cluster.resources import EVENT, POD
from git_ghost.workloads.cluster.tracking import Choice, Tracker
from git_ghost.workloads.cluster.watching import Watcher

NO_CODE = 125
"""The exit code of what ended without one of its own."""
TIMED_OUT = 124
"""As timeout(1) has it."""

EVENTS_AFTER = 1.0
"""Seconds without a running container after which the cluster's warnings are listened to."""
DRAIN_SECONDS = 30.0
"""How long the rest of a log may be silent once its container has ended."""
_BEHIND_SECONDS = 1.0
"""How long after a failed attempt the pods of what has ended are looked at again, and how long the
watch may lag behind a listing."""


class RunEnd(NamedTuple):
    """How it ended."""

    code: int
    """The exit code: the container's own, 0, 124 or 125."""
    text: str
    """In words."""
    pod: str = ""
    container: str = ""
    """What the exit code comes from."""
    gone: bool = False
    """Whether somebody deleted it."""
    lost: bool = False
    """Whether it goes on, as far as we know: it could not be followed any longer."""


class Follower:
    """One run under way; :meth:`follow` returns at its end."""

    def __init__(
        self,
        client: Client,
        followed: Sequence[CreatedObject],
        run: str,
        choice: Choice,
        limits: Limits,
        listen: events.Listener,
    ) -> None:
        self._client = client
        self._workloads = {one.uid: one for one in followed}
        self._latest: dict[str, Mapping[str, Any]] = {one.uid: one.data for one in followed}
        self._awaited = {o.uid for o in followed if workloads.ends(o.data)} or {*self._workloads}
        """What ends the run when it has ended: what serves others does not, unless it is alone."""
        self._ends: dict[str, RunEnd] = {}
        self._run = run
        self._limits = limits
        self._clock = Clock(limits)
        self._listen = listen
        self._inbox = MessageQueue()
        self._logs = LogPool(client, self._inbox, listen, followed[0].shown)
        self._warnings = Warnings(listen)
        several = len(followed) > 1 or any(workloads.expects_several(o.data) for o in followed)
        self._tracker = Tracker(client, choice, several, listen, self._logs.found)
        self._watchers: list[Watcher] = []
        self._status = ""
        self._listens_to_warnings = False
        self._lost = False
        self._behind = False
        """Whether the pods are still to be looked at, after the end of a workload."""

    def follow(self) -> RunEnd:
        """Until the end, or until a limit. Raises GhostError where the server does not let us."""
        try:
            self._tell_what_never_ends()
            self._start_watchers()
            while True:
                self._say_what_is_waited_for()
                if (outcome := self._outcome()) is not None:
                    return outcome
                if message := self._inbox.get(self._patience()):
                    self._handle(message)
        finally:
            self._stop()

    def _tell_what_never_ends(self) -> None:
        for one in self._workloads.values():
            if one.resource == POD and pods.serves(one.data) and one.uid in self._awaited:
                text = "its containers are started again whenever they end (restartPolicy: Always)"
                hint = "With restartPolicy: Never in the manifest the run ends when the pod has."
                self._listen(events.Trouble(one.shown, text, b"", hint))

    # --- threads ---------------------------------------------------------------------------------

    def _start_watchers(self) -> None:
        for one in self._workloads.values():
            name = ("fieldSelector", f"metadata.name={one.name}")
            self._watch("workload", one.resource, one.namespace, name, one.uid)
        listings = {each for one in self._workloads.values() for each in self._listings(one)}
        for namespace, labels in sorted(listings):
            self._watch("pod", POD, namespace, ("labelSelector", labels), (namespace, labels))

    def _listings(self, one: CreatedObject) -> list[tuple[str, str]]:
        """Where a workload's pods are: namespaces and label selectors."""
        selectors = (f"{RUN_LABEL}={self._run}", workloads.other_pods(one.data))
        return [(one.namespace, labels) for labels in selectors if labels]

    def _watch(
        self, about: str, resource: Any, namespace: str, selector: tuple[str, str], key: Any
    ) -> None:
        def tell(kind: str, data: Any) -> None:
            self._inbox.put(Message(about, kind, data, key))

        watcher = Watcher(self._client, resource, namespace, [selector], tell)
        self._watchers.append(watcher)
        watcher.start()

    def _stop(self) -> None:
        self._inbox.close()
        for watcher in self._watchers:
            watcher.stop()
        self._logs.stop()

    # --- messages --------------------------------------------------------------------------------

    def _handle(self, message: Message) -> None:
        if message.about == "log":
            self._logs.hear(message, prefixed=self._tracker.is_prefixed())
        elif message.kind == "LOST":
            self._tell_lost(message.data)
        elif message.about == "warning":
            self._warnings.hear(message.kind, message.data)
            self._tell_warnings()
        elif message.kind == "FAILED":
            raise message.data
        else:
            self._lost = False
            hear = self._hear_pods if message.about == "pod" else self._hear_workload
            hear(message)
            self._tell_warnings()

    def _hear_pods(self, message: Message) -> None:
        tracker = self._tracker
        if message.kind == "LISTED":
            tracker.listed(message.key, message.data)
            ended = {uid for uid, pod in tracker.known.items() if pod.is_done()}
        else:
            hear = tracker.deleted if message.kind == "DELETED" else tracker.heard
            hear(message.key, message.data)
            uid = pods.uid_of(message.data)
            ended = {uid} if tracker.known[uid].is_done() else set()
        self._logs.end_with(ended)

    def _hear_workload(self, message: Message) -> None:
        uid = message.key
        if message.kind == "LISTED":
            data = next((o for o in message.data if o["metadata"].get("uid") == uid), None)
        else:
            same = message.data["metadata"].get("uid") == uid
            if not same:
                return
            data = None if message.kind == "DELETED" else message.data
        if data is None:
            last = message.data if message.kind == "DELETED" else self._latest[uid]
            if workloads.end_of(last) is not None:  # cleared away after its end
                self._latest[uid] = last
                return
            shown = self._workloads[uid].shown
            self._ends.setdefault(uid, RunEnd(NO_CODE, f"{shown} was deleted", gone=True))
            return
        self._latest[uid] = data
        if refused := workloads.refused(data):
            self._warnings.tell_once(self._workloads[uid].shown, refused)

    def _tell_lost(self, error: GhostError) -> None:
        if not self._lost:
            self._lost = True
            self._listen(events.Waiting(f"connection lost, trying again: {error.message}"))

    def _tell_warnings(self) -> None:
        names = {uid: one.shown for uid, one in self._workloads.items()}
        names |= {uid: f"pod {pod.name}" for uid, pod in self._tracker.known.items()}
        self._warnings.tell(names)

    # --- time ------------------------------------------------------------------------------------

    def _patience(self) -> float:
        """Seconds until something is due by the clock."""
        due = [_BEHIND_SECONDS if self._behind else 30.0, *self._clock.left()]
        if not self._listens_to_warnings:
            due.append(EVENTS_AFTER - self._clock.seconds())
        return max(0.01, min(due))

    def _say_what_is_waited_for(self) -> None:
        if not (self._listens_to_warnings or self._tracker.started):
            if self._clock.seconds() >= EVENTS_AFTER:
                self._listens_to_warnings = True
                for namespace in {one.namespace for one in self._workloads.values()}:
                    warnings = ("fieldSelector", "type=Warning")
                    self._watch("warning", EVENT, namespace, warnings, namespace)
        elif not self._listens_to_warnings and self._tracker.started:
            self._listens_to_warnings = True  # there is no need
        text = self._what_is_waited_for()
        if text and text != self._status and not self._lost:
            self._status = text
            self._listen(events.Waiting(text))

    def _what_is_waited_for(self) -> str:
        if queued := self._queue():
            return queued
        if self._tracker.started:
            return ""
        going = self._tracker.going_on()
        return pods.what_is_waited_for(going[-1].data) if going else "waiting for a pod"

    def _queue(self) -> str:
        """What holds the run back before it starts; empty when nothing does."""
        for data in self._latest.values():
            if queued := workloads.queued(data):
                return queued
        going = () if self._tracker.started else self._tracker.going_on()
        return "queued (the pod is gated)" if any(pods.is_gated(p.data) for p in going) else ""

    def _is_idle(self) -> bool:
        """Whether pods are waited for; not in a queue, nor while something runs."""
        return not (self._tracker.started or self._queue() or self._tracker.is_at_work())

    # --- the end ---------------------------------------------------------------------------------

    def _outcome(self) -> RunEnd | None:
        for uid, data in self._latest.items():
            end = workloads.end_of(data)
            if end is None or uid in self._ends:
                continue
            self._behind = not self._catch_up(self._workloads[uid])
            if not self._behind:
                self._ends[uid] = self._end(self._workloads[uid], end)
        if self._awaited <= self._ends.keys():
            self._drain()
            return next((end for end in self._ends.values() if end.code), _first(self._ends))
        if why := self._tracker.stuck(self._awaited - self._ends.keys()):
            return RunEnd(NO_CODE, why)
        if self._clock.is_over():
            return RunEnd(TIMED_OUT, f"not done after {self._limits.whole:g} s")
        if not self._clock.is_idle_too_long(idle=self._is_idle()):
            return None
        return RunEnd(NO_CODE, f"nothing runs after {self._limits.start:g} s: {self._status}")

    def _catch_up(self, one: CreatedObject) -> bool:
        """See the last state of the pods: their watch may lag behind that of the workload.

        False, when the server cannot be reached now, and as long as the watch may still tell how a
        pod ended that the listing no longer has.
        """
        for listing in self._listings(one):
            namespace, labels = listing
            query = [("labelSelector", labels)]
            try:
                found = self._client.get(POD.path(namespace), query, "cannot list pods")
            except Unreachable as e:
                self._tell_lost(e)
                return False
            self._handle(Message("pod", "LISTED", found.get("items") or [], listing))
        late = time.monotonic() - _BEHIND_SECONDS
        return all(pod.missing_since <= late for pod in self._tracker.known.values())

    def _end(self, one: CreatedObject, end: workloads.End) -> RunEnd:
        why = f": {end.text}" if end.text else ""
        if end.succeeded:
            return RunEnd(0, f"{one.shown} succeeded")
        failure = self._tracker.decisive_failure(self._workloads.keys() - {one.uid}, end.text)
        if failure is None:
            return RunEnd(NO_CODE, f"{one.shown} failed{why}")
        return RunEnd(failure.code, f"{one.shown} failed{why}", failure.pod, failure.container)

    def _drain(self) -> None:
        """Let the logs come to their ends; what goes on (a Ray cluster) is not listened to."""
        self._logs.finish(self._goes_on)
        silent_since = time.monotonic()
        while self._logs.live and time.monotonic() - silent_since < DRAIN_SECONDS:
            message = self._inbox.get(0.5)
            if message is not None and message.about == "log":
                silent_since = time.monotonic()
                self._logs.hear(message, prefixed=self._tracker.is_prefixed())
                self._logs.finish()
        for uid, container in self._logs.live:
            name = self._tracker.known[uid].name
            text = f"the end of the log of container {container} could not be read"
            self._listen(events.Trouble(f"pod {name}", text))

    def _goes_on(self, uid: str, container: str) -> bool:
        pod = self._tracker.known[uid]
        running = (s.name for s in pods.states(pod.data) if s.phase == "running")
        return not pod.gone and not pods.is_going(pod.data) and container in running


def _first(ends: Mapping[str, RunEnd]) -> RunEnd:
    return next(iter(ends.values()))
