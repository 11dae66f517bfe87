"""What people see: everything but data goes to stderr, in git's manner."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from git_ghost.model import Notice

_PLAIN = "\x1b[m"
_LABELS = {"error": "1;31", "warning": "1;33", "hint": "33", "note": "1"}


def is_plain(stream: TextIO) -> bool:
    """Whether ``stream`` gets neither colour nor a line that is rewritten."""
    return not stream.isatty() or os.environ.get("TERM", "dumb") == "dumb"


def has_color(stream: TextIO) -> bool:
    """Whether ``stream`` is a terminal whose user has not asked for no colour."""
    return not is_plain(stream) and not os.environ.get("NO_COLOR")


def own_output() -> tuple[int, int] | None:
    """Device and inode number of the regular file that stdout is; None for anything else."""
    try:
        out = os.fstat(sys.stdout.fileno())
    except (OSError, ValueError):
        return None
    return (out.st_dev, out.st_ino) if stat.S_ISREG(out.st_mode) else None


_STEERING = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What steers a terminal or hides itself: C0 but for tab and line feed, DEL, C1; marks of writing
direction (Unicode's UAX 9), other invisible characters, ends of lines and paragraphs, lone
surrogates."""


def clean(text: str) -> str:
    """``text``, perhaps a stranger's, as a terminal may get it: what steers it is spelled out."""
    return _STEERING.sub(_spelled, text)


def _spelled(match: re.Match[str]) -> str:
    return (
        match[0].encode("ascii", "backslashreplace").decode()
        if match[0] > "\x7f"
        else (f"\\x{ord(match[0]):02x}")
    )


def say(text: str, stream: TextIO | None = None) -> None:
    """One or more lines on stderr, or another stream for messages, cleaned."""
    _write(stream or sys.stderr, clean(text) + "\n")


def redraw(text: str, stream: TextIO | None = None, color: str = "") -> None:
    """Put ``text``, cut to the width of the terminal, where its open line is; wipe it if empty."""
    stream = stream or sys.stderr
    try:
        width = os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        width = 80
    shown = clean(text).replace("\n", " ")[: width - 1]
    _write(stream, f"\r{color}{shown}{_PLAIN if color else ''}\x1b[K")


def _write(stream: TextIO, text: str) -> None:
    """Write in one go, since other threads write too.

    A stderr that cannot be written to (a full disk) is no reason to give the work up.
    """
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError:
        pass


def tell(label: str, text: str) -> None:
    """``label: text``; every line of a hint gets its label, as git does it."""
    shown = f"\x1b[{_LABELS[label]}m{label}:{_PLAIN}" if has_color(sys.stderr) else f"{label}:"
    text = clean(text)
    if label == "hint":
        text = text.replace("\n", f"\n{shown} ")
    _write(sys.stderr, f"{shown} {text}\n")


def complain(message: str, hint: str = "") -> None:
    """``error: message``, and a hint if there is one."""
    tell("error", message)
    if hint:
        tell("hint", hint)


def warn(notices: Iterable[Notice], most: int) -> None:
    """A warning for each notice, with at most ``most`` of its paths."""
    for notice in notices:
        tell("warning", notice.text + (":" + paths(notice.paths, most) if notice.paths else ""))


def warn_in_a_line(notices: Iterable[Notice], most: int) -> None:
    """The same with each notice on one line."""
    for notice in notices:
        tell("warning", notice.text + (f": {few(notice.paths, most)}" if notice.paths else ""))


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
    from git_ghost import model

    return model.count(number, noun)


def put(text: str) -> None:
    """Data, a line or more, on stdout: cleaned for a terminal, to the byte for anything else."""
    sys.stdout.write((clean(text) if sys.stdout.isatty() else text) + "\n")


def put_document(text: str) -> None:
    """A whole document on stdout, in UTF-8 everywhere; cleaned for a terminal."""
    sys.stdout.buffer.write((clean(text) if sys.stdout.isatty() else text).encode())


def put_json(value: Any) -> None:
    """``value`` as JSON on stdout, in ASCII; bytes of a path that are not UTF-8 are lone surrogates
    in it."""
    import json

    put(json.dumps(value, indent=2).replace("\x7f", "\\u007f"))  # which ASCII has too
