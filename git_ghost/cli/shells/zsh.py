"""The completion script for zsh."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from git_ghost.cli.shells.offers import Flag, Value, Verb

_START = r"""#compdef git-ghost
#description send the exact state of a working tree to where it runs
# zsh completion for git ghost, made by: git ghost completion zsh

# The hashes in the ghost repository; quietly none when it cannot be asked.
__git-ghost-hashes() { # (--bases: the commits that ghosts start from)
  local -a globals lines hashes
  local name line
  for name in --ghost-repo --ghost-prefix --src-dir; do
    (( $+opt_args[$name] )) && globals+=($name "${(Q)opt_args[$name]}")
  done
  lines=(${(f)"$(git-ghost $globals _complete-hashes --about "$@" -- "$PREFIX" 2>/dev/null)"})
  for line in $lines; do
    hashes+=("${line/$'\t'/:}")
  done
  _describe -V -t hashes 'ghost' hashes
}

__git-ghost-revisions() {
  local -a names
  names=(HEAD ${(f)"$(git for-each-ref --format='%(refname:short)' \
    refs/heads refs/tags refs/remotes 2>/dev/null)"})
  _wanted commits expl commit compadd -a names
}

__git-ghost-words() {
  _wanted words expl 'what' compadd -- "$@"
}

_git-ghost() {
  local curcontext="$curcontext" state line expl
  local -A opt_args
  local -a commands global
  commands=("""

_END = r"""  esac
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

_CALLS = {
    "hash": "__git-ghost-hashes",
    "base": "__git-ghost-hashes --bases",
    "revision": "__git-ghost-revisions",
    "file": "_files",
    "folder": "_files -/",
}


def script(common: Sequence[Flag], verbs: Sequence[Verb]) -> Iterator[str]:
    """The script, in pieces; ``common`` are the options of every command."""
    yield _START
    for verb in verbs:
        yield f"    {_quoted(f'{verb.name}:{verb.about}')}"
    yield "  )\n  global=("
    for flag in common:
        yield from (f"    {spec}" for spec in _specs(flag))
    yield "  )"
    yield "  _arguments -C $global '1:command:->command' '*::argument:->argument' && return"
    yield "  case $state in"
    yield "    command) _describe -t commands command commands; return ;;"
    yield "  esac"
    yield "  case $words[1] in"
    for verb in verbs:
        specs = [spec for flag in verb.flags for spec in _specs(flag)]
        specs += [
            _quoted(f"{'*' if last else number + 1}:argument:{_action(value)}")
            for number, last, value in verb.places
        ]
        yield f"    {verb.name})"
        yield " \\\n        ".join(["      _arguments -s -S $global", *specs])
        yield "      ;;"
    yield _END


def _specs(flag: Flag) -> Iterator[str]:
    """What ``_arguments`` takes for an option: one word for each of its names."""
    about = "".join(f"\\{c}" if c in "[]:\\" else c for c in flag.about)
    value = f":value:{_action(flag.takes)}" if flag.takes else ""
    for name in flag.names:
        glued = "=" if flag.takes and name.startswith("--") else ""
        yield _quoted(f"*{name}{glued}[{about}]{value}")


def _action(value: Value) -> str:
    """What ``_arguments`` does to complete a value; a space does nothing."""
    words = [f"__git-ghost-words {' '.join(value.words)}"] if value.words else []
    calls = [*words, *(_CALLS[kind] for kind in value.kinds)]
    return f"{{{'; '.join(calls)}}}" if calls else " "


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
