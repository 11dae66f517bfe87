"""What every use case starts from: the repository, the settings, the ghost repository."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from git_ghost.errors import GhostError, NoRepository, UsageError
from git_ghost.files import temporary_folder, temporary_place
from git_ghost.git import environment
from git_ghost.process import Environment, Progress
from git_ghost.repository import Repository, global_config, open_repository
from git_ghost.settings import GitConfig, Settings
from git_ghost.store.repository import GhostRepository, ghost_repository
from git_ghost.transport.credentials import Credentials
from git_ghost.transport.network import Link
from git_ghost.transport.ssh import SharedConnections
from git_ghost.urls import locate
from git_ghost.worktree import base as bases


@dataclass(frozen=True)
class Options:
    """What a call may say for itself; None and empty mean: as git config says, else the default.

    ``environ`` is where the ``GIT_GHOST_*`` variables are looked up: nowhere, unless the caller
    hands its environment over (as the command line does).
    """

    directory: str | os.PathLike[str] | None = None
    """A folder in the user's repository, ``~`` expanded; None: the current one."""
    repo: str | None = None
    """URL or path of the ghost repository."""
    prefix: str | None = None
    """First part of ghosts' branch names."""
    remote: str | None = None
    """Name of the source remote."""
    source: str | None = None
    """URL or path of the source repository."""
    working_dir: str = ""
    """Folder for temporary files; default: inside the repository's git folder."""
    progress: Progress | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    git_credentials: str = ""
    """For pull and clone: the folder where a secret for the source is mounted, as Kubernetes does
    it. It is for the ghost repository too when that is on the same host and has none of its own."""
    ghost_credentials: str = ""
    """For pull and clone: the same for the ghost repository."""
    bounded: bool = False
    """Whether a connection on which nothing moves is given up, for callers who try again."""

    @property
    def folder(self) -> str:
        """The folder to work in, as the operating system takes it."""
        if self.directory is None:
            return "."
        if not os.fspath(self.directory):
            raise UsageError("the folder of the repository is empty", "Is a variable not set?")
        return os.path.expanduser(self.directory)

    @property
    def flags(self) -> dict[str, str | None]:
        """As :meth:`Settings.resolve` takes them."""
        return {
            "repo": self.repo,
            "prefix": self.prefix,
            "remote": self.remote,
            "source": self.source,
        }


class Context(NamedTuple):
    """A call's surroundings; ``repository`` is None where a use case can do without one."""

    options: Options
    repository: Repository | None
    config: GitConfig
    settings: Settings
    link: Link = Link()
    """What talks to servers; used as a context manager by the use cases that open it ahead."""

    @property
    def here(self) -> Repository:
        """The repository of a use case that needs one."""
        assert self.repository is not None
        return self.repository

    @property
    def object_format(self) -> str:
        """The repository's object format; ``sha1`` without one."""
        return self.repository.object_format if self.repository else "sha1"

    def store(self, object_format: str = "") -> GhostRepository:
        """The ghost repository, for objects of the given format (default: this repository's)."""
        return ghost_repository(self.settings, object_format or self.object_format, os.environ)


def open_context(options: Options) -> Context:
    """The context of a use case inside a repository; NoRepository when there is none."""
    repository = open_repository(options.folder, foreign=options.directory is not None)
    settings = Settings.resolve(
        options.flags, options.environ, repository.config, repository.work_tree
    )
    link = _link(options, repository.config, repository.env())
    return Context(options, repository, repository.config, settings, link)


def context_anywhere(options: Options, *, inside: bool = True) -> Context:
    """The context where no repository is needed; ``inside`` False ignores the one that is there."""
    if inside:
        with contextlib.suppress(NoRepository):
            return open_context(options)
    config = global_config()
    settings = Settings.resolve(options.flags, options.environ, config)
    link = _link(options, config, environment(foreign=True))
    return Context(options, None, config, settings, link)


def _link(options: Options, config: GitConfig, env: Environment) -> Link:
    shared = SharedConnections(config, env, bounded=options.bounded)
    return Link(options.progress, shared, bounded=options.bounded)


@contextlib.contextmanager
def linked(context: Context) -> Iterator[Context]:
    """``context`` with its link open, mounted credentials included, while the block runs.

    Raises GhostError for a mounted folder that cannot be used.
    """
    options = context.options
    with contextlib.ExitStack() as stack:
        link = context.link
        if options.git_credentials or options.ghost_credentials:
            folder = stack.enter_context(temporary_folder(_outside()))
            link = link._replace(credentials=_credentials(context, folder))
        stack.enter_context(link)
        yield context._replace(link=link)


def _outside() -> str:
    """Where secrets are copied to: not in the repository's folder, which others may read."""
    try:
        return temporary_place()
    except FileNotFoundError as e:
        raise GhostError(
            "there is no folder for private copies of the credentials",
            "Name one that can be written to with TMPDIR; in a pod, mount an emptyDir on /tmp.",
        ) from e


def _credentials(context: Context, folder: str) -> Credentials:
    repository, options = context.repository, context.options
    return Credentials(
        folder,
        source=os.path.expanduser(options.git_credentials),
        ghosts=os.path.expanduser(options.ghost_credentials),
        source_url=own_source(context),
        ghost_url=context.store().url,
        cwd=repository.cwd if repository else None,
        env=repository.env() if repository else environment(foreign=True),
    )


def own_source(context: Context) -> str:
    """The source as git is given it: what the user set, else this repository's remote; or empty."""
    settings, repository = context.settings, context.repository
    if settings.source:
        return locate(settings.source, settings.repo_base)
    if repository is None:
        return ""
    upstream = context.config.get(f"branch.{repository.branch}.remote")
    prefer = tuple(name for name in (settings.remote, upstream) if name)
    return bases.find_source(repository, None, prefer).remote
