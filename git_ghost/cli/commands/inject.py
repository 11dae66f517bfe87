"""``git ghost inject``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from git_ghost.cli.options.common import (
    MANY,
    GhostCommand,
    at_most,
    calling,
    expect,
    group_options,
    quiet,
    remember_setting,
    source_option,
)
from git_ghost.cli.types import FILE, FREE, HASH
from git_ghost.cli.view.output import count, own_output, put_document, say, warn
from git_ghost.settings import PODS, Settings

if TYPE_CHECKING:
    from git_ghost.usecases.injecting import Injected


@click.command("inject", cls=GhostCommand, forms=["-f FILE [[BASE] HASH]", "-f FILE --remove"])
@click.argument("words", nargs=-1, type=HASH)
@click.option(
    "-f", "--filename", "files", multiple=True, type=FILE, metavar="FILE",
    help="Manifests: a YAML or JSON file, a folder of them, or - for standard input. Repeatable.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True,
    help="How to print them.",
)  # fmt: skip
@click.option("--remove", is_flag=True, help="Take out what inject added.")
@click.option("--strict", is_flag=True, help="Refuse kinds that are not known.")
@click.option(
    "--image", Settings.init_image.name, type=FREE, metavar="IMAGE", expose_value=False,
    callback=remember_setting, help="The same as --init-image.",
)  # fmt: skip
@group_options(PODS)
@source_option()
def command(
    words: tuple[str, ...],
    files: tuple[str, ...],
    output: str,
    remove: bool,
    strict: bool,
) -> None:
    """Add the pull of a ghost to Kubernetes manifests.

    They are printed, with an init container in every pod template that rebuilds HASH, and a volume
    with the tree, which the main containers find at /workspace; annotations and environment
    variables say which code runs. Without HASH it is the working tree as `git ghost push` would
    send it now. What an earlier inject added is replaced; comments and format stay. No server
    is contacted:

    \b
    git ghost push && git ghost inject -f job.yaml | kubectl create -f -
    git ghost inject -f job.yaml $(git ghost push | tail -1)

    The kinds: Pod, PodTemplate, Job, CronJob, Deployment, StatefulSet, DaemonSet, ReplicaSet,
    ReplicationController and List; Argo's Workflow, WorkflowTemplate, ClusterWorkflowTemplate,
    CronWorkflow and Rollout; Kubeflow's PyTorchJob, TFJob, MPIJob, JAXJob, XGBoostJob, PaddleJob,
    MXJob, TrainJob with its TrainingRuntime or ClusterTrainingRuntime, and Notebook; RayCluster,
    RayJob, RayCronJob and RayService; Volcano's Job, CronJob and JobTemplate; JobSet,
    LeaderWorkerSet and AppWrapper; SparkApplication and ScheduledSparkApplication; KServe's
    InferenceService and Knative's Service; Sandbox and SandboxTemplate. Other kinds are passed on
    unchanged; --path says where those have their pod template.
    """
    if not files:
        raise click.UsageError("Missing option '-f'.", click.get_current_context())
    expect(words, 0, 0 if remove else 2, "")
    stdin = sys.stdin.buffer.read() if "-" in files else b""
    with calling() as options:
        from git_ghost.usecases import injecting

        if remove:
            injected = injecting.uninject(files, output=output, stdin=stdin)
        else:
            injected = injecting.inject(
                files,
                options,
                hash=words[-1] if words else None,
                base=words[0] if len(words) == 2 else None,
                strict=strict,
                output=output,
                stdin=stdin,
                leave_out=own_output(),
            )
    put_document(injected.text)
    if not quiet():
        say("\n".join(_report(injected, removed=remove)))
    warn(injected.notices, at_most(MANY))


def _report(injected: Injected, *, removed: bool) -> Iterator[str]:
    for outcome in injected.outcomes:
        if outcome.pods_from:
            did = f"unchanged: its pods come from {outcome.pods_from}"
        elif not outcome.templates:
            did = "nothing to take out" if removed else "no pods"
        elif removed:
            did = "the pull was taken out"
        else:
            did = f"pull of {injected.hash} added to {count(outcome.templates, 'pod template')}"
        yield f"{outcome.where}: {outcome.name}: {did}"
