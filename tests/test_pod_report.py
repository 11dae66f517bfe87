"""What a pull step leaves for others: a report, files they may change, a log worth reading."""

from __future__ import annotations

import io
import json
import os
import re
import stat
from pathlib import Path

import pytest

from git_ghost.cli.view.progress import ProgressLines
from tests.support.lab import Lab
from tests.support.sandbox import Sandbox


@pytest.fixture
def tree(lab: Lab) -> str:
    """The hash of a ghost with commits the source lacks."""
    lab.commit("Not pushed")
    lab.write("foo", b"b\n")
    lab.write("new/file", b"n\n", mode=0o755)
    return lab.ghost("push").ok().split()[-1]


def clone(lab: Lab, tree: str, *options: str | Path, code: int = 0) -> str:
    """Clone as a pod does; what was said on stderr."""
    args = (f"--source={lab.source_url}", f"--base={lab.head()}", *options)
    done = lab.ghost("clone", *args, "--", tree, "workspace", at=lab.sandbox.root)
    assert done.code == code, done.err
    assert done.out == b""
    return done.err


# --- the report ----------------------------------------------------------------------------------


def test_the_report_is_one_line_of_json(lab: Lab, tree: str) -> None:
    report = lab.sandbox.root / "termination-log"
    report.write_text("of an earlier run, and longer than the new one\n" * 100)
    clone(lab, tree, "--report", report)
    text = report.read_text()
    assert text.count("\n") == 1
    assert text.endswith("}\n")
    found = json.loads(text)
    assert 0 < found.pop("seconds") < 100
    assert found == {
        "hash": tree,
        "base": lab.head(),
        "tree": tree,
        "verified": True,
        "changed": 5,
        "source": lab.source_url,
        "attempts": 1,
    }
    clone(lab, tree, "--report", report)
    assert json.loads(report.read_text())["changed"] == 0


def test_a_report_is_never_longer_than_kubernetes_takes(lab: Lab, tree: str) -> None:
    long = lab.sandbox.root / ("ä" * 100) / ("b" * 200) / ("c" * 200)
    for n in range(14):
        long = long / f"{n}{'d' * 200}"
    long.parent.mkdir(parents=True)
    long.symlink_to(lab.source_url)
    lab.source_url = str(long)
    report = lab.sandbox.root / "termination-log"
    clone(lab, tree, "--report", report)
    assert len(report.read_bytes()) <= 4096
    assert json.loads(report.read_text())["hash"] == tree


def test_no_report_is_written_for_a_failure(lab: Lab, tree: str) -> None:
    report = lab.sandbox.root / "termination-log"
    clone(lab, "1" * len(tree), "--report", report, code=3)
    assert not report.exists()


def test_a_report_that_cannot_be_written_is_a_warning(lab: Lab, tree: str) -> None:
    os.mkfifo(lab.sandbox.root / "pipe")
    for path in ("missing/report", ".", "pipe"):
        err = clone(lab, tree, "--report", path)
        assert f"warning: the report {path} cannot be written: " in err


# --- umask ---------------------------------------------------------------------------------------


def test_with_umask_0_everybody_may_change_everything(lab: Lab, tree: str) -> None:
    clone(lab, tree, "--umask=0")
    workspace = lab.sandbox.root / "workspace"
    assert stat.S_IMODE(workspace.stat().st_mode) == 0o777
    for path in workspace.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o777, path
        elif "objects" in path.parts:
            assert mode & 0o444 == 0o444, path  # git itself never changes them
        else:
            assert mode & 0o666 == 0o666, path
    assert stat.S_IMODE((workspace / "new/file").stat().st_mode) == 0o777
    assert lab.tree_of(workspace) == tree


def test_with_umask_077_nobody_else_may_read_anything(lab: Lab, tree: str) -> None:
    clone(lab, tree, "--umask", "077", "--report=report")
    paths = [lab.sandbox.root / "workspace", *(lab.sandbox.root / "workspace").rglob("*")]
    assert not [path for path in paths if path.stat().st_mode & 0o077]
    assert stat.S_IMODE((lab.sandbox.root / "report").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", ["8", "0o22", "-1", "1777", "", "rwx"])
def test_a_umask_that_is_none_is_a_wrong_call(sandbox: Sandbox, mode: str) -> None:
    assert "not an octal mode" in sandbox.ghost("clone", f"--umask={mode}", "1" * 40).fails(2)


# --- progress ------------------------------------------------------------------------------------


def test_progress_goes_to_a_log_in_whole_plain_lines(lab: Lab) -> None:
    for number in range(300):
        lab.write(f"many/{number}", f"{number}\n".encode())
    lab.commit("Many")
    lab.push()
    lab.write("foo", b"b\n")
    tree = lab.ghost("push").ok().split()[-1]
    lab.source_url = f"file://{lab.source_url}"
    err = clone(lab, tree, "--progress")
    assert re.search(r"^Receiving objects: +\d+% ", err, re.MULTILINE)
    assert re.search(rf"^cloned {tree} into \S+workspace: \d+ files written$", err, re.MULTILINE)
    assert not re.search(r"[\r\x1b]", err)
    assert len(err.splitlines()) < 12
    assert "Receiving" not in lab.ghost("clone", tree, "other", at=lab.sandbox.root).err


def test_a_log_gets_a_line_for_each_phase_and_otherwise_one_in_five_seconds() -> None:
    stream, time = io.StringIO(), [0.0]
    progress = ProgressLines(stream, lambda: time[0])
    said = [
        (0.0, "fatal: unable to access"),
        (0.1, "remote: Enumerating objects: 5, done."),
        (0.2, "remote: Counting objects:  10% (1/9)"),
        (0.3, "Receiving objects:  10% (1/10)"),
        (0.4, "Receiving objects:  20% (2/10)"),
        (0.5, "Resolving deltas:  10% (1/10)"),
        (0.6, "Receiving objects:  30% (3/10)\x1b[2J"),
        (5.4, "Receiving objects:  40% (4/10)"),
        (5.5, "Receiving objects:  50% (5/10)\x1b[2J"),
        (5.6, "Receiving objects:  60% (6/10)"),
        (12.0, "remote: Compressing objects:   1% (1/100)"),
        (13.0, "remote: Compressing objects:   2% (2/100)"),
        (14.0, "waiting for another pull in this working tree"),
    ]
    for moment, text in said:
        time[0] = moment
        progress(text)
    progress.close()
    progress("Updating files: 1% (1/100)")
    assert stream.getvalue().splitlines() == [
        "Receiving objects:  10% (1/10)",
        "Resolving deltas:  10% (1/10)",
        "Receiving objects:  50% (5/10)\\x1b[2J",
        "remote: Compressing objects:   1% (1/100)",
        "waiting for another pull in this working tree",
    ]
