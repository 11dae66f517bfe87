"""pull HASH needs nothing else: finding the ghost, fetching what is missing, moving HEAD."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_ghost.errors import LocalChanges, NoSuchBase, NoSuchGhost, UsageError
from git_ghost.usecases import Options, Pulled, diff, pull, push, show
from tests.support.lab import Lab
from tests.support.sandbox import Sandbox
from tests.support.untouched import git_dir_of, litter_in, state_of, untouched

pytestmark = pytest.mark.usefixtures("in_sandbox")


def at(lab: Lab, path: Path | None = None, source: str | None = None) -> Options:
    return Options(directory=str(path or lab.laptop), repo=lab.ghost_url, source=source)


def edited(lab: Lab) -> str:
    """Edit, add, delete and change modes on the laptop; push; the hash."""
    lab.write("foo", b"b\n")
    lab.write("data/new.bin", bytes(range(256)))
    lab.write("run.sh", b"#!/bin/sh\nexec python src/train.py\n", mode=0o644)
    (lab.laptop / "README").unlink()
    lab.symlink("link", "foo")
    return push(at(lab)).hash


def assert_exact(lab: Lab, pod: Path, pulled: Pulled, hash: str) -> None:
    assert pulled.tree == hash
    assert lab.tree_of(pod) == hash
    assert lab.disk_state(pod) == lab.disk_state()
    assert not litter_in(pod)


def test_a_working_tree_comes_back_by_its_hash_alone(lab: Lab) -> None:
    hash = edited(lab)
    pod = lab.fresh_clone("pod")
    pulled = pull(hash, at(lab, pod))
    assert_exact(lab, pod, pulled, hash)
    assert (pulled.head, pulled.branch, pulled.verified) == ("", "main", True)
    assert pulled.changed == 5


def test_white_space_around_the_hash_and_capitals_do_not_matter(lab: Lab) -> None:
    hash = edited(lab)
    pod = lab.fresh_clone("pod")
    assert_exact(lab, pod, pull(f" \t{hash.upper()}\n", at(lab, pod)), hash)


def test_seven_digits_are_enough(lab: Lab) -> None:
    hash = edited(lab)
    pod = lab.fresh_clone("pod")
    assert_exact(lab, pod, pull(hash[:7], at(lab, pod)), hash)


@pytest.mark.parametrize("hash", ["123456", "xyzxyzxyz", "", "--force", "-1234567", "HEAD~1"])
def test_what_cannot_be_a_hash_is_a_usage_error(lab: Lab, hash: str) -> None:
    with untouched(lab.laptop), pytest.raises(UsageError):
        pull(hash, at(lab))


def test_an_ambiguous_prefix_is_refused_with_the_candidates(lab: Lab) -> None:
    hash = edited(lab)
    other = hash[:-1] + ("0" if hash[-1] != "0" else "1")
    refs = {ref.rsplit("/", 1)[1]: ref for ref in lab.ghost_refs()}
    name = refs[hash].removesuffix(hash) + other
    lab.sandbox.git("update-ref", name, refs[hash], cwd=lab.ghost_repo)
    with untouched(lab.laptop), pytest.raises(NoSuchGhost) as caught:
        pull(hash[:9], at(lab))
    assert hash in str(caught.value)
    assert other in str(caught.value)
    assert lab.ghost("pull", hash[:9]).fails(3)


def test_a_hash_that_no_ghost_has_is_told(lab: Lab) -> None:
    edited(lab)
    for hash in ("0" * 40, "0000000"):
        with untouched(lab.laptop), pytest.raises(NoSuchGhost):
            pull(hash, at(lab))


def test_commits_that_the_remote_lacks_come_with_their_ids_and_the_branch_moves(lab: Lab) -> None:
    lab.write("foo", b"committed\n")
    first = lab.commit("One")
    second = lab.commit("Nothing at all")
    hash = edited(lab)
    pod = lab.fresh_clone("pod")
    pulled = pull(hash, at(lab, pod))
    assert_exact(lab, pod, pulled, hash)
    assert (pulled.head, pulled.base) == ("branch", second)
    assert lab.head("main", at=pod) == second
    assert lab.head("main~1", at=pod) == first
    lab.sandbox.git("fsck", "--strict", "--connectivity-only", cwd=pod)


def test_a_commit_id_names_the_commits_ghost(lab: Lab) -> None:
    lab.write("foo", b"committed\n")
    tip = lab.commit("One")
    lab.write("foo", b"not committed\n")
    push(at(lab))
    pod = lab.fresh_clone("pod")
    pulled = pull(tip, at(lab, pod))
    assert (pulled.base, pulled.head, pulled.verified) == (tip, "branch", True)
    assert lab.sandbox.text("status", "--porcelain", cwd=pod) == ""
    assert (pod / "foo").read_bytes() == b"committed\n"


def test_a_branch_that_is_elsewhere_stays_and_head_is_detached(lab: Lab) -> None:
    hash = edited(lab)
    pod = lab.fresh_clone("pod")
    lab.write("other", b"x", at=pod)
    mine = lab.commit("Mine", at=pod)
    pulled = pull(hash, at(lab, pod))
    assert_exact(lab, pod, pulled, hash)
    assert pulled.head == "detached"
    assert lab.head("main", at=pod) == mine
    assert lab.sandbox.run("git", "symbolic-ref", "-q", "HEAD", cwd=pod).code == 1
    assert lab.head(at=pod) == lab.head()


def test_a_branch_is_moved_only_along_its_own_history(lab: Lab) -> None:
    """A ghost that lies about where it starts must not take a branch's commits away."""
    pod = lab.fresh_clone("pod")
    lab.write("other", b"x", at=pod)
    mine = lab.commit("Mine", at=pod)
    edited(lab)
    ref = lab.ghost_refs()[0]
    message = lab.sandbox.text("log", "-1", "--format=%B", ref, cwd=lab.ghost_repo)
    assert "Ghost-Remote-Base: " in message
    lie = message.replace(f"Remote-Base: {lab.head()}", f"Remote-Base: {mine}")
    tree = lab.head(f"{ref}^{{tree}}", at=lab.ghost_repo)
    forged = lab.sandbox.text("commit-tree", tree, "-m", lie, cwd=lab.ghost_repo)
    lab.sandbox.git("update-ref", ref, forged, cwd=lab.ghost_repo)
    pulled = pull(ref.rsplit("/", 1)[1], at(lab, pod))
    assert pulled.head == "detached"
    assert lab.head("main", at=pod) == mine


