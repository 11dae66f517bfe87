"""Follow what was created to its end: pods, logs, troubles, and the exit code."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from git_ghost.errors import GhostError
from git_ghost.model import RUN_LABEL
from git_ghost.workloads.cluster import events, pods, workloads
from git_ghost.workloads.cluster.answers import Unreachable
from git_ghost.workloads.cluster.client import Client
from git_ghost.workloads.cluster.create import Created
from git_ghost.workloads.cluster.logs import Log
from git_ghost.workloads.cluster.pods import State
from git_ghost.workloads.cluster.resources import EVENT, POD
from git_ghost.workloads.cluster.tracking import Choice, Tracked, Tracker
from git_ghost.workloads.cluster.watching import Watcher

NO_CODE = 125
"""The exit code of what ended without one of its own."""
TIMED_OUT = 124
"""As timeout(1) has it."""

EVENTS_AFTER = 1.0
"""Seconds without a running container after which the cluster's warnings are listened to."""
DRAIN_SECONDS = 30.0
"""How long the rest of a log may be silent once its container has ended."""
MOST_LOGS = 60
"""Logs that are followed at the same time; the others come when one of them has ended."""
_WAITING_LINES = 1000
_BEHIND_SECONDS = 1.0
"""How long after a failed attempt the pods of what has ended are looked at again, and how long the
watch may lag behind a listing."""

_TOLD_ELSEWHERE = frozenset(
    "FailedScheduling Failed BackOff Unhealthy InspectFailed BackoffLimitExceeded"
    " DeadlineExceeded Evicted FailedPreStopHook ErrImageNeverPull".split()
)
"""Reasons of warnings that a pod's or a Job's own status tells as well."""


class Limits(NamedTuple):
    """Seconds; 0: no limit."""

    whole: float = 0.0
    """Until the end of what is followed."""
    start: float = 0.0
    """Until the first container runs; time in a queue does not count."""


class Outcome(NamedTuple):
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


class _Message(NamedTuple):
    """What a thread says: about a pod, a workload, the cluster's warnings, or a log."""

    about: str
    kind: str
    data: Any
    key: Any = None


