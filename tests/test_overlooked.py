"""What git passes over in silence, or with a word, is refused, sent or named: never left behind."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from tests.support.lab import Lab
from tests.support.sandbox import Result


def push_as_a_user(lab: Lab, *args: str) -> Result:
    """Push as somebody whom permissions stop, which they do not for root and its capabilities."""
    command = ["git-ghost", "push", *args]
    if os.getuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("setpriv is not installed")
        powers = "-dac_override,-dac_read_search"
        command[:0] = ["setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}"]
    return lab.sandbox.run(*command, cwd=lab.laptop, env={"GIT_GHOST_REPO": lab.ghost_url})


def refused(lab: Lab, result: Result) -> str:
    """Assert that nothing was sent, and return why."""
    assert result.out == b""
    assert lab.ghost_refs() == []
    return result.fails(1)


def sent(lab: Lab, *args: str) -> Result:
    """Push, and assert that it went well."""
    result = lab.ghost("push", *args)
    result.ok()
    return result


def hash_of(result: Result) -> str:
    """Return the hash that a push printed."""
    return result.ok().split()[-1]


# What cannot be read


def test_an_unreadable_folder_is_refused_by_name(lab: Lab) -> None:
    lab.write("data/x", b"q\n")
    (lab.laptop / "data").chmod(0)
    why = refused(lab, push_as_a_user(lab))
    assert "1 file or folder that cannot be read" in why
    assert "\n  data/ (Permission denied)\n" in why
    assert "chmod" in why
    push_as_a_user(lab, "--no-untracked").ok()
    lab.write(".git/info/exclude", b"data\n")
    push_as_a_user(lab).ok()


@pytest.mark.parametrize("mode", [0, 0o600], ids=["closed", "listable"])
def test_a_tracked_file_in_an_unreadable_folder_does_not_go_as_head_has_it(
    lab: Lab, mode: int
) -> None:
    lab.write("src/train.py", b"changed\n")
    (lab.laptop / "src").chmod(mode)
    for how in ((), ("--no-untracked",)):
        assert "\n  src/train.py (Permission denied)" in refused(lab, push_as_a_user(lab, *how))


@pytest.mark.parametrize("name", [".gitignore", ".gitattributes"])
def test_rules_that_cannot_be_read_are_refused(lab: Lab, name: str) -> None:
    lab.write(".gitignore", b"*.secret\n")
    lab.commit("Ignore")
    lab.write("new.secret", b"x\n")
    lab.write(f"src/{name}", b"*.x\n", 0o000)
    lab.write("src/train.py", b"changed\n")
    lab.write(".git/info/exclude", b"/src/.git*\n")
    assert f"\n  src/{name} (Permission denied)" in refused(lab, push_as_a_user(lab))


def test_what_git_says_of_rules_elsewhere_is_passed_on(lab: Lab) -> None:
    lab.write(".config/git/ignore", b"x\n", 0o000, at=lab.sandbox.home)
    result = push_as_a_user(lab)
    result.ok()
    assert "unable to access" in result.err
    assert ".config/git/ignore" in result.err


# Settings carried over from another system


@pytest.mark.parametrize(
    ("key", "value"), [("core.trustctime", "false"), ("core.checkStat", "minimal")]
)
def test_an_edit_of_the_same_size_and_time_is_seen_whatever_git_is_told_to_compare(
    lab: Lab, key: str, value: str
) -> None:
    lab.sandbox.git("config", key, value, cwd=lab.laptop)
    path = lab.laptop / "README"  # the first entry of the index
    os.utime(path, ns=(10**18, 10**18))
    lab.sandbox.git("update-index", "--refresh", cwd=lab.laptop)
    path.write_bytes(b"ONE\ntwo\nthree\n")
    os.utime(path, ns=(10**18, 10**18))
    _as_if_a_second_had_passed(lab.laptop / ".git/index")
    assert "1 changed file: README" in sent(lab).err


def _as_if_a_second_had_passed(index: Path) -> None:
    """Set the time of change back that an index has of its first entry (gitformat-index)."""
    content = bytearray(index.read_bytes()[:-20])
    seconds = int.from_bytes(content[12:16], "big")
    content[12:16] = (seconds - 1).to_bytes(4, "big")
    index.write_bytes(content + hashlib.sha1(content, usedforsecurity=False).digest())


def test_a_file_whose_name_differs_by_case_alone_goes_too(lab: Lab) -> None:
    lab.sandbox.git("config", "core.ignoreCase", "true", cwd=lab.laptop)
    if os.path.lexists(lab.laptop / "FOO"):
        pytest.skip("this file system takes FOO for foo")
    lab.write("FOO", b"another\n")
    result = sent(lab)
    assert "1 new file: FOO" in result.err
    lab.sandbox.git("config", "core.ignoreCase", "false", cwd=lab.laptop)
    assert hash_of(result) == lab.tree_of()


def test_a_removed_file_that_git_was_told_to_overlook_is_named(lab: Lab) -> None:
    lab.sandbox.git("update-index", "--assume-unchanged", "foo", cwd=lab.laptop)
    (lab.laptop / "foo").unlink()
    assert "told to overlook" in sent(lab).err
    result = sent(lab, "-I", "foo")
    assert "overlook" not in result.err
    lab.sandbox.git("update-index", "--no-assume-unchanged", "foo", cwd=lab.laptop)
    assert hash_of(result) == lab.tree_of()


# Submodules, and what looks like them


def with_submodules(lab: Lab) -> Path:
    """Give the laptop a submodule, `lib`, with one of its own, `lib/inner`; return its folder."""
    lab.sandbox.config("protocol.file.allow", "always")
    git, root = lab.sandbox.git, lab.sandbox.root
    for name, inside in (("inner", None), ("lib", "inner")):
        work, bare = lab.sandbox.repo(f"work-{name}"), lab.sandbox.repo(f"{name}.git", bare=True)
        lab.write(f"{name}.txt", b"one\n", at=work)
        if inside:
            git("submodule", "--quiet", "add", root / f"{inside}.git", inside, cwd=work)
        lab.commit("Begin", at=work)
        git("push", "--quiet", bare, "HEAD:main", cwd=work)
    git("submodule", "--quiet", "add", root / "lib.git", "lib", cwd=lab.laptop)
    git("submodule", "--quiet", "update", "--init", "--recursive", cwd=lab.laptop)
    lab.commit("Add lib")
    lab.push()
    return lab.laptop / "lib"


def test_an_unpushed_commit_of_a_submodule_inside_a_submodule_is_refused(lab: Lab) -> None:
    lib = with_submodules(lab)
    lab.write("inner.txt", b"two\n", at=lib / "inner")
    lab.commit("Not pushed", at=lib / "inner")
    lab.commit("Pushed", at=lib)
    lab.sandbox.git("push", "--quiet", "origin", "HEAD:main", cwd=lib)
    assert "on no remote of the submodule; nothing was sent:\n  lib/inner\n" in refused(
        lab, lab.ghost("push")
    )
    lab.sandbox.git("push", "--quiet", "origin", "HEAD:main", cwd=lib / "inner")
    assert hash_of(sent(lab)) == lab.tree_of()


def test_a_new_file_in_a_submodule_is_seen_whatever_git_status_shows(lab: Lab) -> None:
    lib = with_submodules(lab)
    lab.sandbox.config("status.showUntrackedFiles", "no")
    lab.write("new", b"x\n", at=lib)
    assert "uncommitted changes" in refused(lab, lab.ghost("push"))


def test_changes_in_a_submodule_inside_one_that_says_to_ignore_them_are_refused(lab: Lab) -> None:
    lib = with_submodules(lab)
    rule = ("config", "--file", ".gitmodules", "submodule.inner.ignore", "all")
    lab.sandbox.git(*rule, cwd=lib)
    lab.commit("Ignore", at=lib)
    lab.sandbox.git("push", "--quiet", "origin", "HEAD:main", cwd=lib)
    assert hash_of(sent(lab)) == lab.tree_of()
    lab.sandbox.git("update-ref", "-d", lab.ghost_refs()[0], cwd=lab.ghost_repo)
    lab.write("inner.txt", b"changed\n", at=lib / "inner")
    assert "uncommitted changes, which a ghost cannot carry; nothing was sent:\n  lib\n" in refused(
        lab, lab.ghost("push")
    )


def test_files_in_a_submodule_that_is_not_checked_out_are_refused(lab: Lab) -> None:
    with_submodules(lab)
    lab.sandbox.git("submodule", "--quiet", "deinit", "--force", "lib", cwd=lab.laptop)
    assert "warning" not in sent(lab).err  # one that is empty is as it should be
    lab.sandbox.git("update-ref", "-d", lab.ghost_refs()[0], cwd=lab.ghost_repo)
    lab.write("lib/new", b"x\n")
    why = refused(lab, lab.ghost("push"))
    assert "not checked out" in why
    assert "\n  lib\n" in why
    result = sent(lab, "--without", "submodules")
    assert "submodules that are not checked out: not sent" in result.err


def test_a_repository_that_was_added_without_being_a_submodule_is_refused(lab: Lab) -> None:
    inside = lab.laptop / "vendored"
    lab.sandbox.git("clone", "--quiet", lab.source_url, inside)
    lab.sandbox.git("add", "vendored", cwd=lab.laptop)
    why = refused(lab, lab.ghost("push"))
    assert "inside this one" in why
    assert "\n  vendored\n" in why
    lab.commit("Add it all the same")
    assert "\n  vendored\n" in refused(lab, lab.ghost("push"))
    assert "arrive as empty folders" in sent(lab, "--without", "nested").err
    lab.push()  # everybody's own affair now, but a word is due
    assert "arrive as empty folders" in sent(lab).err


# Names, conflicts, and files that do not hold still


@pytest.mark.parametrize("name", ["git~1", "sub/.GIT /x", ".g\u200cit/x"])
def test_a_name_that_a_pull_would_refuse_is_refused_whatever_is_configured(
    lab: Lab, name: str
) -> None:
    for key in ("core.protectNTFS", "core.protectHFS"):
        lab.sandbox.git("config", key, "false", cwd=lab.laptop)
    lab.write(name, b"x\n")
    assert "could mean .git elsewhere" in refused(lab, lab.ghost("push"))


def test_a_conflict_that_is_not_resolved_is_told(lab: Lab) -> None:
    lab.sandbox.git("switch", "--quiet", "--create", "other", cwd=lab.laptop)
    lab.write("foo", b"b\n")
    lab.commit("Other")
    lab.sandbox.git("switch", "--quiet", "main", cwd=lab.laptop)
    lab.write("foo", b"c\n")
    lab.commit("Main")
    lab.sandbox.git("merge", "other", cwd=lab.laptop, check=False)
    assert "conflicts not resolved: sent as on disk, with git's marks: foo\n" in sent(lab).err


def test_a_file_that_changes_while_it_is_read_is_told(lab: Lab) -> None:
    lab.write(".gitattributes", b"moving filter=moves\n")
    lab.commit("Filter")
    lab.sandbox.git("config", "filter.moves.clean", "cat; echo more >>moving", cwd=lab.laptop)
    lab.write("moving", b"one\n")
    assert "changed while they were read" in sent(lab).err
