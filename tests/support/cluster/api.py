"""What the API server does with a request: find what it is about, check, act."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.support.cluster import schema, selectors, status, validation
from tests.support.cluster.admission import Admission, name_job
from tests.support.cluster.faults import Faults
from tests.support.cluster.kinds import Kind, Kinds, Object
from tests.support.cluster.store import Store, now, random_suffix

Query = Mapping[str, str]
_ORPHANS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to"
    " remove them or set propagationPolicy=Orphan to suppress this warning"
)


class Target(NamedTuple):
    """What a request is about."""

    kind: Kind
    namespace: str
    name: str
    sub: str


class Answer(NamedTuple):
    """An object to answer with."""

    object: Object
    code: int = 200
    warnings: tuple[str, ...] = ()


class Api:
    """Create, get, list, update, delete; watches and logs are streams of their own."""

    def __init__(self, store: Store, kinds: Kinds, faults: Faults) -> None:
        """Serve what is in `store`."""
        self.store = store
        self.kinds = kinds
        self.faults = faults
        self.admission = Admission(store, kinds, faults)

    def target(self, parts: list[str]) -> Target:
        """Return what a path, split at its slashes, is about.

        Raises:
            ApiError: nothing that is served.

        """
        if parts[:1] == ["api"] and len(parts) > 2:
            group, version, rest = "", parts[1], parts[2:]
        elif parts[:1] == ["apis"] and len(parts) > 3:
            group, version, rest = parts[1], parts[2], parts[3:]
        else:
            raise status.no_page()
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
            namespace, rest = rest[1], rest[2:]
        kind = self.kinds.find(group, version, rest[0])
        if kind is None or len(rest) > 3:
            raise status.no_page()
        name, sub = (*rest[1:], "", "")[:2]
        return Target(kind, namespace, name, sub)

    def create(self, target: Target, obj: Object, query: Query) -> Answer:
        """Check and store a new object.

        Raises:
            ApiError: it was refused.

        """
        kind, namespace = target.kind, target.namespace
        obj = copy.deepcopy(obj)
        self._check_type(kind, namespace, obj)
        warnings = self._decode(kind, obj, query)
        if namespace:
            obj["metadata"]["namespace"] = namespace
        if kind.name == "SelfSubjectAccessReview":
            return Answer(self._review(obj), 201)
        if kind.group != "" or kind.name == "Pod":
            obj.setdefault("spec", {})
        self.admission.mutate(kind, obj)
        if causes := validation.check(kind, obj):
            meta = obj["metadata"]
            raise status.invalid(kind, meta.get("name") or meta.get("generateName", ""), causes)
        warnings += self.admission.check(kind, namespace, obj)
        meta = obj["metadata"]
        if not meta.get("name"):
            meta["name"] = meta["generateName"] + random_suffix()
        if kind.resource == "jobs.batch":
            name_job(obj)
        stored = self.store.create(kind, obj, dry_run=query.get("dryRun") == "All")
        if kind.name == "CustomResourceDefinition" and query.get("dryRun") != "All":
            self._register(obj["spec"])
        return Answer(stored, 201, tuple(warnings))

    def get(self, target: Target) -> Answer:
        """Return one object.

        Raises:
            ApiError: there is none.

        """
        return Answer(self.store.get(*target[:3]))

    def list_all(self, target: Target, query: Query) -> Answer:
        """Return the objects that are asked for.

        Raises:
            ApiError: a selector makes no sense.

        """
        chosen = matcher(query)
        with self.store.quiet():
            version = str(self.store.version)
            items = [o for o in self.store.all(target.kind, target.namespace) if chosen(o)]
        meta: Object = {"resourceVersion": version}
        start, limit = int(query.get("continue") or 0), int(query.get("limit") or 0)
        if limit and len(items) > start + limit:
            meta |= {
                "continue": str(start + limit),
                "remainingItemCount": len(items) - start - limit,
            }
        items = items[start : start + limit] if limit else items[start:]
        kind = target.kind
        head = {"kind": f"{kind.name}List", "apiVersion": kind.api_version, "metadata": meta}
        return Answer({**head, "items": items})

    def replace(self, target: Target, obj: Object, query: Query) -> Answer:
        """Put an object in place of another (PUT).

        Raises:
            ApiError: it was refused.

        """
        warnings = self._decode(target.kind, obj, query)
        asked = obj.get("metadata", {}).get("resourceVersion")

        def change(have: Object) -> None:
            if asked not in (None, "", have["metadata"]["resourceVersion"]):
                raise status.conflict(target.kind, target.name)
            fixed = ("uid", "creationTimestamp", "resourceVersion", "generation")
            obj["metadata"] |= {k: have["metadata"][k] for k in fixed}
            if target.sub == "status":
                have["status"] = obj.get("status", {})
            else:
                kept = have.get("status", {})
                have.clear()
                have.update(obj, status=kept)

        return Answer(self._update(target, change, query), 200, tuple(warnings))

    def patch(self, target: Target, patch: Object, query: Query) -> Answer:
        """Merge something into an object (merge patch; lists are replaced).

        Raises:
            ApiError: there is no such object.

        """
        return Answer(self._update(target, lambda have: _merge(have, patch), query))

    def delete(self, target: Target, options: Object, query: Query) -> Answer:
        """Delete an object, the way its kind and `propagationPolicy` want it.

        Raises:
            ApiError: there is none.

        """
        kind, namespace, name, _ = target
        found = self.store.get(kind, namespace, name)
        policy = options.get("propagationPolicy") or query.get("propagationPolicy")
        warnings: tuple[str, ...] = ()
        if kind.resource == "jobs.batch" and policy is None:
            policy = "Orphan"
            warnings = (_ORPHANS,)
        if (options.get("dryRun") or [query.get("dryRun")]) == ["All"]:
            return Answer(found)
        grace = options.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
        if kind.resource == "pods":
            return self._delete_pod(target, found, None if grace is None else int(grace))
        if kind.resource == "namespaces" or policy == "Foreground":
            return Answer(self.store.update(kind, namespace, name, _mark_deleted))
        if policy == "Orphan":
            self._orphan(found["metadata"]["uid"], namespace)
        self.store.remove(kind, namespace, name)
        details = {"name": name, "group": kind.group, "kind": kind.plural}
        details["uid"] = found["metadata"]["uid"]
        head = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return Answer({**head, "details": details}, 200, warnings)

    def _delete_pod(self, target: Target, found: Object, grace: int | None) -> Answer:
        done = found["status"].get("phase") in ("Succeeded", "Failed")
        if grace == 0 or done or not found["spec"].get("nodeName"):
            return Answer(self.store.remove(*target[:3]))
        seconds = grace or found["spec"].get("terminationGracePeriodSeconds", 30)

        def change(pod: Object) -> None:
            _mark_deleted(pod)
            pod["metadata"]["deletionGracePeriodSeconds"] = seconds

        return Answer(self.store.update(*target[:3], change))

    def _orphan(self, uid: str, namespace: str) -> None:
        def change(obj: Object) -> None:
            owners = obj["metadata"].get("ownerReferences") or []
            obj["metadata"]["ownerReferences"] = [o for o in owners if o["uid"] != uid]

        pods = self.kinds.named("Pod")
        for pod in self.store.all(pods, namespace):
            if uid in [o["uid"] for o in pod["metadata"].get("ownerReferences") or []]:
                self.store.update(pods, namespace, pod["metadata"]["name"], change)

    def _update(self, target: Target, change: Callable[[Object], None], query: Query) -> Object:
        def checked(have: Object) -> None:
            change(have)
            if causes := validation.check(target.kind, have):
                raise status.invalid(target.kind, target.name, causes)

        with self.store.quiet():
            trial = self.store.get(*target[:3])
            checked(trial)
            if query.get("dryRun") == "All":
                return trial
            return self.store.update(*target[:3], change)

    def _check_type(self, kind: Kind, namespace: str, obj: Object) -> None:
        version, name = obj.get("apiVersion"), obj.get("kind")
        if not name:
            raise status.bad_request("Object 'Kind' is missing in the request body")
        if version != kind.api_version:
            message = (
                f"the API version in the data ({version}) does not match the expected API version"
                f" ({kind.api_version})"
            )
            raise status.bad_request(message)
        if name != kind.name:
            raise status.bad_request(f"{name} in the data is not the expected kind {kind.name}")
        meta = obj.setdefault("metadata", {})
        if isinstance(meta, dict) and meta.get("namespace", namespace) != namespace:
            raise status.bad_request(
                "the namespace of the provided object does not match the namespace sent on the"
                " request"
            )

    def _decode(self, kind: Kind, obj: Object, query: Query) -> list[str]:
        mode = query.get("fieldValidation") or "Warn"
        unknown = [f'unknown field "{path}"' for path in schema.decode(kind, obj)]
        if unknown and mode == "Strict":
            raise status.undecodable(kind, f"strict decoding error: {', '.join(unknown)}")
        return unknown if mode == "Warn" else []

    def _review(self, review: Object) -> Object:
        asked = review.get("spec", {}).get("resourceAttributes", {})
        resource, sub = asked.get("resource", ""), asked.get("subresource", "")
        full = f"{resource}/{sub}" if sub else resource
        allowed = self.is_allowed(asked.get("verb", ""), asked.get("group", ""), full)
        return {**review, "status": {"allowed": allowed}}

    def is_allowed(self, verb: str, group: str, resource: str) -> bool:
        """Whether RBAC lets the user do this: resource is `jobs` or `pods/log`."""
        if (verb, resource) in self.faults.forbidden:
            return False
        if self.faults.allowed is None:
            return True
        return any(
            {"*", group} & set(rule.get("apiGroups", ()))
            and {"*", resource} & set(rule.get("resources", ()))
            and {"*", verb} & set(rule.get("verbs", ()))
            for rule in self.faults.allowed
        )

    def _register(self, spec: Object) -> None:
        names = spec["names"]
        for version in spec["versions"]:
            self.kinds.add(
                Kind(
                    spec["group"],
                    version["name"],
                    names["kind"],
                    names["plural"],
                    spec["scope"] == "Namespaced",
                    tuple(names.get("shortNames", ())),
                )
            )


def matcher(query: Query) -> selectors.Matches:
    """Return whether an object is among those that a list or watch asks for.

    Raises:
        ApiError: a selector makes no sense.

    """
    by_label = selectors.labels(query.get("labelSelector", ""))
    by_field = selectors.fields(query.get("fieldSelector", ""))
    return lambda obj: by_label(obj) and by_field(obj)


def _mark_deleted(obj: Object) -> None:
    obj["metadata"].setdefault("deletionTimestamp", now())


def _merge(have: Object, patch: Any) -> None:
    for key, value in patch.items():
        if value is None:
            have.pop(key, None)
        elif isinstance(value, dict) and isinstance(have.get(key), dict):
            _merge(have[key], value)
        else:
            have[key] = value
