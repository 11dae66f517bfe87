"""Write objects as YAML that every reader takes the same way, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from git_ghost.manifest import tags
from git_ghost.manifest.reading import Object

FORMATS = ("yaml", "json")

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_ENDLESS = 1 << 30
"""No line is folded: what is long is a URL or a command."""


class _Dumper(_Base):  # type: ignore[misc] # libyaml's emitter where PyYAML was built with it
    """Quotes what Kubernetes, or another reader of YAML 1.1, would not read as a string."""

    def resolve(self, kind: type[Node], value: str, implicit: tuple[bool, bool]) -> str:
        """The tag of a node that names none: it is left out where it is the node's own."""
        if kind is ScalarNode:
            return (_PLAIN.get(value) or _plain_tag(value)) if implicit[0] else tags.STR
        return tags.SEQ if kind is SequenceNode else tags.MAP

    def descend_resolver(self, *_: Any) -> None:
        """No tag here depends on where a node is."""

    ascend_resolver = descend_resolver


_PLAIN: dict[str, str] = {}
"""The words of this process: they repeat, and looking one up is a third of the work."""
_ELSEWHERE: Any = yaml.resolver.Resolver()
"""How PyYAML, and with it most of Python, reads a scalar without quotes."""


def _plain_tag(value: str) -> str:
    found = tags.plain_tag(value)
    if found == tags.STR:
        found = str(_ELSEWHERE.resolve(ScalarNode, value, (True, False)))
    _PLAIN[value] = found
    return found


def dump(objects: Sequence[Object], form: str = "yaml") -> str:
    """``objects`` as text in ``form``: YAML documents, or JSON (a List of more than one)."""
    if form == "json":
        whole = (
            objects[0]
            if len(objects) == 1
            else {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        )
        return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    from io import StringIO

    out = StringIO()
    dumper = _Dumper(
        out, width=_ENDLESS, allow_unicode=True, explicit_start=len(objects) > 1, indent=2
    )
    try:
        dumper.open()
        for each in objects:
            dumper.serialize(_node(each))
        dumper.close()
    finally:
        dumper.dispose()
    return out.getvalue()


def _node(value: Any) -> Node:
    kind = type(value)
    if kind is str:
        return ScalarNode(tags.STR, value, style="|" if "\n" in value else None)
    if kind is dict:
        pairs = [(ScalarNode(tags.STR, key), _node(item)) for key, item in value.items()]
        return MappingNode(tags.MAP, pairs, flow_style=not pairs)
    if kind is list:
        return SequenceNode(tags.SEQ, [_node(item) for item in value], flow_style=not value)
    if value is None:
        return ScalarNode(tags.NULL, "null")
    if kind is bool:
        return ScalarNode(tags.BOOL, "true" if value else "false")
    if kind is int:
        return ScalarNode(tags.INT, str(value))
    digits, e, power = repr(value).partition("e")
    digits += ".0" if e and "." not in digits else ""  # without a point PyYAML takes it for text
    return ScalarNode(tags.FLOAT, digits + e + power)
