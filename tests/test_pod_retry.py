"""Network faults that may pass are waited for, bounded in time; all others end the call at once."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from git_ghost.errors import GhostError, GitFailed, NoSuchGhost, RemoteError, StillUnreachable
from git_ghost.gitconfig import GitConfig
from git_ghost.transport.causes import explain
from git_ghost.transport.patience import Patience
from git_ghost.transport.ssh import SharedConnections
from git_ghost.usecases.retrying import Done, Failed, retry
from tests.support.http import HttpServer
from tests.support.lab import Lab
from tests.support.mounted import mounted
from tests.support.relay import Relay
from tests.support.sandbox import Sandbox
from tests.support.servers import Server
from tests.support.ssh import SshServer
from tests.test_interrupted import Faults, assert_as_if_never_interrupted, stored

# --- when to try again, and how long -------------------------------------------------------------


class Clock:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Flaky:
    """Fails with the given errors, one a call, then works."""

    def __init__(self, *errors: Exception, endless: bool = False) -> None:
        self.errors = list(errors)
        self.endless = endless

    def __call__(self) -> str:
        if self.errors:
            raise self.errors[0] if self.endless else self.errors.pop(0)
        return "done"


def passing(text: str = "no connection to x") -> RemoteError:
    """A fault that may pass."""
    return RemoteError(text, "Wait.", passing=True)


def test_it_goes_on_until_it_works_with_pauses_that_double() -> None:
    clock, told = Clock(), list[Failed]()
    work = Flaky(*(passing(f"fault {n}") for n in range(8)))
    done = retry(work, 600, tell=told.append, wait=clock.wait, clock=clock, jitter=lambda: 0.0)
    assert done == Done("done", 9)
    assert clock.pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert [(f.error.message, f.attempt, f.pause) for f in told[:2]] == [
        ("fault 0", 1, 1.0),
        ("fault 1", 2, 2.0),
    ]


def test_pauses_are_shortened_by_chance_by_a_half_at_most() -> None:
    clock = Clock()
    retry(Flaky(*[passing()] * 3), 60, wait=clock.wait, clock=clock, jitter=lambda: 1.0)
    assert clock.pauses == [0.5, 1, 2]
    clock = Clock()
    retry(Flaky(passing()), 60, wait=clock.wait, clock=clock)
    assert 0.5 <= clock.pauses[0] <= 1


def test_the_last_attempt_is_when_the_time_is_up() -> None:
    clock = Clock()
    work = Flaky(passing("no connection to x\n  fatal: y"), endless=True)
    with pytest.raises(StillUnreachable) as caught:
        retry(work, 10, wait=clock.wait, clock=clock, jitter=lambda: 0.0)
    assert clock.pauses == [1, 2, 4, 3]
    assert caught.value.exit_code == 75
    assert caught.value.message.startswith(
        "given up after 5 attempts in 10 s: no connection to x\n  fatal: y"
    )
    assert caught.value.hint == "Wait.\nOr give it more time: --retry."


def test_an_attempt_that_takes_all_the_time_is_the_only_one() -> None:
    clock = Clock()

    def work() -> None:
        clock.now += 200
        raise passing()

    with pytest.raises(StillUnreachable, match="after 1 attempt in 200 s"):
        retry(work, 100, wait=clock.wait, clock=clock)
    assert clock.pauses == []


@pytest.mark.parametrize("error", [RemoteError("x"), NoSuchGhost("x"), OSError("x")])
def test_what_does_not_pass_by_itself_is_raised_at_once(error: Exception) -> None:
    clock = Clock()
    with pytest.raises(type(error)) as caught:
        retry(Flaky(error), 100, wait=clock.wait, clock=clock)
    assert caught.value is error
    assert clock.pauses == []


def test_without_time_a_passing_fault_is_raised_as_it_is() -> None:
    fault = passing()
    with pytest.raises(RemoteError) as caught:
        retry(Flaky(fault), 0)
    assert caught.value is fault


URL = "https://example.com/ghosts.git"
PASSING = (
    "fatal: unable to access 'x': Could not resolve host: example.com",
    "ssh: Could not resolve hostname example.com: Temporary failure in name resolution",
    "fatal: unable to access 'x': Failed to connect to example.com port 443: Connection refused",
    "ssh: connect to host example.com port 22: Connection timed out",
    "ssh: connect to host example.com port 22: No route to host",
    "kex_exchange_identification: read: Connection reset by peer",
    "kex_exchange_identification: Connection closed by remote host",
    "Timeout, server example.com not responding.",
    "Connection closed by 10.0.0.1 port 22",
    "client_loop: send disconnect: Broken pipe",
    "fatal: the remote end hung up unexpectedly\nfatal: early EOF",
    "error: RPC failed; curl 92 HTTP/2 stream 5 was not closed cleanly: CANCEL (err 8)",
    "error: RPC failed; HTTP 504 curl 22 The requested URL returned error: 504",
    "fatal: unable to access 'x': The requested URL returned error: 500",
    "fatal: unable to access 'x': The requested URL returned error: 503",
    "fatal: unable to access 'x': The requested URL returned error: 429",
    "fatal: unable to access 'x': Operation too slow. Less than 1 bytes/sec transferred",
    "fatal: unable to access 'x': gnutls_handshake() failed: The TLS was non-properly terminated.",
    "fatal: unable to access 'x': GnuTLS recv error (-54): Error in the pull function.",
    "fatal: unable to access 'x': Error in the HTTP2 framing layer",
    "fatal: unable to access 'x': Failure when receiving data from the peer",
    "fatal: unable to access 'x': Received HTTP code 503 from proxy after CONNECT",
    "fatal: unable to access 'x': CONNECT tunnel failed, response 502",
    "fatal: unable to access 'x': OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to x:443",
)
LASTING = (
    "Host key verification failed.\nfatal: Could not read from remote repository.",
    "git@example.com: Permission denied (publickey).",
    "fatal: Authentication failed for 'https://example.com/'",
    "fatal: unable to access 'x': The requested URL returned error: 403",
    "fatal: unable to access 'x': The requested URL returned error: 404",
    "ERROR: Repository not found.\nfatal: the remote end hung up unexpectedly",
    "fatal: unable to access 'x': SSL certificate problem: self-signed certificate",
    "error: RPC failed; HTTP 400 curl 22 The requested URL returned error: 400",
    "fatal: mismatched algorithms: client sha1; server sha256",
    "fatal: write error: No space left on device\nfatal: early EOF",
    "No user exists for uid 1234\nfatal: the remote end hung up unexpectedly",
    "fatal: unable to access 'x': CONNECT tunnel failed, response 407",
    "fatal: something nobody has foreseen",
)


@pytest.mark.parametrize("said", [*PASSING, *LASTING])
def test_what_may_pass_is_told_from_what_does_not(said: str) -> None:
    error = explain(GitFailed(("git", "fetch"), 128, said), URL)
    assert isinstance(error, RemoteError)
    assert error.exit_code == 7
    assert error.hint
    assert error.passing is (said in PASSING)


@pytest.mark.parametrize("command", ["", "ssh -v"])
def test_a_connection_by_the_users_own_ssh_is_bounded_too(command: str, sandbox: Sandbox) -> None:
    config = GitConfig({"ghost.sshahead": ("false",)})
    env = {**sandbox.env, "GIT_SSH_COMMAND": command}
    with SharedConnections(config, env, Patience(60)) as connections:
        variables, _ = connections.ready("ssh://host/a.git")
        words = shlex.split(variables["GIT_SSH_COMMAND"])
    assert words[: len(command.split()) or 1] == (command.split() or ["ssh"])
    assert {"ConnectTimeout=30", "ServerAliveInterval=15", "ServerAliveCountMax=4"} <= set(words)
    for other in ("plink -batch", "'unbalanced"):
        env = {**sandbox.env, "GIT_SSH_COMMAND": other}
        with SharedConnections(config, env, Patience(60)) as connections:
            assert connections.ready("ssh://host/a.git") == ({}, "")


# --- the command line, against servers -----------------------------------------------------------


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Calls:
    """Clones a ghost into ever new folders, with ``--retry``."""

    def __init__(self, lab: Lab, server: Server) -> None:
        self.lab, self.server = lab, server
        lab.write("foo", b"b\n")
        lab.write("big", os.urandom(1 << 18))
        self.tree = lab.ghost("push").ok().split()[-1]
        self.base = lab.head()
        self.folder = lab.sandbox.root / "workspace"
        self.report = lab.sandbox.root / "report"

    def argv(self, *options: str) -> list[str]:
        """The command line."""
        more = (f"--report={self.report}", "--progress", f"--base={self.base}", *options)
        return [sys.executable, "-m", "git_ghost", "clone", *more, self.tree, str(self.folder)]

    def env(self, port: int | None = None) -> dict[str, str]:
        """The variables, with the repositories at another port."""
        names = {"GIT_GHOST_REPO": "ghosts.git", "GIT_GHOST_SOURCE": "source.git"}
        urls = {key: self.server.url(name, port) for key, name in names.items()}
        return {**self.lab.sandbox.env, **urls}

    @contextlib.contextmanager
    def running(self, *options: str, port: int | None = None) -> Iterator[subprocess.Popen[str]]:
        """Run it; its stderr can be read while it does."""
        with subprocess.Popen(
            self.argv(*options), env=self.env(port), text=True, cwd=self.lab.sandbox.root,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.kill()

    def is_exact(self) -> int:
        """Assert that the clone is whole; how many attempts it took."""
        assert self.lab.disk_state(self.folder) == self.lab.disk_state()
        assert self.lab.tree_of(self.folder) == self.tree
        assert list(Path(self.lab.sandbox.env["TMPDIR"]).iterdir()) == []
        attempts: int = json.loads(self.report.read_text())["attempts"]
        return attempts


def lines_until(process: subprocess.Popen[str], words: str) -> list[str]:
    """What it says on stderr, up to the line that has these words."""
    assert process.stderr is not None
    found = []
    for line in process.stderr:
        found.append(line)
        if words in line:
            return found
    raise AssertionError("".join(found))


Relays = Callable[..., Relay]


def test_a_server_that_comes_up_later_is_waited_for(
    sandbox: Sandbox, network_server: Server, relay: Relays
) -> None:
    calls = Calls(Lab(sandbox, "sha1", network_server), network_server)
    port = free_port()
    assert network_server.port
    with calls.running("--retry=2m", port=port) as process:
        (line,) = lines_until(process, "trying again")
        assert line.startswith(f"warning: no connection to {network_server.url('', port)[:10]}")
        relay(network_server.port, port=port)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert calls.is_exact() >= 2


def test_a_connection_that_breaks_off_is_made_again(
    sandbox: Sandbox, network_server: Server, relay: Relays
) -> None:
    calls = Calls(Lab(sandbox, "sha1", network_server), network_server)
    assert network_server.port
    between = relay(network_server.port, cut_down=20_000)
    with calls.running("--retry=2m", port=between.port) as process:
        *_, line = lines_until(process, "trying again")
        assert "the connection broke off while talking to" in line
        assert not calls.folder.exists()
        between.cut_down = None
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert calls.is_exact() >= 2


@pytest.fixture
def calls(sandbox: Sandbox, http_server: HttpServer) -> Calls:
    """Calls to one http server."""
    return Calls(Lab(sandbox, "sha1", http_server), http_server)


@pytest.mark.parametrize("status", [429, 502])
def test_a_server_that_is_too_busy_is_asked_again(
    calls: Calls, http_server: HttpServer, status: int
) -> None:
    http_server.fail_status = status
    http_server.fail_first = 4  # both fetches of an attempt fail
    done = calls.lab.sandbox.run(*calls.argv("--retry=2m"), env=calls.env())
    assert done.code == 0, done.err
    assert f"returned error: {status})" in done.err.splitlines()[0]
    assert calls.is_exact() == 1 + done.err.count("trying again") >= 2


def test_a_connection_on_which_nothing_moves_is_given_up(
    calls: Calls, http_server: HttpServer, relay: Relays
) -> None:
    between = relay(http_server.port, delay_ms=120_000)
    limits = {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "2"}
    calls.lab.sandbox.env.update(limits)
    with calls.running("--retry=2m", port=between.port) as process:
        lines_until(process, "trying again")
        between.delay_ms = 0
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert calls.is_exact() >= 2


def test_when_the_time_is_up_the_exit_code_says_that_it_may_still_pass(calls: Calls) -> None:
    env = calls.env(free_port())
    done = calls.lab.sandbox.run(*calls.argv("--retry=1"), env=env)
    said = done.fails(75)
    last = said[said.index("error: ") :]
    assert last.startswith("error: given up after ")
    assert " attempts in 1 s: no connection to http://127.0.0.1:" in last
    assert said.count("; trying again in ") >= 1
    assert not calls.folder.exists()
    assert not calls.report.exists()
    assert calls.lab.sandbox.run(*calls.argv(), env=env).code == 7
    gone = {**calls.env(), "GIT_GHOST_REPO": "http://nowhere.invalid/x.git"}
    unknown = calls.lab.sandbox.run(*calls.argv("--retry=0.2s"), env=gone)
    assert "unknown host in" in unknown.fails(75)


@pytest.mark.parametrize(("status", "code"), [(404, 7), (403, 7), (401, 7)])
def test_what_the_server_refuses_is_not_asked_again(
    calls: Calls, http_server: HttpServer, status: int, code: int
) -> None:
    http_server.fail_status = status
    http_server.fail_first = 100
    done = calls.lab.sandbox.run(*calls.argv("--retry=2m"), env=calls.env())
    assert "trying again" not in done.fails(code)


def test_a_ghost_that_is_not_there_is_not_waited_for(calls: Calls) -> None:
    calls.tree = "1" * 40
    done = calls.lab.sandbox.run(*calls.argv("--retry=2m"), env=calls.env())
    assert "trying again" not in done.fails(3)


@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_a_signal_ends_the_waiting_at_once(calls: Calls, name: str) -> None:
    with calls.running("--retry=1h", port=free_port()) as process:
        for _ in range(3):
            lines_until(process, "trying again")
        number = signal.Signals[f"SIG{name}"]
        process.send_signal(number)
        process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert not calls.folder.exists()
    assert list(Path(calls.lab.sandbox.env["TMPDIR"]).iterdir()) == []


def test_pull_takes_the_same_options(calls: Calls, http_server: HttpServer) -> None:
    pod = calls.lab.fresh_clone("pod")
    http_server.fail_first = 1
    options = ("--retry=1m", "--progress", f"--report={calls.report}", "--umask=0")
    done = calls.lab.ghost("pull", *options, calls.tree, at=pod)
    assert done.code == 0, done.err
    assert "trying again" in done.err
    assert json.loads(calls.report.read_text())["attempts"] == 2
    assert calls.lab.tree_of(pod) == calls.tree


@pytest.mark.parametrize("value", ["x", "", "5 m", "-1", "1d", "m", "5m1h"])
def test_a_duration_that_is_none_is_a_wrong_call(sandbox: Sandbox, value: str) -> None:
    done = sandbox.ghost("clone", f"--retry={value}", "1" * 40)
    assert "not a duration such as 90, 90s, 5m or 1h" in done.fails(2)


# --- a container that is started again -----------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("how", ["9", "group"])
def test_a_container_that_was_killed_anywhere_ends_exact_when_started_again(
    sandbox: Sandbox, http_server: HttpServer, tmp_path: Path, how: str
) -> None:
    lab = Lab(sandbox, "sha1", http_server)
    hash = stored(lab)
    base = lab.head()
    faults = Faults(lab, tmp_path)
    sandbox.git("config", "--global", "--unset", "credential.helper")
    login = {"username": http_server.user, "password": http_server.password}
    secret = mounted(sandbox.root / "secret", login)
    report = sandbox.root / "report"
    options = (
        *(f"--git-credentials={secret}", "--retry=1m", "--umask=0", f"--report={report}"),
        *("--progress", f"--source={lab.source_url}", f"--base={base}", "--"),
    )
    uninterrupted = sandbox.root / "uninterrupted"
    faults.run("clone", *options, hash, uninterrupted, cwd=sandbox.root)[0].ok()
    struck, at = True, 3 if how == "9" else 5
    while struck:
        place = tmp_path / f"place-{at}" / "source"
        first, struck = faults.run("clone", *options, hash, place, cwd=sandbox.root, at=at, how=how)
        assert struck or first.code == 0, first.err
        for _ in range(2):
            report.unlink(missing_ok=True)
            again, _ = faults.run("clone", *options, hash, place, cwd=sandbox.root)
            assert again.code == 0, (at, again.err)
            assert json.loads(report.read_text())["tree"] == hash
        assert_as_if_never_interrupted(lab, place, uninterrupted, hash)
        at += 9


def test_a_connection_by_ssh_that_breaks_off_is_opened_again(
    sandbox: Sandbox, ssh_server: SshServer, relay: Relays
) -> None:
    calls = Calls(Lab(sandbox, "sha1", ssh_server), ssh_server)
    hosts = ssh_server.known_hosts.read_text()
    between = relay(ssh_server.port, cut_down=100)
    hosts += hosts.replace(f":{ssh_server.port} ", f":{between.port} ")
    entries = {"ssh": ssh_server.key.read_text(), "known_hosts": hosts}
    secret = mounted(sandbox.root / "secret", entries)
    options = ("--retry=2m", f"--git-credentials={secret}")
    with calls.running(*options, port=between.port) as process:
        lines_until(process, "trying again")
        between.cut_down = None
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert calls.is_exact() >= 2


def test_every_failure_is_a_ghost_error() -> None:
    assert issubclass(StillUnreachable, RemoteError)
    assert issubclass(RemoteError, GhostError)
