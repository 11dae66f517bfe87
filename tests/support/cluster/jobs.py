"""The Job controller."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from tests.support.cluster.events import record
from tests.support.cluster.kinds import Object
from tests.support.cluster.owned import DONE, Owned, is_active, pod_of
from tests.support.cluster.podstatus import condition
from tests.support.cluster.store import now, random_suffix

_INDEX = "batch.kubernetes.io/job-completion-index"


class _Progress:
    """What the controller remembers of a Job."""

    def __init__(self) -> None:
        self.counted: set[str] = set()
        self.known: dict[str, str] = {}
        """Pods seen so far and their index, by uid."""
        self.succeeded = 0
        self.indexes: set[str] = set()
        self.failed = 0
        self.verdict: tuple[str, str, str] | None = None
        """Condition, reason and message of the end."""
        self.not_before = 0.0
        self.started: float | None = None
        self.finished: float | None = None


class JobController:
    """Makes pods for Jobs until they are complete or have failed."""

    def __init__(self, owned: Owned, backoff: float) -> None:
        """Wait `backoff` seconds before a failed pod is replaced."""
        self._owned = owned
        self._kind = owned.api.kinds.named("Job", "batch")
        self._backoff = backoff
        self._progress: dict[str, _Progress] = {}

    def look(self) -> None:
        """Bring every Job one step further."""
        for job in self._owned.api.store.all(self._kind):
            progress = self._progress.setdefault(job["metadata"]["uid"], _Progress())
            self._step(job, progress)

    def _step(self, job: Object, progress: _Progress) -> None:
        if "deletionTimestamp" in job["metadata"]:
            return
        if progress.finished is not None:
            self._expire(job, progress)
            return
        pods = self._owned.pods_of(job)
        self._count(job, pods, progress)
        spec = job["spec"]
        if spec["suspend"]:
            progress.started = None
            for pod in filter(is_active, pods):
                self._owned.delete(pod)
        else:
            progress.started = progress.started or time.monotonic()
            progress.verdict = progress.verdict or self._verdict(job, pods, progress)
            if progress.verdict:
                for pod in filter(is_active, pods):
                    self._owned.delete(pod)
            else:
                self._fill(job, pods, progress)
        self._publish(job, progress)

    def _count(self, job: Object, pods: list[Object], progress: _Progress) -> None:
        there = {pod["metadata"]["uid"]: pod for pod in pods}
        for uid, pod in there.items():
            progress.known[uid] = (pod["metadata"].get("annotations") or {}).get(_INDEX, "")
            if pod["status"]["phase"] not in DONE or uid in progress.counted:
                continue
            progress.counted.add(uid)
            if pod["status"]["phase"] == "Succeeded":
                progress.succeeded += 1
                progress.indexes.add(progress.known[uid])
            else:
                self._count_failure(job, pod, progress)
        for uid in set(progress.known) - set(there) - progress.counted:
            progress.counted.add(uid)
            if not job["spec"]["suspend"]:
                progress.failed += 1  # deleted by somebody

    def _count_failure(self, job: Object, pod: Object, progress: _Progress) -> None:
        rules = (job["spec"].get("podFailurePolicy") or {}).get("rules") or []
        for number, rule in enumerate(rules):
            matched = _matches(rule, pod)
            if matched is None:
                continue
            if rule["action"] == "Ignore":
                return
            if rule["action"] == "FailJob":
                where = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
                message = matched.format(where) + f" matching FailJob rule at index {number}"
                progress.verdict = ("Failed", "PodFailurePolicy", message)
            break
        progress.failed += 1
        progress.not_before = time.monotonic() + self._backoff

    def _verdict(
        self, job: Object, pods: list[Object], progress: _Progress
    ) -> tuple[str, str, str] | None:
        spec = job["spec"]
        assert progress.started is not None
        restarts = sum(
            status["restartCount"]
            for pod in filter(is_active, pods)
            if pod["spec"]["restartPolicy"] == "OnFailure"
            for status in (
                *(pod["status"].get("containerStatuses") or ()),
                *(pod["status"].get("initContainerStatuses") or ()),
            )
        )
        limit = spec["backoffLimit"]
        if progress.failed > limit or (restarts and restarts >= max(limit, 1)):
            message = "Job has reached the specified backoff limit"
            return "Failed", "BackoffLimitExceeded", message
        deadline = spec.get("activeDeadlineSeconds")
        if deadline is not None and time.monotonic() > progress.started + deadline:
            return "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
        active = any(map(is_active, pods))
        completions = spec.get("completions")
        done = len(progress.indexes) if _is_indexed(job) else progress.succeeded
        enough = done >= completions if completions is not None else bool(done) and not active
        if enough:
            return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
        return None

    def _fill(self, job: Object, pods: list[Object], progress: _Progress) -> None:
        spec = job["spec"]
        active = [pod for pod in pods if is_active(pod)]
        completions = spec.get("completions")
        wanted = spec["parallelism"]
        if completions is not None:
            wanted = min(wanted, completions - progress.succeeded)
        elif progress.succeeded:
            return
        if time.monotonic() < progress.not_before:
            return
        free = self._free_indexes(job, active, progress)
        for _ in range(wanted - len(active)):
            if not self._make_pod(job, next(free) if _is_indexed(job) else None):
                progress.not_before = time.monotonic() + self._backoff
                return

    def _free_indexes(self, job: Object, active: list[Object], progress: _Progress) -> Any:
        taken = Counter(p["metadata"]["annotations"][_INDEX] for p in active if _is_indexed(job))
        numbers = map(str, range(job["spec"].get("completions") or 0))
        return (n for n in numbers if n not in taken and n not in progress.indexes)

    def _make_pod(self, job: Object, index: str | None) -> bool:
        pod = pod_of(job["spec"]["template"])
        name = job["metadata"]["name"]
        if index is not None:
            name = f"{name}-{index}"
            meta = pod["metadata"]
            meta["annotations"] = {**(meta.get("annotations") or {}), _INDEX: index}
            meta["labels"] = {**(meta.get("labels") or {}), _INDEX: index}
            for container in (
                *(pod["spec"].get("initContainers") or ()),
                *pod["spec"]["containers"],
            ):
                variable = {"name": "JOB_COMPLETION_INDEX", "value": index}
                container["env"] = [*(container.get("env") or ()), variable]
            pod["spec"]["hostname"] = name
        return self._owned.make(self._owned.pods, job, f"{name[:57]}-{random_suffix()}", pod)

    def _publish(self, job: Object, progress: _Progress) -> None:
        pods = self._owned.pods_of(job)
        active = [pod for pod in pods if is_active(pod)]
        alive = [pod for pod in pods if pod["status"]["phase"] not in DONE]
        if progress.verdict and not alive:
            progress.finished = time.monotonic()
            record(self._owned.api.store, job, progress.verdict[1], progress.verdict[2])

        def change(stored: Object) -> None:
            found = stored.setdefault("status", {})
            for key, value in (("active", len(active)), ("failed", progress.failed)):
                found[key] = value
            found["succeeded"] = progress.succeeded
            found["ready"] = sum(p["status"]["phase"] == "Running" for p in active)
            found["terminating"] = len(alive) - len(active)
            for key in ("active", "failed", "succeeded"):
                if not found[key]:
                    del found[key]
            if _is_indexed(job) and progress.indexes:
                found["completedIndexes"] = ",".join(sorted(progress.indexes, key=int))
            if progress.started is None:
                found.pop("startTime", None)
            else:
                found.setdefault("startTime", now())
            _set_conditions(found, job, progress)

        self._owned.api.store.update(
            self._kind, job["metadata"]["namespace"], job["metadata"]["name"], change
        )

    def _expire(self, job: Object, progress: _Progress) -> None:
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        assert progress.finished is not None
        if seconds is not None and time.monotonic() > progress.finished + seconds:
            meta = job["metadata"]
            self._owned.api.store.remove(self._kind, meta["namespace"], meta["name"])


def _set_conditions(found: Object, job: Object, progress: _Progress) -> None:
    have = {entry["type"]: entry for entry in found.get("conditions") or []}

    def put(kind: str, holds: bool, reason: str, message: str) -> None:
        entry = condition(kind, holds, reason, message)
        if have.get(kind, {}).get("status") != entry["status"]:
            have[kind] = entry

    if job["spec"]["suspend"]:
        put("Suspended", True, "JobSuspended", "Job suspended")
    elif "Suspended" in have:
        put("Suspended", False, "JobResumed", "Job resumed")
    if progress.verdict:
        kind, reason, message = progress.verdict
        early = "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"
        put(early, True, reason, message)
        if progress.finished is not None:
            put(kind, True, reason, message)
            if kind == "Complete":
                found.setdefault("completionTime", now())
    if have:
        found["conditions"] = list(have.values())


def _is_indexed(job: Object) -> bool:
    return bool(job["spec"]["completionMode"] == "Indexed")


def _matches(rule: Object, pod: Object) -> str | None:
    """Return what a rule of a podFailurePolicy says of a pod (`{}` is the pod), None if nothing."""
    if codes := rule.get("onExitCodes"):
        for status in (
            *(pod["status"].get("initContainerStatuses") or ()),
            *(pod["status"].get("containerStatuses") or ()),
        ):
            code = status["state"].get("terminated", {}).get("exitCode", 0)
            named = codes.get("containerName") in (None, status["name"])
            if code and named and (code in codes["values"]) == (codes["operator"] == "In"):
                return f"Container {status['name']} for pod {{}} failed with exit code {code}"
    for wanted in rule.get("onPodConditions") or ():
        for have in pod["status"].get("conditions") or ():
            if have["type"] == wanted["type"] and have["status"] == wanted.get("status", "True"):
                return f"Pod {{}} has condition {have['type']}"
    return None
