"""A pod's status, made from what its containers are doing."""

from __future__ import annotations

from typing import Any

from tests.support.cluster.kinds import Object
from tests.support.cluster.store import now

IP = "10.0.0.7"


class ContainerState:
    """What a container is doing, and what it did before."""

    def __init__(self, spec: Object) -> None:
        """Begin waiting."""
        self.spec = spec
        self.state: Object = {"waiting": {"reason": "PodInitializing"}}
        self.last: Object = {}
        self.restarts = 0
        self.succeeded = False

    def set(self, what: str, **fields: Any) -> None:
        """Go on to waiting, running or terminated."""
        if "terminated" in self.state and what != "terminated":
            self.last = {"terminated": self.state["terminated"]}
        self.state = {what: fields}

    def status(self) -> Object:
        """Return the entry of containerStatuses."""
        running = "running" in self.state
        terminated = self.state.get("terminated")
        return {
            "name": self.spec["name"],
            "image": self.spec["image"],
            "imageID": "",
            "ready": running or (terminated is not None and terminated["exitCode"] == 0),
            "started": running,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last,
        }


def pod_status(
    pod: Object, init: list[ContainerState], main: list[ContainerState], phase: str
) -> Object:
    """Return the status of a pod that has been given to a node."""
    for container in main:
        if "waiting" in container.state and not container.last and not init:
            waiting = container.state["waiting"]
            if waiting.get("reason") == "PodInitializing":
                waiting["reason"] = "ContainerCreating"
    initialized = all(container.succeeded for container in init)
    ready = phase == "Running" and all("running" in c.state for c in main)
    reason = "PodCompleted" if phase == "Succeeded" else "ContainersNotReady"
    status: Object = {
        **pod["status"],
        "phase": phase,
        "hostIP": "10.0.0.1",
        "podIP": IP,
        "podIPs": [{"ip": IP}],
        "startTime": pod["status"].get("startTime") or now(),
        "containerStatuses": [container.status() for container in main],
        "conditions": [
            condition("PodScheduled", True),
            condition(
                "Initialized", initialized, "" if initialized else "ContainersNotInitialized"
            ),
            condition("ContainersReady", ready, "" if ready else reason),
            condition("Ready", ready, "" if ready else reason),
        ],
    }
    if init:
        status["initContainerStatuses"] = [_init_status(container) for container in init]
    return status


def _init_status(container: ContainerState) -> Object:
    return {**container.status(), "ready": container.succeeded}


def condition(kind: str, holds: bool, reason: str = "", message: str = "") -> Object:
    """Return one entry of conditions."""
    entry: Object = {"type": kind, "status": "True" if holds else "False"}
    entry["lastTransitionTime"] = now()
    if reason:
        entry["reason"] = reason
    if message:
        entry["message"] = message
    return entry
