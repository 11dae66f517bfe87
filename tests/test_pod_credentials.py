"""Mounted secrets: each for its own repository, from private copies, in no output and no file."""

from __future__ import annotations

import http.server
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from git_ghost.errors import GhostError
from git_ghost.transport.credentials import read_secret
from git_ghost.urls import Server, server_of
from tests.support.http import HttpServer, HttpsServer
from tests.support.lab import Lab
from tests.support.mounted import mounted
from tests.support.sandbox import Result, Sandbox
from tests.support.ssh import SshServer

LIBRARY = "libnss_wrapper.so"


class Pod:
    """A machine that has nothing but mounted secrets, and a ghost to clone."""

    def __init__(self, lab: Lab, tmp_path: Path) -> None:
        self.lab = lab
        self.base = lab.head()
        lab.write("foo", b"b\n")
        lab.write("new/file", b"n\n")
        self.tree = lab.ghost("push").ok().split()[-1]
        self.sandbox = Sandbox(tmp_path / "pod")
        self.workspace = self.sandbox.root / "source"
        self.report = self.sandbox.root / "termination-log"
        self.secrets: list[str | bytes] = []

    def mount(self, name: str, entries: Mapping[str, bytes | str], mode: int = 0o444) -> Path:
        """Mount a secret."""
        private = ("password", "ssh", "ssh-privatekey")
        self.secrets += [value for key, value in entries.items() if key in private]
        return mounted(self.sandbox.root / "secrets" / name, entries, mode)

    def clone(
        self,
        *options: str | Path,
        env: dict[str, str] | None = None,
        source: str = "",
        ghosts: str = "",
        prefix: tuple[str, ...] = (),
    ) -> Result:
        """Clone as the pull step of a pod does it."""
        merged = {
            "GIT_GHOST_REPO": ghosts or self.lab.ghost_url,
            "GIT_GHOST_SOURCE": source or self.lab.source_url,
            **(env or {}),
        }
        args = ("clone", "-v", "--progress", "--umask=0", f"--report={self.report}")
        where = ("--base", self.base, "--", self.tree, self.workspace)
        command = (*prefix, sys.executable, "-m", "git_ghost", *args, *options, *where)
        return self.sandbox.run(*command, env=merged)

    def cloned(self, result: Result) -> None:
        """Assert that it worked, exactly, and that no secret is left anywhere."""
        assert result.code == 0, result.err
        assert self.lab.tree_of(self.workspace) == self.tree
        self.is_clean(result)

    def is_clean(self, result: Result) -> None:
        """Assert that no secret is left behind or was said, and no private copy of one."""
        temporary = Path(self.sandbox.env["TMPDIR"])
        assert not list(temporary.iterdir())
        said = result.out + result.err.encode()
        for place in (self.workspace, self.report):
            for path in place.rglob("*") if place.is_dir() else [place] * place.exists():
                if path.is_file() and not path.is_symlink():
                    said += path.read_bytes()
        for secret in self.secrets:
            raw = secret if isinstance(secret, bytes) else secret.encode()
            for line in filter(None, raw.strip().splitlines()):
                assert len(line) < 4 or line.startswith(b"-----") or line not in said


def admit_key_by_key(server: SshServer, keys: dict[Path, str]) -> None:
    """Let each key read and write the one repository it is for, as deploy keys do."""
    lines = []
    for key, repository in keys.items():
        script = server.state / f"only-{repository}"
        script.write_text(
            '#!/bin/sh\ncase "$SSH_ORIGINAL_COMMAND" in\n'
            f'*{repository}*) exec git shell -c "$SSH_ORIGINAL_COMMAND" ;;\nesac\n'
            "echo 'ERROR: Repository not found.' >&2\nexit 1\n"
        )
        script.chmod(0o755)
        public = key.with_suffix(".pub").read_text(encoding="ascii")
        lines.append(f'restrict,command="{script}" {public}')
    (server.state / "authorized_keys").write_text("".join(lines), encoding="ascii")


