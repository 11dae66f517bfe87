"""Whatever is in a working tree, and however much of it is staged: it arrives exactly."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from git_ghost.errors import GhostError
from git_ghost.usecases import push
from tests.support.lab import Lab
from tests.support.roundtrip import options, push_untouched, round_trip

BINARY = bytes(range(256)) * 5
NOT_UTF8 = (
    b"caf\xe9 \xff" if sys.platform != "darwin" else b"caf\xc3\xa9"
)  # macOS has no such names

Edit = Callable[[Lab], None]


@pytest.fixture
def lab(lab: Lab, in_sandbox: object) -> Lab:  # noqa: ARG001 - for its effect
    """Return the lab, with its environment in this process."""
    return lab


def git(lab: Lab, *args: str | bytes) -> None:
    """Run git on the laptop."""
    lab.sandbox.git(*args, cwd=lab.laptop)


def remove(lab: Lab, name: str) -> None:
    """Remove a file, a link or a folder of the laptop's working tree."""
    path = lab.laptop / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


# Bytes


def test_line_ends_and_their_absence_arrive_as_they_are(lab: Lab) -> None:
    lab.write("crlf", b"one\r\ntwo\r\n\r\nthree\r\n")
    lab.write("mixed", b"one\r\ntwo\nthree\rfour\r\r\n")
    lab.write("no-final", b"one\ntwo\nthree")
    lab.write("blanks", b"  \t \n\n\n \r\n\t")
    lab.commit("All kinds of line ends")
    lab.write("crlf", b"one\r\n2\r\n\r\nthree")
    lab.write("mixed", b"one\ntwo\r\nthree\r\r\nfour\r")
    lab.write("no-final", b"one\ntwo\nthree\n")
    lab.write("blanks", b" \t \n\n \r\n\t\n\n")
    lab.write("README", b"one\ntwo\nthree")
    lab.write("new-crlf", b"\r\n\r\n")
    lab.write("new-cr", b"\r")
    lab.write("looks-like-a-patch", b"diff --git a/foo b/foo\n--- a/foo\n+++ b/foo\n-- \n2.39\n")
    round_trip(lab)


def test_binary_and_empty_files_arrive_as_they_are(lab: Lab) -> None:
    lab.write("binary", BINARY)
    lab.write("shrinks", BINARY)
    lab.write("empty", b"")
    lab.write("text", b"text\n")
    lab.commit("Binaries")
    lab.write("binary", BINARY[:700] + b"\0changed" + BINARY[700:])
    lab.write("shrinks", b"")
    lab.write("empty", b"\0")
    lab.write("text", b"te\0xt\n")
    lab.write("new", os.urandom(70_000))
    lab.write("new-empty", b"")
    lab.write("src/new-empty", b"", mode=0o755)
    lab.write("one-byte", b"\n")
    round_trip(lab)


def test_crlf_by_attribute_arrives_as_crlf(lab: Lab) -> None:
    lab.write(".gitattributes", b"*.bat eol=crlf\n*.txt text=auto\n*.sh eol=lf\n*.raw -text\n")
    lab.write("a.bat", b"one\r\ntwo\r\n")
    lab.write("b.sh", b"one\ntwo\n")
    lab.write("c.raw", b"one\r\ntwo\n")
    lab.commit("Line ends by attribute")
    lab.write("a.bat", b"one\r\n2\r\nthree\r\n")
    lab.write("b.sh", b"one\n2\n")
    lab.write("c.raw", b"one\n2\r\n")
    lab.write("d.bat", b"new\r\n")
    round_trip(lab)


def test_crlf_content_in_the_repository_of_an_eol_crlf_file_arrives(lab: Lab) -> None:
    lab.write("a.bat", b"one\r\ntwo\r\n")
    lab.write("b.bat", b"one\r\ntwo\r\n")
    lab.commit("CRLF in the blob")
    lab.write(".gitattributes", b"*.bat eol=crlf\n")
    lab.write("b.bat", b"one\r\n2\r\n")
    pushed = push_untouched(lab)
    assert pushed.hash
    lab.sandbox.git("add", "--all", cwd=lab.laptop)
    assert lab.head(":b.bat") != lab.head("HEAD:b.bat")
    round_trip(lab, same_bytes=True)


