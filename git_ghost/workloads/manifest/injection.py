"""Add the pull step to an object's pod templates, and take it back."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from git_ghost import kinds
from git_ghost.errors import UsageError
from git_ghost.model import is_oid
from git_ghost.workloads.manifest import step as steps
from git_ghost.workloads.manifest.edits import Edits, Path, copied, undo
from git_ghost.workloads.manifest.reading import Document, ManifestError, Object
from git_ghost.workloads.manifest.step import NAME, NOTE, PREFIX, Step
from git_ghost.workloads.manifest.templates import (
    PodTemplate,
    absent,
    items,
    pod_defaults,
    pod_templates,
)

_ANNOTATIONS: Path = ("metadata", "annotations")


class Code(NamedTuple):
    """The code an object runs, as its annotations say."""

    hash: str
    base: str = ""
    repository: str = ""
    source: str = ""
    prefix: str = "ghost"


def inject(document: Document, step: Step) -> Object:
    """A copy of the document's object whose pod templates pull ``step``'s ghost first.

    What an earlier injection added is replaced. An object without pod templates comes back as it
    is. Raises ManifestError for an object it cannot be added to, UsageError for an impossible
    ``step``.
    """
    step = steps.checked(step)
    data = remove(document)
    for each in items(document._replace(data=data)):
        _inject_one(each, step)
    return data


def _inject_one(document: Document, step: Step) -> None:
    outer = Edits(document.data)
    if (implied := absent(document)) and receivers(document, step):
        for path, name in implied.items():
            outer.insert((*path, "spec", "containers"), 0, {"name": name})
    every = pod_templates(document)
    if not every:
        return
    templates = _receivers(document, every, step)
    _check_shape(document, templates)
    for value in (step.hash, step.base):
        if steps.is_expression(value) and not _is_workflow(document):
            raise UsageError(
                f"{document.where}: {value} means something in a workflow, not in a"
                f" {document.kind}",
                "Give the hash itself.",
            )
    for owner, group in _by_owner(every):
        edits = Edits(owner)
        receiving = [one for one in group if any(one is each for each in templates)]
        if receiving:
            _annotate(edits, step, step.facts)
            for template in receiving:
                _add(document, edits, template, step)
        elif step.labels or step.annotations:  # they are for all pods of the object
            _annotate(edits, step, {})
        else:
            continue
        edits.mapping(_ANNOTATIONS)[NOTE] = edits.note()
    if templates and all(template.owner is not document.data for template in templates):
        # Argo puts values in place of expressions in a workflow's templates, not in its metadata.
        facts = {key: fact for key, fact in step.facts.items() if not steps.is_expression(fact)}
        _annotate(outer, step, facts)
        outer.mapping(_ANNOTATIONS)[NOTE] = outer.note()


def _by_owner(templates: list[PodTemplate]) -> list[tuple[Object, list[PodTemplate]]]:
    """The pod templates, those together that have their metadata in common."""
    groups: dict[int, list[PodTemplate]] = {}
    for template in templates:
        groups.setdefault(id(template.owner), []).append(template)
    return [(group[0].owner, group) for group in groups.values()]


def receivers(document: Document, step: Step) -> list[PodTemplate]:
    """The pod templates of one object that get the pull: a container in them gets the code.

    Raises ManifestError for a container or a template that is not there.
    """
    return _receivers(document, pod_templates(document), step)


def _receivers(document: Document, every: list[PodTemplate], step: Step) -> list[PodTemplate]:
    templates = _chosen(document, every, step)
    if templates:
        _check_containers(document, templates, step)
    return [
        template
        for template in templates
        if any(_gets_code(template, each, step) for each in _candidates(template))
    ]


def _gets_code(template: PodTemplate, container: Object, step: Step) -> bool:
    """Whether ``-c`` names the container, or else whether it runs the user's code."""
    name = container_name(container)
    if step.containers:
        return name in step.containers
    return container in template.containers and name not in template.initializers


def untrusting(document: Document, step: Step) -> list[str]:
    """The containers of one object that get the code, but not git's trust in it.

    They take ``GIT_CONFIG_COUNT`` from elsewhere, so that nothing can be added to what it counts.
    """
    return [
        container_name(container)
        for template in receivers(document, step)
        for container in _candidates(template)
        if _gets_code(template, container, step) and _config_count(container) is None
    ]


def _config_count(container: Object) -> int | None:
    """How many git settings the container's environment has; None where that is not known."""
    found = [one for one in _mappings(container, "env") if one.get("name") == "GIT_CONFIG_COUNT"]
    if not found:
        return 0
    value = found[0].get("value")
    plain = isinstance(value, str) and value.isascii() and value.isdigit()
    return int(str(value)) if plain and len(found) == 1 else None


