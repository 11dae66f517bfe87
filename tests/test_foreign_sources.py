"""A server that only the ghost names: what of the user's goes there, and what never does."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from git_ghost import Options
from git_ghost.errors import RemoteError
from git_ghost.transport.foreign import is_agreed
from git_ghost.usecases.coding import Coded, rebuild
from tests.support.http import HttpServer, HttpsServer
from tests.support.lab import Lab
from tests.support.sandbox import Result, Sandbox
from tests.support.servers import Server
from tests.support.ssh import SshServer


class Stranger:
    """A ghost in a repository of this machine, whose source is on a server that it alone names."""

    def __init__(self, sandbox: Sandbox, server: Server) -> None:
        """Push from a laptop that may talk to the server."""
        self.sandbox, self.server = sandbox, server
        self.lab = Lab(sandbox, server=server)
        self.lab.ghost_url = str(sandbox.repo("local.git", bare=True))
        self.lab.write("foo", b"b\n")
        self.hash = self.lab.ghost("push").ok().split()[-1]
        sandbox.git("config", "--global", "--unset-all", "credential.helper", check=False)

    def clone(self, *options: str, **env: str) -> Result:
        """Clone by the hash alone."""
        pod = self.sandbox.root / f"pod-{len(list(self.sandbox.root.iterdir()))}"
        env = {"GIT_GHOST_REPO": self.lab.ghost_url, **env}
        return self.sandbox.ghost("clone", *options, self.hash, pod, env=env)


def login(user: str, password: str) -> str:
    """Return the value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def web(sandbox: Sandbox, https_server: HttpsServer) -> Stranger:
    """Return a ghost whose source is on a https server, and forget what it was asked."""
    sandbox.config("http.sslCAInfo", str(https_server.certificate))
    stranger = Stranger(sandbox, https_server)
    https_server.requests.clear()
    https_server.secrets.clear()
    return stranger


def give_everything(web: Stranger) -> None:
    """Configure each way in which git gives something to any host."""
    server, sandbox = web.server, web.sandbox
    assert isinstance(server, HttpServer)
    jar = sandbox.home / "cookies"
    jar.write_text("Set-Cookie: token=jar-of-any-host\n")
    sandbox.config("credential.helper", server.credential_helper)
    sandbox.config("http.extraHeader", "Authorization: Bearer of-any-host")
    sandbox.config("http.cookieFile", str(jar))
    sandbox.config("core.askPass", "false")
    sandbox.env["GIT_ASKPASS"] = sandbox.env["SSH_ASKPASS"] = str(asker(sandbox, server))
    sandbox.env["GIT_CONFIG_COUNT"] = "1"
    sandbox.env["GIT_CONFIG_KEY_0"] = "http.extraHeader"
    sandbox.env["GIT_CONFIG_VALUE_0"] = "Cookie: token=of-any-host"


def asker(sandbox: Sandbox, server: HttpServer) -> Path:
    """Write a program that answers whoever asks for the password."""
    script = sandbox.home / "askpass"
    script.write_text(
        f"#!/bin/sh\ncase $1 in User*) echo {server.user};; *) echo '{server.password}';; esac\n"
    )
    script.chmod(0o755)
    return script


def test_what_is_for_any_host_does_not_go_to_one_that_a_ghost_names(
    web: Stranger, https_server: HttpsServer
) -> None:
    give_everything(web)
    err = web.clone().fails(7)
    assert "Only the ghost names 127.0.0.1" in err
    assert "--source https://127.0.0.1" in err
    assert "ghost.trustedSource 127.0.0.1" in err
    assert https_server.requests
    assert https_server.secrets == []
    https_server.public = True
    web.clone().ok()
    assert https_server.secrets == []
    # The same without a guard: the test sees what goes there when it does.
    web.clone("--source", web.lab.source_url).ok()
    assert "Bearer of-any-host" in https_server.secrets
    assert any("of-any-host" in sent for sent in https_server.secrets if "token" in sent)


def test_what_is_configured_for_exactly_that_host_does(
    web: Stranger, https_server: HttpsServer
) -> None:
    give_everything(web)
    host = https_server.url("").rstrip("/")
    mine = login(https_server.user, https_server.password)
    web.sandbox.config(f"credential.{host}.helper", https_server.credential_helper)
    web.sandbox.config(f"http.{host}/.extraHeader", "Cookie: token=mine")
    web.sandbox.config(f"http.{host}/elsewhere.extraHeader", "Cookie: token=of-elsewhere")
    web.sandbox.config("http.https://127.0.0.1:1/.extraHeader", "Cookie: token=of-another-port")
    web.clone().ok()
    assert set(https_server.secrets) == {mine, "token=mine"}