def test_a_repository_without_any_commit_gets_everything(lab: Lab) -> None:
    lab.commit("Not pushed")
    hash = edited(lab)
    pod = lab.sandbox.repo("pod")
    pulled = pull(hash, at(lab, pod))
    assert_exact(lab, pod, pulled, hash)
    assert pulled.head == "detached"


def test_the_base_comes_from_the_remote_else_from_the_named_source_else_from_the_ghost(
    lab: Lab,
) -> None:
    pod = lab.fresh_clone("pod")
    elsewhere = lab.sandbox.repo("elsewhere")
    nowhere = lab.sandbox.repo("nowhere")
    lab.commit("Newer")
    lab.push()
    hash = edited(lab)
    assert_exact(lab, pod, pull(hash, at(lab, pod)), hash)
    assert_exact(lab, elsewhere, pull(hash, at(lab, elsewhere)), hash)
    lab.source.rename(lab.source.with_name("moved.git"))
    with pytest.raises(Exception, match="there is no repository at"):
        pull(hash, at(lab, nowhere))
    assert not litter_in(nowhere)
    moved = str(lab.source.with_name("moved.git"))
    assert_exact(lab, nowhere, pull(hash, at(lab, nowhere, source=moved)), hash)


def test_a_base_that_is_nowhere_is_a_sentence_and_nothing_is_touched(lab: Lab) -> None:
    lab.commit("Only here")
    lab.write("foo", b"b\n")
    hash = push(at(lab), what="diff").hash
    pod = lab.fresh_clone("pod")
    with untouched(pod), pytest.raises(NoSuchBase, match=lab.head()):
        pull(hash, at(lab, pod))


