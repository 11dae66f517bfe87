"""The completion script for bash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from git_ghost.cli.shells.offers import Flag, Value, Verb

_SCRIPT = r"""# bash completion for git ghost, made by: git ghost completion bash

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
# (--bases: the commits that ghosts start from.)
__git_ghost_hashes() {
    local hash
    while IFS= read -r hash; do
        COMPREPLY+=("$hash ")
    done < <(git-ghost "${globals[@]}" _complete-hashes "$@" -- "$cur" 2>/dev/null)
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
    case $verb:$count in
@WORDS@
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

_CALLS = {
    "hash": "__git_ghost_hashes",
    "base": "__git_ghost_hashes --bases",
    "revision": "__git_ghost_revisions",
    "file": "__git_ghost_paths -f",
    "folder": "__git_ghost_paths -d",
}


def script(common: Sequence[Flag], verbs: Sequence[Verb]) -> Iterator[str]:
    """The script, in pieces; ``common`` are the options of every command."""
    valued = [name for flag in common if flag.takes for name in flag.names]
    values = [_value("*", flag) for flag in common if flag.takes]
    own = []
    for verb in verbs:
        for flag in verb.flags:
            if flag.takes:
                own += [f"{verb.name}:{name}" for name in flag.names]
                values.append(_value(verb.name, flag))
    filled = {
        "GLOBAL_VALUED": " | ".join(valued),
        "GLOBAL_GLUED": " | ".join(f"{name}=*" for name in valued),
        "VALUED": " | ".join(own),
        "VALUES": "\n".join(values),
        "GLOBALS": " ".join(name for flag in common for name in flag.names),
        "OPTIONS": "\n".join(_options(verb) for verb in verbs if verb.flags),
        "VERBS": " ".join(verb.name for verb in verbs),
        "WORDS": "\n".join(line for verb in verbs for line in _words(verb)),
    }
    text = _SCRIPT
    for key, value in filled.items():
        text = text.replace(f"@{key}@", value)
    yield text


def _options(verb: Verb) -> str:
    names = (name for flag in verb.flags for name in flag.names)
    return f"            {verb.name}) __git_ghost_offer {' '.join(names)} ;;"


def _value(verb: str, flag: Flag) -> str:
    """The line that offers what may follow an option."""
    patterns = " | ".join(f"{verb}:{name}" for name in flag.names)
    assert flag.takes is not None
    return f"        {patterns}) {'; '.join([*_offers(flag.takes), 'return'])} ;;"


def _words(verb: Verb) -> Iterator[str]:
    """The lines that offer what a command's words may be."""
    for number, last, value in verb.places:
        if offers := _offers(value):
            yield f"        {verb.name}:{'*' if last else number}) {'; '.join(offers)} ;;"


def _offers(value: Value) -> list[str]:
    words = [f"__git_ghost_offer {' '.join(value.words)}"] if value.words else []
    return [*words, *(_CALLS[kind] for kind in value.kinds)]
