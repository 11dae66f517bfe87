"""What ``run`` changes in a manifest beside the pull step: command, queue, parameters. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from git_ghost.errors import UsageError
from git_ghost.workloads import manifest
from git_ghost.workloads.manifest import ARGO, Document, PodTemplate

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_TRAINER = "node"
"""The container whose command a TrainJob's ``trainer`` replaces (Kubeflow Trainer's constants)."""

Object = dict[str, Any]

_OWN = (("metadata",),)
_OF_PODS = (("spec", "template", "metadata"),)
_QUEUED: Mapping[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    ("batch", "CronJob"): (("spec", "jobTemplate", "metadata"),),
    ("apps", "ReplicaSet"): _OF_PODS,
    ("", "ReplicationController"): _OF_PODS,
    (ARGO, "Workflow"): (*_OWN, ("spec", "podMetadata")),
    (ARGO, "CronWorkflow"): (
        ("spec", "workflowMetadata"), ("spec", "workflowSpec", "podMetadata"),
    ),
    (ARGO, "WorkflowTemplate"): (("spec", "podMetadata"),),
    (ARGO, "ClusterWorkflowTemplate"): (("spec", "podMetadata"),),
}  # fmt: skip
"""Where the metadata of what Kueue admits is, if that is not the object itself but what is made
of it: https://kueue.sigs.k8s.io/docs/tasks/run."""
_TRAIN_JOBS_WAIT = "The TrainJob that refers to it waits in a queue: give both together."
_NOT_QUEUED: Mapping[tuple[str, str], str] = {
    ("apps", "DaemonSet"): "Without --queue its pods start at once, one on every node.",
    ("", "PodTemplate"): "What is made of it waits in a queue, not the template.",
    ("batch.volcano.sh", "Job"): "Volcano's own queue is spec.queue in the manifest.",
    ("trainer.kubeflow.org", "TrainingRuntime"): _TRAIN_JOBS_WAIT,
    ("trainer.kubeflow.org", "ClusterTrainingRuntime"): _TRAIN_JOBS_WAIT,
}
"""Kinds for which a queue means nothing, and what to do instead."""


def job(image: str, command: Sequence[str], run_as_user: int | None = None) -> Object:
    """A Job that runs ``command`` in ``image`` once.

    With ``run_as_user`` it passes Pod Security's ``restricted`` profile; without, the image's user
    runs it, who may be root and may need what that profile takes away, so that only ``baseline`` is
    certain.
    """
    security: Object = {
        "allowPrivilegeEscalation": False,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if run_as_user is not None:
        security["capabilities"] = {"drop": ["ALL"]}
        security["runAsUser"] = run_as_user
        security["runAsNonRoot"] = run_as_user != 0
    container: Object = {"name": "main", "image": image}
    if command:
        container["command"] = list(command)
    container["securityContext"] = security
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": "ghost-"},
        "spec": {
            "backoffLimit": 0,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    }


def flatten(documents: Sequence[Document]) -> list[Document]:
    """Each object by itself, a copy that may be changed: those of a List one by one."""
    return [
        item._replace(data=copy.deepcopy(item.data))
        for document in documents
        for item in manifest.items(document)
    ]


def set_command(
    documents: Sequence[Document], command: Sequence[str], containers: Sequence[str], template: str
) -> None:
    """Let the main container run ``command`` instead of its own.

    It is the one that ``containers`` and ``template`` name, the default container of ``kubectl``,
    or the only one; in a group of pods (a PyTorchJob's Master and Workers) all of the name that
    ``containers`` has. Raises UsageError when none or several could be meant.
    """
    found = [
        (document, container)
        for document in documents
        for pod in manifest.pod_templates(document)
        if not template or pod.name == template
        for container in _meant(pod, containers)
    ]
    if not found:
        raise UsageError("there is no container whose command could be replaced")
    if len(found) > 1 and not _are_a_group(found, containers):
        names = ", ".join(sorted({str(c.get("name", "main")) for _, c in found}))
        raise UsageError(
            f"the command could be for each of {len(found)} containers: {names}",
            "Name one with -c (and, in a workflow, its --template).",
        )
    for document, container in found:
        if "source" in container:
            raise UsageError(
                f"{document.where}: a script template runs its source, no other command",
                "Use a template with a container.",
            )
        container["command"] = list(command)
        container.pop("args", None)
    if any(container.get("name") == _TRAINER for _, container in found):
        for document in documents:
            _let_the_runtime_say(document)


def _let_the_runtime_say(document: Document) -> None:
    """Take out the command of a TrainJob, which would win over that of its runtime."""
    trainer = document.data["spec"].get("trainer") if document.kind == "TrainJob" else None
    if isinstance(trainer, dict):
        trainer.pop("command", None)
        trainer.pop("args", None)


def _are_a_group(found: Sequence[tuple[Document, Object]], containers: Sequence[str]) -> bool:
    """Whether they are one container, asked for by name, in the pods of one object."""
    documents = [document for document, _ in found]
    one = all(document is documents[0] for document in documents) and len(containers) == 1
    return one and manifest.group(documents[0].data) != ARGO  # whose templates are steps


def _meant(pod: PodTemplate, containers: Sequence[str]) -> list[Object]:
    every = list(pod.containers)
    if containers:
        return [one for one in every if one.get("name", "main") in containers]
    metadata = pod.owner.get("metadata") or {}
    default = (metadata.get("annotations") or {}).get(_DEFAULT_CONTAINER)
    return [one for one in every if one.get("name") == default] or every


def set_queue(documents: Sequence[Document], queue: str) -> None:
    """Hand what has pods to Kueue's local queue of that name.

    Raises UsageError for kinds that wait in none, unless others that do take their pods from them.
    """
    referred = [manifest.pods_from(document) for document in documents]
    for document in documents:
        if not manifest.has_pods(document):
            continue
        data = document.data
        key = group, kind = manifest.group(data), document.kind
        if key not in _NOT_QUEUED:
            for path in _QUEUED.get(key, _OWN):
                _mapping(data, (*path, "labels"))[QUEUE_LABEL] = queue
        elif not any(one and one.shown == document.name for one in referred):
            whose = " of Volcano's" if group == "batch.volcano.sh" else ""
            raise UsageError(
                f"{document.where}: --queue is for what Kueue admits, and Kueue manages no"
                f" {kind}{whose}",
                _NOT_QUEUED[key],
            )


def set_parameters(documents: Sequence[Document], parameters: Mapping[str, str]) -> None:
    """Give Argo workflows arguments, as ``argo submit -p`` does; UsageError without a workflow."""
    paths = {"Workflow": ("spec",), "CronWorkflow": ("spec", "workflowSpec")}
    found = [
        document
        for document in documents
        if manifest.group(document.data) == ARGO and document.data["kind"] in paths
    ]
    if not found:
        raise UsageError(
            "-p gives parameters to an Argo Workflow, and there is none in the manifests",
            "Other kinds take environment variables or arguments.",
        )
    for document in found:
        at = (*paths[document.data["kind"]], "arguments")
        arguments = _mapping(document.data, at)
        listed = arguments.setdefault("parameters", []) or []
        arguments["parameters"] = listed
        for name, value in parameters.items():
            same = next((one for one in listed if one.get("name") == name), None)
            if same is None:
                listed.append({"name": name, "value": value})
            else:
                same["value"] = value
                same.pop("valueFrom", None)


def _mapping(data: Object, path: Sequence[str]) -> Object:
    for step in path:
        if not isinstance(data.get(step), dict):
            data[step] = {}
        data = data[step]
    return data
