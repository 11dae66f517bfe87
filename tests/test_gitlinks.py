"""Submodules that become something else, and something else that becomes one: every direction."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.lab import Lab

pytestmark = pytest.mark.slow  # a dozen submodules each

KINDS = ("none", "file", "link", "folder", "gitlink")
CHANGES = [
    (old, new) for old in KINDS for new in KINDS if old != new and "gitlink" in (old, new)
]  # the others are in test_exact_random.py


def name(old: str, new: str) -> str:
    return f"from-{old}-to-{new}"


def put(lab: Lab, path: str, kind: str) -> None:
    """Make `path` of the laptop what `kind` says, in the index too."""
    git = lab.sandbox.git
    git("rm", "-rqf", "--cached", "--ignore-unmatch", path, cwd=lab.laptop)
    full = lab.laptop / path
    if full.is_dir() and not full.is_symlink():
        shutil.rmtree(full)
        shutil.rmtree(lab.laptop / ".git/modules" / path, ignore_errors=True)
    else:
        full.unlink(missing_ok=True)
    section = f"submodule.{path}"
    for where in (("--file", ".gitmodules"), ("--local",)):
        git("config", *where, "--remove-section", section, cwd=lab.laptop, check=False)
    git("add", "--all", "--", ":(glob).gitmodules", cwd=lab.laptop)
    if kind == "file":
        lab.write(path, f"{path}\n".encode())
    elif kind == "link":
        lab.symlink(path, "foo")
    elif kind == "folder":
        lab.write(f"{path}/s", f"{path}/s\n".encode())
        lab.write(f"{path}/deep/t", f"{path}/t\n".encode())
    elif kind == "gitlink":
        allowed = ("-c", "protocol.file.allow=always")
        git(
            *allowed, "submodule", "--quiet", "add", "--force", lab.source_url, path, cwd=lab.laptop
        )


@pytest.fixture
def changed(lab: Lab) -> str:
    """Push a base with one side of every change, and a ghost with the other; its hash."""
    for old, new in CHANGES:
        put(lab, name(old, new), old)
    lab.commit("Before")
    lab.push()
    for old, new in CHANGES:
        put(lab, name(old, new), new)
    lab.write(".gitignore", b"*-to-folder/deep\nfrom-gitlink-to-file\n")
    lab.sandbox.git("add", "--all", "--force", cwd=lab.laptop)
    lab.sandbox.git("reset", "-q", "--", name("gitlink", "file"), cwd=lab.laptop)  # not staged
    return lab.ghost("push").ok().split()[-1]


def assert_there(lab: Lab, pod: Path, hash: str) -> None:
    for old, new in CHANGES:
        path = pod / name(old, new)
        if new == "file":
            assert path.read_bytes() == f"{path.name}\n".encode()
        elif new == "link":
            assert path.is_symlink()
        elif new == "folder":
            assert sorted(p.name for p in path.rglob("*")) == ["deep", "s", "t"]
        elif new == "gitlink":
            assert list(path.iterdir()) == []
        else:
            assert not path.exists()
    assert lab.ghost("push", at=pod).ok().split()[-1] == hash
    lab.sandbox.git("add", "--all", cwd=pod)
    assert lab.sandbox.text("write-tree", cwd=pod) == hash


def test_a_clone_has_what_became_of_submodules(lab: Lab, changed: str) -> None:
    pod = lab.sandbox.root / "pod"
    lab.ghost("clone", changed, pod).ok()
    assert_there(lab, pod, changed)


def test_a_pull_brings_what_became_of_submodules_and_takes_it_away(lab: Lab, changed: str) -> None:
    pod = lab.fresh_clone("pod")
    back = lab.ghost("push", at=pod).ok().split()[-1]
    lab.ghost("pull", changed, at=pod).ok()
    assert_there(lab, pod, changed)
    lab.ghost("pull", "--force", back, at=pod).ok()
    assert lab.sandbox.text("status", "--porcelain", cwd=pod) == ""


def test_a_submodule_that_is_checked_out_is_never_overwritten(lab: Lab, changed: str) -> None:
    pod = lab.fresh_clone("pod")
    path = name("gitlink", "folder")
    allowed = ("-c", "protocol.file.allow=always")
    lab.sandbox.git(*allowed, "submodule", "update", "--init", "-q", path, cwd=pod)
    assert f"\n  {path}\n" in lab.ghost("pull", "--force", changed, at=pod).fails(5)
    assert (pod / path / "foo").exists()
