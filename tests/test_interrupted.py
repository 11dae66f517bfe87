"""Killed anywhere and run again, pull and clone end exact; two at a time do not hurt each other."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.environment import UNMEASURED
from tests.support.lab import Lab
from tests.support.sandbox import Result
from tests.support.untouched import litter_in

_WRAPPER = """\
#!/bin/sh
# The n-th git that is started anywhere below git ghost: kills, or holds, what is to be tested.
n=$(mktemp "$FAULT_DIR/call.XXXXXX") && n=$(ls "$FAULT_DIR" | grep -c '^call')
[ -z "$FAULT_ONLY" ] || case " $* " in *" $FAULT_ONLY "*) ;; *) n=0 ;; esac
strike() {{
    : > "$FAULT_DIR/struck"
    case $FAULT_HOW in
        group) kill -9 0 ;;
        hook) sh "$FAULT_DIR/hook" ;;
        *) kill "-$FAULT_HOW" "$(cat "$FAULT_DIR/pid")" ;;
    esac
}}
hit=
[ -n "$FAULT_AT" ] && [ "$n" -ge "$FAULT_AT" ] && mkdir "$FAULT_DIR/once" 2>/dev/null && hit=1
[ -n "$hit" ] && [ "$FAULT_WHEN" = before ] && strike
if [ -n "$hit" ] && [ "$FAULT_WHEN" = after ]; then
    {git} "$@"
    status=$?
    strike
    exit $status
