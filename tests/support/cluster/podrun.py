"""The life of one pod on its node."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from tests.support.cluster.container import Container
from tests.support.cluster.events import record
from tests.support.cluster.kinds import Kinds, Object
from tests.support.cluster.logs import ContainerLog
from tests.support.cluster.podstatus import ContainerState, condition, pod_status
from tests.support.cluster.status import ApiError
from tests.support.cluster.store import Store
from tests.support.cluster.volumes import Missing, PodFiles

NODE = "node-1"
NODE_LABELS = {
    "kubernetes.io/hostname": NODE,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": "amd64",
}
_IMAGE = re.compile(r"[a-z0-9.:/_-]+(:[\w.-]+)?(@sha256:[0-9a-f]{64})?")
_SLICE = 0.05  # seconds between looks at what cannot notify


class Gone(Exception):
    """The pod is to end before its containers do."""


class PodRun(threading.Thread):
    """Takes a pod from Pending to Succeeded or Failed, or to its deletion."""

    def __init__(self, pod: Object, root: Path, store: Store, kinds: Kinds, backoff: float) -> None:
        """Get ready; `backoff` is the time before a restart, in seconds."""
        name = pod["metadata"]["name"]
        super().__init__(name=f"pod {name}", daemon=True)
        self.pod = pod
        self.logs: dict[str, list[ContainerLog]] = {}
        """By container, one for each of its runs."""
        self._store = store
        self._kinds = kinds
        self._backoff = backoff
        self._files = PodFiles(root / pod["metadata"]["uid"], pod, store, kinds)
        spec = pod["spec"]
        self._init = [ContainerState(c) for c in spec.get("initContainers") or ()]
        self._main = [ContainerState(c) for c in spec["containers"]]
        self._running: dict[str, Container] = {}
        self._ending = threading.Event()
        self._vanished = False
        self._evicted = ""
        self._phase = "Pending"
        self._lock = threading.RLock()

    def look(self, pod: Object | None) -> None:
        """See what became of the pod: None if it is not there any more."""
        if pod is None:
            self._vanished = True
            self._kill(signal.SIGKILL)
            self._ending.set()
        elif "deletionTimestamp" in pod["metadata"] and not self._ending.is_set():
            self._ending.set()
            self._kill(signal.SIGTERM)

    def evict(self, message: str) -> None:
        """Fail the pod as a node that is short of something does."""
        self._evicted = message
        self._ending.set()
        self._kill(signal.SIGKILL)

    def out_of_memory(self, container: str) -> None:
        """Kill a container as the kernel does."""
        self._running[container].kill(signal.SIGKILL, "OOMKilled")

    def run(self) -> None:
        """Live."""
        try:
            self._schedule()
            self._until(self._mount)
            for container in self._init:
                self._run_init(container)
            self._run_main()
        except Gone:
            self._end()
        except ApiError:
            self._kill(signal.SIGKILL)  # removed by force

    def _schedule(self) -> None:
        self._until(self._unscheduled)

        def change(pod: Object) -> None:
            pod["spec"]["nodeName"] = NODE

        self._update(change)
        record(self._store, self.pod, "Scheduled", f"Successfully assigned to {NODE}")
        self._publish()

    def _unscheduled(self) -> bool:
        """Say why there is no node for it; False if there is one."""
        spec = self._fresh()["spec"]
        reason, message = "", ""
        if spec.get("schedulingGates"):
            reason, message = (
                "SchedulingGated",
                "Scheduling is blocked due to non-empty scheduling gates",
            )
        elif not (spec.get("nodeSelector") or {}).items() <= NODE_LABELS.items():
            reason, message = (
                "Unschedulable",
                _no_node("node(s) didn't match Pod's node affinity/selector"),
            )
        elif lacking := _lacking(spec):
            reason, message = "Unschedulable", _no_node(f"Insufficient {lacking}")
        if not reason:
            return False

        def change(pod: Object) -> None:
            have = pod["status"].get("conditions") or [{}]
            if have[0].get("reason") != reason:
                entry = condition("PodScheduled", False, reason, message)
                pod["status"]["conditions"] = [entry]
                if reason == "Unschedulable":
                    record(self._store, self.pod, "FailedScheduling", message, "Warning")

        self._update(change)
        return True

    def _mount(self) -> bool:
        try:
            self._files.mount()
        except Missing as error:
            record(self._store, self.pod, "FailedMount", str(error), "Warning")
            return True
        return False

    def _run_init(self, container: ContainerState) -> None:
        if container.spec.get("restartPolicy") == "Always":  # a sidecar
            self._until(lambda: not self._launch(container))
            container.succeeded = True
            self._publish()
            return
        while True:
            ended = self._run_once(container)
            if ended["exitCode"] == 0:
                container.succeeded = True
                self._publish()
                return
            if self.pod["spec"]["restartPolicy"] == "Never":
                self._phase = "Failed"
                self._publish()
                raise ApiError(0, "", "the pod has failed")
            self._back_off(container)

    def _run_main(self) -> None:
        failures: list[BaseException] = []

        def live(container: ContainerState) -> None:
            try:
                self._live(container)
            except (Gone, ApiError) as error:
                failures.append(error)

        threads = [threading.Thread(target=live, args=[c], daemon=True) for c in self._main]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._ending.is_set():
            raise Gone
        if failures:
            raise failures[0]
        self._kill(signal.SIGTERM)  # sidecars
        good = all(c.state["terminated"]["exitCode"] == 0 for c in self._main)
        self._phase = "Succeeded" if good else "Failed"
        self._publish()

    def _live(self, container: ContainerState) -> None:
        """Run a main container until it need not be run again."""
        policy = self.pod["spec"]["restartPolicy"]
        while True:
            ended = self._run_once(container)
            if policy == "Never" or (policy == "OnFailure" and ended["exitCode"] == 0):
                return
            self._back_off(container)

    def _run_once(self, container: ContainerState) -> Object:
        """Run a container to its end, and return how it ended."""
        self._until(lambda: not self._launch(container))
        run = self._running[container.spec["name"]]
        if container not in self._init and self._phase == "Pending":
            self._phase = "Running"
        self._publish()
        while (ended := run.wait(_SLICE)) is None:
            if self._ending.is_set():
                ended = run.wait(self.pod["spec"]["terminationGracePeriodSeconds"])
                if ended is None:
                    run.kill(signal.SIGKILL)
        with self._lock:
            container.set("terminated", **ended)
        if self._ending.is_set():
            raise Gone
        final = self.pod["spec"]["restartPolicy"] == "Never" and container not in self._init
        if not final or any("terminated" not in c.state for c in self._main):
            self._publish()
        return ended

    def _launch(self, container: ContainerState) -> bool:
        """Start a container; False, with the reason in its status, if that is not possible now."""
        spec = container.spec
        if problem := _image_problem(spec["image"], container):
            self._waiting(container, *problem)
            return False
        with self._lock:
            if self._ending.is_set():
                raise Gone
            try:
                run = Container(self.pod, spec, self._files)
            except Missing as error:
                self._waiting(container, "CreateContainerConfigError", str(error))
                return False
            self._running[spec["name"]] = run
            logs = self.logs.setdefault(spec["name"], [])
            container.restarts = len(logs)
            logs.append(run.log)
            container.set("running", startedAt=run.started)
        return True

    def _back_off(self, container: ContainerState) -> None:
        name, seconds = container.spec["name"], "10s"
        self._publish()
        if not container.restarts:
            return  # the first time at once
        message = f"back-off {seconds} restarting failed container={name}"
        self._waiting(container, "CrashLoopBackOff", message)
        if self._ending.wait(self._backoff):
            raise Gone

    def _waiting(self, container: ContainerState, reason: str, message: str) -> None:
        if container.state.get("waiting", {}).get("reason") == reason:
            return
        container.set("waiting", reason=reason, message=message)
        self._publish()
        if reason != "CrashLoopBackOff":
            record(self._store, self.pod, "Failed", f"Error: {reason}: {message}", "Warning")

    def _until(self, is_stuck: Callable[[], bool]) -> None:
        """Try again until it works, or the pod is to end."""
        while is_stuck():
            if self._ending.wait(_SLICE):
                raise Gone
        if self._ending.is_set():
            raise Gone

    def _kill(self, number: int) -> None:
        with self._lock:
            for run in self._running.values():
                run.kill(number)

    def _end(self) -> None:
        """Tell how the containers ended, and let the pod go if it was deleted."""
        if self._vanished:
            return
        for container in [*self._init, *self._main]:
            run = self._running.get(container.spec["name"])
            if run is not None and "running" in container.state:
                container.set("terminated", **(run.wait() or {}))
        self._phase = "Failed"
        try:
            self._publish()
            if not self._evicted:
                meta = self.pod["metadata"]
                self._store.remove(self._kinds.named("Pod"), meta["namespace"], meta["name"])
        except ApiError:
            return  # removed by force meanwhile

    def _publish(self) -> None:
        def change(pod: Object) -> None:
            with self._lock:
                pod["status"] = pod_status(pod, self._init, self._main, self._phase)
            if self._evicted:
                pod["status"] |= {"reason": "Evicted", "message": self._evicted}

        self._update(change)

    def _update(self, change: Callable[[Object], None]) -> None:
        meta = self.pod["metadata"]

        def same(pod: Object) -> None:
            if pod["metadata"]["uid"] != meta["uid"]:
                raise ApiError(0, "", "another pod of that name")
            change(pod)

        self._store.update(self._kinds.named("Pod"), meta["namespace"], meta["name"], same)

    def _fresh(self) -> Object:
        meta = self.pod["metadata"]
        return self._store.get(self._kinds.named("Pod"), meta["namespace"], meta["name"])


def _image_problem(image: str, container: ContainerState) -> tuple[str, str] | None:
    if not _IMAGE.fullmatch(image):
        why = "couldn't parse image name: invalid reference format"
        return "InvalidImageName", f'Failed to apply default image tag "{image}": {why}'
    if image.startswith("missing.invalid/"):
        if container.state.get("waiting", {}).get("reason") in ("ErrImagePull", "ImagePullBackOff"):
            return "ImagePullBackOff", f'Back-off pulling image "{image}"'
        host = image.split("/")[0]
        why = f"failed to do request: Head https://{host}/: dial tcp: lookup {host}: no such host"
        return "ErrImagePull", f'failed to pull and unpack image "{image}": {why}'
    return None


def _lacking(spec: Object) -> str:
    for container in spec["containers"]:
        asked = container.get("resources", {})
        for name, amount in {
            **(asked.get("limits") or {}),
            **(asked.get("requests") or {}),
        }.items():
            if "/" in name or (name == "cpu" and str(amount).isdigit() and int(amount) > 64):
                return str(name)
    return ""


def _no_node(why: str) -> str:
    return (
        f"0/1 nodes are available: 1 {why}. preemption: 0/1 nodes are available:"
        " 1 Preemption is not helpful for scheduling."
    )
