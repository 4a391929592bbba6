#!/bin/bash
# The Debian packages: what they need and have; then they are installed in a fresh Debian, a file crosses
# there, and after their removal no file of theirs is left. Where no fresh Debian can be made they are
# unpacked and run from there.
set -uo pipefail
cd "$(dirname "$0")/../.."

: "${DIST:=$PWD/target/dist}" "${CC:=cc}"
patience=60 # seconds that a program may take
host=127.0.0.1
failures=0 relay=''
have() { command -v "$1" >/dev/null 2>&1; }
PATH=$PATH:/usr/sbin:/sbin
for tool in dpkg-deb dpkg-gencontrol dpkg-shlibdeps; do
    have $tool || { echo "SKIP deb: $tool not installed"; exit 0; }
done

work=$(mktemp -d "${TMPDIR:-/tmp}/p2pxfer-deb.XXXXXX")
finish() {
    [ -z "$relay" ] || { kill "$relay"; wait; } 2>/dev/null
    rm -rf --one-file-system "$work"
}
trap finish EXIT

check() {
    local name=$1 status=0
    shift
    "$@" >"$work/output" 2>&1 </dev/null || status=$?
    if [ $status -eq 0 ]; then
        echo "ok deb/$name"
    else
        echo "FAIL deb/$name: ended with $status"
        sed 's/^/    /' "$work/output"
        failures=$((failures + 1))
    fi
    return $status
}

packages=$DIST/../deb
check made make --no-print-directory --silent deb || exit 1
deb() { printf '%s\n' "$packages/$1"_*.deb; }
field() { dpkg-deb -f "$(deb "$1")" "$2"; }
names_match() { [ "$(cd "$packages" && printf '%s\n' *.deb | sed 's/_.*//' | sort | xargs)" = "libp2pxfer-dev libp2pxfer0 p2p-relay p2pxfer" ]; }
commands_need_only_libc() {
    local package
    for package in p2p-relay p2pxfer libp2pxfer0; do
        field $package Depends | grep -qE '^libc6 \([^)]*\), libgcc-s1 \([^)]*\)$' || { field $package Depends; return 1; }
    done
    [ "$(field libp2pxfer-dev Depends)" = "libp2pxfer0 (= $(field libp2pxfer0 Version))" ]
}
symbols_are_listed() {
    diff <(grep '^ ' deploy/debian/libp2pxfer0.symbols) <(dpkg-deb --ctrl-tarfile "$(deb libp2pxfer0)" | tar -xO ./symbols | grep '^ ')
}
# And nobody else may change it; a link shows all permissions.
all_belongs_to_root() { ! dpkg-deb -c "$(deb "$1")" | grep -v '^l' | grep -vE '^.rw[-x]r-[-x]r-[-x] root/root '; }
check names names_match
check depends commands_need_only_libc
check symbols symbols_are_listed
for package in p2p-relay p2pxfer libp2pxfer0 libp2pxfer-dev; do
    check "owner/$package" all_belongs_to_root $package
done

# A program that was compiled with what libp2pxfer-dev has.
dpkg-deb -x "$(deb libp2pxfer-dev)" "$work/dev"
dpkg-deb -x "$(deb libp2pxfer0)" "$work/dev"
library=$work/dev/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
for program in send recv; do
    check "compile/$program" "$CC" -std=c99 -Wall -Wextra -Werror "tests/c/$program.c" -o "$work/$program" \
        -I"$work/dev/usr/include" -L"$library" -lp2pxfer
done

# fresh_debian FOLDER: fills it, from an archive that the first time leaves.
fresh_debian() {
    local codename archive mirror
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    archive=$packages/../debian-$codename.tar
    [ "$(id -u)" -eq 0 ] || { echo "debootstrap needs root"; return 1; }
    if [ ! -s "$archive" ]; then
        have debootstrap || { echo "debootstrap not installed"; return 1; }
        # From where this machine has its own packages.
        mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' "Codename: $codename" | head -n 1)
        [ -n "$mirror" ] || { echo "apt knows no mirror of $codename"; return 1; }
        timeout 900 debootstrap --variant=minbase "$codename" "$1" "$mirror" >"$work/debootstrap.log" 2>&1 ||
            { echo "debootstrap failed: $(tail -n 1 "$work/debootstrap.log")"; return 1; }
        tar -C "$1" --one-file-system -cf "$archive.new" . && mv "$archive.new" "$archive"
    else
        tar -C "$1" -xf "$archive" || { echo "$archive cannot be unpacked"; return 1; }
    fi
}

