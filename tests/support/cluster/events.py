"""Events: what components say about an object, for `kubectl describe` and its like."""

from __future__ import annotations

from tests.support.cluster.kinds import KINDS, Object
from tests.support.cluster.store import Store, now, random_suffix

_EVENT = next(kind for kind in KINDS if kind.name == "Event")


def record(store: Store, about: Object, reason: str, message: str, type_: str = "Normal") -> None:
    """Store an event; one that was told already is only counted."""
    meta = about["metadata"]
    with store.quiet():
        for event in store.all(_EVENT, meta["namespace"]):
            same = event["involvedObject"]["uid"] == meta["uid"] and event["reason"] == reason
            if same and event["message"] == message:
                return
        involved = {
            "kind": about["kind"],
            "apiVersion": about["apiVersion"],
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
        }
        name = f"{meta['name']}.{random_suffix(16)}"
        event = {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": meta["namespace"]},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": type_,
            "source": {"component": "test"},
            "count": 1,
            "firstTimestamp": now(),
            "lastTimestamp": now(),
        }
        store.create(_EVENT, event)
