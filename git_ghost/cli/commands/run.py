"""``git ghost run``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from git_ghost.cli.options.cluster import access, cluster_options, flags
from git_ghost.cli.options.common import (
    FEW,
    MANY,
    GhostCommand,
    at_most,
    behind_dashes,
    calling,
    given_settings,
    group_options,
    push_options,
    quiet,
    source_option,
)
from git_ghost.cli.options.containers import duration
from git_ghost.cli.types import FILE, FREE
from git_ghost.cli.view.output import (
    complain,
    own_output,
    put,
    put_document,
    say,
    tell,
    warn,
    warn_in_a_line,
)
from git_ghost.cli.view.run import View
from git_ghost.settings import PODS, Settings

if TYPE_CHECKING:
    from git_ghost.model import Notice
    from git_ghost.usecases.pushing import Content
    from git_ghost.usecases.running import Job, Manner, Progress, Ran
    from git_ghost.workloads.cluster.kubeconfig import Access


@click.command(
    "run", cls=GhostCommand, forms=["-f FILE [-- COMMAND...]", "--image IMAGE -- COMMAND..."]
)
@click.argument("words", nargs=-1, type=FREE)
@click.option(
    "-f", "--filename", "files", multiple=True, type=FILE, metavar="FILE",
    help="Manifests: a YAML or JSON file, a folder of them, or - for standard input. Repeatable.",
)  # fmt: skip
@click.option(
    "--image", type=FREE, metavar="IMAGE", help="Without -f: run COMMAND in a Job of this image."
)
@click.option(
    "--run-as-user", "user", type=click.IntRange(min=0), metavar="UID",
    help="With --image: the user it runs as; the Job then passes Pod Security's `restricted`"
    " [default: the image's].",
)  # fmt: skip
@click.option(
    "--queue", type=FREE, metavar="NAME", default="", help="Hand it to this local queue of Kueue."
)
@click.option(
    "-p", "--parameter", "parameters", multiple=True, type=FREE, metavar="NAME=VALUE",
    help="A parameter of an Argo workflow. Repeatable.",
)  # fmt: skip
@cluster_options()
@click.option(
    "--dry-run", type=click.Choice(["none", "client", "server"]), default="none",
    help="Send and create nothing; print the objects: as they would be sent (client), or as the"
    " server would store them (server).",
)  # fmt: skip
@click.option(
    "--validate", type=click.Choice(["strict", "warn", "ignore"]), default="strict",
    show_default=True, help="What the server does with fields it does not know.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Choice(["name", "yaml", "json"]),
    help="Print what was created [default: the name with --detach, YAML in a dry run].",
)  # fmt: skip
@click.option("-d", "--detach", is_flag=True, help="Do not follow what was created.")
@click.option(
    "--rm",
    "remove",
    is_flag=True,
    help="Delete what was created, once it has ended or timed out.",
)
@click.option(
    "--delete-on-interrupt", is_flag=True, help="On ^C, delete what was created, not only detach."
)
@click.option(
    "--timeout", type=duration, default="0", metavar="DURATION",
    help="Follow no longer than this (90, 90s, 5m, 1h), then exit with 124 [default: no limit].",
)  # fmt: skip
@click.option(
    "--start-timeout", type=duration, default="10m", metavar="DURATION",
    help="Give up when nothing runs after this; waiting in a queue does not count; 0: never"
    " [default: 10m].",
)  # fmt: skip
@click.option(
    "--pod", "pods", multiple=True, type=FREE, metavar="NAME",
    help="Show the log of this pod only, * and ? allowed. Repeatable.",
)  # fmt: skip
@click.option(
    "--prefix/--no-prefix", "prefixed", default=None,
    help="Begin each line of a log with its pod [default: when there may be more than one].",
)  # fmt: skip
@group_options(PODS)
@source_option()
@push_options()
def command(words: tuple[str, ...], output: str | None, **more: Any) -> None:
    """Run a manifest in the cluster on the exact working tree.

    The working tree is pushed, its pull added to the manifest (`git ghost inject`), the objects
    created, and the log of what runs comes on stdout until it has ended; everything else goes to
    stderr. COMMAND replaces that of the main container.

    The exit code is the container's own when it failed, 0 when all went well; 125 when it ended
    without one (deleted, evicted, never started), 124 at --timeout, 130 after ^C. What fails before
    anything was created has the code it has with `git ghost push`, and a line that begins with
    `error:`. ^C detaches: the job goes on, and the commands to look again and to delete it are
    printed; ^C again leaves at once.

    \b
    git ghost run -f job.yaml
    git ghost run -f train.yaml --rm -- python train.py --lr 0.1
    git ghost run --image python:3.13 -- python -m pytest
    """
    if len(words) > behind_dashes():
        text = f"Unexpected argument '{words[0]}'; a command stands behind --."
        raise click.UsageError(text, click.get_current_context())
    from git_ghost.usecases.running import Progress

    job, manner, content = _job(words, more), _manner(more), _content(more)
    cluster = access(more)
    view, progress = View(quiet()), Progress()
    printer = _Printer(output, manner, view)
    try:
        with calling() as options:
            from git_ghost import usecases

            ran = usecases.run(
                job, options, access=cluster, content=content, manner=manner,
                listen=printer, progress=progress,
            )  # fmt: skip
    except BaseException as e:
        view.close()
        _tell_what_is_left(e, progress, cluster)
        raise
    view.close()
    printer.print_at_the_end(ran)
    _tell_end(ran, progress, cluster, manner)
    if ran.code:
        raise click.exceptions.Exit(ran.code)


def _job(words: tuple[str, ...], given: dict[str, Any]) -> Job:
    from git_ghost.usecases.running import Job

    files = given.pop("files")
    parameters = {}
    for word in given.pop("parameters"):
        name, equals, value = word.partition("=")
        if not (name and equals):
            text = f"'{word}' is not a parameter: give NAME=VALUE."
            raise click.UsageError(text, click.get_current_context())
        parameters[name] = value
    return Job(
        files,
        sys.stdin.buffer.read() if "-" in files else b"",
        given.pop("image") or "",
        words,
        given.pop("user"),
        given.pop("queue"),
        parameters,
    )


def _manner(given: dict[str, Any]) -> Manner:
    from git_ghost.usecases.running import Manner
    from git_ghost.workloads.cluster.limits import Limits
    from git_ghost.workloads.cluster.tracking import Choice

    limits = Limits(given.pop("timeout"), given.pop("start_timeout"))
    containers = given_settings().get(Settings.containers.name, ())
    logs = Choice(given.pop("pods"), containers, given.pop("prefixed"))
    names = ("dry_run", "validate", "detach", "remove", "delete_on_interrupt")
    return Manner(**{name: given.pop(name) for name in names}, limits=limits, logs=logs)


def _content(given: dict[str, Any]) -> Content:
    from git_ghost.usecases.pushing import Content

    given["leave_out"] = own_output()
    return Content(**{name: given.pop(name) for name in Content._fields})


class _Printer:
    """Prints the objects before their log, and what a push would say."""

    def __init__(self, output: str | None, manner: Manner, view: View) -> None:
        dry = manner.dry_run != "none"
        self._output = output or ("yaml" if dry else "name" if manner.detach else "")
        self._view = view
        self._done = False
        self._objects: list[Any] = []
        self._told: list[Notice] = []

    def __call__(self, event: object) -> None:
        from git_ghost.model import Notice
        from git_ghost.usecases.pushing import Pushed
        from git_ghost.workloads.cluster import events

        if isinstance(event, Pushed):
            _tell_pushed(event)
        elif isinstance(event, Notice):
            self._told.append(event)
            warn([event], at_most(MANY))
        elif isinstance(event, events.Created):
            self._objects.append(event.object)
        elif self._objects and not self._done:
            self._print([(one.shown, one.data) for one in self._objects])
        self._view(event)

    def print_at_the_end(self, ran: Ran) -> None:
        """What was not followed, and what nobody has heard yet."""
        if not self._done:
            names = ran.names or ("",) * len(ran.objects)
            self._print(list(zip(names, ran.objects, strict=True)))
        warn([notice for notice in ran.notices if notice not in self._told], at_most(MANY))

    def _print(self, objects: list[tuple[str, Any]]) -> None:
        self._done = True
        if self._output == "name":
            for name, data in objects:
                put(name or _client_name(data))
        elif self._output:
            from git_ghost.workloads.manifest import dump

            put_document(dump([_as_kubectl_prints(data) for _, data in objects], self._output))
        sys.stdout.flush()


def _as_kubectl_prints(data: dict[str, Any]) -> dict[str, Any]:
    """Without the server's notes on who set which field."""
    metadata = {key: v for key, v in data["metadata"].items() if key != "managedFields"}
    return {**data, "metadata": metadata}


