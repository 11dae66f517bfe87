"""Both ways through one ghost repository: v0.1 there and git ghost here, and the reverse."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest

from git_ghost.errors import VerificationFailed
from git_ghost.usecases import Options, clone, delete, list_ghosts, pull, push, show
from tests.support.lab import Lab
from tests.support.sandbox import Sandbox
from tests.support.v01 import V01, Pair

EMPTY = hashlib.sha1(b"", usedforsecurity=False).hexdigest()
"""v0.1's hash of an empty patch."""


@pytest.fixture
def lab(in_sandbox: Sandbox) -> Lab:
    """Return a lab in whose environment this process is too."""
    return Lab(in_sandbox)


@pytest.fixture
def v01(lab: Lab) -> V01:
    """Return v0.1 with the lab's ghost repository."""
    return V01({**lab.sandbox.env, "GIT_GHOST_REPO": lab.ghost_url})


def at(lab: Lab, path: Path | None = None, **more: Any) -> Options:
    """Return options for a repository, by default the laptop's."""
    return Options(directory=str(path or lab.laptop), repo=lab.ghost_url, **more)


def edit(lab: Lab) -> None:
    """Change tracked files of the laptop in every way that v0.1 can send."""
    lab.write("foo", b"b\r\nmore\n")
    lab.write("data.bin", bytes(range(256)))
    lab.write("run.sh", b"#!/bin/sh\nexec python src/train.py\n", mode=0o644)
    lab.write("with space/ünï", b"no newline")
    lab.symlink("link", "foo")
    (lab.laptop / "README").unlink()
    lab.sandbox.git("add", "--all", cwd=lab.laptop)


def commit_twice(lab: Lab) -> tuple[str, str]:
    """Commit on the laptop what is not on the source remote; return where from and where to."""
    base = lab.head()
    lab.write("foo", b"c\r\n")
    lab.commit("Local\n\nwith a body, and\n---\n three dashes | 1 +\n")
    lab.write("data.bin", bytes(range(256)) * 3)
    lab.write("src/train.py", b"print('longer')\n")
    return base, lab.commit("Local, too")


def same(lab: Lab, pod: Path) -> bool:
    """Whether a clone has the very files of the laptop."""
    return lab.disk_state(pod) == lab.disk_state()


def shown(lab: Lab, hash: str, what: str = "auto") -> bytes:
    """Return what `show` writes."""
    out = io.BytesIO()
    show(hash, at(lab), out=out, what=what)
    return out.getvalue()


# --- made by v0.1, used here ---------------------------------------------------------------------


def test_a_diff_of_v01_can_be_pulled_where_the_base_is(lab: Lab, v01: V01) -> None:
    edit(lab)
    start, hash = v01.push_diff(lab.laptop)
    pod = lab.fresh_clone("pod")
    pulled = pull(hash, at(lab, pod))
    assert same(lab, pod)
    assert (pulled.hash, pulled.base, pulled.verified) == (hash, start, False)
    assert pulled.tree == lab.tree_of()


def test_a_diff_of_v01_brings_its_base_from_the_source(lab: Lab, v01: V01) -> None:
    pod = lab.fresh_clone("pod")
    lab.write("foo", b"later\n")
    lab.commit("Later")
    lab.push()
    edit(lab)
    start, hash = v01.push_diff(lab.laptop)
    assert v01.pull_diff(pod, hash, start).code == 1
    pulled = pull(hash, at(lab, pod), base=start)
    assert same(lab, pod)
    assert pulled.base == start == lab.head(at=pod)


def test_ghosts_of_v01_can_be_cloned_from_a_source_that_is_named(lab: Lab, v01: V01) -> None:
    base, head = commit_twice(lab)
    edit(lab)
    _, (_, hash) = v01.push_all(lab.laptop, base)
    place = lab.sandbox.root / "place"
    cloned = clone(hash, str(place), Options(repo=lab.ghost_url, source=lab.source_url))
    assert same(lab, place)
    assert (cloned.pulled.base, cloned.pulled.verified) == (head, False)
    lab.sandbox.git("fsck", "--strict", cwd=place)


