"""What people see: everything but data goes to stderr, in git's manner."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from git_ghost.model import Notice

_LABELS = {"error": "1;31", "warning": "1;33", "hint": "33", "note": "1"}


def is_plain(stream: TextIO) -> bool:
    """Whether ``stream`` gets neither colour nor a line that is rewritten."""
    return not stream.isatty() or os.environ.get("TERM", "dumb") == "dumb"


def has_color(stream: TextIO) -> bool:
    """Whether ``stream`` is a terminal whose user has not asked for no colour."""
    return not is_plain(stream) and not os.environ.get("NO_COLOR")


def say(text: str) -> None:
    """One or more lines on stderr, in a single write: other threads write there too.

    A stderr that cannot be written to (a full disk) is no reason to give the work up.
    """
    try:
        sys.stderr.write(text + "\n")
    except BrokenPipeError:
        raise
    except OSError:
        pass


def tell(label: str, text: str) -> None:
    """``label: text``; every line of a hint gets its label, as git does it."""
    shown = f"\x1b[{_LABELS[label]}m{label}:\x1b[m" if has_color(sys.stderr) else f"{label}:"
    if label == "hint":
        text = text.replace("\n", f"\n{shown} ")
    say(f"{shown} {text}")


def complain(message: str, hint: str = "") -> None:
    """``error: message``, and a hint if there is one."""
    tell("error", message)
    if hint:
        tell("hint", hint)


def warn(notices: Iterable[Notice], most: int) -> None:
    """A warning for each notice, with at most ``most`` of its paths."""
    for notice in notices:
        tell("warning", notice.text + (":" + paths(notice.paths, most) if notice.paths else ""))


def paths(names: Sequence[str], most: int) -> str:
    """Paths, one indented line each; those beyond ``most`` are counted."""
    from git_ghost.worktree.guards import show_paths

    return show_paths((os.fsencode(name) for name in names), most)


def few(names: Sequence[str], most: int) -> str:
    """Paths on one line; those beyond ``most`` are counted."""
    from git_ghost.worktree.guards import show_path

    shown = ", ".join(show_path(os.fsencode(name)) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def count(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def put(text: str) -> None:
    """Data, on stdout."""
    sys.stdout.write(text + "\n")


def put_json(value: Any) -> None:
    """``value`` as JSON on stdout; bytes of a path that are no UTF-8 are lone surrogates in it."""
    import json

    put(json.dumps(value, indent=2))
