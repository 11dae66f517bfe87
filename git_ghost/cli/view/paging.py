"""Patches: to the byte on stdout, or in the user's pager where that is a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO, cast


@contextlib.contextmanager
def paged() -> Iterator[BinaryIO]:
    """Where to write a patch. What is written is shown when the block ends without an error.

    The pager is started by git as git starts it for its own commands. As with ``git show``, the
    content of files goes there as it is.
    """
    if not sys.stdout.isatty():
        yield sys.stdout.buffer
        return
    import tempfile

    from git_ghost.git import passthrough

    with tempfile.NamedTemporaryFile(prefix="git-ghost-") as file:
        yield cast(BinaryIO, file)
        file.flush()
        if file.tell():
            # An alias that is a shell command is all git can be told to page that is not git.
            alias = ("-c", "alias.ghost-page=!cat", "ghost-page", file.name)
            passthrough("--paginate", *alias, cwd=None, env=os.environ)
