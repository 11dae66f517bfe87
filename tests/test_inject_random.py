"""Whatever a manifest looks like: injected once or twice it is the same, and it can be undone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import assume, given, settings, strategies as st

from git_ghost import kinds
from git_ghost.errors import GhostError
from git_ghost.workloads import manifest
from git_ghost.workloads.manifest import Document, ManifestError, Step

NAMES = st.sampled_from(["main", "worker", "a/b", "~x", "git", "data", "GIT_GHOST_HASH", "über"])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "name": NAMES,
        "labels": st.none() | st.dictionaries(NAMES, st.text(max_size=3), max_size=2),
        "annotations": st.none() | st.dictionaries(NAMES, st.text(max_size=3), max_size=2),
    },
)
ENV = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from(["A", "GIT_GHOST_HASH", "GIT_CONFIG_COUNT"])}),
    max_size=3,
    unique_by=lambda item: item["name"],
)
MOUNTS = st.lists(
    st.fixed_dictionaries({"name": NAMES, "mountPath": st.sampled_from(["/data", "/workspace/x"])}),
    max_size=2,
    unique_by=lambda item: item["mountPath"],
)
CONTAINER: dict[str, st.SearchStrategy[Any]] = {
    "env": st.none() | ENV,
    "volumeMounts": st.none() | MOUNTS,
    "workingDir": st.sampled_from(["", "/data", None]),
    "resources": st.sampled_from([{}, {"limits": {"cpu": "1", "memory": "1Gi"}}]),
    "extra": JUNK,
}
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": NAMES}, optional=CONTAINER),
    min_size=1,
    max_size=3,
    unique_by=lambda item: item["name"],
)
NAMED = st.lists(st.fixed_dictionaries({"name": NAMES, "x": JUNK}), max_size=2)
POD = {"initContainers": st.none() | CONTAINERS, "volumes": st.none() | NAMED, "extra": JUNK}
POD_TEMPLATE = st.fixed_dictionaries(
    {"spec": st.fixed_dictionaries({"containers": CONTAINERS}, optional=POD)},
    optional={"metadata": st.none() | METADATA},
)
BARE = st.fixed_dictionaries({}, optional=CONTAINER)
ARGO_TEMPLATE = st.one_of(
    st.fixed_dictionaries({"name": NAMES, "container": BARE}, optional=POD),
    st.fixed_dictionaries({"name": NAMES, "script": BARE, "metadata": METADATA}, optional=POD),
    st.fixed_dictionaries(
        {"name": NAMES, "containerSet": st.fixed_dictionaries({"containers": CONTAINERS})},
        optional=POD,
    ),
    st.fixed_dictionaries(
        {
            "name": NAMES,
            "steps": st.lists(
                st.lists(
                    st.fixed_dictionaries({"inline": st.fixed_dictionaries({"container": BARE})})
                ),
                max_size=2,
            ),
        }
    ),
    st.fixed_dictionaries({"name": NAMES, "suspend": st.just({})}),
)


def placed(path: tuple[str, ...], draw: st.DrawFn) -> Any:
    """A pod template at the end of `path`."""
    if not path:
        return draw(POD_TEMPLATE)
    step, rest = path[0], path[1:]
    if step == "[]":
        return [placed(rest, draw) for _ in range(draw(st.integers(1, 2)))]
    if step == "*":
        return {key: placed(rest, draw) for key in draw(st.sets(NAMES, min_size=1, max_size=2))}
    return {step.removesuffix("?"): placed(rest, draw)}


def merged(one: Any, other: Any) -> Any:
    """Two mappings as one, deeply."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return other
    return {**one, **{key: merged(one.get(key), value) for key, value in other.items()}}


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """An object of any kind git ghost knows, or a List of some."""
    known = [(row.group, row.name) for row in kinds.every() if row.templates or row.steps]
    group, kind = draw(st.sampled_from([*known, ("", "List"), ("", "ConfigMap")]))
    row = kinds.find(group, kind)
    data: Any = {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind}
    if draw(st.booleans()):
        data["metadata"] = draw(METADATA)
    if kind == "List":
        data["items"] = [each.data for each in draw(st.lists(documents(), max_size=2))]
    elif row and row.steps:
        spec: Any = {"templates": draw(st.lists(ARGO_TEMPLATE, min_size=1, max_size=3))}
        for step in reversed(row.steps):
            spec = {step: spec}
        data.update(spec)
    else:
        for path in row.templates if row else ():
            data = merged(data, placed(path, draw))
    return Document(data, "generated:1")


