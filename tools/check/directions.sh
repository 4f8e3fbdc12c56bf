#!/bin/sh
# Checks that dependencies point one way only (ARCHITECTURE.md has the table):
#
#   resp <- topology <- client <- cli
#           topology <- lab    <- cli        lab never knows the client; the client's tests may use the lab
#                       client <- redis
#
# and that resp and topology stay pure: no async runtime, no TLS, no sockets, no clock.
set -eu

cd "$(dirname "$0")/../.."

failed=0
wrong() {
    echo "directions: $*" >&2
    failed=1
}

# What crate directory $1 may depend on, directly or through others. A new crate gets a line here first.
may_use() {
    case $1 in
        resp) echo "" ;;
        topology) echo "truename-resp" ;;
        client | lab) echo "truename-resp truename-topology" ;;
        redis) echo "truename-resp truename-topology truename" ;;
        cli) echo "truename-resp truename-topology truename truename-lab" ;;
        *) return 1 ;;
    esac
}

# What its tests, examples and benches may use besides.
tests_may_use() {
    case $1 in
        client | redis) echo "truename-lab" ;;
    esac
}

# The names of the crates under package $1 along edges of kind $2, without the package itself.
dependencies() {
    package=$1 kinds=$2
    shift 2
    tree=$(cargo tree --locked --all-features --prefix none --format '{p}' -p "$package" -e "$kinds" "$@")
    echo "$tree" | sed 's/ .*//' | grep -vx "$package" | sort -u || :
}

# Complains about every one of our crates in list $3 that list $2 does not allow to $1.
allow_only() {
    for dependency in $(echo "$3" | grep -E '^truename(-|$)' || :); do
        case " $2 " in
            *" $dependency "*) ;;
            *) wrong "$1 depends on $dependency; it may use: ${2:-none of our crates}" ;;
        esac
    done
}

for manifest in crates/*/Cargo.toml; do
    crate=$(basename "$(dirname "$manifest")")
    package=$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -n 1)
    if ! allowed=$(may_use "$crate"); then
        wrong "crates/$crate is not in the table of tools/check/directions.sh: say what it may depend on"
        continue
    fi
    built=$(dependencies "$package" normal,build)
    tested=$(dependencies "$package" dev --depth 1)
    allow_only "crates/$crate" "$allowed" "$built"
    allow_only "crates/$crate (its tests)" "$allowed $(tests_may_use "$crate")" "$tested"

    case $crate in
        resp | topology) ;;
        *) continue ;;
    esac
    impure=$(echo "$built" | grep -E '^(tokio|rustls|futures|mio$|socket2$)' || :)
    for dependency in $impure; do
        wrong "crates/$crate depends on $dependency; it must stay free of IO and TLS"
    done
    clock_or_socket='(Tcp(Stream|Listener)|UdpSocket|ToSocketAddrs|UnixStream|Instant::now|SystemTime::now)'
    if grep -rnE "$clock_or_socket" "crates/$crate/src" >&2; then
        wrong "crates/$crate uses a socket or the clock (lines above); it must stay pure"
    fi
done
exit "$failed"
