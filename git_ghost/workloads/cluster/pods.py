"""What a pod's status says: states of containers, troubles in words. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Mapping
from typing import Any, NamedTuple

from git_ghost.kinds import PLACES

PULL_STEP = "git-ghost"
"""The name of the init container that rebuilds the tree."""

_HOPELESS = frozenset("InvalidImageName ErrImageNeverPull CreateContainerConfigError".split())
"""Reasons a container waits that no waiting mends."""
_PULLING = frozenset("ErrImagePull ImagePullBackOff RegistryUnavailable".split())
_FAILING = frozenset("CreateContainerError RunContainerError CreatePodSandboxError".split())
_PERMANENT = range(2, 8)
"""Exit codes of the pull step that the same call will have again; 1 may be anything."""

_MEANING = {
    1: "it failed",
    2: "its call makes no sense to it",
    3: "the ghost repository has no such ghost",
    4: "the base commit is unavailable",
    5: "the volume holds something else",
    6: "what was rebuilt is not what the hash promises",
    7: "no access to the ghost repository or the source",
    75: "the network did not recover in time",
    137: "it was killed: out of memory, or the pod was stopped",
}
"""What the pull step's exit codes say (git_ghost.errors has them all)."""

_ARGO = "workflows.argoproj.io/workflow"
_ARGO_NODE = "workflows.argoproj.io/node-name"
_TRY = re.compile(r"\((\d+)\)")
"""The number of a try in a node's name; that of an item has the item behind it: ``(0:x)``."""
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_GATED = "SchedulingGated"


class State(NamedTuple):
    """A container of a pod."""

    name: str
    init: bool
    """Whether it has to end before the others begin."""
    phase: str
    """``waiting``, ``running`` or ``terminated``."""
    reason: str = ""
    message: str = ""
    code: int | None = None
    """Exit code, once terminated."""
    finished: str = ""
    restarts: int = 0
    previous: int | None = None
    """Exit code of the run before this one."""
    previously: str = ""
    """When that run ended."""
    image: str = ""
    sidecar: bool = False
    """Whether it is an init container that runs beside the others, and is stopped after them."""

    @property
    def could_not_start(self) -> bool:
        """Whether its command could not be run."""
        return self.reason in ("StartError", "ContainerCannotRun")

    @property
    def has_started(self) -> bool:
        """Whether there is or was something running that may have a log."""
        return self.phase != "waiting" or self.previous is not None


class Problem(NamedTuple):
    """What keeps a pod from going on: ``key`` tells two problems apart."""

    key: str
    text: str
    hint: str = ""
    hopeless: bool = False
    """Whether waiting cannot help."""
    failed_init: str = ""
    """The init container whose log tells more."""


def name_of(pod: Mapping[str, Any]) -> str:
    """The pod's name."""
    return str(pod["metadata"]["name"])


def uid_of(pod: Mapping[str, Any]) -> str:
    """The pod's unique id."""
    return str(pod["metadata"].get("uid") or pod["metadata"]["name"])


def phase_of(pod: Mapping[str, Any]) -> str:
    """``Pending``, ``Running``, ``Succeeded``, ``Failed`` or ``Unknown``."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_over(pod: Mapping[str, Any]) -> bool:
    """Whether nothing will run in the pod any more."""
    return phase_of(pod) in ("Succeeded", "Failed")


def is_going(pod: Mapping[str, Any]) -> bool:
    """Whether somebody has told the pod to end."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def states(pod: Mapping[str, Any]) -> list[State]:
    """The containers, init containers first, as far as the status has them."""
    status = pod.get("status") or {}
    init = (pod.get("spec") or {}).get("initContainers") or ()
    beside = {str(one["name"]) for one in init if one.get("restartPolicy") == "Always"}
    found = [_state(one, True, beside) for one in status.get("initContainerStatuses") or ()]
    return found + [_state(one, False) for one in status.get("containerStatuses") or ()]


