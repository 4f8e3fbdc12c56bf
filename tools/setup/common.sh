#!/bin/sh
# What the set-up scripts share; they source it.

say() { echo "setup: $*" >&2; }
stop() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root; $1 is what is missing, $2 what to type by hand where that is not possible. sudo may ask for a
# password only where somebody is there to type it.
as_root() {
    missing=$1 by_hand=$2
    shift 2
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif has sudo && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    elif has sudo && [ -z "${CI:-}" ] && [ -t 0 ] && [ -t 2 ]; then
        say "$missing; installing it needs root: sudo may ask for your password"
        sudo "$@"
    else
        stop "$missing, and installing it needs root. Type as root: $by_hand"
    fi
}