def _is_workflow(document: Document) -> bool:
    row = kinds.of(document.data)
    return row is not None and bool(row.steps)


def _chosen(document: Document, templates: list[PodTemplate], step: Step) -> list[PodTemplate]:
    if not (step.template and templates and _is_workflow(document)):
        return templates
    chosen = [template for template in templates if template.name == step.template]
    if not chosen:
        names = ", ".join(template.name for template in templates)
        raise ManifestError(
            f"{document.where}: {document.name} has no template '{step.template}' with a container",
            f"It has: {names}.",
        )
    return chosen


def container_name(container: Object) -> str:
    """The name of a container; Argo's ``container`` and others without one are called main."""
    return str(container.get("name", "main"))


def _check_containers(document: Document, templates: list[PodTemplate], step: Step) -> None:
    there = {container_name(container) for t in templates for container in _candidates(t)}
    for name in step.containers:
        if name not in there:
            raise ManifestError(
                f"{document.where}: {document.name} has no container '{name}'",
                f"It has: {', '.join(sorted(there))}.",
            )


def _candidates(template: PodTemplate) -> Iterator[Object]:
    """What ``-c`` can name: the main containers, and the user's own init containers."""
    yield from template.containers
    for container in _mappings(template.spec, "initContainers"):
        if isinstance(container.get("name"), str):
            yield container


def _mappings(holder: Object, key: str) -> list[Object]:
    listed = holder.get(key)
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def _annotate(edits: Edits, step: Step, facts: Mapping[str, str]) -> None:
    if facts:
        edits.take(_ANNOTATIONS, PREFIX)  # what somebody wrote there says another code
    for key, value in step.labels.items():
        edits.put(("metadata", "labels", key), value)
    for key, value in step.annotations.items():
        edits.put((*_ANNOTATIONS, key), value)
    edits.mapping(_ANNOTATIONS).update(facts)


def _add(document: Document, edits: Edits, template: PodTemplate, step: Step) -> None:
    """Add the init container, its volumes, and the mounts, to one pod template."""
    spec = template.at
    _refuse_windows(document, template)
    _refuse_clashes(document, template)
    for path, container in list(_paths(template, spec)):
        if _gets_code(template, container, step):
            _check_mount(document, template, container, step)
            _add_to_container(edits, path, container, step)
    pull = steps.init_container(step, guaranteed=_is_guaranteed(template.containers))
    edits.insert((*spec, "initContainers"), 0, pull)
    for volume in steps.volumes(step):
        edits.insert((*spec, "volumes"), len(_mappings(template.spec, "volumes")), volume)


def _paths(template: PodTemplate, spec: Path) -> Iterator[tuple[Path, Object]]:
    """The containers of a pod template, and where they are below its owner."""
    owner = template.owner
    for key in ("container", "script"):
        if template.containers and owner.get(key) is template.containers[0]:
            yield (key,), owner[key]
            break
    else:
        inside: Path = spec or ("containerSet",)
        for container in template.containers:
            yield (*inside, "containers", container.get("name", "")), container
    for container in _mappings(template.spec, "initContainers"):
        if isinstance(container.get("name"), str):
            yield (*spec, "initContainers", container["name"]), container


def _add_to_container(edits: Edits, path: Path, container: Object, step: Step) -> None:
    edits.insert(
        (*path, "volumeMounts"), len(container.get("volumeMounts") or ()), steps.mount(step)
    )
    if not container.get("workingDir"):
        edits.put((*path, "workingDir"), step.mount)
    added = [{"name": key, "value": value} for key, value in step.variables.items()]
    if (count := _config_count(container)) is not None:
        added += steps.trust(step, count)
    for number, variable in enumerate(added):  # first: $(GIT_GHOST_HASH) works in what follows
        edits.insert((*path, "env"), number, variable)


def _refuse_windows(document: Document, template: PodTemplate) -> None:
    _, around = pod_defaults(document)
    for spec in (template.spec, around):
        system, nodes = spec.get("os"), spec.get("nodeSelector")
        names = (
            system.get("name") if isinstance(system, dict) else None,
            nodes.get("kubernetes.io/os") if isinstance(nodes, dict) else None,
        )
        if "windows" in names:
            raise ManifestError(
                f"{document.where}: {document.name} has pods on Windows"
                f" ({template.path or 'spec'}), where the pull cannot run: its image is for Linux",
                "Leave them out: by -c NAME, for the containers that get the code.",
            )


