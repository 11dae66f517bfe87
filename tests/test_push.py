"""push: v0.1's forms and outputs; and the printed hash is the working tree's tree id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from git_ghost import GhostError, NoRepository, NoSuchBase, Options, Pushed, UsageError, push
from git_ghost.store.format import Trailers
from tests.support.lab import Lab
from tests.support.oracle import disk_state
from tests.support.sandbox import Sandbox


@pytest.fixture
def lab(in_sandbox: Sandbox) -> Lab:
    return Lab(in_sandbox)


def send(lab: Lab, **more: Any) -> Pushed:
    options = Options(
        directory=more.pop("at", lab.laptop), repo=lab.ghost_url, remote=more.pop("remote", None)
    )
    return push(options, **more)


def texts(pushed: Pushed) -> str:
    return "\n".join(notice.text for notice in pushed.notices)


def trailers(lab: Lab, pushed: Pushed, index: int = -1) -> Trailers:
    """What the ghost's commit says, read with plain git."""
    ref = pushed.ghosts[index].ghost.ref
    return Trailers.parse(lab.sandbox.git("log", "-1", "--format=%B", ref, cwd=lab.ghost_repo))


# The hash is the tree


def test_the_hash_is_the_tree_id_of_the_working_tree_and_stays_so(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.write("new/file", b"new\n", 0o755)
    (lab.laptop / "README").unlink()
    before = disk_state(lab.laptop / ".git")
    first, second = send(lab), send(lab)
    assert first.hash == second.hash == lab.tree_of()
    assert first.lines == (f"{lab.head()} {first.hash}",)
    assert [sent.new for sent in (*first.ghosts, *second.ghosts)] == [True, False]
    assert (first.changed, first.untracked) == (("README", "foo"), ("new/file",))
    assert lab.ghost_refs() == [f"refs/heads/ghost/{lab.head()}/{first.hash}"]
    after = disk_state(lab.laptop / ".git")
    after.pop(b"git-ghost/pushed")  # the note of what was sent
    assert after == before


def test_a_clean_tree_gives_the_tree_of_head_and_an_empty_patch(lab: Lab) -> None:
    pushed = send(lab)
    assert pushed.hash == lab.head("HEAD^{tree}")
    patch = lab.sandbox.git("show", f"{lab.ghost_refs()[0]}:local-mod.patch", cwd=lab.ghost_repo)
    assert patch == b""
    assert (pushed.changed, pushed.untracked, pushed.commits) == ((), (), 0)


def test_the_patch_is_what_git_apply_needs_to_get_there(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.write("bin", bytes(range(256)))
    pushed = send(lab)
    patch = lab.sandbox.git("show", f"{pushed.ghosts[0].ghost.ref}:local-mod.patch",
                            cwd=lab.ghost_repo)  # fmt: skip
    fresh = lab.fresh_clone("fresh")
    lab.sandbox.git("apply", stdin=patch, cwd=fresh)
    assert lab.tree_of(fresh) == pushed.hash


def test_the_same_tree_has_the_same_hash_staged_or_not(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.write("new", b"n\n")
    loose = send(lab).hash
    lab.sandbox.git("add", "--all", cwd=lab.laptop)
    assert send(lab).hash == loose


def test_a_subfolder_sends_the_whole_tree(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    assert send(lab, at=lab.laptop / "src").hash == lab.tree_of()


# Which ghosts go


def test_commits_no_remote_has_go_too_with_their_line_first(lab: Lab) -> None:
    base = lab.head()
    lab.write("foo", b"b\n")
    lab.commit("One")
    middle = lab.commit("Two, empty")
    lab.write("foo", b"c\n")
    pushed = send(lab)
    assert pushed.lines == (f"{base} {middle}", f"{middle} {lab.tree_of()}")
    assert (pushed.commits, pushed.remote_base, pushed.head) == (2, base, middle)
    assert lab.ghost_refs() == sorted(sent.ghost.ref for sent in pushed.ghosts)
    lab.push()
    later = send(lab)
    assert later.lines == pushed.lines[1:]
    assert not later.ghosts[0].new


def test_with_a_base_only_the_diff_from_it_goes(lab: Lab) -> None:
    base = lab.head()
    lab.write("foo", b"b\n")
    local = lab.commit("Local")
    for arguments in ({"base": "HEAD~1"}, {"what": "diff", "base": base[:10]}):
        pushed = send(lab, **arguments)
        assert pushed.lines == (f"{base} {lab.tree_of()}",)
        assert pushed.notices == ()
    pushed = send(lab, what="diff")
    assert pushed.lines == (f"{local} {lab.tree_of()}",)
    assert f"the base commit {local} is on no remote" in texts(pushed)


@pytest.mark.parametrize("what", ["commits", "all"])
def test_commits_that_begin_at_one_that_no_remote_has_are_told(lab: Lab, what: str) -> None:
    older = lab.head("HEAD~1")
    local = lab.commit("Local")
    lab.commit("On top of it")
    pushed = send(lab, what=what, base=local)
    assert f"the commits begin at {local}, which is on no remote" in texts(pushed)
    assert send(lab, what=what, base=older).notices == ()


def test_commits_and_all_find_their_base_by_themselves(lab: Lab) -> None:
    base = lab.head()
    lab.write("foo", b"b\n")
    head = lab.commit("Local")
    lab.write("foo", b"c\n")
    assert send(lab, what="commits").lines == (f"{base} {head}",)
    assert send(lab, what="commits").hash == head
    assert send(lab, what="all").lines == (f"{base} {head}", f"{head} {lab.tree_of()}")


def test_commits_and_all_in_v01_s_forms(lab: Lab) -> None:
    root, base = lab.head("HEAD~2"), lab.head("HEAD~1")
    head = lab.head()
    lab.write("foo", b"c\n")
    tree = lab.tree_of()
    assert send(lab, what="commits", base="HEAD~2").lines == (f"{root} {head}",)
    assert send(lab, what="commits", base=root, to="HEAD~1").lines == (f"{root} {base}",)
    assert send(lab, what="all", base=root).lines == (f"{root} {head}", f"{head} {tree}")
    pushed = send(lab, what="all", base=root, to="HEAD~1")
    assert pushed.lines == (f"{root} {base}", f"{base} {tree}")
    assert (pushed.head, pushed.commits) == (base, 1)


def test_an_empty_range_is_a_ghost_like_any_other(lab: Lab) -> None:
    head = lab.head()
    pushed = send(lab, what="commits")
    assert pushed.lines == (f"{head} {head}",)
    assert pushed.commits == 0
    assert lab.ghost_refs() == [f"refs/heads/ghost/{head}-{head}"]
    assert send(lab, what="all").lines == (f"{head} {head}", f"{head} {lab.tree_of()}")


def test_commits_alone_do_not_look_at_the_working_tree(lab: Lab) -> None:
    lab.commit("Local")
    lab.write(".env", b"SECRET=x\n")
    pushed = send(lab, what="commits")
    assert pushed.commits == 1
    assert (pushed.changed, pushed.untracked, pushed.notices) == ((), (), ())


def test_a_merge_in_the_range_starts_at_the_first_parent_s_base(lab: Lab) -> None:
    base = lab.head()
    lab.sandbox.git("checkout", "--quiet", "-b", "side", "HEAD~1", cwd=lab.laptop)
    lab.write("side", b"s\n")
    lab.commit("Side")
    lab.sandbox.git("checkout", "--quiet", "main", cwd=lab.laptop)
    lab.sandbox.git("merge", "--quiet", "--no-edit", "side", cwd=lab.laptop)
    assert send(lab).lines[0] == f"{base} {lab.head()}"


def test_no_setting_of_the_user_is_in_the_commits_patch(lab: Lab) -> None:
    lab.sandbox.git("checkout", "--quiet", "-b", "side", cwd=lab.laptop)
    lab.write("foo", b"side\n")
    lab.commit("Side é")
    lab.sandbox.git("checkout", "--quiet", "main", cwd=lab.laptop)
    lab.write("foo", b"main\n")
    lab.commit("Main")
    merge = ("merge", "--quiet", "--no-edit", "-s", "ours", "side")
    lab.sandbox.git(*merge, cwd=lab.laptop)
    plain = send(lab, what="commits").ghosts[0].ghost.ref
    show = ("show", f"{plain}:commits.patch")
    expected = lab.sandbox.git(*show, cwd=lab.ghost_repo)
    for key, value in {
        "log.diffMerges": "combined", "log.date": "relative", "log.showSignature": "true",
        "format.pretty": "oneline", "format.notes": "true", "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true", "color.ui": "always", "diff.renames": "copies",
        "diff.context": "0", "diff.algorithm": "patience", "diff.external": "false",
        "log.abbrevCommit": "true", "log.follow": "true", "log.decorate": "full",
    }.items():  # fmt: skip
        lab.sandbox.config(key, value)
    lab.sandbox.git("update-ref", "-d", plain, cwd=lab.ghost_repo)
    assert send(lab, what="commits").ghosts[0].new
    assert lab.sandbox.git(*show, cwd=lab.ghost_repo) == expected


# Remotes


def test_with_no_remote_the_diff_goes_and_this_repository_is_its_source(lab: Lab) -> None:
    lab.sandbox.git("remote", "remove", "origin", cwd=lab.laptop)
    lab.write("foo", b"b\n")
    lab.commit("Local")
    pushed = send(lab)
    assert pushed.lines == (f"{lab.head()} {lab.tree_of()}",)
    assert f"the ghost names {lab.laptop} as its source, so it can be" in texts(pushed)
    assert (pushed.source, pushed.remote_base) == (str(lab.laptop), "")
    explicit = send(lab, what="all", base="HEAD~1")
    assert explicit.commits == 1


def test_refs_below_refs_remotes_alone_are_no_remote(lab: Lab) -> None:
    lab.sandbox.git("config", "--remove-section", "remote.origin", cwd=lab.laptop)
    lab.commit("Local")
    assert len(send(lab).lines) == 1


def test_a_remote_nothing_was_fetched_from_is_asked(lab: Lab) -> None:
    lab.sandbox.git("update-ref", "-d", "refs/remotes/origin/main", cwd=lab.laptop)
    base = lab.head()
    assert send(lab).notices == ()
    lab.commit("Local")
    assert send(lab, what="commits").lines == (f"{base} {lab.head()}",)
    explicit = send(lab, what="diff")
    assert f"the base commit {lab.head()} is on no remote, as far as is known" in texts(explicit)


@pytest.mark.parametrize("what", ["commits", "all"])
def test_commits_without_a_remote_need_a_base_that_is_named(lab: Lab, what: str) -> None:
    lab.sandbox.git("remote", "remove", "origin", cwd=lab.laptop)
    with pytest.raises(UsageError, match="no commit of this history is on a remote") as caught:
        send(lab, what=what)
    assert f"git ghost push {what} FROM" in caught.value.hint


def test_a_branch_that_was_never_pushed_starts_where_it_left_the_remote_s(lab: Lab) -> None:
    base = lab.head()
    lab.sandbox.git("checkout", "--quiet", "-b", "feature", cwd=lab.laptop)
    lab.write("foo", b"b\n")
    head = lab.commit("Feature")
    pushed = send(lab)
    assert pushed.lines == (f"{base} {head}", f"{head} {lab.tree_of()}")
    assert trailers(lab, pushed).branch == "feature"


def test_a_detached_head_is_as_good_as_a_branch(lab: Lab) -> None:
    base = lab.head()
    lab.sandbox.git("checkout", "--quiet", "--detach", "HEAD~1", cwd=lab.laptop)
    assert send(lab).lines == (f"{lab.head()} {lab.tree_of()}",)
    assert lab.head() != base
    head = lab.commit("Detached")
    pushed = send(lab)
    assert pushed.lines[0] == f"{lab.head('HEAD~1')} {head}"
    assert trailers(lab, pushed).branch == ""


def fork(lab: Lab) -> str:
    """Give the laptop a second remote, `upstream`, one commit ahead; return that commit."""
    upstream = lab.sandbox.repo("upstream.git", bare=True)
    lab.sandbox.git("remote", "add", "upstream", upstream, cwd=lab.laptop)
    lab.write("foo", b"upstream\n")
    head = lab.commit("Upstream's")
    lab.sandbox.git("push", "--quiet", "upstream", "HEAD:main", cwd=lab.laptop)
    return head


def test_the_source_is_the_remote_that_has_the_base(lab: Lab) -> None:
    old, head = lab.head(), fork(lab)
    url = str(lab.sandbox.root / "upstream.git")
    pushed = send(lab)
    assert pushed.lines == (f"{head} {lab.tree_of()}",)
    assert (pushed.source, trailers(lab, pushed).source) == (url, url)
    lab.sandbox.git("checkout", "--quiet", "--detach", old, cwd=lab.laptop)
    lab.sandbox.git("push", "--quiet", "--force", "upstream", "HEAD~1:main", cwd=lab.laptop)
    assert send(lab).source == lab.source_url


def test_a_remote_that_is_named_is_the_only_one_asked(lab: Lab) -> None:
    old, head = lab.head(), fork(lab)
    pushed = send(lab, remote="origin")
    assert pushed.lines == (f"{old} {head}", f"{head} {lab.tree_of()}")
    assert pushed.source == lab.source_url
    lab.sandbox.git("config", "ghost.remote", "origin", cwd=lab.laptop)
    assert send(lab).lines == pushed.lines
    assert send(lab, remote="upstream").lines == pushed.lines[1:]


def test_of_remotes_that_both_have_it_the_branch_s_own_is_taken(lab: Lab) -> None:
    fork(lab)
    lab.push()
    assert send(lab).source == lab.source_url
    lab.sandbox.git("config", "branch.main.remote", "upstream", cwd=lab.laptop)
    assert send(lab).source == str(lab.sandbox.root / "upstream.git")


def test_an_unknown_remote_is_refused_by_name(lab: Lab) -> None:
    with pytest.raises(UsageError, match="there is no remote 'nowhere'"):
        send(lab, remote="nowhere")
    lab.sandbox.git("remote", "remove", "origin", cwd=lab.laptop)
    with pytest.raises(UsageError, match="there is no remote 'nowhere'"):
        send(lab, remote="nowhere")


def test_the_source_is_the_url_git_fetches_from_a_path_made_absolute(lab: Lab) -> None:
    lab.sandbox.git("remote", "set-url", "--add", "origin", "/a/second/one", cwd=lab.laptop)
    assert send(lab).source == lab.source_url
    for url, source in (
        ("sub/source.git", f"{lab.laptop}/sub/source.git"),
        ("../source.git", lab.source_url),
        ("gh:source.git", f"{lab.sandbox.root}/source.git"),
        ("host:source.git", "host:source.git"),
    ):
        lab.sandbox.config(f"url.{lab.sandbox.root}/.insteadOf", "gh:")
        lab.sandbox.git("config", "--replace-all", "remote.origin.url", url, cwd=lab.laptop)
        assert send(lab, at=lab.laptop / "src").source == source


def test_a_source_that_is_set_is_what_the_ghost_says_without_its_password(lab: Lab) -> None:
    url = "https://ada:s3cret@host/source.git"
    options = Options(directory=lab.laptop, repo=lab.ghost_url, source=url)
    pushed = push(options)
    assert pushed.source == trailers(lab, pushed).source == "https://host/source.git"


def test_a_password_in_the_remote_s_url_is_stored_nowhere(lab: Lab) -> None:
    url = "https://ada:s3cret@host/source.git"
    lab.sandbox.git("remote", "set-url", "origin", url, cwd=lab.laptop)
    pushed = send(lab)
    assert pushed.source == "https://host/source.git"
    assert "s3cret" not in repr(pushed)
    commit = lab.sandbox.git("cat-file", "commit", lab.ghost_refs()[0], cwd=lab.ghost_repo)
    assert b"s3cret" not in commit


# Where nothing can be pushed


def test_an_unborn_head_is_said(lab: Lab) -> None:
    empty = lab.sandbox.repo("empty")
    for arguments in ({}, {"what": "commits"}, {"what": "all"}):
        with pytest.raises(NoSuchBase, match="no commit yet"):
            send(lab, at=empty, **arguments)
    lab.sandbox.git("checkout", "--quiet", "--orphan", "other", cwd=lab.laptop)
    with pytest.raises(NoSuchBase, match="no commit yet"):
        send(lab)
    assert send(lab, base="main").hash == lab.tree_of()


def test_a_bare_repository_is_said(lab: Lab) -> None:
    with pytest.raises(GhostError, match="has no working tree: it is bare"):
        send(lab, at=lab.source)
    with pytest.raises(GhostError, match="or this is a folder inside it"):
        send(lab, at=lab.laptop / ".git")


def test_outside_a_repository_is_said(lab: Lab) -> None:
    with pytest.raises(NoRepository, match="is not in a git repository") as caught:
        send(lab, at=lab.sandbox.home)
    assert caught.value.exit_code == 1


def test_a_folder_that_is_not_there_or_no_folder_is_said(lab: Lab) -> None:
    for name in ("nowhere", "foo"):
        with pytest.raises(GhostError, match=f"there is no folder .*{name}"):
            send(lab, at=lab.laptop / name)


def test_a_current_folder_that_was_removed_is_said(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = lab.laptop / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(GhostError):
        push(Options(repo=lab.ghost_url))


def test_a_broken_configuration_is_told_in_git_s_words(lab: Lab) -> None:
    lab.write(".git/config", b"[core\n")
    with pytest.raises(GhostError, match="bad config line 1"):
        send(lab)


def test_a_path_with_a_line_break_in_it_is_said(lab: Lab) -> None:
    odd = lab.sandbox.repo("odd\nname")
    with pytest.raises(GhostError, match="line break"):
        send(lab, at=odd)


@pytest.mark.parametrize(
    "name", ["nowhere", "-x", "--all", "a" * 40, "", "HEAD:foo", "HEAD^{tree}"]
)
def test_a_base_that_is_no_commit_here_is_refused_by_name(lab: Lab, name: str) -> None:
    for arguments in ({}, {"what": "diff"}, {"what": "commits"}, {"what": "all"}):
        with pytest.raises((NoSuchBase, UsageError)) as caught:
            send(lab, base=name, **arguments)
        assert f"'{name}'" in caught.value.message
        assert caught.value.exit_code == (2 if name.startswith("-") else 4)


def test_calls_that_make_no_sense_are_usage_errors(lab: Lab) -> None:
    with pytest.raises(UsageError, match="no 'everything' to push"):
        send(lab, what="everything")
    for what in ("auto", "diff"):
        with pytest.raises(UsageError, match="no second commit"):
            send(lab, what=what, base="HEAD", to="HEAD")


def test_nothing_is_left_behind_when_it_fails(lab: Lab) -> None:
    lab.commit("Local")
    before = disk_state(lab.laptop / ".git")
    for options in (
        Options(directory=lab.laptop, repo=str(lab.sandbox.root / "nowhere.git")),
        Options(directory=lab.laptop, repo=lab.ghost_url, prefix="a/../b"),
    ):
        with pytest.raises(GhostError):
            push(options)
    assert disk_state(lab.laptop / ".git") == before
    assert list(Path(lab.sandbox.env["TMPDIR"]).iterdir()) == []


# What is said about it


def test_a_dry_run_sends_nothing_makes_nothing_and_gives_the_same_lines(lab: Lab) -> None:
    lab.commit("Local")
    lab.write("new", b"n\n")
    before = disk_state(lab.laptop / ".git")
    tried = send(lab, dry_run=True)
    assert lab.ghost_refs() == []
    assert disk_state(lab.laptop / ".git") == before
    done = send(lab)
    assert tried.lines == done.lines
    assert (tried.dry_run, done.dry_run) == (True, False)
    assert (tried.untracked, tried.commits, tried.source) == (("new",), 1, done.source)


@pytest.mark.parametrize(
    "message",
    ["Try a larger rate", "", "  \n ", "one\ntwo\n\nthree", "größer 🚀", "Ghost-Tree: " + "0" * 40,
     "x\n\nGhost-Format: 9\nGhost-Tree: 1", "# no comment", "-x", "trailing\n\n\n"],
)  # fmt: skip
def test_the_user_s_text_is_kept_in_front_of_the_trailers(lab: Lab, message: str) -> None:
    lab.write("foo", b"b\n")
    pushed = send(lab, message=message)
    found = trailers(lab, pushed)
    assert found.subject == message.strip()
    assert (found.tree, found.base) == (pushed.hash, lab.head())


def test_a_ghost_says_where_it_comes_from_in_trailers(lab: Lab) -> None:
    base = lab.head()
    head = lab.commit("Local")
    lab.write("foo", b"b\n")
    pushed = send(lab)
    common = {"remote_base": base, "source": lab.source_url, "branch": "main", "format": "2"}
    assert trailers(lab, pushed) == Trailers(tree=pushed.hash, base=head, **common)
    assert trailers(lab, pushed, 0) == Trailers(base=head, **common)
    raw = lab.sandbox.text("log", "-1", "--format=%s%n%P|", lab.ghost_refs()[0], cwd=lab.ghost_repo)
    assert raw == "Create ghost commit\n|"


def author(lab: Lab, pushed: Pushed) -> str:
    ref = pushed.ghosts[-1].ghost.ref
    form = "%an <%ae>|%cn <%ce>"
    return lab.sandbox.text("log", "-1", f"--format={form}", ref, cwd=lab.ghost_repo)


def test_the_author_is_the_user_as_git_knows_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = "Ada Ghost <ada@example.com>"
    assert author(lab, send(lab)) == f"{ada}|{ada}"
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Bo <x>\n")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "bo@example.com")
    lab.write("foo", b"b\n")
    assert author(lab, send(lab)).startswith("Bo x <bo@example.com>|")


def test_nobody_needs_a_name_to_push(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.sandbox.git("config", "--global", "--remove-section", "user")
    monkeypatch.setenv("LOGNAME", "bo")
    assert author(lab, send(lab)).startswith("bo <>|")


def test_a_user_id_nobody_has_is_no_obstacle(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")  # as Python says it in such a container

    lab.sandbox.git("config", "--global", "--remove-section", "user")
    monkeypatch.setattr("getpass.getuser", unknown)
    assert author(lab, send(lab)).startswith("unknown <>|")


# What it costs: every process is some milliseconds


def test_a_push_asks_git_no_more_often_than_it_must(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = lab.sandbox.root / "trace"
    lab.write("foo", b"b\n")
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(trace))

    def commands() -> list[str]:
        events = [json.loads(line) for line in trace.read_text().splitlines()]
        trace.unlink()
        ours = [e["name"] for e in events if e["event"] == "cmd_name" and "/" not in e["sid"]]
        return sorted(ours)

    diff = ["config", "diff-tree", "hash-object", "ls-files", "push", "rev-list", "rev-parse",
            "rev-parse", "status", "update-index", "write-tree"]  # fmt: skip
    send(lab)
    assert commands() == diff
    send(lab, dry_run=True)
    assert commands() == [name for name in diff if name not in ("diff-tree", "hash-object", "push")]
    monkeypatch.delenv("GIT_TRACE2_EVENT")
    lab.commit("Local")
    lab.write("foo", b"c\n")
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(trace))
    send(lab)
    commits = ["hash-object", "hash-object", "log", "pack-objects", "rev-list"]
    assert commands() == sorted([*diff, *commits])
    send(lab, what="commits")
    # One look at what the commits changed (submodules, LFS), none at the working tree; and one at
    # the ghost, which is there already.
    assert commands() == ["config", "diff-tree", "fetch", "for-each-ref", "hash-object",
                          "hash-object", "log", "ls-tree", "pack-objects", "push", "rev-list",
                          "rev-list", "rev-parse", "rev-parse", "symbolic-ref"]  # fmt: skip
