"""Everything git ghost does, through every kind of server that git has."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest

from git_ghost.errors import NoSuchBase, NoSuchGhost
from git_ghost.usecases import Options, clone, delete, diff, list_ghosts, pull, push, show
from tests.support.sandbox import Sandbox
from tests.support.served import Served
from tests.support.servers import FileServer, Server


@pytest.fixture
def lab(in_sandbox: Sandbox, any_server: Server, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Return a lab with its remotes on each kind of server in turn."""
    return Served(in_sandbox, any_server, monkeypatch)


@pytest.fixture
def network_lab(
    in_sandbox: Sandbox, network_server: Server, monkeypatch: pytest.MonkeyPatch
) -> Served:
    """Return a lab with its remotes on each kind of server that listens on a port."""
    return Served(in_sandbox, network_server, monkeypatch)


@pytest.fixture
def file_lab(in_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Return a lab with its remotes behind git's protocol, but no network."""
    return Served(in_sandbox, FileServer(tmp_path / "files"), monkeypatch)


def test_a_tree_comes_back_exactly_and_can_be_shown_listed_and_deleted(lab: Served) -> None:
    tree = lab.edit()
    pushed = push(lab.options())
    assert pushed.hash == tree
    assert [sent.new for sent in pushed.ghosts] == [True]
    assert [sent.new for sent in push(lab.options()).ghosts] == [False]
    pod = lab.fresh_clone("pod")
    pulled = pull(tree, lab.options(pod))
    assert (pulled.tree, pulled.verified) == (tree, True)
    assert lab.disk_state(pod) == lab.disk_state()
    out = io.BytesIO()
    show(tree, lab.options(pod), out=out)
    assert out.getvalue() == diff(None, None, lab.options())
    (listed,) = list_ghosts(lab.options())
    assert listed.ghost == pushed.ghosts[0].ghost
    assert delete(lab.options(), hashes=[tree]) == [listed]
    assert lab.ghost_refs() == []
    with pytest.raises(NoSuchGhost, match=tree):
        pull(tree, lab.options(pod))
    assert lab.temporary_files() == []


def test_local_commits_travel_with_their_ids(lab: Served) -> None:
    pod = lab.fresh_clone("pod")
    base = lab.head()
    lab.write("src/train.py", b"print('better')\n")
    head = lab.commit("Not pushed")
    tree = lab.edit()
    pushed = push(lab.options())
    assert pushed.lines == (f"{base} {head}", f"{head} {tree}")
    pull(tree, lab.options(pod))
    assert lab.head(at=pod) == head
    assert lab.disk_state(pod) == lab.disk_state()


def test_a_clone_needs_nothing_but_the_hash(lab: Served, tmp_path: Path) -> None:
    lab.write("src/train.py", b"print('better')\n")
    head = lab.commit("Not pushed")
    tree = lab.edit()
    push(lab.options())
    workspace = tmp_path / "work space"
    cloned = clone(tree, str(workspace), Options(repo=lab.ghost_url))
    assert cloned.pulled.tree == tree
    assert lab.head(at=workspace) == head
    assert lab.disk_state(workspace) == lab.disk_state()
    assert lab.temporary_files() == []


def test_the_source_repository_can_hold_the_ghosts_too(lab: Served, tmp_path: Path) -> None:
    options = lab.options(repo=lab.source_url)
    lab.commit("Not pushed")
    tree = lab.edit()
    push(options)
    workspace = tmp_path / "workspace"
    clone(tree, str(workspace), Options(repo=lab.source_url))
    assert lab.disk_state(workspace) == lab.disk_state()
    # A colleague who fetches branches gets no ghost's content checked out, and can pull.
    pod = lab.fresh_clone("pod")
    pull(tree, lab.options(pod, lab.source_url))
    assert lab.disk_state(pod) == lab.disk_state()
    assert len(delete(options, what="all", start="*", to="*")) == 2


def test_sha256_repositories_work_through_every_server(
    in_sandbox: Sandbox, any_server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lab = Served(in_sandbox, any_server, monkeypatch, "sha256")
    pod = lab.fresh_clone("pod")
    lab.commit("Not pushed")
    tree = lab.edit()
    assert len(push(lab.options()).hash) == 64
    pull(tree, lab.options(pod))
    assert lab.disk_state(pod) == lab.disk_state()
    clone(tree, str(tmp_path / "workspace"), Options(repo=lab.ghost_url))
    assert lab.disk_state(tmp_path / "workspace") == lab.disk_state()


# --- sessions -------------------------------------------------------------------------------------


def test_any_push_is_one_network_session(network_lab: Served) -> None:
    lab, server = network_lab, network_lab.server
    before = server.connections
    lab.edit()
    push(lab.options())
    assert server.connections == before + 1
    lab.commit("Not pushed")
    lab.write("foo", b"c\n")
    assert len(push(lab.options()).ghosts) == 2
    assert server.connections == before + 2
    lab.write("foo", b"d\n")
    assert [sent.new for sent in push(lab.options()).ghosts] == [False, True]
    assert server.connections == before + 3
    push(lab.options(), dry_run=True)
    assert server.connections == before + 3
    push(lab.options())  # all is there: a second session looks whether it can be had
    assert server.connections in (before + 4, before + 5)  # of ssh it is the same connection


def test_a_pull_onto_a_base_that_is_here_is_one_network_session(network_lab: Served) -> None:
    lab = network_lab
    tree = lab.edit()
    push(lab.options())
    pod = lab.fresh_clone("pod")
    before = lab.server.connections
    pull(tree, lab.options(pod))
    assert lab.server.connections == before + 1


def test_a_clone_is_one_network_session_to_each_repository(
    network_lab: Served, tmp_path: Path
) -> None:
    lab = network_lab
    tree = lab.edit()
    push(lab.options())
    before = lab.server.connections
    clone(tree, str(tmp_path / "workspace"), Options(repo=lab.ghost_url))
    assert 1 <= lab.server.connections - before <= 2  # ssh shares one where it can


# --- protocol versions ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_every_version_of_the_protocol_will_do(
    network_lab: Served, version: str, tmp_path: Path
) -> None:
    lab = network_lab
    lab.sandbox.config("protocol.version", version)
    pod = lab.fresh_clone("pod", "--depth=1")
    lab.write("src/train.py", b"print('pushed since')\n")
    lab.commit("Pushed after the pod was made")
    lab.push()
    lab.commit("Not pushed")
    tree = lab.edit()
    push(lab.options())
    pull(tree, lab.options(pod))
    assert lab.disk_state(pod) == lab.disk_state()
    clone(tree, str(tmp_path / "workspace"), Options(repo=lab.ghost_url))
    assert lab.disk_state(tmp_path / "workspace") == lab.disk_state()


def test_a_server_that_gives_out_branch_tips_only_still_gives_the_base(
    network_lab: Served, tmp_path: Path
) -> None:
    lab = network_lab
    for name in ("allowTipSHA1InWant", "allowReachableSHA1InWant", "allowAnySHA1InWant"):
        lab.sandbox.git("config", f"uploadpack.{name}", "false", cwd=lab.source)
    lab.sandbox.config("protocol.version", "0")
    pod = lab.fresh_clone("pod", "--depth=1")
    lab.write("src/train.py", b"print('base')\n")
    lab.commit("The base")
    lab.push()
    tree = lab.edit()
    push(lab.options())
    lab.sandbox.git("stash", "--include-untracked", cwd=lab.laptop)
    lab.commit("The branch moves on")
    lab.push()
    lab.sandbox.git("reset", "--quiet", "--hard", "HEAD^", cwd=lab.laptop)
    lab.sandbox.git("stash", "pop", cwd=lab.laptop)
    refs = lab.sandbox.text("for-each-ref", cwd=pod)
    pull(tree, lab.options(pod))
    assert lab.disk_state(pod) == lab.disk_state()
    assert "git-ghost" not in lab.sandbox.text("for-each-ref", cwd=pod)
    assert refs.count("\n") <= lab.sandbox.text("for-each-ref", cwd=pod).count("\n")
    workspace = tmp_path / "workspace"
    clone(tree, str(workspace), Options(repo=lab.ghost_url))
    assert lab.disk_state(workspace) == lab.disk_state()
    assert "refs/git-ghost" not in lab.sandbox.text("for-each-ref", cwd=workspace)


# --- what is not there ----------------------------------------------------------------------------


def test_a_hash_nobody_pushed_is_no_ghost_anywhere(lab: Served, tmp_path: Path) -> None:
    options = lab.options()
    for missing in ("0123456789" * 4, "0123456"):
        with pytest.raises(NoSuchGhost, match=missing):
            pull(missing, options)
        with pytest.raises(NoSuchGhost, match=missing):
            clone(missing, str(tmp_path / "workspace"), Options(repo=lab.ghost_url))
        with pytest.raises(NoSuchGhost, match=missing):
            show(missing, options, out=io.BytesIO())
        with pytest.raises(NoSuchGhost, match=missing):
            delete(options, hashes=[missing])
    assert not (tmp_path / "workspace").exists()
    assert lab.temporary_files() == []


def test_a_base_that_is_nowhere_is_named(lab: Served, tmp_path: Path) -> None:
    lab.write("foo", b"never pushed\n")
    base = lab.commit("Never pushed")
    tree = lab.edit()
    push(lab.options(), what="diff")
    pod = lab.fresh_clone("pod")
    before = lab.disk_state(pod)
    with pytest.raises(NoSuchBase, match=base) as caught:
        pull(tree, lab.options(pod))
    assert caught.value.hint
    assert lab.disk_state(pod) == before
    with pytest.raises(NoSuchBase, match=base):
        clone(tree, str(tmp_path / "workspace"), Options(repo=lab.ghost_url))
    assert not (tmp_path / "workspace").exists()
    assert lab.temporary_files() == []


def test_an_empty_ghost_repository_has_no_ghosts(lab: Served) -> None:
    assert list_ghosts(lab.options(), what="all") == []
    assert delete(lab.options(), what="all", start="*", to="*") == []


def test_the_ghost_repository_may_be_relative_to_the_current_folder(
    file_lab: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = file_lab
    monkeypatch.chdir(lab.ghost_repo.parent)
    tree = lab.edit()
    push(replace(lab.options(), repo="ghosts.git"))
    assert [listed.ghost.to for listed in list_ghosts(lab.options())] == [tree]


def test_progress_is_told_while_much_is_on_its_way_and_never_printed(
    file_lab: Served, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lab = file_lab
    heard: list[str] = []
    lab.write("noise.bin", os.urandom(3_000_000))
    tree = push(replace(lab.options(), progress=heard.append)).hash
    assert any("Writing objects" in line for line in heard)
    heard.clear()
    options = Options(repo=lab.ghost_url, progress=heard.append)
    clone(tree, str(tmp_path / "workspace"), options)
    assert any("objects" in line for line in heard)
    assert not [line for line in heard if "\r" in line or "\n" in line or not line]
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")
