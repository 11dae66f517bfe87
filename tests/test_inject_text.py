"""YAML keeps its comments and format: only what is added changes, and `--remove` restores bytes."""

from __future__ import annotations

import difflib
import json
import random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from git_ghost.workloads import manifest
from git_ghost.workloads.manifest import Document, Step
from tests.support.sandbox import Sandbox
from tests.test_inject_random import STEPS, documents, injected

STEP = Step("a" * 40, "ssh://git@h/ghosts.git", "git-ghost:1")
OTHER = STEP._replace(hash="b" * 40, mount="/code", git_secret="s", source="https://h/s.git")
POD = "apiVersion: v1\nkind: Pod\n"
FILE = """\
# Copyright: ours
%YAML 1.1
--- # first
apiVersion:   batch/v1   # our API
kind: "Job"
metadata:
    name: 'train'  # a name
spec:
    template:
        spec:

            # who works
            containers:
              -   name: main # the first
                  image: "python:3.12"
                  # env:
                  # - name: NOT
                  args: [ "a",   b ]
                  command:
                    - |
                      # no comment
                      run


            restartPolicy: Never
# the end of it
...
# between
---
---
# Source: chart/templates/settings.yaml
apiVersion: v1
kind: ConfigMap
data: {a: "b" }   # as it is
---
# Source: chart/templates/pod.yaml
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: x, creationTimestamp: null}
  spec: {containers: [ {name: main, env: []}]} # flow
- apiVersion: v1
  kind: Pod
  metadata: # nothing
  spec:
    volumes: [ ]
    containers:
    - name: main
      env: # first ours
      # then theirs
      - name: A
        value: b
      volumeMounts: ~
# last"""


def rewritten(content: bytes, step: Step | None) -> tuple[bytes, list[Document]]:
    """A file with the step, or without."""
    done = []
    for document in manifest.parse(content, "generated"):
        clean = manifest.rewritten(document, manifest.remove(document))
        done.append(manifest.rewritten(clean, manifest.inject(clean, step)) if step else clean)
    return manifest.text_of(done).encode(), done


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_diff_of_input_and_output_shows_the_step_alone(newline: str) -> None:
    content = FILE.replace("\n", newline).encode()
    text, done = rewritten(content, STEP)
    assert [each.source.why for each in done if each.source] == [""] * 3
    before, after = content.decode().split(newline), text.decode().split(newline)
    gone = [line[2:] for line in difflib.ndiff(before, after) if line.startswith("- ")]
    assert gone == [
        "  metadata: {name: x, creationTimestamp: null}",  # one line is the whole of it
        "  spec: {containers: [ {name: main, env: []}]} # flow",
        "    volumes: [ ]",
        "      volumeMounts: ~",
    ]
    assert [each.data for each in manifest.parse(text, "x")] == [each.data for each in done]
    assert rewritten(text, STEP)[0] == text
    assert rewritten(rewritten(content, OTHER)[0], STEP)[0] == text
    assert rewritten(text, None)[0] == content


@pytest.mark.parametrize(
    "text",
    [
        POD + "spec: {containers: [{name: main}]}",
        "\ufeff" + POD + "spec:\n  containers:\n  - name: main\n    args:\n    - |\n      cut off",
        POD + "spec:\n  containers:\n  - name: main\n    args:\n    - |+\n      x\n\n\n",
        POD + "spec:\n  containers:\n  - &c\n    name: main\n  - <<: *c\n    name: other\n",
        POD + "spec:\n  containers:\n  - name: a\n    env: &e\n    - name: A\n  - name: b\n"
        "    env: *e\n",
        POD + "spec:\n  containers:\n  -\n    name: a\n    workingDir: ''\n    env: null # none\n",
        POD + "metadata:\n  annotations:\n    git-ghost.io/x: theirs # kept\n    a: b\n"
        "spec:\n  containers:\n  - name: a\n    env:\n    - name: GIT_GHOST_HASH\n      # theirs\n"
        "      valueFrom: {fieldRef: {fieldPath: x}}\n    - name: B\n",
    ],
)  # fmt: skip
def test_remove_gives_every_byte_back(text: str) -> None:
    added, (done,) = rewritten(text.encode(), STEP)
    assert done.source is not None
    assert done.source.why == ""
    assert rewritten(added, STEP)[0] == added
    assert rewritten(added, None)[0] == text.encode()


