"""doctor: whether everything is in order that a push and a pull need."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from git_ghost.errors import GhostError
from git_ghost.git import version
from git_ghost.gitconfig import GitConfig
from git_ghost.model import Oid, count
from git_ghost.quarantine import quarantine
from git_ghost.settings import TABLE
from git_ghost.store import listing
from git_ghost.store.listing import place_of
from git_ghost.store.send import probe_write
from git_ghost.usecases.context import Context, Options, context_anywhere
from git_ghost.usecases.pushing import Bases, guard, settle_bases, what_is_wanted
from git_ghost.worktree import base as bases, guards, snapshot
from git_ghost.worktree.base import SourceRemote
from git_ghost.worktree.leftovers import large_ignored


@dataclass(frozen=True)
class Check:
    """One thing :func:`doctor` looked at: ``ok`` None is a warning."""

    name: str
    ok: bool | None
    detail: str
    hint: str = ""


def doctor(options: Options = Options()) -> list[Check]:
    """Look at everything a push and a pull need; nothing is changed, nothing raised."""
    checks = [_check("git", lambda: (True, "git " + ".".join(map(str, version())), ""))]
    try:
        context = context_anywhere(options)
    except GhostError as e:
        return [*checks, Check("settings", False, e.message, e.hint)]
    if context.repository is None or not context.repository.work_tree:
        checks.append(
            Check(
                "repository",
                None,
                "not in a working tree",
                "Go into one to check what a push would send.",
            )
        )
    else:
        checks.append(Check("repository", True, context.repository.work_tree))
    checks += _unknown_settings(context.config)
    checks += _ghost_repository_checks(context)
    if context.repository is not None and context.repository.work_tree:
        decided: list[Bases] = []
        checks.append(_check("base commit", lambda: _base(context, decided)))
        checks.append(_check("to be sent", lambda: _to_be_sent(context, decided)))
        checks.append(_check("stays here", lambda: _ignored(context)))
    return checks


def _check(name: str, look: Callable[[], tuple[bool | None, str, str]]) -> Check:
    try:
        return Check(name, *look())
    except GhostError as e:
        return Check(name, False, e.message, e.hint)
    except OSError as e:  # a folder that cannot be written to, a full disk
        return Check(name, False, str(e))


def _unknown_settings(config: GitConfig) -> Iterator[Check]:
    known = {row.key.lower().removeprefix("ghost."): row.key for row in TABLE}
    names = (key.removeprefix("ghost.") for key in config.values if key.startswith("ghost."))
    for name in sorted(name for name in names if name not in known):
        near = difflib.get_close_matches(name, known, 1)
        hint = f"Is {known[near[0]]} meant?" if near else ""
        yield Check("settings", None, f"git config has ghost.{name}, which is not a setting", hint)


def _ghost_repository_checks(context: Context) -> Iterator[Check]:
    target = context.store()
    place = place_of(context.repository, context.link)
    if target.embedded and not os.path.exists(target.url):
        hint = "Good for this machine alone. To share ghosts: git config --global ghost.repo URL"
        yield Check("ghost repository", None, f"{target.shown}, made at the first push", hint)
        return

    def read() -> tuple[bool | None, str, str]:
        found = listing.checked(target, listing.list_ghosts(place, target))
        told = f"{target.shown}, {count(len(found), 'ghost')} under '{target.prefix}'"
        if gone := [one.ghost.to for one in found if not one.whole]:
            hint = "Delete them (git ghost delete HASH), or push them again."
            return None, f"{told}; the objects of {len(gone)} are gone: {', '.join(gone[:4])}", hint
        return True, told, ""

    readable = _check("ghost repository", read)
    yield readable
    if readable.ok is not False:
        yield _check(
            "write access",
            lambda: (probe_write(context.repository, target, context.link), target.shown, ""),
        )


def _base(context: Context, settled: list[Bases]) -> tuple[bool | None, str, str]:
    """Look at the base commit; what was found out goes into ``settled``."""
    decided = settle_bases(context)
    settled.append(decided)
    base, source = decided.remote_base, decided.source
    if base is None:
        hint = "Push the branch to the source remote once, so that a pod can fetch its base there."
        return None, f"the base commit {decided.head[:12]} is on no remote", hint
    bases.require_advertised(context.here, source.remote, base, context.link)
    more = (
        f"; to be sent with it: {count(decided.span.count, 'local commit')}" if decided.span else ""
    )
    return True, f"{base[:12]} on {source.remote} ({source.url}){more}", ""


def _to_be_sent(context: Context, settled: list[Bases]) -> tuple[bool | None, str, str]:
    decided = settled[0] if settled else Bases(Oid(""), None, None, None, SourceRemote())
    repository = context.here
    with quarantine(repository, context.options.working_dir) as private:
        private.copy_index()
        wanted = what_is_wanted(context, (), None)
        found = snapshot.select(private, snapshot.survey(private), wanted)
        guard(private, found, decided, wanted)
        size = guards.show_size(sum(snapshot.sizes(repository, found).values()))
        changed, new = count(len(found.changed), "changed file"), len(found.untracked)
        return True, f"{changed}, {count(new, 'new file')}, {size}", ""


def _ignored(context: Context) -> tuple[bool | None, str, str]:
    """The large files that git ignores: a job that reads one will miss it."""
    with quarantine(context.here, context.options.working_dir) as private:
        found = large_ignored(private)
    if not found:
        return True, "no ignored file of a MiB or more", ""
    named = [f"{guards.show_path(one.path)} ({guards.show_size(one.size)})" for one in found[:4]]
    more = f" and {len(found) - 4} more" if len(found) > 4 else ""
    return True, f"ignored, not sent: {', '.join(named)}{more}", ""
