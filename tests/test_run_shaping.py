"""What `git ghost run` changes in a manifest beside the pull: the queue, and the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from git_ghost.errors import UsageError
from git_ghost.kinds import QUEUE_LABEL
from git_ghost.usecases.shaping import flatten, set_command, set_queue
from git_ghost.workloads import manifest
from tests.support.lab import Lab
from tests.support.manifests import job, workflow
from tests.support.scene import Scene

MANIFESTS = Path(__file__).parent / "manifests"


@pytest.fixture
def scene(any_scene: Scene) -> Scene:
    """Return the scene of a laptop and a cluster with Argo."""
    try:
        any_scene.cluster.objects("workflows.argoproj.io")
    except Exception as error:
        pytest.skip(f"no Argo workflows: {error}")
    return any_scene


def shaped(*names: str) -> list[manifest.Document]:
    """The objects of samples that are read together, each by itself."""
    return flatten(manifest.read([str(MANIFESTS / f"{name}.yaml") for name in names]))


def labelled(value: Any, at: str = "") -> list[str]:
    """Where the label of a queue is below ``value``."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    found = []
    for key, item in value.items() if isinstance(value, dict) else ():
        found += [at] if key == QUEUE_LABEL and item == "gpu" else labelled(item, f"{at}/{key}")
    return found


OWN = "/metadata/labels"
PODS = "/spec/podMetadata/labels"
OF_CRON = ["/spec/workflowSpec/podMetadata/labels", "/spec/workflowMetadata/labels"]


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("job", [OWN]),
        ("pod", [OWN]),
        ("deployment", [OWN]),
        ("statefulset", [OWN]),
        ("jobset", [OWN]),
        ("pytorchjob", [OWN]),
        ("rayjob", [OWN]),
        ("cronjob", ["/spec/jobTemplate/metadata/labels"]),
        ("replicaset", ["/spec/template/metadata/labels"]),
        ("replicationcontroller", ["/spec/template/metadata/labels"]),
        ("workflow", [OWN, PODS]),
        ("workflowtemplate", [PODS]),
        ("cronworkflow", OF_CRON),
    ],
)
def test_the_queue_is_written_on_what_kueue_looks_at(name: str, places: list[str]) -> None:
    [document] = shaped(name)
    set_queue([document], "gpu")
    assert labelled(document.data) == places


def test_what_has_no_pods_is_in_no_queue() -> None:
    documents = shaped("several")
    set_queue(documents, "gpu")
    assert {each.name: labelled(each.data) for each in documents} == {
        "configmap/train": [], "job/train": [OWN], "pod/train": [OWN]
    }  # fmt: skip


def test_what_refers_to_templates_is_in_the_queue_and_a_runtime_is_not() -> None:
    documents = shaped("trainjob", "workflow-of-template")
    set_queue(documents, "gpu")
    assert [(each.kind, labelled(each.data)) for each in documents] == [
        ("TrainingRuntime", []),
        ("TrainJob", [OWN]),
        ("TrainJob", [OWN]),
        ("ClusterTrainingRuntime", []),
        ("Workflow", [OWN, PODS]),
        ("WorkflowTemplate", [PODS]),
        ("CronWorkflow", OF_CRON),
        ("Workflow", [OWN, PODS]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("daemonset", "Kueue manages no DaemonSet"),
        ("podtemplate", "Kueue manages no PodTemplate"),
        ("volcano-job", "Kueue manages no Job of Volcano's"),
        ("trainingruntime", "Kueue manages no TrainingRuntime"),
    ],
)
def test_a_queue_for_what_waits_in_none_is_refused(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        set_queue(shaped("job", name), "gpu")
    assert caught.value.message.startswith(str(MANIFESTS / name))
    assert caught.value.hint


def test_the_command_of_a_train_job_does_not_win_over_the_one_given() -> None:
    documents = shaped("trainjob")[:2]
    runtime, job = documents
    set_command(documents, ["python", "other.py"], (), "")
    [container] = manifest.pod_templates(runtime)[0].containers
    assert container["command"] == ["python", "other.py"]
    assert job.data["spec"]["trainer"] == {"numNodes": 4}


def test_the_command_of_another_container_leaves_the_trainer_alone() -> None:
    documents = shaped("trainjob")[:2]
    runtime, job = documents
    more: dict[str, Any] = {"name": "sidecar", "image": "busybox"}
    manifest.pod_templates(runtime)[0].spec["containers"].append(more)
    set_command(documents, ["true"], ["sidecar"], "")
    assert more["command"] == ["true"]
    assert job.data["spec"]["trainer"]["command"] == ["python", "train.py"]


def test_initializers_keep_their_commands() -> None:
    documents = shaped("clustertrainingruntime")
    set_command(documents, ["true"], (), "")
    fetch, node = manifest.pod_templates(documents[0])
    assert "command" not in fetch.containers[0]
    assert node.containers[0]["command"] == ["true"]


@pytest.mark.parametrize("name", ["rayjob", "raycronjob", "sparkapplication"])
def test_a_command_for_what_names_its_entry_point_otherwise_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"is in its (entrypoint|mainApplicationFile)"):
        set_command(shaped(name), ["true"], (), "")


