"""The usual setting of a test: a source remote, a laptop with a clone, a ghost repository."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tests.support import oracle
from tests.support.sandbox import Argument, Result, Sandbox
from tests.support.servers import Server


class Lab:
    """Three repositories that belong together; methods work in the laptop's unless told `at`."""

    def __init__(
        self, sandbox: Sandbox, object_format: str = "sha1", server: Server | None = None
    ) -> None:
        """Make the repositories and push a few commits; remotes are on `server`, or are paths."""
        self.sandbox = sandbox
        root = server.root if server else sandbox.root
        self.source = root / "source.git"
        self.ghost_repo = root / "ghosts.git"
        if server:
            server.admit(sandbox)
            self.source_url = server.create("source.git", object_format)
            self.ghost_url = server.create("ghosts.git", object_format)
        else:
            self.source_url = str(sandbox.repo("source.git", object_format, bare=True))
            self.ghost_url = str(sandbox.repo("ghosts.git", object_format, bare=True))
        self.laptop = sandbox.repo("laptop", object_format)
        sandbox.git("remote", "add", "origin", self.source_url, cwd=self.laptop)
        self.write("foo", b"a\n")
        self.commit("Say a")
        self.write("src/train.py", b"print('training')\n")
        self.write("run.sh", b"#!/bin/sh\nexec python src/train.py\n", mode=0o755)
        self.commit("Train")
        self.write("README", b"one\ntwo\nthree\n")
        self.commit("Explain")
        sandbox.git("push", "--quiet", "--set-upstream", "origin", "main", cwd=self.laptop)

    def write(
        self, relpath: str | bytes, data: bytes, mode: int = 0o644, *, at: Path | None = None
    ) -> Path:
        """Write a file of the working tree, making its directories."""
        path = (at or self.laptop) / os.fsdecode(relpath)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(mode)
        return path

    def symlink(self, relpath: str | bytes, target: str, *, at: Path | None = None) -> Path:
        """Make a symbolic link in the working tree, making its directories."""
        path = (at or self.laptop) / os.fsdecode(relpath)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
        return path

    def commit(self, message: str, *, at: Path | None = None) -> str:
        """Commit everything there is, even nothing, and return the commit's id."""
        self.sandbox.git("add", "--all", cwd=at or self.laptop)
        options = ("--quiet", "--allow-empty", "--cleanup=verbatim", "-m", message)
        self.sandbox.git("commit", *options, cwd=at or self.laptop)
        return self.head(at=at)

    def head(self, revision: str = "HEAD", *, at: Path | None = None) -> str:
        """Return the object id of a revision."""
        return self.sandbox.text("rev-parse", "--verify", revision, cwd=at or self.laptop)

    def push(self, *, at: Path | None = None) -> None:
        """Push the current branch to the source remote."""
        self.sandbox.git("push", "--quiet", "origin", "HEAD", cwd=at or self.laptop)

    def fresh_clone(self, name: str, *clone_args: str) -> Path:
        """Clone the source remote anew, as a pod or a colleague would."""
        path = self.sandbox.root / name
        self.sandbox.git("clone", "--quiet", *clone_args, "--", self.source_url, path)
        return path

    def ghost(
        self,
        *args: Argument,
        at: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> Result:
        """Run git ghost with this lab's ghost repository."""
        merged = {"GIT_GHOST_REPO": self.ghost_url, **(env or {})}
        return self.sandbox.ghost(*args, cwd=at or self.laptop, env=merged, stdin=stdin)

    def tree_of(self, path: Path | None = None) -> str:
        """Return the id of the exact tree at `path` (`oracle.git_tree_of`)."""
        return oracle.git_tree_of(self.sandbox, path or self.laptop)

    def disk_state(self, path: Path | None = None) -> dict[bytes, oracle.Entry]:
        """Return everything on disk at `path` (`oracle.disk_state`)."""
        return oracle.disk_state(path or self.laptop)

    def ghost_refs(self) -> list[str]:
        """Return the names of all refs in the ghost repository, sorted."""
        listing = self.sandbox.text("for-each-ref", "--format=%(refname)", cwd=self.ghost_repo)
        return listing.splitlines()
