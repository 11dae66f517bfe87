"""What push calls stored can be pulled, even where the ghost repository loses objects."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from git_ghost.errors import GitFailed, RemoteError
from git_ghost.transport.causes import LOST, explain
from tests.support.lab import Lab
from tests.support.servers import Server

Damage = Callable[[Path], object]


def damage_truncate(path: Path) -> None:
    """Let an object's file be there, and make no sense."""
    path.chmod(0o644)
    path.write_bytes(b"nonsense")


def spoil(lab: Lab, what: str, how: Damage = Path.unlink) -> None:
    """Damage an object of the only ghost: its commit, its tree or its patch."""
    name = {"commit": "", "tree": "^{tree}", "patch": ":local-mod.patch"}[what]
    value = lab.sandbox.text("rev-parse", lab.ghost_refs()[0] + name, cwd=lab.ghost_repo)
    how(lab.ghost_repo / "objects" / value[:2] / value[2:])


def assert_whole(lab: Lab, name: str) -> None:
    """Assert that what is on the laptop can be rebuilt from its hash."""
    tree = lab.tree_of()
    lab.ghost("clone", "--source", lab.source_url, tree, lab.sandbox.root / name).ok()
    lab.sandbox.git("fsck", "--no-progress", cwd=lab.ghost_repo)


@pytest.mark.parametrize("what", ["commit", "tree", "patch"])
def test_a_ghost_whose_objects_are_gone_is_sent_anew(lab: Lab, what: str) -> None:
    lab.write("foo", b"b\n")
    lab.ghost("push").ok()
    spoil(lab, what)
    again = lab.ghost("push")
    assert again.ok()
    assert again.err.startswith("sent to ")
    assert "was there, but incomplete; it was sent again" in again.err
    assert_whole(lab, "pod")
    assert lab.ghost("push").err.startswith("already in ")


def test_one_that_stays_damaged_is_an_error_that_says_what_to_do(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.ghost("push").ok()
    spoil(lab, "patch", damage_truncate)
    result = lab.ghost("push")
    assert "cannot serve it, not even after it was sent again" in result.fails(7)
    assert "git fsck" in result.err
    assert result.out == b""


@pytest.mark.slow
def test_a_server_behind_a_network_is_asked_too(lab: Lab, git_server: Server) -> None:
    lab = Lab(lab.sandbox.__class__(lab.sandbox.root / "other"), server=git_server)
    lab.write("foo", b"b\n")
    lab.ghost("push").ok()
    spoil(lab, "commit")
    assert "it was sent again" in lab.ghost("push").err
    assert_whole(lab, "pod")


def test_list_and_doctor_name_a_ghost_whose_objects_are_gone(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    tree = lab.ghost("push").ok().split()[-1]
    spoil(lab, "commit")
    listed = lab.ghost("list")
    assert tree in listed.ok()
    assert f"the objects of 1 ghost are gone: {tree}" in listed.err
    assert f"the objects of 1 are gone: {tree}" in lab.ghost("doctor").ok()
    lab.ghost("delete", tree).ok()
    assert "gone" not in lab.ghost("list").err


def test_another_ghost_without_objects_is_named_where_it_stops_a_push(lab: Lab) -> None:
    """git takes nothing into a repository one of whose branches is broken."""
    lab.write("foo", b"b\n")
    lab.ghost("push").ok()
    broken = lab.ghost_refs()[0]
    spoil(lab, "commit")
    lab.write("foo", b"c\n")
    result = lab.ghost("push")
    assert f"the objects of {broken} are gone" in result.fails(7)
    assert "git ghost delete" in result.err
    lab.ghost("delete", broken.split("/")[-1]).ok()
    lab.ghost("push").ok()
    assert_whole(lab, "pod")


@pytest.mark.parametrize(
    "said",
    [
        "refs/heads/x: [remote rejected] (missing necessary objects)",
        "remote: error: unable to create temporary file: No such file or directory",
        "remote: error: unable to write file /g.git/objects/a9/1f: No such file or directory",
        "refs/heads/x: [remote rejected] (unable to migrate objects to permanent storage)",
        "remote: fatal: not a git repository: '.'",
        "remote: fatal: bad tree object e67bd1b337665ec38c48bb586c010dcd7f9bc28d",
        "error: unpack should have generated 2a3f50bf4ce629e3b737793543c56b7b71f4ebe0, but I can't",
    ],
)
def test_what_a_server_says_that_loses_objects_is_told_as_passing(said: str) -> None:
    error = explain(GitFailed(("git", "push"), 1, said), "/g.git")
    assert error.message.startswith(LOST)
    assert isinstance(error, RemoteError)
    assert error.passing


@pytest.mark.slow
def test_a_push_beside_an_endless_gc_is_tried_again(lab: Lab) -> None:
    """`gc --prune=now` takes objects that have come and that no branch has yet."""
    stop = threading.Event()

    def collect() -> None:
        while not stop.is_set():
            lab.sandbox.git("gc", "--quiet", "--prune=now", cwd=lab.ghost_repo, check=False)

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        for number in range(10):
            lab.write("foo", b"%d\n" % number)
            result = lab.ghost("push")
            assert "there is no repository" not in result.err
            if result.code:  # gc may win: a branch is there, or comes, whose objects are not
                said = result.fails(7)
                assert LOST in said or "gone, and git takes nothing more" in said
                break
    finally:
        stop.set()
        collector.join()


def test_a_message_that_is_not_stored_is_told(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    assert "warning" not in lab.ghost("push", "-m", "first").err
    again = lab.ghost("push", "-m", "second")
    assert again.ok()
    assert "its message is 'first': that of -m is not stored" in again.err
    assert "warning" not in lab.ghost("push", "-m", "first").err
    way_out = again.err.partition("(git ghost ")[2].partition(")")[0].split()
    lab.ghost(*way_out).ok()
    assert "warning" not in lab.ghost("push", "-m", "second").err
    lab.commit("Local")
    lab.write("foo", b"c\n")
    lab.ghost("push").ok()
    lab.write("foo", b"d\n")  # the commits are there, the tree is new: so is the message
    assert "warning" not in lab.ghost("push", "-m", "third").err
