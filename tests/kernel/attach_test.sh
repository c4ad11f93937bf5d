#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Proves that watching an interface leaves nothing behind and takes nothing from others.
#
# Usage: attach_test.sh [path of ackmon]. Prints "ok NAME", "not ok NAME" or "skip NAME why".
set -u

here=$(cd "$(dirname "$0")" && pwd)
ackmon=$(realpath "${1:-$here/../../build/ackmon}")
work=$(mktemp -d)
near=ackB-near-$$
far=ackB-far-$$
failed=0

# ---------------------------------------------------------------- helpers

in_near() { nsenter --net="/run/netns/$near" "$@"; }

cleanup()
{
	[ -n "${watcher:-}" ] && kill -9 "$watcher" 2>/dev/null
	ip netns del "$near" 2>/dev/null
	ip netns del "$far" 2>/dev/null
	rm -rf "$work"
}

# A check is a function that returns 0, or non-zero with its reason in $why; one that cannot be made says so in $skip.
check()
{
	why="" skip=""
	if "$1"; then
		[ -n "$skip" ] && echo "skip $1 $skip" || echo "ok $1"
	else
		echo "not ok $1${why:+: $why}"
		failed=1
	fi
	[ -n "${watcher:-}" ] && kill -9 "$watcher" 2>/dev/null && wait "$watcher" 2>/dev/null
	watcher=""
	in_near timeout 60 "$ackmon" -q -i near0 -m tc --duration 0.1 >"$work/out" 2>&1
	return 0
}

expect()
{
	"$@" && return 0
	why="failed: $*"
	return 1
}

# Everything the tools of others can see on an interface, without what counts or ages.
traces()
{
	in_near bash -c "
		tc qdisc show dev $1
		tc filter show dev $1 ingress 2>&1
		tc filter show dev $1 egress 2>&1
		bpftool net show dev $1
		ip -d link show dev $1
	"
	ls /run/ackmon 2>/dev/null | grep "clsact-$(stat -Lc %i "/run/netns/$near")-"
	return 0
}

same_traces()
{
	if grep -q ackmon "$work/before"; then
		why="was not clean before: $(grep ackmon "$work/before" | head -1)"
		return 1
	fi
	diff "$work/before" <(traces "$1") >"$work/diff" && return 0
	why="left behind: $(tr '\n' ' ' <"$work/diff")"
	return 1
}

# Starts ackmon in the background, and comes back once its programs are there.
watch_interface() # interface, options
{
	local interface=$1
	shift
	# Not through in_near: a function would run in a shell of its own, and that would be $!.
	nsenter --net="/run/netns/$near" env ${tc_choice:+ACKMON_TC=$tc_choice} \
		"$ackmon" -i "$interface" "$@" --duration 60 >"$work/out" 2>"$work/err" &
	watcher=$!
	for _ in $(seq 300); do
		in_near "$ackmon" -D | grep -q "^$interface .*ackmon_egress" && return 0
		kill -0 "$watcher" 2>/dev/null || break
		sleep 0.1
	done
	why="did not attach: $(tail -1 "$work/err")"
	return 1
}

end_watcher() # signal
{
	kill "-$1" "$watcher"
	wait "$watcher" 2>/dev/null
	watcher=""
}

refuses() # words that the sentence must hold, then the command
{
	local words=$1
	shift
	if in_near timeout 60 "$@" >"$work/out" 2>"$work/err"; then
		why="was not refused"
		return 1
	fi
	grep -q -- "$words" "$work/err" && return 0
	why="said: $(tail -1 "$work/err")"
	return 1
}

says() # words, then the command
{
	local words=$1
	shift
	in_near timeout 60 "$@" >"$work/out" 2>"$work/err"
	grep -q -- "$words" "$work/out" "$work/err" && return 0
	why="said: $(head -3 "$work/err")"
	return 1
}