def test_the_settings_say_whose_command_is_replaced(lab: Lab) -> None:
    two = [{"name": name, "image": "busybox", "command": ["true"]} for name in ("main", "second")]
    made = job("train-", "true", pod={"containers": two})
    lab.write("job.yaml", json.dumps(made).encode())
    lab.sandbox.config("ghost.image", "git-ghost:1.0")
    lab.sandbox.config("ghost.repo", "ssh://git@git.example.com/ghosts.git")
    lab.sandbox.config("ghost.source", "ssh://git@git.example.com/source.git")
    words = ["run", "-f", "job.yaml", "--dry-run=client", "-o", "json", "--", "echo", "hi"]
    assert "for each of 2 containers" in lab.sandbox.ghost(*words, cwd=lab.laptop).fails(2)
    lab.sandbox.config("ghost.container", "second")
    made = json.loads(lab.sandbox.ghost(*words, cwd=lab.laptop).ok())
    containers = made["spec"]["template"]["spec"]["containers"]
    assert [each["command"] for each in containers] == [["true"], ["echo", "hi"]]


def test_path_says_where_a_kind_nobody_knows_has_its_pods(scene: Scene) -> None:
    thing = {**job("train-", "true"), "apiVersion": "example.com/v1", "kind": "Thing"}
    words = ("--dry-run=client", "-o", "json")
    assert "git ghost does not know the kind of thing/train-" in scene.run(thing, *words).fails(1)
    made = json.loads(scene.run(thing, *words, "--path", "spec.template", "--", "echo", "hi").ok())
    pod = made["spec"]["template"]["spec"]
    assert pod["initContainers"][0]["name"] == "git-ghost"
    assert pod["containers"][0]["command"] == ["echo", "hi"]


def test_a_workflow_of_a_template_in_the_same_file_is_followed(scene: Scene) -> None:
    scene.lab.write("foo", b"edited\n")
    template = workflow("shared", "cat foo", "exit 7")
    template["kind"] = "WorkflowTemplate"
    refers = workflow("w-")
    refers["spec"] = {"workflowTemplateRef": {"name": "shared"}}
    ran = scene.run(refers, template, "--no-prefix")
    ran.fails(7)
    assert "edited" in ran.out.decode().splitlines()
    name = scene.cluster.only("workflows.argoproj.io")["metadata"]["name"]
    assert scene.ghost("code", f"workflow/{name}").ok() == scene.lab.tree_of()


def test_what_is_of_no_known_kind_is_named_and_goes_along_as_it_is(scene: Scene) -> None:
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}}
    ran = scene.run(job("train-", "true"), thing, "--dry-run=client", "-o", "json")
    assert {one["kind"] for one in items(ran.ok())} == {"Job", "Thing"}
    assert "thing/t is of a kind git ghost does not know" in ran.err


def items(text: str) -> list[Any]:
    """The objects that were printed."""
    return list(json.loads(text)["items"])
