"""Where base commits come from: the one place that decides which repository the source is."""

from __future__ import annotations

from typing import NamedTuple

from git_ghost.errors import NoSuchBase, RemoteError, UsageError
from git_ghost.model import Oid
from git_ghost.store.format import Trailers
from git_ghost.urls import is_local, is_path, locate, redact
from git_ghost.usecases.context import Context
from git_ghost.worktree import base as bases
from git_ghost.worktree.base import SourceRemote


class Source(NamedTuple):
    """Where base commits come from: ``name`` as git is given it, ``depth`` 0 for full history."""

    name: str
    depth: int
    foreign: bool = False
    """Whether only a ghost names it."""


def configured(context: Context) -> str:
    """The source as git is given it: what the user set, else this repository's remote; or empty."""
    settings, repository = context.settings, context.repository
    if settings.source:
        return locate(settings.source, settings.repo_base)
    if repository is None:
        return ""
    return bases.find_source(repository, None, _preferred(context)).remote


def for_pull(context: Context, trailers: Trailers) -> Source:
    """What the user set, else this repository's remote, else what the ghost says."""
    repository = context.here
    depth = 1 if repository.shallow else 0
    chosen = configured(context)
    if chosen or not trailers.source:
        return Source(chosen, depth)
    return Source(locate(trailers.source, repository.cwd), depth, foreign=True)


def for_clone(context: Context, hash: str, trailers: Trailers, depth: int) -> Source:
    """What the user set, else what the ghost ``hash`` says; NoSuchBase without either."""
    settings = context.settings
    if settings.source:
        return Source(settings.source, depth)
    if not trailers.source:
        raise NoSuchBase(
            f"the ghost {hash.strip()} does not say where its base is", "Name it with --source."
        )
    return Source(locate(trailers.source, settings.repo_base), depth, foreign=True)


def for_push(context: Context, base: str | None) -> SourceRemote:
    """The remote that has ``base``, and the URL that a ghost on it records.

    A ghost repository on this machine may record this very repository, where no remote will do.
    """
    source = bases.find_source(context.here, base, _preferred(context))
    if context.settings.source:
        return source._replace(url=redact(context.settings.source))
    store = context.store()
    lonely = not context.config.remotes() and is_path(store.url)
    if lonely or (base is None and store.embedded):
        return SourceRemote(url=this_repository(context))
    return source


def nowhere(head: Oid) -> NoSuchBase:
    """The error for a push whose base nobody could get anywhere: there is no source."""
    return NoSuchBase(
        f"the base commit {head} is on no remote, for there is none: what is pushed could not be"
        " cloned or pulled elsewhere",
        "Add a remote (git remote add origin URL) and push there, or name a repository that has the"
        f" history: git config ghost.source URL. {_DIFF_ALONE}",
    )


def this_repository(context: Context) -> str:
    """The path of the user's repository that lasts when a linked worktree goes."""
    return context.here.common_dir.removesuffix("/.git")


def remote_base(context: Context, head: Oid, *, ask: bool) -> Oid | None:
    """R: the newest commit on ``head``'s first-parent chain that the source has.

    The remote-tracking refs tell. Where they know of none, and ``ask``, the source is asked what it
    has (a bare clone, a checkout of a tag or of ``refs/pipelines/1`` have no such refs). None where
    nobody can be asked, and where this very repository will do. Raises NoSuchBase when the source
    does not have any, as far as can be told here; RemoteError when it does not answer.
    """
    settings, remotes = context.settings, context.config.remotes()
    if settings.remote or remotes:
        found = bases.find_remote_base(context.here, head, settings.remote)
        if found is not None:
            return found
    if not ask or not (remotes or settings.source):
        return None
    chosen = bases.find_source(context.here, None, _preferred(context)).remote or settings.source
    try:
        asked = bases.advertised(context.here, chosen, head, context.link)
    except RemoteError as e:
        if context.store().embedded or not remotes:
            return None
        raise RemoteError(
            f"no remote-tracking ref tells what {chosen} has, and {e.message}",
            f"{e.hint} {_DIFF_ALONE}",
            passing=e.passing,
        ) from e
    if asked.base is not None or context.store().embedded:
        return asked.base
    unknown = "" if asked.complete else f", as far as can be told here: fetch from {chosen}"
    raise NoSuchBase(
        f"{redact(chosen)} has neither {head} nor a commit before it{unknown}",
        f"Push it there first (git push {redact(chosen)} HEAD), so that the base can be had where"
        f" this is pulled. {_DIFF_ALONE}",
    )


_DIFF_ALONE = "The diff alone, for where the base is already: git ghost push diff."


def _preferred(context: Context) -> tuple[str, ...]:
    """The remotes that are asked before others: the one set, the upstream of HEAD's branch."""
    if len(context.config.remotes()) < 2:
        return ()  # there is nothing to choose from, so git need not be asked for the branch
    upstream = context.config.get(f"branch.{context.here.branch}.remote")
    return tuple(name for name in (context.settings.remote, upstream) if name)


def for_pods(context: Context, recorded: str) -> str:
    """The source a manifest names, for a ghost that records ``recorded``."""
    return context.settings.source or recorded


def expected_for_pods(context: Context) -> str:
    """A source that pods may get; UsageError, before a push, for what they could not reach."""
    if context.settings.source:
        return context.settings.source
    urls = [context.config.get(f"remote.{name}.url") for name in context.config.remotes()]
    how = "Name a source that pods reach: --source URL, or git config ghost.source URL."
    if not urls:
        raise UsageError("there is no remote that pods could fetch the base commit from", how)
    reached = [url for url in urls if not is_local(url)]
    if not reached:
        raise UsageError(
            f"pods cannot reach the source {urls[0]}: it is a path on this machine", how
        )
    return reached[0]


def with_credentials(context: Context, source: str) -> str:
    """The URL that ``source`` was before its credentials were taken away; empty if it had none."""
    if context.settings.source:
        urls = [context.settings.source]
    else:
        repository = context.repository
        names = repository.config.remotes() if repository else ()
        urls = [bases.remote_url(context.here, name) for name in names]
    return next((url for url in urls if redact(url) != url and redact(url) == redact(source)), "")
