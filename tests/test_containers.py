"""From the laptop into a running container: the pull step in a real pod, with podman."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.podlab import PULL, PodLab, podman_or_skip
from tests.support.podman import Podman
from tests.support.sandbox import Sandbox
from tests.support.servers import Server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def podman() -> Podman:
    """Return podman; skips where containers cannot run."""
    return podman_or_skip()


@pytest.fixture
def ssh_lab(sandbox: Sandbox, ssh_server: Server, podman: Podman, tmp_path: Path) -> PodLab:
    """Return a lab whose pods pull by ssh."""
    return PodLab(sandbox, ssh_server, podman, tmp_path)


@pytest.fixture
def http_lab(sandbox: Sandbox, http_server: Server, podman: Podman, tmp_path: Path) -> PodLab:
    """Return a lab whose pods pull by HTTP."""
    return PodLab(sandbox, http_server, podman, tmp_path)


@pytest.fixture(params=["ssh_lab", "http_lab"])
def pod_lab(request: pytest.FixtureRequest) -> PodLab:
    """Return either lab."""
    lab: PodLab = request.getfixturevalue(request.param)
    return lab


@pytest.mark.parametrize("uid", [0, 1000])
def test_the_main_container_finds_the_tree_of_the_laptop(pod_lab: PodLab, uid: int) -> None:
    lab = pod_lab
    lab.edit()
    base, ghost = lab.push_ghost()
    tree, disk = lab.tree_of(), lab.disk_state()
    with lab.pod(lab.manifest(uid=uid)) as pod:
        assert pod.run() == 0
        found = lab.assert_arrived(pod, tree, lab.head(), disk, uid)
        report = json.loads(pod.message(PULL))
    status = lab.sandbox.git("status", "--porcelain", cwd=lab.laptop)
    assert found["status"] == status.decode()
    assert found["environment"] == {
        "GIT_GHOST_HASH": ghost,
        "GIT_GHOST_BASE": base,
        "GIT_GHOST_REPO": lab.ghost_url,
        "GIT_GHOST_SOURCE": lab.source_url,
    }
    assert (report["hash"], report["tree"], report["verified"]) == (ghost, tree, True)
