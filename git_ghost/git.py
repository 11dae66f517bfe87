"""The only door to git: one way to run it, bytes out, one environment policy, one error.

Every command gets the overrides of :data:`POLICY`, so that a user's configuration cannot change
what is computed. ``-c`` on the command line outranks every file and ``GIT_CONFIG_*`` variable.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any, Final

from git_ghost.errors import GhostError, GitFailed
from git_ghost.process import Environment, Process, told

MINIMUM: Final = (2, 30)
"""The oldest git whose options and formats this package uses."""

POLICY: Final = (
    ("core.hooksPath", os.devnull),  # hooks are the user's, for the user's own commits
    ("core.fsmonitor", "false"),  # the file system itself is asked, not a daemon's memory of it
    ("core.untrackedCache", "false"),
    ("core.splitIndex", "false"),  # a private index must not depend on a shared one
    ("core.ignoreStat", "false"),  # it would mark entries assume-unchanged
    ("core.trustctime", "true"),  # without it an edit of the same size and time goes unseen
    ("core.checkStat", "default"),  # likewise
    ("core.protectNTFS", "true"),  # names that mean .git on another system are refused on each
    ("core.protectHFS", "true"),
    ("core.safecrlf", "false"),  # it makes a conversion fatal; the tree id tells what happened
    ("protocol.fd.allow", "never"),  # git inherits no descriptor from here, and would wait for ever
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("color.ui", "false"),
    ("submodule.recurse", "false"),
    ("log.showSignature", "false"),
    ("i18n.commitEncoding", "UTF-8"),
)

_SCRUBBED: Final = (
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_ATTR_SOURCE",
    "GIT_DEFAULT_HASH",
    "GIT_DEFAULT_REF_FORMAT",
    "GIT_QUARANTINE_PATH",
    "GIT_TEMPLATE_DIR",
    "LANGUAGE",
)

_REPOSITORY: Final = (  # `git rev-parse --local-env-vars` without CONFIGURATION
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_REFERENCE_BACKEND",
)

CONFIGURATION: Final = ("GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT")
"""``git -c … ghost`` and a pod's ``GIT_CONFIG_COUNT``: the user's word about any repository."""


_TRACE: Final = re.compile(r"GIT_TRACE(?:2(?:_EVENT|_PERF)?|_(?!CURL_NO_DATA|REDACT)\w+)?")
_TO_STDERR: Final = re.compile(r"[1-9]|true", re.IGNORECASE)
"""What git says on stderr is read here: traces go to a file or nowhere (git(1), ``GIT_TRACE``)."""


_NO_GRAFTS: Final = os.path.join(os.devnull, "none")
"""A file that cannot be: grafts would hide parents that the ids name."""


def environment(*, foreign: bool = False, **extra: str) -> dict[str, str]:
    """The environment git runs in.

    ``foreign`` drops what a parent git exported for its own repository (``GIT_DIR``,
    ``GIT_INDEX_FILE``, …), for commands about any other repository. Output is locale-free, replace
    refs and grafts are not followed (a ghost is about the objects the ids name), optional locks are
    not taken, traces go to files alone.
    """
    env = {
        key: value
        for key, value in os.environ.items()
        if key not in _SCRUBBED and not (_TRACE.fullmatch(key) and _TO_STDERR.fullmatch(value))
    }
    if foreign:
        for key in _REPOSITORY:
            env.pop(key, None)
    env.update(LC_ALL="C", GIT_OPTIONAL_LOCKS="0", GIT_NO_REPLACE_OBJECTS="1", **extra)
    env["GIT_GRAFT_FILE"] = _NO_GRAFTS
    return env


def command(*args: str | bytes) -> list[str]:
    """The argv of a git command under :data:`POLICY`; ``args`` may hold raw path bytes."""
    argv = ["git"]
    for key, value in POLICY:
        argv += ("-c", f"{key}={value}")
    return argv + [os.fsdecode(arg) for arg in args]


_SIGPIPE: Final = 128 + 13
"""The status of a git whose child nobody listened to; git itself dies of the signal (negative)."""


class Running(Process):
    """A git command under way, under :data:`POLICY`."""

    def __init__(
        self,
        *args: str | bytes,
        cwd: str | None = None,
        env: Environment | None = None,
        **options: Any,
    ) -> None:
        """Start ``git ARGS``, with the options of :class:`Process`; GhostError without a git."""
        try:
            super().__init__(
                command(*args), cwd=cwd, env=environment() if env is None else env, **options
            )
        except OSError as e:
            if cwd is not None and not os.path.isdir(cwd):
                raise GhostError(f"there is no folder {cwd}") from e
            if isinstance(e, FileNotFoundError):
                raise GhostError(
                    "git is not installed, or not on PATH", "Install git 2.30 or newer."
                ) from e
            raise GhostError(f"git cannot be started: {e.strerror}") from e


def git(
    *args: str | bytes,
    cwd: str | None = None,
    env: Environment | None = None,
    stdin: bytes | IO[bytes] | None = None,
    ok: Iterable[int] = (0,),
    keep: Sequence[int] = (),
) -> bytes:
    """Run ``git ARGS`` and return its output; GitFailed when its status is not in ``ok``."""
    return Running(*args, cwd=cwd, env=env, stdin=stdin, keep=keep).result(ok)


def pipe(producer: Running, *args: str | bytes, cwd: str | None, env: Environment) -> bytes:
    """Feed ``producer``'s output to ``git ARGS`` without holding it here; both must succeed."""
    with producer, Running(*args, cwd=cwd, env=env, stdin=producer.stdout) as consumer:
        producer.stdout.close()
        status, said = -1, ""
        try:
            out = consumer.result()
        except GitFailed as e:
            status, said = producer.wait()
            if status > 0 and status != _SIGPIPE:  # its own failure explains the consumer's
                raise GitFailed(producer.argv, status, said) from e
            raise
        status, said = producer.wait()
        if status:
            raise GitFailed(producer.argv, status, said)
        return out


def passthrough(*args: str | bytes, cwd: str | None, env: Environment) -> int:
    """Run ``git ARGS`` on this process's own stdin, stdout and stderr; its exit status."""
    sys.stdout.flush()
    argv = ["git", *map(os.fsdecode, args)]
    told(argv)
    return subprocess.call(argv, cwd=cwd, env=env)


def version() -> tuple[int, ...]:
    """git's version as numbers; GhostError, with a sentence, when it is older than MINIMUM."""
    text = git("version").decode("utf-8", "replace").strip()
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    found = tuple(int(n) for n in match.groups("0")) if match else (0,)
    if found[:2] < MINIMUM:
        raise GhostError(
            f"this is {text}; git ghost needs git {MINIMUM[0]}.{MINIMUM[1]} or newer",
            "Install a newer git, or put it first on PATH.",
        )
    return found
