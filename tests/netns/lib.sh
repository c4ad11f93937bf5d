# SPDX-License-Identifier: GPL-2.0-only
# Two hosts and a router between them, in namespaces of their own; sourced by the other scripts.
#
#   a  eth0 10.77.1.1 ---- toa  r  tob ---- eth0 10.77.2.1  b
#
# The caller sets NETNS_PREFIX; everything made here is named after it and goes with netns_down.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
ACKMON=${ACKMON:-$root/build/ackmon}
DROPPER=${DROPPER:-$root/build/tests/dropper}
TRAFFIC=${TRAFFIC:-$root/build/tests/traffic}

A4=10.77.1.1 B4=10.77.2.1 A6=fd77:1::1 B6=fd77:2::1
job_pids=()

say() { printf '%s\n' "$*" >&2; }

die() {
	say "$0: $*"
	exit 1
}

need() {
	[ "$(id -u)" = 0 ] || die "needs root for network namespaces; try: sudo $0"
	for program in "$@"; do
		command -v "$program" >/dev/null || die "$program is missing; run make first"
	done
}

# nsenter and not `ip netns exec`: the latter remounts /sys and hides bpffs.
on() {
	local host=$1
	shift
	nsenter --net="/run/netns/$NETNS_PREFIX$host" "$@"
}

netns_link() { # HOST NUMBER ROUTER_INTERFACE
	local host=$NETNS_PREFIX$1 net=$2 router=$NETNS_PREFIX"r"

	# One wire segment a packet, so that a packet lost is a segment lost.
	ip -n "$host" link add eth0 gso_max_segs 1 type veth peer name "$3" netns "$router" gso_max_segs 1
	ip -n "$host" addr add "10.77.$net.1/24" dev eth0
	ip -n "$host" addr add "fd77:$net::1/64" dev eth0 nodad
	ip -n "$router" addr add "10.77.$net.254/24" dev "$3"
	ip -n "$router" addr add "fd77:$net::254/64" dev "$3" nodad
	ip -n "$host" link set lo up
	ip -n "$host" link set eth0 up
	ip -n "$router" link set "$3" up
	ip -n "$host" route add default via "10.77.$net.254"
	ip -n "$host" -6 route add default via "fd77:$net::254"
}

netns_up() {
	local host

	netns_down # what a killed run may have left
	for host in a r b; do
		ip netns add "$NETNS_PREFIX$host"
	done
	on r sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
		echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
	netns_link a 1 toa
	netns_link b 2 tob
	for host in a b; do
		# A connection must not inherit what an earlier one learned about the path.
		on "$host" sh -c 'echo 1 >/proc/sys/net/ipv4/tcp_no_metrics_save'
	done
	netns_settle
}

# Neighbours are found before anything is measured or recorded: a refusal came all the way back.
netns_settle() {
	local i addr

	for addr in "$B4" "$B6"; do
		for i in $(seq 20); do
			on a timeout 1 bash -c ": </dev/tcp/$addr/9" 2>&1 | grep -q refused && continue 2
			sleep 0.1
		done
		die "the hosts do not reach each other"
	done
}

netns_down() {
	local host

	jobs_stop
	for host in a r b; do
		ip netns del "$NETNS_PREFIX$host" 2>/dev/null
	done
	return 0
}

# job OUTPUT READY HOST COMMAND...: in the background on HOST, goes on when READY stands in OUTPUT.
job() {
	local output=$1 ready=$2 host=$3 i
	shift 3
	: >"$output"
	# Not through on(): the number must be of the command, not of a shell around it.
	nsenter --net="/run/netns/$NETNS_PREFIX$host" "$@" >"$output" 2>&1 &
	job_pids+=($!)
	for i in $(seq 600); do
		grep -q "$ready" "$output" && return
		kill -0 "${job_pids[-1]}" 2>/dev/null || break
		sleep 0.05
	done
	die "$1 did not start: $(cat "$output")"
}

job_wait() { # waits for the job begun last, which ends by itself
	wait "${job_pids[-1]}"
	unset 'job_pids[-1]'
}

jobs_stop() {
	local pid

	for pid in "${job_pids[@]}"; do
		kill "$pid" 2>/dev/null
	done
	for pid in "${job_pids[@]}"; do
		wait "$pid" 2>/dev/null
	done
	job_pids=()
}
