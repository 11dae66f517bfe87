"""Find the ghost that a hash names, and put those that may be meant in order."""

from __future__ import annotations

from collections.abc import Sequence

from git_ghost.errors import NoSuchBase, NoSuchGhost, RemoteError, UsageError
from git_ghost.model import hash_argument, is_oid
from git_ghost.quarantine import Scratch
from git_ghost.store import listing
from git_ghost.store.fetch import Fetched, Inbox, refspecs_for
from git_ghost.store.format import CommitsGhost, DiffGhost
from git_ghost.store.listing import no_such_ghost, resolve_prefix
from git_ghost.transport.causes import OTHER_FORMAT
from git_ghost.usecases.context import Context
from git_ghost.worktree import rebuild


def find(inbox: Inbox, context: Context, hash: str, base: str | None, what: str) -> list[Fetched]:
    """Fetch the ghosts that ``hash`` may mean, the likeliest first; NoSuchGhost without any.

    A full id costs one session. A prefix has to be looked up in the list of all ghosts first.
    """
    target = _target(context, hash, what)
    start = commit_named(context, base) if base is not None else ""
    if not is_oid(target):
        listed = listing.list_ghosts(inbox.place, inbox.store)
        target = resolve_prefix(listed, target, inbox.store.shown)
    fetched = inbox.finish(inbox.start(refspecs_for(inbox.store.prefix, target, start)))
    found = [f for f in fetched if f.ghost.to == target and (not start or f.ghost.base == start)]
    diffs = [f for f in found if isinstance(f.ghost, DiffGhost)]
    commits = [f for f in found if isinstance(f.ghost, CommitsGhost)]
    candidates = commits if what == "commits" else diffs or (commits if what == "auto" else [])
    if not candidates:
        if start:
            _refuse_another_base(inbox, target, start, what)
        raise no_such_ghost(hash.strip(), inbox.store.shown)
    return nearest_first(context, candidates)


def _refuse_another_base(inbox: Inbox, target: str, start: str, what: str) -> None:
    """NoSuchGhost that names the bases ``target`` is on, if there are any."""
    kind = {"diff": DiffGhost, "commits": CommitsGhost}.get(what, object)
    ghosts = [listed.ghost for listed in listing.list_ghosts(inbox.place, inbox.store)]
    bases = [g.base for g in ghosts if g.to == target and isinstance(g, kind)]
    if bases:
        raise NoSuchGhost(
            f"the ghost {target} is not on {start}; it is there, on base {', '.join(bases)}",
            "Name the base it is on, or none.",
        )


def find_in_any_format(
    context: Context, private: Scratch, hash: str, base: str | None, what: str
) -> tuple[Inbox, list[Fetched]]:
    """:func:`find`, where the object format of the ghost repository is not known beforehand.

    An id of 64 digits tells it. One of 40 may be v0.1's name for a ghost in either kind.
    """
    long = len(hash.strip()) == 64
    guesses = dict.fromkeys(("sha256",) if long else (context.object_format, "sha1", "sha256"))
    for guess in guesses:
        inbox = Inbox(private, context.store(guess), guess, context.link)
        try:
            return inbox, find(inbox, context, hash, base, what)
        except RemoteError as e:
            if not e.message.startswith(OTHER_FORMAT) or guess == "sha256":
                raise
    raise AssertionError("the last guess returns or raises")


def _target(context: Context, hash: str, what: str) -> str:
    """The id to look for; for commits, any name this repository knows is as good."""
    try:
        return hash_argument(hash)
    except UsageError:
        if (
            what == "commits"
            and context.repository
            and (found := context.repository.commit(hash.strip()))
        ):
            return found
        raise


def commit_named(context: Context, base: str) -> str:
    """The id of the commit ``base`` names; NoSuchBase for a name that is unknown here."""
    text = base.strip()
    if is_oid(text):
        return text
    if text.startswith("-"):
        raise UsageError(f"'{text}' begins with a dash and cannot name a commit")
    found = context.repository.commit(text) if context.repository else None
    if found is None:
        raise NoSuchBase(
            f"there is no commit '{text}' here", "Give the full id that `git ghost push` printed."
        )
    return found


def nearest_first(context: Context, candidates: Sequence[Fetched]) -> list[Fetched]:
    """Ghosts that lead to the same, the one that is meant first.

    From HEAD, before all: what v0.1 means by one argument. Then, of diffs, the one pushed last: the
    other bases lack commits that were made since. Of commits, those that are the easiest to build
    on: from a commit that is here, or one that the source remote had when the ghost was made. A
    range without commits brings nothing: last.
    """
    if len(candidates) == 1:
        return list(candidates)
    starts, head = {c.ghost.base for c in candidates}, None
    missing = starts
    if context.repository is not None:
        head = context.repository.commit("HEAD")
        missing = set(rebuild.missing_commits(context.repository, sorted(starts)))

    def cost(c: Fetched) -> tuple[bool, bool, int, bool, bool]:
        start, from_remote = c.ghost.base, c.trailers.remote_base == c.ghost.base
        if isinstance(c.ghost, DiffGhost):  # of the same second, the one with commits came later
            return False, start != head, -c.date, from_remote, start in missing
        return start == c.ghost.to, start != head, 0, start in missing, not from_remote

    return sorted(candidates, key=cost)
