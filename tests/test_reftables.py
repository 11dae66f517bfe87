"""Repositories whose refs are no files, as git 3 makes them: nothing may look for those by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.lab import Lab
from tests.support.sandbox import Sandbox
from tests.support.untouched import untouched


@pytest.fixture
def lab(sandbox: Sandbox) -> Lab:
    """Return a lab where every repository is made with reftables."""
    sandbox.config("init.defaultRefFormat", "reftable")
    lab = Lab(sandbox)
    if not (lab.laptop / ".git/reftable").is_dir():
        pytest.skip(f"{sandbox.text('version')} knows no reftables (git 2.45 does)")
    return lab


def stored(lab: Lab) -> str:
    lab.commit("Not pushed")
    lab.write("foo", b"b\n")
    lab.write("new", b"new\n")
    return lab.ghost("push").ok().split()[-1]


def test_push_clone_and_pull_end_exact(lab: Lab) -> None:
    hash = stored(lab)
    root, pod = lab.sandbox.root, lab.fresh_clone("pod")
    lab.sandbox.git("worktree", "add", "-q", root / "linked", cwd=pod)
    lab.ghost("clone", hash, "cloned", at=root).ok()
    for place in (pod, root / "linked"):
        lab.ghost("pull", hash, at=place).ok()
    for place in (pod, root / "linked", root / "cloned"):
        assert lab.tree_of(place) == hash
        assert lab.head(at=place) == lab.head()
    assert "Ghost-Branch: main" in lab.sandbox.text(
        "for-each-ref", "--format=%(contents)", cwd=lab.ghost_repo
    )


@pytest.mark.parametrize("linked", [False, True])
def test_a_lock_on_the_refs_is_told_before_files_are_written(lab: Lab, linked: bool) -> None:
    hash = stored(lab)
    place = pod = lab.fresh_clone("pod")
    git_dir = pod / ".git"
    if linked:
        place = lab.sandbox.root / "linked"
        lab.sandbox.git("worktree", "add", "-q", place, cwd=pod)
        git_dir = pod / ".git/worktrees/linked"
    lock = git_dir / "reftable/tables.list.lock"
    lock.touch()
    with untouched(place):
        assert f"{lock} exists" in lab.ghost("pull", hash, at=place).fails(5)
    lock.unlink()
    lab.ghost("pull", hash, at=place).ok()
    assert lab.tree_of(place) == hash


def test_the_lock_that_a_killed_pull_left_goes(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.sandbox.root / "pod"
    lab.ghost("clone", hash, pod).ok()
    _note_a_pull(pod)
    (pod / ".git/reftable/tables.list.lock").touch()
    lab.ghost("pull", hash, at=pod).ok()
    assert not list((pod / ".git/reftable").glob("*.lock"))


def _note_a_pull(pod: Path) -> None:
    """Leave what a pull notes down before it writes, as one that is killed does."""
    note = '{"tree": "", "mark": "git-ghost x", "backup": "", "contents": {}}'
    (pod / ".git/git-ghost/pull.json").write_text(note, encoding="ascii")


def test_a_cherry_pick_in_progress_is_seen(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    lab.sandbox.git("update-ref", "--no-deref", "CHERRY_PICK_HEAD", "HEAD", cwd=pod)
    with untouched(pod):
        said = lab.ghost("pull", hash, at=pod).fails(5)
    assert "a cherry-pick is in progress" in said
