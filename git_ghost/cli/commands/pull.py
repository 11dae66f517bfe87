"""``git ghost pull``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from git_ghost.cli.options.common import (
    MANY,
    GhostCommand,
    at_most,
    calling,
    exact_option,
    expect,
    force_option,
    from_stdin,
    json_option,
    quiet,
    source_option,
    split_form,
    verbose,
)
from git_ghost.cli.options.containers import attempt, container_options, write_report
from git_ghost.cli.types import HASH, KINDS, after_kind
from git_ghost.cli.view.ids import shown_ids
from git_ghost.cli.view.output import count, few, paths, put_json, say, tell, warn

if TYPE_CHECKING:
    from git_ghost.usecases import Pulled

FORMS = ("[FROM] HASH", "diff [FROM] HASH", "commits [FROM] TO", "all [FROM] TO HASH")
"""How pull and show name what they are about."""


@click.command("pull", cls=GhostCommand, forms=FORMS)
@click.argument("words", nargs=-1, type=after_kind(HASH))
@force_option()
@exact_option()
@source_option()
@json_option()
@container_options()
def command(words: tuple[str, ...], force: bool, exact: bool, as_json: bool) -> None:
    """Make the working tree exactly what HASH names.

    HASH is what `git ghost push` printed last: the tree id of a working tree; 7 or more of its
    digits will do, and `-` takes it from standard input, with the commit in front of it if there
    is one. The commits it builds on are fetched where they are missing: from the ghost repository,
    and their base from the source remote. What comes out is checked against the tree id before
    anything is touched. Local changes that would be lost make it refuse.

    \b
    pull [FROM] HASH    the working tree HASH, on top of commit FROM if given
    pull diff           the same
    pull commits        the commits FROM..TO, for a HEAD that is on TO then
    pull all            the commits FROM..TO and the diff HASH

    Run again after it was interrupted, it finishes its work or finds it finished.
    """
    what, hash, base, commits_from = parse_words(words)
    with calling() as options:
        from git_ghost import usecases

        pulled, finished = attempt(
            options,
            lambda options: usecases.pull(
                hash, options, base=base, what=what, commits_from=commits_from,
                force=force, exact=exact,
            ),
        )  # fmt: skip
    write_report(pulled, "", finished)
    if as_json:
        put_json(for_json(pulled))
    report(pulled)


def for_json(pulled: Pulled) -> dict[str, Any]:
    """What ``--json`` prints of a pull: what it did, not what was told of it before."""
    from dataclasses import asdict

    return {key: value for key, value in asdict(pulled).items() if key != "told"}


def parse_words(words: tuple[str, ...]) -> tuple[str, str, str | None, str | None]:
    """What, HASH, base and FROM of the commits, as :func:`git_ghost.pull` names them."""
    what, rest = split_form(words, KINDS, "auto")
    rest = from_stdin(rest, 3 if what == "all" else 2)
    if what == "all":
        expect(rest, 2, 3, "TO" if not rest else "HASH")
        return what, rest[-1], rest[-2], rest[0] if len(rest) == 3 else None
    expect(rest, 1, 2, "TO" if what == "commits" else "HASH")
    start = rest[0] if len(rest) == 2 else None
    return (what, rest[-1], None, start) if what == "commits" else (what, rest[-1], start, None)


def report(pulled: Pulled, where: str = "", source: str = "") -> None:
    """Tell on stderr what a pull (a clone into folder ``where``) did, and what it left to do."""
    if not quiet():
        ids = (pulled.hash, pulled.base)
        shown = shown_ids(ids, whole=verbose() > 0, stream=sys.stderr)
        files = count(pulled.changed, "file")
        if where:
            say(f"cloned {shown(pulled.hash)} into {few([where], 1)}: {files} written")
        else:
            say(f"pulled {shown(pulled.hash)}: {files} changed")
        if pulled.head == "branch":
            say(f"  branch {pulled.branch} was fast-forwarded to {shown(pulled.base)}")
        elif pulled.head == "detached":
            left = pulled.branch
            was = f" (it was on {left}: git switch {left})" if left else ""
            say(f"  HEAD is detached at {shown(pulled.base)}{was}")
        if source:
            say(f"  from {few([source], 1)}")
    if pulled.backup:
        tell(
            "note",
            f"local changes were set aside in {pulled.backup}\n"
            f"  to look at them:  git diff HEAD {pulled.backup}\n"
            f"  to get them back: {' && '.join(pulled.restore)}",
        )
    if not pulled.verified:
        tell(
            "warning",
            "this ghost was made by v0.1, whose hashes are not tree ids: there was nothing to"
            f" verify against; the tree is {pulled.tree}",
        )
    if not pulled.told:
        _warn_of_the_rest(pulled)


def _warn_of_the_rest(pulled: Pulled) -> None:
    warn(pulled.notices, at_most(MANY))
    if pulled.untracked:
        some = count(len(pulled.untracked), "untracked file")
        text = f"{some} here, not part of what was pulled:"
        tell("warning", text + paths(pulled.untracked, at_most(MANY)))
    if pulled.submodules:
        some = count(len(pulled.submodules), "submodule")
        tell("warning", f"{some} to be updated:" + paths(pulled.submodules, at_most(MANY)))
        tell("hint", "git submodule update --init")