@pytest.fixture
def ssh_pod(sandbox: Sandbox, ssh_server: SshServer, tmp_path: Path) -> Pod:
    """A pod whose repositories are on one ssh server."""
    return Pod(Lab(sandbox, "sha1", ssh_server), tmp_path)


@pytest.fixture
def http_pod(sandbox: Sandbox, http_server: HttpServer, tmp_path: Path) -> Pod:
    """A pod whose repositories are on one http server."""
    pod = Pod(Lab(sandbox, "sha1", http_server), tmp_path)
    http_server.requests.clear()
    return pod


# --- ssh -----------------------------------------------------------------------------------------


def test_two_repositories_on_one_host_have_a_key_each(ssh_pod: Pod, ssh_server: SshServer) -> None:
    other = ssh_server._make_key("ghosts_key")
    admit_key_by_key(ssh_server, {ssh_server.key: "source.git", other: "ghosts.git"})
    hosts = ssh_server.known_hosts.read_text()
    key, other_key = ssh_server.key.read_text(), other.read_text()
    source = ssh_pod.mount("git", {"ssh-privatekey": key, "known_hosts": hosts})
    ghosts = ssh_pod.mount("ghosts", {"ssh-privatekey": other_key, "known_hosts": hosts})
    before = ssh_server.connections
    ssh_pod.cloned(ssh_pod.clone("--git-credentials", source, "--ghost-credentials", ghosts))
    assert ssh_server.connections == before + 2
    shutil.rmtree(ssh_pod.workspace)
    swapped = ssh_pod.clone("--git-credentials", ghosts, "--ghost-credentials", source)
    assert "there is no repository at" in swapped.fails(7)
    ssh_pod.is_clean(swapped)
    assert not ssh_pod.workspace.exists()


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o444])
def test_a_key_in_any_spelling_and_mode_is_used_for_both_repositories(
    ssh_pod: Pod, ssh_server: SshServer, mode: int
) -> None:
    key = ssh_server.key.read_bytes().strip()
    spelled = {0o400: key, 0o440: key.replace(b"\n", b"\r\n"), 0o444: b"\n" + key + b"\n\n"}
    secret = ssh_pod.mount(
        "git", {"ssh": spelled[mode], "known_hosts": ssh_server.known_hosts.read_bytes()}, mode
    )
    before = ssh_server.connections
    ssh_pod.cloned(ssh_pod.clone("--git-credentials", secret))
    assert ssh_server.connections == before + 1
    assert ssh_pod.clone("--git-credentials", secret).code == 0


def test_a_temporary_folder_with_an_odd_name_is_no_trouble(
    ssh_pod: Pod, ssh_server: SshServer
) -> None:
    hosts = ssh_server.known_hosts.read_text()
    secret = ssh_pod.mount("git", {"ssh": ssh_server.key.read_text(), "known_hosts": hosts})
    odd = ssh_pod.sandbox.root / "it's 100%h odd"
    odd.mkdir()
    ssh_pod.sandbox.env["TMPDIR"] = str(odd)
    ssh_pod.cloned(ssh_pod.clone("--git-credentials", secret))


def test_the_users_own_ssh_command_and_agent_do_not_matter(
    ssh_pod: Pod, ssh_server: SshServer
) -> None:
    hosts = ssh_server.known_hosts.read_text()
    secret = ssh_pod.mount("git", {"ssh": ssh_server.key.read_text(), "known_hosts": hosts})
    env = {"GIT_SSH_COMMAND": "false", "GIT_SSH": "false", "GIT_SSH_VARIANT": "plink"}
    ssh_pod.cloned(ssh_pod.clone("--git-credentials", secret, env=env))


def test_a_wrong_key_is_a_lack_of_access(ssh_pod: Pod, ssh_server: SshServer) -> None:
    hosts = ssh_server.known_hosts.read_text()
    secret = ssh_pod.mount(
        "git", {"ssh-privatekey": ssh_server.wrong_key.read_text(), "known_hosts": hosts}
    )
    result = ssh_pod.clone("--git-credentials", secret, "--retry", "30s")
    assert "wrong or missing credentials" in result.fails(7)
    assert "mounted secret" in result.err
    assert "trying again" not in result.err
    ssh_pod.is_clean(result)
    assert not ssh_pod.report.exists()


