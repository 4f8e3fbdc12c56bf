#!/bin/sh
# Runs every fault test ROUNDS times in a row, and reports which of them failed and how often.
#
#   faults.sh ROUNDS [FILTER]    FILTER is a part of the names of the tests to run
#
# The output of a failed round is kept and its path printed; the remaining rounds still run.
set -eu

cd "$(dirname "$0")/../.."

rounds=${1:-1} filter=${2:-}
case $rounds in
    '' | *[!0-9]* | 0) echo "faults: ROUNDS must be a number above 0, not \`$rounds\`" >&2; exit 2 ;;
esac

suite() { cargo test -q -p truename -p truename-lab --all-features --locked --no-fail-fast --test '*fault*' "$@"; }

suite --no-run
logs=$(mktemp -d "${TMPDIR:-/tmp}/truename-faults.XXXXXX")
failed=0 round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    log=$logs/round-$round.log
    began=$(date +%s)
    if suite -- $filter >"$log" 2>&1; then
        rm "$log"
        outcome=passed
    else
        failed=$((failed + 1))
        outcome="FAILED: $(sed -n 's/^    \([a-z0-9_:]*\)$/\1/p' "$log" | sort -u | tr '\n' ' ')($log)"
    fi
    echo "round $round of $rounds: $outcome, $(($(date +%s) - began)) s"
done
rmdir "$logs" 2>/dev/null || :
echo "faults: $((rounds - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
