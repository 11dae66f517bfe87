"""list, delete, doctor: what is in the ghost repository, and whether everything is in order."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from git_ghost.errors import GhostError, NoSuchGhost, UsageError
from git_ghost.git import version
from git_ghost.gitconfig import GitConfig
from git_ghost.model import Notice, count, hash_argument
from git_ghost.quarantine import quarantine
from git_ghost.settings import TABLE
from git_ghost.store import listing, send
from git_ghost.store.format import CommitsGhost, DiffGhost
from git_ghost.store.listing import Listed, matching, place_of, resolve_prefix
from git_ghost.store.send import probe_write
from git_ghost.usecases.context import Context, Options, context_anywhere
from git_ghost.usecases.pushing import guard, settle_bases, what_is_wanted
from git_ghost.worktree import base as bases, guards, snapshot
from git_ghost.worktree.leftovers import large_ignored

_KINDS: dict[str, tuple[type, ...]] = {
    "diff": (DiffGhost,),
    "commits": (CommitsGhost,),
    "all": (DiffGhost, CommitsGhost),
}


def list_ghosts(
    options: Options = Options(), *, what: str = "diff", start: str = "", to: str = ""
) -> list[Listed]:
    """The ghosts in the ghost repository, commits first, each kind sorted by name.

    ``what`` is ``diff``, ``commits`` or ``all``; ``start`` and ``to`` are globs for their two ends,
    or names of commits here. Raises UsageError for another ``what``, RemoteError.
    """
    context = context_anywhere(options)
    found = _select(context, _listed(context, what), what, start, to, ())
    return listing.checked(context.store(), found)


def where_ghosts_are(options: Options = Options()) -> str:
    """The ghost repository's URL or path without credentials, and the prefix of its ghosts."""
    target = context_anywhere(options).store()
    return f"{target.shown} under '{target.prefix}'"


def _listed(context: Context, what: str) -> list[Listed]:
    if what not in _KINDS:
        raise UsageError(f"there is no kind of ghosts '{what}'", f"One of: {', '.join(_KINDS)}.")
    return listing.list_ghosts(place_of(context.repository, context.link), context.store())


def _select(
    context: Context,
    listed: Sequence[Listed],
    what: str,
    start: str,
    to: str,
    hashes: Sequence[str],
    exactly: Sequence[tuple[str, str]] = (),
) -> list[Listed]:
    found = [g for g in listed if isinstance(g.ghost, _KINDS[what])]
    found = matching(found, _resolved(context, start), _resolved(context, to))
    if hashes or exactly:
        ends = {resolve_prefix(found, hash_argument(digits)) for digits in hashes}
        rows = {_resolved_row(found, *row) for row in exactly}
        found = [g for g in found if g.ghost.to in ends or (g.ghost.base, g.ghost.to) in rows]
    return sorted(found, key=lambda g: (isinstance(g.ghost, DiffGhost), g.ghost.ref))


def _resolved_row(listed: Sequence[Listed], start: str, to: str) -> tuple[str, str]:
    """The two ends, whole, of the one ghost that leads from ``start`` to ``to``, or prefixes."""
    base, hash = hash_argument(start), hash_argument(to)
    on_base = [g for g in listed if g.ghost.base.startswith(base)]
    if not any(g.ghost.to.startswith(hash) for g in on_base):
        raise listing.no_such_ghost(f"{hash} on the base {base}")
    end = resolve_prefix(on_base, hash)
    starts = sorted({g.ghost.base for g in on_base if g.ghost.to == end})
    if len(starts) > 1:
        raise NoSuchGhost(f"the base {base} is ambiguous: {', '.join(starts)}", "Give more digits.")
    return starts[0], end


def _resolved(context: Context, glob: str) -> str:
    """A commit's name here (``HEAD``, a branch, an abbreviation) as its id; a glob as it is."""
    glob = glob.strip()
    if not glob or any(c in glob for c in "*?[") or context.repository is None:
        return glob
    return context.repository.commit(glob) or glob


def delete(
    options: Options = Options(),
    *,
    what: str = "diff",
    start: str = "",
    to: str = "",
    hashes: Sequence[str] = (),
    exactly: Sequence[tuple[str, str]] = (),
    dry_run: bool = False,
    listen: Callable[[Notice], None] = lambda _: None,
) -> list[Listed]:
    """Delete the ghosts :func:`list_ghosts` gives for the same arguments; returns those deleted.

    ``hashes`` and ``exactly`` restrict it to ghosts that lead to these hashes, from any base, and
    those from a base to a hash. One that changed meanwhile is left alone.
    ``dry_run`` deletes nothing; ``listen`` hears what stays that nobody needs. Raises UsageError
    unless ``hashes``, ``exactly`` or both ends are named (``*`` names any), NoSuchGhost for one
    that names none, RemoteError.
    """
    if not (hashes or exactly or (start and to) or dry_run):
        raise UsageError(
            "nothing says which ghosts to delete", "Name hashes, or both ends; '*' stands for any."
        )
    context = context_anywhere(options)
    listed = _listed(context, what)
    found = _select(context, listed, what, start, to, hashes, exactly)
    if found and not dry_run:
        place = place_of(context.repository, context.link)
        found = send.delete(place, context.store(), found)
    if left := _stranded(listed, found):
        listen(Notice(_about_stranded(left)))
    return found


def _about_stranded(hashes: Sequence[str]) -> str:
    all_, command = " ".join(hashes), "git ghost delete commits"
    if len(hashes) == 1:
        return (
            f"the commits ghost {all_} stays, although no diff ghost is on it any more;"
            f" to delete it: {command} {all_}"
        )
    return (
        f"{len(hashes)} commits ghosts stay, although no diff ghost is on them any more;"
        f" to delete them: {command} {all_}"
    )


def _stranded(listed: Sequence[Listed], gone: Sequence[Listed]) -> list[str]:
    """The hashes of commits ghosts that lead to where only diffs started that are ``gone``."""
    left = {g.ghost for g in listed}.difference(g.ghost for g in gone)
    needed = {ghost.base for ghost in left if isinstance(ghost, DiffGhost)}
    lost = {g.ghost.base for g in gone if isinstance(g.ghost, DiffGhost)} - needed
    return sorted({g.to for g in left if isinstance(g, CommitsGhost) and g.to in lost})


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
        checks.append(_check("base commit", lambda: _base(context)))
        checks.append(_check("to be sent", lambda: _to_be_sent(context)))
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
    place = place_of(context.repository)
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
            lambda: (probe_write(context.repository, target), target.shown, ""),
        )


def _base(context: Context) -> tuple[bool | None, str, str]:
    decided = settle_bases(context)
    base, source = decided.remote_base, decided.source
    if base is None:
        hint = "Push the branch to the source remote once, so that a pod can fetch its base there."
        return None, f"no remote has {decided.head[:12]} or a commit before it", hint
    bases.require_advertised(context.here, source.remote, base, context.link)
    more = (
        f"; to be sent with it: {count(decided.span.count, 'local commit')}" if decided.span else ""
    )
    return True, f"{base[:12]} on {source.remote} ({source.url}){more}", ""


def _to_be_sent(context: Context) -> tuple[bool | None, str, str]:
    repository = context.here
    with quarantine(repository, context.options.working_dir) as private:
        private.copy_index()
        wanted = what_is_wanted(context, (), None)
        found = snapshot.select(private, snapshot.survey(private), wanted)
        guard(private, found, settle_bases(context), wanted)
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
