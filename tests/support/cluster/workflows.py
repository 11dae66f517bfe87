"""The controller of Argo workflows: steps, dag and container templates, run as pods."""

from __future__ import annotations

import copy
import json
import re
from typing import Any, NamedTuple

from tests.support.cluster.kinds import Object
from tests.support.cluster.owned import DONE, Owned
from tests.support.cluster.podstatus import condition
from tests.support.cluster.store import now

LABEL = "workflows.argoproj.io/workflow"
_DONE_LABEL = "workflows.argoproj.io/completed"
_EXECUTOR = 'echo "time=now level=info msg=Executor"'
_ENDED = ("Succeeded", "Failed", "Error")


class _Task(NamedTuple):
    """A pod to run: display name, template with its inputs filled in."""

    name: str
    template: Object


class _Unusable(Exception):
    """The workflow's spec makes no sense."""


class WorkflowController:
    """Runs workflows: groups of pods one after the other, until one fails."""

    def __init__(self, owned: Owned) -> None:
        """Act through `owned`."""
        self._owned = owned
        self._store = owned.api.store
        self._kinds = owned.api.kinds

    def look(self) -> None:
        """Bring every workflow one step further."""
        try:
            kind = self._kinds.named("Workflow")
        except KeyError:
            return  # Argo is not installed
        for workflow in self._store.all(kind):
            meta, ended = workflow["metadata"], workflow.get("status", {}).get("phase") in _ENDED
            if ended or "deletionTimestamp" in meta:
                continue
            status = self._step(workflow)

            def change(stored: Object, status: Object = status) -> None:
                stored["status"] = {**stored.get("status", {}), **status}
                labels = stored["metadata"].setdefault("labels", {})
                labels["workflows.argoproj.io/phase"] = status["phase"]
                if status["phase"] in _ENDED:
                    labels[_DONE_LABEL] = "true"

            self._store.update(kind, meta["namespace"], meta["name"], change)

    def _step(self, workflow: Object) -> Object:
        started = workflow.get("status", {}).get("startedAt") or now()
        try:
            spec = self._spec(workflow)
            groups = self._plan(spec, spec.get("entrypoint", ""), _parameters(spec), "")
        except _Unusable as error:
            ended = {"phase": "Error", "message": str(error), "finishedAt": now()}
            return {**ended, "startedAt": started}
        status: Object = {"phase": "Running", "startedAt": started}
        if spec.get("suspend"):
            return status
        pods = {pod["metadata"]["name"]: pod for pod in self._owned.pods_of(workflow)}
        status["nodes"] = {name: _node(name, pod) for name, pod in pods.items()}
        for group in groups:
            names = [_pod_name(workflow, task, len(groups)) for task in group]
            for name, task in zip(names, group, strict=True):
                if name not in pods:
                    self._make(workflow, spec, name, task)
            found = [pods[name] for name in names if name in pods]
            failed = [pod for pod in found if _phase(pod) == "Failed"]
            if len(found) < len(group) or any(_phase(pod) not in DONE for pod in found):
                return status
            if failed:
                message = _node(failed[0]["metadata"]["name"], failed[0])["message"]
                return {**status, **_end("Failed", message)}
        return {**status, **_end("Succeeded", "")}

    def _spec(self, workflow: Object) -> Object:
        """Return the spec, with what it takes over from a template it refers to."""
        spec: Object = workflow["spec"]
        if ref := spec.get("workflowTemplateRef"):
            scope = "ClusterWorkflowTemplate" if ref.get("clusterScope") else "WorkflowTemplate"
            spec = {**self._template_spec(workflow, scope, ref["name"]), **spec}
        return {**spec, "_namespace": workflow["metadata"]["namespace"]}

    def _template_spec(self, workflow: Object, scope: str, name: str) -> Object:
        kind = self._kinds.named(scope)
        namespace = workflow["metadata"]["namespace"] if kind.namespaced else ""
        found = self._store.find(kind, namespace, name)
        if found is None:
            raise _Unusable(f'{kind.resource} "{name}" not found')
        spec: Object = found["spec"]
        return spec

    def _plan(
        self, spec: Object, name: str, values: dict[str, str], prefix: str
    ) -> list[list[_Task]]:
        """Return the pods of a template, in groups that run one after the other."""
        template = next((t for t in spec.get("templates") or () if t["name"] == name), None)
        if template is None:
            raise _Unusable(f"template '{name}' not found")
        template = _fill(template, values)
        if "steps" in template:
            groups = template["steps"]
        elif "dag" in template:
            groups = [[task] for task in _in_order(template["dag"]["tasks"])]
        else:
            return [[_Task(prefix or name, template)]]
        planned: list[list[_Task]] = []
        for group in groups:
            together = [self._plan_step(spec, step, values) for step in group]
            depth = max(map(len, together))
            planned += ([t for each in together for t in _at(each, at)] for at in range(depth))
        return planned

    def _plan_step(self, spec: Object, step: Object, values: dict[str, str]) -> list[list[_Task]]:
        given = step.get("arguments", {}).get("parameters") or []
        inputs = {f"inputs.parameters.{p['name']}": str(p["value"]) for p in given}
        if ref := step.get("templateRef"):
            scope = "ClusterWorkflowTemplate" if ref.get("clusterScope") else "WorkflowTemplate"
            workflow = {"metadata": {"namespace": spec["_namespace"]}}
            other = self._template_spec(workflow, scope, ref["name"])
            spec = {**other, "_namespace": spec["_namespace"]}
            return self._plan(spec, ref["template"], {**values, **inputs}, step["name"])
        return self._plan(spec, step["template"], {**values, **inputs}, step["name"])

    def _make(self, workflow: Object, spec: Object, name: str, task: _Task) -> None:
        template = task.template
        meta = copy.deepcopy(template.get("metadata") or {})
        for field, more in (spec.get("podMetadata") or {}).items():
            meta[field] = {**more, **(meta.get(field) or {})}
        meta.setdefault("annotations", {})["workflows.argoproj.io/node-name"] = task.name
        labels = {LABEL: workflow["metadata"]["name"], _DONE_LABEL: "false"}
        pod: Object = {
            "restartPolicy": "Never",
            "serviceAccountName": spec.get("serviceAccountName", "default"),
            "nodeSelector": template.get("nodeSelector") or spec.get("nodeSelector") or {},
            "volumes": [*(spec.get("volumes") or ()), *(template.get("volumes") or ())],
            "initContainers": [
                _executor("init"),
                *({"image": "busybox", **c} for c in template.get("initContainers") or ()),
            ],
            "containers": [_executor("wait"), _main(template)],
        }
        for container in pod["initContainers"]:
            if container.pop("mirrorVolumeMounts", False):
                mounts = pod["containers"][1].get("volumeMounts") or []
                container["volumeMounts"] = [*(container.get("volumeMounts") or ()), *mounts]
        pod_spec = {"metadata": meta, "spec": pod}
        self._owned.make(self._owned.pods, workflow, name, pod_spec, labels)


