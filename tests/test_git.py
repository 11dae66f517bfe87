"""The door to git: nothing is lost, nothing hangs, nothing is left behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from git_ghost import git as door, process
from git_ghost.errors import GhostError, GitFailed
from git_ghost.git import Running, command, environment, git, passthrough, pipe
from git_ghost.process import Background, Stopped, commands_told, stop_all
from tests.support.sandbox import Sandbox

MANY = b"x" * (1 << 20)
"""More than any pipe takes at once."""


@pytest.fixture(autouse=True)
def repository(in_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty repository, and see that no descriptor and no thread stays open."""
    path = in_sandbox.repo("repo")
    monkeypatch.chdir(path)
    before, threads = descriptors(), threading.active_count()
    yield path
    assert descriptors() <= before  # what an earlier test left behind may go meanwhile
    assert threading.active_count() <= threads


def descriptors() -> set[int]:
    """Return the numbers of this process's open files."""
    found = set()
    for number in range(3, 256):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.add(number)
    return found


def alias(script: str) -> tuple[str, str, str]:
    """Return the arguments with which git runs a shell script."""
    return ("-c", f"alias.run=!{script}", "run")


def test_output_is_bytes_as_they_are() -> None:
    oid = git("hash-object", "-w", "--stdin", stdin=b"\xff\0\r\n").strip()
    assert git("cat-file", "blob", oid) == b"\xff\0\r\n"


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 70_000, 5_000_000])
def test_input_of_any_size_arrives(size: int) -> None:
    feed = b"y" * size
    oid = git("hash-object", "-w", "--stdin", stdin=feed).strip()
    assert git("cat-file", "-s", oid).strip() == str(size).encode()


@pytest.mark.parametrize("size", [10, len(MANY)])
def test_a_command_that_does_not_read_its_input_is_no_failure(size: int) -> None:
    assert git("version", stdin=MANY[:size]).startswith(b"git version")


def test_much_input_output_and_errors_at_once_do_not_block_each_other() -> None:
    lines = b"https://someone:" * 50_000 + MANY  # nor does a search for passwords take long
    out = git(*alias("tee /dev/stderr; :"), stdin=lines)
    assert out == lines


def test_an_error_carries_status_command_and_what_was_said_last() -> None:
    with pytest.raises(GitFailed) as caught:
        git(*alias("yes https://me:secret@host | head -n 100000 >&2; echo why >&2; exit 42; :"))
    assert caught.value.status == 42
    assert caught.value.stderr.endswith("https://host\nwhy\n")
    assert "secret" not in caught.value.stderr
    assert len(caught.value.stderr) < 1_000_000
    assert caught.value.argv[-1] == "run"


def test_a_status_may_be_expected() -> None:
    assert git("config", "no.such", ok=(0, 1)) == b""
    with pytest.raises(GitFailed):
        git("config", "no.such")


def test_a_missing_git_or_folder_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(GhostError, match=f"there is no folder {tmp_path}/none"):
        git("version", cwd=f"{tmp_path}/none")
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(GhostError, match="there is no folder"):
        git("version", cwd=str(file))
    with pytest.raises(GhostError, match="cannot be started: Argument list too long"):
        git("version", *["x" * 100_000] * 200)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GhostError, match="git is not installed"):
        git("version")


