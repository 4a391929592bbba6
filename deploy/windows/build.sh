#!/bin/bash
# Builds everything for 64-bit Windows into $DIST/windows and packs it into one archive. `make windows`
# runs it.
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${DIST:=$PWD/target/dist}" "${TARGET:=$PWD/target}"
built=$TARGET/x86_64-pc-windows-gnu/release
out=$DIST/windows
tools=x86_64-w64-mingw32
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
mapfile -t symbols < <(sed -n '/^ *[\/*]/d; s/.*\<\(p2pxfer_[a-z0-9_]*\)(.*/\1/p' include/p2pxfer.h | sort -u)

deploy/windows/cargo build --release --workspace --locked

rm -rf "$out"
mkdir -p "$out/bin" "$out/lib" "$out/include"
cp "$built"/{p2p-relay,send_r,recv_r}.exe "$built/p2pxfer.dll" "$out/bin/"
cp include/p2pxfer.h "$out/include/"

# What the header declares is what the import library offers; Visual C's tools make theirs of the .def.
{ printf 'LIBRARY p2pxfer.dll\nEXPORTS\n' && printf '    %s\n' "${symbols[@]}"; } >"$out/lib/p2pxfer.def"
$tools-dlltool --input-def "$out/lib/p2pxfer.def" --output-lib "$out/lib/libp2pxfer.dll.a"

# Two Rust archives in one program clash over symbols of the standard library, so ours keeps its own
# local. The other objects are imports, and the compiler's own functions, which C's compiler has too.
parts=$(mktemp -d "$TARGET/parts.XXXXXX")
trap 'rm -rf "$parts"' EXIT
(cd "$parts" && $tools-ar x "$built/libp2pxfer.a")
$tools-objcopy "${symbols[@]/#/--keep-global-symbol=}" --strip-debug "$parts"/p2pxfer.*.o
rm "$parts"/compiler_builtins-*.o
$tools-ar rcs "$out/lib/libp2pxfer.a" "$parts"/*.o

# Windows' plain editors of old want both characters at the end of a line.
for text in deploy/windows/README.txt LICENSE; do
    sed 's/$/\r/' "$text" >"$out/$(basename "$text" .txt).txt"
done
archive=p2pxfer-$version-windows-x86_64
rm -f "$DIST/$archive.zip"
ln -sfn windows "$DIST/$archive"
(cd "$DIST" && "${PYTHON:-python3}" -m zipfile -c "$archive.zip" "$archive")
rm -f "$DIST/$archive"
printf '%s\n' "built, in $out:" '  bin/p2p-relay.exe bin/send_r.exe bin/recv_r.exe bin/p2pxfer.dll' \
    '  lib/libp2pxfer.dll.a lib/p2pxfer.def lib/libp2pxfer.a include/p2pxfer.h' "and all of it in $DIST/$archive.zip"
