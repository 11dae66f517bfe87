"""A server that says nothing is given up after ghost.timeout; one that is at work is not."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from git_ghost.gitconfig import GitConfig
from git_ghost.transport.patience import Patience
from tests.support.lab import Lab
from tests.support.listener import Listener
from tests.support.relay import Relay
from tests.support.servers import Server

pytestmark = pytest.mark.slow

URLS = {
    "git": "git://127.0.0.1:{port}/ghosts.git",
    "http": "http://127.0.0.1:{port}/ghosts.git",
    "https": "https://127.0.0.1:{port}/ghosts.git",
    "ssh": "ssh://ghost@127.0.0.1:{port}/ghosts.git",
}


@pytest.fixture
def silent() -> Iterator[Listener]:
    """A port that takes connections and says nothing."""
    kept: list[socket.socket] = []
    listener = Listener(kept.append)
    yield listener
    listener.close()
    for connection in kept:
        connection.close()


@pytest.mark.parametrize("scheme", URLS)
@pytest.mark.parametrize("call", ["push", "list"])
def test_a_silent_server_is_given_up(lab: Lab, silent: Listener, scheme: str, call: str) -> None:
    lab.sandbox.config("ghost.timeout", "1")
    lab.sandbox.env["GIT_SSH_COMMAND"] = "ssh -F /dev/null -o BatchMode=yes"
    url = URLS[scheme].format(port=silent.port)
    began = time.monotonic()
    err = lab.ghost(call, env={"GIT_GHOST_REPO": url}).fails(7)
    assert time.monotonic() - began < 30
    assert silent.connections > 0
    assert url in err
    assert "Traceback" not in err


def test_doctor_gives_a_silent_server_up_too(lab: Lab, silent: Listener) -> None:
    lab.sandbox.config("ghost.timeout", "1")
    began = time.monotonic()
    done = lab.ghost("doctor", env={"GIT_GHOST_REPO": f"git://127.0.0.1:{silent.port}/x"})
    assert time.monotonic() - began < 30
    assert done.code == 1
    assert b"fail  ghost repository" in done.out


def test_with_retry_a_silent_server_is_tried_again(lab: Lab, silent: Listener) -> None:
    lab.sandbox.config("ghost.timeout", "1")
    url = URLS["git"].format(port=silent.port)
    call = ("clone", "--retry", "3s", "1" * 40, "pod")
    err = lab.ghost(*call, at=lab.sandbox.root, env={"GIT_GHOST_REPO": url}).fails(75)
    assert re.search("given up after [2-9] attempts", err)
    assert f"not a word in 1 s from {url}" in err


def test_a_transfer_that_stops_is_given_up(
    lab: Lab, git_server: Server, relay: Callable[..., Relay]
) -> None:
    lab.ghost_url = git_server.create("ghosts.git")
    lab.write("noise", os.urandom(1 << 20))
    tree = lab.ghost("push").ok().split()[-1]
    stopping = relay(git_server.port, cut_down=1 << 19, stalls=True)
    url = git_server.url("ghosts.git", stopping.port)
    lab.sandbox.config("ghost.timeout", "1")
    call = ("clone", tree, "pod")
    err = lab.ghost(*call, at=lab.sandbox.root, env={"GIT_GHOST_REPO": url}).fails(7)
    assert f"not a word in 1 s from {url}" in err


def test_a_server_that_works_for_long_is_waited_for(lab: Lab, git_server: Server) -> None:
    lab.ghost_url = git_server.create("ghosts.git")
    repo = git_server.root / "ghosts.git"
    lab.sandbox.git("config", "receive.keepAlive", "1", cwd=repo)
    hook = repo / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nsleep 3\n")
    hook.chmod(0o755)
    lab.sandbox.config("ghost.timeout", "2")
    lab.ghost("push").ok()


def test_what_the_user_says_of_http_counts() -> None:
    said = GitConfig({"http.lowspeedtime": ("300",)})
    assert Patience.of(60, said).variables == {}
    assert Patience.of(60, GitConfig()).variables["GIT_HTTP_LOW_SPEED_TIME"] == "60"
    assert Patience.of(0, GitConfig()).ssh_options == ()