def _state(status: Mapping[str, Any], init: bool, beside: Container[str] = ()) -> State:
    state = status.get("state") or {}
    phase = next((p for p in ("running", "terminated", "waiting") if p in state), "waiting")
    detail = state.get(phase) or {}
    last = (status.get("lastState") or {}).get("terminated")
    name = str(status.get("name", ""))
    return State(
        name=name,
        init=init and name not in beside,
        phase=phase,
        reason=str(detail.get("reason") or ""),
        message=str(detail.get("message") or "").strip(),
        code=int(detail.get("exitCode", 0)) if phase == "terminated" else None,
        finished=str(detail.get("finishedAt") or ""),
        restarts=int(status.get("restartCount") or 0),
        previous=int(last.get("exitCode", 0)) if last else None,
        previously=str((last or {}).get("finishedAt") or ""),
        image=str(status.get("image") or ""),
        sidecar=name in beside,
    )


def containers(pod: Mapping[str, Any]) -> list[str]:
    """The names of the containers that do the work: Argo's own helper is not among them."""
    names = [str(one["name"]) for one in (pod.get("spec") or {}).get("containers") or ()]
    labels = pod["metadata"].get("labels") or {}
    if _ARGO in labels and "wait" in names:
        names.remove("wait")
    return names


def importance(pod: Mapping[str, Any], container: str) -> int:
    """Where a container stands among the others: the default one of kubectl is the first."""
    default = (pod["metadata"].get("annotations") or {}).get(_DEFAULT_CONTAINER)
    return -1 if container == default else containers(pod).index(container)


def is_restarted(pod: Mapping[str, Any], state: State) -> bool:
    """Whether a container may be started again after it has ended, while its pod goes on."""
    spec = pod.get("spec") or {}
    own: Mapping[str, Any] = next(
        (one for one in spec.get("containers") or () if one["name"] == state.name), {}
    )
    policy = own.get("restartPolicy") or spec.get("restartPolicy")
    return state.sidecar or policy != "Never" or bool(own.get("restartPolicyRules"))


def place_of(pod: Mapping[str, Any]) -> tuple[str, ...]:
    """What a pod does among those of its workload, as who takes over from it does; may be empty."""
    metadata = pod["metadata"]
    said = {**(metadata.get("annotations") or {}), **(metadata.get("labels") or {})}
    if node := said.get(_ARGO_NODE):
        return (_TRY.sub("", str(node)),)
    return tuple(f"{key}={said[key]}" for key in PLACES if key in said)


