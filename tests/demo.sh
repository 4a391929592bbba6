#!/bin/bash
# The main job, end to end on this machine: a relay, a receiver, a sender, a file of 100 MB; once with
# the commands, once with the C programs of tests/c. `make demo` builds what it needs and runs it.
set -euo pipefail
cd "$(dirname "$0")/.."

: "${DIST:=$PWD/target/dist}"
bytes=100000000
patience=30 # seconds that a program may take to get ready, and a transfer to end
host=127.0.0.1

work=$(mktemp -d "${TMPDIR:-/tmp}/p2pxfer-demo.XXXXXX")
relay='' receiver='' sender=''

finish() {
    local status=$?
    trap - EXIT
    for pid in $sender $receiver $relay; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ -t 1 ]; then bold=$'\e[1m' green=$'\e[32m' plain=$'\e[0m'; else bold='' green='' plain=''; fi

say() { printf '%s\n' "$*"; }
title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() { printf '  $ %s\n' "$*"; }

fail() {
    say "demo failed: $1"
    for output in "$work"/*.log; do
        say "--- ${output##*/}"
        tail -n 20 "$output"
    done
    exit 1
}

# Waits until the command after the first word holds; the first word says for what.
await() {
    local what=$1 deadline=$((SECONDS + patience))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || fail "$what did not happen within $patience s"
        sleep 0.02
    done
}

said() { grep -q "$1" "$work/$2.log"; }
gone() { ! kill -0 "$1" 2>/dev/null; }
microseconds() { local now=${EPOCHREALTIME/[.,]/}; printf '%s' "$now"; }

# cross NAME RECEIVER... -- SENDER...: starts both, waits for both, compares, tells the rate.
cross() {
    local name=$1 inbox=$work/$1 status=0 begun took
    shift
    local receive=()
    while [ "$1" != -- ]; do receive+=("$1"); shift; done
    shift

    mkdir "$inbox"
    show "${receive[*]##*/dist/*/}"
    timeout $patience "${receive[@]}" >"$work/$name-receiver.log" 2>&1 &
    receiver=$!
    await "the receiver's registration" registered "$name"

    show "${*##*/dist/*/}"
    begun=$(microseconds)
    timeout $patience "$@" >"$work/$name-sender.log" 2>&1 &
    sender=$!
    wait "$sender" || status=$?
    sender=''
    [ $status -eq 0 ] || fail "the sender ended with $status"
    wait "$receiver" || status=$?
    receiver=''
    took=$(($(microseconds) - begun))
    [ $status -eq 0 ] || fail "the receiver ended with $status"
    cmp "$file" "$inbox/${file##*/}" || fail "what arrived is not what was sent"
    printf '  %s%s arrived, equal byte for byte%s: %d MB in %d ms, %d MB/s\n' \
        "$green" "${file##*/}" "$plain" $((bytes / 1000000)) $((took / 1000)) $((bytes / took))
}

# Whether the relay knows the user id; it says so in a line of its log.
registered() {
    gone "$receiver" && fail "the receiver ended before the sender began"
    said "registered.*$1" relay
}

title "1. a file of 100 MB, and a relay on a free port"
file=$work/photos.tar
head -c $bytes /dev/urandom >"$file"
show "head -c $bytes /dev/urandom > ${file##*/}"
show "p2p-relay --bind $host --log-ids 0"
"$DIST/bin/p2p-relay" --bind $host --log-ids 0 >"$work/relay.log" 2>&1 &
relay=$!
await "the relay's first line" said '^listening on ' relay
port=$(sed -n '1s/.*://p' "$work/relay.log")
say "  $(head -n 1 "$work/relay.log")"

title "2. one host waits under a name, the other calls it: recv_r and send_r"
cross alice \
    "$DIST/bin/recv_r" -o "$work/alice" - alice $host "$port" -- \
    "$DIST/bin/send_r" "$file" alice $host "$port"

title "3. the same from C: tests/c/recv.c and tests/c/send.c with libp2pxfer"
cross bob \
    "$DIST/examples/recv" "$work/bob" bob $host "$port" -- \
    "$DIST/examples/send" "$file" bob $host "$port"

title "4. what the relay saw"
sed 's/^/  /' "$work/relay.log"
title "done: both files arrived as they were sent"
