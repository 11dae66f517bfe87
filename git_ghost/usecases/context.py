"""What every use case starts from: the repository, the settings, the ghost repository."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from git_ghost.activity import Activity
from git_ghost.errors import NoRepository, UsageError
from git_ghost.git import environment
from git_ghost.gitconfig import GitConfig
from git_ghost.process import Environment, Progress
from git_ghost.repository import Repository, global_config, open_repository
from git_ghost.settings import Settings
from git_ghost.store.repository import GhostRepository, ghost_repository
from git_ghost.transport.network import Link
from git_ghost.transport.patience import Patience
from git_ghost.transport.ssh import SharedConnections


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
    settings: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    """Other settings, by the names of the attributes of :class:`git_ghost.settings.Settings`:
    ``{"init_image": "registry.example.com/git-ghost:1"}``."""
    working_dir: str = ""
    """Folder for temporary files; default: inside the repository's git folder."""
    progress: Progress | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    git_credentials: str = ""
    """For pull and clone: the folder where a secret for the source is mounted, as Kubernetes does
    it. It is for the ghost repository too when that is on the same host and has none of its own."""
    ghost_credentials: str = ""
    """For pull and clone: the same for the ghost repository."""

    @property
    def folder(self) -> str:
        """The folder to work in, as the operating system takes it."""
        if self.directory is None:
            return "."
        if not os.fspath(self.directory):
            raise UsageError("the path of the repository is empty", "Is a variable not set?")
        return os.path.expanduser(self.directory)

    @property
    def flags(self) -> dict[str, str | Sequence[str] | None]:
        """As :meth:`Settings.resolve` takes them."""
        return {
            "repo": self.repo,
            "prefix": self.prefix,
            "remote": self.remote,
            "source": self.source,
            **self.settings,
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

    def having(self, options: Options) -> Context:
        """The same surroundings with other options; nothing is opened again."""
        return self._replace(
            options=options, settings=_settings(options, self.config, self.repository)
        )

    def store(self, object_format: str = "") -> GhostRepository:
        """The ghost repository, for objects of the given format (default: this repository's)."""
        return ghost_repository(self.settings, object_format or self.object_format, os.environ)


def open_context(options: Options) -> Context:
    """The context of a use case inside a repository; NoRepository when there is none."""
    repository = open_repository(options.folder, foreign=options.directory is not None)
    settings = _settings(options, repository.config, repository)
    link = _link(options, repository.config, settings, repository.env())
    return Context(options, repository, repository.config, settings, link)


def context_anywhere(options: Options, *, inside: bool = True) -> Context:
    """The context where no repository is needed; ``inside`` False ignores the one that is there."""
    if inside:
        with contextlib.suppress(NoRepository):
            return open_context(options)
    config = global_config()
    settings = _settings(options, config, None)
    link = _link(options, config, settings, environment(foreign=True))
    return Context(options, None, config, settings, link)


def _settings(options: Options, config: GitConfig, repository: Repository | None) -> Settings:
    top = repository.work_tree if repository else ""
    return Settings.resolve(options.flags, options.environ, config, top)


def _link(options: Options, config: GitConfig, settings: Settings, env: Environment) -> Link:
    patience = Patience.of(settings.timeout, config)
    shared = SharedConnections(config, env, patience)
    activity = Activity(options.progress, lambda: shared.opening)
    return Link(activity, shared, patience=patience)