def test_included_files_of_v01_come_with_it(lab: Lab, v01: V01) -> None:
    lab.write(".gitignore", b"*.log\n")
    lab.commit("Ignore")
    lab.push()
    lab.write("foo", b"b\n")
    lab.write("kept.log", b"\0binary\n")
    lab.write("dir/new", b"x\r\n", mode=0o755)
    _, hash = v01.push_diff(lab.laptop, include=["kept.log", "dir/new"])
    pod = lab.fresh_clone("pod")
    pull(hash, at(lab, pod))
    assert same(lab, pod)


def test_commits_of_v01_keep_their_ids_where_the_author_committed(lab: Lab, v01: V01) -> None:
    base, head = commit_twice(lab)
    assert v01.push_commits(lab.laptop, base) == (base, head)
    pod = lab.fresh_clone("pod")
    # v0.1 itself looks TO up before it fetches anything.
    assert "does not exist" in v01.pull_commits(pod, head, base).fails(1)
    pulled = pull(head, at(lab, pod), what="commits", commits_from=base)
    assert same(lab, pod)
    assert (pulled.base, lab.head(at=pod), pulled.notices) == (head, head, ())


def test_commits_of_v01_that_were_amended_are_made_again(lab: Lab, v01: V01) -> None:
    lab.sandbox.env["GIT_COMMITTER_DATE"] = "1800000000 +0000"
    base, head = commit_twice(lab)
    v01.push_commits(lab.laptop, base)
    pods = [lab.fresh_clone(name) for name in ("one", "two")]
    for pod in pods:
        pulled = pull(head, at(lab, pod), what="commits")
        assert same(lab, pod)
        assert pulled.base == lab.head(at=pod) != head
        assert not pulled.verified
        assert head in pulled.notices[0].text
        assert pulled.base in pulled.notices[0].text
    assert lab.head(at=pods[0]) == lab.head(at=pods[1])
    edit(lab)
    _, hash = v01.push_diff(lab.laptop)
    results = [pull(hash, at(lab, pods[0])) for _ in range(2)]
    assert same(lab, pods[0])
    assert {result.base for result in results} == {lab.head(at=pods[1])}
    assert results[1].changed == 0


@pytest.mark.parametrize("form", ["all", "hash alone"])
def test_commits_and_a_diff_of_v01_can_be_pulled_together(lab: Lab, v01: V01, form: str) -> None:
    base, head = commit_twice(lab)
    edit(lab)
    commits, diff = v01.push_all(lab.laptop, base)
    assert (commits, diff[0]) == ((base, head), head)
    pod = lab.fresh_clone("pod")
    if form == "all":
        pull(diff[1], at(lab, pod), what="all", base=head, commits_from=base)
    else:
        pull(diff[1], at(lab, pod))
    assert same(lab, pod)
    assert lab.head(at=pod) == head


def test_commits_of_v01_that_are_here_are_taken_from_here(lab: Lab, v01: V01) -> None:
    base, head = commit_twice(lab)
    v01.push_commits(lab.laptop, base)
    pulled = pull(head, at(lab), what="commits", commits_from=base)
    assert (pulled.base, pulled.changed, pulled.verified) == (head, 0, True)


def test_a_message_of_v01_that_holds_a_patch_is_not_applied(lab: Lab, v01: V01) -> None:
    base = lab.head()
    lab.write("foo", b"trap\n")
    patch = lab.sandbox.git("diff", "--stat", "-p", cwd=lab.laptop).decode()
    lab.write("foo", b"b\n")
    head = lab.commit(f"Change\n\nunlike\n---\n{patch}")
    lab.commit(f"Change nothing\n\n---\n{patch}")
    v01.push_commits(lab.laptop, base)
    pod = lab.fresh_clone("pod")
    assert lab.ghost("pull", "commits", base, lab.head(), at=pod).ok() == ""
    assert same(lab, pod)
    assert lab.head("HEAD~", at=pod) == head


