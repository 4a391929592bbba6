#!/bin/bash
# The whole suite, for `make test`: every step runs, whatever became of the one before, and the end
# repeats what failed and what was skipped. A test that cannot run says "SKIP name: why" in a line.
#
# Most tests wait, for a timer or for a peer. So the steps go in two lanes side by side, and Rust's tests are
# many at once; what measures the machine comes after both, alone.
set -uo pipefail
cd "$(dirname "$0")/.."

: "${CARGO:=cargo}" "${DIST:=$PWD/target/dist}"
export DIST
target=$(dirname "$DIST")
log=$target/test.log
cores=$(nproc 2>/dev/null || echo 2)
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((cores > 8 ? cores : 8))}
# So many tests in one process have more files open than the usual 1024.
[ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -ge 8192 ] || ulimit -n 8192 2>/dev/null || ulimit -n "$(ulimit -Hn)"

work=$(mktemp -d "${TMPDIR:-/tmp}/p2pxfer-suite.XXXXXX")
lanes=()
finish() {
    [ ${#lanes[@]} -eq 0 ] || kill "${lanes[@]}" 2>/dev/null
    wait
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# step NAME COMMAND...: runs the command, and notes how it ended and when in the results of its lane.
step() {
    local name=$1 begun=$SECONDS ended=ok
    shift
    printf '\n== %s\n' "$name"
    # Long enough for the slowest machine, and an end for what hangs.
    timeout --kill-after=10 3600 "$@" &
    running=$!
    wait "$running" || ended=FAIL
    running=
    printf '%-4s  %s  %d s\n' "$ended" "$name" $((SECONDS - begun)) >>"$work/$lane.results"
}

# start LANE: runs the steps of the function of that name beside all else.
start() {
    : >"$work/$1" && : >"$work/$1.results"
    (
        lane=$1 running=
        trap - EXIT INT HUP
        trap '[ -z "$running" ] || kill "$running"; exit 143' TERM
        "$lane"
    ) >"$work/$1" 2>&1 </dev/null &
    lanes+=($!)
}
# show LANE PID: what it says, until it has ended.
show() {
    tail -n +1 -f --pid "$2" "$work/$1"
    # Whoever did not come to the end of his steps has not said that one failed.
    wait "$2" || printf 'FAIL  lane-%s  0 s\n' "$1" >>"$work/$1.results"
}

# The programs of the second build have a folder of their own: cargo leaves those of both builds in one place, from
# which the tests start them, and a test that met the other's would fail.
with_libc=(--locked --workspace)
without_libc=(--locked --no-default-features --target-dir "$target/threads")
# Before any test runs, for a compiler takes the whole machine.
build() {
    step build "$CARGO" test "${with_libc[@]}" --no-run
    step build-threads "$CARGO" test "${without_libc[@]}" --no-run
}
rust() {
    step rust "$CARGO" test "${with_libc[@]}" --no-fail-fast
    step rust-threads "$CARGO" test "${without_libc[@]}" --no-fail-fast
}
# All that uses target/dist, and so one after the other: some build it again.
programs() {
    step c tests/c/run.sh
    step static tests/static.sh
    step header make --no-print-directory check-header
    step man make --no-print-directory check-man
    step abi make --no-print-directory abi
    step install tests/install/run.sh
    step completions tests/install/completions.sh
}
alone() {
    step demo tests/demo.sh
    step size make --no-print-directory size
}

for together in build "rust programs" alone; do
    lanes=()
    for lane in $together; do start "$lane"; done
    for lane in $together; do
        show "$lane" "${lanes[0]}"
        lanes=("${lanes[@]:1}")
    done
done
cat "$work"/{build,rust,programs,alone} >"$log"
cat "$work"/{build,rust,programs,alone}.results >"$work/results"

printf '\n== summary\n'
cat "$work/results"
printf 'in all %d min %d s\n' $((SECONDS / 60)) $((SECONDS % 60))
# libtest may have begun a line of its own before the skip.
grep -o 'SKIP [^ :]*: .*' "$log" | sort -u
if grep -q '^FAIL' "$work/results"; then
    printf 'failed:%s\n' "$(sed -n 's/^FAIL *\([^ ]*\) .*/ \1/p' "$work/results" | tr -d '\n')"
    exit 1
fi
echo "all passed"
