"""The link of a call to its servers: connections opened ahead, mounted credentials."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from git_ghost.errors import GhostError
from git_ghost.files import temporary_folder, temporary_place
from git_ghost.git import environment
from git_ghost.transport.credentials import Credentials
from git_ghost.usecases import sources
from git_ghost.usecases.context import Context


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
        source_url=sources.configured(context),
        ghost_url=context.store().url,
        cwd=repository.cwd if repository else None,
        env=repository.env() if repository else environment(foreign=True),
        patience=context.link.patience,
    )
