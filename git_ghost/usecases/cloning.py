"""clone: a ghost's exact tree where there is no repository yet."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from shlex import quote

from git_ghost.errors import GhostError, LocalChanges, UsageError
from git_ghost.files import private_folder, remove_folder
from git_ghost.git import environment, git
from git_ghost.model import format_of, hash_argument, is_oid
from git_ghost.process import stop_all
from git_ghost.quarantine import Scratch, quarantine, scratch
from git_ghost.repository import STATE, Repository, open_repository
from git_ghost.store import listing
from git_ghost.store.fetch import Fetched, Inbox
from git_ghost.store.listing import place_of, resolve_prefix
from git_ghost.transport.network import Place
from git_ghost.urls import folder_name, redact
from git_ghost.usecases import sources
from git_ghost.usecases.context import Context, Options, context_anywhere
from git_ghost.usecases.finding import find_in_any_format
from git_ghost.usecases.linking import linked
from git_ghost.usecases.pulling import Pulled, bring
from git_ghost.usecases.sources import Source
from git_ghost.worktree import journal, rebuild
from git_ghost.worktree.journal import Journal

_MARK = "cloned"
"""The file in our state folder that says a repository was made by :func:`clone`."""
_INIT = ".git-ghost-init-"
_OF_THE_VOLUME = {"lost+found"}
"""What the root of a new file system holds: root's own, no reason to refuse it, and not sent."""


@dataclass(frozen=True)
class Cloned:
    """What a clone did, and where."""

    directory: str
    pulled: Pulled
    source: str = ""
    """Where the base came from, without credentials; ``origin`` of what was made."""


def clone(
    hash: str,
    directory: str | None = None,
    options: Options = Options(),
    *,
    base: str | None = None,
    depth: int = 1,
    force: bool = False,
    exact: bool = False,
) -> Cloned:
    """Make ``directory`` a repository whose working tree is exactly what ``hash`` names.

    The source is ``options.source``, else what the ghost says; ``depth`` 0 fetches all its history.
    Without ``directory`` it is named after the source, in the current folder. When source and
    ``base`` are known beforehand, base and ghost are fetched side by side. Run again, it finishes
    what was interrupted or finds it done. Raises as :func:`git_ghost.pull` does; LocalChanges when
    the directory holds something else.
    """
    if depth < 0:
        raise UsageError(
            f"a depth of {depth} makes no sense", "1 is the base commit alone, 0 the full history."
        )
    if base is not None and not is_oid(base.strip().lower()):
        raise UsageError(
            f"'{base}' is not a full commit id", "Give the id that `git ghost push` printed first."
        )
    base = base.strip().lower() if base is not None else None
    unlinked = context_anywhere(replace(options, directory=None), inside=False)
    with (
        linked(unlinked) as context,
        scratch(None, options.working_dir) as outside,
        contextlib.ExitStack() as stack,
    ):
        for url in (context.store().url, context.settings.source):
            context.link.ahead(url)
        if directory is not None and base is not None and (known := context.settings.source):
            target, source = os.path.abspath(directory), Source(known, depth)
            repository, lock = stack.enter_context(_made(target, known, format_of(base)))
            place = Place(repository.cwd, repository.env(), context.link, (lock,))
            with _ahead(place, source, base):
                inbox, wanted = _fetch_ghost(context, outside, hash, base)
        else:
            inbox, wanted = _fetch_ghost(context, outside, hash, base)
            source = sources.for_clone(context, hash, wanted[0].trailers, depth)
            target = os.path.abspath(directory or _humanish(source.name))
            object_format = format_of(wanted[0].ghost.base)
            repository, _ = stack.enter_context(_made(target, source.name, object_format))
        here = context._replace(repository=repository)
        with (
            journal.one_at_a_time(repository, options.progress) as lock,
            quarantine(repository, options.working_dir, context.link.activity) as private,
        ):
            pulled = bring(here, private, inbox, wanted, source, lock, force=force, exact=exact)
    if pulled.head == "detached":
        pulled = replace(pulled, branch="")  # no branch that was left is worth going back to
    return Cloned(target, pulled, redact(source.name))


@contextlib.contextmanager
def _ahead(place: Place, source: Source, base: str) -> Iterator[None]:
    """Fetch ``base`` while the block runs; its failure is left to the regular way."""
    with rebuild.start_fetch_commits(place, source.name, [base], source.depth) as running:
        yield
        with contextlib.suppress(GhostError):
            rebuild.finish_fetch_commits(place, running, source.name, [base])


