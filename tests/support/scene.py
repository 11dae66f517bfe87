"""A laptop, its git remotes and a cluster whose pods reach them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tests.support.cluster.kinds import Object
from tests.support.lab import Lab
from tests.support.sandbox import Result

_ENDS_IN_SECONDS = 60


class AnyCluster(Protocol):
    """What the test cluster and a real one have in common."""

    namespace: str
    kubeconfig: Path

    def create(self, obj: Object) -> Object:
        """Create an object, in the namespace."""

    def objects(self, kind: str) -> list[Object]:
        """Return all objects of a kind in the namespace."""

    def only(self, kind: str, name: str = "") -> Object:
        """Return the object of that name, or the only one of its kind."""

    def delete(self, kind: str, name: str, **options: Any) -> None:
        """Delete an object."""

    def wait_for(self, is_there: Callable[[], object], what: str = "") -> None:
        """Wait until a condition holds."""


class Started:
    """A git ghost that runs beside the test."""

    def __init__(self, scene: Scene, command: list[str], number: int) -> None:
        """Start it, its output in files."""
        self._scene = scene
        root = scene.lab.sandbox.root
        self._out, self._err = root / f"out-{number}", root / f"err-{number}"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                command,
                cwd=scene.lab.laptop,
                env=scene.env(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return self._out.read_bytes().decode("utf-8", "replace")

    @property
    def err(self) -> str:
        """What it has said on stderr so far."""
        return self._err.read_bytes().decode("utf-8", "replace")

    def wait_for(self, text: str) -> None:
        """Wait until it has printed or said something."""

        def has_said() -> bool:
            return text in self.out + self.err or self._process.poll() is not None

        self._scene.cluster.wait_for(has_said, f"'{text}' in {self.out}{self.err}")
        assert text in self.out + self.err, f"ended without '{text}': {self.out}{self.err}"

    def interrupt(self) -> None:
        """Send what ^C sends."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> Result:
        """Wait for its end and return what it left behind."""
        code = self._process.wait(_ENDS_IN_SECONDS)
        return Result(code, self._out.read_bytes(), self.err)

    def kill(self) -> None:
        """End it for certain."""
        self._process.kill()
        self._process.wait()


class Scene:
    """A lab and a cluster; `git ghost` runs in the laptop's repository."""

    def __init__(self, lab: Lab, cluster: AnyCluster, image: str, init_image: str) -> None:
        """Let `image` be what containers run in, `init_image` what pulls."""
        self.lab = lab
        self.cluster = cluster
        self.image = image
        self.init_image = init_image
        self.started: list[Started] = []
        self._files = 0

    def env(self) -> dict[str, str]:
        """Return the environment of git ghost."""
        more = {"GIT_GHOST_REPO": self.lab.ghost_url, "KUBECONFIG": str(self.cluster.kubeconfig)}
        return {**self.lab.sandbox.env, **more}

    def file(self, *objects: Object, name: str = "") -> Path:
        """Write a manifest, outside of the repository, and return its path."""
        self._files += 1
        path = self.lab.sandbox.root / (name or f"manifest-{self._files}.yaml")
        documents = [json.dumps(self._with_image(obj)) for obj in objects]
        path.write_text("\n---\n".join(documents), encoding="utf-8")
        return path

    def ghost(self, *args: str | Path, stdin: bytes | None = None, **env: str) -> Result:
        """Run git ghost to its end."""
        more = {**self.env(), **env}
        return self.lab.sandbox.ghost(*args, cwd=self.lab.laptop, env=more, stdin=stdin)

    def run(self, *what: Object | str | Path, stdin: bytes | None = None) -> Result:
        """Run `git ghost run` with manifests, if any are given as objects, and arguments."""
        return self.ghost(*self._arguments(what), stdin=stdin)

    def start(self, *what: Object | str | Path) -> Started:
        """Start `git ghost run` beside the test."""
        words = map(str, self._arguments(what))
        command = [sys.executable, "-m", "git_ghost", *words]
        self.started.append(Started(self, command, len(self.started)))
        return self.started[-1]

    def close(self) -> None:
        """Kill what was started and still runs."""
        for process in self.started:
            process.kill()

    def _arguments(self, what: tuple[Object | str | Path, ...]) -> list[str | Path]:
        objects = [one for one in what if isinstance(one, dict)]
        options = ["run", "--init-image", self.init_image]
        files: list[str | Path] = ["-f", self.file(*objects)] if objects else []
        words = [one for one in what if isinstance(one, str | Path)]
        return [*options, *files, *words]

    def _with_image(self, obj: Object) -> Object:
        text = json.dumps(obj)
        changed: Object = json.loads(text.replace('"image": "busybox"', f'"image": "{self.image}"'))
        return changed