def test_an_empty_diff_and_an_empty_range_of_v01_can_be_pulled(lab: Lab, v01: V01) -> None:
    head = lab.head()
    assert v01.push_all(lab.laptop, "HEAD") == ((head, head), (head, EMPTY))
    pod = lab.fresh_clone("pod")
    assert pull(EMPTY, at(lab, pod)).changed == 0
    assert pull(head, at(lab, pod), what="commits", commits_from=head).base == head
    pull(EMPTY, at(lab, pod), what="all", base=head, commits_from=head)
    assert same(lab, pod)
    assert shown(lab, EMPTY) == shown(lab, head, "commits") == b""


def test_a_patch_of_v01_whose_sha1_is_not_its_name_is_refused(lab: Lab, v01: V01) -> None:
    edit(lab)
    start, hash = v01.push_diff(lab.laptop)
    other = "0" * 39 + "1"
    refs = [f"refs/heads/ghost/{start}/{name}" for name in (hash, other)]
    lab.sandbox.git("update-ref", refs[1], refs[0], cwd=lab.ghost_repo)
    pod = lab.fresh_clone("pod")
    before = lab.disk_state(pod)
    assert f"{other} was asked for" in lab.ghost("pull", other, at=pod).fails(6)
    assert lab.disk_state(pod) == before


def test_commits_of_v01_under_another_name_are_refused(lab: Lab, v01: V01) -> None:
    base, head = commit_twice(lab)
    v01.push_commits(lab.laptop, base)
    other = "0" * 39 + "1"
    refs = [f"refs/heads/ghost/{base}-{name}" for name in (head, other)]
    lab.sandbox.git("update-ref", refs[1], refs[0], cwd=lab.ghost_repo)
    pod = lab.fresh_clone("pod")
    with pytest.raises(VerificationFailed, match=f"they lead to {head}, and not to {other}"):
        pull(other, at(lab, pod), what="commits", commits_from=base)


def both_kinds(lab: Lab, v01: V01) -> tuple[Pair, Pair, Pair]:
    """Push commits and a diff with v0.1, and a diff from here; return their ends."""
    base, _ = commit_twice(lab)
    edit(lab)
    commits, diff = v01.push_all(lab.laptop, base)
    pushed = push(at(lab), what="diff").ghosts[0].ghost
    return commits, diff, (pushed.base, pushed.to)


LISTS = (
    ("list",),
    ("list", "diff", "--no-headers"),
    ("list", "all"),
    ("list", "all", "--from", "HEAD"),
    ("list", "all", "--to", "[0-7]*", "-o", "only-to"),
    ("list", "commits", "--from", "*", "--to", "HEAD", "-o", "only-from", "--no-headers"),
    ("list", "--ghost-prefix", "other"),
    ("delete", "--dry-run"),
    ("delete", "all", "--dry-run", "--from", "HEAD"),
)


def test_lists_are_those_of_v01_to_the_byte(lab: Lab, v01: V01, subtests: pytest.Subtests) -> None:
    both_kinds(lab, v01)
    for args in LISTS:
        with subtests.test(" ".join(args)):
            theirs, ours = v01.run(*args, cwd=lab.laptop), lab.ghost(*args)
            assert ours.ok() == theirs.ok()
            assert ours.out == theirs.out


def test_show_gives_the_bytes_of_v01(lab: Lab, v01: V01, subtests: pytest.Subtests) -> None:
    (base, head), (_, old), (_, new) = both_kinds(lab, v01)
    for args in (
        ("show", old),
        ("show", "diff", head, new),
        ("show", "commits", base, head),
        ("show", "all", base, head, old),
    ):
        with subtests.test(" ".join(args)):
            theirs = v01.run(*args, cwd=lab.laptop)
            theirs.ok()
            assert lab.ghost(*args).out == theirs.out