fi
exec {git} "$@"
"""


class Faults:
    """Runs git ghost with a git that strikes at its n-th call: in real processes, by real signals.

    The calls git itself makes (index-pack, upload-pack, …) count too: they are found in the same
    way, in the folder that `GIT_EXEC_PATH` names.
    """

    def __init__(self, lab: Lab, root: Path) -> None:
        self._lab = lab
        self._root = root
        self._runs = 0
        self._exec = root / "exec"
        core = Path(lab.sandbox.text("--exec-path"))
        self._exec.mkdir(parents=True)
        for tool in core.iterdir():
            if tool.name != "git":
                (self._exec / tool.name).symlink_to(tool)
        wrapper = self._exec / "git"
        wrapper.write_text(_WRAPPER.format(git=shutil.which("git")), encoding="utf-8")
        wrapper.chmod(0o755)

    @property
    def folder(self) -> Path:
        """Return where the calls of the current run are counted."""
        return self._root / f"faults-{self._runs}"

    def run(
        self,
        *args: str | Path,
        cwd: Path,
        at: int | None = None,
        when: str = "before",
        how: str = "9",
        hook: str = "",
        only: str = "",
    ) -> tuple[Result, bool]:
        """Run git ghost; what it left behind, and whether it was struck."""
        self._runs += 1  # a folder for each run: orphans of the last one may still be at work
        self.folder.mkdir()
        (self.folder / "hook").write_text(hook, encoding="utf-8")
        env = {
            **self._lab.sandbox.env,
            "GIT_GHOST_REPO": self._lab.ghost_url,
            "FAULT_DIR": str(self.folder),
            "FAULT_AT": "" if at is None else str(at),
            "FAULT_WHEN": when,
            "FAULT_HOW": how,
            "FAULT_ONLY": only,
            "GIT_EXEC_PATH": str(self._exec),
            "PATH": f"{self._exec}:{self._lab.sandbox.env['PATH']}",
            **(UNMEASURED if at is not None else {}),
        }
        with subprocess.Popen(
            ["sh", "-c", 'echo $$ > "$FAULT_DIR/pid"; exec "$@"', "sh",
             sys.executable, "-m", "git_ghost", *args],
            cwd=cwd, env=env, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            out, err = process.communicate(timeout=60)
        result = Result(process.returncode, out, err.decode("utf-8", "replace"))
        return result, (self.folder / "struck").exists()


@pytest.fixture
def faults(lab: Lab, tmp_path: Path) -> Faults:
    return Faults(lab, tmp_path)


def stored(lab: Lab) -> str:
    """Store commits the source lacks and a diff that edits, adds, deletes and swaps."""
    lab.write("foo", b"committed\n")
    lab.write("package/module.py", b"1\n")
    lab.commit("Not pushed")
    lab.write("foo", b"b\n" * 100)
    lab.write("new/file", b"new\n" * 100)
    (lab.laptop / "README").unlink()
    shutil.rmtree(lab.laptop / "package")
    lab.write("package", b"a file now\n")
    return lab.ghost("push").ok().split()[-1]


def assert_as_if_never_interrupted(lab: Lab, place: Path, uninterrupted: Path, hash: str) -> None:
    assert lab.tree_of(place) == hash
    assert lab.disk_state(place) == lab.disk_state(uninterrupted)
    for command in (
        ("ls-files", "--stage", "-v"),
        ("rev-parse", "HEAD"),
        ("rev-parse", "--symbolic-full-name", "HEAD"),
        ("for-each-ref",),
        ("status", "--porcelain"),
        ("log", "--format=%H"),
    ):
        found = lab.sandbox.git(*command, cwd=place)
        assert found == lab.sandbox.git(*command, cwd=uninterrupted), command
    lab.sandbox.git("fsck", "--connectivity-only", cwd=place)
    assert litter_in(place) == []
    assert not (place / ".git/git-ghost/pull.json").exists()
    assert list(Path(lab.sandbox.env["TMPDIR"]).iterdir()) == []


def killed_at_every(
    lab: Lab, faults: Faults, tmp_path: Path, verb: str, when: str, how: str, start: int, step: int
) -> None:
    hash = stored(lab)
    template, uninterrupted = lab.sandbox.root / "template", lab.sandbox.root / "uninterrupted"
    if verb == "pull":
        for path in (template, uninterrupted):
            lab.fresh_clone(path.name, "--depth=1", "--no-local")
            (path / ".git/info/exclude").write_text("*.log\n", encoding="utf-8")
            lab.write("mine.log", b"mine\n", at=path)
        lab.sandbox.git("push", "-q", "origin", "HEAD~1:refs/heads/main", cwd=lab.laptop)
        faults.run("pull", hash, cwd=uninterrupted)[0].ok()
    else:
        faults.run("clone", hash, uninterrupted, cwd=lab.sandbox.root)[0].ok()
    struck, at = True, start
    while struck:
        place = tmp_path / f"place-{at}"
        if verb == "pull":
            shutil.copytree(template, place, symlinks=True)
            args: tuple[str, ...] = ("pull", hash)
            cwd = place
        else:
            args, cwd = ("clone", hash, str(place)), lab.sandbox.root
        first, struck = faults.run(*args, cwd=cwd, at=at, when=when, how=how)
        assert struck or first.code == 0, first.err
        again, _ = faults.run(*args, cwd=cwd)
        assert again.code == 0, (at, again.err)
        assert_as_if_never_interrupted(lab, place, uninterrupted, hash)
        at += step


@pytest.mark.parametrize("verb", ["pull", "clone"])
def test_killed_at_some_points_and_run_again_it_ends_exact(
    lab: Lab, faults: Faults, tmp_path: Path, verb: str
) -> None:
    killed_at_every(lab, faults, tmp_path, verb, "after", "group", 12, 13)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["9", "group"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("verb", ["pull", "clone"])
def test_killed_at_any_point_and_run_again_it_ends_exact(
    lab: Lab, faults: Faults, tmp_path: Path, verb: str, when: str, how: str
) -> None:
    # Each of them, with step 1, takes a minute or two.
    start, step = {
        ("before", "9"): (1, 5), ("before", "group"): (3, 5),
        ("after", "9"): (2, 5), ("after", "group"): (1, 3),
    }[when, how]  # fmt: skip
    killed_at_every(lab, faults, tmp_path, verb, when, how, start, step)


@pytest.mark.parametrize("name", ["TERM", "INT"])
@pytest.mark.parametrize("verb", ["pull", "clone"])
def test_a_signal_ends_it_at_once_with_nothing_left_behind(
    lab: Lab, faults: Faults, verb: str, name: str
) -> None:
    hash = stored(lab)
    pod = lab.sandbox.root / "pod"
    if verb == "pull":
        lab.fresh_clone("pod")
        before = lab.disk_state(pod)
        args: tuple[str | Path, ...] = ("pull", hash)
    else:
        pod.mkdir()
        before = {}
        args = ("clone", hash, pod)
    cwd = pod if verb == "pull" else lab.sandbox.root
    # A git that does not end by itself: what waits for it must end it.
    fetch = {"only": "fetch", "at": 1, "how": "hook"}
    hook = f'kill -{name} $(cat "$FAULT_DIR/pid"); sleep 30'
    started = time.monotonic()
    result, struck = faults.run(*args, cwd=cwd, hook=hook, **fetch)  # type: ignore[arg-type]
    assert struck
    assert result.code == 128 + signal.Signals[f"SIG{name}"]
    assert time.monotonic() - started < 20
    assert lab.disk_state(pod) == before
    if verb == "pull":
        assert litter_in(pod) == []
    else:
        assert list(pod.iterdir()) == []
    assert list(Path(lab.sandbox.env["TMPDIR"]).iterdir()) == []
    faults.run(*args, cwd=cwd)[0].ok()
    assert lab.tree_of(pod) == hash


def test_what_the_user_did_after_the_kill_is_not_overwritten(lab: Lab, faults: Faults) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    _, struck = faults.run("pull", hash, cwd=pod, at=1, only="-u", when="after")
    assert struck
    assert lab.tree_of(pod) == hash
    lab.write("foo", b"mine\n", at=pod)
    lab.write("new/file", b"mine\n", at=pod)
    before = lab.disk_state(pod)
    said = lab.ghost("pull", hash, at=pod).fails(5)
    assert said.count("\n  foo\n") == said.count("\n  new/file\n") == 1
    assert lab.disk_state(pod) == before
    assert "refs/git-ghost/backup" in lab.ghost("pull", "--force", hash, at=pod).err
    assert lab.tree_of(pod) == hash


def test_half_written_files_are_finished(lab: Lab, faults: Faults) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    faults.run("pull", hash, cwd=pod, at=1, only="-u", when="before", how="group")
    lab.write("foo", b"b\n" * 20, at=pod)  # as git leaves it when it is killed while writing
    lab.write("new/file", b"", at=pod)
    (pod / "README").unlink()
    lab.ghost("pull", hash, at=pod).ok()
    assert lab.tree_of(pod) == hash


def test_another_ghost_can_follow_a_killed_pull(lab: Lab, faults: Faults) -> None:
    first = stored(lab)
    lab.write("foo", b"c\n")
    (lab.laptop / "new/file").unlink()
    second = lab.ghost("push").ok().split()[-1]
    pod = lab.fresh_clone("pod")
    faults.run("pull", first, cwd=pod, at=1, only="-u", when="after")
    result = lab.ghost("pull", "--exact", second, at=pod)
    assert result.code == 0, result.err
    assert lab.tree_of(pod) == second


def test_a_killed_pull_with_force_tells_where_things_are_when_run_again(
    lab: Lab, faults: Faults
) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    lab.write("foo", b"mine\n", at=pod)
    faults.run("pull", "--force", hash, cwd=pod, at=1, only="-u", when="after")
    result = lab.ghost("pull", hash, at=pod)
    assert result.code == 0, result.err
    ref = lab.sandbox.text("for-each-ref", "--format=%(refname)", "refs/git-ghost", cwd=pod)
    assert ref in result.err
    assert lab.sandbox.git("show", f"{ref}:foo", cwd=pod) == b"mine\n"
    assert lab.tree_of(pod) == hash


def test_the_locks_of_a_killed_pull_go_and_nobody_elses(lab: Lab, faults: Faults) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    faults.run("pull", hash, cwd=pod, at=1, only="-u", when="after", how="group")
    lock = pod / ".git/index.lock"
    assert lock.exists()
    (pod / ".git/HEAD.lock").write_bytes(b"")  # as update-ref leaves it
    (pod / ".git/refs/heads/main.lock").write_bytes(b"")
    lock.unlink()
    lock.write_bytes(b"somebody else's")
    lab.ghost("pull", hash, at=pod).fails(5)
    assert lock.read_bytes() == b"somebody else's"
    lock.unlink()
    lab.ghost("pull", hash, at=pod).ok()
    assert litter_in(pod) == []
    assert lab.tree_of(pod) == hash


def test_what_is_staged_while_a_pull_looks_is_not_lost(lab: Lab, faults: Faults) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    git = f"env -i HOME={lab.sandbox.home} {shutil.which('git')} -C {pod}"
    hook = f"echo mine > {pod}/staged && {git} add staged && rm {pod}/staged"
    for only in ("apply", "status", "diff-tree"):
        faulty = {"at": 1, "only": only, "how": "hook", "when": "after", "hook": hook}
        result, struck = faults.run("pull", hash, cwd=pod, **faulty)  # type: ignore[arg-type]
        assert struck
        assert result.code == 5, result.err
        assert lab.sandbox.git("show", ":staged", cwd=pod) == b"mine\n"
        lab.sandbox.git("reset", "-q", "--hard", cwd=pod)
    lab.ghost("pull", hash, at=pod).ok()


def test_two_pulls_at_once_in_one_working_tree_both_succeed(lab: Lab) -> None:
    hash = stored(lab)
    pod = lab.fresh_clone("pod")
    _both(lab, pod, "pull", hash)
    assert lab.tree_of(pod) == hash
    assert litter_in(pod) == []


def test_two_clones_at_once_into_one_folder_both_succeed(lab: Lab) -> None:
    hash = stored(lab)
    for name in ("one", "two", "three"):
        pod = lab.sandbox.root / name
        _both(lab, lab.sandbox.root, "clone", hash, str(pod))
        assert lab.tree_of(pod) == hash
        assert litter_in(pod) == []


def _both(lab: Lab, cwd: Path, *args: str) -> None:
    env = {**lab.sandbox.env, "GIT_GHOST_REPO": lab.ghost_url}
    argv = [sys.executable, "-m", "git_ghost", *args]
    running = [
        subprocess.Popen(argv, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], said


def test_a_full_disk_is_a_sentence_and_afterwards_the_pull_is_finished(
    lab: Lab, tmp_path: Path
) -> None:
    lab.write("large", os.urandom(3 << 20))
    hash = lab.ghost("push").ok().split()[-1]
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", small], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        pod = small / "pod"
        lab.sandbox.git("clone", "-q", lab.source_url, pod)
        for room in (0, 1 << 20, 4 << 20, 8 << 20):
            _fill(small / "filler", leave=room)
            failed = lab.ghost("pull", hash, at=pod)
            (small / "filler").unlink()
            assert failed.code in (1, 7), failed.err
            assert failed.err.startswith("error: ")
            assert re.search("o space left on device|not be written completely", failed.err)
        lab.ghost("pull", hash, at=pod).ok()
        assert lab.tree_of(pod) == hash
        assert litter_in(pod) == []
    finally:
        subprocess.run(["umount", "--lazy", small], check=True)


def _fill(path: Path, leave: int) -> None:
    found = os.statvfs(path.parent)
    room = found.f_bavail * found.f_frsize - leave
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(room, 1))


def test_a_folder_that_cannot_be_written_to_is_a_sentence(lab: Lab, tmp_path: Path) -> None:
    hash = stored(lab)
    top = tmp_path / "mounted"
    top.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=9m", "tmpfs", str(top)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        pod = top / "pod"
        lab.sandbox.git("clone", "-q", lab.source_url, pod)
        before = lab.disk_state(pod)
        subprocess.run(["mount", "-o", "remount,ro", top], check=True)
        said = lab.ghost("pull", hash, at=pod).fails(1)
        assert said.startswith("error: read-only file system")
        subprocess.run(["mount", "-o", "remount,rw", top], check=True)
        assert lab.disk_state(pod) == before
        lab.ghost("pull", hash, at=pod).ok()
        assert lab.tree_of(pod) == hash
    finally:
        subprocess.run(["umount", "--lazy", top], check=True)
