"""What the commands print: data on stdout as v0.1 prints it, everything else on stderr."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from tests.support.lab import Lab
from tests.support.sandbox import Sandbox

HEX = re.compile(r"[0-9a-f]{40}")


# --- push ----------------------------------------------------------------------------------------


def test_push_prints_the_base_and_the_hash(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    done = lab.ghost("push")
    assert done.out.decode() == f"{lab.head()} {lab.tree_of()}\n"


def test_push_prints_the_commits_line_first(lab: Lab) -> None:
    base = lab.head()
    lab.write("foo", b"b\n")
    lab.commit("Say b")
    lab.write("foo", b"c\n")
    done = lab.ghost("push")
    assert done.out.decode() == f"{base} {lab.head()}\n{lab.head()} {lab.tree_of()}\n"
    assert lab.ghost("push", "commits").out.decode() == f"{base} {lab.head()}\n"
    assert lab.ghost("push", "all", base).out == done.out
    assert lab.ghost("push", "diff").out.decode() == f"{lab.head()} {lab.tree_of()}\n"


def test_push_tells_what_it_sent_and_where(lab: Lab) -> None:
    base = lab.head()
    lab.write("src/train.py", b"print('longer')\n")
    lab.commit("Train longer")
    lab.write("foo", b"b\n")
    lab.write("new model.py", b"n\n")
    lab.write('odd"name\n', b"n\n")
    assert lab.ghost("push").err == (
        f"sent to {lab.ghost_url}:\n"
        f"  1 commit since {base[:12]}\n"
        "  1 changed file: foo\n"
        '  2 new files: new model.py, "odd\\"name\\n"\n'
    )


def test_push_names_a_few_files_and_all_of_them_with_verbose(lab: Lab) -> None:
    for number in range(6):
        lab.write(f"new{number}", b"n\n")
    err = lab.ghost("push").err
    assert "  6 new files: new0, new1, new2, new3 and 2 more\n" in err
    one_a_line = "".join(f"    new{number}\n" for number in range(6))
    assert f"  6 new files:\n{one_a_line}" in lab.ghost("push", "-v").err


def test_a_push_of_what_is_there_says_so(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    first = lab.ghost("push")
    again = lab.ghost("push")
    assert again.out == first.out
    assert again.err == f"already in {lab.ghost_url}:\n  1 changed file: foo\n"


def test_commits_that_are_there_already_are_told_from_the_diff_that_is_new(lab: Lab) -> None:
    lab.commit("Empty")
    lab.ghost("push").ok()
    lab.write("foo", b"b\n")
    assert "  1 commit since " in (err := lab.ghost("push").err)
    assert " (already there)\n" in err


def test_a_push_without_changes_says_so(lab: Lab) -> None:
    done = lab.ghost("push")
    assert done.ok() == f"{lab.head()} {lab.tree_of()}"
    assert "  no uncommitted changes\n" in done.err


def test_a_dry_run_prints_what_a_push_would_print_and_sends_nothing(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    done = lab.ghost("push", "-n")
    assert done.ok() == f"{lab.head()} {lab.tree_of()}"
    assert done.err.startswith(f"would send to {lab.ghost_url}:\n")
    assert lab.ghost_refs() == []


def test_the_embedded_repository_is_introduced_once(lab: Lab) -> None:
    home = lab.sandbox.root
    first = lab.sandbox.ghost("push", cwd=lab.laptop).err
    assert "git config --global ghost.repo URL" in first
    assert re.search(rf"^sent to {re.escape(str(home))}/.*/ghosts.git:$", first, re.MULTILINE)
    assert "ghost.repo" not in lab.sandbox.ghost("push", cwd=lab.laptop).err


def test_quiet_leaves_warnings_and_data(lab: Lab) -> None:
    lab.write("new", b"n\n")
    done = lab.ghost("push", "-q", "--no-untracked")
    assert HEX.match(done.ok())
    assert done.err == "warning: new files not sent (--no-untracked): new\n"


def test_a_warning_is_one_line_with_four_paths_and_all_of_them_with_verbose(lab: Lab) -> None:
    for number in range(10):
        lab.write(f"new{number}", b"n\n")
    err = lab.ghost("push", "--no-untracked").err
    assert err.endswith("(--no-untracked): new0, new1, new2, new3 and 6 more\n")
    assert lab.ghost("push", "--no-untracked", "-v").err.endswith(", new7, new8, new9\n")


def test_push_as_json(lab: Lab) -> None:
    base = lab.head()
    head = lab.commit("Empty")
    lab.write("foo", b"b\n")
    lab.write(b"caf\xe9", b"n\n")
    done = lab.ghost("push", "--json")
    tree = lab.tree_of()
    assert json.loads(done.out) == {
        "hash": tree,
        "base": head,
        "ghosts": [
            {
                "kind": "commits",
                "base": base,
                "to": head,
                "ref": f"refs/heads/ghost/{base}-{head}",
                "new": True,
            },
            {
                "kind": "diff",
                "base": head,
                "to": tree,
                "ref": f"refs/heads/ghost/{head}/{tree}",
                "new": True,
            },
        ],
        "repo": lab.ghost_url,
        "head": head,
        "remote_base": base,
        "source": lab.source_url,
        "commits": 1,
        "changed": ["foo"],
        "untracked": ["caf\udce9"],
        "notices": [],
        "dry_run": False,
    }


def test_verbose_shows_the_git_commands_without_credentials(lab: Lab) -> None:
    url = "https://user:hunter2@127.0.0.1:1/ghosts.git"
    err = lab.sandbox.ghost("push", "-v", "--ghost-repo", url, cwd=lab.laptop).err
    assert re.search(r"^\+ git rev-parse ", err, re.MULTILINE)
    assert re.search(r"^\+ git .*push .*https://127.0.0.1:1/ghosts.git", err, re.MULTILINE)
    assert "hunter2" not in err


# --- pull and clone ------------------------------------------------------------------------------


@pytest.fixture
def pushed(lab: Lab) -> str:
    """The hash of a laptop's working tree with one commit, one change and one new file."""
    lab.write("foo", b"b\n")
    lab.commit("Say b")
    lab.write("foo", b"c\n")
    lab.write("new", b"n\n")
    return lab.ghost("push").ok().split()[-1]


