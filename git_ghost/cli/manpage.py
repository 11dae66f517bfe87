"""The man page git-ghost(1), which is what ``git ghost --help`` opens.

Its text about commands and options is that of ``-h``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

import click

from git_ghost import __version__
from git_ghost.cli.options.common import GhostCommand, is_global
from git_ghost.errors import EXIT_CODES
from git_ghost.settings import TABLE, Setting, place

_VARIABLES = (
    (
        "XDG_DATA_HOME",
        "Where the default ghost repository is kept. By default `~/.local/share`.",
    ),
    ("NO_COLOR", "When it is set and not empty, nothing is coloured."),
)
"""What the environment says that no setting does."""

_EXAMPLES = (
    (
        "Name the ghost repository once, for all repositories of this machine:",
        "git config --global ghost.repo git@example.com:team/ghosts.git",
    ),
    (
        "On the laptop: send the working tree as it is. The second word is its hash.",
        "git ghost push -m 'Lower the learning rate'",
    ),
    (
        "In a container, where there is no repository yet:",
        "git ghost clone HASH /workspace --ghost-repo URL",
    ),
    ("In a clone, on a server:", "git ghost pull HASH"),
    (
        "In a script, which needs the hash alone:",
        "hash=$(git ghost push | tail -n 1 | cut -d' ' -f2)",
    ),
    ("What changed between two runs:", "git ghost diff HASH1 HASH2"),
    ("A file git ignores goes along:", "git ghost push -I conf/local.yaml"),
    (
        "The ghosts on a commit are not needed any more:",
        "git ghost delete all --from COMMIT --to '*'",
    ),
)

_SEE_ALSO = "git(1), git-config(1), git-stash(1), gitcredentials(7), gitignore(5), gitrevisions(7)"


def render() -> str:
    """The man page in roff, the same for the same version."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    from git_ghost.cli.main import cli

    root = click.Context(cli, info_name="git ghost")
    commands = [(name, _command(cli, root, name)) for name in cli.list_commands(root)]
    about, *paragraphs = _paragraphs(cli)
    yield ".nr HY 0"  # no hyphenation: names must stay as they are
    yield f'.TH GIT\\-GHOST 1 "" "git ghost {__version__}" "Git Manual"'
    yield ".ad l"
    yield ".SH NAME"
    first = about.rstrip(".")
    yield f"git\\-ghost \\- {_inline(first[0].lower() + first[1:])}"
    yield ".SH SYNOPSIS\n.nf"
    for name, command in commands:
        for form in _forms(command):
            yield f"\\fBgit ghost {name}\\fR [\\fIOPTIONS\\fR] {_escape(form)}".rstrip()
    yield ".fi"
    yield ".SH DESCRIPTION"
    yield from _text(paragraphs)
    yield ".SH COMMANDS"
    for name, command in commands:
        yield f".SS {name}"
        yield from _text(_paragraphs(command))
        yield from _options(command, everywhere=False)
    yield ".SH OPTIONS"
    yield "These are taken before and after the name of a command. They end at \\fB\\-\\-\\fR. What"
    yield "stands in brackets is the variable of the environment and the setting of"
    yield "\\fBgit config\\fR that say the same, and the default."
    yield from _options(cli, everywhere=True)
    yield ".SH CONFIGURATION"
    yield "An option goes before a variable of the environment, and that before these settings of"
    yield "\\fBgit config\\fR:"
    yield from _list((row.key, _about(row)) for row in TABLE)
    yield ".SH ENVIRONMENT"
    yield from _list((row.variable, _about_variable(row)) for row in TABLE if row.variable)
    yield from _list(_VARIABLES)
    yield ".SH EXIT STATUS"
    yield "\\fBgit ghost run\\fR ends with the code of its job when that failed. Otherwise:"
    yield from _list((", ".join(map(str, row.codes)), row.meaning) for row in EXIT_CODES)
    yield ".SH EXAMPLES"
    for title, example in _EXAMPLES:
        yield ".PP"
        yield from _guarded(_inline(title))
        yield f".RS 4\n.EX\n{_code(example)}\n.EE\n.RE"
    yield ".SH SEE ALSO"
    yield re.sub(r"([\w-]+)\((\d)\)", lambda m: f"\\fB{_code(m[1])}\\fR({m[2]})", _SEE_ALSO)


