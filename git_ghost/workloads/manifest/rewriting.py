"""Documents whose text follows their data: comments and format stay where nothing changes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from git_ghost.workloads.manifest.edits import copied, with_texts
from git_ghost.workloads.manifest.layout import Layout, Unpatchable
from git_ghost.workloads.manifest.patching import patched
from git_ghost.workloads.manifest.reading import (
    Document,
    DocumentText,
    ManifestError,
    Object,
    nodes,
    parse_yaml,
)
from git_ghost.workloads.manifest.step import NOTE, note_of
from git_ghost.workloads.manifest.writing import dump

_HEADED = re.compile(r"(?:[^\S\n]*(?:[#%][^\n]*)?\n)*---(?=\s|\Z)")
_DIRECTIVE = re.compile(r"(?:[^\S\n]*(?:#[^\n]*)?\n)*%")


def rewritten(document: Document, data: Object) -> Document:
    """``document`` with ``data`` in the place of its own, its text edited to say the same.

    Where that cannot be done the object is written anew first, and ``source.why`` says why.
    """
    if data == document.data:
        return document._replace(data=data)
    why = ""
    if document.source is not None:
        try:
            return _edited(document, document.source, data)
        except Unpatchable as e:
            why = str(e)
    try:
        anew = _anew(document, why)
        assert anew.source is not None
        return _edited(anew, anew.source, data)
    except Unpatchable:  # something around the object is in the way
        return _anew(document._replace(data=data), why)


def _edited(document: Document, source: DocumentText, data: Object) -> Document:
    (root,) = nodes(source.text, document.where)
    try:
        patch = patched(source.text, root, document.data, data)
        if patch.kept:  # into the notes, which are text too
            data = copied(data)
            for owner, path, was in patched(source.text, root, document.data, data).kept:
                annotations = owner["metadata"]["annotations"]
                annotations[NOTE] = with_texts(note_of(owner) or "[]", [(path, was)])
            patch = patched(source.text, root, document.data, data)
        (again,) = parse_yaml(patch.short, document.where)
    except (ManifestError, ValueError) as e:  # also of a block by itself
        raise Unpatchable("its style") from e
    if not patch.says(again.data, data):
        raise Unpatchable("its style")
    return document._replace(data=data, source=source._replace(text=patch.text))


def _anew(document: Document, why: str = "") -> Document:
    """The document with a text that can be edited; what is around the object stays as it is."""
    source, text = document.source or DocumentText(""), dump([document.data])
    for root in nodes(source.text, document.where):
        layout, start = Layout(source.text), root.start_mark.index
        line, end = layout.line_start(start), layout.line_end(layout.end(root))
        newline = layout.newline(end)
        head = source.text[:line]
        if source.text[line:start].strip(" "):  # behind the three dashes
            head = source.text[:start].rstrip(" ") + newline
        text = head + text[:-1].replace("\n", newline) + source.text[end:]
    return document._replace(source=source._replace(text=text, why=why))


def text_of(documents: Sequence[Document]) -> str:
    """The documents as YAML, those of one file as they stand there."""
    whole: list[str] = []
    for document in documents:
        source = document.source or DocumentText(dump([document.data]))
        whole += (_border(whole[-1], source.text) if whole else source.mark), source.text
    return "".join(whole)


def _border(before: str, after: str) -> str:
    """What has to be put between two documents."""
    lines = before.rstrip("\r\n")
    ended = "" if before.endswith("\n") else "\n"
    if lines[lines.rfind("\n") + 1 :].startswith("..."):
        return ended
    if _DIRECTIVE.match(after):
        return f"{ended}...\n"
    return ended if _HEADED.match(after) else f"{ended}---\n"
