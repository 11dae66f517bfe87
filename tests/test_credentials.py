"""Passwords in URLs are used, and neither shown nor stored; the repository's own settings hold."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from git_ghost.errors import GhostError
from git_ghost.usecases import Options, clone, delete, list_ghosts, pull, push
from tests.support.http import HttpServer
from tests.support.sandbox import Result, Sandbox
from tests.support.served import Served
from tests.support.servers import FileServer
from tests.support.ssh import SshServer

SECRETS = (HttpServer.password, quote(HttpServer.password, safe=""), quote(HttpServer.password))


@pytest.fixture
def lab(http_server: HttpServer, in_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Return a lab behind a password, which nothing but a URL can tell."""
    lab = Served(in_sandbox, http_server, monkeypatch)
    lab.sandbox.git("config", "--global", "--unset", "credential.helper")
    return lab


@pytest.fixture
def ghosts(http_server: HttpServer) -> str:
    """Return the ghost repository's URL with the password in it."""
    return http_server.url_with_password("ghosts.git")


@pytest.fixture
def source(http_server: HttpServer) -> str:
    """Return the source repository's URL with the password in it."""
    return http_server.url_with_password("source.git")


def assert_unsaid(*results: Result) -> None:
    """Assert that no output holds the password, in any spelling."""
    for result in results:
        said = result.out.decode("utf-8", "replace") + result.err
        assert not [secret for secret in SECRETS if secret in said], said


def holders(*places: Path) -> list[str]:
    """Return the files that hold the password, packed git objects left to `objects_of`."""
    found = []
    for place in places:
        for path in place.rglob("*"):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes().decode("latin-1")
                found += [str(path) for secret in SECRETS if secret in content]
    return found


def objects_of(lab: Served, path: Path) -> str:
    """Return the content of every object in a repository."""
    args = ("cat-file", "--batch-all-objects", "--batch", "--unordered")
    return lab.sandbox.git(*args, cwd=path).decode("latin-1")


def test_a_password_in_a_url_is_used_but_neither_shown_nor_stored(
    lab: Served, ghosts: str, source: str, tmp_path: Path
) -> None:
    lab.sandbox.git("remote", "set-url", "origin", source, cwd=lab.laptop)
    own = lab.laptop / ".git/config"
    lab.commit("Not pushed")
    tree = lab.edit()
    lab.source_url = source
    pod = lab.fresh_clone("pod")
    workspace = tmp_path / "workspace"
    lab.ghost_url = ghosts
    clone_it = ("clone", "--source", source, tree, str(workspace))
    results = [
        lab.ghost("-vvv", *args, at=at)
        for args, at in (
            (("push", "--dry-run"), lab.laptop),
            (("push", "-m", "A run"), lab.laptop),
            (("push", "--json"), lab.laptop),
            (("doctor",), lab.laptop),
            (("pull", tree), pod),
            (("show", tree), pod),
            (("list", "all"), pod),
            (clone_it, lab.sandbox.root),
            (("delete", "all", "--from", "*", "--to", "*", "--dry-run"), pod),
        )
    ]
    for result in results:
        result.ok()
    assert_unsaid(*results)
    assert lab.disk_state(workspace) == lab.disk_state(pod) == lab.disk_state()
    stored = objects_of(lab, lab.ghost_repo)
    assert "Ghost-Source: http://127.0.0.1" in stored
    assert not [secret for secret in SECRETS if secret in stored]
    kept = {str(own), str(pod / ".git/config")}  # where the user wrote it
    assert set(holders(lab.sandbox.root, workspace, lab.ghost_repo)) <= kept
    assert lab.temporary_files() == []


def test_a_password_in_the_settings_is_not_shown(lab: Served, ghosts: str, source: str) -> None:
    lab.sandbox.git("config", "ghost.repo", ghosts, cwd=lab.laptop)
    lab.sandbox.git("config", "ghost.source", source, cwd=lab.laptop)
    lab.sandbox.git("remote", "set-url", "origin", source, cwd=lab.laptop)
    lab.edit()
    results = [
        lab.sandbox.ghost(*args, "-vvv", cwd=lab.laptop)
        for args in (("push",), ("doctor",), ("list",), ("diff",))
    ]
    for result in results:
        result.ok()
    assert_unsaid(*results)


