"""git ghost code: from an object in the cluster back to the code it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.manifests import FOREVER, config_map, job, pod, workflow
from tests.support.scene import Scene


@pytest.fixture
def scene(any_scene: Scene) -> Scene:
    """Return the scene with a change on the laptop that is in no commit."""
    any_scene.lab.write("foo", b"edited\n")
    return any_scene


def ran(scene: Scene, name: str, script: str = "true") -> str:
    """Run a Job and return the id of its tree."""
    scene.run(job(name, script)).ok()
    return scene.lab.tree_of()


@pytest.mark.parametrize(
    "words", [["job/train"], ["jobs", "train"], ["job.batch/train"]], ids=lambda w: " ".join(w)
)
def test_a_job_tells_its_hash_however_it_is_named(scene: Scene, words: list[str]) -> None:
    tree = ran(scene, "train")
    told = scene.ghost("code", *words)
    assert told.ok() == tree
    assert scene.lab.ghost_url in told.err
    assert scene.lab.head() in told.err
    assert scene.ghost("show", tree).code == 0


def test_the_pod_of_a_job_tells_the_same(scene: Scene) -> None:
    tree = ran(scene, "train")
    name = scene.cluster.only("pods")["metadata"]["name"]
    assert scene.ghost("code", f"pod/{name}").ok() == tree


def test_a_job_tells_it_while_it_runs_and_after_the_laptop_has_gone_on(scene: Scene) -> None:
    scene.run(job("train", FOREVER), "--detach").ok()
    tree = scene.lab.tree_of()
    scene.lab.write("foo", b"edited again\n")
    assert scene.ghost("code", "job/train").ok() == tree != scene.lab.tree_of()


def test_it_can_be_read_by_programs(scene: Scene) -> None:
    tree = ran(scene, "train")
    told = json.loads(scene.ghost("code", "job/train", "--json").ok())
    assert told["hash"] == tree
    assert told["base"] == scene.lab.head()


def test_the_code_of_two_runs_is_compared(scene: Scene) -> None:
    ran(scene, "one")
    scene.lab.write("foo", b"edited again\n")
    tree = ran(scene, "two")
    for other in ("job/two", tree):
        patch = scene.ghost("code", "job/one", "--diff", other).ok()
        assert "-edited\n+edited again" in patch
        assert patch.count("diff --git") == 1
    assert scene.ghost("code", "job/one", "--diff", "job/one").ok() == ""


def test_a_branch_with_a_slash_in_its_name_is_compared(scene: Scene) -> None:
    ran(scene, "one")
    for name in ("feature/x", "job/one"):
        scene.lab.sandbox.git("branch", name, cwd=scene.lab.laptop)
    patch = scene.ghost("code", "job/one", "--diff", "HEAD").ok()
    assert "-edited" in patch
    for rev in ("feature/x", "heads/feature/x", "feature/x^{commit}"):
        assert scene.ghost("code", "job/one", "--diff", rev).ok() == patch
    # What is a kind stays one, and so does what is not a revision.
    assert scene.ghost("code", "job/one", "--diff", "job/one").ok() == ""
    assert (
        "cannot find feature: the cluster has no such kind"
        in scene.ghost("code", "job/one", "--diff", "feature/y").err
    )


def test_the_code_of_a_run_is_rebuilt_without_a_repository(scene: Scene, tmp_path: Path) -> None:
    ran(scene, "train")
    wanted = scene.lab.disk_state()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    env = {key: value for key, value in scene.env().items() if key != "GIT_GHOST_REPO"}
    words = ["code", "job/train", "--clone", "again", "-n", scene.cluster.namespace]
    scene.lab.sandbox.ghost(*words, cwd=elsewhere, env=env).ok()
    assert scene.lab.disk_state(elsewhere / "again") == wanted


def test_a_folder_that_is_there_is_not_overwritten(scene: Scene) -> None:
    ran(scene, "train")
    (scene.lab.laptop / "there").mkdir()
    scene.lab.write("there/mine", b"mine")
    told = scene.ghost("code", "job/train", "--clone", "there")
    assert told.code != 0
    assert "there" in told.err
    assert (scene.lab.laptop / "there/mine").read_bytes() == b"mine"


def test_an_object_without_a_ghost_says_so(scene: Scene) -> None:
    scene.cluster.create(json.loads(scene.file(pod("plain", "true")).read_text()))
    told = scene.ghost("code", "pod/plain")
    assert told.fails(1).startswith("error:")
    assert "plain" in told.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["job/absent"], "absent"),
        (["nonsense/x"], "nonsense"),
        (["job"], ""),
        (["a/b/c"], ""),
        (["job/x", "--diff", "job/y", "--clone", "z"], "--clone"),
        (["job/x", "-n", "absent"], "x"),
    ],
    ids=["name", "kind", "no name", "too much", "both", "namespace"],
)
def test_what_is_not_there_is_told(scene: Scene, words: list[str], said: str) -> None:
    told = scene.ghost("code", *words)
    assert told.code in (1, 2)
    assert said in told.err
    assert "Traceback" not in told.err


def test_a_workflow_and_its_pods_tell_it(scene: Scene) -> None:
    try:
        scene.cluster.objects("workflows.argoproj.io")
    except Exception as error:
        pytest.skip(f"no Argo workflows: {error}")
    scene.run(workflow("w", "true")).ok()
    tree = scene.lab.tree_of()
    for name in ("workflow/w", "wf/w", "workflows.argoproj.io/w"):
        assert scene.ghost("code", name).ok() == tree
    name = scene.cluster.only("pods")["metadata"]["name"]
    assert scene.ghost("code", f"pod/{name}").ok() == tree


def test_a_train_job_tells_it_by_the_pods_of_its_job_set(scene: Scene) -> None:
    spec = {"runtimeRef": {"name": "torch"}}
    kind = {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob"}
    try:
        scene.cluster.create({**kind, "metadata": {"name": "train"}, "spec": spec})
    except Exception as error:
        pytest.skip(f"no Kubeflow Trainer: {error}")
    body = pod("train-node-0-0-x", "true")
    body["metadata"]["labels"] = {"jobset.sigs.k8s.io/jobset-name": "train"}
    body["metadata"]["annotations"] = {"git-ghost.io/hash": "a" * 40}
    scene.cluster.create(body)
    assert scene.ghost("code", "trainjob/train").ok() == "a" * 40


def relabel(scene: Scene, kind: str, name: str, hash: str, **template: str) -> None:
    """Create an object of that kind with two ghosts: its own, and that of its pod template."""
    noted = {"git-ghost.io/hash": hash, "git-ghost.io/base": hash, "git-ghost.io/repository": "r"}
    body = pod(name, "true")
    body["metadata"]["annotations"] = {**noted, **template}
    body["spec"]["restartPolicy"] = "Always"
    spec = {
        "replicas": 0, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": body["metadata"], "spec": body["spec"]},
    }  # fmt: skip
    del spec["template"]["metadata"]["name"]  # type: ignore[index]
    meta = {"name": name, "annotations": noted}
    scene.cluster.create({"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": spec})


def test_after_a_rollback_the_pod_template_counts(scene: Scene) -> None:
    older, newer = "a" * 40, "b" * 40
    relabel(scene, "Deployment", "web", newer, **{"git-ghost.io/hash": older})
    assert scene.ghost("code", "deploy/web").ok() == older
    relabel(scene, "Deployment", "same", newer)
    told = scene.ghost("code", "deploy/same", "--json")
    assert json.loads(told.ok())["hash"] == newer
    assert json.loads(told.ok())["via"] == ""


def test_pods_of_another_object_of_that_name_are_none_of_its_own(scene: Scene) -> None:
    ran(scene, "train")
    scene.cluster.create(config_map("train", k="v"))
    assert "runs no ghost" in scene.ghost("code", "configmap/train").fails(1)


def test_a_server_that_is_not_there_is_told(scene: Scene) -> None:
    config = scene.lab.sandbox.root / "kubeconfig"
    text = Path(scene.cluster.kubeconfig).read_text(encoding="utf-8")
    config.write_text(text.replace("https://", "https://user@0.0.0.0:1/"), encoding="utf-8")
    told = scene.ghost("code", "job/x", "--kubeconfig", config)
    assert told.fails(7).startswith("error:")
