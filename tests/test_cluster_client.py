"""The way to the cluster: kubeconfigs, contexts, namespaces, credential plugins, discovery."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from git_ghost.errors import GhostError, RemoteError, UsageError
from git_ghost.workloads.cluster.answers import Denied, Refused, Unreachable
from git_ghost.workloads.cluster.connection import ahead, connect
from git_ghost.workloads.cluster.kubeconfig import Access
from tests.support.cluster import Cluster
from tests.support.sandbox import Sandbox

PODS = "/api/v1/namespaces/team/pods"


def edited(cluster: Cluster, name: str, **user: Any) -> str:
    """A copy of the cluster's kubeconfig with another way to log in."""
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = user
    path = cluster.root / name
    path.write_text(json.dumps(config))
    return str(path)


def plugin(folder: Path, script: str) -> dict[str, Any]:
    path = folder / "plugin.sh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    version = "client.authentication.k8s.io/v1"
    return {"apiVersion": version, "command": str(path), "interactiveMode": "Never"}


@pytest.mark.parametrize(
    ("context", "asked", "namespace"),
    [("", "", "team"), ("other", "", "default"), ("", "mine", "mine"), ("other", "mine", "mine")],
)
def test_the_namespace_is_the_one_asked_for_or_the_contexts(
    cluster: Cluster, context: str, asked: str, namespace: str
) -> None:
    client = connect(Access(str(cluster.kubeconfig), context, asked))
    assert client.namespace == namespace


def test_the_kubeconfig_is_looked_up_in_the_environment_that_is_handed_over(
    cluster: Cluster, tmp_path: Path
) -> None:
    paths = f"{tmp_path / 'not-there'}:{cluster.kubeconfig}"
    client = connect(Access(environ={"KUBECONFIG": paths}))
    assert client.get(PODS)["kind"] == "PodList"


def test_a_credential_plugin_is_run(cluster: Cluster, tmp_path: Path) -> None:
    config = json.loads(cluster.kubeconfig.read_text())
    status = {"token": config["users"][0]["user"]["token"]}
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    script = f"echo '{json.dumps({**answer, 'status': status})}'"
    access = Access(edited(cluster, "exec", exec=plugin(tmp_path, script)))
    assert connect(access).get(PODS)["kind"] == "PodList"


def test_a_credential_plugin_that_fails_is_quoted(
    cluster: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    access = Access(edited(cluster, "exec", exec=plugin(tmp_path, "echo log in >&2; exit 1")))
    with pytest.raises(RemoteError, match=r"credential plugin .* code 1: log in"):
        connect(access)
    assert capfd.readouterr() == ("", "")


def test_credentials_the_server_does_not_know_never_show(cluster: Cluster) -> None:
    client = connect(Access(edited(cluster, "wrong", token="s3cret-of-mine")))
    with pytest.raises(Denied, match="does not know the credentials") as caught:
        client.get(PODS)
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"


def test_a_context_that_is_not_there_is_answered_with_those_that_are(cluster: Cluster) -> None:
    with pytest.raises(UsageError, match="no context nix") as caught:
        connect(Access(str(cluster.kubeconfig), "nix"))
    assert caught.value.hint == "It has: other, test."


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "is empty"), ("a: [", "cannot be read"), ("- a", "cannot be read"),
     ("apiVersion: v1\nkind: Config\n", "no context chosen")],
)  # fmt: skip
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(GhostError, match=said) as caught:
        connect(Access(str(path)))
    assert str(path) in caught.value.message


def test_nothing_configured_at_all_is_said_so(in_sandbox: Sandbox) -> None:
    with pytest.raises(GhostError, match="no cluster is configured"):
        connect(Access(environ=in_sandbox.env))
    with pytest.raises(UsageError, match="there is no kubeconfig /not/there"):
        connect(Access("/not/there"))


def test_a_connection_is_made_while_something_else_is_done(cluster: Cluster) -> None:
    assert ahead(Access(str(cluster.kubeconfig))).get().get(PODS)["kind"] == "PodList"
    with pytest.raises(UsageError, match="there is no kubeconfig /not/there"):
        ahead(Access("/not/there")).get()


def test_a_server_that_is_down_is_a_matter_of_the_network(cluster: Cluster) -> None:
    client = connect(Access(str(cluster.kubeconfig)))
    with cluster.unreachable(), pytest.raises(Unreachable, match="connection refused"):
        client.get(PODS)
    assert client.get(PODS)["kind"] == "PodList"


def test_a_kind_that_is_not_known_is_looked_up_in_its_group(cluster: Cluster) -> None:
    client = connect(Access(str(cluster.kubeconfig)))
    found = client.resource("authorization.k8s.io/v1", "SelfSubjectAccessReview")
    assert (found.plural, found.namespaced) == ("selfsubjectaccessreviews", False)
    with pytest.raises(Refused, match="the cluster has no such kind"):
        client.resource("example.com/v1", "Foo")


def test_a_group_whose_server_is_down_does_not_hide_the_kinds_of_others(cluster: Cluster) -> None:
    client = connect(Access(str(cluster.kubeconfig)))
    cluster.faults.broken_groups = {"apps"}
    assert client.find("workflows").group == "argoproj.io"
    for word in ("deployments", "deployments.apps", "foos"):
        with pytest.raises(Unreachable, match=rf"cannot find {word}: .* is busy or not ready"):
            client.find(word)
    with pytest.raises(Refused, match="cannot find foos"):
        client.find("foos.batch")
    with cluster.unreachable(), pytest.raises(Unreachable, match="connection refused"):
        client.find("foos")


def test_known_kinds_cost_no_request(cluster: Cluster) -> None:
    client = connect(Access(str(cluster.kubeconfig)))
    with cluster.unreachable():
        assert client.resource("batch/v1", "Job").plural == "jobs"


def test_a_stream_that_is_left_early_does_not_disturb_what_comes_next(cluster: Cluster) -> None:
    client = connect(Access(str(cluster.kubeconfig)))
    for _ in range(3):
        with client.stream(PODS, [("watch", "true")], "cannot watch", 10.0):
            pass
        assert client.get(PODS)["kind"] == "PodList"


def test_one_connection_serves_one_request_after_the_other(cluster: Cluster) -> None:
    client = connect(Access(str(cluster.kubeconfig)))
    accepted = cluster.server.accepted
    for _ in range(5):
        client.get(PODS)
    assert cluster.server.accepted == accepted + 1


def test_a_busy_server_is_asked_again(cluster: Cluster) -> None:
    client = connect(Access(str(cluster.kubeconfig)))
    cluster.faults.refuse(429, times=2, retry_after=0)
    assert client.get(PODS)["kind"] == "PodList"