foreign_object()
{
	[ -f "$work/foreign.o" ] && return 0
	cat >"$work/foreign.c" <<-'EOF'
		#define SEC(name) __attribute__((section(name), used))
		SEC("xdp") int foreign_xdp(void *ctx) { return 2; }
		SEC("tc") int foreign_tc(void *ctx) { return -1; }
		char LICENSE[] SEC("license") = "GPL";
	EOF
	clang -O2 -g -target bpf -c "$work/foreign.c" -o "$work/foreign.o"
}

# ---------------------------------------------------------------- checks

leaves_no_trace_in_mode()
{
	traces near0 >"$work/before"
	for _ in $(seq "$2"); do
		in_near env ${tc_choice:+ACKMON_TC=$tc_choice} timeout 60 "$ackmon" -q -i near0 \
			-m "$1" --duration 0.05 >"$work/out" 2>"$work/err" || {
			why="exit $?: $(tail -1 "$work/err")"
			return 1
		}
	done
	same_traces near0
}

twenty_rounds_leave_no_trace()
{
	tc_choice="" leaves_no_trace_in_mode auto 5 &&
		tc_choice="" leaves_no_trace_in_mode native 5 &&
		tc_choice="" leaves_no_trace_in_mode skb 5 &&
		tc_choice=clsact leaves_no_trace_in_mode tc 5
}

sigterm_detaches()
{
	traces near0 >"$work/before"
	tc_choice=clsact watch_interface near0 -m native || return 1
	end_watcher TERM
	same_traces near0
}

sigint_detaches()
{
	traces near0 >"$work/before"
	watch_interface near0 -m skb || return 1
	end_watcher INT
	same_traces near0
}

sighup_ends_it_unless_it_was_ignored()
{
	watch_interface near0 -m tc || return 1
	kill -HUP "$watcher"
	wait "$watcher" 2>/dev/null
	grep -q 'frames seen' "$work/err" || { why="a hangup did not end it"; return 1; }
	trap '' HUP # what nohup(1) does
	watch_interface near0 -m tc || { trap - HUP; return 1; }
	trap - HUP
	kill -HUP "$watcher"
	sleep 0.5
	expect kill -0 "$watcher"
}

limit_counts_what_the_filter_selects()
{
	watch_interface near0 -m tc -c 3 port 9 || return 1
	for _ in 1 2 3 4 5; do # SYN and RST each, and ARP before
		in_near timeout 2 bash -c 'exec 3<>/dev/tcp/10.9.9.2/8' 2>/dev/null
	done
	sleep 0.6
	expect kill -0 "$watcher" || return 1
	for _ in 1 2 3; do
		in_near timeout 2 bash -c 'exec 3<>/dev/tcp/10.9.9.2/9' 2>/dev/null
	done
	for _ in $(seq 30); do
		kill -0 "$watcher" 2>/dev/null || break
		sleep 0.1
	done
	! kill -0 "$watcher" 2>/dev/null && grep -q 'frames seen' "$work/err" && return 0
	why="did not end: $(tail -1 "$work/err")"
	return 1
}

next_start_removes_what_kill_left() # mode
{
	traces near0 >"$work/before"
	tc_choice=$2 watch_interface near0 -m "$1" || return 1
	end_watcher KILL
	in_near timeout 60 "$ackmon" -q -i near0 -m tc --duration 0.1 >"$work/out" 2>"$work/err" ||
		return 1
	same_traces near0
}

next_start_removes_native_xdp_of_a_killed_one() { next_start_removes_what_kill_left native ""; }
next_start_removes_generic_xdp_of_a_killed_one() { next_start_removes_what_kill_left skb ""; }
next_start_removes_clsact_of_a_killed_one() { next_start_removes_what_kill_left tc clsact; }

kill_leaves_no_tcx()
{
	traces near0 >"$work/before"
	tc_choice="" watch_interface near0 -m tc || return 1
	in_near tc qdisc show dev near0 | grep -q clsact && return 0 # no TCX in this kernel
	end_watcher KILL
	for _ in $(seq 300); do # closed, it is left to a worker of the kernel
		same_traces near0 && return 0
		sleep 0.1
	done
	return 1
}