def test_commits_that_reached_the_source_meanwhile_need_no_ghost_any_more(lab: Lab) -> None:
    pod = lab.fresh_clone("pod")
    lab.commit("Later pushed")
    hash = edited(lab)
    for ref in lab.ghost_refs():
        if not ref.endswith(hash):
            lab.sandbox.git("update-ref", "-d", ref, cwd=lab.ghost_repo)
    lab.push()
    assert_exact(lab, pod, pull(hash, at(lab, pod)), hash)


def test_of_several_ghosts_with_the_same_tree_the_one_on_head_is_taken(lab: Lab) -> None:
    old = lab.head("HEAD~1")
    hash = edited(lab)
    push(at(lab), what="diff", base=old)
    assert len(lab.ghost_refs()) == 2
    pod = lab.fresh_clone("pod")
    pulled = pull(hash, at(lab, pod))
    assert (pulled.head, pulled.base) == ("", lab.head())
    pulled = pull(hash, at(lab, pod), base=old)
    assert (pulled.head, pulled.base) == ("detached", old)
    assert_exact(lab, pod, pulled, hash)


def test_a_subfolder_is_as_good_as_the_top(lab: Lab) -> None:
    hash = edited(lab)
    pod = lab.fresh_clone("pod")
    assert_exact(lab, pod, pull(hash, at(lab, pod / "src")), hash)


def test_a_linked_worktree_is_brought_there_alone(lab: Lab) -> None:
    lab.commit("Not pushed")
    hash = edited(lab)
    pod = lab.fresh_clone("pod")
    linked = lab.sandbox.root / "linked"
    lab.sandbox.git("worktree", "add", "-q", "-b", "other", linked, cwd=pod)
    main_index = (pod / ".git/index").read_bytes()
    pulled = pull(hash, at(lab, linked))
    assert_exact(lab, linked, pulled, hash)
    assert (pulled.head, pulled.branch) == ("branch", "other")
    assert (pod / ".git/index").read_bytes() == main_index
    assert lab.sandbox.text("status", "--porcelain", cwd=pod) == ""
    assert lab.head("main", at=pod) == lab.head("HEAD~1")


def test_a_shallow_clone_stays_shallow(lab: Lab) -> None:
    pod = lab.fresh_clone("pod", "--depth=1", "--no-local")
    lab.write("more", b"pushed later\n")
    lab.commit("Pushed later")
    lab.push()
    lab.commit("Not pushed")
    hash = edited(lab)
    assert_exact(lab, pod, pull(hash, at(lab, pod)), hash)
    assert lab.sandbox.text("rev-parse", "--is-shallow-repository", cwd=pod) == "true"
    lab.sandbox.git("log", cwd=pod)
    lab.sandbox.git("fsck", "--connectivity-only", cwd=pod)


def test_sha256_repositories_are_no_different(sandbox: Sandbox) -> None:
    lab = Lab(sandbox, "sha256")
    lab.commit("Not pushed")
    hash = edited(lab)
    assert len(hash) == 64
    pod = lab.fresh_clone("pod")
    assert_exact(lab, pod, pull(hash[:12], at(lab, pod)), hash)


def test_a_sparse_checkout_holds_the_tree_in_its_index(lab: Lab) -> None:
    hash = edited(lab)
    pod = lab.fresh_clone("pod", "--sparse")
    lab.sandbox.git("sparse-checkout", "set", "data", cwd=pod)
    pulled = pull(hash, at(lab, pod))
    assert pulled.tree == lab.tree_of(pod) == hash
    assert not (pod / "src").exists()
    assert pull(hash, at(lab, pod)).changed == 0


