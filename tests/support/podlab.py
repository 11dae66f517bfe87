"""A lab whose ghosts are pulled in real containers, with the manifest `git ghost inject` makes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from tests.support.http import HttpServer
from tests.support.inside import entries
from tests.support.lab import Lab
from tests.support.oracle import Entry
from tests.support.pod import Object, Pod
from tests.support.podman import SOURCE, Podman, PodmanUnavailable
from tests.support.sandbox import Sandbox
from tests.support.servers import Server
from tests.support.ssh import SshServer

PULL = "git-ghost"
"""The init container."""
MAIN = "train"
SECRET = "deploy-key"

_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  restartPolicy: Never
  containers:
  - name: train
    image: {image}
    command: [python3, -m, tests.support.inside]
    env:
    - {{name: PYTHONPATH, value: /checks}}
    securityContext: {{runAsUser: {uid}}}
    volumeMounts:
    - {{name: checks, mountPath: /checks/tests, readOnly: true}}
  volumes:
  - name: checks
    hostPath: {{path: {tests}}}
"""


def podman_or_skip() -> Podman:
    """Return podman with its base image; skips the test where containers cannot run."""
    try:
        podman = Podman()
        podman.base()
    except PodmanUnavailable as error:
        pytest.skip(str(error))
    return podman


class PodLab(Lab):
    """A laptop that pushes to a server, and pods that pull from there."""

    def __init__(self, sandbox: Sandbox, server: Server, podman: Podman, directory: Path) -> None:
        """Make the repositories; volumes of pods are made below `directory`."""
        super().__init__(sandbox, server=server)
        self.server = server
        self.podman = podman
        self.directory = directory
        self.image = podman.image()
        self.credentials = _credentials(server)
        """The content of the Secret the pull step gets."""
        self._pods = 0

    def edit(self) -> None:
        """Leave local commits, and a diff on top of them, with all that a tree may hold."""
        self.write("src/train.py", b"print('committed, not pushed')\n")
        self.write("weights.bin", bytes(range(256)) * 64)
        self.commit("Not pushed")
        self.write("foo", b"neither committed nor pushed\n")
        self.write("run.sh", b"#!/bin/sh\n", mode=0o644)
        self.write("tools/new tool", b"#!/bin/sh\necho hi\n", mode=0o755)
        self.write("odd/ä\tö\n\"quoted\" 'name'", b"odd\n")
        self.write(b"odd/\xff\xfe not utf-8", b"\0binary\xff")
        self.write("no newline at end", b"x")
        self.write("empty", b"")
        self.symlink("link", "src/train.py")
        self.symlink("dangling", "no/such/file")
        (self.laptop / "README").unlink()

    def push_ghost(self) -> tuple[str, str]:
        """Push the working tree; return base and hash, as inject finds them by itself."""
        base, ghost = self.ghost("push", "all").ok().splitlines()[-1].split()
        return base, ghost

    def manifest(self, *args: str, uid: int = 1000) -> Object:
        """Return a Pod whose main container looks around as `uid`, with the pull step injected."""
        text = _POD.format(image=self.image, uid=uid, tests=SOURCE / "tests")
        options = ("--init-image", self.image, "--git-secret", SECRET)
        done = self.ghost("inject", "-f", "-", *options, *args, stdin=text.encode())
        injected: Object = yaml.safe_load(done.ok())
        assert not self.leaks(done.ok() + done.err)
        return injected

    def pod(self, manifest: Object) -> Pod:
        """Return the pod, with its Secret; to be used as a `with` block."""
        self._pods += 1
        data = {key: base64.b64encode(value).decode() for key, value in self.credentials.items()}
        secret = {"kind": "Secret", "metadata": {"name": SECRET}, "data": data}
        return Pod(self.podman, manifest, self.directory / f"pod-{self._pods}", [secret])

    def leaks(self, text: str) -> list[str]:
        """Return the keys of the Secret of whose content something is in `text`."""
        return [
            key
            for key, value in self.credentials.items()
            if key in ("password", "ssh-privatekey")
            and any(part in text for part in _forms(value.decode()))
        ]

    def assert_arrived(
        self, pod: Pod, tree: str, head: str, disk: dict[bytes, Entry], uid: int = 1000
    ) -> dict[str, Any]:
        """Assert that the main container found exactly that; return all it said."""
        found: dict[str, Any] = json.loads(pod.logs(MAIN))
        assert found["uid"] == uid
        assert found["cwd"] == "/workspace"
        assert found["files"] == entries(disk)
        assert (found["tree"], found["head"]) == (tree, head)
        assert not self.leaks(pod.all_that_is_known())
        return found


def _credentials(server: Server) -> dict[str, bytes]:
    if isinstance(server, HttpServer):
        return {"username": server.user.encode(), "password": server.password.encode()}
    assert isinstance(server, SshServer)
    return {
        "ssh-privatekey": server.key.read_bytes(),
        "known_hosts": server.known_hosts.read_bytes(),
    }


def _forms(secret: str) -> list[str]:
    """Return what would give a secret away: as it is, quoted, encoded, or a line of it."""
    lines = [line for line in secret.splitlines() if not line.startswith("-----")]
    encoded = base64.b64encode(secret.encode()).decode()
    return [*lines, quote(secret, safe=""), encoded]
