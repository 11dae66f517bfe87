"""The harness keeps its promises; all with plain git, nothing of git ghost."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.http import HttpServer
from tests.support.lab import Lab
from tests.support.listener import Listener
from tests.support.oracle import disk_tree_of
from tests.support.relay import Relay
from tests.support.sandbox import GitFailed, Result, Sandbox
from tests.support.servers import Server
from tests.support.ssh import SshServer

StartRelay = Callable[..., Relay]
BINARY = bytes(range(256))
NOT_UTF8 = b"\xff" if sys.platform != "darwin" else b"\xc3\xbf"  # macOS has no such names


def noise(size: int) -> bytes:
    """Return bytes that do not compress."""
    return os.urandom(size)


# The sandbox


def test_nothing_of_the_host_reaches_the_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "SSH_AUTH_SOCK", "HTTPS_PROXY", "all_proxy", "GIT_CONFIG_PARAMETERS"):
        monkeypatch.setenv(name, "leaked")
    sandbox = Sandbox(tmp_path)
    assert "leaked" not in sandbox.env.values()
    assert sandbox.run("env").out.count(b"leaked") == 0
    assert sandbox.text("config", "--list", "--show-origin", "--global").count("\n") == 4


def test_homes_and_temporary_files_are_inside_the_sandbox(sandbox: Sandbox) -> None:
    for name in ("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        directory = Path(sandbox.env[name])
        assert directory.is_dir()
        assert directory.is_relative_to(sandbox.root)


def test_the_same_commits_get_the_same_ids_in_every_sandbox(tmp_path: Path) -> None:
    heads = {Lab(Sandbox(tmp_path / name)).head() for name in ("one", "two")}
    assert len(heads) == 1


def test_coverage_is_passed_on_to_subprocesses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COVERAGE_PROCESS_START", "settings")
    assert Sandbox(tmp_path).env["COVERAGE_PROCESS_START"] == "settings"


def test_scripts_next_to_the_interpreter_are_found_first(sandbox: Sandbox) -> None:
    assert sandbox.env["PATH"].startswith(str(Path(sys.executable).parent) + os.pathsep)


def test_a_failing_git_command_shows_its_stderr(sandbox: Sandbox) -> None:
    with pytest.raises(GitFailed, match="not a git repository"):
        sandbox.git("rev-parse", "HEAD")
    assert sandbox.git("rev-parse", "HEAD", check=False) == b""


def test_a_result_asserts_its_exit_code_and_shows_stderr() -> None:
    assert Result(0, b" out\n", "").ok() == "out"
    assert Result(4, b"", "why").fails(4) == "why"
    with pytest.raises(AssertionError, match="the reason"):
        Result(1, b"", "the reason").ok()
    with pytest.raises(AssertionError, match="exit code 1 and not 4"):
        Result(1, b"", "the reason").fails(4)


def test_the_library_can_be_called_inside_the_sandbox(in_sandbox: Sandbox) -> None:
    assert Path.home() == in_sandbox.home
    assert Path.cwd() == in_sandbox.root
    email = subprocess.run(["git", "config", "user.email"], capture_output=True, check=True).stdout
    assert email == b"ada@example.com\n"


# The oracle


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_three_ways_to_the_tree_id_agree(sandbox: Sandbox, object_format: str) -> None:
    lab = Lab(sandbox, object_format)
    lab.write(b"odd/ \n\xe2\x98\x83" + NOT_UTF8, BINARY)
    lab.write("odd.txt", b"sorts before the directory\r\n", mode=0o755)
    lab.symlink("link", "src/nowhere")
    found = lab.tree_of()
    assert found == disk_tree_of(lab.laptop, object_format)
    lab.commit("All of it")
    assert found == lab.head("HEAD^{tree}")
    assert found == lab.tree_of()


def test_looking_at_the_tree_writes_nothing_into_the_repository(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.write("new", b"never hashed before\n")
    index = lab.laptop / ".git/index"
    before, written = lab.disk_state(lab.laptop / ".git"), index.stat().st_mtime_ns
    lab.tree_of()
    assert lab.disk_state(lab.laptop / ".git") == before
    assert index.stat().st_mtime_ns == written


def test_ignored_files_count_on_disk_and_only_when_tracked_in_the_tree(lab: Lab) -> None:
    lab.write("tracked.log", b"1\n")
    lab.commit("Track a log")
    lab.write(".gitignore", b"*.log\n")
    lab.write("tracked.log", b"2\n")
    without = lab.tree_of()
    lab.write("ignored.log", b"3\n")
    assert lab.tree_of() == without
    assert lab.disk_state()[b"ignored.log"] == ("file", False, b"3\n")
    lab.write("tracked.log", b"4\n")
    assert lab.tree_of() != without


def test_a_change_that_keeps_size_and_time_does_not_escape(lab: Lab) -> None:
    before, times = lab.tree_of(), (lab.laptop / "foo").stat()
    path = lab.write("foo", b"b\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert lab.tree_of() != before


def test_files_outside_of_a_sparse_checkout_are_not_taken_for_deleted(lab: Lab) -> None:
    sparse = lab.fresh_clone("sparse", "--sparse")
    assert not (sparse / "src").exists()
    assert lab.tree_of(sparse) == lab.head("HEAD^{tree}")


def test_links_and_x_bits_are_part_of_the_state(lab: Lab) -> None:
    lab.symlink("link", "foo")
    state = lab.disk_state()
    assert state[b"link"] == ("symlink", False, b"foo")
    assert state[b"run.sh"][:2] == ("file", True)
    assert not [path for path in state if path.startswith(b".git/")]


# The servers


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_what_is_pushed_to_any_server_can_be_cloned_from_it(
    any_server: Server, sandbox: Sandbox, object_format: str
) -> None:
    lab = Lab(sandbox, object_format, any_server)
    lab.write("big", noise(300_000))
    lab.commit("Big")
    lab.push()
    assert disk_tree_of(lab.fresh_clone("pod"), object_format) == lab.head("HEAD^{tree}")
    assert lab.source.is_relative_to(any_server.root)


def test_a_network_server_gives_a_shallow_commit_without_blobs_by_its_id(
    network_server: Server, sandbox: Sandbox
) -> None:
    lab = Lab(sandbox, server=network_server)
    pod = sandbox.repo("pod")
    wanted = lab.head("HEAD~1")
    fetch = ("fetch", "--quiet", "--depth=1", "--filter=blob:none", lab.source_url, wanted)
    sandbox.git(*fetch, cwd=pod, env={"GIT_TRACE_PACKET": f"{pod}/trace"})
    assert sandbox.text("rev-list", "FETCH_HEAD", cwd=pod) == wanted
    assert "version 2" in (pod / "trace").read_text("utf-8", "replace")


def test_a_network_server_counts_connections_and_keeps_a_log(
    network_server: Server, sandbox: Sandbox
) -> None:
    network_server.admit(sandbox)
    url = network_server.create("some.git")
    sandbox.git("ls-remote", url)
    assert network_server.connections == 1
    assert network_server.log()


def test_a_closed_server_hangs_up_and_leaves_no_port_behind(
    git_server: Server, sandbox: Sandbox
) -> None:
    url = git_server.create("some.git")
    assert git_server.port
    with socket.create_connection(("127.0.0.1", git_server.port)) as client:
        client.settimeout(10)
        request = b"git-upload-pack /some.git\0host=127.0.0.1\0"
        client.sendall(b"%04x" % (len(request) + 4) + request)
        assert client.recv(1)  # it is in the middle of its answer
        git_server.close()
        while client.recv(1 << 16):
            pass
    assert "unable to connect" in sandbox.run("git", "ls-remote", url).err


def test_http_refuses_a_missing_and_a_wrong_password(
    http_server: HttpServer, sandbox: Sandbox
) -> None:
    url = http_server.create("some.git")
    assert "could not read Username" in sandbox.run("git", "ls-remote", url).fails(128)
    sandbox.config("credential.helper", http_server.wrong_credential_helper)
    assert "Authentication failed" in sandbox.run("git", "ls-remote", url).fails(128)
    assert {(request.user, request.status) for request in http_server.requests} == {
        (None, 401),
        ("ghost", 401),
    }
    sandbox.git("ls-remote", http_server.url_with_password("some.git"))


def test_http_takes_compressed_and_chunked_requests(
    http_server: HttpServer, sandbox: Sandbox
) -> None:
    lab = Lab(sandbox, server=http_server)
    lab.write("big", noise(300_000))
    lab.commit("Big")
    small = ("-c", "http.postBuffer=65536")
    sandbox.git(*small, "push", "--quiet", "origin", "HEAD", cwd=lab.laptop)
    assert any(request.chunked and request.status == 200 for request in http_server.requests)
    refs = [f"refs/heads/branch-{number}" for number in range(40)]
    sandbox.git("push", "--quiet", "origin", *(f"HEAD:{ref}" for ref in refs), cwd=lab.laptop)
    sandbox.git("fetch", "--quiet", lab.source_url, *refs, cwd=sandbox.repo("pod"))
    assert any(request.gzipped and request.status == 200 for request in http_server.requests)


def test_http_fails_as_often_as_it_is_told(http_server: HttpServer, sandbox: Sandbox) -> None:
    http_server.admit(sandbox)
    url = http_server.create("some.git")
    http_server.fail_first = 2
    assert "503" in sandbox.run("git", "ls-remote", url).fails(128)
    http_server.fail_status = 500
    assert "500" in sandbox.run("git", "ls-remote", url).fails(128)
    sandbox.git("ls-remote", url)


def test_http_loses_a_response_half_way(http_server: HttpServer, sandbox: Sandbox) -> None:
    lab = Lab(sandbox, server=http_server)
    lab.write("big", noise(300_000))
    lab.commit("Big")
    lab.push()
    http_server.fault_on, http_server.cut_response_after = "git-upload-pack", 100_000
    clone = ("git", "clone", "--quiet", lab.source_url, "pod")
    assert sandbox.run(*clone).code == 128
    http_server.cut_response_after = None
    sandbox.run(*clone).ok()


def test_ssh_refuses_a_wrong_key(ssh_server: SshServer, sandbox: Sandbox) -> None:
    url = ssh_server.create("some.git")
    env = ssh_server.client_env(key=ssh_server.wrong_key)
    assert "Permission denied" in sandbox.run("git", "ls-remote", url, env=env).fails(128)
    sandbox.git("ls-remote", url, env=ssh_server.env)


def test_ssh_clients_refuse_a_wrong_host_key(ssh_server: SshServer, sandbox: Sandbox) -> None:
    url = ssh_server.create("some.git")
    env = ssh_server.client_env(known_hosts=ssh_server.wrong_known_hosts)
    assert "Host key verification failed" in sandbox.run("git", "ls-remote", url, env=env).fails(
        128
    )


def test_ssh_keys_are_good_for_nothing_but_git(ssh_server: SshServer, sandbox: Sandbox) -> None:
    command = f'{ssh_server.env["GIT_SSH_COMMAND"]} -p {ssh_server.port} "$1@127.0.0.1" id'
    assert sandbox.run("sh", "-c", command, "sh", ssh_server.user).code != 0


# The relay


def echo(connection: socket.socket) -> None:
    with connection:
        while block := connection.recv(1 << 16):
            connection.sendall(block)


def exchange(port: int, messages: int) -> float:
    """Return the seconds that it takes to get an answer to all messages, sent at once."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        for _ in range(messages):
            client.sendall(b"ping")
        received = 0
        while received < 4 * messages:
            block = client.recv(1 << 16)
            assert block
            received += len(block)
    return time.monotonic() - began


