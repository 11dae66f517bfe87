"""Arguments become the right call: options anywhere, forms, ``--``, white space."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import git_ghost.usecases
from git_ghost.cli import failure
from git_ghost.cli.main import cli

Call = tuple[tuple[Any, ...], dict[str, Any]]
Calling = Callable[..., Call]

A, B, C = "a" * 40, "b" * 40, "c" * 40


class Called(Exception):
    """Ends a command where its use case would begin."""


@pytest.fixture
def calling(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calling]:
    """Run a command line up to its use case; the arguments that one is called with.

    The use cases have tests of their own; here nothing but the way there is looked at.
    """
    calls: list[Call] = []

    def record(*args: Any, **kwargs: Any) -> None:
        calls.append((args, kwargs))
        raise Called

    for name in ("push", "pull", "clone", "show", "diff", "list_ghosts", "delete", "doctor"):
        monkeypatch.setattr(git_ghost.usecases, name, record)
    monkeypatch.setattr(failure, "_report", lambda *_: failure.BUG)
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}

    def run(*args: str) -> Call:
        assert failure.run(cli, args) == failure.BUG
        (call,) = calls
        calls.clear()
        return call

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    "line",
    [
        "--ghost-repo R push diff HEAD -I f",
        "push --ghost-repo R diff HEAD -I f",
        "push diff --ghost-repo R HEAD -I f",
        "push diff -I f HEAD --ghost-repo R",
        "push -I f --ghost-repo=R diff HEAD",
        "push diff HEAD --include=f --ghost-repo R",
        "--ghost-repo other push diff HEAD -If --ghost-repo R",
    ],
)
def test_options_may_stand_anywhere(calling: Calling, line: str) -> None:
    (options,), given = calling(*line.split())
    assert (options.repo, given["what"], given["base"]) == ("R", "diff", "HEAD")
    assert given["include"] == ("f",)


def test_every_global_option_reaches_the_use_case(calling: Calling) -> None:
    (options,), _ = calling(
        *("--src-dir", "S", "push", "--ghost-working-dir", "W", "--ghost-prefix", "P"),
        *("--ghost-repo", "R", "--remote", "N", "-v", "-q"),
    )
    assert (options.directory, options.working_dir, options.prefix) == ("S", "W", "P")
    assert (options.repo, options.remote, options.source) == ("R", "N", None)


@pytest.mark.parametrize(
    ("line", "what", "base", "to"),
    [
        ("push", "auto", None, None),
        ("push main~2", "auto", "main~2", None),
        ("push diff", "diff", None, None),
        ("push diff FROM", "diff", "FROM", None),
        ("push commits", "commits", None, None),
        ("push commits FROM", "commits", "FROM", None),
        ("push commits FROM TO", "commits", "FROM", "TO"),
        ("push all", "all", None, None),
        ("push all FROM DIFF-FROM", "all", "FROM", "DIFF-FROM"),
        ("push diff diff", "diff", "diff", None),
        ("push -- diff", "auto", "diff", None),
        ("push -m x -- commits", "auto", "commits", None),
        ("push diff -- all", "diff", "all", None),
        ("push -m -- diff", "diff", None, None),
        ("push --message -- diff", "diff", None, None),
        ("push --message=-- diff", "diff", None, None),
        ("push -nm -- diff", "diff", None, None),
        ("push -m-- diff", "diff", None, None),
        ("push -n -- diff", "auto", "diff", None),
        ("push -n diff --", "diff", None, None),
        ("push -- -dash", "auto", "-dash", None),
    ],
)
def test_push_knows_its_forms(
    calling: Calling, line: str, what: str, base: str | None, to: str | None
) -> None:
    _, given = calling(*line.split())
    assert (given["what"], given["base"], given["to"]) == (what, base, to)


def test_push_hands_on_its_options(calling: Calling) -> None:
    _, given = calling(
        *("push", "-I", "a", "-I", "-dash", "--follow-symlinks", "--no-untracked", "-m", "text"),
        *("--without", "lfs", "--without", "nested", "-n"),
    )
    assert given["include"] == ("a", "-dash")
    assert given["follow_symlinks"] is given["dry_run"] is True
    assert given["untracked"] is False
    assert (given["without"], given["message"]) == (("lfs", "nested"), "text")


def test_untracked_is_left_to_the_setting_unless_it_is_given(calling: Calling) -> None:
    assert calling("push")[1]["untracked"] is None
    assert calling("push", "--untracked")[1]["untracked"] is True


PULLS = [
    (A, A, "auto", None, None),
    (f"{B} {A}", A, "auto", B, None),
    (f"diff {A}", A, "diff", None, None),
    (f"diff {B} {A}", A, "diff", B, None),
    (f"commits {B}", B, "commits", None, None),
    (f"commits {C} {B}", B, "commits", None, C),
    (f"all {B} {A}", A, "all", B, None),
    (f"all {C} {B} {A}", A, "all", B, C),
]


@pytest.mark.parametrize("command", ["pull", "show"])
@pytest.mark.parametrize(("words", "hash", "what", "base", "commits_from"), PULLS)
def test_pull_and_show_know_their_forms(
    calling: Calling,
    command: str,
    words: str,
    hash: str,
    what: str,
    base: str | None,
    commits_from: str | None,
) -> None:
    args, given = calling(command, *words.split())
    assert args[0] == hash
    assert (given["what"], given["base"], given["commits_from"]) == (what, base, commits_from)


def test_white_space_around_hashes_is_dropped(calling: Calling) -> None:
    args, given = calling("pull", "diff", f" {B}\n", f"\t{A}\r\n")
    assert (args[0], given["base"]) == (A, B)
    assert calling("clone", f"{A}\n", " dir ")[0][:2] == (A, " dir ")
    assert calling("delete", f"{A}\n")[1]["hashes"] == [A]
    assert calling("diff", f" {A}", f"{B}\n")[0][:2] == (A, B)


def test_pull_hands_on_its_options(calling: Calling) -> None:
    args, given = calling("pull", "--force", A, "--exact", "--source", "URL")
    assert given["force"] is given["exact"] is True
    assert args[1].source == "URL"


def test_clone_is_shallow_unless_told_otherwise(calling: Calling) -> None:
    args, given = calling("clone", A)
    assert (args[1], given["base"], given["depth"]) == (None, None, 1)
    args, given = calling("clone", "--base", B, A, "dir", "--depth", "0")
    assert (args[1], given["base"], given["depth"]) == ("dir", B, 0)


def test_diff_takes_no_one_or_two_sides(calling: Calling) -> None:
    assert calling("diff")[0][:2] == (None, None)
    assert calling("diff", "HEAD")[0][:2] == ("HEAD", None)
    args, given = calling("diff", A, "HEAD", "-I", "f", "--no-untracked")
    assert args[:2] == (A, "HEAD")
    assert (given["include"], given["untracked"], given["color"]) == (("f",), False, False)


@pytest.mark.parametrize("what", ["", "diff", "commits", "all"])
def test_list_and_delete_take_a_kind_and_globs(calling: Calling, what: str) -> None:
    _, given = calling("list", *what.split(), "--from", "a*", "--to=b*")
    assert given == {"what": what or "diff", "start": "a*", "to": "b*"}
    _, given = calling("delete", "--all", *what.split())
    assert (given["what"], given["start"], given["to"]) == (what or "diff", "*", "*")


@pytest.mark.parametrize(
    ("line", "dry_run"),
    [
        ("delete --from a --to b", False),
        ("delete --all", False),
        ("delete --all --from a", False),
        ("delete --dry-run", True),
        ("delete -n --to b", True),
        (f"delete {A}", False),
    ],
)
def test_delete_goes_on_when_it_is_clear_what_is_meant(
    calling: Calling, line: str, dry_run: bool
) -> None:
    assert calling(*line.split())[1]["dry_run"] is dry_run