def test_a_missing_ssh_is_told(ssh_pod: Pod, ssh_server: SshServer) -> None:
    secret = ssh_pod.mount("git", {"ssh-privatekey": ssh_server.key.read_text()})
    tools = ssh_pod.sandbox.root / "bin"
    tools.mkdir()
    for name in ("git", "sh"):
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    result = ssh_pod.clone("--git-credentials", secret, env={"PATH": str(tools)})
    assert "there is no program 'ssh'" in result.fails(7)


@pytest.mark.parametrize("hosts", ["", "wrong"])
def test_a_host_that_is_not_known_is_not_talked_to(
    ssh_pod: Pod, ssh_server: SshServer, hosts: str
) -> None:
    entries = {"known_hosts": ssh_server.wrong_known_hosts.read_text()} if hosts else {}
    secret = ssh_pod.mount("git", {"ssh-privatekey": ssh_server.key.read_text(), **entries})
    result = ssh_pod.clone("--git-credentials", secret, "--retry", "30s")
    assert "the ssh host key could not be verified" in result.fails(7)
    assert "`known_hosts`" in result.err
    assert "ssh-keyscan" in result.err
    assert "trying again" not in result.err
    ssh_pod.is_clean(result)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_a_user_that_etc_passwd_lacks_needs_a_library_for_ssh(
    ssh_pod: Pod, ssh_server: SshServer
) -> None:
    hosts = ssh_server.known_hosts.read_text()
    secret = ssh_pod.mount("git", {"ssh": ssh_server.key.read_text(), "known_hosts": hosts})
    _let_in(ssh_pod, 12345)
    somebody = ("setpriv", "--reuid=12345", "--regid=12345", "--clear-groups")
    result = ssh_pod.clone("--git-credentials", secret, prefix=somebody)
    if not list(Path("/usr/lib").glob(f"*/{LIBRARY}")):
        assert "ssh does not work for uid 12345" in result.fails(1)
        assert "65533" in result.err
        ssh_pod.is_clean(result)
    else:
        ssh_pod.lab.sandbox.config("safe.directory", "*")
        ssh_pod.cloned(result)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_a_secret_that_may_not_be_read_is_a_sentence(ssh_pod: Pod, ssh_server: SshServer) -> None:
    secret = ssh_pod.mount("git", {"ssh": ssh_server.key.read_text()}, 0o400)
    _let_in(ssh_pod, 65534)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    result = ssh_pod.clone("--git-credentials", secret, prefix=nobody)
    assert "cannot be read: permission denied" in result.fails(1)
    assert "defaultMode" in result.err
    ssh_pod.is_clean(result)


def _let_in(pod: Pod, uid: int) -> None:
    """Let another user into the pod's home; skip where the folders above do not."""
    top = pod.sandbox.root
    for path in (top, *top.rglob("*")):
        if not path.is_symlink() and "secrets" not in path.parts:
            os.chown(path, uid, uid)
    for folder in top.parents:
        if not folder.stat().st_mode & stat.S_IXOTH:
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)


# --- http ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password",
    ["plain", "s3cret:p@ss/word", "%41 ü#?&'\"$(touch x)`;\\ ", "x" * 3000],
    ids=["plain", "url", "odd", "long"],
)
def test_a_password_with_any_characters_is_sent(
    http_pod: Pod, http_server: HttpServer, password: str
) -> None:
    http_server.password = password
    secret = http_pod.mount(
        "git", {"username": f"{http_server.user}\n", "password": f"{password}\n"}
    )
    http_pod.cloned(http_pod.clone("--git-credentials", secret))
    assert {request.user for request in http_server.requests} <= {None, http_server.user}