# A file crosses: from the C program to recv_r, and from send_r to the C program. inside runs a command
# where the packages are.
crosses() {
    local user=$1 folder=$root/tmp/$1 receiver status=0 deadline=$((SECONDS + patience))
    shift
    local receive=$1
    shift
    mkdir "$folder"
    # shellcheck disable=SC2086
    inside timeout $patience $receive "$user" $host "$port" &
    receiver=$!
    until grep -q "registered.*$user" "$work/relay.log"; do
        kill -0 $receiver 2>/dev/null && [ $SECONDS -lt $deadline ] || { echo "nobody waits"; return 1; }
        sleep 0.02
    done
    inside timeout $patience "$1" /tmp/file "$user" $host "$port" || status=$?
    wait $receiver || status=$?
    [ $status -eq 0 ] && cmp "$root/tmp/file" "$folder/file"
}
serves() {
    local deadline=$((SECONDS + patience))
    until grep -q '^listening on ' "$work/relay.log"; do
        [ $SECONDS -lt $deadline ] || { cat "$work/relay.log"; return 1; }
        sleep 0.02
    done
}
# told LINE...: that is what the service manager was told since the last time, repetitions aside.
told() { diff <(printf '%s\n' "$@") <(uniq "$root/tmp/told") && rm "$root/tmp/told"; }

root=$work/root
mkdir -p "$root"
if why=$(fresh_debian "$root"); then
    kind=debian
    inside() { chroot "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin "$@"; }
    # Without its package database and what ldconfig keeps.
    contents() { (cd "$root" && find usr etc opt -xdev ! -type d ! -path 'etc/ld.so.cache' | sort); }
    mkdir "$root/packages"
    cp "$packages"/*.deb "$root/packages/"
    contents >"$work/before"
    check install inside sh -c 'dpkg -i /packages/*.deb'
    check verify inside dpkg --verify p2p-relay p2pxfer libp2pxfer0 libp2pxfer-dev
    install -m 755 "$work/send" "$work/recv" "$root/usr/local/bin/"
else
    echo "SKIP deb/install: $why; unpacked instead"
    kind=unpacked
    rm -rf --one-file-system "$root"
    mkdir "$root"
    for package in p2p-relay p2pxfer libp2pxfer0; do
        dpkg-deb -x "$(deb $package)" "$root"
    done
    mkdir -p "$root/tmp" "$root/usr/local/bin"
    install -m 755 "$work/send" "$work/recv" "$root/usr/local/bin/"
    # Paths below the root become paths of this machine.
    inside() {
        local words=() word
        for word; do
            case $word in /tmp/*) word=$root$word ;; esac
            words+=("$word")
        done
        LD_LIBRARY_PATH=$root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH) \
            PATH=$root/usr/local/bin:$root/usr/bin:$PATH "${words[@]}"
    }
fi
head -c 300000 /dev/urandom >"$root/tmp/file"
# The number of the process itself, for inside is a process too.
# shellcheck disable=SC2016
inside sh -c 'echo $$; exec p2p-relay "$@"' - --bind $host --log-ids 0 >"$work/relay.log" 2>&1 &
if check "$kind/relay" serves; then
    relay=$(head -n 1 "$work/relay.log")
    port=$(sed -n 's/^listening on .*://p' "$work/relay.log")
    check "$kind/send_r-to-c" crosses a "recv /tmp/a" send_r
    check "$kind/c-to-recv_r" crosses b "recv_r -o /tmp/b -" send
fi
if [ $kind = debian ]; then
    rm "$root/usr/local/bin/send" "$root/usr/local/bin/recv"
    # What the service manager would be told, by one that only writes it down.
    mkdir -p "$root/run/systemd/system"
    printf '#!/bin/sh\necho "$*" >>/tmp/told\n' >"$root/usr/local/bin/systemctl"
    chmod 755 "$root/usr/local/bin/systemctl"
    check upgrade inside sh -c 'dpkg -i /packages/*.deb'
    check upgrade/takes-over told daemon-reload 'try-reload-or-restart p2p-relay.service'
    check remove inside dpkg --remove p2p-relay
    check remove/ends-it told '--no-reload disable --now p2p-relay.socket p2p-relay.service' daemon-reload
    rm -r "$root/usr/local/bin/systemctl" "$root/run/systemd"
    check purge inside dpkg --purge p2p-relay p2pxfer libp2pxfer0 libp2pxfer-dev
    contents >"$work/after"
    check purge/leaves-nothing diff "$work/before" "$work/after"
fi
[ $failures -eq 0 ]
