"""``git ghost completion``: scripts that complete commands, options and hashes, for three shells.

They are made from the commands themselves, so that a shell starts no process but for hashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import click

from git_ghost.cli.options.common import GhostCommand

SHELLS = ("bash", "zsh", "fish")

_HASHED = ("pull", "show", "clone", "diff", "delete")
"""The commands that take hashes of ghosts."""
_REVISIONS = ("push", "diff")
"""The commands that take commits of this repository."""
_TAKEN = {"DIR": "folder", "URL": "folder", "PATH": "file"}
"""What is offered for a value, by its metavar; anything else is free text."""


@dataclass(frozen=True)
class Flag:
    """An option: its names, its help, and what it takes (``""``: nothing)."""

    names: tuple[str, ...]
    about: str
    takes: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verb:
    """A command: its short help, its own words (``diff``, ``bash``, …) and its options."""

    name: str
    about: str
    words: tuple[str, ...]
    flags: tuple[Flag, ...]


@click.command("completion", cls=GhostCommand)
@click.argument("shell", type=click.Choice(SHELLS), metavar="bash|zsh|fish")
def command(shell: str) -> None:
    """Print a script that completes git ghost in a shell.

    It completes commands, options and, after `git ghost pull` and the like, the hashes in the ghost
    repository; for `git ghost` and for `git-ghost`. Packages install it where the shell looks for
    it. Otherwise:

    \b
    bash    git ghost completion bash \\
              > ~/.local/share/bash-completion/completions/git-ghost
    zsh     git ghost completion zsh > DIR/_git-ghost    (a DIR in $fpath)
    fish    git ghost completion fish \\
              > ~/.config/fish/completions/git-ghost.fish
    """
    click.echo(script(shell), nl=False)


def script(shell: str) -> str:
    """The completion script for ``bash``, ``zsh`` or ``fish``."""
    write = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]
    return "\n".join(write(_flags(_root()), list(_verbs()))) + "\n"


def _root() -> click.Group:
    from git_ghost.cli.main import cli

    return cli


def _verbs() -> Iterator[Verb]:
    root = _root()
    ctx = click.Context(root, info_name="git ghost")
    common = {flag.names for flag in _flags(root)}
    for name in root.list_commands(ctx):
        found = root.get_command(ctx, name)
        assert found is not None
        words: tuple[str, ...] = ()
        if name in ("push", "pull", "show", "list", "delete"):
            words = ("diff", "commits", "all")
        elif name == "completion":
            words = SHELLS
        elif name == "help":
            words = tuple(root.list_commands(ctx))
        flags = tuple(flag for flag in _flags(found) if flag.names not in common)
        yield Verb(name, found.get_short_help_str(100).rstrip("."), words, flags)


def _flags(found: click.Command) -> tuple[Flag, ...]:
    """The options of a command, ``-h`` too."""
    flags = []
    for param in found.get_params(click.Context(found, **found.context_settings)):
        if not isinstance(param, click.Option) or param.hidden:
            continue
        # click keeps the names of -h in a set: in a settled order, the script is always the same.
        opts = sorted(param.opts, key=lambda name: name.startswith("--"))
        names = (*opts, *param.secondary_opts)
        about = re.split(r" \[|[.:;](?: |\Z)", param.help or "")[0]
        choices: tuple[str, ...] = ()
        takes = ""
        if isinstance(param.type, click.Choice):
            takes, choices = "choice", tuple(map(str, param.type.choices))
        elif not param.is_flag and not param.count:
            takes = _TAKEN.get(param.metavar or "", "text")
        flags.append(Flag(names, about, takes, choices))
    return tuple(flags)


def _names(flags: tuple[Flag, ...]) -> list[str]:
    return [name for flag in flags for name in flag.names]


# --- bash ----------------------------------------------------------------------------------------

_BASH = r"""# bash completion for git ghost, made by: git ghost completion bash

