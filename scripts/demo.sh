#!/bin/sh
# A working tree with local commits and uncommitted changes, rebuilt elsewhere from its hash alone.
# Needs git and git-ghost on PATH; works in a folder of its own, with a HOME of its own.
set -eu

top=$(mktemp -d "${TMPDIR:-/tmp}/git-ghost-demo.XXXXXX")
trap 'rm -rf "$top"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Nothing of the caller's configuration takes part.
unset $(env | sed -n 's/^\(GIT_[A-Z0-9_]*\)=.*/\1/p') XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME
export HOME="$top/home" GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
mkdir "$HOME" "$top/laptop" "$top/pod"
git config --global user.name "Ada Lovelace"
git config --global user.email ada@example.com
git config --global init.defaultBranch main
git config --global advice.detachedHead false

note() { printf '\n# %s\n' "$1"; }
run() { # print a command as typed at the prompt of $place, then run it there
    printf '%s$ %s\n' "$place" "$1"
    eval "$1"
}

# What everybody sees: a source repository with one commit.
git init --quiet --bare "$top/source.git"
git clone --quiet "$top/source.git" "$top/laptop/train" 2>/dev/null
cd "$top/laptop/train"
printf 'rate = 0.1\nsteps = 100\n' >train.py
printf 'old notes\n' >notes.txt
git add . && git commit --quiet -m "Train" && git push --quiet origin HEAD

place=laptop
note "The laptop: a commit nobody has yet, edits that are not committed, a new file."
run "printf 'rate = 0.1\\nsteps = 500\\n' > train.py"
run "git commit --quiet --all --message 'Train longer'"
run "printf 'rate = 0.03\\nsteps = 500\\n' > train.py"
run "printf 'dropout = 0.2\\n' > 'new model.py'"
run "rm notes.txt"
run "git status --short --branch"

note "Its tree id, by plain git with a private index."
run "export GIT_INDEX_FILE=~/private.index"
run "git read-tree HEAD && git add --all && git write-tree"
laptop_tree=$(git write-tree)
run "unset GIT_INDEX_FILE"

note "Push it: the base commit and the hash of the working tree."
run "git ghost push > ~/pushed"
run "cat ~/pushed"
hash=$(tail -n 1 "$HOME/pushed" | cut -d ' ' -f 2)

note "Elsewhere, and the laptop's clone is gone: rebuild the code from the hash alone."
rm -rf "$top/laptop" "$HOME/private.index"
cd "$top/pod"
place=pod
run "git ghost clone $hash train"
run "cd train"
run "git log --oneline"
run "git status --short"
run "cat train.py 'new model.py'"

note "The rebuilt tree id, by plain git with a private index."
run "export GIT_INDEX_FILE=~/private.index"
run "git read-tree HEAD && git add --all && git write-tree"
pod_tree=$(git write-tree)

printf '\nlaptop   %s\npushed   %s\nrebuilt  %s\n' "$laptop_tree" "$hash" "$pod_tree"
if [ "$laptop_tree" != "$pod_tree" ] || [ "$laptop_tree" != "$hash" ]; then
    echo "demo: the tree ids differ" >&2
    exit 1
fi
echo "All equal: the code that runs is the code on the laptop."
