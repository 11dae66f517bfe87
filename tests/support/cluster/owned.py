"""What controllers share: the pods of an object, made, found and deleted."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from tests.support.cluster.api import Api, Target
from tests.support.cluster.events import record
from tests.support.cluster.kinds import Kind, Object
from tests.support.cluster.status import ApiError

DONE = ("Succeeded", "Failed")


class Owned:
    """Objects that belong to others."""

    def __init__(self, api: Api) -> None:
        """Act through the API, as controllers do."""
        self.api = api
        self.pods = api.kinds.named("Pod")

    def pods_of(self, owner: Object) -> list[Object]:
        """Return the pods an object controls."""
        meta = owner["metadata"]
        pods = self.api.store.all(self.pods, meta["namespace"])
        return [pod for pod in pods if is_owned(pod, meta["uid"])]

    def make(
        self, kind: Kind, owner: Object, name: str, spec: Object, labels: Mapping[str, str] = {}
    ) -> bool:
        """Create an object of `spec` (metadata and spec); False, with an event, if refused."""
        obj = copy.deepcopy(spec)
        meta = obj.setdefault("metadata", {})
        meta["name"] = name
        meta["labels"] = {**(meta.get("labels") or {}), **labels}
        owner_meta = owner["metadata"]
        reference = {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner_meta["name"],
            "uid": owner_meta["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        meta["ownerReferences"] = [reference]
        obj |= {"apiVersion": kind.api_version, "kind": kind.name}
        try:
            self.api.create(Target(kind, owner_meta["namespace"], "", ""), obj, {})
        except ApiError as error:
            message = f"Error creating: {error}"
            record(self.api.store, owner, "FailedCreate", message, "Warning")
            return False
        record(self.api.store, owner, "SuccessfulCreate", f"Created pod: {name}")
        return True

    def delete(self, pod: Object) -> None:
        """Delete a pod, unless that is under way."""
        meta = pod["metadata"]
        if "deletionTimestamp" not in meta:
            self.api.delete(Target(self.pods, meta["namespace"], meta["name"], ""), {}, {})


def is_owned(obj: Object, uid: str) -> bool:
    """Whether an object belongs to the one with this uid."""
    return any(owner["uid"] == uid for owner in obj["metadata"].get("ownerReferences") or ())


def is_active(pod: Object) -> bool:
    """Whether a pod still may do something."""
    return pod["status"]["phase"] not in DONE and "deletionTimestamp" not in pod["metadata"]


def pod_of(template: Object) -> Object:
    """Return metadata and spec of a pod template, copied."""
    meta = template.get("metadata") or {}
    kept = {key: meta[key] for key in ("labels", "annotations") if meta.get(key)}
    return {"metadata": copy.deepcopy(kept), "spec": copy.deepcopy(template["spec"])}
