#!/bin/sh
# Makes sure that `ip` and `unshare` are there: on Linux one test runs in a network namespace of its own, where it narrows
# the range of ports to dial from. Nothing of that touches the machine's own network. Silent when there is nothing to do.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

[ "$(uname -s)" = Linux ] || exit 0
has unshare || stop "there is no unshare: install util-linux"
has ip && exit 0
if has apt-get; then
    as_root "there is no ip" "apt-get install iproute2" sh -c \
        'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends iproute2' >&2
elif has dnf; then
    as_root "there is no ip" "dnf install iproute" dnf install -y -q iproute >&2
elif has apk; then
    as_root "there is no ip" "apk add iproute2" apk add -q iproute2 >&2
else
    stop "there is no ip: install iproute2"
fi
has ip || stop "there is no ip after installing iproute2"
say "installed iproute2"
