"""Random trees and edits, in every state of staging and committing, through a ghost repository."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from git_ghost.usecases import Options, clone, pull
from tests.support.lab import Lab
from tests.support.oracle import disk_tree_of
from tests.support.roundtrip import options, push_untouched
from tests.support.sandbox import Sandbox

_POOL = [
    b"a",
    b"b",
    b"c",
    b"foo",
    b"src",
    b"-x",
    b"sp ace",
    b"new\nline",
    b'q"',
    b"back\\slash",
    b"\xff",
    b"\xc3\xa9",
]


def carried(name: bytes) -> bool:
    """Whether git carries a file of this name: it refuses what could mean .git elsewhere."""
    return name not in (b".", b"..") and b"git" not in name.lower() and b"~" not in name


NAMES = st.one_of(
    st.sampled_from(_POOL),
    st.lists(st.integers(1, 255).filter(lambda c: c != 47), min_size=1, max_size=6)
    .map(bytes)
    .filter(carried),
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)
TEXT = st.lists(
    st.sampled_from(
        [b"one", b"two", b"", b" ", b"\t", b"\xff\xfe", b"-- ", b"@@ -1 +1 @@", b"\\ No newline"]
    )
).flatmap(
    lambda lines: st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n"]).map(lambda end: end.join(lines))
)
CONTENTS = st.one_of(
    TEXT, TEXT.map(lambda text: text + b"\n"), st.binary(max_size=60), st.just(b"")
)
TARGETS = st.one_of(PATHS, st.sampled_from([b"..", b".", b"/", b"a", b"src", b"../../x"]))


@dataclass(frozen=True)
class Write:
    """Make a file, whatever stands in its way."""

    path: bytes
    content: bytes
    executable: bool


@dataclass(frozen=True)
class Link:
    """Make a symbolic link, whatever stands in its way."""

    path: bytes
    target: bytes


@dataclass(frozen=True)
class Do:
    """Remove or move the nth file, or bring git in."""

    what: str
    which: int


Step = Write | Link | Do
WHATS = [
    "remove",
    "move",
    "stage",
    "stage-all",
    "intend",
    "unstage",
    "commit",
    "merge",
    "empty",
    "publish",
]
STEPS = st.lists(
    st.one_of(
        st.builds(Write, PATHS, CONTENTS, st.booleans()),
        st.builds(Link, PATHS, TARGETS),
        st.builds(Do, st.sampled_from(WHATS), st.integers(0, 50)),
    ),
    min_size=1,
    max_size=14,
)


class Machine:
    """Laptops from one template, each with its own source remote, thrown away after use."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._count = 0

    def lab(self) -> Lab:
        """Return a fresh lab, in a folder that takes the last one's place."""
        self._count += 1
        shutil.rmtree(self.sandbox.root / f"{self._count - 1}", ignore_errors=True)
        return Lab(Sandbox(self.sandbox.root / str(self._count)))


@pytest.fixture
def machine(in_sandbox: Sandbox) -> Machine:
    """Return what makes a lab for every example."""
    return Machine(in_sandbox)


def clear(path: bytes, top: Path) -> Path:
    """Remove what stands at `path`, and what is not a folder above it; returns the place."""
    place = top / os.fsdecode(path)
    for above in (*parents(path), path):
        full = top / os.fsdecode(above)
        if full.is_symlink() or full.is_file():
            full.unlink()
        elif full == place and full.is_dir():
            shutil.rmtree(full)
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def parents(path: bytes) -> list[bytes]:
    """Return the folders above `path`, from the top down."""
    parts = path.split(b"/")
    return [b"/".join(parts[:depth]) for depth in range(1, len(parts))]


def take(lab: Lab, step: Step) -> None:
    """Take one step in the laptop's repository."""
    if isinstance(step, Write):
        clear(step.path, lab.laptop)
        lab.write(step.path, step.content, mode=0o755 if step.executable else 0o644)
    elif isinstance(step, Link):
        clear(step.path, lab.laptop).symlink_to(os.fsdecode(step.target))
    else:
        files = sorted(lab.disk_state())
        act(lab, step.what, files[step.which % len(files)] if files else b"")


