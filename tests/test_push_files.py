"""push: which files go: new ones unless ignored, included ones, targets of links."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from git_ghost import GhostError, Options, Pushed, UsageError, push
from tests.support.lab import Lab
from tests.support.sandbox import Sandbox


@pytest.fixture
def lab(in_sandbox: Sandbox) -> Lab:
    found = Lab(in_sandbox)
    found.write(".gitignore", b"*.log\nout/\n")
    found.commit("Ignore")
    found.push()
    return found


def send(lab: Lab, *, at: Path | None = None, **more: Any) -> Pushed:
    options = Options(directory=at or lab.laptop, repo=lab.ghost_url)
    return push(options, **more)


def sent_files(lab: Lab, pushed: Pushed) -> set[str]:
    """The files of the pushed tree that HEAD does not have: by the patch, with plain git."""
    fresh = lab.sandbox.root / "fresh"
    if not fresh.exists():
        lab.fresh_clone("fresh")
    ref = pushed.ghosts[-1].ghost.ref
    patch = lab.sandbox.git("show", f"{ref}:local-mod.patch", cwd=lab.ghost_repo)
    lab.sandbox.git("read-tree", "HEAD", cwd=fresh)
    if patch:
        lab.sandbox.git("apply", "--cached", stdin=patch, cwd=fresh)
    assert lab.sandbox.text("write-tree", cwd=fresh) == pushed.hash
    names = ("diff", "--cached", "--name-only", "-z", "--diff-filter=A", "HEAD")
    out = lab.sandbox.git(*names, cwd=fresh)
    return {os.fsdecode(name) for name in out.split(b"\0") if name}


# New files


def test_new_files_go_unless_ignored(lab: Lab) -> None:
    for name in ("new", "src/new.py", "deep/er/x", "a.log", "out/x", "-dash", "with space\nbreak"):
        lab.write(name, b"x\n")
    pushed = send(lab)
    new = {"new", "src/new.py", "deep/er/x", "-dash", "with space\nbreak"}
    assert set(pushed.untracked) == sent_files(lab, pushed) == new
    assert pushed.notices == ()
    assert pushed.hash == lab.tree_of()


@pytest.mark.parametrize("how", ["argument", "setting"])
def test_new_files_can_be_left_behind_as_v01_does_and_are_named(lab: Lab, how: str) -> None:
    lab.write("new", b"x\n")
    lab.write("foo", b"b\n")
    if how == "setting":
        lab.sandbox.git("config", "ghost.untracked", "false", cwd=lab.laptop)
    pushed = send(lab, untracked=False if how == "argument" else None)
    assert sent_files(lab, pushed) == set()
    assert pushed.changed == ("foo",)
    assert [(notice.text, notice.paths) for notice in pushed.notices] == [
        ("new files not sent (--no-untracked)", ("new",))
    ]
    assert sent_files(lab, send(lab, untracked=True)) == {"new"}


def test_included_files_go_even_if_new_files_do_not(lab: Lab) -> None:
    lab.write("new", b"x\n")
    lab.write("other", b"x\n")
    pushed = send(lab, untracked=False, include=["new"])
    assert sent_files(lab, pushed) == set(pushed.untracked) == {"new"}
    assert [notice.paths for notice in pushed.notices] == [("other",)]


def test_a_file_staged_to_be_added_goes_in_any_case(lab: Lab) -> None:
    lab.write("staged", b"x\n")
    lab.write("intended", b"x\n")
    lab.sandbox.git("add", "staged", cwd=lab.laptop)
    lab.sandbox.git("add", "--intent-to-add", "intended", cwd=lab.laptop)
    assert sent_files(lab, send(lab, untracked=False)) == {"staged", "intended"}


# -I


def test_ignored_files_and_files_in_ignored_folders_go_when_named(lab: Lab) -> None:
    for name in ("a.log", "b.log", "out/x", "out/deep/y"):
        lab.write(name, b"x\n")
    assert sent_files(lab, send(lab)) == set()
    assert sent_files(lab, send(lab, include=["a.log"])) == {"a.log"}
    assert sent_files(lab, send(lab, include=["out/x", b"a.log"])) == {"out/x", "a.log"}
    assert sent_files(lab, send(lab, include=["out"])) == {"out/x", "out/deep/y"}
    assert sent_files(lab, send(lab, include=["out/"])) == {"out/x", "out/deep/y"}
    assert sent_files(lab, send(lab, include=["./out/../out/deep"])) == {"out/deep/y"}
    everything = {"a.log", "b.log", "out/x", "out/deep/y"}
    assert sent_files(lab, send(lab, include=["."])) == everything
    assert sent_files(lab, send(lab, include=[lab.laptop])) == everything


def test_paths_start_at_the_folder_the_call_is_about(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.write("a.log", b"top\n")
    lab.write("src/a.log", b"sub\n")
    sub = lab.laptop / "src"
    assert sent_files(lab, send(lab, at=sub, include=["a.log"])) == {"src/a.log"}
    assert sent_files(lab, send(lab, at=sub, include=["../a.log"])) == {"a.log"}
    assert sent_files(lab, send(lab, at=sub, include=["."])) == {"src/a.log"}
    absolute = lab.laptop / "a.log"
    assert sent_files(lab, send(lab, at=sub, include=[absolute])) == {"a.log"}
    monkeypatch.chdir(sub)
    assert sent_files(lab, push(Options(repo=lab.ghost_url), include=["a.log"])) == {"src/a.log"}


def test_a_path_is_taken_as_it_is_written(lab: Lab) -> None:
    names = ["-dash.log", "a*.log", "a?.log", "[a].log", ":(top)x.log", "!x.log", "#.log", " .log",
             "é\n\\.log"]  # fmt: skip
    for name in (*names, "ab.log"):
        lab.write(name, b"x\n")
    for name in names:
        assert sent_files(lab, send(lab, include=[name])) == {name}


def test_what_is_tracked_or_new_anyway_may_be_named_too(lab: Lab) -> None:
    lab.write("new", b"x\n")
    pushed = send(lab, include=["foo", "src", "new", "new"])
    assert sent_files(lab, pushed) == {"new"}
    assert pushed.hash == lab.tree_of()
    (lab.laptop / "foo").unlink()
    assert send(lab, include=["foo"]).hash == lab.tree_of()


def test_a_tracked_file_that_git_was_told_to_overlook_is_told_and_goes_when_named(
    lab: Lab,
) -> None:
    for flag, name in (("--assume-unchanged", "foo"), ("--skip-worktree", "README")):
        lab.sandbox.git("update-index", flag, name, cwd=lab.laptop)
        lab.write(name, b"changed\n")
    pushed = send(lab)
    assert pushed.hash == lab.head("HEAD^{tree}")
    assert [set(notice.paths) for notice in pushed.notices] == [{"foo", "README"}]
    pushed = send(lab, include=["foo", "README"])
    assert pushed.notices == ()
    lab.sandbox.git("update-index", "--no-assume-unchanged", "foo", cwd=lab.laptop)
    lab.sandbox.git("update-index", "--no-skip-worktree", "README", cwd=lab.laptop)
    assert pushed.hash == lab.tree_of()


def test_a_link_goes_as_a_link(lab: Lab) -> None:
    lab.write("out/real", b"x\n")
    lab.symlink("to.log", "out/real")
    lab.symlink("dangling.log", "nowhere")
    lab.symlink("folder.log", "out")
    pushed = send(lab, include=["to.log", "dangling.log", "folder.log"])
    assert sent_files(lab, pushed) == {"to.log", "dangling.log", "folder.log"}


def test_an_empty_folder_is_nothing_to_send(lab: Lab) -> None:
    (lab.laptop / "out/empty").mkdir(parents=True)
    assert sent_files(lab, send(lab, include=["out"])) == set()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere", "no file nowhere to include"),
        ("foo/below", "no file foo/below to include"),
        ("../outside", "is not inside"),
        ("/etc/passwd", "is not inside"),
        ("..", "is not inside"),
        (".git", "is git's own"),
        (".git/config", "is git's own"),
        (".GIT/config", "is git's own"),
        ("link/x", "is not inside"),
        ("pipe.log", "neither a file, a folder nor a symbolic link"),
    ],
)
def test_what_cannot_be_included_is_refused_by_name(lab: Lab, path: str, said: str) -> None:
    lab.write("../outside", b"x\n")
    lab.write("elsewhere/x", b"x\n", at=lab.sandbox.root)
    lab.symlink("link", str(lab.sandbox.root / "elsewhere"))
    os.mkfifo(lab.laptop / "pipe.log")
    with pytest.raises(UsageError) as caught:
        send(lab, include=[path])
    assert said in caught.value.message
    assert lab.ghost_refs() == []


def test_a_path_beyond_a_link_inside_is_its_real_place(lab: Lab) -> None:
    lab.write("out/x", b"x\n")
    lab.symlink("link", "out")
    pushed = send(lab, include=["link/x"])
    assert sent_files(lab, pushed) == {"link", "out/x"}


def test_the_working_tree_may_be_reached_through_a_link(lab: Lab) -> None:
    lab.write("a.log", b"x\n")
    other = lab.symlink("work", str(lab.laptop), at=lab.sandbox.root)
    assert sent_files(lab, send(lab, at=other, include=["a.log"])) == {"a.log"}
    assert sent_files(lab, send(lab, at=other, include=[other / "a.log"])) == {"a.log"}
    assert sent_files(lab, send(lab, at=other / "src", include=["../a.log"])) == {"a.log"}


def test_a_folder_with_a_repository_in_it_is_refused_like_any(lab: Lab) -> None:
    lab.sandbox.git("init", "--quiet", "out/nested", cwd=lab.laptop)
    lab.write("out/nested/x", b"x\n")
    lab.write("out/y", b"y\n")
    with pytest.raises(GhostError, match="inside this one"):
        send(lab, include=["out"])
    pushed = send(lab, include=["out"], without=["nested"])
    assert sent_files(lab, pushed) == {"out/y"}
    assert [notice.paths for notice in pushed.notices] == [("out/nested/",)]


# --follow-symlinks


def test_the_targets_of_included_links_go_when_links_are_followed(lab: Lab) -> None:
    lab.write("out/real", b"x\n")
    lab.write("out/folder/y", b"y\n")
    lab.symlink("one.log", "two.log")
    lab.symlink("two.log", "out/real")
    lab.symlink("src/up.log", "../out/folder")
    assert sent_files(lab, send(lab, include=["one.log"])) == {"one.log"}
    chain = send(lab, include=["one.log"], follow_symlinks=True)
    assert sent_files(lab, chain) == {"one.log", "two.log", "out/real"}
    folder = send(lab, include=["src/up.log"], follow_symlinks=True)
    assert sent_files(lab, folder) == {"src/up.log", "out/folder/y"}


def test_only_included_links_are_followed(lab: Lab) -> None:
    lab.write("out/real", b"x\n")
    lab.symlink("new", "out/real")
    assert sent_files(lab, send(lab, follow_symlinks=True)) == {"new"}


def test_a_loop_of_links_ends(lab: Lab) -> None:
    lab.symlink("one.log", "two.log")
    lab.symlink("two.log", "one.log")
    lab.symlink("self.log", "self.log")
    pushed = send(lab, include=["one.log", "self.log"], follow_symlinks=True)
    assert sent_files(lab, pushed) == {"one.log", "two.log", "self.log"}


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("/etc/passwd", "to the absolute path /etc/passwd"),
        ("../outside", "is not inside"),
        ("nowhere", "no file nowhere to include"),
        (".git/config", "is git's own"),
    ],
)
def test_a_link_that_leads_elsewhere_is_refused_when_followed(
    lab: Lab, target: str, said: str
) -> None:
    lab.symlink("x.log", target)
    with pytest.raises(UsageError) as caught:
        send(lab, include=["x.log"], follow_symlinks=True)
    assert said in caught.value.message
    assert sent_files(lab, send(lab, include=["x.log"])) == {"x.log"}
