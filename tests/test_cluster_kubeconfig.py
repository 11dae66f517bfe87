"""Several kubeconfigs are one, by kubectl's rules, and files in them are next to their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from git_ghost.errors import GhostError
from git_ghost.workloads.cluster.connection import connect
from git_ghost.workloads.cluster.kubeconfig import Access
from tests.support.cluster import Cluster
from tests.support.cluster.cluster import TOKEN
from tests.support.manifests import job
from tests.support.scene import Scene

PODS = "/api/v1/namespaces/team/pods"

needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="there is no kubectl")


def written(path: Path, **content: Any) -> str:
    """Write a kubeconfig and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **content}))
    return str(path)


def entries(name: str, port: int, namespace: str) -> dict[str, Any]:
    """A cluster, a user and a context of one name."""
    return {
        "clusters": [{"name": name, "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": name, "user": {"token": f"token-{port}"}}],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}
        ],
    }


def kubectl(paths: str, *words: str) -> str:
    """What kubectl prints."""
    env = {**os.environ, "KUBECONFIG": paths}
    argv = ["kubectl", "config", *words]
    return subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout


@needs_kubectl
@pytest.mark.parametrize(
    "order", ["ab", "ba", "eab", "eba", "xab", "oab", "oba", "aob", "ca", "ac"], ids=str
)
def test_the_context_is_the_one_that_kubectl_takes(tmp_path: Path, order: str) -> None:
    files = {
        "a": written(tmp_path / "a", **{"current-context": "one"}, **entries("one", 1, "of-a")),
        "b": written(tmp_path / "b", **{"current-context": "two"}, **entries("two", 2, "of-b")),
        "c": written(tmp_path / "c", **{"current-context": "one"}, **entries("one", 3, "of-c")),
        "o": written(tmp_path / "o", **{"current-context": ""}, **entries("one", 4, "of-o")),
        "e": str(tmp_path / "empty"),
        "x": str(tmp_path / "not-there"),
    }
    (tmp_path / "empty").write_text("")
    paths = os.pathsep.join(files[name] for name in order)
    view = json.loads(kubectl(paths, "view", "--minify", "--raw", "-o", "json"))
    client = connect(Access(environ={"KUBECONFIG": paths}))
    assert client.context == kubectl(paths, "current-context").strip()
    assert client.server == view["clusters"][0]["cluster"]["server"]
    assert client.namespace == view["contexts"][0]["context"]["namespace"]


def test_the_first_current_context_counts(cluster: Cluster, tmp_path: Path) -> None:
    later = written(
        tmp_path / "later", **{"current-context": "prod"}, **entries("prod", 9, "production")
    )
    paths = os.pathsep.join([str(cluster.kubeconfig), later])
    client = connect(Access(environ={"KUBECONFIG": paths}))
    assert (client.server, client.namespace) == (cluster.url, "team")
    assert client.get(PODS)["kind"] == "PodList"


def test_files_are_looked_for_next_to_the_kubeconfig_that_names_them(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cluster.ca is not None
    config = json.loads(cluster.kubeconfig.read_text())
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    config["clusters"][0]["cluster"]["certificate-authority"] = "ca.crt"
    clusters = written(
        ours / "config", **{key: config[key] for key in ("clusters", "contexts", "current-context")}
    )
    (ours / "ca.crt").write_bytes(cluster.ca.read_bytes())
    user = {"client-certificate": "me.crt", "client-key": "me.key", "tokenFile": "in/token"}
    users = written(theirs / "config", users=[{"name": "u", "user": user}])
    (theirs / "me.crt").write_bytes((cluster.root / "tls" / "server.crt").read_bytes())
    (theirs / "me.key").write_bytes((cluster.root / "tls" / "server.key").read_bytes())
    (theirs / "in").mkdir()
    (theirs / "in" / "token").write_text(TOKEN)
    paths = os.pathsep.join([clusters, users])
    assert connect(Access(environ={"KUBECONFIG": paths})).get(PODS)["kind"] == "PodList"
    monkeypatch.chdir(ours)
    paths = os.pathsep.join(["config", "../theirs/config"])
    assert connect(Access(environ={"KUBECONFIG": paths})).get(PODS)["kind"] == "PodList"


def test_a_plugin_with_a_slash_is_next_to_its_kubeconfig(cluster: Cluster) -> None:
    config = json.loads(cluster.kubeconfig.read_text())
    version = "client.authentication.k8s.io/v1"
    answer = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": TOKEN}}
    script = cluster.root / "bin" / "login"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    script.chmod(0o755)
    plugin = {"apiVersion": version, "command": "bin/login", "interactiveMode": "Never"}
    config["users"][0]["user"] = {"exec": plugin}
    path = written(cluster.root / "with-plugin", **config)
    assert connect(Access(path)).get(PODS)["kind"] == "PodList"


@pytest.mark.parametrize("kind", ["cluster", "user"])
def test_a_context_that_names_what_is_not_there_is_told(tmp_path: Path, kind: str) -> None:
    content = entries("one", 1, "of-a")
    content[f"{kind}s"] = []
    path = written(tmp_path / "config", **{"current-context": "one"}, **content)
    with pytest.raises(GhostError, match=rf"context one names a {kind} that it does not have: one"):
        connect(Access(path))


def test_git_ghost_runs_where_kubectl_would(scene: Scene, cluster: Cluster) -> None:
    root = scene.lab.sandbox.root
    later = written(root / "later", **{"current-context": "prod"}, **entries("prod", 9, "none"))
    paths = os.pathsep.join([str(cluster.kubeconfig), later])
    words = ("run", "--init-image", "x", "-f", scene.file(job("train-", "true")), "--detach")
    scene.ghost(*words, KUBECONFIG=paths).ok()
    assert len(cluster.objects("jobs")) == 1
