"""What the commands share: the global options, forms such as ``push diff``, the call's Options."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from git_ghost import settings
from git_ghost.cli.spelling import spell
from git_ghost.cli.types import FILE, FOLDER, FREE, of_setting
from git_ghost.cli.view.output import is_plain, say
from git_ghost.settings import EVERYWHERE, Setting, Settings

if TYPE_CHECKING:
    from git_ghost.cli.view.progress import ProgressLine, ProgressLines
    from git_ghost.usecases import Options

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""Context settings of every command."""

FEW = 4
"""How many paths a summary names on one line."""
MANY = 8
"""How many paths a warning names."""

CONTAINERS = "Options for containers"
"""The heading of options that hardly anybody types."""

_META = "git_ghost.cli."
_LITERAL = _META + "literal"


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    # The meta dictionary is one for the group and its command; what comes later wins, -v adds up.
    if value:
        key = _META + str(param.name)
        ctx.meta[key] = ctx.meta.get(key, 0) + value if param.name == "verbose" else value


def remembered(ctx: click.Context) -> dict[str, Any]:
    """The values of the options a command remembers instead of taking them as arguments."""
    found = ctx.meta.setdefault(_META + "options", {})
    assert isinstance(found, dict)
    return found


def global_options() -> list[click.Parameter]:
    """The options that are taken before and after the command's name."""

    def option(*names: str, **more: Any) -> click.Option:
        return click.Option(names, expose_value=False, callback=_remember, **more)

    return [
        *(option(*_names(row), **_attributes(row)) for row in settings.in_group(EVERYWHERE)),
        option(
            "--src-dir", "directory", type=FOLDER, metavar="DIR",
            help="Work on the repository DIR is in.",
        ),
        option(
            "--ghost-working-dir", "working_dir", type=FOLDER, metavar="DIR",
            help="Folder for temporary files [default: in the repository's git folder].",
        ),
        option(
            "-v", "--verbose", "verbose", count=True,
            help="Say more: every path, and every git command that is run.",
        ),
        option("-q", "--quiet", "quiet", is_flag=True, help="Say nothing but warnings and errors."),
    ]  # fmt: skip


def _names(row: Setting[Any]) -> tuple[str, ...]:
    return (*row.flags, row.name)


def _attributes(row: Setting[Any], about: str = "") -> dict[str, Any]:
    """What click is told about the option of a setting."""
    said = (
        ("env: ", row.variable),
        ("config: ", row.key),
        ("default: ", row.shown),
    )
    brackets = ", ".join(label + value for label, value in said if value)
    text = f"{about or row.about} [{brackets}].{' Repeatable.' if row.repeatable else ''}"
    if any("/" in flag for flag in row.flags):
        return {"help": text, "default": None}
    return {
        "help": text,
        "metavar": row.metavar,
        "multiple": row.repeatable,
        "type": of_setting(row),
    }


