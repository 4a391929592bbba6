#!/bin/bash
# Tests what `make windows` builds, under wine, against the programs of this system: one line a check,
# and an end with 0 only when none failed. `make test-windows` runs it.
set -uo pipefail
cd "$(dirname "$0")/../.."

: "${DIST:=$PWD/target/dist}" "${TARGET:=$PWD/target}"
wine=$PWD/tests/windows/wine
tools=x86_64-w64-mingw32
patience=300 # seconds that a program may take: wine is slow to start on a busy machine
host=127.0.0.1
exe=$DIST/windows/bin

work=$(mktemp -d "${TMPDIR:-/tmp}/p2pxfer-windows.XXXXXX")
relays=() receiver='' sender='' failures=0 turn=0
export WINEPREFIX=$TARGET/wine

finish() {
    local status=$?
    trap - EXIT
    for pid in $receiver $sender "${relays[@]}"; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    # Ends what runs in this prefix, and nothing else.
    "$wine" wineboot --end-session --kill >/dev/null 2>&1
    rm -rf "$work"
    exit "$status"
}

for need in "$tools-gcc" script; do
    command -v "$need" >/dev/null || { echo "SKIP windows: $need is not installed"; exit 0; }
done
lacks=$(deploy/windows/cargo --version 2>&1 >/dev/null) || { echo "SKIP windows: $lacks"; exit 0; }
timeout $patience "$wine" wineboot --init >/dev/null 2>&1 ||
    { echo "SKIP windows: wine64 is not installed, or does not start"; exit 0; }
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
make --no-print-directory windows || exit 1

system=$WINEPREFIX/drive_c/windows/system32
if [ ! -e "$system/bcryptprimitives.dll" ]; then
    $tools-gcc -shared -O2 -s tests/windows/prng.c -o "$system/bcryptprimitives.dll" -ladvapi32 || exit 1
fi

# check NAME COMMAND...: runs the command and says how it went, with what it said when it failed.
check() {
    local name=$1 status=0
    shift
    "$@" >"$work/output" 2>&1 </dev/null || status=$?
    if [ $status -eq 0 ]; then
        echo "ok windows/$name"
    else
        echo "FAIL windows/$name: ended with $status"
        sed 's/^/    /' "$work/output"
        failures=$((failures + 1))
    fi
}

# Waits until the command after the first word holds; the first word says for what.
await() {
    local what=$1 deadline=$((SECONDS + patience))
    shift
    until "$@"; do
        if [ $SECONDS -ge $deadline ]; then
            echo "$what did not happen within $patience s"
            return 1
        fi
        sleep 0.02
    done
}

# start_relay NAME COMMAND...: leaves its port in $port.
start_relay() {
    local log=$work/$1.log
    shift
    : >"$log"
    "$@" --bind $host --log-ids 0 >"$log" 2>&1 &
    relays+=($!)
    await "the relay's first line" grep -q '^listening on ' "$log" || exit 1
    port=$(sed -n '1s/.*:\([0-9]*\).*/\1/p' "$log")
    relay_log=$log
}

windows() { timeout $patience "$wine" "$@"; }
linux() { timeout $patience "$DIST/bin/$1" "${@:2}"; }
registered() { grep -q "registered.*id=$1 " "$relay_log" || ! kill -0 "$receiver"; }

# cross RECEIVER... -- SENDER...: runs both, with what the two have said in $work/receiver and
# $work/sender, and fails when one did. ID stands for a new user id with host and port.
cross() {
    meet "$@" || return
    local status=0
    wait "$sender" || status=$?
    wait "$receiver" || status=$?
    receiver='' sender=''
    cat "$work/receiver" "$work/sender"
    return $status
}

# meet RECEIVER... -- SENDER...: as `cross`, but leaves both at work.
meet() {
    local user=user$((turn += 1)) word command=() receive=()
    for word; do
        case $word in
        --) receive=("${command[@]}") command=() ;;
        ID) command+=("$user" $host "$port") ;;
        *) command+=("$word") ;;
        esac
    done
    "${receive[@]}" >"$work/receiver" 2>&1 &
    receiver=$!
    await "the receiver's registration" registered "$user" || return 1
    "${command[@]}" >"$work/sender" 2>&1 &
    sender=$!
}

# A new, empty folder, in $folder.
folder() { folder=$work/folder-$((turn += 1)) && mkdir "$folder"; }

same() { "$@" && diff -r "$source" "$folder/$(basename "$source")"; }

