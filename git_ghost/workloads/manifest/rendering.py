"""Values as the text that is put into a YAML file: lines in a block, or words in a flow."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from git_ghost.workloads.manifest.layout import Style, Unpatchable
from git_ghost.workloads.manifest.reading import value_of
from git_ghost.workloads.manifest.writing import is_plain, plain

_WORD = re.compile(r"(?:--)?[A-Za-z0-9_/.](?:[ :]?[A-Za-z0-9_/.@+=-])*\Z")
"""What needs no quotes anywhere, if it is a string at all."""


@functools.lru_cache(maxsize=4096)
def _string(value: str) -> str:
    if _WORD.match(value) and is_plain(value):
        return value
    if value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return (
        '"' + "".join(c if c.isprintable() and c not in '"\\' else _escaped(c) for c in value) + '"'
    )


def _escaped(letter: str) -> str:
    return _ESCAPES.get(letter) or f"\\U{ord(letter):08x}"


_ESCAPES = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r"}


def flow(value: Any) -> str:
    """``value`` on one line."""
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_string(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return plain(value)


def inline(value: Any) -> str | None:
    """What stands behind a key or a dash, with a blank in front; None for what takes lines."""
    if value is None:
        return ""
    return None if value and isinstance(value, (dict, list)) else f" {flow(value)}"


def entry(key: str, value: Any, column: int, style: Style) -> Sequence[str]:
    """The lines of a key and its value, the key at ``column``."""
    return _lines(_entry, key, value, column, style, {key: value})


def item(value: Any, column: int, style: Style) -> Sequence[str]:
    """The lines of a list's item, its dash at ``column``."""
    return _lines(_item, "", value, column, style, [value])


def inside(value: Any, column: int, style: Style) -> Sequence[str]:
    """The lines of a mapping or list with something in it, whose key is at ``column``."""
    return _lines(_inside, "", value, column, style, value)


_KNOWN: dict[tuple[Any, ...], list[str]] = {}
"""The lines of values: what is put into one document is mostly put into the next one too."""
_MANY = 1000


def _lines(
    add_to: Callable[..., None], key: str, value: Any, column: int, style: Style, whole: Any
) -> Sequence[str]:
    """The lines that ``add_to`` adds; read by themselves they say ``whole``."""
    known = (add_to, key, repr(value), column, style.step, style.dashes)
    if known not in _KNOWN:
        lines: list[str] = []
        add_to(lines.append, " " * column, key, value, column, style)
        if value_of("\n".join(lines)) != whole:
            raise Unpatchable("what is put into it")
        if len(_KNOWN) == _MANY:
            _KNOWN.clear()
        _KNOWN[known] = lines
    return _KNOWN[known]


_Add = Callable[[str], None]


def _entry(add: _Add, start: str, key: str, value: Any, column: int, style: Style) -> None:
    """Add the lines of a key at ``column``; ``start`` is what stands before it."""
    if type(value) is str:
        add(f"{start}{_string(key)}: {_string(value)}")
    elif (on_line := inline(value)) is not None:
        add(f"{start}{_string(key)}:{on_line}")
    else:
        add(f"{start}{_string(key)}:")
        _inside(add, start, key, value, column, style)


def _inside(add: _Add, _start: str, _key: str, value: Any, column: int, style: Style) -> None:
    if isinstance(value, dict):
        below = column + style.step
        for key, each in value.items():
            _entry(add, " " * below, key, each, below, style)
    else:
        below = column + style.dashes
        for each in value:
            _item(add, " " * below, "", each, below, style)


def _item(add: _Add, start: str, _key: str, value: Any, column: int, style: Style) -> None:
    start, below = f"{start}-", column + 2
    if (on_line := inline(value)) is not None:
        add(start + on_line)
    elif isinstance(value, dict):
        for number, (key, each) in enumerate(value.items()):
            _entry(add, " " * below if number else f"{start} ", key, each, below, style)
    else:
        for number, each in enumerate(value):
            _item(add, " " * below if number else f"{start} ", "", each, below, style)