second_ackmon_is_refused()
{
	watch_interface near0 -m tc || return 1
	expect refuses "another ackmon (process $watcher)" "$ackmon" -i near0 --duration 0.1
}

interface_given_twice_is_watched_once()
{
	traces near0 >"$work/before"
	says "TC ingress and egress" "$ackmon" -i near0 -i near0 -m tc --duration 0.1 &&
		[ "$(cat "$work/out" "$work/err" | grep -c "TC ingress and egress")" = 1 ] &&
		same_traces near0
}

foreign_xdp_is_refused_and_stays()
{
	foreign_object
	in_near ip link set dev near0 xdpdrv obj "$work/foreign.o" sec xdp || return 1
	traces near0 >"$work/before"
	refuses "foreign_xdp.*-m tc" "$ackmon" -i near0 -m native --duration 0.1 &&
		refuses "foreign_xdp.*-m tc" "$ackmon" -i near0 -m skb --duration 0.1 &&
		same_traces near0 &&
		says "" "$ackmon" -i near0 -m tc --duration 0.1 && same_traces near0
	local result=$?
	in_near ip link set dev near0 xdpdrv off
	return $result
}

foreign_filters_and_their_qdisc_stay()
{
	foreign_object
	in_near tc qdisc add dev near0 clsact
	in_near tc filter add dev near0 ingress prio 172 handle 5 bpf da obj "$work/foreign.o" sec tc
	in_near tc filter add dev near0 egress prio 9 bpf da obj "$work/foreign.o" sec tc
	traces near0 >"$work/before"
	tc_choice=clsact leaves_no_trace_in_mode tc 2
	local result=$?
	in_near tc qdisc del dev near0 clsact
	return $result
}

filter_added_meanwhile_keeps_our_qdisc()
{
	foreign_object
	tc_choice=clsact watch_interface near0 -m tc || return 1
	in_near tc filter add dev near0 egress prio 9 bpf da obj "$work/foreign.o" sec tc
	end_watcher TERM
	in_near tc filter show dev near0 egress | grep -q foreign_tc
	local result=$?
	in_near tc qdisc del dev near0 clsact
	return $result
}

# 172 and 0xacc are what we take.
filter_in_our_place_is_refused_and_stays()
{
	foreign_object
	in_near tc qdisc add dev near0 clsact
	in_near tc filter add dev near0 ingress prio 172 handle 0xacc bpf da obj "$work/foreign.o" sec tc
	traces near0 >"$work/before"
	refuses "foreign TC ingress filter has priority 172 and handle 0xacc" \
		env ACKMON_TC=clsact "$ackmon" -i near0 -m tc --duration 0.1 && same_traces near0
	local result=$?
	in_near tc qdisc del dev near0 clsact
	return $result
}

filter_put_in_our_place_meanwhile_stays()
{
	foreign_object
	tc_choice=clsact watch_interface near0 -m tc || return 1
	in_near tc filter replace dev near0 ingress prio 172 handle 0xacc bpf da obj "$work/foreign.o" sec tc
	end_watcher TERM
	in_near tc filter show dev near0 ingress | grep -q foreign_tc
	local result=$?
	in_near tc qdisc del dev near0 clsact
	[ $result = 0 ] || why="the foreign filter is gone"
	return $result
}

empty_foreign_clsact_stays()
{
	in_near tc qdisc add dev near0 clsact
	tc_choice=clsact leaves_no_trace_in_mode tc 1
	local result=$?
	in_near tc qdisc del dev near0 clsact
	return $result
}

auto_takes_tc_on_veth()
{
	says "TC ingress.*GSO" "$ackmon" -i near0 --duration 0.1
}

auto_takes_native_xdp_where_it_costs_nothing()
{
	in_near ip tuntap add dev tap0 mode tap && in_near ip link set tap0 up
	says "native XDP ingress" "$ackmon" -i tap0 --duration 0.1
	local result=$?
	in_near ip link del tap0
	return $result
}