@pytest.mark.parametrize("entry", ['["text","metadata"]', '["text","spec",1]', '["text","","x"]'])
def test_a_note_that_somebody_changed_ends_in_no_crash(entry: str) -> None:
    content = POD.encode() + b"spec: {containers: [{name: a}]}\n"
    added = rewritten(content, STEP)[0].replace(b"injected: '[", f"injected: '[{entry},".encode())
    assert rewritten(added, None)[0] == content


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            POD + "x: &d {env: [{name: A}]}\nspec: {containers: [{name: a, <<: *d}]}\n",
            "a merge key (<<)",
        ),
        (POD + "x: &d [{name: A}]\nspec: {containers: [{name: a, env: *d}]}\n", "an alias"),
        (POD.replace("\n", "\r") + "spec: {containers: [{name: a}]}", "its line ends"),
        (
            POD + "spec: {containers: [{name: a}]}\n# git-ghost-stands-for\n",
            "the word git-ghost-stands-for",
        ),
    ],
)
def test_what_cannot_be_edited_is_written_anew_around_its_neighbours_and_that_is_said(
    sandbox: Sandbox, text: str, why: str
) -> None:
    around = POD + "# kept\nspec: {containers: [{name: b}]}\n"
    for part in ("one", "two", "three"):
        (sandbox.root / part).write_text(around if part != "two" else text, newline="")
    files = [f"--filename={part}" for part in ("one", "two", "three")]
    flags = ("--image=i", "--ghost-repo=ssh://h/g.git", "a" * 40)
    done = sandbox.ghost("inject", *files, *flags)
    assert done.ok().count("# kept") == 2
    said = "warning: two:1: pod is written anew, without its comments and format: its text cannot"
    said = f"{said} be edited because of {why}"
    assert [line for line in done.err.splitlines() if "anew" in line] == [said]
    again = sandbox.ghost("inject", "-f", "-", *flags, stdin=done.out)
    assert again.out == done.out
    back = sandbox.ghost("inject", "-f", "-", "--remove", stdin=done.out)
    documents = manifest.parse(f"{around}---\n{text}".encode(), "x")
    assert list(yaml.safe_load_all(back.ok()))[:2] == [each.data for each in documents]


# --- any object, in any style --------------------------------------------------------------------


