"""Connections that break off half-way, and calls that are interrupted there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from git_ghost.errors import RemoteError
from git_ghost.usecases import Options, clone, pull, push
from tests.support.http import HttpServer
from tests.support.relay import Relay
from tests.support.sandbox import Sandbox
from tests.support.served import Served
from tests.support.servers import FileServer, Server

MakeRelay = Callable[..., Relay]
CUTS = (0.02, 0.3, 0.6, 0.9)
"""Where connections are cut: as a part of what a whole session carries."""


@pytest.fixture
def lab(in_sandbox: Sandbox, network_server: Server, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Return a lab, with changes to send, on each kind of server that listens on a port."""
    lab = Served(in_sandbox, network_server, monkeypatch)
    lab.write("noise.bin", os.urandom(200_000))
    return lab


def through(lab: Served, relay: Relay, name: str) -> str:
    """Return the URL of a repository by way of the relay."""
    return lab.server.url(name, relay.port)


def broken(work: Callable[[], object], url: str) -> None:
    """Assert that ``work`` ends in a sentence about a lost connection to ``url``."""
    with pytest.raises(RemoteError) as caught:
        work()
    begins = ["the connection broke off while talking to"]
    if url.startswith("http"):  # cut off while it says who it is, git takes that for a refusal
        begins.append("wrong or missing credentials for")
    assert caught.value.message.startswith(tuple(f"{words} {url}" for words in begins))
    assert caught.value.hint


def test_a_push_cut_off_anywhere_can_be_run_again(lab: Served, relay: MakeRelay) -> None:
    port = lab.server.port
    lab.edit()
    before = lab.disk_state()
    whole = relay(port)
    push(lab.options(repo=through(lab, whole, "ghosts.git")))
    (ref,) = lab.ghost_refs()
    for part in CUTS:
        lab.sandbox.git("update-ref", "-d", ref, cwd=lab.ghost_repo)
        cutting = relay(port, cut_up=int(whole.bytes_up * part))
        url = through(lab, cutting, "ghosts.git")
        broken(lambda url=url: push(lab.options(repo=url)), url)  # type: ignore[misc]
        assert cutting.cuts
        assert lab.ghost_refs() == []
        assert lab.temporary_files() == []
    assert push(lab.options()).ghosts[0].new
    assert lab.disk_state() == before


def test_a_pull_cut_off_anywhere_leaves_the_tree_and_can_be_run_again(
    lab: Served, relay: MakeRelay
) -> None:
    port = lab.server.port
    tree = lab.edit()
    push(lab.options())
    pod = lab.fresh_clone("pod")
    before = lab.disk_state(pod)
    whole = relay(port)
    shutil.copytree(pod, lab.sandbox.root / "other")
    pull(tree, lab.options(lab.sandbox.root / "other", through(lab, whole, "ghosts.git")))
    for part in CUTS:
        cutting = relay(port, cut_down=int(whole.bytes_down * part))
        url = through(lab, cutting, "ghosts.git")
        broken(lambda url=url: pull(tree, lab.options(pod, url)), url)  # type: ignore[misc]
        assert lab.disk_state(pod) == before
        assert lab.sandbox.git("status", "--porcelain", cwd=pod) == b""
        assert lab.temporary_files() == []
    pull(tree, lab.options(pod))
    assert lab.disk_state(pod) == lab.disk_state()


def test_a_clone_cut_off_anywhere_leaves_nothing_and_can_be_run_again(
    lab: Served, relay: MakeRelay, tmp_path: Path
) -> None:
    port = lab.server.port
    lab.write("src/model.bin", os.urandom(200_000))
    lab.commit("A big base")
    lab.push()
    tree = lab.edit()
    push(lab.options())
    workspace = tmp_path / "workspace"
    for name in ("ghosts.git", "source.git"):

        def get(relayed: Relay, name: str = name, into: Path = workspace) -> None:
            urls = {"ghosts.git": lab.ghost_url, "source.git": lab.source_url}
            urls[name] = through(lab, relayed, name)
            clone(tree, str(into), Options(repo=urls["ghosts.git"], source=urls["source.git"]))

        whole = relay(port)
        get(whole, into=tmp_path / f"whole {name}")
        for part in CUTS:
            cutting = relay(port, cut_down=int(whole.bytes_down * part))
            url = through(lab, cutting, name)
            broken(lambda cutting=cutting, get=get: get(cutting), url)  # type: ignore[misc]
            assert not workspace.exists()
            assert lab.temporary_files() == []
    clone(tree, str(workspace), Options(repo=lab.ghost_url))
    assert lab.disk_state(workspace) == lab.disk_state()


def test_an_answer_that_got_lost_is_asked_for_again(
    http_server: HttpServer, in_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Served(in_sandbox, http_server, monkeypatch)
    tree = lab.edit()
    http_server.fault_on = "POST-of-nothing"
    http_server.cut_response_after = 0
    http_server.fault_on = "/git-receive-pack"  # the push itself, not the list of refs before it
    try:
        push(lab.options())
    except RemoteError as e:  # git could not tell that the session got as far as the push
        assert "broke off" in e.message  # noqa: PT017 - either way is right; silence would not be
    assert [ref.rpartition("/")[2] for ref in lab.ghost_refs()] == [tree]
    http_server.cut_response_after = None
    assert push(lab.options()).hash == tree


# --- interrupted -----------------------------------------------------------------------------

_ASLEEP = '#!/bin/sh\n[ "$1" = -G ] && exit 1\necho $$ >"{ready}"\nexec cat\n'
"""An ssh that never answers; git may ask first what kind of ssh it is (-G)."""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("verb", ["push", "pull", "clone"])
def test_nothing_stays_behind_when_it_is_interrupted(
    in_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    signum: signal.Signals,
) -> None:
    lab = Served(in_sandbox, FileServer(tmp_path / "files"), monkeypatch)
    tree = lab.edit()
    push(lab.options())
    pod = lab.fresh_clone("pod")
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    asleep = tmp_path / "asleep"
    asleep.write_text(_ASLEEP.format(ready=ready))
    asleep.chmod(0o755)
    args = {"push": ["push"], "pull": ["pull", tree], "clone": ["clone", tree, str(tmp_path / "w")]}
    env = {
        **lab.sandbox.env,
        "GIT_GHOST_REPO": "ssh://host.invalid/ghosts.git",
        "GIT_SSH": str(asleep),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "git_ghost", *args[verb]],
        cwd=pod, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    helper = int(ready.read_text())  # git waits for its ssh now
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    assert process.returncode in (130, 128 + signum), err.decode()
    assert out == b""
    assert b"Traceback" not in err
    assert lab.temporary_files() == []
    assert not (tmp_path / "w").exists()
    deadline = time.monotonic() + 30
    while state := lab.sandbox.run("ps", "-o", "stat=", "-p", str(helper)).out.strip():
        if state.startswith(b"Z"):  # ended, if perhaps not buried by its new parent
            break
        assert time.monotonic() < deadline, state
    assert lab.sandbox.git("status", "--porcelain", cwd=pod) == b""
