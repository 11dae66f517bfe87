"""git ghost run, as a user sees it: the real command line, on the test cluster or a real one.

`make test-cluster` runs this file against the cluster of the current kubeconfig. What can only go
wrong on demand is in the other files of that name.
"""

from __future__ import annotations

import json

import pytest
import yaml

from tests.support.cluster.kinds import Object
from tests.support.manifests import config_map, job, pod, secret, workflow
from tests.support.scene import Scene

SHOW = "cat /workspace/foo; echo hash $GIT_GHOST_HASH"


@pytest.fixture
def scene(any_scene: Scene) -> Scene:
    """Return the scene with a change on the laptop that is in no commit."""
    any_scene.lab.write("foo", b"edited\n")
    return any_scene


def test_a_job_runs_on_the_edited_tree_and_its_log_is_shown(scene: Scene) -> None:
    ran = scene.run(job("train-", SHOW))
    assert ran.ok().splitlines() == ["edited", f"hash {scene.lab.tree_of()}"]
    assert "job.batch/train-" in ran.err


@pytest.mark.parametrize("code", [1, 3, 42, 255])
def test_the_exit_code_is_that_of_the_container(scene: Scene, code: int) -> None:
    ran = scene.run(job("train-", f"echo failing; exit {code}"))
    assert f"exit code {code}" in ran.fails(code)
    assert ran.out == b"failing\n"


def test_every_byte_of_the_log_arrives(scene: Scene) -> None:
    script = r"printf 'one\n\377\000 no text\ntwo\n\nno end'"
    ran = scene.run(job("train-", script))
    ran.ok()
    assert ran.out == b"one\n\xff\x00 no text\ntwo\n\nno end"


def test_a_pod_runs_by_itself(scene: Scene) -> None:
    assert scene.run(pod("train", SHOW)).ok().startswith("edited\n")


def test_an_image_and_a_command_are_enough(scene: Scene) -> None:
    ran = scene.run("--image", scene.image, "--", "sh", "-c", "cat foo; exit 4")
    ran.fails(4)
    assert ran.out == b"edited\n"


def test_a_command_takes_the_place_of_the_manifests(scene: Scene) -> None:
    ran = scene.run(job("train-", "echo from the manifest"), "--", "echo", "from", "-here")
    assert ran.ok() == "from -here"


def test_a_manifest_comes_from_standard_input_and_from_a_folder(scene: Scene) -> None:
    text = scene.file(job("train-", SHOW)).read_bytes()
    assert scene.run("-f", "-", stdin=text).ok().startswith("edited\n")
    folder = scene.lab.sandbox.root / "manifests"
    folder.mkdir()
    (folder / "job.yaml").write_bytes(text)
    assert scene.run("-f", folder).ok().startswith("edited\n")


def test_the_name_is_generated_anew_for_each_run(scene: Scene) -> None:
    for _ in range(2):
        scene.run(job("train-", "true")).ok()
    names = {one["metadata"]["name"] for one in scene.cluster.objects("jobs")}
    assert len(names) == 2


def test_what_the_workload_needs_is_created_before_it(scene: Scene) -> None:
    variables = [
        {"name": name, "valueFrom": {f"{kind}KeyRef": {"name": "train", "key": "k"}}}
        for name, kind in (("A", "configMap"), ("B", "secret"))
    ]
    trained = job("train-", "echo $A $B", pod={"container": {"env": variables}})
    ran = scene.run(trained, secret("train", k="b"), config_map("train", k="a"))
    assert ran.ok() == "a b"
    again = scene.run(trained, secret("train", k="b"), config_map("train", k="a"))
    assert again.ok() == "a b"