def test_ghosts_of_v01_can_be_listed_and_deleted(lab: Lab, v01: V01) -> None:
    commits, old, new = both_kinds(lab, v01)
    found = list_ghosts(at(lab), what="all")
    assert [(g.ghost.base, g.ghost.to) for g in found] == [commits, *sorted([old, new])]
    gone = delete(at(lab), what="diff", hashes=[old[1][:9]])
    assert [(g.ghost.base, g.ghost.to) for g in gone] == [old]
    assert v01.list(lab.laptop) == [commits, new]
    out = lab.ghost("delete", "all", "--all").out
    assert out.decode().split("\n")[:4] == [
        "Deleted Local Base Branches:",
        "",
        "Remote Base                              Local Base                              ",
        " ".join(commits),
    ]
    assert lab.ghost_refs() == []
    assert v01.list(lab.laptop) == []


def test_a_prefix_of_a_hash_of_v01_is_enough(lab: Lab, v01: V01) -> None:
    edit(lab)
    _, hash = v01.push_diff(lab.laptop)
    pod = lab.fresh_clone("pod")
    assert pull(hash[:7], at(lab, pod)).hash == hash
    assert same(lab, pod)


@pytest.fixture
def sha256(in_sandbox: Sandbox) -> tuple[Lab, Pair]:
    """Return a lab whose commits have 64 digits, and a diff of v0.1, whose hash has 40."""
    lab = Lab(in_sandbox, "sha256")
    v01 = V01({**in_sandbox.env, "GIT_GHOST_REPO": lab.ghost_url})
    base, _ = commit_twice(lab)
    push(at(lab), what="diff")  # a clone of an empty repository would be a SHA-1 one
    edit(lab)
    _, diff = v01.push_all(lab.laptop, base)
    assert [len(end) for end in diff] == [64, 40]
    return lab, diff


@pytest.mark.slow
def test_a_diff_of_v01_in_a_sha256_repository_can_be_pulled(sha256: tuple[Lab, Pair]) -> None:
    lab, (head, hash) = sha256
    pod = lab.fresh_clone("pod")
    pull(hash, at(lab, pod))
    assert same(lab, pod)
    assert lab.head(at=pod) == head


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["show", "clone"])
def test_a_diff_of_v01_in_a_sha256_repository_can_be_shown_and_cloned(
    sha256: tuple[Lab, Pair], verb: str
) -> None:
    lab, (_, hash) = sha256
    if verb == "show":
        assert hashlib.sha1(shown(lab, hash), usedforsecurity=False).hexdigest() == hash
        return
    place = lab.sandbox.root / "place"
    clone(hash, str(place), Options(repo=lab.ghost_url, source=lab.source_url))
    assert same(lab, place)


# --- made here, used by v0.1 ---------------------------------------------------------------------


def test_a_diff_from_here_can_be_pulled_by_v01(lab: Lab, v01: V01) -> None:
    edit(lab)
    lab.write("untracked", b"new\n")
    pushed = push(at(lab))
    pod = lab.fresh_clone("pod")
    v01.pull_diff(pod, pushed.hash).ok()
    assert same(lab, pod)
    assert lab.tree_of(pod) == pushed.hash


def test_commits_and_a_diff_from_here_can_be_pulled_by_v01(lab: Lab, v01: V01) -> None:
    base = lab.head()
    lab.write("foo", b"c\n")
    lab.commit("Local")
    lab.write("data.bin", bytes(range(256)))
    head = lab.commit("Local, too")
    edit(lab)
    pushed = push(at(lab))
    assert pushed.lines == (f"{base} {head}", f"{head} {pushed.hash}")
    pod = lab.fresh_clone("pod")
    # v0.1 wants the commits to be here already, and makes them again all the same.
    lab.sandbox.git("fetch", "--quiet", str(lab.laptop), "HEAD", cwd=pod)
    v01.pull_all(pod, head, pushed.hash, base).ok()
    assert same(lab, pod)
    assert lab.head("HEAD^{tree}", at=pod) == lab.head("HEAD^{tree}")


