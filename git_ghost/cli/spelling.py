"""Arguments as v0.1 and kubectl take them, in click's spelling: ``--all=true``, ``-v=2``, ``-o=x``.

What these are is said in the documentation of Go's pflag.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import click

_TRUE = frozenset("1 t T TRUE true True".split())
_FALSE = frozenset("0 f F FALSE false False".split())
"""What Go's strconv.ParseBool takes."""


class Spelled(NamedTuple):
    """The arguments as click takes them; ``literal`` of them stand behind ``--``."""

    args: list[str]
    literal: int


def spell(params: Sequence[click.Parameter], args: Sequence[str], *, words: bool = True) -> Spelled:
    """``args`` of a command that has ``params``; without ``words`` the first word ends them.

    Raises UsageError for a value that an option without one cannot have.
    """
    options = {
        name: param
        for param in params
        if isinstance(param, click.Option)
        for name in (*param.opts, *param.secondary_opts)
    }
    options.setdefault("-h", click.Option(["-h"], is_flag=True))
    done: list[str] = []
    at = 0
    while at < len(args):
        arg = args[at]
        at += 1
        if arg == "--":
            return Spelled([*done, *args[at - 1 :]], len(args) - at)
        if not words and not arg.startswith("-"):
            return Spelled([*done, *args[at - 1 :]], 0)
        spelled = list(_long(options, arg) if arg.startswith("--") else _short(options, arg))
        done += spelled
        if spelled == [arg] and _lacks_value(options, arg) and at < len(args):
            done.append(args[at])
            at += 1
    return Spelled(done, 0)


def _takes_value(option: click.Option | None) -> bool:
    return option is not None and not option.is_flag and not option.count


def _lacks_value(options: dict[str, click.Option], arg: str) -> bool:
    """Whether the value of the option stands in the next argument."""
    if arg.startswith("--"):
        return _takes_value(options.get(arg))
    if not arg.startswith("-"):
        return False
    # In a cluster such as -vm, the rest is the value of the first that takes one.
    taking = next((i for i, c in enumerate(arg) if i and _takes_value(options.get(f"-{c}"))), 0)
    return taking > 0 and taking == len(arg) - 1


def _long(options: dict[str, click.Option], arg: str) -> Iterator[str]:
    name, equals, value = arg.partition("=")
    option = options.get(name)
    if not equals or option is None or _takes_value(option):
        yield arg
    else:
        yield from _switched(option, name, value)


def _short(options: dict[str, click.Option], arg: str) -> Iterator[str]:
    """A cluster: ``-v=2`` and ``-o=x`` have a sign that is not part of the value."""
    for at in range(1, len(arg)):
        option = options.get(f"-{arg[at]}")
        if option is None:
            break
        if arg[at + 1 : at + 2] == "=":
            if _takes_value(option):
                yield arg[: at + 1]
                yield arg[at + 2 :]
            else:
                if at > 1:
                    yield arg[:at]
                yield from _switched(option, f"-{arg[at]}", arg[at + 2 :])
            return
        if _takes_value(option):
            break
    yield arg


def _switched(option: click.Option, name: str, value: str) -> Iterator[str]:
    """An option that takes no value, as often as ``value`` says, or its opposite."""
    if option.count:
        if not value.isascii() or not value.isdigit():
            raise click.UsageError(f"{name} is '{value}', which is not a number.")
        yield from [name] * min(int(value), 9)
    elif value in _TRUE:
        yield name
    elif value not in _FALSE:
        raise click.UsageError(f"{name} is '{value}', which is neither true nor false.")
    elif option.secondary_opts:
        yield (option.secondary_opts if name in option.opts else option.opts)[0]
