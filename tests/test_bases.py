"""Where the commits below a ghost come from: what push prints can be cloned, whatever happened."""

from __future__ import annotations

import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.lab import Lab
from tests.support.sandbox import Sandbox
from tests.support.v01 import V01


def arrives(lab: Lab, pod: Path) -> bool:
    """Whether a pod has the very files of the laptop, on the very commit."""
    same = lab.disk_state(pod) == lab.disk_state()
    return same and lab.head(at=pod) == lab.head()


def clone(lab: Lab, hash: str, name: str = "pod") -> Path:
    """Clone a ghost as a pod does that is given its hash and the ghost repository, and no more."""
    pod = lab.sandbox.root / name
    lab.sandbox.ghost("clone", hash, pod, env={"GIT_GHOST_REPO": lab.ghost_url}).ok()
    return pod


def printed(lab: Lab, *args: str) -> str:
    """Push, and return the hash that is printed last."""
    return lab.ghost("push", *args).ok().split()[-1]


# --- ranges without commits ----------------------------------------------------------------------


def commit_that_sorts(lab: Lab, base: str, *, first: bool) -> str:
    """Commit, and amend until the commit's id comes before, or after, that of its base."""
    lab.write("foo", b"b\n")
    head, tries = lab.commit("Local"), 0
    while (head < base) is not first:
        tries += 1
        lab.sandbox.git("commit", "--quiet", "--amend", "-m", f"Local {tries}", cwd=lab.laptop)
        head = lab.head()
    return head


@pytest.mark.parametrize("tool", ["here", "v01"])
@pytest.mark.parametrize("first", [True, False], ids=["empty-first", "empty-last"])
def test_a_range_without_commits_is_not_taken_for_the_one_that_has_them(
    lab: Lab, tool: str, first: bool
) -> None:
    base = lab.head()
    head = commit_that_sorts(lab, base, first=first)
    lab.write("README", b"changed\n")
    run = lab.ghost
    if tool == "v01":
        v01 = V01({**lab.sandbox.env, "GIT_GHOST_REPO": lab.ghost_url})
        run = lambda *args: v01.run(*args, cwd=lab.laptop)  # noqa: E731
    run("push", "commits", base).ok()
    tree = run("push", "all", "HEAD", "HEAD").ok().split()[-1]
    assert len(lab.ghost_refs()) == 3
    shown = lab.ghost("show", "commits", head)
    assert shown.out == lab.ghost("show", "commits", base, head).out != b""
    for n, (words, at) in enumerate({
        ("commits", head): head, (head,): head, ("all", head, tree): "", (tree,): "",
    }.items()):  # fmt: skip
        pod = lab.fresh_clone(f"pod-{n}")
        lab.ghost("pull", *words, at=pod).ok()
        assert lab.head(at=pod) == head
        assert at or lab.disk_state(pod) == lab.disk_state()
    for hash in (head, tree):
        pod = lab.sandbox.root / f"cloned-{hash}"
        lab.ghost("clone", "--source", lab.source_url, hash, pod, at=lab.sandbox.root).ok()
        assert lab.head(at=pod) == head


def test_of_several_ranges_to_a_commit_the_one_from_head_is_taken(lab: Lab) -> None:
    start = lab.head("HEAD~1")
    lab.write("foo", b"b\n")
    head = lab.commit("Local")
    for base in (start, lab.head("HEAD~1")):
        lab.ghost("push", "commits", base).ok()
    for base in (start, lab.head("HEAD~1")):
        pod = lab.fresh_clone(f"pod-{base}")
        lab.sandbox.git("reset", "--quiet", "--hard", base, cwd=pod)
        shown = lab.ghost("show", "commits", head, at=pod)
        assert shown.out == lab.ghost("show", "commits", base, head).out
        lab.ghost("pull", "commits", head, at=pod).ok()
        assert lab.sandbox.text("symbolic-ref", "--short", "HEAD", cwd=pod) == "main"
        assert lab.head(at=pod) == head


def test_of_two_ranges_the_one_whose_start_the_source_has_is_taken(lab: Lab) -> None:
    base = lab.head()
    lab.commit("Local")
    lab.write("foo", b"b\n")
    head = lab.commit("On top of it")
    for start in (lab.head("HEAD~1"), base):
        lab.ghost("push", "commits", start).ok()
    assert lab.head(at=clone(lab, head)) == head


# --- bases that left the server ------------------------------------------------------------------


def forget(lab: Lab, *refs: str) -> None:
    """Delete branches of the source, and the objects that only they had; the laptop hears of it."""
    for ref in refs:
        lab.sandbox.git("push", "--quiet", "origin", f":{ref}", cwd=lab.laptop)
    collect(lab)


