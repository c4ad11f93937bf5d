#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Makes BUILD/ackmon_VERSION_ARCH.deb of what `make install` installs; needs dpkg-deb alone.
#
# usage: user/packaging/make_deb.sh VERSION BUILD
set -eu
version=$1 build=$2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
umask 022

# The packages of the libraries the program names. Where /lib is /usr/lib, dpkg knows either path.
depends() {
	local library path package
	readelf -d "$build/ackmon" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | while read -r library; do
		path=$(ldd "$build/ackmon" | awk -v l="$library" '$1 == l { print $3; exit }')
		package=$({ dpkg -S "$path" || dpkg -S "${path#/usr}" || dpkg -S "/usr$path"; } 2>/dev/null |
			head -n 1 | cut -d: -f1)
		[ -n "$package" ] || { echo "$library: no package has it" >&2; exit 1; }
		echo "$package"
	done | sort -u | paste -sd, | sed 's/,/, /g'
}

needed=$(depends)
[ -n "$needed" ] || { echo "the libraries of $build/ackmon belong to no package" >&2; exit 1; }
make --no-print-directory -s install DESTDIR="$root" PREFIX=/usr SYSCONFDIR=/etc
strip "$root/usr/sbin/ackmon"
gzip -9n "$root/usr/share/man/man8/ackmon.8"
install -D -m 644 LICENSE "$root/usr/share/doc/ackmon/copyright"
mkdir "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<CONTROL
Package: ackmon
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: ackmon maintainers <ackmon@localhost>
Section: net
Priority: optional
Depends: $needed
Description: TCP flow monitor by XDP and TC
 Watches connections in the kernel, or replays captures: round trips,
 repeats, how they opened and how they ended.
CONTROL
printf '%s\n' /etc/default/ackmon /etc/logrotate.d/ackmon >"$root/DEBIAN/conffiles"
cat >"$root/DEBIAN/prerm" <<'SCRIPT'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d "$DPKG_ROOT/run/systemd/system" ]; then
	systemctl disable --now ackmon.service || true
fi
SCRIPT
cat >"$root/DEBIAN/postinst" <<'SCRIPT'
#!/bin/sh
set -e
if [ -d "$DPKG_ROOT/run/systemd/system" ]; then
	systemctl daemon-reload
	systemctl try-restart ackmon.service || true
fi
SCRIPT
cat >"$root/DEBIAN/postrm" <<'SCRIPT'
#!/bin/sh
set -e
if [ -d "$DPKG_ROOT/run/systemd/system" ]; then
	systemctl daemon-reload
fi
if [ "$1" = purge ]; then
	rm -rf "$DPKG_ROOT/var/log/ackmon" "$DPKG_ROOT/var/log/private/ackmon"
fi
SCRIPT
chmod 755 "$root"/DEBIAN/{prerm,postinst,postrm}
dpkg-deb --root-owner-group --build "$root" "$build/ackmon_${version}_$(dpkg --print-architecture).deb"
