"""The cluster as tests see it."""

from __future__ import annotations

import contextlib
import json
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support.cluster.api import Api, Target
from tests.support.cluster.controller import Controllers
from tests.support.cluster.faults import Faults
from tests.support.cluster.kinds import Kinds, Object
from tests.support.cluster.kubelet import Kubelet
from tests.support.cluster.server import ApiServer, Seen
from tests.support.cluster.store import Store
from tests.support.cluster.tls import authority

TOKEN = "t0ken-of-the-test-user"
USER = "system:serviceaccount:team:ada"
_PATIENCE = 60.0  # seconds: far above what anything takes


class Cluster:
    """A cluster with a namespace, from construction to `close`."""

    def __init__(self, root: Path, tls: bool = True, backoff: float = 0.2) -> None:
        """Keep all files below `root`; `backoff` is the time before restarts, in seconds."""
        root.mkdir(parents=True)
        self.root = root
        self.namespace = "team"
        self.faults = Faults()
        self.kinds = Kinds()
        self.store = Store()
        self.ca: Path | None = None
        context: ssl.SSLContext | None = None
        if tls:
            self.ca, context = authority(root / "tls")
        api = Api(self.store, self.kinds, self.faults)
        self.api = api
        self.kubelet = Kubelet(root / "pods", self.store, self.kinds, backoff)
        self.server = ApiServer(api, self.kubelet.log, {TOKEN: USER}, context)
        self.controllers = Controllers(api, self.kubelet, backoff)
        for name in ("default", self.namespace):
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self.kubeconfig = root / "kubeconfig"
        """Its current context is `test`, with the namespace; `other` has the namespace default."""
        self._write_kubeconfig()
        self.controllers.start()

    @property
    def url(self) -> str:
        """Where the API server is."""
        return f"{'https' if self.ca else 'http'}://127.0.0.1:{self.server.port}"

    @property
    def requests(self) -> list[Seen]:
        """Every request so far."""
        return self.server.seen

    def close(self) -> None:
        """Stop everything.

        Raises:
            AssertionError: the cluster itself had a bug.

        """
        self.server.close()
        self.controllers.stop()
        errors = self.server.errors.getvalue() + self.controllers.errors.getvalue()
        assert not errors, errors

    def create(self, obj: Object) -> Object:
        """Create an object, in the namespace unless it says another."""
        group = obj["apiVersion"].rpartition("/")[0]
        kind = self.kinds.named(obj["kind"], group)
        namespace = obj["metadata"].get("namespace", self.namespace) if kind.namespaced else ""
        return self.api.create(Target(kind, namespace, "", ""), obj, {}).object

    def objects(self, kind: str) -> list[Object]:
        """Return all objects of a kind in the namespace; it is named as for kubectl."""
        name, _, group = kind.partition(".")
        found = self.kinds.named(name, group or None)
        return self.store.all(found, self.namespace if found.namespaced else "")

    def only(self, kind: str, name: str = "") -> Object:
        """Return the object of that name, or the only one of its kind."""
        found = [o for o in self.objects(kind) if name in ("", o["metadata"]["name"])]
        assert len(found) == 1, f"{len(found)} objects {kind} {name}"
        return found[0]

    def change(self, kind: str, name: str, change: Callable[[Object], None]) -> Object:
        """Let `change` alter an object in place."""
        found = self.kinds.named(kind)
        return self.store.update(found, self.namespace if found.namespaced else "", name, change)

    def delete(self, kind: str, name: str, **options: Any) -> None:
        """Delete an object, with DeleteOptions."""
        target = Target(self.kinds.named(kind), self.namespace, name, "")
        self.api.delete(target, dict(options), {})

    def wait_for(
        self, is_there: Callable[[], object], what: str = "", seconds: float = _PATIENCE
    ) -> None:
        """Wait until a condition holds; it is looked at after every change.

        Raises:
            AssertionError: it did not in time.

        """
        deadline = time.monotonic() + seconds
        while True:
            version = self.store.version
            if is_there():
                return
            assert time.monotonic() < deadline, f"waited in vain for {what or is_there}"
            self.store.wait(version, min(deadline, time.monotonic() + 0.05))

    def evict(self, pod: str, message: str = "The node was low on resource: memory.") -> None:
        """Evict a pod as its node does that is short of something."""
        self.kubelet.runs[self.only("Pod", pod)["metadata"]["uid"]].evict(message)

    def out_of_memory(self, pod: str, container: str = "main") -> None:
        """Kill a container as the kernel does that is out of memory."""
        self.kubelet.runs[self.only("Pod", pod)["metadata"]["uid"]].out_of_memory(container)

    def release(self) -> None:
        """Let what waits in a queue begin, as Kueue does, and all that comes later."""
        self.faults.kueue = False

        def change(job: Object) -> None:
            job["spec"]["suspend"] = False

        for job in self.objects("jobs.batch"):
            self.change("Job", job["metadata"]["name"], change)

    @contextlib.contextmanager
    def unreachable(self) -> Iterator[None]:
        """Break all connections and refuse new ones for the length of the block."""
        self.server.go_down()
        try:
            yield
        finally:
            self.server.come_back()

    def log(self) -> str:
        """Return the requests so far, one a line."""
        return "".join(
            f"{seen.verb} {seen.method} {seen.path} {seen.query}\n" for seen in self.requests
        )

    def _write_kubeconfig(self) -> None:
        server: Object = {"server": self.url}
        if self.ca:
            server["certificate-authority"] = str(self.ca)
        contexts = [
            {"name": name, "context": {"cluster": "c", "user": "u", "namespace": namespace}}
            for name, namespace in (("test", self.namespace), ("other", "default"))
        ]
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": server}],
            "users": [{"name": "u", "user": {"token": TOKEN}}],
            "contexts": contexts,
            "current-context": "test",
        }
        self.kubeconfig.write_text(json.dumps(config, indent=2), encoding="utf-8")
        self.kubeconfig.chmod(0o600)
