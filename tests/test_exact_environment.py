"""Whatever an alias, a hook or another git has exported, and whatever the index holds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from git_ghost.usecases import Options, Pushed, clone, pull
from tests.support.lab import Lab
from tests.support.roundtrip import assert_exact, options, push_untouched, round_trip, some
from tests.support.sandbox import Sandbox

HARMLESS: dict[str, dict[str, str]] = {
    "diff": {
        "GIT_EXTERNAL_DIFF": "false",
        "GIT_DIFF_OPTS": "--unified=0",
        "GIT_PAGER": "false",
        "PAGER": "false",
    },
    "pathspecs": {"GIT_LITERAL_PATHSPECS": "1"},
    "more pathspecs": {"GIT_ICASE_PATHSPECS": "1", "GIT_GLOB_PATHSPECS": "1"},
    "trace": {
        "GIT_TRACE": "1",
        "GIT_TRACE_SETUP": "1",
        "GIT_TRACE_PACKET": "1",
        "GIT_TRACE_PERFORMANCE": "1",
    },
    "parameters": {
        "GIT_CONFIG_PARAMETERS": "'diff.noprefix=true' 'color.ui=always' 'core.hooksPath=/no'"
    },
    "count": {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "diff.external",
        "GIT_CONFIG_VALUE_0": "false",
        "GIT_CONFIG_KEY_1": "status.showUntrackedFiles",
        "GIT_CONFIG_VALUE_1": "no",
    },
    "language": {"LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de", "LANG": "de_DE.UTF-8"},
    "others": {
        "GIT_OPTIONAL_LOCKS": "1",
        "GIT_FLUSH": "1",
        "GIT_EDITOR": "false",
        "GIT_SEQUENCE_EDITOR": "false",
        "GIT_ATTR_SOURCE": "HEAD",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_TEMPLATE_DIR": "/no/such",
        "GIT_NO_LAZY_FETCH": "0",
        "GIT_MERGE_AUTOEDIT": "no",
        "GIT_REFLOG_ACTION": "x",
        "GIT_ADVICE": "0",
        "GIT_PREFIX": "src/",
        "TERM": "dumb",
        "GIT_INDEX_VERSION": "4",
        "GIT_CONFIG_NOSYSTEM": "0",
        "GREP_OPTIONS": "--color=always",
    },
}


def work(lab: Lab) -> None:
    """Commit, and leave changes uncommitted and untracked."""
    lab.write("foo", b"b\n")
    lab.write("UPPER", b"upper\n")
    lab.commit("Local")
    lab.write("foo", b"c \t\r\n")
    lab.write("upper", b"lower\n")
    lab.write("src/*.py", b"a star\n")
    lab.write("new\xe9", b"new\n")


def the_hash(out: str) -> str:
    """Return what a script takes from push's output."""
    return out.splitlines()[-1].split(" ")[1]


def come_and_go(lab: Lab, env: Mapping[str, str]) -> None:
    """Push, pull and clone as processes with `env` added."""
    expected = lab.tree_of()
    made = the_hash(lab.ghost("push", env=env).ok())
    assert made == expected
    pod = lab.fresh_clone("pod")
    lab.ghost("pull", made, at=pod, env=env).ok()
    assert lab.disk_state(pod) == lab.disk_state()
    assert lab.tree_of(pod) == expected
    assert lab.head(at=pod) == lab.head()
    lab.ghost("clone", made, lab.sandbox.root / "cloned", at=lab.sandbox.root, env=env).ok()
    assert lab.disk_state(lab.sandbox.root / "cloned") == lab.disk_state()


@some("env", HARMLESS, quick={"diff", "parameters", "pathspecs"})
def test_exported_variables_change_nothing(lab: Lab, env: dict[str, str]) -> None:
    work(lab)
    come_and_go(lab, env)