def test_detached_it_prints_the_name_and_goes_on(scene: Scene) -> None:
    name = scene.run(job("train-", SHOW), "--detach").ok()
    assert name == f"job.batch/{scene.cluster.only('jobs')['metadata']['name']}"
    scene.cluster.wait_for(lambda: scene.cluster.only("jobs")["status"].get("succeeded") == 1)


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_what_was_created_can_be_printed(scene: Scene, form: str) -> None:
    printed = scene.run(job("train-", "true"), "--detach", "-o", form).ok()
    (created,) = list(yaml.safe_load_all(printed)) if form == "yaml" else [json.loads(printed)]
    assert created["metadata"]["uid"] == scene.cluster.only("jobs")["metadata"]["uid"]


def test_a_dry_run_sends_and_creates_nothing(scene: Scene) -> None:
    for mode in ("client", "server"):
        printed = scene.run(job("train", SHOW), f"--dry-run={mode}").ok()
        assert scene.lab.tree_of() in printed
        assert yaml.safe_load(printed)["metadata"]["name"] == "train"
    assert scene.cluster.objects("jobs") == []
    assert scene.lab.ghost_refs() == []


def test_a_secret_for_the_source_goes_with_the_remote_of_the_laptop(scene: Scene) -> None:
    ran = scene.run(job("train-", "true"), "--dry-run=client", "--git-secret", "source-login")
    assert "secretName: source-login" in ran.ok()
    assert f"name: GIT_GHOST_SOURCE\n          value: {scene.lab.source_url}" in ran.ok()


def test_the_server_checks_fields_in_a_dry_run_and_without(scene: Scene) -> None:
    wrong = job("train", "true", backofLimit=3)
    for mode in ("none", "server"):
        said = scene.run(wrong, f"--dry-run={mode}").fails(1)
        assert "spec.backofLimit" in said
        assert scene.cluster.objects("jobs") == []
    assert scene.run(wrong, "--validate=warn").code == 0


def test_rm_deletes_what_was_created_however_it_ended(scene: Scene) -> None:
    for code in (0, 5):
        ran = scene.run(config_map("c", k="v"), job("train-", f"exit {code}"), "--rm")
        assert ran.code == code
        assert "deleted" in ran.err
        assert scene.cluster.objects("jobs") == []
        assert "c" not in [one["metadata"]["name"] for one in scene.cluster.objects("configmaps")]
        scene.cluster.wait_for(lambda: not scene.cluster.objects("pods"))


def test_what_was_there_before_is_left_there_and_not_named_as_ours(scene: Scene) -> None:
    scene.cluster.create(config_map("shared", k="v"))
    both = (config_map("shared", k="v"), job("train-", "sleep 100"))
    removed = scene.run(*both, "--rm", "--timeout", "1s")
    left = scene.run(*both, "--timeout", "1s")
    assert "deleted job.batch/train-" in removed.err
    assert "kubectl delete job.batch/train-" in left.err
    for ran in (removed, left):
        assert ran.code == 124
        assert "configmap/shared is there already" in ran.err
        assert "delete configmap/shared" not in ran.err
        assert "deleted configmap/shared" not in ran.err
    assert "shared" in [one["metadata"]["name"] for one in scene.cluster.objects("configmaps")]


def test_all_pods_are_followed_and_their_lines_are_told_apart(scene: Scene) -> None:
    sweep = job(
        "sweep-", "echo number $JOB_COMPLETION_INDEX", completions=3, parallelism=3,
        completionMode="Indexed",
    )  # fmt: skip
    lines = scene.run(sweep).ok().splitlines()
    assert sorted(line.split("] ")[1] for line in lines) == [f"number {n}" for n in range(3)]
    assert all(line.startswith("[pod/sweep-") for line in lines)


def test_one_pod_or_container_can_be_chosen(scene: Scene) -> None:
    sweep = job(
        "sweep-", "echo number $JOB_COMPLETION_INDEX", completions=2, parallelism=2,
        completionMode="Indexed",
    )  # fmt: skip
    assert scene.run(sweep, "--pod", "sweep-*-1-*", "--no-prefix").ok() == "number 1"
    two = pod("two", "echo main")
    two["spec"]["containers"].append({**two["spec"]["containers"][0], "name": "other"})
    two["spec"]["containers"][1]["command"] = ["echo", "other"]
    assert scene.run(two, "--container", "other", "--no-prefix").ok() == "other"


