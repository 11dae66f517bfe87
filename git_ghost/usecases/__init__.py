"""The use cases: push, pull, clone, show, diff, list, delete, doctor, inject, run, code."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from git_ghost.usecases.cloning import Cloned, clone
    from git_ghost.usecases.coding import Coded, code
    from git_ghost.usecases.context import Options
    from git_ghost.usecases.examining import Check, doctor
    from git_ghost.usecases.injecting import Injected, inject, uninject
    from git_ghost.usecases.inspecting import (
        FileChange,
        StoredGhost,
        changed_files,
        describe,
        diff,
        show,
    )
    from git_ghost.usecases.managing import delete, list_ghosts, where_ghosts_are
    from git_ghost.usecases.pulling import Pulled, pull
    from git_ghost.usecases.pushing import Pushed, push
    from git_ghost.usecases.running import Ran, run

_HOME = {
    "Check": "examining",
    "Cloned": "cloning",
    "Coded": "coding",
    "Injected": "injecting",
    "Options": "context",
    "Pulled": "pulling",
    "Pushed": "pushing",
    "Ran": "running",
    "FileChange": "inspecting",
    "StoredGhost": "inspecting",
    "describe": "inspecting",
    "changed_files": "inspecting",
    "clone": "cloning",
    "code": "coding",
    "delete": "managing",
    "diff": "inspecting",
    "doctor": "examining",
    "inject": "injecting",
    "list_ghosts": "managing",
    "pull": "pulling",
    "push": "pushing",
    "run": "running",
    "show": "inspecting",
    "uninject": "injecting",
    "where_ghosts_are": "managing",
}

__all__ = [
    "Check", "Cloned", "Coded", "FileChange", "Injected", "Options", "Pulled", "Pushed", "Ran",
    "StoredGhost", "changed_files", "clone", "code", "delete", "describe", "diff", "doctor",
    "inject", "list_ghosts", "pull", "push", "run", "show", "uninject", "where_ghosts_are",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # On first use: a push needs none of what a clone imports, and start-up is felt in every call.
    if name not in _HOME:
        raise AttributeError(f"module 'git_ghost.usecases' has no attribute '{name}'")
    return getattr(importlib.import_module(f"git_ghost.usecases.{_HOME[name]}"), name)
