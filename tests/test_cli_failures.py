"""Every failure is a sentence on stderr and an exit code; nothing of it is on stdout."""

from __future__ import annotations

import errno
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import git_ghost.usecases
from git_ghost import errors
from git_ghost.cli import failure
from git_ghost.cli.main import cli
from git_ghost.cli.signals import Terminated
from tests.support.environment import UNMEASURED
from tests.support.lab import Lab
from tests.support.sandbox import Sandbox

HASH = "1" * 40
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OLD_GIT = b"""#!/bin/sh
case "$*" in
    *version) echo git version 2.20.1 ;;
    *) exit 129 ;;
esac
"""


@pytest.mark.parametrize(
    ("line", "error", "hint"),
    [
        ("psh", "'psh' is not a git ghost command; did you mean push?", "git ghost -h"),
        ("ls", "'ls' is not a git ghost command; did you mean list?", "git ghost -h"),
        ("stahs", "'stahs' is not a git ghost command; did you mean push?", "git ghost -h"),
        ("xyzzy", "'xyzzy' is not a git ghost command", "git ghost -h"),
        ("-v", "missing command", "git ghost -h"),
        ("--frobnicate push", "no such option", "git ghost -h"),
        ("push --frobnicate", "no such option", "git ghost push -h"),
        ("push -m", "option '-m' requires an argument", "git ghost push -h"),
        ("push --without x", "invalid value for '--without'", "git ghost push -h"),
        ("push A B", "unexpected argument 'B'", "git ghost push -h"),
        ("push diff A B", "unexpected argument 'B'", "git ghost push -h"),
        ("push all A B C", "unexpected argument 'C'", "git ghost push -h"),
        ("pull", "missing argument HASH", "git ghost pull -h"),
        ("pull diff", "missing argument HASH", "git ghost pull -h"),
        ("pull commits", "missing argument TO", "git ghost pull -h"),
        ("pull all", "missing argument TO", "git ghost pull -h"),
        (f"pull all {HASH}", "missing argument HASH", "git ghost pull -h"),
        ("pull -", "there is no hash on standard input", "git ghost pull -h"),
        ("delete - -", "there is no hash on standard input", "git ghost delete -h"),
        ("pull A B C", "unexpected argument 'C'", "git ghost pull -h"),
        ("clone", "missing argument HASH", "git ghost clone -h"),
        ("clone --depth -1 A", "invalid value for '--depth'", "git ghost clone -h"),
        ("show", "missing argument HASH", "git ghost show -h"),
        ("diff A B C", "unexpected argument 'C'", "git ghost diff -h"),
        ("list A", "unexpected argument 'A'", "git ghost list -h"),
        ("list -o both", "invalid value for '-o' / '--output'", "git ghost list -h"),
        ("delete", "all must be set if multiple ghosts are deleted", "git ghost delete -h"),
        ("delete --from A", "all must be set if multiple", "git ghost delete -h"),
        ("completion tcsh", "invalid value for", "git ghost completion -h"),
        ("help psh", "'psh' is not a git ghost command", "git ghost -h"),
        ("version A", "got unexpected extra argument (A)", "git ghost version -h"),
    ],
)
def test_a_wrong_call_is_explained(sandbox: Sandbox, line: str, error: str, hint: str) -> None:
    done = sandbox.ghost(*line.split())
    err = done.fails(2)
    assert err.startswith(f"error: {error}"), err
    assert err.endswith(f"\nhint: See `{hint}`.\n"), err
    assert done.out == b""


@pytest.mark.parametrize("hash", ["", "xyz", "123456", "--", "-1234567"])
def test_what_cannot_be_a_hash_is_a_wrong_call(lab: Lab, hash: str) -> None:
    for command in ("pull", "show", "clone", "delete"):
        assert lab.ghost(command, "--", hash).fails(2).startswith("error: ")


def test_no_arguments_print_the_help_on_stderr(sandbox: Sandbox) -> None:
    done = sandbox.ghost()
    assert done.out == b""
    assert done.fails(2).startswith("Usage: git ghost ")


# --- the codes pods rely on ----------------------------------------------------------------------


