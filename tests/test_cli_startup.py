"""Start-up is felt in every call: a command loads what it needs, when it needs it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import git_ghost.cli
from git_ghost.cli.main import COMMANDS
from tests.support.environment import UNMEASURED
from tests.support.lab import Lab

MODULES = """
import atexit, sys
atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr))
sys.argv[0] = "git-ghost"
from git_ghost.cli.main import entry
entry()
"""
FIRST_GIT = """
import os, sys
def hear(event, args):
    if event == "subprocess.Popen":
        print(*sorted(sys.modules), file=sys.stderr)
        sys.stderr.flush()
        os._exit(0)
sys.addaudithook(hear)
sys.argv[0] = "git-ghost"
from git_ghost.cli.main import entry
entry()
"""


def loaded(lab: Lab, program: str, *args: str) -> set[str]:
    """The modules that are loaded when a call ends, or starts its first git."""
    import sys

    done = lab.sandbox.run(sys.executable, "-c", program, *args, cwd=lab.laptop, env=UNMEASURED)
    assert done.code == 0, done.err
    return set(done.err.split("\n")[-2].split())


def ours(modules: set[str]) -> set[str]:
    """Those of them that are git ghost's own."""
    return {name for name in modules if name.split(".")[0] == "git_ghost"}


def test_version_loads_nothing_but_click_and_the_command_line(lab: Lab) -> None:
    modules = loaded(lab, MODULES, "version")
    assert ours(modules) == {
        "git_ghost",
        "git_ghost.cli",
        *(f"git_ghost.cli.{name}" for name in ("main", "failure", "signals")),
        *(f"git_ghost.cli.{name}" for name in ("options", "options.common", "view", "view.output")),
        *("git_ghost.cli.types", "git_ghost.cli.spelling"),
        "git_ghost.cli.commands",
        "git_ghost.cli.commands.version",
        *(f"git_ghost.{name}" for name in ("settings", "gitconfig", "errors")),
    }
    assert modules.isdisjoint({"rich", "dulwich", "yaml", "subprocess", "dataclasses", "json"})


@pytest.mark.parametrize("name", ["push", "pull", "list"])
def test_the_first_git_is_started_before_anything_heavy_is_loaded(lab: Lab, name: str) -> None:
    args = {"pull": ["1" * 40]}.get(name, [])
    modules = loaded(lab, FIRST_GIT, name, *args)
    assert "git_ghost.usecases" in modules
    roots = {module.split(".")[0] for module in modules}
    assert roots.isdisjoint({"rich", "dulwich", "yaml", "http", "asyncio"})
    commands = {module for module in ours(modules) if module.startswith("git_ghost.cli.")}
    loaded_commands = {module.rpartition(".")[2] for module in commands} & set(COMMANDS)
    assert loaded_commands == {name}


def test_no_module_of_the_command_line_imports_more_than_click_at_its_top() -> None:
    heavy = {"rich", "dulwich", "yaml", "subprocess", "json", "tempfile", "dataclasses", "inspect"}
    for file in Path(git_ghost.cli.__file__).parent.glob("*.py"):
        if file.stem in ("completion", "manpage"):  # which no push or pull loads
            continue
        for node in ast.parse(file.read_text()).body:
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] not in heavy, (file.name, name)
                if name.startswith("git_ghost."):
                    assert name.startswith(("git_ghost.cli", "git_ghost.settings")), (
                        file.name,
                        name,
                    )
