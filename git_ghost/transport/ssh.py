"""ssh connections opened ahead of git, and shared by the git commands of one call.

An ssh handshake takes six or more round trips, most of what a push costs. It depends on the host
alone, so it is done while the working tree is looked at, and git's own ssh then goes through it by
OpenSSH's multiplexing (``ControlPath`` in ssh_config(5)): authentication, host key checks and the
user's ssh configuration are ssh's own business as ever, and the server sees one connection.

Nothing depends on it. Where it does not apply (another ssh, a user who shares connections already,
``ghost.sshAhead`` false) git connects as it always does.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shlex
import subprocess
from typing import NamedTuple

from git_ghost.files import private_folder, remove_folder
from git_ghost.gitconfig import GitConfig
from git_ghost.process import Background, Environment, start
from git_ghost.settings import Settings
from git_ghost.transport.patience import Patience
from git_ghost.urls import parse

IDLE_SECONDS = 20
"""How long a connection that nobody uses stays, should this process be killed."""
_SOCKET_PATH = 100
"""The longest socket path that works everywhere (104 bytes on macOS), with ssh's own suffix."""


_PLAIN = re.compile(r"(?!-)[^@/:%\s\[\]]+\Z")
"""What ssh takes as a user or host just as git does."""


class Host(NamedTuple):
    """Where an ssh URL leads: the arguments ssh takes for it."""

    name: str
    port: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """As on ssh's command line."""
        return (*(("-p", self.port) if self.port else ()), self.name)


def host_of(url: str) -> Host | None:
    """The host of an ssh URL in either of git's spellings, or None for any other URL.

    None too for what git would refuse (a name that ssh would take as an option) or spell otherwise.
    """
    parts = parse(url)
    named = [parts.host, *filter(None, [parts.user])]
    if parts.scheme != "ssh" or not all(_PLAIN.match(name) for name in named):
        return None
    return Host(f"{parts.user}@{parts.host}" if parts.user else parts.host, parts.port)


_STRICT = (
    "StrictHostKeyChecking=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "UpdateHostKeys=no",
)


class _Opened(NamedTuple):
    """How opening a connection ended: it is there to share, or it is not and ssh said why."""

    shared: bool
    said: str = ""


class _Way(NamedTuple):
    """One connection: where it leads and by which ssh command, so with whose key."""

    host: Host
    command: str
    path: str
    own: bool
    """Whether the command was made for this URL, and is not the user's."""


