#!/bin/sh
# Run the working tree as an Argo workflow: run.sh run IMAGE | submit IMAGE | sweep
set -eu
cd "$(dirname "$0")/../.."
. examples/needs.sh
call="examples/argo/run.sh run IMAGE | submit IMAGE | sweep
  run IMAGE     build IMAGE:HASH and train in it, by git ghost run (build-train.yaml)
  submit IMAGE  the same by argo submit, with the pull as a step (pull-build-train.yaml)
  sweep         train four times, by argo submit (sweep.yaml)"

what=${1:-}
image=${2:-}
case $what:$# in
run:2 | submit:2)
    case ${image##*/} in
    '' | *:*) usage "$call" ;;
    esac
    ;;
sweep:1) ;;
*) usage "$call" ;;
esac

need_git_ghost
need_cluster
need_kind argoproj.io workflows "See https://argo-workflows.readthedocs.io/en/latest/quick-start/"
need_pull
[ "$what" = sweep ] || need_secret registry-login "examples/kaniko/README.md says how to make it."
if [ "$what" != run ] && ! command -v argo >/dev/null; then
    lacks "the argo command is not installed" "See https://github.com/argoproj/argo-workflows/releases"
fi
if [ "$what" != run ] && [ -z "$(setting gitSecret)" ]; then
    lacks "no Secret is named for the templates in git-ghost.yaml" "git config --global ghost.gitSecret NAME"
fi
needs_met

if [ "$what" = run ]; then
    exec git ghost run -f examples/argo/build-train.yaml -p "image=$image"
fi

secret=$(setting gitSecret)
other=$(setting ghostSecret)
repo=$(setting repo GIT_GHOST_REPO)
source=$(setting source GIT_GHOST_SOURCE)
remote=$(setting remote)
source=${source:-$(git remote get-url "${remote:-$(git remote | head -n 1)}")}
if holds_credentials "$repo" || holds_credentials "$source"; then
    echo "a URL with a password or token would stand in the workflow for all to read: put it into a Secret" >&2
    exit 1
fi
pushed=$(git ghost push | tail -n 1)
kubectl apply -f examples/argo/git-ghost.yaml
set -- --log \
    -p "ghost=${pushed#* }" -p "base=${pushed% *}" \
    -p "repo=$repo" -p "source=$source" \
    -p "git-ghost-image=$(setting image)" \
    -p "git-secret=$secret" -p "ghost-secret=${other:-$secret}"
case $what in
submit) exec argo submit examples/argo/pull-build-train.yaml -p "image=$image" "$@" ;;
sweep) exec argo submit examples/argo/sweep.yaml "$@" ;;
esac
