#!/bin/bash
# Makes Debian packages of what `make` built: deb.sh FOLDER. Needs dpkg-dev.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
source=$PWD
mkdir -p "$1"
out=$(cd "$1" && pwd)

for tool in dpkg-deb dpkg-shlibdeps dpkg-gensymbols dpkg-gencontrol; do
    command -v $tool >/dev/null || { echo "$tool is missing: install dpkg-dev"; exit 1; }
done
: "${DEBFULLNAME:=the p2pxfer authors}" "${DEBEMAIL:=root@localhost}"
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}"
export SOURCE_DATE_EPOCH
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
packages=(p2p-relay p2pxfer libp2pxfer0 libp2pxfer-dev)

rm -rf "$out/build" "$out"/*.deb
all=$out/build/all
debian=$out/build/debian
mkdir -p "$debian"
make --silent --no-print-directory install DESTDIR="$all" prefix=/usr libdir="/usr/lib/$multiarch" \
    zshcompdir=/usr/share/zsh/vendor-completions
sed "s/@maintainer@/$DEBFULLNAME <$DEBEMAIL>/" deploy/debian/control >"$debian/control"
cp deploy/debian/*.symbols "$debian/"
cat >"$debian/changelog" <<END
p2pxfer ($version) unstable; urgency=medium

  * Version $version; what changed stands in CHANGELOG.md.

 -- $DEBFULLNAME <$DEBEMAIL>  $(date -uRd "@$SOURCE_DATE_EPOCH")
END

# Readers of the manual expect it compressed; its links have to follow.
find "$all/usr/share/man" -type f -exec gzip -9n {} +
find "$all/usr/share/man" -type l | while read -r link; do
    ln -s "$(readlink "$link").gz" "$link.gz"
    rm "$link"
done

# move PACKAGE PATH...: out of what is below usr.
cd "$all/usr"
move() {
    local package=$1 path
    shift
    for path in "$@"; do
        mkdir -p "$debian/$package/usr/${path%/*}"
        mv "$path" "$debian/$package/usr/${path%/*}/"
    done
}
move p2p-relay bin/p2p-relay share/man/man8/p2p-relay.8.gz lib/systemd/system/p2p-relay.{service,socket} \
    share/bash-completion/completions/p2p-relay share/zsh/vendor-completions/_p2p-relay \
    share/fish/vendor_completions.d/p2p-relay.fish
mkdir -p "$debian/p2p-relay/usr/share/doc/p2p-relay"
mv share/doc/p2pxfer/operations.md "$debian/p2p-relay/usr/share/doc/p2p-relay/"
move p2pxfer bin/{send,recv}_r share/man/man1/{send,recv}_r.1.gz share/doc/p2pxfer/{README,json,protocol}.md \
    share/bash-completion/completions/{send,recv}_r share/zsh/vendor-completions/_send_r \
    share/fish/vendor_completions.d/{send,recv}_r.fish
move libp2pxfer0 "lib/$multiarch"/libp2pxfer.so.*
move libp2pxfer-dev include/p2pxfer.h share/man/man3/* \
    "lib/$multiarch"/{libp2pxfer.so,libp2pxfer.a,pkgconfig/p2pxfer.pc,cmake/p2pxfer}
# Each package has these two under its own name.
rm share/doc/p2pxfer/{LICENSE,CHANGELOG.md}
left=$(find "$all" ! -type d)
[ -z "$left" ] || { printf 'in no package:\n%s\n' "$left"; exit 1; }

cd "$out/build"
for package in "${packages[@]}"; do
    control=debian/$package/DEBIAN
    doc=debian/$package/usr/share/doc/$package
    mkdir -p "$control" "$doc"
    cp "$source/LICENSE" "$doc/copyright"
    gzip -9nc debian/changelog >"$doc/changelog.gz"
    gzip -9nc "$source/CHANGELOG.md" >"$doc/NEWS.md.gz"
    for script in postinst prerm postrm; do
        [ ! -f "$source/deploy/debian/$package.$script" ] ||
            install -m 755 "$source/deploy/debian/$package.$script" "$control/$script"
    done
done
dpkg-gensymbols -plibp2pxfer0 -Pdebian/libp2pxfer0 -v"$version" -c4
echo "libp2pxfer 0 libp2pxfer0 (>= $version)" >debian/libp2pxfer0/DEBIAN/shlibs
echo "activate-noawait ldconfig" >debian/libp2pxfer0/DEBIAN/triggers
for package in "${packages[@]}"; do
    tree=debian/$package
    mapfile -t objects < <(find "$tree/usr" -type f \( -path '*/bin/*' -o -name '*.so.*' \))
    : >"debian/$package.substvars"
    [ ${#objects[@]} -eq 0 ] || dpkg-shlibdeps -S"$tree" -T"debian/$package.substvars" "${objects[@]}"
    (cd "$tree" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
    dpkg-gencontrol -p"$package" -P"$tree" -T"debian/$package.substvars"
    dpkg-deb --root-owner-group --build "$tree" "$out" >/dev/null
done
cd "$out" && printf '%s\n' "made, in $out:" *.deb
