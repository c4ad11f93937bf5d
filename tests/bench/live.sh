#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# make bench-live: what is left of a link's rate while it is watched, beside an empty program in the same place.
#
# Two hosts in namespaces of their own, one veth pair with a queue for each CPU. Each round runs each traffic
# once with no program, with an empty one and with ackmon, in turn; printed are medians, and the median of the
# rounds' ratios. Both ends of requests and connections are on one CPU: on two, what is measured is how long a
# virtual CPU takes to wake the other one, which differs from run to run by more than any program costs.
#
# BENCH_ROUNDS=N  rounds (5); BENCH_SECONDS=N  length of a bulk run (2); BENCH_ONLY=WORD  traffic with this in its name
set -u
exec </dev/null
cd "$(dirname "$0")/../.." || exit 1
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C
CC=${CC:-gcc}
CLANG=${CLANG:-clang}
rounds=${BENCH_ROUNDS:-5}
seconds=${BENCH_SECONDS:-2}
a=${NETNS_PREFIX:-ackbench$$-}a b=${NETNS_PREFIX:-ackbench$$-}b
out=build/bench
work=$(mktemp -d)
watcher=
servers=()
cpus=$(nproc)
last=$((cpus - 1)) # where both ends of requests and connections are

[ "$(id -u)" = 0 ] || { echo "bench-live: network namespaces and BPF programs need root; try: sudo make bench-live" >&2; exit 1; }

on() { # HOST COMMAND...
	local host=$1
	shift
	nsenter --net="/run/netns/$host" "$@"
}

finish() {
	[ -z "$watcher" ] || kill "$watcher" 2>/dev/null
	[ ${#servers[@]} = 0 ] || kill "${servers[@]}" 2>/dev/null
	wait 2>/dev/null
	ip netns del "$a" 2>/dev/null
	ip netns del "$b" 2>/dev/null
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

set_up() {
	ip netns add "$a" && ip netns add "$b" || exit 1
	ip -n "$a" link add eth0 numtxqueues "$cpus" numrxqueues "$cpus" type veth \
		peer name eth0 numtxqueues "$cpus" numrxqueues "$cpus" netns "$b"
	ip -n "$a" addr add 10.78.1.1/24 dev eth0
	ip -n "$b" addr add 10.78.1.2/24 dev eth0
	for host in "$a" "$b"; do
		ip -n "$host" link set lo up
		ip -n "$host" link set eth0 up
	done
	mkdir -p $out
	"$CLANG" -O2 -g -target bpf -I/usr/include/"$(uname -m)"-linux-gnu -c tests/bench/empty.bpf.c -o $out/empty.o || exit 1
	"$CC" -std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE tests/bench/connects.c -o $out/connects || exit 1
	# What is over leaves at once: looking for a free port among those that wait would be what is measured.
	for host in "$a" "$b"; do
		on "$host" sh -c 'echo 0 >/proc/sys/net/ipv4/tcp_max_tw_buckets; echo 1024 65000 >/proc/sys/net/ipv4/ip_local_port_range'
	done
	taskset -c $last nsenter --net="/run/netns/$b" $out/connects server 8080 &
	servers+=($!)
	nsenter --net="/run/netns/$b" iperf3 -s >/dev/null 2>&1 &
	servers+=($!)
	until on "$a" bash -c ': </dev/tcp/10.78.1.2/8080' 2>/dev/null &&
		on "$a" bash -c ': </dev/tcp/10.78.1.2/5201' 2>/dev/null; do
		kill -0 "${servers[0]}" "${servers[1]}" 2>/dev/null || { echo "bench-live: a server ended" >&2; exit 1; }
	done
}

# ---------------------------------------------------------------- who watches b

watch() { # none | empty | ackmon, tc | xdp
	case $1:$2 in
	empty:tc)
		on "$b" tc qdisc add dev eth0 clsact
		on "$b" tc filter add dev eth0 ingress bpf da obj $out/empty.o sec tc
		on "$b" tc filter add dev eth0 egress bpf da obj $out/empty.o sec tc
		;;
	empty:xdp) ip -n "$b" link set dev eth0 xdpdrv obj $out/empty.o sec xdp ;;
	ackmon:*)
		: >"$work/err"
		nsenter --net="/run/netns/$b" build/ackmon -i eth0 -m "${2/xdp/native}" -j -w /dev/null 2>"$work/err" &
		watcher=$!
		until grep -q 'room for' "$work/err"; do
			kill -0 $watcher 2>/dev/null || { cat "$work/err" >&2; exit 1; }
		done
		;;
	esac
}