def test_outside_a_repository_is_1(sandbox: Sandbox) -> None:
    err = sandbox.ghost("push").fails(1)
    assert err.startswith(f"error: {sandbox.root} is not in a git repository\nhint: ")


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ("completion", 2, "missing argument SHELL: bash, zsh or fish"),
        ("list --from nosuch", 2, "'nosuch' is not a commit here"),
        ("delete --from=* --to nosuch", 2, "'nosuch' is not a commit here"),
        ("diff nosuch", 4, "7 or more digits of its hash"),
        ("pull 1234567", 3, "there is no ghost 1234567 in {repo}"),
        ("delete 1234567", 3, "there is no ghost 1234567 in {repo}"),
    ],
)
def test_a_name_that_names_nothing_is_told_with_a_way_on(
    lab: Lab, args: str, code: int, said: str
) -> None:
    assert said.format(repo=lab.ghost_url) in lab.ghost(*args.split()).fails(code)


def test_no_such_ghost_is_3(lab: Lab) -> None:
    for command in ("pull", "show", "clone", "delete"):
        assert HASH in lab.ghost(command, HASH).fails(3)


def test_no_such_base_is_4(lab: Lab) -> None:
    lab.commit("Not on the remote")
    lab.write("foo", b"b\n")
    tree = lab.ghost("push", "diff").ok().split()[-1]
    assert lab.head() in lab.ghost("pull", tree, at=lab.fresh_clone("pod")).fails(4)
    assert "nowhere" in lab.ghost("push", "nowhere").fails(4)


