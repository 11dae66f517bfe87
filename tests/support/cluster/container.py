"""A container: a process group of its own, its output in a log, its end as the kubelet tells it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import suppress
from datetime import datetime, timezone

from tests.support.cluster.kinds import Object
from tests.support.cluster.logs import ContainerLog
from tests.support.cluster.volumes import PodFiles, environment, expand
from tests.support.environment import clean_environment

_BLOCK = 1 << 16
_MESSAGE_BYTES = 4096
_LOG_LINES, _LOG_BYTES = 80, 2048  # what a termination message falls back to


class Container:
    """One run of a container, from construction until `wait` returns."""

    def __init__(self, pod: Object, spec: Object, files: PodFiles) -> None:
        """Start the process.

        Raises:
            Missing: something its environment refers to.

        """
        self.spec = spec
        self.log = ContainerLog()
        self.started = _now()
        self._files = files
        self._reason = ""
        self._message = files.termination_message(spec)
        self._message.write_bytes(b"")
        variables = environment(pod, spec, files)
        argv = [expand(word, variables) for word in _argv(spec)]
        env = clean_environment(files.root / "homes" / spec["name"])
        env["HOSTNAME"] = pod["metadata"]["name"]
        env |= {name: files.rewrite(spec, value) for name, value in variables.items()}
        self._start([files.rewrite(spec, word) for word in argv], env)

    def _start(self, argv: list[str], env: dict[str, str]) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._failure = ""
        try:
            self._process = subprocess.Popen(
                argv,
                cwd=self._files.workdir(self.spec),
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            why = (
                "no such file or directory"
                if "/" in argv[0]
                else "executable file not found in $PATH"
            )
            why = "permission denied" if isinstance(error, PermissionError) else why
            self._failure = (
                "failed to create containerd task: failed to create shim task: OCI runtime create"
                " failed: runc create failed: unable to start container process:"
                f' exec: "{argv[0]}": {why}: unknown'
            )
            self.log.end()
            return
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def kill(self, number: int, reason: str = "") -> None:
        """Send a signal to all processes; `reason` is what the end is called then."""
        self._reason = self._reason or reason
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def wait(self, seconds: float | None = None) -> Object | None:
        """Return the `terminated` state, or None when it still runs after `seconds`."""
        if self._process is None:
            return self._terminated(128, "StartError", self._failure)
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        with suppress(ProcessLookupError, PermissionError):  # what it left behind dies with it
            os.killpg(self._process.pid, signal.SIGKILL)
        self._reader.join()
        code = code if code >= 0 else 128 - code
        reason = self._reason or ("Completed" if code == 0 else "Error")
        return self._terminated(code, reason, self._said(code))

    def _terminated(self, code: int, reason: str, message: str) -> Object:
        ended: Object = {"exitCode": code, "reason": reason}
        ended |= {"startedAt": self.started, "finishedAt": _now()}
        if message:
            ended["message"] = message
        return ended

    def _said(self, code: int) -> str:
        said = self._message.read_bytes()[:_MESSAGE_BYTES]
        falls_back = self.spec["terminationMessagePolicy"] == "FallbackToLogsOnError"
        if not said and code and falls_back:
            said = self.log.tail(_LOG_LINES, _LOG_BYTES)
        return said.decode("utf-8", "replace")

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            while data := os.read(stdout.fileno(), _BLOCK):
                self.log.write(data)
        self.log.end()


def _argv(spec: Object) -> list[str]:
    """Return command and args; what an image's own entry point is, we can only know of ours."""
    command, args = spec.get("command") or [], spec.get("args") or []
    if not command and "git-ghost" in spec["image"]:
        command = ["git-ghost"]
    return [*command, *args] or ["sh"]


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
