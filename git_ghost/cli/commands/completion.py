"""``git ghost completion``: scripts that complete commands, options and hashes."""

from __future__ import annotations

import click

from git_ghost.cli.options.common import GhostCommand

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", cls=GhostCommand, forms=["SHELL"])
@click.argument("shell", type=click.Choice(SHELLS), required=False, metavar="SHELL")
def command(shell: str | None) -> None:
    """Print a script that completes git ghost in a shell.

    It completes commands, options and, after `git ghost pull` and the like, the hashes in the ghost
    repository; for `git ghost` and for `git-ghost`. Packages install it where the shell looks for
    it. Otherwise:

    \b
    bash    git ghost completion bash \\
              > ~/.local/share/bash-completion/completions/git-ghost
    zsh     git ghost completion zsh > DIR/_git-ghost    (a DIR in $fpath)
    fish    git ghost completion fish \\
              > ~/.config/fish/completions/git-ghost.fish
    """
    if shell is None:
        text = "Missing argument SHELL: bash, zsh or fish"
        raise click.UsageError(text, click.get_current_context())
    click.echo(script(shell), nl=False)


def script(shell: str) -> str:
    """The completion script for ``bash``, ``zsh`` or ``fish``."""
    from git_ghost.cli.main import cli
    from git_ghost.cli.shells import bash, fish, offers, zsh

    write = {"bash": bash.script, "zsh": zsh.script, "fish": fish.script}[shell]
    return "\n".join(write(offers.flags(cli), list(offers.verbs(cli)))) + "\n"