def collect(lab: Lab) -> None:
    """Let the source lose what no branch has any more."""
    lab.sandbox.git("gc", "--quiet", "--prune=now", cwd=lab.source)
    lab.sandbox.git("fetch", "--quiet", "--prune", "origin", cwd=lab.laptop)


@pytest.fixture
def feat(lab: Lab) -> str:
    """Return the hash of a ghost whose base only the branch feat of the source has."""
    lab.sandbox.git("switch", "--quiet", "--create", "feat", cwd=lab.laptop)
    lab.write("foo", b"feat\n")
    lab.commit("On feat")
    lab.push()
    lab.write("README", b"changed\n")
    return printed(lab)


@pytest.mark.parametrize("tips_only", [False, True], ids=["any-commit", "tips-only"])
@pytest.mark.parametrize("words", [(), ("all", "origin/main")], ids=["push", "push-all"])
def test_a_base_that_left_the_source_comes_with_the_ghost_that_is_pushed_again(
    lab: Lab, feat: str, words: tuple[str, ...], tips_only: bool
) -> None:
    if tips_only:
        lab.sandbox.config("protocol.version", "0")
    forget(lab, "feat")
    assert printed(lab, *words) == feat
    assert arrives(lab, clone(lab, feat))
    pod = lab.fresh_clone("old")
    lab.ghost("pull", feat, at=pod).ok()
    assert arrives(lab, pod)


def test_a_base_that_was_replaced_on_the_source_and_went_back_can_be_cloned(
    lab: Lab, feat: str
) -> None:
    base = lab.head()
    lab.sandbox.git("commit", "--quiet", "--amend", "-m", "Amended", cwd=lab.laptop)
    lab.sandbox.git("push", "--quiet", "--force", "origin", "feat", cwd=lab.laptop)
    collect(lab)
    assert printed(lab) == feat  # on the amended commit
    assert arrives(lab, clone(lab, feat, "amended"))
    lab.sandbox.git("reset", "--quiet", "--soft", base, cwd=lab.laptop)
    lab.sandbox.git("push", "--quiet", "--force", "origin", "HEAD~:feat", cwd=lab.laptop)
    collect(lab)
    assert printed(lab) == feat  # on the first one, whose ghost is there already
    pod = clone(lab, feat, "back")
    assert lab.disk_state(pod) == lab.disk_state()


@pytest.mark.usefixtures("feat")
def test_the_start_of_the_commits_may_leave_the_source_too(lab: Lab) -> None:
    lab.commit("Local")
    lab.write("README", b"again\n")
    hash = printed(lab)
    forget(lab, "feat")
    assert printed(lab) == hash
    assert arrives(lab, clone(lab, hash))


def test_the_source_may_hold_the_ghosts_itself(lab: Lab, feat: str) -> None:
    lab.ghost_url = lab.source_url
    assert printed(lab) == feat
    forget(lab, "feat")
    assert printed(lab) == feat
    assert arrives(lab, clone(lab, feat))


# --- repositories without a remote ---------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["", "file://"])
@pytest.mark.parametrize("form", ["push", "push diff"])
def test_without_a_remote_a_ghost_on_this_machine_can_be_cloned(
    lab: Lab, scheme: str, form: str
) -> None:
    lab.sandbox.git("remote", "remove", "origin", cwd=lab.laptop)
    lab.commit("Local")
    lab.write("foo", b"b\n")
    url = {"GIT_GHOST_REPO": scheme + lab.ghost_url}
    pushed = lab.ghost(*form.split(), env=url)
    assert f"is on no remote: the ghost names {lab.laptop} as its source" in pushed.err
    pod = lab.sandbox.root / "pod"
    lab.sandbox.ghost("clone", pushed.ok().split()[-1], pod, env=url).ok()
    assert arrives(lab, pod)


def test_without_a_remote_a_ghost_that_nobody_could_rebuild_is_not_sent(lab: Lab) -> None:
    lab.sandbox.git("remote", "remove", "origin", cwd=lab.laptop)
    url = {"GIT_GHOST_REPO": "http://127.0.0.1:9/ghosts.git"}  # where nobody answers: code 7
    refused = lab.ghost("push", env=url)
    assert f"the base commit {lab.head()} is on no remote, for there is none" in refused.err
    for way in ("git remote add", "git config ghost.source", "git ghost push diff"):
        assert way in refused.err
    assert refused.code == 4
    told = lab.ghost("doctor", env=url)
    assert (told.err + told.out.decode()).count("for there is none") == 1
    lab.sandbox.git("config", "ghost.source", lab.source_url, cwd=lab.laptop)
    assert lab.ghost("push", env=url).code == 7
    assert lab.ghost("push", "diff", env=url).code == 7