def test_what_v01_pulls_from_here_does_not_depend_on_the_senders_settings(
    lab: Lab, v01: V01
) -> None:
    for key in ("diff.noprefix", "diff.mnemonicPrefix"):
        lab.sandbox.git("config", key, "true", cwd=lab.laptop)
    lab.sandbox.git("config", "color.ui", "always", cwd=lab.laptop)
    edit(lab)
    pod = lab.fresh_clone("pod")
    _, theirs = v01.push_diff(lab.laptop)
    assert v01.pull_diff(pod, theirs).code == 1
    v01.pull_diff(pod, push(at(lab)).hash).ok()
    assert same(lab, pod)


def test_an_empty_diff_from_here_can_be_pulled_by_v01(lab: Lab, v01: V01) -> None:
    pushed = push(at(lab), what="diff")
    pod = lab.fresh_clone("pod")
    v01.pull_diff(pod, pushed.hash).ok()
    assert v01.show(pod, pushed.hash) == b""
    assert same(lab, pod)


def test_ghosts_from_here_can_be_listed_shown_and_deleted_by_v01(lab: Lab, v01: V01) -> None:
    base, head = commit_twice(lab)
    edit(lab)
    pushed = push(at(lab))
    assert v01.list(lab.laptop) == [(base, head), (head, pushed.hash)]
    assert v01.list(lab.laptop, "commits") == [(base, head)]
    assert v01.show(lab.laptop, pushed.hash) == shown(lab, pushed.hash)
    assert v01.show(lab.laptop, "commits", base, head) == shown(lab, head, "commits")
    out = v01.delete(lab.laptop, "diff", "--from", head, "--to", pushed.hash)
    assert out.splitlines()[-1] == f"{head} {pushed.hash}"
    assert v01.list(lab.laptop) == [(base, head)]
    v01.delete(lab.laptop)
    assert lab.ghost_refs() == []


def test_pushing_the_same_with_both_makes_two_diffs_and_one_commits_ghost(
    lab: Lab, v01: V01
) -> None:
    commits, old, new = both_kinds(lab, v01)
    assert old != new
    before = lab.ghost_refs()
    assert push(at(lab), what="all", base=commits[0]).lines[0] == " ".join(commits)
    assert v01.push_all(lab.laptop, commits[0]) == (commits, old)
    assert lab.ghost_refs() == before


def test_a_push_from_here_can_be_pulled_whatever_v01_pushed_before(lab: Lab, v01: V01) -> None:
    base = lab.head()
    lab.write("foo", b"c\n")
    head = lab.commit("Local")
    lab.sandbox.git("config", "diff.noprefix", "true", cwd=lab.laptop)
    assert v01.push_commits(lab.laptop, base) == (base, head)
    pushed = push(at(lab))
    pod = lab.fresh_clone("pod")
    assert pull(pushed.hash, at(lab, pod)).base == head


# --- prefixes ------------------------------------------------------------------------------------


def test_ghosts_under_another_prefix_are_not_seen_on_either_side(lab: Lab, v01: V01) -> None:
    edit(lab)
    other = V01({**v01.env, "GIT_GHOST_PREFIX": "exp1"})
    pair = other.push_diff(lab.laptop)
    assert (v01.list(lab.laptop), other.list(lab.laptop)) == ([], [pair])
    assert list_ghosts(at(lab)) == []
    assert lab.ghost("pull", pair[1]).fails(3)
    pod = lab.fresh_clone("pod")
    lab.ghost("pull", pair[1], at=pod, env={"GIT_GHOST_PREFIX": "exp1"}).ok()
    assert same(lab, pod)
    mine = push(at(lab, prefix="exp1"), what="diff")
    assert other.list(lab.laptop) == sorted([pair, (pair[0], mine.hash)])


@pytest.mark.parametrize("prefix", ["Team-x", "team/x"])
def test_prefixes_that_v01_does_not_know_are_not_listed_by_it(
    lab: Lab, v01: V01, prefix: str
) -> None:
    edit(lab)
    pushed = push(at(lab, prefix=prefix), what="diff")
    assert len(list_ghosts(at(lab, prefix=prefix))) == 1
    assert V01({**v01.env, "GIT_GHOST_PREFIX": prefix}).list(lab.laptop) == []
    assert pushed.lines[0].split() == [lab.head(), lab.tree_of()]


