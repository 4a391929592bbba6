#!/bin/bash
# Checks that the code compiles for every system that it claims, with and without the feature `libc`: one line a
# target. `make check-targets` runs it.
#
# The standard library comes from rustup where that has it, else out of the source that Debian's packages rustc-web,
# cargo-web and rust-web-src bring. Where there is neither, the target is skipped by name.
set -uo pipefail
cd "$(dirname "$0")/.."

: "${CARGO:=cargo}" "${TARGET:=$PWD/target}"
targets=(x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu x86_64-unknown-linux-musl aarch64-unknown-linux-musl
    x86_64-apple-darwin aarch64-apple-darwin x86_64-unknown-freebsd aarch64-unknown-freebsd)
failures=0
said=$(mktemp "${TMPDIR:-/tmp}/p2pxfer-targets.XXXXXX")
trap 'rm -f "$said"' EXIT

by_rustup() {
    command -v rustup >/dev/null || return 1
    rustup target list --installed | grep -x "$1" >/dev/null || timeout 300 rustup target add "$1" >/dev/null 2>&1
}
by_debian() { [ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ] && [ -e /usr/lib/rustlib/src/rust/library/std ]; }

# A release lets one build the standard library only when it is told to behave as a nightly.
debian_cargo() {
    env -u RUSTUP_TOOLCHAIN -u RUSTC_WRAPPER RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
        CARGO_UNSTABLE_BUILD_STD=std,panic_abort,panic_unwind,test /usr/bin/cargo "$@"
}

for target in "${targets[@]}"; do
    if by_rustup "$target"; then
        cargo=$CARGO
    elif by_debian; then
        cargo=debian_cargo
    else
        echo "SKIP targets/$target: neither rustup nor rust-web-src has its standard library"
        continue
    fi
    for features in --workspace --no-default-features; do
        # What is not used there is a mistake, too.
        if CARGO_TARGET_DIR=$TARGET/targets RUSTFLAGS=-Dwarnings "$cargo" check --quiet --locked --target "$target" \
            $features >"$said" 2>&1 </dev/null; then
            echo "ok targets/$target $features"
        else
            echo "FAIL targets/$target $features"
            sed 's/^/    /' "$said"
            failures=$((failures + 1))
        fi
    done
done
[ $failures -eq 0 ]