# --- bases that no remote-tracking ref tells of ---------------------------------------------------


def cloned_by(lab: Lab, hash: str, at: Path) -> Path:
    """Clone a ghost and assert that the very files of a working tree and its commit arrive."""
    pod = clone(lab, hash, f"pod-of-{at.name}")
    assert lab.disk_state(pod) == lab.disk_state(at)
    assert lab.head(at=pod) == lab.head(at=at)
    return pod


@pytest.mark.parametrize("commits", [0, 2])
def test_a_worktree_of_a_bare_clone_sends_what_the_remote_lacks(lab: Lab, commits: int) -> None:
    bare, work = lab.sandbox.root / "project.git", lab.sandbox.root / "work"
    lab.sandbox.git("clone", "--quiet", "--bare", lab.source_url, bare)
    lab.sandbox.git("worktree", "add", "--quiet", "-b", "feat", work, cwd=bare)
    for n in range(commits):
        lab.write("foo", b"%d\n" % n, at=work)
        lab.commit(f"Local {n}", at=work)
    lab.write("README", b"changed\n", at=work)
    done = lab.ghost("push", at=work)
    assert len(done.ok().splitlines()) == (2 if commits else 1)
    assert "warning" not in done.err
    cloned_by(lab, done.ok().split()[-1], work)


@pytest.mark.parametrize("ref", ["refs/pipelines/7", "refs/tags/v1"])
@pytest.mark.parametrize("depth", ["--depth=1", "--depth=99"])
def test_a_checkout_of_a_ref_that_is_no_branch_finds_its_base(
    lab: Lab, ref: str, depth: str
) -> None:
    lab.write("foo", b"ci\n")
    lab.commit("Only there")
    lab.sandbox.git("tag", "-a", "-m", "Version 1", "v1", cwd=lab.laptop)
    lab.sandbox.git("push", "--quiet", "origin", f"v1:{ref}", cwd=lab.laptop)
    work = lab.sandbox.repo("work")
    lab.sandbox.git("remote", "add", "origin", lab.source_url, cwd=work)
    lab.sandbox.git("fetch", "--quiet", depth, "origin", f"{ref}:{ref}", cwd=work)
    lab.sandbox.git("checkout", "--quiet", "--detach", ref, cwd=work)
    lab.write("README", b"changed\n", at=work)
    done = lab.ghost("push", at=work)
    assert "warning" not in done.err
    cloned_by(lab, done.ok().split()[-1], work)


def test_a_base_that_only_a_tag_holds_comes_from_servers_that_hand_out_tips_only(lab: Lab) -> None:
    lab.write("foo", b"tagged\n")
    lab.commit("Below the tag")
    lab.sandbox.git("commit", "--quiet", "--allow-empty", "-m", "Tagged", cwd=lab.laptop)
    lab.sandbox.git("tag", "v1", cwd=lab.laptop)
    lab.sandbox.git("push", "--quiet", "origin", "v1", cwd=lab.laptop)
    lab.sandbox.git("reset", "--quiet", "--hard", "HEAD~1", cwd=lab.laptop)
    lab.sandbox.git("update-ref", "-d", "refs/remotes/origin/main", cwd=lab.laptop)
    lab.write("README", b"changed\n")
    lab.sandbox.config("protocol.version", "0")
    hash = printed(lab)
    assert len(lab.ghost_refs()) == 1
    cloned_by(lab, hash, lab.laptop)


@pytest.mark.parametrize("words", [("push",), ("push", "-n"), ("push", "commits")])
def test_a_history_that_the_remote_has_nothing_of_is_refused_with_the_way_out(
    lab: Lab, words: tuple[str, ...]
) -> None:
    work = lab.sandbox.repo("work")
    lab.write("foo", b"b\n", at=work)
    head = lab.commit("First", at=work)
    lab.sandbox.git("remote", "add", "origin", lab.source_url, cwd=work)
    err = lab.ghost(*words, at=work).fails(4)
    assert f"origin has neither {head} nor a commit before it" in err
    assert "git push origin HEAD" in err
    assert "git ghost push diff" in err
    assert lab.ghost_refs() == []
    assert lab.ghost("push", "diff", at=work).ok().split()[0] == head
    lab.sandbox.git("push", "--quiet", lab.source_url, "HEAD:work", cwd=work)
    assert lab.ghost(*words, at=work).ok()


