"""Places and trees that are out of the ordinary: deep ones, borrowed objects, volumes, names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.lab import Lab


def test_a_new_volume_is_cloned_into_whatever_its_file_system_put_there(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    hash = lab.ghost("push").ok().split()[-1]
    pod = lab.sandbox.root / "volume"
    (pod / "lost+found").mkdir(parents=True)
    (pod / "lost+found/#12").touch()  # what a check of the file system found
    lab.ghost("clone", "1" * 40, pod).fails(3)
    assert [path.name for path in pod.iterdir()] == ["lost+found"]
    lab.ghost("clone", "--exact", hash, pod).ok()
    assert (pod / "lost+found/#12").exists()
    lab.ghost("pull", "--exact", hash, at=pod).ok()
    assert lab.ghost("push", at=pod).ok().split()[-1] == hash


def test_objects_may_be_borrowed_five_repositories_deep(lab: Lab) -> None:
    place = lab.laptop
    for n in range(6):
        name = "a:b" if n == 2 else f"borrower-{n}"  # git separates such paths by colons
        lab.sandbox.git("clone", "-q", "--shared", place, lab.sandbox.root / name)
        place = lab.sandbox.root / name
    lab.sandbox.git("remote", "set-url", "origin", lab.source_url, cwd=place)
    lab.write("foo", b"b\n", at=place)
    hash = lab.ghost("push", at=place).ok().split()[-1]
    lab.sandbox.git("checkout", "-q", "--", ".", cwd=place)
    assert lab.ghost("pull", hash, at=place).err.startswith("pulled")
    assert lab.tree_of(place) == hash


@pytest.mark.slow  # git itself takes seconds for such a tree
def test_a_tree_may_be_deeper_than_pythons_stack(lab: Lab) -> None:
    folder = os.open(lab.laptop, os.O_RDONLY)
    for _ in range(1050):
        os.mkdir("d", dir_fd=folder)
        inside = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inside
    os.close(os.open("file", os.O_CREAT, dir_fd=folder))
    os.close(folder)
    hash = lab.ghost("push").ok().split()[-1]
    root, pod = lab.sandbox.root, lab.fresh_clone("pod")
    lab.ghost("pull", hash, at=pod).ok()  # which checks the tree id
    assert lab.ghost("clone", hash, "damaged", "--source=/nowhere", at=root).code == 7
    assert not (root / "damaged").exists()
    lab.sandbox.run("rm", "-r", lab.laptop / "d", pod).ok()  # pytest would recurse


def test_a_name_that_git_does_not_check_out_ends_with_6(lab: Lab) -> None:
    lab.sandbox.git("config", "core.protectNTFS", "false", cwd=lab.laptop)
    lab.write("git~1", b"fine here\n")
    lab.commit("A name that means .git on Windows")
    lab.push()
    lab.write("foo", b"b\n")
    base, hash = lab.ghost("push").ok().split()[-2:]
    place, pod = lab.fresh_clone("place", "--no-checkout"), lab.sandbox.root / "pod"
    lab.sandbox.git("checkout", "-q", f"{base}~1", cwd=place)
    for said in (
        lab.ghost("clone", hash, pod).fails(6),
        lab.ghost("pull", hash, at=place).fails(6),
    ):
        assert "git~1" in said
    assert not pod.exists()


@pytest.mark.parametrize("left", ["half removed", "not locked yet", "renamed"])
def test_what_a_kill_left_of_a_private_folder_is_swept_by_the_next_command(
    lab: Lab, left: str
) -> None:
    hash = lab.ghost("push").ok().split()[-1]
    place = Path(lab.sandbox.env["TMPDIR"])
    folder = place / f"git-ghost-0123456789ab{'.gone' if left == 'renamed' else ''}"
    folder.mkdir(mode=0o700)
    if left != "not locked yet":
        (folder / "password").write_bytes(b"secret")
    lab.ghost("clone", hash, lab.sandbox.root / "pod").ok()
    assert list(place.iterdir()) == []