# --- what is built
declared() { sed -n '/^ *[\/*]/d; s/.*\<\(p2pxfer_[a-z0-9_]*\)(.*/\1/p' include/p2pxfer.h | sort -u; }
offered() { $tools-objdump -p "$1" | sed -n '/Ordinal\/Name/,/^$/s/.* \(p2pxfer_[a-z0-9_]*\)$/\1/p' | sort -u; }
static_symbols() { $tools-nm -g "$1" 2>/dev/null | awk '$2 ~ /^[A-Z]$/ && $2 != "U" && $3 ~ /^p2pxfer_/ { print $3 }' | sort -u; }
check build/dll-offers-the-header diff <(declared) <(offered "$exe/p2pxfer.dll")
check build/archive-offers-the-header diff <(declared) <(static_symbols "$DIST/windows/lib/libp2pxfer.a")
# Only what every Windows brings.
foreign() {
    ! $tools-objdump -p "$exe"/*.exe "$exe"/*.dll | sed -n 's/.*DLL Name: //p' | sort -u |
        grep -viE '^(kernel32|msvcrt|ntdll|ws2_32|advapi32|bcryptprimitives|api-ms-win-core-synch-l1-2-0)\.dll$'
}
check build/no-foreign-library foreign
mkdir "$work/c"
compile() { $tools-gcc -std=c99 -O2 -Wall -Wextra -pedantic -Werror -I"$DIST/windows/include" "$@"; }
cp "$exe/p2pxfer.dll" "$work/c"
for program in send recv; do
    check "build/$program-dll" compile tests/c/$program.c -o "$work/c/$program.exe" -L"$DIST/windows/lib" -lp2pxfer
    check "build/$program-static" compile tests/c/$program.c -o "$work/c/$program-static.exe" \
        "$DIST/windows/lib/libp2pxfer.a" -lws2_32 -lntdll
done

# --- transfers
start_relay relay "$DIST/bin/p2p-relay"
source=$work/photos.tar
head -c 5000000 /dev/urandom >"$source"
send=$exe/send_r.exe recv=$exe/recv_r.exe

folder; check v1/to-windows same cross windows "$recv" --v1 -o "$folder" - ID -- linux send_r "$source" ID
folder; check v1/from-windows same cross linux recv_r -o "$folder" - ID -- windows "$send" --v1 "$source" ID
folder; check c/dll same cross windows "$work/c/recv.exe" "$folder" ID -- windows "$work/c/send.exe" "$source" ID
folder; check c/static same cross windows "$work/c/recv-static.exe" "$folder" ID -- \
    windows "$work/c/send-static.exe" "$source" ID
folder; check c/from-send_r same cross windows "$work/c/recv.exe" "$folder" ID -- linux send_r "$source" ID

secret=$work/secret
(umask 077 && echo 'correct horse battery staple' >"$secret")
with=(--secret-file "$secret")
source=$work/Ünïcode-한글
deep=$source/$(printf 'folder-%.0s' {1..12})/$(printf 'deeper-%.0s' {1..12})/$(printf 'deepest-%.0s' {1..12})
mkdir -p "$deep" "$source/empty"
head -c 3000000 /dev/urandom >"$source/big file.bin"
: >"$source/nothing"
printf 'é' >"$deep/ünten.txt"
folder; check v2/to-windows same cross windows "$recv" "${with[@]}" -o "$folder" - ID -- \
    linux send_r "${with[@]}" "$source" ID
folder; check v2/from-windows same cross linux recv_r "${with[@]}" -o "$folder" - ID -- \
    windows "$send" "${with[@]}" "$source" ID
# There already: known by its size, and by its time as far as the file system keeps that.
folder
twice() {
    cross "$@" && cross "$@" && grep -q 'there already' "$work/receiver"
}
check v2/to-windows-again twice windows "$recv" "${with[@]}" -v -o "$folder" - ID -- linux send_r "${with[@]}" "$source" ID
folder; check v2/between-windows same cross windows "$recv" "${with[@]}" -o "$folder" - ID -- \
    windows "$send" "${with[@]}" "$source" ID

# --- names and paths
source="$source/big file.bin"
back=Z:${source//\//\\}
folder; check path/backslashes same cross linux recv_r -o "$folder" - ID -- windows "$send" "$back" ID
folder; check path/slashes same cross linux recv_r -o "$folder" - ID -- windows "$send" "Z:$source" ID
source=$deep/ünten.txt
folder
folder+=${deep#"$work"}
mkdir -p "$folder"
check path/long same cross windows "$recv" -o "Z:${folder//\//\\}" - ID -- windows "$send" "Z:${source//\//\\}" ID
# refused NAME STATUS: the receiver refuses such a file, and nothing is there.
refused() {
    local status=0
    printf 'x' >"$work/$1"
    meet windows "$recv" -o "$folder" - ID -- linux send_r --v1 "$work/$1" ID || return 1
    wait "$sender"
    wait "$receiver" || status=$?
    receiver='' sender=''
    cat "$work/receiver" "$work/sender"
    [ $status -eq "$2" ] && [ -z "$(ls -A "$folder")" ]
}
for name in NUL con.txt com1 'a:b' 'a\b' 'dot.'; do
    folder
    check "name/$name" refused "$name" 9
done
given_reserved() {
    local status=0
    meet windows "$recv" -o "$1" - ID -- linux send_r "$source" ID || return 1
    wait "$sender"
    wait "$receiver" || status=$?
    receiver='' sender=''
    cat "$work/receiver" "$work/sender"
    [ $status -eq 7 ]
}
folder
check name/given-reserved given_reserved "$folder/NUL"

# --- a relay on Windows
start_relay windows-relay "$wine" "$exe/p2p-relay.exe"
source=$work/photos.tar
folder; check relay/on-windows same cross linux recv_r -o "$folder" - ID -- linux send_r "$source" ID

# --- resume, the console: through a relay that takes its time
start_relay slow "$DIST/bin/p2p-relay" --pair-bytes 4M
source=$work/slow.bin
head -c 16000000 /dev/urandom >"$source"
part_grows() { [ "$(find "$folder" -name '*.p2pxfer-part' -size +4000k | wc -l)" -gt 0 ]; }

# killed and gone on with: WHO is the side on Windows.
resumed() {
    local receive=(linux recv_r) send=(linux send_r)
    case $1 in
    receiver) receive=("$wine" "$exe/recv_r.exe") ;;
    sender) send=("$wine" "$exe/send_r.exe") ;;
    esac
    local options=("${with[@]}" --reconnect=0)
    meet "${receive[@]}" "${options[@]}" -o "$folder" - ID -- "${send[@]}" "${options[@]}" "$source" ID || return 1
    await "half of the file" part_grows || return 1
    if [ "$1" = receiver ]; then kill -9 "$receiver"; else kill -9 "$sender"; fi
    wait "$receiver" "$sender" 2>/dev/null
    [ ! -e "$folder/slow.bin" ] || return 1
    cross "${receive[@]}" "${options[@]}" -v -o "$folder" - ID -- "${send[@]}" "${options[@]}" "$source" ID || return 1
    grep -q 'were there before' "$work/receiver" || return 1
    [ "$(ls -A "$folder")" = slow.bin ]
}
folder; check resume/receiver same resumed receiver
folder; check resume/sender same resumed sender

# console COMMAND...: runs it on a console; what is said there goes to $work/screen, keys come from
# descriptor 7. Wine makes a console of a terminal. `new_console` comes first: a key that nobody took is
# not for the next one.
new_console() {
    rm -f "$work/keys"
    mkfifo "$work/keys" && exec 7<>"$work/keys" && : >"$work/screen"
}
console() {
    local line
    line=$(printf '%q ' "$@")
    timeout $patience script -qfec "stty cols 100; $line" /dev/null <"$work/keys" >"$work/screen"
}
# Read to its end: a `grep -q` that has found enough fails whoever still writes to it.
says() { sed 's/\x1b\[[0-9;?]*[A-Za-z]//g' "$work/screen" | grep "$1" >/dev/null; }
progress_and_ctrl_c() {
    local status=0
    new_console || return 1
    meet console "$wine" "$exe/recv_r.exe" --v1 --yes -o "$folder" - ID -- linux send_r --v1 "$source" ID || return 1
    await "progress" says '[0-9]%  ' || return 1
    printf '\003' >&7
    wait "$receiver" || status=$?
    wait "$sender"
    receiver='' sender=''
    cat -v "$work/screen" "$work/sender"
    [ $status -eq 130 ] && [ -z "$(ls -A "$folder")" ]
}
folder; check console/progress-and-ctrl-c progress_and_ctrl_c
typed() {
    local user=user$((turn += 1)) status=0
    new_console || return 1
    console "$wine" "$exe/recv_r.exe" --ask-secret -o "$folder" - "$user" $host "$port" &
    receiver=$!
    await "the question" says 'secret' || return 1
    printf 'correct horse battery staple\r' >&7
    await "the receiver's registration" registered "$user" || return 1
    linux send_r "${with[@]}" "$source" "$user" $host "$port" || status=$?
    wait "$receiver" || status=$?
    receiver=''
    cat -v "$work/screen"
    [ $status -eq 0 ] && ! says 'horse'
}
source=$work/photos.tar
folder; check console/a-secret-is-not-shown same typed

# --- the unit tests that know no sockets, and those of the platform
units() {
    CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=$wine timeout 1800 deploy/windows/cargo test --release --locked --lib -- \
        wire:: crypto:: transfer:: sys::
}
check units units

if [ $failures -gt 0 ]; then
    echo "$failures failed"
    exit 1
fi
