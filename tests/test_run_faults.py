"""git ghost run while things go wrong in the cluster, and on the way to it."""

from __future__ import annotations

import pytest

from tests.support.cluster import Cluster
from tests.support.cluster.kinds import Object
from tests.support.manifests import FOREVER, config_map, job, pod, workflow
from tests.support.scene import Scene

SLOWLY = "for n in 1 2 3 4 5 6 7 8 9; do echo line $n; sleep 0.1; done; printf end; exit 3"
LINES = "".join(f"line {n}\n" for n in range(1, 10)) + "end"


def runs(cluster: Cluster) -> bool:
    """Whether the only pod runs."""
    return [p["status"]["phase"] for p in cluster.objects("pods")] == ["Running"]


# The way to the server


@pytest.mark.parametrize("mid_line", [False, True], ids=["between events", "within an event"])
def test_a_watch_that_is_dropped_again_and_again_loses_nothing(
    scene: Scene, cluster: Cluster, mid_line: bool
) -> None:
    cluster.faults.watch_events = 2 if mid_line else 1  # or it would never hear of an event
    cluster.faults.watch_mid_line = mid_line
    ran = scene.run(job("train-", SLOWLY))
    ran.fails(3)
    assert ran.out.decode() == LINES


def test_a_watch_that_the_server_has_forgotten_begins_anew(scene: Scene, cluster: Cluster) -> None:
    started = scene.start(job("train-", SLOWLY))
    started.wait_for("line 1")
    cluster.faults.watch_expired_event = 2
    cluster.faults.refuse(410, verb="watch")
    cluster.store.compact()
    cluster.server.drop()
    ran = started.end()
    ran.fails(3)
    assert ran.out.decode() == LINES


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(scene: Scene, cluster: Cluster, code: int) -> None:
    for verb in ("watch", "log"):
        cluster.faults.refuse(code, times=2, verb=verb, retry_after=1 if code == 429 else None)
    ran = scene.run(job("train-", SLOWLY))
    ran.fails(3)
    assert ran.out.decode() == LINES


@pytest.mark.parametrize("after", [3, 7, 20, 61])
def test_a_log_that_breaks_off_is_read_on_where_it_broke(
    scene: Scene, cluster: Cluster, after: int
) -> None:
    cluster.faults.log_bytes, cluster.faults.log_drops = after, 3
    ran = scene.run(job("train-", SLOWLY))
    ran.fails(3)
    assert ran.out.decode() == LINES


def test_a_node_that_does_not_know_its_pods_yet_is_asked_again(
    scene: Scene, cluster: Cluster
) -> None:
    cluster.faults.refuse(404, 3, "log", "pods")  # as the API server says it for the node
    ran = scene.run(job("train-", SLOWLY))
    ran.fails(3)
    assert ran.out.decode() == LINES


def test_bytes_that_are_no_text_survive_a_break(scene: Scene, cluster: Cluster) -> None:
    cluster.faults.log_bytes, cluster.faults.log_drops = 50, 2
    ran = scene.run(job("train-", r"printf 'a\n\377\376\n\000\nb\nno end'"))
    ran.ok()
    assert ran.out == b"a\n\xff\xfe\n\x00\nb\nno end"


def test_a_server_that_is_down_for_a_while_is_waited_for(scene: Scene, cluster: Cluster) -> None:
    started = scene.start(job("train-", SLOWLY))
    started.wait_for("line 2")
    with cluster.unreachable():
        cluster.wait_for(
            lambda: cluster.only("jobs")["status"].get("failed") == 1, "the end of the job"
        )
    ran = started.end()
    ran.fails(3)
    assert ran.out.decode() == LINES


def test_slow_answers_change_nothing(scene: Scene, cluster: Cluster) -> None:
    cluster.faults.delay = 0.1
    ran = scene.run(job("train-", SLOWLY))
    ran.fails(3)
    assert ran.out.decode() == LINES


@pytest.mark.parametrize("name", ["train-", "train"])
def test_an_object_whose_creation_was_not_answered_is_found(
    scene: Scene, cluster: Cluster, name: str
) -> None:
    cluster.faults.lost_answers = 1
    ran = scene.run(job(name, "exit 3"), "--rm")
    ran.fails(3)
    creates = [
        seen for seen in cluster.requests if (seen.verb, seen.resource) == ("create", "jobs")
    ]
    assert len(creates) == 1
    assert cluster.objects("jobs") == []


