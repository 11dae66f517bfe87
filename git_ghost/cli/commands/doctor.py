"""``git ghost doctor``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click

from git_ghost.cli.options.common import GhostCommand, calling, json_option
from git_ghost.cli.view.output import clean, has_color, is_plain, put, put_json

if TYPE_CHECKING:
    from git_ghost.usecases import Check

_MARKS = {True: ("ok", "green"), None: ("warn", "yellow"), False: ("fail", "red")}


@click.command("doctor", cls=GhostCommand)
@json_option()
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Check everything that a push and a pull need.

    Nothing is changed. The exit code is 1 when something is wrong.
    """
    with calling() as options:
        from git_ghost import usecases

        checks = usecases.doctor(options)
    if as_json:
        from dataclasses import asdict

        put_json([asdict(check) for check in checks])
    elif is_plain(sys.stdout):
        _print_plain(checks)
    else:
        _print_table(checks)
    if any(check.ok is False for check in checks):
        ctx.exit(1)


def _print_plain(checks: Sequence[Check]) -> None:
    width = max(len(check.name) for check in checks)
    indent = " " * (width + 8)
    for check in checks:
        text = check.detail + (f"\n{check.hint}" if check.hint else "")
        put(
            f"{_MARKS[check.ok][0]:<4}  {check.name:<{width}}  " + text.replace("\n", f"\n{indent}")
        )


def _print_table(checks: Sequence[Check]) -> None:
    # Imported here: 17 ms that only a person at a terminal waits for.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for check in checks:
        mark, color = _MARKS[check.ok]
        text = Text(clean(check.detail))
        if check.hint:
            text.append(clean(f"\n{check.hint}"), style="dim")
        table.add_row(Text(mark, style=color), Text(check.name), text)
    colors: Literal["auto"] | None = "auto" if has_color(sys.stdout) else None
    Console(highlight=False, color_system=colors).print(table)
