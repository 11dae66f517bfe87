"""``git ghost delete``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_ghost.cli.commands.list import put_ghosts, range_options
from git_ghost.cli.options.common import GhostCommand, calling, quiet, rows_on_stdin, split_form
from git_ghost.cli.types import HASH, KINDS, after_kind
from git_ghost.cli.view.output import count, say

if TYPE_CHECKING:
    from git_ghost.model import Notice


@click.command("delete", cls=GhostCommand, forms=["[diff | commits | all] [HASH...]"])
@click.argument("words", nargs=-1, type=after_kind(HASH))
@range_options()
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Delete all that match, with no HASH and without both ends given.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Delete nothing; print what would be deleted.")
def command(
    words: tuple[str, ...],
    start: str,
    to: str,
    output: str | None,
    no_headers: bool,
    as_json: bool,
    everything: bool,
    dry_run: bool,
) -> None:
    """Delete ghosts from the ghost repository.

    It deletes those that lead to HASH, or those from --from to --to: diffs, commits or all; by
    default diffs. HASH `-` stands for the ghosts on standard input, one a line, as `git ghost list
    --no-headers` prints them: of a line BASE HASH only the ghost from BASE to HASH. To delete
    without a HASH and without naming both ends, say --all.
    What was deleted is printed.
    """
    what, hashes = split_form(words, KINDS, "diff")
    rows = rows_on_stdin(hashes) if "-" in hashes else []
    hashes = [*(word for word in hashes if word != "-"), *(row[0] for row in rows if not row[1:])]
    exactly = [(row[0], row[1]) for row in rows if row[1:]]
    if not (hashes or exactly or (start and to) or everything or dry_run):
        raise click.UsageError(
            "All must be set if multiple ghosts are deleted; otherwise name both --from and --to,"
            " or the HASH of each.",
            click.get_current_context(),
        )
    told: list[Notice] = []
    with calling() as options:
        from git_ghost import usecases

        gone = usecases.delete(
            options,
            what=what,
            start=start.strip() or "*" * everything,
            to=to.strip() or "*" * everything,
            hashes=hashes,
            exactly=exactly,
            dry_run=dry_run,
            listen=told.append,
        )
    put_ghosts(gone, what, "Deleted ", output, no_headers, as_json)
    if not quiet():
        say(f"{'would delete' if dry_run else 'deleted'} {count(len(gone), 'ghost')}")
        for notice in told:
            say(notice.text)
