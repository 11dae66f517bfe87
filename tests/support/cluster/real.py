"""The cluster of the current kubeconfig, by way of kubectl, in a namespace of its own."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.cluster.kinds import Object
from tests.support.servers import GitDaemon

_PATIENCE = 180.0  # seconds: a real cluster pulls images
_SLICE = 0.5  # seconds between looks


class ClusterUnavailable(Exception):
    """There is no cluster to test with, or it lacks something."""


class RealCluster:
    """A namespace of a real cluster, from construction to `close`."""

    def __init__(self, root: Path) -> None:
        """Make the namespace; keep a copy of the kubeconfig's current context in `root`.

        Raises:
            ClusterUnavailable: kubectl is missing, or may not do that.

        """
        self.namespace = f"git-ghost-test-{secrets.token_hex(3)}"
        self.kubeconfig = root / "kubeconfig"
        view = ["config", "view", "--raw", "--minify", "--flatten"]
        try:
            config = _kubectl(*view)
            self.kubeconfig.touch(mode=0o600)
            self.kubeconfig.write_text(config, encoding="utf-8")
            here = ["--kubeconfig", str(self.kubeconfig), "config", "set-context", "--current"]
            _kubectl(*here, f"--namespace={self.namespace}")
            meta = {"name": self.namespace}
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", "") or error
            raise ClusterUnavailable(f"cannot make a namespace: {said}") from None
        self.wait_for(lambda: self.objects("serviceaccount"))
        self._let_workflows_report()

    def _let_workflows_report(self) -> None:
        """Give the pods of Argo's workflows the right they need, should Argo be there."""
        api, name = "rbac.authorization.k8s.io", "workflow"
        rule = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"]}
        role = {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": {"name": name}}
        self.create({**role, "rules": [{**rule, "verbs": ["create", "patch"]}]})
        account = {"kind": "ServiceAccount", "name": "default", "namespace": self.namespace}
        reference = {"apiGroup": api, "kind": "Role", "name": name}
        binding = {**role, "kind": "RoleBinding", "roleRef": reference, "subjects": [account]}
        self.create(binding)

    def close(self) -> None:
        """Delete the namespace, with all that is in it."""
        self._kubectl("delete", "namespace", self.namespace, "--wait=false")

    def create(self, obj: Object) -> Object:
        """Create an object, in the namespace."""
        text = self._kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(obj))
        created: Object = json.loads(text)
        return created

    def objects(self, kind: str) -> list[Object]:
        """Return all objects of a kind in the namespace."""
        items: list[Object] = json.loads(self._kubectl("get", kind, "-o", "json"))["items"]
        return items

    def only(self, kind: str, name: str = "") -> Object:
        """Return the object of that name, or the only one of its kind."""
        found = [o for o in self.objects(kind) if name in ("", o["metadata"]["name"])]
        assert len(found) == 1, f"{len(found)} objects {kind} {name}"
        return found[0]

    def delete(self, kind: str, name: str, **options: Any) -> None:  # noqa: ARG002 - kubectl's own
        """Delete an object."""
        self._kubectl("delete", kind, name, "--wait=false")

    def wait_for(
        self, is_there: Callable[[], object], what: str = "", seconds: float = _PATIENCE
    ) -> None:
        """Wait until a condition holds.

        Raises:
            AssertionError: it did not in time.

        """
        deadline = time.monotonic() + seconds
        while not is_there():
            assert time.monotonic() < deadline, f"waited in vain for {what or is_there}"
            time.sleep(_SLICE)  # nobody notifies

    def _kubectl(self, *args: str, stdin: str = "") -> str:
        where = ["--kubeconfig", str(self.kubeconfig), "-n", self.namespace]
        return _kubectl(*where, *args, stdin=stdin)


def _kubectl(*args: str, stdin: str = "") -> str:
    command = ["kubectl", *args]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=True)
    return done.stdout


def own_address() -> str:
    """Return the address of this machine that pods reach: that of its way to the world."""
    if given := os.environ.get("GIT_GHOST_TEST_HOST"):
        return given
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return str(probe.getsockname()[0])


class OpenGitDaemon(GitDaemon):
    """A git daemon that the pods of a real cluster reach, with everybody else on that network."""

    def __init__(self, directory: Path) -> None:
        """Listen where pods find this machine."""
        self.host = own_address()
        super().__init__(directory)
