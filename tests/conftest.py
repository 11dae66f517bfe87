"""Fixtures: a sandbox, a lab, and servers that are real and private to one test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.cluster.real import ClusterUnavailable, OpenGitDaemon, RealCluster
from tests.support.http import HttpServer, HttpsServer
from tests.support.lab import Lab
from tests.support.relay import Relay
from tests.support.sandbox import Sandbox
from tests.support.scene import Scene
from tests.support.servers import (
    FileServer,
    GitDaemon,
    PathServer,
    Server,
    ServerUnavailable,
)
from tests.support.ssh import SshServer

NETWORK: dict[str, type[Server]] = {"git": GitDaemon, "ssh": SshServer, "http": HttpServer}
SERVERS: dict[str, type[Server]] = {"path": PathServer, "file": FileServer, **NETWORK}
# Whoever runs the tests in the background may have it ignored, which every process would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

_SERVERS = ("git_server", "ssh_server", "http_server", "https_server")
_SLOW = {*_SERVERS, "cluster", "any_scene", "faults"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what starts a server, or a process again and again."""
    for item in items:
        if _SLOW.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the tests went without, and how to get it."""
    script = Path(__file__).parent.parent / "scripts/test-system.sh"
    words = ("sh", str(script), "--missing")
    missing = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    if missing:
        terminalreporter.section("not there, and not tried for want of it")
        terminalreporter.write(missing)
        terminalreporter.write_line("How to get it: make test-system (as root on Debian it does)")


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """Return a machine with nothing on it but git."""
    return Sandbox(tmp_path / "sandbox")


@pytest.fixture
def in_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Give this very process the sandbox's environment, for tests that call the library.

    What is changed in `sandbox.env` afterwards has to be changed in `os.environ` as well.
    """
    for name in set(os.environ) - set(sandbox.env):
        if not name.startswith("PYTEST_"):
            monkeypatch.delenv(name)
    for name, value in sandbox.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(sandbox.root)
    return sandbox


@pytest.fixture
def lab(sandbox: Sandbox) -> Lab:
    """Return a source remote, a laptop with a clone and a ghost repository, joined by paths."""
    return Lab(sandbox)


@contextmanager
def _serving(kind: type[Server], tmp_path: Path) -> Iterator[Server]:
    """Serve for one test; the log is printed at its end, so pytest shows it with a failure."""
    try:
        server = kind(tmp_path / f"{kind.__name__}-files")
    except ServerUnavailable as error:
        pytest.skip(str(error))
    with server:
        yield server
    print(f"log of {kind.__name__}:\n{server.log()}")  # noqa: T201


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[Server]:
    """Return a git:// server."""
    with _serving(GitDaemon, tmp_path) as server:
        yield server


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[SshServer]:
    """Return a private sshd; skips where none is installed."""
    with _serving(SshServer, tmp_path) as server:
        assert isinstance(server, SshServer)
        yield server


@pytest.fixture
def http_server(tmp_path: Path) -> Iterator[HttpServer]:
    """Return a smart HTTP server with basic authentication and faults on demand."""
    with _serving(HttpServer, tmp_path) as server:
        assert isinstance(server, HttpServer)
        yield server


@pytest.fixture
def https_server(tmp_path: Path) -> Iterator[HttpsServer]:
    """Return a https:// server with a private authority."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    with HttpsServer(tmp_path / "https") as server:
        yield server


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) for name in NETWORK])
def network_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Run the test once with each kind of server that listens on a port."""
    with _serving(NETWORK[request.param], tmp_path) as server:
        yield server


@pytest.fixture(
    params=["path", "file", *(pytest.param(name, marks=pytest.mark.slow) for name in NETWORK)]
)
def any_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Run the test once with each kind of server, a path and a file:// URL among them."""
    with _serving(SERVERS[request.param], tmp_path) as server:
        yield server


@pytest.fixture
def relay() -> Iterator[Callable[..., Relay]]:
    """Return a function that starts a `Relay`, with the same arguments, for this test."""
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(Relay(*args, **options))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Return a Kubernetes cluster: API server, controllers and a node whose containers run."""
    with closing(Cluster(tmp_path / "cluster")) as started:
        yield started
    print(started.log())  # noqa: T201 - pytest shows it with a failure


@pytest.fixture
def scene(sandbox: Sandbox, cluster: Cluster, git_server: Server) -> Iterator[Scene]:
    """Return a laptop and the test cluster, whose pods reach the laptop's remotes."""
    lab = Lab(sandbox, server=git_server)
    with closing(Scene(lab, cluster, "busybox", "git-ghost:test")) as ready:
        yield ready


@pytest.fixture
def any_scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """Return the same with the kubeconfig's cluster, where `make test-cluster` wants that."""
    if not os.environ.get("GIT_GHOST_TEST_CLUSTER"):
        yield request.getfixturevalue("scene")
        return
    init_image = os.environ.get("GIT_GHOST_TEST_IMAGE")
    if not init_image:
        pytest.skip("GIT_GHOST_TEST_IMAGE does not name an image of git ghost")
    try:
        real = RealCluster(tmp_path)
    except ClusterUnavailable as error:
        pytest.skip(str(error))
    with closing(real), _serving(OpenGitDaemon, tmp_path) as server:
        lab = Lab(request.getfixturevalue("sandbox"), server=server)
        image = os.environ.get("GIT_GHOST_TEST_BUSYBOX", "busybox:1.36")
        with closing(Scene(lab, real, image, init_image)) as ready:
            yield ready
