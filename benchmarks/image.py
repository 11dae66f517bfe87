"""The image of the pull step: its size against what v0.1's recipe gives on the same base."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from benchmarks.harness import Bench, Figure, Goal, Report
from tests.support.podman import Podman, PodmanUnavailable
from tests.support.servers import ServerUnavailable

_OURS, _V01, _BASE = "git ghost", "v0.1's recipe", "the base alone"
_V01_NAME = "localhost/git-ghost-test-v01:latest"
_PROGRAM_BYTES = 10_000_000
"""What v0.1's one Go program takes; cut off another one, podman, so that it packs like one."""

# apt's caches are removed as Debian's own slim image does after each call of apt.
_V01_RECIPE = """\
ARG BASE
FROM ${BASE}
RUN apt-get update -q \\
    && apt-get install -y -q --no-install-recommends ca-certificates git openssh-client \\
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY git-ghost /usr/local/bin/git-ghost
ENTRYPOINT ["git-ghost"]
"""


def image(bench: Bench) -> Report:
    """Build both images from one base, and weigh them."""
    try:
        podman = Podman()
        images = {_OURS: podman.image(), _V01: _v01(podman, bench.scratch), _BASE: podman.base()}
    except PodmanUnavailable as error:
        raise ServerUnavailable(str(error)) from error
    report = Report()
    size = {who: int(podman.inspect("image", name)["Size"]) for who, name in images.items()}
    packed = {who: _packed(podman, name) for who, name in images.items()}
    for what, sizes in (("size of the image", size), ("the same, with gzip", packed)):
        report.goals.append(Goal(f"{what} against {_V01}", 1, sizes[_OURS] / sizes[_V01]))
        report.figures += [
            Figure(what, who, f"{value / 1_000_000:.0f} MB") for who, value in sizes.items()
        ]
    return report


def _v01(podman: Podman, scratch: Path) -> str:
    context = scratch / "image-v01"
    context.mkdir()
    program = Path(shutil.which("podman") or "")
    (context / "git-ghost").write_bytes(program.read_bytes()[:_PROGRAM_BYTES])
    (context / "Dockerfile").write_text(_V01_RECIPE, encoding="ascii")
    base = f"--build-arg=BASE={podman.base()}"
    podman.run("build", "--network=host", base, f"--tag={_V01_NAME}", str(context))
    return _V01_NAME


def _packed(podman: Podman, name: str) -> int:
    """Return about how many bytes are sent when the image is pulled."""
    saving = subprocess.Popen(
        ["podman", "save", "--quiet", name], env=podman.env, stdout=subprocess.PIPE
    )
    packing = subprocess.Popen(["gzip", "-c"], stdin=saving.stdout, stdout=subprocess.PIPE)
    assert saving.stdout is not None
    assert packing.stdout is not None
    saving.stdout.close()
    size = 0
    while block := packing.stdout.read(1 << 20):
        size += len(block)
    assert saving.wait() == 0
    assert packing.wait() == 0
    return size