STAGING: dict[str, list[str]] = {
    "stage": ["add"],
    "intend": ["add", "-N"],
    "unstage": ["rm", "-q", "-f", "--cached", "--ignore-unmatch"],
}


def act(lab: Lab, what: str, path: bytes) -> None:
    """Do what a `Do` says, to the file at `path`."""

    def git(*args: str | bytes) -> str:
        return lab.sandbox.text("--literal-pathspecs", *args, cwd=lab.laptop)

    if what == "remove" and path:
        (lab.laptop / os.fsdecode(path)).unlink()
    elif what == "move" and path:
        (lab.laptop / os.fsdecode(path)).rename(lab.laptop / "moved")
    elif what in STAGING and path:
        git(*STAGING[what], "--", path)
    elif what == "stage-all":
        git("add", "--all")
    elif what == "commit":
        lab.commit("Random")
    elif what == "empty":
        git("commit", "--quiet", "--allow-empty", "-m", "Staged or empty")
    elif what == "merge":
        git("add", "--all")
        side = git("commit-tree", "HEAD~1^{tree}", "-p", "HEAD~1", "-m", "Side")
        merged = git("commit-tree", git("write-tree"), "-p", "HEAD", "-p", side, "-m", "Merge")
        git("update-ref", "HEAD", merged)
    elif what == "publish":
        lab.push()


def arrives(machine: Machine, steps: list[Step], *, cloned: bool, shallow: bool) -> None:
    """Take the steps, push, rebuild, compare."""
    lab = machine.lab()
    for step in steps:
        take(lab, step)
    pushed = push_untouched(lab)
    assert pushed.hash == disk_tree_of(lab.laptop)
    disk = lab.disk_state()
    pod = lab.sandbox.root / "pod"
    if cloned:
        clone(pushed.hash, str(pod), Options(repo=lab.ghost_url))
    else:
        lab.sandbox.git("clone", "--quiet", *["--depth=1"] * shallow, f"file://{lab.source}", pod)
        pull(pushed.hash, options(lab, pod))
    assert lab.disk_state(pod) == disk
    assert disk_tree_of(pod) == pushed.hash == lab.tree_of(pod)
    assert lab.head(at=pod) == lab.head()
    lab.sandbox.git("fsck", "--no-dangling", "--no-progress", cwd=pod)


FREELY = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@settings(max_examples=25, derandomize=True, database=None, **FREELY)  # type: ignore[arg-type]
@given(steps=STEPS, cloned=st.booleans(), shallow=st.booleans())
def test_any_tree_arrives(machine: Machine, steps: list[Step], cloned: bool, shallow: bool) -> None:
    arrives(machine, steps, cloned=cloned, shallow=shallow)


@pytest.mark.slow
@settings(max_examples=80, database=None, print_blob=True, **FREELY)  # type: ignore[arg-type]
@given(steps=STEPS, cloned=st.booleans(), shallow=st.booleans())
def test_any_of_many_trees_arrives(
    machine: Machine, steps: list[Step], cloned: bool, shallow: bool
) -> None:
    arrives(machine, steps, cloned=cloned, shallow=shallow)


@settings(max_examples=20, derandomize=True, database=None, **FREELY)  # type: ignore[arg-type]
@given(steps=STEPS)
def test_what_push_takes_for_the_tree_is_what_is_on_disk(
    machine: Machine, steps: list[Step]
) -> None:
    lab = machine.lab()
    for step in steps:
        take(lab, step)
    assert push_untouched(lab, dry_run=True).hash == disk_tree_of(lab.laptop)


def test_the_steps_reach_what_they_are_for(machine: Machine, tmp_path: Path) -> None:
    lab = machine.lab()
    for step in (Write(b"foo/x", b"", False), Link(b"foo/x/y", b"..")):
        take(lab, step)
    for what in WHATS:
        take(lab, Do(what, 1))
    assert lab.sandbox.text("rev-list", "--count", "--merges", "HEAD", cwd=lab.laptop) == "1"
    assert tmp_path.exists()
