"""Find the pod templates of an object, by what is known of its kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from git_ghost import kinds
from git_ghost.kinds import ARGO, Kind, Path
from git_ghost.workloads.manifest.places import place
from git_ghost.workloads.manifest.reading import (
    Document,
    ManifestError,
    Named,
    Object,
    is_list,
    is_object,
)


class PodTemplate(NamedTuple):
    """A place in an object that pods are made from."""

    owner: Object
    """What holds the pods' ``metadata``: an object, a PodTemplateSpec, a workflow's template."""
    spec: Object
    """What holds ``volumes`` and ``initContainers``; of a workflow's template, ``owner`` itself."""
    containers: tuple[Object, ...]
    """The main containers."""
    path: str
    """Where it is in the object: ``spec.template``."""
    name: str = ""
    """The name of a workflow's template."""
    at: Path = ("spec",)
    """Where ``spec`` is, below ``owner``."""
    initializers: tuple[str, ...] = ()
    """The main containers that fetch data for others, and run no code of the user's."""


def items(document: Document) -> list[Document]:
    """The objects that a document stands for: those of a List, else itself."""
    if not is_list(document.data):
        return [document]
    found: list[Document] = []
    for number, item in enumerate(document.data["items"]):
        where = f"{document.where}: items[{number}]"
        if not is_object(item):
            raise ManifestError(
                f"{where}: this is not a Kubernetes object: apiVersion or kind missing"
            )
        found += items(document._replace(data=item, where=where))
    return found


def placed(documents: Sequence[Document], texts: Sequence[str]) -> list[Document]:
    """The documents, which know where the user says that kinds have pod templates.

    Raises UsageError for what is not such a place.
    """
    places = tuple(map(place, texts))
    return [document._replace(places=places) for document in documents]


def is_known(document: Document) -> bool:
    """Whether it is known where the object has pod templates, or that it has none."""
    return _row(document) is not None


def _row(document: Document) -> Kind | None:
    """What is known of the object's kind, else what the user says of it."""
    row = kinds.of(document.data)
    if row is None and document.places:
        group, kind = kinds.split_api_version(document.data["apiVersion"])[0], document.kind
        paths = [
            each.path
            for each in document.places
            if each.is_for(group, kind) and (each.kind or _leads(document, each.path))
        ]
        bare = tuple(path for path in paths if _leads(document, (*path, "containers", "[]")))
        templates = tuple(path for path in paths if path not in bare)
        row = Kind(group, kind, templates=templates, bare=bare) if paths else None
    return row


def _leads(document: Document, path: Path) -> bool:
    """Whether there is something at ``path``."""
    try:
        return bool(list(_walk(document, document.data, path, ())))
    except ManifestError:
        return False


def has_pods(document: Document) -> bool:
    """Whether pods come of one object: from its templates, or those of the one it refers to.

    Raises ManifestError where a pod template should be and is not.
    """
    return (
        bool(pod_templates(document))
        or pods_from(document) is not None
        or any(_workflow_template(ref) in document.together for ref in _template_refs(document))
    )


def pod_templates(document: Document) -> list[PodTemplate]:
    """The pod templates of one object; none for kinds without, and for unknown ones.

    There are none either where they are in an object that was read together with this one. Raises
    ManifestError where one should be and is not.
    """
    row = _row(document)
    if row is None or pods_from(document) is not None:
        return []
    if row.steps:
        return _argo(document, row.steps)
    if row.wraps:
        return [
            template._replace(path=".".join(filter(None, (at, template.path))))
            for at, inner in wrapped(document).items()
            for template in pod_templates(inner)
        ]
    if row.refers:
        raise ManifestError(
            f"{document.where}: a {row.name} has no pod template: it cannot add an init container",
            row.lacking,
        )
    implied = absent(document)
    found = [
        _pod_template(document, owner, ".".join(steps))
        for path in row.templates
        for owner, steps in (
            [({"spec": {"containers": [{"name": implied[path]}]}}, path)]
            if path in implied
            else _walk(document, document.data, path, ())
        )
    ]
    found += [
        PodTemplate(
            document.data, spec, _containers(document, spec, at), ".".join(at), at=_keys(at)
        )
        for path in row.bare
        for spec, at in _walk(document, document.data, path, ())
        if spec.get("containers")
    ]
    if row.has_templates and not found:
        at = f": {'.'.join((*row.bare[0], 'containers'))} is missing" if row.bare else ""
        raise ManifestError(
            f"{document.where}: {document.name} has no pod template{at}", row.lacking
        )
    return found


