"""Which pods get the pull, which of their containers get the code, and what these find there."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from git_ghost import kinds
from tests.support.sandbox import Result, Sandbox

HASH = "8f3a9d5be1c07f6a2d4e8b90c1d2e3f405162738"
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: train}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: python:3.12
"""
RUNTIME = """\
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainingRuntime
metadata: {name: torchtune}
spec: {template: {spec: {replicatedJobs: [%s]}}}
"""
REPLICATED = (
    "{name: %s, template: {spec: {template: {spec: {containers: [{name: %s, image: i}]}}}}}"
)


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """Return a machine whose git config names the image and the ghost repository."""
    sandbox.config("ghost.image", "git-ghost:1.0")
    sandbox.config("ghost.repo", "ssh://git@git.example.com/ghosts.git")
    return sandbox


def run(box: Sandbox, text: str, *args: str) -> Result:
    """Inject what is on standard input."""
    return box.ghost("inject", "-f", "-", *args, HASH, stdin=text.encode())


def runtime(*names: str) -> str:
    """A runtime of Kubeflow Trainer, each of its pods with a container of the Job's name."""
    return RUNTIME % ", ".join(REPLICATED % (name, name) for name in names)


def with_step(done: Result) -> list[str]:
    """The Jobs of a runtime whose pods got the pull."""
    jobs = yaml.safe_load(done.ok())["spec"]["template"]["spec"]["replicatedJobs"]
    return [job["name"] for job in jobs if "initContainers" in _pod(job["template"])]


def _pod(data: Any) -> Any:
    return data["spec"]["template"]["spec"]


def test_initializers_of_a_training_runtime_are_left_alone_unless_they_are_named(
    box: Sandbox,
) -> None:
    text = runtime("dataset-initializer", "model-initializer", "node")
    done = run(box, text)
    assert with_step(done) == ["node"]
    assert "added to 1 pod template\n" in done.err
    assert with_step(run(box, text, "-c", "model-initializer")) == ["model-initializer"]
    wrapper = {
        **yaml.safe_load(WRAPPER),
        "spec": {"components": [{"template": yaml.safe_load(text)}]},
    }
    assert "added to 1 pod template\n" in run(box, yaml.safe_dump(wrapper)).err
    alone = run(box, runtime("model-initializer"))
    assert "no pod template that runs your code" in alone.fails(1)


def test_a_pod_in_which_nothing_gets_the_code_gets_no_pull(box: Sandbox) -> None:
    text = runtime("a", "b", "c")
    done = run(box, text, "-c", "b", "-l", "team=x")
    assert with_step(done) == ["b"]
    jobs = yaml.safe_load(done.out)["spec"]["template"]["spec"]["replicatedJobs"]
    facts = [_pod_metadata(job).get("annotations", {}).get("git-ghost.io/hash") for job in jobs]
    assert facts == [None, HASH, None]
    assert [_pod_metadata(job)["labels"]["team"] for job in jobs] == ["x"] * 3
    back = box.ghost("inject", "-f", "-", "--remove", stdin=done.out).ok()
    assert yaml.safe_load(back) == yaml.safe_load(text)


def _pod_metadata(job: Any) -> Any:
    return job["template"]["spec"]["template"]["metadata"]


def test_a_containers_own_git_settings_get_git_s_trust_as_one_more(box: Sandbox) -> None:
    own = {"COUNT": "2", "KEY_0": "a.b", "VALUE_0": "c", "KEY_1": "d.e", "VALUE_1": "f"}
    env = [{"name": f"GIT_CONFIG_{key}", "value": value} for key, value in own.items()]
    data = yaml.safe_load(JOB)
    _pod(data)["containers"][0]["env"] = env
    done = run(box, yaml.safe_dump(data))
    (container,) = _pod(yaml.safe_load(done.ok()))["containers"]
    found = {one["name"]: one["value"] for one in container["env"]}
    trust = {"COUNT": "3", "KEY_2": "safe.directory", "VALUE_2": "/workspace"}
    assert {f"GIT_CONFIG_{key}": value for key, value in {**own, **trust}.items()}.items() <= (
        found.items()
    )
    back = box.ghost("inject", "-f", "-", "--remove", stdin=done.out).ok()
    assert yaml.safe_load(back) == data


def test_git_settings_that_are_counted_elsewhere_are_left_and_that_is_said(box: Sandbox) -> None:
    source = {"configMapKeyRef": {"name": "git", "key": "count"}}
    data = yaml.safe_load(JOB)
    _pod(data)["containers"][0]["env"] = [{"name": "GIT_CONFIG_COUNT", "valueFrom": source}]
    done = run(box, yaml.safe_dump(data))
    (container,) = _pod(yaml.safe_load(done.ok()))["containers"]
    assert [one for one in container["env"] if one["name"].startswith("GIT_CONFIG")] == [
        {"name": "GIT_CONFIG_COUNT", "valueFrom": source}
    ]
    assert "GIT_CONFIG_COUNT of container main is not a plain number" in done.err


@pytest.mark.parametrize(
    "windows", ["os: {name: windows}", "nodeSelector: {kubernetes.io/os: windows}"]
)
def test_pods_on_windows_are_refused_with_the_reason(box: Sandbox, windows: str) -> None:
    done = run(box, JOB + f"      {windows}\n")
    assert "job/train has pods on Windows (spec.template)" in done.fails(1)
    assert done.out == b""


