"""What must not leave a laptop unnoticed is refused, with names, sizes and the ways out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from git_ghost import GhostError, Options, Pushed, push
from git_ghost.errors import UsageError
from git_ghost.worktree.guards import (
    SizeLimits,
    check_sizes,
    looks_secret,
    show_path,
    show_paths,
    show_size,
)
from tests.support.lab import Lab
from tests.support.sandbox import Sandbox


@pytest.fixture
def lab(in_sandbox: Sandbox) -> Lab:
    return Lab(in_sandbox)


def send(lab: Lab, **arguments: Any) -> Pushed:
    options = Options(directory=lab.laptop, repo=lab.ghost_url)
    return push(options, **arguments)


def refused(lab: Lab, **arguments: Any) -> GhostError:
    """Assert that a push is refused before anything is hashed or sent, and return why."""
    before = sorted((lab.laptop / ".git/objects").rglob("*"))
    created: list[str] = []
    with pytest.raises(GhostError) as caught:
        send(lab, **arguments)
    assert type(caught.value) is GhostError
    assert caught.value.hint
    assert sorted((lab.laptop / ".git/objects").rglob("*")) == before
    assert not list((lab.laptop / ".git/git-ghost/tmp").iterdir())
    assert lab.ghost_refs() == created
    return caught.value


# Paths and sizes in messages


def test_an_odd_path_is_shown_on_one_line_and_unmistakably() -> None:
    assert show_path(b"plain name.txt") == "plain name.txt"
    assert show_path("naïve/é".encode()) == "naïve/é"
    assert show_path(b'a\nb\t"c"\\\xff\x01') == '"a\\nb\\t\\"c\\"\\\\\\377\\001"'
    assert show_path(b" padded ") == '" padded "'
    assert show_path(b"") == '""'


def test_many_paths_are_counted() -> None:
    shown = show_paths([b"f%d" % n for n in range(11)])
    assert shown.endswith("\n  f7\n  … and 3 more")


def test_sizes_are_in_git_s_binary_units() -> None:
    sizes = (0, 1023, 1024, 25 << 20, 3 << 29, 5 << 40)
    shown = ["0 bytes", "1023 bytes", "1.0 KiB", "25.0 MiB", "1.5 GiB", "5120.0 GiB"]
    assert [show_size(size) for size in sizes] == shown


# Sizes


def test_the_limits_themselves_are_allowed() -> None:
    assert not list(check_sizes({b"a": 10, b"b": 10}, SizeLimits(10, 20)))
    assert list(check_sizes({b"a": 10, b"b": 11}, SizeLimits(11, 20)))
    assert not list(check_sizes({}, SizeLimits(0, 0)))


def sparse(path: Path, size: int) -> None:
    path.touch()
    os.truncate(path, size)


def test_a_large_new_file_is_refused_at_once_and_never_read(lab: Lab) -> None:
    sparse(lab.laptop / "model.bin", 10 << 30)  # reading it would take longer than a test may
    sparse(lab.laptop / "small.bin", 30 << 20)
    error = refused(lab)
    assert "2 changed or new files over the limit of 25.0 MiB; nothing was sent" in error.message
    model, small = "model.bin (10.0 GiB)", "small.bin (30.0 MiB)"
    assert error.message.index(model) < error.message.index(small)
    assert ".gitignore" in error.hint
    assert "--no-untracked" in error.hint
    assert "git config ghost.maxFileSize 10241m" in error.hint


def test_a_dry_run_is_refused_just_the_same(lab: Lab) -> None:
    sparse(lab.laptop / "model.bin", 10 << 30)
    assert "model.bin" in refused(lab, dry_run=True).message


def test_a_large_tracked_file_is_refused_too(lab: Lab) -> None:
    sparse(lab.laptop / "foo", 10 << 30)
    assert "foo (10.0 GiB)" in refused(lab, untracked=False).message


def test_a_large_file_that_is_staged_is_refused_too(lab: Lab) -> None:
    sparse(lab.laptop / "staged.bin", 26 << 20)
    lab.sandbox.git("add", "staged.bin", cwd=lab.laptop)
    assert "staged.bin (26.0 MiB)" in refused(lab).message


def test_many_files_may_be_too_much_together(lab: Lab) -> None:
    for n in range(9):
        sparse(lab.laptop / f"part{n}", (20 << 20) + n * 1024)
    lab.sandbox.git("config", "ghost.maxSize", "150m", cwd=lab.laptop)
    error = refused(lab)
    assert (
        "9 changed or new files have 180.0 MiB together, over the limit of 150.0" in error.message
    )
    assert "part8 (20.0 MiB)" in error.message
    assert "ghost.maxSize 181m" in error.hint


def test_the_way_out_that_is_named_is_one(lab: Lab) -> None:
    lab.sandbox.git("config", "ghost.maxFileSize", "1k", cwd=lab.laptop)
    lab.write("data", bytes(3000))
    command = refused(lab).hint.partition("To send it all the same: git ")[2].split()
    lab.sandbox.git(*command, cwd=lab.laptop)
    assert send(lab).untracked == ("data",)


def test_what_is_not_sent_may_be_of_any_size(lab: Lab) -> None:
    sparse(lab.laptop / "ignored.bin", 10 << 30)
    sparse(lab.laptop / "new.bin", 10 << 30)
    lab.write(".git/info/exclude", b"ignored.bin\n")
    pushed = send(lab, untracked=False)
    assert [notice.paths for notice in pushed.notices] == [("new.bin",)]


def test_an_included_file_counts_like_any_other(lab: Lab) -> None:
    sparse(lab.laptop / "ignored.bin", 10 << 30)
    lab.write(".git/info/exclude", b"ignored.bin\n")
    assert "ignored.bin" in refused(lab, include=["ignored.bin"]).message


# All reasons at once


def test_all_reasons_are_told_at_once_each_with_its_way_out(lab: Lab) -> None:
    sparse(lab.laptop / "model.bin", 30 << 20)
    lab.write(".env", b"TOKEN=x\n")
    lab.sandbox.git("init", "--quiet", "vendored", cwd=lab.laptop)
    result = lab.ghost("push")
    assert (
        "error: this push is refused for 3 reasons; nothing was sent\nerror: 1 git repo"
        in result.fails(1)
    )
    for name in ("  vendored/", "  .env", "  model.bin (30.0 MiB)"):
        assert f"\n{name}\n" in result.err
    for way_out in ("--without nested", "name each file with -I", "ghost.maxFileSize 31m"):
        assert any(way_out in line for line in result.err.split("\n") if line[:5] == "hint:")
    assert result.out == b""
    assert lab.ghost_refs() == []
    assert result.err.count("nothing was sent") == 1
    below = result.err[result.err.index("\n  .env\n") :].split("\n")
    assert below[2].startswith("hint: Put what is to stay here into .gitignore")
    told = json.loads(lab.ghost("push", "--json").out)["error"]["refusals"]
    assert [each["paths"] for each in told] == [["vendored/"], [".env"], ["model.bin"]]
    assert told[1]["text"] == "1 new file with a name like that of a secret"
    assert "-I" in told[1]["hint"]


def test_the_way_out_is_one_for_how_the_file_came_to_be_sent(lab: Lab) -> None:
    for name in ("foo", "ignored.bin", "staged.bin"):
        sparse(lab.laptop / name, 30 << 20)
    lab.write(".git/info/exclude", b"ignored.bin\n")
    lab.sandbox.git("add", "staged.bin", cwd=lab.laptop)
    hint = refused(lab, include=["ignored.bin"]).hint
    ways = ("git rm --cached", "-I", "git stash", "ghost.maxFileSize 31m")
    for way, line in zip(ways, hint.split("\n"), strict=True):
        assert way in line
    assert "--no-untracked" not in hint


def test_every_likely_secret_is_named_since_each_must_be(lab: Lab) -> None:
    for number in range(20):
        lab.write(f"{number}.key", b"x\n")
    said = lab.ghost("push").fails(1)
    assert all(f"\n  {number}.key\n" in said for number in range(20))
    assert "name each file with -I" in said


# Secrets

SECRETS = [
    ".env", ".ENV", ".env.local", ".env.production", "config/.env", "prod.env", "id_rsa",
    "id_ed25519", "id_ecdsa_sk", "id_rsa_old", "keys/id_rsa.bak", "server.key", "tls/cert.pem",
    "x.p12", "y.PFX", "release.jks", "debug.keystore", "pw.kdbx", "putty.ppk", ".netrc", "_netrc",
    ".pgpass", ".npmrc", ".pypirc", ".htpasswd", ".git-credentials", "credentials",
    "credentials.json", "aws-credentials.json", ".aws/credentials", ".aws/config",
    "home/.ssh/anything", ".gnupg/x", ".kube/config", "kubeconfig", "kubeconfig.yaml",
    ".docker/config.json", "service-account.json", "gcp_service_account_prod.json",
    "client_secret.json", "client-secrets-1.json", "application_default_credentials.json",
    "secret.yaml", "secrets.json", "secrets.env", "terraform.tfstate", "prod.tfvars",
    "accessKeys.csv", "rootkey.csv", "odd\nname.pem", "kaggle.json", ".dockercfg",
]  # fmt: skip
NEAR_MISSES = [
    ".env.example", ".env.sample", ".env.template", ".env.dist", ".env.defaults",
    "environment.py", ".environment", "env", "env.py", "envs/default.yaml", ".envs", "id_rsa.pub",
    "id_ed25519.pub", "my_id_rsa_notes.md", "keyboard.py", "key.py", "keys.py", "test.key.md",
    "monkey", "pem.py", "credentials.py", "credentials.md", "test_credentials.py", "secrets.py",
    "secret_santa.txt", "secrets.md", "netrc.py", "npmrc.md", "service_account.py",
    "client_secret.py", "kubeconfig_test.py", ".ssh/config", ".ssh/known_hosts",
    ".ssh/id_rsa.pub", "docker/config.json", "aws/config.py", "tokenizer.json", "config.json",
    "password_reset.html", ".env/bin/python", "train.py",
]  # fmt: skip


@pytest.mark.parametrize("path", SECRETS)
def test_a_name_that_usually_holds_a_secret_looks_like_one(path: str) -> None:
    assert looks_secret(path.encode())


@pytest.mark.parametrize("path", NEAR_MISSES)
def test_a_name_that_only_sounds_like_one_passes(path: str) -> None:
    assert not looks_secret(path.encode())


def test_new_secrets_are_refused_by_name(lab: Lab) -> None:
    lab.write(".env", b"TOKEN=x\n")
    lab.write("keys/id_rsa", b"x\n")
    error = refused(lab)
    assert "2 new files with names like those of secrets" in error.message
    assert "\n  .env" in error.message
    assert "\n  keys/id_rsa" in error.message
    assert ".gitignore" in error.hint
    assert "-I" in error.hint


def test_secrets_go_when_they_are_named_and_only_then(lab: Lab) -> None:
    lab.write(".env", b"TOKEN=x\n")
    lab.write("keys/id_rsa", b"x\n")
    assert "keys/id_rsa" in refused(lab, include=[".env"]).message
    assert "keys/id_rsa" in refused(lab, include=[".env", "keys"]).message  # a folder names no file
    pushed = send(lab, include=[".env", "keys/id_rsa"])
    assert pushed.hash == lab.tree_of()


def test_tracked_secrets_are_the_user_s_own_decision(lab: Lab) -> None:
    lab.write(".env", b"TOKEN=x\n")
    lab.commit("Keep it")
    lab.write(".env", b"TOKEN=y\n")
    assert send(lab).hash == lab.tree_of()


def test_a_secret_that_was_only_staged_is_refused_too(lab: Lab) -> None:
    lab.write(".env", b"TOKEN=1\n")
    lab.sandbox.git("add", "--all", cwd=lab.laptop)
    assert ".env" in refused(lab).message
    assert send(lab, include=[".env"]).hash == lab.tree_of()


def test_ignored_secrets_are_no_matter(lab: Lab) -> None:
    lab.write(".env", b"TOKEN=x\n")
    lab.write(".git/info/exclude", b".env\n")
    assert send(lab).untracked == ()


# Repositories inside this one


def test_nested_repositories_are_refused_with_and_without_commits(lab: Lab) -> None:
    for name in ("full", "deep/empty"):
        lab.sandbox.git("init", "--quiet", name, cwd=lab.laptop)
        lab.write(f"{name}/file", b"x\n")
    lab.commit("Inside", at=lab.laptop / "full")
    error = refused(lab)
    assert "2 git repositories inside this one" in error.message
    assert "\n  full/" in error.message
    assert "\n  deep/empty/" in error.message
    assert "--without nested" in error.hint
    pushed = send(lab, without=["nested"])
    assert pushed.hash == lab.head("HEAD^{tree}")
    assert [set(notice.paths) for notice in pushed.notices] == [{"full/", "deep/empty/"}]


def test_an_ignored_nested_repository_is_no_matter(lab: Lab) -> None:
    lab.sandbox.git("init", "--quiet", "vendored", cwd=lab.laptop)
    lab.write("vendored/file", b"x\n")
    lab.write(".git/info/exclude", b"vendored\n")
    assert send(lab).notices == ()


def test_going_on_without_something_unknown_is_a_usage_error(lab: Lab) -> None:
    with pytest.raises(UsageError, match="'everything'"):
        send(lab, without=["everything"])


# Submodules


def with_submodule(lab: Lab) -> Path:
    """Give the laptop a submodule whose commit is pushed; return its working tree."""
    lab.sandbox.config("protocol.file.allow", "always")
    os.environ["GIT_CONFIG_GLOBAL"] = str(lab.sandbox.home / ".gitconfig")
    origin = lab.sandbox.repo("sub.git", bare=True)
    other = lab.sandbox.repo("other")
    lab.write("inside", b"one\n", at=other)
    lab.commit("Inside", at=other)
    lab.sandbox.git("push", "--quiet", origin, "HEAD:main", cwd=other)
    command = ("submodule", "--quiet", "add", str(origin), "sub")
    lab.sandbox.git(*command, cwd=lab.laptop)
    lab.commit("Add a submodule")
    lab.push()
    return lab.laptop / "sub"


def test_a_submodule_as_its_remote_has_it_goes(lab: Lab) -> None:
    sub = with_submodule(lab)
    assert send(lab).hash == lab.head("HEAD^{tree}")
    lab.write("inside", b"two\n", at=sub)
    lab.commit("More", at=sub)
    lab.sandbox.git("push", "--quiet", "origin", "HEAD:main", cwd=sub)
    assert send(lab).hash == lab.tree_of()


def test_a_submodule_with_uncommitted_work_is_refused(lab: Lab) -> None:
    sub = with_submodule(lab)
    lab.write("inside", b"changed\n", at=sub)
    error = refused(lab)
    assert "1 submodule with uncommitted changes" in error.message
    assert "\n  sub" in error.message
    assert "--without submodules" in error.hint
    pushed = send(lab, without=["submodules"])
    assert pushed.hash == lab.head("HEAD^{tree}")
    assert [notice.paths for notice in pushed.notices] == [("sub",)]


def test_a_new_file_in_a_submodule_is_uncommitted_work_too(lab: Lab) -> None:
    lab.write("new", b"x\n", at=with_submodule(lab))
    assert "uncommitted" in refused(lab).message


def test_a_submodule_at_a_commit_nobody_else_has_is_refused(lab: Lab) -> None:
    sub = with_submodule(lab)
    lab.write("inside", b"two\n", at=sub)
    lab.commit("Not pushed", at=sub)
    error = refused(lab)
    assert "1 submodule at a commit that is on no remote" in error.message
    assert "git -C PATH push" in error.hint
    assert send(lab, without=["submodules"]).hash == lab.tree_of()


@pytest.mark.parametrize("what", ["auto", "commits", "all"])
def test_a_submodule_commit_that_only_local_commits_name_is_refused(lab: Lab, what: str) -> None:
    sub = with_submodule(lab)
    lab.write("inside", b"two\n", at=sub)
    lab.commit("Not pushed", at=sub)
    lab.commit("Use it")
    assert "\n  sub" in refused(lab, what=what).message
    lab.sandbox.git("push", "--quiet", "origin", "HEAD:main", cwd=sub)
    assert send(lab, what=what).commits == 1


def test_a_submodule_that_is_as_the_source_remote_has_it_is_not_asked(lab: Lab) -> None:
    """A shallow submodule update leaves no remote-tracking ref that has the commit."""
    sub = with_submodule(lab)
    lab.sandbox.git("checkout", "--quiet", "--detach", cwd=sub)
    lab.sandbox.git("update-ref", "-d", "refs/remotes/origin/main", cwd=sub)
    lab.sandbox.git("branch", "--quiet", "-D", "main", cwd=sub)
    lab.sandbox.git("remote", "set-head", "origin", "--delete", cwd=sub)
    lab.write("foo", b"b\n")
    assert send(lab).hash == lab.tree_of()


# Git LFS: a filter of its name that makes pointers, as git-lfs does

FILTER = """#!/bin/sh
exec python3 -c '
import hashlib, sys
data = sys.stdin.buffer.read()
pointer = "version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\nsize %d\\n"
sys.stdout.write(pointer % (hashlib.sha256(data).hexdigest(), len(data)))'
"""


def with_lfs(lab: Lab) -> None:
    script = lab.write("../clean", FILTER.encode(), 0o755)
    lab.sandbox.config("filter.lfs.clean", f"'{script}'")
    lab.write(".gitattributes", b"*.bin filter=lfs diff=lfs merge=lfs -text\n")
    lab.write("old.bin", b"old\n")
    lab.commit("Use LFS")
    lab.push()


@pytest.mark.parametrize("change", ["new", "modified", "staged"])
def test_a_changed_file_under_lfs_is_refused_since_only_its_pointer_would_go(
    lab: Lab, change: str
) -> None:
    with_lfs(lab)
    name = "new.bin" if change == "new" else "old.bin"
    lab.write(name, b"content\n")
    if change == "staged":
        lab.sandbox.git("add", name, cwd=lab.laptop)
    error = refused(lab)
    assert "stored by Git LFS" in error.message
    assert f"\n  {name}" in error.message
    assert "git lfs push" in error.hint
    pushed = send(lab, without=["lfs"])
    assert pushed.hash == lab.tree_of()
    assert b"git-lfs" in lab.sandbox.git("show", f"{pushed.ghosts[0].ghost.ref}:local-mod.patch",
                                         cwd=lab.ghost_repo)  # fmt: skip


@pytest.mark.parametrize("what", ["auto", "commits", "all", "diff"])
def test_lfs_files_of_local_commits_are_refused_too(lab: Lab, what: str) -> None:
    with_lfs(lab)
    lab.write("new.bin", b"content\n")
    lab.commit("Local, with LFS")
    assert "\n  new.bin" in refused(lab, what=what).message
    assert send(lab, what=what, without=["lfs"]).ghosts
    lab.push()
    if what != "commits":
        assert send(lab, what=what).hash == lab.tree_of()


def test_unchanged_or_removed_lfs_files_are_no_matter(lab: Lab) -> None:
    with_lfs(lab)
    lab.write("foo", b"b\n")
    assert send(lab).hash == lab.tree_of()
    (lab.laptop / "old.bin").unlink()
    assert send(lab).hash == lab.tree_of()
    lab.sandbox.git("add", "--all", cwd=lab.laptop)
    assert send(lab).hash == lab.tree_of()
    lab.commit("Remove it")
    assert send(lab).hash == lab.tree_of()


def test_an_attribute_without_a_filter_behind_it_is_no_lfs(lab: Lab) -> None:
    lab.write(".gitattributes", b"*.bin filter=lfs\n")
    lab.write("new.bin", b"content\n")
    assert send(lab).hash == lab.tree_of()


def test_a_secret_that_only_a_followed_link_leads_to_is_refused(lab: Lab) -> None:
    lab.write("cfg/id_rsa", b"key")
    lab.symlink("link", "cfg/id_rsa")
    for included in (["link"], ["link", "cfg"]):
        assert "cfg/id_rsa" in refused(lab, include=included, follow_symlinks=True).message
