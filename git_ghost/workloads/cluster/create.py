"""Create objects in an order that works, and take them back."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from git_ghost.errors import GhostError, UsageError
from git_ghost.kinds import creation_rank
from git_ghost.model import RUN_LABEL
from git_ghost.workloads.cluster import workloads
from git_ghost.workloads.cluster.answers import Denied, Refused, Unreachable
from git_ghost.workloads.cluster.client import Client
from git_ghost.workloads.cluster.resources import Resource, resource_of

VALIDATION = {"strict": "Strict", "warn": "Warn", "ignore": "Ignore"}
"""kubectl's words for what is to happen with fields the server does not know."""

_LOOKING_PAUSES = (0.0, 0.5, 1.0, 2.0)
_DELETING_PAUSES = (0.5, 1.0, 2.0)
"""Seconds between the attempts, where the server stumbles."""


class Planned(NamedTuple):
    """An object that is going to be created."""

    data: dict[str, Any]
    resource: Resource
    namespace: str
    """Empty where the kind has none."""
    has_pods: bool

    @property
    def shown(self) -> str:
        """``job.batch/train``; with ``generateName``, ``job.batch/train-…``."""
        metadata = self.data.get("metadata") or {}
        name = metadata.get("name") or f"{metadata.get('generateName', '')}…"
        return self.resource.shown(str(name))


class CreatedObject(NamedTuple):
    """An object that is in the cluster now."""

    data: dict[str, Any]
    """As the server has it."""
    resource: Resource
    namespace: str
    has_pods: bool
    reused: bool = False
    """Whether it was there before, with the same content."""
    warnings: tuple[str, ...] = ()
    """What the server said about it."""

    @property
    def name(self) -> str:
        """Its name, the generated part included."""
        return str(self.data["metadata"]["name"])

    @property
    def shown(self) -> str:
        """``job.batch/train-x7k2``."""
        return self.resource.shown(self.name)

    @property
    def uid(self) -> str:
        """The id that no object after it will have."""
        return str(self.data["metadata"].get("uid", ""))

    @property
    def path(self) -> str:
        """Its path in the API."""
        return self.resource.path(self.namespace, self.name)


def plan(
    objects: Sequence[tuple[Mapping[str, Any], bool]], namespace: str, default_namespace: str
) -> list[Planned]:
    """The objects, each with whether it has pods, in the order of creation.

    ``namespace`` is the one that was asked for, if any; an object that names another is a
    UsageError, as is one without a name. What the server alone knows (the plural of a kind that is
    not in our table) is settled in :func:`create`.
    """
    planned = []
    for data, has_pods in objects:
        resource, body = resource_of(data), copy.deepcopy(dict(data))
        metadata = body.setdefault("metadata", {})
        if not metadata.get("name") and not metadata.get("generateName"):
            raise UsageError(
                f"a {resource.kind} has no name", "Give it metadata.name or metadata.generateName."
            )
        own = str(metadata.get("namespace") or "")
        if namespace and own and own != namespace and resource.namespaced:
            shown = resource.shown(metadata.get("name") or metadata["generateName"])
            raise UsageError(
                f"{shown} belongs to namespace {own}, but -n says {namespace}",
                "Leave one of them out.",
            )
        place = (own or namespace or default_namespace) if resource.namespaced else ""
        if place:
            metadata["namespace"] = place
        planned.append(Planned(body, resource, place, has_pods))
    return sorted(planned, key=_rank)


def _rank(one: Planned) -> int:
    """What runs comes last; templates others refer to (a TrainJob) have to be there before."""
    runs = one.has_pods and workloads.has_pods_now(one.resource)
    return creation_rank(one.resource.row, runs=runs)


def create(
    client: Client,
    planned: Sequence[Planned],
    *,
    validate: str = "strict",
    dry_run: bool = False,
    made: list[CreatedObject] | None = None,
    leave: bool = True,
) -> list[CreatedObject]:
    """Create the objects one after the other; with ``dry_run`` the server only says what it would.

    ``made`` receives each object as soon as it is there, for a caller that is interrupted. What may
    be shared between runs and is there with the same content is reused. Raises what the server
    refuses; the error names what was created before, unless the caller does not ``leave`` it.
    """
    done = made if made is not None else []
    try:
        for one in planned:
            try:
                made_now = _create(client, one, validate, dry_run)
            except Unreachable as e:
                found = None if dry_run else _find_unanswered(client, one, done, e)
                if found is None:
                    raise
                made_now = found
            done.append(made_now)
    except GhostError as e:
        if leave and not dry_run:
            _name_what_is_there(e, done)
        raise
    return done


def _create(client: Client, one: Planned, validate: str, dry_run: bool) -> CreatedObject:
    known = client.resource(one.resource.api_version, one.resource.kind)
    namespace, body = one.namespace, one.data
    if not known.namespaced and namespace:
        namespace = ""
        body["metadata"].pop("namespace", None)
    query = [("fieldManager", "git-ghost"), ("fieldValidation", VALIDATION[validate])]
    if dry_run:
        query.append(("dryRun", "All"))
    where = f" in namespace {namespace}" if namespace else ""
    doing = f"cannot create {one.shown}{where}"
    try:
        reply = client.post(known.path(namespace), body, query, doing)
    except Refused as e:
        if e.status == 409 and _is_shared(known):
            return _reuse(client, one, known, doing)
        if e.status == 404 and dry_run and e.reason == "NotFound" and "namespace" in e.message:
            e.hint += "\nA dry run creates nothing, so what comes first in the file is not there."
        raise
    return CreatedObject(reply.data, known, namespace, one.has_pods, warnings=reply.warnings)


def _is_shared(resource: Resource) -> bool:
    return resource.row is not None and resource.row.shared