def test_a_password_that_an_insteadof_rule_adds_is_not_shown(
    lab: Served, http_server: HttpServer
) -> None:
    plain = http_server.url("")
    secret = http_server.url_with_password("")
    lab.sandbox.git("config", f"url.{secret}.insteadOf", "work:", cwd=lab.laptop)
    lab.sandbox.git("remote", "set-url", "origin", "work:source.git", cwd=lab.laptop)
    tree = lab.edit()
    results = [
        lab.sandbox.ghost("--ghost-repo", f"work:{name}", *args, "-vvv", cwd=lab.laptop)
        for name in ("ghosts.git", "missing.git")
        for args in (("push",), ("pull", tree), ("list",), ("doctor",), ("show", tree))
    ]
    assert_unsaid(*results)
    for result in results[:5]:
        result.ok()
    stored = objects_of(lab, lab.ghost_repo)
    assert f"Ghost-Source: {plain}source.git" in stored
    assert not [one for one in SECRETS if one in stored]
    assert lab.temporary_files() == []


def test_no_failure_shows_a_password(
    lab: Served, http_server: HttpServer, ghosts: str, tmp_path: Path
) -> None:
    tree = lab.edit()
    push(lab.options(repo=ghosts))
    wrong = ghosts.replace("ghost:", "nobody:")
    gone = ghosts.replace("ghosts.git", "missing.git")
    closed = ghosts.replace(str(http_server.port), "1")
    odd = f"http://ghost:{http_server.password}@nowhere.invalid/ghosts.git"  # not even quoted
    helper = f"nothing::{ghosts}"
    work = str(tmp_path / "workspace")
    for url in (wrong, gone, closed, odd, helper, f"-{ghosts}"):
        assert_unsaid(
            *(
                lab.sandbox.ghost("-vvv", f"--ghost-repo={url}", *args, cwd=lab.laptop)
                for args in (("push",), ("pull", tree), ("list",), ("doctor",))
            ),
            lab.sandbox.ghost("-vvv", f"--ghost-repo={url}", "clone", tree, work),
            lab.ghost("-vvv", "clone", "--source", url, tree, work, env={"GIT_GHOST_REPO": ghosts}),
        )
    assert holders(lab.sandbox.root, lab.ghost_repo) == []
    assert lab.temporary_files() == []


def test_git_is_not_told_to_trace(lab: Served, ghosts: str) -> None:
    said = lab.ghost("-vvv", "push", env={"GIT_GHOST_REPO": ghosts}).err
    assert "trace: " not in said
    assert "Authorization" not in said


# --- the repository's own configuration --------------------------------------------------------


def settings_at(lab: Served, path: Path, lines: str) -> None:
    """Write a git configuration file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines.format(helper=quoted(helper_of(lab))), encoding="utf-8")


def quoted(value: str) -> str:
    """Quote a value for a git configuration file."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def helper_of(lab: Served) -> str:
    assert isinstance(lab.server, HttpServer)
    return lab.server.credential_helper


HELPER = "[credential]\n\thelper = {helper}\n"


def round_trip(lab: Served, at: Path) -> None:
    """Push from the working tree at ``at``, list, pull it there again, delete it."""
    options = lab.options(at)
    tree = lab.tree_of(at)
    assert push(options).hash == tree
    assert [listed.ghost.to for listed in list_ghosts(options)] == [tree]
    assert pull(tree, options).tree == tree
    assert len(delete(options, hashes=[tree])) == 1


def test_a_credential_helper_of_the_repository_is_used(lab: Served) -> None:
    lab.sandbox.git("config", "credential.helper", helper_of(lab), cwd=lab.laptop)
    round_trip(lab, lab.laptop)


@pytest.mark.parametrize("place", ["local", "global"])
@pytest.mark.parametrize("exact", [False, True])
def test_a_conditional_include_is_honoured(lab: Served, place: str, exact: bool) -> None:
    settings_at(lab, lab.sandbox.home / "work 'settings'", HELPER)
    condition = f"gitdir:{lab.laptop}/.git" if exact else f"gitdir:{lab.laptop.parent}/"
    key = f"includeIf.{condition}.path"
    value = str(lab.sandbox.home / "work 'settings'")
    lab.sandbox.git("config", f"--{place}", key, value, cwd=lab.laptop)
    round_trip(lab, lab.laptop)