# Offer those of the arguments that begin with the word that is being written.
# (Completion is registered with nospace, as git does it, so the space is put here.)
__git_ghost_offer() {
    local word
    for word; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$word ")
    done
}

__git_ghost_paths() { # -f for files, -d for folders
    local path
    compopt -o filenames -o default 2>/dev/null
    while IFS= read -r path; do
        COMPREPLY+=("$path")
    done < <(compgen "$1" -- "$cur")
}

# The hashes in the ghost repository; quietly none when it cannot be asked.
__git_ghost_hashes() {
    local hash
    while IFS= read -r hash; do
        COMPREPLY+=("$hash ")
    done < <(git-ghost "${globals[@]}" _complete-hashes -- "$cur" 2>/dev/null)
}

__git_ghost_revisions() {
    local name
    __git_ghost_offer HEAD
    while IFS= read -r name; do
        COMPREPLY+=("$name ")
    done < <(git for-each-ref --format='%(refname:short)' \
        "refs/heads/$cur*" "refs/heads/$cur*/**" "refs/tags/$cur*" "refs/remotes/$cur*/**" \
        2>/dev/null)
}

# Complete the arguments that begin at index $1 of "words".
__git_ghost_complete() {
    local at=$1 verb="" count=0
    local -a globals=()
    COMPREPLY=()
    while ((at < cword)); do
        case ${words[at]} in
            @GLOBAL_VALUED@)
                globals+=("${words[at]}" "${words[at + 1]-}")
                ((at++))
                ;;
            @GLOBAL_GLUED@)
                globals+=("${words[at]}")
                ;;
            -*)
                case $verb:${words[at]} in
                    @VALUED@) ((at++)) ;;
                esac
                ;;
            *)
                if [[ -z $verb ]]; then verb=${words[at]}; else ((count++)); fi
                ;;
        esac
        ((at++))
    done
    case $verb:$prev in
@VALUES@
    esac
    if [[ $cur == -* ]]; then
        __git_ghost_offer @GLOBALS@
        case $verb in
@OPTIONS@
        esac
        return
    fi
    if [[ -z $verb ]]; then
        __git_ghost_offer @VERBS@
        return
    fi
    if ((count == 0)); then
        case $verb in
@WORDS@
        esac
    fi
    case $verb in
        @HASHED@) __git_ghost_hashes ;;
    esac
    case $verb in
        @REVISIONS@) __git_ghost_revisions ;;
    esac
}

# Called by git's own completion, for `git ghost`; it has set words, cword, cur and prev.
_git_ghost() {
    local at=1
    while ((at < cword)) && [[ ${words[at]} != ghost ]]; do
        ((at++))
    done
    __git_ghost_complete $((at + 1))
}

# For `git-ghost`.
_git_ghost_alone() {
    local words cword cur prev
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n =: words cword cur prev
    else
        words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
        cur=${words[cword]} prev=${words[cword - 1]}
    fi
    __git_ghost_complete 1
}