def test_an_exported_repository_is_the_one_that_is_meant(lab: Lab) -> None:
    work(lab)
    pod = lab.fresh_clone("pod")
    elsewhere = lab.sandbox.repo("elsewhere")
    made = the_hash(
        lab.ghost(
            "push",
            at=elsewhere,
            env={"GIT_DIR": f"{lab.laptop}/.git", "GIT_WORK_TREE": str(lab.laptop)},
        ).ok()
    )
    assert made == lab.tree_of()
    env = {
        "GIT_DIR": "../pod/.git",
        "GIT_WORK_TREE": "../pod",
        "GIT_INDEX_FILE": "../pod/.git/index",
    }
    lab.ghost("pull", made, at=elsewhere, env=env).ok()
    assert lab.disk_state(pod) == lab.disk_state()
    assert lab.tree_of(pod) == made
    assert lab.disk_state(elsewhere) == {}


def test_a_named_repository_outranks_an_exported_one(lab: Lab) -> None:
    work(lab)
    elsewhere = lab.sandbox.repo("elsewhere")
    env = {"GIT_DIR": str(elsewhere / ".git"), "GIT_INDEX_FILE": str(elsewhere / ".git/index")}
    made = the_hash(lab.ghost("push", "--src-dir", lab.laptop, at=elsewhere, env=env).ok())
    assert made == lab.tree_of()


def test_an_exported_index_is_the_one_that_is_sent(lab: Lab) -> None:
    work(lab)
    before = (lab.laptop / ".git/index").read_bytes()
    shutil.copy(lab.laptop / ".git/index", lab.laptop / ".git/other")
    env = {"GIT_INDEX_FILE": ".git/other"}
    lab.sandbox.git("rm", "--quiet", "--cached", "README", cwd=lab.laptop, env=env)
    lab.write(".git/info/exclude", b"README\n")
    made = the_hash(lab.ghost("push", env=env).ok())
    other = the_hash(lab.ghost("push").ok())
    assert made != other == lab.tree_of()
    assert (lab.laptop / ".git/index").read_bytes() == before


def test_objects_in_an_exported_folder_and_its_alternates_are_found(lab: Lab) -> None:
    work(lab)
    other = lab.sandbox.root / "alternate"
    other.mkdir()
    env = {"GIT_OBJECT_DIRECTORY": str(other), "GIT_ALTERNATE_OBJECT_DIRECTORIES": ".git/objects"}
    lab.sandbox.git("add", "--all", cwd=lab.laptop, env=env)
    lab.sandbox.git("commit", "--quiet", "-m", "Objects elsewhere", cwd=lab.laptop, env=env)
    lab.write("foo", b"d\n")
    made = the_hash(lab.ghost("push", env=env).ok())
    pod = lab.fresh_clone("pod")
    lab.ghost("pull", made, at=pod).ok()
    assert lab.disk_state(pod) == lab.disk_state()


def test_an_alias_and_a_subfolder_are_as_good_as_the_command(lab: Lab) -> None:
    work(lab)
    lab.sandbox.config("alias.send", "ghost push")
    lab.sandbox.config("alias.shell-send", "!git ghost push")
    env = {"GIT_GHOST_REPO": lab.ghost_url}
    sent = {
        the_hash(lab.sandbox.text(*command, cwd=lab.laptop / "src", env=env))
        for command in (("send",), ("shell-send",), ("-c", "diff.noprefix=true", "ghost", "push"))
    }
    assert sent == {lab.tree_of()}


def hook(lab: Lab, name: str) -> Path:
    """Let a hook of the laptop's push a ghost; returns where the output goes."""
    out = lab.sandbox.root / "sent-by-hook"
    script = f"#!/bin/sh\nexec git ghost push >> '{out}'\n"
    lab.write(f".git/hooks/{name}", script.encode(), mode=0o755)
    return out


@pytest.mark.parametrize("name", ["pre-commit", "post-commit", "pre-push"])
def test_a_hook_may_push_a_ghost(lab: Lab, name: str) -> None:
    work(lab)
    lab.sandbox.env["GIT_GHOST_REPO"] = lab.ghost_url
    out = hook(lab, name)
    expected = lab.tree_of()
    lab.sandbox.git("commit", "--quiet", "-m", "Only foo", "foo", cwd=lab.laptop)
    lab.push()
    assert the_hash(out.read_text()) == expected == lab.tree_of()