def test_a_relay_delays_but_does_not_serialise(relay: StartRelay) -> None:
    listener = Listener(echo)
    slow = relay(listener.port, delay_ms=30)
    # three delays to open the connection, one for the answer's way back
    assert exchange(slow.port, 1) >= 0.120
    assert exchange(slow.port, 100) < 100 * 0.060
    assert (slow.connections, slow.bytes_up, slow.bytes_down) == (2, 404, 404)
    listener.close()


@pytest.mark.parametrize("lost", ["cut_up", "cut_down"])
def test_a_relay_loses_a_connection_half_way(
    git_server: Server, relay: StartRelay, sandbox: Sandbox, lost: str
) -> None:
    lab = Lab(sandbox, server=git_server)
    lab.write("big", noise(300_000))
    lab.commit("Big")
    breaking = relay(git_server.port, **{lost: 100_000})
    url = git_server.url("source.git", breaking.port)
    if lost == "cut_down":
        lab.push()
        broken = sandbox.run("git", "clone", "--quiet", url, "pod")
    else:
        broken = sandbox.run("git", "push", "--quiet", url, "HEAD:main", cwd=lab.laptop)
        assert sandbox.text("rev-parse", "main", cwd=lab.source) == lab.head("HEAD~1")
    assert broken.code != 0
    assert breaking.cuts == 1


