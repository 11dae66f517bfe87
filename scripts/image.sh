#!/bin/sh
# Build the image of the pull step with docker, podman or buildah, whichever works here, and print
# its size: image.sh [NAME] [more arguments of the build …]. In the environment: BASE, another base
# image; ENGINE, the one to build with.
set -eu
cd "$(dirname "$0")/.."

version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' git_ghost/__init__.py)
image=${1:-git-ghost:$version}
[ $# -eq 0 ] || shift

for engine in ${ENGINE:-docker podman buildah} none; do
    if "$engine" info >/dev/null 2>&1; then
        break
    fi
done
if [ "$engine" = none ]; then
    echo "${ENGINE:-none of docker, podman and buildah} does not work here: is it installed, is its service running?" >&2
    exit 1
fi

"$engine" build --build-arg "VERSION=$version" ${BASE:+--build-arg "BASE=$BASE"} \
    --tag "$image" "$@" .
if [ "$engine" = buildah ]; then
    size=$(buildah images --json "$image" | sed -n 's/.*"size": *"\(.*\)".*/\1/p')
else
    size=$("$engine" image inspect --format '{{.Size}}' "$image" | sed 's/......$/ MB/')
fi
echo "$image: $size"
