"""What git neither carries nor mentions is named by push, each kind in one line."""

from __future__ import annotations

import os
import socket

import pytest

from tests.support.lab import Lab


def test_empty_folders_and_special_files_are_named_in_one_line(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("out/logs", "src/empty", "new/empty/deep", "hidden/logs", "cache/empty"):
        (lab.laptop / folder).mkdir(parents=True)
    lab.write("new/file", b"x\n")
    lab.write("hidden/logs/a.log", b"ignored, so its folder is not empty\n")
    for pipe in ("pipe", "src/pipe", "new/pipe", "cache/pipe", "ignored.log"):
        os.mkfifo(lab.laptop / pipe)
    lab.write(".git/info/exclude", b"*.log\ncache/\n")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(lab.laptop)  # a socket's path has about a hundred bytes at most
        listening.bind("socket")
        result = lab.ghost("push", "-v")
    result.ok()
    said = [line for line in result.err.splitlines() if line.startswith("warning: ")]
    named = "new/empty/, new/pipe, out/, pipe, socket, src/empty/, src/pipe"
    assert said == [f"warning: git carries no empty folders, pipes or sockets: not sent: {named}"]
    few = lab.ghost("push").err.splitlines()[-1]
    assert few.endswith("new/empty/, new/pipe, out/, pipe and 3 more")
    assert "empty folders" not in lab.ghost("push", "--no-untracked").err


def test_a_folder_that_became_a_link_is_not_looked_into(lab: Lab) -> None:
    outside = lab.sandbox.root / "outside"
    (outside / "empty").mkdir(parents=True)
    (lab.laptop / "src/train.py").unlink()
    (lab.laptop / "src").rmdir()
    (lab.laptop / "src").symlink_to(outside)
    result = lab.ghost("push")
    assert result.ok().split()[-1] == lab.tree_of()
    assert "empty" not in result.err


def test_a_pipe_in_the_place_of_a_removed_file_is_named(lab: Lab) -> None:
    (lab.laptop / "src/train.py").unlink()
    os.mkfifo(lab.laptop / "src/other")
    assert "not sent: src/other\n" in lab.ghost("push").err


def test_large_ignored_files_are_named_when_asked(lab: Lab) -> None:
    lab.write(".git/info/exclude", b"*.ckpt\nruns/\n")
    lab.write("runs/1/model", bytes(3 << 20))
    lab.write("src/last.ckpt", bytes(2 << 20))
    lab.write("small.ckpt", bytes(1000))
    named = "ignored, not sent: runs/ (3.0 MiB), src/last.ckpt (2.0 MiB)"
    assert f"\n  {named}\n" in lab.ghost("push", "-v").err
    assert "ignored, not sent" not in lab.ghost("push").err
    assert named in lab.ghost("doctor").ok()


def test_a_submodule_that_was_never_checked_out_is_no_warning(lab: Lab) -> None:
    tip = lab.head()
    entry = f"160000,{tip},lib"
    lab.sandbox.git("update-index", "--add", "--cacheinfo", entry, cwd=lab.laptop)
    (lab.laptop / "lib").mkdir()
    lab.write(".gitmodules", b'[submodule "lib"]\n\tpath = lib\n\turl = ../lib.git\n')
    lab.sandbox.git("add", ".gitmodules", cwd=lab.laptop)
    lab.sandbox.git("commit", "--quiet", "-m", "Add lib", cwd=lab.laptop)
    lab.push()
    result = lab.ghost("push")
    result.ok()
    assert "warning" not in result.err