def test_a_remote_that_cannot_be_asked_is_told_with_the_way_out(lab: Lab) -> None:
    lab.sandbox.git("update-ref", "-d", "refs/remotes/origin/main", cwd=lab.laptop)
    lab.sandbox.git("remote", "set-url", "origin", "/nowhere/source.git", cwd=lab.laptop)
    err = lab.ghost("push").fails(7)
    assert "no remote-tracking ref tells what origin has" in err
    assert "git ghost push diff" in err


# --- without any set-up ---------------------------------------------------------------------------


@pytest.mark.parametrize("remote", [None, "never-pushed", "unreachable"])
def test_without_any_set_up_a_ghost_can_be_cloned_by_its_hash(
    sandbox: Sandbox, remote: str | None
) -> None:
    work, pod = sandbox.repo("work"), sandbox.root / "pod"
    if remote:
        sandbox.repo("never-pushed", bare=True)
        sandbox.git("remote", "add", "origin", sandbox.root / remote, cwd=work)
    (work / "foo").write_bytes(b"a\n")
    sandbox.git("add", "foo", cwd=work)
    sandbox.git("commit", "--quiet", "-m", "First", cwd=work)
    (work / "foo").write_bytes(b"b\n")
    done = sandbox.ghost("push", cwd=work)
    assert (
        f"the ghost names {work} as its source, so it can be pulled on this machine only"
        in done.err
    )
    base, hash = done.ok().split()
    sandbox.git("commit", "--quiet", "--amend", "-m", "Another", cwd=work)
    sandbox.ghost("clone", hash, pod).ok()
    assert (pod / "foo").read_bytes() == b"b\n"
    assert sandbox.text("rev-parse", "HEAD", cwd=pod) == base


# --- odd sources ----------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"garbage\n", b"1" * 40 + b"\n", b""])
def test_a_broken_remote_tracking_ref_ends_no_push(lab: Lab, content: bytes) -> None:
    """Folders that are synchronised between machines get copies such as `HEAD 2`."""
    base = lab.head()
    (lab.laptop / ".git/refs/remotes/origin/HEAD 2").write_bytes(content)
    (lab.laptop / ".git/refs/remotes/origin/copy").write_bytes(content)
    lab.write("foo", b"b\n")
    head = lab.commit("Local")
    lab.write("foo", b"c\n")
    done = lab.ghost("push").ok()
    assert done.splitlines()[0] == f"{base} {head}"
    assert arrives(lab, clone(lab, done.split()[-1]))


@pytest.mark.slow
def test_a_source_that_hands_out_files_and_no_more_is_fetched_with_its_history(lab: Lab) -> None:
    lab.sandbox.git("config", "http.receivepack", "false", cwd=lab.source)
    lab.sandbox.git("update-server-info", cwd=lab.source)
    handler = partial(SimpleHTTPRequestHandler, directory=str(lab.source))
    lab.write("foo", b"b\n")
    hash = printed(lab)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        pod = lab.sandbox.root / "pod"
        env = {"GIT_GHOST_REPO": lab.ghost_url, "GIT_GHOST_SOURCE": url}
        lab.sandbox.ghost("clone", hash, pod, env=env).ok()
        assert arrives(lab, pod)
        lab.commit("Never sent")
        lab.write("foo", b"c\n")
        alone = lab.ghost("push", "diff").ok().split()[-1]
        other = lab.sandbox.root / "other"
        assert "base commit" in lab.sandbox.ghost("clone", alone, other, env=env).fails(4)
        server.shutdown()


def test_a_branch_that_is_in_the_way_of_ghosts_is_named_with_the_way_out(lab: Lab) -> None:
    lab.sandbox.git("push", "--quiet", lab.ghost_url, "main:ghost", cwd=lab.laptop)
    err = lab.ghost("push").fails(7)
    assert "a branch called 'ghost' is in the way" in err
    assert "--ghost-prefix" in err
    assert lab.ghost("push", "--ghost-prefix", "ghosts").ok()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_ghost_repository_of_another_user_is_told_as_what_it_is(lab: Lab) -> None:
    hash = printed(lab)
    for path in (lab.ghost_repo, *lab.ghost_repo.rglob("*")):
        os.chown(path, 54321, 54321)
    for words in (("push",), ("pull", hash), ("list",)):
        err = lab.ghost(*words).fails(7)
        assert f"git does not trust {lab.ghost_repo}, since it belongs to another user" in err
        assert f"git config --global --add safe.directory {lab.ghost_repo}" in err
    lab.sandbox.config("safe.directory", str(lab.ghost_repo))
    assert printed(lab) == hash