complete -o nospace -F _git_ghost_alone git-ghost"""


def _bash(common: tuple[Flag, ...], verbs: list[Verb]) -> Iterator[str]:
    valued = [name for flag in common if flag.takes for name in flag.names]
    values = [_bash_value("*", flag) for flag in common if flag.takes]
    own = []
    for verb in verbs:
        for flag in verb.flags:
            if flag.takes:
                own += [f"{verb.name}:{name}" for name in flag.names]
                values.append(_bash_value(verb.name, flag))
    filled = {
        "GLOBAL_VALUED": " | ".join(valued),
        "GLOBAL_GLUED": " | ".join(f"{name}=*" for name in valued),
        "VALUED": " | ".join(own),
        "VALUES": "\n".join(values),
        "GLOBALS": " ".join(_names(common)),
        "OPTIONS": "\n".join(
            f"            {verb.name}) __git_ghost_offer {' '.join(_names(verb.flags))} ;;"
            for verb in verbs
            if verb.flags
        ),
        "VERBS": " ".join(verb.name for verb in verbs),
        "WORDS": "\n".join(
            f"            {verb.name}) __git_ghost_offer {' '.join(verb.words)} ;;"
            for verb in verbs
            if verb.words
        ),
        "HASHED": " | ".join(_HASHED),
        "REVISIONS": " | ".join(_REVISIONS),
    }
    text = _BASH
    for key, value in filled.items():
        text = text.replace(f"@{key}@", value)
    yield text


def _bash_value(verb: str, flag: Flag) -> str:
    """The line that offers what may follow an option."""
    offers = {
        "choice": f"__git_ghost_offer {' '.join(flag.choices)}; return",
        "file": "__git_ghost_paths -f; return",
        "folder": "__git_ghost_paths -d; return",
        "text": "return",
    }
    patterns = " | ".join(f"{verb}:{name}" for name in flag.names)
    return f"        {patterns}) {offers[flag.takes]} ;;"


# --- zsh -----------------------------------------------------------------------------------------

_ZSH_START = r"""#compdef git-ghost
#description send the exact state of a working tree to where it runs
# zsh completion for git ghost, made by: git ghost completion zsh

# The hashes in the ghost repository; quietly none when it cannot be asked.
__git-ghost-hashes() {
  local -a globals hashes
  local name
  for name in --ghost-repo --ghost-prefix --src-dir; do
    (( $+opt_args[$name] )) && globals+=($name "${(Q)opt_args[$name]}")
  done
  hashes=(${(f)"$(git-ghost $globals _complete-hashes -- "$PREFIX" 2>/dev/null)"})
  _wanted hashes expl 'hash of a ghost' compadd -a hashes
}

__git-ghost-revisions() {
  local -a names
  names=(HEAD ${(f)"$(git for-each-ref --format='%(refname:short)' \
    refs/heads refs/tags refs/remotes 2>/dev/null)"})
  _wanted commits expl commit compadd -a names
}

