#!/bin/sh
# Runs one step of the checks under a header, and says how many seconds it took.
#
#   step.sh TITLE COMMAND [ARGUMENT...]
set -eu

title=$1
shift
printf '\n==> %s\n' "$title"
start=$(date +%s)
status=0
"$@" || status=$?
seconds=$(($(date +%s) - start))
if [ "$status" -eq 0 ]; then
    echo "==> $title: passed in $seconds s"
else
    echo "==> $title: FAILED after $seconds s"
fi
exit "$status"