def test_pull_prints_nothing_on_stdout_and_tells_what_it_did(lab: Lab, pushed: str) -> None:
    pod = lab.fresh_clone("pod")
    done = lab.ghost("pull", pushed, at=pod)
    assert done.ok() == ""
    assert done.err == (
        f"pulled {pushed}: 2 files changed\n  branch main was fast-forwarded to {lab.head()}\n"
    )
    assert lab.tree_of(pod) == pushed
    assert lab.ghost("pull", pushed, at=pod).err == f"pulled {pushed}: 0 files changed\n"


def test_pull_tells_when_it_detached_head(lab: Lab, pushed: str) -> None:
    pod = lab.fresh_clone("pod", "--depth=1")
    lab.commit("Elsewhere", at=pod)
    err = lab.ghost("pull", pushed, at=pod).err
    assert f"  HEAD is detached at {lab.head()} (it was on main: git switch main)\n" in err


def test_pull_warns_of_untracked_files(lab: Lab, pushed: str) -> None:
    pod = lab.fresh_clone("pod")
    lab.write("stray", b"s\n", at=pod)
    done = lab.ghost("pull", "-q", pushed, at=pod)
    assert done.err == ("warning: 1 untracked file here, not part of what was pulled:\n  stray\n")


def test_what_pull_set_aside_comes_back_as_it_says(lab: Lab, pushed: str) -> None:
    pod = lab.fresh_clone("pod")
    lab.write("README", b"mine\n", at=pod)
    lab.write("foo", b"mine, and the ghost's too\n", at=pod)
    (pod / "run.sh").unlink()
    assert "README" in lab.ghost("pull", pushed, at=pod).fails(5)
    err = lab.ghost("pull", "--force", pushed, at=pod).err
    (look,) = re.findall(r"git (diff HEAD \S+)$", err, re.MULTILINE)
    (back,) = re.findall(r"  to get them back: (.*)$", err, re.MULTILINE)
    assert "+mine" in lab.sandbox.text(*look.split(), cwd=pod)
    lab.sandbox.run("sh", "-c", back, cwd=pod).ok()
    assert (pod / "README").read_bytes() == b"mine\n"
    assert (pod / "foo").read_bytes() == b"mine, and the ghost's too\n"
    assert not (pod / "run.sh").exists()


