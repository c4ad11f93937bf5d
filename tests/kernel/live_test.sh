#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Watching live: what we count of real connections under loss is what the kernels of both ends count.
#
#   a -- r -- b      the router drops; ackmon watches both hosts, each the sender of its own direction
#
# KEEP=DIR keeps what was compared.
set -u
exec </dev/null
NETNS_PREFIX=${NETNS_PREFIX:-acklive$$-} # two runs at once do not meet
cd "$(dirname "$0")/../.." || exit 1
PATH=$PATH:/usr/sbin:/sbin
. tests/tap.sh

needs_netns

. tests/netns/lib.sh
work_begin

finish() {
	netns_down
	work_end
}
trap finish EXIT
trap 'exit 1' INT TERM

# ---------------------------------------------------------------- watching

# Nothing but the connections is on the wire: no neighbour or router is looked for while we count.
silence() {
	local host

	for host in a b; do
		on "$host" sh -c 'for file in /proc/sys/net/ipv6/conf/*/router_solicitations; do
			echo 0 >$file
		done'
		ip -n "$NETNS_PREFIX$host" neigh show | while read -r addr _ dev _ mac _; do
			ip -n "$NETNS_PREFIX$host" neigh replace "$addr" lladdr "$mac" dev "$dev" \
				nud permanent 2>/dev/null
		done
	done
	on r ip neigh show | while read -r addr _ dev _ mac _; do
		ip -n "${NETNS_PREFIX}r" neigh replace "$addr" lladdr "$mac" dev "$dev" nud permanent \
			2>/dev/null
	done
}

counters() { # HOST: received and sent packets of its interface
	# Not from /sys: nsenter keeps that of the namespace it came from.
	on "$1" awk '$1 == "eth0:" { print $3, $11 }' /proc/net/dev
}

summaries() { # HOST: how many are printed so far
	grep -c 'frames* seen' "$work/$1.err"
}

# What the interface counted and what ackmon did, with no frame between the two: some multicast of IPv6
# always comes when programs are attached.
snapshot() { # HOST before|after
	local try i said packets

	for try in $(seq 50); do
		packets=$(counters "$1")
		said=$(summaries "$1")
		kill -USR1 "${watcher[$1]}"
		for i in $(seq 2000); do
			[ "$(summaries "$1")" -gt "$said" ] && break
			sleep 0.01
		done
		[ "$(summaries "$1")" -gt "$said" ] && [ "$packets" = "$(counters "$1")" ] && break
		sleep 0.2
	done
	{
		echo "$packets"
		grep 'frames* seen' "$work/$1.err" | tail -n 1
	} >"$work/$1.$2"
}

watch_start() { # HOST MODE
	local i

	: >"$work/$1.err"
	nsenter --net="/run/netns/$NETNS_PREFIX$1" \
		"$ACKMON" -i eth0 -m "$2" -j -w "$work/$1.ndjson" 2>"$work/$1.err" &
	watcher[$1]=$!
	job_pids+=($!)
	for i in $(seq 600); do
		on "$1" "$ACKMON" -D 2>/dev/null | grep -q '^eth0 .*ackmon_egress' && return 0
		kill -0 "${watcher[$1]}" 2>/dev/null || break
		sleep 0.05
	done
	echo "ackmon -i eth0 -m $2 did not start on $1: $(tail -n 1 "$work/$1.err")" >>"$work/complaints"
	return 1
}

watch_stop() { # HOST SIGNAL
	local code

	kill "-$2" "${watcher[$1]}"
	wait "${watcher[$1]}"
	code=$?
	[ $code = 0 ] || echo "ackmon on $1 ended with exit code $code: $(tail -n 1 "$work/$1.err")" \
		>>"$work/complaints"
}

leftovers() { # HOST
	on "$1" bpftool net show dev eth0 | grep -i ackmon
	on "$1" tc qdisc show dev eth0 | grep clsact
	on "$1" ip -d link show dev eth0 | grep -o 'xdp[a-z]*'
}

# ---------------------------------------------------------------- one run

declare -A watcher

traffic_run() { # ADDRESS: connections with loss both ways
	job "$work/server" end, b "$TRAFFIC" server --count 24 --seconds 40
	on a "$TRAFFIC" client "$1" --count 24 --parallel 6 --rounds "${rounds:-2}" --request 60000 \
		--response 60000 --seconds 35 >"$work/client.csv"
	job_wait
	cp "$work/server" "$work/server.csv"
	sleep 0.3 # the last ACKs
}

watch_run() { # MODE ADDRESS
	: >"$work/complaints"
	rm -f "$work"/*.ndjson
	if watch_start a "$1" && watch_start b "$1"; then
		# The summary names a door from its first frame on.
		netns_settle
		snapshot a before
		snapshot b before
		traffic_run "$2"
		snapshot a after
		snapshot b after
	fi
	watch_stop a INT
	watch_stop b TERM
	[ ! -s "$work/complaints" ]
}

compare_run() { # MODE ADDRESS
	local what

	watch_run "$1" "$2" || return 1
	for what in client server connect accounting; do
		python3 tests/kernel/live_compare.py "$what" "$work" >"$work/$what.said" 2>&1
	done
}

# A timer sends a SYN-ACK again on one CPU while the SYN that comes again is answered on the other: of two segments of
# one half-open connection at once the later one wins (abi/half_open.h). A run with such a pair is judged by the next.
check_run() { # NAME MODE ADDRESS
	if ! compare_run "$2" "$3"; then
		report "$1: watches" "$work/complaints"
		return
	fi
	if [ -s "$work/client.said" ] || [ -s "$work/server.said" ]; then
		sed 's/^/# first of two runs: /' "$work/client.said" "$work/server.said"
		compare_run "$2" "$3" || { report "$1: watches" "$work/complaints"; return; }
	fi
	report "$1: what the client sent again is what its kernel says" "$work/client.said"
	report "$1: what the server sent again is what its kernel says" "$work/server.said"
	report "$1: connect_ns agrees with connect()" "$work/connect.said"
	report "$1: every frame of the interface is accounted for" "$work/accounting.said"
	{ leftovers a; leftovers b; } >"$work/left"
	report "$1: nothing is left behind" "$work/left"
}

need ip "$ACKMON" "$DROPPER" "$TRAFFIC"
netns_up
silence
job "$work/dropper1" ready r "$DROPPER" --dev tob --match tcp --loss 2 --seed 3
job "$work/dropper2" ready r "$DROPPER" --dev toa --match tcp --loss 2 --seed 4
job "$work/dropper3" ready r "$DROPPER" --dev tob --match syn --every 5
for mode in tc native skb; do
	check_run "IPv4, -m $mode" "$mode" "$B4"
	check_run "IPv6, -m $mode" "$mode" "$B6"
done
# Frames of many segments, which the interface counts as one packet and the kernel as many segments.
for host in a b; do
	ip -n "$NETNS_PREFIX$host" link set eth0 gso_max_segs 65535
done
# Few frames, so more rounds: some of either side must be lost.
rounds=20 check_run "frames of many segments, -m tc" tc "$B4"
echo "1..$number"
