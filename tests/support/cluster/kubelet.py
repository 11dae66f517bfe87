"""The node: one thread for each pod, from waiting for a node to the end of its containers."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.support.cluster import status
from tests.support.cluster.kinds import Kinds, Object
from tests.support.cluster.logs import Ask, ContainerLog
from tests.support.cluster.podrun import PodRun
from tests.support.cluster.store import Store

_DONE = ("Succeeded", "Failed")


class Kubelet:
    """Runs all pods of the cluster."""

    def __init__(self, root: Path, store: Store, kinds: Kinds, backoff: float) -> None:
        """Keep pods' files below `root`; wait `backoff` seconds before a container's restart."""
        self._root = root
        self._store = store
        self._kinds = kinds
        self.backoff = backoff
        self.runs: dict[str, PodRun] = {}
        """By the pod's uid; those that ended stay, with their logs."""

    def look(self) -> None:
        """Take on pods that are new, and tell the others what became of theirs."""
        pods = {p["metadata"]["uid"]: p for p in self._store.all(self._kinds.named("Pod"))}
        for uid, pod in pods.items():
            if uid not in self.runs and pod["status"].get("phase") not in _DONE:
                run = PodRun(pod, self._root, self._store, self._kinds, self.backoff)
                self.runs[uid] = run
                run.start()
        for uid, run in self.runs.items():
            run.look(pods.get(uid))

    def stop(self) -> None:
        """Kill everything, and wait for it."""
        for run in self.runs.values():
            run.look(None)
        for run in self.runs.values():
            run.join(10)

    def log(
        self, namespace: str, name: str, query: dict[str, str], stop: threading.Event
    ) -> Iterator[bytes]:
        """Return a container's log.

        Raises:
            ApiError: there is no such pod or container, or it has no log yet.

        """
        pod = self._store.get(self._kinds.named("Pod"), namespace, name)
        container = query.get("container") or _only_container(pod)
        if container not in _names(pod, "containers") + _names(pod, "initContainers"):
            raise status.bad_request(f"container {container} is not valid for pod {name}")
        run = self.runs.get(pod["metadata"]["uid"])
        logs = run.logs.get(container, []) if run else []
        log = self._choose(logs, query.get("previous") == "true", container, name)
        if log is None:
            raise status.bad_request(_why_not(pod, container))
        return log.read(_ask(query), stop)

    def _choose(
        self, logs: list[ContainerLog], previous: bool, container: str, pod: str
    ) -> ContainerLog | None:
        if not previous:
            return logs[-1] if logs else None
        if len(logs) < 2:
            raise status.bad_request(
                f'previous terminated container "{container}" in pod "{pod}" not found'
            )
        return logs[-2]


def _names(pod: Object, field: str) -> list[str]:
    return [container["name"] for container in pod["spec"].get(field) or ()]


def _only_container(pod: Object) -> str:
    names = _names(pod, "containers")
    if len(names) > 1:
        message = (
            f"a container name must be specified for pod {pod['metadata']['name']},"
            f" choose one of: [{' '.join(names)}]"
        )
        if init := _names(pod, "initContainers"):
            message += f" or one of the init containers: [{' '.join(init)}]"
        raise status.bad_request(message)
    return names[0]


def _why_not(pod: Object, container: str) -> str:
    found = pod["status"]
    statuses = [
        *(found.get("containerStatuses") or ()),
        *(found.get("initContainerStatuses") or ()),
    ]
    waiting = next((s["state"].get("waiting") for s in statuses if s["name"] == container), None)
    reason = (waiting or {}).get("reason", "ContainerCreating")
    where = f'container "{container}" in pod "{pod["metadata"]["name"]}"'
    if reason in ("ErrImagePull", "ImagePullBackOff"):
        return f"{where} is waiting to start: trying and failing to pull image"
    return f"{where} is waiting to start: {reason}"


def _ask(query: dict[str, str]) -> Ask:
    """Return the part of a log that a query asks for; like the real one, to the second."""
    since = None
    if stamp := query.get("sinceTime"):
        moment = datetime.datetime.fromisoformat(stamp[:19] + "+00:00")
        since = moment.timestamp()
    elif seconds := query.get("sinceSeconds"):
        since = datetime.datetime.now().timestamp() - int(seconds)
    tail = query.get("tailLines")
    return Ask(
        query.get("follow") in ("true", "1"),
        query.get("timestamps") in ("true", "1"),
        None if tail is None else int(tail),
        since,
    )