def _refuse_clashes(document: Document, template: PodTemplate) -> None:
    around, defaults = pod_defaults(document)
    defaults_below = defaults.get("templateDefaults")
    found = [
        *((template.path, key, item) for key in _NAMING for item in _mappings(template.spec, key)),
        *((around, key, item) for key in _CLAIMING for item in _mappings(defaults, key)),
    ]
    if isinstance(defaults_below, dict):
        below = f"{around}.templateDefaults"
        found += ((below, key, item) for key in _NAMING for item in _mappings(defaults_below, key))
    for where, key, item in found:
        metadata = item.get("metadata")  # of a volumeClaimTemplate
        name = str((metadata if isinstance(metadata, dict) else item).get("name"))
        if name == NAME or (key in _CLAIMING and name.startswith(f"{NAME}-")):
            raise ManifestError(
                f"{document.where}: {document.name} has something called '{name}' in"
                f" {where}.{key}, which git ghost did not add",
                "Give it another name.",
            )


_CLAIMING = ("volumes", "volumeClaimTemplates")
_NAMING = ("initContainers", "containers", "sidecars", *_CLAIMING)


def _check_mount(document: Document, template: PodTemplate, container: Object, step: Step) -> None:
    shared = template.spec.get("containerSet")  # whose mounts are those of all its containers
    shared = shared if isinstance(shared, dict) and container in template.containers else {}
    for item in (*_mappings(container, "volumeMounts"), *_mappings(shared, "volumeMounts")):
        if posixpath.normpath(str(item.get("mountPath"))) == step.mount:
            raise ManifestError(
                f"{document.where}: container '{container_name(container)}' of {document.name}"
                f" has the volume '{item.get('name')}' at {step.mount} already",
                "Choose another place for the code: --mount PATH.",
            )


def _check_shape(document: Document, templates: list[PodTemplate]) -> None:
    """Refuse what Kubernetes would refuse too, where something is to be added to it."""

    def part(holder: Object, at: str, key: str, kind: type) -> Any:
        found = holder.get(key)
        if found is not None and not isinstance(found, kind):
            noun = "mapping" if kind is dict else "list"
            where = ".".join(filter(None, (at, key)))
            raise ManifestError(f"{document.where}: {document.name}: {where} is not a {noun}")
        return found or {}

    for at, owner in [("", document.data), *((each.path, each.owner) for each in templates)]:
        metadata = part(owner, at, "metadata", dict)
        for key in ("labels", "annotations"):
            part(metadata, ".".join(filter(None, (at, "metadata"))), key, dict)
    for template in templates:
        for key in ("initContainers", "volumes"):
            part(template.spec, template.path, key, list)
        for container in _candidates(template):
            at = f"{template.path}: {container_name(container)}"
            for key in ("env", "volumeMounts"):
                part(container, at, key, list)
            resources = part(container, at, "resources", dict)
            for key in ("limits", "requests"):
                part(resources, f"{at}.resources", key, dict)


def _is_guaranteed(containers: tuple[Object, ...]) -> bool:
    """Whether every container has equal requests and limits (Kubernetes' Guaranteed QoS class)."""

    def equal(container: Object) -> bool:
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
        return all(
            limits.get(key) and str(requests.get(key, limits[key])) == str(limits[key])
            for key in ("cpu", "memory")
        )

    return all(map(equal, containers))


def remove(document: Document) -> Object:
    """A copy of the document's object as it was before :func:`inject`.

    Raises ManifestError when somebody damaged the note of what was added.
    """
    data: Object = copied(document.data)
    for owner in _noted(data):
        annotations = owner["metadata"]["annotations"]
        note = annotations[NOTE]
        for key in [key for key in annotations if key.startswith(PREFIX)]:
            del annotations[key]
        try:
            undo(owner, note)
        except ValueError as e:
            raise ManifestError(
                f"{document.where}: {document.name}: the annotation {NOTE} cannot be read",
                "Inject into the original manifest instead.",
            ) from e
    return data


def _noted(value: Any) -> Iterator[Object]:
    """Every mapping below ``value`` whose metadata has our note, wherever it is."""
    if isinstance(value, dict):
        for child in list(value.values()):
            yield from _noted(child)
        if steps.note_of(value) is not None:
            yield value
    elif isinstance(value, list):
        for child in value:
            yield from _noted(child)


def code_of(data: Object) -> Code | None:
    """The code an object runs, by its annotations; None where nothing was injected.

    A workflow's expression that nobody has put a value for yet is not a hash.
    """
    metadata = data.get("metadata") or {}
    found = metadata.get("annotations") or {}
    if not is_oid(found.get(f"{PREFIX}hash", "")):
        return None
    values = {field: found.get(PREFIX + field, "") for field in Code._fields}
    return Code(**{key: value for key, value in values.items() if value})