def test_what_may_have_been_created_is_told_when_it_cannot_be_found(
    scene: Scene, cluster: Cluster
) -> None:
    cluster.faults.lost_answers = 1
    said = scene.run(config_map("c", k="v"), job("train-", "true"), "--detach").fails(7)
    assert "may be there nevertheless" in said
    assert "configmap/c" in said
    cluster.faults.lost_answers = 1
    cluster.faults.refuse(403, times=9, verb="list")
    said = scene.run(job("train-", "true"), "--detach").fails(7)
    assert "kubectl get jobs.batch -l git-ghost.io/run=" in said


@pytest.mark.parametrize("code", [0, 3])
def test_a_server_that_stumbles_at_the_end_does_not_change_the_exit_code(
    scene: Scene, cluster: Cluster, code: int
) -> None:
    started = scene.start(job("train-", f"echo up; sleep 2; exit {code}"), "--rm")
    started.wait_for("up")
    cluster.faults.refuse(500, times=2, verb="list", resource="pods")
    cluster.faults.refuse(500, times=2, verb="delete", resource="jobs.batch")
    ran = started.end()
    assert ran.code == code, ran.err
    assert cluster.objects("jobs") == []


def test_what_cannot_be_deleted_at_the_end_is_told_and_the_exit_code_kept(
    scene: Scene, cluster: Cluster
) -> None:
    cluster.faults.forbidden.add(("delete", "jobs"))
    said = scene.run(job("train-", "exit 3"), "--rm").fails(3)
    assert "may not delete jobs.batch" in said
    assert "kubectl delete job.batch/train-" in said


@pytest.mark.parametrize("code", [0, 3])
def test_a_job_that_is_cleared_away_at_its_end_is_followed_to_it(scene: Scene, code: int) -> None:
    ran = scene.run(job("train-", f"echo done; sleep 1; exit {code}", ttlSecondsAfterFinished=0))
    assert ran.code == code
    assert ran.out == b"done\n"


def test_a_log_that_is_cleared_away_before_it_could_be_read_is_told(scene: Scene) -> None:
    ran = scene.run(job("train-", "echo done; exit 3", ttlSecondsAfterFinished=0))
    ran.fails(3)
    assert ran.out == b"done\n" or "the pod is gone, and its log with it" in ran.err


# Pods


def test_a_pod_that_is_replaced_is_followed_further(scene: Scene, cluster: Cluster) -> None:
    started = scene.start(job("train-", f"echo begin; {FOREVER}", backoffLimit=3))
    started.wait_for("up")
    first = cluster.only("pods")["metadata"]["name"]
    cluster.delete("pods", first)
    cluster.wait_for(lambda: started.out.count("up\n") == 2, "the log of the second pod")
    assert "takes over" in started.err
    cluster.delete("jobs", cluster.only("jobs")["metadata"]["name"], propagationPolicy="Background")
    started.end().fails(125)


def test_a_job_that_somebody_deletes_ends_the_run(scene: Scene, cluster: Cluster) -> None:
    started = scene.start(job("train-", FOREVER))
    started.wait_for("up")
    cluster.delete("jobs", cluster.only("jobs")["metadata"]["name"], propagationPolicy="Background")
    assert "deleted" in started.end().fails(125)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"container": {"image": "missing.invalid/x"}}, "missing.invalid/x"),
        ({"nodeSelector": {"no": "node"}}, "no node can take it"),
        ({"container": {"resources": {"limits": {"nvidia.com/gpu": 8}}}}, "nvidia.com/gpu"),
        ({"volumes": [{"name": "v", "secret": {"secretName": "no"}}]}, ""),
    ],
    ids=["image", "node", "gpu", "volume"],
)
def test_what_may_still_come_right_is_told_at_once_and_waited_for(
    scene: Scene, spec: dict[str, object], said: str
) -> None:
    started = scene.start(job("train-", "true", pod=spec), "--start-timeout", "5s")
    if said:
        started.wait_for(said)
    err = started.end().fails(125)
    assert "kubectl" in err
    assert said in err


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"container": {"image": "Not:A:Name"}}, "Not:A:Name"),
        ({"container": {"envFrom": [{"secretRef": {"name": "absent"}}]}}, 'secret "absent"'),
    ],
    ids=["image name", "secret"],
)
def test_what_cannot_come_right_ends_the_run_at_once(
    scene: Scene, spec: dict[str, object], said: str
) -> None:
    assert said in scene.run(job("train-", "true", pod=spec)).fails(125)


def test_one_job_without_hope_does_not_end_another(scene: Scene) -> None:
    hopeless = job("a", "true", pod={"container": {"image": "No Such/Image"}})
    started = scene.start(hopeless, job("b", "sleep 1; echo well done"))
    started.wait_for("well done")
    assert "pod a-" in started.end().fails(125)


