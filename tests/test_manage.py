"""list, delete and doctor."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from git_ghost import (
    Check,
    GhostError,
    NoSuchGhost,
    Options,
    RemoteError,
    UsageError,
    delete,
    doctor,
    list_ghosts,
    push,
)
from git_ghost.errors import NoRepository
from git_ghost.store.listing import Listed
from tests.support.http import HttpServer
from tests.support.lab import Lab
from tests.support.oracle import disk_state
from tests.support.sandbox import Sandbox


@pytest.fixture
def lab(in_sandbox: Sandbox) -> Lab:
    return Lab(in_sandbox)


def options(lab: Lab, **more: Any) -> Options:
    return Options(**{"directory": lab.laptop, "repo": lab.ghost_url, **more})


def ends(listed: list[Listed]) -> list[tuple[str, str]]:
    return [(found.ghost.base, found.ghost.to) for found in listed]


def three(lab: Lab) -> tuple[tuple[str, str], tuple[str, str], tuple[str, str]]:
    """Push a commits ghost and two diff ghosts (on HEAD, on the remote base); return their ends."""
    base = lab.head()
    lab.write("foo", b"b\n")
    head = lab.commit("Local")
    lab.write("foo", b"c\n")
    one = push(options(lab)).hash
    lab.write("foo", b"d\n")
    two = push(options(lab), base=base).hash
    return (base, head), (head, one), (base, two)


# list


def test_list_gives_diffs_unless_asked_sorted_by_name_commits_first(lab: Lab) -> None:
    commits, one, two = three(lab)
    assert ends(list_ghosts(options(lab))) == sorted([one, two])
    assert ends(list_ghosts(options(lab), what="commits")) == [commits]
    assert ends(list_ghosts(options(lab), what="all")) == [commits, *sorted([one, two])]
    for found in list_ghosts(options(lab), what="all"):
        assert lab.head(found.ghost.ref, at=lab.ghost_repo) == found.commit


def test_the_ends_are_globs_or_commits_here(lab: Lab) -> None:
    commits, one, two = three(lab)
    base, head = commits
    opts = options(lab)
    for start in (base, "HEAD~1", "origin/main", f"{base[:10]}*", base[:10], " HEAD~1\n"):
        assert ends(list_ghosts(opts, start=start)) == [two]
    assert ends(list_ghosts(opts, start="HEAD")) == [one]
    assert ends(list_ghosts(opts, to=f"*{one[1][20:]}")) == [one]
    assert ends(list_ghosts(opts, to=f"{one[1][:12]}[{one[1][12]}]*")) == [one]
    assert ends(list_ghosts(opts, start="*", to="?" * 40)) == sorted([one, two])
    assert ends(list_ghosts(opts, what="commits", to="HEAD")) == [commits]
    assert ends(list_ghosts(opts, what="all", start="HEAD", to="HEAD")) == []
    for nothing in ("nowhere", "-x"):
        with pytest.raises(UsageError, match=f"'{nothing}' is not a commit here"):
            list_ghosts(opts, start=nothing)
    assert head == lab.head()


def test_only_ghosts_of_the_prefix_are_listed(lab: Lab) -> None:
    push(options(lab))
    push(options(lab, prefix="other"))
    push(options(lab, prefix="ghost/deeper"))
    head = lab.head()
    refs = ("refs/heads/main", "refs/heads/ghost/odd", f"refs/tags/ghost/{head}/{head}")
    lab.sandbox.git("push", "--quiet", lab.ghost_url, *(f"HEAD:{ref}" for ref in refs),
                    cwd=lab.laptop)  # fmt: skip
    assert len(list_ghosts(options(lab), what="all")) == 1
    assert len(list_ghosts(options(lab, prefix="other"), what="all")) == 1
    assert len(list_ghosts(options(lab, prefix="ghost/deeper"))) == 1
    assert list_ghosts(options(lab, prefix="none")) == []


def test_list_needs_no_repository(lab: Lab) -> None:
    _, one, two = three(lab)
    outside = options(lab, directory=lab.sandbox.home)
    assert ends(list_ghosts(outside)) == sorted([one, two])
    assert ends(list_ghosts(outside, start=one[0])) == [one]


def test_what_cannot_be_listed_is_said(lab: Lab) -> None:
    with pytest.raises(UsageError, match="no kind of ghosts 'everything'"):
        list_ghosts(options(lab), what="everything")
    with pytest.raises(RemoteError, match=r"there is no repository at .*nowhere"):
        list_ghosts(options(lab, repo=str(lab.sandbox.root / "nowhere.git")))
    with pytest.raises(GhostError, match="there is no folder") as caught:
        list_ghosts(options(lab, directory=lab.sandbox.root / "nowhere"))
    assert not isinstance(caught.value, NoRepository)


# delete


def test_both_ends_are_needed_to_delete_unless_hashes_are_named(lab: Lab) -> None:
    commits, one, two = three(lab)
    opts = options(lab)
    calls: tuple[dict[str, Any], ...] = ({}, {"start": "*"}, {"to": "*"}, {"what": "all"})
    for arguments in calls:
        with pytest.raises(UsageError, match="nothing says which"):
            delete(opts, **arguments)
    assert len(lab.ghost_refs()) == 3
    assert ends(delete(opts, start="HEAD", to="*")) == [one]
    assert ends(list_ghosts(opts, what="all")) == [commits, two]
    assert ends(delete(opts, what="all", start="*", to="*")) == [commits, two]
    assert lab.ghost_refs() == []
    assert delete(opts, what="all", start="*", to="*") == []


def test_a_dry_run_deletes_nothing_and_says_what_would_go(lab: Lab) -> None:
    commits, one, two = three(lab)
    opts = options(lab)
    assert ends(delete(opts, dry_run=True)) == sorted([one, two])
    assert ends(delete(opts, what="commits", start="*", to="*", dry_run=True)) == [commits]
    assert len(lab.ghost_refs()) == 3


def test_hashes_name_what_is_deleted(lab: Lab) -> None:
    commits, one, two = three(lab)
    opts = options(lab)
    assert ends(delete(opts, hashes=[f" {one[1][:8].upper()}\n"])) == [one]
    assert ends(delete(opts, what="commits", hashes=[commits[1]])) == [commits]
    assert ends(list_ghosts(opts, what="all")) == [two]


def test_an_unknown_or_malformed_hash_deletes_nothing_at_all(lab: Lab) -> None:
    commits, one, _ = three(lab)
    opts = options(lab)
    with pytest.raises(NoSuchGhost, match="0" * 40):
        delete(opts, hashes=[one[1], "0" * 40])
    with pytest.raises(NoSuchGhost, match=commits[1]):
        delete(opts, hashes=[commits[1]])  # there, but no diff
    with pytest.raises(UsageError):
        delete(opts, hashes=[one[1], "*"])
    assert len(lab.ghost_refs()) == 3


def test_branches_that_are_no_ghosts_are_never_deleted(lab: Lab) -> None:
    push(options(lab))
    refs = ("refs/heads/main", "refs/heads/ghost/odd")
    lab.sandbox.git("push", "--quiet", lab.ghost_url, *(f"HEAD:{ref}" for ref in refs),
                    cwd=lab.laptop)  # fmt: skip
    assert len(delete(options(lab), what="all", start="*", to="*")) == 1
    assert lab.ghost_refs() == ["refs/heads/ghost/odd", "refs/heads/main"]


@pytest.mark.slow
def test_more_ghosts_than_a_command_line_holds_are_deleted(lab: Lab) -> None:
    pushed = push(options(lab)).ghosts[0].ghost
    commit = lab.head(pushed.ref, at=lab.ghost_repo)
    feed = "".join(
        f"create refs/heads/ghost/{pushed.base}/{n:040x} {commit}\n" for n in range(1200)
    )
    lab.sandbox.git("update-ref", "--stdin", stdin=feed.encode(), cwd=lab.ghost_repo)
    assert len(delete(options(lab), start="*", to="0000000*")) == 1200
    assert lab.ghost_refs() == [pushed.ref]


# doctor


def checks(opts: Options) -> dict[str, Check]:
    return {check.name: check for check in doctor(opts)}


def test_when_all_is_well_the_doctor_says_so_and_what_would_be_sent(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.write("new", b"x\n")
    push(options(lab))
    before, stored = disk_state(lab.laptop / ".git"), disk_state(lab.ghost_repo)
    found = checks(options(lab))
    assert [check.ok for check in found.values()] == [True] * len(found)
    assert found["repository"].detail == str(lab.laptop)
    assert found["ghost repository"].detail == f"{lab.ghost_url}, 1 ghost under 'ghost'"
    assert found["base commit"].detail == f"{lab.head()[:12]} on origin ({lab.source_url})"
    assert found["to be sent"].detail == "1 changed file, 1 new file, 4 bytes"
    assert disk_state(lab.laptop / ".git") == before
    assert disk_state(lab.ghost_repo) == stored


def test_local_commits_that_would_go_are_counted(lab: Lab) -> None:
    lab.commit("One")
    lab.commit("Two")
    assert "to be sent with it: 2 local commits" in checks(options(lab))["base commit"].detail


@pytest.mark.parametrize("url", ["nowhere.git", "https://ada:s3cret@127.0.0.1:1/x", "ext::sh -c x"])
def test_a_ghost_repository_that_cannot_be_reached_is_shown(lab: Lab, url: str) -> None:
    found = checks(options(lab, repo=url))
    assert found["ghost repository"].ok is False
    assert found["ghost repository"].hint
    assert "write access" not in found
    assert "s3cret" not in repr(found)
    assert found["base commit"].ok


def test_settings_that_cannot_be_are_shown(lab: Lab) -> None:
    for more in ({"repo": "-x"}, {"prefix": "a b"}, {"directory": lab.sandbox.root / "nowhere"}):
        found = checks(options(lab, **more))
        assert list(found) == ["git", "settings"]
        assert found["settings"].ok is False


def test_an_unknown_remote_is_shown(lab: Lab) -> None:
    found = checks(options(lab, remote="nowhere"))
    assert found["base commit"].ok is False
    assert "'nowhere'" in found["base commit"].detail


def test_a_server_that_takes_no_pushes_is_shown(
    http_server: HttpServer, in_sandbox: Sandbox
) -> None:
    lab = Lab(in_sandbox, server=http_server)
    assert checks(options(lab))["write access"].ok
    lab.sandbox.git("config", "http.receivepack", "false", cwd=lab.ghost_repo)
    found = checks(options(lab))
    assert found["ghost repository"].ok
    assert found["write access"].ok is False


def test_a_base_that_left_the_remote_is_shown(lab: Lab) -> None:
    lab.sandbox.git("push", "--quiet", "--force", "origin", "HEAD~1:main", cwd=lab.laptop)
    lab.sandbox.git("update-ref", "refs/remotes/origin/main", "HEAD", cwd=lab.laptop)
    found = checks(options(lab))["base commit"]
    assert found.ok is False
    assert f"origin no longer has the base commit {lab.head()}" in found.detail


def test_a_source_remote_that_cannot_be_reached_is_shown(lab: Lab) -> None:
    shutil.move(lab.source, lab.sandbox.root / "away.git")
    found = checks(options(lab))["base commit"]
    assert found.ok is False
    assert "there is no repository at" in found.detail


def test_without_a_remote_the_doctor_warns(lab: Lab) -> None:
    lab.sandbox.git("remote", "remove", "origin", cwd=lab.laptop)
    found = checks(options(lab))["base commit"]
    assert found.ok is None
    assert "Push the branch" in found.hint


def test_what_would_be_refused_is_shown_with_the_ways_out(lab: Lab) -> None:
    lab.write(".env", b"x\n")
    found = checks(options(lab))["to be sent"]
    assert found.ok is False
    assert "\n  .env" in found.detail
    assert "-I" in found.hint


def test_an_unborn_head_is_shown(lab: Lab) -> None:
    found = checks(options(lab, directory=lab.sandbox.repo("empty")))
    assert found["base commit"].ok is False
    assert "no commit yet" in found["base commit"].detail


@pytest.mark.parametrize("where", ["home", "source.git"])
def test_outside_of_a_working_tree_the_ghost_repository_is_looked_at_all_the_same(
    lab: Lab, where: str
) -> None:
    found = checks(options(lab, directory=lab.sandbox.root / where))
    assert list(found) == ["git", "repository", "ghost repository", "write access"]
    assert [check.ok for check in found.values()] == [True, None, True, True]


def test_the_embedded_default_is_announced_and_not_made(in_sandbox: Sandbox) -> None:
    lab = Lab(in_sandbox)
    found = checks(options(lab, repo=None))["ghost repository"]
    assert found.ok is None
    assert "made at the first push" in found.detail
    assert "ghost.repo" in found.hint
    assert not Path(in_sandbox.env["XDG_DATA_HOME"], "git-ghost").exists()
    push(options(lab, repo=None))
    assert checks(options(lab, repo=None))["ghost repository"].ok


def test_a_ghost_repository_of_another_object_format_is_shown(lab: Lab) -> None:
    other = str(lab.sandbox.repo("other.git", "sha256", bare=True))
    found = checks(options(lab, repo=other))
    assert False in [check.ok for check in found.values()]


def test_no_git_at_all_is_shown(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = checks(options(lab))
    assert found["git"].ok is False
    assert "git is not installed" in found["git"].detail


def test_delete_says_which_commits_stay_that_no_diff_needs(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.commit("Local")
    _, commit, _, hash = lab.ghost("push").ok().split()
    lab.write("foo", b"c\n")
    lab.ghost("push").ok()
    stay = f"to delete it: git ghost delete commits {commit}\n"
    assert stay not in lab.ghost("delete", hash).err
    assert stay in lab.ghost("delete", "--all", "--dry-run").err
    assert stay in lab.ghost("delete", "--all").err
    assert stay not in lab.ghost("delete", "--all").err
    assert len(lab.ghost_refs()) == 1
