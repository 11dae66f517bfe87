"""On a terminal: colour, the pager, a line of progress. Elsewhere: none of it."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Mapping

import pytest

from git_ghost.cli.view import progress
from git_ghost.cli.view.progress import ProgressLine
from tests.support.lab import Lab

RED = "\x1b[1;31m"


def on_terminal(lab: Lab, *args: str, env: Mapping[str, str] | None = None) -> str:
    """What a terminal shows when git ghost is run on it."""
    controller, terminal = pty.openpty()
    given = {**lab.sandbox.env, "GIT_GHOST_REPO": lab.ghost_url, "TERM": "xterm", **(env or {})}
    running = subprocess.Popen(
        [sys.executable, "-m", "git_ghost", *args],
        cwd=lab.laptop,
        env=given,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            chunk = os.read(controller, 65536)
        except OSError:  # Linux says so when the last writer has gone
            break
        if not chunk:
            break
        shown += chunk
    os.close(controller)
    assert running.wait(60) in range(8)
    return shown.decode().replace("\r\n", "\n")


def test_a_diff_goes_through_the_users_pager_in_colour(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    pager = {"GIT_PAGER": "sed 's/^/paged: /'"}
    shown = on_terminal(lab, "diff", env=pager)
    assert "paged: \x1b[31m-a\x1b[m\n" in shown
    lab.sandbox.config("core.pager", "sed 's/^/configured: /'")
    assert "configured: \x1b[32m+\x1b[m\x1b[32mb\x1b[m\n" in on_terminal(lab, "diff")


def test_ids_fit_a_terminal_of_80_columns_and_still_name_the_ghost(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    base, tree = lab.head(), lab.tree_of()
    assert on_terminal(lab, "push").startswith(f"{base[:12]} {tree[:12]}\n")
    listed = on_terminal(lab, "list")
    assert f"\n{base[:12]} {tree[:12]}\n" in listed
    assert max(map(len, listed.splitlines())) < 80
    assert f"\n{base} {tree}\n" in on_terminal(lab, "list", "-v")
    assert "+b\n" in on_terminal(lab, "show", tree[:12], env={"GIT_PAGER": "cat"})


def test_no_color_is_honoured(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    env = {"GIT_PAGER": "cat", "NO_COLOR": "1"}
    assert on_terminal(lab, "diff", env=env) == lab.ghost("diff").out.decode()
    assert on_terminal(lab, "psh", env=env).startswith("error: ")
    assert "\x1b" not in on_terminal(lab, "doctor", env=env)


def test_what_a_pull_tells_a_terminal_has_short_ids(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    base, tree = lab.ghost("push").ok().split()
    lab.sandbox.git("checkout", "--quiet", "--force", "--detach", "HEAD^", cwd=lab.laptop)
    shown = on_terminal(lab, "pull", tree)
    assert f"pulled {tree[:12]}: " in shown
    assert f"HEAD is detached at {base[:12]}\n" in shown
    assert f"pulled {tree}: " in on_terminal(lab, "pull", "-v", tree)


def test_an_empty_diff_starts_no_pager(lab: Lab) -> None:
    assert on_terminal(lab, "diff", env={"GIT_PAGER": "echo paged; cat"}) == ""


def test_messages_are_coloured_on_a_terminal_only(lab: Lab) -> None:
    assert on_terminal(lab, "psh").startswith(f"{RED}error:\x1b[m ")
    assert on_terminal(lab, "psh", env={"TERM": "dumb"}).startswith("error: ")
    assert lab.ghost("psh").err.startswith("error: ")
    assert "\x1b[32mok\x1b[0m" in on_terminal(lab, "doctor")


def test_what_is_quick_shows_no_progress(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    shown = on_terminal(lab, "push")
    assert shown.endswith(
        f"{lab.tree_of()[:12]}\nsent to {lab.ghost_url}:\n  1 changed file: foo\n"
    )
    assert "\r" not in shown


class Clock:
    """Stands in for the time of day."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """The time, in seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_progress_shows_after_a_second_on_one_line_that_is_wiped_at_the_end(clock: Clock) -> None:
    screen = io.StringIO()
    line = ProgressLine(screen)
    line("Counting objects:  10%")
    assert screen.getvalue() == ""
    clock.now += 1.1
    line("Counting objects: 100%")
    line("too soon after")
    clock.now += 0.1
    line("x" * 100)
    assert screen.getvalue() == f"\rCounting objects: 100%\x1b[K\r{'x' * 79}\x1b[K"
    line.close()
    assert screen.getvalue().endswith("\x1b[K\r\x1b[K")


def test_progress_that_comes_late_from_a_thread_is_not_shown(clock: Clock) -> None:
    screen = io.StringIO()
    line = ProgressLine(screen)
    line.close()
    clock.now += 5
    line("Writing objects")
    assert screen.getvalue() == ""


def test_what_a_server_says_cannot_move_the_cursor(clock: Clock) -> None:
    screen = io.StringIO()
    line = ProgressLine(screen)
    clock.now += 5
    line("remote: \x1b[2J\x07gotcha")
    assert screen.getvalue() == "\rremote: \\x1b[2J\\x07gotcha\x1b[K"
