#!/bin/sh
# Make the service accounts git-ghost-run and git-ghost-code in the current namespace, and ask the cluster what they may do.
set -eu
cd "$(dirname "$0")/../.."
. examples/needs.sh

[ $# = 0 ] || usage "examples/rbac/run.sh"
need_cluster
if [ "$reached" = 1 ] && [ "$(kubectl auth can-i create roles 2>/dev/null)" != yes ]; then
    lacks "you may not create roles in this namespace" "Ask who administers it to run this."
fi
needs_met

kubectl apply -f examples/rbac/run.yaml -f examples/rbac/code.yaml

namespace=$(kubectl config view --minify --output 'jsonpath={..namespace}')
account=system:serviceaccount:${namespace:-default}
failed=0
expect() { # expect yes|no ACCOUNT VERB RESOURCE
    answer=$(kubectl auth can-i "$3" "$4" --as="$account:$2" 2>/dev/null) || true
    echo "$2: $3 $4: $answer"
    [ "$answer" = "$1" ] || failed=1
}
expect yes git-ghost-run create jobs
expect yes git-ghost-run watch pods
expect yes git-ghost-run get pods/log
expect no git-ghost-run get secrets
expect yes git-ghost-code get jobs
expect no git-ghost-code create jobs
[ "$failed" = 0 ] || echo "that is not what the roles say: do other roles give more?" >&2
exit "$failed"
