#!/bin/sh
# Build an image from the working tree in the cluster: run.sh [--buildkit] IMAGE
set -eu
cd "$(dirname "$0")/../.."
. examples/needs.sh
call="examples/kaniko/run.sh [--buildkit] IMAGE, such as registry.example.com/team/train; the tag is the ghost's hash"

file=kaniko
if [ "${1:-}" = --buildkit ]; then
    file=buildkit
    shift
fi
[ $# = 1 ] || usage "$call"
image=$1
name=${image##*/}
case $image in
*[!A-Za-z0-9._:/-]* | -*) usage "$call" ;;
esac
case $name in
'' | *:*) usage "$call" ;;
esac

need_git_ghost
need_cluster
need_pull
need_secret registry-login "kubectl create secret docker-registry registry-login \\
             --docker-server=registry.example.com --docker-username=NAME --docker-password=PASSWORD"
needs_met

sed "s|registry.example.com/team/train|$image|" "examples/kaniko/$file.yaml" | git ghost run -f -
