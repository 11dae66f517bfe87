"""``git ghost help``."""

from __future__ import annotations

import click

from git_ghost.cli.options.common import GhostCommand
from git_ghost.cli.types import COMMAND


@click.command("help", cls=GhostCommand, forms=["[COMMAND]"])
@click.argument("name", metavar="[COMMAND]", required=False, type=COMMAND)
@click.pass_context
def command(ctx: click.Context, name: str | None) -> None:
    """Explain what git ghost, or one of its commands, does."""
    root = ctx.find_root()
    if name is None:
        click.echo(root.get_help())
        return
    group = root.command
    assert isinstance(group, click.Group)
    name, found, _ = group.resolve_command(root, [name])
    assert found is not None
    with click.Context(found, info_name=name, parent=root, **found.context_settings) as about:
        click.echo(found.get_help(about))
