"""podman with a configuration and a storage of its own: the user's images are left alone.

Base, images and build cache are kept from run to run in `$XDG_CACHE_HOME/git-ghost-tests`
(`~/.cache/git-ghost-tests`), about 500 MB that belong to root; delete the folder to start afresh.
`python -m tests.support.podman` makes what the tests need ahead of them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.sandbox import Result

SOURCE = Path(__file__).parents[2]
_REGISTRY_BASE = "docker.io/library/debian:bookworm-slim"
_MIRROR = "http://deb.debian.org/debian"
_BASE = "localhost/git-ghost-test-base:bookworm"
_IMAGE = "localhost/git-ghost-test"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS = 600
"""Above what a build takes: it turns a process that hangs into a failure."""

# Works without cgroups of systemd's and without CAP_SYS_RESOURCE, as in a small virtual machine.
_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
http_proxy = false
[network]
network_backend = "netavark"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{cache}/storage"
runroot = "{cache}/run"
"""
# What Debian's own slim image leaves out.
_EXCLUDED = "doc groff info linda lintian locale man".split()


class PodmanUnavailable(Exception):
    """Containers cannot run here; says why."""


class Podman:
    """The podman of this machine, with our own storage."""

    def __init__(self) -> None:
        """Write the configuration.

        Raises:
            PodmanUnavailable: podman is missing, does not work, or is not run as root.

        """
        if shutil.which("podman") is None:
            raise PodmanUnavailable("podman is not installed")
        if os.getuid() != 0:
            raise PodmanUnavailable("podman is only tried as root")
        home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
        self.cache = Path(home, "git-ghost-tests")
        self.cache.mkdir(parents=True, exist_ok=True)
        runc = 'runtime = "runc"\n' if shutil.which("runc") else ""
        self.env = dict(os.environ)
        self._configure("CONTAINERS_CONF", _CONTAINERS_CONF + runc)
        self._configure("CONTAINERS_STORAGE_CONF", _STORAGE_CONF.format(cache=self.cache))
        with self.lock():
            works = self.run("info", check=False)
        if works.code:
            raise PodmanUnavailable(f"podman does not work: {works.err.strip()}")

    def run(
        self, *args: str, check: bool = True, stdin: bytes | None = None, seconds: float = _SECONDS
    ) -> Result:
        """Run podman to its end; `check` asserts success."""
        return self.call("podman", *args, check=check, stdin=stdin, seconds=seconds)

    def call(
        self,
        *argv: str,
        check: bool = True,
        stdin: bytes | None = None,
        seconds: float = _SECONDS,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        """Run a program that may call podman; `check` asserts success."""
        done = subprocess.run(
            argv,
            cwd=SOURCE,
            env={**self.env, **(env or {})},
            input=stdin if stdin is not None else b"",
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        result = Result(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))
        if check:
            result.ok()
        return result

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        """Return what podman knows of an `image`, a `container` or a `pod`."""
        found = json.loads(self.run("inspect", "--type", kind, name).out)
        first: dict[str, Any] = found[0] if isinstance(found, list) else found
        return first

    def has_image(self, name: str) -> bool:
        """Return whether there is an image of that name."""
        return self.run("image", "exists", name, check=False).code == 0

    def base(self) -> str:
        """Return the name of a slim Debian, from the registry or else from Debian's mirror.

        Raises:
            PodmanUnavailable: neither can be reached.

        """
        with self.lock():
            if not self.has_image(_BASE):
                self._make_base()
        return _BASE

    def image(self) -> str:
        """Return the name of the pull step's image of this very source tree."""
        name, base = f"{_IMAGE}:{_fingerprint()}", self.base()
        with self.lock():
            if not self.has_image(name):
                self.build(name, base)
                self._forget_older(name)
        return name

    def build(self, name: str, base: str) -> str:
        """Build the image as `make image` does; return what that printed."""
        command = ("sh", "scripts/image.sh", name, *self.build_arguments())
        return self.call(*command, env={"ENGINE": "podman", "BASE": base}).ok()

    def build_arguments(self) -> list[str]:
        """Return how a build here reaches Debian and PyPI: the host's network, mirror and CA."""
        arguments = ["--network=host"]
        if index := os.environ.get("PIP_INDEX_URL"):
            arguments.append(f"--build-arg=PIP_INDEX_URL={index}")
        authorities = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
        if authorities and Path(authorities).is_file():
            inside = "/tmp/certificates.pem"
            arguments += [f"--volume={authorities}:{inside}:ro", f"--build-arg=PIP_CERT={inside}"]
        return arguments

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let one process at a time make images."""
        with (self.cache / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _configure(self, variable: str, text: str) -> None:
        path = self.cache / f"{variable.lower()}.conf"
        scratch = path.with_suffix(f".{os.getpid()}")
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(path)
        self.env[variable] = str(path)

    def _make_base(self) -> None:
        pulled = self.run("pull", "--quiet", _REGISTRY_BASE, check=False)
        if pulled.code == 0:
            self.run("tag", _REGISTRY_BASE, _BASE)
            return
        if shutil.which("debootstrap") is None:
            why = pulled.err.strip().rpartition("\n")[2]
            raise PodmanUnavailable(f"no debootstrap, and no base image from a registry: {why}")
        with tempfile.TemporaryDirectory(dir=self.cache) as directory:
            self._bootstrap(Path(directory, "root"))

    def _bootstrap(self, root: Path) -> None:
        command = ("debootstrap", "--variant=minbase", "bookworm", str(root), _MIRROR)
        made = self.call(*command, check=False)
        if made.code:
            why = made.out.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise PodmanUnavailable(f"debootstrap failed: {why}")
        _make_slim(root)
        tar = subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
        take = ("podman", "import", "--change", f"ENV PATH={_PATH}", "-", _BASE)
        subprocess.run(take, env=self.env, stdin=tar.stdout, check=True, capture_output=True)
        assert tar.wait() == 0

    def _forget_older(self, name: str) -> None:
        images = self.run("images", "--format", "{{.Repository}}:{{.Tag}}").ok().splitlines()
        older = [i for i in images if i.startswith(f"{_IMAGE}:") and i != name]
        if older:
            self.run("rmi", *older, check=False)  # one may be in use
        self.run("image", "prune", "--force", "--filter", "until=24h", check=False)


def _make_slim(root: Path) -> None:
    """Leave out what Debian's slim image leaves out, here and in what is installed later."""
    rules = ["force-unsafe-io\n", *(f"path-exclude /usr/share/{name}/*\n" for name in _EXCLUDED)]
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text("".join(rules), encoding="ascii")
    fewer = 'Acquire::Languages "none";\n'
    (root / "etc/apt/apt.conf.d/slim").write_text(fewer, encoding="ascii")
    emptied = [f"usr/share/{name}" for name in _EXCLUDED]
    for name in (*emptied, "var/cache/apt", "var/lib/apt/lists", "var/log"):
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True)


def _fingerprint() -> str:
    """Return what changes whenever the image would."""
    files = [SOURCE / name for name in "Dockerfile LICENSE README.md pyproject.toml".split()]
    files += sorted(SOURCE.glob("git_ghost/**/*.py"))
    files += sorted(SOURCE.glob("scripts/*")) + sorted(SOURCE.glob("requirements/*"))
    digest = hashlib.sha256()
    for file in files:
        if file.is_file():
            content = file.read_bytes()
            digest.update(f"{file.relative_to(SOURCE)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    print(Podman().image())  # noqa: T201 - for whom calls it
