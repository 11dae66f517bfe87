"""The Python API: typed, documented, silent, and nothing is imported that is not used."""

from __future__ import annotations

import dataclasses
import inspect
import os
import subprocess
import sys
import typing
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import git_ghost
from git_ghost import (
    Cloned,
    GhostError,
    Options,
    Pulled,
    Pushed,
    clone,
    delete,
    diff,
    doctor,
    list_ghosts,
    pull,
    push,
    show,
)
from tests.support.lab import Lab
from tests.support.sandbox import Sandbox

USE_CASES: list[Callable[..., Any]] = [
    clone, delete, diff, doctor, list_ghosts, pull, push, show,
]  # fmt: skip
NAMES = [function.__name__ for function in USE_CASES]


def imported_by(code: str) -> set[str]:
    """The modules a new Python has after ``code`` that it had not before."""
    script = f"import sys; old = set(sys.modules); {code}; print(*set(sys.modules) - old)"
    command = [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_importing_the_package_imports_nothing_else() -> None:
    assert imported_by("import git_ghost") <= {"git_ghost", "typing", "__future__"} | imported_by(
        "import typing, __future__"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_use_case_imports_neither_the_command_line_nor_what_it_is_made_of(name: str) -> None:
    found = imported_by(f"from git_ghost import {name}")
    heavy = {"click", "rich", "yaml", "kubernetes", "dulwich", "asyncio", "http", "email"}
    assert not heavy & {module.partition(".")[0] for module in found}
    assert not {module for module in found if module.startswith("git_ghost.cli")}


def test_every_public_name_is_there_and_listed() -> None:
    assert {*NAMES, "Options", "GhostError", "__version__"} <= set(git_ghost.__all__)
    assert set(dir(git_ghost)) == set(git_ghost.__all__)
    for name in git_ghost.__all__:
        assert getattr(git_ghost, name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        git_ghost.nothing  # noqa: B018 - looking it up is the test


def test_every_failure_class_of_the_package_is_public() -> None:
    from git_ghost import errors

    for name, thing in vars(errors).items():
        if isinstance(thing, type) and issubclass(thing, GhostError):
            assert getattr(git_ghost, name) is thing


@pytest.mark.parametrize("function", USE_CASES, ids=NAMES)
def test_every_public_function_is_typed_and_says_what_it_raises(
    function: Callable[..., Any],
) -> None:
    said = inspect.getdoc(function) or ""
    assert "aises" in said or "nothing raised" in said
    parameters = inspect.signature(function).parameters
    assert all(p.annotation is not inspect.Parameter.empty for p in parameters.values())
    assert "return" in typing.get_type_hints(function)
    errors = {name for name in git_ghost.__all__ if isinstance(getattr(git_ghost, name), type)}
    named = {word.strip("`.,;():") for word in said.split()}
    assert "nothing raised" in said or errors & named or ":func:`git_ghost.pull`" in said
    for name in parameters:  # all but what stands there for every use case
        if name not in ("options", "out", "hash", "directory", "a", "b"):
            assert f"``{name}``" in said or ":func:" in said, name


@pytest.mark.parametrize("result", [Options, Pushed, Pulled, Cloned, git_ghost.Check])
def test_arguments_and_results_are_frozen(result: type) -> None:
    assert dataclasses.is_dataclass(result)
    assert result.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_the_package_is_marked_as_typed() -> None:
    assert git_ghost.__file__
    assert Path(git_ghost.__file__).with_name("py.typed").exists()


def test_a_whole_session_is_silent(in_sandbox: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    lab = Lab(in_sandbox)
    laptop = Options(directory=lab.laptop, repo=lab.ghost_url)
    lab.write("foo", b"b\n")
    lab.commit("Local")
    lab.write("new", b"x\n")
    fresh = Options(directory=lab.fresh_clone("fresh"), repo=lab.ghost_url)
    capfd.readouterr()
    hash = push(laptop).hash
    pull(hash, fresh)
    cloned = clone(hash, str(in_sandbox.root / "pod"), Options(repo=lab.ghost_url))
    show(hash, laptop, out=BytesIO())
    diff("HEAD", hash, fresh)
    doctor(laptop)
    list_ghosts(laptop)
    delete(laptop, hashes=[hash])
    for failing in (lambda: pull(hash, fresh), lambda: push(laptop, base="nowhere")):
        with pytest.raises(GhostError):
            failing()
    assert capfd.readouterr() == ("", "")
    assert {
        lab.tree_of(fresh_path)
        for fresh_path in (in_sandbox.root / "fresh", Path(cloned.directory))
    } == {hash}


def test_the_folder_may_be_a_path_object_or_begin_with_a_tilde(
    in_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(in_sandbox)
    expected = push(Options(directory=lab.laptop, repo=lab.ghost_url)).hash
    monkeypatch.setenv("HOME", str(in_sandbox.root))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(in_sandbox.home / ".gitconfig"))
    lab.write("a.log", b"x\n")
    lab.write(".git/info/exclude", b"a.log\n")
    options = Options(directory="~/laptop", repo="~/ghosts.git")
    assert push(options).hash == expected
    assert push(options, include=["a.log"]).untracked == ("a.log",)
    monkeypatch.chdir(lab.laptop)
    assert push(Options(repo=lab.ghost_url)).hash == expected


def test_the_current_folder_and_the_environment_stay_as_they_are(in_sandbox: Sandbox) -> None:
    lab = Lab(in_sandbox)
    before = (Path.cwd(), dict(os.environ))
    push(Options(directory=lab.laptop, repo=lab.ghost_url))
    assert (Path.cwd(), dict(os.environ)) == before


def test_progress_is_told_to_who_asks_for_it(in_sandbox: Sandbox) -> None:
    lab = Lab(in_sandbox)
    heard: list[str] = []
    push(Options(directory=lab.laptop, repo=f"file://{lab.ghost_repo}", progress=heard.append))
    assert heard


def test_a_working_folder_is_used_and_left_empty(in_sandbox: Sandbox) -> None:
    lab = Lab(in_sandbox)
    folder = in_sandbox.root / "work"
    options = Options(directory=lab.laptop, repo=lab.ghost_url, working_dir=str(folder))
    with pytest.raises(GhostError, match=r"there is no folder .*work to work in"):
        push(options)
    folder.mkdir()
    assert push(options).hash == lab.tree_of()
    assert list(folder.iterdir()) == []
    assert not (lab.laptop / ".git/git-ghost/tmp").exists()


def test_a_working_folder_in_the_working_tree_is_not_sent(lab: Lab) -> None:
    work, expected = lab.laptop / "w", lab.tree_of()
    work.mkdir()
    here = ("--ghost-working-dir", "w")
    done = lab.ghost(*here, "push", "-v")
    assert done.ok().split()[-1] == expected
    assert "new file" not in done.err
    assert "git-ghost-" not in done.err
    lab.ghost(*here, "push", "-I", "w").ok()
    assert lab.ghost(*here, "push", "-n", "-I", "w").ok().split()[-1] == expected
    assert lab.ghost(*here, "diff").ok() == ""
    assert "0 new files" in lab.ghost(*here, "doctor").out.decode()
    lab.ghost(*here, "pull", "--exact", expected).ok()
    assert list(work.iterdir()) == []
