"""run: push the working tree, add its pull to the manifests, create them, follow what runs."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from git_ghost.errors import GhostError, UsageError
from git_ghost.model import RUN_LABEL, Notice, null
from git_ghost.process import Background
from git_ghost.usecases import shaping, sources
from git_ghost.usecases.context import Context, Options, open_context
from git_ghost.usecases.injecting import (
    GhostToPull,
    check_added,
    left_out,
    left_undone,
    outcomes_of,
    step_for,
    unknown,
)
from git_ghost.usecases.pushing import Content, Pushed, push_in
from git_ghost.workloads import manifest
from git_ghost.workloads.cluster import create, events, kubeconfig, workloads
from git_ghost.workloads.cluster.client import Client
from git_ghost.workloads.cluster.connection import ahead, require_kubernetes
from git_ghost.workloads.cluster.create import CreatedObject, Planned
from git_ghost.workloads.cluster.follow import NO_CODE, Follower, RunEnd
from git_ghost.workloads.cluster.kubeconfig import Access
from git_ghost.workloads.cluster.limits import Limits
from git_ghost.workloads.cluster.tracking import Choice
from git_ghost.workloads.manifest import Document, Step

DRY_RUNS = ("none", "client", "server")
START_SECONDS = 600.0
"""How long pods may take to start, unless told otherwise."""

Listener = Callable[["events.Event | Pushed | Notice"], None]


class Job(NamedTuple):
    """What is to run."""

    files: Sequence[str] = ()
    """Manifests: files, folders, ``-`` for ``stdin``."""
    stdin: bytes = b""
    image: str = ""
    """Without files: the image of a Job that is made here."""
    command: Sequence[str] = ()
    """Instead of the main container's own."""
    run_as_user: int | None = None
    """With ``image``: the user it runs as."""
    queue: str = ""
    """Kueue's local queue."""
    parameters: Mapping[str, str] = {}
    """Arguments of an Argo workflow."""


class Manner(NamedTuple):
    """How it is created, followed and cleaned up."""

    dry_run: str = "none"
    """``client`` contacts no server; ``server`` lets the server check, and stores nothing."""
    validate: str = "strict"
    """What the server does with unknown fields: ``strict`` refuses, ``warn``, ``ignore``."""
    detach: bool = False
    """Do not follow."""
    remove: bool = False
    """Delete what was created when it has ended or a limit is over, not when it is left alone."""
    delete_on_interrupt: bool = False
    limits: Limits = Limits(start=START_SECONDS)
    logs: Choice = Choice()


_ACCESS, _CONTENT, _MANNER = Access(), Content(), Manner()


@dataclass(frozen=True)
class Ran:
    """What a run did."""

    pushed: Pushed
    objects: tuple[dict[str, Any], ...]
    """What was created, as the server has it; in a dry run, what would be."""
    names: tuple[str, ...] = ()
    """The objects as kubectl names them: ``job.batch/train-x7k2``; the workload last."""
    reused: tuple[str, ...] = ()
    """Those of them that were there before, with the same content."""
    namespace: str = ""
    run: str = ""
    """The value of the label ``git-ghost.io/run`` of its pods."""
    code: int = 0
    """The exit code: the container's own when it failed, else 0, 124 or 125."""
    text: str = ""
    """How it ended, in words; empty when it was not followed."""
    pod: str = ""
    container: str = ""
    notices: tuple[Notice, ...] = ()
    removed: tuple[str, ...] = ()
    """What was deleted at the end."""
    gone: bool = False
    """Whether somebody else deleted it."""


@dataclass
class Progress:
    """What there is so far, for a caller that interrupts: which objects, and how to find them."""

    run: str = field(default_factory=lambda: secrets.token_hex(5))
    creating: bool = False
    created: list[CreatedObject] = field(default_factory=list)
    deleted: bool = False
    lost: bool = False
    """Whether it could not be followed to its end."""
    left: tuple[Notice, ...] = ()
    """What could not be deleted at the end, and why."""