def _keys(steps: Path) -> Path:
    """The way :func:`_walk` went, items of lists apart from their lists: ``workers``, ``[0]``."""
    return tuple(key for step in steps for key in re.split(r"(?=\[\d+\])", step))


def absent(document: Document) -> dict[Path, str]:
    """Where the operator of one object adds a pod template, and the name of the container there."""
    row = kinds.of(document.data)
    if row is None or not row.implied:
        return {}
    return {
        path: name
        for path, name in zip(row.templates, row.implied, strict=True)
        for holder, _ in _walk(document, document.data, path[:-1], ())
        if holder.get(path[-1]) is None
    }


def wrapped(document: Document) -> dict[str, Document]:
    """The objects inside of one that creates them (an AppWrapper), by where they are in it."""
    row = kinds.of(document.data)
    found = {}
    for data, steps in _walk(document, document.data, row.wraps, ()) if row and row.wraps else ():
        at = ".".join(steps)
        where = f"{document.where}: {at}"
        if not is_object(data):
            raise ManifestError(f"{where} is not a Kubernetes object: apiVersion or kind missing")
        found[at] = document._replace(data=data, where=where)
    return found


def pods_from(document: Document) -> Named | None:
    """What an object without pod templates takes those of, if it was read together with it."""
    named = _reference(document)
    if named is None or named not in document.together:
        return None
    row = kinds.find(named.group, named.kind)
    return named if row and row.has_templates else None


def _reference(document: Document) -> Named | None:
    """The object that this one names in the place of pod templates of its own."""
    row = kinds.of(document.data)
    if row is None or not row.refers:
        return None
    named = _part(document.data, *row.refers)
    if row.steps:
        own = _part(document.data, *row.steps).get("templates")
        return _workflow_template(named) if named and not own else None
    kind = str(named.get("kind") or "ClusterTrainingRuntime")
    return Named(str(named.get("apiGroup") or row.group), kind, str(named.get("name")))


def _workflow_template(named: Object) -> Named:
    kind = "ClusterWorkflowTemplate" if named.get("clusterScope") else "WorkflowTemplate"
    return Named(ARGO, kind, str(named.get("name")))


def _part(data: Any, *path: str) -> Object:
    """The mapping at ``path``; an empty one where there is none."""
    for step in path:
        data = data.get(step) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def pod_defaults(document: Document) -> tuple[str, Object]:
    """What gives volumes to all pods of an object besides their templates, and where it is.

    That is the spec of a workflow or StatefulSet; other kinds have none.
    """
    row = kinds.of(document.data)
    path = row.volumes if row else ()
    found: Any = document.data if path else {}
    for step in path:
        found = found[step]
    return ".".join(path), found


def _walk(
    document: Document, value: Any, path: tuple[str, ...], done: tuple[str, ...]
) -> Iterator[tuple[Object, tuple[str, ...]]]:
    """The mappings at ``path`` below ``value``, and how they were reached."""
    if not path:
        if not isinstance(value, dict):
            raise _wrong(document, done, "mapping")
        yield value, done
        return
    step, rest = path[0].removesuffix("?"), path[1:]
    if step == "[]":
        if not isinstance(value, list):
            raise _wrong(document, done, "list")
        for number, item in enumerate(value):
            yield from _walk(document, item, rest, (*done[:-1], f"{done[-1]}[{number}]"))
        return
    if not isinstance(value, dict):
        raise _wrong(document, done, "mapping")
    if step == "*":
        for key, item in value.items():
            yield from _walk(document, item, rest, (*done, key))
    elif step in value:
        yield from _walk(document, value[step], rest, (*done, step))
    elif step == path[0]:
        raise _missing(document, (*done, step))


def _wrong(document: Document, path: tuple[str, ...], noun: str) -> ManifestError:
    return ManifestError(f"{document.where}: {document.name}: {'.'.join(path)} is not a {noun}")