def test_a_password_alone_is_that_of_the_user_git(http_pod: Pod, http_server: HttpServer) -> None:
    http_server.user = "git"
    secret = http_pod.mount("git", {"password": http_server.password})
    http_pod.cloned(http_pod.clone("--git-credentials", secret))


def test_settings_in_the_environment_hold_beside_the_secret(
    http_pod: Pod, http_server: HttpServer
) -> None:
    secret = http_pod.mount("git", {"username": http_server.user, "password": http_server.password})
    env = {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"url.{http_server.url('')}.insteadOf",
        "GIT_CONFIG_VALUE_0": "work:",
        "GIT_CONFIG_KEY_1": "credential.helper",
        "GIT_CONFIG_VALUE_1": http_server.wrong_credential_helper,
    }
    result = http_pod.clone(
        "--git-credentials", secret, env=env, source="work:source.git", ghosts="work:ghosts.git"
    )
    http_pod.cloned(result)


def test_a_wrong_password_is_a_lack_of_access(http_pod: Pod, http_server: HttpServer) -> None:
    secret = http_pod.mount("git", {"username": http_server.user, "password": "not the right one"})
    result = http_pod.clone("--git-credentials", secret, "--retry", "30s")
    assert "wrong or missing credentials" in result.fails(7)
    http_pod.is_clean(result)


def test_a_secret_is_never_sent_to_another_host(
    http_pod: Pod, http_server: HttpServer, tmp_path: Path
) -> None:
    secret = http_pod.mount("git", {"username": http_server.user, "password": http_server.password})
    with HttpServer(tmp_path / "other") as other:
        ghosts = other.create("ghosts.git")
        result = http_pod.clone("--git-credentials", secret, ghosts=ghosts)
        assert "could not read Username" in result.fails(7)
        assert {request.user for request in other.requests} == {None}
        # The ghost repository's secret is not for the source either.
        other.requests.clear()
        result = http_pod.clone("--ghost-credentials", secret, source=other.create("source.git"))
        assert "could not read Username" in result.fails(7)
        assert {request.user for request in other.requests} == {None}
    http_pod.is_clean(result)


