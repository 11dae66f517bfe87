"""``git ghost diff``."""

from __future__ import annotations

import os
import sys

import click

from git_ghost.cli.options.common import GhostCommand, calling, expect, source_option
from git_ghost.cli.view.output import has_color


@click.command("diff", cls=GhostCommand, forms=["[A [B]]"])
@click.argument("words", nargs=-1)
@click.option(
    "-I", "--include", multiple=True, metavar="PATH",
    help="Look at this file or folder too, even if git ignores it. Repeatable.",
)  # fmt: skip
@click.option(
    "--untracked/--no-untracked", default=None,
    help="Take new files that git does not ignore as part of the working tree, or not"
    " [config: ghost.untracked, default: take].",
)  # fmt: skip
@source_option()
def command(
    words: tuple[str, ...], include: tuple[str, ...], untracked: bool | None, source: str | None
) -> None:
    """Compare the working tree, commits and ghosts.

    Printed is the difference from A, by default HEAD, to B, by default the working tree. Each of
    them is a commit or the hash of a ghost, which is rebuilt for this; nothing in the repository
    changes. The working tree is taken as `git ghost push` would send it.
    """
    expect(words, 0, 2, "")
    names = [word.strip() for word in words]
    on_terminal = sys.stdout.isatty()
    with calling(source) as options:
        from git_ghost import usecases

        patch = usecases.diff(
            names[0] if names else None,
            names[1] if len(names) == 2 else None,
            options,
            color=on_terminal and has_color(sys.stdout),
            include=include,
            untracked=untracked,
        )
    if on_terminal:
        page(patch)
    else:
        sys.stdout.buffer.write(patch)


def page(patch: bytes) -> None:
    """Show ``patch`` in the user's pager, started by git as git starts it for its own commands."""
    import tempfile

    from git_ghost.git import passthrough

    if not patch:
        return
    with tempfile.NamedTemporaryFile(prefix="git-ghost-") as file:
        file.write(patch)
        file.flush()
        # An alias that is a shell command is the one thing git can be told to page that is not git.
        alias = ("-c", "alias.ghost-page=!cat", "ghost-page", file.name)
        passthrough("--paginate", *alias, cwd=None, env=os.environ)