unwatch() { # the same
	case $1:$2 in
	empty:tc) on "$b" tc qdisc del dev eth0 clsact ;;
	empty:xdp) ip -n "$b" link set dev eth0 xdp off ;;
	ackmon:*)
		kill -INT $watcher
		wait $watcher
		watcher=
		;;
	esac
}

# ---------------------------------------------------------------- traffic; each prints one number, more is better

bulk() { on "$a" iperf3 -c 10.78.1.2 -t "$seconds" -J | sed -n 's/.*"bits_per_second":[^0-9]*\([0-9]*\).*/\1/p' | tail -n 1; }

client() { # CONNECTIONS REQUESTS
	on "$a" taskset -c $last $out/connects client 10.78.1.2 8080 "$1" "$2" || exit 1
}

request_response() { client 1 $((10000 * seconds)); }

connections() { client $((3000 * seconds)) 1; }

# By b's interface: what is sent faster than it takes is not counted.
received() { on "$b" sed -n 's/^ *eth0: *[0-9]* *\([0-9]*\).*/\1/p' /proc/net/dev; }

# By the flood's own clock: "N frames in M ms".
per_second() { # COUNT FILE...
	local count=$1
	shift
	sed -n 's/.* in \([0-9]*\) ms/\1/p' "$@" | awk -v count="$count" '$1 > ms { ms = $1 } END { printf "%.0f\n", count * 1000 / ms }'
}

# On one CPU after the other, counted from the last; each has connections of its own, as a NIC would deal them out.
flood_on() { # HOST CPUS FLOOD_OPTION...
	local host=$1 count=$2 cpu pids=()
	shift 2
	for ((cpu = last; cpu > last - count; cpu--)); do
		taskset -c $cpu nsenter --net="/run/netns/$host" build/tests/flood -f $((cpu << 20)) "$@" >"$work/said.$cpu" &
		pids+=($!)
	done
	wait "${pids[@]}"
}

# From a into b's native XDP, by what came through.
flood_from() { # FRAMES MODE CPUS
	local before
	before=$(received)
	rm -f "$work"/said.*
	flood_on "$a" "$3" -o "$2" eth0 "$1"
	per_second $(($(received) - before)) "$work"/said.*
}

known_flows_one_cpu() { flood_from 1000000 known 1; }

known_flows_all_cpus() { flood_from 1000000 known "$cpus"; }

# Six frames each.
whole_connections_one_cpu() { echo $(($(flood_from 600000 churn 1) / 6)); }

whole_connections_all_cpus() { echo $(($(flood_from 600000 churn "$cpus") / 6)); }

# Put on b itself, each as if it had been received.
syn_flood() { # CPUS
	rm -f "$work"/said.*
	flood_on "$b" "$1" syn eth0 500000
	per_second $((500000 * $1)) "$work"/said.*
}

syn_flood_one_cpu() { syn_flood 1; }

syn_flood_all_cpus() { syn_flood "$cpus"; }

# ---------------------------------------------------------------- rounds

median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

race() { # NAME DOOR TRAFFIC WATCHER...
	local name=$1 door=$2 traffic=$3 round who
	shift 3
	case $name in
	*"${BENCH_ONLY:-}"*) ;;
	*) return ;;
	esac
	for round in $(seq "$rounds"); do
		for who in "$@"; do
			watch "$who" "$door"
			$traffic >>"$work/$traffic.$door.$who"
			unwatch "$who" "$door"
		done
	done
	printf '%-34s' "$name, $door"
	for who in "$@"; do
		printf '  %s %.4g' "$who" "$(median <"$work/$traffic.$door.$who")"
	done
	# Both of a round saw the same weather.
	printf '  ackmon/empty %.3f\n' "$(paste "$work/$traffic.$door.ackmon" "$work/$traffic.$door.empty" |
		awk '$2 { print $1 / $2 }' | median)"
}

set_up
echo "kernel $(uname -r), $(nproc) CPUs, load $(cut -d' ' -f1-3 /proc/loadavg); medians of $rounds rounds"
race "bulk, bit/s (iperf3)" tc bulk none empty ackmon
race "request and response, 1/s" tc request_response none empty ackmon
race "connect, request, close, 1/s" tc connections none empty ackmon
race "known flows, frames/s, one CPU" xdp known_flows_one_cpu empty ackmon
race "known flows, frames/s, all CPUs" xdp known_flows_all_cpus empty ackmon
race "whole connections/s, one CPU" xdp whole_connections_one_cpu empty ackmon
race "whole connections/s, all CPUs" xdp whole_connections_all_cpus empty ackmon
race "SYN flood, new/s, one CPU" tc syn_flood_one_cpu empty ackmon
race "SYN flood, new/s, all CPUs" tc syn_flood_all_cpus empty ackmon
