"""Change the text of a YAML document where its data changes, and nowhere else.

The plan is the difference of the data before and after; the nodes say where the text of each thing
stands. The text is read again, and used only if it says what it should. To read all that is put in
would take long, and most of it is the same in every document: so one line stands for each block of
lines in the text that is read, and a block is read once, by itself.

Text of the user's that is replaced or taken out is handed over as :class:`Kept`. It goes into the
note of what was changed, from where the way back takes it.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from yaml.nodes import MappingNode, Node, ScalarNode

from git_ghost.workloads.manifest import rendering, tags
from git_ghost.workloads.manifest.edits import Path, key_of, texts_of
from git_ghost.workloads.manifest.layout import Layout, Style, Unpatchable, is_alias, is_flow
from git_ghost.workloads.manifest.reading import Object
from git_ghost.workloads.manifest.step import note_of


class Kept(NamedTuple):
    """Text that was there: the object whose note it belongs to, and its place below that."""

    owner: Object
    path: Path
    text: str


class Block(NamedTuple):
    """What is put in over several lines."""

    text: str
    """What a word stands for, and the blank in front of it."""
    value: Any


class Patched(NamedTuple):
    """The text, in which words stand for blocks."""

    short: str
    blocks: Mapping[str, Block]
    kept: Sequence[Kept]

    @property
    def text(self) -> str:
        """All of it."""
        return _STANDS_FOR.sub(lambda found: self.blocks[found[1]].text, self.short)

    def says(self, found: Any, data: Any) -> bool:
        """Whether the whole text says ``data``, when ``found`` is what the short one says."""
        return bool(self._filled(found) == data)

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        block = self.blocks.get(value) if isinstance(value, str) else None
        return block.value if block else value


def patched(text: str, root: Node, before: Object, after: Object) -> Patched:
    """``text``, in which ``root`` says ``before``, with ``after`` in its place.

    Raises Unpatchable.
    """
    if "\r" in text and text.count("\r") > text.count("\r\n"):
        raise Unpatchable("its line ends")
    if _WORD in text:
        raise Unpatchable(f"the word {_WORD}")
    patch = _Patch(Layout(text), root)
    patch.value(_Value(root, 0, in_flow=False), before, after, _At())
    pieces: list[str] = []
    at = 0
    for start, end, new in sorted(patch.edits, key=lambda edit: edit[:2]):
        if start < at:
            raise Unpatchable("two changes at one place")
        pieces += text[at:start], new
        at = end
    return Patched("".join([*pieces, text[at:]]), patch.blocks, patch.kept)


_WORD = "git-ghost-stands-for"
_STANDS_FOR = re.compile(rf" ({_WORD}-[0-9]+)\b")


class _At(NamedTuple):
    """A place in the data: its path below the last object that has a note."""

    path: Path = ()
    owner: Object | None = None
    """That object, where text is to be kept."""
    texts: Mapping[Path, str] = {}
    """The text that was kept."""

    def below(self, step: str) -> _At:
        return self._replace(path=(*self.path, step))

    def within(self, before: Any, after: Any) -> _At:
        """The same place, if need be as that of an object with a note."""
        then, now = note_of(before), note_of(after)
        if then is None and now is None:
            return self
        return _At((), None if now is None else after, {} if then is None else texts_of(then))


class _Value(NamedTuple):
    """A value in the text: its node, where the key or item before it ends, what is around it."""

    node: Node
    head: int
    in_flow: bool


class _Entry(NamedTuple):
    """A key with its value, or an item of a list."""

    step: str
    node: Node
    value: Node
    head: int
    """What the value stands behind: the end of the key, or of the item before."""

    @property
    def start(self) -> int:
        return int(self.node.start_mark.index)


class _New(NamedTuple):
    """What is to be put in: behind which entry (-1: before the first), under which name."""

    behind: int
    step: str
    value: Any


class _Plan(NamedTuple):
    """The entries of a mapping or list that go, and what comes; at least one stays."""

    value: _Value
    entries: Sequence[_Entry]
    removed: Collection[int]
    added: Sequence[_New]
    at: _At

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value.node, MappingNode)


class _Patch:
    """Collects the edits, each ``(start, end, text)``; of those at one place, in their order."""

    def __init__(self, layout: Layout, root: Node) -> None:
        self._layout, self._style = layout, Style(layout, root)
        self._done: dict[int, Any] = {}
        self.edits: list[tuple[int, int, str]] = []
        self.kept: list[Kept] = []
        self.blocks: dict[str, Block] = {}

    # --- what changes ----------------------------------------------------------------------------

    def value(self, value: _Value, before: Any, after: Any, at: _At) -> None:
        """Plan to have ``after`` where ``before`` stands, which is something else."""
        node = value.node
        if is_alias(node, value.head):
            if self._done.get(id(node)) == after:
                return  # what it stands for is changed in the same way
            raise Unpatchable("an alias")
        self._done[id(node)] = after
        if isinstance(before, dict) and isinstance(after, dict) and before.keys() & after.keys():
            self._mapping(value, before, after, at.within(before, after))
        elif isinstance(before, list) and isinstance(after, list) and before and after:
            self._sequence(value, before, after, at)
        else:
            self._replace(value, before, after, at)

    def _mapping(self, value: _Value, before: Object, after: Object, at: _At) -> None:
        """Change a mapping that keeps some of its keys."""
        node = value.node
        own = [(key.value, key, each) for key, each in node.value if key.tag != tags.MERGE]
        numbers = {name: number for number, (name, _, _) in enumerate(own)}
        merged = [name for name in before if name not in numbers]
        if not own or any(name not in after or before[name] != after[name] for name in merged):
            raise Unpatchable("a merge key (<<)")
        removed = set()
        entries = [_Entry(name, key, each, key.end_mark.index) for name, key, each in own]
        for number, entry in enumerate(entries):
            then, now = before[entry.step], after.get(entry.step, _Patch)
            if now is _Patch:
                removed.add(number)
            elif then != now:
                below = _Value(entry.value, entry.head, is_flow(node))
                self.value(below, then, now, at.below(entry.step))
        added, behind = [], -1
        for name, each in after.items():
            if name in numbers:
                behind = numbers[name]
            elif name not in before:
                added.append(_New(behind, name, each))
        self._change(_Plan(value, entries, removed, added, at))

    def _sequence(self, value: _Value, before: list[Any], after: list[Any], at: _At) -> None:
        """Change a list; what keeps its name is the same item."""
        field, node, end = key_of(at.path[-1]), value.node, value.head
        old, new = ([_name(item, field) for item in items] for items in (before, after))
        entries = []
        for name, item in zip(old, node.value, strict=True):
            entries.append(_Entry(name, item, item, end))
            end = self._layout.end(item, end)
        removed: set[int] = set()
        added: list[_New] = []
        for how, i, i_end, j, j_end in _alike(old, new):
            if how != "equal":
                removed.update(range(i, i_end))
                added += [_New(i - 1, new[each], after[each]) for each in range(j, j_end)]
                continue
            for one, other in zip(range(i, i_end), range(j, j_end), strict=True):
                if before[one] != after[other]:
                    item = _Value(node.value[one], entries[one].head, is_flow(node))
                    step = old[one] if old[one] not in _UNNAMED else str(one)
                    self.value(item, before[one], after[other], at.below(step))
        if len(removed) == len(entries):
            self._replace(value, before, after, at)
        else:
            self._change(_Plan(value, entries, removed, added, at))

    # --- how the text changes --------------------------------------------------------------------

    def _change(self, plan: _Plan) -> None:
        if is_flow(plan.value.node):
            self._take_words(plan)
            self._put_words(plan)
        else:
            self._take_lines(plan)
            self._put_lines(plan)

    def _end(self, entry: _Entry) -> int:
        return self._layout.end(entry.value, entry.head)

    def _take_lines(self, plan: _Plan) -> None:
        for entry in (plan.entries[number] for number in plan.removed):
            start = self._break_before(plan, entry)
            self._take(start, self._layout.line_end(self._end(entry)), plan.at.below(entry.step))

    def _break_before(self, plan: _Plan, entry: _Entry) -> int:
        """The line break in front of an entry, which has its lines for itself."""
        line = self._layout.own_line(entry.node, dashed=not plan.is_mapping)
        return self._layout.break_before(line)

    def _put_lines(self, plan: _Plan) -> None:
        """Put lines behind an entry, or where the one behind it is taken out."""
        layout, entries, at = self._layout, plan.entries, plan.at
        node = entries[0].node
        last = len(entries) - 1 - layout.is_open(plan.value.node)
        for new in plan.added:
            behind = min(new.behind, last)
            if behind < 0 and plan.is_mapping:
                layout.own_line(node, dashed=False)
            where = layout.line_end(self._end(entries[behind]) if behind >= 0 else plan.value.head)
            if behind + 1 in plan.removed:
                where = self._break_before(plan, entries[behind + 1])
            text = at.texts.get((*at.path, new.step))
            if text is None and plan.is_mapping:
                column = node.start_mark.column
                lines = rendering.entry(new.step, new.value, column, self._style)
                text = self._block(where, lines, lines[0], new.value)
            elif text is None:
                column = layout.dash(node)
                lines = rendering.item(new.value, column, self._style)
                text = self._block(where, lines, " " * column + "-", new.value)
            self._insert(where, text)

    def _block(self, where: int, lines: Sequence[str], start: str, value: Any) -> str:
        """The line that stands for others, which begin with ``start``; or the only one."""
        text = self._lines(where, lines)
        if len(lines) == 1:
            return text
        word = f"{_WORD}-{len(self.blocks)}"
        begin = self._lines(where, [start])
        self.blocks[word] = Block(text[len(begin) :], value)
        return f"{begin} {word}"

    def _take_words(self, plan: _Plan) -> None:
        """Take entries out of a flow, with the comma before each, or behind those at its start."""
        entries = plan.entries
        for first, last in _runs(plan.removed):
            if first:
                start, end = self._end(entries[first - 1]), self._end(entries[last])
            else:
                start, end = entries[0].start, entries[last + 1].start
            self._take(start, end, plan.at.below(entries[first].step))

    def _put_words(self, plan: _Plan) -> None:
        entries, at = plan.entries, plan.at
        for new in plan.added:
            words = rendering.flow(new.value)
            if plan.is_mapping:
                words = f"{rendering.flow(new.step)}: {words}"
            words = f", {words}" if new.behind >= 0 else f"{words}, "
            where = self._end(entries[new.behind]) if new.behind >= 0 else entries[0].start
            self._insert(where, at.texts.get((*at.path, new.step), words))

    def _replace(self, value: _Value, before: Any, after: Any, at: _At) -> None:
        """Put a value in the place of one that has nothing in common with it."""
        layout, node = self._layout, value.node
        colon = layout.behind_colon(value.head)
        end = max(colon, layout.end(node))
        line_end = layout.line_end(value.head)
        in_lines = not (isinstance(node, ScalarNode) or is_flow(node))
        if in_lines:
            self._take(line_end, layout.line_end(end), at)
        else:
            line_end = layout.line_end(end)
            was = f" {rendering.flow(before)}" if value.in_flow else rendering.inline(before)
            self._take(colon, end, at, unless=was)
        text, inline = at.texts.get(at.path), rendering.inline(after)
        if text is not None:
            self._insert(line_end if text.lstrip("\r")[:1] == "\n" else colon, text)
        elif value.in_flow:
            self._insert(colon, f" {rendering.flow(after)}")
        elif inline is not None:
            self._insert(colon, inline)
        else:
            column = layout.column(value.head)
            lines = rendering.inside(after, column, self._style)
            self._insert(line_end, self._lines(line_end, lines))

    def _lines(self, where: int, lines: Sequence[str]) -> str:
        newline = self._layout.newline(where)
        return newline + newline.join(lines)

    def _insert(self, where: int, text: str) -> None:
        self.edits.append((where, where, text))

    def _take(self, start: int, end: int, at: _At, unless: str | None = None) -> None:
        """Take text out; where that is to be taken back it is kept, if it is not ``unless``."""
        self.edits.append((start, end, ""))
        text = self._layout.text[start:end]
        if at.owner is not None and text != unless:
            self.kept.append(Kept(at.owner, at.path, text))


def _name(item: Any, field: str) -> str:
    """What tells an item of a list from the others: its name; by order, if it has none."""
    name = item.get(field) if isinstance(item, dict) else item
    if isinstance(name, str):
        return name
    return _UNNAMED[isinstance(item, list)] if isinstance(item, (dict, list)) else json.dumps(item)


_UNNAMED = ("{}", "[]")


def _alike(old: list[str], new: list[str]) -> Sequence[tuple[str, int, int, int, int]]:
    """How one list becomes the other, as ``difflib`` says it."""
    if old == new:  # which takes difflib long where many are the same
        return [("equal", 0, len(old), 0, len(new))]
    return difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()


def _runs(numbers: Collection[int]) -> Iterator[tuple[int, int]]:
    """The first and last of those that follow one another."""
    first = last = -1
    for number in sorted(numbers):
        if number != last + 1 or first < 0:
            if first >= 0:
                yield first, last
            first = number
        last = number
    if first >= 0:
        yield first, last
