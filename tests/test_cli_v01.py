"""v0.1's command lines, as its scripts have them (tried with v0.1.5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.lab import Lab
from tests.support.v01 import BINARY, V01
from tests.test_cli_parsing import Calling, calling

__all__ = ["calling"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("push --follow-symlinks=true", {"follow_symlinks": True}),
        ("push --follow-symlinks=F", {"follow_symlinks": False}),
        ("push -n=1", {"dry_run": True}),
        ("push -n=0", {"dry_run": False}),
        ("push --untracked=false", {"untracked": False}),
        ("push --no-untracked=false", {"untracked": True}),
        ("push -I=a -I b --include=c", {"include": ("a", "b", "c")}),
        ("push -n=true diff HEAD", {"what": "diff", "base": "HEAD", "dry_run": True}),
        ("push -vI=a", {"include": ("a",)}),
        ("push -I==a", {"include": ("=a",)}),
        ("push -I=-m -m x", {"include": ("-m",), "message": "x"}),
        ("push -m --all=true", {"message": "--all=true"}),
        ("push -- -n=1", {"base": "-n=1", "dry_run": False}),
        ("delete --all=true --dry-run=true", {"start": "*", "dry_run": True}),
        ("delete --all=false --dry-run", {"start": "", "dry_run": True}),
        ("list --no-headers=true --from=a", {"start": "a"}),
        ("list -o=only-to commits", {"what": "commits"}),
    ],
)
def test_a_value_may_stand_behind_a_sign(
    calling: Calling, line: str, expected: dict[str, Any]
) -> None:
    _, given = calling(*line.split())
    assert {name: given[name] for name in expected} == expected


def test_headers_and_columns_are_what_the_values_say(lab: Lab) -> None:
    base = lab.head()
    lab.write("foo", b"b\n")
    tree = lab.ghost("push").ok().split()[-1]
    rows, table = lab.ghost("list", "--no-headers").out, lab.ghost("list").out
    assert rows == f"{base} {tree}\n".encode()
    for value in ("true", "T", "1"):
        assert lab.ghost("list", f"--no-headers={value}").out == rows
    for value in ("false", "f", "0"):
        assert lab.ghost("list", f"--no-headers={value}").out == table
    assert lab.ghost("list", "-o", "").out == table
    assert lab.ghost("list", "--output=").out == table
    assert lab.ghost("list", "-o=only-to", "--no-headers").ok() == tree
    assert "neither true nor false" in lab.ghost("list", "--no-headers=maybe").fails(2)


@pytest.mark.parametrize(
    "line", ["list -v=2", "-v=1 list", "list --verbose=3", "list -vv", "list -qv=1"]
)
def test_verbose_takes_a_number(lab: Lab, line: str) -> None:
    done = lab.ghost(*line.split())
    assert done.code == 0
    assert "+ git ls-remote" in done.err
    assert lab.ghost("list", "-v=0").err == lab.ghost("list").err
    assert "-v is 'x', which is not a number" in lab.ghost("list", "-v=x").fails(2)


def test_one_option_includes_several_files_as_long_as_none_has_such_a_name(lab: Lab) -> None:
    lab.write(".gitignore", b"*.o\n")
    lab.write("a.o", b"1")
    lab.write("b.o", b"2")

    def sent(include: str) -> set[str]:
        tree = lab.ghost("push", "diff", "-I", include).ok().split()[-1]
        fetched = lab.ghost("show", tree).out.decode()
        return {name for name in ("a.o", "b.o", "a.o,b.o", "c,d.o") if f"b/{name}\n" in fetched}

    assert sent("a.o,b.o") == {"a.o", "b.o"}
    lab.write("c,d.o", b"3")
    assert sent('a.o,"c,d.o"') == {"a.o", "c,d.o"}
    lab.write("a.o,b.o", b"4")
    assert sent("a.o,b.o") == {"a.o,b.o"}
    assert "there is no file x.o to include" in lab.ghost("push", "-I", "b.o,x.o").fails(2)


def test_gc_does_nothing_as_in_v01_and_says_so(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    lab.ghost("push").ok()
    before = lab.ghost_refs()
    done = lab.ghost("gc", "anything")
    assert (done.code, done.out) == (0, b"")
    assert done.err == "nothing is collected: ghosts stay until git ghost delete deletes them\n"
    assert lab.ghost_refs() == before


@pytest.mark.skipif(BINARY is None, reason="GIT_GHOST_V01 names no v0.1.5 to compare with")
@pytest.mark.parametrize(
    "line",
    [
        "list", "list all", "list commits", "list --no-headers=true", "list --no-headers=0",
        "list -o=only-to", "list -o only-from", "list --output=", "list -v=2", "list -vv",
        "list --from=* --to=*", "list all --no-headers --from 1*", "-v=1 list diff",
        "delete --dry-run", "delete all --all=true --dry-run=true", "delete --all=0 --dry-run",
        "push", "push diff -I a,b", "push -I=a HEAD", "push --follow-symlinks=T",
        "push commits HEAD", "push all HEAD", "gc", "gc x", "version", "completion bash",
    ],
)  # fmt: skip
def test_what_v01_takes_is_taken_and_lists_are_the_same_to_the_byte(lab: Lab, line: str) -> None:
    old = V01({**lab.sandbox.env, "GIT_GHOST_REPO": lab.ghost_url})
    lab.write("foo", b"b\n")
    lab.write("a", b"1")
    lab.write("b", b"2")
    lab.ghost("push", "all", "HEAD").ok()
    args = line.split()
    done, now = old.run(*args, cwd=lab.laptop), lab.ghost(*args)
    assert (done.code, now.code) == (0, 0)
    if {"list", "delete"} & set(args):
        assert now.out == done.out
    if args[0] == "push":  # lines of two ids; v0.1 leaves the end of the last one open
        assert [len(row.split()) for row in now.ok().splitlines()] == [
            len(row.split()) for row in done.ok().splitlines()
        ]
