#!/bin/bash
# `make install` into empty folders, in several shapes: everything is where it belongs, a program outside
# the tree compiles with it by pkg-config and by CMake and moves a file, and `make uninstall` leaves
# nothing.
set -uo pipefail
cd "$(dirname "$0")/../.."

: "${DIST:=$PWD/target/dist}" "${CC:=cc}"
patience=60 # seconds that a program may take
host=127.0.0.1
failures=0 turn=0 relay=''
work=$(mktemp -d "${TMPDIR:-/tmp}/p2pxfer-install.XXXXXX")
finish() {
    [ -z "$relay" ] || { kill "$relay"; wait "$relay"; } 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT

have() { command -v "$1" >/dev/null 2>&1; }

# check NAME COMMAND...: runs the command and says how it went, with what it said when it failed.
check() {
    local name=$1 status=0
    shift
    "$@" >"$work/output" 2>&1 </dev/null || status=$?
    if [ $status -eq 0 ]; then
        echo "ok install/$name"
    else
        echo "FAIL install/$name: ended with $status"
        sed 's/^/    /' "$work/output"
        failures=$((failures + 1))
    fi
    return $status
}
install_with() { make --no-print-directory --silent install "$@"; }
uninstall_with() { make --no-print-directory --silent uninstall "$@"; }
files_below() { (cd "$1" && find . ! -type d | sort); }

# A folder that only the listed variable names reach: prefix alone, and every variable elsewhere.
usual=$work/usual
odd=$work/odd
# Not below prefix, and none beside another.
everywhere=(prefix="$odd/p" exec_prefix="$odd/e" bindir="$odd/commands" libdir="$odd/l/lib64" includedir="$odd/headers/c"
    datarootdir="$odd/data" mandir="$odd/manual" docdir="$odd/documents" pkgconfigdir="$odd/pc" cmakedir="$odd/c/m"
    unitdir="$odd/units" bashcompdir="$odd/b" zshcompdir="$odd/z" fishcompdir="$odd/f")

parts_are_there() {
    local part
    for part in bin/{p2p-relay,send_r,recv_r} lib/libp2pxfer.{a,so,so.0} lib/pkgconfig/p2pxfer.pc include/p2pxfer.h \
        lib/cmake/p2pxfer/p2pxfer-config{,-version}.cmake share/man/man1/{send,recv}_r.1 share/man/man3/p2pxfer.3 \
        share/man/man8/p2p-relay.8 lib/systemd/system/p2p-relay.{service,socket} share/doc/p2pxfer/json.md \
        share/bash-completion/completions/{send_r,recv_r,p2p-relay} share/zsh/site-functions/{_send_r,_p2p-relay} \
        share/fish/vendor_completions.d/{send_r,recv_r,p2p-relay}.fish; do
        [ -s "$1/$part" ] || { echo "$part is missing"; return 1; }
    done
    # Every function has a page.
    local name
    for name in $(sed -n '/^ *[\/*]/d; s/.*\<\(p2pxfer_[a-z0-9_]*\)(.*/\1/p' include/p2pxfer.h); do
        [ -s "$1/share/man/man3/$name.3" ] || { echo "$name has no page"; return 1; }
    done
    # The unit starts what was installed, and nothing was left to be filled in.
    grep -q "^ExecStart=$1/bin/p2p-relay " "$1/lib/systemd/system/p2p-relay.service" || return 1
    ! grep -rE '@[a-z_]+@|/usr/local' "$1/lib/pkgconfig" "$1/lib/cmake" "$1/lib/systemd"
}
each_in_its_place() {
    local part
    for part in commands/send_r l/lib64/libp2pxfer.so headers/c/p2pxfer.h manual/man3/p2pxfer.3 documents/json.md \
        pc/p2pxfer.pc c/m/p2pxfer-config.cmake units/p2p-relay.service b/send_r z/_send_r f/send_r.fish; do
        [ -s "$odd/$part" ] || { echo "$part is missing"; return 1; }
    done
    grep -q "ExecStart=$odd/commands/p2p-relay" "$odd/units/p2p-relay.service"
}
# Both for a package's files below DESTDIR: as for an installation in place, but for the paths inside.
same_files_below_destdir() {
    install_with DESTDIR="$work/stage" prefix="$usual" && diff <(files_below "$usual") <(files_below "$work/stage$usual") &&
        diff -r --no-dereference "$usual" "$work/stage$usual"
}
nothing_is_left() {
    uninstall_with "${@:2}" && local left && left=$(find "$1" ! -type d) && [ -z "$left" ] || { echo "left: $left"; return 1; }
}
others_stay() {
    mkdir -p "$usual/bin" && : >"$usual/bin/another" && install_with prefix="$usual" && uninstall_with prefix="$usual" &&
        [ "$(files_below "$usual")" = ./bin/another ] && [ ! -e "$usual/lib/cmake/p2pxfer" ]
}

# transfer RECEIVER SENDER...: a file crosses between two programs of tests/c.
transfer() {
    local user=user-$((turn += 1)) folder=$work/inbox-$turn receiver status=0 deadline=$((SECONDS + patience))
    mkdir "$folder"
    timeout $patience "$1" "$folder" "$user" $host "$port" &
    receiver=$!
    until grep -q "registered.*$user" "$work/relay.log"; do
        kill -0 $receiver 2>/dev/null && [ $SECONDS -lt $deadline ] || { echo "nobody waits"; return 1; }
        sleep 0.02
    done
    timeout $patience "$2" "$work/file" "$user" $host "$port" || status=$?
    wait $receiver || status=$?
    [ $status -eq 0 ] && cmp "$work/file" "$folder/file"
}
# compile SUFFIX FLAGS...: both programs, in a folder outside the tree.
compile() {
    local program suffix=$1
    shift
    for program in send recv; do
        (cd "$outside" && "$CC" -std=c99 -Wall -Wextra -Werror "$program.c" -o "$program-$suffix" "$@") || return 1
    done
}
by_pkg_config() {
    local name=$1 folder=$2 flags
    flags=$(PKG_CONFIG_PATH=$folder pkg-config --cflags --libs p2pxfer) || return 1
    # shellcheck disable=SC2086
    compile "$name" $flags
}
by_pkg_config_static() {
    local flags
    flags=$(PKG_CONFIG_PATH=$usual/lib/pkgconfig pkg-config --static --cflags --libs p2pxfer) || return 1
    # The resolver of glibc loads its own libraries later, of which the linker warns.
    # shellcheck disable=SC2086
    compile static -static $flags && ! readelf -d "$outside/send-static" | grep NEEDED
}
version_agrees() {
    [ "$(PKG_CONFIG_PATH=$usual/lib/pkgconfig pkg-config --modversion p2pxfer)" = \
        "$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)" ]
}
by_cmake() { cmake -S "$outside" -B "$outside/$1" -Dp2pxfer_DIR="$2" && cmake --build "$outside/$1"; }
version_refused() {
    ! cmake -S "$outside" -B "$outside/refused-$1" -Dp2pxfer_DIR="$usual/lib/cmake/p2pxfer" -DWANTED="$1" >"$work/cmake" 2>&1 &&
        grep -q 'version: 0\.' "$work/cmake"
}
needs_none() { ! needs "$1"; }
needs() { readelf -d "$1" | grep -qF "[libp2pxfer.so.0]"; }
unit_is_right() {
    local said
    said=$(systemd-analyze verify --man=no "$usual/lib/systemd/system"/p2p-relay.{service,socket} 2>&1)
    [ -z "$said" ] || { echo "$said"; return 1; }
}
found_by_bash() {
    # shellcheck disable=SC2016
    XDG_DATA_DIRS=$usual/share bash --norc -c 'source /usr/share/bash-completion/bash_completion
        for program in send_r recv_r p2p-relay; do
            _completion_loader $program
            complete -p $program | grep -- "-F _p2p" || exit 1
        done'
}
found_by_zsh() {
    # shellcheck disable=SC2016
    HOME=$work zsh -f -c 'fpath=($1 $fpath); autoload -Uz compinit && compinit -u -D
        [[ $_comps[send_r] == _send_r && $_comps[recv_r] == _send_r && $_comps[p2p-relay] == _p2p-relay ]]' \
        - "$usual/share/zsh/site-functions"
}
found_by_fish() {
    # It asks nothing about programs that are not there.
    HOME=$work PATH=$usual/bin:$PATH XDG_DATA_DIRS=$usual/share fish -c 'complete -C "recv_r --new-" | grep new-secret; and complete -C "p2p-relay --log-" | grep log-ids'
}

check usual install_with prefix="$usual" && check usual/parts parts_are_there "$usual"
check elsewhere install_with "${everywhere[@]}" && check elsewhere/parts each_in_its_place
check destdir same_files_below_destdir

"$usual/bin/p2p-relay" --bind $host --log-ids 0 >"$work/relay.log" 2>&1 &
relay=$!
deadline=$((SECONDS + patience))
until grep -q '^listening on ' "$work/relay.log" || [ $SECONDS -ge $deadline ]; do sleep 0.02; done
port=$(sed -n '1s/.*://p' "$work/relay.log")
head -c 300000 /dev/urandom >"$work/file"

outside=$work/outside
mkdir "$outside"
cp tests/c/send.c tests/c/recv.c tests/install/CMakeLists.txt "$outside/"
export LD_LIBRARY_PATH=$usual/lib
if have pkg-config; then
    check pkg-config/version version_agrees
    check pkg-config/shared by_pkg_config shared "$usual/lib/pkgconfig" &&
        check pkg-config/needs needs "$outside/send-shared" &&
        check pkg-config/shared/runs transfer "$outside/recv-shared" "$outside/send-shared"
    check pkg-config/static by_pkg_config_static &&
        check pkg-config/static/runs transfer "$outside/recv-static" "$outside/send-static"
    check pkg-config/elsewhere by_pkg_config odd "$odd/pc" &&
        LD_LIBRARY_PATH=$odd/l/lib64 check pkg-config/elsewhere/runs transfer "$outside/recv-odd" "$outside/send-odd"
else
    echo "SKIP install/pkg-config: pkg-config not installed"
fi
# What the README shows, word for word but for the port, compiled as it says.
readme() {
    local flags
    mkdir -p "$outside/readme-$1"
    tests/c/readme.sh "$1" | sed "s/9000/$port/" >"$outside/readme-$1/x.c" || return 1
    flags=$(PKG_CONFIG_PATH=$usual/lib/pkgconfig pkg-config --cflags --libs p2pxfer) || return 1
    # shellcheck disable=SC2086
    (cd "$outside/readme-$1" && "$CC" -Wall -Wextra -Werror x.c $flags -o x)
}
# Waits until somebody has registered since $before lines of the relay's log.
waits() {
    local deadline=$((SECONDS + patience))
    until tail -n "+$((before + 1))" "$work/relay.log" | grep 'registered.*alice' >/dev/null; do
        kill -0 $receiver 2>/dev/null && [ $SECONDS -lt $deadline ] || { echo "nobody waits"; return 1; }
        sleep 0.02
    done
}
readme_sends() {
    local receiver status=0 before
    before=$(wc -l <"$work/relay.log")
    mkdir "$work/readme-inbox" && cp "$work/file" "$outside/readme-1/photo.jpg"
    timeout $patience "$usual/bin/recv_r" -o "$work/readme-inbox" - alice $host "$port" &
    receiver=$!
    waits || return 1
    (cd "$outside/readme-1" && timeout $patience ./x) || status=$?
    wait $receiver || status=$?
    [ $status -eq 0 ] && cmp "$work/file" "$work/readme-inbox/photo.jpg"
}
readme_receives() {
    local receiver status=0 before
    before=$(wc -l <"$work/relay.log")
    (cd "$outside/readme-2" && timeout $patience ./x) &
    receiver=$!
    waits || return 1
    timeout $patience "$usual/bin/send_r" "$work/file" alice $host "$port" || status=$?
    wait $receiver || status=$?
    [ $status -eq 0 ] && cmp "$work/file" "$outside/readme-2/file"
}
# Ten megabytes go out and come back at once.
readme_echoes() {
    local receiver status=0 before
    before=$(wc -l <"$work/relay.log")
    timeout $patience "$outside/readme-3/x" &
    receiver=$!
    waits || return 1
    timeout $patience "$outside/pump" alice $host "$port" <"$work/ten" >"$work/back" || status=$?
    wait $receiver || status=$?
    [ $status -eq 0 ] && cmp "$work/ten" "$work/back"
}
if have pkg-config; then
    head -c 10000000 /dev/urandom >"$work/ten"
    "$CC" -std=c99 -Wall -Wextra -Werror tests/install/pump.c -o "$outside/pump" -I"$usual/include" -L"$usual/lib" -lp2pxfer
    check readme/sends/compiled readme 1 && check readme/sends readme_sends
    check readme/receives/compiled readme 2 && check readme/receives readme_receives
    check readme/echo/compiled readme 3 && check readme/echo readme_echoes
fi
unset LD_LIBRARY_PATH
if have cmake; then
    # Moved as a whole, it still finds its parts.
    cp -a "$usual" "$work/moved"
    check cmake by_cmake build "$work/moved/lib/cmake/p2pxfer" &&
        check cmake/shared/runs transfer "$outside/build/recv-shared" "$outside/build/send-shared" &&
        check cmake/static/needs needs_none "$outside/build/send-static" &&
        check cmake/static/runs transfer "$outside/build/recv-static" "$outside/build/send-static"
    check cmake/elsewhere by_cmake odd "$odd/c/m" &&
        check cmake/elsewhere/runs transfer "$outside/odd/recv-shared" "$outside/odd/send-shared"
    check cmake/newer-refused version_refused 0.99
    check cmake/other-major-refused version_refused 1.0
else
    echo "SKIP install/cmake: cmake not installed"
fi
if have systemd-analyze; then
    check unit/verify unit_is_right
else
    echo "SKIP install/unit: systemd-analyze not installed"
fi
# Each shell finds them by itself, where it looks for those of installed programs.
if [ -r /usr/share/bash-completion/bash_completion ]; then
    check bash/found found_by_bash
else
    echo "SKIP install/bash: bash-completion not installed"
fi
if have zsh; then
    check zsh/found found_by_zsh
else
    echo "SKIP install/zsh: zsh not installed"
fi
if have fish; then
    check fish/found found_by_fish
else
    echo "SKIP install/fish: fish not installed"
fi
if have man; then
    check man/found env MANPATH="$usual/share/man" man -w recv_r p2pxfer p2pxfer_free p2p-relay
else
    echo "SKIP install/man: man not installed"
fi

check uninstall nothing_is_left "$usual" prefix="$usual"
check uninstall/elsewhere nothing_is_left "$odd" "${everywhere[@]}"
check uninstall/destdir nothing_is_left "$work/stage" DESTDIR="$work/stage" prefix="$usual"
check uninstall/others-stay others_stay
[ $failures -eq 0 ]