def _executor(name: str) -> Object:
    return {"name": name, "image": "argoexec", "command": ["sh", "-c", _EXECUTOR]}


def _main(template: Object) -> Object:
    if "script" in template:
        script = copy.deepcopy(template["script"])
        source = script.pop("source")
        return {**script, "name": "main", "args": ["-c", source]}
    return {**copy.deepcopy(template.get("container") or {}), "name": "main"}


def _end(phase: str, message: str) -> Object:
    ended: Object = {"phase": phase, "finishedAt": now()}
    ended["conditions"] = [condition("PodRunning", False), condition("Completed", True)]
    return {**ended, "message": message} if message else ended


def _phase(pod: Object) -> str:
    return str(pod["status"]["phase"])


def _node(name: str, pod: Object) -> Object:
    node = {"id": name, "name": name, "type": "Pod", "phase": _phase(pod), "message": ""}
    for status in (
        *(pod["status"].get("initContainerStatuses") or ()),
        *(pod["status"].get("containerStatuses") or ()),
    ):
        ended = status["state"].get("terminated") or {}
        if ended.get("exitCode") and _phase(pod) == "Failed":
            said = f"{ended['reason']} (exit code {ended['exitCode']})"
            node["message"] = f"{status['name']}: {said}"
    return node


def _pod_name(workflow: Object, task: _Task, groups: int) -> str:
    name = str(workflow["metadata"]["name"])
    digits = sum(ord(letter) * 31**at for at, letter in enumerate(task.name)) % 10**10
    single = groups == 1 and "steps" not in json.dumps(workflow["spec"].get("templates"))
    return name if single else f"{name}-{task.template['name']}-{digits}"


def _parameters(spec: Object) -> dict[str, str]:
    given = spec.get("arguments", {}).get("parameters") or []
    return {f"workflow.parameters.{p['name']}": str(p.get("value", "")) for p in given}


def _fill(template: Object, values: dict[str, str]) -> Object:
    """Return a template with `{{…}}` replaced; inputs that were not given have their defaults."""
    for parameter in template.get("inputs", {}).get("parameters") or []:
        default = parameter.get("value", parameter.get("default"))
        if default is not None:
            values = {f"inputs.parameters.{parameter['name']}": str(default), **values}

    def replaced(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replaced(item) for key, item in value.items()}
        if isinstance(value, list):
            return [replaced(item) for item in value]
        if not isinstance(value, str):
            return value
        return re.sub(r"\{\{\s*([^{}]+?)\s*\}\}", lambda m: values.get(m[1], m[0]), value)

    filled: Object = replaced(template)
    return filled


def _in_order(tasks: list[Object]) -> list[Object]:
    """Return the tasks of a dag so that each comes after what it depends on."""
    ordered: list[Object] = []
    left = list(tasks)
    while left:
        done = {task["name"] for task in ordered}
        ready = [t for t in left if done.issuperset(_needs(t))]
        if not ready:
            raise _Unusable("templates.dag: cycle")
        ordered += ready
        left = [task for task in left if task not in ready]
    return ordered


def _at(groups: list[list[_Task]], number: int) -> list[_Task]:
    return groups[number] if number < len(groups) else []


def _needs(task: Object) -> set[str]:
    words = re.findall(r"[\w-]+", task.get("depends", ""))
    return {*(task.get("dependencies") or ()), *words}
