#!/bin/sh
# Build the image of the pull step with docker, podman or buildah, whichever works here, and print
# its size: image.sh [NAME] [more arguments of the build …]. BASE names another base image.
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' git_ghost/__init__.py)
image=${1:-git-ghost:$version}
[ $# -eq 0 ] || shift
set -- --build-arg "VERSION=$version" ${BASE:+--build-arg "BASE=$BASE"} --tag "$image" "$@" .

if docker info >/dev/null 2>&1; then
    docker build "$@"
    size=$(docker image inspect --format '{{.Size}}' "$image")
elif podman info >/dev/null 2>&1; then
    podman build "$@"
    size=$(podman image inspect --format '{{.Size}}' "$image")
elif buildah info >/dev/null 2>&1; then
    buildah build "$@"
    size=$(buildah images --json "$image" | sed -n 's/.*"size": *"\(.*\)".*/\1/p')
else
    echo "none of docker, podman and buildah works here: install one, or start docker's service" >&2
    exit 1
fi
case $size in
*[!0-9]*) ;;
*) size="$((size / 1000000)) MB" ;;
esac
echo "$image: $size"