def test_time_in_init_containers_is_not_time_without_anything(scene: Scene) -> None:
    download = {"name": "download", "image": "busybox", "command": ["sh", "-c", "sleep 3"]}
    slow = job("train-", "echo done", pod={"initContainers": [download]})
    assert scene.run(slow, "--start-timeout", "2s").ok() == "done"


def test_a_pod_that_serves_a_job_does_not_keep_the_run_from_ending(scene: Scene) -> None:
    served = pod("db", "while sleep 0.1; do echo serving; done", restartPolicy="Always")
    ran = scene.run(served, job("train-", "sleep 1; exit 3"))
    assert "could not be read" not in ran.fails(3)


def test_a_pod_that_is_started_again_for_ever_is_told(scene: Scene) -> None:
    ran = scene.run(pod("again", "echo once more", restartPolicy="Always"), "--timeout", "3s")
    assert "restartPolicy: Never" in ran.fails(124)


def test_a_program_that_is_not_in_the_image_is_told(scene: Scene) -> None:
    ran = scene.run(job("train-", "true"), "--", "no-such-program")
    assert "no-such-program" in ran.fails(128)


def test_an_init_container_that_fails_shows_its_log(scene: Scene) -> None:
    init = {"name": "prepare", "image": "busybox", "command": ["sh", "-c", "echo no disk; exit 4"]}
    ran = scene.run(job("train-", "true", pod={"initContainers": [init]}))
    err = ran.fails(125)
    assert "prepare" in err
    assert "no disk" in err
    assert "exit code 4" in err


def test_an_eviction_and_a_lack_of_memory_are_told(scene: Scene, cluster: Cluster) -> None:
    started = scene.start(job("train-", FOREVER))
    started.wait_for("up")
    cluster.evict(cluster.only("pods")["metadata"]["name"])
    assert "evicted" in started.end().err
    started = scene.start(pod("hungry", FOREVER))
    started.wait_for("up")
    cluster.out_of_memory("hungry")
    assert "memory" in started.end().fails(137)


# Queues


def test_a_job_in_a_queue_is_waited_for_without_end(scene: Scene, cluster: Cluster) -> None:
    cluster.faults.kueue = True
    started = scene.start(job("train-", "echo done"), "--queue", "gpu", "--start-timeout", "1s")
    started.wait_for("queue")
    labels = cluster.only("jobs")["metadata"]["labels"]
    assert labels["kueue.x-k8s.io/queue-name"] == "gpu"
    cluster.release()
    assert started.end().ok() == "done"


def test_the_queue_of_a_workflow_is_on_its_pods(scene: Scene) -> None:
    printed = scene.run(workflow("w-", "true"), "--queue", "gpu", "--dry-run=client").ok()
    assert "podMetadata" in printed
    assert "kueue.x-k8s.io/queue-name: gpu" in printed


# Kinds that are groups of pods


def test_the_log_of_a_ray_job_is_that_of_its_submitter_too_and_ends_with_it(scene: Scene) -> None:
    serve = "echo head up; while sleep 0.1; do echo serving; done"
    head = {"rayStartParams": {}, "template": {"spec": pod("x", serve)["spec"]}}
    submitter = {"spec": pod("x", "sleep 1; echo the answer; exit 4")["spec"]}
    spec = {
        "entrypoint": "python train.py",
        "rayClusterSpec": {"headGroupSpec": head},
        "submitterPodTemplate": submitter,
    }
    ray = {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {"name": "ray"}, "spec": spec}
    ran = scene.run(ray)
    assert "could not be read" not in ran.fails(4)
    lines = ran.out.decode().splitlines()
    assert "[pod/ray-raycluster-head/main] head up" in lines
    assert [line for line in lines if line.endswith("] the answer")]


@pytest.mark.parametrize("kind", ["JobSet", "PyTorchJob", "Volcano"])
def test_other_kinds_are_followed_to_their_end(scene: Scene, kind: str) -> None:
    template: Object = {"spec": pod("x", "cat /workspace/foo; exit 5")["spec"]}
    meta = {"name": "group"}
    if kind == "JobSet":
        inner = {"spec": {"backoffLimit": 0, "template": template}}
        spec: Object = {"replicatedJobs": [{"name": "w", "template": inner}]}
        obj = {"apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet"}
    elif kind == "PyTorchJob":
        spec = {"pytorchReplicaSpecs": {"Master": {"replicas": 1, "template": template}}}
        obj = {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob"}
    else:
        spec = {"tasks": [{"name": "w", "replicas": 1, "template": template}]}
        obj = {"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job"}
    ran = scene.run({**obj, "metadata": meta, "spec": spec}, "--no-prefix")
    ran.fails(5)
    assert ran.out == b"a\n"
