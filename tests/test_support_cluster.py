"""The test cluster keeps its promises: to kubectl, and to a client that knows only HTTP."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.cluster import Cluster
from tests.support.cluster.cluster import TOKEN
from tests.support.cluster.schema import decode
from tests.support.manifests import FOREVER, job, pod
from tests.support.sandbox import Result, Sandbox

Kubectl = Callable[..., Result]
Object = dict[str, Any]

PODS = "/api/v1/namespaces/team/pods"
JOBS = "/apis/batch/v1/namespaces/team/jobs"


@pytest.fixture
def kubectl(cluster: Cluster, sandbox: Sandbox) -> Kubectl:
    """Return a function that runs kubectl; skips where there is none."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")

    def run(*args: str, stdin: object = None) -> Result:
        given = b"" if stdin is None else json.dumps(stdin).encode()
        return sandbox.run("kubectl", *args, stdin=given)

    sandbox.env["KUBECONFIG"] = str(cluster.kubeconfig)
    sandbox.env["HOME"] = os.environ.get("HOME", sandbox.env["HOME"])  # where kubectl may be kept
    sandbox.env["KUBECACHEDIR"] = str(sandbox.home / "kube-cache")
    return run


class Client:
    """A connection to the API server, with a token."""

    def __init__(self, cluster: Cluster) -> None:
        """Connect at the first request."""
        context = ssl.create_default_context(cafile=str(cluster.ca))
        self.connection = http.client.HTTPSConnection(
            "127.0.0.1", cluster.server.port, context=context, timeout=30
        )

    def open(
        self, method: str, path: str, body: Object | None = None, **query: Any
    ) -> http.client.HTTPResponse:
        """Send a request."""
        text = None if body is None else json.dumps(body)
        url = f"{path}?{urlencode(query)}"
        self.connection.request(method, url, text, {"Authorization": f"Bearer {TOKEN}"})
        return self.connection.getresponse()

    def call(self, method: str, path: str, body: Object | None = None, **query: Any) -> Object:
        """Send a request and return the answer."""
        answer: Object = json.loads(self.open(method, path, body, **query).read())
        return answer

    def watch(self, path: str, **query: Any) -> Iterator[tuple[str, Object]]:
        """Yield what a watch says, until it ends."""
        for line in self.open("GET", path, watch=1, **query):
            event = json.loads(line)
            yield event["type"], event["object"]


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    """Return a client of the cluster."""
    client = Client(cluster)
    with contextlib.closing(client.connection):
        yield client


def ended(cluster: Cluster, name: str) -> Object:
    """Wait for the end of a pod and return its status."""
    cluster.wait_for(
        lambda: cluster.only("Pod", name)["status"]["phase"] in ("Succeeded", "Failed")
    )
    status: Object = cluster.only("Pod", name)["status"]
    return status


def is_running(cluster: Cluster, name: str) -> bool:
    """Whether a pod is running."""
    return bool(cluster.only("Pod", name)["status"]["phase"] == "Running")


def conditions(cluster: Cluster, name: str) -> dict[str, str]:
    """Return the reasons of a Job's conditions that hold."""
    entries = cluster.only("Job", name).get("status", {}).get("conditions", [])
    return {
        entry["type"]: entry.get("reason", "") for entry in entries if entry["status"] == "True"
    }


# What kubectl makes of it


