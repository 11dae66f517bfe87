"""What comes out with other bytes, or another mode, where it is pulled is named by push."""

from __future__ import annotations

import pytest

from tests.support.lab import Lab

ROT = "tr a-z b-za"  # of the same size, so that only reading tells
BACK = "tr b-za a-z"


def with_filter(lab: Lab, name: str, clean: str, smudge: str) -> None:
    """Set a filter up on the laptop, for files of its own name's suffix."""
    lab.sandbox.git("config", f"filter.{name}.clean", clean, cwd=lab.laptop)
    lab.sandbox.git("config", f"filter.{name}.smudge", smudge, cwd=lab.laptop)


def told(lab: Lab) -> dict[str, list[str]]:
    """Push, and return the paths told to come out otherwise, by the reason in brackets."""
    result = lab.ghost("push", "-v")
    tree = result.ok().split()[-1]
    found = {}
    for line in result.err.splitlines():
        text, _, names = line.rpartition(": ")
        if line.startswith("warning: ") and "where they are pulled" in line:
            found[text.partition("(")[2].rstrip(")")] = names.split(", ")
    _assert_true(lab, tree, {name for names in found.values() for name in names})
    return found


def _assert_true(lab: Lab, tree: str, named: set[str]) -> None:
    """Compare the laptop with a clone on a machine that is set up differently: not at all."""
    pod = lab.sandbox.root / f"pod-{tree[:12]}"
    lab.ghost("clone", "--source", lab.source_url, tree, pod, at=lab.sandbox.root).ok()
    here, there = lab.disk_state(), lab.disk_state(pod)
    differing = {name.decode() for name in here if name in there and here[name] != there[name]}
    assert named == differing


def test_attributes_that_make_other_bytes_elsewhere_are_told(lab: Lab) -> None:
    lab.write(
        ".gitattributes",
        b"*.rot filter=rot\n*.id ident\n*.u16 working-tree-encoding=UTF-16\n*.bat eol=crlf\n"
        b"*.txt text\n*.md text=auto\n*.raw -text\n*.none filter=absent\n",
    )
    with_filter(lab, "rot", ROT, BACK)
    lab.write("secret.rot", b"attack\n")
    lab.write("digits.rot", b"123\n")
    lab.write("odd\nname.id", b"nothing to expand\n")
    lab.write("b.id", b"$Id$\n")
    lab.write("same.u16", "wörter\n".encode("utf-16"))
    lab.write("other.u16", b"\xfe\xff" + "wörter\n".encode("utf-16-be"))
    for ending, name in ((b"\r\n", "crlf"), (b"\n", "lf")):
        for suffix in ("bat", "txt", "md", "raw", "none"):
            lab.write(f"{name}.{suffix}", b"one" + ending)
    assert told(lab) == {
        "filter=rot": ["secret.rot"],
        "ident": ["b.id"],
        "working-tree-encoding=UTF-16": ["other.u16"],
        "eol=crlf": ["lf.bat"],
        "text": ["crlf.txt"],
        "text=auto": ["crlf.md"],
    }


def test_new_attributes_count_for_files_that_did_not_change(lab: Lab) -> None:
    lab.write("lf.txt", b"one\n")
    lab.commit("A text")
    lab.push()
    lab.write(".gitattributes", b"*.txt text eol=crlf\n")
    assert told(lab) == {"eol=crlf": ["lf.txt"]}


def test_tracked_files_under_a_filter_of_this_machine_are_told_unchanged_too(lab: Lab) -> None:
    with_filter(lab, "rot", ROT, BACK)
    with_filter(lab, "longer", "sed s/^/x/", "sed s/^x//")
    lab.write(".gitattributes", b"*.rot filter=rot\n*.longer filter=longer\n")
    lab.write("a.rot", b"attack\n")
    lab.write("b.longer", b"attack\n")
    lab.commit("With filters")
    lab.push()
    assert told(lab) == {"filter=rot": ["a.rot"], "filter=longer": ["b.longer"]}


def test_line_ends_that_a_setting_takes_away_are_told(lab: Lab) -> None:
    lab.sandbox.git("config", "core.autocrlf", "input", cwd=lab.laptop)
    lab.write("dos", b"one\r\n")
    lab.write("unix", b"one\n")
    lab.write("binary", b"\0\r\n")
    assert told(lab) == {"core.autocrlf=input": ["dos"]}


@pytest.mark.parametrize("place", ["info", "setting"])
def test_attributes_of_this_machine_alone_count_as_absent_elsewhere(lab: Lab, place: str) -> None:
    rules = lab.write("../rules" if place == "setting" else ".git/info/attributes", b"* text\n")
    if place == "setting":
        lab.sandbox.config("core.attributesFile", str(rules))
    lab.write("dos", b"one\r\n")
    assert told(lab) == {"text": ["dos"]}


def test_a_mode_that_git_is_told_to_overlook_is_told(lab: Lab) -> None:
    lab.sandbox.git("config", "core.fileMode", "false", cwd=lab.laptop)
    lab.write("new.sh", b"#!/bin/sh\n", 0o755)
    (lab.laptop / "src/train.py").chmod(0o755)
    assert told(lab) == {"core.fileMode=false": ["new.sh", "src/train.py"]}


def test_a_file_that_stands_for_a_link_is_told(lab: Lab) -> None:
    lab.symlink("link", "foo")
    lab.commit("Link")
    lab.sandbox.git("config", "core.symlinks", "false", cwd=lab.laptop)
    (lab.laptop / "link").unlink()
    lab.write("link", b"foo")
    assert told(lab) == {"core.symlinks=false": ["link"]}


def test_nothing_is_told_or_read_again_where_nothing_converts(lab: Lab) -> None:
    lab.write("foo", b"b\r\n")
    result = lab.ghost("push", "-v")
    result.ok()
    assert "warning" not in result.err
    assert not any(word in result.err for word in ("check-attr", "checkout-index", "diff-index"))