def test_a_rebase_may_push_a_ghost_at_every_step(lab: Lab) -> None:
    lab.sandbox.env["GIT_GHOST_REPO"] = lab.ghost_url
    out = lab.sandbox.root / "sent"
    trees = []
    for text in (b"one\n", b"two\n"):
        lab.write("foo", text)
        trees.append(lab.head(f"{lab.commit('Step')}^{{tree}}"))
    exe = f"git ghost push >> '{out}'"
    lab.sandbox.git("rebase", "--quiet", "--force-rebase", "--exec", exe, "HEAD~2", cwd=lab.laptop)
    sent = [line.split(" ")[1] for line in out.read_text().splitlines()]
    assert [one for one in sent if one in trees] == trees


# What an index may hold


INDEXES: dict[str, list[list[str]]] = {
    "split": [["config", "core.splitIndex", "true"], ["update-index", "--split-index"]],
    "with an untracked cache": [["update-index", "--untracked-cache"], ["status", "--short"]],
    "version 4": [["update-index", "--index-version", "4"]],
    "with a file system monitor's word": [
        ["config", "core.fsmonitor", ".git/monitor"],
        ["update-index", "--fsmonitor"],
        ["status", "--short"],
    ],
    "full of unchecked entries": [
        ["config", "core.ignoreStat", "true"],
        ["reset", "--quiet", "--hard"],
    ],
    "not refreshed": [["rm", "--quiet", "--cached", "-r", "."], ["read-tree", "HEAD"]],
}
MONITOR = b"#!/bin/sh\nprintf 'nothing-ever-changes\\0'\n"


@pytest.mark.parametrize("commands", INDEXES.values(), ids=INDEXES)
def test_any_kind_of_index_is_read_and_none_is_touched(
    lab: Lab, in_sandbox: Sandbox, commands: list[list[str]]
) -> None:
    lab.write(".git/monitor", MONITOR, mode=0o755)
    lab.write("folder/x", b"x\n")
    lab.commit("A folder")
    for command in commands:
        in_sandbox.git(*command, cwd=lab.laptop)
    lab.write("foo", b"b\n")
    lab.write("folder/new", b"new\n")
    lab.write("new", b"new\n")
    pushed = push_untouched(lab)
    assert {"foo"} <= {*pushed.changed, *(path for n in pushed.notices for path in n.paths)}
    if "core.ignoreStat" not in str(commands):
        round_trip(lab)


@pytest.mark.parametrize("commands", INDEXES.values(), ids=INDEXES)
def test_a_pull_leaves_nothing_of_an_odd_index_behind(
    lab: Lab, in_sandbox: Sandbox, commands: list[list[str]]
) -> None:
    lab.write("foo", b"b\n")
    lab.commit("Local")
    lab.write("foo", b"c\n")
    lab.write("new", b"new\n")
    pushed: Pushed = push_untouched(lab)
    pod = lab.fresh_clone("pod")
    lab.write(".git/monitor", MONITOR, mode=0o755, at=pod)
    for command in commands:
        in_sandbox.git(*command, cwd=pod)
    pull(pushed.hash, options(lab, pod))
    in_sandbox.git("config", "--unset-all", "core.fsmonitor", cwd=pod, check=False)
    assert_exact(lab, pod, pushed, lab.disk_state())


def test_configuration_from_the_environment_reaches_a_clone(
    lab: Lab, in_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert os.environ["HOME"] == str(in_sandbox.home)
    lab.write("foo", b"b\n")
    pushed = push_untouched(lab)
    moved = lab.source.rename(lab.source.with_name("moved.git"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{moved}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(lab.source))
    pod = lab.sandbox.root / "pod"
    clone(pushed.hash, str(pod), Options(repo=lab.ghost_url))
    assert_exact(lab, pod, pushed, lab.disk_state())