def test_kubectl_creates_waits_for_reads_and_deletes_a_job(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    script = "echo hello from $NAME; printf end"
    made = job("train", script, pod={"container": {"env": [{"name": "NAME", "value": "here"}]}})
    assert kubectl("create", "-f", "-", stdin=made).ok() == "job.batch/train created"
    kubectl("wait", "--for=condition=Complete", "job/train", "--timeout=30s").ok()
    assert kubectl("logs", "job/train").out == b"hello from here\nend"
    assert "train" in kubectl("get", "pods", "-l", "job-name=train").ok()
    assert "Completed" in kubectl("describe", "pod", "-l", "job-name=train").ok()
    kubectl("delete", "job", "train").ok()
    cluster.wait_for(lambda: not cluster.objects("Pod"))
    assert not cluster.objects("Job")


def test_kubectl_finds_every_kind_and_those_that_are_added(kubectl: Kubectl) -> None:
    words = kubectl("api-resources").ok().split()
    assert {"Pod", "Job", "Workflow", "PyTorchJob", "RayJob", "JobSet"} <= set(words)
    names = {"kind": "Ghost", "plural": "ghosts"}
    version = {"name": "v1", "served": True, "storage": True}
    spec = {"group": "example.com", "names": names, "scope": "Namespaced", "versions": [version]}
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    kubectl("create", "-f", "-", stdin={**kind, "metadata": {"name": "g"}, "spec": spec}).ok()
    ghost = {"apiVersion": "example.com/v1", "kind": "Ghost", "metadata": {"name": "boo"}}
    kubectl("create", "-f", "-", stdin=ghost).ok()
    assert kubectl("get", "ghosts", "-o", "name").ok() == "ghost.example.com/boo"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"backofLimit": 1}, 'strict decoding error: unknown field "spec.backofLimit"'),
        ({"backoffLimit": "x"}, "json: cannot unmarshal string into Go struct field"),
        ({"completionMode": "Indexed", "parallelism": 2}, "spec.completions: Required value"),
    ],
    ids=["unknown field", "wrong type", "missing field"],
)
def test_kubectl_is_told_what_is_wrong_with_an_object(
    cluster: Cluster, kubectl: Kubectl, change: Object, said: str
) -> None:
    assert said in kubectl("create", "-f", "-", stdin=job("x", "true", **change)).fails(1)
    assert cluster.objects("Job") == []


def test_a_dry_run_on_the_server_checks_and_stores_nothing(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    made = job("x", "true")
    dry = kubectl("apply", "--dry-run=server", "-f", "-", stdin=made).ok()
    assert dry == "job.batch/x created (server dry run)"
    assert cluster.objects("Job") == []
    bad = {**made, "metadata": {"name": "Bad_Name"}}
    assert "RFC 1123" in kubectl("create", "--dry-run=server", "-f", "-", stdin=bad).fails(1)


def test_names_that_are_taken_or_missing_are_refused(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=pod("x")).ok()
    again = kubectl("create", "-f", "-", stdin=pod("x")).fails(1)
    assert "Error from server (AlreadyExists)" in again
    assert 'pods "x" already exists' in again
    assert 'pods "y" not found' in kubectl("get", "pod", "y").fails(1)
    assert (
        'namespaces "no" not found' in kubectl("create", "-n", "no", "-f", "-", stdin=pod("y")).err
    )


def test_rights_and_quotas_are_refused_as_the_server_words_it(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    cluster.faults.forbidden = {("create", "jobs")}
    assert (
        'jobs.batch is forbidden: User "system:serviceaccount:team:ada" cannot create resource'
        ' "jobs" in API group "batch" in the namespace "team"'
    ) in kubectl("create", "-f", "-", stdin=job("x", "true")).fails(1)
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}}
    cluster.create({**quota, "spec": {"hard": {"pods": "0"}}})
    assert (
        'pods "x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=0,'
        " limited: pods=0"
    ) in kubectl("create", "-f", "-", stdin=pod("x")).fails(1)


def test_one_can_ask_what_is_allowed(cluster: Cluster, client: Client) -> None:
    cluster.faults.forbidden = {("create", "jobs")}
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    for verb, allowed in (("create", False), ("get", True)):
        asked = {"verb": verb, "group": "batch", "resource": "jobs"}
        review = {**kind, "spec": {"resourceAttributes": asked}}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        assert client.call("POST", path, review)["status"] == {"allowed": allowed}


