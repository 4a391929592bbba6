#!/bin/bash
# Tests libp2pxfer from C, against what `make` left in target/dist: one line a check, and an end with 0
# only when none failed. `make test` runs it.
set -uo pipefail
cd "$(dirname "$0")/../.."

: "${DIST:=$PWD/target/dist}" "${CC:=cc}" "${CXX:=c++}" "${RUSTC:=rustc}"
patience=300 # seconds that a program may take, under valgrind and on a busy machine too
host=127.0.0.1
warnings=(-Wall -Wextra -pedantic -Werror)
tests=(version arguments status files version2 content stream sealed relay cancel busy signals)
examples=(send recv chat embedded polling)

work=$(mktemp -d "${TMPDIR:-/tmp}/p2pxfer-c.XXXXXX")
relay='' receiver='' failures=0 turn=0

finish() {
    local status=$?
    trap - EXIT
    for pid in $receiver $relay; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

have() { command -v "$1" >/dev/null 2>&1; }

# check NAME COMMAND...: runs the command and says how it went, with what it said when it failed.
check() {
    local name=$1 status=0
    shift
    "$@" >"$work/output" 2>&1 </dev/null || status=$?
    if [ $status -eq 0 ]; then
        echo "ok c/$name"
    else
        echo "FAIL c/$name: ended with $status"
        sed 's/^/    /' "$work/output"
        failures=$((failures + 1))
    fi
    return $status
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

build_c() { "$CC" -std=c99 -O2 "${warnings[@]}" -I"$DIST/include" "$@"; }
build_cxx() { "$CXX" -x c++ -std=c++11 -O2 "${warnings[@]}" -I"$DIST/include" "$@"; }
build_test() { "$CC" -std=c99 -D_POSIX_C_SOURCE=200809L -g "${warnings[@]}" -I"$DIST/include" "$@" -pthread; }
shared=(-x none -L"$DIST/lib" -lp2pxfer -pthread -Wl,-rpath,"$DIST/lib")
static=(-x none "$DIST/lib/libp2pxfer.a" -pthread)

# The test programs get a folder of their own each time, and know where ours are.
run_test() {
    turn=$((turn + 1))
    mkdir "$work/folder-$turn"
    BIN=$DIST/bin timeout $patience "$@" "$work/folder-$turn" $host "$port"
}

# cross NAME RECEIVER -- SENDER: moves the file between two commands, in which {} stands for the folder
# and ID for the user id.
cross() {
    local user=$1-$((turn += 1)) folder=$work/cross-$turn part status=0
    shift
    mkdir "$folder"
    local command=() receive=()
    for part; do
        part=${part//\{\}/$folder}
        if [ "$part" = -- ]; then
            receive=("${command[@]}")
            command=()
        else
            command+=("${part//ID/$user}")
        fi
    done
    timeout $patience "${receive[@]}" &
    receiver=$!
    await "the receiver's registration" registered "$user" || return 1
    timeout $patience "${command[@]}" || status=$?
    wait "$receiver" || status=$?
    receiver=''
    [ $status -eq 0 ] && cmp "$file" "$folder/${file##*/}"
}
registered() { grep -q "registered.*$1" "$work/relay.log" || ! kill -0 "$receiver"; }

# What the libraries offer is what the header declares.
declared() { sed -n '/^ *[\/*]/d; s/.*\<\(p2pxfer_[a-z0-9_]*\)(.*/\1/p' include/p2pxfer.h | sort -u; }
offered() { nm "$@" | awk '$2 ~ /^[A-Z]$/ { print $3 }' | sort -u; }
same_symbols() { diff <(declared) <(offered "$@"); }
names_itself() {
    local major
    major=$(sed -n 's/^version = "\([0-9]*\)\..*/\1/p' Cargo.toml | head -n 1)
    readelf -d "$DIST/lib/libp2pxfer.so" | grep -F "soname: [libp2pxfer.so.$major]"
}

# --- what the programs are made of
for part in bin/p2p-relay bin/send_r bin/recv_r lib/libp2pxfer.so lib/libp2pxfer.a include/p2pxfer.h; do
    [ -e "$DIST/$part" ] || { echo "FAIL c/build: $DIST/$part is missing, run make first"; exit 1; }
done
for program in "${examples[@]}"; do
    check "build/$program-c99-shared" build_c "tests/c/$program.c" -o "$work/$program" "${shared[@]}"
    check "build/$program-c99-static" build_c "tests/c/$program.c" -o "$work/$program-static" "${static[@]}"
    if have "$CXX"; then
        check "build/$program-c++11-shared" build_cxx "tests/c/$program.c" -o "$work/$program-c++" "${shared[@]}"
        check "build/$program-c++11-static" build_cxx "tests/c/$program.c" -o "$work/$program-c++-static" "${static[@]}"
    fi
done
# What the README shows: the first sends, the second receives, the third is a stream.
for number in 1 2 3; do
    tests/c/readme.sh $number >"$work/readme-$number.c"
    check "build/readme-$number-c99" build_c "$work/readme-$number.c" -o "$work/readme-$number" "${shared[@]}"
    if have "$CXX"; then
        check "build/readme-$number-c++11" build_cxx "$work/readme-$number.c" -o "$work/readme-$number-c++" "${shared[@]}"
    fi
done
if have clang; then
    for program in "${examples[@]}"; do
        check "clang/$program" clang -std=c99 -O2 "${warnings[@]}" -I"$DIST/include" -fsyntax-only "tests/c/$program.c"
        check "clang/$program-c++11" clang -x c++ -std=c++11 -O2 "${warnings[@]}" -I"$DIST/include" -fsyntax-only "tests/c/$program.c"
    done
    for program in "${tests[@]}"; do
        check "clang/$program" clang -std=c99 -D_POSIX_C_SOURCE=200809L "${warnings[@]}" -I"$DIST/include" -fsyntax-only "tests/c/$program.c"
    done
else
    echo "SKIP c/clang: clang not installed"
fi
have "$CXX" || echo "SKIP c/c++: no C++ compiler ($CXX) installed"
for program in "${tests[@]}"; do
    check "build/$program" build_test "tests/c/$program.c" -o "$work/test-$program" "${shared[@]}"
    check "build/$program-static" build_test "tests/c/$program.c" -o "$work/test-$program-static" "${static[@]}"
done
if have nm && have readelf; then
    check "symbols/shared" same_symbols -D --defined-only "$DIST/lib/libp2pxfer.so"
    check "symbols/static" same_symbols -g --defined-only "$DIST/lib/libp2pxfer.a"
    check "symbols/soname" names_itself
else
    echo "SKIP c/symbols: binutils not installed"
fi

# --- a relay, and a file
"$DIST/bin/p2p-relay" --bind $host --log-ids 0 >"$work/relay.log" 2>&1 &
relay=$!
await "the relay's first line" grep -q '^listening on ' "$work/relay.log" || exit 1
port=$(sed -n '1s/.*://p' "$work/relay.log")
file=$work/photos.tar
head -c 5000000 /dev/urandom >"$file"

# --- the examples
at=(ID $host "$port")
check "transfer/shared" cross a "$work/recv" {} "${at[@]}" -- "$work/send" "$file" "${at[@]}"
check "transfer/static" cross b "$work/recv-static" {} "${at[@]}" -- "$work/send-static" "$file" "${at[@]}"
check "transfer/c-to-recv_r" cross c "$DIST/bin/recv_r" -o {} - "${at[@]}" -- "$work/send" "$file" "${at[@]}"
check "transfer/send_r-to-c" cross d "$work/recv" {} "${at[@]}" -- "$DIST/bin/send_r" "$file" "${at[@]}"
if have "$CXX"; then
    check "transfer/c++" cross e "$work/recv-c++" {} "${at[@]}" -- "$work/send-c++-static" "$file" "${at[@]}"
fi

# Two who chat: each hears what the other one says, which comes over a pipe here.
chat() {
    local user=chat-$((turn += 1)) status=0
    timeout $patience "$1" listen lusab "$user" $host "$port" <"$file" >"$work/heard" &
    receiver=$!
    await "the listener's registration" registered "$user" || return 1
    timeout $patience "$2" dial lusab "$user" $host "$port" <"$file.2" >"$work/heard.2" || status=$?
    wait "$receiver" || status=$?
    receiver=''
    [ $status -eq 0 ] && cmp "$file" "$work/heard.2" && cmp "$file.2" "$work/heard"
}
embedded() {
    local folder=$work/embedded-$((turn += 1)) status=0
    mkdir "$folder"
    timeout $patience "$1" "$folder" inside >"$folder.out" 2>&1 &
    receiver=$!
    await "the port" grep -q '^port ' "$folder.out" || return 1
    timeout $patience "$DIST/bin/send_r" --wait "$file" inside $host "$(sed -n 's/^port //p' "$folder.out")" || status=$?
    wait "$receiver" || status=$?
    receiver=''
    cat "$folder.out"
    [ $status -eq 0 ] && grep -q 'bytes crossed the relay' "$folder.out" && cmp "$file" "$folder/${file##*/}"
}
# A click ends a sender that nobody answers: 10 is what is cancelled.
clicked() {
    local status=0
    (echo; sleep 1) | timeout $patience "$1" "$file" nobody-$((turn += 1)) $host "$port" || status=$?
    [ $status -eq 10 ]
}
head -c 20000 /dev/urandom >"$file.2"
check "chat" chat "$work/chat" "$work/chat-static"
check "embedded" embedded "$work/embedded"
check "polling" cross p "$DIST/bin/recv_r" -o {} - "${at[@]}" -- "$work/polling" "$file" "${at[@]}"
check "polling/cancelled" clicked "$work/polling"

# --- the tests
for program in "${tests[@]}"; do
    check "$program" run_test "$work/test-$program"
    check "$program-static" run_test "$work/test-$program-static"
done
if have "$RUSTC"; then
    "$RUSTC" --edition 2024 --crate-type staticlib -O tests/c/other_archive.rs -o "$work/libother.a" &&
        check "build/two-archives" build_test tests/c/two_archives.c -o "$work/test-two-archives" \
            "${static[@]}" "$work/libother.a" -lm -ldl &&
        check "two-archives" run_test "$work/test-two-archives"
    [ -x "$work/test-two-archives" ] || failures=$((failures + 1))
else
    echo "SKIP c/two-archives: no rustc ($RUSTC) installed"
fi

# --- all of it again with gcc's checks of addresses and of what C leaves undefined
sanitizers=(-fsanitize=address,undefined -fno-sanitize-recover=all)
if echo 'int main(void) { return 0; }' | "$CC" "${sanitizers[@]}" -x c - -o "$work/sanitized" 2>/dev/null && "$work/sanitized"; then
    for program in "${tests[@]}"; do
        check "asan/build/$program" build_test "${sanitizers[@]}" "tests/c/$program.c" -o "$work/asan-$program" "${shared[@]}"
        check "asan/$program" run_test "$work/asan-$program"
    done
    for program in "${examples[@]}"; do
        check "asan/build/$program" build_c "${sanitizers[@]}" "tests/c/$program.c" -o "$work/asan-$program" "${shared[@]}"
    done
    check "asan/transfer" cross s "$work/asan-recv" {} "${at[@]}" -- "$work/asan-send" "$file" "${at[@]}"
    check "asan/polling" cross q "$work/asan-recv" {} "${at[@]}" -- "$work/asan-polling" "$file" "${at[@]}"
    check "asan/chat" chat "$work/asan-chat" "$work/asan-chat"
    check "asan/embedded" embedded "$work/asan-embedded"
else
    echo "SKIP c/asan: $CC has no AddressSanitizer"
fi

# --- all of it again under valgrind
if have valgrind; then
    # The standard library knows the main thread, once it has waited for another, by a block that only
    # a pointer into its middle holds: possibly lost, but not.
    valgrind=(valgrind --quiet --error-exitcode=9 --leak-check=full --fair-sched=yes
        --show-leak-kinds=definite --errors-for-leak-kinds=definite)
    check "valgrind/transfer" cross v "${valgrind[@]}" "$work/recv" {} "${at[@]}" -- \
        "${valgrind[@]}" "$work/send" "$file" "${at[@]}"
    for program in "${tests[@]}"; do
        check "valgrind/$program" run_test "${valgrind[@]}" "$work/test-$program"
    done
else
    echo "SKIP c/valgrind: valgrind not installed"
fi

if [ $failures -gt 0 ]; then
    echo "$failures failed"
    exit 1
fi