class Writer:
    """Writes an object as people do: their own indentation, quotes, comments, empty lines."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.step = rng.choice([1, 2, 2, 2, 4])
        self.dashes = rng.choice([0, 0, 2, 3])
        self.gap = rng.choice([" ", " ", "   "])
        self.flows = rng.choice([0.0, 0.1, 0.5])
        self.comments: list[str] = []

    def text(self, data: Any) -> bytes:
        """A file with the object in it."""
        rng = self.rng
        lines = [*self.aside(), *self.entries(data, rng.choice([0, 0, 0, 3])), *self.aside()]
        if rng.random() < 0.3:
            lines = ["%YAML 1.1"] * rng.randint(0, 1) + ["---" + self.remark(), *lines]
        if rng.random() < 0.2:
            lines += ["..." + self.remark()]
        whole = "\n".join(lines) + "\n" * rng.randint(0, 2)
        mark = "\ufeff" if rng.random() < 0.2 else ""
        return (mark + whole.replace("\n", rng.choice(["\n", "\r\n"]))).encode()

    def entries(self, data: Any, column: int) -> list[str]:
        """The lines of a mapping."""
        return [
            line
            for key, value in data.items()
            for line in self.behind(" " * column + self.word(key) + ":", value, column)
        ]

    def behind(self, start: str, value: Any, column: int) -> list[str]:
        """The lines of a value, the first one begun with its key."""
        if not value or not isinstance(value, (dict, list)) or self.rng.random() < self.flows:
            words = self.flow(value) if value is not None else self.rng.choice(["", " ~", " null"])
            return [start + (f" {words}" if value is not None else words) + self.remark()]
        inside = (
            self.entries(value, column + self.step)
            if isinstance(value, dict)
            else self.items(value, column + self.dashes)
        )
        return [start + self.remark(), *self.aside(), *inside, *self.aside()]

    def items(self, values: list[Any], column: int) -> list[str]:
        """The lines of a list."""
        lines = []
        for value in values:
            start = " " * column + "-" + self.gap
            if isinstance(value, dict) and value and self.rng.random() > self.flows:
                inside = self.entries(value, len(start))
                lines += [start + inside[0][len(start) :], *inside[1:], *self.aside()]
            else:
                lines += [start + self.flow(value) + self.remark()]
        return lines

    def flow(self, value: Any) -> str:
        """A value on one line."""
        blank = self.rng.choice(["", " "])
        if isinstance(value, dict):
            pairs = [f"{self.word(key)}: {self.flow(each)}" for key, each in value.items()]
            return "{" + blank + ", ".join(pairs) + blank + "}"
        if isinstance(value, list):
            return "[" + blank + f",{blank}".join(map(self.flow, value)) + blank + "]"
        return self.word(value) if isinstance(value, str) else json.dumps(value)

    def word(self, value: str) -> str:
        """A string in quotes, if it needs some."""
        plain = value.isascii() and value.replace("/", "").replace("_", "").isalpha()
        if plain and yaml.safe_load(value) == value and value not in ("y", "n", "Y", "N"):
            return self.rng.choice([value, value, f"'{value}'", f'"{value}"'])
        return str(yaml.dump(value, default_style='"', width=1 << 20).strip())

    def remark(self) -> str:
        """A comment behind something, or white space, or nothing."""
        return self.rng.choice(["", "", "", "  ", f"  {self.comment()}", "\t"])

    def aside(self) -> list[str]:
        """Comments and empty lines, anywhere on their lines."""
        some = self.rng.randint(0, 2) if self.rng.random() < 0.3 else 0
        return [
            self.rng.choice(["", "   ", " " * self.rng.randint(0, 9) + self.comment()])
            for _ in range(some)
        ]

    def comment(self) -> str:
        """A comment like no other."""
        return f"# {self.rng.getrandbits(40):x}: - {{[&*' \""


def without_texts(data: Any) -> Any:
    """The object, its notes without the text that was replaced."""
    if isinstance(data, dict):
        return {
            key: (
                json.dumps([each for each in json.loads(value) if each[0] != "text"])
                if key == manifest.NOTE
                else without_texts(value)
            )
            for key, value in data.items()
        }
    return [without_texts(each) for each in data] if isinstance(data, list) else data


@pytest.mark.slow
@settings(max_examples=int(__import__("os").environ.get("N", "100")), deadline=None)
@given(documents(), STEPS, STEPS, st.integers(0, 1 << 32))
def test_in_any_style_only_the_step_is_added_and_remove_restores_every_byte(
    document: Document, step: Step, other: Step, seed: int
) -> None:
    content = Writer(random.Random(seed)).text(document.data)
    assert [each.data for each in manifest.parse(content, "x")] == [document.data]
    expected = injected(document, step).data
    injected(document, other)
    text, (done,) = rewritten(content, step)
    assert done.source is not None
    assert done.source.why == ""
    (again,) = manifest.parse(text, "x")
    assert again.data == done.data
    assert without_texts(done.data) == without_texts(expected)
    comments = [line.partition(" # ")[2] for line in content.decode().splitlines() if " # " in line]
    left = iter(text.decode().splitlines())
    assert all(any(line.endswith(each) for line in left) for each in comments if each)
    assert rewritten(text, None)[0] == content
    assert rewritten(text, step)[0] == text
    assert rewritten(rewritten(content, other)[0], step)[0] == text
