"""What pods, workloads and the API server say, in words of ours."""

from __future__ import annotations

import json
import ssl
from typing import Any

import pytest

from git_ghost.errors import RemoteError
from git_ghost.kinds import creation_rank, find
from git_ghost.workloads.cluster import pods, workloads
from git_ghost.workloads.cluster.answers import Answer, explain, explain_connection
from git_ghost.workloads.cluster.resources import known_by_name, resource_of

Object = dict[str, Any]


def pod(status: Object, *, init: tuple[str, ...] = (), spec: Object | None = None) -> Object:
    containers = [{"name": "main", "image": "img:1"}]
    inits = [{"name": name, "image": "git-ghost:1"} for name in init]
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "u"},
        "spec": {"containers": containers, "initContainers": inits, **(spec or {})},
        "status": status,
    }  # fmt: skip


def container(state: str, name: str = "main", **detail: Any) -> Object:
    return {"name": name, "state": {state: detail}, "restartCount": 0, "image": "img:1"}


@pytest.mark.parametrize("reason", ["InvalidImageName", "CreateContainerConfigError"])
def test_what_no_waiting_mends_is_hopeless(reason: str) -> None:
    status = {"containerStatuses": [container("waiting", reason=reason, message="no such key")]}
    (problem,) = pods.problems(pod(status))
    assert problem.hopeless
    assert problem.text == f"container main: {reason}: no such key"


def test_a_kubelet_that_was_slow_to_read_a_secret_is_waited_for() -> None:
    said = "failed to sync secret cache: timed out waiting for the condition"
    waiting = container("waiting", reason="CreateContainerConfigError", message=said)
    (problem,) = pods.problems(pod({"containerStatuses": [waiting]}))
    assert not problem.hopeless


def test_a_sidecar_that_is_stopped_at_the_end_is_no_init_container_that_failed() -> None:
    beside = {"name": "proxy", "image": "img:1", "restartPolicy": "Always"}
    for state, detail in (("running", {}), ("terminated", {"exitCode": 143})):
        status = {"initContainerStatuses": [container(state, "proxy", **detail)]}
        data = pod(status, spec={"initContainers": [beside], "nodeName": "n"})
        assert list(pods.problems(data)) == []
        assert pods.what_is_waited_for(data) == "pod p is being started"


def test_an_image_that_cannot_be_pulled_is_named_once_for_both_reasons() -> None:
    keys = set()
    for reason in ("ErrImagePull", "ImagePullBackOff"):
        status = {"containerStatuses": [container("waiting", reason=reason)]}
        (problem,) = pods.problems(pod(status))
        assert "image img:1 of container main cannot be pulled" in problem.text
        assert not problem.hopeless
        keys.add(problem.key)
    assert len(keys) == 1


def test_the_scheduler_is_quoted_and_its_changing_numbers_are_no_news() -> None:
    keys = set()
    for nodes in (3, 4):
        said = f"0/{nodes} nodes are available: {nodes} Insufficient nvidia.com/gpu."
        unready = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        (problem,) = pods.problems(pod({"conditions": [{**unready, "message": said}]}))
        assert "Insufficient nvidia.com/gpu" in problem.text
        keys.add(problem.key)
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("code", "hopeless"), [(3, True), (7, True), (1, False), (75, False), (137, False)]
)
def test_a_pull_step_that_can_never_work_is_told_from_one_that_may(
    code: int, hopeless: bool
) -> None:
    failed = container("terminated", "git-ghost", exitCode=code, reason="Error")
    (problem,) = pods.problems(pod({"initContainerStatuses": [failed]}, init=("git-ghost",)))
    assert f"(exit code {code})" in problem.text
    assert (problem.hopeless, problem.failed_init) == (hopeless, "git-ghost")


def test_another_init_container_that_fails_is_named() -> None:
    failed = container("terminated", "setup", exitCode=3)
    (problem,) = pods.problems(pod({"initContainerStatuses": [failed]}, init=("setup",)))
    assert problem.text == "init container setup failed (exit code 3)"
    assert not problem.hopeless


def test_too_little_memory_is_said_so() -> None:
    killed = container("terminated", exitCode=137, reason="OOMKilled")
    (problem,) = pods.problems(pod({"containerStatuses": [killed]}))
    assert "more memory than its limit" in problem.text


def test_argos_own_helper_does_no_work() -> None:
    data = pod({}, spec={"containers": [{"name": "wait"}, {"name": "main"}]})
    assert pods.containers(data) == ["wait", "main"]
    data["metadata"]["labels"] = {"workflows.argoproj.io/workflow": "w"}
    assert pods.containers(data) == ["main"]


def test_the_default_container_of_kubectl_is_the_most_important_one() -> None:
    data = pod({}, spec={"containers": [{"name": "a"}, {"name": "b"}]})
    assert sorted("ba", key=lambda name: pods.importance(data, name)) == ["a", "b"]
    data["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": "b"}
    assert sorted("ab", key=lambda name: pods.importance(data, name)) == ["b", "a"]


