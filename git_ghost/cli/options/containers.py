"""What pull and clone take for a container's sake: credentials, attempts, a report, modes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from git_ghost.cli.options.common import CONTAINERS, Decorator, remembered, together
from git_ghost.cli.types import FILE, FOLDER
from git_ghost.cli.view.output import tell
from git_ghost.gitconfig import seconds_of

if TYPE_CHECKING:
    from git_ghost.usecases import Options, Pulled
    from git_ghost.usecases.retrying import Failed

T = TypeVar("T")

REPORT_BYTES = 4096
"""What Kubernetes takes as a container's termination message."""


def duration(text: str) -> float:
    """Seconds, or numbers with h, m and s, in seconds; BadParameter otherwise."""
    found = seconds_of(text)
    if found is None:
        raise click.BadParameter(f"'{text}' is not a duration such as 90, 90s, 5m or 1h.")
    return found


def mode(text: str) -> int:
    """File mode bits in octal digits; BadParameter otherwise."""
    if not re.fullmatch(r"[0-7]{1,4}", text) or int(text, 8) > 0o777:
        raise click.BadParameter(f"'{text}' is not an octal mode such as 022 or 0.")
    return int(text, 8)


class ContainerOption(click.Option):
    """An option that is remembered, and shown under a heading of its own."""

    heading = CONTAINERS


def container_options() -> Decorator:
    """The options, the same for pull and clone."""

    def option(*names: str, **more: Any) -> Decorator:
        return click.option(
            *names, cls=ContainerOption, expose_value=False, callback=_remember, **more
        )

    folder = {"type": FOLDER, "metavar": "DIR"}
    return together(
        option(
            "--git-credentials", "git_credentials", **folder,
            help="A mounted secret for the source, with the keys ssh-privatekey (or ssh) and"
            " known_hosts, or username and password, or ca.crt; for the ghost repository too when"
            " that is on the same host and has none of its own.",
        ),
        option(
            "--ghost-credentials", "ghost_credentials", **folder,
            help="A mounted secret for the ghost repository.",
        ),
        option(
            "--retry", "retry", type=duration, metavar="DURATION",
            help="Keep trying for this long (90, 90s, 5m, 1h) after network faults that may pass;"
            " the exit code is 75 when the last one has not.",
        ),
        option(
            "--umask", "umask", type=mode, metavar="MODE",
            help="The octal umask for everything that is made: 0 lets other users of a shared"
            " volume change it.",
        ),
        option(
            "--report", "report", type=FILE, metavar="FILE",
            help="When all is done, write one line of JSON that says what was pulled, such as a"
            " pod's termination message.",
        ),
        option(
            "--progress", "progress", is_flag=True,
            help="Report progress in plain lines, wherever stderr goes.",
        ),
    )  # fmt: skip


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None:
        remembered(ctx)[str(param.name)] = value


class Finished(NamedTuple):
    """How the attempts of a call ended: how many there were, in how many seconds."""

    attempts: int
    seconds: float


def attempt(options: Options, work: Callable[[Options], T]) -> tuple[T, Finished]:
    """Call ``work`` as often as ``--retry`` allows, in the modes ``--umask`` gives."""
    from dataclasses import replace

    from git_ghost.usecases.retrying import retry

    given = remembered(click.get_current_context())
    seconds = given.get("retry", 0.0)
    options = replace(
        options,
        git_credentials=_folder(given, "git_credentials"),
        ghost_credentials=_folder(given, "ghost_credentials"),
    )
    if "umask" in given:
        os.umask(given["umask"])
    began = time.monotonic()
    done = retry(lambda: work(options), seconds, tell=lambda failed: _tell(failed, options))
    return done.result, Finished(done.attempts, time.monotonic() - began)


def _folder(given: dict[str, Any], name: str) -> str:
    folder = given.get(name)
    if folder == "":
        option = f"--{name.replace('_', '-')}"
        raise click.UsageError(f"{option} names no folder.", click.get_current_context())
    return str(folder or "")


def _tell(failed: Failed, options: Options) -> None:
    from git_ghost.cli.view.progress import ProgressLine
    from git_ghost.urls import redact_text

    if isinstance(options.progress, ProgressLine):
        options.progress.wipe()
    first, *rest = failed.error.message.splitlines()
    detail = f" ({rest[0].strip()})" if rest else ""
    tell("warning", redact_text(f"{first}{detail}; trying again in {failed.pause:.1f} s"))


def write_report(pulled: Pulled, source: str, finished: Finished) -> None:
    """Write what ``--report`` asks for; a file that cannot be written is worth a warning only."""
    path = remembered(click.get_current_context()).get("report")
    if path is None:
        return
    values = {
        "hash": pulled.hash,
        "base": pulled.base,
        "tree": pulled.tree,
        "verified": pulled.verified,
        "changed": pulled.changed,
        "source": source,
        "attempts": finished.attempts,
        "seconds": round(finished.seconds, 3),
    }
    import json

    line = json.dumps(values) + "\n"
    if len(line) > REPORT_BYTES:
        line = json.dumps({**values, "source": ""}) + "\n"
    try:
        # Not to wait for the reader of a pipe that has none.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK
        with open(os.open(path, flags, 0o666), "w", encoding="ascii") as file:
            file.write(line)
    except OSError as e:
        tell("warning", f"the report {path} cannot be written: {(e.strerror or str(e)).lower()}")