def test_local_changes_in_the_way_are_5(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    tree = lab.ghost("push").ok().split()[-1]
    lab.write("foo", b"mine\n")
    assert "foo" in lab.ghost("pull", tree).fails(5)


def test_a_ghost_that_was_tampered_with_is_6(lab: Lab) -> None:
    lab.write("foo", b"b\n")
    first = lab.ghost("push").ok().split()
    lab.write("foo", b"evil\n")
    second = lab.ghost("push").ok().split()
    lab.sandbox.git("checkout", "--quiet", "foo", cwd=lab.laptop)
    names = (f"refs/heads/ghost/{'/'.join(pair)}" for pair in (first, second))
    lab.sandbox.git("update-ref", *names, cwd=lab.ghost_repo)
    assert first[1] in lab.ghost("pull", first[1]).fails(6)
    assert (lab.laptop / "foo").read_bytes() == b"a\n"


def test_an_unreachable_ghost_repository_is_7(lab: Lab) -> None:
    url = "http://user:hunter2@127.0.0.1:1/ghosts.git"
    for args in (("push",), ("pull", HASH), ("list",), ("clone", HASH, "w")):
        err = lab.ghost("--ghost-repo", url, *args).fails(7)
        assert "http://127.0.0.1:1/ghosts.git" in err
        assert "hunter2" not in err


def test_an_old_git_is_named_when_something_fails(lab: Lab) -> None:
    fake = lab.write("bin/git", OLD_GIT, 0o755)
    path = os.pathsep.join([str(fake.parent), lab.sandbox.env["PATH"]])
    err = lab.ghost("list", env={"PATH": path}).fails(1)
    assert err.startswith("error: this is git version 2.20.1; git ghost needs git 2.30 or newer\n")


def test_no_git_at_all_is_a_sentence(lab: Lab) -> None:
    err = lab.ghost("list", env={"PATH": str(lab.sandbox.root)}).fails(1)
    assert err.startswith("error: git is not installed, or not on PATH\nhint: ")


# --- in this process: what is hard to bring about from outside -----------------------------------


@pytest.fixture
def keeping_signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a run of the command line changes in a process."""
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    before = {number: signal.getsignal(number) for number in _ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    """The exit code of a push whose use case raises ``error``."""

    def push(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(git_ghost.usecases, "push", push)
    return failure.run(cli, ["push"])


@pytest.mark.usefixtures("keeping_signals")
@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (errors.GhostError("what", "how"), 1, "error: what\nhint: how\n"),
        (errors.GhostError("a\n  b", "c\nd"), 1, "error: a\n  b\nhint: c\nhint: d\n"),
        (errors.UsageError("what"), 2, "error: what\n"),
        (errors.NoSuchGhost("what"), 3, "error: what\n"),
        (errors.NoSuchBase("what"), 4, "error: what\n"),
        (errors.LocalChanges("what"), 5, "error: what\n"),
        (errors.VerificationFailed("what"), 6, "error: what\n"),
        (errors.RemoteError("see https://me:pw@host/x"), 7, "error: see https://host/x\n"),
        (errors.GitFailed(["git", "fetch"], 1, "fatal: no"), 1, "error: git fetch failed: "),
        (OSError(errno.ENOSPC, "No space left on device", "/p"), 1, "error: no space left on de"),
        (PermissionError(errno.EACCES, "Permission denied", "/p"), 1, "error: permission denied"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (Terminated(signal.SIGTERM), 143, "error: terminated\n"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_every_error_has_its_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    assert fail_with(monkeypatch, error) == code
    out, err = capsys.readouterr()
    assert (out, err[: len(said)]) == ("", said)
    assert "Traceback" not in err


@pytest.mark.usefixtures("keeping_signals")
def test_a_bug_leaves_a_private_file_to_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert fail_with(monkeypatch, KeyError("https://me:hunter2@host/x")) == 70
    out, err = capsys.readouterr()
    (file,) = tmp_path.iterdir()
    assert out == ""
    assert err.startswith("error: a bug in git ghost: KeyError: ")
    assert f"hint: The details are in {file}\n" in err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert "Traceback" in text
    assert "arguments: ['push']" in text
    assert "hunter2" not in text + err


@pytest.mark.usefixtures("keeping_signals")
def test_a_bug_is_told_in_full_where_no_file_can_be_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    assert fail_with(monkeypatch, ZeroDivisionError("oops")) == 70
    assert "hint: Traceback" in capsys.readouterr().err


# --- signals and streams -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_it_and_nothing_temporary_stays(
    lab: Lab, number: signal.Signals, code: int
) -> None:
    ready = lab.sandbox.root / "ready"
    os.mkfifo(ready)
    ssh = f'sh -c "echo \\$\\$ > {ready}; exec sleep 60" #'
    env = {**lab.sandbox.env, "GIT_SSH_COMMAND": ssh}
    temporary = Path(env["TMPDIR"])
    before = {*lab.laptop.joinpath(".git").rglob("*"), *temporary.iterdir()}
    argv = [sys.executable, "-m", "git_ghost", "push", "--ghost-repo", "ssh://host/ghosts.git"]
    running = subprocess.Popen(
        argv, cwd=lab.laptop, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    sleeper = int(ready.read_text())  # waits until git has started its ssh
    try:
        running.send_signal(number)
        out, err = running.communicate(timeout=30)
    finally:
        os.kill(sleeper, signal.SIGKILL)
    assert (running.returncode, out) == (code, b"")
    assert err.decode() in ("error: terminated\n", "error: interrupted\n")
    left = {*lab.laptop.joinpath(".git").rglob("*"), *temporary.iterdir()} - before
    assert {path.name for path in left} <= {"git-ghost", "tmp"}  # our own folders, empty


EARLY = """
import os, sys
def hear(event, args):
    if event == "import" and args[0] == sys.argv[-2]:
        os.kill(os.getpid(), int(sys.argv[-1]))
sys.addaudithook(hear)
from git_ghost.__main__ import entry
args, sys.argv[1:] = sys.argv[1:], ["psh"]
sys.argv.extend(args)
entry()
"""
"""Send itself a signal when a module is about to be imported; the call is a mistake."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("module", ["git_ghost.cli.main", "click", "difflib"])
def test_a_signal_while_it_starts_shows_no_traceback(
    sandbox: Sandbox, module: str, number: signal.Signals
) -> None:
    line = (sys.executable, "-c", EARLY, module, str(int(number)))
    done = sandbox.run(*line, env=UNMEASURED)
    word = "interrupted" if number == signal.SIGINT else "terminated"
    assert done.fails(128 + number) == f"error: {word}\n"


def test_an_interrupt_while_the_handlers_are_loaded_shows_no_traceback(sandbox: Sandbox) -> None:
    line = (sys.executable, "-c", EARLY, "signal", str(int(signal.SIGINT)))
    done = sandbox.run(*line, env=UNMEASURED)  # measuring loads `signal` beforehand
    assert done.fails(130) == "error: interrupted\n"


def test_a_reader_that_leaves_early_ends_it_quietly(lab: Lab) -> None:
    lab.write("foo", os.urandom(1 << 20))
    tree = lab.ghost("push").ok().split()[-1]
    env = {**lab.sandbox.env, "GIT_GHOST_REPO": lab.ghost_url}
    running = subprocess.Popen(
        [sys.executable, "-m", "git_ghost", "show", tree],
        cwd=lab.laptop,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.read(4) == b"diff"
    running.stdout.close()
    assert running.stderr.read() == b""
    running.stderr.close()
    assert running.wait(60) == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_that_cannot_be_written_is_a_failure(lab: Lab) -> None:
    done = lab.sandbox.run(
        *("sh", "-c", f"{sys.executable} -m git_ghost list -q > /dev/full"), cwd=lab.laptop
    )
    assert done.fails(1) == "error: no space left on device\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("push 2>/dev/full", 0),
        ("push 2</dev/null", 0),
        ("psh 2>/dev/full", 2),
        ("pull 1111111 2>/dev/full", 3),
        ("list >/dev/full 2>/dev/full", 1),
        ("version 1</dev/null", 1),
    ],
)
def test_a_stderr_that_cannot_be_written_does_not_change_the_outcome(
    lab: Lab, call: str, code: int
) -> None:
    command = f"exec {sys.executable} -m git_ghost {call}"
    env = {"GIT_GHOST_REPO": lab.ghost_url}
    done = lab.sandbox.run("sh", "-c", command, cwd=lab.laptop, env=env)
    assert done.code == code
    assert "bug" not in done.err