def test_every_network_server_works_behind_a_relay(
    network_server: Server, relay: StartRelay, sandbox: Sandbox
) -> None:
    network_server.admit(sandbox)
    network_server.create("some.git")
    between = relay(network_server.port, delay_ms=5)
    sandbox.git("ls-remote", network_server.url("some.git", between.port))
    assert between.bytes_down > 0


def test_a_relay_to_nowhere_closes_the_connection(relay: StartRelay) -> None:
    listener = Listener(echo)
    listener.close()
    between = relay(listener.port)
    with socket.create_connection(("127.0.0.1", between.port), timeout=10) as client:
        assert client.recv(1) == b""


def test_a_relay_runs_as_a_program_until_it_is_told_to_stop(sandbox: Sandbox) -> None:
    listener = Listener(echo)
    root = Path(__file__).parent.parent
    module = (sys.executable, "-m", "tests.support.relay")
    env = {**sandbox.env, "PYTHONPATH": str(root)}
    usage = subprocess.run([*module, "--help"], env=env, capture_output=True, check=True).stdout
    assert re.search(rb"--delay-ms .*latency", usage)
    command = [*module, "--target", str(listener.port), "--delay-ms", "1"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as program:
        assert program.stdout
        assert exchange(int(program.stdout.readline()), 1) >= 0.004
        program.send_signal(signal.SIGTERM)
        assert program.wait(10) == 0
    listener.close()