def _client_name(data: dict[str, Any]) -> str:
    from git_ghost.workloads.cluster.resources import resource_of

    metadata = data["metadata"]
    return resource_of(data).shown(metadata.get("name") or metadata.get("generateName", ""))


def _tell_pushed(pushed: Any) -> None:
    from git_ghost.cli.commands.push import summary

    if not quiet():
        say("\n".join(summary(pushed)))
    warn_in_a_line(pushed.notices, at_most(FEW))


def _tell_end(ran: Ran, progress: Progress, cluster: Access, manner: Manner) -> None:
    if ran.text and ran.code:
        whose = f" (container {ran.container} in pod {ran.pod})" if ran.container else ""
        complain(f"{ran.text}; exit code {ran.code}{whose}")
    elif ran.text and not quiet():
        say(ran.text)
    if quiet() or not ran.names or ran.gone or manner.dry_run != "none":
        return
    if ran.removed:
        say(f"deleted {', '.join(ran.removed)}")
    elif ran.code in (124, 125) or (manner.detach and sys.stderr.isatty()):
        _tell_commands(progress, cluster)


def _tell_commands(progress: Progress, cluster: Access) -> None:
    from git_ghost.workloads.cluster.create import delete_commands

    one = progress.created[-1]
    name, where = one.shown, flags(cluster, one.namespace)
    alone = name.startswith(("job.batch/", "pod/"))
    look = name if alone else f"-l git-ghost.io/run={progress.run}"
    lines = [
        f"to look at it:  kubectl logs -f {look} --all-containers{where}",
        f"its code:       git ghost code {name}{where}",
    ]
    delete = delete_commands(progress.created, flags(cluster, ""))
    lines += [f"to delete it:   {command}" for command in delete]
    tell("hint", "\n".join(lines))


def _tell_what_is_left(error: BaseException, progress: Progress, cluster: Access) -> None:
    """After ^C, or an error while it was followed: what goes on in the cluster."""
    made = [one for one in progress.created if not one.reused]
    if progress.deleted and made:
        say(f"deleted {', '.join(one.shown for one in made)}")
    elif progress.creating and not isinstance(error, Exception):
        what = f"-l git-ghost.io/run={progress.run}{flags(cluster, cluster.namespace)}"
        tell("warning", f"interrupted while creating: look with kubectl get jobs,pods {what}")
    elif made and not progress.creating:
        say(f"detached: {made[-1].shown} goes on")
        _tell_commands(progress, cluster)
