"""^C during git ghost run: once detaches, twice leaves; nothing is lost unnamed."""

from __future__ import annotations

import shlex
import sys

from tests.support.cluster import Cluster
from tests.support.manifests import FOREVER, config_map, job
from tests.support.scene import Scene


def test_once_detaches_and_prints_the_commands(scene: Scene, cluster: Cluster) -> None:
    started = scene.start(job("train-", FOREVER))
    started.wait_for("up")
    started.interrupt()
    said = started.end().fails(130)
    name = cluster.only("jobs")["metadata"]["name"]
    for command in ("kubectl logs -f", "git ghost code", "kubectl delete"):
        assert f"{command} job.batch/{name}" in said
    assert "Traceback" not in said
    assert cluster.only("jobs")["status"]["active"] == 1


def test_the_commands_name_the_cluster_that_was_asked_for(scene: Scene, cluster: Cluster) -> None:
    config = str(cluster.kubeconfig)
    options = ("--kubeconfig", config, "--context", "other", "-n", cluster.namespace)
    started = scene.start(job("train-", FOREVER), *options)
    started.wait_for("up")
    started.interrupt()
    said = started.end().fails(130)
    assert f"--kubeconfig {config} --context other -n {cluster.namespace}" in said


def test_delete_on_interrupt_takes_everything_back(scene: Scene, cluster: Cluster) -> None:
    started = scene.start(config_map("c", k="v"), job("train-", FOREVER), "--delete-on-interrupt")
    started.wait_for("up")
    started.interrupt()
    assert "deleted" in started.end().fails(130)
    assert cluster.objects("jobs") == []
    assert cluster.objects("configmaps") == []
    cluster.wait_for(lambda: not cluster.objects("pods"))


def test_what_was_just_being_created_is_deleted_too(scene: Scene, cluster: Cluster) -> None:
    cluster.faults.delay_answers = 3
    started = scene.start(job("train-", FOREVER), "--delete-on-interrupt")
    cluster.wait_for(lambda: cluster.objects("jobs"))
    cluster.faults.delay_answers = 0
    started.interrupt()
    said = started.end().fails(130)
    assert "deleted job.batch/train-" in said
    assert cluster.objects("jobs") == []


def test_twice_leaves_although_the_server_does_not_answer(scene: Scene, cluster: Cluster) -> None:
    started = scene.start(job("train-", FOREVER), "--delete-on-interrupt")
    started.wait_for("up")
    cluster.faults.delay = 30
    started.interrupt()
    cluster.wait_for(lambda: any(seen.verb == "delete" for seen in cluster.requests))
    started.interrupt()
    result = started.end()
    cluster.faults.delay = 0
    assert "Traceback" not in result.fails(130)
    name = cluster.only("jobs")["metadata"]["name"]
    assert name in result.err


def test_while_it_is_queued_detaches_too(scene: Scene, cluster: Cluster) -> None:
    cluster.faults.kueue = True
    started = scene.start(job("train-", "true"), "--queue", "gpu")
    started.wait_for("queue")
    started.interrupt()
    assert "kubectl delete job.batch/train-" in started.end().fails(130)


def test_before_anything_was_created_leaves_nothing(scene: Scene, cluster: Cluster) -> None:
    cluster.faults.delay = 30
    started = scene.start(job("train-", "true"))
    started.wait_for("sent to")
    started.interrupt()
    result = started.end()
    cluster.faults.delay = 0
    assert "Traceback" not in result.fails(130)
    assert "git-ghost.io/run=" in result.err or cluster.objects("jobs") == []


def test_when_nobody_reads_its_output_any_more_the_job_is_left_alone(
    scene: Scene, cluster: Cluster
) -> None:
    script = "while sleep 0.1; do echo line; done"
    call = [sys.executable, "-m", "git_ghost", "run", "--rm", "--init-image", scene.init_image]
    piped = shlex.join([*call, "-f", str(scene.file(job("train-", script)))]) + " | head -n 1"
    done = scene.lab.sandbox.run("sh", "-c", piped, cwd=scene.lab.laptop, env=scene.env())
    assert done.ok() == "line"
    assert "goes on" in done.err
    assert cluster.only("jobs")["status"]["active"] == 1