def test_filters_change_the_disk_and_not_the_tree(lab: Lab) -> None:
    lab.write(
        ".gitattributes", b"*.up filter=shout\n*.id ident\n*.u16 working-tree-encoding=UTF-16\n"
    )
    git(lab, "config", "filter.shout.clean", "tr a-z A-Z")
    git(lab, "config", "filter.shout.smudge", "tr A-Z a-z")
    lab.write("a.up", b"quiet\n")
    lab.write("b.id", b"$Id$\n")
    lab.write("c.u16", "wörter\n".encode("utf-16"))
    lab.commit("Filters")
    lab.write("a.up", b"still quiet\n")
    lab.write("b.id", b"$Id: something $\nmore\n")
    lab.write("c.u16", "mehr wörter\n".encode("utf-16"))
    lab.write("new.up", b"new\n")
    round_trip(lab, same_bytes=False)


# Modes, links, swaps


def test_modes_and_links_arrive(lab: Lab) -> None:
    lab.symlink("to-file", "foo")
    lab.symlink("to-folder", "src")
    lab.symlink("dangling", "no/such/../thing")
    lab.commit("Links")
    lab.laptop.joinpath("run.sh").chmod(0o644)
    lab.laptop.joinpath("foo").chmod(0o755)
    remove(lab, "to-file")
    lab.symlink("to-file", "README")
    remove(lab, "dangling")
    lab.symlink("dangling", "/nowhere at all/\n")
    lab.symlink("src/up", "..")
    lab.symlink("src/itself", "itself")
    lab.symlink(b"to-odd", os.fsdecode(NOT_UTF8))
    lab.write("new.sh", b"#!/bin/sh\n", mode=0o700)
    round_trip(lab)


SWAPS: dict[str, tuple[str, str]] = {
    "a file becomes a folder": ("file", "folder"),
    "a file becomes a link": ("file", "link"),
    "a folder becomes a file": ("folder", "file"),
    "a folder becomes a link": ("folder", "link"),
    "a folder becomes a link to a folder of the same files": ("folder", "link-to-twin"),
    "a link becomes a file": ("link", "file"),
    "a link becomes a folder": ("link", "folder"),
    "a link to a folder becomes a folder of the same files": ("link-to-twin", "folder"),
}


def put(lab: Lab, name: str, kind: str) -> None:
    """Make `name` a thing of the given kind."""
    if kind == "file":
        lab.write(name, b"one\ntwo\nthree\n")
    elif kind == "folder":
        lab.write(f"{name}/x", b"x\n")
        lab.write(f"{name}/deep/y", b"y\n")
    elif kind == "link":
        lab.symlink(name, "src")
    else:
        lab.symlink(name, "twin")


def test_files_folders_and_links_take_each_others_places(lab: Lab) -> None:
    put(lab, "twin", "folder")
    for number, (before, _) in enumerate(SWAPS.values()):
        for staged in ("", "-staged", "-committed"):
            put(lab, f"swap{number}{staged}", before)
    lab.commit("Before the swaps")
    for staged in ("-committed", "-staged", ""):
        for number, (_, after) in enumerate(SWAPS.values()):
            remove(lab, f"swap{number}{staged}")
            put(lab, f"swap{number}{staged}", after)
        if staged == "-committed":
            lab.commit("Swapped")
        elif staged:
            git(lab, "add", "--all")
    round_trip(lab)


def test_renames_and_deletions_arrive(lab: Lab) -> None:
    lab.write("big", b"".join(b"line %d\n" % i for i in range(100)))
    lab.write("other/x", b"x\n")
    lab.commit("Something to rename")
    git(lab, "mv", "big", "renamed and staged")
    (lab.laptop / "README").rename(lab.laptop / "renamed")
    (lab.laptop / "src").rename(lab.laptop / "lib")
    lab.write("lib/train.py", b"print('training')\nprint('more')\n")
    remove(lab, "foo")
    remove(lab, "other")
    pushed = round_trip(lab)
    assert {"foo", "README", "other/x", "src/train.py", "big"} <= set(pushed.changed)


def test_a_working_tree_with_nothing_left_in_it_arrives_empty(lab: Lab) -> None:
    for name in ("foo", "README", "run.sh", "src"):
        remove(lab, name)
    round_trip(lab)


def test_an_unchanged_working_tree_arrives_too(lab: Lab) -> None:
    assert round_trip(lab).changed == ()


# Names

NAMES = [
    b" leading and trailing ",
    b'"quoted"',
    b"'single'",
    b"new\nline",
    b"tab\there",
    b"-dash",
    b"--force",
    b"back\\slash",
    b"\\",
    b"a\\n",
    b"$HOME",
    b"`id`",
    b"%s",
    b"*",
    b"[a]",
    b":(top)x",
    b"#comment",
    b"!not",
    b"a b",
    b"\x01\x7f",
    b"..dots",
    b"...",
    b"{",
    b"\r",
    NOT_UTF8,
    "grüße".encode(),
    "漢字 🙂".encode(),
    b"dev/null",
    b"a/b/foo",
    b"con",
    b"trailing.",
    b".gitkeep",
    b".gitignored",
    b"x.git/HEAD",
    b"=>",
    b"a => b",
]