def _about(row: Setting[Any]) -> str:
    shown = f"`{row.default}`" if row.shown == row.default else row.shown
    by_default = f"By default {shown}." if row.shown else ""
    several = "It may be given more than once." if row.repeatable else ""
    return " ".join(filter(None, (f"{row.about}.", row.more, by_default, several)))


def _about_variable(row: Setting[Any]) -> str:
    empty = " Set, but empty, it is an error." if row.read is place else ""
    return f"Goes before `{row.key}`.{empty}"


def _command(cli: click.Group, ctx: click.Context, name: str) -> click.Command:
    found = cli.get_command(ctx, name)
    assert found is not None
    return found


def _forms(command: click.Command) -> tuple[str, ...]:
    if isinstance(command, GhostCommand) and command.forms:
        return command.forms
    metavars = [p.metavar or "" for p in command.params if isinstance(p, click.Argument)]
    return (" ".join(metavars),)


def _paragraphs(command: click.Command) -> list[str]:
    return inspect.cleandoc(command.help or "").split("\n\n")


def _text(paragraphs: Iterable[str]) -> Iterator[str]:
    """Paragraphs of a help text; one that begins with click's ``\\b`` mark keeps its lines."""
    for paragraph in paragraphs:
        yield ".PP"
        if paragraph.startswith("\b"):
            lines = [_code(line) for line in paragraph.split("\n")[1:]]
            yield ".RS 4\n.EX"
            yield from lines
            yield ".EE\n.RE"
        else:
            yield from _guarded(_inline(" ".join(paragraph.split("\n"))))


def _options(command: click.Command, *, everywhere: bool) -> Iterator[str]:
    for param in command.params:
        if not isinstance(param, click.Option) or param.hidden:
            continue
        if is_global(param) is not everywhere:
            continue
        names = [f"\\fB{_code(name)}\\fR" for name in (*param.opts, *param.secondary_opts)]
        takes = "" if param.is_flag or param.count else f" \\fI{_code(_value(param))}\\fR"
        yield f".TP\n{', '.join(names)}{takes}"
        default = f" By default {param.default}." if param.show_default else ""
        yield from _guarded(_inline((param.help or "") + default))


def _value(param: click.Option) -> str:
    if param.metavar is None and isinstance(param.type, click.Choice):
        return "|".join(map(str, param.type.choices))
    return param.metavar or "VALUE"


def _list(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in entries:
        yield f".TP\n\\fB{_code(name)}\\fR"
        yield from _guarded(_inline(text))


# --- roff ----------------------------------------------------------------------------------------


def _escape(text: str) -> str:
    return text.replace("\\", "\\e")


def _code(text: str) -> str:
    """Text that is typed: its hyphens are minus signs, its quotes stay straight."""
    shown = _escape(text).replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return re.sub(r"^\.", "\\\\&.", shown)


def _inline(text: str) -> str:
    """Prose, with what stands in backquotes, and options, in bold."""
    pieces = re.split(r"`([^`]+)`", text)
    out = []
    for number, piece in enumerate(pieces):
        if number % 2:
            out.append(f"\\fB{_code(piece)}\\fR")
        else:
            option = r"(?<![\w-])(--?[A-Za-z][\w-]*)"
            parts = re.split(option, piece)
            out += [f"\\fB{_code(p)}\\fR" if i % 2 else _escape(p) for i, p in enumerate(parts)]
    return "".join(out)


def _guarded(text: str) -> Iterator[str]:
    """``text`` so that roff takes no line of it for a request."""
    yield ("\\&" if text.startswith((".", "'")) else "") + text