class _Redirect(http.server.BaseHTTPRequestHandler):
    target = ""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.target + self.path)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_secret_is_not_sent_on_when_the_server_points_elsewhere(
    http_pod: Pod, http_server: HttpServer
) -> None:
    handler = type("Here", (_Redirect,), {"target": http_server.url("").rstrip("/")})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as pointer:
        threading.Thread(target=pointer.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{pointer.server_address[1]}"
        secret = http_pod.mount(
            "git", {"username": http_server.user, "password": http_server.password}
        )
        result = http_pod.clone(
            "--git-credentials", secret, source=f"{url}/source.git", ghosts=f"{url}/ghosts.git"
        )
        pointer.shutdown()
    assert "could not read Username" in result.fails(7)
    assert {request.user for request in http_server.requests} == {None}


def test_a_ghost_does_not_say_where_credentials_go(http_pod: Pod, http_server: HttpServer) -> None:
    secret = http_pod.mount("git", {"username": http_server.user, "password": http_server.password})
    env = {"GIT_GHOST_REPO": http_pod.lab.ghost_url}
    args = ("clone", f"--git-credentials={secret}", http_pod.tree, "workspace")
    result = http_pod.sandbox.ghost(*args, env=env)
    assert "credentials do not go where a ghost says" in result.fails(2)
    assert "--source" in result.err
    assert http_server.requests == []


@pytest.mark.slow
def test_a_private_authority_is_trusted_for_its_server(
    sandbox: Sandbox, https_server: HttpsServer, tmp_path: Path
) -> None:
    sandbox.config("http.sslCAInfo", str(https_server.certificate))
    pod = Pod(Lab(sandbox, "sha1", https_server), tmp_path)
    login = {"username": https_server.user, "password": https_server.password}
    without = pod.mount("without", login)
    result = pod.clone("--git-credentials", without, "--retry", "30s")
    assert "the TLS certificate could not be verified" in result.fails(7)
    assert "ca.crt" in result.err
    authority = https_server.certificate.read_text()
    secret = pod.mount("git", {**login, "ca.crt": authority})
    env = {"GIT_SSL_CAINFO": "/nowhere"}
    pod.cloned(pod.clone("--git-credentials", secret, env=env))


# --- pull, where there is a clone already --------------------------------------------------------


def test_a_pull_takes_the_credentials_for_its_remote(
    http_pod: Pod, http_server: HttpServer
) -> None:
    secret = http_pod.mount("git", {"username": http_server.user, "password": http_server.password})
    http_pod.clone("--git-credentials", secret).ok()
    lab = http_pod.lab
    lab.commit("Another base")
    lab.push()
    lab.write("foo", b"c\n")
    http_pod.tree = lab.ghost("push").ok().split()[-1]
    env = {"GIT_GHOST_REPO": lab.ghost_url}

    def pull(*options: str) -> Result:
        return http_pod.sandbox.ghost(
            "pull", "-v", *options, "--force", http_pod.tree, cwd=http_pod.workspace, env=env
        )

    assert "could not read Username" in pull().fails(7)
    http_pod.cloned(pull(f"--git-credentials={secret}"))
    http_pod.cloned(pull(f"--ghost-credentials={secret}"))
    http_pod.sandbox.git("remote", "remove", "origin", cwd=http_pod.workspace)
    assert "Name the source" in pull(f"--git-credentials={secret}").fails(2)


# --- what cannot be used -------------------------------------------------------------------------


def test_folders_that_are_no_secrets_are_told(http_pod: Pod, http_server: HttpServer) -> None:
    root = http_pod.sandbox.root
    (root / "empty").mkdir()
    (root / "file").write_text("x")
    login = {"username": "ghost", "password": "a\nb"}
    cases = {
        root / "missing": "there is no folder of credentials",
        root / "file": "there is no folder of credentials",
        root / "empty": "there are no credentials in",
        http_pod.mount("odd", {"token": "x"}): "only token",
        http_pod.mount("user", {"username": "ghost"}): "there is no password",
        http_pod.mount(
            "empty-password", {"username": "ghost", "password": "\n"}
        ): "there is no password",
        http_pod.mount("lines", login): "has more than one line",
        http_pod.mount("ssh", {"ssh": "-----BEGIN"}): "needs username and password",
    }
    for folder, words in cases.items():
        result = http_pod.clone("--git-credentials", folder)
        assert words in result.fails(1), folder
        assert "\nhint: " in result.err
        http_pod.is_clean(result)
    assert http_server.requests == []
    secret = http_pod.mount("git", {"password": "x"})
    named = http_pod.lab.source_url.replace("://", "://somebody@")
    other = http_pod.mount("other", {"username": "ghost", "password": "x"})
    result = http_pod.clone("--git-credentials", other, source=named)
    assert "names another user" in result.fails(1)
    result = http_pod.clone("--git-credentials", secret, source=str(root))
    assert "cannot be used for" in result.fails(1)
    assert "names no folder" in http_pod.clone("--git-credentials=").fails(2)


def test_keys_that_ssh_could_not_use_are_told(ssh_pod: Pod, ssh_server: SshServer) -> None:
    locked = ssh_server.state / "locked"
    for form in ((), ("-m", "PEM")):
        locked.unlink(missing_ok=True)
        kind = ("-t", "ed25519") if not form else ("-t", "rsa", *form)
        subprocess.run(
            ["ssh-keygen", "-q", *kind, "-N", "a pass phrase", "-f", str(locked)], check=True
        )
        secret = ssh_pod.mount(f"locked{len(form)}", {"ssh": locked.read_text()})
        assert "has a passphrase" in ssh_pod.clone("--git-credentials", secret).fails(1)
        locked.with_suffix(".pub").unlink()
    public = ssh_pod.mount("public", {"ssh": ssh_server.key.with_suffix(".pub").read_text()})
    assert "not a private ssh key" in ssh_pod.clone("--git-credentials", public).fails(1)
    login = ssh_pod.mount("login", {"username": "ghost", "password": "x"})
    result = ssh_pod.clone("--git-credentials", login)
    assert "needs an ssh key, and" in result.fails(1)
    assert "holds only username, password" in result.err
    ssh_pod.is_clean(result)


def test_the_private_copies_go_when_it_is_terminated(ssh_pod: Pod, ssh_server: SshServer) -> None:
    hosts = ssh_server.known_hosts.read_text()
    secret = ssh_pod.mount("git", {"ssh": ssh_server.key.read_text(), "known_hosts": hosts})
    hook = ssh_server.state / "wait"
    ready = ssh_server.state / "ready"
    os.mkfifo(ready)
    hook.write_text(f"#!/bin/sh\necho > {ready}\nsleep 60\n")
    hook.chmod(0o755)
    public = ssh_server.key.with_suffix(".pub").read_text()
    (ssh_server.state / "authorized_keys").write_text(f'restrict,command="{hook}" {public}')
    env = {
        **ssh_pod.sandbox.env,
        "GIT_GHOST_REPO": ssh_pod.lab.ghost_url,
        "GIT_GHOST_SOURCE": ssh_pod.lab.source_url,
    }
    command = [sys.executable, "-m", "git_ghost", "clone", f"--git-credentials={secret}"]
    command += [ssh_pod.tree, str(ssh_pod.workspace)]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE) as process:
        ready.read_text()
        copies = [p for p in Path(env["TMPDIR"]).rglob("key") if p.is_file()]
        assert [stat.S_IMODE(copy.stat().st_mode) for copy in copies] == [0o600]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    ssh_pod.is_clean(Result(143, b"", err.decode()))


