#!/bin/sh
# Checks what no compiler checks: unfinished code, file sizes, paths of one machine, phrases that nobody should write,
# lints switched on everywhere.
set -eu

cd "$(dirname "$0")/../.."

longest_file=450
longest_architecture=150

failed=0
wrong() {
    echo "repository: $*" >&2
    failed=1
}

# Every file of the project that git has or would add; in an unpacked archive, everything but what building
# and measuring leave behind.
files() {
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard
    else
        find . -type f ! -path './target/*' ! -path './bench/results/*' ! -path './.git/*' | sed 's|^\./||'
    fi | sort -u | while IFS= read -r file; do
        [ ! -f "$file" ] || echo "$file"
    done
}

# Runs grep over the files named on standard input; succeeds if it finds something, and prints where.
found() {
    tr '\n' '\0' | xargs -0 grep -nE "$1" /dev/null >&2
}

lines() { wc -l <"$1" | tr -d ' '; }

all=$(files)
rust=$(echo "$all" | grep '\.rs$' || :)

if echo "$rust" | found '(^|[^A-Za-z0-9_])(todo|unimplemented|dbg)!'; then
    wrong "unfinished or debugging code in the lines above"
fi

# This table is written by tools/command-table.
for file in $(echo "$rust" | grep -vx 'crates/client/src/command/table\.rs'); do
    count=$(lines "$file")
    [ "$count" -le "$longest_file" ] || wrong "$file has $count lines; split it at $longest_file"
done

if [ -f ARCHITECTURE.md ]; then
    count=$(lines ARCHITECTURE.md)
    [ "$count" -le "$longest_architecture" ] ||
        wrong "ARCHITECTURE.md has $count lines; a reader gets $longest_architecture"
fi

# These documents name tests as `FILE::test`, files of the client's without a crate: programs, or modules of `cluster` or,
# with that in front, of `faults`.
for document in docs/PROMISES.md crates/client/tests/FAULTS.md; do
    tests=$(grep -oE '`[a-z_/0-9]+\.rs::[a-z_0-9]+`' "$document" | tr -d '`' || :)
    [ -n "$tests" ] || wrong "$document names no test"
    for named in $tests; do
        file=${named%%::*}
        case $file in
            faults/*) file=crates/client/tests/$file ;;
            cli/*) file=crates/cli/tests/tool/${file#*/} ;;
            */*) file=crates/${file%%/*}/tests/${file#*/} ;;
            *) [ -f "crates/client/tests/$file" ] && file=crates/client/tests/$file || file=crates/client/tests/cluster/$file ;;
        esac
        grep -qE "fn ${named##*::}\(" "$file" || wrong "$document names $named, and $file has no such test"
    done
done

# No compiler misses a file that no module leads to.
for modules in crates/client/tests/cluster crates/client/tests/faults crates/cli/tests/tool; do
    for file in $(echo "$rust" | grep "^$modules/[a-z_]*\.rs$" | grep -vx "$modules/main\.rs"); do
        name=$(basename "$file" .rs)
        grep -qx "mod $name;" "$modules/main.rs" || wrong "$file is part of no program: $modules/main.rs lacks \`mod $name;\`"
        grep -qF "| \`$name\` |" "$modules/main.rs" || wrong "$modules/main.rs does not say what $name is"
    done
done

# The brackets keep this line from finding itself.
if echo "$all" | found '(^|[^A-Za-z0-9._/-])/(wor[k]/|tmp/note[s]|roo[t]/)'; then
    wrong "paths of somebody's machine in the lines above"
fi

# Of all files, only the list itself holds its phrases. A phrase may run over the end of a line, in a comment too.
phrases=$(sed -e '/^#/d' -e '/^$/d' tools/check/phrases.txt)
texts=$(echo "$all" | grep -E '\.(rs|md|sh|py|toml)$|(^|/)Makefile$|^\.ci/run$')
for file in $texts; do
    written=$(sed -E -e 's,^[[:space:]]*(//[/!]?|#)?[[:space:]]*,,' -e 's/^$/|/' -e 's/\\$//' "$file" | tr '\n' ' ' | tr -s ' ' |
        LC_ALL=C grep -oiwF -e "$phrases" || :)
    [ -z "$written" ] ||
        wrong "$file has what tools/check/phrases.txt lists, with what to write instead: $(echo "$written" | tr '\n' ';')"
done

for manifest in $(echo "$all" | grep -E '^(crates/[^/]+|bench|tools/[^/]+)/Cargo\.toml$'); do
    tr -d ' ' <"$manifest" | grep -A 1 -Fx '[lints]' | grep -qFx 'workspace=true' ||
        wrong "$manifest lacks the lints of the workspace: add [lints] workspace = true"
done

for script in $(echo "$all" | grep -E '^tools/.*\.sh$|^\.ci/run$'); do
    [ -x "$script" ] || wrong "$script is not executable"
    case $(head -n 1 "$script") in
        *bash) bash -n "$script" ;;
        *) sh -n "$script" ;;
    esac || wrong "$script does not parse"
done

exit "$failed"
