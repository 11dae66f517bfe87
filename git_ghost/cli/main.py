"""``git-ghost``, also called as ``git ghost``: the group of commands."""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import sys
from typing import NoReturn

import click

from git_ghost import __version__
from git_ghost.cli import failure
from git_ghost.cli.options.common import HELP, format_global_options, global_options
from git_ghost.cli.spelling import spell

COMMANDS = (
    "push", "pull", "clone", "show", "diff", "list", "delete", "inject", "run", "code",
    "doctor", "completion", "version", "help",
)  # fmt: skip
"""The commands in the order of the help; ``git_ghost.cli.commands.<name>`` holds ``command``."""

HIDDEN = {"_complete-hashes": "complete_hashes", "gc": "gc"}
"""Commands that are not in the help, and their modules."""


class Commands(click.Group):
    """A group whose commands are imported when they are needed: start-up is felt in every call."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's)
        """The commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 (click's)
        cmd_name: str,
    ) -> click.Command | None:
        """The command of that name, imported now."""
        module = cmd_name if cmd_name in COMMANDS else HIDDEN.get(cmd_name)
        if module is None:
            return None
        found = importlib.import_module(f"git_ghost.cli.commands.{module}").command
        assert isinstance(found, click.Command)
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options before the command."""
        return super().parse_args(ctx, spell(self.params, args, words=False).args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command the arguments name; a UsageError with the nearest one when there is none."""
        name = args[0]
        found = self.get_command(ctx, name)
        if found is not None:
            return name, found, args[1:]
        near = _nearest(name)
        hint = f"; did you mean {near}?" if near else ""
        raise click.UsageError(f"'{name}' is not a git ghost command{hint}", ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands before the options, as they are what is looked for."""
        self.format_commands(ctx, formatter)
        format_global_options(self, ctx, formatter)


def _version_option() -> click.Option:
    """``git ghost --version``, as every git command and every Python one has it."""

    def show(ctx: click.Context, _param: click.Parameter, given: bool) -> None:
        if given:
            click.echo(f"git-ghost {__version__}")
            ctx.exit()

    return click.Option(
        ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=show,
        help="Print the version.",
    )  # fmt: skip


_MEANT = {
    "add": "push", "apply": "pull", "cat": "show", "checkout": "pull", "fetch": "pull",
    "get": "pull", "info": "show", "log": "list", "ls": "list", "prune": "delete",
    "remove": "delete", "restore": "pull", "rm": "delete", "save": "push", "send": "push",
    "stash": "push", "status": "doctor", "submit": "run", "switch": "pull", "uninject": "inject",
}  # fmt: skip
"""What somebody is after who types another tool's word for it."""


def _nearest(name: str) -> str:
    """The command that ``name`` was meant to be, or empty: by its meaning, then by its letters."""
    if meant := _MEANT.get(name.lower()):
        return meant
    import difflib  # 3 ms that only a mistake costs

    near = difflib.get_close_matches(name.lower(), [*COMMANDS, *_MEANT], 1, cutoff=0.7)
    return _MEANT.get(near[0], near[0]) if near else ""


@click.command(
    "git-ghost",
    cls=Commands,
    params=[_version_option(), *global_options()],
    context_settings=HELP,
    options_metavar="[OPTIONS]",
    subcommand_metavar="COMMAND [ARGUMENTS]",
    no_args_is_help=False,
)
def cli() -> None:
    """Send the exact state of a working tree to where it runs, without committing it.

    `git ghost push` stores what is not committed, and the local commits the source remote does not
    have, in a ghost repository, and prints a hash: the git tree id of the working tree. `git ghost
    pull HASH`, or `git ghost clone HASH` where there is no repository yet, rebuilds exactly that
    tree anywhere else, and refuses to go on when the tree id differs.
    """


def entry() -> NoReturn:
    """Run what the command line says, and end the process.

    It ends without taking the interpreter apart, and runs without looking for reference cycles:
    15 ms of the 60 that Python itself costs a push.
    """
    gc.disable()
    code = failure.run(cli, sys.argv[1:])
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # its reader has gone, and that was dealt with
            stream.flush()
    os._exit(code)
