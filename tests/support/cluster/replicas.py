"""Controllers of kinds that are groups of pods or Jobs: Kubeflow, Volcano, JobSet, Ray."""

from __future__ import annotations

from tests.support.cluster.kinds import Object
from tests.support.cluster.owned import DONE, Owned, is_owned, pod_of
from tests.support.cluster.podstatus import condition

_KUBEFLOW = {
    "PyTorchJob": "pytorchReplicaSpecs",
    "TFJob": "tfReplicaSpecs",
    "MPIJob": "mpiReplicaSpecs",
}


_RAY_ENDS = ("SUCCEEDED", "FAILED")


class ReplicaController:
    """One pod for each replica; done when all are, failed when one is."""

    def __init__(self, owned: Owned) -> None:
        """Act through `owned`."""
        self._owned = owned
        self._store = owned.api.store

    def look(self) -> None:
        """Bring everything one step further."""
        for kind in self._owned.api.kinds.all():
            if kind.group == "kubeflow.org":
                for job in self._store.all(kind):
                    self._kubeflow(job)
            elif kind.group == "batch.volcano.sh":
                for job in self._store.all(kind):
                    self._volcano(job)
            elif kind.name == "RayJob":
                for job in self._store.all(kind):
                    self._ray_job(job)
            elif kind.name == "JobSet":
                for jobset in self._store.all(kind):
                    self._jobset(jobset)

    def _kubeflow(self, job: Object) -> None:
        if "deletionTimestamp" in job["metadata"] or _has_ended(job):
            return
        name = job["metadata"]["name"]
        wanted = []
        for replica, spec in job["spec"][_KUBEFLOW[job["kind"]]].items():
            for index in range(spec.get("replicas", 1)):
                pod = pod_of(spec["template"])
                pod["spec"]["restartPolicy"] = spec.get("restartPolicy", "Never")
                labels = {
                    "training.kubeflow.org/job-name": name,
                    "training.kubeflow.org/replica-type": replica.lower(),
                    "training.kubeflow.org/replica-index": str(index),
                }
                wanted.append((f"{name}-{replica.lower()}-{index}", pod, labels))
        verdict = self._verdict(job, wanted)
        started = [condition("Created", True, f"{job['kind']}Created")]
        ended = [condition(verdict, True, f"{job['kind']}{verdict}")]
        self._publish(job, {"conditions": started + (ended if verdict else [])})

    def _volcano(self, job: Object) -> None:
        phase = job.get("status", {}).get("state", {}).get("phase")
        if "deletionTimestamp" in job["metadata"] or phase in ("Completed", "Failed"):
            return
        name = job["metadata"]["name"]
        wanted = []
        for task in job["spec"]["tasks"]:
            for index in range(task.get("replicas", 1)):
                pod = pod_of(task["template"])
                pod["spec"].setdefault("restartPolicy", "OnFailure")
                labels = {"volcano.sh/job-name": name}
                wanted.append((f"{name}-{task['name']}-{index}", pod, labels))
        verdict = {"Succeeded": "Completed", "": "Running"}
        phase = self._verdict(job, wanted)
        self._publish(job, {"state": {"phase": verdict.get(phase, phase)}})

    def _verdict(self, job: Object, wanted: list[tuple[str, Object, dict[str, str]]]) -> str:
        """Make the pods that are missing, and return Succeeded or Failed once it is."""
        pods = {pod["metadata"]["name"]: pod for pod in self._owned.pods_of(job)}
        for name, pod, labels in wanted:
            if name not in pods:
                self._owned.make(self._owned.pods, job, name, pod, labels)
        phases = [pod["status"]["phase"] for pod in pods.values()]
        if "Failed" in phases:
            return "Failed"
        done = len(phases) == len(wanted) and all(phase in DONE for phase in phases)
        return "Succeeded" if done else ""

    def _jobset(self, jobset: Object) -> None:
        meta = jobset["metadata"]
        if "deletionTimestamp" in meta or jobset.get("status", {}).get("terminalState"):
            return
        kind = self._owned.api.kinds.named("Job", "batch")
        jobs = {job["metadata"]["name"]: job for job in self._store.all(kind, meta["namespace"])}
        ended = []
        wanted = 0
        for replicated in jobset["spec"]["replicatedJobs"]:
            for index in range(replicated.get("replicas", 1)):
                wanted += 1
                name = f"{meta['name']}-{replicated['name']}-{index}"
                labels = {
                    "jobset.sigs.k8s.io/jobset-name": meta["name"],
                    "jobset.sigs.k8s.io/replicatedjob-name": replicated["name"],
                    "jobset.sigs.k8s.io/job-index": str(index),
                }
                if name in jobs:
                    ended += _ended(jobs[name])
                    continue
                job = pod_of(replicated["template"])
                pods = job["spec"]["template"].setdefault("metadata", {}).setdefault("labels", {})
                pods.update(labels)
                self._owned.make(kind, jobset, name, job, labels)
        if "Failed" in ended:
            message = "jobset failed due to one or more job failures"
            failed = condition("Failed", True, "FailedJobs", message)
            self._publish(jobset, {"terminalState": "Failed", "conditions": [failed]})
        elif len(ended) == wanted:
            done = condition("Completed", True, "AllJobsCompleted", "jobset completed successfully")
            self._publish(jobset, {"terminalState": "Completed", "conditions": [done]})

    def _ray_job(self, ray: Object) -> None:
        """Make a cluster, of a head alone; then a Job of the same name that hands the work to it.

        The head goes on when the work is done, as it does without `shutdownAfterJobFinishes`.
        """
        meta = ray["metadata"]
        if "deletionTimestamp" in meta or ray.get("status", {}).get("jobStatus") in _RAY_ENDS:
            return
        clusters = self._owned.api.kinds.named("RayCluster", "ray.io")
        jobs = self._owned.api.kinds.named("Job", "batch")
        spec, name = ray["spec"]["rayClusterSpec"], f"{meta['name']}-raycluster"
        mine = [c for c in self._store.all(clusters) if is_owned(c, meta["uid"])]
        submitters = [job for job in self._store.all(jobs) if is_owned(job, meta["uid"])]
        if not mine:
            self._owned.make(clusters, ray, name, {"spec": spec})
        elif not (heads := self._owned.pods_of(mine[0])):
            head = pod_of(spec["headGroupSpec"]["template"])
            self._owned.make(
                self._owned.pods, mine[0], f"{name}-head", head, {"ray.io/cluster": name}
            )
        elif heads[0]["status"]["phase"] == "Running" and not submitters:
            job = {"spec": {"backoffLimit": 0, "template": ray["spec"]["submitterPodTemplate"]}}
            self._owned.make(jobs, ray, meta["name"], job)
        ended = _ended(submitters[0]) if submitters else []
        status = "FAILED" if "Failed" in ended else "SUCCEEDED" if ended else "RUNNING"
        self._publish(ray, {"jobStatus": status})

    def _publish(self, obj: Object, status: Object) -> None:
        if _kept(obj.get("status", {})) == _kept(status):
            return

        def change(stored: Object) -> None:
            stored["status"] = status

        meta, group = obj["metadata"], obj["apiVersion"].rpartition("/")[0]
        kind = self._owned.api.kinds.named(obj["kind"], group)
        self._store.update(kind, meta["namespace"], meta["name"], change)


def _ended(obj: Object) -> list[str]:
    """Return the conditions that say that a Job or its like has ended."""
    ends = ("Complete", "Succeeded", "Failed")
    entries = obj.get("status", {}).get("conditions") or ()
    return [e["type"] for e in entries if e["type"] in ends and e["status"] == "True"]


def _has_ended(obj: Object) -> bool:
    return bool(_ended(obj))


def _kept(status: Object) -> object:
    """Return a status without its times."""
    types = [entry["type"] for entry in status.get("conditions") or ()]
    return types, {key: value for key, value in status.items() if key != "conditions"}
