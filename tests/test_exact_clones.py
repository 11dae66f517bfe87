"""Every kind of clone, on either side: sparse, partial, shallow, linked, nested, elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_ghost.errors import GhostError, NoSuchBase
from git_ghost.usecases import Options, clone, pull, push
from tests.support.lab import Lab
from tests.support.roundtrip import (
    assert_exact,
    options,
    push_untouched,
    round_trip,
    some,
    without,
)
from tests.support.sandbox import Sandbox
from tests.support.servers import Server


@pytest.fixture
def lab(lab: Lab, in_sandbox: object) -> Lab:  # noqa: ARG001 - for its effect
    """Return the lab, with a source that serves partial clones too."""
    lab.sandbox.git("config", "uploadpack.allowFilter", "true", cwd=lab.source)
    return lab


def history(lab: Lab) -> None:
    """Give the source remote a history in which old content went away."""
    lab.write("old", b"".join(b"old line %d\n" % i for i in range(200)))
    lab.write("docs/manual", b"manual\n")
    lab.write("docs/deep/more", b"more\n")
    lab.commit("Old")
    side = ("switch", "--quiet", "--create", "side")
    lab.sandbox.git(*side, cwd=lab.laptop)
    lab.write("side", b"side\n")
    lab.commit("Side")
    lab.sandbox.git("switch", "--quiet", "main", cwd=lab.laptop)
    lab.write("old", b"new\n")
    lab.commit("New")
    lab.push()


def work(lab: Lab, at: Path) -> None:
    """Commit twice, and leave changes of all kinds uncommitted."""
    lab.write("foo", b"b\n", at=at)
    lab.commit("Local", at=at)
    lab.write("src/train.py", b"print('committed')\n", at=at)
    lab.commit("Local too", at=at)
    lab.write("src/train.py", b"print('changed')\n", at=at)
    lab.write("new/file", b"new\r\n", at=at)
    (at / "README").unlink()
    lab.symlink("link", "src", at=at)


def file_url(lab: Lab) -> str:
    """Return the source's URL by which git uses its protocol."""
    return f"file://{lab.source}"


def clone_by(lab: Lab, name: str, *args: str) -> Path:
    """Clone the source through git's protocol."""
    path = lab.sandbox.root / name
    lab.sandbox.git("clone", "--quiet", *args, "--", file_url(lab), path)
    return path


# Shallow and partial

CUTS = {
    "shallow": ["--depth=1"],
    "blobless": ["--filter=blob:none"],
    "treeless": ["--filter=tree:0"],
    "shallow and blobless": ["--depth=1", "--filter=blob:none"],
}


@some("cut", CUTS, quick={"treeless", "shallow and blobless"})
def test_a_cut_clone_pushes_what_a_whole_one_would(lab: Lab, cut: list[str]) -> None:
    history(lab)
    laptop = clone_by(lab, "cut laptop", *cut)
    work(lab, laptop)
    lab.write("old", b"new\nand changed\n", at=laptop)
    (laptop / "docs/manual").unlink()
    round_trip(lab, at=laptop)


@some("cut", CUTS, quick={"treeless", "shallow and blobless"})
def test_a_cut_clone_can_pull(lab: Lab, cut: list[str]) -> None:
    history(lab)
    pod = clone_by(lab, "cut pod", *cut)
    lab.sandbox.git("merge", "--quiet", "-m", "Merge side", "side", cwd=lab.laptop)
    work(lab, lab.laptop)
    lab.sandbox.git("show", "HEAD~4:old", cwd=lab.laptop)
    lab.write("old", lab.sandbox.git("show", "HEAD~4:old", cwd=lab.laptop))
    pushed = push_untouched(lab)
    pull(pushed.hash, options(lab, pod))
    assert_exact(lab, pod, pushed, lab.disk_state())
    lab.write("foo", b"once more\n")
    lab.commit("On top")
    lab.write("foo", b"and more\n")
    again = push_untouched(lab)
    pull(again.hash, options(lab, pod), force=True)
    assert_exact(lab, pod, again, lab.disk_state())


@some("cut", CUTS, quick={"treeless", "shallow and blobless"})
def test_a_cut_clone_fetches_a_base_it_does_not_have(lab: Lab, cut: list[str]) -> None:
    history(lab)
    pod = clone_by(lab, "cut pod", *cut)
    lab.write("old", b"newer\n")
    lab.commit("The source moved on")
    lab.push()
    work(lab, lab.laptop)
    pushed = push_untouched(lab)
    pull(pushed.hash, options(lab, pod))
    assert_exact(lab, pod, pushed, lab.disk_state())