def _fetch_ghost(
    context: Context, outside: Scratch, hash: str, base: str | None
) -> tuple[Inbox, list[Fetched]]:
    target = hash_argument(hash)
    if not is_oid(target):  # only the list tells whether it is SHA-1 or SHA-256
        listed = listing.list_ghosts(place_of(None, context.link), context.store())
        target = resolve_prefix(listed, target, context.store().shown)
    return find_in_any_format(context, outside, target, base, "auto")


def _humanish(source: str) -> str:
    """The folder name git clone would choose for a source URL."""
    name = folder_name(source)
    if not name:
        raise UsageError(
            f"'{redact(source)}' suggests no folder name",
            "Name the folder: git ghost clone HASH DIR.",
        )
    return name


@contextlib.contextmanager
def _made(target: str, url: str, object_format: str) -> Iterator[tuple[Repository, int]]:
    """The repository at ``target``, made now unless a clone of ours made it; unmade on failure.

    Nobody else clones into that folder while the block runs, or while a process lives that inherits
    the descriptor that comes with it.
    """
    with _locked(target) as (handle, existed):
        made = os.path.exists(os.path.join(target, ".git", STATE, _MARK))
        there = set(os.listdir(target))
        left = {name for name in there if name.startswith(_INIT)}
        if not made and there - left - _OF_THE_VOLUME:
            raise LocalChanges(
                f"{target} exists and is not an empty folder",
                _beside(target),
            )
        for name in left:  # a clone was killed while it made its .git
            remove_folder(os.path.join(target, name))
        if made:
            repository = open_repository(target, foreign=True)
            origin = repository.config.get("remote.origin.url")
            if origin != redact(url):
                raise LocalChanges(
                    f"{target} is a clone of {redact(origin)}, not of {redact(url)}",
                    "Name another folder.",
                )
            yield repository, handle
            return
        try:
            _initialize(target, url, object_format)
            repository = open_repository(target, foreign=True)
            journal.begin(repository, Journal("", ""))
            yield repository, handle
        except BaseException:
            stop_all()  # nobody may write in there any more
            _unmake(target, existed)
            raise


def _beside(target: str) -> str:
    """What to do about a folder that a clone cannot go into."""
    if os.path.lexists(os.path.join(target, ".git")):
        return f"Name another folder, or pull inside it: git -C {quote(target)} ghost pull HASH"
    return "Name another folder, or move away what is in it: --force sets nothing aside there."


@contextlib.contextmanager
def _locked(target: str) -> Iterator[tuple[int, bool]]:
    """Make the folder ``target`` if need be and hold a lock on it; the descriptor that holds it.

    And whether the folder was there before.
    """
    while True:
        try:
            os.makedirs(target)
            existed = False
        except FileExistsError:
            existed = True
        try:
            handle = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as e:
            if not os.path.lexists(target):
                continue  # a clone that failed took it away
            if os.path.isdir(target):
                raise
            raise LocalChanges(f"{target} exists and is not a folder", "Name another one.") from e
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                same = os.path.samestat(os.fstat(handle), os.stat(target))
            except FileNotFoundError:
                same = False
            if same:
                yield handle, existed
                return
        finally:
            os.close(handle)


def _initialize(target: str, url: str, object_format: str) -> None:
    """Make the repository; its ``.git`` appears whole or not at all."""
    nest = private_folder(target, _INIT)
    env = environment(foreign=True)
    git("init", "--quiet", "--template=", f"--object-format={object_format}", "--", nest, env=env)
    git_dir = os.path.join(nest, ".git")
    shown = redact(url)
    git("remote", "add", "--", "origin", shown, cwd=nest, env=env)
    os.makedirs(os.path.join(git_dir, STATE))
    with open(os.path.join(git_dir, STATE, _MARK), "w"):
        pass
    os.mkdir(os.path.join(git_dir, "info"))
    with open(os.path.join(git_dir, "info", "exclude"), "w") as exclude:
        exclude.writelines(f"/{name}/\n" for name in _OF_THE_VOLUME & {*os.listdir(target)})
    os.rename(git_dir, os.path.join(target, ".git"))
    os.rmdir(nest)


def _unmake(target: str, existed: bool) -> None:
    """Take back what :func:`clone` put into ``target``, and nothing that others put there."""
    if not existed:
        remove_folder(target)
        return
    written: Iterable[bytes] = ()
    with contextlib.suppress(GhostError):
        begun = journal.interrupted(open_repository(target, foreign=True))
        written = begun.contents if begun else ()
    top = os.fsencode(target)
    for path in sorted(written, reverse=True):
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(top, path))
        while path := os.path.dirname(path):
            with contextlib.suppress(OSError):
                os.rmdir(os.path.join(top, path))
    for name in os.listdir(target):
        if name == ".git" or name.startswith(_INIT):
            remove_folder(os.path.join(target, name))
