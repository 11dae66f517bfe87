"""The one place where errors become a message on stderr and an exit code.

The codes and what they mean: :data:`git_ghost.errors.EXIT_CODES`.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from git_ghost.cli.signals import Terminated, leave_at_once, raise_errors
from git_ghost.cli.view.output import complain

if TYPE_CHECKING:
    from git_ghost.errors import GitFailed

BUG = 70
"""A bug (sysexits' EX_SOFTWARE)."""

_SURROUNDINGS = frozenset(
    getattr(errno, name)
    for name in (
        "EACCES EAGAIN EBADF EDQUOT EFBIG EIO ELOOP EMFILE ENAMETOOLONG ENFILE ENOMEM ENOSPC"
        " ENOTDIR EPERM EROFS"
    ).split()
)
"""What an OSError has when the machine, and not git ghost, is to blame."""


def run(cli: click.Group, args: Sequence[str]) -> int:
    """Run the command the arguments name; its exit code. Nothing but SystemExit gets past this."""
    _fill_standard_streams()
    _prompt_nobody()
    try:
        try:
            raise_errors()
            code = _invoke(cli, args)
            sys.stdout.flush()
            return code
        except BaseException:
            _give_up_stdout()
            raise
        finally:
            leave_at_once()
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted")
        return 128 + signal.SIGINT
    except Terminated as e:
        complain("terminated")
        return 128 + e.number
    except Exception as e:
        code = _explain_usage(e) if isinstance(e, click.ClickException) else _explain(e, args)
        if _wants_json(args):
            _put_json(e, code)
        return code


def _wants_json(args: Sequence[str]) -> bool:
    # Looked up by hand: what failed may be the parsing of the arguments itself.
    words = list(args)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def _put_json(e: Exception, code: int) -> None:
    """The error as JSON on stdout, where the result would have been."""
    from git_ghost.cli.view.output import put_json
    from git_ghost.urls import redact_text

    message = e.format_message() if isinstance(e, click.ClickException) else str(e)
    told: dict[str, Any] = {
        "kind": type(e).__name__,
        "message": redact_text(message),
        "hint": redact_text(getattr(e, "hint", "")),
        "exit_code": code,
    }
    if refusals := getattr(e, "refusals", ()):
        told["refusals"] = [
            {"text": redact_text(each.text), "paths": each.paths, "hint": redact_text(each.hint)}
            for each in refusals
        ]
    with contextlib.suppress(OSError):  # nobody reads it: stderr and the exit code have told
        put_json({"error": told})
        sys.stdout.flush()


def _invoke(cli: click.Group, args: Sequence[str]) -> int:
    # Not click's own main(): it answers ^C and a broken pipe in its own way.
    try:
        with cli.make_context("git ghost", list(args)) as ctx:
            if not args:
                click.echo(ctx.get_help(), err=True)
                return 2
            cli.invoke(ctx)
    except click.exceptions.Exit as e:
        return e.exit_code
    return 0


def _fill_standard_streams() -> None:
    """Open what the caller closed, as git does: a file opened later must not become stdout."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest free descriptor, which is this one
            setattr(sys, name, open(descriptor, "w" if descriptor else "r"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr has it: a path may be no text


def _prompt_nobody() -> None:
    """Where nobody can answer, let git fail instead of asking: no terminal, no questions."""
    if "GIT_TERMINAL_PROMPT" in os.environ:
        return
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        os.environ["GIT_TERMINAL_PROMPT"] = "0"


def _give_up_stdout() -> None:
    """Deliver what was printed if that can be; else keep Python from trying again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)


def _explain_usage(e: click.ClickException) -> int:
    text = e.format_message().rstrip(".")
    command = e.ctx.command_path if isinstance(e, click.UsageError) and e.ctx else "git ghost"
    complain(text[:1].lower() + text[1:], f"See `{command} -h`.")
    return e.exit_code


def _explain(e: Exception, args: Sequence[str]) -> int:
    from git_ghost.errors import GhostError, GitFailed
    from git_ghost.urls import redact_text

    if isinstance(e, GitFailed):
        e = _is_git_too_old(e) or e
    if _is_nowhere(e):
        complain("the current folder is not there any more", "Go into one that is.")
        return 1
    if isinstance(e, GhostError):
        if len(e.refusals) > 1:  # each way out goes with its reason
            complain(redact_text(e.message.partition("\n")[0].rstrip(":")))
            for each in e.refusals:
                complain(redact_text(each.message), redact_text(each.hint))
        else:
            complain(redact_text(e.message), redact_text(e.hint))
        return e.exit_code
    if isinstance(e, OSError) and e.errno in _SURROUNDINGS:
        where = f": {os.fsdecode(e.filename)}" if isinstance(e.filename, str | bytes) else ""
        complain(f"{(e.strerror or str(e)).lower()}{where}")
        return 1
    return _report(e, args)


def _is_nowhere(e: Exception) -> bool:
    """Whether the folder the process is in was deleted, and ``e`` is about that."""
    if not isinstance(e, FileNotFoundError) and "current working directory" not in str(e):
        return False
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _is_git_too_old(failed: GitFailed) -> Exception | None:
    # Asked only after an unexpected failure: a call that works need not pay for the question.
    from git_ghost.errors import GhostError, GitFailed
    from git_ghost.git import version

    try:
        version()
    except GitFailed:
        return None
    except GhostError as e:
        e.__cause__ = failed
        return e
    return None


def _report(e: Exception, args: Sequence[str]) -> int:
    """Write the traceback to a private file and say where it is."""
    import platform
    import tempfile
    import traceback

    from git_ghost import __version__
    from git_ghost.urls import redact_text

    said = redact_text(f"{type(e).__name__}: {e}")
    lines = [
        f"git-ghost {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"arguments: {list(args)!r}",
        "",
        "".join(traceback.format_exception(e)),
    ]
    try:
        number, path = tempfile.mkstemp(prefix="git-ghost-", suffix=".txt")  # for its owner alone
        with open(number, "wb") as file:
            file.write(redact_text("\n".join(lines)).encode("utf-8", "backslashreplace"))
    except OSError:
        complain(f"a bug in git ghost: {said}", redact_text("\n".join(lines)))
        return BUG
    complain(
        f"a bug in git ghost: {said}",
        f"The details are in {path}\nPlease report it, with that file, where git ghost came from.",
    )
    return BUG
