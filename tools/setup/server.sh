#!/bin/sh
# Makes sure that labs have a server to start: redis-server or valkey-server, 7.0 or newer, built with TLS.
#
#   server.sh           find one, or install one; silent when there is nothing to do
#   server.sh --path    the same, then print its absolute path on standard output (all else is on standard error)
#
# A server that is already installed is never replaced: $TRUENAME_SERVER if set, else valkey-server, else redis-server
# on PATH, the order in which labs look too. Only if none of them will do, the system's package manager is asked,
# which needs root or sudo.
set -eu

here=$(cd "$(dirname "$0")" && pwd)

. "$here/common.sh"

# Prints why the program $1 will not do; prints nothing if it will.
shortcoming() {
    version=$("$1" --version 2>/dev/null </dev/null | sed -n 's/.* v=\([0-9][0-9.]*\).*/\1/p')
    if [ -z "$version" ]; then
        echo "does not answer --version as Redis or Valkey does"
    elif [ "${version%%.*}" -lt 7 ]; then
        echo "is version $version; labs need 7.0 or newer"
    elif ! knows_tls "$1"; then
        echo "is built without TLS"
    fi
}

# Every build refuses this configuration and exits before it opens anything. One with TLS complains about the
# value; one without does not know the directive. (TLS as a loadable module passes too, and fails in the lab.)
knows_tls() {
    ! echo 'tls-port none' | "$1" - 2>&1 | grep -q 'Bad directive'
}

# Sets `server` to the first of the named programs that will do; `rejected` says what is wrong with the others.
look_for() {
    server='' rejected=''
    for name in "$@"; do
        found=$(command -v "$name") || continue
        reason=$(shortcoming "$found")
        if [ -z "$reason" ]; then
            server=$found
            return 0
        fi
        rejected="$rejected $found $reason."
    done
    return 1
}

install_server() {
    if has apt-get; then
        as_root "no usable server.$rejected" "apt-get install redis-server" sh "$here/install-apt.sh"
    elif has dnf; then # Fedora and RHEL do not start what they install
        as_root "no usable server.$rejected" "dnf install valkey" sh -c 'dnf install -y -q valkey || dnf install -y -q redis'
    elif has apk; then # nor does Alpine
        as_root "no usable server.$rejected" "apk add valkey" sh -c 'apk add -q valkey || apk add -q redis'
    elif has brew; then # Homebrew refuses to run as root, and starts nothing
        brew install --quiet redis
    elif has pacman; then
        stop "no usable server.$rejected Type: sudo pacman -S valkey"
    elif has zypper; then
        stop "no usable server.$rejected Type: sudo zypper install valkey"
    else
        stop "no usable server.$rejected Install Redis or Valkey 7.0 or newer with TLS (from source:" \
            "make BUILD_TLS=yes), or set TRUENAME_SERVER to the path of one"
    fi
}

case "${1:-}" in
    '' | --path) ;;
    *) stop "usage: server.sh [--path]" ;;
esac

if [ -n "${TRUENAME_SERVER:-}" ]; then
    look_for "$TRUENAME_SERVER" ||
        stop "TRUENAME_SERVER will not do:${rejected:- there is no program $TRUENAME_SERVER.}"
elif ! look_for valkey-server redis-server; then
    say "no usable redis-server or valkey-server:${rejected:- none is on PATH.} Installing one."
    install_server >&2 || stop "installing a server failed; the messages above say why"
    look_for valkey-server redis-server ||
        stop "the installed server will not do:${rejected:- none is on PATH.} Set TRUENAME_SERVER to the path of one"
    say "installed $server"
fi

if [ "${1:-}" = --path ]; then
    case $server in
        /*) echo "$server" ;;
        *) echo "$PWD/$server" ;;
    esac
fi
