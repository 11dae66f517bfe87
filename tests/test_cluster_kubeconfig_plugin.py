"""Credential plugins of a kubeconfig (exec): what they are told, how they fail, that they end."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import stat
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from git_ghost.errors import RemoteError
from git_ghost.workloads.cluster.connection import connect
from git_ghost.workloads.cluster.kubeconfig import Access
from tests.support.cluster import Cluster
from tests.support.cluster.cluster import TOKEN
from tests.support.manifests import job
from tests.support.sandbox import Result
from tests.support.scene import Scene

PODS = "/api/v1/namespaces/team/pods"
V1 = "client.authentication.k8s.io/v1"
BETA = "client.authentication.k8s.io/v1beta1"


def answer(version: str = V1, **status: str) -> str:
    """What a plugin prints."""
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": status}
    return f"echo '{json.dumps(credential)}'"


def with_plugin(cluster: Cluster, script: str, /, **more: Any) -> Access:
    """Let the kubeconfig ask a plugin."""
    path = cluster.root / "login"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    settings = {"apiVersion": V1, "command": str(path), "interactiveMode": "Never", **more}
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"exec": settings}
    cluster.kubeconfig.write_text(json.dumps(config))
    return Access(str(cluster.kubeconfig))


def arguments(manifest: Path) -> list[str]:
    """The command line of a run."""
    return [sys.executable, "-m", "git_ghost", "run", "--init-image", "x", "-f", str(manifest)]


@pytest.mark.parametrize("version", [V1, BETA])
def test_a_plugin_is_told_what_kubectl_tells(cluster: Cluster, version: str) -> None:
    told = cluster.root / "told"
    script = f'echo "$KUBERNETES_EXEC_INFO" > {told}; echo "$1 $WHO" > {told}-more\n'
    config = json.loads(cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["extensions"] = [
        {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "me"}}
    ]
    cluster.kubeconfig.write_text(json.dumps(config))
    access = with_plugin(
        cluster, script + answer(version, token=TOKEN), apiVersion=version, args=["get-token"],
        env=[{"name": "WHO", "value": "ada"}], provideClusterInfo=True,
    )  # fmt: skip
    assert connect(access).get(PODS)["kind"] == "PodList"
    info = json.loads(told.read_text())
    assert (info["kind"], info["apiVersion"]) == ("ExecCredential", version)
    assert info["spec"]["interactive"] is False
    described = info["spec"]["cluster"]
    assert set(described) == {"server", "certificate-authority-data", "config"}
    assert (described["server"], described["config"]) == (cluster.url, {"audience": "me"})
    assert Path(f"{told}-more").read_text() == "get-token ada\n"


def test_a_token_of_its_own_makes_a_plugin_needless(cluster: Cluster) -> None:
    access = with_plugin(cluster, "exit 1")
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"]["token"] = TOKEN
    cluster.kubeconfig.write_text(json.dumps(config))
    assert connect(access).get(PODS)["kind"] == "PodList"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo log in >&2; echo >&2; exit 3", "failed with exit code 3: log in"),
        ("exit 3", "failed with exit code 3"),
        ("kill -9 $$", "was ended by signal 9"),
        ("echo no", "printed no ExecCredential"),
        (answer(BETA, token="t"), f"printed ExecCredential of {BETA}, and the kubeconfig names"),
        (answer(), "printed neither a token nor a certificate"),
        (answer(clientKeyData="k"), "printed a certificate without its key, or a key alone"),
        (answer(token="t", expirationTimestamp="soon"), "printed an expirationTimestamp that is"),
    ],
)  # fmt: skip
def test_a_plugin_that_fails_is_told(cluster: Cluster, script: str, said: str) -> None:
    with pytest.raises(RemoteError) as caught:
        connect(with_plugin(cluster, script))
    message = caught.value.message
    assert message.startswith(f"the kubeconfig's credential plugin {cluster.root}/login {said}")


def test_a_plugin_that_is_not_there_is_told_with_how_to_get_it(cluster: Cluster) -> None:
    hint = "Get it at example.com/login."
    with pytest.raises(RemoteError, match="no-login is not installed, or not on PATH") as caught:
        connect(with_plugin(cluster, "", command="no-login", installHint=hint))
    assert caught.value.hint == hint
    (cluster.root / "login").chmod(0o644)
    with pytest.raises(RemoteError, match="cannot be started: permission denied"):
        connect(Access(_with_command(cluster, str(cluster.root / "login"))))


def _with_command(cluster: Cluster, command: str) -> str:
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"]["exec"]["command"] = command
    cluster.kubeconfig.write_text(json.dumps(config))
    return str(cluster.kubeconfig)


def test_what_a_plugin_leaves_in_the_background_is_not_waited_for(cluster: Cluster) -> None:
    access = with_plugin(
        cluster, f"sleep 60 & echo $! > {cluster.root}/left; {answer(token=TOKEN)}"
    )
    try:
        assert connect(access).get(PODS)["kind"] == "PodList"
    finally:
        os.kill(int((cluster.root / "left").read_text()), signal.SIGKILL)


def on_terminal(scene: Scene, manifest: Path, typed: bytes = b"") -> Result:
    """Run it where a user sits."""
    controller, terminal = pty.openpty()
    os.write(controller, typed)
    process = subprocess.Popen(
        arguments(manifest),
        cwd=scene.lab.laptop, env={**scene.env(), "TERM": "dumb"},
        stdin=terminal, stdout=terminal, stderr=terminal,
        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(controller, 65536):
            shown += chunk
    except OSError:  # Linux says so when the last writer has gone
        pass
    os.close(controller)
    return Result(process.wait(60), b"", shown.decode().replace("\r\n", "\n"))


def test_on_a_terminal_a_plugin_speaks_for_itself(scene: Scene, cluster: Cluster) -> None:
    with_plugin(cluster, "echo session expired >&2; exit 3", interactiveMode="IfAvailable")
    said = on_terminal(scene, scene.file(job("train-", "true"))).fails(7)
    plugin = f"the kubeconfig's credential plugin {cluster.root}/login"
    assert f"error: {plugin} failed with exit code 3; its words stand above\n" in said
    assert said.count("session expired") == 1
    assert said.index("session expired") < said.index("error:")


def test_a_plugin_may_ask_on_a_terminal_only(scene: Scene, cluster: Cluster) -> None:
    script = f"echo password? >&2; read word; [ $word = open ] || exit 4\n{answer(token=TOKEN)}"
    with_plugin(cluster, script, interactiveMode="Always")
    manifest = scene.file(job("train-", "true"))
    shown = on_terminal(scene, manifest, b"open\n")
    assert shown.code == 0, shown.err
    assert "password?" in shown.err
    refused = scene.run(job("train-", "true")).fails(7)
    assert "wants to ask, and standard input is not a terminal" in refused


@pytest.fixture
def alive(cluster: Cluster) -> Iterator[int]:
    """A pipe that a plugin, which hangs, and what it started hold open while they live."""
    path = cluster.root / "alive"
    os.mkfifo(path)
    script = f"exec 9>{path}; trap '' TERM; sleep 1000 & echo up >&9; wait; wait"
    with_plugin(cluster, script)
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield pipe
    os.close(pipe)


def _heard(pipe: int) -> bytes:
    select.select([pipe], [], [], 30)
    return os.read(pipe, 100)


@pytest.mark.parametrize("how", ["push", "term"])
def test_a_plugin_that_hangs_ends_with_git_ghost(scene: Scene, alive: int, how: str) -> None:
    root = scene.lab.sandbox.root
    excludes, release = root / "excludes", root / "release"
    os.mkfifo(excludes)  # git waits there, for somebody who writes, when it looks for new files
    os.link(excludes, release)
    scene.lab.sandbox.config("core.excludesFile", str(excludes))
    (scene.lab.laptop / "id_rsa").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    process = subprocess.Popen(
        arguments(scene.file(job("train-", "true"))), cwd=scene.lab.laptop, env=scene.env(),
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    select.select([alive], [], [], 200)
    assert os.read(alive, 100) == b"up\n"
    if how == "term":
        process.send_signal(signal.SIGTERM)
    else:
        scene.file().replace(excludes)
        os.close(os.open(release, os.O_WRONLY))
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == {"push": 1, "term": 143}[how], said
    assert _heard(alive) == b"", "the plugin is still there"


def test_the_key_that_a_plugin_brings_is_for_its_owner_alone(cluster: Cluster) -> None:
    names = ("server.crt", "server.key")
    certificate, key = ((cluster.root / "tls" / name).read_text() for name in names)
    told = json.dumps({"clientCertificateData": certificate, "clientKeyData": key, "token": TOKEN})
    credential = f'{{"apiVersion": "{V1}", "kind": "ExecCredential", "status": {told}}}'
    (cluster.root / "answer").write_text(credential)
    client = connect(with_plugin(cluster, f"cat {cluster.root}/answer"))
    assert client.get(PODS)["kind"] == "PodList"
    path = Path(client._dynamic.configuration.key_file)
    assert path.read_text() == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
