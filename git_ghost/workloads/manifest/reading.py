"""Read manifests as Kubernetes reads them: YAML 1.1 as Go's yaml v2 resolves it, or JSON.

Scalars that other readers see differently are read as ``kubectl`` (sigs.k8s.io/yaml) does: ``on``
is true, ``0444`` is octal, ``1e3`` a number, a date or ``12:30`` a string. What would be lost on
the way through JSON is refused with file and line: duplicate keys, keys that are not strings,
``.nan``, tags nobody knows, anchors that contain themselves. Values of anchors are copied, never
shared.
"""

from __future__ import annotations

import codecs
import json
import math
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from git_ghost.errors import GhostError
from git_ghost.workloads.manifest import tags
from git_ghost.workloads.manifest.layout import Layout
from git_ghost.workloads.manifest.places import TemplatePlace

Object = dict[str, Any]
"""A Kubernetes object, or a part of one: what JSON can hold."""

SUFFIXES = (".yaml", ".yml", ".json")
"""The files that are read from a folder, as kubectl does."""

MAX_NODES = 1_000_000
"""How many values a document may have once its anchors are written out; an object that a cluster
takes has at most 1.5 MiB (etcd's limit) and thus fewer."""

MAX_DEPTH = 200
"""How many lists and mappings may stand inside one another: Python's own recursion ends somewhere
between 300 and 1,000, and what people write has some tens."""


class ManifestError(GhostError):
    """A manifest cannot be used as it is; the message begins with file and line."""


class Named(NamedTuple):
    """What an object is called, and what others refer to it by; its namespace is not asked."""

    group: str
    kind: str
    name: str

    @property
    def shown(self) -> str:
        """``kind/name`` for messages."""
        return f"{self.kind.lower()}/{self.name}"


class DocumentText(NamedTuple):
    """The YAML text of one document; those of a file, one behind the other, are the file."""

    text: str
    mark: str = ""
    """The byte order mark in front of it."""
    why: str = ""
    """Why it had to be written anew."""


class Document(NamedTuple):
    """One object of a file."""

    data: Object
    where: str
    """``job.yaml:12``: the file as it was named, and the line where the object begins."""
    together: frozenset[Named] = frozenset()
    """The objects with a name that were read in the same call, those in Lists too."""
    source: DocumentText | None = None
    """The text that says so; None for JSON."""
    places: tuple[TemplatePlace, ...] = ()
    """Where the user says that kinds have pod templates."""

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.data["kind"])

    @property
    def name(self) -> str:
        """``kind/name`` for messages; the name may be the beginning of one (generateName)."""
        metadata = self.data.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        name = metadata.get("name") or metadata.get("generateName")
        return f"{self.kind.lower()}/{name}" if name else self.kind.lower()


def group(data: Object) -> str:
    """The API group of an object; empty for the core one."""
    return str(data["apiVersion"].rpartition("/")[0])


def is_list(data: Object) -> bool:
    """Whether the object stands for several: a ``List``, a ``JobList``."""
    return data["kind"].endswith("List") and isinstance(data.get("items"), list)


def is_object(data: Any) -> bool:
    """Whether it is a Kubernetes object, as far as it can be told."""
    return isinstance(data, dict) and all(
        data.get(key) and isinstance(data[key], str) for key in ("apiVersion", "kind")
    )


def read(paths: Sequence[str], stdin: bytes = b"") -> list[Document]:
    """The objects in ``paths``: files, folders (their YAML and JSON files, by name) and ``-``.

    Each knows what it was read together with. ``stdin`` is what ``-`` stands for. Raises
    ManifestError when a file cannot be read, when something is not a Kubernetes object, or when
    there is none at all.
    """
    found: list[Document] = []
    for path in paths:
        if path == "-":
            found += parse(stdin, "standard input")
        elif os.path.isdir(path):
            for name in sorted(os.listdir(path)):
                if name.endswith(SUFFIXES):
                    found += _parse_file(os.path.join(path, name))
        else:
            found += _parse_file(path)
    if not found:
        raise ManifestError(f"there is no Kubernetes object in {', '.join(paths)}")
    together = frozenset(name for document in found for name in _names(document.data))
    return [document._replace(together=together) for document in found]


def _names(data: Any) -> Iterator[Named]:
    if not is_object(data):
        return
    if is_list(data):
        for item in data["items"]:
            yield from _names(item)
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if isinstance(name, str):
        yield Named(group(data), data["kind"], name)


def _parse_file(path: str) -> list[Document]:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as e:
        raise ManifestError(f"{path}: {(e.strerror or str(e)).lower()}") from e
    return parse(content, path)