def test_an_include_for_a_branch_is_honoured(lab: Served) -> None:
    settings_at(lab, lab.laptop / ".git/branch settings", HELPER)
    lab.sandbox.git("config", "includeIf.onbranch:main.path", "branch settings", cwd=lab.laptop)
    round_trip(lab, lab.laptop)


def test_the_settings_of_a_linked_worktree_are_honoured(lab: Served) -> None:
    linked = lab.sandbox.root / 'a "linked" work tree'
    lab.sandbox.git("config", "extensions.worktreeConfig", "true", cwd=lab.laptop)
    lab.sandbox.git("worktree", "add", "--quiet", "--detach", linked, cwd=lab.laptop)
    name = lab.sandbox.text("rev-parse", "--absolute-git-dir", cwd=linked)
    settings_at(lab, Path(name) / "config.worktree", HELPER)
    round_trip(lab, linked)


def test_a_repository_whose_path_needs_quotes_keeps_its_settings(lab: Served) -> None:
    odd = lab.sandbox.root / 'it\'s a "path"\\with: odd #things;'
    lab.laptop.rename(odd)
    lab.sandbox.git("config", "credential.helper", helper_of(lab), cwd=odd)
    round_trip(lab, odd)


def test_a_header_from_the_global_settings_is_sent_once(lab: Served) -> None:
    assert isinstance(lab.server, HttpServer)
    login = f"{lab.server.user}:{lab.server.password}".encode()
    header = f"Authorization: Basic {base64.b64encode(login).decode()}"
    lab.sandbox.config("http.extraHeader", header)
    lab.server.requests.clear()
    round_trip(lab, lab.laptop)
    # Two of them would be joined or refused; http.server hands out the first, so look at the log.
    assert {request.status for request in lab.server.requests} == {200}


def test_settings_in_the_environment_reach_a_clone_too(
    lab: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "credential.helper")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", helper_of(lab))
    round_trip(lab, lab.laptop)
    tree = lab.edit()
    push(lab.options())
    clone(tree, str(tmp_path / "workspace"), Options(repo=lab.ghost_url))
    assert lab.disk_state(tmp_path / "workspace") == lab.disk_state()


def test_an_ssh_command_of_the_repository_is_used(
    ssh_server: SshServer, in_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Served(in_sandbox, ssh_server, monkeypatch)
    monkeypatch.delenv("GIT_SSH_COMMAND")
    with pytest.raises(GhostError):
        push(lab.options())
    ssh = ssh_server.client_env()["GIT_SSH_COMMAND"]
    (lab.laptop / "ssh here").write_text(f'#!/bin/sh\nexec {ssh} "$@"\n')
    (lab.laptop / "ssh here").chmod(0o755)
    lab.sandbox.git("config", "core.sshCommand", "'./ssh here'", cwd=lab.laptop)
    lab.sandbox.git("config", "ssh.variant", "ssh", cwd=lab.laptop)
    round_trip(lab, lab.laptop)


def test_rules_for_urls_are_followed(
    in_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Served(in_sandbox, FileServer(tmp_path / "files"), monkeypatch)
    server = f"file://{lab.server.root}/"
    lab.sandbox.git("config", f"url.{server}.insteadOf", "work:", cwd=lab.laptop)
    options = Options(directory=str(lab.laptop), repo="work:ghosts.git")
    tree = lab.edit()
    push(options)
    assert [listed.ghost.to for listed in list_ghosts(options)] == [tree]
    assert pull(tree, options).tree == tree
    lab.server.create("writable.git")
    elsewhere = ("config", f"url.{server}writable.git.pushInsteadOf", "work:ghosts.git")
    lab.sandbox.git(*elsewhere, cwd=lab.laptop)
    lab.write("foo", b"c\n")
    push(options)
    assert [listed.ghost.to for listed in list_ghosts(options)] == [tree]
    written = lab.sandbox.text("for-each-ref", cwd=lab.server.root / "writable.git")
    assert len(written.splitlines()) == 1


def test_the_user_may_name_another_port_or_proxy(lab: Served, ghosts: str) -> None:
    lab.sandbox.git("config", "http.proxy", "http://127.0.0.1:1", cwd=lab.laptop)
    with pytest.raises(GhostError, match="no connection"):
        push(lab.options(repo=ghosts))
    with pytest.raises(GhostError, match="no connection"):
        pull("a" * 40, lab.options(repo=ghosts))
    assert not os.environ.get("http_proxy")
