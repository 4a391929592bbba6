#!/bin/bash
# The whole suite, for `make test`: every step runs, whatever became of the one before, and the end
# repeats what failed and what was skipped. A test that cannot run says "SKIP name: why" in a line.
set -uo pipefail
cd "$(dirname "$0")/.."

: "${CARGO:=cargo}" "${DIST:=$PWD/target/dist}"
export DIST
log=$DIST/../test.log
failed=() timings=()
: >"$log"

step() {
    local name=$1 begun=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    # Long enough for the slowest machine, and an end for what hangs.
    timeout --kill-after=10 3600 "$@" 2>&1 | tee -a "$log"
    # The status of the command, not of tee.
    if [ "${PIPESTATUS[0]}" -eq 0 ]; then
        timings+=("ok    $name  $((SECONDS - begun)) s")
    else
        timings+=("FAIL  $name  $((SECONDS - begun)) s")
        failed+=("$name")
    fi
}

step rust "$CARGO" test --locked --workspace
step rust-threads "$CARGO" test --locked --no-default-features
step c tests/c/run.sh
step static tests/static.sh
step demo tests/demo.sh
step header make --no-print-directory check-header
step man make --no-print-directory check-man
step abi make --no-print-directory abi
step install tests/install/run.sh
step completions tests/install/completions.sh
step size make --no-print-directory size

printf '\n== summary\n'
printf '%s\n' "${timings[@]}"
# libtest may have begun a line of its own before the skip.
grep -o 'SKIP [^ :]*: .*' "$log" | sort -u
if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}"
    exit 1
fi
echo "all passed"
