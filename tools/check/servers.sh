#!/bin/sh
# Runs the tests that need a cluster against each server of tools/setup/servers.sh, and prints a table: test program by
# server, with passed/run counts. Below it, the names of the tests that failed.
#
#   servers.sh [NAME...]    only these servers: redis-8.0, valkey-8.1, valkey-9.1
set -eu

cd "$(dirname "$0")/../.."

names=${*:-redis-8.0 valkey-8.1 valkey-9.1}
servers=$(tools/setup/servers.sh $names)
logs=target/servers/logs
mkdir -p "$logs"

suite() { cargo test -p truename -p truename-lab -p truename-cli --all-features --locked --no-fail-fast --test '*' "$@"; }

suite --no-run
for name in $names; do
    echo "==> $name"
    TRUENAME_SERVER=$(echo "$servers" | sed -n "s/^$name //p") suite >"$logs/$name.log" 2>&1 || :
    grep '^test result' "$logs/$name.log" | awk '{ passed += $4; failed += $6 } END { print passed + 0 " passed, " failed + 0 " failed" }'
done

# Lines of `PROGRAM PASSED RAN` for one server.
programs() {
    awk '/^ +Running / { program = $2; sub(/.*\//, "", program); sub(/\.rs$/, "", program) }
         /^test result/ { print program, $4, $4 + $6; program = "" }' "$1" | grep -v '^ '
}

printf '\n%-28s' test
for name in $names; do printf ' %12s' "$name"; done
echo
first=${names%% *}
programs "$logs/$first.log" | while read -r program _; do
    printf '%-28s' "$program"
    for name in $names; do
        printf ' %12s' "$(programs "$logs/$name.log" | awk -v p="$program" '$1 == p { print $2 "/" $3; exit }')"
    done
    echo
done
failures=0
for name in $names; do
    for test in $(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$logs/$name.log" | sort -u); do
        echo "$name: $test failed ($logs/$name.log)"
        failures=$((failures + 1))
    done
    grep -q '^test result' "$logs/$name.log" || { echo "$name: nothing ran ($logs/$name.log)"; failures=$((failures + 1)); }
done
[ "$failures" -eq 0 ]
