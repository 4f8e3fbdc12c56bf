#!/bin/sh
# Checks the dependencies against deny.toml: what is banned, licences, where they come from; and known
# vulnerabilities, where their database can be reached. Where it cannot, that is said and is not a failure.
set -eu

cd "$(dirname "$0")/../.."

deny=$(tools/setup/deny.sh)
"$deny" --log-level error check --hide-inclusion-graph bans licenses sources

# Minutes would pass before git gave a dead network up by itself.
if timeout 60 "$deny" --log-level error fetch db >/dev/null 2>&1 </dev/null; then
    "$deny" --log-level error check --hide-inclusion-graph --disable-fetch advisories
else
    echo "deny: advisories NOT checked: their database cannot be reached from this machine"
fi
