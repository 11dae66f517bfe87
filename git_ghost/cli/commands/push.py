"""``git ghost push``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from git_ghost.cli.options.common import (
    FEW,
    GhostCommand,
    at_most,
    calling,
    expect,
    json_option,
    push_options,
    quiet,
    split_form,
    verbose,
)
from git_ghost.cli.types import KINDS, REVISION, after_kind
from git_ghost.cli.view.ids import shown_ids
from git_ghost.cli.view.output import count, few, paths, put, put_json, say, tell, warn_in_a_line

if TYPE_CHECKING:
    from git_ghost.usecases import Pushed

_MOST = {"auto": 1, "diff": 1, "commits": 2, "all": 2}


@click.command(
    "push",
    cls=GhostCommand,
    forms=["[BASE]", "diff [FROM]", "commits [FROM [TO]]", "all [FROM [DIFF-FROM]]"],
)
@click.argument("words", nargs=-1, type=after_kind(REVISION))
@push_options()
@click.option("-n", "--dry-run", is_flag=True, help="Send nothing; print what a push would print.")
@json_option()
def command(
    words: tuple[str, ...],
    include: tuple[str, ...],
    follow_symlinks: bool,
    untracked: bool | None,
    without: tuple[str, ...],
    message: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Store the working tree and local commits as ghosts.

    It stores two patches: the local commits that the source remote does not have, if there are
    any, and the diff, that is, what is not committed, new files included. Nothing in the repository
    changes, and nothing is sent to the source remote.

    It prints one line for each ghost, `BASE HASH`: the last one has the hash to pull, the git tree
    id of the working tree. What was sent, and what was not, is reported on stderr.

    \b
    push [BASE]       the diff and the commits; with BASE only the diff from BASE
    push diff         the diff from FROM, by default HEAD
    push commits      the commits FROM..TO, by default up to HEAD from what the
                      source remote has of them
    push all          the commits FROM..DIFF-FROM, and the diff from DIFF-FROM

    A commit named diff, commits or all is given behind `--`: git ghost push -- diff.
    """
    what, rest = split_form(words, KINDS, "auto")
    expect(rest, 0, _MOST[what], "")
    with calling() as options:
        from git_ghost import usecases

        pushed = usecases.push(
            options,
            what=what,
            base=rest[0] if rest else None,
            to=rest[1] if len(rest) > 1 else None,
            include=include,
            follow_symlinks=follow_symlinks,
            untracked=untracked,
            without=without,
            message=message,
            dry_run=dry_run,
            ignored=verbose() > 0,
        )
    if as_json:
        put_json(_as_json(pushed))
    else:
        ends = [end for line in pushed.lines for end in line.split()]
        shown = shown_ids(ends, whole=verbose() > 0)
        for line in pushed.lines:
            put(" ".join(map(shown, line.split())))
    if not quiet():
        say("\n".join(summary(pushed)))
    if pushed.made_repository:
        tell(
            "note",
            f"this ghost repository is new, and on this machine alone: {pushed.repo}\n"
            "  to use one that others reach: git config --global ghost.repo URL",
        )
    warn_in_a_line(pushed.notices, at_most(FEW))


def summary(pushed: Pushed) -> Iterator[str]:
    """What went where, in a few lines."""
    new = [sent.new for sent in pushed.ghosts]
    did = "would send to" if pushed.dry_run else "sent to" if any(new) else "already in"
    yield f"{did} {pushed.repo}:"
    commits_sent = pushed.commits > 0
    if commits_sent:
        there = " (already there)" if any(new) and not new[0] else ""
        on = pushed.ghosts[0].ghost.base[:12]
        yield f"  {count(pushed.commits, 'commit')} since {on}{there}"
    for names, kind in ((pushed.changed, "changed"), (pushed.untracked, "new")):
        if names:
            yield f"  {count(len(names), f'{kind} file')}:{_named(names)}"
    if not (commits_sent or pushed.changed or pushed.untracked):
        yield "  no uncommitted changes"
    if pushed.ignored:
        from git_ghost.worktree.guards import show_path, show_size

        sized = ((show_path(os.fsencode(path)), show_size(size)) for path, size in pushed.ignored)
        named = ", ".join(f"{path} ({size})" for path, size in sized)
        yield f"  ignored, not sent: {named}"


def _named(names: Sequence[str]) -> str:
    """The first few on the line; all of them with ``-v``, one a line."""
    return paths(names, len(names)).replace("\n", "\n  ") if verbose() else f" {few(names, FEW)}"


def _as_json(pushed: Pushed) -> dict[str, Any]:
    from git_ghost.store.format import CommitsGhost

    return {
        "hash": pushed.hash,
        "base": pushed.ghosts[-1].ghost.base,
        "ghosts": [
            {
                "kind": "commits" if isinstance(sent.ghost, CommitsGhost) else "diff",
                "base": sent.ghost.base,
                "to": sent.ghost.to,
                "ref": sent.ghost.ref,
                "new": sent.new,
            }
            for sent in pushed.ghosts
        ],
        "repo": pushed.repo,
        "head": pushed.head,
        "remote_base": pushed.remote_base,
        "source": pushed.source,
        "commits": pushed.commits,
        "changed": pushed.changed,
        "untracked": pushed.untracked,
        "notices": [{"text": notice.text, "paths": notice.paths} for notice in pushed.notices],
        "dry_run": pushed.dry_run,
    }
