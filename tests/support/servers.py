"""Real git servers on loopback, one interface for all of them.

Each listens from construction to `close` (or for the length of a `with` block) on a port that the
kernel picks, and serves the repositories below `root`. ssh is in `ssh.py`, HTTP in `http.py`.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote

from tests.support.environment import clean_environment
from tests.support.listener import Listener
from tests.support.processes import Processes
from tests.support.sandbox import Sandbox

_Self = TypeVar("_Self", bound="Server")

# What hosting services allow; and no maintenance in the background, which would outlive the test.
_GITCONFIG = """\
[uploadpack]
    allowFilter = true
[http]
    receivepack = true
[receive]
    autogc = false
[init]
    defaultBranch = main
"""


class ServerUnavailable(Exception):
    """The host lacks a program that this kind of server needs."""


class Server(ABC):
    """A git server: `root` holds its repositories, `state` its home directory and its log."""

    port: int | None = None
    """Where it listens on 127.0.0.1; None where no network is involved."""

    def __init__(self, directory: Path) -> None:
        """Keep repositories and state below `directory`, which is created."""
        self.root = directory / "root"
        self.state = directory / "state"
        self.root.mkdir(parents=True)
        self.state.mkdir()
        self.server_env = clean_environment(self.state / "home")
        (self.state / "home/.gitconfig").write_text(_GITCONFIG, encoding="utf-8")
        self.env: dict[str, str] = {}
        """What a client must have in its environment to get in."""
        self.log_file = self.state / "log"
        self.log_file.touch()

    @abstractmethod
    def url(self, name: str, port: int | None = None) -> str:
        """Return the URL of a repository, at another port if there is a relay in between."""

    @property
    def connections(self) -> int:
        """How many connections clients have made so far."""
        return 0

    def create(self, name: str, object_format: str = "sha1") -> str:
        """Make an empty bare repository and return its URL."""
        command = ["git", "init", "--quiet", "--bare", f"--object-format={object_format}"]
        subprocess.run([*command, "--", self.root / name], env=self.server_env, check=True)
        return self.url(name)

    def admit(self, sandbox: Sandbox) -> None:
        """Give a sandbox all it needs to be a welcome client."""
        sandbox.env.update(self.env)

    def log(self) -> str:
        """Return what the server's processes have logged so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        """Stop serving and kill what still runs."""
        return

    def __enter__(self: _Self) -> _Self:
        """Return the server, which has been listening since it was made."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop serving."""
        self.close()


class PathServer(Server):
    """No server at all: a directory named by its path."""

    def url(self, name: str, port: int | None = None) -> str:  # noqa: ARG002 - has no port
        """Return the absolute path."""
        return str(self.root / name)


class FileServer(Server):
    """No server at all: a directory named by a file:// URL, which makes git use its protocol."""

    def url(self, name: str, port: int | None = None) -> str:  # noqa: ARG002 - has no port
        """Return the file:// URL."""
        return f"file://{quote(str(self.root / name))}"


class InetdServer(Server):
    """Starts one process per connection, with the connection as its stdin and stdout.

    The way inetd does it: the port is open before any process runs, is never taken by somebody
    else between choosing and listening, and connections can be counted.
    """

    host = "127.0.0.1"
    """Where it listens, and what its URLs say."""

    def __init__(self, directory: Path) -> None:
        """Listen; subclasses must be able to tell `command` by then."""
        super().__init__(directory)
        self._processes = Processes(self.log_file)
        self._connections: set[socket.socket] = set()
        self._listener = Listener(self._handle, host=self.host)
        self.port = self._listener.port

    @abstractmethod
    def command(self) -> list[str]:
        """Return the program, with arguments, that serves one connection."""

    @property
    def connections(self) -> int:
        """How many connections clients have made so far."""
        return self._listener.connections

    def close(self) -> None:
        """Stop listening, break the connections and kill the processes."""
        self._listener.close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._processes.kill()
        self._listener.join()

    def _handle(self, connection: socket.socket) -> None:
        self._connections.add(connection)
        with connection, contextlib.suppress(ConnectionAbortedError):
            command, number = self.command(), connection.fileno()
            with self._processes.running(command, self.server_env, stdin=number, stdout=number):
                pass  # until it ends by itself
        self._connections.discard(connection)


class GitDaemon(InetdServer):
    """git:// with `git daemon`: everything may be read and pushed, by anybody."""

    def command(self) -> list[str]:
        """Return the call of git daemon."""
        options = ["--inetd", "--export-all", "--enable=receive-pack", "--log-destination=stderr"]
        return ["git", "daemon", "--verbose", *options, f"--base-path={self.root}"]

    def url(self, name: str, port: int | None = None) -> str:
        """Return the git:// URL."""
        return f"git://{self.host}:{port or self.port}/{quote(name)}"
