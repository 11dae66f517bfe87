"""Write objects as YAML that every reader takes the same way, or as JSON.

The emitter is given events, not values: PyYAML's own way there makes a node of every value and
asks for its tag twice, which takes longer than the emitter itself. Events do not change and are
used again; most words of manifests repeat.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

import yaml
from yaml import events
from yaml.nodes import ScalarNode

from git_ghost.workloads.manifest import tags
from git_ghost.workloads.manifest.reading import Object

FORMATS = ("yaml", "json")

# libyaml's emitter where PyYAML was built with it.
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_ENDLESS = 1 << 30
"""No line is folded: what is long is a URL or a command."""
_ELSEWHERE: Any = yaml.resolver.Resolver()
"""How PyYAML, and with it most of Python, reads a scalar without quotes."""

_Emit = Callable[[events.Event], None]

_MAPPING = events.MappingStartEvent(None, None, True, flow_style=False)
_EMPTY_MAPPING = events.MappingStartEvent(None, None, True, flow_style=True)
_MAPPING_END = events.MappingEndEvent()
_SEQUENCE = events.SequenceStartEvent(None, None, True, flow_style=False)
_EMPTY_SEQUENCE = events.SequenceStartEvent(None, None, True, flow_style=True)
_SEQUENCE_END = events.SequenceEndEvent()


def dump(objects: Sequence[Object], form: str = "yaml") -> str:
    """``objects`` as text in ``form``: YAML documents, or JSON (a List of more than one)."""
    if form == "json":
        whole = (
            objects[0]
            if len(objects) == 1
            else {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        )
        return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    out = StringIO()
    dumper = _Dumper(out, width=_ENDLESS, allow_unicode=True, indent=2)
    words: dict[str, events.Event] = {}
    try:
        dumper.emit(events.StreamStartEvent())
        for each in objects:
            dumper.emit(events.DocumentStartEvent(explicit=len(objects) > 1))
            _emit(dumper.emit, words, each)
            dumper.emit(events.DocumentEndEvent(explicit=False))
        dumper.emit(events.StreamEndEvent())
    finally:
        dumper.dispose()
    return out.getvalue()


def _emit(emit: _Emit, words: dict[str, events.Event], value: Any) -> None:
    """Emit the events of ``value``; ``words`` holds those of the strings that were there before."""
    kind = type(value)
    if kind is str:
        emit(words.get(value) or words.setdefault(value, _string(value)))
    elif kind is dict:
        emit(_MAPPING if value else _EMPTY_MAPPING)
        for key, item in value.items():
            emit(words.get(key) or words.setdefault(key, _string(key)))
            _emit(emit, words, item)
        emit(_MAPPING_END)
    elif kind is list:
        emit(_SEQUENCE if value else _EMPTY_SEQUENCE)
        for item in value:
            _emit(emit, words, item)
        emit(_SEQUENCE_END)
    else:
        emit(events.ScalarEvent(None, None, (True, False), plain(value)))


def _string(value: str) -> events.Event:
    """A string; quoted if Kubernetes, or another reader of YAML 1.1, would take it otherwise."""
    style = "|" if "\n" in value else None
    return events.ScalarEvent(None, None, (is_plain(value), True), value, style=style)


def is_plain(value: str) -> bool:
    """Whether Kubernetes and other readers of YAML take a word without quotes as a string."""
    elsewhere = _ELSEWHERE.resolve(ScalarNode, value, (True, False))
    return bool(tags.plain_tag(value) == elsewhere == tags.STR)


def plain(value: Any) -> str:
    """What is not a string, as all readers take it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    digits, e, power = repr(value).partition("e")
    digits += ".0" if e and "." not in digits else ""  # without a point PyYAML takes it for text
    return digits + e + power
