"""Where the contenders work: a laptop's clone, and ghost repositories behind a slow network."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import data
from benchmarks.harness import Bench
from benchmarks.programs import FLOOR, OURS, Programs
from tests.support.relay import Relay
from tests.support.sandbox import Sandbox
from tests.support.servers import PathServer, Server
from tests.support.ssh import SshServer
from tests.support.v01 import V01

DELAY_MS = 10.0
"""Each way: a round trip of 20 ms, as to a server in the same country."""
EDITED = 3
"""How many files a researcher changed since the last run."""

_counter = itertools.count()


@dataclass(frozen=True)
class Place:
    """A server with the source and one ghost repository for each contender."""

    sandbox: Sandbox
    server: Server
    relay: Relay | None
    folder: Path

    def url(self, name: str) -> str:
        """Return the URL of a repository: through the relay, if there is one."""
        return self.server.url(name, self.relay.port if self.relay else None)

    @property
    def source(self) -> str:
        """The URL of the source repository."""
        return self.url("source.git")

    def ghosts_of(self, who: str) -> str:
        """Return the name of a contender's own ghost repository."""
        return {OURS: "ours.git", FLOOR: "floor.git"}.get(who, "v01.git")

    def forget_new(self, who: str) -> None:
        """Drop what was pushed since the ghosts were stored: those are packed, new ones are not."""
        shutil.rmtree(self.server.root / self.ghosts_of(who) / "refs/heads/ghost", True)

    def count_new(self, who: str) -> int:
        """Return how many ghosts were pushed since the last `forget_new`."""
        refs = self.server.root / self.ghosts_of(who) / "refs/heads/ghost"
        return sum(path.is_file() for path in refs.rglob("*"))

    def run_v01(self, programs: Programs, *args: str, cwd: Path) -> str:
        """Run a command of v0.1.5 with its own ghost repository; return what it prints."""
        env = {**self.sandbox.env, **ghost_env(self.url(self.ghosts_of(programs.v01_name)))}
        return V01(env, programs.v01).run(*args, cwd=cwd).ok()

    def laptop(self, name: str = "laptop") -> Laptop:
        """Clone the source, completely, without the network's help."""
        path = self.sandbox.root / name
        self.sandbox.git("clone", "--quiet", self.server.root / "source.git", path)
        self.sandbox.git("remote", "set-url", "origin", self.source, cwd=path)
        settle(self.sandbox, path)
        return Laptop(self.sandbox, path)


@contextlib.contextmanager
def place(
    bench: Bench, ghosts: int, *, network: bool, delay_ms: float = DELAY_MS
) -> Iterator[Place]:
    """Serve the repositories, over ssh behind a relay or by their paths."""
    folder = bench.scratch / f"place-{next(_counter)}"
    sandbox = Sandbox(folder / "client")
    with contextlib.ExitStack() as stack:
        kind = SshServer if network else PathServer
        server: Server = stack.enter_context(kind(folder / "server"))
        server.admit(sandbox)
        relay = None
        if network:
            assert server.port is not None
            relay = stack.enter_context(Relay(server.port, delay_ms=delay_ms))
        data.copy(data.source_repository(bench.cache), server.root / "source.git")
        stored = data.ghost_repository(bench.cache, ghosts)
        for name in ("ours.git", "floor.git", "v01.git"):
            data.copy(stored, server.root / name)
        yield Place(sandbox, server, relay, folder)
        shutil.rmtree(folder, ignore_errors=True)


class Laptop:
    """A working tree that keeps changing."""

    def __init__(self, sandbox: Sandbox, path: Path) -> None:
        """Choose the files that will be edited."""
        self.sandbox = sandbox
        self.path = path
        self.head = sandbox.text("rev-parse", "HEAD", cwd=path)
        names = sandbox.text("ls-files", cwd=path).split("\n")
        step = len(names) // EDITED
        self._original = {
            path / name: (path / name).read_bytes() for name in names[::step][:EDITED]
        }

    def edit(self) -> None:
        """Change a few lines of a few files, to what they never were before."""
        token = b"%d" % next(_counter)
        for path, content in self._original.items():
            lines = content.split(b"\n")
            for number in range(0, len(lines), max(1, len(lines) // 5)):
                lines[number] += b"  # changed, again: " + token
            path.write_bytes(b"\n".join(lines))

    def ready_commit(self) -> tuple[str, str]:
        """Make the commit that a push would have to send, and the ref's name for it."""
        patch = self.sandbox.git("diff", "--binary", "HEAD", cwd=self.path)
        name = hashlib.sha1(patch, usedforsecurity=False).hexdigest()
        store = ("hash-object", "-w", "--stdin")
        blob = self.sandbox.git(*store, cwd=self.path, stdin=patch).strip()
        entry = b"100644 blob %s\tlocal-mod.patch\n" % blob
        tree = self.sandbox.git("mktree", cwd=self.path, stdin=entry).decode().strip()
        commit = self.sandbox.text("commit-tree", tree, "-m", "Create ghost commit", cwd=self.path)
        return commit, f"refs/heads/ghost/{self.head}/{name}"


def settle(sandbox: Sandbox, path: Path) -> None:
    """Bring a fresh checkout to the state it is in after a day's work.

    Files as young as the index are read again by each git command, since they may have changed
    within the time stamps' resolution, until a `git status` in a later second writes that down.
    """
    time.sleep(1.1)
    sandbox.git("status", "--short", cwd=path)


def ghost_env(url: str) -> Mapping[str, str]:
    """Return the environment that tells git ghost, old and new, its ghost repository."""
    return {"GIT_GHOST_REPO": url}