def test_the_ghosts_changes_show_as_the_users_own_would(lab: Lab) -> None:
    hash = edited(lab)
    pod = lab.fresh_clone("pod")
    pull(hash, at(lab, pod))
    status = lab.sandbox.text("status", "--porcelain", cwd=pod).splitlines()
    assert status == ["D README", " M foo", " M run.sh", "?? data/", "?? link"]
    assert lab.sandbox.git("diff", "--cached", cwd=pod) == b""
    assert b"+b\n" in lab.sandbox.git("diff", cwd=pod)


def test_diff_head_is_then_what_show_prints(lab: Lab, tmp_path: Path) -> None:
    hash = edited(lab)
    pod = lab.fresh_clone("pod")
    assert diff("HEAD", None, at(lab, pod)) == b""
    pull(hash, at(lab, pod))
    shown = tmp_path / "shown"
    with shown.open("wb") as out:
        show(hash, at(lab, pod), out=out)
    assert diff("HEAD", None, at(lab, pod)) == shown.read_bytes() != b""


def test_pulled_again_nothing_is_written(lab: Lab) -> None:
    lab.commit("Not pushed")
    hash = edited(lab)
    pod = lab.fresh_clone("pod")
    pull(hash, at(lab, pod))
    with untouched(pod):
        pulled = pull(hash, at(lab, pod))
    assert (pulled.changed, pulled.head) == (0, "")


def test_pulled_where_it_was_pushed_nothing_is_written(lab: Lab) -> None:
    hash = edited(lab)
    with untouched(lab.laptop):
        assert pull(hash, at(lab)).changed == 0


def test_an_empty_diff_is_a_ghost_like_any_other(lab: Lab) -> None:
    hash = push(at(lab)).hash
    pod = lab.fresh_clone("pod")
    with untouched(pod):
        assert pull(hash, at(lab, pod)).tree == hash == lab.head("HEAD^{tree}")


def test_untracked_files_that_are_not_part_of_it_are_told(lab: Lab) -> None:
    hash = edited(lab)
    pod = lab.fresh_clone("pod")
    lab.write("notes/todo", b"mine\n", at=pod)
    (pod / ".git/info/exclude").write_text("*.log\n", encoding="utf-8")
    lab.write("run.log", b"ignored\n", at=pod)
    with untouched(pod), pytest.raises(LocalChanges, match="notes/todo"):
        pull(hash, at(lab, pod), exact=True)
    assert pull(hash, at(lab, pod)).untracked == ("notes/todo",)
    assert (pod / "notes/todo").read_bytes() == b"mine\n"
    with untouched(pod), pytest.raises(LocalChanges, match="notes/todo"):
        pull(hash, at(lab, pod), exact=True)
    (pod / "notes/todo").unlink()
    assert pull(hash, at(lab, pod), exact=True).untracked == ()


def test_another_ghost_over_a_pulled_one_takes_its_files_away(lab: Lab) -> None:
    first = edited(lab)
    lab.sandbox.git("clean", "-fdq", cwd=lab.laptop)
    lab.sandbox.git("reset", "--hard", "-q", cwd=lab.laptop)
    lab.write("foo", b"c\n")
    second = push(at(lab)).hash
    pod = lab.fresh_clone("pod")
    pull(first, at(lab, pod))
    pulled = pull(second, at(lab, pod), exact=True)
    assert_exact(lab, pod, pulled, second)
    assert (pulled.backup, pulled.untracked) == ("", ())
    assert pull(first, at(lab, pod), exact=True).tree == lab.tree_of(pod) == first


