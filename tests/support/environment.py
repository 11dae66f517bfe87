"""The one place that decides what a process started by the tests may know of its host."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

PINNED_DATE = "1700000000 +0000"
"""Every commit's date, so that the same content gives the same commit id in every run."""

UNMEASURED = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
"""Takes coverage out of a process that is to be killed, or whose imports are looked at.

It costs as much time as the start of git ghost itself.
"""

_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_KEPT_PREFIXES = ("COVERAGE_", "COV_CORE_")


def clean_environment(home: Path) -> dict[str, str]:
    """Return the environment of a user who has just been created, with `home` as home directory.

    It is built up from nothing rather than filtered: a variable that nobody thought of (an agent's
    socket, a proxy, `GIT_DIR` exported by a hook that runs the tests) cannot leak in. Coverage's
    own variables are let through, so that subprocesses are measured too.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
    temporary = home / "tmp"
    directories = {
        "HOME": home,
        "TMPDIR": temporary,
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_CACHE_HOME": home / ".cache",
        "XDG_DATA_HOME": home / ".local/share",
        "XDG_STATE_HOME": home / ".local/state",
        "XDG_RUNTIME_DIR": home / ".run",
    }
    for directory in directories.values():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment.update({name: str(directory) for name, directory in directories.items()})
    # `git ghost` finds the `git-ghost` script that was installed next to this interpreter.
    scripts = str(Path(sys.executable).parent)
    environment.update(
        PATH=os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)]),
        LC_ALL="C.UTF-8",
        TZ="UTC",
        GIT_CONFIG_NOSYSTEM="1",
        GIT_ATTR_NOSYSTEM="1",
        GIT_TERMINAL_PROMPT="0",
        GIT_CEILING_DIRECTORIES=str(home.parent.parent),
        # A repository under test may hold a `git.py` or a `click/`; `python -m` must not import it.
        PYTHONSAFEPATH="1",
    )
    environment.update(_import_path())
    return environment


def _import_path() -> Mapping[str, str]:
    """Let subprocesses import the very package that this process would import, if any."""
    package = importlib.util.find_spec("git_ghost")
    if package is None or not package.submodule_search_locations:
        return {}
    return {"PYTHONPATH": str(Path(package.submodule_search_locations[0]).parent)}
