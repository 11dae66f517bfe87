"""Run the credential plugin of a kubeconfig, as kubectl does (``client.authentication.k8s.io``).

The Kubernetes client runs plugins too, but cannot tell why one failed at a terminal, nor end one.
A plugin talks to the user: it gets the terminal, where there is one. Nothing else here looks at it.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import json
import os
import signal
import tempfile
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import IO, Any, NamedTuple

from git_ghost.errors import GhostError, RemoteError
from git_ghost.process import start

_GRACE = 1.0
"""Seconds to wait for the end of a plugin that was told to, and of what it left behind."""
_EXTENSION = "client.authentication.k8s.io/exec"

_HINT = "Log in again with it, and try `kubectl auth whoami`."


class UserCredentials(NamedTuple):
    """What says who we are: a token, or a certificate with its key, as PEM, or both."""

    token: str = ""
    certificate: str = ""
    key: str = ""
    expires: float = 0.0
    """Seconds since the epoch; 0 when that is not known."""


def ask(settings: Mapping[str, Any], cluster: Mapping[str, Any]) -> UserCredentials:
    """Run the plugin that the ``exec`` of a kubeconfig's user describes; RemoteError if it fails.

    ``cluster`` is the kubeconfig's, which a plugin may want to know.
    """
    command = str(settings.get("command") or "")
    version = str(settings.get("apiVersion") or "")
    if not command or not version:
        raise _failed(command or "without a name", "is not described: it takes command, apiVersion")
    interactive = _is_interactive(settings, command)
    spec: dict[str, Any] = {"interactive": interactive}
    if settings.get("provideClusterInfo"):
        spec["cluster"] = _described(cluster)
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    env = {**os.environ, "KUBERNETES_EXEC_INFO": json.dumps(info)}
    env |= {str(one["name"]): str(one["value"]) for one in settings.get("env") or ()}
    argv = [command, *map(str, settings.get("args") or ())]
    return _parsed(_output(argv, env, settings, interactive), command, version)


def _is_interactive(settings: Mapping[str, Any], command: str) -> bool:
    mode = settings.get("interactiveMode") or "IfAvailable"
    if mode == "Never":
        return False
    can = _is_terminal(0)
    if mode == "Always" and not can:
        raise _failed(command, "wants to ask, and standard input is not a terminal")
    return can


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def _described(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """``cluster`` as plugins are told of it: without names of files."""
    keys = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url",
            "certificate-authority-data", "disable-compression")  # fmt: skip
    found = {key: cluster[key] for key in keys if key in cluster}
    path = cluster.get("certificate-authority")
    if path and "certificate-authority-data" not in found:
        with open(path, "rb") as file:
            found["certificate-authority-data"] = base64.b64encode(file.read()).decode()
    for extension in cluster.get("extensions") or ():
        if extension.get("name") == _EXTENSION:
            found["config"] = extension.get("extension")
    return found


def _output(
    argv: list[str], env: dict[str, str], settings: Mapping[str, Any], interactive: bool
) -> bytes:
    """What the plugin prints; what it says goes to the terminal if there is one."""
    command, told = argv[0], _is_terminal(2)
    with contextlib.ExitStack() as stack:
        options: dict[str, Any] = {"env": env, "start_new_session": not _has_terminal()}
        said: IO[bytes] | None = None
        if not interactive:
            options["stdin"] = stack.enter_context(open(os.devnull, "rb"))
        if not told:  # not a pipe: what goes to the background would keep it open
            said = options["stderr"] = stack.enter_context(tempfile.TemporaryFile())
        try:
            status, printed = _plugins.run(argv, options)
        except (FileNotFoundError, NotADirectoryError) as e:
            hint = str(settings.get("installHint") or "").strip()
            raise _failed(command, "is not installed, or not on PATH", hint) from e
        except OSError as e:
            raise _failed(command, f"cannot be started: {(e.strerror or str(e)).lower()}") from e
        if status == 0:
            return printed
        words = _last_line(said) if said else ""
    how = f"failed with exit code {status}" if status > 0 else f"was ended by signal {-status}"
    tail = "; its words stand above" if told else f": {words}" if words else ""
    raise _failed(command, how + tail)


def _has_terminal() -> bool:
    """Whether the plugin could ask at ``/dev/tty``, which it could not in a session of its own."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _last_line(said: IO[bytes]) -> str:
    said.seek(0)
    lines = [line.strip() for line in said.read().decode("utf-8", "replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")


def _parsed(printed: bytes, command: str, version: str) -> UserCredentials:
    try:
        answer = json.loads(printed)
        kind, its_version = answer["kind"], answer["apiVersion"]
    except (ValueError, KeyError, TypeError) as e:
        raise _failed(command, "printed no ExecCredential") from e
    if (kind, its_version) != ("ExecCredential", version):
        raise _failed(
            command, f"printed {kind} of {its_version}, and the kubeconfig names {version}"
        )
    status = answer.get("status") or {}
    names = ("token", "clientCertificateData", "clientKeyData")
    token, certificate, key = (str(status.get(name) or "") for name in names)
    if bool(certificate) != bool(key):
        raise _failed(command, "printed a certificate without its key, or a key alone")
    if not token and not certificate:
        raise _failed(command, "printed neither a token nor a certificate")
    expires = _seconds(str(status.get("expirationTimestamp") or ""), command)
    return UserCredentials(token, certificate, key, expires)


def _seconds(stamp: str, command: str) -> float:
    """A time like 2030-01-02T03:04:05Z in seconds since the epoch; 0 for none."""
    if not stamp:
        return 0.0
    whole, dot, rest = stamp.partition(".")  # Python 3.10 knows milliseconds, not nanoseconds
    zone = rest.lstrip("0123456789") if dot else ""
    try:
        return datetime.fromisoformat((whole + zone).upper().replace("Z", "+00:00")).timestamp()
    except ValueError as e:
        raise _failed(command, f"printed an expirationTimestamp that is not a time: {stamp}") from e


def _failed(command: str, how: str, hint: str = "") -> GhostError:
    return RemoteError(f"the kubeconfig's credential plugin {command} {how}", hint or _HINT)


class _Plugins:
    """The plugins under way; none outlives git ghost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: dict[Any, bool] = {}
        self._over = False

    def run(self, argv: list[str], options: dict[str, Any]) -> tuple[int, bytes]:
        """Run one to its end: its exit status and what it printed. Raises OSError."""
        reading, writing = os.pipe()
        printed: list[bytes] = []
        reader = threading.Thread(target=_drain, args=(reading, printed), daemon=True)
        try:
            process = self._start(argv, {**options, "stdout": writing})
        finally:
            os.close(writing)
            reader.start()  # it closes the other end
        try:
            status = int(process.wait())
        except BaseException:
            self._end(process, apart=options["start_new_session"])
            raise
        finally:
            self._live.pop(process, None)
        reader.join(_GRACE)  # what it left in the background may keep the pipe open
        return status, b"".join(printed)

    def _start(self, argv: list[str], options: dict[str, Any]) -> Any:
        with self._lock:
            if self._over:
                raise RemoteError("no credential plugin is run any more: git ghost ends")
            process = start(argv, shown=argv[:1], **options)
            self._live[process] = options["start_new_session"]
            return process

    def end(self) -> None:
        """End all of them for good, wherever they are waited for."""
        with self._lock:
            self._over = True
        for process, apart in list(self._live.items()):
            self._end(process, apart=apart)

    def _end(self, process: Any, *, apart: bool) -> None:
        """End a plugin; ``apart``: and all that it started."""

        def send(number: int) -> None:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, number) if apart else process.send_signal(number)
            with contextlib.suppress(Exception):  # it takes longer than that
                process.wait(_GRACE)

        if process.poll() is None:
            send(signal.SIGTERM)
        if apart or process.poll() is None:
            send(signal.SIGKILL)


_plugins = _Plugins()
atexit.register(_plugins.end)


def _drain(reading: int, printed: list[bytes]) -> None:
    with open(reading, "rb", buffering=0) as pipe:
        while piece := pipe.read(1 << 16):
            printed.append(piece)