@pytest.mark.parametrize("path", ["foo", "data/new.bin"])
def test_what_the_user_did_after_a_pull_is_named_and_nothing_else(lab: Lab, path: str) -> None:
    first = edited(lab)
    lab.write("foo", b"c\n")
    lab.write("data/new.bin", b"other\n")
    second = push(at(lab)).hash
    pod = lab.fresh_clone("pod")
    pull(first, at(lab, pod))
    lab.write(path, b"edited in the pod\n", at=pod)
    with untouched(pod), pytest.raises(LocalChanges) as caught:
        pull(second, at(lab, pod))
    assert caught.value.message.splitlines()[1:] == [f"  {path}"]
    with untouched(pod), pytest.raises(LocalChanges):
        pull(first, at(lab, pod))


def test_files_of_a_ghost_that_were_committed_since_are_not_in_the_way(lab: Lab) -> None:
    first = edited(lab)
    pod = lab.fresh_clone("pod")
    pull(first, at(lab, pod))
    lab.write("data/new.bin", b"edited in the pod\n", at=pod)
    kept = lab.commit("Keep it", at=pod)
    pulled = pull(first, at(lab, pod))
    assert_exact(lab, pod, pulled, first)
    assert lab.head("main", at=pod) == kept
    assert pulled.head == "detached"


def test_files_that_git_ignores_go_along_when_the_pulled_tree_is_pushed_again(lab: Lab) -> None:
    lab.write(".gitignore", b"*.bin\nout/\n")
    lab.write("out/model.bin", b"weights")
    pushed = push(at(lab), include=["out"])
    pod = lab.fresh_clone("pod")
    pull(pushed.hash, at(lab, pod))
    assert push(at(lab, pod)).hash == pushed.hash
    assert pull(pushed.hash, at(lab, pod)).changed == 0
    lab.write("foo", b"b\n")
    other = push(at(lab), include=["out"]).hash
    pull(other, at(lab, pod))
    assert lab.disk_state(pod) == lab.disk_state()


def test_submodules_are_named_and_left_alone_also_when_pulled_again(lab: Lab) -> None:
    lab.sandbox.config("protocol.file.allow", "always")
    library = lab.sandbox.repo("library")
    lab.write("lib.py", b"1\n", at=library)
    lab.commit("Library", at=library)
    add = ("submodule", "--quiet", "add", str(library), "vendor/library")
    lab.sandbox.git(*add, cwd=lab.laptop)
    hash = push(at(lab)).hash
    pod = lab.fresh_clone("pod")
    pulled = pull(hash, at(lab, pod))
    assert pulled.tree == hash
    assert pulled.submodules == ("vendor/library",)
    with untouched(pod):
        assert pull(hash, at(lab, pod)).submodules == ("vendor/library",)
    lab.sandbox.git("clone", "--quiet", library, pod / "vendor/library")
    with untouched(pod):
        assert pull(hash, at(lab, pod)).submodules == ()


def test_hooks_of_the_user_do_not_run(lab: Lab) -> None:
    lab.commit("Not pushed")
    hash = edited(lab)
    pod = lab.fresh_clone("pod")
    hooks = git_dir_of(pod) / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "reference-transaction", "post-index-change", "post-merge"):
        (hooks / name).write_text("#!/bin/sh\ntouch ../ran\nexit 1\n", encoding="utf-8")
        (hooks / name).chmod(0o755)
    pulled = pull(hash, at(lab, pod))
    assert not (lab.sandbox.root / "ran").exists()
    assert pulled.tree == hash


def test_configuration_of_the_repository_stays_as_it_is(lab: Lab) -> None:
    lab.commit("Not pushed")
    hash = edited(lab)
    pod = lab.fresh_clone("pod")
    before = (pod / ".git/config").read_bytes()
    refs = lab.sandbox.text("for-each-ref", "refs/remotes", "refs/tags", cwd=pod)
    pull(hash, at(lab, pod))
    assert (pod / ".git/config").read_bytes() == before
    assert lab.sandbox.text("for-each-ref", "refs/remotes", "refs/tags", cwd=pod) == refs
    assert not (pod / ".git/FETCH_HEAD").exists()
    assert state_of(pod)