def remember_setting(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep what was given for a setting for :func:`calling`, as a click callback."""
    if value not in (None, ()):
        ctx.meta[_META + str(param.name)] = value


_GLOBAL = frozenset(str(option.name) for option in global_options())


def is_global(param: click.Parameter) -> bool:
    """Whether it is one of :func:`global_options`."""
    return not param.expose_value and param.name in _GLOBAL


class GhostCommand(click.Command):
    """A command that takes the global options too; ``forms`` are its lines of usage."""

    def __init__(self, *args: Any, forms: Sequence[str] = (), **kwargs: Any) -> None:
        kwargs["params"] = [*(kwargs.get("params") or ()), *global_options()]
        kwargs["context_settings"] = HELP
        super().__init__(*args, **kwargs)
        self.forms = tuple(forms)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and remember how many arguments stand behind ``--``."""
        try:
            args, ctx.meta[_LITERAL] = spell(self.params, args)
            return super().parse_args(ctx, args)
        except click.UsageError as e:
            e.ctx = e.ctx or ctx  # a missing value of an option comes without
            raise

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line for each form."""
        prefix = "Usage: "
        for form in self.forms or ("",):
            formatter.write_usage(ctx.command_path, f"[OPTIONS] {form}".rstrip(), prefix)
            prefix = " " * len(prefix)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command's own options, then the global ones."""
        format_global_options(self, ctx, formatter)


def format_global_options(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    """Write the options of a command in parts: its own, and those every command takes."""
    parts: dict[str, list[tuple[str, str]]] = {"Options": [], CONTAINERS: [], "Global options": []}
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
        if record is not None:
            own = getattr(param, "heading", "Options")
            parts["Global options" if is_global(param) else own].append(record)
    for title, records in parts.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def split_form(words: Sequence[str], forms: Sequence[str], default: str) -> tuple[str, list[str]]:
    """Which of ``forms`` the first word names (else ``default``), and the other words, stripped.

    A word behind ``--`` is never taken for the name of a form.
    """
    literal = click.get_current_context().meta.get(_LITERAL, 0)
    rest = [word.strip() for word in words]
    if len(rest) > literal and rest[0] in forms:
        return rest[0], rest[1:]
    return default, rest


def behind_dashes() -> int:
    """How many of the call's arguments stand behind ``--``."""
    return int(click.get_current_context().meta.get(_LITERAL, 0))


def rows_on_stdin(words: Sequence[str]) -> list[list[str]]:
    """The ghosts on standard input, a line each, as `git ghost push` and `git ghost list` print
    them: BASE and HASH, or HASH alone; more words in front do not count.

    UsageError when there is no line, or ``-`` stands twice in ``words``.
    """
    context = click.get_current_context()
    rows = [line.split()[-2:] for line in sys.stdin.read().splitlines() if line.strip()]
    if not rows:
        raise click.UsageError("There is no hash on standard input.", context)
    if words.count("-") > 1:
        raise click.UsageError("Standard input (-) can be named only once.", context)
    return rows


def from_stdin(words: Sequence[str], most: int) -> list[str]:
    """``words``, at most ``most``, with ``-`` replaced by what the last line on stdin says.

    Its base counts where there is room for one. Raises as :func:`rows_on_stdin` does.
    """
    if "-" not in words:
        return list(words)
    last, at = rows_on_stdin(words)[-1], words.index("-")
    room = max(1, most - len(words) + 1)
    return [*words[:at], *last[-room:], *words[at + 1 :]]


def expect(words: Sequence[str], least: int, most: int, what: str) -> None:
    """Raise UsageError unless there are ``least`` to ``most`` words; ``what`` may be missing."""
    if len(words) < least:
        raise click.UsageError(f"Missing argument {what}.", click.get_current_context())
    if len(words) > most:
        raise click.UsageError(f"Unexpected argument '{words[most]}'.", click.get_current_context())


def verbose() -> int:
    """How often ``-v`` was given."""
    return int(click.get_current_context().meta.get(_META + "verbose", 0))


def quiet() -> bool:
    """Whether ``-q`` was given."""
    return bool(click.get_current_context().meta.get(_META + "quiet"))


def at_most(number: int) -> int:
    """``number``, or as good as no limit with ``-v``."""
    return sys.maxsize if verbose() else number


def given_settings() -> dict[str, Any]:
    """What was given on the command line for settings, by their names."""
    meta = click.get_current_context().meta
    return {r.name: meta[_META + r.name] for r in settings.TABLE if _META + r.name in meta}


@contextlib.contextmanager
def calling() -> Iterator[Options]:
    """The Options of this call, with progress on the terminal as long as the block lasts."""
    from git_ghost.usecases import Options

    meta = click.get_current_context().meta
    given = given_settings()
    line: ProgressLine | ProgressLines | None = None
    if remembered(click.get_current_context()).get("progress"):
        from git_ghost.cli.view.progress import ProgressLines

        line = ProgressLines()
    elif not (quiet() or verbose() or is_plain(sys.stderr)):
        from git_ghost.cli.view.progress import ProgressLine

        line = ProgressLine()
    try:
        with _commands_shown() if verbose() else contextlib.nullcontext():
            yield Options(
                **{name: given.pop(name, None) for name in ("repo", "prefix", "remote", "source")},
                settings=given,
                directory=meta.get(_META + "directory"),
                working_dir=meta.get(_META + "working_dir", ""),
                progress=line,
                environ=os.environ,
            )
    finally:
        if line is not None:
            line.close()


def _commands_shown() -> contextlib.AbstractContextManager[None]:
    """Say every command that is started, without the settings that all of git's get."""
    import shlex

    from git_ghost.git import command
    from git_ghost.process import commands_told
    from git_ghost.urls import redact_text

    common = command()

    def tell(argv: Sequence[str]) -> None:
        if list(argv[: len(common)]) == common:
            argv = ["git", *argv[len(common) :]]
        say(redact_text(f"+ {shlex.join(argv)}"))

    return commands_told(tell)


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def together(*options: Decorator) -> Decorator:
    """Several options as one, in the order of the help."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def json_option() -> Decorator:
    """``--json``, the same everywhere."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")


def force_option(begin: str = "Set") -> Decorator:
    """``--force``, the same everywhere; ``begin`` is how its help begins."""
    return click.option(
        "--force", is_flag=True,
        help=f"{begin} local changes that are in the way aside, in a backup ref, instead of"
        " refusing.",
    )  # fmt: skip


def exact_option() -> Decorator:
    """``--exact``, the same everywhere."""
    return click.option(
        "--exact", is_flag=True,
        help="Refuse when there are untracked files that are not part of what is pulled, or files"
        " ask for filters that are not set up here.",
    )  # fmt: skip


def setting_option(row: Setting[Any], *, about: str = "", exposed: bool = False) -> Decorator:
    """The option of a setting, ``about`` in other words; the call's Options have what was given.

    ``exposed``: the command gets it as an argument instead.
    """
    more = _attributes(row, about)
    if not exposed:
        more |= {"expose_value": False, "callback": remember_setting}
    return click.option(*_names(row), **more)


def group_options(group: str) -> Decorator:
    """The options of all settings of a group."""
    return together(*(setting_option(row) for row in settings.in_group(group)))


def source_option() -> Decorator:
    """``--source``, the same everywhere."""
    return group_options(settings.SOURCE)


def push_options() -> Decorator:
    """What of the working tree goes, for the commands that push it."""
    return together(
        click.option(
            "-I", "--include", multiple=True, type=FILE, metavar="PATH",
            help="Send this file or folder too, even if git ignores it. Repeatable.",
        ),
        click.option(
            "--follow-symlinks", is_flag=True,
            help="Send also what included symbolic links point to, inside the repository.",
        ),
        setting_option(Settings.untracked, exposed=True),
        click.option(
            "--without", multiple=True, metavar="WHAT",
            type=click.Choice(["nested", "submodules", "lfs"]),
            help="Go on without what a ghost cannot carry: `nested` (the content of repositories"
            " inside this one), `submodules` (what is not committed or not pushed in them), `lfs`"
            " (the content behind Git LFS pointers). Repeatable.",
        ),
        click.option(
            "-m", "--message", default="", type=FREE, metavar="TEXT",
            help="Say what this ghost is about."
        ),
    )  # fmt: skip
