"""A pull step that cannot do its work says why, by exit code and log, and nothing starts after it.

And one that was killed, or runs again, leaves exactly the tree that was pushed.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.pod import Object
from tests.support.podlab import MAIN, PULL, PodLab, podman_or_skip
from tests.support.podman import Podman
from tests.support.relay import Relay
from tests.support.sandbox import Sandbox
from tests.support.ssh import SshServer

pytestmark = pytest.mark.slow

_SECONDS = 60


@pytest.fixture(scope="module")
def podman() -> Podman:
    """Return podman; skips where containers cannot run."""
    return podman_or_skip()


@pytest.fixture
def lab(sandbox: Sandbox, ssh_server: SshServer, podman: Podman, tmp_path: Path) -> PodLab:
    """Return a lab whose pods pull by ssh."""
    lab = PodLab(sandbox, ssh_server, podman, tmp_path)
    lab.edit()
    return lab


def wrong_key(lab: PodLab, server: SshServer) -> None:
    lab.credentials["ssh-privatekey"] = (server.state / "wrong_key").read_bytes()


def another_host(lab: PodLab, server: SshServer) -> None:
    lab.credentials["known_hosts"] = server.wrong_known_hosts.read_bytes()


def no_known_hosts(lab: PodLab, server: SshServer) -> None:  # noqa: ARG001
    del lab.credentials["known_hosts"]


def no_ghost(lab: PodLab, server: SshServer) -> None:  # noqa: ARG001
    for ref in lab.ghost_refs():
        lab.sandbox.git("update-ref", "-d", ref, cwd=lab.ghost_repo)


def tampered(lab: PodLab, server: SshServer) -> None:  # noqa: ARG001
    """Change a line of the stored diff, as somebody with write access could."""
    git, repo = lab.sandbox.git, lab.ghost_repo
    _, ghost = lab.push_ghost()
    ref = next(ref for ref in lab.ghost_refs() if ref.endswith(f"/{ghost}"))
    patch = git("cat-file", "blob", f"{ref}:local-mod.patch", cwd=repo)
    changed = patch.replace(b"neither committed", b"NEITHER COMMITTED")
    assert changed != patch
    blob = git("hash-object", "-w", "--stdin", stdin=changed, cwd=repo).strip()
    row = b"100644 blob " + blob + b"\tlocal-mod.patch\n"
    tree = lab.sandbox.text("mktree", stdin=row, cwd=repo)
    message = git("log", "-1", "--format=%B", ref, cwd=repo)
    commit = lab.sandbox.text("commit-tree", tree, stdin=message, cwd=repo)
    git("update-ref", ref, commit, cwd=repo)


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        pytest.param(wrong_key, 7, "Permission denied", id="wrong key"),
        pytest.param(another_host, 7, "known_hosts", id="another host's key"),
        pytest.param(no_known_hosts, 7, "known_hosts", id="no known_hosts"),
        pytest.param(no_ghost, 3, "no ghost", id="missing ghost"),
        pytest.param(tampered, 6, "", id="tampered ghost"),
    ],
)
def test_what_cannot_be_mended_ends_the_pull_at_once_with_its_own_code(
    lab: PodLab,
    ssh_server: SshServer,
    spoil: Callable[[PodLab, SshServer], None],
    code: int,
    said: str,
) -> None:
    lab.push_ghost()
    spoil(lab, ssh_server)
    with lab.pod(lab.manifest()) as pod:
        assert pod.run() == code
        assert said in pod.logs(PULL)
        assert "error: " in pod.logs(PULL)
        assert not pod.started(MAIN)
        assert list(pod.volume("git-ghost").iterdir()) == []
        assert not lab.leaks(pod.all_that_is_known())


def test_a_server_that_stays_away_is_a_passing_fault(lab: PodLab, ssh_server: SshServer) -> None:
    lab.push_ghost()
    manifest = lab.manifest()
    args = manifest["spec"]["initContainers"][0]["args"]
    args[args.index("--retry=5m")] = "--retry=2s"
    ssh_server.close()
    with lab.pod(manifest) as pod:
        assert pod.run() == 75
        assert "trying again" in pod.logs(PULL)
        assert not lab.leaks(pod.all_that_is_known())


def test_any_user_of_the_cluster_can_pull(lab: PodLab) -> None:
    lab.push_ghost()
    tree, disk = lab.tree_of(), lab.disk_state()
    with lab.pod(lab.manifest("--init-run-as-user", "1234567")) as pod:
        assert pod.run() == 0
        lab.assert_arrived(pod, tree, lab.head(), disk)
        assert (pod.volume("git-ghost") / "source/foo").stat().st_uid == 1234567


def test_a_pull_step_that_runs_again_changes_nothing(lab: PodLab) -> None:
    lab.push_ghost()
    tree, disk = lab.tree_of(), lab.disk_state()
    with lab.pod(lab.manifest()) as pod:
        pod.start(PULL)
        assert pod.wait(PULL) == 0
        assert pod.run() == 0
        lab.assert_arrived(pod, tree, lab.head(), disk)
        assert json.loads(pod.message(PULL))["verified"]


@contextmanager
def relayed(lab: PodLab, server: SshServer, manifest: Object) -> Iterator[Relay]:
    """Lead the pull step's connections through a relay that loses each of them half-way."""
    assert server.port is not None
    with Relay(server.port, cut_down=200_000) as relay:
        through, direct = str(relay.port), str(server.port)
        hosts = lab.credentials["known_hosts"].decode()
        lab.credentials["known_hosts"] = hosts.replace(direct, through).encode()
        for variable in manifest["spec"]["initContainers"][0]["env"]:
            variable["value"] = variable["value"].replace(f":{direct}/", f":{through}/")
        yield relay


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.002)


def test_a_pull_step_killed_in_the_middle_of_a_transfer_starts_over(
    lab: PodLab, ssh_server: SshServer
) -> None:
    lab.write("large", random.Random(7).randbytes(2_000_000))
    lab.push_ghost()
    manifest = lab.manifest()
    tree, disk = lab.tree_of(), lab.disk_state()
    with relayed(lab, ssh_server, manifest) as relay, lab.pod(manifest) as pod:
        pod.start(PULL)
        wait_until(lambda: relay.cuts)
        pod.kill(PULL)
        assert pod.wait(PULL) == 137
        relay.cut_down = None
        assert pod.run() == 0
        lab.assert_arrived(pod, tree, lab.head(), disk)


def _pushed_files(lab: PodLab) -> None:
    for number in range(1500):
        lab.write(f"many/{number % 40}/{number}.txt", b"%d\n" % number * 50)
    lab.commit("Many files")
    lab.push()
    lab.write("many/1/1.txt", b"changed since\n")


@pytest.mark.parametrize(
    "sign",
    [
        pytest.param("source/.git", id="the repository is made"),
        pytest.param("source/many", id="files are written"),
    ],
)
def test_a_pull_step_killed_while_it_writes_ends_exact_after_all(lab: PodLab, sign: str) -> None:
    _pushed_files(lab)
    lab.push_ghost()
    tree, disk = lab.tree_of(), lab.disk_state()
    with lab.pod(lab.manifest()) as pod:
        pod.start(PULL)
        wait_until((pod.volume("git-ghost") / sign).exists)
        pod.kill(PULL)
        assert pod.wait(PULL) in (137, 0)  # it may have been faster
        assert pod.run() == 0
        lab.assert_arrived(pod, tree, lab.head(), disk)
