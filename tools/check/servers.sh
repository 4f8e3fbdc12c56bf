#!/bin/sh
# Runs the tests that need a cluster against each server of tools/setup/servers.sh, and prints a table: test program by
# server, with passed/run counts; a program that consists of modules has a line for each. Below it, the names of the tests
# that failed, and the servers that a program did not survive.
#
#   servers.sh [NAME...]    only these servers: redis-8.0, valkey-8.1, valkey-9.1
set -eu

cd "$(dirname "$0")/../.."

names=${*:-redis-8.0 valkey-8.1 valkey-9.1}
servers=$(tools/setup/servers.sh $names)
logs=target/servers/logs
mkdir -p "$logs"

# The packages of `make test`, so that nothing is compiled twice: a few of them need no cluster, and take no time either.
suite() { cargo test --all-features --locked --no-fail-fast --test '*' "$@"; }

# Tests run them as processes.
cargo build --all-features --locked --examples
suite --no-run
for name in $names; do
    echo "==> $name"
    # A failure may print a reply of megabytes in one line.
    TRUENAME_SERVER=$(echo "$servers" | sed -n "s/^$name //p") suite 2>&1 | cut -c 1-2000 >"$logs/$name.log" || :
    grep '^test result' "$logs/$name.log" | awk '{ passed += $4; failed += $6 } END { print passed + 0 " passed, " failed + 0 " failed" }'
done

# Lines of `PROGRAM PASSED RAN` or `PROGRAM/MODULE PASSED RAN` for one server.
programs() {
    awk '/^ +Running / { program = $2; sub(/(\/main)?\.rs$/, "", program); sub(/.*\//, "", program) }
         /^test .* \.\.\. (ok|FAILED)$/ {
             line = program
             if (split($2, path, "::") > 1) line = line "/" path[1]
             ran[line]++
             if ($NF == "ok") passed[line]++
         }
         END { for (line in ran) print line, passed[line] + 0, ran[line] }' "$1"
}

printf '\n%-32s' test
for name in $names; do printf ' %12s' "$name"; done
echo
for name in $names; do programs "$logs/$name.log"; done | cut -d ' ' -f 1 | sort -u | while read -r program; do
    printf '%-32s' "$program"
    for name in $names; do
        printf ' %12s' "$(programs "$logs/$name.log" | awk -v p="$program" '$1 == p { print $2 "/" $3 }')"
    done
    echo
done
failures=0
for name in $names; do
    for test in $(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$logs/$name.log" | sort -u); do
        echo "$name: $test failed ($logs/$name.log)"
        failures=$((failures + 1))
    done
    began=$(grep -cE '^ +Running ' "$logs/$name.log" || :)
    ended=$(grep -c '^test result' "$logs/$name.log" || :)
    [ "$ended" -gt 0 ] && [ "$began" -eq "$ended" ] ||
        { echo "$name: $began programs began, $ended ended ($logs/$name.log)"; failures=$((failures + 1)); }
done
[ "$failures" -eq 0 ]