def run(
    job: Job,
    options: Options = Options(),
    *,
    access: Access = _ACCESS,
    content: Content = _CONTENT,
    manner: Manner = _MANNER,
    listen: Listener = lambda _: None,
    progress: Progress | None = None,
) -> Ran:
    """Run ``job`` on the working tree; returns at its end, or at once when it is not followed.

    ``listen`` hears what happens; ``progress`` is filled for a caller that may interrupt. What can
    be checked is checked before anything is sent. Raises what :func:`git_ghost.push` and
    :func:`git_ghost.inject` raise, GhostError for what the server refuses, RemoteError for access
    and network. A job that fails is not an error: see :attr:`Ran.code`.
    """
    so_far = progress or Progress()
    _check(job, manner)
    context = open_context(options)
    documents = shaping.flatten(manifest.placed(_documents(job), context.settings.pod_templates))
    step = _step(context, so_far.run, None)
    checked = _inject(documents, step)
    outcomes = tuple(outcomes_of(documents, step))
    check_added(outcomes, context.settings.pod_templates)
    create.plan(checked, access.namespace, "")
    _shape(documents, job, step)
    cluster = None if manner.dry_run == "client" else _Connecting(access)
    pushed = push_in(
        context, content, dry_run=manner.dry_run != "none",
        before_sending=cluster.check if cluster else lambda: None,
    )  # fmt: skip
    listen(pushed)
    objects = _inject(documents, _step(context, so_far.run, pushed))
    notices = (*unknown(outcomes), *left_undone(documents, step), *left_out(context, pushed.source))
    for notice in notices:
        listen(notice)
    if cluster is None:
        return Ran(pushed, tuple(data for data, _ in objects), run=so_far.run, notices=notices)
    client = cluster.get()
    try:
        planned = create.plan(objects, access.namespace, client.namespace)
        ran = _run(client, planned, manner, listen, so_far, pushed)
    finally:
        client.close()
    return _with(ran, notices=(*notices, *ran.notices))


class _Connecting:
    """A connection that is made while the push looks at the working tree.

    What is wrong there is told first: somebody without a cluster may be at work on it.
    """

    def __init__(self, access: Access) -> None:
        self._client: Background[Client] | None = None
        self._error: GhostError | None = None
        try:
            require_kubernetes()
            kubeconfig.check(access)
            self._client = ahead(access)
        except GhostError as e:
            self._error = e

    def check(self) -> None:
        """Raise what says that there is no cluster to connect to."""
        if self._error is not None:
            raise self._error

    def get(self) -> Client:
        """The connection, once it is there."""
        self.check()
        assert self._client is not None
        return self._client.get()


def _with(ran: Ran, **changes: Any) -> Ran:
    from dataclasses import replace

    return replace(ran, **changes)


# --- what is to be created -----------------------------------------------------------------------


def _check(job: Job, manner: Manner) -> None:
    if manner.dry_run not in DRY_RUNS:
        raise UsageError(f"there is no dry run '{manner.dry_run}'", f"One of: {DRY_RUNS}.")
    if manner.validate not in create.VALIDATION:
        known = ", ".join(create.VALIDATION)
        raise UsageError(f"there is no validation '{manner.validate}'", f"One of: {known}.")
    if job.files and job.image:
        raise UsageError(
            "--image makes a Job, but there are manifests (-f) that say what to run",
            "The image of the pull step is --init-image; those of the containers are in the"
            " manifest.",
        )
    if not job.files and not job.image:
        raise UsageError(
            "there is nothing to run", "Name a manifest with -f, or an image: --image IMG -- CMD…"
        )
    if manner.remove and manner.detach:
        raise UsageError("--rm deletes what has ended, and --detach does not wait for that")
    if job.run_as_user is not None and job.files:
        raise UsageError("--run-as-user goes with --image; a manifest names its own user")


def _documents(job: Job) -> list[Document]:
    if job.files:
        return manifest.read(job.files, job.stdin)
    made = shaping.job(job.image, job.command, job.run_as_user)
    return [Document(made, "the Job for --image")]


def _step(context: Context, run: str, pushed: Pushed | None) -> Step:
    """The pull step, with this run's label; without ``pushed`` one to check all else with."""
    settings = context.settings
    if pushed is None:
        nothing = null(context.object_format)
        source = sources.expected_for_pods(context)
        target = GhostToPull(nothing, nothing, settings.repo, source, settings.prefix)
    else:
        base, source = pushed.ghosts[-1].ghost.base, sources.for_pods(context, pushed.source)
        target = GhostToPull(pushed.hash, base, settings.repo, source, settings.prefix)
    step = step_for(settings, target)
    return step._replace(labels={**step.labels, RUN_LABEL: run})