def _missing(document: Document, path: tuple[str, ...]) -> ManifestError:
    return ManifestError(
        f"{document.where}: {document.name} has no pod template: {'.'.join(path)} is missing",
        row.lacking if (row := kinds.of(document.data)) else "",
    )


def _pod_template(document: Document, owner: Object, path: str) -> PodTemplate:
    spec = owner.get("spec")
    at = (*filter(None, (path,)), "spec")
    if not isinstance(spec, dict):
        raise _missing(document, at)
    row = kinds.of(document.data)
    aside = row.initializers if row else ()
    return PodTemplate(owner, spec, _containers(document, spec, at), path, initializers=aside)


def _containers(document: Document, holder: Object, at: tuple[str, ...]) -> tuple[Object, ...]:
    listed = holder.get("containers")
    if not (isinstance(listed, list) and listed):
        raise _missing(document, (*at, "containers"))
    row = kinds.of(document.data)
    default = "" if row and row.unnamed and len(listed) == 1 else None
    for item in listed:
        if not (isinstance(item, dict) and isinstance(item.get("name", default), str)):
            raise ManifestError(
                f"{document.where}: {document.name}: a container in {'.'.join(at)} has no name"
            )
    return tuple(listed)


# --- Argo Workflows ------------------------------------------------------------------------------


def _argo(document: Document, path: Path) -> list[PodTemplate]:
    spec: Any = document.data
    for step in path:
        spec = spec.get(step)
        if not isinstance(spec, dict):
            raise ManifestError(f"{document.where}: {document.name}: {step} is missing")
    listed = spec.get("templates")
    if not listed:
        if "workflowTemplateRef" in spec:
            raise ManifestError(
                f"{document.where}: {document.name} only refers to a WorkflowTemplate"
                " (workflowTemplateRef): it holds no template to add the pull to",
                "Inject into that WorkflowTemplate. Both can be given together.",
            )
        raise ManifestError(f"{document.where}: {document.name} has no templates")
    if not isinstance(listed, list):
        raise _wrong(document, (*path, "templates"), "list")
    return [found for item in listed for found in _argo_template(document, item, "")]


def templates_elsewhere(document: Document) -> list[str]:
    """The templates of other objects that a workflow's own run (``templateRef``), as NAME/TEMPLATE.

    What they run gets nothing that is added here. Those read together with it are not among them.
    """
    elsewhere = (
        f"{ref.get('name')}/{ref.get('template')}"
        for ref in _template_refs(document)
        if _workflow_template(ref) not in document.together
    )
    return list(dict.fromkeys(elsewhere))


def _template_refs(document: Document) -> Iterator[Object]:
    """What the steps of a workflow's templates say about templates of other objects."""
    row = kinds.of(document.data)
    if row is None or not row.steps:
        return
    spec = _part(document.data, *row.steps)
    for template in spec.get("templates") or ():
        for step in _steps(template):
            if isinstance(ref := step.get("templateRef"), dict):
                yield ref


def _argo_template(document: Document, template: Any, named: str) -> Iterator[PodTemplate]:
    """The pod templates of one template of a workflow: its own, and those written inside steps."""
    if not isinstance(template, dict):
        raise ManifestError(f"{document.where}: {document.name}: a template is not a mapping")
    name = str(template.get("name") or named)
    path = f"templates[{name}]"
    for key in ("container", "script"):
        if isinstance(container := template.get(key), dict):
            yield PodTemplate(template, template, (container,), path, name, at=())
    if isinstance(several := template.get("containerSet"), dict):
        containers = _containers(document, several, (path, "containerSet"))
        yield PodTemplate(template, template, containers, path, name, at=())
    for step in _steps(template):
        if isinstance(inline := step.get("inline"), dict):
            yield from _argo_template(document, inline, str(step.get("name", "")))


def _steps(template: Object) -> Iterator[Object]:
    dag = template.get("dag")
    tasks = dag.get("tasks") if isinstance(dag, dict) else None
    for group_of in (template.get("steps"), [tasks]):
        for parallel in group_of if isinstance(group_of, list) else ():
            for step in parallel if isinstance(parallel, list) else ():
                if isinstance(step, dict):
                    yield step
