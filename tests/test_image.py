"""The image of the pull step: small, without anything to build with, content with very little."""

from __future__ import annotations

import re

import pytest

from tests.support.podlab import podman_or_skip
from tests.support.podman import Podman

pytestmark = pytest.mark.slow

_MEGABYTES = 185
"""Below Debian's slim image with git, ssh and a program of 10 MB (benchmarks/RESULTS.md)."""


@pytest.fixture(scope="module")
def podman() -> Podman:
    """Return podman; skips where containers cannot run."""
    return podman_or_skip()


@pytest.fixture(scope="module")
def image(podman: Podman) -> str:
    """Return the name of the image of this source tree."""
    return podman.image()


def inside(podman: Podman, image: str, script: str, *options: str) -> str:
    """Run a shell script in a container of the image."""
    limits = ("--rm", "--network=none", "--read-only", "--cap-drop=all", *options)
    return podman.run("run", *limits, "--entrypoint=sh", image, "-euc", script).ok()


def test_it_is_git_ghost_run_by_an_unprivileged_user(podman: Podman, image: str) -> None:
    config = podman.inspect("image", image)["Config"]
    assert config["Entrypoint"] == ["git-ghost"]
    assert config["User"] == "65533:65533"
    said = podman.run("run", "--rm", "--network=none", image, "version").ok()
    assert said == f"git-ghost {config['Labels']['org.opencontainers.image.version']}"


def test_its_user_is_in_the_user_data_base_as_ssh_wants_it(podman: Podman, image: str) -> None:
    said = inside(podman, image, "id -un; id -gn; echo $HOME; ssh -V 2>&1; git ghost version")
    assert said.startswith("ghost\nghost\n/tmp\nOpenSSH_")
    assert "git-ghost" in said


@pytest.mark.parametrize("user", ["0", "65533", "1234567:7"])
def test_any_user_can_run_it_on_a_read_only_root(podman: Podman, image: str, user: str) -> None:
    script = "cd /tmp; git init -q r; cd r; git ghost version; git ghost clone -h >/dev/null"
    assert inside(podman, image, script, f"--user={user}", "--tmpfs=/tmp")


def test_nothing_to_build_with_is_left_in_it(podman: Podman, image: str) -> None:
    absent = "pip pip3 gcc cc make git-daemon git-shell"
    modules = "pip kubernetes setuptools hatchling pygments"
    script = f"""
        for name in {absent}; do command -v $name || :; done
        for name in {modules}; do
            ! /opt/git-ghost/bin/python -c "import $name" 2>/dev/null || echo "module $name"
        done
        ls /src /opt/pip 2>/dev/null || :
        ls -A /var/lib/apt/lists /var/cache/apt
    """
    said = inside(podman, image, script)
    assert said == "/var/cache/apt:\n\n/var/lib/apt/lists:"


def test_its_packages_are_in_order_without_perl(podman: Podman, image: str) -> None:
    script = "dpkg --audit; apt-get check -qq; dpkg-query -W -f '${Package}\\n'"
    shell = ("--entrypoint=sh", "--user=0", "--network=none", image, "-euc", script)
    packages = podman.run("run", "--rm", *shell).ok().splitlines()
    assert "git" in packages
    assert "perl" not in packages


def test_what_git_ghost_imports_is_compiled_ahead(podman: Podman, image: str) -> None:
    script = "PYTHONPATH= /opt/git-ghost/bin/python -v -m git_ghost clone -h 2>&1 >/dev/null"
    said = inside(podman, image, script)
    assert "git_ghost/cli/__pycache__/main.cpython" in said
    assert not re.search(r"code object from '.*\.py'", said)  # none was compiled now


def test_doctor_has_all_it_needs_to_draw_its_table(podman: Podman, image: str) -> None:
    said = podman.run("run", "--rm", "--tty", "--network=none", image, "doctor", check=False)
    assert b"Traceback" not in said.out
    assert b"git" in said.out


def test_it_is_small(podman: Podman, image: str) -> None:
    assert podman.inspect("image", image)["Size"] < _MEGABYTES * 1_000_000


def test_a_base_that_has_git_ssh_and_python_needs_no_package(podman: Podman, image: str) -> None:
    options = ("--network=none", "--target=system", f"--build-arg=BASE={image}")
    podman.run("build", *options, "--quiet", ".")


def test_an_engine_that_does_not_work_is_named(podman: Podman) -> None:
    env = {"ENGINE": "no-such-engine"}
    done = podman.call("sh", "scripts/image.sh", check=False, env=env)
    assert "no-such-engine" in done.fails(1)