def tries_of(pod: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """The tries of groups of steps that an Argo pod is part of: the group's node, and the number.

    Its own try, at the end of the name, is not among them.
    """
    name = str((pod["metadata"].get("annotations") or {}).get(_ARGO_NODE) or "")
    outer = (one for one in _TRY.finditer(name) if one.end() < len(name))
    return tuple((name[: one.start()], int(one[1])) for one in outer)


def owners_of(pod: Mapping[str, Any]) -> set[str]:
    """The uids of the pod itself, and of the objects it belongs to directly."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return {uid_of(pod), *(str(one.get("uid")) for one in owners)}


def is_at_work(pod: Mapping[str, Any]) -> bool:
    """Whether a container of the pod runs; one of init that was started again does not count."""
    return any(
        state.phase == "running" and not (state.init and state.restarts) for state in states(pod)
    )


def serves(pod: Mapping[str, Any]) -> bool:
    """Whether the pod runs until somebody deletes it: its containers are started again for ever."""
    spec = pod.get("spec") or {}
    return str(spec.get("restartPolicy", "Always")) == "Always"


def images(pod: Mapping[str, Any]) -> dict[str, str]:
    """The images as the pod names them, by container."""
    spec = pod.get("spec") or {}
    both = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return {str(one["name"]): str(one.get("image", "")) for one in both}


def condition(data: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """The status condition of that type, whatever its value."""
    listed = (data.get("status") or {}).get("conditions") or ()
    return next((one for one in listed if one.get("type") == kind), None)


def is_gated(pod: Mapping[str, Any]) -> bool:
    """Whether the pod is held back before it is scheduled: it is queued."""
    scheduled = condition(pod, "PodScheduled") or {}
    gates = (pod.get("spec") or {}).get("schedulingGates")
    return scheduled.get("reason") == _GATED or bool(gates and phase_of(pod) == "Pending")


def problems(pod: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with a pod, as its status has it now."""
    status = pod.get("status") or {}
    scheduled = condition(pod, "PodScheduled") or {}
    if scheduled.get("reason") == "Unschedulable" and scheduled.get("status") == "False":
        text = str(scheduled.get("message") or "no node fits").partition(" preemption: ")[0]
        text = text.rstrip(".")
        yield Problem(f"unschedulable {_without_counts(text)}", f"no node can take it yet: {text}")
    named, working = images(pod), containers(pod)
    for state in states(pod):
        helps = state.name not in working
        yield from _container_problems(state, named.get(state.name) or state.image, helps)
    reason = str(status.get("reason") or "")
    if phase_of(pod) == "Failed" and reason:
        said = str(status.get("message") or "").rstrip(". ")
        what = {
            "Evicted": "the pod was evicted",
            "DeadlineExceeded": "the pod ran longer than its activeDeadlineSeconds",
            "NodeLost": "the pod's node was lost",
            "UnexpectedAdmissionError": "the node did not admit the pod",
        }.get(reason, f"the pod failed ({reason})")
        yield Problem(f"failed {reason}", f"{what}: {said}" if said else what)
    target = condition(pod, "DisruptionTarget") or {}
    if target.get("status") == "True" and reason != "Evicted":
        why, said = str(target.get("reason") or ""), str(target.get("message") or "").rstrip(".")
        yield Problem(f"disrupted {why}", f"the pod is disrupted ({why}){': ' * bool(said)}{said}")


def _without_counts(text: str) -> str:
    """The scheduler's words without its numbers, which change all the time."""
    return "".join(c for c in text if not c.isdigit())


def _container_problems(state: State, image: str, helps: bool) -> Iterator[Problem]:
    name, said = f"container {state.name}", f": {state.message}" if state.message else ""
    if state.phase == "waiting":
        if state.reason in _PULLING:
            hint = "Is the name right, and may the pod pull it (imagePullSecrets)?"
            text = f"image {image} of {name} cannot be pulled{said}"
            yield Problem(f"pull {state.name} {image}", text, hint)
        elif state.reason in _HOPELESS:
            may_pass = "failed to sync" in state.message  # the kubelet was slow to read something
            text = f"{name}: {state.reason}{said}"
            yield Problem(f"{state.reason} {state.name}", text, hopeless=not may_pass)
        elif state.reason in _FAILING:
            yield Problem(f"{state.reason} {state.name}", f"{name}: {state.reason}{said}")
        if state.init and state.previous:
            yield _init_failed(state, state.previous)
    elif state.phase == "terminated" and state.code and not state.sidecar:
        if state.init:
            yield _init_failed(state, state.code)
        else:
            text = f"{name} ended with exit code {state.code}"
            if state.reason == "OOMKilled":
                text += ": it was killed, as it needed more memory than its limit (OOMKilled)"
            elif state.reason not in ("Error", ""):
                text += f" ({state.reason}){said}"
            elif helps:  # its log, which would tell, is not shown
                text += said
            yield Problem(f"ended {state.name} {state.restarts}", text)


def _init_failed(state: State, code: int) -> Problem:
    ours = state.name == PULL_STEP
    what = "the code could not be pulled" if ours else f"init container {state.name} failed"
    why = f": {_MEANING[code]}" if ours and code in _MEANING else ""
    if state.reason == "OOMKilled":
        why = ": it needed more memory than its limit (OOMKilled)"
    return Problem(
        f"init {state.name} {code}",
        f"{what} (exit code {code}){why}",
        hopeless=ours and code in _PERMANENT,
        failed_init=state.name,
    )


def report_of(state: State) -> dict[str, Any]:
    """What the pull step left as its termination message; empty when that is none of ours."""
    if state.name != PULL_STEP or state.code != 0:
        return {}
    try:
        report = json.loads(state.message.splitlines()[-1])
    except (ValueError, IndexError):
        return {}
    return report if isinstance(report, dict) else {}


def what_is_waited_for(pod: Mapping[str, Any]) -> str:
    """What keeps a pod from running, in a few words."""
    name = f"pod {name_of(pod)}"
    if not (pod.get("spec") or {}).get("nodeName"):
        return f"{name} waits for a node"
    for state in states(pod):
        if state.init and state.phase != "terminated":
            if state.name == PULL_STEP and state.phase == "running":
                return f"{name} pulls the code"
            if state.phase == "running":
                return f"{name} runs its init container {state.name}"
        if state.phase == "waiting" and state.reason in _PULLING:
            return f"{name} cannot pull an image"
    return f"{name} is being started"
