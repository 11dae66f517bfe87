"""What is in the way of a pull: refused untouched, or set aside so that every byte comes back."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from git_ghost.errors import LocalChanges
from git_ghost.usecases import Options, Pulled, pull, push
from tests.support.lab import Lab
from tests.support.untouched import litter_in, untouched

pytestmark = pytest.mark.usefixtures("in_sandbox")

Change = Callable[[Lab, Path], None]


def at(lab: Lab, path: Path | None = None) -> Options:
    return Options(directory=str(path or lab.laptop), repo=lab.ghost_url)


def stored(lab: Lab) -> str:
    """Push a ghost that edits `foo`, deletes `README`, adds files and replaces a folder."""
    lab.write("foo", b"b\n")
    (lab.laptop / "README").unlink()
    lab.write("new", b"from the ghost\n")
    lab.write("sub/deep/new", b"from the ghost\n")
    lab.write("sub/other", b"from the ghost\n")
    lab.write("out.log", b"from the ghost\n")
    return push(at(lab)).hash


def git(lab: Lab, pod: Path, *args: str) -> None:
    lab.sandbox.git(*args, cwd=pod)


def modified(lab: Lab, pod: Path) -> None:
    lab.write("foo", b"mine\n", at=pod)


def modified_elsewhere(lab: Lab, pod: Path) -> None:
    lab.write("src/train.py", b"mine\n", at=pod)


def mode_changed(_: Lab, pod: Path) -> None:
    (pod / "run.sh").chmod(0o644)


def staged(lab: Lab, pod: Path) -> None:
    lab.write("foo", b"mine\n", at=pod)
    git(lab, pod, "add", "foo")


def staged_and_edited_again(lab: Lab, pod: Path) -> None:
    staged(lab, pod)
    lab.write("foo", b"b\n", at=pod)  # on disk it is what the ghost has


def staged_and_reverted(lab: Lab, pod: Path) -> None:
    lab.write("src/train.py", b"mine\n", at=pod)
    git(lab, pod, "add", "src/train.py")
    lab.write("src/train.py", b"print('training')\n", at=pod)


def staged_new_and_deleted(lab: Lab, pod: Path) -> None:
    lab.write("mine", b"mine\n", at=pod)
    git(lab, pod, "add", "mine")
    (pod / "mine").unlink()


def deleted(_: Lab, pod: Path) -> None:
    (pod / "src/train.py").unlink()


def untracked_with_other_content(lab: Lab, pod: Path) -> None:
    lab.write("new", b"mine\n", at=pod)


def ignored_with_other_content(lab: Lab, pod: Path) -> None:
    (pod / ".git/info/exclude").write_text("*.log\n", encoding="utf-8")
    lab.write("out.log", b"mine\n", at=pod)


def folder_where_the_ghost_has_a_file(lab: Lab, pod: Path) -> None:
    lab.write("new/mine", b"mine\n", at=pod)
    lab.write("new/deeper/mine", b"mine too\n", at=pod)


def file_where_the_ghost_has_a_folder(lab: Lab, pod: Path) -> None:
    lab.write("sub", b"mine\n", at=pod)


def link_where_the_ghost_has_a_folder(lab: Lab, pod: Path) -> None:
    (lab.sandbox.root / "outside/deep").mkdir(parents=True, exist_ok=True)
    lab.symlink("sub", "../outside", at=pod)


def link_where_the_ghost_has_a_file(lab: Lab, pod: Path) -> None:
    lab.write("outside", b"not to be written to\n", at=lab.sandbox.root)
    lab.symlink("new", "../outside", at=pod)


def tracked_file_became_a_folder(lab: Lab, pod: Path) -> None:
    (pod / "foo").unlink()
    lab.write("foo/mine", b"mine\n", at=pod)


def tracked_folder_became_a_link(lab: Lab, pod: Path) -> None:
    (pod / "src").rename(lab.sandbox.root / "outside")
    lab.symlink("src", "../outside", at=pod)


def assume_unchanged(lab: Lab, pod: Path) -> None:
    git(lab, pod, "update-index", "--assume-unchanged", "foo")
    lab.write("foo", b"mine\n", at=pod)


def skip_worktree(lab: Lab, pod: Path) -> None:
    git(lab, pod, "update-index", "--skip-worktree", "src/train.py")
    lab.write("src/train.py", b"mine\n", at=pod)


def conflict_without_a_merge(lab: Lab, pod: Path) -> None:
    lab.write("run.sh", b"mine, staged\n", at=pod)
    git(lab, pod, "add", "run.sh")
    git(lab, pod, "commit", "-qm", "Mine")
    lab.write("foo", b"stashed\n", at=pod)
    git(lab, pod, "stash", "-q")
    lab.write("foo", b"committed\n", at=pod)
    git(lab, pod, "commit", "-qam", "Mine, too")
    lab.sandbox.git("stash", "pop", cwd=pod, check=False)
    lab.write("run.sh", b"staged\n", at=pod)
    lab.write("src/train.py", b"staged\n", at=pod)
    git(lab, pod, "add", "run.sh", "src/train.py")
    lab.write("run.sh", b"not staged\n", at=pod)


CHANGES: list[Change] = [
    modified, modified_elsewhere, mode_changed, staged, staged_and_edited_again,
    staged_and_reverted, staged_new_and_deleted, deleted, untracked_with_other_content,
    ignored_with_other_content, folder_where_the_ghost_has_a_file,
    file_where_the_ghost_has_a_folder, link_where_the_ghost_has_a_folder,
    link_where_the_ghost_has_a_file, tracked_file_became_a_folder, tracked_folder_became_a_link,
    assume_unchanged, skip_worktree, conflict_without_a_merge,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: str(c.__name__))
def test_local_changes_are_refused_untouched_and_with_force_come_back(
    lab: Lab, change: Change
) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    change(lab, pod)
    outside = lab.sandbox.root / "outside"
    beyond = lab.disk_state(outside) if outside.is_dir() else {}
    with untouched(pod), pytest.raises(LocalChanges) as caught:
        pull(hash, at(lab, pod))
    assert "\n  " in caught.value.message
    assert "--force" in caught.value.hint

    disk = lab.disk_state(pod)
    index = {
        row.split(b"\t")[1]: row.split(b" ")[1]
        for row in lab.sandbox.git("ls-files", "-s", "-z", cwd=pod).split(b"\0")
        if b" 0\t" in row
    }
    unmerged = set(
        lab.sandbox.git("diff", "--name-only", "--diff-filter=U", "-z", cwd=pod).split(b"\0")
    )
    head, added = lab.head(at=pod), set(lab.disk_state()) - set(disk)
    symbolic = lab.sandbox.text("rev-parse", "--symbolic-full-name", "HEAD", cwd=pod)
    pulled = pull(hash, at(lab, pod), force=True)
    assert pulled.tree == hash
    assert lab.disk_state().items() <= lab.disk_state(pod).items()
    assert not (pod / "README").exists()
    assert (lab.disk_state(outside) if outside.is_dir() else {}) == beyond
    assert not litter_in(pod)
    assert_kept(lab, pod, pulled, disk, index, head)
    assert pull(hash, at(lab, pod)).changed == 0
    lab.sandbox.run("sh", "-ec", "\n".join(pulled.restore), cwd=pod).ok()
    assert disk.items() <= lab.disk_state(pod).items()
    assert set(lab.disk_state(pod)) - set(disk) <= added
    assert lab.sandbox.text("rev-parse", "--symbolic-full-name", "HEAD", cwd=pod) == symbolic
    assert lab.head(at=pod) == head
    rows = lab.sandbox.git("ls-files", "-s", "-z", cwd=pod).split(b"\0")
    now = {row.split(b"\t")[1]: row.split(b" ")[1] for row in rows if row}
    assert {path: entry for path, entry in now.items() if path not in unmerged} == index


def assert_kept(
    lab: Lab,
    pod: Path,
    pulled: Pulled,
    disk: dict[bytes, tuple[str, bool, bytes]],
    index: dict[bytes, bytes],
    head: str,
) -> None:
    """Every byte that is not there any more is in the backup: files in it, the index behind it."""
    backup = pulled.backup
    assert backup.startswith("refs/git-ghost/backup/")
    parents = lab.sandbox.text("log", "-1", "--format=%P", backup, cwd=pod).split()
    assert parents[0] == head
    now = lab.disk_state(pod)
    out = lab.sandbox.git("ls-tree", "-r", "-z", backup, cwd=pod)
    kept = {row.split(b"\t", 1)[1]: row.split(b"\t")[0] for row in out.split(b"\0") if row}
    for path, (kind, executable, content) in disk.items():
        if now.get(path) == (kind, executable, content):
            continue
        mode, _, blob = kept[path].split(b" ")
        assert lab.sandbox.git("cat-file", "blob", blob.decode(), cwd=pod) == content
        expected = b"120000" if kind == "symlink" else b"100755" if executable else b"100644"
        assert mode == expected
    out = lab.sandbox.git("ls-tree", "-r", "-z", f"{backup}^2", cwd=pod)
    staged_then = {row.split(b"\t")[1]: row.split()[2] for row in out.split(b"\0") if row}
    assert {path: staged_then.get(path) for path in index} == index


def test_git_stash_apply_brings_what_was_set_aside_back_staged_and_unstaged(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    lab.write("foo", b"staged\n", at=pod)
    lab.write("run.sh", b"staged, too\n", at=pod)
    git(lab, pod, "add", "foo", "run.sh")
    lab.write("foo", b"not staged\n", at=pod)
    lab.write("new", b"untracked\n", at=pod)
    (pod / "src/train.py").unlink()
    before = lab.disk_state(pod)
    backup = pull(hash, at(lab, pod), force=True).backup
    git(lab, pod, "reset", "-q", "--hard")
    git(lab, pod, "clean", "-qfd")
    git(lab, pod, "stash", "apply", "-q", "--index", backup)
    assert lab.disk_state(pod) == before
    assert lab.sandbox.git("show", ":foo", cwd=pod) == b"staged\n"
    assert lab.sandbox.git("show", ":run.sh", cwd=pod) == b"staged, too\n"


def test_a_branch_that_was_moved_goes_back_with_what_was_set_aside(lab: Lab) -> None:
    lab.commit("Not pushed")
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    (pod / "src/train.py").unlink()
    lab.write("run.sh", b"staged\n", at=pod)
    git(lab, pod, "add", "run.sh")
    lab.write("sub", b"a file\n", at=pod)
    before = lab.head(at=pod), lab.sandbox.git("status", "--porcelain", cwd=pod)
    pulled = pull(hash, at(lab, pod), force=True)
    assert pulled.head == "branch"
    lab.sandbox.run("sh", "-ec", "\n".join(pulled.restore), cwd=pod).ok()
    for name in ("new", "out.log"):
        (pod / name).unlink()
    assert (lab.head(at=pod), lab.sandbox.git("status", "--porcelain", cwd=pod)) == before


def test_git_checkout_brings_it_back_where_there_was_no_commit(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.sandbox.repo("pod")
    lab.write("foo", b"mine\n", at=pod)
    with untouched(pod), pytest.raises(LocalChanges, match="foo"):
        pull(hash, at(lab, pod))
    backup = pull(hash, at(lab, pod), force=True).backup
    git(lab, pod, "checkout", backup, "--", ".")
    assert (pod / "foo").read_bytes() == b"mine\n"


def test_nothing_is_set_aside_where_nothing_is_in_the_way(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    lab.write("notes", b"mine\n", at=pod)
    pulled = pull(hash, at(lab, pod), force=True)
    assert (pulled.backup, pulled.untracked) == ("", ("notes",))
    assert lab.sandbox.text("for-each-ref", "refs/git-ghost", cwd=pod) == ""


def same_file(lab: Lab, pod: Path) -> None:
    lab.write("new", b"from the ghost\n", at=pod)


def same_edit(lab: Lab, pod: Path) -> None:
    lab.write("foo", b"b\n", at=pod)


def same_edit_staged(lab: Lab, pod: Path) -> None:
    same_edit(lab, pod)
    git(lab, pod, "add", "foo")


def same_deletion(lab: Lab, pod: Path) -> None:
    git(lab, pod, "rm", "-q", "README")


def empty_folder(_: Lab, pod: Path) -> None:
    (pod / "new/empty").mkdir(parents=True)


def folder_with_files_beside(lab: Lab, pod: Path) -> None:
    lab.write("sub/deep/mine", b"mine\n", at=pod)


@pytest.mark.parametrize(
    "change",
    [same_file, same_edit, same_edit_staged, same_deletion, empty_folder, folder_with_files_beside],
    ids=lambda c: str(c.__name__),
)
def test_what_loses_nothing_is_not_in_the_way(lab: Lab, change: Change) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    change(lab, pod)
    mine = pod / "sub/deep/mine"
    left = ("sub/deep/mine",) if mine.exists() else ()
    pulled = pull(hash, at(lab, pod))
    assert (pulled.tree, pulled.backup, pulled.untracked) == (hash, "", left)
    if left:
        mine.unlink()
    assert lab.tree_of(pod) == hash


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("place", ["new", "new/inside", "sub", "sub/deep"])
def test_a_repository_that_stands_in_the_way_is_never_written_to(
    lab: Lab, place: str, force: bool
) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    git(lab, pod, "init", "-q", place)
    lab.write("mine", b"mine\n", at=pod / place)
    with untouched(pod), pytest.raises(LocalChanges, match=place):
        pull(hash, at(lab, pod), force=force)


@pytest.mark.parametrize("force", [False, True])
def test_a_submodule_that_stands_in_the_way_is_never_removed(lab: Lab, force: bool) -> None:
    lab.sandbox.config("protocol.file.allow", "always")
    library = lab.sandbox.repo("library")
    lab.write("lib.py", b"1\n", at=library)
    lab.commit("Library", at=library)
    git(lab, lab.laptop, "submodule", "--quiet", "add", str(library), "vendor")
    lab.commit("Use the library")
    lab.push()
    pod = lab.fresh_clone("pod", "--recurse-submodules")
    lab.write("mine", b"mine\n", at=pod / "vendor")
    git(lab, lab.laptop, "rm", "-q", "-f", "vendor")
    lab.write("vendor", b"a file now\n")
    hash = push(at(lab)).hash
    with untouched(pod), pytest.raises(LocalChanges, match="vendor"):
        pull(hash, at(lab, pod), force=force)


@pytest.mark.parametrize("force", [False, True])
def test_a_pipe_or_socket_in_the_way_is_refused(lab: Lab, force: bool) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    os.mkfifo(pod / "new")
    with untouched(pod), pytest.raises(LocalChanges, match="new"):
        pull(hash, at(lab, pod), force=force)
    (pod / "new").unlink()
    os.chdir(pod)  # a socket's path has a bounded length
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("sub")
        with untouched(pod), pytest.raises(LocalChanges, match="sub"):
            pull(hash, at(lab, pod), force=force)


@pytest.mark.parametrize("what", ["merge", "cherry-pick", "revert", "rebase"])
def test_while_something_is_in_progress_nothing_is_pulled(lab: Lab, what: str) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    lab.write("foo", b"ours\n", at=pod)
    lab.commit("Ours", at=pod)
    git(lab, pod, "checkout", "-q", "-b", "theirs", "HEAD~1")
    lab.write("foo", b"theirs\n", at=pod)
    lab.commit("Theirs", at=pod)
    lab.sandbox.git(what, "main", cwd=pod, check=False, env={"GIT_EDITOR": "true"})
    with untouched(pod), pytest.raises(LocalChanges, match=f"a {what} is in progress"):
        pull(hash, at(lab, pod), force=True)


def test_somebody_elses_lock_on_the_index_is_respected(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    lock = pod / ".git/index.lock"
    lock.write_bytes(b"")
    with untouched(pod), pytest.raises(LocalChanges, match=r"index\.lock exists"):
        pull(hash, at(lab, pod))
    lock.unlink()
    assert pull(hash, at(lab, pod)).tree == hash


@pytest.mark.parametrize("lock", ["HEAD.lock", "refs/heads/main.lock"])
def test_a_lock_that_keeps_head_from_moving_is_told_before_files_are_written(
    lab: Lab, lock: str
) -> None:
    lab.commit("Not pushed")
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    if not (pod / ".git/refs/heads").is_dir():
        pytest.skip("refs are not files here: see test_reftables.py")
    left = pod / ".git" / lock
    left.touch()
    with untouched(pod):
        assert f"{left} exists" in lab.ghost("pull", hash, at=pod).fails(5)
    left.unlink()
    lab.ghost("pull", hash, at=pod).ok()
    assert lab.tree_of(pod) == hash


def test_the_command_line_ends_with_5_and_says_how_to_get_things_back(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    modified(lab, pod)
    with untouched(pod):
        said = lab.ghost("pull", hash, at=pod).fails(5)
    assert "\n  foo\n" in said
    result = lab.ghost("pull", "--force", hash, at=pod)
    assert result.ok() == ""
    refs = lab.sandbox.text("for-each-ref", "--format=%(refname)", "refs/git-ghost", cwd=pod)
    assert refs in result.err
    assert f"--reset -u {refs} && git read-tree" in result.err
