"""What became of the pods of a run: told once each, whatever is heard how often."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from git_ghost.errors import GhostError
from git_ghost.workloads.cluster import events, pods
from git_ghost.workloads.cluster.client import Client
from git_ghost.workloads.cluster.pods import State
from git_ghost.workloads.cluster.resources import POD

INIT_LOG_LINES = 100
"""Lines of the log of a failed init container that are shown."""


class Choice(NamedTuple):
    """Which logs to follow."""

    pods: tuple[str, ...] = ()
    """Names, with ``*`` and ``?``; empty: all."""
    containers: tuple[str, ...] = ()
    """Empty: all that do the work."""
    prefix: bool | None = None
    """Whether each line says whose it is; None: when there may be more than one."""


@dataclass
class Tracked:
    """A pod, as it was last heard of."""

    data: Mapping[str, Any]
    listing: tuple[str, str] = ("", "")
    """The namespace and the label selector it was found by."""
    told: set[str] = field(default_factory=set)
    gone: bool = False
    missing_since: float = 0.0
    """When a listing no longer had it (monotonic seconds); 0 once its deletion was heard of, which
    tells how it ended."""
    hopeless: bool = False
    """Whether waiting cannot help it."""

    @property
    def name(self) -> str:
        return pods.name_of(self.data)

    @property
    def uid(self) -> str:
        return pods.uid_of(self.data)

    def is_done(self) -> bool:
        """Whether nothing runs in it any more."""
        return self.gone or pods.is_over(self.data)

    def once(self, key: str) -> bool:
        """Whether ``key`` is told of for the first time."""
        if key in self.told:
            return False
        self.told.add(key)
        return True


class Failure(NamedTuple):
    """A container that ended with another exit code than 0."""

    pod: str
    container: str
    code: int
    finished: str
    chosen: bool
    rank: int = 0
    """Where the container stands among those of its pod."""


class Tracker:
    """The pods of a run. ``found`` is called for a container whose log can be followed."""

    def __init__(
        self,
        client: Client,
        choice: Choice,
        several: bool,
        listen: events.Listener,
        found: Callable[[Tracked, State], None],
    ) -> None:
        self._client = client
        self._choice = choice
        self._several = several
        self._listen = listen
        self._found = found
        self.known: dict[str, Tracked] = {}
        self.failures: dict[tuple[str, str, int], Failure] = {}
        self.started = False
        """Whether a container that does the work runs, or has run."""

    def listed(self, listing: tuple[str, str], found: Sequence[Mapping[str, Any]]) -> None:
        """All pods there are now of ``listing``; those that are missing were deleted."""
        there = {pods.uid_of(pod) for pod in found}
        for uid, pod in self.known.items():
            if uid not in there and pod.listing == listing:
                pod.missing_since = pod.missing_since if pod.gone else time.monotonic()
                pod.gone = True
        for data in sorted(found, key=lambda one: one["metadata"].get("creationTimestamp") or ""):
            self.heard(listing, data)

    def deleted(self, listing: tuple[str, str], data: Mapping[str, Any]) -> None:
        """A pod is no more; ``data`` is how it was last."""
        self.heard(listing, data)
        pod = self.known[pods.uid_of(data)]
        pod.gone, pod.missing_since = True, 0.0

    def heard(self, listing: tuple[str, str], data: Mapping[str, Any]) -> None:
        """A pod of ``listing`` (a namespace, a label selector) is new, or has changed."""
        uid = pods.uid_of(data)
        if uid in self.known:
            self.known[uid].data = data
        else:
            self._tell_of_replacement(data)
            self.known[uid] = Tracked(data, listing)
        pod = self.known[uid]
        for state in pods.states(data):
            self._look_at(pod, state)
        if not pods.is_going(data):
            self._tell_problems(pod)

    def _tell_of_replacement(self, data: Mapping[str, Any]) -> None:
        if self._several or not self.known:
            return
        last = list(self.known.values())[-1]
        if last.gone or pods.is_going(last.data):
            why = "was deleted"
        elif pods.phase_of(last.data) == "Failed":
            why = "failed"
        else:
            return
        text = f"takes over from {last.name}, which {why}"
        self._listen(events.Restarted(f"pod {pods.name_of(data)}", text))

    def _look_at(self, pod: Tracked, state: State) -> None:
        chosen = self.is_chosen(pod, state)
        if state.init and state.name == pods.PULL_STEP and state.code == 0 and pod.once("pulled"):
            self._listen(_pulled(pod.name, pods.report_of(state)))
        main = not state.init and state.name in pods.containers(pod.data)
        if main and state.has_started:
            self.started = True
            node = str((pod.data.get("spec") or {}).get("nodeName") or "")
            if (
                chosen
                and not state.could_not_start
                and pod.once(f"started {state.name} {state.restarts}")
            ):
                self._listen(events.Started(pod.name, state.name, node))
        if main:
            self._note_failures(pod, state, chosen)
        if chosen and state.has_started:
            self._found(pod, state)

    def _note_failures(self, pod: Tracked, state: State, chosen: bool) -> None:
        if state.code and not pods.is_going(pod.data):
            key = (pod.uid, state.name, state.restarts)
            self.failures.setdefault(key, self._failure(pod, state, state.finished, chosen))
        if state.previous and state.restarts and pod.once(f"again {state.name} {state.restarts}"):
            key = (pod.uid, state.name, state.restarts - 1)
            failure = self._failure(pod, state, state.previously, chosen)
            self.failures.setdefault(key, failure._replace(code=state.previous))
            text = (
                f"container {state.name} ended with exit code {state.previous} and is started"
                f" again (restart {state.restarts})"
            )
            self._listen(events.Restarted(f"pod {pod.name}", text))

    @staticmethod
    def _failure(pod: Tracked, state: State, finished: str, chosen: bool) -> Failure:
        rank = pods.importance(pod.data, state.name)
        return Failure(pod.name, state.name, state.code or 0, finished, chosen, rank)

    def stuck(self, waiting: Collection[str]) -> str:
        """Why none of the workloads of those uids can get any further; empty as long as one may."""
        hopeless = [
            pod
            for pod in self.known.values()
            if pod.hopeless and not pod.gone and not pods.is_going(pod.data)
        ]
        if not hopeless or any(not pod.hopeless for pod in self.going_on()):
            return ""
        owners = {uid for pod in hopeless for uid in pods.owners_of(pod.data)}
        if len(waiting) > 1 and not owners.issuperset(waiting):
            return ""
        return f"pod {hopeless[0].name} will not get any further"

    def is_at_work(self) -> bool:
        """Whether something runs in a pod, be it the pull or another init container."""
        return any(pods.is_at_work(pod.data) for pod in self.going_on())

    def decisive_failure(self, others: Collection[str], said: str) -> Failure | None:
        """What made a workload fail, which ``said`` why; None: not a container.

        It is one that is named there, else the first: others followed suit. Tries that were
        followed by another one do not count, unless there is nothing else; nor do the pods of the
        ``others`` that are followed, by their uids.
        """
        mine = {u: p for u, p in self.known.items() if pods.owners_of(p.data).isdisjoint(others)}
        newest = dict(sorted(one for pod in mine.values() for one in pods.tries_of(pod.data)))
        mine = {u: p for u, p in mine.items() if newest.items() >= set(pods.tries_of(p.data))}
        last: dict[tuple[str, ...], str] = {}
        for uid, pod in mine.items():
            last[pods.place_of(pod.data) or ((uid,) if self._several else ())] = uid
        ended_well = {uid for uid in last.values() if pods.phase_of(mine[uid].data) == "Succeeded"}
        every = [
            failure for uid in mine if uid not in ended_well for failure in self._last_failures(uid)
        ]
        lasting = {pods.name_of(mine[uid].data) for uid in last.values()}
        found = [failure for failure in every if failure.pod in lasting] or every
        found = [failure for failure in found if failure.chosen] or found
        named = [failure for failure in found if failure.pod in re.split(r"[^\w.-]+", said)]
        return min(named or found, key=lambda one: (one.finished or "~", one.rank), default=None)

    def _last_failures(self, uid: str) -> Iterator[Failure]:
        """Of each container of a pod the last run, if it failed."""
        good = {s.name for s in pods.states(self.known[uid].data) if s.code == 0}
        last = {name: one for (its, name, _), one in sorted(self.failures.items()) if its == uid}
        return (failure for name, failure in last.items() if name not in good)

    def is_chosen(self, pod: Tracked, state: State) -> bool:
        """Whether the user wants to hear of that container."""
        patterns = self._choice.pods
        if patterns and not any(fnmatchcase(pod.name, pattern) for pattern in patterns):
            return False
        if self._choice.containers:
            return state.name in self._choice.containers
        return not state.init and state.name in pods.containers(pod.data)

    def is_prefixed(self) -> bool:
        """Whether a line of a log has to say whose it is."""
        if self._choice.prefix is not None:
            return self._choice.prefix
        if self._several:
            return True
        names = self._choice.containers
        if not names and self.known:
            names = tuple(pods.containers(next(iter(self.known.values())).data))
        return len(names) > 1

    def _tell_problems(self, pod: Tracked) -> None:
        pod.hopeless = False
        for problem in pods.problems(pod.data):
            where = f"pod {pod.name}"
            pod.hopeless = pod.hopeless or problem.hopeless
            if not pod.once(problem.key):
                continue
            log = b""
            if problem.failed_init:
                log = self._log_of_init(pod, problem.failed_init)
            self._listen(events.Trouble(where, problem.text, log, problem.hint))

    def _log_of_init(self, pod: Tracked, container: str) -> bytes:
        """The end of the log of an init container that failed; its last words, if that is all."""
        state = next(s for s in pods.states(pod.data) if s.name == container)
        namespace = str(pod.data["metadata"].get("namespace") or "")
        query = [("container", container), ("tailLines", str(INIT_LOG_LINES))]
        if state.phase != "terminated":
            query.append(("previous", "true"))
        doing = f"cannot read the log of {container} in pod {pod.name}"
        try:
            path = POD.path(namespace, pod.name, "log")
            with self._client.stream(path, query, doing, 10.0) as stream:
                return b"".join(stream.chunks())
        except GhostError:
            return state.message.encode()

    def going_on(self) -> list[Tracked]:
        """The pods that may still do something."""
        return [pod for pod in self.known.values() if not pod.is_done()]


def _pulled(pod: str, report: Mapping[str, Any]) -> events.Arrived:
    def number(key: str) -> float:
        value = report.get(key)
        return float(value) if isinstance(value, int | float) else 0.0

    return events.Arrived(
        pod,
        str(report.get("hash") or ""),
        report.get("verified") is True,
        number("seconds"),
        int(number("attempts")) or 1,
    )
