"""``git ghost code``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from git_ghost.cli.options.cluster import access, cluster_options
from git_ghost.cli.options.common import GhostCommand, calling, expect, json_option, quiet
from git_ghost.cli.types import FOLDER, FREE, HASH_OR_REVISION
from git_ghost.cli.view.output import has_color, put, put_json, say
from git_ghost.cli.view.paging import paged

if TYPE_CHECKING:
    from git_ghost.usecases.coding import Coded


@click.command("code", cls=GhostCommand, forms=["TYPE/NAME", "TYPE NAME"])
@click.argument("words", nargs=-1, type=FREE)
@click.option(
    "--diff", "other", type=HASH_OR_REVISION, metavar="OTHER",
    help="Print the difference from its code to that of OTHER: another object (TYPE/NAME), a ghost"
    " or a commit.",
)  # fmt: skip
@click.option("--clone", "into", type=FOLDER, metavar="DIR", help="Rebuild its code in DIR.")
@cluster_options()
@json_option()
def command(
    words: tuple[str, ...], other: str | None, into: str | None, as_json: bool, **more: Any
) -> None:
    """Show which code an object in the cluster runs.

    It prints the hash of the ghost, as `git ghost pull` takes it; base, repositories and where
    this is written go to stderr. TYPE is what kubectl takes: job, pod, workflow, wf, deploy,
    pytorchjob.kubeflow.org and the like. An object that does not say so itself is asked through its
    pods and its owners.

    \b
    git ghost code job/train-x7k2
    git ghost diff $(git ghost code job/train-x7k2)
    git ghost code job/train-x7k2 --diff job/train-k9w1
    git ghost code pod/train-0 --clone train-0
    """
    expect(words, 1, 2, "TYPE/NAME")
    if other is not None and into is not None:
        text = "--diff and --clone do not go together."
        raise click.UsageError(text, click.get_current_context())
    from git_ghost.usecases import coding

    cluster = access(more)
    found = coding.code("/".join(words), access=cluster)
    if other is not None:
        _print_difference(found, other, cluster)
        return
    if into is not None:
        _clone(found, into, as_json)
        return
    if as_json:
        from dataclasses import asdict

        put_json(asdict(found))
    else:
        put(found.hash)
    if not quiet():
        say("\n".join(_facts(found)))


def _facts(found: Coded) -> list[str]:
    where = f" in namespace {found.namespace}" if found.namespace else ""
    via = f", by {found.via}" if found.via else ""
    lines = [f"{found.object}{where}{via}:"]
    for noun, value in (("base", found.base), ("ghosts", found.repo), ("source", found.source)):
        if value:
            lines.append(f"  {noun}: {value}")
    return lines


def _print_difference(found: Coded, other: str, cluster: Any) -> None:
    from git_ghost.usecases import coding

    with calling() as options:
        is_object = coding.is_object(other, options)
        against = coding.code(other, access=cluster) if is_object else other
        color = has_color(sys.stdout)
        patch = coding.compare(found, against, options, color=color)
    with paged() as out:
        out.write(patch)


def _clone(found: Coded, directory: str, as_json: bool) -> None:
    from git_ghost.cli.commands.pull import for_json, report
    from git_ghost.usecases import coding

    with calling() as options:
        cloned = coding.rebuild(found, directory, options)
    if as_json:
        from dataclasses import asdict

        put_json({**asdict(cloned), "pulled": for_json(cloned.pulled)})
    report(cloned.pulled, cloned.directory, cloned.source)
