"""The man page git-ghost(1), which is what ``git ghost --help`` opens.

Its text about commands and options is that of ``-h``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator

import click

from git_ghost import __version__
from git_ghost.cli.options.common import GhostCommand, is_global

_SETTINGS = (
    (
        "ghost.repo",
        (
            "The ghost repository: a URL or a path, as `git fetch` takes it; a relative path starts"
            " at the top of the working tree. Without it, ghosts are kept in `git-ghost/ghosts.git`"
            " below `$XDG_DATA_HOME`, for this machine alone."
        ),
    ),
    ("ghost.prefix", "First part of the names of ghosts' branches. By default `ghost`."),
    (
        "ghost.remote",
        (
            "The source remote: the one that has the base commit, or is to get it. By default that"
            " of the current branch, or one that has the commit."
        ),
    ),
    (
        "ghost.source",
        (
            "URL or path of the source repository, where a pull or a clone finds commits that are"
            " missing. By default the source remote, or what the ghost says."
        ),
    ),
    (
        "ghost.sshAhead",
        (
            "Whether the ssh connection is opened while the working tree is looked at, and shared"
            " by the git commands of one call. By default `true`."
        ),
    ),
    (
        "ghost.untracked",
        "Whether new files that git does not ignore are sent. By default `true`.",
    ),
    (
        "ghost.maxFileSize",
        "A changed or new file that is larger is not sent, and the push refused. By default `25m`.",
    ),
    (
        "ghost.maxSize",
        (
            "When the changed and new files are larger together, the push is refused. By default"
            " `200m`."
        ),
    ),
)

_VARIABLES = (
    ("GIT_GHOST_REPO", "The ghost repository; goes before `ghost.repo`."),
    ("GIT_GHOST_PREFIX", "Goes before `ghost.prefix`."),
    ("GIT_GHOST_SOURCE", "Goes before `ghost.source`."),
    (
        "XDG_DATA_HOME",
        "Where the default ghost repository is kept. By default `~/.local/share`.",
    ),
    ("NO_COLOR", "When it is set and not empty, nothing is coloured."),
)

EXIT_CODES = (
    ("0", "Done."),
    ("1", "An expected failure, or something `git ghost doctor` found."),
    ("2", "The call makes no sense: an unknown option, a malformed hash."),
    ("3", "There is no such ghost, or more than one that begins so."),
    ("4", "A base commit is not to be had: neither here nor on the source remote."),
    ("5", "Local changes are in the way of a pull. Nothing was touched."),
    ("6", "Verification failed: what was rebuilt is not what the hash promises."),
    ("7", "Network or access: a host, credentials, permissions, a lost connection."),
    ("70", "A bug in git ghost. The message names a file that tells what happened."),
    ("75", "With `--retry`: a network fault that may pass was still there when the time was up."),
    ("130", "Interrupted (SIGINT). Temporary files are gone, as in the next case."),
    ("129, 143", "Terminated (SIGHUP, SIGTERM)."),
    ("141", "Nobody read the output to its end (SIGPIPE)."),
)

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
    yield from _list(_SETTINGS)
    yield ".SH ENVIRONMENT"
    yield from _list(_VARIABLES)
    yield ".SH EXIT STATUS"
    yield from _list(EXIT_CODES)
    yield ".SH EXAMPLES"
    for title, example in _EXAMPLES:
        yield ".PP"
        yield from _guarded(_inline(title))
        yield f".RS 4\n.EX\n{_code(example)}\n.EE\n.RE"
    yield ".SH SEE ALSO"
    yield re.sub(r"([\w-]+)\((\d)\)", lambda m: f"\\fB{_code(m[1])}\\fR({m[2]})", _SEE_ALSO)


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
