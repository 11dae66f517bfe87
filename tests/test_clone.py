"""clone HASH [DIR]: the exact tree where nothing is yet, and an ordinary repository around it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from git_ghost.errors import GhostError, LocalChanges, NoSuchBase, NoSuchGhost, UsageError
from git_ghost.usecases import Options, clone, push
from tests.support.lab import Lab
from tests.support.sandbox import Sandbox
from tests.support.untouched import litter_in, untouched

pytestmark = pytest.mark.usefixtures("in_sandbox")


def options(lab: Lab, source: str | None = None) -> Options:
    return Options(repo=lab.ghost_url, source=source)


def stored(lab: Lab) -> str:
    lab.commit("Not pushed")
    lab.write("foo", b"b\n")
    lab.write("new", b"new\n")
    return push(Options(directory=str(lab.laptop), repo=lab.ghost_url)).hash


def assert_exact(lab: Lab, pod: Path, hash: str) -> None:
    assert lab.tree_of(pod) == hash
    assert lab.disk_state(pod) == lab.disk_state()
    assert lab.head(at=pod) == lab.head()
    assert not litter_in(pod)
    assert not (pod / ".git/git-ghost/pull.json").exists()
    assert list(Path(lab.sandbox.env["TMPDIR"]).iterdir()) == []


def rewrite(lab: Lab, ref: str, pattern: bytes, replacement: bytes) -> None:
    """Change the text of a ghost's commit."""
    made = lab.sandbox.git("cat-file", "commit", ref, cwd=lab.ghost_repo)
    changed = re.sub(pattern, replacement, made)
    store = ("hash-object", "-t", "commit", "-w", "--stdin")
    commit = lab.sandbox.text(*store, stdin=changed, cwd=lab.ghost_repo)
    lab.sandbox.git("update-ref", ref, commit, cwd=lab.ghost_repo)


