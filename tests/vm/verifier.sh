#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The programs, built by every clang there is, before the verifier of every kernel that can be fetched.
#
# usage: verifier.sh [SERIES...]     5.10 6.1 6.12 6.18 when none is named
#
# Speaks TAP. CLANGS names the compilers (clang-14 clang-16 clang-19), VM_CACHE where kernels are kept.
set -u
exec </dev/null
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
. tests/vm/lib.sh
. tests/tap.sh

CLANGS=${CLANGS:-clang-14 clang-16 clang-19}
WALKED_MAX=${WALKED_MAX:-1000000} # what the kernel allows; tests/check.sh is stricter at home
made=build/verifier # of this checkout: what another one compiled last is not what is asked about
tree=$made/tree

result() { # ok|"not ok" NAME
	number=$((number + 1))
	echo "$1 $number - $2"
	[ "$1" = ok ] || failed=1
}

# Loads each object and says so: "clang-14 ackmon_xdp 98886", or "clang-14 failed" behind the reasons.
write_script() {
	cat >"$tree/bin/verify" <<'EOS'
#!/bin/sh
# The form ackmon itself would choose, see user/attach_form.h.
case $(uname -r) in 5.10.*) objects=/older ;; *) objects=/objects ;; esac
verify() { # OBJECT [INTERFACE]
	name=$(basename "$1" .o)
	if walked "$@" >/tmp/out 2>/tmp/err; then
		sed "s/^/$name /" /tmp/out
	else
		sed "s/^/# $name: /" /tmp/err
		echo "$name failed"
	fi
}
for object in $objects/*.o; do
	verify "$object"
done
# What reads the tag in XDP metadata is bound to an interface; Linux has that from 6.8 on.
case $(uname -r) in [1-5].* | 6.[0-7].*) exit ;; esac
ip link add bound0 type veth # and its peer, veth0
for object in /vlan/*.o; do
	verify "$object" bound0
done
EOS
	chmod 755 "$tree/bin/verify"
}

build_objects() { # prints the compilers that are here
	local clang
	mkdir -p "$tree/objects" "$tree/older" "$tree/vlan"
	for clang in $CLANGS; do
		if ! command -v "$clang" >/dev/null; then
			result ok "$clang # SKIP not installed" >&2
			continue
		fi
		make --no-print-directory BUILD="$made/$clang" CLANG="$clang" \
			"$made/$clang/monitor.bpf.o" "$made/$clang/monitor_older.bpf.o" \
			"$made/$clang/monitor_vlan.bpf.o" \
			>"$made/$clang.log" 2>&1 &&
			cp "$made/$clang/monitor.bpf.o" "$tree/objects/$clang.o" &&
			cp "$made/$clang/monitor_older.bpf.o" "$tree/older/$clang.o" &&
			cp "$made/$clang/monitor_vlan.bpf.o" "$tree/vlan/$clang.o" || {
			result "not ok" "$clang compiles the programs"
			grep -m 5 -E 'error|warning' "$made/$clang.log" | sed 's/^/# /'
		}
	done
}

judge() { # SERIES OUTPUT
	local clang program walked wanted=3
	case $1 in [1-5].* | 6.[0-7]) ;; *) wanted=4 ;; esac
	for clang in $CLANGS; do
		[ -e "$tree/objects/$clang.o" ] || continue
		if [ "$(grep -c "^$clang ackmon_" "$2")" != $wanted ]; then
			result "not ok" "Linux $1 takes what $clang made"
			grep "^# $clang" "$2" | tail -n 12 | cut -c 1-300
			continue
		fi
		walked=$(sed -n "s/^$clang ackmon_\([a-z_]*\) \([0-9]*\).*/\1 \2/p" "$2" | tr '\n' ' ')
		program=$(echo "$walked" | tr ' ' '\n' | grep -E '^[0-9]+$' | sort -n | tail -n 1)
		if [ "${program:-0}" -gt "$WALKED_MAX" ]; then
			result "not ok" "Linux $1 takes what $clang made: ${walked% } (at most $WALKED_MAX are good)"
		else
			result ok "Linux $1 takes what $clang made: ${walked% }"
		fi
	done
}

command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86 is missing; run: sudo make vm-deps"
command -v busybox >/dev/null && ! ldd "$(command -v busybox)" >/dev/null 2>&1 ||
	skip_all "busybox-static is missing; run: sudo make vm-deps"
[ $# -gt 0 ] || set -- 5.10 6.1 6.12 6.18
rm -rf "$tree"
mkdir -p "$tree"
vm_tree "$tree" build/tests/walked
write_script
build_objects
for series in "$@"; do
	if ! why=$(vm_fetch "$series"); then
		result ok "Linux $series # SKIP $why"
		continue
	fi
	rm -rf "$tree/modules"
	vm_modules "$series" "$tree" veth
	[ "$series" = 5.10 ] && export VM_SECONDS=900 || VM_SECONDS=300
	vm_boot "$series" "$tree" verify >"$made/$series.out"
	judge "$series" "$made/$series.out"
done
echo "1..$number"
exit $failed
