"""Whose exit code git ghost run ends with, where several containers or pods are at work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cluster.kinds import Object
from tests.support.manifests import FOREVER, config_map, job, pod
from tests.support.scene import Scene


def beside(name: str, script: str, **more: str) -> Object:
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script], **more}


def test_a_container_that_fails_later_does_not_hide_the_first(scene: Scene) -> None:
    both = pod("two", "exit 3")
    both["spec"]["containers"].append(beside("agent", "sleep 2; exit 9"))
    assert "container main" in scene.run(both).fails(3)


def test_a_sidecar_is_no_init_container_that_fails(scene: Scene) -> None:
    script = "trap 'exit 143' TERM; while :; do sleep 0.1; done"
    proxy = beside("proxy", script, restartPolicy="Always")
    ran = scene.run(job("train-", "sleep 0.5; exit 3", pod={"initContainers": [proxy]}))
    assert "init container" not in ran.fails(3)
    good = scene.run(job("train-", "sleep 0.5", pod={"initContainers": [proxy]}))
    good.ok()
    assert "warning" not in good.err


def test_a_try_that_was_followed_by_a_good_one_does_not_count(scene: Scene, tmp_path: Path) -> None:
    script = (
        f"cd {tmp_path}; n=$JOB_COMPLETION_INDEX; [ $n = 0 ] || {{ sleep 1; exit 4; }};"
        " [ -e once ] || { touch once; exit 9; }"
    )
    sweep = job(
        "sweep-", script, completions=2, parallelism=2, completionMode="Indexed", backoffLimit=2
    )
    assert "-1-" in scene.run(sweep).fails(4)


def test_the_pod_that_the_job_names_counts(scene: Scene, tmp_path: Path) -> None:
    script = f"cd {tmp_path}; mkdir once 2>/dev/null && exit 9; sleep 1; exit 42"
    codes = {"operator": "In", "values": [42]}
    policy = {"rules": [{"action": "FailJob", "onExitCodes": codes}]}
    ran = scene.run(
        job("train-", script, completions=2, parallelism=2, backoffLimit=5, podFailurePolicy=policy)
    )
    ran.fails(42)


@pytest.mark.parametrize("code", [0, 3])
def test_what_serves_the_job_does_not_keep_the_run_from_ending(scene: Scene, code: int) -> None:
    template: Object = {"metadata": {"labels": {"app": "db"}}, "spec": pod("db", FOREVER)["spec"]}
    template["spec"]["restartPolicy"] = "Always"
    spec = {"selector": {"matchLabels": {"app": "db"}}, "template": template}
    served = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "db"}}
    ran = scene.run(
        {**served, "spec": spec}, config_map("c", k="v"), job("train-", f"exit {code}"),
        "--timeout", "30s",
    )  # fmt: skip
    assert ran.code == code
