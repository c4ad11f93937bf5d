#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A Debian with a real systemd in a virtual machine: our package, its unit, and what the manager makes of it.
#
# usage: systemd_test.sh [SERIES]           6.12 when none is named; speaks TAP
#
# The Debian is this machine's release, from debootstrap, on a disk image; systemd_guest.sh runs in it as a unit.
set -u
exec </dev/null
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
VM_SECONDS=${VM_SECONDS:-900} # before lib.sh has a shorter one
. tests/vm/lib.sh
. tests/tap.sh
VM_CACHE=$(realpath -m "$VM_CACHE")
series=${1:-6.12}

[ "$(id -u)" = 0 ] || skip_all "making a disk of a Debian needs root; try: sudo $0"
for program in debootstrap qemu-system-x86_64 busybox cpio mke2fs; do
	command -v $program >/dev/null || skip_all "$program is missing; run: sudo make vm-deps"
done
why=$(vm_fetch "$series") || skip_all "$why"
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
make --no-print-directory -s deb >/dev/null || exit 1
deb=$(ls -t build/ackmon_*.deb | head -n 1)
packages=systemd-sysv,dbus,iproute2,bpftool,$(dpkg-deb -f "$deb" Depends | tr -d ' ')
why=$(vm_debian "$suite" systemd "$packages") || skip_all "$why"
work=$(mktemp -d "$VM_CACHE/systemd.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# ---------------------------------------------------------------- disk

mkdir "$work/root"
tar -C "$work/root" -xf "$VM_CACHE/$suite-systemd.tar"
cp "$deb" "$work/root/root/ackmon.deb"
cp build/tests/traffic tests/vm/systemd_guest.sh "$work/root/root/"
cat >"$work/root/etc/systemd/system/guest.service" <<'UNIT'
[Unit]
Description=the test
[Service]
Type=oneshot
ExecStart=/bin/bash /root/systemd_guest.sh
ExecStopPost=/bin/sh -c 'echo "exit $$EXIT_STATUS" >/dev/ttyS1'
ExecStopPost=systemctl --no-block --force --force poweroff
StandardOutput=file:/dev/ttyS1
StandardError=inherit
UNIT
mkdir -p "$work/root/etc/systemd/system/multi-user.target.wants"
ln -s ../guest.service "$work/root/etc/systemd/system/multi-user.target.wants/guest.service"
mke2fs -q -t ext4 -d "$work/root" "$work/disk" 1500M >/dev/null || exit 1
rm -rf "$work/root"

vm_tree "$work/start"
vm_modules "$series" "$work/start" virtio_pci virtio_blk crc32c_generic ext4 veth sch_ingress cls_bpf
cat >"$work/start/init" <<'INIT'
#!/bin/busybox sh
export PATH=/bin
/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s /bin
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done </modules/order
until [ -b /dev/vda ]; do usleep 100000; done
mkdir /disk
mount -t ext4 /dev/vda /disk
exec switch_root /disk /sbin/init
INIT
chmod 755 "$work/start/init"
(cd "$work/start" && find . | cpio -o -H newc --quiet) >"$work/initrd"

# ---------------------------------------------------------------- machine

timeout --kill-after=10 "$VM_SECONDS" qemu-system-x86_64 -accel "$VM_ACCEL" -cpu max -m "$VM_MEGABYTES" -smp 2 \
	-display none -no-reboot -nodefaults -kernel "$VM_CACHE/$series/vmlinuz" -initrd "$work/initrd" \
	-drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" \
	-serial "file:$work/console" -serial "file:$work/output" \
	-append "console=ttyS0 quiet panic=-1 mitigations=off rdinit=/init systemd.show_status=0" >"$work/qemu" 2>&1
tr -d '\r' <"$work/output" >"$work/said"
grep -E '^(ok|not ok|1\.\.|#)' "$work/said"
if ! grep -q '^exit [01]$' "$work/said"; then
	echo "not ok - the machine runs the test to its end, within $VM_SECONDS s"
	tail -n 20 "$work/console" "$work/qemu" | tr -d '\r' | sed 's/^/# /'
	exit 1
fi
grep -q '^exit 0$' "$work/said"