@pytest.mark.parametrize("agreed", ["pattern", "source", "same-host"])
def test_a_host_that_the_user_agreed_to_gets_what_any_host_gets(
    web: Stranger, https_server: HttpsServer, agreed: str
) -> None:
    web.sandbox.config("credential.helper", https_server.credential_helper)
    if agreed == "pattern":
        web.sandbox.config("ghost.trustedSource", "127.0.0.*")
    if agreed == "same-host":
        web.lab.ghost_url = https_server.url("ghosts.git")
        web.lab.ghost("push").ok()
    web.clone(*(["--source", web.lab.source_url] if agreed == "source" else [])).ok()
    assert login(https_server.user, https_server.password) in https_server.secrets


def test_what_git_cannot_be_kept_from_sending_is_refused_before_anybody_is_asked(
    web: Stranger, https_server: HttpsServer
) -> None:
    https_server.public = True
    netrc = web.sandbox.home / ".netrc"
    netrc.write_text("machine elsewhere.example login a password b\ndefault login c password d\n")
    assert ".netrc has a login for any host" in web.clone().fails(7)
    netrc.write_text("machine elsewhere.example login a password b\n")
    certificate = str(https_server.certificate)
    assert "client certificate" in web.clone(GIT_SSL_CERT=certificate).fails(7)
    web.sandbox.config("http.sslCert", certificate)
    assert "ghost.trustedSource" in web.clone().fails(7)
    assert https_server.requests == []


@pytest.mark.parametrize("end", ["?a", "#a", "?a=b#c", "/?"])
def test_a_url_with_a_query_gets_nothing_either(
    web: Stranger, https_server: HttpsServer, end: str
) -> None:
    give_everything(web)
    store = Path(web.lab.ghost_url)
    ref = web.sandbox.text("for-each-ref", "--format=%(refname)", cwd=store)
    text = web.sandbox.git("cat-file", "commit", ref, cwd=store)
    lie = text.replace(web.lab.source_url.encode(), (web.lab.source_url + end).encode())
    assert lie != text
    made = ("hash-object", "-t", "commit", "-w", "--stdin")
    commit = web.sandbox.git(*made, cwd=store, stdin=lie).decode().strip()
    web.sandbox.git("update-ref", ref, commit, cwd=store)
    work = web.sandbox.repo("work")
    for done in (web.clone(), web.lab.ghost("pull", web.hash, at=work)):
        assert "error: " in done.err
        assert done.code in (4, 7)
    assert https_server.secrets == []


def test_the_guard_holds_for_a_pull_and_for_the_repository_s_own_settings(
    web: Stranger, https_server: HttpsServer
) -> None:
    work = web.sandbox.repo("work")
    for key, value in {
        "credential.helper": https_server.credential_helper,
        "http.extraHeader": "Authorization: Bearer of-any-host",
    }.items():
        web.sandbox.git("config", key, value, cwd=work)
    assert "Only the ghost names" in web.lab.ghost("pull", web.hash, at=work).fails(7)
    assert https_server.secrets == []


def test_only_safe_transports_lead_to_a_host_that_a_ghost_names(
    sandbox: Sandbox, http_server: HttpServer
) -> None:
    stranger = Stranger(sandbox, http_server)
    sandbox.config("protocol.allow", "always")
    http_server.requests.clear()
    assert "unless you agree, it is not contacted over 'http'" in stranger.clone().fails(7)
    assert http_server.requests == []
    lab, mark = stranger.lab, sandbox.root / "ran"
    for source, way in ((f"ext::touch {mark}", "ext"), ("ftp://127.0.0.1/x", "ftp")):
        lab.write("foo", way.encode())
        stranger.hash = lab.ghost("push", env={"GIT_GHOST_SOURCE": source}).ok().split()[-1]
        assert f"not contacted over '{way}'" in stranger.clone().fails(7)
    assert not mark.exists()