def test_pull_names_submodules_that_are_left(lab: Lab) -> None:
    lab.sandbox.config("protocol.file.allow", "always")
    add = ("submodule", "--quiet", "add", "--", lab.source_url, "lib")
    lab.sandbox.git(*add, cwd=lab.laptop)
    pushed = lab.ghost("push").ok().split()[-1]
    err = lab.ghost("pull", "-q", pushed, at=lab.fresh_clone("pod")).err
    assert err == "warning: 1 submodule to be updated:\n  lib\nhint: git submodule update --init\n"


def test_submodules_that_the_laptop_does_without_are_no_warning(lab: Lab) -> None:
    lab.sandbox.config("protocol.file.allow", "always")
    for name in ("lib", "other"):
        lab.sandbox.git("submodule", "--quiet", "add", "--", lab.source_url, name, cwd=lab.laptop)
    lab.commit("Use libraries")
    lab.push()
    place = lab.fresh_clone("place")
    lab.sandbox.git("submodule", "--quiet", "update", "--init", "lib", cwd=place)
    lab.write("foo", b"b\n", at=place)
    pushed = lab.ghost("push", at=place).ok().split()[-1]
    cloned = lab.ghost("clone", "-q", pushed, "pod", at=lab.sandbox.root)
    assert cloned.err.startswith("warning: 1 submodule to be updated:\n  lib\n")
    here = lab.fresh_clone("here")  # what is here, but at another commit, is told
    lab.sandbox.git("submodule", "--quiet", "update", "--init", "other", cwd=here)
    lab.sandbox.git("checkout", "-q", "HEAD~1", cwd=here / "other")
    said = lab.ghost("pull", "-q", "--force", pushed, at=here).err
    assert "warning: 2 submodules to be updated:\n  lib\n  other\n" in said


def test_what_the_last_pull_told_is_not_told_again(lab: Lab, pushed: str) -> None:
    pod = lab.fresh_clone("pod")
    lab.write("stray", b"s\n", at=pod)
    first = lab.ghost("pull", "-q", pushed, at=pod).err
    assert "stray" in first
    again = lab.ghost("pull", "-q", "--json", pushed, at=pod)
    assert again.err == ""
    assert json.loads(again.ok())["untracked"] == ["stray"]
    lab.write("another", b"a\n", at=pod)
    assert "\n  another\n  stray\n" in lab.ghost("pull", "-q", pushed, at=pod).err


def test_pull_says_when_there_is_nothing_to_verify_against(lab: Lab) -> None:
    """A ghost as v0.1 made it: named after the SHA-1 of its patch, without trailers."""
    patch = b"--- a/foo\n+++ b/foo\n@@ -1 +1 @@\n-a\n+b\n"
    name = hashlib.sha1(patch).hexdigest()  # noqa: S324 (v0.1's names)

    def git(*args: str, stdin: bytes | None = None) -> str:
        return lab.sandbox.text(*args, cwd=lab.ghost_repo, stdin=stdin)

    blob = git("hash-object", "-w", "--stdin", stdin=patch)
    tree = git("mktree", stdin=f"100644 blob {blob}\tlocal-mod.patch\n".encode())
    commit = git("commit-tree", "-m", "Create ghost commit", tree)
    git("update-ref", f"refs/heads/ghost/{lab.head()}/{name}", commit)
    err = lab.ghost("pull", "-q", name).err
    assert (lab.laptop / "foo").read_bytes() == b"b\n"
    assert err == (
        "warning: this ghost was made by v0.1, whose hashes are not tree ids: there was nothing to"
        f" verify against; the tree is {lab.tree_of()}\n"
    )


