"""Who git ghost run is to the API server: in whose name it asks, and with what credentials."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from git_ghost.errors import GhostError, RemoteError
from git_ghost.workloads.cluster.answers import Denied
from git_ghost.workloads.cluster.connection import connect
from git_ghost.workloads.cluster.identity import Identity
from git_ghost.workloads.cluster.kubeconfig import Access
from git_ghost.workloads.cluster.plugin import UserCredentials
from tests.support.cluster import Cluster
from tests.support.cluster.cluster import TOKEN, USER
from tests.support.cluster.tls import client_certificate
from tests.support.manifests import job
from tests.support.scene import Scene


def log_in(cluster: Cluster, **user: Any) -> None:
    """Change how the kubeconfig logs in."""
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = user
    cluster.kubeconfig.write_text(json.dumps(config))


def test_every_request_is_made_in_the_name_of_whom_the_kubeconfig_says(
    scene: Scene, cluster: Cluster
) -> None:
    extra = {"scopes": ["view", "edit"], "example.com/team": ["ml"], "ö": ["1"]}
    who = {"as": "jörg@example.com", "as-uid": "17", "as-groups": ["ml", "interns"]}
    log_in(cluster, token=TOKEN, **who, **{"as-user-extra": extra})
    assert scene.run(job("train-", "echo done")).ok() == "done"
    said = {
        ("Impersonate-User", "jörg@example.com".encode().decode("latin-1")),
        ("Impersonate-Uid", "17"),
        ("Impersonate-Group", "ml"),
        ("Impersonate-Group", "interns"),
        ("Impersonate-Extra-scopes", "view"),
        ("Impersonate-Extra-scopes", "edit"),
        ("Impersonate-Extra-example.com%2fteam", "ml"),
        ("Impersonate-Extra-%c3%b6", "1"),
    }
    ours = [seen for seen in cluster.requests if seen.agent == "git-ghost"]
    assert {"create", "list", "watch"} <= {seen.verb for seen in ours}
    assert any(seen.path.endswith("/log") for seen in ours)
    assert all(set(seen.acting) == said and len(seen.acting) == len(said) for seen in ours)


def test_groups_without_a_name_are_refused_as_kubectl_does(scene: Scene, cluster: Cluster) -> None:
    log_in(cluster, token=TOKEN, **{"as-groups": ["ml"]})
    assert "nobody to act as" in scene.run(job("train-", "true")).fails(1)
    assert not cluster.requests


PODS = "/api/v1/namespaces/team/pods"
OTHER = "another-token"
V1 = "client.authentication.k8s.io/v1"


class Renewable:
    """A token in a file, and a kubeconfig that takes it from there."""

    def __init__(self, cluster: Cluster, how: str) -> None:
        """`how`: tokenFile, exec, or exec with an expirationTimestamp."""
        self.cluster = cluster
        self.token, self.runs = cluster.root / "token", cluster.root / "runs"
        self.runs.touch()
        self.write(TOKEN)
        expires = {"expirationTimestamp": "2020-01-01T00:00:00Z"} if "expir" in how else {}
        status = {"token": "%s", **expires}
        answer = json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status})
        script = f"echo run >> {self.runs}; printf '{answer}' $(cat {self.token})"
        argv = {"command": "sh", "args": ["-c", script]}
        plugin = {"apiVersion": V1, "interactiveMode": "Never", **argv}
        log_in(cluster, **({"tokenFile": str(self.token)} if how == "file" else {"exec": plugin}))

    def write(self, token: str) -> None:
        """Put a token in the file, as `kubectl create token` prints it."""
        self.token.write_text(token + "\n")

    def rotate(self, token: str = OTHER) -> None:
        """Let the server know another token only."""
        self.cluster.server.users.clear()
        self.cluster.server.users[token] = USER

    @property
    def asked(self) -> int:
        """How often the plugin was run."""
        return self.runs.read_text().count("run")


@pytest.mark.parametrize("how", ["file", "exec", "exec that expires"])
def test_credentials_that_run_out_are_renewed_while_it_runs(
    scene: Scene, cluster: Cluster, how: str
) -> None:
    renewable, go = Renewable(cluster, how), cluster.root / "go"
    script = f"echo up; while [ ! -e {go} ]; do sleep 0.05; done; echo done; exit 3"
    run = scene.start(job("train-", script))
    run.wait_for("up\n")
    seen = len(cluster.requests)
    renewable.rotate()
    renewable.write(OTHER)
    cluster.server.drop()

    def watched_again() -> bool:
        later = cluster.requests[seen:]
        return {"jobs", "pods/log"} <= {one.resource for one in later}

    cluster.wait_for(watched_again, "requests with the new token")
    go.touch()
    ended = run.end()
    assert (ended.code, ended.out) == (3, b"up\ndone\n"), ended.err
    assert how != "exec" or renewable.asked == 2


def at_once(count: int, call: Callable[[], object]) -> list[GhostError | None]:
    """Let threads do the same at the same time; return what each of them raised."""
    raised: list[GhostError | None] = []
    barrier = threading.Barrier(count)

    def run() -> None:
        barrier.wait()
        try:
            call()
        except GhostError as error:
            raised.append(error)
        else:
            raised.append(None)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_threads_renew_credentials_once(cluster: Cluster) -> None:
    renewable = Renewable(cluster, "exec")
    client = connect(Access(str(cluster.kubeconfig)))
    renewable.rotate()
    renewable.write(OTHER)
    assert at_once(8, lambda: client.get(PODS)) == [None] * 8
    assert renewable.asked == 2


def test_credentials_that_are_refused_anew_are_refused_for_good(cluster: Cluster) -> None:
    renewable = Renewable(cluster, "exec")
    client = connect(Access(str(cluster.kubeconfig)))
    renewable.rotate()
    with pytest.raises(Denied, match="does not know the credentials"):
        client.get(PODS)
    assert renewable.asked == 2
    renewable.write(OTHER)
    assert client.get(PODS)["kind"] == "PodList"


def test_what_cannot_be_renewed_is_tried_once_for_all_that_wait() -> None:
    got: list[UserCredentials] = []

    def get() -> UserCredentials:
        if got:
            got.append(UserCredentials())
            raise RemoteError("log in again")
        got.append(UserCredentials("first"))
        return got[0]

    identity = Identity(get)
    asking = identity.asking()
    raised = at_once(8, lambda: identity.renew(asking))
    assert [str(error) for error in raised] == ["log in again"] * 8
    assert len(got) == 2
    with pytest.raises(RemoteError):  # who asks later may have more luck
        identity.renew(identity.asking())
    assert len(got) == 3


def test_a_token_file_that_is_being_written_is_no_reason_to_fail(cluster: Cluster) -> None:
    renewable = Renewable(cluster, "file")
    client = connect(Access(str(cluster.kubeconfig)))
    renewable.token.write_text("")
    renewable.rotate()
    with pytest.raises(Denied, match="does not know the credentials"):
        client.get(PODS)
    renewable.rotate(TOKEN)
    assert client.get(PODS)["kind"] == "PodList"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read: no such file"), (b"", "is empty"), (b"\xff", "it is not text")],
    ids=["missing", "empty", "binary"],
)
def test_a_token_file_that_holds_none_is_named(
    cluster: Cluster, tmp_path: Path, content: bytes | None, said: str
) -> None:
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)
    log_in(cluster, tokenFile=str(token))
    with pytest.raises(RemoteError, match=rf"the token file {re.escape(str(token))} .*{said}"):
        connect(Access(str(cluster.kubeconfig)))


def test_a_certificate_that_is_withdrawn_is_replaced(scene: Scene, cluster: Cluster) -> None:
    def brings(name: str) -> None:
        certificate, key = client_certificate(cluster.root / "tls", name)
        status = {"clientCertificateData": certificate, "clientKeyData": key}
        answer = {"apiVersion": V1, "kind": "ExecCredential", "status": status}
        (cluster.root / "answer").write_text(json.dumps(answer))

    users, go = cluster.server.users, cluster.root / "go"
    users.clear()
    users["CN=ada"] = USER
    brings("ada")
    argv = {"command": "cat", "args": [str(cluster.root / "answer")]}
    log_in(cluster, exec={"apiVersion": V1, "interactiveMode": "Never", **argv})
    run = scene.start(job("train-", f"echo up; while [ ! -e {go} ]; do sleep 0.05; done"))
    run.wait_for("up\n")
    brings("ada-too")
    del users["CN=ada"]
    users["CN=ada-too"] = USER
    cluster.server.drop()
    go.touch()
    assert run.end().ok() == "up"