def test_a_role_is_all_that_is_allowed(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.faults.allowed = [
        {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get", "create"]}
    ]
    kubectl("create", "-f", "-", stdin=pod("x", "echo hi")).ok()
    ended(cluster, "x")
    assert kubectl("logs", "x").ok() == "hi"
    assert 'cannot list resource "pods"' in kubectl("get", "pods").fails(1)


def test_a_restricted_namespace_wants_restricted_pods(cluster: Cluster, kubectl: Kubectl) -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    kubectl("label", "namespace", "team", label).ok()
    said = kubectl("create", "-f", "-", stdin=pod("x")).fails(1)
    assert 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false' in said
    assert "would violate PodSecurity" in kubectl("create", "-f", "-", stdin=job("x", "true")).err
    cluster.wait_for(lambda: any(e["reason"] == "FailedCreate" for e in cluster.objects("Event")))


# Pods


def test_volumes_are_where_the_containers_look_for_them(cluster: Cluster) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    cluster.create({**secret, "stringData": {"user": "ada"}})
    write: Object = {"name": "write", "image": "busybox", "command": ["sh", "-c"]}
    write |= {"args": ["mkdir /out/sub; cat /etc/s/user > /out/sub/$FILE"]}
    write |= {
        "env": [{"name": "FILE", "value": "made"}],
        "volumeMounts": [
            {"name": "v", "mountPath": "/out"},
            {"name": "s", "mountPath": "/etc/s", "readOnly": True},
        ],
    }
    mounts = [{"name": "v", "mountPath": "/workspace", "subPath": "sub"}]
    main = {"volumeMounts": mounts, "workingDir": "/workspace"}
    volumes = [{"name": "v", "emptyDir": {}}, {"name": "s", "secret": {"secretName": "s"}}]
    script = "cat made /workspace/made > /dev/termination-log"
    cluster.create(pod("x", script, container=main, volumes=volumes, initContainers=[write]))
    (main_status,) = ended(cluster, "x")["containerStatuses"]
    assert main_status["state"]["terminated"]["message"] == "adaada"
    assert main_status["state"]["terminated"]["reason"] == "Completed"


def test_a_failing_init_container_fails_its_pod_or_is_tried_again(cluster: Cluster) -> None:
    init = {"name": "i", "image": "busybox", "command": ["sh", "-c", "echo oops; exit 4"]}
    init["terminationMessagePolicy"] = "FallbackToLogsOnError"
    cluster.create(pod("never", initContainers=[init]))
    status = ended(cluster, "never")
    assert status["phase"] == "Failed"
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 4
    assert status["initContainerStatuses"][0]["state"]["terminated"]["message"] == "oops\n"
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    cluster.create(pod("again", initContainers=[init], restartPolicy="OnFailure"))

    def restarts() -> int:
        statuses = cluster.only("Pod", "again")["status"].get("initContainerStatuses") or [{}]
        return int(statuses[0].get("restartCount", 0))

    cluster.wait_for(lambda: restarts() >= 2)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"container": {"image": "missing.invalid/x"}}, "ImagePullBackOff"),
        ({"container": {"image": "Not An Image"}}, "InvalidImageName"),
        ({"container": {"envFrom": [{"secretRef": {"name": "no"}}]}}, "CreateContainerConfigError"),
        ({"container": {"command": ["no-such-program"]}}, "StartError"),
        ({"nodeSelector": {"no": "node"}}, "Unschedulable"),
        ({"schedulingGates": [{"name": "later"}]}, "SchedulingGated"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pods_that_cannot_run_say_why(cluster: Cluster, spec: Object, reason: str) -> None:
    cluster.create(pod("x", **spec))

    def reasons() -> set[str]:
        status = cluster.only("Pod", "x")["status"]
        states = [c["state"] for c in status.get("containerStatuses", [])]
        found = [*status.get("conditions", []), *(s for state in states for s in state.values())]
        return {entry.get("reason", "") for entry in found}

    cluster.wait_for(lambda: reason in reasons(), f"{reason} in {reasons()}")


def test_a_missing_volume_is_told_in_an_event_and_waited_for(cluster: Cluster) -> None:
    cluster.create(pod("x", volumes=[{"name": "v", "configMap": {"name": "later"}}]))
    said = 'MountVolume.SetUp failed for volume "v" : configmap "later" not found'
    cluster.wait_for(lambda: said in [event["message"] for event in cluster.objects("Event")])
    cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "later"}})
    assert ended(cluster, "x")["phase"] == "Succeeded"


def test_pods_are_evicted_killed_and_deleted_on_request(cluster: Cluster) -> None:
    for name in ("evicted", "hungry", "deleted"):
        cluster.create(pod(name, FOREVER))
        cluster.wait_for(functools.partial(is_running, cluster, name))
    cluster.evict("evicted")
    status = ended(cluster, "evicted")
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
    cluster.out_of_memory("hungry")
    ending = ended(cluster, "hungry")["containerStatuses"][0]["state"]["terminated"]
    assert (ending["exitCode"], ending["reason"]) == (137, "OOMKilled")
    cluster.delete("Pod", "deleted")
    cluster.wait_for(lambda: len(cluster.objects("Pod")) == 2)


