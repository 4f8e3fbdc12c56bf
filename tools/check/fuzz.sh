#!/bin/sh
# Builds the fuzzer and runs each target for FUZZ_SECONDS (default 60), starting from the committed corpus.
#
#   fuzz.sh [TARGET...]    only these targets
#
# What rustc needs for it is stable (the sanitizer-coverage pass of LLVM), so neither a nightly toolchain nor cargo-fuzz is
# needed. No address sanitizer: it would need nightly, and none of our code is unsafe. An input that shows a fault is kept,
# and its path printed; copied into fuzz/corpus/TARGET, `make test` repeats it.
set -eu

cd "$(dirname "$0")/../.."
. tools/setup/common.sh

seconds=${FUZZ_SECONDS:-60}
case $seconds in
    '' | *[!0-9]* | 0) stop "FUZZ_SECONDS must be a number above 0, not \`$seconds\`" ;;
esac
has "${CXX:-c++}" || stop "there is no C++ compiler (libFuzzer needs one). On Debian and Ubuntu type: apt-get install g++"

output=${CARGO_TARGET_DIR:-target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
coverage='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares'

# The host is named so that build scripts and macros are left without instrumentation. Not --locked: the lock file of
# this workspace follows whatever the crates depend on.
RUSTFLAGS=$(echo $coverage) cargo build --quiet --release --manifest-path fuzz/Cargo.toml \
    --target "$host" --target-dir "$output" --bins ||
    stop "the fuzzer does not build. Its one further dependency, libfuzzer-sys, has to be downloaded once"

targets=${*:-$(ls fuzz/fuzz_targets | sed -n 's/\.rs$//p')}
failed=''
for target in $targets; do
    program=$output/$host/release/$target
    [ -x "$program" ] || stop "there is no target \`$target\`"
    found=$output/corpus/$target findings=$output/findings/$target log=$output/$target.log
    mkdir -p "$found" "$findings"
    echo "==> $target: $seconds s"
    # New inputs go to the first directory.
    if "$program" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$findings/" "$found" "fuzz/corpus/$target" >"$log" 2>&1; then
        sed -n 's/^stat::number_of_executed_units: */inputs: /p; s/^stat::average_exec_per_sec: */per second: /p' "$log"
        grep -o 'cov: [0-9]* ft: [0-9]*' "$log" | tail -n 1
    else
        failed="$failed $target"
        grep -E 'panicked at|^(SUMMARY|==[0-9]+==)|Test unit written' -A 3 "$log" | head -n 40 >&2 || :
        echo "fuzz: $target FAILED, see $log" >&2
    fi
done
[ -z "$failed" ] || { echo "fuzz: failed:$failed" >&2; exit 1; }
echo "fuzz: nothing found"