__git-ghost-words() { # the words a command begins with, then what else it takes
  local takes=$1
  shift
  (( CURRENT == 2 && $# )) && _wanted words expl 'what' compadd -- "$@"
  [[ $takes == *hash* ]] && __git-ghost-hashes
  [[ $takes == *commit* ]] && __git-ghost-revisions
}

_git-ghost() {
  local curcontext="$curcontext" state line expl
  local -A opt_args
  local -a commands global
  commands=("""

_ZSH_END = r"""  esac
}

# Called by the completion git comes with, which speaks bash: it has put `git` before the words.
_git_ghost() {
  emulate -L zsh
  setopt "${_comp_options[@]}"
  words=("${(@)words[2,-1]}")
  _git-ghost
}

if [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then
  _git-ghost "$@"
else
  compdef _git-ghost git-ghost
fi"""


def _zsh(common: tuple[Flag, ...], verbs: list[Verb]) -> Iterator[str]:
    yield _ZSH_START
    for verb in verbs:
        yield f"    {_quoted(f'{verb.name}:{verb.about}')}"
    yield "  )\n  global=("
    for flag in common:
        yield from (f"    {spec}" for spec in _zsh_specs(flag))
    yield "  )"
    yield "  _arguments -C $global '1:command:->command' '*::argument:->argument' && return"
    yield "  case $state in"
    yield "    command) _describe -t commands command commands; return ;;"
    yield "  esac"
    yield "  case $words[1] in"
    for verb in verbs:
        takes = " ".join(
            name for name, some in (("hash", _HASHED), ("commit", _REVISIONS)) if verb.name in some
        )
        yield f"    {verb.name})"
        yield "      _arguments -s -S $global \\"
        for flag in verb.flags:
            yield from (f"        {spec} \\" for spec in _zsh_specs(flag))
        words = " ".join(verb.words)
        yield f"        '*:argument:{{__git-ghost-words \"{takes}\" {words}}}'"
        yield "      ;;"
    yield _ZSH_END


def _zsh_specs(flag: Flag) -> Iterator[str]:
    """What ``_arguments`` takes for an option: one word for each of its names."""
    about = "".join(f"\\{c}" if c in "[]:\\" else c for c in flag.about)
    value = {
        "": "",
        "choice": f":value:({' '.join(flag.choices)})",
        "file": ":file:_files",
        "folder": ":folder:_files -/",
        "text": ":text: ",
    }[flag.takes]
    for name in flag.names:
        glued = "=" if flag.takes and name.startswith("--") else ""
        yield _quoted(f"*{name}{glued}[{about}]{value}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


# --- fish ----------------------------------------------------------------------------------------

_FISH = r"""# fish completion for git ghost, made by: git ghost completion fish
# (For `git ghost`, newer versions of fish ask the completion of git-ghost.)

function __git_ghost_words -d 'The words written so far that are no options of git ghost'
    set -l words (commandline -opc)
    set -e words[1]
    set -l skip 0
    for word in $words
        if test $skip = 1
            set skip 0
        else
            switch $word
                case @GLOBAL_VALUED@
                    set skip 1
                case '-*'
                case '*'
                    echo -- $word
            end
        end
    end
end

function __git_ghost_needs_command
    test (count (__git_ghost_words)) -eq 0
end

function __git_ghost_in -d 'Whether one of these is the command'
    contains -- (__git_ghost_words)[1] $argv
end

function __git_ghost_first -d 'Whether the word is the first one after one of these commands'
    __git_ghost_in $argv; and test (count (__git_ghost_words)) -eq 1
end

function __git_ghost_hashes -d 'The hashes in the ghost repository'
    set -l words (commandline -opc)
    set -l globals
    while set -q words[1]
        switch $words[1]
            case --ghost-repo --ghost-prefix --src-dir
                set -a globals $words[1..2]
            case '--ghost-repo=*' '--ghost-prefix=*' '--src-dir=*'
                set -a globals $words[1]
        end
        set -e words[1]
    end
    git-ghost $globals _complete-hashes -- (commandline -ct) 2>/dev/null
end

function __git_ghost_revisions -d 'Names of commits here'
    echo HEAD
    git for-each-ref --format='%(refname:short)' refs/heads refs/tags refs/remotes 2>/dev/null
end

complete -c git-ghost -f"""


def _fish(common: tuple[Flag, ...], verbs: list[Verb]) -> Iterator[str]:
    valued = " ".join(name for flag in common if flag.takes for name in flag.names)
    yield _FISH.replace("@GLOBAL_VALUED@", valued)
    for flag in common:
        yield f"complete -c git-ghost{_fish_flag(flag)}"
    for verb in verbs:
        yield (
            "complete -c git-ghost -n __git_ghost_needs_command"
            f" -a {verb.name} -d {_fish_quoted(verb.about)}"
        )
    for verb in verbs:
        condition = f" -n '__git_ghost_in {verb.name}'"
        if verb.words:
            yield (
                f"complete -c git-ghost -n '__git_ghost_first {verb.name}'"
                f" -a {_fish_quoted(' '.join(verb.words))}"
            )
        for flag in verb.flags:
            yield f"complete -c git-ghost{condition}{_fish_flag(flag)}"
    hashed, revisions = " ".join(_HASHED), " ".join(_REVISIONS)
    yield f"complete -c git-ghost -n '__git_ghost_in {hashed}' -a '(__git_ghost_hashes)'"
    yield f"complete -c git-ghost -n '__git_ghost_in {revisions}' -a '(__git_ghost_revisions)'"


def _fish_flag(flag: Flag) -> str:
    names = "".join(
        f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}" for name in flag.names
    )
    value = {
        "": "",
        "choice": f" -x -a {_fish_quoted(' '.join(flag.choices))}",
        "file": " -r -F",
        "folder": " -x -a '(__fish_complete_directories)'",
        "text": " -x",
    }[flag.takes]
    return f"{names}{value} -d {_fish_quoted(flag.about)}"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