auto_says_why_it_takes_tc()
{
	local kind
	for kind in dummy ifb bridge; do
		in_near ip link add plain0 type $kind 2>/dev/null && break
	done
	in_near ip link set plain0 up
	says "driver .* has no native XDP" "$ackmon" -i plain0 --duration 0.1 &&
		refuses "driver .* has no native XDP; try -m skb or -m tc" \
			"$ackmon" -i plain0 -m native --duration 0.1
	local result=$?
	in_near ip link del plain0
	return $result
}

native_xdp_takes_jumbo_frames()
{
	in_near ip link set near0 mtu 9000 && ip -n "$far" link set far0 mtu 9000
	says "native XDP ingress" "$ackmon" -i near0 -m native --duration 0.1
	local result=$?
	in_near ip link set near0 mtu 1500
	ip -n "$far" link set far0 mtu 1500
	return $result
}

loopback_is_watched_once()
{
	says "TC egress.*only" "$ackmon" -i lo --duration 0.1 &&
		says "generic XDP ingress only" "$ackmon" -i lo -m skb --duration 0.1 &&
		refuses "loopback has no native XDP; try -m skb or -m tc" \
			"$ackmon" -i lo -m native --duration 0.1
}

what_is_said_to_have_room_is_what_was_asked_for()
{
	says "room for 1,003 connections .* and 1,001 that only open" \
		"$ackmon" -i lo --flows 1003 --half-open 1001 --duration 0.1
}

# A group of processes with 256 MB between them, where memory can be given out so; else nothing is printed.
group_of_little_memory()
{
	local root own limit
	root=$(awk '$3 == "cgroup2" { print $2 }' /proc/mounts | head -n 1)
	own=$(sed -n 's/^0:://p' /proc/self/cgroup) limit=memory.max
	# Groups that hold processes give nothing out, but for the root.
	grep -qs memory "$root$own/cgroup.subtree_control" || own=/
	if ! grep -qs memory "$root$own/cgroup.subtree_control"; then
		root=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2 }' /proc/mounts | head -n 1)
		own=$(sed -n 's/^[0-9]*:\([^:]*,\)*memory\(,[^:]*\)*://p' /proc/self/cgroup) limit=memory.limit_in_bytes
		[ -d "$root$own" ] || own=/
	fi
	[ -n "$root" ] && mkdir "$root$own/ackmon-$$" 2>/dev/null || return
	little=$root$own/ackmon-$$
	echo $((256 << 20)) 2>/dev/null >"$little/$limit" && echo "$little"
}

more_connections_than_memory_holds_are_refused()
{
	local most=67108864 flows command=("$ackmon") group
	flows=$((2 * $(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo))) # of 1 kB: twice what there is
	group=$(group_of_little_memory)
	if [ -n "$group" ]; then
		command=(sh -c 'echo 0 >"$0/cgroup.procs" && exec "$@"' "$group" "$ackmon")
		flows=$((flows < most ? flows : most))
	elif [ $flows -gt $most ]; then
		skip="there is memory for all that may be asked for, and no control group to have less"
		return 0
	fi
	refuses "no memory for this: room for .* connections .*--flows" "${command[@]}" -i lo --flows $flows --duration 0.1 &&
		says "room for 1,000 connections" "${command[@]}" -i lo --flows 1000 --duration 0.1
	local result=$?
	[ -z "$group" ] || rmdir "$group"
	return $result
}

failing_second_interface_detaches_the_first()
{
	traces near0 >"$work/before"
	refuses "nosuch0: no such interface" "$ackmon" -i near0 -m native -i nosuch0 --duration 0.1 &&
		same_traces near0
}

unknown_interface_names_a_near_one()
{
	refuses "did you mean near0" "$ackmon" -i naer0 --duration 0.1
}

interface_without_ethernet_header_is_watched_by_tc()
{
	in_near ip tuntap add dev tun0 mode tun
	says "tun0: TC ingress and egress.*without Ethernet header" "$ackmon" -i tun0 --duration 0.1 &&
		refuses "have no Ethernet header, which XDP wants; try -m tc" \
			"$ackmon" -i tun0 -m native --duration 0.1
	local result=$?
	in_near ip link del tun0
	return $result
}