# --- command lines written for v0.1 --------------------------------------------------------------


def test_scripts_that_cut_the_output_of_push_get_what_they_look_for(lab: Lab, v01: V01) -> None:
    base, head = commit_twice(lab)
    edit(lab)
    for args in (("push",), ("push", "diff", "HEAD"), ("push", "all", base)):
        ours, theirs = lab.ghost(*args).out, v01.run(*args, cwd=lab.laptop).out
        assert ours.endswith(b"\n")
        assert ours.splitlines()[-1].split(b" ") == [head.encode(), lab.tree_of().encode()]
        assert theirs.splitlines()[-1].split(b" ")[0] == head.encode()
    assert lab.ghost("push", "commits", base).ok() == f"{base} {head}"
    assert v01.run("push", "commits", base, cwd=lab.laptop).ok() == f"{base} {head}"


def test_hashes_with_white_space_around_them_are_taken(lab: Lab, v01: V01) -> None:
    """A shell that reads a file, or cuts a line, may leave some."""
    base, head = commit_twice(lab)
    edit(lab)
    _, (_, hash) = v01.push_all(lab.laptop, base)
    for n, args in enumerate(
        (
            ("pull", f"{hash}\n"),
            ("pull", "all", f" {base}", f"{head}\t", f" {hash}\r\n"),
            ("pull", "diff", f"{head}\n", f" {hash}"),
        )
    ):
        pod = lab.fresh_clone(f"pod{n}")
        assert lab.ghost(*args, at=pod).ok() == ""
        assert same(lab, pod)


def test_global_flags_are_taken_everywhere_by_both(lab: Lab, v01: V01) -> None:
    edit(lab)
    flags = ("--ghost-prefix", "exp1", f"--src-dir={lab.laptop}")
    away = {"GIT_GHOST_REPO": "/nowhere"}
    old = V01({**v01.env, **away})
    repo = f"--ghost-repo={lab.ghost_url}"
    for args in (
        (*flags, repo, "push", "diff", "HEAD"),
        ("push", *flags, "diff", repo, "HEAD"),
        ("-v", "push", "-v", "diff", "-v", *flags, repo),
    ):
        theirs = old.run(*args, cwd=lab.sandbox.root).ok()
        ours = lab.ghost(*args, at=lab.sandbox.root, env=away).ok()
        assert ours.split() == [theirs.split()[0], lab.tree_of()]
    assert len(lab.ghost_refs()) == 2
    assert all(ref.startswith("refs/heads/exp1/") for ref in lab.ghost_refs())


def test_included_files_are_named_as_for_v01(lab: Lab, v01: V01) -> None:
    lab.write(".gitignore", b"*.log\n")
    lab.commit("Ignore")
    lab.push()
    for name in ("a.log", "b.log", "c.log"):
        lab.write(name, name.encode())
    lab.symlink("d.log", "c.log")
    args = ("push", "-I", "a.log", "diff", "--include=b.log", "--follow-symlinks", "-Id.log")
    ghosts = [lab.ghost(*args).ok(), v01.run(*args, cwd=lab.laptop).ok()]
    for n, line in enumerate(ghosts):
        pod = lab.fresh_clone(f"pod{n}")
        pull(line.split()[1], at(lab, pod))
        assert same(lab, pod)


def test_a_delete_that_does_not_say_what_is_refused_by_both(lab: Lab, v01: V01) -> None:
    edit(lab)
    start, _ = v01.push_diff(lab.laptop)
    for args in (("delete",), ("delete", "all"), ("delete", "diff", "--from", start)):
        assert "all must be set" in v01.run(*args, cwd=lab.laptop).fails(1)
        assert "all must be set" in lab.ghost(*args).fails(2).lower()
    assert len(lab.ghost_refs()) == 1
