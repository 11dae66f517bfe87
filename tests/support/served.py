"""A lab on a server, for tests that call the library in this very process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from git_ghost.usecases import Options
from tests.support.lab import Lab
from tests.support.sandbox import Sandbox
from tests.support.servers import Server


class Served(Lab):
    """A lab whose remotes are on `server`; this process has its sandbox's environment."""

    def __init__(
        self,
        sandbox: Sandbox,
        server: Server,
        monkeypatch: pytest.MonkeyPatch,
        object_format: str = "sha1",
    ) -> None:
        """Make the repositories and take over what the server wants of its clients."""
        super().__init__(sandbox, object_format, server)
        self.server = server
        for name, value in sandbox.env.items():
            monkeypatch.setenv(name, value)

    def options(self, at: Path | None = None, repo: str = "") -> Options:
        """Return the options for the laptop's repository, or another, and the ghost repository."""
        return Options(directory=str(at or self.laptop), repo=repo or self.ghost_url)

    def edit(self) -> str:
        """Change, add and remove files of the laptop; return the tree id that results."""
        self.write("foo", b"b\n")
        self.write("new folder/data.bin", bytes(range(256)))
        (self.laptop / "README").unlink()
        return self.tree_of()

    def temporary_files(self) -> list[str]:
        """Return what lies in temporary folders: the system's, and ours in every repository."""
        places = [Path(self.sandbox.env["TMPDIR"]), *self.sandbox.root.rglob("git-ghost/tmp")]
        found = [path for place in places for path in place.rglob("*")]
        found += self.sandbox.root.rglob(".git-ghost-init-*")
        return sorted(os.fspath(path) for path in found)
