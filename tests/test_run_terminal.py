"""What git ghost run shows on a terminal; elsewhere its lines are plain."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from tests.support.cluster import Cluster
from tests.support.manifests import FOREVER, job
from tests.support.scene import Scene


class OnTerminal:
    """git ghost run, on a terminal that is read to its end."""

    def __init__(self, scene: Scene, *words: str, **env: str) -> None:
        """Start it."""
        self.controller, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "git_ghost", "run", "--init-image", "x", *words],
            cwd=scene.lab.laptop,
            env={**scene.env(), "TERM": "xterm", **env},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(terminal)
        self.shown = ""

    def read(self, until: str = "") -> str:
        """Read until something is shown, or to the end."""
        while not until or until not in self.shown:
            try:
                chunk = os.read(self.controller, 65536)
            except OSError:  # Linux says so when the last writer has gone
                chunk = b""
            if not chunk:
                assert not until, f"ended without '{until}': {self.shown}"
                break
            self.shown += chunk.decode("utf-8", "replace").replace("\r\n", "\n")
        return self.shown

    def end(self) -> int:
        """Read to the end and return the exit code."""
        self.read()
        os.close(self.controller)
        return self.process.wait(60)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_waiting_is_one_line_that_is_wiped_away(scene: Scene, cluster: Cluster) -> None:
    cluster.faults.kueue = True
    file = str(scene.file(job("train-", "echo done")))
    running = OnTerminal(scene, "-f", file, "--queue", "gpu")
    running.read(until="queue")
    cluster.release()
    assert running.end() == 0
    assert "\r\x1b[K" in running.shown
    assert "done\n" in running.shown


def test_the_key_itself_detaches(scene: Scene) -> None:
    running = OnTerminal(scene, "-f", str(scene.file(job("train-", FOREVER))))
    running.read(until="up\n")
    os.write(running.controller, b"\x03")
    assert running.end() == 130
    assert "kubectl delete job.batch/train-" in running.shown
    assert "Traceback" not in running.shown


def test_no_color_leaves_no_colour(scene: Scene) -> None:
    running = OnTerminal(scene, "-f", str(scene.file(job("train-", "exit 3"))), NO_COLOR="1")
    assert running.end() == 3
    assert "\x1b[3" not in running.shown
    assert "\x1b[1" not in running.shown


def test_what_a_cluster_says_steers_no_terminal(scene: Scene) -> None:
    nasty = r"gone \033[2J\033]0;title\007\302\233m\342\200\256"
    nasty = f"printf '{nasty}' | tee /dev/termination-log; exit 3"
    init = {"name": "i", "image": "busybox", "command": ["sh", "-c", nasty]}
    file = scene.file(job("train-", "true", pod={"initContainers": [init]}))
    running = OnTerminal(scene, "-f", str(file))
    assert running.end() == 125
    assert "\x1b[2J" not in running.shown
    assert "\x1b]0" not in running.shown
    assert r"\x1b]0;title\x07\x9bm\u202e" in running.shown
