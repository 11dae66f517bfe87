"""`git ghost inject` of what refers to pod templates: those of the same call, and others."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from git_ghost.workloads.manifest import has_pods, items, pod_templates, read
from tests.support.sandbox import Sandbox

HASH = "8f3a9d5be1c07f6a2d4e8b90c1d2e3f405162738"
MANIFESTS = Path(__file__).parent / "manifests"
WORKFLOW = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\n"
TRAIN_JOB = """\
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {name: t}
spec: {runtimeRef: {kind: TrainingRuntime, name: torch}}
"""
OF_TEMPLATE = WORKFLOW + "spec: {workflowTemplateRef: {name: train}}\n"
CRON_OF_TEMPLATE = OF_TEMPLATE.replace("kind: W", "kind: CronW").replace(
    "spec: {workflowTemplateRef: {name: train}}",
    "spec: {workflowSpec: {workflowTemplateRef: {name: train}}}",
)


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """Return a machine whose git config names the image and the ghost repository."""
    sandbox.config("ghost.image", "git-ghost:1.0")
    sandbox.config("ghost.repo", "ssh://git@git.example.com/ghosts.git")
    return sandbox


@pytest.mark.parametrize(
    ("text", "template"),
    [
        (TRAIN_JOB, "trainingruntime"),
        (TRAIN_JOB.replace("kind: TrainingRuntime, ", ""), "clustertrainingruntime"),
        (OF_TEMPLATE, "workflowtemplate"),
        (CRON_OF_TEMPLATE, "workflowtemplate"),
        (OF_TEMPLATE.replace("train}", "train, clusterScope: true}"), "clusterworkflowtemplate"),
    ],
)
def test_what_refers_to_templates_that_are_given_too_stays_as_it_is(
    box: Sandbox, text: str, template: str
) -> None:
    file = MANIFESTS / f"{template}.yaml"
    for where in (("-f", "-", "-f", file), ("-f", file, "-f", "-")):  # the order is no matter
        done = box.ghost("inject", *where, HASH, stdin=text.encode())
        made = {each["kind"].lower(): each for each in yaml.safe_load_all(done.ok())}
        refers = yaml.safe_load(text)
        assert made.pop(refers["kind"].lower()) == refers
        assert list(made) == [template]
        assert "git-ghost" in str(made[template]["spec"])
        name = made[template]["metadata"]["name"]
        assert f": unchanged: its pods come from {template}/{name}\n" in done.err
        assert "warning" not in done.err
        again = box.ghost("inject", "-f", "-", HASH, "--strict", stdin=done.out)
        assert again.out == done.out


@pytest.mark.parametrize(
    ("text", "template"),
    [
        (TRAIN_JOB, "clustertrainingruntime"),  # another kind of that name
        (TRAIN_JOB.replace("name: torch", "name: other"), "trainingruntime"),
        (TRAIN_JOB.replace("{kind", "{apiGroup: example.com, kind"), "trainingruntime"),
        (OF_TEMPLATE, "clusterworkflowtemplate"),
        (CRON_OF_TEMPLATE.replace("name: train", "name: other"), "workflowtemplate"),
    ],
)
def test_what_refers_to_templates_that_are_not_given_is_refused(
    box: Sandbox, text: str, template: str
) -> None:
    file = MANIFESTS / f"{template}.yaml"
    done = box.ghost("inject", "-f", "-", "-f", file, HASH, stdin=text.encode())
    assert "Both can be given together." in done.fails(1)


def test_a_template_of_a_template_that_is_given_too_is_not_elsewhere(box: Sandbox) -> None:
    there = "{name: x, templateRef: {name: train, template: train}}"
    other = "{name: y, templateRef: {name: train, template: train, clusterScope: true}}"
    text = WORKFLOW + f"spec: {{templates: [{{name: m, steps: [[{there}]]}}]}}\n"
    template = MANIFESTS / "workflowtemplate.yaml"
    done = box.ghost("inject", "-f", "-", "-f", template, HASH, stdin=text.encode())
    assert done.code == 0
    assert "warning" not in done.err
    text = text.replace(there, f"{there}, {other}")
    done = box.ghost("inject", "-f", "-", "-f", template, HASH, stdin=text.encode())
    assert "get no pull from this file: train/train\n" in done.err


def test_what_runs_is_what_has_templates_or_refers_to_some_given_too() -> None:
    for name, expected in (
        ("trainjob", [True] * 4),
        ("workflow-of-template", [True] * 4),
        ("several", None),
    ):
        found = read([str(MANIFESTS / f"{name}.yaml")])
        every = [item for document in found for item in items(document)]
        own = [bool(pod_templates(each)) for each in every]
        assert [has_pods(each) for each in every] == (expected or own)
