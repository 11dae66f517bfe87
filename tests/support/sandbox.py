"""A private home directory and the means to run git and git ghost in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.environment import PINNED_DATE, clean_environment

Argument = str | bytes | Path

_TIMEOUT_SECONDS = 120
"""Far above what any test needs: it turns a process that hangs into a failure."""

_GITCONFIG = """\
[user]
    name = Ada Ghost
    email = ada@example.com
[init]
    defaultBranch = main
[gc]
    autoDetach = false
[maintenance]
    autoDetach = false
"""
# (Maintenance in the background would outlive the test and write into a directory being removed.)


@dataclass(frozen=True)
class Result:
    """What a process left behind."""

    code: int
    out: bytes
    err: str

    def ok(self) -> str:
        """Assert success and return what was printed, decoded and stripped."""
        assert self.code == 0, f"exit code {self.code}, stderr:\n{self.err}"
        return self.out.decode("utf-8", "surrogateescape").strip()

    def fails(self, code: int) -> str:
        """Assert this very exit code and return stderr."""
        assert self.code == code, f"exit code {self.code} and not {code}, stderr:\n{self.err}"
        return self.err


class GitFailed(AssertionError):
    """A git command that the test relied on failed; shows its stderr."""


class Sandbox:
    """A machine with nothing on it but git: own home, own configuration, pinned dates."""

    def __init__(self, root: Path) -> None:
        """Set the home up below `root`, which is created when missing."""
        self.root = root
        """Where repositories of this sandbox are made."""
        self.home = root / "home"
        self.env: dict[str, str] = clean_environment(self.home)
        """The environment of every process; tests may change it."""
        self.env.update(GIT_AUTHOR_DATE=PINNED_DATE, GIT_COMMITTER_DATE=PINNED_DATE)
        (self.home / ".gitconfig").write_text(_GITCONFIG, encoding="utf-8")

    def run(
        self,
        *argv: Argument,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> Result:
        """Run a command to its end, in `root` unless told otherwise; `env` is added to `self.env`.

        Without `stdin` the process reads an empty one, never the terminal of the test run.
        """
        done = subprocess.run(
            argv,
            cwd=cwd or self.root,
            env={**self.env, **(env or {})},
            input=stdin if stdin is not None else b"",
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))

    def git(
        self,
        *args: Argument,
        cwd: Path | None = None,
        check: bool = True,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> bytes:
        """Run git and return its stdout as it is.

        Raises:
            GitFailed: it exited with an error and `check` is set.

        """
        result = self.run("git", *args, cwd=cwd, env=env, stdin=stdin)
        if check and result.code != 0:
            command = " ".join(str(argument) for argument in args)
            raise GitFailed(f"git {command} exited with {result.code}:\n{result.err}")
        return result.out

    def text(
        self,
        *args: Argument,
        cwd: Path | None = None,
        check: bool = True,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run git and return its stdout decoded and stripped."""
        out = self.git(*args, cwd=cwd, check=check, stdin=stdin, env=env)
        return out.decode("utf-8", "surrogateescape").strip()

    def config(self, key: str, value: str) -> None:
        """Set an entry of the global git configuration of this sandbox."""
        self.git("config", "--global", key, value)

    def repo(self, name: str, object_format: str = "sha1", bare: bool = False) -> Path:
        """Make an empty repository below `root`."""
        path = self.root / name
        options = ["--bare"] if bare else []
        self.git("init", "--quiet", f"--object-format={object_format}", *options, "--", path)
        return path

    def ghost(
        self,
        *args: Argument,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> Result:
        """Run the real command line of git ghost, as a process of its own."""
        return self.run(sys.executable, "-m", "git_ghost", *args, cwd=cwd, env=env, stdin=stdin)
