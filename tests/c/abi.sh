#!/bin/bash
# The interface of the C library: what it exports is what the header declares and what Debian's symbols
# file lists, and the types are those of the committed baseline.
#
# Rust's debug information tells of Rust's types. So the types come from the header, which ffi/ is held
# to by `make check-header`: a library of empty functions, compiled from it, is what abidiff looks at.
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${DIST:=$PWD/target/dist}" "${CC:=cc}"
header=include/p2pxfer.h
symbols=deploy/debian/libp2pxfer0.symbols
write=
[ "$1" != --write ] || { write=yes; shift; }
baseline=$1

have() { command -v "$1" >/dev/null 2>&1; }
fail() { echo "FAIL abi: $*"; exit 1; }

work=$(mktemp -d "${TMPDIR:-/tmp}/p2pxfer-abi.XXXXXX")
trap 'rm -rf "$work"' EXIT
soname=$(sed -n '1s/ .*//p' "$symbols")

# --- names
if [ -z "$write" ]; then
    sed -n '/^ *[\/*]/d; s/.*\<\(p2pxfer_[a-z0-9_]*\)(.*/\1/p' "$header" | sort -u >"$work/declared"
    sed -n 's/^ \(.*\)@Base .*/\1/p' "$symbols" | sort -u >"$work/listed"
    nm -D --defined-only "$DIST/lib/libp2pxfer.so" | awk '{ print $3 }' | sort -u >"$work/exported"
    diff "$work/declared" "$work/exported" || fail "the library exports (>) other than the header declares (<)"
    diff "$work/declared" "$work/listed" || fail "$symbols lists (>) other than the header declares (<)"
    readelf -d "$DIST/lib/libp2pxfer.so" | grep -qF "soname: [$soname]" || fail "the library is not $soname"
    echo "ok abi/symbols: $(wc -l <"$work/declared") functions, $soname"
fi

# --- types
if ! have abidiff || ! have abidw; then
    echo "SKIP abi/types: abidiff not installed"
    exit 0
fi
machine=$("$CC" -dumpmachine)
case $machine in
x86_64-*linux*) ;;
*) echo "SKIP abi/types: the baseline is that of x86-64, and this is $machine"; exit 0 ;;
esac
{
    echo '#include <p2pxfer.h>'
    # The types that no function names.
    echo 'p2pxfer_progress p2pxfer_progress_type;'
    for numbers in status offer_number report_number relay_number relay_option; do
        echo "enum p2pxfer_$numbers p2pxfer_${numbers}_values;"
    done
    sed '/^ *\/\*/,/\*\//d; /^#/d; /^typedef/d' "$header" | tr '\n' ' ' |
        grep -oE '[a-z0-9_]+( [a-z0-9_]+)* \*?p2pxfer_[a-z0-9_]+\([^)]*\);' | sed 's/;$/ { return 0; }/'
} >"$work/library.c"
"$CC" -std=c99 -g -O0 -w -shared -fPIC -Iinclude -Wl,-soname,"$soname" "$work/library.c" -o "$work/library.so"
if [ -n "$write" ]; then
    abidw --no-show-locs --no-corpus-path --no-comp-dir-path --short-locs --out-file "$work/library.abi" "$work/library.so"
    # Where it was compiled is nobody's business.
    sed -i "s|path='[^']*'|path='p2pxfer.h'|" "$work/library.abi"
    cp "$work/library.abi" "$baseline"
    echo "wrote $baseline"
    exit 0
fi
status=0
abidiff --no-show-locs "$baseline" "$work/library.so" >"$work/said" || status=$?
[ "$status" -eq 0 ] || cat "$work/said"
[ $((status & 3)) -eq 0 ] || fail "abidiff could not compare"
# 8 is what breaks for certain; [C] is a change of which abidiff is not so sure, and we are.
if [ $((status & 8)) -ne 0 ] || grep -q '\[C\]' "$work/said"; then
    fail "programs that use $soname would break: undo that, or raise the first number of the version"
fi
[ "$status" -eq 0 ] || fail "functions were added: run 'make abi-baseline' and list them in $symbols"
echo "ok abi/types: as in $baseline"