STEPS = st.builds(
    Step,
    hash=st.sampled_from(["a" * 40, "b" * 64]),
    base=st.sampled_from(["", "c" * 40]),
    repo=st.sampled_from(["ssh://git@h/ghosts.git", "https://user:secret-word@h/ghosts.git"]),
    source=st.sampled_from(["", "https://h/source.git?token=secret-word"]),
    image=st.just("image:1"),
    prefix=st.sampled_from(["ghost", "team/a"]),
    mount=st.sampled_from(["/workspace", "/code/"]),
    ghost_secret=st.sampled_from(["", "two"]),
    run_as_user=st.sampled_from([None, 0, 65533]),
    labels=st.dictionaries(st.sampled_from(["a", "x.y/b"]), st.sampled_from(["", "v"])),
    annotations=st.dictionaries(st.sampled_from(["a", "x.y/b"]), st.text(max_size=4)),
).map(lambda step: step._replace(git_secret="one" if step.source else ""))


def injected(document: Document, step: Step) -> Document:
    """The document with the pull step; one it cannot be added to is not what a test is about."""
    try:
        return document._replace(data=manifest.inject(document, step))
    except ManifestError:
        assume(False)
        raise


def text(document: Document) -> str:
    """The object with the order of its keys."""
    return manifest.dump([document.data], "json")


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(documents(), STEPS, STEPS)
def test_twice_is_once_another_replaces_it_and_remove_restores_it(
    document: Document, step: Step, other: Step
) -> None:
    before = copy.deepcopy(document)
    once = injected(document, step)
    assert text(injected(once, step)) == text(once)
    assert text(injected(injected(document, other), step)) == text(once)
    assert text(once._replace(data=manifest.remove(once))) == text(before)
    assert text(document) == text(before)
    assert "secret-word" not in text(once)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(documents(), STEPS)
def test_what_others_add_afterwards_survives_the_removal(document: Document, step: Step) -> None:
    once = injected(document, step)
    data = copy.deepcopy(once.data)
    for template in manifest.pod_templates(Document(data, "x")) if "items" not in data else ():
        template.spec.setdefault("volumes", []).append({"name": "theirs"})
        template.containers[0].setdefault("env", []).insert(0, {"name": "THEIRS"})
    after = Document(manifest.remove(Document(data, "x")), "x")
    if "items" not in data:
        for template in manifest.pod_templates(after):
            assert template.spec["volumes"][-1] == {"name": "theirs"}
            assert template.containers[0]["env"][0] == {"name": "THEIRS"}
            assert "git-ghost" not in text(after).replace("git-ghost.io", "")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in a value."""
    inside = list(value.items()) if isinstance(value, dict) else []
    inside += enumerate(value) if isinstance(value, list) else []
    return [path, *(place for key, item in inside for place in places(item, (*path, key)))]


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.data(), documents(), JUNK)
def test_with_anything_anywhere_it_is_injected_and_restored_or_refused_with_a_sentence(
    data: st.DataObject, document: Document, junk: Any
) -> None:
    path = data.draw(st.sampled_from(places(document.data)[1:]))
    assume(path not in (("apiVersion",), ("kind",)))
    holder = document.data
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = junk
    step = Step("a" * 40, "ssh://h/x.git", "image")
    try:
        once = document._replace(data=manifest.inject(document, step))
        said = "generated:1"
    except GhostError as e:
        once, said = None, e.message
    assert said.startswith("generated:1")
    assert once is None or manifest.remove(once) == document.data
