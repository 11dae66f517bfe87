"""What strangers wrote steers no terminal: in names, addresses, messages, servers' words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import git_ghost
from tests.support.lab import Lab
from tests.test_cli_terminal import on_terminal

STEERING = {
    "C0": "\x01\x07\x08\x0b\x0c\x0e\x1b",
    "DEL": "\x7f",
    "C1": "\x80\x85\x9b\x9d",
    "bidi": "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    "lines": "\u2028\u2029",
    "invisible": "\u200b\u2060\ufeff\U000e0041",
}
NASTY = "n" + "".join(STEERING.values()) + "y"
ALLOWED_IN_REFS = "".join(c for c in NASTY if c >= "\x80" or c.isalpha())
HARMLESS = "é 漢字\u3000👩\u200d🔬"


def steered(shown: str) -> str:
    """Which of the characters that steer a terminal are in what it was given."""
    return "".join(c for c in shown if c in "".join(STEERING.values()) or "\ud800" <= c <= "\udfff")


@pytest.fixture
def hostile(lab: Lab) -> Lab:
    """A ghost repository, a source and files whose names are hostile, and a hook that is."""
    for repo in (lab.source, lab.ghost_repo):
        repo.rename(repo.with_name(NASTY + repo.name))
    lab.source_url = lab.source_url.replace("source.git", f"{NASTY}source.git")
    lab.ghost_repo = lab.ghost_repo.with_name(f"{NASTY}ghosts.git")
    lab.ghost_url = str(lab.ghost_repo)
    lab.sandbox.git("remote", "set-url", "origin", lab.source_url, cwd=lab.laptop)
    lab.sandbox.git("switch", "-qc", ALLOWED_IN_REFS, cwd=lab.laptop)
    lab.write(f"{NASTY}\udce9{HARMLESS}", NASTY.encode())
    hook = lab.ghost_repo / "hooks" / "post-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nprintf '%s\\n' '{NASTY}' >&2; exit 1\n")
    hook.chmod(0o755)
    return lab


def looked_at(lab: Lab, *args: str, **env: str) -> str:
    """What a call shows on a terminal, where nothing steers it."""
    shown = on_terminal(lab, *args, env={"TERM": "dumb", "GIT_PAGER": "cat", **env})
    assert steered(shown) == ""
    return shown


def test_names_and_addresses_do_not_steer_the_terminal(hostile: Lab) -> None:
    shown = looked_at(hostile, "push", "-v", "-m", NASTY)
    for spelled in (r"\x1b", r"\x7f", r"\x9b", r"\u202e", r"\u2028", r"\ufeff"):
        assert spelled in shown
    looked_at(hostile, "doctor", TERM="xterm", NO_COLOR="1")
    for mistake in (("push", "--remote", NASTY), (NASTY,), ("inject", "-f", NASTY)):
        assert steered(hostile.ghost(*mistake).err) == ""


def test_what_only_a_ghost_says_does_not_steer_the_terminal(hostile: Lab, tmp_path: Path) -> None:
    tree = hostile.ghost("push", "-m", NASTY).ok().split()[-1]
    (ref,) = hostile.ghost_refs()
    git, repo = hostile.sandbox.git, hostile.ghost_repo
    message = git("log", "-1", "--format=%B", ref, cwd=repo).decode()
    lie = message.replace(hostile.source_url, f"/nowhere{NASTY}")
    assert lie != message
    commit = git("commit-tree", f"{ref}^{{tree}}", stdin=lie.encode(), cwd=repo).decode().strip()
    git("update-ref", ref, commit, cwd=repo)
    shown = looked_at(hostile, "--src-dir", str(tmp_path), "clone", tree, str(tmp_path / "pod"))
    assert r"/nowheren\x01" in shown
    asked = hostile.ghost("show", "--json", tree).out
    (told,) = json.loads(asked)
    assert told["source"] == f"/nowhere{NASTY}"
    assert asked.isascii()
    assert steered(asked.decode()) == ""


def test_a_server_does_not_steer_the_terminal(hostile: Lab) -> None:
    (hostile.ghost_repo / "hooks" / "post-receive").rename(
        hostile.ghost_repo / "hooks" / "pre-receive"
    )
    err = hostile.ghost("push").fails(7)
    assert r"\x1b" in err
    assert steered(err) == ""


def test_a_patch_is_given_to_the_byte_and_on_a_terminal_to_the_pager(hostile: Lab) -> None:
    tree = hostile.ghost("push").ok().split()[-1]
    assert NASTY.encode() in hostile.ghost("show", tree).out
    shown = on_terminal(hostile, "show", tree, env={"GIT_PAGER": "sed 's/^/paged: /'"})
    assert "paged: +n" in shown


def test_what_is_only_foreign_is_shown_as_it_is(lab: Lab) -> None:
    assert HARMLESS in lab.ghost("push", "--remote", HARMLESS).err


def test_text_has_one_door_to_the_terminal() -> None:
    package = Path(git_ghost.__file__).parent
    writes = re.compile(r"sys\.std(?:out|err)\.write|stderr\.buffer|(?<![.\w])print\(")
    found = [file for file in package.rglob("*.py") if writes.search(file.read_text())]
    assert found == [package / "cli/view/output.py"]
    cleaning = [f for f in (package / "cli").rglob("*.py") if ".isprintable(" in f.read_text()]
    assert cleaning == []