@pytest.mark.parametrize(
    ("metadata", "place"),
    [
        ({}, ()),
        ({"annotations": {"workflows.argoproj.io/node-name": "w[0].train(1)"}}, ("w[0].train",)),
        ({"labels": {"training.kubeflow.org/replica-type": "worker",
                     "training.kubeflow.org/replica-index": "2"}},
         ("training.kubeflow.org/replica-type=worker", "training.kubeflow.org/replica-index=2")),
    ],
)  # fmt: skip
def test_who_takes_over_from_a_pod_has_its_place(metadata: Object, place: tuple[str, ...]) -> None:
    assert pods.place_of({"metadata": {"name": "p", **metadata}}) == place


def met(condition: str) -> Object:
    return {"type": condition, "status": "True"}


SPARK = "sparkoperator.k8s.io/v1beta2"
ENDS: list[tuple[str, str, Object, bool | None]] = [
    ("v1", "Pod", {"phase": "Running"}, None),
    ("v1", "Pod", {"phase": "Succeeded"}, True),
    ("batch/v1", "Job", {"conditions": [met("FailureTarget")]}, None),
    ("batch/v1", "Job", {"conditions": [met("Complete")]}, True),
    ("batch/v1", "Job", {"conditions": [met("Failed")]}, False),
    ("batch/v1", "Job", {"conditions": [{"type": "Failed", "status": "False"}]}, None),
    ("argoproj.io/v1alpha1", "Workflow", {"phase": "Error"}, False),
    ("argoproj.io/v1alpha1", "Workflow", {"phase": "Succeeded"}, True),
    ("kubeflow.org/v1", "PyTorchJob", {"conditions": [met("Succeeded")]}, True),
    ("ray.io/v1", "RayJob", {"jobStatus": "STOPPED"}, False),
    ("ray.io/v1", "RayJob", {"jobStatus": "RUNNING", "jobDeploymentStatus": "Running"}, None),
    ("ray.io/v1", "RayJob", {"jobStatus": "SUCCEEDED", "jobDeploymentStatus": "Complete"}, True),
    ("ray.io/v1", "RayJob", {"jobDeploymentStatus": "ValidationFailed"}, False),
    ("batch.volcano.sh/v1alpha1", "Job", {"state": {"phase": "Aborted"}}, False),
    ("batch.volcano.sh/v1alpha1", "Job", {"state": {"phase": "Completed"}}, True),
    ("jobset.x-k8s.io/v1alpha2", "JobSet", {"conditions": [met("Completed")]}, True),
    ("apps/v1", "Deployment", {"conditions": [met("Available")]}, None),
    (SPARK, "SparkApplication", {"applicationState": {"state": "RUNNING"}}, None),
    (SPARK, "SparkApplication", {"applicationState": {"state": "COMPLETED"}}, True),
    (SPARK, "SparkApplication", {"applicationState": {"state": "FAILED"}}, False),
    ("workload.codeflare.dev/v1beta2", "AppWrapper", {"phase": "Resetting"}, None),
    ("workload.codeflare.dev/v1beta2", "AppWrapper", {"phase": "Failed"}, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("version", "kind", "status", "succeeded"),
    ENDS,
    ids=[f"{kind}-{number}" for number, (_, kind, _, _) in enumerate(ENDS)],
)
def test_the_end_of_a_workload_is_read_by_its_kind(
    version: str, kind: str, status: Object, succeeded: bool | None
) -> None:
    data = {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "status": status}
    end = workloads.end_of(data)
    assert (end and end.succeeded) == succeeded


@pytest.mark.parametrize(
    ("deployment", "ended"), [("Running", False), ("Retrying", False), ("Failed", True)]
)
def test_a_ray_job_that_is_tried_again_has_not_ended(deployment: str, ended: bool) -> None:
    status = {"jobStatus": "FAILED", "jobDeploymentStatus": deployment, "failed": 1}
    data = {"apiVersion": "ray.io/v1", "kind": "RayJob", "spec": {"backoffLimit": 2}}
    assert (workloads.end_of({**data, "status": status}) is not None) == ended


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"phase": "Pending", "message": "Waiting for default/Mutex/gpu lock. Lock status: 0/1"},
         "queued (Waiting for default/Mutex/gpu lock. Lock status: 0/1)"),
        ({"phase": "Running", "nodes": {
            "w": {"type": "Steps", "phase": "Running"},
            "w-1": {"type": "Suspend", "phase": "Running", "displayName": "approve"}}},
         "suspended at step approve"),
        ({"phase": "Running", "nodes": {
            "w-1": {"type": "Suspend", "phase": "Running", "displayName": "approve"},
            "w-2": {"type": "Pod", "phase": "Running"}}},
         ""),
    ],
)  # fmt: skip
def test_a_workflow_that_waits_for_a_lock_or_for_somebody_is_queued(
    status: Object, words: str
) -> None:
    data = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}}
    data = {**data, "spec": {}, "status": status}
    assert workloads.queued(data) == words


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"suspend": True}, "suspended"),
        ({"runPolicy": {"suspend": True}}, "suspended"),
        ({"suspend": False}, ""),
    ],
)
def test_what_is_suspended_is_queued(spec: Object, words: str) -> None:
    data: Object = {"metadata": {}, "spec": spec}
    assert workloads.queued(data) == words
    data["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "gpu"}
    assert workloads.queued(data) == (words and "queued in gpu")


@pytest.mark.parametrize(
    ("kind", "spec", "several"),
    [
        ("batch/v1 Job", {}, False),
        ("batch/v1 Job", {"completions": 3}, True),
        ("v1 Pod", {}, False),
        ("kubeflow.org/v1 PyTorchJob", {"pytorchReplicaSpecs": {"Master": {}}}, False),
        ("kubeflow.org/v1 TFJob", {"tfReplicaSpecs": {"Worker": {"replicas": 2}}}, True),
        ("ray.io/v1 RayJob", {}, True),
    ],
)
def test_lines_are_told_apart_where_there_may_be_several_pods(
    kind: str, spec: Object, several: bool
) -> None:
    version, name = kind.split()
    assert workloads.expects_several({"apiVersion": version, "kind": name, "spec": spec}) == several


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("job", "/apis/batch/v1/namespaces/n/jobs/x"),
        ("jobs.batch", "/apis/batch/v1/namespaces/n/jobs/x"),
        ("vcjob", "/apis/batch.volcano.sh/v1alpha1/namespaces/n/jobs/x"),
        ("job.batch.volcano.sh", "/apis/batch.volcano.sh/v1alpha1/namespaces/n/jobs/x"),
        ("Workflow", "/apis/argoproj.io/v1alpha1/namespaces/n/workflows/x"),
        ("deployments.v1.apps", "/apis/apps/v1/namespaces/n/deployments/x"),
        ("svc", "/api/v1/namespaces/n/services/x"),
        ("ksvc", "/apis/serving.knative.dev/v1/namespaces/n/services/x"),
        ("sandboxes", "/apis/agents.x-k8s.io/v1beta1/namespaces/n/sandboxes/x"),
        ("po", "/api/v1/namespaces/n/pods/x"),
    ],
)
def test_a_kind_is_known_by_all_its_names(word: str, path: str) -> None:
    found = known_by_name(word)
    assert found is not None
    assert found.path("n", "x") == path


