"""Whether what was created has ended, waits in a queue, or runs: by kind. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from git_ghost import kinds
from git_ghost.kinds import QUEUE_LABEL, Path, Verdict
from git_ghost.workloads.cluster.pods import condition, serves
from git_ghost.workloads.cluster.resources import Resource


class End(NamedTuple):
    """How a workload ended."""

    succeeded: bool
    text: str = ""
    """Why, in the words of its controller."""


def has_pods_now(resource: Resource) -> bool:
    """Whether creating the object starts pods, so that there is something to follow."""
    return resource.row is None or not resource.row.later


def expects_several(data: Mapping[str, Any]) -> bool:
    """Whether more than one pod is to be expected, as far as the object says."""
    row = kinds.of(data)
    if row is not None and row.steps:
        return not _is_one_pod(data.get("spec") or {})
    if row is None or row.replicas is None:
        return True
    return max((sum(_numbers(data, path)) for path in row.replicas), default=1) > 1


def _is_one_pod(spec: Mapping[str, Any]) -> bool:
    """Whether an Argo workflow begins and ends with a single container."""
    templates = {str(one.get("name")): one for one in spec.get("templates") or ()}
    first = templates.get(str(spec.get("entrypoint")), {})
    return bool(first.get("container") or first.get("script")) and not spec.get("onExit")


def _numbers(value: object, path: Path) -> Iterator[int]:
    """The numbers at ``path``, 1 for each that is missing."""
    if not path:
        yield value if isinstance(value, int) else 1
    elif path[0] == "*":
        for one in value.values() if isinstance(value, dict) else ():
            yield from _numbers(one, path[1:])
    else:
        yield from _numbers(value.get(path[0]) if isinstance(value, dict) else None, path[1:])


def other_pods(data: Mapping[str, Any]) -> str:
    """A label selector of pods that do a part of the work and cannot bear the label of a run.

    Empty for kinds that have none.
    """
    row = kinds.of(data)
    return f"{row.helpers}={data['metadata']['name']}" if row and row.helpers else ""


def end_of(data: Mapping[str, Any]) -> End | None:
    """How the workload ended; None while it has not, and for kinds that never end."""
    row = kinds.of(data)
    if row is not None and row.verdicts:
        ends = (_verdict(data, verdict) for verdict in row.verdicts)
        return next((end for end in ends if end is not None), None)
    for name in ("Failed", "Complete", "Completed", "Succeeded"):
        found = condition(data, name)
        if found is not None and found.get("status") == "True":
            return End(name != "Failed", _words(found))
    return None


def _verdict(data: Mapping[str, Any], verdict: Verdict) -> End | None:
    holder: Any = data.get("status") or {}
    for step in verdict.at[:-1]:
        holder = holder.get(step) or {}
    word = holder.get(verdict.at[-1])
    if word in verdict.good:
        return End(True, _words(holder))
    if word in verdict.bad and not (data.get("spec") or {}).get(verdict.unless):
        return End(False, _words(holder))
    return None


def _words(found: Mapping[str, Any]) -> str:
    reason = str(found.get("reason") or "")
    message = str(found.get("message") or found.get("errorMessage") or "")
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
    row, spec = kinds.of(data), data.get("spec") or {}
    policy = spec.get("runPolicy") or {}
    state = (data.get("status") or {}).get("state")
    if row and isinstance(state, dict) and state.get("phase") in row.waiting:
        return f"queued in {spec.get('queue') or 'default'}"
    if not (spec.get("suspend") or policy.get("suspend")):
        return _held_by_argo(data) if row and row.steps else ""
    queue = (data["metadata"].get("labels") or {}).get(QUEUE_LABEL)
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
    row = kinds.of(data)
    if row is kinds.POD:
        return not serves(data)
    return row is None or not row.serves
