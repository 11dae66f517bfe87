"""Which ghost repository, and the embedded one that is there without a set-up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from git_ghost.errors import GhostError
from git_ghost.git import environment, git
from git_ghost.settings import Settings, default_repository
from git_ghost.urls import locate, redact


class GhostRepository(NamedTuple):
    """Where ghosts are kept: ``url`` as git takes it; ``embedded`` when it is the default one."""

    url: str
    prefix: str
    embedded: bool = False

    @property
    def shown(self) -> str:
        """The URL without credentials, for people, logs and manifests."""
        return redact(self.url)


def ghost_repository(
    settings: Settings, object_format: str, environ: Mapping[str, str]
) -> GhostRepository:
    """The ghost repository the settings name, or the embedded default; nothing is made yet."""
    if settings.repo:
        return GhostRepository(locate(settings.repo, settings.repo_base), settings.prefix)
    return GhostRepository(
        default_repository(object_format, environ), settings.prefix, embedded=True
    )


def make_embedded(store: GhostRepository, object_format: str) -> bool:
    """Make the embedded default if it is not there yet; whether it was made now.

    Raises GhostError where that is not possible.
    """
    if not store.embedded or os.path.exists(os.path.join(store.url, "HEAD")):
        return False
    folder = os.path.dirname(store.url)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as e:
        raise GhostError(
            f"the folder for the default ghost repository cannot be made: {e}",
            "Name another one: --ghost-repo, GIT_GHOST_REPO or git config ghost.repo.",
        ) from e
    git(
        "init", "--quiet", "--bare", "--template=", f"--object-format={object_format}",
        "--", store.url, env=environment(foreign=True),
    )  # fmt: skip
    return True