def test_pull_as_json(lab: Lab, pushed: str) -> None:
    pod = lab.fresh_clone("pod")
    lab.write("stray", b"s\n", at=pod)
    told = json.loads(lab.ghost("pull", "--json", pushed, at=pod).out)
    assert told["hash"] == told["tree"] == pushed
    assert told["base"] == lab.head()
    assert (told["changed"], told["untracked"], told["verified"]) == (2, ["stray"], True)
    assert (told["head"], told["branch"], told["backup"]) == ("branch", "main", "")


def test_clone_prints_nothing_on_stdout_and_says_where(lab: Lab, pushed: str) -> None:
    place = lab.sandbox.root / "place"
    place.mkdir()
    done = lab.ghost("clone", pushed, "w", at=place)
    assert done.ok() == ""
    assert done.err.startswith(f"cloned {pushed} into {place}/w: ")
    assert lab.tree_of(place / "w") == pushed
    told = json.loads(lab.ghost("clone", pushed, "--json", at=place).out)
    assert told["directory"] == str(place / "source")
    assert "told" not in told["pulled"]
    assert told["pulled"]["branch"] == ""
    assert (told["pulled"]["hash"], told["pulled"]["head"]) == (pushed, "detached")


# --- show and diff -------------------------------------------------------------------------------


def test_show_prints_the_stored_patches_byte_for_byte(lab: Lab) -> None:
    base = lab.head()
    lab.write("foo", b"caf\xe9\r\n\x00")
    lab.commit("Binary")
    lab.write("foo", b"more\r\n")
    tree = lab.ghost("push").ok().split()[-1]
    diff = lab.sandbox.git("show", f"ghost/{lab.head()}/{tree}:local-mod.patch", cwd=lab.ghost_repo)
    commits = lab.sandbox.git(
        "show", f"ghost/{base}-{lab.head()}:commits.patch", cwd=lab.ghost_repo
    )
    assert lab.ghost("show", tree).out == diff
    assert lab.ghost("show", "diff", lab.head(), tree).out == diff
    assert lab.ghost("show", "commits", base, lab.head()).out == commits
    assert lab.ghost("show", "all", base, lab.head(), tree).out == commits + diff


