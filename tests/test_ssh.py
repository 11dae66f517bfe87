"""Connections opened ahead: one handshake for a whole command, and never in the user's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_ghost.gitconfig import GitConfig
from git_ghost.transport.ssh import Host, SharedConnections, host_of
from tests.support.lab import Lab
from tests.support.sandbox import Sandbox
from tests.support.ssh import SshServer


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("ssh://git@example.com/a.git", Host("git@example.com")),
        ("ssh://example.com:2222/a.git", Host("example.com", "2222")),
        ("git+ssh://Host/a.git", Host("Host")),
        ("ssh://user@[::1]:22/a.git", None),
        ("git@example.com:team/a.git", Host("git@example.com")),
        ("alias:a.git", Host("alias")),
        ("ssh://-oProxyCommand=x/a.git", None),
        ("-oProxyCommand=x:a.git", None),
        ("git@-oProxyCommand=x:a.git", None),
        ("https://example.com/a.git", None),
        ("file:///a.git", None),
        ("/a.git", None),
        ("./a:b.git", None),
        ("ext::sh -c x", None),
        ("ssh://a%20b/c", None),
        ("[::1]:a.git", None),
        ("ssh://example.com:notaport/a.git", None),
    ],
)
def test_the_host_of_an_ssh_url_is_found_and_any_other_url_has_none(
    url: str, host: Host | None
) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    "values",
    [
        {"core.sshcommand": ("plink -batch",)},
        {"core.sshcommand": ("ssh -o ControlPath=~/.ssh/c",)},
        {"core.sshcommand": ("ssh 'unbalanced",)},
        {"ssh.variant": ("tortoiseplink",)},
        {"ghost.sshahead": ("false",)},
        {"url.https://elsewhere/.insteadof": ("ssh://127.0.0.1",)},
        {"url.https://elsewhere/.pushinsteadof": ("ssh://",)},
    ],
    ids=["plink", "own-path", "unbalanced", "variant", "off", "instead", "push-instead"],
)
def test_git_is_left_alone_where_another_ssh_or_another_url_is_configured(
    values: dict[str, tuple[str, ...]], sandbox: Sandbox
) -> None:
    with SharedConnections(GitConfig(values), sandbox.env) as connections:
        connections.ahead("ssh://127.0.0.1:1/a.git")
        assert connections.ready("ssh://127.0.0.1:1/a.git") == ({}, "")


def test_a_program_named_by_git_ssh_is_left_alone(sandbox: Sandbox) -> None:
    env = {**sandbox.env, "GIT_SSH": "/usr/bin/ssh"}
    with SharedConnections(GitConfig(), env) as connections:
        connections.ahead("ssh://127.0.0.1:1/a.git")
        assert connections.ready("ssh://127.0.0.1:1/a.git") == ({}, "")


def test_gits_commands_share_the_connection_that_was_opened_ahead(
    sandbox: Sandbox, ssh_server: SshServer
) -> None:
    ssh_server.admit(sandbox)
    url = ssh_server.create("a.git")
    before = ssh_server.connections
    with SharedConnections(GitConfig(), sandbox.env) as connections:
        connections.ahead(url)
        extra, said = connections.ready(url)
        assert (bool(extra), said) == (True, "")
        for _ in range(3):
            sandbox.git("ls-remote", url, env=extra)
        assert ssh_server.connections == before + 1
        socket = Path(extra["GIT_SSH_COMMAND"].rpartition("ControlPath=")[2]).parent
        assert list(socket.iterdir())
    assert not socket.exists()


def test_gits_protocol_version_goes_through_the_shared_connection(
    sandbox: Sandbox, ssh_server: SshServer
) -> None:
    lab = Lab(sandbox, "sha1", ssh_server)
    older = lab.head("HEAD~1")
    clone = sandbox.repo("clone")
    with SharedConnections(GitConfig(), sandbox.env) as connections:
        connections.ahead(lab.source_url)
        extra, _ = connections.ready(lab.source_url)
        assert extra
        # Protocol 0 hands out the tips of branches only.
        sandbox.git("fetch", "--depth=1", lab.source_url, older, cwd=clone, env=extra)


def test_what_ssh_says_is_handed_on_when_it_cannot_connect(
    sandbox: Sandbox, ssh_server: SshServer
) -> None:
    url = ssh_server.create("a.git")
    env = {**sandbox.env, **ssh_server.client_env(known_hosts=ssh_server.wrong_known_hosts)}
    with SharedConnections(GitConfig(), env) as connections:
        connections.ahead(url)
        assert "Host key verification failed" in connections.ready(url)[1]


def test_a_user_who_shares_connections_already_keeps_their_own(
    sandbox: Sandbox, ssh_server: SshServer
) -> None:
    url = ssh_server.create("a.git")
    config = sandbox.root / "ssh_config"
    config.write_text("Host *\n  ControlPath ~/.ssh/%C\n")
    command = ssh_server.client_env()["GIT_SSH_COMMAND"].replace("/dev/null -i", f"{config} -i")
    before = ssh_server.connections
    with SharedConnections(GitConfig(), {**sandbox.env, "GIT_SSH_COMMAND": command}) as connections:
        connections.ahead(url)
        assert connections.ready(url) == ({}, "")
    assert ssh_server.connections == before


def test_a_push_and_a_clone_are_one_connection_each(
    sandbox: Sandbox, ssh_server: SshServer
) -> None:
    lab = Lab(sandbox, "sha1", ssh_server)
    lab.write("foo", b"b\n")
    before = ssh_server.connections
    tree = lab.ghost("push").ok().split()[-1]
    assert ssh_server.connections == before + 1
    lab.ghost("clone", tree, str(sandbox.root / "pod"), at=sandbox.root).ok()
    assert ssh_server.connections == before + 2
    assert lab.disk_state(sandbox.root / "pod") == lab.disk_state(lab.laptop)
    assert not list(Path(sandbox.env["TMPDIR"]).glob("git-ghost*"))
