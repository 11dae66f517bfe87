"""run: from the call to the created object, against kubectl."""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path

from benchmarks.harness import Bench, Contender, Figure, Goal, Report, race
from benchmarks.places import DELAY_MS, Laptop, place
from benchmarks.programs import OURS
from tests.support.cluster import Cluster
from tests.support.relay import Relay
from tests.support.servers import ServerUnavailable

_JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {generateName: train-}
spec:
  suspend: true
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: main, image: "python:3.12", command: [python, train.py]}
"""


def run(bench: Bench) -> Report:
    """Time `git ghost run --detach` without its push against `kubectl create` of the same object.

    The API server is the tests' own, over TLS, 10 ms away; the ghost repository is as far, by ssh.
    The Job is suspended, so that nothing else happens on this machine.
    """
    if not shutil.which("kubectl"):
        raise ServerUnavailable("kubectl is not installed")
    report = Report()
    with place(bench, 20, network=True) as here:
        sandbox = here.sandbox
        for key, value in {
            "ghost.image": "git-ghost:1",
            "ghost.repo": here.url(here.ghosts_of(OURS)),
            "ghost.source": here.source,
        }.items():
            sandbox.config(key, value)
        laptop = here.laptop()
        job, injected = sandbox.root / "job.yaml", sandbox.root / "injected.yaml"
        job.write_text(_JOB)
        made = sandbox.ghost("inject", "-f", job, cwd=laptop.path)
        made.ok()
        injected.write_bytes(made.out)
        cluster = Cluster(sandbox.root / "cluster")
        try:
            with Relay(cluster.server.port, delay_ms=DELAY_MS) as relay:
                sandbox.env["KUBECONFIG"] = str(_through(cluster, relay.port))
                _race(bench, report, laptop, job, injected)
        finally:
            cluster.close()
    return report


def _race(bench: Bench, report: Report, laptop: Laptop, job: Path, injected: Path) -> None:
    ours, push, theirs = "git ghost run --detach", "of it, git ghost push", "kubectl create"
    what, ghost = "run, API server and ghost repository 10 ms away", bench.programs.ours

    def contender(name: str, *command: str | Path) -> Contender:
        return Contender(
            name, lambda: laptop.sandbox.run(*command, cwd=laptop.path).ok(), laptop.edit
        )

    times = race(
        [
            contender(ours, *ghost, "run", "--quiet", "--detach", "-f", job),
            contender(push, *ghost, "push", "--quiet"),
            contender(theirs, "kubectl", "create", "-f", injected),
        ],
        bench.rounds(15),
    )
    report.add_times(what, times)
    seconds = times.seconds
    added = [one - pushed for one, pushed in zip(seconds[ours], seconds[push], strict=True)]
    ratio = statistics.median(a / b for a, b in zip(added, seconds[theirs], strict=True))
    report.goals.append(Goal(f"{ours} minus its push against {theirs}", 1.5, ratio))
    report.figures.append(
        Figure(what, "run minus push", f"{statistics.median(added) * 1000:.0f} ms")
    )


def _through(cluster: Cluster, port: int) -> Path:
    """A kubeconfig that leads to the cluster by the relay."""
    config = json.loads(cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    path = cluster.root / "relayed"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return path
