#!/bin/sh
# Checks what has to be there before anything is built: a Rust toolchain that is new enough and a C compiler.
#
#   toolchain.sh            enough to build
#   toolchain.sh --lints    and rustfmt and clippy, which rustup's minimal profile lacks: rustup adds them
#
# Silent when there is nothing to do.
set -eu

cd "$(dirname "$0")/../.."

. tools/setup/common.sh

has cargo || stop "there is no cargo on PATH: install Rust as https://rustup.rs says"
has "${CC:-cc}" || stop "there is no C compiler (ring needs one). On Debian and Ubuntu type: apt-get install gcc libc6-dev"

oldest=$(sed -n 's/^rust-version = "1\.\([0-9]*\).*/\1/p' Cargo.toml)
present=$(rustc --version | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')
[ "${present:-0}" -ge "$oldest" ] || stop "this Rust is too old: $(rustc --version); 1.$oldest is needed (rustup update)"

if [ "${1:-}" = --lints ]; then
    for component in rustfmt clippy; do
        case $component in
            rustfmt) command="cargo fmt" ;;
            clippy) command="cargo clippy" ;;
        esac
        $command --version >/dev/null 2>&1 && continue
        has rustup || stop "there is no $component: install it from where your Rust came from"
        say "adding $component to the toolchain"
        rustup component add "$component" >&2
    done
fi