missing_capabilities_are_named()
{
	refuses "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN;" setpriv --reuid 65534 --clear-groups \
		"$work/ackmon" -i near0 --duration 0.1 &&
		refuses "needs CAP_BPF, CAP_PERFMON;" setpriv --reuid 65534 --clear-groups \
			--inh-caps +net_admin --ambient-caps +net_admin \
			"$work/ackmon" -i near0 --duration 0.1
}

interface_may_vanish_while_watched()
{
	in_near ip link add gone0 type veth peer name gone1
	watch_interface gone0 -m native || return 1
	in_near ip link del gone0
	end_watcher TERM
	! in_near ip link show gone0 2>/dev/null
}

what_a_gone_namespace_left_is_listed_and_removed()
{
	local gone=ackB-gone-$$ root=/sys/fs/bpf/ackB-$$ others="$work/others"
	ip netns add "$gone" && ip -n "$gone" link set lo up
	nsenter --net="/run/netns/$gone" "$ackmon" attach -q -i lo --bpffs "$root" 2>"$others" ||
		{ why=$(cat "$others"); ip netns del "$gone"; return 1; }
	if [ ! -e "$root"/v1/net-*/if-1/egress ]; then
		nsenter --net="/run/netns/$gone" "$ackmon" detach -q --bpffs "$root"
		ip netns del "$gone"
		skip="no TCX here, and nothing else tells"
		return 0
	fi
	in_near "$ackmon" detach -q --bpffs "$root" 2>>"$others" # not of one that is there
	in_near "$ackmon" status -q --bpffs "$root" | grep -q '^lo  *attached in net-' || why="one that is there is not listed"
	ip netns del "$gone"
	for _ in $(seq 50); do # it goes when the kernel finds the time
		in_near "$ackmon" status -q --bpffs "$root" >"$others"
		grep -q '^lo  *gone with net-' "$others" && break
		sleep 0.1
	done
	grep -q '^lo  *gone with net-' "$others" || why="it is not listed: $(cat "$others")"
	[ -z "$(in_near "$ackmon" status -q -i lo --bpffs "$root")" ] || why="an interface of ours is named, and others are listed"
	in_near "$ackmon" detach --bpffs "$root" 2>"$others" || why="detach failed: $(cat "$others")"
	[ ! -e "$root" ] || { why="$root stays"; rm -rf "$root"; }
	[ -z "$why" ]
}

list_shows_drivers_and_programs()
{
	watch_interface near0 -m native || return 1
	in_near "$ackmon" -D >"$work/out"
	grep -q "^near0 .* veth .*native.*ackmon_xdp.*ackmon_egress" "$work/out" &&
		grep -q "^lo .* loopback .* -$" "$work/out"
}

# ---------------------------------------------------------------- run

checks=$(declare -F | awk '{ print $3 }' | grep -Ev \
	'^(in_near|cleanup|check|expect|traces|same_traces|watch_interface|end_watcher|refuses|says|foreign_object|leaves_no_trace_in_mode|group_of_little_memory|next_start_removes_what_kill_left)$')

if [ "$(id -u)" != 0 ] || [ ! -x "$ackmon" ]; then
	for name in $checks; do
		echo "skip $name needs root and $ackmon"
	done
	rm -rf "$work"
	exit 0
fi

trap cleanup EXIT
trap 'exit 1' INT TERM
ip netns add "$near" && ip netns add "$far" || exit 1
ip link add near0 netns "$near" type veth peer name far0 netns "$far"
ip -n "$near" link set lo up
ip -n "$near" link set near0 up
ip -n "$far" link set far0 up
ip -n "$near" addr add 10.9.9.1/24 dev near0
ip -n "$far" addr add 10.9.9.2/24 dev far0
# Where an unprivileged user can reach it.
cp "$ackmon" "$work/ackmon"
chmod 755 "$work" "$work/ackmon"

for name in $checks; do
	check "$name"
done
exit $failed