def _inject(documents: Sequence[Document], step: Step) -> list[tuple[dict[str, Any], bool]]:
    """The objects with the pull step, and whether each has pods."""
    return [(manifest.inject(each, step), manifest.has_pods(each)) for each in documents]


def _shape(documents: Sequence[Document], job: Job, step: Step) -> None:
    if job.files and job.command:
        shaping.set_command(documents, job.command, step.containers, step.template)
    if job.queue:
        shaping.set_queue(documents, job.queue)
    if job.parameters:
        shaping.set_parameters(documents, job.parameters)


# --- in the cluster ------------------------------------------------------------------------------


def _run(
    client: Client,
    planned: Sequence[Planned],
    manner: Manner,
    listen: Listener,
    so_far: Progress,
    pushed: Pushed,
) -> Ran:
    dry = manner.dry_run == "server"
    if manner.remove and not any(
        o.has_pods and workloads.has_pods_now(o.resource) for o in planned
    ):
        raise UsageError(
            f"--rm deletes what has ended, and {planned[-1].shown} does not run by itself"
        )
    with _cleaning_up(client, planned, manner, so_far):
        so_far.creating = True
        created = create.create(
            client, planned, validate=manner.validate, dry_run=dry,
            made=so_far.created, leave=not manner.remove,
        )  # fmt: skip
        so_far.creating = False
        ran = Ran(
            pushed,
            tuple(one.data for one in created),
            tuple(one.shown for one in created),
            tuple(one.shown for one in created if one.reused),
            next((one.namespace for one in reversed(created) if one.namespace), ""),
            so_far.run,
        )
        for one in created:
            listen(events.Created(one, dry))
        followed = [one for one in created if one.has_pods and workloads.has_pods_now(one.resource)]
        if dry or manner.detach or not followed:
            return ran
        follower = Follower(client, followed, so_far.run, manner.logs, manner.limits, listen)
        outcome = _follow(follower, created[-1], listen)
        so_far.lost = outcome.lost
        listen(events.Ended(ran.names[-1], outcome.code, outcome.text))
    return _ended(ran, outcome, so_far)


def _follow(follower: Follower, one: CreatedObject, listen: Listener) -> RunEnd:
    """To the end; what cannot be followed any longer goes on, and is not a failure to create it."""
    try:
        return follower.follow()
    except GhostError as e:
        listen(events.Trouble(one.shown, e.message, b"", e.hint))
        return RunEnd(NO_CODE, f"{one.shown} could not be followed to its end", lost=True)


def _ended(ran: Ran, outcome: RunEnd, so_far: Progress) -> Ran:
    ours = tuple(one.shown for one in so_far.created if not one.reused)
    removed = ours if so_far.deleted and not so_far.left else ()
    return _with(
        ran,
        code=outcome.code,
        text=outcome.text,
        pod=outcome.pod,
        container=outcome.container,
        removed=removed,
        gone=outcome.gone,
        notices=so_far.left,
    )


@contextlib.contextmanager
def _cleaning_up(
    client: Client, planned: Sequence[Planned], manner: Manner, so_far: Progress
) -> Iterator[None]:
    """Delete what was created, at the end or when somebody interrupts, if that is wanted.

    Whatever stops us from following it is like an interrupt: what runs is left alone. At a regular
    end what cannot be deleted is not an error: the exit code is the job's.
    """
    interrupted, ended = True, False
    try:
        yield
        interrupted, ended = so_far.lost, True
    except Exception:
        interrupted = not so_far.creating
        raise
    finally:
        if manner.dry_run == "none" and (
            manner.delete_on_interrupt if interrupted else manner.remove
        ):
            if so_far.creating:
                with contextlib.suppress(GhostError):
                    so_far.created += create.look_for(client, planned, so_far.created)
            try:
                create.delete(client, so_far.created)
            except GhostError as e:
                if not ended:
                    raise
                by_hand = "; ".join(create.delete_commands(so_far.created))
                so_far.left = (Notice(f"{e.message}; to delete it: {by_hand}"),)
            so_far.deleted = True