def test_names_of_every_kind_arrive(lab: Lab) -> None:
    for name in NAMES:
        lab.write(b"kept/" + name, b"one\n")
        lab.write(b"removed/" + name, b"one\n")
    lab.commit("Odd names")
    for name in NAMES:
        lab.write(b"kept/" + name, b"two\n")
        (lab.laptop / os.fsdecode(b"removed/" + name)).unlink()
        lab.write(b"new/" + name, name, mode=0o755)
        lab.write(name + b" folder/x", b"x")
        lab.symlink(b"links/" + name, os.fsdecode(name))
    round_trip(lab)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS takes both for the same name")
def test_names_in_both_unicode_normal_forms_arrive_side_by_side(lab: Lab) -> None:
    git(lab, "config", "core.precomposeUnicode", "true")
    for form in ("NFC", "NFD"):
        name = (
            unicodedata.normalize(form, "Ångström é")
            if form == "NFC"
            else "A\u030angstro\u0308m e\u0301"
        )
        lab.write(f"old {name}", form.encode())
    lab.commit("Both forms")
    for form, name in (("NFC", "Ångström é"), ("NFD", "A\u030angstro\u0308m e\u0301")):
        lab.write(f"old {name}", b"changed " + form.encode())
        lab.write(f"new {name}", form.encode())
    round_trip(lab)


def test_a_name_that_git_cannot_carry_is_an_error_and_not_left_out(lab: Lab) -> None:
    lab.write("git~1", b"a name git refuses, since it means .git on Windows\n")
    with pytest.raises(GhostError, match="git~1"):
        push(options(lab))
    assert lab.ghost_refs() == []


# The index


def test_staged_unstaged_and_intended_changes_mix(lab: Lab) -> None:
    for name in ("ms", "mm", "md", "dk", "du", "mode"):
        lab.write(name, b"one\n")
    lab.commit("Files to stage")
    lab.write("ms", b"staged\n")
    lab.write("mm", b"staged\n")
    lab.write("md", b"staged\n")
    lab.write("as", b"staged and new\n")
    lab.write("am", b"staged and new\n")
    lab.write("ad", b"staged and new\n")
    lab.write("af", b"staged and new\n")
    lab.laptop.joinpath("mode").chmod(0o755)
    git(lab, "add", "ms", "mm", "md", "as", "am", "ad", "af", "mode")
    git(lab, "rm", "--quiet", "--cached", "dk", "du")
    lab.write("mm", b"changed again\n")
    lab.write("am", b"changed again\n", mode=0o755)
    lab.laptop.joinpath("mode").chmod(0o644)
    for name in ("md", "ad", "af", "foo"):
        remove(lab, name)
    lab.write("af/x", b"a folder now\n")
    lab.write("du", b"changed, untracked\n")
    for name in ("intended", "intended-gone", "intended-folder", "intended-empty"):
        lab.write(name, b"" if name.endswith("empty") else b"intended\n")
    git(
        lab,
        "add",
        "--intent-to-add",
        "intended",
        "intended-gone",
        "intended-folder",
        "intended-empty",
    )
    remove(lab, "intended-gone")
    remove(lab, "intended-folder")
    lab.write("intended-folder/x", b"x\n")
    round_trip(lab)


def test_tracked_files_that_are_ignored_go_and_untracked_ignored_ones_stay(lab: Lab) -> None:
    lab.write("logs/kept.log", b"one\n")
    lab.write("logs/gone.log", b"one\n")
    lab.write("logs/untracked.log", b"one\n")
    lab.commit("Logs")
    lab.write(".gitignore", b"*.log\n/build\n.gitignore\n")
    lab.write("logs/kept.log", b"two\n")
    lab.write("logs/new.log", b"ignored\n")
    lab.write("build/out", b"ignored\n")
    lab.write("forced.log", b"forced\n")
    git(lab, "add", "--force", "forced.log", ".gitignore")
    git(lab, "rm", "--quiet", "--cached", "logs/untracked.log")
    remove(lab, "logs/gone.log")
    round_trip(lab, unsent=[b"logs/new.log", b"build", b"logs/untracked.log"])


