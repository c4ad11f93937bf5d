#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The promise of the README on a machine that has nothing: a minimal Debian with git, make and sudo,
# the two commands as they stand there, the tests, the package.
#
# usage: fresh_machine.sh [SUITE...]      bookworm trixie when none is named; speaks TAP
#
#   fresh  eth0 10.79.0.2 ---- eth0 10.79.0.1  far: a relay to the mirror, which is all there is of the world
#
# A machine here is a directory that debootstrap fills (kept as $VM_CACHE/SUITE-fresh.tar), with namespaces of its
# own for mounts, processes and network; the kernel is the one of this machine. PARTS="unit golden" runs these
# parts instead of all of `make test`; PARTS=none runs none.
set -u
exec </dev/null
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
. tests/vm/lib.sh
VM_CACHE=$(realpath -m "$VM_CACHE")
number=0 failed=0
fresh=${NETNS_PREFIX:-ackF-}fresh-$$
far=${NETNS_PREFIX:-ackF-}far-$$
relay=

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

[ "$(id -u)" = 0 ] || skip_all "a machine of its own needs root; try: sudo $0"
command -v debootstrap >/dev/null || skip_all "debootstrap is missing; run: sudo make vm-deps"
mirror=$(vm_mirror)
[[ $mirror == http://* ]] || skip_all "this machine knows no Debian mirror that speaks http"
ip netns add "$fresh" 2>/dev/null && ip netns add "$far" ||
	skip_all "no network namespaces here (a container without CAP_SYS_ADMIN?)"
mkdir -p "$VM_CACHE"
work=$(mktemp -d "$VM_CACHE/fresh.XXXXXX")

finish() {
	local pid
	for pid in $(ip netns pids "$fresh" 2>/dev/null); do
		kill -9 "$pid" 2>/dev/null
	done
	[ -z "$relay" ] || kill "$relay" 2>/dev/null
	ip netns del "$fresh" 2>/dev/null
	ip netns del "$far" 2>/dev/null
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

report() { # NAME FILE: no line in the file is good news; it is empty again afterwards
	number=$((number + 1))
	if [ -s "$2" ]; then
		failed=1
		echo "not ok $number - $suite: $1"
		tail -n 25 "$2" | cut -c 1-300 | sed 's/^/# /'
	else
		echo "ok $number - $suite: $1"
	fi
	: >"$2"
}

skip() { # NAME WHY
	number=$((number + 1))
	echo "ok $number - $suite: $1 # SKIP $2"
}

# ---------------------------------------------------------------- machines

ip link add eth0 netns "$fresh" type veth peer name eth0 netns "$far"
ip -n "$fresh" addr add 10.79.0.2/24 dev eth0
ip -n "$far" addr add 10.79.0.1/24 dev eth0
for netns in "$fresh" "$far"; do
	ip -n "$netns" link set lo up
	ip -n "$netns" link set eth0 up
done
ip -n "$fresh" route add default via 10.79.0.1
mkfifo "$work/ready"
tests/vm/relay.py "$far" 10.79.0.1 3142 >"$work/ready" &
relay=$!
read -r _ <"$work/ready" || skip_all "the relay to the mirror does not start"

new_machine() { # SUITE NAME: a machine below $work with a user, sources and a way to them
	local root=$work/$2
	mkdir "$root"
	tar -C "$root" -xf "$VM_CACHE/$1-fresh.tar"
	chroot "$root" useradd -m -s /bin/bash me
	echo 'me ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/me"
	{
		echo "deb $mirror $1 main"
		[ "$1" = sid ] || echo "deb $mirror $1-updates main"
		[ "$1" = sid ] || echo "deb $mirror-security $1-security main"
	} >"$root/etc/apt/sources.list"
	{
		echo 'Acquire::http::Proxy "http://10.79.0.1:3142"; Acquire::http::Pipeline-Depth "0";'
		# A mirror that stands still is as good here as it is outside.
		apt-config dump | grep '^Acquire::Check-'
	} >"$root/etc/apt/apt.conf.d/90relay"
	echo "127.0.0.1 localhost $2" >"$root/etc/hosts"
	: >"$root/etc/resolv.conf"
	mkdir -p "$root/src"
	cp "$work/ackmon.bundle" "$root/src/"
}

# Runs as the first process of the machine: the machine ends with it, and all that runs there.
inside() { # NAME USER SCRIPT
	nsenter --net="/run/netns/$fresh" unshare --mount --pid --fork --kill-child --uts bash -c '
		root=$1 name=$2 user=$3
		hostname "$name"
		mount --bind "$root" "$root"
		mount -t proc proc "$root/proc"
		mount -t sysfs sys "$root/sys"
		mount -t bpf bpf "$root/sys/fs/bpf"
		mount -t cgroup2 cgroup "$root/sys/fs/cgroup"
		mount --rbind /dev "$root/dev"
		mount -t tmpfs run "$root/run"
		mount -t tmpfs -o mode=1777 tmp "$root/tmp"
		[ ! -d /lib/modules ] || { mkdir -p "$root/lib/modules"; mount --bind -o ro /lib/modules "$root/lib/modules"; }
		exec chroot "$root" su -l "$user" -c "$4"
	' _ "$work/$1" "$1" "$2" "$3"
}

# ---------------------------------------------------------------- the two commands

until_said() { # SECONDS WORDS FILE PID: as long as that process, which writes it, lives
	local end=$((SECONDS + $1))
	until grep -qE "$2" "$3"; do
		kill -0 "$4" 2>/dev/null && [ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

ackmon_there() { # the process id of the program in the machine
	local pid
	for pid in $(ip netns pids "$fresh"); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = ackmon ] && echo "$pid" && return
	done
}

two_commands() { # what the README tells a newcomer, word for word but for the address
	sed -n '/^## Two commands/,/^## /{/^```sh/,/^```/p}' README.md | grep -v '^```' | head -n 2 |
		sed 's,URL-OF-THIS-REPOSITORY,/src/ackmon.bundle,'
}

try_commands() { # SUITE
	local job pid said=$work/said-$1
	: >"$said"
	inside "$1" me "$(two_commands)" >"$work/rows-$1" 2>"$said" &
	job=$!
	if ! until_said 3000 'ackmon: eth0: ' "$said" $job; then
		cat "$work/rows-$1" "$said" >"$work/not"
		report "the two commands of the README build the program and watch eth0" "$work/not"
		return 1
	fi
	# A connection over what is watched: anything asked of the mirror.
	nsenter --net="/run/netns/$fresh" python3 -c 'import urllib.request as u, sys
u.build_opener(u.ProxyHandler({"http": "http://10.79.0.1:3142"})).open(sys.argv[1]).read()' \
		"$mirror/dists/$1/Release" >"$work/not" 2>&1
	until_said 60 '10.79.0.1:3142.* fin ' "$work/rows-$1" $job || echo "no row for a connection of eth0" >>"$work/not"
	pid=$(ackmon_there)
	[ -n "$pid" ] && kill -INT "$pid"
	wait $job
	[ $? = 0 ] || echo "exit code $?" >>"$work/not"
	grep -q 'frames' "$said" || echo "no summary" >>"$work/not"
	[ -s "$work/not" ] && cat "$work/rows-$1" "$said" >>"$work/not"
	report "the two commands of the README build the program and watch eth0" "$work/not"
}

try_tests() { # SUITE
	local title what last parts=${PARTS:-}
	title="sudo make test: nothing fails"
	what='sudo make test'
	[ -z "$parts" ] || what="sudo make --no-print-directory test-deps test-programs && sudo tests/run.sh $parts" \
		title="its packages install and parts of its tests pass: $parts"
	inside "$1" me "cd ackmon && $what" >"$work/test-$1" 2>&1 ||
		grep -vE ' 0 failed' "$work/test-$1" | tail -n 60 >"$work/not"
	last=$(tail -n 1 "$work/test-$1")
	report "$title${last:+ ($last)}" "$work/not"
}

# ---------------------------------------------------------------- the package

state_of() { # NAME: all files but what apt and dpkg keep of what they did
	(cd "$work/$1" && find . \( -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log -o -path ./var/lib/dpkg \
		-o -path ./run -o -path ./tmp -o -path ./src \) -prune -o -printf '%p %y %s\n' | grep -v '^./etc/ld.so.cache' | sort)
}

try_package() { # SUITE
	local target=$1-target deb
	inside "$1" me "cd ackmon && sudo make --no-print-directory deb" >"$work/deb" 2>&1 || cp "$work/deb" "$work/not"
	report "make deb makes a package" "$work/not"
	deb=$(ls "$work/$1"/home/me/ackmon/build/ackmon_*.deb 2>/dev/null)
	[ -n "$deb" ] || return
	new_machine "$1" "$target"
	inside "$target" root "apt-get -qq update" >"$work/apt" 2>&1
	cp "$deb" "$work/$1"/home/me/ackmon/pcaps/fast_retransmit.pcap "$work/$target/src/"
	state_of "$target" >"$work/before"
	inside "$target" root "set -e
		DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends /src/${deb##*/} >/dev/null
		ackmon -V
		ackmon -q -j -r /src/fast_retransmit.pcap | grep -q retransmitted_segments
		timeout -s INT 3 ackmon -q -i lo || [ \$? = 124 ]
		ackmon status" >"$work/apt" 2>&1 || cp "$work/apt" "$work/not"
	report "on a machine that builds nothing it installs with what it needs, replays and watches" "$work/not"
	inside "$target" root "DEBIAN_FRONTEND=noninteractive apt-get -qq purge -y --autoremove ackmon" >"$work/apt" 2>&1 ||
		cp "$work/apt" "$work/not"
	state_of "$target" >"$work/after"
	diff "$work/before" "$work/after" >>"$work/not"
	report "purged, it leaves no file" "$work/not"
	rm -rf "${work:?}/$target"
}

[ $# -gt 0 ] || set -- bookworm trixie
git bundle create -q "$work/ackmon.bundle" HEAD || skip_all "this tree is no clone; there is nothing to clone"
for suite in "$@"; do
	begin=$SECONDS
	if ! why=$(vm_debian "$suite" fresh git,make,sudo); then
		skip "a machine" "$why"
		continue
	fi
	new_machine "$suite" "$suite"
	: >"$work/not"
	if try_commands "$suite"; then
		[ "${PARTS:-}" = none ] || try_tests "$suite"
		try_package "$suite"
	fi
	[ -z "${KEEP:-}" ] || { mkdir -p "$KEEP" && cp "$work"/{said,rows,test}-"$suite" "$KEEP/" 2>/dev/null; }
	rm -rf "${work:?}/$suite"
	echo "# $suite took $((SECONDS - begin)) s"
done
echo "1..$number"
exit $failed
