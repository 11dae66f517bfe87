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
        """The tag that a scalar would get without quotes."""
        if kind is ScalarNode and implicit[0]:
            tag = tags.plain_tag(value)
            if tag != tags.STR:
                return tag
        return str(super().resolve(kind, value, implicit))


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
    if isinstance(value, str):
        return ScalarNode(tags.STR, value, style="|" if "\n" in value else None)
    if isinstance(value, dict):
        pairs = [(_node(key), _node(item)) for key, item in value.items()]
        return MappingNode(tags.MAP, pairs, flow_style=not pairs)
    if isinstance(value, list):
        return SequenceNode(tags.SEQ, [_node(item) for item in value], flow_style=not value)
    if value is None:
        return ScalarNode(tags.NULL, "null")
    if isinstance(value, bool):
        return ScalarNode(tags.BOOL, "true" if value else "false")
    return ScalarNode(tags.INT if isinstance(value, int) else tags.FLOAT, json.dumps(value))