_MARK = re.compile(r"^(---.*\n)\ufeff", re.MULTILINE)
"""A byte order mark in front of a document that is not the first one."""


def parse(content: bytes, where: str) -> list[Document]:
    """The objects in ``content``; ``where`` is its name in messages. Raises ManifestError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = content.count(b"\n", 0, e.start) + 1
        raise ManifestError(f"{where}:{line}: this is not UTF-8 text") from e
    text = _MARK.sub(r"\1", text)
    if text.lstrip()[:1] == "{" and (found := _parse_json(text, where)) is not None:
        return found
    documents = parse_yaml(text, where)
    if documents and content.startswith(codecs.BOM_UTF8) and (source := documents[0].source):
        documents[0] = documents[0]._replace(source=source._replace(mark="\ufeff"))
    return documents


def _check(data: Any, where: str) -> Document:
    if not isinstance(data, dict):
        raise ManifestError(f"{where}: this is not a Kubernetes object but a {_noun(data)}")
    for key in ("apiVersion", "kind"):
        if not (isinstance(data.get(key), str) and data[key]):
            raise ManifestError(f"{where}: this is not a Kubernetes object: it has no {key}")
    return Document(data, where)


def _noun(value: object) -> str:
    return {list: "list", str: "text", bool: "boolean"}.get(type(value), "number")


# --- JSON ----------------------------------------------------------------------------------------


class _DuplicateKey(ValueError):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> Object:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _DuplicateKey
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


_SURROGATE = re.compile(r"\\u[dD][89A-Fa-f]")


def _parse_json(text: str, where: str) -> list[Document] | None:
    """The JSON objects in ``text``, one behind another; None when YAML's reader is to judge it."""
    decoder = json.JSONDecoder(
        object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_finite
    )
    found, at = [], 0
    while rest := re.compile(r"\S").search(text, at):
        try:
            data, end = decoder.raw_decode(text, rest.start())
            if _SURROGATE.search(text, rest.start(), end):  # in pairs only
                json.dumps(data, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            return None
        if _too_deep(data):
            return None
        found.append(_check(data, f"{where}:{text.count(chr(10), 0, rest.start()) + 1}"))
        at = end
    return found


def _too_deep(data: Any) -> bool:
    level = [data]
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return False
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, (dict, list))
        ]
    return True


# --- YAML ----------------------------------------------------------------------------------------

_TOO_DEEP = f"this is nested too deeply, more than {MAX_DEPTH} levels"

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc] # libyaml's parser where PyYAML was built with it
    """Parses and composes; values are made here, from the nodes, which know their lines."""

    def resolve(self, kind: type[Node], value: str | None, implicit: Any) -> str:
        """The tag of a node that names none."""
        if kind is ScalarNode:
            return tags.plain_tag(value or "") if implicit[0] else tags.STR
        return tags.SEQ if kind is SequenceNode else tags.MAP

    def descend_resolver(self, _parent: Node, _index: Any) -> None:
        """Tags by path, which nobody gives here, take a tenth of the time."""

    def ascend_resolver(self) -> None:
        """The same on the way back."""


_BORDER = re.compile(r"^(?:(?=---(?:\s|\Z))|\.\.\.(?:[^\S\n].*)?(?:\n|\Z))", re.MULTILINE)
"""Where a document ends: in front of ``---``, or behind a line of three dots."""


def parse_yaml(text: str, where: str) -> list[Document]:
    """The objects in ``text``, each with its source. Raises ManifestError."""
    found: list[Document] = []
    borders: list[int] = []
    end = 0
    for node in nodes(text, where):
        border = _BORDER.search(text, end) if found else None
        borders.append(border.end() if border else 0)
        builder = _Builder(where)
        found.append(_check(builder.build(node), builder.at(node)))
        end = Layout(text).end(node)
    ends = [*borders[1:], len(text)]
    if any(start >= end for start, end in zip(borders, ends, strict=False)):
        return found  # lines end in a way that is not known here
    return [
        document._replace(source=DocumentText(text[start:end]))
        for document, start, end in zip(found, borders, ends, strict=False)
    ]


def value_of(text: str) -> Any:
    """The value that the YAML ``text`` stands for, which need not be an object."""
    (root,) = nodes(text, "text")
    return _Builder("text").build(root)


