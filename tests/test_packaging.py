"""What is shipped, and rules import-linter cannot check: who starts processes, one name a class."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

import git_ghost

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "git_ghost"

DOORS = {PACKAGE / name for name in ("process.py", "git.py", "transport/ssh.py")}
"""Who may start processes: the one way to, git, and the ssh connection git is going to use."""

PROCESS_MODULES = {"subprocess", "pty", "multiprocessing", "asyncio.subprocess"}
PROCESS_CALLS = ("system", "popen", "fork", "exec", "spawn", "posix_spawn")
"""What ``os`` offers to the same end (as starts of names)."""

SHARED = {
    "share/man/man1/git-ghost.1",
    "share/bash-completion/completions/git-ghost",
    "share/zsh/site-functions/_git-ghost",
    "share/fish/vendor_completions.d/git-ghost.fish",
}


def process_uses(source: str) -> Iterator[str]:
    """Everything in ``source`` that starts a process, or imports the means to."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = [f"{node.value.id}.{node.attr}"]
        for name in names:
            head, _, rest = name.partition(".")
            from_os = head == "os" and rest.startswith(PROCESS_CALLS)
            if from_os or name in PROCESS_MODULES or head in PROCESS_MODULES:
                yield name


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess",
        "import subprocess as sp",
        "from subprocess import run",
        "def f():\n    import subprocess",
        "from asyncio import subprocess",
        "import os\nos.system('git')",
        "from os import execvp",
    ],
)
def test_the_guard_sees_every_way_to_start_a_process(source: str) -> None:
    assert list(process_uses(source))


def test_the_guard_lets_the_rest_of_os_pass() -> None:
    assert not list(process_uses("import os\nfrom os import path\nos.getpid()"))


def test_only_the_doors_to_git_and_ssh_start_processes() -> None:
    offenders = [
        f"{file.relative_to(ROOT)}: {use}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if file not in DOORS
        for use in process_uses(file.read_text(encoding="utf-8"))
    ]
    assert not offenders


def test_a_public_class_name_means_one_thing() -> None:
    places: dict[str, list[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(file.relative_to(ROOT)))
    assert {"Pulled", "GhostError"} <= places.keys()
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_the_installed_version_is_the_one_in_the_source() -> None:
    assert metadata.version("git-ghost") == git_ghost.__version__


def test_the_console_script_is_the_one_git_looks_for() -> None:
    (script,) = metadata.entry_points(group="console_scripts", name="git-ghost")
    assert script.value == "git_ghost.__main__:entry"


def test_a_plain_install_does_not_bring_the_kubernetes_client() -> None:
    requires = metadata.requires("git-ghost") or []
    plain = {re.split(r"[^\w.-]", line)[0] for line in requires if "extra ==" not in line}
    assert plain == {"click", "dulwich", "pyyaml", "rich"}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist of the source tree, and a wheel built from that sdist, offline."""
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    return out


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (file,) = dist.glob("*.whl")
    return file


@pytest.mark.slow
def test_the_wheel_carries_the_package_the_man_page_and_the_completions(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        data = f"git_ghost-{git_ghost.__version__}.data/data/"
        shared = {name.removeprefix(data) for name in names if name.startswith(data)}
        empty = [name for name in SHARED if not archive.read(data + name).strip()]
    modules = {str(file.relative_to(ROOT)) for file in PACKAGE.rglob("*.py")}
    assert modules | {"git_ghost/py.typed"} <= names
    assert shared == SHARED
    assert not empty
    assert {name.split("/")[0].split("-")[0] for name in names} == {"git_ghost"}


@pytest.mark.slow
def test_the_wheel_is_the_same_byte_for_byte_when_built_again(wheel: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    subprocess.run([*build, str(tmp_path), str(ROOT)], check=True, capture_output=True, timeout=300)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


@pytest.mark.slow
def test_the_sdist_carries_what_a_packager_needs(dist: Path) -> None:
    (file,) = dist.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "scripts/hatch_build.py"} <= names
    assert "tests/test_packaging.py" in names
    assert not [name for name in names if name.startswith((".venv", "dist", ".coverage"))]


@pytest.mark.slow
def test_the_installed_wheel_runs_and_its_man_page_is_where_man_looks(
    wheel: Path, tmp_path: Path
) -> None:
    prefix = tmp_path / "prefix"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    install += ["--no-warn-script-location", "--ignore-installed", "--prefix", str(prefix)]
    subprocess.run([*install, str(wheel)], check=True, timeout=300)
    (site,) = prefix.glob("lib/python*/site-packages")
    env = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    env["PYTHONPATH"] = str(site)  # before the source tree of an editable install
    done = subprocess.run(
        [prefix / "bin" / "git-ghost", "version"],
        cwd=tmp_path,
        env=env,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert git_ghost.__version__ in done.stdout
    assert not [name for name in SHARED if not (prefix / name).is_file()]
