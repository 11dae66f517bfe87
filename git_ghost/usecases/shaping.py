"""What ``run`` changes in a manifest beside the pull step: command, queue, parameters. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from git_ghost import kinds
from git_ghost.errors import UsageError
from git_ghost.kinds import QUEUE_LABEL, Kind
from git_ghost.workloads import manifest
from git_ghost.workloads.manifest import Document, PodTemplate

_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_TRAINER = "node"
"""The container whose command a TrainJob's ``trainer`` replaces (Kubeflow Trainer's constants)."""

Object = dict[str, Any]


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
    for document, _ in found:
        row = kinds.of(document.data)
        if row and row.entrypoint:
            raise UsageError(
                f"{document.where}: what a {row.name} runs is in its {row.entrypoint}, not in"
                " the command of a container",
                "Write it there.",
            )
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
    trainer: Any = document.data
    row = kinds.of(document.data)
    for step in (row.command if row else ()) or ("",):
        trainer = trainer.get(step) if isinstance(trainer, dict) else None
    if isinstance(trainer, dict):
        trainer.pop("command", None)
        trainer.pop("args", None)


def _are_a_group(found: Sequence[tuple[Document, Object]], containers: Sequence[str]) -> bool:
    """Whether they are one container, asked for by name, in the pods of one object."""
    documents = [document for document, _ in found]
    one = all(document is documents[0] for document in documents) and len(containers) == 1
    row = kinds.of(documents[0].data)
    return one and not (row and row.steps)


def _meant(pod: PodTemplate, containers: Sequence[str]) -> list[Object]:
    if containers:
        return [one for one in pod.containers if one.get("name", "main") in containers]
    every = [one for one in pod.containers if one.get("name") not in pod.initializers]
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
        row = kinds.of(document.data)
        if row is None or not row.unqueued:
            for path in row.queued if row else Kind.queued:
                _mapping(document.data, (*path, "labels"))[QUEUE_LABEL] = queue
        elif not any(one and one.shown == document.name for one in referred):
            whose = " of Volcano's" if row.group == "batch.volcano.sh" else ""
            raise UsageError(
                f"{document.where}: --queue is for what Kueue admits, and Kueue manages no"
                f" {row.name}{whose}",
                row.unqueued,
            )


def set_parameters(documents: Sequence[Document], parameters: Mapping[str, str]) -> None:
    """Give Argo workflows arguments, as ``argo submit -p`` does; UsageError without a workflow."""
    rows = [(document.data, kinds.of(document.data)) for document in documents]
    found = [(data, row.arguments) for data, row in rows if row and row.arguments]
    if not found:
        raise UsageError(
            "-p gives parameters to an Argo Workflow, and there is none in the manifests",
            "Other kinds take environment variables or arguments.",
        )
    for data, path in found:
        arguments = _mapping(data, (*path, "arguments"))
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