def test_a_name_cannot_lead_out_of_its_path() -> None:
    found = resource_of({"apiVersion": "v1", "kind": "Pod"})
    assert found.path("n", "../../x?y") == "/api/v1/namespaces/n/pods/..%2F..%2Fx%3Fy"


def test_what_others_refer_to_is_created_first_and_what_runs_last() -> None:
    names = ["Job", "Foo", "ConfigMap", "Namespace", "Service"]
    ordered = sorted(names, key=lambda name: creation_rank(find("", name), runs=name == "Job"))
    assert ordered == ["Namespace", "ConfigMap", "Service", "Foo", "Job"]


_FORBIDDEN = 'is forbidden: User "ada" cannot create'

REFUSALS = [
    (401, "Unauthorized", 7, "does not know the credentials"),
    (403, f'jobs.batch {_FORBIDDEN} resource "jobs" in API group "batch" in the namespace "team"',
     7, "ada may not create jobs.batch in namespace team"),
    (403, 'pods "x" is forbidden: exceeded quota: q, requested: pods=1', 1, "exceeded quota: q"),
    (403, 'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot', 1,
     "violates PodSecurity"),
    (404, 'namespaces "nix" not found', 1, "there is no namespace nix"),
    (404, "the server could not find the requested resource", 1, "the cluster has no such kind"),
    (400, 'Job in version "v1" cannot be handled: strict decoding error: unknown field "spec.x"', 1,
     "unknown field: spec.x"),
    (503, "apiserver not ready", 7, "busy or not ready"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "message", "exit_code", "said"), REFUSALS)
def test_a_refusal_becomes_a_sentence_with_its_exit_code(
    code: int, message: str, exit_code: int, said: str
) -> None:
    body = json.dumps({"kind": "Status", "message": message, "code": code, "reason": "x"})
    error = explain(Answer.parse(code, body), "cannot create job x", "https://k8s")
    assert error.exit_code == exit_code
    assert said in error.message
    assert error.message.startswith("cannot create job x: ")


def test_every_field_that_is_invalid_is_named() -> None:
    causes = [{"field": "spec.a", "message": "Required value"}, {"field": "b", "message": "no"}]
    status = {"kind": "Status", "code": 422, "message": "long", "details": {"causes": causes}}
    error = explain(Answer.of(status), "cannot create job x", "https://k8s")
    assert error.message == "cannot create job x: spec.a: Required value; b: no"


def test_a_page_of_a_proxy_is_not_shown() -> None:
    answer = Answer.parse(502, b"<html><body>Bad gateway</body></html>", "Bad Gateway")
    assert answer.message == "Bad Gateway"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (TimeoutError("timed out"), "does not answer"),
        (ssl.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: expired (x)"),
         "cannot be trusted (expired)"),
    ],
)  # fmt: skip
def test_a_server_that_is_out_of_reach_is_a_matter_of_the_network(
    error: BaseException, said: str
) -> None:
    explained = explain_connection(error, "cannot list", "https://k8s")
    assert isinstance(explained, RemoteError)
    assert said in explained.message
