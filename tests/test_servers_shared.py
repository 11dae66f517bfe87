"""Many users at one ghost repository: at the same time, and with a lot in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from git_ghost.store import send
from git_ghost.store.format import DiffGhost
from git_ghost.store.listing import place_of
from git_ghost.store.repository import GhostRepository
from git_ghost.usecases import delete, list_ghosts, push
from tests.support.sandbox import Sandbox
from tests.support.served import Served
from tests.support.servers import FileServer, Server

_MEET = """\
#!/bin/sh
cat >/dev/null
if mkdir "{folder}/first" 2>/dev/null; then
    read line <"{folder}/pipe"
elif mkdir "{folder}/second" 2>/dev/null; then
    echo >"{folder}/pipe"
fi
"""
"""A pre-receive hook that lets the first push go on only when the second has come as far."""


@pytest.fixture
def lab(in_sandbox: Sandbox, any_server: Server, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Return a lab with its remotes on each kind of server in turn."""
    return Served(in_sandbox, any_server, monkeypatch)


@pytest.fixture
def file_lab(in_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Return a lab with its remotes behind git's protocol, but no network."""
    return Served(in_sandbox, FileServer(tmp_path / "files"), monkeypatch)


def hook(lab: Served, name: str, script: str) -> None:
    """Give the ghost repository a hook."""
    path = lab.ghost_repo / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)


def fill(lab: Served, count: int) -> list[str]:
    """Store so many diff ghosts, all of one commit, without pushing each; return their refs."""
    push(lab.options())
    (ref,) = lab.ghost_refs()
    commit = lab.sandbox.text("rev-parse", ref, cwd=lab.ghost_repo)
    refs = [f"refs/heads/ghost/{lab.head()}/{number:040x}" for number in range(count)]
    feed = "".join(f"create {ref} {commit}\n" for ref in refs) + f"delete {ref}\n"
    lab.sandbox.git("update-ref", "--stdin", cwd=lab.ghost_repo, stdin=feed.encode())
    return refs


def test_two_processes_that_push_the_same_ghost_at_once_both_succeed(
    lab: Served, tmp_path: Path
) -> None:
    folder = tmp_path / "meet"
    folder.mkdir()
    subprocess.run(["mkfifo", folder / "pipe"], check=True)
    hook(lab, "pre-receive", _MEET.format(folder=folder))
    tree = lab.edit()
    env = {**lab.sandbox.env, "GIT_GHOST_REPO": lab.ghost_url}
    both = [
        subprocess.Popen(
            # Different messages: two commits, of which only one can have the name.
            [sys.executable, "-m", "git_ghost", "push", "-m", f"from {who}"],
            cwd=lab.laptop, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for who in ("one", "two")
    ]  # fmt: skip
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()
        assert out.decode().split()[-1] == tree
    assert (folder / "second").exists()
    assert len(lab.ghost_refs()) == 1


def test_a_ghost_that_changed_since_it_was_listed_is_not_deleted(lab: Served) -> None:
    lab.edit()
    push(lab.options(), message="one")
    lab.write("foo", b"another\n")
    push(lab.options(), message="two")
    listed = list_ghosts(lab.options())
    changed, other = listed
    lab.sandbox.git("update-ref", changed.ghost.ref, other.commit, cwd=lab.ghost_repo)
    place = place_of(None)
    assert send.delete(place, GhostRepository(lab.ghost_url, "ghost"), listed) == [other]
    assert lab.ghost_refs() == [changed.ghost.ref]
    assert send.delete(place, GhostRepository(lab.ghost_url, "ghost"), listed) == []


def test_hundreds_of_ghosts_are_deleted_in_a_few_sessions(lab: Served) -> None:
    refs = fill(lab, 600)
    before = lab.server.connections
    deleted = delete(lab.options(), start="*", to="*")
    assert [listed.ghost.ref for listed in deleted] == refs
    assert lab.ghost_refs() == []
    assert lab.server.connections - before in (0, 3)  # the list, 500, 100


def test_names_that_are_no_ghosts_are_left_alone(file_lab: Served) -> None:
    lab = file_lab
    (ref,) = fill(lab, 1)
    others = [
        "refs/heads/main",
        "refs/heads/ghost/short/name",
        f"refs/heads/ghost/{'0' * 40}",
        f"refs/heads/other/{'0' * 40}/{'1' * 40}",
        f"refs/tags/ghost/{'0' * 40}/{'1' * 40}",
    ]
    for other in others:
        lab.sandbox.git("update-ref", other, ref, cwd=lab.ghost_repo)
    (listed,) = list_ghosts(lab.options(), what="all")
    assert listed.ghost == DiffGhost(lab.head(), "0" * 40)
    delete(lab.options(), what="all", start="*", to="*")
    assert lab.ghost_refs() == sorted(others)


def test_a_push_costs_the_same_session_however_many_ghosts_there_are(file_lab: Served) -> None:
    lab = file_lab
    fill(lab, 1000)
    lab.edit()
    (sent,) = push(lab.options()).ghosts
    assert sent.new
    # What is stored is its own commit, tree and patch: nothing of the source's history.
    missing = lab.sandbox.git("cat-file", "-e", lab.head(), cwd=lab.ghost_repo, check=False)
    assert missing == b""
    listing = lab.sandbox.text("rev-list", "--objects", sent.ghost.ref, cwd=lab.ghost_repo)
    assert len(listing.splitlines()) == 3