# Jobs and their like


def test_a_job_replaces_failed_and_deleted_pods_until_its_limit(cluster: Cluster) -> None:
    cluster.create(job("x", "exit 3", backoffLimit=1))
    cluster.wait_for(lambda: "Failed" in conditions(cluster, "x"))
    assert conditions(cluster, "x")["Failed"] == "BackoffLimitExceeded"
    assert len(cluster.objects("Pod")) == 2
    cluster.create(job("y", FOREVER, backoffLimit=3))
    cluster.wait_for(lambda: len(running(cluster, "y")) == 1)
    (first,) = running(cluster, "y")
    cluster.delete("Pod", first)
    cluster.wait_for(lambda: running(cluster, "y") not in ([], [first]))
    cluster.delete("Job", "y", propagationPolicy="Background")
    cluster.wait_for(lambda: running(cluster, "y") == [])


def running(cluster: Cluster, job: str) -> list[str]:
    """Return the names of a Job's running pods."""
    return [
        pod["metadata"]["name"]
        for pod in cluster.objects("Pod")
        if pod["metadata"]["labels"].get("job-name") == job and pod["status"]["phase"] == "Running"
    ]


def test_an_indexed_job_tells_each_pod_its_number(cluster: Cluster) -> None:
    script = "printf $JOB_COMPLETION_INDEX > /dev/termination-log"
    cluster.create(job("x", script, completions=3, parallelism=2, completionMode="Indexed"))
    cluster.wait_for(lambda: "Complete" in conditions(cluster, "x"))
    states = [p["status"]["containerStatuses"][0]["state"] for p in cluster.objects("Pod")]
    assert sorted(state["terminated"]["message"] for state in states) == ["0", "1", "2"]
    assert cluster.only("Job")["status"]["completedIndexes"] == "0,1,2"


def test_a_failure_policy_ends_a_job_at_once(cluster: Cluster) -> None:
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [3]}}
    policy = {"rules": [rule]}
    cluster.create(job("x", "exit 3", backoffLimit=5, podFailurePolicy=policy))
    cluster.wait_for(lambda: "Failed" in conditions(cluster, "x"))
    assert conditions(cluster, "x")["Failed"] == "PodFailurePolicy"


def test_a_job_in_a_queue_is_suspended_until_it_is_its_turn(cluster: Cluster) -> None:
    cluster.faults.kueue = True
    queued = job("x", "true")
    queued["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "gpu"}
    cluster.create(queued)
    cluster.wait_for(lambda: conditions(cluster, "x") == {"Suspended": "JobSuspended"})
    cluster.release()
    cluster.wait_for(lambda: "Complete" in conditions(cluster, "x"))


def test_a_workflow_runs_its_steps_in_order_and_fails_with_them(cluster: Cluster) -> None:
    say = {"name": "say", "inputs": {"parameters": [{"name": "x"}]}}
    say["container"] = {"image": "busybox", "command": ["sh", "-c", "exit {{inputs.parameters.x}}"]}

    def step(name: str, code: int) -> list[Object]:
        parameters = [{"name": "x", "value": code}]
        return [{"name": name, "template": "say", "arguments": {"parameters": parameters}}]

    entry = {"name": "main", "steps": [step("a", 0), step("b", 7), step("c", 0)]}
    kind = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}}
    cluster.create({**kind, "spec": {"entrypoint": "main", "templates": [entry, say]}})
    cluster.wait_for(lambda: cluster.only("wf").get("status", {}).get("phase") == "Failed")
    assert cluster.only("wf")["status"]["message"] == "main: Error (exit code 7)"
    assert len(cluster.objects("Pod")) == 2


# Watches and logs, and their faults


def test_a_watch_tells_what_happens_after_a_version(cluster: Cluster, client: Client) -> None:
    version = client.call("GET", PODS)["metadata"]["resourceVersion"]
    cluster.create(pod("x"))
    cluster.create(pod("y"))
    ended(cluster, "x")
    query = {"resourceVersion": version, "labelSelector": "app=x", "timeoutSeconds": 1}
    events = list(client.watch(PODS, **query))
    assert {(type_, obj["metadata"]["name"]) for type_, obj in events} == {
        ("ADDED", "x"),
        ("MODIFIED", "x"),
    }
    assert events[-1][1]["status"]["phase"] == "Succeeded"


