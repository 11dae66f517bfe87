"""What takes long is told from its first second to its last: what is done, how much of how much."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from git_ghost.activity import Activity
from git_ghost.errors import GitFailed
from git_ghost.process import Process
from git_ghost.repository import open_repository
from git_ghost.usecases import Options, push
from git_ghost.worktree import batches
from tests.support.lab import Lab
from tests.test_cli_terminal import on_terminal


@pytest.mark.slow
def test_a_push_and_a_pull_tell_what_they_do(lab: Lab) -> None:
    pod = lab.fresh_clone("pod")
    for name in ("clean", "smudge"):
        lab.sandbox.config(f"filter.slow.{name}", "sleep 1; cat")
    lab.write(".gitattributes", b"data* filter=slow\n")
    lab.write("data1", b"1\n" * 1000)
    lab.write("data2", b"2\n")
    hook = lab.ghost_repo / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nsleep 1\n")
    hook.chmod(0o755)
    shown = on_terminal(lab, "push")
    assert "\rHashing files:   0% (0/3)\x1b[K" in shown
    assert "\rWaiting for the server: " in shown
    tree = shown.split("\r\x1b[K")[-1].split()[1]
    shown = on_terminal(lab, "--src-dir", str(pod), "pull", tree)
    assert re.search(r"\rUpdating files: +[36][36]% \([12]/3\)", shown)


def test_files_are_hashed_in_parts_that_are_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_LEAST", 1)
    monkeypatch.chdir(lab.laptop)
    for number in range(50):
        lab.write(f"data/{number}", os.urandom(1 << 14))
    paths = [os.fsencode(path.relative_to(lab.laptop)) for path in Path.cwd().glob("data/*")]
    lines: list[str] = []

    class Heard(Activity):
        def count(self, what: object) -> None:
            assert callable(what)
            lines.append(what(0))

    repository = open_repository(str(lab.laptop))
    parts = list(batches.in_batches(repository, paths, Heard(print)))
    assert [path for part in parts for path in part] == paths
    assert len(parts) == 25
    assert lines[0] == "Hashing files:   0% (0/50)"
    assert lines[-1] == "Hashing files:  96% (48/50)"
    assert list(batches.in_batches(repository, paths, Activity())) == [paths]


@pytest.mark.usefixtures("in_sandbox")
def test_the_hash_does_not_depend_on_who_listens(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_LEAST", 1)
    for number in range(30):
        lab.write(f"data/{number}", b"%d" % number)
    (lab.laptop / "foo").unlink()
    lab.write("foo/bar", b"a folder in a file's place\n")
    options = Options(directory=lab.laptop, repo=lab.ghost_url, progress=lambda _: None)
    assert push(options).hash == lab.tree_of()


def test_nothing_is_told_while_ssh_may_be_asking() -> None:
    lines: list[str] = []
    asked: list[bool] = []
    heard = threading.Event()

    def is_asking() -> bool:
        asked.append(not lines and len(asked) < 2)
        return asked[-1]

    def listen(line: str) -> None:
        lines.append(line)
        heard.set()

    with Activity(listen, is_asking) as activity:
        activity.now("Scanning files")
        assert heard.wait(60)
    assert asked[:3] == [True, True, False]
    assert lines[0].startswith("Scanning files: ")


def test_nothing_is_told_of_a_server_before_git_has_spoken() -> None:
    lines: list[str] = []
    heard = threading.Event()

    def listen(line: str) -> None:
        lines.append(line)
        heard.set()

    with Activity(listen) as activity:
        with Process(["sleep", "60"], cwd=None, env=os.environ) as silent:
            activity.wait_for(silent, instead=False)
            activity.now("Scanning files")
            assert not heard.wait(1)
        activity.hear("warning: no progress")
        activity.hear("Receiving objects:  10% (1/10)")
        activity.hear("Total 3 (delta 0), reused 0")
        heard.clear()
        assert heard.wait(60)
    assert "Receiving objects:  10% (1/10)" in lines
    assert lines[-1].startswith("Waiting for the server: ")


def test_progress_is_no_part_of_what_went_wrong() -> None:
    said = "Updating files:  50% (1/2)\rerror: x: denied\nUpdating files: 100% (2/2), done.\n"
    assert GitFailed(("git", "read-tree"), 128, said).said == "error: x: denied"


def test_what_a_listener_raises_ends_the_call() -> None:
    raised = threading.Event()

    def listen(_: str) -> None:
        raised.set()
        raise ZeroDivisionError

    with Activity(listen) as activity:
        activity.now("Scanning files")
        assert raised.wait(60)
    with pytest.raises(ZeroDivisionError):
        activity.now("Hashing files")
