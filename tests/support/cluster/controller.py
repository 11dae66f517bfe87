"""The controller manager: one thread that brings everything one step further at every change."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from io import StringIO

from tests.support.cluster.api import Api
from tests.support.cluster.jobs import JobController
from tests.support.cluster.kinds import Object
from tests.support.cluster.kubelet import Kubelet
from tests.support.cluster.owned import Owned, is_owned
from tests.support.cluster.replicas import ReplicaController
from tests.support.cluster.status import ApiError
from tests.support.cluster.workflows import WorkflowController

_SLICE = 0.05  # seconds: what depends on time is looked at so often


class Controllers(threading.Thread):
    """Jobs and their like, garbage collection, namespaces, and the kubelet's looking round."""

    def __init__(self, api: Api, kubelet: Kubelet, backoff: float) -> None:
        """Act on what is in `api`."""
        super().__init__(name="controllers", daemon=True)
        self.errors = StringIO()
        """Tracebacks: bugs of the test server itself."""
        self._api = api
        self._kubelet = kubelet
        self._halt = threading.Event()
        self._owned = Owned(api)
        self._looks = [
            self._collect_garbage,
            self._keep_namespaces,
            JobController(self._owned, backoff).look,
            WorkflowController(self._owned).look,
            ReplicaController(self._owned).look,
            kubelet.look,
        ]

    def run(self) -> None:
        """Look round until the end."""
        while not self._halt.is_set():
            version = self._api.store.version
            for look in self._looks:
                self._try(look)
            self._api.store.wait(version, time.monotonic() + _SLICE)

    def _try(self, look: Callable[[], None]) -> None:
        try:
            look()
        except ApiError:
            return  # somebody else was faster: next time
        except Exception:
            traceback.print_exc(file=self.errors)

    def stop(self) -> None:
        """End, and all pods with it."""
        self._halt.set()
        self.join()
        self._kubelet.stop()

    def _collect_garbage(self) -> None:
        """Delete what lost its owner; let owners go that waited for what they own."""
        store = self._api.store
        objects = [o for kind in self._api.kinds.all() for o in store.all(kind)]
        there = {obj["metadata"]["uid"] for obj in objects}
        for obj in objects:
            owners = obj["metadata"].get("ownerReferences") or []
            if owners and not any(owner["uid"] in there for owner in owners):
                self._let_go(obj)
        for obj in objects:
            if "deletionTimestamp" not in obj["metadata"] or obj["kind"] in ("Pod", "Namespace"):
                continue
            mine = [o for o in objects if is_owned(o, obj["metadata"]["uid"])]
            for dependent in mine:
                self._let_go(dependent)
            if not mine:
                self._remove(obj)

    def _keep_namespaces(self) -> None:
        namespaces = self._api.kinds.named("Namespace")
        for namespace in self._api.store.all(namespaces):
            name = namespace["metadata"]["name"]
            if "deletionTimestamp" not in namespace["metadata"]:
                self._furnish(name)
                continue
            kinds = [kind for kind in self._api.kinds.all() if kind.namespaced]
            inside = [o for kind in kinds for o in self._api.store.all(kind, name)]
            for obj in inside:
                self._let_go(obj)
            if not inside:
                self._api.store.remove(namespaces, "", name)

    def _furnish(self, namespace: str) -> None:
        """Give a new namespace what it has to have."""
        kind = self._api.kinds.named("ServiceAccount")
        if self._api.store.find(kind, namespace, "default") is None:
            head = {"apiVersion": "v1", "kind": "ServiceAccount"}
            account = {**head, "metadata": {"name": "default", "namespace": namespace}}
            self._api.store.create(kind, account)

    def _let_go(self, obj: Object) -> None:
        if obj["kind"] == "Pod":
            self._owned.delete(obj)
        else:
            self._remove(obj)

    def _remove(self, obj: Object) -> None:
        group = obj["apiVersion"].rpartition("/")[0]
        kind = self._api.kinds.named(obj["kind"], group)
        meta = obj["metadata"]
        self._api.store.remove(kind, meta.get("namespace", ""), meta["name"])
