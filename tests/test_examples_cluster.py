"""The examples run: their scripts, against a cluster whose pods run what is on the laptop."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from git_ghost.workloads import manifest
from tests.support.cluster import Cluster
from tests.support.sandbox import Result
from tests.support.scene import Scene

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def laptop(scene: Scene) -> None:
    """Put the examples into the laptop's repository, change one, and set it up for them."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    lab = scene.lab
    shutil.copytree(EXAMPLES, lab.laptop / "examples")
    lab.commit("Give examples")
    lab.push()
    train = lab.laptop / "examples" / "job" / "train.py"
    train.write_text(train.read_text().replace("STEPS = 200", "STEPS = 50"))
    lab.sandbox.git("config", "--global", "ghost.image", scene.init_image)
    lab.sandbox.env.update(scene.env())
    lab.sandbox.env["KUBECACHEDIR"] = str(lab.sandbox.home / "kube-cache")


def run(scene: Scene, kind: str, *args: str) -> Result:
    """Run the script of an example on the laptop."""
    return scene.lab.sandbox.run(scene.lab.laptop / "examples" / kind / "run.sh", *args)


@pytest.mark.usefixtures("laptop")
def test_the_job_runs_on_what_is_not_committed(scene: Scene) -> None:
    out = run(scene, "job").ok()
    job = scene.cluster.only("Job")
    ghost = manifest.code_of(job)
    assert ghost is not None
    assert out.startswith(f"code {ghost.hash}, learning rate 0.1\nstep 50: ")
    assert "step 100" not in out
    shown = (EXAMPLES / "job" / "README.md").read_text()
    assert out.splitlines()[1] in shown


@pytest.mark.usefixtures("laptop")
def test_the_sweep_gives_each_pod_a_learning_rate_of_its_own(scene: Scene) -> None:
    out = run(scene, "job", "sweep").ok()
    assert sorted(re.findall(r"learning rate ([\d.]+)", out)) == ["0.03", "0.1", "0.3", "1.0"]


@pytest.mark.usefixtures("laptop")
def test_the_builders_get_the_tree_and_a_tag_with_its_hash(scene: Scene) -> None:
    image = "registry.example.com/other/name"
    for file, option in (("kaniko", "--destination="), ("buildkit", "--output=")):
        text = (EXAMPLES / "kaniko" / f"{file}.yaml").read_text()
        text = text.replace("registry.example.com/team/train", image)
        made = scene.ghost("run", "--dry-run=client", "-f", "-", stdin=text.encode()).ok()
        (container,) = yaml.safe_load(made)["spec"]["template"]["spec"]["containers"]
        assert any(word.startswith(option) for word in container["args"])
        assert {"name": "IMAGE", "value": image} in container["env"]
        assert container["env"][0]["name"] == "GIT_GHOST_HASH"


@pytest.mark.usefixtures("laptop")
def test_both_steps_of_the_workflow_get_the_pull_and_its_image_the_hash(scene: Scene) -> None:
    file = EXAMPLES / "argo" / "build-train.yaml"
    out = scene.ghost("run", "--dry-run=client", "-f", file, "-p", "image=a.example.com/b").ok()
    workflow = yaml.safe_load(out)
    assert manifest.code_of(workflow) is not None  # {{workflow.annotations.git-ghost.io/hash}}
    build, train = workflow["spec"]["templates"][1:]
    assert build["initContainers"][0]["name"] == train["initContainers"][0]["name"] == "git-ghost"
    assert train["container"]["workingDir"] == "/app"
    assert workflow["spec"]["arguments"]["parameters"][0]["value"] == "a.example.com/b"


@pytest.mark.usefixtures("laptop")
@pytest.mark.parametrize("call", ["kaniko IMAGE", "kaniko --buildkit IMAGE", "argo run IMAGE"])
def test_a_secret_that_the_cluster_lacks_is_named(call: str, scene: Scene) -> None:
    kind, *arguments = call.replace("IMAGE", "registry.example.com/team/train").split()
    err = run(scene, kind, *arguments).fails(1)
    assert re.findall("missing: (.*)", err) == [
        "there is no Secret 'registry-login' in this namespace"
    ]
    assert not scene.cluster.objects("Job")


@pytest.mark.usefixtures("laptop")
def test_the_secret_for_the_pull_has_to_be_there_too(scene: Scene) -> None:
    scene.lab.sandbox.git("config", "--global", "ghost.gitSecret", "deploy-key")
    err = run(scene, "job").fails(1)
    assert "missing: there is no Secret 'deploy-key' in this namespace\n" in err


def rights(file: str) -> list[dict[str, Any]]:
    """The rules of the role in a file."""
    documents = yaml.safe_load_all((EXAMPLES / "rbac" / file).read_text())
    (role,) = (each for each in documents if each["kind"] == "Role")
    rules: list[dict[str, Any]] = role["rules"]
    return rules


@pytest.mark.usefixtures("laptop")
def test_the_role_for_runs_is_enough_to_run_and_to_clean_up(scene: Scene, cluster: Cluster) -> None:
    cluster.faults.allowed = rights("run.yaml")
    job = EXAMPLES / "job" / "job.yaml"
    done = scene.run("--rm", "-f", job)
    assert "learned y" in done.ok()
    assert "may not" not in done.err
    assert not cluster.objects("Job")
    held_up = yaml.safe_load(job.read_text())  # why it does not start is told by events
    held_up["spec"]["template"]["spec"]["nodeSelector"] = {"there-is": "none"}
    err = scene.run(held_up, "--start-timeout", "3s").fails(125)
    assert "may not" not in err


@pytest.mark.usefixtures("laptop")
def test_the_role_for_readers_is_enough_for_code_and_not_for_runs(
    scene: Scene, cluster: Cluster
) -> None:
    job = EXAMPLES / "job" / "job.yaml"
    scene.run("-f", job).ok()
    name, pod = (cluster.only(kind)["metadata"]["name"] for kind in ("Job", "Pod"))
    cluster.faults.allowed = rights("code.yaml")
    hash = scene.ghost("code", f"job/{name}").ok()
    assert scene.ghost("code", f"pod/{pod}").ok() == hash
    assert "may not create jobs.batch" in scene.run("-f", job).fails(7)
