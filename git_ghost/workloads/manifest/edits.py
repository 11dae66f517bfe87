"""Edits that can be taken back: what is added to an object is noted, by names, in the object.

A note names places by the names of things, not by their position, so that what somebody changes
around our edits later neither breaks the way back nor gets lost on it.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from typing import Any

from git_ghost.workloads.manifest.reading import Object

Path = tuple[str, ...]
"""Keys of mappings; behind the key of a list, the name of one of its items, or ``[0]``."""

_NUMBER = re.compile(r"\[\d+\]\Z", re.ASCII)

# An entry of a note: what was done, the path, and what has to be known to take it back.
_MADE = "made"  # an empty mapping or list, where there was nothing
_FILLED = "filled"  # the same, where there was null
_ADDED = "added"  # an item of a list
_SWAPPED = "swapped"  # an item of a list, for: the old one
_SET = "set"  # a value: the new one
_CHANGED = "changed"  # a value: the new one, the old one
_TAKEN = "taken"  # keys of a mapping, with their values; the order of all its keys
_TEXT = "text"  # nothing more; the text that was there before


def key_of(list_name: str) -> str:
    """The field that tells the items of the list of that name apart."""
    return "mountPath" if list_name == "volumeMounts" else "name"


class Edits:
    """The edits made to one mapping, ``root``, in their order."""

    def __init__(self, root: Object) -> None:
        self._root = root
        self._entries: list[list[Any]] = []
        self._mappings: dict[Path, Object] = {}

    def put(self, path: Path, value: Any) -> None:
        """Set the key at the end of ``path``; mappings on the way are made."""
        holder, key = self.mapping(path[:-1]), path[-1]
        if key not in holder:
            self._entries.append([_SET, path, value])
        elif holder[key] == value:
            return
        else:
            self._entries.append([_CHANGED, path, value, holder[key]])
        holder[key] = value

    def insert(self, path: Path, at: int, item: Object) -> None:
        """Put ``item`` at position ``at`` into the list at ``path``, or in its namesake's place."""
        items = self._made(self.mapping(path[:-1]), path, [])
        name = item[key_of(path[-1])]
        there = _position(items, key_of(path[-1]), name)
        if there is None:
            self._entries.append([_ADDED, (*path, name)])
            items.insert(at, item)
        elif items[there] != item:
            self._entries.append([_SWAPPED, (*path, name), items[there]])
            items[there] = item

    def take(self, path: Path, start: str) -> None:
        """Take the keys that begin with ``start`` out of the mapping at ``path``."""
        holder = self.mapping(path)
        order = list(holder)
        taken = {key: holder.pop(key) for key in list(holder) if key.startswith(start)}
        if taken:
            self._entries.append([_TAKEN, path, taken, order])

    def mapping(self, path: Path) -> Object:
        """The mapping at ``path``, made if need be; what is put there directly is not noted."""
        if path in self._mappings:
            return self._mappings[path]
        found: Any = self._root
        for depth in range(1, len(path) + 1):
            if isinstance(found, list):
                found = _item(found, path[:depth])
            else:
                found = self._made(found, path[:depth], {})
        assert isinstance(found, dict)
        self._mappings[path] = found
        return found

    def _made(self, holder: Object, path: Path, empty: Any) -> Any:
        """What the last key of ``path`` holds; ``empty``, now, where that was nothing."""
        key = path[-1]
        if holder.get(key) is None:
            self._entries.append([_FILLED if key in holder else _MADE, path])
            holder[key] = empty
        return holder[key]

    def note(self) -> str:
        """The note for :func:`undo`: compact JSON, its paths as JSON pointers (RFC 6901)."""
        entries = [[did, _pointer(path), *known] for did, path, *known in self._entries]
        return _ENCODE(entries)


def copied(value: Any) -> Any:
    """A copy of what JSON can hold; a third of ``copy.deepcopy``'s time."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value


_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def with_texts(note: str, texts: Iterable[tuple[Path, str]]) -> str:
    """The note, with the text that what it tells of has replaced."""
    return _ENCODE([*json.loads(note), *([_TEXT, _pointer(path), text] for path, text in texts)])


def texts_of(note: str) -> dict[Path, str]:
    """The text that is in a note :func:`undo` can read."""
    return {
        _path(path): known[0]
        for did, path, *known in json.loads(note)
        if did == _TEXT and known and isinstance(known[0], str)
    }


def _pointer(path: Path) -> str:
    plain = "/".join(path)
    if "~" not in plain and plain.count("/") == len(path) - 1:
        return plain
    return "/".join(step.replace("~", "~0").replace("/", "~1") for step in path)


def _path(pointer: str) -> Path:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/"))


def undo(root: Object, note: str) -> None:
    """Take back the edits ``note`` tells of; what was changed or removed since stays as it is.

    Raises ValueError when it is not a note.
    """
    try:
        for did, pointer, *known in reversed(json.loads(note)):
            path = _path(pointer)
            with contextlib.suppress(LookupError):
                _undo(_find(root, path[:-1]), did, path, known)
    except (AttributeError, TypeError, RecursionError) as e:
        raise ValueError("this is not a note of edits") from e


def _undo(holder: Any, did: str, path: Path, known: list[Any]) -> None:
    key = path[-1]
    if did == _TEXT:
        return  # for those who change the text
    if did == _ADDED:
        holder.remove(_item(holder, path))
    elif did == _SWAPPED:
        holder[holder.index(_item(holder, path))] = known[0]
    elif did == _TAKEN:
        found, (order, *_) = known[0] | holder[key], (*known[1:], [])
        holder[key] = {each: found[each] for each in (*order, *found) if each in found}
    elif did in (_MADE, _FILLED):
        if not holder[key] and did == _MADE:
            del holder[key]
        elif not holder[key]:
            holder[key] = None
    elif holder[key] == known[0]:
        if did == _CHANGED:
            holder[key] = known[1]
        else:
            del holder[key]


def _find(root: Any, path: Path) -> Any:
    found = root
    for depth, step in enumerate(path, 1):
        found = _item(found, path[:depth]) if isinstance(found, list) else found[step]
    return found


def _position(items: list[Any], key: str, name: str) -> int | None:
    if _NUMBER.match(name):
        return number if (number := int(name[1:-1])) < len(items) else None
    for number, item in enumerate(items):
        if isinstance(item, dict) and item.get(key, "") == name:
            return number
    return None


def _item(items: list[Any], path: Path) -> Any:
    """The item of a list that a path ends in; LookupError when it is not there."""
    found = _position(items, key_of(path[-2]), path[-1])
    if found is None:
        raise LookupError(path[-1])
    return items[found]
