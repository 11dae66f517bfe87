#!/bin/sh
# Write the lock files, requirements/*.txt, with the program uv: lock.sh UV [more options …]. Each
# has exact versions and hashes for every Python and system that pyproject.toml promises, and no
# address of an index. With --upgrade to the newest versions, else only what pyproject.toml asks.
set -eu
cd "$(dirname "$0")/.."
uv=$(command -v "$1")
shift
mkdir -p requirements

lock() { # NAME.txt [what to resolve …]
    "$uv" pip compile --quiet --universal --python-version 3.10 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate \
        --custom-compile-command 'make upgrade' --output-file "requirements/$@"
}
lock dev.txt pyproject.toml --extra dev "$@"
# One version of everything, whichever files are installed together.
lock run.txt pyproject.toml --constraint requirements/dev.txt
lock k8s.txt pyproject.toml --extra k8s --constraint requirements/dev.txt
echo hatchling | lock build.txt - pyproject.toml --constraint requirements/dev.txt
echo uv | lock uv.txt - "$@"