def test_watches_are_dropped_and_expire_on_demand(cluster: Cluster, client: Client) -> None:
    version = client.call("GET", PODS)["metadata"]["resourceVersion"]
    cluster.create(pod("x"))
    ended(cluster, "x")
    cluster.faults.watch_events = 2
    assert len(list(client.watch(PODS, resourceVersion=version))) == 2
    cluster.faults.watch_mid_line = True
    with pytest.raises((http.client.IncompleteRead, json.JSONDecodeError)):
        list(client.watch(PODS, resourceVersion=version))
    client.connection.close()
    cluster.faults.watch_events = None
    cluster.store.compact()
    ((type_, status),) = client.watch(PODS, resourceVersion=version)
    assert (type_, status["code"], status["reason"]) == ("ERROR", 410, "Expired")
    cluster.faults.refuse(410, verb="watch")
    assert client.open("GET", PODS, watch=1).status == 410


def test_errors_pass_after_so_many_requests(cluster: Cluster, client: Client) -> None:
    cluster.faults.refuse(429, times=2, retry_after=1)
    for _ in range(2):
        response = client.open("GET", PODS)
        assert (response.status, response.headers["Retry-After"]) == (429, "1")
        response.read()
    assert client.call("GET", PODS)["kind"] == "PodList"


def test_a_server_that_is_down_refuses_connections_until_it_is_back(
    cluster: Cluster, client: Client
) -> None:
    with cluster.unreachable(), pytest.raises(ConnectionRefusedError):
        client.call("GET", PODS)
    client.connection.close()
    assert client.call("GET", PODS)["kind"] == "PodList"


def test_logs_keep_an_unterminated_line_and_bytes_that_are_no_text(
    cluster: Cluster, client: Client
) -> None:
    cluster.create(pod("x", r"printf 'a\n\377\000\nlast'"))
    ended(cluster, "x")
    assert client.open("GET", f"{PODS}/x/log", follow="true").read() == b"a\n\xff\x00\nlast"
    lines = client.open("GET", f"{PODS}/x/log", timestamps="true", tailLines=2).read()
    assert [line.split(b" ", 1)[1] for line in lines.split(b"\n")] == [b"\xff\x00", b"last"]


def test_a_followed_log_breaks_off_on_demand(cluster: Cluster, client: Client) -> None:
    cluster.create(pod("x", "echo 1234567890"))
    ended(cluster, "x")
    cluster.faults.log_bytes, cluster.faults.log_drops = 5, 1
    with pytest.raises(http.client.IncompleteRead) as caught:
        client.open("GET", f"{PODS}/x/log", follow="true").read()
    assert caught.value.partial == b"12345"
    client.connection.close()
    assert client.open("GET", f"{PODS}/x/log", follow="true").read() == b"1234567890\n"


def test_a_container_without_a_log_says_so(cluster: Cluster, client: Client) -> None:
    cluster.create(pod("x", container={"image": "missing.invalid/x"}))
    cluster.wait_for(lambda: "containerStatuses" in cluster.only("Pod", "x")["status"])
    message = client.call("GET", f"{PODS}/x/log")["message"]
    assert message.startswith('container "main" in pod "x" is waiting to start:')
    message = client.call("GET", f"{PODS}/x/log", container="other")["message"]
    assert message == "container other is not valid for pod x"


def test_who_has_no_token_stays_outside(cluster: Cluster, tmp_path: Path) -> None:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{cluster.server.port}", "-quiet"]
    done = subprocess.run(
        [*command, "-CAfile", str(cluster.ca), "-verify_return_error"],
        input=b"GET /api/v1/pods HTTP/1.1\r\nConnection: close\r\n\r\n",
        capture_output=True,
        cwd=tmp_path,
        timeout=30,
        check=False,
    )
    assert b"401 Unauthorized" in done.stdout


def test_schemas_know_every_core_kind_that_is_served(cluster: Cluster) -> None:
    for kind in cluster.kinds.all():
        known = kind.group in ("", "batch", "apps", "rbac.authorization.k8s.io")
        assert decode(kind, {"metadata": {}, "bogus": 1}) == (["bogus"] if known else [])
