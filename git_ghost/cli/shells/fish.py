"""The completion script for fish."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from git_ghost.cli.shells.offers import Flag, Value, Verb

_SCRIPT = r"""# fish completion for git ghost, made by: git ghost completion fish
# (For `git ghost`, newer versions of fish ask the completion of git-ghost.)

function __git_ghost_words -d 'The words written so far that are not options of git ghost'
    set -l words (commandline -opc)
    set -e words[1]
    set -l skip 0
    set -l verb
    for word in $words
        if test $skip = 1
            set skip 0
        else
            switch $verb:$word
                case @VALUED@
                    set skip 1
                case '*:-*'
                case '*'
                    set -q verb[1]; or set verb $word
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

# (With + as third argument: whether it is that one or a later one.)
function __git_ghost_at -d 'Whether the word is number $argv[1] of the command $argv[2]'
    set -l words (__git_ghost_words)
    set -l number (math (count $words) - 1)
    test "$words[1]" = $argv[2]; or return
    test $number = $argv[1]; or test "$argv[3]" = + -a $number -gt $argv[1]
end

# (--bases: the commits that ghosts start from.)
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
    git-ghost $globals _complete-hashes --about $argv -- (commandline -ct) 2>/dev/null
end

function __git_ghost_revisions -d 'Names of commits here'
    echo HEAD
    git for-each-ref --format='%(refname:short)' refs/heads refs/tags refs/remotes 2>/dev/null
end

complete -c git-ghost -f"""

_CALLS = {
    "hash": "(__git_ghost_hashes)",
    "base": "(__git_ghost_hashes --bases)",
    "revision": "(__git_ghost_revisions)",
    "folder": "(__fish_complete_directories)",
}


def script(common: Sequence[Flag], verbs: Sequence[Verb]) -> Iterator[str]:
    """The script, in pieces; ``common`` are the options of every command."""
    valued = [f"'*:{name}'" for flag in common if flag.takes for name in flag.names]
    for verb in verbs:
        valued += [f"{verb.name}:{n}" for flag in verb.flags if flag.takes for n in flag.names]
    yield _SCRIPT.replace("@VALUED@", " ".join(valued))
    for flag in common:
        yield f"complete -c git-ghost{_flag(flag)}"
    for verb in verbs:
        yield (
            "complete -c git-ghost -n __git_ghost_needs_command"
            f" -a {verb.name} -d {_quoted(verb.about)}"
        )
    for verb in verbs:
        for number, last, value in verb.places:
            if offers := _offers(value):
                condition = f"'__git_ghost_at {number} {verb.name}{' +' * last}'"
                yield f"complete -c git-ghost -n {condition}{offers}"
        for flag in verb.flags:
            yield f"complete -c git-ghost -n '__git_ghost_in {verb.name}'{_flag(flag)}"


def _flag(flag: Flag) -> str:
    names = "".join(
        f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}" for name in flag.names
    )
    value = "" if flag.takes is None else _offers(flag.takes)
    exclusive = "" if flag.takes is None else " -r" if "file" in flag.takes.kinds else " -x"
    return f"{names}{exclusive}{value} -d {_quoted(flag.about)}"


def _offers(value: Value) -> str:
    """The options of ``complete`` that offer it: files, and words in the order they come."""
    files = " -F" if "file" in value.kinds else ""
    words = [*value.words, *(_CALLS[kind] for kind in value.kinds if kind in _CALLS)]
    return files + (f" -k -a {_quoted(' '.join(words))}" if words else "")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