def _find_unanswered(
    client: Client, one: Planned, done: Sequence[CreatedObject], error: Unreachable
) -> CreatedObject | None:
    """What was created although the answer was lost; else ``error`` tells how to look for it."""
    if not error.maybe_done:
        return None
    metadata = one.data["metadata"]
    run = (metadata.get("labels") or {}).get(RUN_LABEL)
    for pause in _LOOKING_PAUSES if run else ():
        time.sleep(pause)
        with contextlib.suppress(Unreachable, Refused, Denied):
            return next(iter(look_for(client, [one], done)), None)
    what = f"-l {RUN_LABEL}={run}" if run else str(metadata.get("name") or "")
    kind = ".".join(filter(None, (one.resource.plural, one.resource.group)))
    error.hint += f"\nIt may be there nevertheless: kubectl get {kind} {what}{_flag(one.namespace)}"
    return None


def look_for(
    client: Client, planned: Sequence[Planned], done: Sequence[CreatedObject]
) -> list[CreatedObject]:
    """Those of ``planned`` that are in the cluster by this run, and not among the ``done``."""
    known, found = {one.uid for one in done}, []
    for one in planned:
        metadata = one.data["metadata"]
        run = (metadata.get("labels") or {}).get(RUN_LABEL)
        if not run:
            continue  # it would not be told from one that was there before
        resource = client.resource(one.resource.api_version, one.resource.kind)
        place = one.namespace if resource.namespaced else ""
        query, doing = [("labelSelector", f"{RUN_LABEL}={run}")], f"cannot look for {one.shown}"
        for there in client.get(resource.path(place), query, doing).get("items") or ():
            its = there["metadata"]
            begins = str(its["name"]).startswith(str(metadata.get("generateName")))
            if its["uid"] in known or not (its["name"] == metadata.get("name") or begins):
                continue
            kind = {"apiVersion": resource.api_version, "kind": resource.kind}
            known.add(its["uid"])
            found.append(CreatedObject({**kind, **there}, resource, place, one.has_pods))
            break
    return found


def _reuse(client: Client, one: Planned, known: Resource, doing: str) -> CreatedObject:
    """What is there under that name, if it is what is wanted; else an error."""
    name = str(one.data["metadata"]["name"])
    there = client.get(known.path(one.namespace, name), doing=doing)
    if not _covers(there, _decoded(one.data)):
        raise Refused(
            f"{doing}: it exists already, with other content",
            f"Give it another name, or apply it beforehand: kubectl apply, or delete it:"
            f" kubectl delete {known.shown(name)}{_flag(one.namespace)}",
            409,
            "AlreadyExists",
        )
    return CreatedObject(there, known, one.namespace, one.has_pods, reused=True)


def _decoded(data: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` as the server stores it: a Secret's ``stringData`` goes into ``data``."""
    import base64

    wanted = {key: value for key, value in data.items() if key != "status"}
    if wanted.get("kind") == "Secret" and wanted.get("stringData"):
        plain = wanted.pop("stringData")
        coded = {k: base64.b64encode(str(v).encode()).decode() for k, v in plain.items()}
        wanted["data"] = {**(wanted.get("data") or {}), **coded}
    return wanted


def _covers(there: Any, wanted: Any) -> bool:
    """Whether ``there`` says all that ``wanted`` says; the server fills in the rest."""
    if isinstance(wanted, dict):
        if not isinstance(there, dict):
            return not wanted
        exact = {"data", "stringData", "binaryData"}  # where something more is something else
        return all(
            (key not in exact or set(there.get(key) or {}) == set(value or {}))
            and _covers(there.get(key), value)
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        theirs = there if isinstance(there, list) else []
        return len(theirs) == len(wanted) and all(map(_covers, theirs, wanted))
    return bool(there == wanted) or (wanted is None and not there)


def _name_what_is_there(error: GhostError, done: Sequence[CreatedObject]) -> None:
    """Let the error say what was created before it, and how to delete that."""
    ours = [one for one in done if not one.reused]
    if ours:
        error.message += f"; created before: {', '.join(one.shown for one in ours)}"
        commands = "\n".join(delete_commands(ours))
        error.hint = f"{error.hint}\n{commands}".lstrip("\n")


def delete_commands(created: Sequence[CreatedObject], flags: str = "") -> list[str]:
    """The kubectl commands that delete what was created: one for each namespace.

    ``flags`` are the options that name the cluster.
    """
    places: dict[str, list[str]] = {}
    for one in created:
        if not one.reused:
            places.setdefault(one.namespace, []).append(one.shown)
    return [
        f"kubectl delete {' '.join(names)}{flags}{_flag(place)}" for place, names in places.items()
    ]


def _flag(namespace: str) -> str:
    return f" -n {namespace}" if namespace else ""


def delete(client: Client, created: Sequence[CreatedObject]) -> list[str]:
    """Delete what was created, last first, its pods in the background; the names of what is gone.

    What is gone already is not an error. Raises GhostError for the first that cannot be deleted,
    after trying all.
    """
    failure: GhostError | None = None
    gone = []
    for one in reversed(created):
        if one.reused:
            continue
        try:
            with contextlib.suppress(_Gone):
                _delete(client, one)
            gone.append(one.shown)
        except GhostError as e:
            failure = failure or e
    if failure is not None:
        raise failure
    return gone


class _Gone(Exception):
    """Somebody else deleted it."""


def _delete(client: Client, one: CreatedObject, pauses: Sequence[float] = _DELETING_PAUSES) -> None:
    try:
        client.delete(one.path, "Background", f"cannot delete {one.shown}")
    except (Refused, Denied) as e:
        if e.status == 404:
            raise _Gone from e
        raise
    except Unreachable:
        if not pauses:
            raise
        time.sleep(pauses[0])
        _delete(client, one, pauses[1:])