def test_an_older_base_comes_from_a_server_that_hands_out_branch_tips_only(lab: Lab) -> None:
    history(lab)
    lab.sandbox.git("switch", "--quiet", "--create", "from-older", "origin/main~1", cwd=lab.laptop)
    lab.write("older", b"older\n")
    lab.commit("On top of an older commit")
    lab.sandbox.git("switch", "--quiet", "main", cwd=lab.laptop)
    lab.sandbox.git("merge", "--quiet", "-m", "Merge", "from-older", cwd=lab.laptop)
    work(lab, lab.laptop)
    pushed = push_untouched(lab)
    pod = clone_by(lab, "shallow", "--depth=1")
    lab.sandbox.config("protocol.version", "0")
    pull(pushed.hash, options(lab, pod))
    assert_exact(lab, pod, pushed, lab.disk_state())
    again = lab.sandbox.root / "cloned"
    clone(pushed.hash, str(again), Options(repo=lab.ghost_url))
    assert_exact(lab, again, pushed, lab.disk_state())


def test_a_base_that_is_nowhere_is_named_by_a_server_of_any_protocol(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    head = lab.commit("Never sent")
    lab.write("foo", b"c\n")
    pushed = push_untouched(lab, what="diff")
    for version in ("0", "1", "2"):
        lab.sandbox.config("protocol.version", version)
        with pytest.raises(NoSuchBase, match=head):
            pull(pushed.hash, options(lab, lab.fresh_clone(f"pod{version}")))


def test_a_shallow_clone_that_cannot_tell_its_commits_says_so(lab: Lab) -> None:
    history(lab)
    work(lab, lab.laptop)
    lab.sandbox.git("push", "--quiet", "origin", "HEAD:refs/heads/more", cwd=lab.laptop)
    laptop = clone_by(lab, "shallow", "--depth=1", "--branch=more")
    lab.sandbox.git(
        "fetch", "--quiet", "--depth=1", "origin", "main:refs/remotes/origin/main", cwd=laptop
    )
    lab.sandbox.git("update-ref", "-d", "refs/remotes/origin/more", cwd=laptop)
    base = lab.head("origin/main", at=laptop)
    with pytest.raises(GhostError, match="shallow"):
        push(options(lab, laptop), what="commits", base=base)


@pytest.mark.slow
@pytest.mark.parametrize("cut", [*CUTS.values(), []], ids=[*CUTS, "whole"])
def test_cut_clones_work_through_real_servers(
    in_sandbox: Sandbox, network_server: Server, cut: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(in_sandbox, server=network_server)
    for name, value in in_sandbox.env.items():
        monkeypatch.setenv(name, value)
    history(lab)
    laptop = lab.fresh_clone("cut laptop", *cut)
    pod = lab.fresh_clone("cut pod", *cut)
    work(lab, laptop)
    pushed = round_trip(lab, at=laptop)
    pull(pushed.hash, options(lab, pod))
    assert_exact(lab, pod, pushed, lab.disk_state(laptop))


# Sparse

SPARSE = {
    "cone": ["--cone"],
    "not cone": ["--no-cone"],
    "sparse index": ["--cone", "--sparse-index"],
}


def make_sparse(lab: Lab, at: Path, how: list[str]) -> None:
    """Leave `docs` and `data` out of a working tree."""
    pattern = ["src"] if "--cone" in how else ["/*", "!/docs/", "!/data/"]
    lab.sandbox.git("sparse-checkout", "set", *how, *pattern, cwd=at)


@pytest.mark.parametrize("how", SPARSE.values(), ids=SPARSE)
def test_a_sparse_checkout_sends_the_tree_whole(lab: Lab, how: list[str]) -> None:
    history(lab)
    lab.write("data/x", b"x\n")
    lab.commit("Data")
    full = lab.disk_state()
    make_sparse(lab, lab.laptop, how)
    assert not (lab.laptop / "docs").exists()
    lab.write("src/train.py", b"print('changed')\n")
    lab.write("src/new.py", b"new\n")
    lab.write("elsewhere/new", b"outside of the cone\n")
    pushed = push_untouched(lab)
    pod = lab.fresh_clone("pod")
    pull(pushed.hash, options(lab, pod))
    assert_exact(lab, pod, pushed, {**full, **lab.disk_state()})


def test_changes_outside_of_a_sparse_cone_are_sent(lab: Lab) -> None:
    history(lab)
    make_sparse(lab, lab.laptop, SPARSE["sparse index"])
    lab.write("docs/manual", b"written where the cone does not reach\n")
    lab.write("docs/new", b"new\n")
    pushed = push_untouched(lab)
    pod = lab.fresh_clone("pod")
    pull(pushed.hash, options(lab, pod))
    assert lab.disk_state(pod)[b"docs/manual"][2].startswith(b"written")
    assert lab.disk_state(pod)[b"docs/new"][2] == b"new\n"
    assert lab.tree_of(pod) == pushed.hash


@pytest.mark.parametrize("how", SPARSE.values(), ids=SPARSE)
def test_a_sparse_checkout_can_pull(lab: Lab, how: list[str]) -> None:
    history(lab)
    pod = lab.fresh_clone("pod")
    make_sparse(lab, pod, how)
    work(lab, lab.laptop)
    lab.write("docs/manual", b"changed\n")
    lab.write("docs/new", b"new\n")
    (lab.laptop / "docs/deep/more").unlink()
    pushed = push_untouched(lab)
    pull(pushed.hash, options(lab, pod))
    assert_exact(lab, pod, pushed)
    there = lab.disk_state(pod)
    assert there == {path: entry for path, entry in lab.disk_state().items() if path in there}
    assert there[b"src/train.py"][2] == b"print('changed')\n"
    lab.sandbox.git("sparse-checkout", "disable", cwd=pod)
    assert_exact(lab, pod, pushed, lab.disk_state())


# Linked worktrees, subfolders, odd places


def test_linked_worktrees_push_and_pull_their_own(lab: Lab) -> None:
    linked = lab.sandbox.root / "linked worktree"
    lab.sandbox.git("worktree", "add", "--quiet", "-b", "linked", linked, cwd=lab.laptop)
    lab.write("foo", b"of the main worktree\n")
    work(lab, linked)
    pushed = round_trip(lab, at=linked)
    there = lab.sandbox.root / "linked pod"
    lab.sandbox.git("worktree", "add", "--quiet", "--detach", there, "origin/main", cwd=lab.laptop)
    pull(pushed.hash, options(lab, there))
    assert_exact(lab, there, pushed, lab.disk_state(linked))
    assert (lab.laptop / "foo").read_bytes() == b"of the main worktree\n"


def test_a_worktree_inside_of_the_working_tree_is_never_left_out_in_silence(lab: Lab) -> None:
    lab.sandbox.git("worktree", "add", "--quiet", "-b", "inner", "inner", cwd=lab.laptop)
    lab.write("inner/new", b"new\n")
    with pytest.raises(GhostError, match="inner"):
        push(options(lab))


def test_a_subfolder_is_as_good_as_the_top(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    work(lab, lab.laptop)
    (lab.laptop / "deep/down").mkdir(parents=True)
    lab.write("deep/down/here", b"here\n")
    lab.write(".gitignore", b"*.bin\n")
    lab.write("deep/down/model.bin", b"\0")
    monkeypatch.chdir(lab.laptop / "deep/down")
    pushed = push(Options(repo=lab.ghost_url), include=["model.bin"])
    pod = lab.fresh_clone("pod")
    monkeypatch.chdir(pod / "src")
    pull(pushed.hash, Options(repo=lab.ghost_url))
    assert lab.disk_state(pod) == lab.disk_state()
    assert lab.head(at=pod) == lab.head()


ODD_PLACES = [
    "with space",
    "co:lon",
    'quo"te',
    "semi;colon",
    "back\\slash",
    "-dash",
    "ünï",
    "per%cent",
    "$x",
]


@some("name", {name: name for name in ODD_PLACES}, quick={"co:lon", 'quo"te', "back\\slash"})
def test_repositories_may_be_anywhere(sandbox: Sandbox, in_sandbox: object, name: str) -> None:
    assert in_sandbox
    root = sandbox.root / name
    lab = Lab(Sandbox(root))
    work(lab, lab.laptop)
    pushed = push_untouched(lab)
    pod = root / "cloned"
    clone(pushed.hash, str(pod), Options(repo=lab.ghost_url))
    assert_exact(lab, pod, pushed, lab.disk_state())


def test_a_separate_git_folder_works(lab: Lab) -> None:
    separate = lab.sandbox.root / "elsewhere.git"
    lab.sandbox.git("init", "--quiet", "--separate-git-dir", separate, cwd=lab.laptop)
    work(lab, lab.laptop)
    round_trip(lab, unsent=[b".git"])


# Submodules


def with_submodule(lab: Lab, at: Path) -> Path:
    """Add a submodule with a history of its own; returns where it is checked out."""
    source = lab.sandbox.repo("library.git", bare=True)
    library = lab.sandbox.repo("library")
    for text in ("one", "two"):
        lab.write("lib.py", text.encode(), at=library)
        lab.commit(text, at=library)
    lab.sandbox.git("push", "--quiet", source, "main", cwd=library)
    lab.sandbox.config("protocol.file.allow", "always")
    lab.sandbox.git("submodule", "--quiet", "add", source, "vendor/lib", cwd=at)
    return at / "vendor/lib"


@pytest.mark.parametrize("new", [False, True], ids=["moved", "new"])
def test_submodules_arrive_as_the_commits_they_are_at(lab: Lab, new: bool) -> None:
    inner = with_submodule(lab, lab.laptop)
    if not new:
        lab.commit("With a library")
        lab.push()
        lab.sandbox.git("checkout", "--quiet", "HEAD~1", cwd=inner)
    lab.write("foo", b"b\n")
    pushed = push_untouched(lab)
    assert pushed.hash == lab.tree_of()
    pod = lab.fresh_clone("pod")
    assert pull(pushed.hash, options(lab, pod)).submodules == ("vendor/lib",)
    assert_exact(lab, pod, pushed, without(lab.disk_state(), [b"vendor/lib"]))
    lab.sandbox.git("submodule", "--quiet", "update", "--init", cwd=pod)
    assert lab.disk_state(pod) == lab.disk_state()


def test_a_submodule_whose_place_a_file_took_arrives_as_the_file(lab: Lab) -> None:
    with_submodule(lab, lab.laptop)
    lab.commit("With a library")
    lab.push()
    lab.sandbox.git("rm", "--quiet", "vendor/lib", cwd=lab.laptop)
    lab.write("vendor/lib", b"a file now\n")
    round_trip(lab)


def test_submodules_that_are_not_checked_out_stay_as_they_are(lab: Lab) -> None:
    with_submodule(lab, lab.laptop)
    lab.commit("With a library")
    lab.push()
    laptop = lab.fresh_clone("another laptop")
    lab.write("foo", b"b\n", at=laptop)
    assert round_trip(lab, at=laptop).changed == ("foo",)


def submodule_with_work(lab: Lab, what: str) -> None:
    inner = with_submodule(lab, lab.laptop)
    lab.commit("With a library")
    lab.push()
    if what == "new file":
        lab.write("new.py", b"new\n", at=inner)
    else:
        lab.write("lib.py", b"changed\n", at=inner)
    if what == "unpushed commit":
        lab.commit("Unpushed", at=inner)


@pytest.mark.parametrize("what", ["new file", "changed file", "unpushed commit"])
def test_work_inside_of_a_submodule_is_refused_or_left_knowingly(lab: Lab, what: str) -> None:
    submodule_with_work(lab, what)
    lab.write("foo", b"b\n")
    with pytest.raises(GhostError, match="vendor/lib"):
        push(options(lab))
    assert lab.ghost_refs() == []
    pushed = push_untouched(lab, without=["submodules"])
    pod = lab.fresh_clone("pod")
    pull(pushed.hash, options(lab, pod))
    assert lab.disk_state(pod) == without(lab.disk_state(), [b"vendor/lib"])


def test_a_push_and_a_pull_inside_of_a_submodule_are_about_the_submodule(lab: Lab) -> None:
    inner = with_submodule(lab, lab.laptop)
    lab.write("lib.py", b"three\n", at=inner)
    pushed = push_untouched(lab, inner)
    lab.sandbox.git("checkout", "--quiet", "--", ".", cwd=inner)
    pull(pushed.hash, options(lab, inner))
    assert (inner / "lib.py").read_bytes() == b"three\n"
    assert lab.sandbox.text("status", "--porcelain", cwd=inner) == "M lib.py"
