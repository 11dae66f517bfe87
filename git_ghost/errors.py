"""What can go wrong, as one tree.

::

    GhostError                  1   an expected failure
    ├── UsageError              2   the call itself makes no sense
    ├── NoSuchGhost             3   the ghost repository has no such ghost
    ├── NoSuchBase              4   a base commit is unavailable
    ├── LocalChanges            5   the working tree holds something a pull would lose
    ├── VerificationFailed      6   what was rebuilt is not what the hash promises
    ├── RemoteError             7   network or access
    │   └── StillUnreachable   75   a fault that passes was still there after all attempts
    ├── NoRepository            1   the folder is in no git repository
    └── GitFailed               1   a git command failed for a reason not foreseen

The number is the exit code; :data:`EXIT_CODES` has those too that no class here stands for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple


class Refusal(NamedTuple):
    """A reason not to do something: what was found, and the way out."""

    text: str
    """What was found, without the paths."""
    hint: str
    paths: tuple[str, ...] = ()
    """All that are meant, from the top of the working tree, as :func:`os.fsdecode` decodes them."""
    listed: str = ""
    """The paths as a message shows them, one indented line each, after a line feed."""

    @property
    def message(self) -> str:
        return f"{self.text}:{self.listed}" if self.listed else self.text


class GhostError(Exception):
    """An expected failure: ``message`` says what happened, ``hint`` what to do next.

    ``refusals`` are the single reasons, where there may be several.
    """

    exit_code = 1
    refusals: tuple[Refusal, ...] = ()

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(GhostError):
    """The call itself makes no sense: a malformed hash, a setting that cannot be."""

    exit_code = 2


class NoSuchGhost(GhostError):
    """The ghost repository has no ghost of that name, or more than one with that prefix."""

    exit_code = 3


class NoSuchBase(GhostError):
    """A commit the ghost builds on is neither here nor on the source remote."""

    exit_code = 4


class LocalChanges(GhostError):
    """Something in the working tree would be lost; nothing was touched."""

    exit_code = 5


class VerificationFailed(GhostError):
    """What was rebuilt differs from what the hash promises."""

    exit_code = 6


class RemoteError(GhostError):
    """Network or access: host, credentials, permissions, a lost connection.

    ``passing``: the same call may well work in a minute.
    """

    exit_code = 7

    def __init__(self, message: str, hint: str = "", *, passing: bool = False) -> None:
        super().__init__(message, hint)
        self.passing = passing


class StillUnreachable(RemoteError):
    """A network fault of the passing kind was still there when the time to try again was up."""

    exit_code = 75  # sysexits' EX_TEMPFAIL


class NoRepository(GhostError):
    """The folder is in no git repository."""


_PROGRESS = re.compile(r"[^\r\n]*\r(?!\n)|^[A-Z][a-z]+(?: [a-z]+)*: +\d+% .*$", re.MULTILINE)
"""Lines of progress, which git ends with CR, and the last one with LF."""


class GitFailed(GhostError):
    """A git command failed; carries its ``argv``, ``status``, ``stderr`` and why (``said``)."""

    def __init__(self, argv: Sequence[str], status: int, stderr: str) -> None:
        self.argv = tuple(argv)
        self.status = status
        self.stderr = stderr
        verb = next((a for a in self.argv[1:] if a in VERBS), "git")
        silent = f"exit status {status}" if status >= 0 else f"ended by signal {-status}"
        self.said = _PROGRESS.sub("", stderr).strip() or silent
        super().__init__(f"git {verb} failed: {self.said}" if verb != "git" else self.said)


VERBS = frozenset(
    "apply bundle cat-file check-attr config diff diff-files diff-tree fetch for-each-ref"
    " hash-object index-pack init log ls-files ls-remote pack-objects push read-tree rev-list"
    " rev-parse status submodule update-index update-ref version write-tree".split()
)


class ExitCode(NamedTuple):
    """One row of the table of exit codes."""

    codes: tuple[int, ...]
    meaning: str


EXIT_CODES = (
    ExitCode((0,), "Done."),
    ExitCode((1,), "An expected failure, or something `git ghost doctor` found."),
    ExitCode((2,), "The call makes no sense: an unknown option, a malformed hash."),
    ExitCode((3,), "There is no such ghost, or more than one that begins so."),
    ExitCode((4,), "A base commit is unavailable: neither here nor on the source remote."),
    ExitCode((5,), "Local changes are in the way of a pull. Nothing was touched."),
    ExitCode((6,), "Verification failed: what was rebuilt is not what the hash promises."),
    ExitCode((7,), "Network or access: a host, credentials, permissions, a lost connection."),
    ExitCode((70,), "A bug in git ghost. The message names a file that tells what happened."),
    ExitCode(
        (75,),
        "With `--retry`: a network fault that may pass was still there when the time was up"
        " (7 is one that does not pass).",
    ),
    ExitCode(
        (124,), "`git ghost run`: `--timeout` was over. The job goes on, unless `--rm` deletes it."
    ),
    ExitCode(
        (125,),
        "`git ghost run`: the job ended without an exit code (deleted, evicted, never started), or"
        " could not be followed to its end.",
    ),
    ExitCode((130,), "Interrupted (SIGINT). Temporary files are gone, as in the next case."),
    ExitCode((129, 143), "Terminated (SIGHUP, SIGTERM)."),
    ExitCode((141,), "The output was not read to its end (SIGPIPE)."),
)
"""All of them, for the documentation; `git ghost run` also ends with the code of its job."""