class Follower:
    """One run under way; :meth:`follow` returns at its end."""

    def __init__(
        self,
        client: Client,
        followed: Sequence[Created],
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
        self._ends: dict[str, Outcome] = {}
        self._run = run
        self._limits = limits
        self._listen = listen
        self._messages: queue.Queue[_Message] = queue.Queue(_WAITING_LINES)
        several = len(followed) > 1 or any(workloads.expects_several(o.data) for o in followed)
        self._several = several
        self._tracker = Tracker(client, choice, several, listen, self._found)
        self._watchers: list[Watcher] = []
        self._logs: dict[tuple[str, str], Log] = {}
        self._live: set[tuple[str, str]] = set()
        self._queued: deque[tuple[Tracked, str]] = deque()
        self._many = False
        self._stopped = threading.Event()
        self._began = time.monotonic()
        self._idle_since: float | None = self._began
        """Since when pods are waited for: nothing runs, and nothing is in a queue."""
        self._status = ""
        self._listens_to_warnings = False
        self._warnings: deque[Mapping[str, Any]] = deque(maxlen=500)
        self._warned: set[tuple[str, str]] = set()
        self._lost = False
        self._behind = False
        """Whether the pods are still to be looked at, after the end of a workload."""

    def follow(self) -> Outcome:
        """Until the end, or until a limit. Raises GhostError where the server does not let us."""
        try:
            self._tell_what_never_ends()
            self._start_watchers()
            while True:
                self._say_what_is_waited_for()
                if (outcome := self._outcome()) is not None:
                    return outcome
                self._handle_next()
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

    def _listings(self, one: Created) -> list[tuple[str, str]]:
        """Where a workload's pods are: namespaces and label selectors."""
        selectors = (f"{RUN_LABEL}={self._run}", workloads.other_pods(one.data))
        return [(one.namespace, labels) for labels in selectors if labels]

    def _watch(
        self, about: str, resource: Any, namespace: str, selector: tuple[str, str], key: Any
    ) -> None:
        def tell(kind: str, data: Any) -> None:
            self._put(_Message(about, kind, data, key))

        watcher = Watcher(self._client, resource, namespace, [selector], tell)
        self._watchers.append(watcher)
        watcher.start()

    def _put(self, message: _Message) -> None:
        """Hand a message to the loop; never waits for ever for one that has ended."""
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self._messages.put(message, timeout=1.0)
                return

    def _stop(self) -> None:
        self._stopped.set()
        for watcher in self._watchers:
            watcher.stop()
        for log in self._logs.values():
            log.stop()

    # --- logs ------------------------------------------------------------------------------------

    def _found(self, pod: Tracked, state: State) -> None:
        """A container of a pod runs, or has run: see to its log."""
        key = (pod.uid, state.name)
        ended = state.phase == "terminated" and _stays_ended(pod.data, state)
        if (log := self._logs.get(key)) is not None:
            log.restarted(state.restarts)
            if ended:
                log.over()
        elif len(self._live) < MOST_LOGS:
            self._start_log(pod, state, ended)
        elif pod.once(f"queued {state.name}"):
            self._queued.append((pod, state.name))
            self._tell_of_many()

    def _tell_of_many(self) -> None:
        if not self._many:
            self._many = True
            text = f"{MOST_LOGS} logs are shown at the same time; others come when one has ended"
            where, hint = next(iter(self._workloads.values())).shown, "--pod NAME chooses."
            self._listen(events.Trouble(where, text, b"", hint))

    def _start_log(self, pod: Tracked, state: State, ended: bool) -> None:
        key = (pod.uid, state.name)

        def deliver(data: bytes | None) -> None:
            self._put(_Message("log", "", data, (key, pod.name)))

        def fail(error: GhostError) -> None:
            self._put(_Message("log", "FAILED", error, (key, pod.name)))

        namespace = str(pod.data["metadata"].get("namespace") or "")
        log = Log(
            self._client, namespace, pod.name, state.name, deliver, fail,
            restartable=state.init or pods.is_restarted(pod.data, state),
        )  # fmt: skip
        self._logs[key] = log
        self._live.add(key)
        if ended:
            log.over()
        log.start(state.restarts)

    def _hear_log(self, message: _Message) -> None:
        (key, pod), data = message.key, message.data
        if isinstance(data, GhostError):
            self._listen(events.Trouble(f"pod {pod}", data.message, b"", data.hint))
        elif data is not None:
            prefixed = self._tracker.is_prefixed()
            self._listen(events.Output(pod, key[1], data, prefixed))
        else:
            self._live.discard(key)
            if self._queued:
                waiting, name = self._queued.popleft()
                for state in pods.states(waiting.data):
                    if state.name == name:
                        self._found(waiting, state)

    # --- messages --------------------------------------------------------------------------------

    def _handle_next(self) -> None:
        try:
            self._handle(self._messages.get(timeout=self._patience()))
        except queue.Empty:
            return

    def _handle(self, message: _Message) -> None:
        if message.about == "log":
            self._hear_log(message)
        elif message.kind == "LOST":
            self._tell_lost(message.data)
        elif message.about == "warning":
            self._hear_warnings(message)
        elif message.kind == "FAILED":
            raise message.data
        else:
            self._lost = False
            hear = self._hear_pods if message.about == "pod" else self._hear_workload
            hear(message)
            self._match_warnings()

    def _hear_pods(self, message: _Message) -> None:
        tracker = self._tracker
        if message.kind == "LISTED":
            tracker.listed(message.key, message.data)
            ended = {uid for uid, pod in tracker.known.items() if pod.is_done()}
        else:
            hear = tracker.deleted if message.kind == "DELETED" else tracker.heard
            hear(message.key, message.data)
            uid = pods.uid_of(message.data)
            ended = {uid} if tracker.known[uid].is_done() else set()
        for (uid, _), log in self._logs.items() if ended else ():
            if uid in ended:
                log.over()

    def _hear_workload(self, message: _Message) -> None:
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
            self._ends.setdefault(uid, Outcome(NO_CODE, f"{shown} was deleted", gone=True))
            return
        self._latest[uid] = data
        if refused := workloads.refused(data):
            self._warn_once(self._workloads[uid].shown, refused)

    def _tell_lost(self, error: GhostError) -> None:
        if not self._lost:
            self._lost = True
            self._listen(events.Waiting(f"connection lost, trying again: {error.message}"))

    # --- the cluster's warnings ------------------------------------------------------------------

    def _hear_warnings(self, message: _Message) -> None:
        if message.kind == "LISTED":
            self._warnings.extend(message.data)
        elif message.kind in ("ADDED", "MODIFIED"):
            self._warnings.append(message.data)
        self._match_warnings()

    def _match_warnings(self) -> None:
        """Tell the warnings that are about us; the others may turn out to be, once a pod is known.

        Who may not read events (FAILED) does without.
        """
        names = {uid: one.shown for uid, one in self._workloads.items()}
        names |= {uid: f"pod {pod.name}" for uid, pod in self._tracker.known.items()}
        for _ in range(len(self._warnings)):
            warning = self._warnings.popleft()
            about = warning.get("involvedObject") or warning.get("regarding") or {}
            where = names.get(str(about.get("uid")))
            if where is None:
                self._warnings.append(warning)
                continue
            reason = str(warning.get("reason") or "")
            text = workloads.told(reason, warning.get("message") or warning.get("note"))
            if reason not in _TOLD_ELSEWHERE and "failed to sync" not in text:  # it passes
                self._warn_once(where, text)

    def _warn_once(self, where: str, text: str) -> None:
        """Tell what was not told before, but for its numbers."""
        key = (where, "".join(c for c in text if not c.isdigit()))
        if key not in self._warned:
            self._warned.add(key)
            self._listen(events.Trouble(where, text))

    # --- time ------------------------------------------------------------------------------------

    def _patience(self) -> float:
        """Seconds until something is due by the clock."""
        now = time.monotonic()
        due = [now + (_BEHIND_SECONDS if self._behind else 30.0)]
        if self._limits.whole:
            due.append(self._began + self._limits.whole)
        if self._limits.start and self._idle_since is not None:
            due.append(self._idle_since + self._limits.start)
        if not self._listens_to_warnings:
            due.append(self._began + EVENTS_AFTER)
        return max(0.01, min(due) - now)

    def _say_what_is_waited_for(self) -> None:
        if not (self._listens_to_warnings or self._tracker.started):
            if time.monotonic() - self._began >= EVENTS_AFTER:
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

    def _is_idle_too_long(self, now: float) -> bool:
        """Whether the time to start is over; that in a queue, or while something runs, is free."""
        if self._tracker.started or self._queue() or self._tracker.is_at_work():
            self._idle_since = None
            return False
        if self._idle_since is None:
            self._idle_since = now
        return 0 < self._limits.start <= now - self._idle_since

    # --- the end ---------------------------------------------------------------------------------

    def _outcome(self) -> Outcome | None:
        now = time.monotonic()
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
            return Outcome(NO_CODE, why)
        if self._limits.whole and now - self._began >= self._limits.whole:
            return Outcome(TIMED_OUT, f"not done after {self._limits.whole:g} s")
        if not self._is_idle_too_long(now):
            return None
        return Outcome(NO_CODE, f"nothing runs after {self._limits.start:g} s: {self._status}")

    def _catch_up(self, one: Created) -> bool:
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
            self._handle(_Message("pod", "LISTED", found.get("items") or [], listing))
        late = time.monotonic() - _BEHIND_SECONDS
        return all(pod.missing_since <= late for pod in self._tracker.known.values())

    def _end(self, one: Created, end: workloads.End) -> Outcome:
        why = f": {end.text}" if end.text else ""
        if end.succeeded:
            return Outcome(0, f"{one.shown} succeeded")
        failure = self._tracker.decisive_failure(self._workloads.keys() - {one.uid}, end.text)
        if failure is None:
            return Outcome(NO_CODE, f"{one.shown} failed{why}")
        return Outcome(failure.code, f"{one.shown} failed{why}", failure.pod, failure.container)

    def _drain(self) -> None:
        """Let the logs come to their ends; what goes on (a Ray cluster) is not listened to."""
        for key, log in self._logs.items():
            if self._goes_on(*key):
                log.stop()
            log.over()
        silent_since = time.monotonic()
        while self._live and time.monotonic() - silent_since < DRAIN_SECONDS:
            try:
                message = self._messages.get(timeout=0.5)
            except queue.Empty:
                continue
            if message.about == "log":
                silent_since = time.monotonic()
                self._hear_log(message)
                for log in self._logs.values():
                    log.over()
        for uid, container in self._live:
            name = self._tracker.known[uid].name
            text = f"the end of the log of container {container} could not be read"
            self._listen(events.Trouble(f"pod {name}", text))

    def _goes_on(self, uid: str, container: str) -> bool:
        pod = self._tracker.known[uid]
        running = (s.name for s in pods.states(pod.data) if s.phase == "running")
        return not pod.gone and not pods.is_going(pod.data) and container in running


def _first(ends: Mapping[str, Outcome]) -> Outcome:
    return next(iter(ends.values()))


def _stays_ended(pod: Mapping[str, Any], state: State) -> bool:
    """Whether a container of the pod that has ended is not started again."""
    return not pods.is_restarted(pod, state) or pods.is_over(pod) or pods.is_going(pod)
