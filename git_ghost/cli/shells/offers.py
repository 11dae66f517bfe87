"""What a shell may offer: the commands, their options and words, read from click."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import click

from git_ghost.cli.types import Word


class Value(NamedTuple):
    """What stands in one place: one of ``words``, or what ``kinds`` (see Word) stand for."""

    words: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


class Flag(NamedTuple):
    """An option: its names, its help, and what it takes."""

    names: tuple[str, ...]
    about: str
    takes: Value | None


class Verb(NamedTuple):
    """A command: its short help, its options, and what its words are, the last one for all more."""

    name: str
    about: str
    flags: tuple[Flag, ...]
    positions: tuple[Value, ...]

    @property
    def places(self) -> Iterator[tuple[int, bool, Value]]:
        """The number of each word, whether it stands for all that follow too, and what it is."""
        last = len(self.positions) - 1
        return ((n, n == last, value) for n, value in enumerate(self.positions))


def flags(command: click.Command) -> tuple[Flag, ...]:
    """The options of a command, ``-h`` too."""
    params = command.get_params(click.Context(command, **command.context_settings))
    options = (p for p in params if isinstance(p, click.Option) and not p.hidden)
    return tuple(_flag(option) for option in options)


def _flag(option: click.Option) -> Flag:
    # click keeps the names of -h in a set: in a settled order, the script is always the same.
    names = sorted(option.opts, key=lambda name: name.startswith("--"))
    about = re.split(r" \[|[.:;](?: |\Z)", option.help or "")[0]
    taking = not option.is_flag and not option.count
    return Flag((*names, *option.secondary_opts), about, _value(option.type) if taking else None)


def _value(taken: click.ParamType[Any], commands: tuple[str, ...] = ()) -> Value:
    if isinstance(taken, click.Choice):
        return Value(tuple(map(str, taken.choices)))
    if not isinstance(taken, Word):
        return Value()
    words = (*taken.words, *(commands if "command" in taken.offers else ()))
    return Value(words, tuple(kind for kind in taken.offers if kind != "command"))


def verbs(root: click.Group) -> Iterator[Verb]:
    """Every command that is not hidden, without the options that all commands take."""
    ctx = click.Context(root, info_name="git ghost")
    common = {flag.names for flag in flags(root)}
    names = tuple(root.list_commands(ctx))
    for name in names:
        command = root.get_command(ctx, name)
        assert command is not None
        types = [
            each
            for param in command.params
            if isinstance(param, click.Argument)
            for each in (param.type.positions if isinstance(param.type, Word) else (param.type,))
        ]
        yield Verb(
            name,
            command.get_short_help_str(100).rstrip("."),
            tuple(flag for flag in flags(command) if flag.names not in common),
            tuple(_value(each, names) for each in types),
        )
