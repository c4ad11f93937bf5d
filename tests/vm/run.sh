#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs one command in a virtual machine with a Debian cloud kernel, in a copy of this tree.
#
# usage: tests/vm/run.sh 5.10|6.1|6.12|newest|6.12-full [-f FILE]... COMMAND [ARGUMENT...]
#
# The command runs as root with build/, tests/, pcaps/ and the FILEs (relative to the tree), bash, coreutils,
# iproute2, bpftool and python3. Its output and exit code are ours. 77 and a sentence: there is no such
# kernel, or no qemu. No KVM is needed: qemu translates, a start takes about three seconds.
# VM_SECONDS (300): how long it may take. VM_MEGABYTES (1024), VM_CPUS (2), VM_ACCEL (tcg).
set -u
exec </dev/null
cd "$(dirname "$0")/../.." || exit 1
series=${1:?usage: $0 5.10|6.1|6.12|newest [-f FILE]... COMMAND...}
shift
files=()
while [ "${1:-}" = -f ]; do
	files+=("$2")
	shift 2
done
[ $# -gt 0 ] || { echo "usage: $0 5.10|6.1|6.12|newest [-f FILE]... COMMAND..." >&2; exit 2; }
# The system's own programs: a python of somebody's home would bring that home along.
PATH=/usr/sbin:/usr/bin:/sbin:/bin

for program in qemu-system-x86_64 cpio; do
	if ! command -v $program >/dev/null; then
		echo "kernel $series: $program is missing; run: sudo make vm-deps" >&2
		exit 77
	fi
done
VM_SECONDS=${VM_SECONDS:-300} VM_MEGABYTES=${VM_MEGABYTES:-1024}
. tests/vm/lib.sh
if ! vm_fetch "$series" >&2; then
	exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
command=("$@")

# ---------------------------------------------------------------- what is in it

# Programs are real ones: those of busybox would shadow ip and tc.
programs='bash sh cat chmod chown cmp cp cut date dd df diff dirname basename echo env expr false
	find flock grep head hostname id install insmod ip kill ln ls lsmod md5sum mkdir mknod mktemp
	mount mv nl nproc nsenter od paste pgrep printf ps readlink realpath rm rmdir rmmod sed seq setpriv
	sleep sort stat stty sync sysctl tac tail taskset tc tee timeout touch tr true umount uname
	uniq unshare wc xargs awk bpftool python3 strace prlimit
	xdp-loader xdp-filter wg'

libraries_of() { # FILE...
	ldd "$@" 2>/dev/null | grep -oE '/[^ ]+\.so[^ :]*|/[^ ]*/ld-[^ ]+' | sort -u
}

# Files of this machine, to the same paths in a directory whose /bin, /lib and so on are links.
install_files() { # ROOT < paths
	sort -u | tar -C / -chf - --transform='s,^/*\(bin\|sbin\|lib\|lib64\)/,usr/\1/,' -T - 2>/dev/null |
		tar -C "$1" -xf -
}

skeleton() { # ROOT
	local path

	mkdir -p "$1"/usr/{bin,sbin,lib,lib64} "$1"/{proc,sys,dev,tmp,run,etc,root,var,tree}
	for path in bin sbin lib lib64; do
		ln -s usr/$path "$1/$path"
	done
	ln -s ../run "$1/var/run"
	printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$1/etc/passwd"
	printf 'root:x:0:\ndaemon:x:1:\nnogroup:x:65534:\n' >"$1/etc/group"
	echo 'passwd: files' >"$1/etc/nsswitch.conf"
	install -m 755 tests/vm/guest_init "$1/init"
}

pack() { # ROOT ARCHIVE
	(cd "$1" && find . | cpio --quiet -o -H newc) >"$2"
}

# The system is the same for all kernels and runs: packed once.
pack_base() { # ARCHIVE
	local root=$work/base program python

	skeleton "$root"
	for program in $programs; do
		type -P "$program"
	done >"$work/programs"
	python=$(python3 -c 'import os; print(os.path.dirname(os.__file__))')
	find "$python" \( -name test -o -name idlelib -o -name lib2to3 -o -name tkinter -o -name ensurepip \
		-o -name pydoc_data -o -name 'config-*' -o -name distutils -o -name dist-packages -o \
		-name site-packages -o -name '_sqlite3*.so' -o -name '_tkinter*.so' \) \
		-prune -o -type f -print >"$work/python"
	{
		cat "$work/programs" "$work/python"
		ls /usr/lib/*/bpf/*.o # the dispatcher of libxdp, and what xdp-filter loads
		libraries_of $(cat "$work/programs") "$python"/lib-dynload/*.so
	} | install_files "$root"
	pack "$root" "$1.$$" && mv "$1.$$" "$1"
}

# Programs of the tree bring their libraries; objects and sources of the build stay here.
pack_tree() { # ARCHIVE
	local root=$work/tree

	mkdir -p "$root/tree"
	tar --exclude=build/vm --exclude=build/fuzz --exclude='*.o' --exclude='*.a' --exclude='*.d' \
		--exclude='*.skel.h' -cf - build tests pcaps ${files[@]+"${files[@]}"} | tar -C "$root/tree" -xf -
	find "$root/tree/build" -type f -perm -100 >"$work/built"
	xargs strip --strip-debug <"$work/built" 2>/dev/null
	libraries_of $(cat "$work/built") | install_files "$root"
	vm_modules "$series" "$root" veth sch_ingress cls_bpf act_bpf tun dummy bridge 8021q bonding \
		ipip sit ip_gre ip6_gre ip6_tunnel wireguard ppp_async slip
	printf '%q ' "${command[@]}" >"$root/command"
	pack "$root" "$1"
}

# ---------------------------------------------------------------- running

base=$VM_CACHE/base.cpio
[ "$base" -nt "$0" ] && [ "$base" -nt tests/vm/guest_init ] || pack_base "$base"
pack_tree "$work/tree.cpio" || exit 1
# One archive behind another is one.
cat "$base" "$work/tree.cpio" >"$work/initrd"
rm -rf "$work/tree" "$work/base" "$work/tree.cpio"

timeout --kill-after=10 "$VM_SECONDS" qemu-system-x86_64 -accel "$VM_ACCEL" -cpu max \
	-m "$VM_MEGABYTES" -smp "${VM_CPUS:-2}" -display none -no-reboot -nodefaults \
	-kernel "$VM_CACHE/$series/vmlinuz" -initrd "$work/initrd" \
	-serial "file:$work/console" -serial "file:$work/output" \
	-append "console=ttyS0 quiet panic=-1 mitigations=off" >"$work/qemu" 2>&1
status=$?
code=$(tail -n 1 "$work/output" 2>/dev/null | sed -n 's/^exit \([0-9]*\)$/\1/p')
if [ -n "$code" ]; then
	head -n -1 "$work/output" | sed '$ { /^$/d }'
	exit "$code"
fi
cat "$work/output" 2>/dev/null
{
	if [ $status = 124 ]; then
		echo "kernel $series: the machine did not end within $VM_SECONDS s"
	else
		echo "kernel $series: the machine ended without an answer"
	fi
	tail -n 20 "$work/console" "$work/qemu" 2>/dev/null
} >&2
exit 1