class SharedConnections:
    """The ssh connections of one call; close it at the end (it is a context manager).

    Where a caller names an ssh ``command`` for a URL, which has a key in it, a connection is shared
    by that command alone: who may read one repository of a host may not read every other.
    """

    def __init__(
        self, config: GitConfig, env: Environment, patience: Patience = Patience()
    ) -> None:
        """``env`` is the environment of git, ``patience`` how long a server may be silent."""
        self._config = config
        self._env = env
        self._patience = patience
        self._folder = ""
        self._opening: dict[tuple[Host, str], tuple[_Way, Background[_Opened]]] = {}
        self._processes: list[subprocess.Popen[bytes]] = []

    def ahead(self, url: str, command: str = "") -> None:
        """Begin to connect to the host of ``url``, if that is of use."""
        host = host_of(url)
        if host is None or (host, command) in self._opening or not self._applies(url, command):
            return
        if not self._folder:
            self._folder = _short_folder()
        if self._folder:
            # ssh puts a hash of host, port and user in the place of %C.
            path = os.path.join(self._folder, f"{len(self._opening)}%C")
            way = _Way(host, command or self._command, path, bool(command))
            self._opening[host, command] = way, Background(lambda: self._open(way))

    @property
    def opening(self) -> bool:
        """Whether a connection is just being opened: ssh may be asking for a passphrase."""
        return any(opening.is_under_way for _, opening in list(self._opening.values()))

    def ready(self, url: str, command: str = "") -> tuple[dict[str, str], str]:
        """Wait for :meth:`ahead`: variables for git, and what ssh said if it failed."""
        host = host_of(url)
        way, opening = self._opening.get((host, command), (None, None)) if host else (None, None)
        opened = opening.get() if opening else _Opened(False)
        if way is None or not opened.shared:
            bounded = self._patience.seconds and not command and self._is_openssh()
            return ({"GIT_SSH_COMMAND": self._command} if bounded else {}), opened.said
        options = f"-o ControlMaster=no -o ControlPath={shlex.quote(way.path)}"
        return {"GIT_SSH_COMMAND": f"{way.command} {options}"}, ""

    @property
    def _configured(self) -> str:
        """git's ssh command (``core.sshCommand`` in git-config(1))."""
        return self._env.get("GIT_SSH_COMMAND") or self._config.get("core.sshcommand") or "ssh"

    @property
    def _command(self) -> str:
        """The same with our bounds, if it is to have them; the user's own come first and count."""
        options = self._patience.ssh_options
        return " ".join([self._configured, *(f"-o {option}" for option in options)])

    def strict_command(self) -> str:
        """The user's ssh for a host that somebody else names; empty where it is not OpenSSH's.

        Only to hosts whose keys are known, so to which the user agreed before, are keys offered,
        and nothing is forwarded. ssh takes the first value of an option: these.
        """
        program = shlex.split(self._configured)[0] if self._is_openssh() else ""
        if not program or not self._command.startswith(program):
            return ""
        options = "".join(f" -o {option}" for option in _STRICT)
        return f"{program}{options}{self._command.removeprefix(program)}"

    def _is_openssh(self) -> bool:
        """Whether git's ssh command is OpenSSH's ssh with options, and nothing more."""
        config, env = self._config, self._env
        if env.get("GIT_SSH") and not (env.get("GIT_SSH_COMMAND") or config.get("core.sshcommand")):
            return False
        variant = env.get("GIT_SSH_VARIANT") or config.get("ssh.variant") or "auto"
        try:
            words = shlex.split(self._configured)
        except ValueError:
            return False
        return variant in ("auto", "ssh") and bool(words) and os.path.basename(words[0]) == "ssh"

    def _applies(self, url: str, command: str) -> bool:
        config = self._config
        if not Settings.ssh_ahead.resolve(None, {}, config, ""):
            return False
        if not command and not self._is_openssh():
            return False
        words = shlex.split(command or self._configured)
        rewritten = (
            url.startswith(value)
            for key, values in config.values.items()
            if re.fullmatch(r"url\..*\.(?:push)?insteadof", key)
            for value in values
        )
        return not any(rewritten) and not any(w.lower().startswith("controlpath") for w in words)

    def _run(
        self, command: str, *arguments: str, out: int = subprocess.DEVNULL
    ) -> tuple[int, str, str]:
        """Run git's ssh command as git does: the user configured a command line for the shell."""
        shell = ("sh", "-c", f'{command} "$@"', command, *arguments)
        # Not a pipe: what goes to the background would keep it open.
        with open(os.path.join(self._folder, f"said-{len(self._processes)}"), "w+b") as said:
            process = start(
                shell, env=dict(self._env), stdin=subprocess.DEVNULL, stdout=out, stderr=said
            )
            self._processes.append(process)
            printed = process.stdout.read().decode("utf-8", "replace") if process.stdout else ""
            status = process.wait()
            if process.stdout:
                process.stdout.close()
            said.seek(0)
            return status, printed, said.read().decode("utf-8", "replace")

    def _may_share_already(self) -> bool:
        """Whether ssh's configuration may speak of ControlPath; asking ssh itself costs 14 ms."""
        words = shlex.split(self._configured)
        named = [path for option, path in itertools.pairwise(words) if option == "-F"]
        files = named or [os.path.expanduser("~/.ssh/config"), *_system_configuration()]
        for path in files:
            with contextlib.suppress(OSError), open(path, "rb") as file:
                text = file.read().lower().replace(_SYSTEM_INCLUDE, b"")
                if b"controlpath" in text or b"include" in text:
                    return True
        return False

    def _open(self, way: _Way) -> _Opened:
        host = way.host
        if not way.own and self._may_share_already():
            _, settings, _ = self._run(way.command, "-G", *host.arguments, out=subprocess.PIPE)
            if re.search(r"^controlpath (?!none$)", settings, re.MULTILINE):
                return _Opened(False)
        # What git's own ssh may send goes through this one: without it, git would speak protocol 0.
        protocol = ("-o", "SendEnv=GIT_PROTOCOL")
        options = (
            *protocol,
            "-o",
            f"ControlPersist={IDLE_SECONDS}",
            "-o",
            f"ControlPath={way.path}",
        )
        status, _, said = self._run(way.command, "-f", "-N", "-M", *options, *host.arguments)
        return _Opened(False, said) if status else _Opened(True)

    def close(self) -> None:
        """End the connections."""
        for process in list(self._processes):
            if process.poll() is None:
                process.terminate()
        for way, opening in self._opening.values():
            opening.get()
            exit_ = ("-O", "exit", "-o", f"ControlPath={way.path}")
            self._run(way.command, *exit_, *way.host.arguments)
        self._opening.clear()
        if self._folder:
            remove_folder(self._folder)
            self._folder = ""

    def __enter__(self) -> SharedConnections:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


_SYSTEM_INCLUDE = b"include /etc/ssh/ssh_config.d/*.conf"


def _system_configuration() -> list[str]:
    folder = "/etc/ssh/ssh_config.d"
    with contextlib.suppress(OSError):
        return ["/etc/ssh/ssh_config", *(os.path.join(folder, name) for name in os.listdir(folder))]
    return ["/etc/ssh/ssh_config"]


def _short_folder() -> str:
    """A private folder whose path leaves room for a socket's name; empty when there is none."""
    room = _SOCKET_PATH - len("/git-ghost-ssh-123456789abc/9") - 40 - len(".1234567890123456")
    candidates = (os.environ.get("XDG_RUNTIME_DIR", ""), os.environ.get("TMPDIR", ""), "/tmp")  # noqa: S108 - the folder made there is private
    for folder in candidates:
        if folder and len(os.fsencode(folder)) <= room and os.access(folder, os.W_OK | os.X_OK):
            return private_folder(folder, "git-ghost-ssh-")
    return ""