def test_a_job_that_is_tried_again_ends_with_its_last_try(scene: Scene) -> None:
    volume = {"name": "v", "emptyDir": {}}
    mount = [{"name": "v", "mountPath": "/state"}]
    script = "[ -e /state/once ] && echo good || { touch /state/once; echo bad; exit 9; }"
    ran = scene.run(
        job(
            "train-", script, backoffLimit=2,
            pod={
                "restartPolicy": "OnFailure",
                "volumes": [volume],
                "container": {"volumeMounts": mount},
            },
        )
    )  # fmt: skip
    assert ran.ok().splitlines() == ["bad", "good"]
    assert "exit code 9" in ran.err


def test_a_job_out_of_tries_ends_with_the_exit_code(scene: Scene) -> None:
    ran = scene.run(job("train-", "echo try; exit 9", backoffLimit=1))
    ran.fails(9)
    assert ran.out.count(b"try\n") == 2


def test_a_deadline_of_the_job_is_told(scene: Scene) -> None:
    ran = scene.run(job("train-", "echo up; sleep 100", activeDeadlineSeconds=2))
    assert "longer than" in ran.err
    assert ran.code not in (0, 130)


def test_a_time_out_leaves_the_job_alone_and_says_how_to_look(scene: Scene) -> None:
    ran = scene.run(job("train-", "echo up; sleep 100"), "--timeout", "4s")
    said = ran.fails(124)
    assert "kubectl logs -f job.batch/train-" in said
    assert "kubectl delete job.batch/train-" in said
    assert scene.cluster.only("jobs")["status"].get("active") == 1


def test_what_is_to_be_deleted_is_named_with_its_own_namespace(scene: Scene) -> None:
    if scene.cluster.namespace != "team":
        pytest.skip("it makes a namespace of its own")
    there: Object = {**config_map("c", k="v")}
    there["metadata"]["namespace"] = "second"
    place = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "second"}}
    ran = scene.run(place, there, job("train-", "sleep 100"), "--timeout", "1s")
    said = ran.fails(124)
    for command in ("namespace/second\n", "configmap/c -n second\n", "job.batch/train-"):
        assert f"to delete it:   kubectl delete {command}" in said


def test_a_failed_pull_is_told_with_the_log_of_the_pull(scene: Scene) -> None:
    missing = scene.lab.source_url.replace("source.git", "nowhere.git")
    ran = scene.run(job("train-", "true"), "--source", missing)
    assert "exit code 7" in ran.fails(125)
    assert "nowhere.git" in ran.err


def needs_argo(scene: Scene) -> None:
    """Skip where Argo is not installed."""
    try:
        scene.cluster.objects("workflows.argoproj.io")
    except Exception as error:
        pytest.skip(f"no Argo workflows: {error}")


def test_a_workflow_runs_with_parameters_and_shows_all_its_steps(scene: Scene) -> None:
    needs_argo(scene)
    arguments = {"parameters": [{"name": "who", "value": "nobody"}]}
    made = workflow("w-", SHOW, "echo {{workflow.parameters.who}}", arguments=arguments)
    printed = scene.run(made, "-p", "who=ada", "--no-prefix").ok().splitlines()
    lines = [line for line in printed if "argo=true" not in line]  # the executor's own
    assert lines == ["edited", f"hash {scene.lab.tree_of()}", "ada"]


def test_a_workflow_ends_with_the_exit_code_of_the_step_that_failed(scene: Scene) -> None:
    needs_argo(scene)
    ran = scene.run(workflow("w-", "true", "exit 6", "echo never"))
    ran.fails(6)
    assert b"never" not in ran.out
