#!/bin/sh
# Builds the client program of one language and prints the command that starts it, one argument a line. Everything
# else is on standard error.
#
#   build.sh go | java | node | python
#
# Packages come in the versions of the language's manifest and lock file, and everything lands in target/clients:
# nothing is installed for the system. Exit code 3: the toolchain is missing, and the last line says what of it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
language=${1:-}
target=${CARGO_TARGET_DIR:-$here/../../target}
output=$target/clients/$language

say() { echo "clients: $*" >&2; }
missing() { say "$*"; exit 3; }
has() { command -v "$1" >/dev/null 2>&1; }

# Stops with exit code 3 unless program $1 is there and `$3`, its version, is at least $2; $4 is its name for readers.
needs() {
    has "$1" || missing "$4 $2 is missing: there is no $1 on PATH"
    [ -n "$3" ] || missing "$4 $2 is missing: $1 does not say its version"
    oldest=$(printf '%s\n%s\n' "$2" "$3" | sort -t . -k 1,1n -k 2,2n | head -n 1)
    [ "$oldest" = "$2" ] || missing "$4 $2 is missing: $1 is version $3"
}

# The first version number, as 1.26, that follows $1 in what a command prints. `sed` reads on to the end, so that nobody
# writes into a closed pipe.
version() {
    before=$1
    shift
    "$@" 2>&1 | sed -n "s/^.*$before\\([0-9][0-9]*\\(\\.[0-9][0-9]*\\)\\{0,1\\}\\).*/\\1/p" | sed -n 1p
}

# Whether a build is due: the result $1 is not there, or is older than one of the files that follow.
is_due() {
    result=$1
    shift
    [ ! -e "$result" ] || [ -n "$(find "$@" -type f -newer "$result" -print -quit)" ]
}

build_go() {
    # A Go that is too old would fetch a newer one.
    export GOTOOLCHAIN=local
    needs go 1.26 "$(version go go version)" Go
    say "building rueidis and go-redis"
    # -mod=readonly: go.sum decides, and is never written.
    (cd "$here/go" && go build -mod=readonly -o "$output/clients" .) >&2
    echo "$output/clients"
}

build_java() {
    # Maven takes the same one.
    java=${JAVA_HOME:+$JAVA_HOME/bin/}java
    needs "$java" 17 "$(version 'version "' "$java" -version)" Java
    # A run-time environment alone has none.
    needs "${java}c" 17 "$(version 'javac ' "${java}c" -version)" "Java's compiler"
    needs mvn 3.6 "$(version "Maven " mvn -B -v)" Maven
    if is_due "$output/built" "$here/java"; then
        say "building Lettuce"
        # What an earlier build left would be found by the program, too.
        rm -rf "$output/lib" "$output/classes" "$output/clients.jar"
        # -C: what does not match its checksum fails.
        mvn -B -C -q -f "$here/java/pom.xml" "-Dclients.output=$output" package >&2
        touch "$output/built"
    fi
    printf '%s\n' "$java" -cp "$output/clients.jar:$output/lib/*" clients.Main
}

build_node() {
    needs node 20 "$(version v node --version)" Node
    has npm || missing "npm is missing: there is no npm on PATH"
    if is_due "$output/built" "$here/node"; then
        say "installing ioredis, node-redis and glide for Node"
        # Modules are looked for beside the program, and the source tree stays free of them.
        cp "$here"/node/package.json "$here"/node/package-lock.json "$here"/node/*.js "$output/"
        npm ci --prefix "$output" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
        touch "$output/built"
    fi
    printf '%s\n' node "$output/main.js"
}

build_python() {
    needs python3 3.11 "$(version "Python " python3 --version)" Python
    python3 -c 'import ensurepip' 2>/dev/null || missing "Python's venv is missing (Debian has it in python3-venv)"
    # An environment lives no longer than the Python that it was made with.
    if is_due "$output/built" "$here/python/requirements.txt" || ! "$output/venv/bin/python" -c '' 2>/dev/null; then
        say "installing redis-py and glide for Python"
        python3 -m venv --clear "$output/venv" >&2
        "$output/venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
            --require-hashes -r "$here/python/requirements.txt" >&2
        touch "$output/built"
    fi
    # -B: no compiled files in the source tree.
    printf '%s\n' "$output/venv/bin/python" -B "$here/python/main.py"
}

case $language in
    go | java | node | python) ;;
    *)
        say "usage: build.sh go | java | node | python"
        exit 2
        ;;
esac
mkdir -p "$output"
output=$(cd "$output" && pwd)
# Not `build || ...`, which would go on after a command that fails.
trap 'code=$?; case $code in 0 | 3) ;; *) say "building the clients of $language failed; the messages above say why" ;; esac' EXIT
"build_$language"