def test_a_hash_is_enough(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.sandbox.root / "deep/down/pod"
    cloned = clone(hash, str(pod), options(lab))
    assert cloned.directory == str(pod)
    assert (cloned.pulled.tree, cloned.pulled.head) == (hash, "detached")
    assert_exact(lab, pod, hash)


def test_a_prefix_and_white_space_will_do(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.sandbox.root / "pod"
    clone(f" {hash[:9]}\n", str(pod), options(lab))
    assert_exact(lab, pod, hash)


def test_the_folder_is_named_after_the_source(lab: Lab) -> None:
    hash = stored(lab)
    assert clone(hash, None, options(lab)).directory == str(lab.sandbox.root / "source")
    assert_exact(lab, lab.sandbox.root / "source", hash)


def test_only_the_base_commit_is_fetched_unless_the_full_history_is_wanted(lab: Lab) -> None:
    hash = stored(lab)
    shallow, full = lab.sandbox.root / "shallow", lab.sandbox.root / "full"
    source = f"file://{lab.source_url}"  # a path is copied whole, whatever depth is asked for
    clone(hash, str(shallow), options(lab, source=source))
    clone(hash, str(full), options(lab, source=source), depth=0)
    for pod, count in ((shallow, "2"), (full, "4")):
        assert_exact(lab, pod, hash)
        assert lab.sandbox.text("rev-list", "--count", "HEAD", cwd=pod) == count
        lab.sandbox.git("fsck", "--connectivity-only", cwd=pod)
    assert not (full / ".git/shallow").exists()


@pytest.mark.parametrize("pushed", [False, True])
def test_with_base_and_source_known_both_are_fetched_side_by_side(lab: Lab, pushed: bool) -> None:
    hash = stored(lab)
    if pushed:
        lab.push()
    pod = lab.sandbox.root / "pod"
    clone(hash, str(pod), options(lab, source=lab.source_url), base=lab.head())
    assert_exact(lab, pod, hash)


def test_the_repository_is_an_ordinary_one(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.sandbox.root / "pod"
    clone(hash, str(pod), options(lab))
    git = lab.sandbox.git
    status = lab.sandbox.text("status", "--porcelain", cwd=pod).splitlines()
    assert status == ["M foo", "?? new"]
    assert lab.sandbox.text("remote", "get-url", "origin", cwd=pod) == lab.source_url
    git("log", cwd=pod)
    git("fetch", "-q", "origin", cwd=pod)
    git("checkout", "-q", "-b", "work", cwd=pod)
    lab.commit("From the pod", at=pod)
    git("push", "-q", "origin", "work", cwd=pod)
    assert lab.head("work", at=lab.source) == lab.head(at=pod)


def test_cloned_again_nothing_is_written(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.sandbox.root / "pod"
    clone(hash, str(pod), options(lab))
    with untouched(pod):
        cloned = clone(hash, str(pod), options(lab))
    assert cloned.pulled.changed == 0


def test_cloned_again_over_the_users_edits_is_refused(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.sandbox.root / "pod"
    clone(hash, str(pod), options(lab))
    lab.write("foo", b"mine\n", at=pod)
    with untouched(pod), pytest.raises(LocalChanges, match="foo"):
        clone(hash, str(pod), options(lab))


def test_an_existing_empty_folder_is_filled(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.sandbox.root / "pod"
    pod.mkdir()
    clone(hash, str(pod), options(lab))
    assert_exact(lab, pod, hash)


@pytest.mark.parametrize("content", ["file", "folder", "repository"])
def test_a_folder_with_something_else_in_it_is_refused_untouched(lab: Lab, content: str) -> None:
    hash = stored(lab)
    pod = lab.sandbox.root / "pod"
    if content == "repository":
        lab.fresh_clone("pod")
    else:
        lab.write("inside/file" if content == "folder" else "file", b"mine\n", at=pod)
    before = sorted(pod.rglob("*"))
    with pytest.raises(LocalChanges, match="not an empty folder"):
        clone(hash, str(pod), options(lab))
    assert sorted(pod.rglob("*")) == before


def test_a_file_or_a_link_to_nowhere_is_refused_untouched(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.write("pod", b"mine\n", at=lab.sandbox.root)
    link = lab.symlink("link", "nowhere", at=lab.sandbox.root)
    for path in (pod, link):
        with pytest.raises(LocalChanges, match="not a folder"):
            clone(hash, str(path), options(lab))
    assert pod.read_bytes() == b"mine\n"
    assert link.is_symlink()


def _break(lab: Lab, hash: str, how: str) -> None:
    if how == "no ghost":
        for ref in lab.ghost_refs():
            lab.sandbox.git("update-ref", "-d", ref, cwd=lab.ghost_repo)
    elif how == "no source":
        lab.source.rename(lab.source.with_name("gone.git"))
    else:
        ref = next(ref for ref in lab.ghost_refs() if ref.endswith(hash))
        tree = lab.sandbox.text("mktree", stdin=b"", cwd=lab.ghost_repo)
        message = lab.sandbox.text("log", "-1", "--format=%B", ref, cwd=lab.ghost_repo)
        commit = lab.sandbox.text("commit-tree", tree, "-m", message, cwd=lab.ghost_repo)
        lab.sandbox.git("update-ref", ref, commit, cwd=lab.ghost_repo)


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("how", ["no ghost", "no source", "damaged"])
def test_a_clone_that_fails_takes_away_what_it_made(lab: Lab, how: str, ahead: bool) -> None:
    hash = stored(lab)
    _break(lab, hash, how)
    new, empty = lab.sandbox.root / "new", lab.sandbox.root / "empty"
    empty.mkdir()
    source = lab.source_url if ahead else None
    base = lab.head() if ahead else None
    for pod in (new, empty):
        with pytest.raises(GhostError):
            clone(hash, str(pod), options(lab, source), base=base)
    assert not new.exists()
    assert list(empty.iterdir()) == []
    assert list(Path(lab.sandbox.env["TMPDIR"]).iterdir()) == []


def test_a_ghost_that_does_not_say_where_its_base_is_needs_a_source(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    hash = push(Options(directory=str(lab.laptop), repo=lab.ghost_url)).hash
    rewrite(lab, lab.ghost_refs()[0], rb"\nGhost-Source: .*", b"")
    pod = lab.sandbox.root / "pod"
    with pytest.raises(NoSuchBase, match="does not say where its base is"):
        clone(hash, str(pod), options(lab))
    assert not pod.exists()
    clone(hash, str(pod), options(lab, source=lab.source_url))
    assert_exact(lab, pod, hash)


def test_sha256_is_found_out_from_the_ghost(sandbox: Sandbox) -> None:
    lab = Lab(sandbox, "sha256")
    hash = stored(lab)
    for name, asked in (("one", hash), ("two", hash[:8])):
        clone(asked, str(sandbox.root / name), options(lab))
        assert_exact(lab, sandbox.root / name, hash)


def test_what_surrounds_the_folder_is_left_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside another repository, and with what a hook exports about it."""
    hash = stored(lab)
    monkeypatch.setenv("GIT_DIR", str(lab.laptop / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(lab.laptop / ".git/index"))
    (lab.laptop / ".git/info/exclude").write_text("pod\n", encoding="utf-8")
    pod = lab.laptop / "pod"
    before = (lab.laptop / ".git/index").read_bytes()
    clone(hash, str(pod), options(lab))
    assert (lab.laptop / ".git/index").read_bytes() == before
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert lab.tree_of(pod) == hash


@pytest.mark.parametrize("hash", ["--upload-pack=x", "abc", "-1234567"])
def test_what_cannot_be_a_hash_is_a_usage_error(lab: Lab, hash: str) -> None:
    with pytest.raises(UsageError):
        clone(hash, str(lab.sandbox.root / "pod"), options(lab))
    with pytest.raises(UsageError):
        clone("1" * 40, str(lab.sandbox.root / "pod"), options(lab), base=hash)
    with pytest.raises(UsageError):
        clone("1" * 40, str(lab.sandbox.root / "pod"), options(lab), depth=-1)
    assert not (lab.sandbox.root / "pod").exists()


def test_a_hash_nobody_stored_is_told(lab: Lab) -> None:
    stored(lab)
    with pytest.raises(NoSuchGhost):
        clone("0" * 40, str(lab.sandbox.root / "pod"), options(lab))
    assert lab.ghost("clone", "0" * 40, "pod", at=lab.sandbox.root).fails(3)
    assert not (lab.sandbox.root / "pod").exists()


def test_what_others_put_into_the_folder_meanwhile_stays_when_a_clone_fails(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    hash = stored(lab)
    pod = lab.sandbox.root / "pod"
    pod.mkdir()
    ssh = lab.sandbox.root / "ssh"
    ssh.write_text(f'#!/bin/sh\necho theirs >"{pod}/sidecar.txt"\nexit 1\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH", str(ssh))
    with pytest.raises(GhostError):
        clone(hash, str(pod), options(lab, "ssh://host.invalid/source.git"), base=lab.head())
    assert [path.name for path in pod.iterdir()] == ["sidecar.txt"]


def test_a_clone_of_another_source_is_not_mixed_with_the_first(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.sandbox.root / "pod"
    clone(hash, str(pod), options(lab))
    with untouched(pod), pytest.raises(LocalChanges, match="is a clone of"):
        clone(hash, str(pod), options(lab, str(lab.sandbox.root / "elsewhere.git")))


def test_of_two_bases_of_a_tree_the_one_pushed_last_is_taken(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    first = lab.head()
    hash = lab.ghost("push").ok().split()[-1]
    second = lab.commit("The same, committed")
    lab.ghost("push").ok()
    pod = lab.sandbox.root / "pod"
    said = lab.ghost("clone", hash, str(pod)).err
    assert lab.head(at=pod) == second
    assert f"warning: the same tree was also pushed on {first}; this is the one on {second}" in said
    before = lab.ghost("clone", "--base", first, hash, str(lab.sandbox.root / "old"))
    assert lab.head(at=lab.sandbox.root / "old") == first
    assert "also pushed" not in before.err


def test_a_tree_on_another_base_that_was_pushed_later_counts_more_than_commits(lab: Lab) -> None:
    base = lab.head()
    local = lab.commit("Local")
    hash = lab.ghost("push").ok().split()[-1]
    lab.sandbox.git("reset", "--quiet", "--soft", base, cwd=lab.laptop)
    lab.ghost("push").ok()
    ref = f"refs/heads/ghost/{base}/{hash}"
    rewrite(lab, ref, rb"(\ncommitter .*> )[0-9]+", rb"\g<1>4000000000")
    pod = lab.sandbox.root / "pod"
    assert f"on {local};" in lab.ghost("clone", hash, str(pod)).err
    assert lab.head(at=pod) == base


def test_a_base_that_cannot_be_had_leaves_the_other_one(lab: Lab) -> None:
    base = lab.head()
    lab.write("foo", b"b\n")
    hash = lab.ghost("push").ok().split()[-1]
    local = lab.commit("The same, committed")
    lab.ghost("push").ok()
    lab.ghost("delete", "commits", "--from", base, "--to", local).ok()
    pod = lab.sandbox.root / "pod"
    assert f"also pushed on {local}" in lab.ghost("clone", hash, str(pod)).err
    assert lab.head(at=pod) == base


def test_a_pull_takes_the_tree_on_head_before_the_one_pushed_last(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    base = lab.head()
    hash = lab.ghost("push").ok().split()[-1]
    local = lab.commit("The same, committed")
    lab.ghost("push").ok()
    pod = lab.fresh_clone("pod")
    assert f"also pushed on {local}" in lab.ghost("pull", hash, at=pod).err
    assert lab.head(at=pod) == base
    lab.ghost("pull", local, hash, at=pod).ok()
    assert lab.head(at=pod) == local


def test_folders_that_are_not_ours_are_left_alone(lab: Lab) -> None:
    hash = stored(lab)
    place = Path(lab.sandbox.env["TMPDIR"])
    for name in ("git-ghost-demo", "git-ghost-0123456789ab"):
        (place / name).mkdir()
        (place / name / "precious").write_bytes(b"mine")
    (place / "git-ghost-demo" / "lock").touch()
    os.mkfifo(place / "git-ghost-0123456789ab" / "lock")  # opening it would wait for ever
    clone(hash, str(lab.sandbox.root / "pod"), options(lab))
    assert len(list(place.glob("git-ghost-*/precious"))) == 2


@pytest.mark.parametrize("is_repository", [False, True])
def test_a_folder_with_other_things_is_refused_with_a_hint_that_works(
    lab: Lab, is_repository: bool
) -> None:
    tree = lab.ghost("push").ok().split()[-1]
    junk = lab.fresh_clone("junk") if is_repository else lab.sandbox.root / "junk"
    junk.mkdir(exist_ok=True)
    (junk / "mine").write_text("stays")
    done = lab.ghost("clone", "--force", tree, junk)
    assert "is not an empty folder" in done.fails(5)
    hint = f"git -C {junk} ghost pull HASH" if is_repository else "move away what is in it"
    assert hint in done.err
    assert (junk / "mine").read_text() == "stays"


def test_only_of_a_ghost_repository_it_is_said_how_to_make_one(lab: Lab) -> None:
    tree = lab.ghost("push").ok().split()[-1]
    nowhere, to = str(lab.sandbox.root / "nowhere.git"), lab.sandbox.root / "to"
    done = lab.ghost("clone", tree, to, env={"GIT_GHOST_SOURCE": nowhere})
    assert f"there is no repository at {nowhere}" in done.fails(7)
    assert "new ghost repository" not in done.err
    done = lab.ghost("clone", tree, to, env={"GIT_GHOST_REPO": nowhere})
    assert "new ghost repository" in done.fails(7)
