"""What servers and networks do wrong is told in a sentence, and leaves everything as it was."""

from __future__ import annotations

import io
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from git_ghost.errors import GhostError, NoSuchBase, RemoteError
from git_ghost.usecases import Options, clone, list_ghosts, pull, push, show
from tests.support.http import HttpServer
from tests.support.sandbox import Sandbox
from tests.support.served import Served
from tests.support.servers import FileServer, GitDaemon, PathServer, Server
from tests.support.ssh import SshServer

Serve = Callable[[Server], Served]


@pytest.fixture
def serve(in_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Return a function that makes a lab on a server."""
    return lambda server: Served(in_sandbox, server, monkeypatch)


@pytest.fixture
def lab(serve: Serve, tmp_path: Path) -> Served:
    """Return a lab that needs no network."""
    return serve(FileServer(tmp_path / "files"))


def refused(work: Callable[[], object], *words: str) -> RemoteError:
    """Assert that ``work`` ends in a RemoteError with a hint whose message holds all ``words``."""
    with pytest.raises(RemoteError) as caught:
        work()
    error = caught.value
    assert error.exit_code == 7
    assert error.hint
    for word in words:
        assert word in error.message
    for noise in ("Please make sure", "and the repository exists", "Counting objects", "hint:"):
        assert noise not in error.message
    return error


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def hook(lab: Served, name: str, script: str) -> None:
    """Give the ghost repository a hook."""
    path = lab.ghost_repo / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def become(monkeypatch: pytest.MonkeyPatch, env: dict[str, str]) -> None:
    """Add to this process's environment, for the length of the test."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)


URLS = {
    "git": "git://{host}/ghosts.git",
    "ssh": "ssh://ghost@{host}/ghosts.git",
    "http": "http://{host}/ghosts.git",
}


@pytest.mark.parametrize("scheme", URLS)
def test_an_unknown_host_is_named(
    lab: Served, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = URLS[scheme].format(host="nowhere.invalid")
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -F /dev/null -o BatchMode=yes")
    lab.edit()
    for work in (
        lambda: push(lab.options(repo=url)),
        lambda: pull("a" * 40, lab.options(repo=url)),
        lambda: list_ghosts(lab.options(repo=url)),
    ):
        refused(work, "unknown host in", url)
    assert lab.temporary_files() == []


@pytest.mark.parametrize("scheme", URLS)
def test_a_refused_connection_is_told(
    lab: Served, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = URLS[scheme].format(host=f"127.0.0.1:{closed_port()}")
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -F /dev/null -o BatchMode=yes")
    lab.edit()
    refused(lambda: push(lab.options(repo=url)), "no connection to", url)
    refused(lambda: pull("a" * 40, lab.options(repo=url)), "no connection to", url)


def test_a_repository_that_does_not_exist_is_told(
    in_sandbox: Sandbox, any_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Served(in_sandbox, any_server, monkeypatch)
    url = any_server.url("missing.git")
    lab.edit()
    for work in (
        lambda: push(lab.options(repo=url)),
        lambda: pull("a" * 40, lab.options(repo=url)),
        lambda: show("a" * 40, lab.options(repo=url), out=io.BytesIO()),
        lambda: list_ghosts(lab.options(repo=url)),
    ):
        refused(work, "there is no repository", url)
    assert not (lab.server.root / "missing.git").exists()


def test_the_message_of_a_servers_hook_is_shown(
    in_sandbox: Sandbox, any_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Served(in_sandbox, any_server, monkeypatch)
    hook(lab, "pre-receive", "echo 'No ghosts on Sundays. Permission denied: ask Ada' >&2; exit 1")
    lab.edit()
    words = ("the server refused the push to", lab.ghost_url, "No ghosts on Sundays")
    refused(lambda: push(lab.options()), *words)
    assert lab.ghost_refs() == []


@pytest.mark.parametrize("name", ["reference-transaction", "update"])
@pytest.mark.parametrize("place", ["hooks", "core.hooksPath"])
def test_a_hook_that_rejects_is_no_broken_connection(lab: Served, name: str, place: str) -> None:
    hook(lab, name, "echo 'No ghosts: try a broken pipe, early EOF' >&2; exit 1")
    if place != "hooks":  # of the user's, for every repository on this machine
        hooks = (lab.ghost_repo / "hooks").rename(lab.sandbox.root / "hooks")
        lab.sandbox.config(place, str(hooks))
    error = refused(lambda: push(lab.options()), "the server refused the push to", "No ghosts")
    assert not error.passing
    assert lab.ghost_refs() == []


def test_deletions_that_the_server_denies_are_told(lab: Served) -> None:
    from git_ghost.usecases import delete

    push(lab.options())
    lab.sandbox.git("config", "receive.denyDeletes", "true", cwd=lab.ghost_repo)
    words = ("refused the push to", lab.ghost_url, "deletion prohibited")
    refused(lambda: delete(lab.options(), start="*", to="*"), *words)
    assert len(lab.ghost_refs()) == 1


# --- who may ---------------------------------------------------------------------------------


def test_a_wrong_password_is_told(http_server: HttpServer, serve: Serve) -> None:
    lab = serve(http_server)
    lab.edit()
    lab.sandbox.config("credential.helper", http_server.wrong_credential_helper)
    words = ("wrong or missing credentials for", lab.ghost_url, "Authentication failed")
    refused(lambda: push(lab.options()), *words)
    lab.sandbox.git("config", "--global", "--unset", "credential.helper")
    refused(lambda: pull("a" * 40, lab.options()), *words[:2], "could not read Username")


def test_a_wrong_ssh_key_is_told(
    ssh_server: SshServer, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = serve(ssh_server)
    become(monkeypatch, ssh_server.client_env(key=ssh_server.wrong_key))
    words = ("wrong or missing credentials for", lab.ghost_url, "Permission denied (publickey)")
    refused(lambda: push(lab.options()), *words)


def test_an_unknown_ssh_host_key_is_told(
    ssh_server: SshServer, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = serve(ssh_server)
    become(monkeypatch, ssh_server.client_env(known_hosts=ssh_server.wrong_known_hosts))
    words = ("the ssh host key could not be verified for", lab.ghost_url)
    refused(lambda: push(lab.options()), *words)
    become(monkeypatch, ssh_server.client_env(known_hosts=Path(os.devnull)))
    refused(lambda: pull("a" * 40, lab.options()), *words)


def test_a_missing_ssh_program_is_told(lab: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GIT_SSH_COMMAND", raising=False)
    monkeypatch.setenv("GIT_SSH", "/nowhere/ssh")
    url = "ssh://127.0.0.1/ghosts.git"
    refused(lambda: push(lab.options(repo=url)), "there is no program '/nowhere/ssh'", url)


LAST_WORDS = {
    "nothing": ":",
    "closed": "echo Connection to ghosts.example.com closed by remote host. >&2",
    "shared": "echo Shared connection to ghosts.example.com closed. >&2",
}


@pytest.mark.parametrize("words", LAST_WORDS)
def test_an_ssh_connection_that_ends_without_a_reason_is_told(
    lab: Served, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "ssh"
    script.write_text(f"#!/bin/sh\n{LAST_WORDS[words]}\nexit 255\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    url = "ssh://ghosts.example.com/ghosts.git"
    lab.edit()
    for work in (
        lambda: push(lab.options(repo=url)),
        lambda: pull("a" * 40, lab.options(repo=url)),
    ):
        assert refused(work, f"the connection broke off while talking to {url}").passing


def test_http_servers_that_take_no_push_say_so(http_server: HttpServer, serve: Serve) -> None:
    lab = serve(http_server)
    lab.sandbox.git("config", "http.receivepack", "false", cwd=lab.ghost_repo)
    refused(lambda: push(lab.options()), "no permission to do this in", lab.ghost_url, "403")


def test_http_servers_that_fail_say_so(http_server: HttpServer, serve: Serve) -> None:
    lab = serve(http_server)
    http_server.fail_first = 1
    http_server.fail_status = 503
    refused(lambda: push(lab.options()), "broke off", lab.ghost_url, "503")
    assert push(lab.options()).ghosts[0].new


class ReadOnlyDaemon(GitDaemon):
    """git daemon as it is by default: it takes no pushes."""

    def command(self) -> list[str]:
        """Return the call of git daemon."""
        return [word for word in super().command() if word != "--enable=receive-pack"]


@pytest.mark.slow
def test_a_git_daemon_that_takes_no_push_says_so(
    in_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ReadOnlyDaemon(tmp_path / "daemon") as server:
        ghosts = server.create("ghosts.git")
        lab = Served(in_sandbox, PathServer(tmp_path / "files"), monkeypatch)
        refused(lambda: push(lab.options(repo=ghosts)), "no permission to do this", ghosts)


@pytest.mark.parametrize("kind", ["path", "file"])
def test_a_folder_that_may_not_be_written_to_is_told(
    serve: Serve, tmp_path: Path, kind: str
) -> None:
    lab = serve({"path": PathServer, "file": FileServer}[kind](tmp_path / "files"))
    blocked = lab.ghost_repo / "objects"
    if os.getuid() == 0:  # whom no permission stops
        options = lab.options(repo="/proc/ghosts.git" if kind == "path" else "file:///proc/x.git")
        refused(lambda: push(options), "/proc/")
        if subprocess.run(
            ["chattr", "+i", str(blocked)], capture_output=True, check=False
        ).returncode:
            pytest.skip("nothing stops root here")
        restore = ["chattr", "-i", str(blocked)]
    else:
        blocked.chmod(0o500)
        restore = ["chmod", "700", str(blocked)]
    try:
        refused(lambda: push(lab.options()), "no permission to do this in", lab.ghost_url)
    finally:
        subprocess.run(restore, check=True)
    assert lab.ghost_refs() == []


# --- what does not fit -----------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0", "2"])
def test_another_object_format_is_told(
    in_sandbox: Sandbox, any_server: Server, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    lab = Served(in_sandbox, any_server, monkeypatch)
    lab.sandbox.config("protocol.version", version)
    url = any_server.create("others.git", "sha256")
    lab.edit()
    words = ("another object format (SHA-1 or SHA-256) is used by", url)
    refused(lambda: push(lab.options(repo=url)), *words)
    others = any_server.root / "others.git"
    tree = lab.sandbox.text("mktree", cwd=others)
    commit = lab.sandbox.text("commit-tree", "-m", "A ghost", tree, cwd=others)
    ghost = f"refs/heads/ghost/{commit}/{tree}"
    lab.sandbox.git("update-ref", ghost, commit, cwd=others)
    refused(lambda: pull(tree, lab.options(repo=url)), *words)


def test_a_full_disk_on_the_server_is_told(lab: Served) -> None:
    full = lab.ghost_repo / "objects"
    made = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(full)]
    if subprocess.run(made, capture_output=True, check=False).returncode:
        # The next best: a server that says what git says, and ends.
        words = "error: file write error: No space left on device"
        hook(lab, "pre-receive", f"echo '{words}' >&2; kill $PPID")
        refused(lambda: push(lab.options()), "the disk is full", lab.ghost_url)
        return
    try:
        lab.write("big", os.urandom(300_000))
        refused(lambda: push(lab.options()), "the disk is full", lab.ghost_url, "No space left")
    finally:
        subprocess.run(["umount", str(full)], check=True)
    assert lab.ghost_refs() == []


# --- what git would not do -------------------------------------------------------------------

HOSTILE = (
    "ext::sh -c 'touch {marker}; cat'",
    "ssh://-oProxyCommand=touch {marker}/x",
    "ssh://host/-x",
    "-oProxyCommand=touch {marker}:x",
    "--upload-pack=touch {marker}",
    "--receive-pack=touch {marker}",
    "-utouch {marker}",
    "fd::17",
    "git-remote-nothing::x",
    "git://-x/y",
)


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_an_address_that_would_run_something_is_refused(
    lab: Served, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout=1")
    url = HOSTILE[number].format(marker=marker).replace("host", "nowhere.invalid")
    tree = lab.edit()
    push(lab.options())
    options = lab.options(repo=url)
    elsewhere = Options(repo=lab.ghost_url, source=url)
    for work in (
        lambda: push(options),
        lambda: pull(tree, options),
        lambda: list_ghosts(options),
        lambda: clone(tree, str(tmp_path / "workspace"), Options(repo=url)),
        lambda: clone(tree, str(tmp_path / "workspace"), elsewhere),
        lambda: clone(tree, str(tmp_path / "workspace"), elsewhere, base=lab.head()),
    ):
        with pytest.raises(GhostError) as caught:
            work()
        assert caught.value.exit_code in (2, 7)
    assert not marker.exists()
    assert not (tmp_path / "workspace").exists()
    assert lab.temporary_files() == []


def test_an_address_in_a_ghost_cannot_run_anything(lab: Served, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    tree = lab.edit()
    push(lab.options())
    (ref,) = lab.ghost_refs()
    message = lab.sandbox.text("log", "-1", "--format=%B", ref, cwd=lab.ghost_repo)
    for url in HOSTILE:
        hostile = message.replace(lab.source_url, url.format(marker=marker))
        assert hostile != message
        made = ("commit-tree", "-m", hostile, f"{ref}^{{tree}}")
        commit = lab.sandbox.text(*made, cwd=lab.ghost_repo)
        lab.sandbox.git("update-ref", ref, commit, cwd=lab.ghost_repo)
        with pytest.raises(GhostError) as caught:
            clone(tree, str(tmp_path / "workspace"), Options(repo=lab.ghost_url))
        assert caught.value.exit_code in (2, 4, 7), url
        assert not marker.exists()
        assert not (tmp_path / "workspace").exists()


def test_a_base_that_the_source_does_not_answer_for_is_a_network_failure(
    lab: Served, tmp_path: Path
) -> None:
    tree = lab.edit()
    push(lab.options())
    source = f"git://127.0.0.1:{closed_port()}/source.git"
    options = Options(repo=lab.ghost_url, source=source)
    refused(lambda: clone(tree, str(tmp_path / "pod"), options), "no connection to", source)
    missing = Options(repo=lab.ghost_url, source=str(tmp_path / "missing.git"))
    refused(lambda: clone(tree, str(tmp_path / "pod"), missing), "there is no repository at")
    empty = Options(repo=lab.ghost_url, source=lab.ghost_url)
    with pytest.raises(NoSuchBase, match=lab.head()):
        clone(tree, str(tmp_path / "pod"), empty)
    assert not (tmp_path / "pod").exists()


def test_a_password_that_git_repeats_without_its_url_is_not_shown(sandbox: Sandbox) -> None:
    url = "git://ann:pa55word@nowhere.invalid/ghosts.git"
    said = sandbox.ghost("list", env={"GIT_GHOST_REPO": url}).fails(7)
    assert "unable to look up nowhere.invalid" in said
    assert "pa55word" not in said