@pytest.mark.parametrize("call", ["clone 1111111", "clone 1111111 x", "pull 1111111", "list"])
def test_a_current_folder_that_was_deleted_is_told(lab: Lab, call: str) -> None:
    command = f"mkdir gone && cd gone && rmdir ../gone && exec {sys.executable} -m git_ghost {call}"
    env = {"GIT_GHOST_REPO": lab.ghost_url}
    err = lab.sandbox.run("sh", "-c", command, env=env).fails(1)
    assert err == ("error: the current folder is not there any more\nhint: Go into one that is.\n")


def test_it_works_with_every_standard_stream_closed(lab: Lab) -> None:
    command = f"{sys.executable} -m git_ghost push --ghost-repo {lab.ghost_url} <&- >&- 2>&-"
    assert lab.sandbox.run("sh", "-c", command, cwd=lab.laptop).code == 0
    assert re.search(r"/[0-9a-f]{40}$", lab.ghost_refs()[0])


def test_a_folder_whose_name_is_no_text_is_no_problem(lab: Lab) -> None:
    folder = lab.sandbox.root / os.fsdecode(b"caf\xe9")
    lab.laptop.rename(folder)
    done = lab.sandbox.ghost("doctor", cwd=folder, env={"PYTHONUTF8": "0", "LC_ALL": "C.UTF-8"})
    assert b"repository" in done.out
    assert done.code == 0, done.err


def test_git_is_told_not_to_ask_where_nobody_can_answer(lab: Lab) -> None:
    spy = lab.write("spy", b'#!/bin/sh\necho "asks=$GIT_TERMINAL_PROMPT" >&2\nexit 1\n', 0o755)
    env = {"GIT_SSH_COMMAND": str(spy), "GIT_TERMINAL_PROMPT": ""}
    args = [sys.executable, "-m", "git_ghost", "list", "--ghost-repo", "ssh://host/x"]
    for given, seen in ((None, "asks=0"), ("1", "asks=1")):
        full = {**lab.sandbox.env, **env, "GIT_TERMINAL_PROMPT": given or ""}
        if given is None:
            del full["GIT_TERMINAL_PROMPT"]
        done = subprocess.run(
            args, env=full, cwd=lab.laptop, capture_output=True, start_new_session=True, check=False
        )
        assert done.returncode == 7
        assert seen in done.stderr.decode()
