#!/bin/sh
# Installs redis-server (or valkey-server) 7.0 or newer with apt, as root, without leaving a service behind.
#
# Debian and Ubuntu start what they install. A policy-rc.d that denies it is put in place for the moment, unless the
# system has one of its own; afterwards the service is disabled, so that it does not come with the next boot either.
# A package that was there before is not upgraded and its service is not touched. server.sh runs this.
set -eu

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C
policy=/usr/sbin/policy-rc.d
mark='# written by truename tools/setup/install-apt.sh, for the time of one installation'

say() { echo "setup: $*" >&2; }

apt() { apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null; }

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The major version that apt would install; nothing if it knows no such package. `5:7.0.15-1` is 7.
candidate() {
    apt-cache policy "$1" | sed -n 's/^ *Candidate: *\([0-9]*:\)\{0,1\}\([0-9][0-9]*\)\..*/\2/p'
}

choose_package() {
    for name in redis-server valkey-server; do
        major=$(candidate "$name")
        if [ -n "$major" ] && [ "$major" -ge 7 ] && ! is_installed "$name"; then
            echo "$name"
            return
        fi
    done
}

deny_service_start() {
    if [ -e "$policy" ] && ! grep -qF "$mark" "$policy"; then
        return
    fi
    trap 'rm -f "$policy"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
    chmod 755 "$policy"
}

# The system's own policy-rc.d may have let it start: stop it too. Only ever called for what this run installed.
disable_service() {
    if [ -d /run/systemd/system ]; then
        systemctl disable --now --quiet "$1.service"
    else
        service "$1" stop
        update-rc.d "$1" disable
    fi >/dev/null 2>&1
}

apt update || say "apt-get update failed; trying with the package lists that are there"
package=$(choose_package)
if [ -z "$package" ]; then
    for name in redis-server valkey-server; do
        ! is_installed "$name" || say "the package $name is already installed and left as it is"
    done
    say "apt has no other redis-server or valkey-server 7.0 or newer (Debian 11 and Ubuntu 22.04 have 6.0): add the" \
        "packages of https://packages.redis.io, or set TRUENAME_SERVER to the path of a newer server with TLS"
    exit 1
fi
say "installing $package"
deny_service_start
apt install -y --no-install-recommends "$package"
disable_service "$package" || say "could not disable the service $package: it may start with the next boot"
