#!/bin/bash
# deploy/Dockerfile without Docker: builds the relay as it does, and lets it serve where there is no
# other file, as in an empty image. Needs root for that.
set -euo pipefail
cd "$(dirname "$0")/.."

: "${CARGO:=cargo}"
skip() {
    echo "SKIP static: $*"
    exit 0
}
[ "$(uname -s)" = Linux ] || skip "only Linux has such binaries"
command -v chroot >/dev/null || PATH=$PATH:/usr/sbin
command -v chroot >/dev/null || skip "chroot not installed"
[ "$(id -u)" -eq 0 ] || skip "chroot needs root"

# The very commands of the Dockerfile, so that they stay true.
build=$(sed -n '/^RUN target/,/--target "\$target"/p' deploy/Dockerfile | sed 's/^RUN //; s/\\$//')
grep -q 'crt-static' <<<"$build" || {
    echo "deploy/Dockerfile builds no static binary any more"
    exit 1
}
target=$(rustc -vV | sed -n 's/^host: //p')
folder=${CARGO_TARGET_DIR:-target}
eval "$(tr '\n' ' ' <<<"${build//cargo build/$CARGO build --quiet}")"

root=$(mktemp -d)
relay=
end() {
    [ -z "$relay" ] || kill "$relay" 2>/dev/null || true
    rm -rf "$root"
}
trap end EXIT
install -m 755 "$folder/$target/relay/p2p-relay" "$root/p2p-relay"
chmod 755 "$root"
[ "$(find "$root" -type f | wc -l)" -eq 1 ]

for backend in epoll threads; do
    mkfifo "$root.log"
    chroot --userspec=65534:65534 "$root" /p2p-relay --backend "$backend" --log-ids --bind 127.0.0.1 0 \
        2>"$root.log" </dev/null &
    relay=$!
    exec 3<"$root.log"
    rm "$root.log"
    read -r -t 20 line <&3
    port=${line##*:}
    exec 4<>"/dev/tcp/127.0.0.1/$port"
    printf 'Talice$' >&4
    read -r -t 20 line <&3
    [[ $line == *"registered id=alice"* ]]
    exec 5<>"/dev/tcp/127.0.0.1/$port"
    printf 'Calice$through an empty root\n' >&5
    read -r -t 20 line <&4
    [ "$line" = "through an empty root" ]
    exec 4>&- 5>&-
    kill "$relay"
    wait "$relay"
    relay=
    exec 3<&-
    echo "a static p2p-relay serves alone in an empty root, backend $backend"
done
