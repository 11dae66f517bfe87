"""show and diff: what is stored, what would be sent; nothing changes."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from git_ghost import (
    GhostError,
    NoSuchBase,
    NoSuchGhost,
    Options,
    Pushed,
    UsageError,
    VerificationFailed,
    diff,
    push,
    show,
)
from git_ghost.store.format import DiffGhost
from tests.support.lab import Lab
from tests.support.oracle import disk_state
from tests.support.sandbox import Sandbox


@pytest.fixture
def lab(in_sandbox: Sandbox) -> Lab:
    return Lab(in_sandbox)


def options(lab: Lab, **more: Any) -> Options:
    return Options(**{"directory": lab.laptop, "repo": lab.ghost_url, **more})


def shown(hash: str, options: Options, **more: Any) -> bytes:
    out = BytesIO()
    show(hash, options, out=out, **more)
    return out.getvalue()


def pushed_with_commits(lab: Lab) -> Pushed:
    lab.write("foo", b"b\n")
    lab.commit("Local")
    lab.write("foo", b"c\n")
    lab.write("new.bin", bytes(range(256)))
    return push(options(lab))


def stored(lab: Lab, ref: str, name: str) -> bytes:
    return lab.sandbox.git("show", f"{ref}:{name}", cwd=lab.ghost_repo)


# show


def test_show_writes_the_stored_patch_as_it_is(lab: Lab) -> None:
    pushed = pushed_with_commits(lab)
    commits, mod = (sent.ghost for sent in pushed.ghosts)
    patch = stored(lab, mod.ref, "local-mod.patch")
    mail = stored(lab, commits.ref, "commits.patch")
    opts = options(lab)
    for hash in (pushed.hash, pushed.hash[:7], f" {pushed.hash.upper()}\n"):
        assert shown(hash, opts) == patch
    assert shown(pushed.hash, opts, what="diff") == patch
    assert shown(pushed.hash, opts, what="diff", base="HEAD") == patch
    assert shown(commits.to, opts) == mail
    assert shown(commits.to, opts, what="commits") == mail
    assert shown("HEAD", opts, what="commits", commits_from=commits.base) == mail
    assert shown(pushed.hash, opts, what="all", base="HEAD") == mail + patch
    everything = {"what": "all", "base": commits.to, "commits_from": commits.base}
    assert shown(pushed.hash, opts, **everything) == mail + patch


def test_show_works_outside_of_any_repository(lab: Lab) -> None:
    pushed = pushed_with_commits(lab)
    inside = shown(pushed.hash, options(lab))
    assert shown(pushed.hash, options(lab, directory=lab.sandbox.home)) == inside


def test_show_of_what_is_not_there_writes_nothing(lab: Lab) -> None:
    pushed = pushed_with_commits(lab)
    commits, mod = (sent.ghost for sent in pushed.ghosts)
    out = BytesIO()
    for hash, more in (
        ("0" * 40, {}),
        (commits.to, {"what": "diff"}),
        (mod.to, {"what": "commits"}),
        (mod.to, {"base": commits.base}),
        (mod.to, {"what": "all", "base": "0" * 40}),
        ("0" * 40, {"what": "all", "base": commits.to}),
    ):
        with pytest.raises(NoSuchGhost) as caught:
            show(hash, options(lab), out=out, **more)
        assert "0" * 40 in caught.value.message or hash in caught.value.message
    assert out.getvalue() == b""


def test_calls_of_show_that_make_no_sense_are_usage_errors(lab: Lab) -> None:
    for hash, more in (
        ("main", {}),
        ("a" * 40, {"what": "everything"}),
        ("a" * 40, {"what": "all"}),
        ("a" * 40, {"base": "-x"}),
    ):
        with pytest.raises(UsageError):
            shown(hash, options(lab), **more)
    with pytest.raises(NoSuchBase, match="'nowhere'"):
        shown("a" * 40, options(lab), base="nowhere")


def test_a_ghost_without_its_file_is_told(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    pushed = push(options(lab))
    ref = pushed.ghosts[0].ghost.ref
    tree = lab.sandbox.text("mktree", cwd=lab.ghost_repo)
    commit = lab.sandbox.text("commit-tree", tree, "-m", "x", cwd=lab.ghost_repo)
    lab.sandbox.git("update-ref", ref, commit, cwd=lab.ghost_repo)
    with pytest.raises(VerificationFailed, match=r"holds no local-mod\.patch"):
        shown(pushed.hash, options(lab))


# diff


def test_the_announcement_s_session(lab: Lab) -> None:
    """`diff HEAD` prints at home what push sends, and elsewhere the same after the pull."""
    from git_ghost import pull

    remote = options(lab, directory=lab.fresh_clone("remote"))
    lab.write("foo", b"b\n")
    pushed = push(options(lab))
    patch = shown(pushed.hash, remote)
    assert b"-a\n+b\n" in patch
    assert diff("HEAD", None, remote) == b""
    pull(pushed.hash, remote)
    assert diff("HEAD", None, remote) == diff("HEAD", None, options(lab)) == patch


def test_diff_has_the_bytes_that_push_stores_untracked_files_included(lab: Lab) -> None:
    lab.write("foo", b"b\r\nno newline at the end")
    lab.write("new.bin", bytes(range(256)))
    lab.write("odd name\n", b"")
    lab.symlink("link", "nowhere")
    (lab.laptop / "run.sh").chmod(0o644)
    patch = diff(options=options(lab))
    assert patch == shown(push(options(lab)).hash, options(lab))
    assert b"new.bin" in patch
    tracked = diff("HEAD", None, options(lab), untracked=False)
    assert b"new.bin" not in tracked
    assert b"+b\r\n" in tracked


def test_diff_takes_what_push_takes(lab: Lab) -> None:
    lab.write(".git/info/exclude", b"*.log\n")
    lab.write("a.log", b"x\n")
    lab.write("new", b"x\n")
    assert b"a.log" not in diff(options=options(lab))
    assert b"a.log" in diff(options=options(lab), include=["a.log"])
    lab.sandbox.git("config", "ghost.untracked", "false", cwd=lab.laptop)
    assert diff(options=options(lab)) == b""
    lab.sandbox.git("config", "ghost.maxFileSize", "1", cwd=lab.laptop)
    with pytest.raises(GhostError, match="over the limit"):
        diff(options=options(lab), untracked=True)


def test_each_side_may_be_a_commit_or_a_ghost_rebuilt_in_memory(lab: Lab) -> None:
    lab.write("foo", b"one\n")
    one = push(options(lab)).hash
    lab.write("foo", b"two\n")
    lab.write("new", b"n\n")
    two = push(options(lab)).hash
    fresh = options(lab, directory=lab.fresh_clone("fresh"))
    before = disk_state(lab.sandbox.root / "fresh")
    expected = diff(None, None, options(lab))
    assert diff("HEAD", two, fresh) == expected
    assert diff(two, "HEAD", fresh) != expected
    between = diff(one, two[:9], fresh)
    assert b"-one\n+two\n" in between
    assert b"new file" in between
    assert diff("main~1", "HEAD", fresh).startswith(b"diff --git a/README b/README\nnew file")
    assert diff(one, None, fresh).count(b"\n+a\n") == 1
    assert diff(two, two, fresh) == b""
    assert disk_state(lab.sandbox.root / "fresh") == before


def test_diff_changes_nothing_in_the_repository(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.write("new", b"b\n")
    before = disk_state(lab.laptop / ".git")
    diff(options=options(lab))
    diff("HEAD~1", None, options(lab), color=True)
    after = disk_state(lab.laptop / ".git")
    assert after == before


def test_a_ghost_with_commits_is_rebuilt_on_them(lab: Lab) -> None:
    pushed = pushed_with_commits(lab)
    fresh = options(lab, directory=lab.fresh_clone("fresh"))
    start, head = pushed.ghosts[0].ghost.base, pushed.ghosts[0].ghost.to
    assert diff(start, pushed.hash, fresh) == diff(start, None, options(lab))
    assert diff(start, head, fresh) == diff(start, head, options(lab))
    assert diff(head, pushed.hash, fresh) == shown(pushed.hash, fresh)
    git = ("cat-file", "-e", head)
    clone = lab.sandbox.root / "fresh"
    assert lab.sandbox.run("git", *git, cwd=clone).code != 0, "the commits came into the repository"


def test_diff_from_a_subfolder_is_of_the_whole_tree(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.write("src/new", b"b\n")
    whole = diff(options=options(lab))
    assert diff(options=options(lab, directory=lab.laptop / "src")) == whole


def test_in_colour_it_has_the_user_s_own_style(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.sandbox.git("config", "diff.noprefix", "true", cwd=lab.laptop)
    colored = diff(options=options(lab), color=True)
    assert b"\x1b[" in colored
    assert b"diff --git foo foo" in colored
    assert b"diff --git a/foo b/foo" in diff(options=options(lab))


def test_two_commits_can_be_compared_in_a_bare_repository(lab: Lab) -> None:
    bare = options(lab, directory=lab.source)
    assert diff("main~1", "main", bare) == diff("main~1", "main", options(lab))
    with pytest.raises(GhostError, match="no working tree"):
        diff(options=bare)


def test_what_names_nothing_is_refused_by_name(lab: Lab) -> None:
    with pytest.raises(NoSuchBase, match="'nowhere' is neither a commit here nor a ghost's hash"):
        diff("nowhere", None, options(lab))
    with pytest.raises(UsageError, match="'--output=x' begins with a dash"):
        diff("--output=x", None, options(lab))
    with pytest.raises(NoSuchGhost, match="0" * 40):
        diff("0" * 40, None, options(lab))
    with pytest.raises(NoSuchBase, match="no commit yet"):
        diff("HEAD", None, options(lab, directory=lab.sandbox.repo("empty")))


def test_a_ghost_swapped_for_another_is_not_shown_as_a_difference(lab: Lab) -> None:
    lab.write("foo", b"one\n")
    one = push(options(lab)).ghosts[0].ghost
    lab.write("foo", b"two\n")
    two = push(options(lab)).ghosts[0].ghost
    assert isinstance(one, DiffGhost)
    lab.sandbox.git("update-ref", one.ref, two.ref, cwd=lab.ghost_repo)
    with pytest.raises(VerificationFailed):
        diff("HEAD", one.to, options(lab))
