"""Local commits arrive as they are: ids, merges, signatures, messages, whatever is in them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from git_ghost.usecases import Options, Pushed, clone, pull
from tests.support.lab import Lab
from tests.support.roundtrip import assert_exact, options, push_untouched, round_trip
from tests.support.sandbox import Sandbox

SIGNATURE = """\
gpgsig -----BEGIN PGP SIGNATURE-----
 
 iQEzBAABCAAdFiEEnot+a+signature/but+as+good+as+one+for+an+id==
 =abcd
 -----END PGP SIGNATURE-----
"""  # noqa: W293 - the space is part of the header


@pytest.fixture
def lab(lab: Lab, in_sandbox: object) -> Lab:  # noqa: ARG001 - for its effect
    """Return the lab, with its environment in this process."""
    return lab


def git(lab: Lab, *args: str | bytes, stdin: bytes | None = None) -> str:
    """Run git on the laptop."""
    return lab.sandbox.text(*args, cwd=lab.laptop, stdin=stdin)


def commit_raw(lab: Lab, *headers: str, message: bytes = b"Made by hand\n") -> str:
    """Commit the index on top of HEAD with extra headers, and move HEAD there."""
    tree = git(lab, "write-tree")
    who = "Ada <ada@example.com> 1700000000 -0730"
    first = [f"tree {tree}", f"parent {lab.head()}", f"author {who}", f"committer {who}"]
    text = "\n".join([*first, *(header.rstrip("\n") for header in headers)]) + "\n\n"
    made = git(lab, "hash-object", "-t", "commit", "-w", "--stdin", stdin=text.encode() + message)
    git(lab, "update-ref", "HEAD", made)
    return made


def commits_round_trip(lab: Lab) -> Pushed:
    """A round trip in which every local commit must arrive byte for byte."""
    pushed = round_trip(lab)
    ids = git(lab, "rev-list", "--topo-order", "origin/main..HEAD")
    assert pushed.commits == len(ids.split())
    commits = lab.sandbox.git("cat-file", "--batch", cwd=lab.laptop, stdin=ids.encode())
    for name in ("pod", "cloned"):
        there = lab.sandbox.root / name
        assert lab.sandbox.git("cat-file", "--batch", cwd=there, stdin=ids.encode()) == commits
    pod = lab.sandbox.root / "pod"
    assert git(lab, "log", "--format=%H %P %T") == lab.sandbox.text(
        "log", "--format=%H %P %T", cwd=pod
    )
    assert lab.sandbox.text("symbolic-ref", "HEAD", cwd=pod) == "refs/heads/main"
    return pushed


def side_branch(lab: Lab, name: str, start: str = "HEAD") -> None:
    """Commit a file called `name` on a new branch of that name, and come back to main."""
    git(lab, "switch", "--quiet", "--create", name, start)
    lab.write(name, name.encode())
    lab.commit(f"On {name}")
    git(lab, "switch", "--quiet", "main")


def test_merges_octopuses_and_empty_commits_keep_their_ids(lab: Lab) -> None:
    for name in ("one", "two", "three"):
        side_branch(lab, name)
    lab.write("foo", b"main\n")
    lab.commit("On main")
    git(lab, "merge", "--quiet", "--no-ff", "-m", "Merge one", "one")
    lab.commit("Nothing changed")
    git(lab, "merge", "--quiet", "--no-ff", "-m", "Octopus", "two", "three")
    git(lab, "commit", "--quiet", "--allow-empty", "--allow-empty-message", "-m", "")
    lab.write("foo", b"and not committed\n")
    pushed = commits_round_trip(lab)
    assert len(pushed.lines) == 2


def test_merging_an_older_branch_of_the_remote_builds_on_more_than_one_commit(lab: Lab) -> None:
    side_branch(lab, "old", "HEAD~2")
    git(lab, "push", "--quiet", "origin", "old")
    side_branch(lab, "older-unpushed", "HEAD~1")
    git(lab, "merge", "--quiet", "-m", "Merge old", "old")
    git(lab, "merge", "--quiet", "-m", "Merge what nobody has", "older-unpushed")
    lab.write("new", b"new\n")
    pushed = commits_round_trip(lab)
    assert pushed.remote_base == lab.head("origin/main")


def test_a_history_of_its_own_that_was_merged_arrives_with_its_root(lab: Lab) -> None:
    git(lab, "switch", "--quiet", "--orphan", "island")
    lab.write("island", b"palms\n")
    lab.commit("Another root")
    git(lab, "switch", "--quiet", "main")
    git(lab, "merge", "--quiet", "--allow-unrelated-histories", "-m", "Merge island", "island")
    lab.write("island", b"more palms\n")
    commits_round_trip(lab)


def test_a_revert_brings_back_content_that_only_older_history_has(lab: Lab) -> None:
    old = b"".join(b"old line %d\n" % i for i in range(400))
    lab.write("model.py", old)
    lab.write("folder/a", b"old a\n" * 50)
    lab.commit("Old")
    lab.write("model.py", old.replace(b"old", b"new"))
    shutil.rmtree(lab.laptop / "folder")
    lab.commit("New")
    lab.commit("On the way")
    lab.push()
    git(lab, "revert", "--no-edit", "HEAD~1")
    lab.commit("After it")
    lab.write("foo", b"b\n")
    commits_round_trip(lab)


def test_an_uncommitted_revert_brings_back_old_content(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    (lab.laptop / "README").unlink()
    lab.commit("Newer")
    lab.push()
    git(lab, "checkout", "--quiet", "HEAD~1", "--", ".")
    assert round_trip(lab).hash == lab.head("HEAD~1^{tree}")


def test_what_looks_like_a_patch_in_a_message_is_not_applied(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.commit(
        "Subject\n\n---\ndiff --git a/evil b/evil\nnew file mode 100644\n"
        "--- /dev/null\n+++ b/evil\n"
        "@@ -0,0 +1 @@\n+evil\n-- \n2.39\n\n"
        "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
        "From: Eve <eve@example.com>\nSubject: [PATCH] Evil\n\n---\n>From the start\n"
    )
    lab.write("foo", b"c\n")
    commits_round_trip(lab)
    assert not (lab.sandbox.root / "pod/evil").exists()


def test_messages_and_headers_arrive_byte_for_byte(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    git(lab, "add", "foo")
    commit_raw(lab, "encoding ISO-8859-1", message=b"Gr\xfc\xdfe\n")
    commit_raw(lab, message=b"\xff\xfe not in any encoding, no final newline")
    commit_raw(lab, message=b"\n\n  spaces  \n\n\n\ntrailing\n\n\n")
    commit_raw(lab, message=b"one\r\ntwo\r\n")
    commit_raw(lab, SIGNATURE, message=b"Signed by somebody\n")
    commit_raw(lab, "mergetag object 0\n type commit\n tag v1\n", "x-odd header", message=b"")
    commits_round_trip(lab)


def test_a_commit_signed_with_ssh_still_verifies(lab: Lab) -> None:
    key = lab.sandbox.home / "key"
    lab.sandbox.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).ok()
    public = key.with_suffix(".pub").read_text().split(" ")
    allowed = lab.sandbox.home / "allowed"
    allowed.write_text(f"ada@example.com {public[0]} {public[1]}\n")
    for name, value in {
        "gpg.format": "ssh", "user.signingKey": str(key),
        "gpg.ssh.allowedSignersFile": str(allowed),
        "commit.gpgSign": "true", "log.showSignature": "true", "push.gpgSign": "if-asked",
    }.items():  # fmt: skip
        lab.sandbox.config(name, value)
    lab.write("foo", b"b\n")
    lab.commit("Signed")
    lab.write("foo", b"c\n")
    commits_round_trip(lab)
    assert (
        lab.sandbox.run("git", "verify-commit", "HEAD", cwd=lab.sandbox.root / "cloned").code == 0
    )


def test_many_commits_on_the_same_files_arrive(lab: Lab) -> None:
    lines = [b"line %d of many\n" % i for i in range(300)]
    for number in range(12):
        lines[number * 20] = b"changed %d\n" % number
        lab.write("README", b"".join(lines))
        lab.write(f"src/{number % 3}/x", b"x" * number)
        lab.commit(f"Step {number}")
    lab.write("README", b"".join(lines[:100]))
    commits_round_trip(lab)


def test_commits_the_remote_got_meanwhile_are_taken_from_there(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.commit("Local")
    lab.write("foo", b"c\n")
    pushed = push_untouched(lab)
    before = lab.fresh_clone("before")
    lab.push()
    lab.write("foo", b"d\n")
    lab.commit("Newer still")
    lab.push()
    after = lab.fresh_clone("after")
    for pod in (before, after):
        assert pull(pushed.hash, options(lab, pod)).head in ("branch", "detached")
        assert_exact(lab, pod, pushed)
    for ghost in lab.ghost_refs():
        if "-" in ghost:
            lab.sandbox.git("update-ref", "-d", ghost, cwd=lab.ghost_repo)
    again = lab.sandbox.root / "again"
    clone(pushed.hash, str(again), Options(repo=lab.ghost_url))
    assert_exact(lab, again, pushed)


def test_commits_somebody_else_pushed_while_this_clone_did_not_look(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.commit("Local")
    git(lab, "push", "--quiet", lab.source_url, "HEAD:refs/heads/elsewhere")
    lab.write("foo", b"c\n")
    round_trip(lab)


def test_only_the_commits_of_the_branch_at_hand_go(lab: Lab) -> None:
    side_branch(lab, "private")
    git(lab, "tag", "v1", "private")
    git(lab, "switch", "--quiet", "--create", "feature")
    lab.write("feature", b"yes\n")
    lab.commit("Feature")
    lab.write("foo", b"b\n")
    pushed = round_trip(lab)
    assert pushed.commits == 1
    for name in ("pod", "cloned"):
        args = ("cat-file", "-e", lab.head("private"))
        assert lab.sandbox.run("git", *args, cwd=lab.sandbox.root / name).code != 0


def test_a_detached_head_arrives(lab: Lab) -> None:
    git(lab, "switch", "--quiet", "--detach", "HEAD~1")
    lab.write("foo", b"b\n")
    lab.commit("On no branch")
    lab.write("foo", b"c\n")
    pushed = round_trip(lab)
    assert pushed.remote_base == lab.head("origin/main~1")


def test_a_commit_that_amends_a_pushed_one_arrives(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    git(lab, "commit", "--quiet", "--all", "--amend", "-m", "Amended")
    assert round_trip(lab).remote_base == lab.head("origin/main~1")


def test_a_clone_behind_the_remote_sends_no_commits(lab: Lab) -> None:
    git(lab, "reset", "--quiet", "--hard", "HEAD~1")
    lab.write("foo", b"b\n")
    assert len(round_trip(lab).lines) == 1


def test_a_laptop_without_any_remote_sends_the_diff_alone(lab: Lab) -> None:
    git(lab, "remote", "remove", "origin")
    lab.write("foo", b"b\n")
    pushed = push_untouched(lab)
    assert len(pushed.lines) == 1
    pod = lab.fresh_clone("pod")
    pull(pushed.hash, options(lab, pod))
    assert_exact(lab, pod, pushed, lab.disk_state())


def test_commits_alone_arrive_without_the_diff(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    head = lab.commit("Local")
    lab.write("foo", b"not sent\n")
    pushed = push_untouched(lab, what="commits")
    assert pushed.hash == head
    pod = lab.fresh_clone("pod")
    pull(pushed.hash, options(lab, pod))
    assert lab.head(at=pod) == head
    assert lab.tree_of(pod) == lab.head("HEAD^{tree}")


# What git shows instead of the history


def test_replaced_objects_do_not_change_what_is_sent(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    head = lab.commit("Local")
    other = git(lab, "commit-tree", "HEAD~2^{tree}", "-m", "Instead")
    git(lab, "replace", head, other)
    git(lab, "replace", lab.head("origin/main"), other)
    lab.write("foo", b"c\n")
    pushed = push_untouched(lab)
    pod = lab.fresh_clone("pod")
    pull(pushed.hash, options(lab, pod))
    assert lab.disk_state(pod) == lab.disk_state()
    assert lab.head(at=pod) == head


def test_a_replaced_base_on_the_other_side_does_not_change_what_arrives(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.commit("Local")
    lab.write("foo", b"c\n")
    pushed = push_untouched(lab)
    pod = lab.fresh_clone("pod")
    other = lab.sandbox.text("commit-tree", "HEAD~2^{tree}", "-m", "Instead", cwd=pod)
    lab.sandbox.git("replace", "HEAD", other, cwd=pod)
    lab.sandbox.git("reset", "--quiet", "--hard", cwd=pod, env={"GIT_NO_REPLACE_OBJECTS": "1"})
    pull(pushed.hash, options(lab, pod))
    assert lab.disk_state(pod) == lab.disk_state()
    assert lab.head(at=pod) == lab.head()


def test_grafts_do_not_change_what_is_sent(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.commit("Local")
    lab.write("foo", b"c\n")
    grafts = lab.laptop / ".git/info/grafts"
    grafts.parent.mkdir(exist_ok=True)
    grafts.write_text(f"{lab.head()}\n")
    pushed = push_untouched(lab)
    grafts.unlink()
    assert pushed.remote_base == lab.head("origin/main")
    pod = lab.fresh_clone("pod")
    pull(pushed.hash, options(lab, pod))
    assert_exact(lab, pod, pushed, lab.disk_state())


def test_a_sha256_history_with_merges_arrives(in_sandbox: Sandbox, tmp_path: Path) -> None:
    assert tmp_path.exists()
    root = in_sandbox.root / "sha256"
    lab = Lab(Sandbox(root), object_format="sha256")
    side_branch(lab, "side", "HEAD~1")
    git(lab, "merge", "--quiet", "-m", "Merge", "side")
    lab.write("foo", b"b\r\n")
    lab.write("binary", bytes(range(256)))
    lab.symlink("link", "foo")
    pushed = commits_round_trip(lab)
    assert len(pushed.hash) == 64