def test_a_path_is_for_ghosts_that_are_on_this_machine(
    sandbox: Sandbox, http_server: HttpServer
) -> None:
    lab = Lab(sandbox, server=http_server)
    local = Lab(Sandbox(sandbox.root / "other"))
    lab.sandbox.git("push", "--quiet", local.source_url, "main:copy", cwd=lab.laptop)
    lab.write("foo", b"b\n")
    hash = lab.ghost("push", env={"GIT_GHOST_SOURCE": local.source_url}).ok().split()[-1]
    env = {"GIT_GHOST_REPO": lab.ghost_url}
    err = lab.sandbox.ghost("clone", hash, "pod", env=env).fails(7)
    assert f"names the source {local.source_url}; unless you agree, it is not" in err
    assert "contacted over 'file'" in err


def test_ssh_keys_are_offered_to_known_hosts_alone(sandbox: Sandbox, ssh_server: SshServer) -> None:
    stranger = Stranger(sandbox, ssh_server)
    command = sandbox.env["GIT_SSH_COMMAND"]
    careless = command.replace("StrictHostKeyChecking=yes", "StrictHostKeyChecking=no")
    sandbox.env["GIT_SSH_COMMAND"] = careless.replace(str(ssh_server.known_hosts), "/dev/null")
    before = ssh_server.log().count("Accepted publickey")
    err = stranger.clone().fails(7)
    assert "the ssh host key could not be verified" in err
    assert "Only the ghost names 127.0.0.1" in err
    assert ssh_server.log().count("Accepted publickey") == before
    sandbox.env["GIT_SSH_COMMAND"] = command
    stranger.clone().ok()
    assert "not OpenSSH" in stranger.clone(GIT_SSH_COMMAND="plink").fails(7)


def test_annotations_of_a_cluster_do_not_choose_who_gets_credentials(
    in_sandbox: Sandbox, http_server: HttpServer
) -> None:
    stranger = Stranger(in_sandbox, http_server)
    in_sandbox.config("credential.helper", http_server.credential_helper)
    http_server.requests.clear()
    url, source = http_server.url("ghosts.git"), stranger.lab.source_url
    coded = Coded("job.batch/x", "default", stranger.hash, "", url, source, "ghost")
    pod = str(in_sandbox.root / "pod")
    with pytest.raises(RemoteError, match="only an annotation of job") as caught:
        rebuild(coded, pod)
    assert "--ghost-repo" in caught.value.hint
    with pytest.raises(RemoteError, match="only the ghost names the source"):
        rebuild(coded, pod, Options(repo=stranger.lab.ghost_url))
    assert http_server.requests == []
    in_sandbox.config("ghost.trustedSource", "127.0.0.1")
    rebuild(coded, pod, Options(repo=stranger.lab.ghost_url))


@pytest.mark.parametrize(
    ("url", "ghosts", "patterns", "agreed"),
    [
        ("https://git.example/a", "https://git.example/b", (), True),
        ("https://git.example/a", "git@git.example:b", (), True),
        ("https://git.example:8443/a", "https://git.example/b", (), False),
        ("http://git.example/a", "https://git.example/b", (), False),
        ("https://git.example.evil/a", "https://git.example/b", (), False),
        ("https://git.example@evil.example/a", "https://git.example/b", (), False),
        ("https://a@git.example@evil.example/a", "https://git.example/b", ("*",), False),
        ("/srv/a", "/srv/b", (), False),
        ("https://git.example/a", "/b", ("git.example",), True),
        ("git@GIT.example:a", "/b", ("git.example",), True),
        ("https://a.git.example/a", "/b", ("git.example",), False),
        ("https://a.git.example/a", "/b", ("*.git.example",), True),
        ("https://evil.example/x.git.example", "/b", ("*.git.example",), False),
        ("https://git.example/team/a", "/b", ("https://git.example/team",), True),
        ("https://git.example/teams/a", "/b", ("https://git.example/team",), False),
        ("https://git.example/team/../a", "/b", ("https://git.example/team",), False),
        ("https://git.example:8443/a", "/b", ("https://git.example",), False),
        ("ssh://git@git.example/a", "/b", ("https://git.example",), False),
        ("ext::sh", "/b", ("ext::sh",), True),
        ("ext::sh x", "/b", ("ext::sh", "*", ""), False),
    ],
)
def test_a_host_is_agreed_to_by_its_own_name_alone(
    url: str, ghosts: str, patterns: tuple[str, ...], agreed: bool
) -> None:
    assert is_agreed(url, ghosts, patterns) is agreed
