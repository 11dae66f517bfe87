"""``git ghost doctor``."""

from __future__ import annotations

import sys

import click

from git_ghost.cli.common import GhostCommand, calling
from git_ghost.cli.output import has_color, put

_MARKS = {True: ("ok", "32"), None: ("warn", "33"), False: ("fail", "31")}


@click.command("doctor", cls=GhostCommand)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Check everything that a push and a pull need.

    Nothing is changed. The exit code is 1 when something is wrong.
    """
    with calling() as options:
        from git_ghost import sync

        checks = sync.doctor(options)
    width = max(len(check.name) for check in checks)
    colored = has_color(sys.stdout)
    for check in checks:
        mark, color = _MARKS[check.ok]
        shown = f"\x1b[{color}m{mark:<4}\x1b[m" if colored else f"{mark:<4}"
        indent = " " * (width + 8)
        put(f"{shown}  {check.name:<{width}}  " + check.detail.replace("\n", f"\n{indent}"))
        if check.hint:
            put(indent + check.hint.replace("\n", f"\n{indent}"))
    if any(check.ok is False for check in checks):
        ctx.exit(1)