def test_included_ignored_files_arrive(lab: Lab) -> None:
    lab.write(".gitignore", b"*.bin\n/data\n")
    lab.write("model.bin", BINARY)
    lab.write("data/x y", b"x\n")
    lab.write("data/-deep/\nz", b"z\n")
    lab.write("other.bin", b"not named\n")
    pushed = push_untouched(lab, include=["model.bin", "data"])
    expected = lab.disk_state()
    del expected[b"other.bin"]
    from git_ghost.usecases import Options, clone

    clone(pushed.hash, str(lab.sandbox.root / "pod"), Options(repo=lab.ghost_url))
    assert lab.disk_state(lab.sandbox.root / "pod") == expected


def conflict(lab: Lab) -> None:
    """Leave a merge unfinished on the laptop, with every kind of conflict."""
    for name in ("both", "ours-gone", "theirs-gone", "swap", "clean"):
        lab.write(name, b"one\ntwo\nthree\n")
    lab.commit("Before the branches part")
    git(lab, "switch", "--quiet", "--create", "theirs")
    lab.write("both", b"one\ntheirs\nthree\n")
    lab.write("added", b"theirs\n")
    lab.write("ours-gone", b"theirs\n")
    lab.write("clean", b"theirs\n")
    remove(lab, "theirs-gone")
    remove(lab, "swap")
    lab.write("swap/inside", b"theirs\n")
    lab.commit("Theirs")
    git(lab, "switch", "--quiet", "main")
    lab.write("both", b"one\nours\nthree\n")
    lab.write("added", b"ours\n")
    lab.write("theirs-gone", b"ours\n")
    lab.write("swap", b"ours\n")
    remove(lab, "ours-gone")
    lab.commit("Ours")
    lab.sandbox.git("merge", "theirs", cwd=lab.laptop, check=False)
    assert lab.sandbox.git("ls-files", "--unmerged", cwd=lab.laptop)


def test_a_merge_with_conflicts_arrives_as_it_stands_on_disk(lab: Lab) -> None:
    conflict(lab)
    assert b"<<<<<<<" in (lab.laptop / "both").read_bytes()
    round_trip(lab)


def test_a_half_resolved_merge_arrives(lab: Lab) -> None:
    conflict(lab)
    lab.write("both", b"resolved\n")
    git(lab, "add", "both")
    (lab.laptop / "added").unlink()
    lab.write("added/is/a/folder", b"now\n")
    for name in ("ours-gone", "theirs-gone"):
        (lab.laptop / name).unlink(missing_ok=True)
    lab.symlink("theirs-gone", "src")
    round_trip(lab)


def test_a_merge_that_waits_for_its_commit_arrives(lab: Lab) -> None:
    git(lab, "switch", "--quiet", "--create", "side")
    lab.write("side", b"side\n")
    lab.commit("Side")
    git(lab, "switch", "--quiet", "main")
    lab.write("main", b"main\n")
    lab.commit("Main")
    git(lab, "merge", "--quiet", "--no-commit", "side")
    lab.write("side", b"changed\n")
    round_trip(lab)
    assert (lab.laptop / ".git/MERGE_HEAD").exists()


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_edits_that_git_was_told_to_overlook_are_reported_and_can_be_named(
    lab: Lab, flag: str
) -> None:
    lab.write("untouched", b"flagged, and not changed\n")
    lab.commit("Another file")
    git(lab, "update-index", flag, "foo", "untouched", "run.sh")
    lab.write("foo", b"overlooked\n")
    pushed = push_untouched(lab, what="diff")
    assert [notice.paths for notice in pushed.notices if "overlook" in notice.text] == [("foo",)]
    named = push_untouched(lab, what="diff", include=["foo"])
    assert not any("overlook" in notice.text for notice in named.notices)
    assert named.hash != pushed.hash
    git(lab, "update-index", f"--no-{flag[2:]}", "foo")
    assert named.hash == lab.tree_of()


def test_a_change_of_the_same_size_in_the_same_moment_is_seen(lab: Lab) -> None:
    path = lab.write("racy", b"one\n")
    git(lab, "add", "racy")
    stamp = path.stat().st_mtime_ns
    path.write_bytes(b"two\n")
    os.utime(path, ns=(stamp, stamp))
    os.utime(lab.laptop / ".git/index", ns=(stamp, stamp))
    round_trip(lab)


def test_a_file_that_cannot_be_stored_is_an_error(lab: Lab) -> None:
    remove(lab, "foo")
    os.mkfifo(lab.laptop / "foo")
    with pytest.raises(GhostError, match="foo"):
        push(options(lab))


def test_a_folder_of_another_repositorys_is_an_error(lab: Lab, tmp_path: Path) -> None:
    lab.sandbox.git("init", "--quiet", "inner", cwd=lab.laptop)
    with pytest.raises(GhostError, match="inner"):
        push(options(lab))
    assert tmp_path.exists()
