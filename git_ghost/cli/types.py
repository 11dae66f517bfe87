"""The types of arguments: a word stays text, and its type says what a shell completes it with."""

from __future__ import annotations

import click

from git_ghost.settings import Setting, place


class Word(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A word; ``offers`` are what a shell proposes for it, ``words`` what stands there literally.

    The kinds of offers: ``hash`` and ``base`` (what ghosts lead to, and start from), ``revision``
    (names of commits here), ``file``, ``folder``, ``command`` (of git ghost).
    """

    name = "text"

    def __init__(self, *offers: str, words: tuple[str, ...] = ()) -> None:
        self.offers = offers
        self.words = words

    @property
    def positions(self) -> tuple[Word, ...]:
        """The types of the words of an argument that takes many: the last is that of all others."""
        return (self,)


class Words(Word):
    """Several words, each of a type of its own."""

    def __init__(self, *positions: Word) -> None:
        super().__init__()
        self._positions = positions

    @property
    def positions(self) -> tuple[Word, ...]:
        """The types, first to last."""
        return self._positions


class Location(Word):
    """A URL or a path, which is never empty: that hides a variable that is not set."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word as it is; BadParameter for an empty one."""
        if not value:
            self.fail("it is empty. Is a variable not set?", param, ctx)
        return value


class OneOf(click.Choice[str]):
    """One of some words, or an empty one, which is as good as none."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word; BadParameter for any other."""
        return super().convert(value, param, ctx) if value else ""


FREE = Word()
"""Text that nothing can be proposed for."""
HASH = Word("hash")
BASE = Word("base")
REVISION = Word("revision")
HASH_OR_REVISION = Word("hash", "revision")
FILE = Word("file")
FOLDER = Word("folder")
URL = Location("folder")
COMMAND = Word("command")

KINDS = ("diff", "commits", "all")
"""The kinds of ghosts, which may be the first word of a command that is about some."""


def after_kind(then: Word) -> Words:
    """The words of such a command: a kind or not, then others."""
    return Words(Word(*then.offers, words=KINDS), then)


def of_setting(row: Setting[object]) -> Word:
    """The type of the option of a setting."""
    return URL if row.read is place else FREE