def nodes(text: str, where: str) -> Iterator[Node]:
    """The nodes of the documents in ``text`` that are not empty. Raises ManifestError."""
    loader = None
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            if node.tag != tags.NULL:
                yield node
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        line = f":{mark.line + 1}" if mark else ""
        if "nesting" in (e.problem or ""):  # newer libyamls have a bound of their own
            raise ManifestError(f"{where}{line}: {_TOO_DEEP}") from e
        said = " ".join(filter(None, (e.context, e.problem)))
        raise ManifestError(f"{where}{line}: this is not valid YAML: {said}") from e
    except yaml.YAMLError as e:
        raise ManifestError(f"{where}: this is not valid YAML: {' '.join(str(e).split())}") from e
    except RecursionError as e:
        raise ManifestError(f"{where}: {_TOO_DEEP}") from e
    finally:
        if loader is not None:
            loader.dispose()


def _is_text(node: Node) -> bool:
    """Whether it is a string; of lists and mappings too somebody may say so (``!!str [a]``)."""
    return bool(node.tag == tags.STR) and isinstance(node, ScalarNode)


class _Builder:
    """Turns a document's nodes into plain values."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._room = MAX_NODES
        self._open: set[int] = set()

    def at(self, node: Node) -> str:
        """File and line of a node."""
        return f"{self._where}:{node.start_mark.line + 1}"

    def build(self, node: Node) -> Any:
        """The value of ``node``; a new one each time, so that what anchors name is not shared."""
        tag = node.tag
        if _is_text(node):
            return node.value
        self._room -= 1
        if isinstance(node, ScalarNode):
            return self._scalar(node, tag)
        if id(node) in self._open:
            raise ManifestError(f"{self.at(node)}: this anchor contains itself")
        self._room -= len(node.value)
        if self._room < 0:
            raise ManifestError(
                f"{self.at(node)}: the anchors of this document stand for more than"
                f" {MAX_NODES:,} values"
            )
        if len(self._open) == MAX_DEPTH:
            raise ManifestError(f"{self.at(node)}: {_TOO_DEEP}")
        self._open.add(id(node))
        try:
            if isinstance(node, MappingNode) and tag == tags.MAP:
                return self._mapping(node)
            if isinstance(node, SequenceNode) and tag == tags.SEQ:
                return [self.build(item) for item in node.value]
        finally:
            self._open.discard(id(node))
        raise ManifestError(f"{self.at(node)}: the tag {tag} is unknown")

    def _scalar(self, node: ScalarNode, tag: str) -> Any:
        value: str = node.value
        try:
            if tag in (tags.BOOL, tags.NULL):
                return tags.WORDS[value][1]
            if tag in (tags.INT, tags.FLOAT):
                number = tags.number(value)
                if not math.isfinite(number):
                    raise ManifestError(f"{self.at(node)}: {value} is not a number JSON can hold")
                return int(number) if tag == tags.INT else number
        except (KeyError, ValueError) as e:
            kind = tag.rpartition(":")[2]
            raise ManifestError(f"{self.at(node)}: '{value}' is not a valid {kind}") from e
        if tag in (tags.TIMESTAMP, tags.MERGE, "!"):
            return value
        raise ManifestError(f"{self.at(node)}: the tag {tag} is unknown")

    def _mapping(self, node: MappingNode) -> Object:
        found: Object = {}
        written: set[str] = set()
        for key_node, value_node in node.value:
            if key_node.tag == tags.MERGE:
                # go-yaml v2 merges where << stands: over what stands above it, unlike YAML's spec.
                for mapping in reversed(
                    self._merged(value_node)
                ):  # the first that has a key counts
                    found.update(mapping)
                continue
            key = key_node.value if _is_text(key_node) else self._key(key_node)
            if key in written:
                raise ManifestError(f"{self.at(key_node)}: the key '{key}' is there twice")
            written.add(key)
            found[key] = value_node.value if _is_text(value_node) else self.build(value_node)
        return found

    def _merged(self, node: Node) -> list[Object]:
        nodes = node.value if isinstance(node, SequenceNode) else [node]
        mappings = [self.build(each) for each in nodes]
        if not all(isinstance(mapping, dict) for mapping in mappings):
            raise ManifestError(f"{self.at(node)}: << takes mappings only")
        return mappings

    def _key(self, node: Node) -> str:
        """A key that is not a string: a number as it is written, if that is how JSON writes it."""
        if isinstance(node, ScalarNode):
            if node.tag == tags.INT and str(tags.number(node.value)) == node.value:
                return str(node.value)
            read_as = json.dumps(self._scalar(node, node.tag))
            raise ManifestError(
                f"{self.at(node)}: the key {node.value} is read as {read_as}",
                f"Quote it: '{node.value}'.",
            )
        raise ManifestError(f"{self.at(node)}: a key must be a string")
