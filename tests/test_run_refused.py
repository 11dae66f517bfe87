"""git ghost run when it cannot be: a sentence, an exit code, and nothing created half-way."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.cluster import Cluster
from tests.support.cluster.cluster import TOKEN
from tests.support.cluster.kinds import Object
from tests.support.cluster.tls import authority
from tests.support.http import HttpServer
from tests.support.lab import Lab
from tests.support.manifests import config_map, job, pod, secret, workflow
from tests.support.sandbox import Sandbox
from tests.support.scene import Scene

PASSWORD = "planted-s3cret"


def nothing_was_made(scene: Scene, cluster: Cluster) -> bool:
    """Whether neither the cluster nor the ghost repository has got anything."""
    made = [one for kind in ("jobs", "pods", "configmaps") for one in cluster.objects(kind)]
    return not made and not scene.lab.ghost_refs()


# Before anything is sent


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: [", "manifest.yaml:"),
        ("", "manifest.yaml"),
        ("just words\n", "manifest.yaml"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n", "no pod template"),
        ("kind: Job\nkind: Job\n", "manifest.yaml:2"),
    ],
    ids=["no YAML", "empty", "no object", "no pods", "twice the same key"],
)
def test_a_file_that_is_no_manifest_is_refused_before_the_push(
    scene: Scene, cluster: Cluster, text: str, said: str
) -> None:
    path = scene.lab.sandbox.root / "manifest.yaml"
    path.write_text(text, encoding="utf-8")
    ran = scene.run("-f", path)
    assert ran.code in (1, 2)
    assert said in ran.err
    assert ran.err.startswith("error:")
    assert "Traceback" not in ran.err
    assert nothing_was_made(scene, cluster)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-f", "no-such-file.yaml"], "no-such-file.yaml"),
        ([], "nothing to run"),
        (["--image", "busybox", "-f", "{file}"], "--image"),
        (["-f", "{file}", "--container", "absent"], "absent"),
        (["-f", "{file}", "--mount", "/data"], "/data"),
        (["-f", "{file}", "-p", "x=1"], "Workflow"),
        (["-f", "{file}", "-p", "x"], "NAME=VALUE"),
        (["-f", "{file}", "--timeout", "soon"], "soon"),
        (["-f", "{file}", "--dry-run=maybe"], "maybe"),
        (["-f", "{file}", "word"], "word"),
    ],
    ids=[
        "no file", "no job", "both", "container", "mount", "not a workflow", "parameter",
        "duration", "dry run", "stray word",
    ],
)  # fmt: skip
def test_a_call_that_makes_no_sense_is_refused_before_the_push(
    scene: Scene, cluster: Cluster, arguments: list[str], said: str
) -> None:
    mounts = {"volumeMounts": [{"name": "d", "mountPath": "/data"}]}
    volumes = [{"name": "d", "emptyDir": {}}]
    file = scene.file(job("train-", "true", pod={"container": mounts, "volumes": volumes}))
    ran = scene.run(*(word.replace("{file}", str(file)) for word in arguments))
    assert ran.code in (1, 2)
    assert said in ran.err
    assert nothing_was_made(scene, cluster)


def test_two_namespaces_are_refused_before_the_push(scene: Scene, cluster: Cluster) -> None:
    elsewhere = job("train-", "true")
    elsewhere["metadata"]["namespace"] = "elsewhere"
    said = scene.run(elsewhere, "-n", "team").fails(2)
    assert "job.batch/train- belongs to namespace elsewhere, but -n says team" in said
    assert nothing_was_made(scene, cluster)


def test_what_push_refuses_is_refused_in_the_same_words(scene: Scene, cluster: Cluster) -> None:
    nested = scene.lab.laptop / "nested"
    scene.lab.sandbox.git("init", "--quiet", "--", nested)
    scene.lab.write("nested/file", b"x")
    scene.lab.sandbox.git("add", "--all", cwd=nested)
    scene.lab.sandbox.git("commit", "--quiet", "-m", "x", cwd=nested)
    pushed = scene.ghost("push")
    ran = scene.run(job("train-", "true"))
    assert pushed.code != 0
    assert (ran.code, ran.err) == (pushed.code, pushed.err)
    assert cluster.objects("jobs") == []


# By the kubeconfig


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--context", "absent"], "absent"),
        (["--kubeconfig", "no-such-file"], "no-such-file"),
    ],
    ids=["context", "file"],
)
def test_a_kubeconfig_that_is_not_there_is_told(
    scene: Scene, cluster: Cluster, options: list[str], said: str
) -> None:
    ran = scene.run(job("train-", "true"), *options)
    assert ran.code in (1, 2, 7)
    assert said in ran.err
    assert cluster.objects("jobs") == []


def test_credentials_that_the_server_does_not_know_are_told(scene: Scene, cluster: Cluster) -> None:
    text = cluster.kubeconfig.read_text(encoding="utf-8")
    cluster.kubeconfig.write_text(text.replace(TOKEN, "out-of-date"), encoding="utf-8")
    ran = scene.run(job("train-", "true"))
    assert "does not know the credentials" in ran.fails(7)
    assert "out-of-date" not in ran.err


def test_a_certificate_of_somebody_else_is_refused(
    scene: Scene, cluster: Cluster, tmp_path: Path
) -> None:
    other, _ = authority(tmp_path / "other")
    text = cluster.kubeconfig.read_text(encoding="utf-8")
    cluster.kubeconfig.write_text(text.replace(str(cluster.ca), str(other)), encoding="utf-8")
    assert "certificate" in scene.run(job("train-", "true")).fails(7)


def test_a_server_that_is_not_there_is_told(scene: Scene, cluster: Cluster) -> None:
    with cluster.unreachable():
        said = scene.run(job("train-", "true")).fails(7)
    assert f"127.0.0.1:{cluster.server.port}" in said
    assert "connection refused" in said.lower()
    assert "Traceback" not in said


# By the server


def test_what_rbac_forbids_is_told_with_verb_resource_and_namespace(
    scene: Scene, cluster: Cluster
) -> None:
    cluster.faults.forbidden = {("create", "jobs")}
    said = scene.run(job("train-", "true")).fails(7)
    assert "may not create jobs.batch in namespace team" in said
    assert "kubectl auth can-i create jobs.batch -n team" in said
    assert cluster.objects("jobs") == []


@pytest.mark.parametrize("right", [("get", "pods/log"), ("watch", "pods"), ("list", "pods")])
def test_a_right_that_is_missing_to_follow_leaves_the_job_and_says_so(
    scene: Scene, cluster: Cluster, right: tuple[str, str]
) -> None:
    cluster.faults.forbidden = {right}
    ran = scene.run(job("train-", "true"))
    assert f"{right[0]} {right[1]}" in ran.err
    name = cluster.only("jobs")["metadata"]["name"]
    assert name in ran.err


@pytest.mark.parametrize("verb", ["list", "watch"])
def test_what_cannot_be_followed_was_created_nevertheless_and_stays(
    scene: Scene, cluster: Cluster, verb: str
) -> None:
    cluster.faults.forbidden = {(verb, "pods")}
    said = scene.run(job("train-", "true"), "--rm").fails(125)
    name = cluster.only("jobs")["metadata"]["name"]
    assert f"job.batch/{name} could not be followed to its end; exit code 125" in said
    assert f"kubectl delete job.batch/{name}" in said


def test_a_quota_that_is_used_up_is_told(scene: Scene, cluster: Cluster) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}}
    cluster.create({**quota, "spec": {"hard": {"count/jobs.batch": "0"}}})
    said = scene.run(job("train-", "true")).fails(1)
    assert "exceeded quota: few" in said
    assert "kubectl describe quota" in said


def test_a_quota_that_stops_the_pods_of_a_job_is_told(scene: Scene, cluster: Cluster) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}}
    cluster.create({**quota, "spec": {"hard": {"pods": "0"}}})
    started = scene.start(job("train-", "true"), "--start-timeout", "10s")
    started.wait_for("exceeded quota: few")
    started.end().fails(125)


def test_pods_that_a_restricted_namespace_refuses_are_told(scene: Scene, cluster: Cluster) -> None:
    def restrict(namespace: dict[str, dict[str, object]]) -> None:
        namespace["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": "restricted"}

    cluster.change("namespace", cluster.namespace, restrict)
    assert 'violates PodSecurity "restricted' in scene.run(pod("train", "true")).fails(1)
    image = ("--image", "busybox", "--run-as-user", "1000", "--", "cat", "foo")
    assert scene.run(*image).ok() == "a"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda made: made["metadata"].update(name="Upper_Case"), "metadata.name"),
        (lambda made: made["metadata"].update(name="x" * 64), "63"),
        (lambda made: made["metadata"].update(name="x" * 254), "metadata.name"),
        (lambda made: made["metadata"].update(labels={"a": "b c"}), "metadata.labels"),
        (lambda made: made["spec"].update(backoffLimit="many"), "backoffLimit"),
        (lambda made: made["spec"].update(bogus=1), "spec.bogus"),
    ],
    ids=["name", "long name", "very long name", "label", "type", "field"],
)
def test_what_is_wrong_with_an_object_is_told_by_field(
    scene: Scene,
    cluster: Cluster,
    change: Callable[[dict[str, dict[str, object]]], None],
    said: str,
) -> None:
    made = job("train", "true")
    change(made)
    ran = scene.run(made)
    assert said in ran.fails(1)
    assert cluster.objects("jobs") == []


def test_a_name_that_is_taken_is_told(scene: Scene, cluster: Cluster) -> None:
    scene.run(job("train", "true")).ok()
    said = scene.run(job("train", "true")).fails(1)
    assert "exists already" in said
    assert "generateName" in said
    assert len(cluster.objects("jobs")) == 1


def test_a_kind_whose_operator_is_missing_is_told(scene: Scene, cluster: Cluster) -> None:
    cluster.kinds.remove_group("argoproj.io")
    said = scene.run(workflow("w-", "true")).fails(1)
    assert "no such kind" in said
    assert "Argo" in said


def test_what_was_created_before_the_refusal_is_named(scene: Scene, cluster: Cluster) -> None:
    cluster.faults.forbidden = {("create", "jobs")}
    said = scene.run(job("train-", "true"), config_map("c", k="v"), secret("s", k="v")).fails(7)
    assert "configmap/c" in said
    assert "secret/s" in said
    assert "kubectl delete" in said
    assert len(cluster.objects("configmaps")) == 1


def test_a_config_map_with_other_content_is_not_overwritten(scene: Scene, cluster: Cluster) -> None:
    cluster.create(config_map("c", k="old"))
    said = scene.run(job("train-", "true"), config_map("c", k="new")).fails(1)
    assert "exists already" in said
    assert cluster.only("configmaps")["data"] == {"k": "old"}
    assert cluster.objects("jobs") == []


# Secrets


def test_no_secret_reaches_objects_logs_or_messages(
    sandbox: Sandbox, cluster: Cluster, http_server: HttpServer
) -> None:
    lab = Lab(sandbox, server=http_server)
    lab.write("foo", b"edited\n")
    user, password = http_server.user, http_server.password
    cluster.create({**secret("access", username=user, password=password)})
    with closing(Scene(lab, cluster, "busybox", "git-ghost:test")) as scene:
        file = scene.file(job("train-", "cat foo"), secret("s", k=PASSWORD))
        url = http_server.url_with_password("ghosts.git")
        texts = []
        for more in (["-v"], ["--dry-run=client"], ["--dry-run=server"], ["--detach"], []):
            access = ["--git-secret", "access", "--source", lab.source_url]
            words = ["run", "--init-image", "x", *access, "-f", str(file), *more]
            ran = scene.ghost(*words, GIT_GHOST_REPO=url)
            texts += [ran.out.decode(), ran.err]
        assert texts[-2:-1] == ["edited\n"], texts[-1]
        wrong = scene.ghost("run", "--init-image", "x", "-f", str(file), GIT_GHOST_REPO=url)
        assert "exit code 7" in wrong.fails(125), wrong.err
        texts += [wrong.out.decode(), wrong.err]
    kinds = ("jobs", "pods", "events")
    texts += [json.dumps(one) for kind in kinds for one in cluster.objects(kind)]
    for text in texts:
        if "stringData" not in text:  # a dry run prints the manifest's own Secret
            assert PASSWORD not in text
        assert password not in text
        assert quote(password, safe="") not in text
        assert TOKEN not in text


def test_a_command_for_a_group_of_pods_is_asked_for_by_container(scene: Scene) -> None:
    def replica(count: int) -> Object:
        container = {"name": "pytorch", "image": "busybox", "command": ["true"]}
        return {"replicas": count, "template": {"spec": {"containers": [container]}}}

    group = {
        "apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": {"name": "group"},
        "spec": {"pytorchReplicaSpecs": {"Master": replica(1), "Worker": replica(2)}},
    }  # fmt: skip
    said = scene.run(group, "--dry-run=client", "--", "echo", "hi").fails(2)
    assert "Name one with -c" in said
    made = scene.run(group, "--dry-run=client", "-c", "pytorch", "-o", "json", "--", "echo", "hi")
    replicas = json.loads(made.ok())["spec"]["pytorchReplicaSpecs"].values()
    containers = [one["template"]["spec"]["containers"][0] for one in replicas]
    assert [one["command"] for one in containers] == [["echo", "hi"]] * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-f", "absent.yaml"], "absent.yaml"),
        (["--image", "busybox", "--init-image", "", "--", "true"], "no image for the pull step"),
        (["--image", "busybox", "--git-secret", "s", "--ghost-repo", "/x", "--", "true"], "/x"),
    ],
    ids=["file", "image", "ghost repository"],
)
def test_what_is_local_is_looked_at_before_a_cluster_is_asked_for(
    scene: Scene, arguments: list[str], said: str
) -> None:
    ran = scene.run(*arguments, "--kubeconfig", "no-such-file")
    assert said in ran.err
    assert "kubeconfig" not in ran.err


def test_what_push_refuses_is_told_before_a_cluster_is_asked_for(scene: Scene) -> None:
    scene.lab.write(".env", b"TOKEN=x")
    ran = scene.run(job("train-", "true"), "--kubeconfig", "no-such-file")
    assert ".env" in ran.fails(1)
    assert "kubeconfig" not in ran.err
    assert not scene.lab.ghost_refs()