def test_a_workflow_on_windows_nodes_is_refused_too(box: Sandbox) -> None:
    text = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\n"
        "spec: {nodeSelector: {kubernetes.io/os: windows},"
        " templates: [{name: a, container: {image: b}}]}\n"
    )
    assert "workflow/w has pods on Windows" in run(box, text).fails(1)


APP = "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {name: a}\n"
ISVC = "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: i}\n"
ROLLOUT = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: r}\n"
RAY = "apiVersion: ray.io/v1\nkind: RayJob\nmetadata: {name: r}\n"
WRAPPER = "apiVersion: workload.codeflare.dev/v1beta2\nkind: AppWrapper\nmetadata: {name: w}\n"


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        (APP + "spec: {driver: {cores: 1}}\n",
         "sparkapplication/a has no pod template: spec.executor is missing", ""),
        (RAY + "spec: {clusterSelector: {ray.io/cluster: c}}\n",
         "rayjob/r has no pod template: spec.rayClusterSpec is missing",
         "inject into that RayCluster"),
        (ISVC + "spec: {predictor: {model: {modelFormat: {name: sklearn}}}}\n",
         "inferenceservice/i has no pod template: spec.predictor.containers is missing",
         "runs no code of yours"),
        (ROLLOUT + "spec: {workloadRef: {kind: Deployment, name: d}}\n",
         "rollout/r has no pod template: spec.template is missing", "inject into it"),
        (WRAPPER + "spec: {components: [{template: {kind: Job}}]}\n",
         "spec.components[0].template is not a Kubernetes object", ""),
        (WRAPPER + "spec: {components: [{template: {apiVersion: batch/v1, kind: Job}}]}\n",
         "spec.components[0].template: job has no pod template: spec is missing", ""),
    ],
)  # fmt: skip
def test_what_takes_no_init_container_is_refused_with_the_reason(
    box: Sandbox, text: str, said: str, hint: str
) -> None:
    err = run(box, text).fails(1)
    assert said in err
    assert hint in err


def test_an_unknown_kind_inside_of_another_object_is_said(box: Sandbox) -> None:
    data = yaml.safe_load(WRAPPER)
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "x"}}
    data["spec"] = {"components": [{"template": yaml.safe_load(JOB)}, {"template": widget}]}
    done = run(box, yaml.safe_dump(data))
    assert "spec.components[1].template: widget/x is of a kind git ghost does not know" in done.err
    components = yaml.safe_load(done.ok())["spec"]["components"]
    assert "initContainers" in _pod(components[0]["template"])
    assert components[1]["template"] == widget


def test_the_help_of_inject_names_every_kind(box: Sandbox) -> None:
    words = set(re.findall(r"\w+", box.ghost("inject", "-h").ok()))
    known = {kind.name for kind in kinds.every() if kind.has_templates or kind.refers}
    assert known <= words


def resources(done: Result) -> Any:
    """What the pull step of the Job asks for."""
    return _pod(yaml.safe_load(done.ok()))["initContainers"][0].get("resources")


def test_the_resources_of_the_pull_can_be_set_and_left_out(box: Sandbox) -> None:
    done = run(box, JOB, "--init-requests", "cpu=0.5,memory=2e8", "--init-limits", "none")
    assert resources(done) == {"requests": {"cpu": "0.5", "memory": "2e8"}}
    assert resources(run(box, JOB, "--init-requests", "none", "--init-limits", "none")) is None
    limits = "resources: {limits: {cpu: '4', memory: 8Gi}}"
    guaranteed = JOB + f"        {limits}\n"
    done = run(box, guaranteed, "--init-limits", "cpu=2,memory=3Gi")
    assert resources(done)["requests"] == resources(done)["limits"] == {"cpu": "2", "memory": "3Gi"}


@pytest.mark.parametrize(
    ("amounts", "said"),
    [
        ("cpu", "'cpu' is not an amount of a resource"),
        ("cpu=-1", "'cpu=-1' is not an amount"),
        ("cpu=1,memory=2GB", "'memory=2GB' is not an amount"),
        ("cpu=1001m", "requests cpu=1001m, more than its limit 1"),
        ("memory=1.5Gi", "requests memory=1.5Gi, more than its limit 1Gi"),
    ],
)
def test_amounts_that_kubernetes_would_not_take_are_refused(
    box: Sandbox, amounts: str, said: str
) -> None:
    assert said in run(box, JOB, "--init-requests", amounts).fails(2)


def test_pod_specs_in_a_list_without_metadata_get_the_pull_where_they_are(box: Sandbox) -> None:
    spec = {"containers": [{"name": "main", "image": "i"}]}
    workers = [{"name": "a", "podSpec": spec}, {"name": "b", "podSpec": spec}]
    data = {"apiVersion": "e.com/v1", "kind": "Thing", "metadata": {"name": "t"}}
    text = json.dumps({**data, "spec": {"workers": workers}})
    done = run(box, text, "--path", "spec.workers[].podSpec")
    made = yaml.safe_load(done.ok())["spec"]
    assert list(made) == ["workers"]
    assert ["initContainers" in worker["podSpec"] for worker in made["workers"]] == [True, True]
    back = box.ghost("inject", "-f", "-", "--remove", stdin=done.out).ok()
    assert yaml.safe_load(back) == json.loads(text)