def test_diff_compares_the_working_tree_commits_and_ghosts(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    tree = lab.ghost("push").ok().split()[-1]
    patch = lab.ghost("diff").out
    assert b"\n-a\n+b\n" in patch
    assert lab.ghost("diff", "HEAD").out == lab.ghost("diff", "HEAD", tree).out == patch
    assert lab.ghost("diff", tree).out == b""
    assert b"\n-b\n+a\n" in lab.ghost("diff", tree, "HEAD").out


# --- list and delete -----------------------------------------------------------------------------

HEADERS = {
    "commits": ("Local Base Branches:", "Remote Base", "Local Base"),
    "diff": ("Local Mod Branches:", "Local Base", "Local Mod"),
}


def table(kind: str, rows: list[str], did: str = "") -> str:
    """A list as v0.1 prints it."""
    title, left, right = HEADERS[kind]
    lines = [did + title, "", f"{left:<40} {right:<40}", *rows, ""]
    return "".join(f"{line}\n" for line in lines)


@pytest.fixture
def ghosts(lab: Lab) -> dict[str, list[str]]:
    """Two diff ghosts and a commits ghost: the rows of their lists."""
    base = lab.head()
    lab.write("foo", b"b\n")
    rows = [lab.ghost("push").ok()]
    lab.commit("Say b")
    lab.write("foo", b"c\n")
    commits, diff = lab.ghost("push").ok().splitlines()
    assert commits == f"{base} {lab.head()}"
    return {"commits": [commits], "diff": sorted([*rows, diff])}


def test_list_prints_what_v01_prints(lab: Lab, ghosts: dict[str, list[str]]) -> None:
    diffs, commits = table("diff", ghosts["diff"]), table("commits", ghosts["commits"])
    assert lab.ghost("list").out.decode() == diffs
    assert lab.ghost("list", "diff").out.decode() == diffs
    assert lab.ghost("list", "commits").out.decode() == commits
    assert lab.ghost("list", "all").out.decode() == commits + diffs
    assert lab.ghost("list").err == ""


def test_list_without_headers_prints_rows_alone(lab: Lab, ghosts: dict[str, list[str]]) -> None:
    rows = [*ghosts["commits"], *ghosts["diff"]]
    done = lab.ghost("list", "all", "--no-headers")
    assert done.out.decode() == "".join(f"{row}\n" for row in rows)


@pytest.mark.parametrize(
    ("output", "column", "title"), [("only-from", 0, "Local Base"), ("only-to", 1, "Local Mod")]
)
def test_list_prints_one_column(
    lab: Lab, ghosts: dict[str, list[str]], output: str, column: int, title: str
) -> None:
    cells = "".join(f"{row.split()[column]}\n" for row in ghosts["diff"])
    done = lab.ghost("list", "-o", output)
    assert done.out.decode() == f"Local Mod Branches:\n\n{title:<40}\n{cells}\n"
    assert lab.ghost("list", "--output", output, "--no-headers").out.decode() == cells


def test_list_takes_globs_for_both_ends(lab: Lab, ghosts: dict[str, list[str]]) -> None:
    row = ghosts["diff"][0]
    base, tree = row.split()
    for args in ("--from", f"{base[:9]}*"), ("--to", tree), ("--from=*", f"--to={tree[:20]}*"):
        assert lab.ghost("list", "--no-headers", *args).out.decode() == f"{row}\n"
    assert lab.ghost("list", "--no-headers", "--to", "0000*").out == b""


def test_an_empty_ghost_repository_lists_as_empty_tables(lab: Lab) -> None:
    done = lab.ghost("list", "all")
    assert done.out.decode() == table("commits", []) + table("diff", [])
    assert done.err == f"there are no ghosts in {lab.ghost_url} under 'ghost'\n"
    told = lab.ghost("list", "--to", "0*").err
    assert told == f"there are no diff ghosts that match in {lab.ghost_url} under 'ghost'\n"
    assert lab.ghost("list", "-q").err == ""


def test_list_works_outside_any_repository(lab: Lab, ghosts: dict[str, list[str]]) -> None:
    done = lab.ghost("list", at=lab.sandbox.root)
    assert done.out.decode() == table("diff", ghosts["diff"])


def test_list_as_json(lab: Lab, ghosts: dict[str, list[str]]) -> None:
    told = json.loads(lab.ghost("list", "all", "--json").out)
    rows = [f"{ghost['base']} {ghost['to']}" for ghost in told]
    assert rows == [*ghosts["commits"], *ghosts["diff"]]
    assert [ghost["kind"] for ghost in told] == ["commits", "diff", "diff"]
    for ghost in told:
        assert lab.sandbox.text("rev-parse", ghost["ref"], cwd=lab.ghost_repo) == ghost["commit"]


def stays(ghosts: dict[str, list[str]]) -> str:
    """What is said of the one commits ghost that no diff ghost is on any more."""
    hash = ghosts["commits"][0].split()[1]
    return (
        f"the commits ghost {hash} stays, although no diff ghost is on it any more;"
        f" to delete it: git ghost delete commits {hash}\n"
    )


def test_delete_prints_what_it_deleted(lab: Lab, ghosts: dict[str, list[str]]) -> None:
    row = ghosts["diff"][0]
    base, tree = row.split()
    done = lab.ghost("delete", "--from", base, "--to", tree)
    assert done.out.decode() == table("diff", [row], "Deleted ")
    assert done.err == f"deleted 1 ghost\n{stays(ghosts)}"
    assert len(lab.ghost_refs()) == 2
    done = lab.ghost("delete", "all", "--all")
    rest = table("commits", ghosts["commits"], "Deleted ")
    assert done.out.decode() == rest + table("diff", ghosts["diff"][1:], "Deleted ")
    assert lab.ghost_refs() == []


def test_delete_takes_hashes(lab: Lab, ghosts: dict[str, list[str]]) -> None:
    row = ghosts["diff"][1]
    done = lab.ghost("delete", f"{row.split()[1][:10]}\n", "--no-headers")
    assert done.out.decode() == f"{row}\n"
    assert len(lab.ghost_refs()) == 2
    lab.ghost("delete", row.split()[1]).fails(3)


def test_a_dry_run_of_delete_deletes_nothing(lab: Lab, ghosts: dict[str, list[str]]) -> None:
    done = lab.ghost("delete", "--dry-run")
    assert done.out.decode() == table("diff", ghosts["diff"], "Deleted ")
    assert done.err == f"would delete 2 ghosts\n{stays(ghosts)}"
    assert len(lab.ghost_refs()) == 3


# --- doctor, version -----------------------------------------------------------------------------


def test_doctor_prints_a_table_and_succeeds_when_all_is_well(lab: Lab) -> None:
    lines = lab.ghost("doctor").ok().splitlines()
    assert all(re.match(r"ok    \S.*  \S", line) for line in lines)
    assert any(lab.ghost_url in line for line in lines)


def test_doctor_fails_when_something_is_wrong(lab: Lab) -> None:
    done = lab.ghost("doctor", "--ghost-repo", lab.sandbox.root / "none.git")
    assert done.code == 1
    assert b"\nfail  ghost repository  " in done.out


def test_doctor_as_json(lab: Lab) -> None:
    done = lab.ghost("doctor", "--json", "--ghost-repo", lab.sandbox.root / "none.git")
    told = {check["name"]: check for check in json.loads(done.out)}
    assert told["git"]["ok"] is True
    assert told["ghost repository"]["ok"] is False
    assert "none.git" in told["ghost repository"]["detail"]
    assert done.code == 1


def test_version_is_on_stdout(sandbox: Sandbox) -> None:
    said = sandbox.ghost("version").out.decode()
    assert re.fullmatch(r"git-ghost \d+\.\d+\.\d+\S*\n", said)
    assert sandbox.ghost("--version").ok() == said.strip()
    told = json.loads(sandbox.ghost("version", "--json").out)
    assert f"git-ghost {told['git-ghost']}\n" == said
    assert sandbox.text("version").endswith(told["git"])


# --- JSON of what fails, hashes from standard input ----------------------------------------------


@pytest.mark.parametrize(
    ("args", "kind", "code"),
    [
        (("pull", "--json", "0" * 40), "NoSuchGhost", 3),
        (("show", "--json", "HEAD"), "UsageError", 2),
        (("list", "--json", "--frobnicate"), "NoSuchOption", 2),
        (("diff", "--json", "--src-dir", "none"), "GhostError", 1),
    ],
)
def test_what_fails_is_json_too_where_json_was_asked_for(
    lab: Lab, args: tuple[str, ...], kind: str, code: int
) -> None:
    lab.write("foo", b"b\n")
    lab.ghost("push").ok()
    done = lab.ghost(*args)
    error = json.loads(done.out)["error"]
    assert (error["kind"], error["exit_code"], done.code) == (kind, code, code)
    assert done.err.startswith(f"error: {error['message'][:1].lower()}")


def test_a_json_that_stands_behind_the_dashes_asks_for_none(lab: Lab) -> None:
    assert lab.ghost("pull", "0" * 40, "--", "--json").out == b""


def test_a_hash_can_come_from_standard_input(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    pushed = lab.ghost("push").out
    patch = lab.ghost("show", "-", stdin=pushed).out
    assert b"+b\n" in patch
    lab.ghost("clone", "-", "there", at=lab.sandbox.root, stdin=pushed).ok()
    assert (lab.sandbox.root / "there" / "foo").read_bytes() == b"b\n"
    lab.write("foo", b"c\n")
    lab.ghost("push").ok()
    rows = lab.ghost("list", "--no-headers").out
    assert lab.ghost("delete", "-", stdin=rows).err == "deleted 2 ghosts\n"
    assert lab.ghost_refs() == []


def two_bases(lab: Lab) -> tuple[str, str, str]:
    """The hash of a tree that was pushed on two bases, the older base, the newer one."""
    older = lab.head()
    lab.write("foo", b"b\n")
    hash = lab.ghost("push").ok().split()[-1]
    newer = lab.commit("The same, committed")
    lab.ghost("push").ok()
    return hash, older, newer


def test_a_row_on_standard_input_deletes_the_ghost_from_its_base_alone(lab: Lab) -> None:
    hash, older, newer = two_bases(lab)
    rows = lab.ghost("list", "--from", older, "--no-headers").out
    lab.ghost("delete", "-", stdin=rows).ok()
    assert lab.ghost("list", "--no-headers").ok() == f"{newer} {hash}"
    gone = lab.ghost("delete", "-", stdin=rows)
    assert f"no ghost {hash} on the base {older}" in gone.err
    assert gone.code == 3
    assert lab.ghost("delete", "-", stdin=f"{hash}\n".encode()).err.startswith("deleted 1 ghost")


def test_a_row_on_standard_input_names_the_base_too(lab: Lab) -> None:
    hash, older, newer = two_bases(lab)
    for base in (older, newer):
        row, name = f"{base} {hash}\n".encode(), f"on-{base}"
        assert lab.ghost("show", "-", stdin=row).out == lab.ghost("show", base, hash).out
        lab.ghost("clone", "-", name, at=lab.sandbox.root, stdin=row).ok()
        assert lab.head(at=lab.sandbox.root / name) == base
    pod = lab.fresh_clone("pod")
    lab.ghost("pull", "commits", "-", at=pod, stdin=f"{older} {newer}\n".encode()).ok()
    lab.ghost("pull", "-", at=pod, stdin=f"{newer} {hash}\n".encode()).ok()
    assert lab.head(at=pod) == newer


def test_a_hash_that_is_on_another_base_says_so(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    base, hash = lab.ghost("push").ok().split()
    other = lab.head("HEAD~1")
    for words in (("pull", other, hash), ("show", other, hash), ("clone", "--base", other, hash)):
        refused = lab.ghost(*words)
        assert f"it is there, on base {base}" in refused.err
        assert refused.code == 3


def test_show_as_json_says_what_the_ghost_says(lab: Lab) -> None:
    base = lab.head()
    lab.commit("Empty")
    lab.write("foo", b"\xff\n")
    pushed = lab.ghost("push", "-m", "one more").out.decode().split()[-1]
    (told,) = json.loads(lab.ghost("show", pushed, "--json").out)
    assert os.fsencode(told["patch"]) == lab.ghost("show", pushed).out
    assert (told["kind"], told["to"], told["base"]) == ("diff", pushed, lab.head())
    assert (told["message"], told["branch"], told["remote_base"]) == ("one more", "main", base)
    assert told["source"] == lab.source_url
    assert lab.sandbox.text("rev-parse", told["ref"], cwd=lab.ghost_repo) == told["commit"]


def test_diff_counts_lines_for_people_and_as_json(lab: Lab) -> None:
    lab.write("foo", b"b\nc\n")
    lab.write("new\n", b"\0")
    lab.laptop.joinpath("run.sh").unlink()
    told = json.loads(lab.ghost("diff", "--json").out)
    assert {file["path"]: (file["status"], file["added"], file["deleted"]) for file in told} == {
        "foo": ("M", 2, 1),
        "new\n": ("A", None, None),
        "run.sh": ("D", 0, 2),
    }
    stat = lab.ghost("diff", "--stat").ok()
    assert "3 files changed, 2 insertions(+), 3 deletions(-)" in stat
    assert "foo" in stat


def test_git_finds_the_command(lab: Lab, tmp_path: Path) -> None:
    lab.write("foo", b"b\n")
    env = {"GIT_GHOST_REPO": lab.ghost_url}
    git = lab.sandbox.run("git", "ghost", "push", cwd=lab.laptop, env=env)
    alone = lab.sandbox.run("git-ghost", "push", "--src-dir", lab.laptop, cwd=tmp_path, env=env)
    assert git.ok() == alone.ok() == f"{lab.head()} {lab.tree_of()}"
