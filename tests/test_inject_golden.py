"""Every kind: what inject makes of it, that it can be taken back, that clusters accept it.

`make golden` writes the expected files anew.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from git_ghost import kinds
from git_ghost.workloads import manifest
from git_ghost.workloads.manifest import Document, Step
from tests.support import golden

MANIFESTS = Path(__file__).parent / "manifests"
NAMES = sorted(path.stem for path in MANIFESTS.glob("*.yaml"))
VERSIONS = ("1.29", "1.33", kubernetes_validate.latest_version())
STEP = Step(
    hash="8f3a9d5be1c07f6a2d4e8b90c1d2e3f405162738",
    base="1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e",
    repo="git@git.example.com:team/ghosts.git",
    source="https://git.example.com/team/project.git",
    image="git-ghost:1.0",
    git_secret="source-login",
    ghost_secret="ghosts-key",
)
OTHER = STEP._replace(hash="0" * 64, base="", mount="/code", ghost_secret="", image="other:2")


def documents(name: str) -> list[Document]:
    """The objects of a sample."""
    return manifest.read([str(MANIFESTS / f"{name}.yaml")])


def inject(found: list[Document], step: Step = STEP) -> list[Document]:
    """The objects with the pull step, as documents."""
    return [each._replace(data=manifest.inject(each, step)) for each in found]


def singles(found: list[Document]) -> list[Document]:
    """The objects, those in Lists too."""
    return [item for each in found for item in manifest.items(each)]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_added_to_every_kind(name: str) -> None:
    made = manifest.dump([each.data for each in inject(documents(name))])
    golden.check(MANIFESTS / "injected" / f"{name}.yaml", made)


@pytest.mark.parametrize("name", NAMES)
def test_twice_is_once_and_another_hash_replaces_the_first(name: str) -> None:
    before = documents(name)
    once = inject(before)
    assert inject(once) == once
    assert inject(inject(before, OTHER)) == once
    assert inject(inject(once, OTHER), OTHER) == inject(before, OTHER)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", manifest.FORMATS)
def test_remove_restores_the_original_exactly(name: str, form: str) -> None:
    before = documents(name)
    text = manifest.dump([each.data for each in inject(before)], form)
    back = [manifest.remove(each) for each in manifest.parse(text.encode(), "injected")]
    # As text: the order of keys counts too.
    assert manifest.dump(back, form) == manifest.dump([each.data for each in before], form)


@pytest.mark.parametrize("name", NAMES)
def test_the_objects_handed_over_stay_as_they_are(name: str) -> None:
    before = documents(name)
    kept = copy.deepcopy([each.data for each in before])
    injected = inject(before)
    again = copy.deepcopy([each.data for each in injected])
    for each in injected:
        manifest.remove(each)
    assert [each.data for each in before] == kept
    assert [each.data for each in injected] == again


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_kubernetes_schemas_accept_every_pod_template(name: str, version: str) -> None:
    for document in singles(inject(documents(name))):
        row = kinds.of(document.data)
        if row and row.steps:
            continue
        if "." not in manifest.group(document.data):  # one of Kubernetes' own
            kubernetes_validate.validate(document.data, version, strict=True)
        for template in manifest.pod_templates(document):
            for container in template.containers if row and row.unnamed else ():
                container.setdefault("name", "user-container")
            pod = {"apiVersion": "v1", "kind": "Pod", "spec": template.spec}
            pod["metadata"] = template.owner.get("metadata", {})
            kubernetes_validate.validate(pod, version, strict=True)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if "workflow" in name and name != "clusterworkflowtemplate"]
)
def test_argo_knows_every_field(name: str) -> None:
    from hera.workflows import models

    for document in inject(documents(name)):
        model: Any = getattr(models, document.kind)
        read = model.model_validate(document.data)
        assert read.model_dump(exclude_none=True, by_alias=True, mode="json") == document.data


def test_every_known_kind_has_a_sample() -> None:
    shown = {
        (manifest.group(each.data), each.kind)
        for name in NAMES
        for each in singles(documents(name))
    }
    known = {(kind.group, kind.name) for kind in kinds.every() if kind.has_templates}
    assert known - shown == {("kubeflow.org", "MXJob")}
