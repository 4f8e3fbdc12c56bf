#!/bin/sh
# Checks the dependencies against deny.toml: bans, licences, sources; and known vulnerabilities, if their database is
# reachable. If it is not, a message says so and the check passes.
set -eu

cd "$(dirname "$0")/../.."

deny=$(tools/setup/deny.sh)
"$deny" --log-level error check --hide-inclusion-graph bans licenses sources

# On a dead network git itself would take minutes to give up.
if timeout 60 "$deny" --log-level error fetch db >/dev/null 2>&1 </dev/null; then
    "$deny" --log-level error check --hide-inclusion-graph --disable-fetch advisories
else
    echo "deny: advisories NOT checked: their database cannot be reached from this machine"
fi
