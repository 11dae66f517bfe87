"""What a push says beside what it sent: what stays behind, what a pull may not find."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from git_ghost.model import Notice
from git_ghost.store.format import DiffGhost, Ghost
from git_ghost.store.send import REPLACED, Settled
from git_ghost.worktree.snapshot import Survey

if TYPE_CHECKING:
    from git_ghost.usecases.pushing import Bases


def about_settled(last: Ghost, message: str, settled: Mapping[Ghost, Settled]) -> Iterator[Notice]:
    """What came to light about ghosts that were there already; ``last`` is the one to pull."""
    for ghost, about in settled.items():
        if about.why == REPLACED:
            yield Notice(f"the ghost {ghost.to} was there, but incomplete; it was sent again")
    kept = settled.get(last)
    if message and kept and not kept.why and kept.message != message.strip():
        has = f"its message is '{kept.message}'" if kept.message else "it has no message"
        ends = f"--from {last.base[:12]} --to {last.to}"
        what = "" if isinstance(last, DiffGhost) else "commits "
        yield Notice(
            f"this ghost is there already, and {has}: that of -m is not stored; to store it, delete"
            f" the ghost (git ghost delete {what}{ends}) and push again"
        )


def about_content(surveyed: Survey, found: Survey) -> Iterator[Notice]:
    """What of the working tree is not sent; ``found`` is ``surveyed`` reduced to what is wanted."""
    left = set(surveyed.untracked).difference(found.untracked, found.included)
    not_sent = (
        ("changed, but git was told to overlook them: not sent unless named with -I", found.hidden),
        ("conflicts not resolved: sent as on disk, with git's marks", found.conflicted),
        ("new files not sent (--no-untracked)", sorted(left)),
        ("repositories inside this one, not sent (--without nested)", found.nested),
        (
            "submodules whose uncommitted changes are not sent (--without submodules)",
            found.dirty_submodules,
        ),
        ("files in submodules that are not checked out: not sent", found.filled),
        (
            "repositories without an entry in .gitmodules: they arrive as empty folders",
            found.homeless,
        ),
    )
    for text, paths in not_sent:
        if paths:
            yield Notice(text, tuple(os.fsdecode(path) for path in paths))
    if found.words:
        yield Notice("git says of the working tree", found.words)


def about_moving(paths: Iterable[bytes]) -> Iterator[Notice]:
    """Files that were written to while git read them."""
    if names := tuple(os.fsdecode(path) for path in sorted(paths)):
        yield Notice("changed while they were read, and sent as they were at some moment", names)


def about_leftovers(paths: Iterable[bytes]) -> Iterator[Notice]:
    """Empty folders and special files, which git does not carry."""
    if names := tuple(os.fsdecode(path) for path in paths):
        yield Notice("git carries no empty folders, pipes or sockets: not sent", names)


def about_bases(decided: Bases, remotes: Iterable[str], here: str) -> Iterator[Notice]:
    """What a pull will need and may not find; ``here`` is this repository as a source."""
    base = decided.span.base if decided.span else decided.start
    text = f"the base commit {base} is on no remote"
    if decided.remote_base is None and decided.source.url == here:
        yield Notice(
            f"{text}: the ghost names {here} as its source, so it can be pulled on this machine"
            " only; to pull elsewhere, push it to a remote first"
        )
    elif decided.remote_base is None and not remotes:
        alone = "; only the diff goes" if decided.span is None else ""
        yield Notice(f"{text}{alone}; see to it that it is there where this is pulled")
    elif decided.remote_base is None:
        yield Notice(f"{text}, as far as is known here; fetch, or push it first")
    elif decided.span is None and decided.start not in (None, decided.remote_base):
        yield Notice(f"{text}; `git ghost push` without `diff` or a base sends the commits too")
    elif decided.span and decided.stray:
        text = f"the commits begin at {decided.span.base}, which is on no remote"
        yield Notice(f"{text}; `git ghost push` without a base sends all that are needed")
