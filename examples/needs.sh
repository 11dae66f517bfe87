# Checks that the examples' run.sh share; to be sourced. Each one says what is missing; needs_met ends the script when
# anything is, with exit code 1.

missing=0
reached=0

lacks() { # lacks WHAT WAY_OUT
    echo "missing: $1" >&2
    echo "         $2" >&2
    missing=1
}

usage() { # usage TEXT: a wrong call
    echo "usage: $1" >&2
    exit 2
}

needs_met() {
    [ "$missing" = 0 ] || exit 1
}

need_git_ghost() {
    if ! command -v git-ghost >/dev/null; then
        lacks "git ghost is not installed" "From this checkout: pipx install '.[k8s]'"
    fi
}

need_cluster() {
    if ! command -v kubectl >/dev/null; then
        lacks "kubectl is not installed" "See https://kubernetes.io/docs/tasks/tools/"
    elif ! kubectl get --raw /version --request-timeout=10s >/dev/null 2>&1; then
        lacks "kubectl reaches no cluster" \
            "Look at 'kubectl cluster-info'; choose one with 'kubectl config use-context NAME'."
    else
        reached=1
    fi
}

# Without a cluster there is no answer to the next two; without the right to look there is none either.

need_secret() { # need_secret NAME HOW_TO_MAKE_IT
    [ "$reached" = 1 ] || return 0
    said=$(kubectl get secret "$1" --output=name --request-timeout=10s 2>&1) || case $said in
    *NotFound*) lacks "there is no Secret '$1' in this namespace" "$2" ;;
    esac
}

need_kind() { # need_kind GROUP PLURAL WHERE_IT_COMES_FROM
    [ "$reached" = 1 ] || return 0
    if ! kubectl api-resources --api-group="$1" --output=name 2>/dev/null | grep -q "^$2\."; then
        lacks "the cluster knows no $2 of $1" "$3"
    fi
}

setting() { # setting NAME [ENVIRONMENT_VARIABLE]: what is set, if anything
    [ -n "${2:-}" ] && [ -n "$(printenv "$2")" ] && printenv "$2" && return
    git config --get "ghost.$1" 2>/dev/null || true
}

holds_credentials() { # holds_credentials URL: whether it has a password, or (http) a user, who may be a token
    authority=${1#*://}
    authority=${authority%%/*}
    case $1 in
    http*://*) case $authority in *@*) return 0 ;; esac ;;
    *://*) case $authority in *:*@*) return 0 ;; esac ;;
    esac
    return 1
}

# What the pull in the pods needs: an image, two repositories on servers, and the way to get in.
need_pull() {
    if ! command -v git >/dev/null; then
        lacks "git is not installed" "Install it with your system's package manager."
        return
    fi
    if [ -z "$(setting image)" ]; then
        lacks "no image for the pull step is set" \
            "Build one with 'make image', push it, then: git config --global ghost.image IMAGE"
    fi
    if [ -z "$(setting repo GIT_GHOST_REPO)" ]; then
        lacks "no ghost repository is set that pods reach" "git config --global ghost.repo URL"
    fi
    for name in $(setting gitSecret) $(setting ghostSecret); do
        need_secret "$name" "examples/README.md says how to make it."
    done
    if [ -z "$(setting gitSecret)$(setting ghostSecret)" ]; then
        case $(setting repo GIT_GHOST_REPO) in
        '' | http://* | https://* | git://*) ;;
        *) lacks "no Secret is named with which pods get at the repositories by ssh" \
            "examples/README.md says how to make one; then: git config --global ghost.gitSecret NAME" ;;
        esac
    fi
}