# --- pure ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://github.com/a/b", Server("https", "github.com", "443", "github.com")),
        ("HTTPS://GitHub.com:8443/a", Server("https", "github.com", "8443", "GitHub.com:8443")),
        ("http://me:pw@host:/a", Server("http", "host", "80", "host:", "me")),
        ("https://[::1]:1/a", Server("https", "[::1]", "1", "[::1]:1")),
        ("https://[::1]/a", Server("https", "[::1]", "443", "[::1]")),
        ("git@github.com:a/b", Server("ssh", "github.com", "22", "github.com")),
        ("github.com:a/b", Server("ssh", "github.com", "22", "github.com")),
        ("[::1]:a", Server("ssh", "::1", "22", "[::1]")),
        ("ssh://git@[::1]:2222/a", Server("ssh", "::1", "2222", "[::1]")),
        ("ssh://host/a", Server("ssh", "host", "22", "host")),
        ("git+ssh://u@host:22/a", Server("ssh", "host", "22", "host")),
        (
            "https://github.com@evil.example/a",
            Server("https", "evil.example", "443", "evil.example", "github.com"),
        ),
        ("https://me@github.com@evil.example/a", None),
        (
            "https://evil.example/git@github.com",
            Server("https", "evil.example", "443", "evil.example"),
        ),
        ("ssh://git@github.com@evil.example/a", None),
        ("ssh://git@github.com:22@evil.example/a", None),
        ("git@github.com@evil.example:a", None),
        ("git://host/a", None),
        ("file:///a", None),
        ("/a:b", None),
        ("./a:b", None),
        ("ext::sh -c x", None),
        ("", None),
    ],
)
def test_the_server_of_a_url_is_found(url: str, server: Server | None) -> None:
    assert server_of(url) == server


def test_a_secret_does_not_show_what_it_holds(tmp_path: Path) -> None:
    secret = read_secret(str(mounted(tmp_path / "s", {"password": "hunter2", "ca.crt": "x"})))
    assert repr(secret) == str(secret) == f"Secret({str(tmp_path / 's')!r}, ['ca.crt', 'password'])"
    with pytest.raises(GhostError, match="nothing"):
        read_secret(str(mounted(tmp_path / "none", {})))
