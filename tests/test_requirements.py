"""What git ghost is installed and tested with: lock files, and packages of the system."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {path.stem: path for path in sorted((ROOT / "requirements").glob("*.txt"))}
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PYTHONS = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PROJECT)
EXTRAS = {"run": (), "build": (), "k8s": ("k8s",), "dev": ("k8s", "dev")}
"""The extras that a lock file of that name covers."""


def locked(name: str) -> Iterator[tuple[Requirement, list[str]]]:
    """Return what a lock file pins, each with its hashes."""
    text = LOCKS[name].read_text(encoding="ascii")
    for entry in re.sub(r"\\\n\s+", "", text).splitlines():
        if not entry.startswith("#"):
            requirement, *hashes = re.split(r"\s*--hash=", entry)
            yield Requirement(requirement), hashes


def environment(python: str, platform: str, extra: str = "") -> dict[str, str]:
    """Return the values of markers there."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.4",
        "sys_platform": platform,
        "os_name": "posix",
        "extra": extra,
    }


def asked(name: str, python: str, platform: str) -> Iterator[Requirement]:
    """Return what pyproject.toml asks for in that environment."""
    for line in metadata.requires("git-ghost") or ():
        requirement = Requirement(line)
        extras = ("", *EXTRAS[name])
        if requirement.name != "git-ghost" and any(
            requirement.marker is None
            or requirement.marker.evaluate(environment(python, platform, extra))
            for extra in extras
        ):
            yield requirement
    if name == "build":
        for line in re.findall(r'^requires = \["(.+)"\]$', PROJECT, re.MULTILINE):
            yield Requirement(line)


def pins(name: str, python: str, platform: str) -> dict[str, str]:
    """Return the version of each package that a lock file installs there."""
    found: dict[str, str] = {}
    for requirement, _ in locked(name):
        there = environment(python, platform)
        if requirement.marker is None or requirement.marker.evaluate(there):
            (pin,) = requirement.specifier
            assert canonicalize_name(requirement.name) not in found
            found[canonicalize_name(requirement.name)] = pin.version
    return found


# --- lock files ----------------------------------------------------------------------------------


def test_there_is_a_lock_file_for_each_use() -> None:
    assert set(LOCKS) == {*EXTRAS, "uv"}
    assert PYTHONS[0] == "3.10"
    assert len(PYTHONS) >= 5


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_has_exact_versions_with_hashes_and_no_address(name: str) -> None:
    text = LOCKS[name].read_text(encoding="ascii")
    assert "://" not in text
    assert not re.search(r"^\s*-(?!-hash=sha256:)", text, re.MULTILINE)  # --index-url and the like
    entries = list(locked(name))
    assert entries
    for requirement, hashes in entries:
        assert [pin.operator for pin in requirement.specifier] == ["=="], requirement
        assert requirement.url is None
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), requirement


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", EXTRAS)
def test_a_lock_file_satisfies_the_ranges(name: str, python: str, platform: str) -> None:
    found = pins(name, python, platform)
    wanted = list(asked(name, python, platform))
    assert {"click", "dulwich", "pyyaml", "rich"} <= {each.name.lower() for each in wanted}
    for requirement in wanted:
        version = found[canonicalize_name(requirement.name)]
        assert version in requirement.specifier, f"{requirement}: make upgrade"


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", sorted(set(EXTRAS) - {"dev"}))
def test_a_package_has_one_version_in_all_lock_files(name: str, python: str, platform: str) -> None:
    assert pins(name, python, platform).items() <= pins("dev", python, platform).items()


# --- packages of the system ----------------------------------------------------------------------


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a system that has next to nothing."""
    for name in ("dirname", "git", "id", "sh"):
        path = subprocess.run(("which", name), capture_output=True, text=True, check=True).stdout
        (tmp_path / name).symlink_to(path.strip())
    return {"PATH": str(tmp_path), "HOME": str(tmp_path), "PYTHON": sys.executable}


def test_what_the_tests_go_without_is_named_with_its_packages(bare: dict[str, str]) -> None:
    words = ("sh", "scripts/test-system.sh")
    missing = subprocess.run(
        (*words, "--missing"), cwd=ROOT, env=bare, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "zsh: completions in zsh" in missing
    assert "kubectl: the same cluster and manifests, read by kubectl" in missing
    assert not [line for line in missing if line.startswith(("git:", "ensurepip:", "#"))]
    install, others = sorted(
        subprocess.run(
            words, cwd=ROOT, env=bare, capture_output=True, text=True, check=True
        ).stdout.splitlines(),
        key=lambda line: "apt-get" not in line,
    )
    assert re.search(r"apt-get install .* zsh fish podman", install)
    assert others.endswith(": kubectl")


@pytest.mark.slow
def test_a_test_run_ends_with_what_it_went_without(bare: dict[str, str]) -> None:
    one = f"{__file__}::{test_there_is_a_lock_file_for_each_use.__name__}"
    argv = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", one)
    done = subprocess.run(argv, cwd=ROOT, env=bare, capture_output=True, text=True, check=True)
    assert "zsh: completions in zsh\n" in done.stdout
    assert "make test-system" in done.stdout
