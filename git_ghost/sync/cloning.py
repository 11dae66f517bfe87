"""clone: a ghost's exact tree where there is no repository yet."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace

from git_ghost import store
from git_ghost.config import locate
from git_ghost.errors import GhostError, LocalChanges, NoSuchBase, UsageError
from git_ghost.git import Background, environment, git
from git_ghost.model import format_of, hash_argument, is_oid, redact
from git_ghost.network import Place
from git_ghost.repository import STATE, Quarantine, Repository, open_repository, quarantine
from git_ghost.store import Fetched, Inbox
from git_ghost.sync.context import Context, Options, context_anywhere
from git_ghost.sync.pulling import Pulled, Source, fetch_commits, find, rebuild_ghost, settle
from git_ghost.worktree import journal

_MARK = "cloned"
"""The file in our state folder that says a repository was made by :func:`clone`."""
_INIT = ".git-ghost-init-"


@dataclass(frozen=True)
class Cloned:
    """What a clone did, and where."""

    directory: str
    pulled: Pulled


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

    The source is ``options.source``, else what the ghost says; ``depth`` 0 fetches its full history.
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
            f"'{base}' is no full commit id", "Give the id that `git ghost push` printed first."
        )
    options = replace(options, directory=None)
    context = context_anywhere(options, inside=False)
    with quarantine(None, options.working_dir) as outside:
        known = context.settings.source
        ahead = _Ahead(context, directory, base, depth) if known and directory and base else None
        with ahead or contextlib.nullcontext():
            inbox, wanted = _fetch_ghost(context, outside, hash, base)
            source = known or wanted.trailers.source
            if not source:
                raise NoSuchBase(
                    f"the ghost {hash.strip()} does not say where its base is",
                    "Name it with --source.",
                )
            target = os.path.abspath(directory or _humanish(source))
            url = locate(source, context.settings.repo_base)
            with _made(target, url, format_of(wanted.ghost.to), ahead) as repository:
                here = replace(context, repository=repository)
                pulled = _pull_into(
                    here, options, inbox, wanted, Source(url, depth), force=force, exact=exact
                )
        return Cloned(target, pulled)


class _Ahead:
    """The base's fetch, begun before the ghost is there; its failure is left to the regular way."""

    def __init__(self, context: Context, directory: str, base: str, depth: int) -> None:
        self._context = context
        self._base = base.strip().lower()
        self._depth = depth
        self._directory = os.path.abspath(directory)
        self._stack = contextlib.ExitStack()
        self._work: Background[None] | None = None
        self.repository: Repository | None = None

    def __enter__(self) -> _Ahead:
        url = locate(self._context.settings.source, self._context.settings.repo_base)
        self.repository = self._stack.enter_context(
            _made(self._directory, url, format_of(self._base), None)
        )
        place = Place(self.repository.cwd, self.repository.env(), self._context.options.progress)
        self._work = Background(
            lambda: fetch_commits(place, Source(url, self._depth), [self._base], self._base)
        )
        return self

    def wait(self) -> None:
        """Wait for the fetch."""
        if self._work is not None:
            with contextlib.suppress(GhostError):
                self._work.get()

    def __exit__(self, *exc: object) -> None:
        self.wait()
        self._stack.__exit__(*exc)  # type: ignore[arg-type]


def _fetch_ghost(
    context: Context, outside: Quarantine, hash: str, base: str | None
) -> tuple[Inbox, Fetched]:
    target = hash_argument(hash)
    if not is_oid(target):  # only the list tells whether it is SHA-1 or SHA-256
        listed = store.list_ghosts(store.place_of(None), context.store())
        target = store.resolve_prefix(listed, target)
    object_format = format_of(target)
    inbox = Inbox(outside, context.store(object_format), object_format, context.options.progress)
    return inbox, find(inbox, context, target, base, "auto")


def _humanish(source: str) -> str:
    """The folder name git clone would choose for a source URL."""
    name = re.sub(r"/?\.git/*$", "", source.rstrip("/"))
    name = re.split(r"[/:]", name)[-1]
    if not name or name in (".", "..") or name.startswith("-"):
        raise UsageError(
            f"'{redact(source)}' suggests no folder name",
            "Name the folder: git ghost clone HASH DIR.",
        )
    return name


@contextlib.contextmanager
def _made(target: str, url: str, object_format: str, ahead: _Ahead | None) -> Iterator[Repository]:
    """The repository at ``target``, made now unless a clone of ours made it; unmade on failure."""
    if ahead is not None and ahead.repository is not None:
        ahead.wait()
        yield ahead.repository
        return
    existed = os.path.isdir(target)
    if existed and os.path.exists(os.path.join(target, ".git", STATE, _MARK)):
        yield open_repository(target, foreign=True)
        return
    if os.path.lexists(target) and not _is_free(target):
        raise LocalChanges(
            f"{target} exists and is not an empty folder",
            "Name another folder, or pull inside it: git ghost pull.",
        )
    try:
        _initialize(target, url, object_format)
        yield open_repository(target, foreign=True)
    except BaseException:
        _unmake(target, existed)
        raise


def _is_free(target: str) -> bool:
    if not os.path.isdir(target):
        return False
    left = [name for name in os.listdir(target) if name.startswith(_INIT)]
    if len(left) != len(os.listdir(target)):
        return False
    for name in left:  # a clone that was killed while it made its .git
        shutil.rmtree(os.path.join(target, name), ignore_errors=True)
    return True


def _initialize(target: str, url: str, object_format: str) -> None:
    """Make the repository; its ``.git`` appears whole or not at all."""
    os.makedirs(target, exist_ok=True)
    nest = tempfile.mkdtemp(prefix=_INIT, dir=target)
    env = environment(foreign=True)
    git("init", "--quiet", "--template=", f"--object-format={object_format}", "--", nest, env=env)
    git_dir = os.path.join(nest, ".git")
    shown = redact(url)
    git("remote", "add", "--", "origin", shown, cwd=nest, env=env)
    os.makedirs(os.path.join(git_dir, STATE))
    with open(os.path.join(git_dir, STATE, _MARK), "w"):
        pass
    os.rename(git_dir, os.path.join(target, ".git"))
    os.rmdir(nest)


def _unmake(target: str, existed: bool) -> None:
    """Take back everything :func:`clone` put into ``target``, which was empty or absent before."""
    if not existed:
        shutil.rmtree(target, ignore_errors=True)
        return
    for name in os.listdir(target):
        path = os.path.join(target, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)


def _pull_into(
    context: Context,
    options: Options,
    inbox: Inbox,
    wanted: Fetched,
    source: Source,
    *,
    force: bool,
    exact: bool,
) -> Pulled:
    repository = context.here
    with (
        journal.one_at_a_time(repository) as lock,
        quarantine(repository, options.working_dir) as private,
    ):
        before = journal.interrupted(repository)
        if before is not None:
            journal.clear_stale_locks(repository, before, "")
        mark = f"git-ghost clone {secrets.token_hex(8)}"
        journal.begin(repository, wanted.ghost.to, sorted(before.paths) if before else (), mark)
        rebuilt = rebuild_ghost(context, private, inbox, wanted, source)
        return settle(repository, private, rebuilt, before, mark, lock, force=force, exact=exact)
