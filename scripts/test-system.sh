#!/bin/sh
# Install the Debian packages that the tests use and that are missing (tests/system.txt), or print
# how to: test-system.sh. With --missing only say what the tests go without, one line each.
set -eu
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

is_there() {
    case $1 in
    python:*) "${PYTHON:-python3}" -c "import ${1#python:}" 2>/dev/null ;;
    /*) [ -e "$1" ] ;; # the first that the pattern stands for
    *) command -v "$1" >/dev/null ;;
    esac
}

packages='' others=''
while read -r sign package what; do
    # shellcheck disable=SC2086 # the sign may be a pattern
    case $sign in '' | '#'*) continue ;; esac
    if is_there $sign; then
        continue
    elif [ "${1-}" = --missing ]; then
        echo "${sign##*/}: $what"
    elif [ "$package" = - ]; then
        others="$others $sign"
    else
        packages="$packages $package"
    fi
done <tests/system.txt

if [ "${1-}" = --missing ]; then
    exit 0
fi
if [ -n "$others" ]; then
    echo "no package of Debian's, see where it comes from:$others"
fi
if [ -z "$packages" ]; then
    echo "all packages that the tests use are there"
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -q
    # shellcheck disable=SC2086 # several words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages
else
    echo "missing: on Debian and Ubuntu, as root: apt-get install --no-install-recommends$packages"
fi
