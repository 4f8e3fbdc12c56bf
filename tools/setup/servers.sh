#!/bin/sh
# Gets further servers to test against, from Debian's packages of later suites: Redis 8.0, Valkey 8.1 and Valkey 9.1.
#
#   servers.sh            get what is missing; prints NAME PATH for each server that is there
#   servers.sh NAME...    only these: redis-8.0, valkey-8.1, valkey-9.1
#
# They go into target/servers. Nothing of the system is touched: apt works on lists of its own, packages are unpacked
# and not installed, and each server runs with the libraries that came with it. Needs apt-get and dpkg.
set -eu

cd "$(dirname "$0")/../.."
. tools/setup/common.sh

has apt-get && has dpkg || stop "these servers come from Debian's packages: there is no apt-get or no dpkg"

mkdir -p target/servers
here=$(cd target/servers && pwd)
libraries="libc6 libssl3t64 libjemalloc2 liblzf1 libatomic1 libsystemd0 libstdc++6 libgcc-s1 libcap2 zlib1g libzstd1"

# Prints what a server is made of: the package with its program, and the suites to look for it, the first that has it
# in the wanted version.
recipe() {
    case $1 in
        redis-8.0) echo "redis-tools trixie" ;;
        valkey-8.1) echo "valkey-tools trixie" ;;
        valkey-9.1) echo "valkey-tools forky sid" ;;
        *) stop "there is no recipe for \`$1\`: known are redis-8.0, valkey-8.1 and valkey-9.1" ;;
    esac
}

# The machine's own mirror and key, with later suites in place of its own.
make_lists() {
    [ -n "${APT_CONFIG:-}" ] && return
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        sed -nE 's/^(URIs:|deb) .*(https?:[^ ]*\/debian)\/?( .*)?$/\2/p' | head -n 1)
    [ -n "$mirror" ] || stop "this machine has no source of Debian's packages"
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    mkdir -p "$here/apt/state/lists/partial" "$here/apt/cache/archives/partial"
    for suite in trixie forky sid; do
        echo "deb [signed-by=$key] $mirror $suite main"
    done >"$here/apt/sources.list"
    cat >"$here/apt/apt.conf" <<CONF
Dir::State "$here/apt/state";
Dir::Cache "$here/apt/cache";
Dir::Etc::sourcelist "$here/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
APT::Sandbox::User "$(id -un)";
CONF
    export APT_CONFIG="$here/apt/apt.conf"
    say "reading Debian's package lists"
    apt-get update -qq >&2
}

# The newest version of package $1 in the suites $3... that begins with $2.
version_of() {
    package=$1 wanted=$2
    shift 2
    for suite in "$@"; do
        apt-cache madison "$package" | awk -F ' *\\| *' -v suite="$suite" '$3 ~ " " suite "/" { print $2 }'
    done | grep -E "^([0-9]+:)?$wanted[.]" | head -n 1
}

unpack() { # PACKAGE[=VERSION|/SUITE] DIRECTORY
    packages=$here/packages/$(echo "$1" | tr ':/' '__')
    mkdir -p "$packages"
    [ -n "$(ls "$packages")" ] || (cd "$packages" && apt-get download -qq "$1" >&2)
    dpkg -x "$packages"/*.deb "$2"
}

get() { # NAME
    name=$1
    set -- $(recipe "$name")
    package=$1
    shift
    version=$(version_of "$package" "${name#*-}" "$@")
    [ -n "$version" ] || stop "no suite of $* has $package ${name#*-} any more; it has: $(apt-cache madison "$package")"
    root=$here/$name/root
    rm -rf "$here/$name"
    mkdir -p "$root"
    say "getting $name ($package $version)"
    unpack "$package=$version" "$root"
    for library in $libraries; do
        unpack "$library/trixie" "$root"
    done
    loader=$(find "$root" -name 'ld-linux-*.so.*' | head -n 1)
    # The checker of a snapshot is the server itself under another name.
    program=$(find "$root" -name "${name%-*}-check-rdb" | head -n 1)
    library_path=$(find "$root" -name 'libc.so.6' -exec dirname {} \; | sort -u | tr '\n' ':')$root/usr/lib
    library_path=$library_path:$(find "$root" -name 'libssl.so*' -exec dirname {} \; | sort -u | tr '\n' ':')
    cat >"$here/$name/server" <<RUN
#!/bin/sh
exec "$loader" --library-path "$library_path" --argv0 ${name%-*}-server "$program" "\$@"
RUN
    chmod +x "$here/$name/server"
    "$here/$name/server" --version >/dev/null || stop "$name does not start"
}

for name in ${*:-redis-8.0 valkey-8.1 valkey-9.1}; do
    recipe "$name" >/dev/null
    "$here/$name/server" --version >/dev/null 2>&1 || { make_lists && get "$name"; }
    echo "$name $here/$name/server"
done
