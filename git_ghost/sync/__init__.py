"""The use cases: push, pull, clone, show, diff, list, delete, doctor."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from git_ghost.sync.cloning import Cloned, clone
    from git_ghost.sync.context import Options
    from git_ghost.sync.inspecting import diff, show
    from git_ghost.sync.managing import Check, delete, doctor, list_ghosts
    from git_ghost.sync.pulling import Pulled, pull
    from git_ghost.sync.pushing import Pushed, push

_HOME = {
    "Check": "managing",
    "Cloned": "cloning",
    "Options": "context",
    "Pulled": "pulling",
    "Pushed": "pushing",
    "clone": "cloning",
    "delete": "managing",
    "diff": "inspecting",
    "doctor": "managing",
    "list_ghosts": "managing",
    "pull": "pulling",
    "push": "pushing",
    "show": "inspecting",
}

__all__ = [
    "Check", "Cloned", "Options", "Pulled", "Pushed",
    "clone", "delete", "diff", "doctor", "list_ghosts", "pull", "push", "show",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # On first use: a push needs none of what a clone imports, and start-up is felt in every call.
    if name not in _HOME:
        raise AttributeError(f"module 'git_ghost.sync' has no attribute '{name}'")
    return getattr(importlib.import_module(f"git_ghost.sync.{_HOME[name]}"), name)
