"""Whether what was created has ended, waits in a queue, or runs: by kind. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from git_ghost.workloads.cluster.kinds import Resource
from git_ghost.workloads.cluster.pods import condition, serves

_TEMPLATES = frozenset(
    "CronJob WorkflowTemplate ClusterWorkflowTemplate CronWorkflow TrainingRuntime"
    " ClusterTrainingRuntime PodTemplate".split()
)
"""Kinds whose pods come later, by the clock or when others refer to them."""


_SERVING = frozenset(
    "Deployment StatefulSet DaemonSet ReplicaSet ReplicationController RayCluster"
    " RayService".split()
)
"""Kinds that run until somebody deletes them."""


class End(NamedTuple):
    """How a workload ended."""

    succeeded: bool
    text: str = ""
    """Why, in the words of its controller."""


def has_pods_now(resource: Resource) -> bool:
    """Whether creating the object starts pods, so that there is something to follow."""
    return resource.kind not in _TEMPLATES


def expects_several(data: Mapping[str, Any]) -> bool:
    """Whether more than one pod is to be expected, as far as the object says."""
    spec = data.get("spec") or {}
    kind, group = data.get("kind"), str(data.get("apiVersion", "")).rpartition("/")[0]
    if kind == "Pod":
        return False
    if kind == "Job" and group == "batch":
        many = max(_number(spec.get("parallelism"), 1), _number(spec.get("completions"), 1))
        return many > 1
    if kind == "Workflow":
        return not _is_one_pod(spec)
    if group == "kubeflow.org":
        return _replicas(spec) > 1
    if kind in ("Deployment", "StatefulSet", "ReplicaSet") and group == "apps":
        return _number(spec.get("replicas"), 1) > 1
    return True


def _is_one_pod(spec: Mapping[str, Any]) -> bool:
    """Whether an Argo workflow begins and ends with a single container."""
    templates = {str(one.get("name")): one for one in spec.get("templates") or ()}
    first = templates.get(str(spec.get("entrypoint")), {})
    return bool(first.get("container") or first.get("script")) and not spec.get("onExit")


def _replicas(spec: Mapping[str, Any]) -> int:
    """The pods of a Kubeflow job."""
    groups = [value for key, value in spec.items() if key.endswith("ReplicaSpecs")]
    return sum(_number(one.get("replicas"), 1) for each in groups for one in each.values())


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) else default


def other_pods(data: Mapping[str, Any]) -> str:
    """A label selector of pods that do a part of the work and cannot bear the label of a run.

    A RayJob's entrypoint prints in the pod of a Job that hands it in, which has the RayJob's name
    (KubeRay: RayJobK8sJobNamespacedName). Empty for other kinds.
    """
    if data.get("kind") != "RayJob":
        return ""
    return f"batch.kubernetes.io/job-name={data['metadata']['name']}"


def end_of(data: Mapping[str, Any]) -> End | None:
    """How the workload ended; None while it has not, and for kinds that never end."""
    status = data.get("status") or {}
    kind = str(data.get("kind"))
    if kind == "Pod":
        if (phase := status.get("phase")) in ("Succeeded", "Failed"):
            return End(phase == "Succeeded", _words(status))
        return None
    if kind == "Workflow":
        if (phase := status.get("phase")) in ("Succeeded", "Failed", "Error"):
            return End(phase == "Succeeded", str(status.get("message") or ""))
        return None
    if kind == "RayJob":
        return _ray_job(data.get("spec") or {}, status)
    if isinstance(state := status.get("state"), dict) and kind == "Job":  # Volcano's
        if (phase := state.get("phase")) in ("Completed", "Failed", "Aborted", "Terminated"):
            return End(phase == "Completed", str(state.get("message") or ""))
        return None
    for name in ("Failed", "Complete", "Completed", "Succeeded"):
        found = condition(data, name)
        if found is not None and found.get("status") == "True":
            return End(name != "Failed", _words(found))
    return None


def _ray_job(spec: Mapping[str, Any], status: Mapping[str, Any]) -> End | None:
    job, deployment = status.get("jobStatus"), status.get("jobDeploymentStatus")
    done = job in ("SUCCEEDED", "FAILED", "STOPPED")
    if done and job != "SUCCEEDED" and spec.get("backoffLimit"):
        done = False  # another try may follow: the deployment's status tells
    if done or deployment in ("Complete", "Failed", "ValidationFailed"):
        words = str(status.get("message") or status.get("reason") or "")
        return End(job == "SUCCEEDED" and deployment != "Failed", words)
    return None


def _words(found: Mapping[str, Any]) -> str:
    reason, message = str(found.get("reason") or ""), str(found.get("message") or "")
    both = f"{message.rstrip('.')} ({reason})" if reason and message else message or reason
    return both.strip()


def refused(data: Mapping[str, Any]) -> str:
    """Why a Deployment or ReplicaSet gets no pods, in the words of its controller."""
    found = condition(data, "ReplicaFailure") or {}
    if found.get("status") != "True":
        return ""
    return told(found.get("reason"), found.get("message"))


def told(reason: object, message: object) -> str:
    """What a controller says in an event or a condition, without what it tried to make."""
    said = str(message or "").rstrip(".")
    return f"{reason}: {said.partition(' is forbidden: ')[2] or said}"


def queued(data: Mapping[str, Any]) -> str:
    """Why the workload is held back before it starts (Kueue suspends it); empty when it is not."""
    spec = data.get("spec") or {}
    policy = spec.get("runPolicy") or {}
    state = (data.get("status") or {}).get("state")
    if isinstance(state, dict) and state.get("phase") in ("Pending", "Inqueue"):  # Volcano's
        return f"queued in {spec.get('queue') or 'default'}"
    if not (spec.get("suspend") or policy.get("suspend")):
        return _held_by_argo(data) if data.get("kind") == "Workflow" else ""
    queue = (data["metadata"].get("labels") or {}).get("kueue.x-k8s.io/queue-name")
    return f"queued in {queue}" if queue else "suspended"


def _held_by_argo(data: Mapping[str, Any]) -> str:
    """What a workflow waits for: a lock, others to end, somebody to let it go on."""
    status = data.get("status") or {}
    if status.get("phase") == "Pending" and status.get("message"):
        return f"queued ({status['message']})"
    nodes = (status.get("nodes") or {}).values()
    going_on = [node for node in nodes if node.get("phase") in ("Pending", "Running")]
    held = [node for node in going_on if node.get("type") == "Suspend"]
    if held and not any(node.get("type") == "Pod" for node in going_on):
        return f"suspended at step {held[0].get('displayName') or held[0].get('name')}"
    return ""


def ends(data: Mapping[str, Any]) -> bool:
    """Whether it is in the nature of the workload to end."""
    if data.get("kind") == "Pod":
        return not serves(data)
    return str(data.get("kind")) not in _SERVING
