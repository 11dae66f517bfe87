#!/bin/sh
# Run the working tree as a Job: run.sh [job|sweep]
set -eu
cd "$(dirname "$0")/../.."
. examples/needs.sh

what=${1:-job}
case $what in
job | sweep) ;;
*) usage "examples/job/run.sh [job|sweep]" ;;
esac

need_git_ghost
need_cluster
need_pull
needs_met

exec git ghost run -f "examples/job/$what.yaml"
