"""list and delete: what is in the ghost repository."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from git_ghost.errors import NoSuchGhost, UsageError
from git_ghost.model import Notice, hash_argument
from git_ghost.store import listing, send
from git_ghost.store.format import CommitsGhost, DiffGhost
from git_ghost.store.listing import Listed, matching, place_of, resolve_prefix
from git_ghost.usecases.context import Context, Options, context_anywhere

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
    where = context.store().shown
    if hashes or exactly:
        ends = {resolve_prefix(found, hash_argument(digits), where) for digits in hashes}
        rows = {_resolved_row(found, *row, where) for row in exactly}
        found = [g for g in found if g.ghost.to in ends or (g.ghost.base, g.ghost.to) in rows]
    return sorted(found, key=lambda g: (isinstance(g.ghost, DiffGhost), g.ghost.ref))


def _resolved_row(listed: Sequence[Listed], start: str, to: str, where: str) -> tuple[str, str]:
    """The two ends, whole, of the one ghost that leads from ``start`` to ``to``, or prefixes."""
    base, hash = hash_argument(start), hash_argument(to)
    on_base = [g for g in listed if g.ghost.base.startswith(base)]
    if not any(g.ghost.to.startswith(hash) for g in on_base):
        raise listing.no_such_ghost(f"{hash} on the base {base}", where)
    end = resolve_prefix(on_base, hash, where)
    starts = sorted({g.ghost.base for g in on_base if g.ghost.to == end})
    if len(starts) > 1:
        raise NoSuchGhost(f"the base {base} is ambiguous: {', '.join(starts)}", "Give more digits.")
    return starts[0], end


def _resolved(context: Context, glob: str) -> str:
    """A commit's name here (``HEAD``, a branch, an abbreviation) as its id; a glob as it is.

    Raises UsageError for what is neither, and no part of an id.
    """
    glob = glob.strip()
    if not glob or any(c in glob for c in "*?["):
        return glob
    found = context.repository.commit(glob) if context.repository else None
    if found is None and not re.fullmatch(r"[0-9A-Fa-f]+", glob):
        raise UsageError(
            f"'{glob}' is not a commit here",
            "Give the name of one, or an id, of which `*` may stand for a part: '1a2b3c*'.",
        )
    return found or glob


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