def test_a_git_that_is_too_old_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert door.version() >= door.MINIMUM
    old = tmp_path / "git"
    old.write_text("#!/bin/sh\necho git version 2.29.3\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(GhostError, match=r"git version 2\.29\.3; git ghost needs git 2\.30"):
        door.version()


def test_a_daemon_that_keeps_stderr_open_does_not_hold_anybody_up(tmp_path: Path) -> None:
    # ssh's ControlPersist of old did so; whoever waits for the end of stderr waits for the daemon.
    pid = tmp_path / "pid"
    began = time.monotonic()
    running = Running(*alias(f"sleep 60 >/dev/null & echo $! >'{pid}'; echo said >&2; exit 3; :"))
    with pytest.raises(GitFailed) as caught:
        running.result()
    assert "said" in caught.value.stderr
    assert time.monotonic() - began < 30
    os.kill(int(pid.read_text()), 15)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(5)


def test_passwords_do_not_get_into_errors() -> None:
    with pytest.raises(GitFailed) as caught:
        git(
            *alias(
                "echo 'fatal: https://me:pass@word@host/x and https://token@host' >&2; exit 1; :"
            )
        )
    assert caught.value.stderr.strip() == "fatal: https://host/x and https://host"


# --- progress --------------------------------------------------------------------------------


def test_progress_comes_in_whole_lines_without_passwords() -> None:
    heard: list[str] = []
    first = threading.Event()

    def hear(line: str) -> None:
        heard.append(line)
        first.set()

    script = (
        "printf 'one\\rfrom https://me:sec' >&2; read go; printf 'ret@host/x\\r\\nthree' >&2; :"
    )
    read, write = os.pipe()
    with os.fdopen(read, "rb") as stdin, os.fdopen(write, "wb") as feed:
        running = Running(*alias(script), stdin=stdin, progress=hear)
        assert first.wait(30)
        feed.write(b"go\n")
        feed.flush()
        running.result()
    assert heard == ["one", "from https://host/x"]


def test_a_progress_callback_that_fails_neither_blocks_git_nor_goes_unseen() -> None:
    def fail(line: str) -> None:
        raise KeyError(line)

    running = Running(*alias("echo first >&2; tee /dev/stderr; :"), stdin=MANY, progress=fail)
    with pytest.raises(KeyError, match="first"):
        running.result()


# --- pipes -----------------------------------------------------------------------------------


def test_a_pipe_carries_more_than_fits_and_nothing_stays_here() -> None:
    oid = git("hash-object", "-w", "--stdin", stdin=MANY * 4).strip()
    reading = Running("cat-file", "blob", oid)
    assert pipe(reading, "hash-object", "--stdin", cwd=None, env=environment()).strip() == oid


def test_the_first_failure_in_a_pipe_is_the_one_told() -> None:
    def fed(script: str, *consumer: str) -> str:
        with pytest.raises(GitFailed) as caught:
            pipe(Running(*alias(script)), *consumer, cwd=None, env=environment())
        return caught.value.stderr

    assert "mine" in fed("echo mine >&2; exit 9; :", "hash-object", "--stdin")
    assert "mine" in fed("echo mine >&2; exit 9; :", "apply", "--cached", "-")
    assert "theirs" in fed("yes", *alias("echo theirs >&2; exit 9; :"))


# --- the end ---------------------------------------------------------------------------------


@pytest.fixture
def silence() -> Iterator[IO[bytes]]:
    """Return an input that never ends and never says anything."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as stdin, os.fdopen(write, "wb"):
        yield stdin


def test_leaving_the_block_ends_the_command(silence: IO[bytes]) -> None:
    with Running("cat-file", "--batch", stdin=silence) as running:
        cat = running._process
        assert cat.poll() is None
    assert cat.poll() is not None


def test_a_command_that_ignores_the_request_to_end_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "_PATIENCE", 0.1)
    script = (
        "import signal; signal.signal(15, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    )
    helper = Path("git-deaf")
    helper.write_text(f"#!{sys.executable}\n{script}\n")
    helper.chmod(0o755)
    stubborn = Path("git")
    stubborn.write_text(f"#!/bin/sh\nexec '{helper.absolute()}'\n")
    stubborn.chmod(0o755)
    env = {**environment(), "PATH": f"{Path.cwd()}:{os.environ['PATH']}"}
    monkeypatch.setenv("PATH", env["PATH"])
    with Running("deaf", env=env) as running:
        assert running.stdout.readline() == b"1\n"
        stubborn_process = running._process
    assert stubborn_process.returncode == -9


def test_everything_this_thread_has_under_way_can_be_ended(silence: IO[bytes]) -> None:
    waiting = Running("cat-file", "--batch", stdin=silence)
    inside: list[Running] = []
    started = threading.Event()

    def work() -> None:
        inside.append(Running("cat-file", "--batch", stdin=silence))
        started.set()
        inside[0].result()

    background = Background(work)
    started.wait(30)
    stop_all()
    assert waiting._process.poll() is not None
    assert inside[0]._process.poll() is not None
    with pytest.raises(GitFailed):
        background.get()
    waiting.stop()
    assert git("version")  # the thread itself goes on


def test_what_another_thread_does_is_not_ended() -> None:
    go, done = threading.Event(), threading.Event()

    def other() -> None:
        with Running(*alias("exec cat; :"), stdin=MANY) as running:
            go.set()
            done.wait(30)
            results.append(running.result())

    results: list[bytes] = []
    thread = threading.Thread(target=other)
    thread.start()
    go.wait(30)
    stop_all()
    done.set()
    thread.join()
    assert results == [MANY]


def test_a_background_task_that_was_ended_starts_nothing_more() -> None:
    go = threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        go.wait(30)
        try:
            git("version")
        except BaseException as e:
            failures.append(e)
            raise

    background = Background(work)
    background._scope.stop(for_good=True)
    go.set()
    background.end()
    with pytest.raises(Stopped):
        background.get()
    assert len(failures) == 1


def test_a_background_task_hands_on_its_result_or_failure() -> None:
    assert Background(lambda: 42).get() == 42
    with pytest.raises(GitFailed):
        Background(lambda: git("no-such-command")).get()


# --- environment -----------------------------------------------------------------------------


def test_a_foreign_repository_sees_nothing_of_a_parent_git(
    monkeypatch: pytest.MonkeyPatch, in_sandbox: Sandbox
) -> None:
    for name in git("rev-parse", "--local-env-vars").decode().split():
        if name not in door.CONFIGURATION:
            monkeypatch.setenv(name, "/nowhere")
            assert environment(foreign=True).get(name) != "/nowhere"
    other = in_sandbox.root / "other"
    git("init", "--quiet", str(other), env=environment(foreign=True))
    assert (other / ".git/HEAD").exists()


def test_hooks_and_settings_of_the_user_do_not_change_what_git_says(repository: Path) -> None:
    git("config", "color.ui", "always")
    (repository / "file").write_text("text\n")
    assert b"\033" not in git("status", "--short")


def test_commands_are_told_from_any_thread_and_only_inside_the_block() -> None:
    told: list[list[str]] = []
    git("version")
    with commands_told(lambda argv: told.append(list(argv))):
        git("rev-parse", "--git-dir")
        Background(lambda: git("var", "-l")).get()
    git("version")
    assert told == [command("rev-parse", "--git-dir"), command("var", "-l")]


def test_a_command_on_our_own_terminal_is_told_too(capfd: pytest.CaptureFixture[str]) -> None:
    told: list[list[str]] = []
    with commands_told(lambda argv: told.append(list(argv))):
        assert passthrough("version", cwd=None, env=environment()) == 0
    assert told == [["git", "version"]]
    assert capfd.readouterr().out.startswith("git version ")


def test_a_background_task_that_is_apart_is_not_ended_with_the_others() -> None:
    go = threading.Event()
    apart = Background(lambda: (go.wait(30), git("version")), apart=True)
    stop_all()
    go.set()
    assert apart.get()[1].startswith(b"git version ")
