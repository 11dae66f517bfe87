"""Where things stand in the text of a YAML file: the ends of nodes and lines, by its marks.

PyYAML's marks tell where a node begins. A block's end mark is where the next token begins, behind
comments and empty lines, and an alias has the marks of what it stands for; both are made good here.
"""

from __future__ import annotations

import re

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

_ALIAS = re.compile(r"(?:\s|#[^\n]*|[-:,])*\*[^\s,\[\]{}]+")
_COLON = re.compile(r"[ \t]*:")
_INDENT = re.compile(r" *(?:- +)*")
_DASH = re.compile(r" *-[ \t]*\Z")


class Unpatchable(Exception):
    """A text cannot be edited in place; the message says what is in the way."""


class Layout:
    """The positions in one text: offsets in characters, as the nodes' marks have them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._ends: dict[int, int] = {}

    def end(self, node: Node, before: int = 0) -> int:
        """Where the content of ``node`` ends; ``before`` is a place behind which it must stand.

        Behind it there is nothing on its last line but white space and a comment.
        """
        if is_alias(node, before):
            found = _ALIAS.match(self.text, before)
            return found.end() if found else before
        if id(node) not in self._ends:
            self._ends[id(node)] = self._end(node)
        return self._ends[id(node)]

    def _end(self, node: Node) -> int:
        if isinstance(node, ScalarNode):
            return self._scalar_end(node) if node.style in ("|", ">") else node.end_mark.index
        if not node.value or is_flow(node):
            return int(node.end_mark.index)
        if isinstance(node, SequenceNode):
            before = self.end(node.value[-2]) if len(node.value) > 1 else node.start_mark.index
            return self.end(node.value[-1], before)
        key, value = node.value[-1]
        return self.end(value, key.end_mark.index)

    def _scalar_end(self, node: ScalarNode) -> int:
        """The end of a block scalar; its last empty lines count if they are kept (``|+``)."""
        start, end = node.start_mark.index, node.end_mark.index
        header, _, _ = self.text[start : self.line_end(start)].partition(" #")
        if "+" not in header:
            return start + len(self.text[start:end].rstrip())
        return self.break_before(end) if self.text[end - 1] == "\n" else end

    def is_open(self, node: Node) -> bool:
        """Whether it ends in a block scalar that the end of the text cut off.

        A line break there would become a part of it.
        """
        if self.text.endswith("\n"):
            return False
        while not isinstance(node, ScalarNode):
            if is_flow(node) or not node.value:
                return False
            last = node.value[-1]
            node = last if isinstance(node, SequenceNode) else last[1]
        return node.style in ("|", ">") and node.end_mark.index == len(self.text)

    def line_start(self, at: int) -> int:
        """Where the line of ``at`` begins."""
        return self.text.rfind("\n", 0, at) + 1

    def line_end(self, at: int) -> int:
        """Where it ends: in front of its line break."""
        found = self.text.find("\n", at)
        if found < 0:
            return len(self.text)
        return found - 1 if found > at and self.text[found - 1] == "\r" else found

    def break_before(self, line: int) -> int:
        """Where the line break in front of the line that begins at ``line`` begins."""
        if not line:
            raise Unpatchable("its first line")
        return line - 2 if self.text[line - 2 : line] == "\r\n" else line - 1

    def newline(self, at: int) -> str:
        """The line break of the line that ends at ``at``."""
        if at == len(self.text):
            return "\r\n" if "\r\n" in self.text else "\n"
        return "\r\n" if self.text[at] == "\r" else "\n"

    def own_line(self, node: Node, *, dashed: bool) -> int:
        """Where the line begins that a key, or an item with its dash, has for itself."""
        line = self.line_start(node.start_mark.index)
        before = self.text[line : node.start_mark.index]
        if not (_DASH.match(before) if dashed else not before.strip(" ")):
            raise Unpatchable("several things on one line")
        return line

    def dash(self, item: Node) -> int:
        """The column of the dash of a list's item."""
        line = self.own_line(item, dashed=True)
        return self.text.index("-", line) - line

    def behind_colon(self, end: int) -> int:
        """Where the colon ends of the key that ends at ``end``."""
        found = _COLON.match(self.text, end)
        if found is None:
            raise Unpatchable("a key without a colon")
        return found.end()

    def column(self, end: int) -> int:
        """The column of the key that ends at ``end``."""
        line = self.line_start(end)
        found = _INDENT.match(self.text, line)
        return found.end() - line if found else 0


def is_flow(node: Node) -> bool:
    """Whether it is written in braces or brackets."""
    return isinstance(node, CollectionNode) and bool(node.flow_style)


def is_alias(node: Node, before: int) -> bool:
    """Whether an alias stands for ``node`` behind ``before``: the node is further up."""
    return bool(node.start_mark.index < before)


class Style:
    """How a file indents: by how much, and the dashes of lists below their key."""

    def __init__(self, layout: Layout, root: Node) -> None:
        self.step, self.dashes = 0, -1
        self._look(layout, root)
        self.step = self.step or 2
        self.dashes = max(self.dashes, 0)

    def _look(self, layout: Layout, node: Node) -> None:
        """Take what ``node`` shows first, where that is not known yet."""
        if is_flow(node) or (self.step and self.dashes >= 0):
            return
        if isinstance(node, SequenceNode):
            for item in node.value:
                if not isinstance(item, ScalarNode):
                    self._look(layout, item)
            return
        for key, value in node.value:
            inside = not (isinstance(value, ScalarNode) or is_flow(value) or not value.value)
            if not inside or is_alias(value, key.end_mark.index):
                continue
            column = key.start_mark.column
            if isinstance(value, MappingNode):
                self.step = self.step or value.value[0][0].start_mark.column - column
            elif self.dashes < 0 and layout.text[value.start_mark.index] == "-":
                self.dashes = value.start_mark.column - column
            self._look(layout, value)
