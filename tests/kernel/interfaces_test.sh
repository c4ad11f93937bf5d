#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Proves that several interfaces are watched as one: nothing counts twice, and they may come and go.
#
# Usage: interfaces_test.sh [--long] [CHECK...]   Needs root. Speaks TAP.
set -u
exec </dev/null
NETNS_PREFIX=${NETNS_PREFIX:-ackI-$$-}
. "$(dirname "$0")/../netns/lib.sh"

work=$(mktemp -d)
number=0 failed=0
long= # 1: as often as the bar says, not as a test may take
watcher=

cleanup() {
	[ -n "$watcher" ] && kill -9 "$watcher" 2>/dev/null
	ip netns del "${NETNS_PREFIX}x" 2>/dev/null
	netns_down
	rm -rf "$work"
}
trap cleanup EXIT

# ---------------------------------------------------------------- helpers

# A check is a function that returns 0, or non-zero with its reason in $why.
check() {
	local status
	why=""
	"$@"
	status=$?
	number=$((number + 1))
	if [ $status = 0 ]; then
		echo "ok $number - ${1//_/ }${why:+ # $why}"
	else
		echo "not ok $number - ${1//_/ }"
		echo "# ${why:-no reason given}"
		failed=1
	fi
	[ -n "$watcher" ] && kill -9 "$watcher" 2>/dev/null && wait "$watcher" 2>/dev/null
	watcher=
}

# Waits until the command succeeds, a minute at most: loading takes seconds on a busy machine.
until_true() {
	local i
	for i in $(seq 1200); do
		"$@" && return 0
		sleep 0.05
	done
	why="${why:-waited in vain for: $*}"
	return 1
}

said() { grep -q -- "$1" "$work/err"; }

# Starts ackmon on a host in the background, and comes back once it says WORDS.
watch_on() { # HOST WORDS OPTIONS...       HOST: - is where we are
	local into=(nsenter --net="/run/netns/$NETNS_PREFIX$1") words=$2
	[ "$1" = - ] && into=()
	shift 2
	: >"$work/err" # or the words of the one before would be taken for its own
	"${into[@]}" "$ACKMON" -j "$@" >"$work/out" 2>"$work/err" &
	watcher=$!
	until_true said "$words" && return 0
	why="did not start: $(tail -2 "$work/err")"
	return 1
}

end_watcher() {
	kill -INT "$watcher"
	wait "$watcher"
	status=$?
	watcher=
	return $status
}

# COUNT connections from host a to b, each with a request and an answer of BYTES.
connections() { # COUNT ADDRESS [BYTES]
	: >"$work/port"
	on b env cgroup="${cgroup:-}" python3 - "$1" "$2" "${3:-1000}" "$work/port" <<-'END' &
		import os, socket, sys
		if os.environ["cgroup"]:
		    open(os.environ["cgroup"] + "/cgroup.procs", "w").write("0")
		count, size = int(sys.argv[1]), int(sys.argv[3])
		s = socket.create_server((sys.argv[2], 0), family=socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET)
		open(sys.argv[4], "w").write("%d\n" % s.getsockname()[1])
		for i in range(count):
		    c, _ = s.accept()
		    c.recv(10)
		    c.sendall(bytes(size))
		    while c.recv(65536): pass
		    c.close()
	END
	job_pids+=($!)
	until_true test -s "$work/port" || return 1
	on a python3 - "$1" "$2" "${3:-1000}" "$(cat "$work/port")" <<-'END' || return 1
		import socket, sys
		for i in range(int(sys.argv[1])):
		    c = socket.create_connection((sys.argv[2], int(sys.argv[4])))
		    c.sendall(b"x" * 10)
		    left = int(sys.argv[3])
		    while left: left -= len(c.recv(65536))
		    c.close()
	END
	job_wait
}

# What the records say: python expressions over `rows`, all true or the first false one is the reason.
records() {
	why=$(python3 - "$work/out" "$@" <<-'END'
		import json, sys
		rows = [json.loads(line) for line in open(sys.argv[1])]
		for claim in sys.argv[2:]:
		    if not eval(claim):
		        print("not so: %s; %d rows, first: %s; it said: %s" % (claim, len(rows), {k: v for k, v in (rows or [{}])[0].items()
		              if k in ("iface", "also_ifaces", "netns", "role", "outcome", "opener_addr", "opener_segments")},
		              " | ".join(open(sys.argv[1][:-3] + "err").read().splitlines()[-4:])))
		        sys.exit(1)
	END
	)
}

# ---------------------------------------------------------------- checks

forwarded_connections_count_once_and_name_both_interfaces() {
	watch_on r "tob: TC" -i toa -i tob || return 1
	connections 20 $B4 && connections 20 $B6 || return 1
	end_watcher
	records 'len(rows) == 40' 'all(r["iface"] == "toa" and r["also_ifaces"] == "tob" for r in rows)' \
		'all(r["outcome"] == "established" and r["close"] == "fin" for r in rows)' || return 1
	said "counted once though seen at another interface too: 40" && return 0
	why=$(tail -1 "$work/err")
	return 1
}

# A round trip to the responder, as the opener's side of the router sees it, has both ways through it.
transit_is_the_time_inside_the_box() {
	watch_on r "tob: TC" -i toa -i tob --transit || return 1
	connections 3 $B4 100000 || return 1
	end_watcher
	records 'len(rows) == 3' \
		'all(r[e + "_transit_samples"] >= 3 for r in rows for e in ("opener", "responder"))' \
		'all(0 < r[e + "_transit_min_ns"] <= r[e + "_transit_mean_ns"] <= r[e + "_transit_max_ns"] for r in rows for e in ("opener", "responder"))' \
		'all(r[e + "_transit_samples"] <= r[e + "_frames"] for r in rows for e in ("opener", "responder"))' \
		'any("responder_rtt_min_ns" in r for r in rows)' \
		'all(r["opener_transit_min_ns"] + r["responder_transit_min_ns"] <= r.get("responder_rtt_min_ns", 1e18) for r in rows)'
}

has_lines() { [ "$(wc -l <"$work/out")" -ge "$1" ]; } # COUNT

# All that is kept is read, by a reader who named none of the two that see the connection.
kept_interfaces_that_were_not_named_have_a_name_each() {
	local kept=/sys/fs/bpf/${NETNS_PREFIX}kept status
	ip -n "${NETNS_PREFIX}r" link add third0 type veth peer name third1 && ip -n "${NETNS_PREFIX}r" link set third0 up || return 1
	on r "$ACKMON" attach -q --bpffs "$kept" -m tc --closed-timeout 0.2 -i third0 -i toa -i tob 2>"$work/attach" || { why=$(cat "$work/attach"); return 1; }
	watch_on r "third0" --bpffs "$kept" -i third0 && connections 3 $B4 && until_true has_lines 3 && end_watcher &&
		records 'len(rows) == 3' 'all(r["iface"] == "toa" and r["also_ifaces"] == "tob" for r in rows)'
	status=$?
	on r "$ACKMON" detach -q --bpffs "$kept" -i third0 -i toa -i tob
	ip -n "${NETNS_PREFIX}r" link del third0
	return $status
}

the_interface_nearest_to_the_opener_claims() {
	watch_on r "toa: TC" -i tob -i toa || return 1
	connections 5 $B4 || return 1
	end_watcher
	records 'len(rows) == 5' 'all(r["iface"] == "toa" and r["also_ifaces"] == "tob" for r in rows)'
}

refused_and_unanswered_connections_count_once() {
	local i
	watch_on r "tob: TC" -i toa -i tob || return 1
	for i in 1 2 3; do
		on a timeout 20 bash -c ": </dev/tcp/$B4/9" 2>"$work/refusal"
		grep -q refused "$work/refusal" || { why="nobody refused: $(cat "$work/refusal")"; return 1; }
	done
	end_watcher
	records 'len(rows) == 3' 'all(r["outcome"] == "refused" and r["also_ifaces"] == "tob" for r in rows)'
}

a_glob_takes_what_comes_and_lets_go_of_what_goes() {
	watch_on r "no interface is selected yet" -i 'new*' || return 1
	ip -n "${NETNS_PREFIX}r" link add new0 type veth peer name other0
	until_true said "new0: TC" || return 1
	ip -n "${NETNS_PREFIX}r" link set other0 name new1
	until_true said "new1: TC" || return 1
	ip -n "${NETNS_PREFIX}r" link del new0
	until_true said "new0: is gone" && until_true said "new1: is gone" || return 1
	why=""
	end_watcher
}

all_means_up_and_not_loopback() {
	ip -n "${NETNS_PREFIX}r" link add down0 type veth peer name down1
	watch_on r "tob: TC" -i all || return 1
	ip -n "${NETNS_PREFIX}r" link set down1 up
	until_true said "down1: TC" || return 1
	ip -n "${NETNS_PREFIX}r" link del down0
	end_watcher
	! said "lo: TC" && ! said "down0: TC" && said "toa: TC" && return 0
	why=$(cat "$work/err")
	return 1
}

# Renamed, down and up, with another MTU: the flow goes on, and its record has the new name.
a_changed_interface_is_still_the_same() {
	local link="ip -n ${NETNS_PREFIX}r link"
	watch_on r "toa: TC" -i toa || return 1
	connections 1 $B4 || return 1
	$link set toa mtu 1400 && $link set toa down && $link set toa name ata && $link set ata up || return 1
	until_true said "toa: is called ata now" || return 1
	ip -n "${NETNS_PREFIX}r" -6 addr add fd77:1::254/64 dev ata nodad
	connections 2 $B4 || return 1
	end_watcher
	$link set ata down; $link set ata name toa; $link set toa up mtu 1500
	ip -n "${NETNS_PREFIX}r" -6 addr add fd77:1::254/64 dev toa nodad
	records 'len(rows) == 3' '{r["iface"] for r in rows} == {"ata"}' 'all(r["outcome"] == "established" for r in rows)'
}

two_namespaces_are_watched_from_a_third() {
	watch_on - "eth0: TC.*${NETNS_PREFIX}b" --netns "${NETNS_PREFIX}a" --netns "${NETNS_PREFIX}b" -i eth0 || return 1
	connections 10 $B4 || return 1
	end_watcher
	records 'len(rows) == 10' 'all(r["iface"] == "eth0" for r in rows)' \
		"all(r['netns'] == '${NETNS_PREFIX}a' and r['also_ifaces'] == '${NETNS_PREFIX}b/eth0' for r in rows)"
}

a_namespace_is_named_by_a_process_in_it() {
	local there
	nsenter --net="/run/netns/${NETNS_PREFIX}b" sleep 600 &
	there=$!
	until_true grep -q sleep /proc/$there/comm
	# One that comes later tells that the namespace is still looked at when all privileges are gone.
	watch_on - "eth0: TC" --netns $there -i eth0 -i 'late*' && connections 2 $B4 &&
		ip -n "${NETNS_PREFIX}b" link add late0 type veth peer name late1 && until_true said "late1: TC" &&
		ip -n "${NETNS_PREFIX}b" link del late0 && until_true said "late1: is gone" && end_watcher &&
		! said "eth0: is gone" && records 'len(rows) == 2' "all(r['netns'] == '$there' and r['iface'] == 'eth0' for r in rows)"
	local status=$?
	kill $there
	return $status
}

# Frames for the bridge itself pass its port first; forwarded ones pass two ports and not the bridge.
a_bridge_and_its_port_count_once() {
	local ip="ip -n ${NETNS_PREFIX}b"
	$ip link add name br0 type bridge 2>/dev/null || { why="SKIP no bridges here"; return 0; }
	$ip addr flush dev eth0 && $ip link set eth0 master br0 && $ip link set br0 up &&
		$ip addr add $B4/24 dev br0 && $ip route add default via ${B4%.*}.254 || return 1
	watch_on b "br0: TC" -i eth0 -i br0 && connections 10 $B4 && end_watcher &&
		records 'len(rows) == 10' 'all({r["iface"], r["also_ifaces"]} == {"eth0", "br0"} for r in rows)' \
			'all(r["outcome"] == "established" and r["close"] == "fin" for r in rows)' \
			'sum(r["responder_unique_bytes"] for r in rows) == 10000'
	local status=$?
	[ $status = 0 ] && why=
	return $status
}

# By path; nothing of ours keeps a namespace, and one that comes again is found.
a_namespace_may_go_and_come_again() {
	local x=${NETNS_PREFIX}x
	ip netns add "$x"
	ip -n "$x" link add in0 type veth peer name out0 netns "${NETNS_PREFIX}r"
	watch_on - "in0: TC" --netns "/run/netns/$x" -i 'in*' || return 1
	ip netns del "$x"
	until_true said "in0: is gone" || return 1
	until_true gone out0 || return 1
	ip netns add "$x"
	ip -n "$x" link add in1 type veth peer name out1 netns "${NETNS_PREFIX}r"
	until_true said "in1: TC" || return 1
	why=""
	end_watcher
	ip netns del "$x"
}

gone() { ! ip -n "${NETNS_PREFIX}r" link show "$1" >/dev/null 2>&1; }

an_interface_may_move_to_another_namespace() {
	local x=${NETNS_PREFIX}x
	ip netns add "$x"
	ip -n "${NETNS_PREFIX}r" link add mov0 type veth peer name mov1
	watch_on - "mov0: TC.*${NETNS_PREFIX}r" --netns "${NETNS_PREFIX}r" --netns "$x" -i 'mov0' || return 1
	ip -n "${NETNS_PREFIX}r" link set mov0 netns "$x"
	until_true said "mov0: is gone.*${NETNS_PREFIX}r" && until_true said "mov0: TC.*$x" || return 1
	end_watcher
	why=""
	ip netns del "$x"
	until_true gone mov1
}

# A service of ours on b: its cgroup is found by its socket, whichever end opened.
the_cgroup_of_a_socket_names_its_end() {
	local tree unit
	tree=$(awk '$0 ~ / - cgroup2 / {print $5; exit}' /proc/self/mountinfo)
	unit=$tree/${NETNS_PREFIX}test.service
	[ -n "$tree" ] && mkdir "$unit" 2>/dev/null || { why="SKIP no cgroup2 file system to make a group in"; return 0; }
	watch_on b "eth0: TC" -i eth0 || { rmdir "$unit"; return 1; }
	cgroup=$unit connections 3 $B4
	end_watcher
	rmdir "$unit"
	records 'len(rows) == 3' "all(r.get('responder_cgroup') == '/${unit##*/}' for r in rows)" \
		"all(r.get('responder_name') == '${unit##*/}' for r in rows)" \
		'all("opener_cgroup" not in r for r in rows)'
}

# A time namespace shifts our monotonic clock against the kernel's by an hour.
a_shifted_monotonic_clock_ends_no_flow_and_moves_no_time() {
	local begin_s
	unshare --time --monotonic 1 true 2>/dev/null || { why="SKIP no time namespaces here"; return 0; }
	begin_s=$(date +%s)
	: >"$work/err"
	nsenter --net="/run/netns/${NETNS_PREFIX}r" unshare --time --monotonic 7200 --fork --kill-child \
		"$ACKMON" -j -i toa >"$work/out" 2>"$work/err" &
	watcher=$!
	until_true said "toa: TC" || return 1
	connections 3 $B4 || return 1
	kill -INT $(pgrep -P "$watcher")
	wait "$watcher"
	watcher=
	records 'len(rows) == 3' 'all(r["close"] == "fin" for r in rows)' \
		"all($begin_s <= r['start_ns'] / 1e9 <= $(date +%s) + 1 for r in rows)" \
		'all(r["end_ns"] - r["start_ns"] == r["duration_ns"] for r in rows)'
}

often() { [ -n "$long" ] && echo "$2" || echo "$1"; } # SHORT LONG

# A pair of interfaces in a namespace of its own, where nothing but the frames of same_bytes pass.
pair_up() {
	local x=${NETNS_PREFIX}x
	ip netns add "$x"
	nsenter --net="/run/netns/$x" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	ip -n "$x" link add p0 type veth peer name p1
	ip -n "$x" link set p0 up
	ip -n "$x" link set p1 up
}

# The comparison is worth nothing if it does not see a byte turned over and a frame lost.
a_changed_byte_and_a_lost_frame_would_be_noticed() {
	cat >"$work/bad.c" <<-'END'
		#define SEC(name) __attribute__((section(name), used))
		static void *(*const lookup)(void *map, const void *key) = (void *)1;
		struct { int (*type)[2]; int (*max_entries)[1]; unsigned *key; unsigned long *value; } seen SEC(".maps");
		struct xdp { unsigned data, data_end; };
		SEC("xdp") int bad(struct xdp *ctx)
		{
			unsigned char *data = (void *)(long)ctx->data;
			unsigned zero = 0;
			unsigned long *n = lookup(&seen, &zero);
			if (!n || data + 60 > (unsigned char *)(long)ctx->data_end)
				return 2;
			++*n;
			if (*n == 100)
				return 1;
			if (*n == 1001)
				data[50] ^= 4;
			return 2;
		}
		char LICENSE[] SEC("license") = "GPL";
	END
	clang -O2 -g -target bpf -c "$work/bad.c" -o "$work/bad.o" 2>"$work/bad.err" ||
		{ why="no foreign program: $(head -1 "$work/bad.err")"; return 1; }
	pair_up
	ip -n "${NETNS_PREFIX}x" link set p1 xdpgeneric obj "$work/bad.o" sec xdp 2>"$work/bad.err" ||
		{ why="not attached: $(head -1 "$work/bad.err")"; ip netns del "${NETNS_PREFIX}x"; return 1; }
	why=$(on x "$root/build/tests/same_bytes" p0 p1 2000)
	ip netns del "${NETNS_PREFIX}x"
	# Behind the lost one the rest of its batch is compared with what came before it.
	[[ $why == *" 1 dropped"* && $why != *" 0 altered"* ]]
}

grouped() { echo "$1" | sed -E ':a; s/([0-9])([0-9]{3})(,|$)/\1,\2\3/; ta'; }

every_frame_passes_as_it_is() { # MODE FRAMES
	local status
	pair_up
	watch_on x "p1: " -m "$1" -i p0 -i p1 -w /dev/null || return 1
	until_true test "$(grep -c "^ackmon: p[01]: " "$work/err")" = 2 || return 1
	why=$(on x "$root/build/tests/same_bytes" p0 p1 "$2")
	status=$?
	end_watcher
	ip netns del "${NETNS_PREFIX}x"
	grep -q "ackmon: $(grouped $((2 * $2))) frames seen" "$work/err" ||
		{ why="$why, but $(grep -o '[0-9,]* frames seen' "$work/err")"; return 1; }
	return $status
}

frames_pass_unchanged_through_tc() { every_frame_passes_as_it_is tc "${FRAMES:-$(often 200000 10000000)}"; }
frames_pass_unchanged_through_generic_xdp() { every_frame_passes_as_it_is skb "${FRAMES:-$(often 200000 10000000)}"; }
frames_pass_unchanged_through_native_xdp() { every_frame_passes_as_it_is native "${FRAMES:-$(often 200000 10000000)}"; }

# What the watcher and the one that attaches for it hold in the kernel: "prog 5 map 40 link 4 fd 80".
holdings() {
	local fd deputy
	deputy=$(pgrep -P "$watcher" -x ackmon-attach)
	for fd in /proc/"$watcher"/fdinfo/* /proc/"$deputy"/fdinfo/*; do
		sed -nE 's/^(prog_id|map_id|link_id):[^0-9]*([0-9]+)/\1 \2/p' "$fd" 2>/dev/null
	done | sort -u >"$work/held"
	echo "programs $(grep -c prog_id "$work/held")," "maps $(grep -c map_id "$work/held")," \
		"links $(grep -c link_id "$work/held")," \
		"descriptors $(ls /proc/"$watcher"/fd /proc/"$deputy"/fd | wc -l)"
}

holds_what_it_held() { [ "$(holdings)" = "$held" ]; }

# Everything the watcher held is gone from the kernel, whoever else has programs there.
nothing_held_is_left() {
	local kind id
	while read -r kind id; do
		bpftool "${kind%_id}" show id "$id" >/dev/null 2>&1 && return 1
	done <"$work/held"
	return 0
}

# Adds, renames and deletes; one that stays is there all along, and its connections are all counted.
interfaces_come_and_go() { # MODE EVENTS
	local link="ip -n ${NETNS_PREFIX}r link" i held events=0 seen
	watch_on r "toa: " -m "$1" -i toa -i 'churn*' || return 1
	# One round first: what is made once stays.
	$link add churn type veth peer name peer && until_true said "churn: [TgnX]" && $link del churn &&
		until_true said "churn: is gone" || return 1
	connections 5 $B4 || return 1
	held=$(holdings)
	for ((i = 0; events < $2; i++, events += 3)); do
		$link add churn$i type veth peer name peer$i || return 1
		# Each third is watched when it is renamed; the others are too fast for that, or not.
		[ $((i % 3)) = 0 ] && { until_true said "churn$i: [TgnX]" || return 1; }
		$link set churn$i name churned$i && $link del churned$i || return 1
		[ $((i % 3)) = 0 ] && { until_true said "churn\(ed\)*$i: is gone" || return 1; }
		[ $((i % (1 + $2 / 30))) = 0 ] && { connections 1 $B4 || return 1; }
	done
	seen=$(grep -c "is called\|is gone\|churn.*: [TgnX]" "$work/err")
	connections 5 $B4 || return 1
	until_true holds_what_it_held || { why="held $held, now $(holdings)"; return 1; }
	end_watcher
	until_true nothing_held_is_left || { why="left in the kernel: $(head -3 "$work/held")"; return 1; }
	records 'len(rows) >= 10' 'all(r["outcome"] == "established" and r["close"] == "fin" for r in rows)' \
		"len(rows) == 10 + len(range(0, $i, 1 + $2 // 30))" || return 1
	why="$events events, $seen followed; $held before and after; $(wc -l <"$work/out") connections of the one that stayed"
}

nothing_leaks_when_interfaces_come_and_go() { interfaces_come_and_go tc "$(often 30 1000)"; }
nothing_leaks_when_they_come_and_go_under_clsact() {
	export ACKMON_TC=clsact
	interfaces_come_and_go tc "$(often 15 300)"
	local status=$?
	unset ACKMON_TC
	[ $status != 0 ] && return $status
	ls /run/ackmon 2>/dev/null | grep -q "clsact-$(stat -Lc %i "/run/netns/${NETNS_PREFIX}r")-" || return 0
	why="a note of a clsact qdisc is left in /run/ackmon"
	return 1
}
nothing_leaks_when_they_come_and_go_under_native_xdp() { interfaces_come_and_go native "$(often 9 300)"; }

# ---------------------------------------------------------------- all of it

need ip nsenter python3 bpftool
netns_up
all=(
	forwarded_connections_count_once_and_name_both_interfaces
	kept_interfaces_that_were_not_named_have_a_name_each
	the_interface_nearest_to_the_opener_claims
	transit_is_the_time_inside_the_box
	refused_and_unanswered_connections_count_once
	a_glob_takes_what_comes_and_lets_go_of_what_goes
	all_means_up_and_not_loopback
	a_changed_interface_is_still_the_same
	two_namespaces_are_watched_from_a_third
	a_namespace_is_named_by_a_process_in_it
	a_namespace_may_go_and_come_again
	an_interface_may_move_to_another_namespace
	a_shifted_monotonic_clock_ends_no_flow_and_moves_no_time
	the_cgroup_of_a_socket_names_its_end
	a_changed_byte_and_a_lost_frame_would_be_noticed
	frames_pass_unchanged_through_tc
	frames_pass_unchanged_through_native_xdp
	nothing_leaks_when_interfaces_come_and_go
	a_bridge_and_its_port_count_once # last: b's address moves to the bridge
)
only_long=(
	frames_pass_unchanged_through_generic_xdp
	nothing_leaks_when_they_come_and_go_under_clsact
	nothing_leaks_when_they_come_and_go_under_native_xdp
)
[ "${1:-}" = --long ] && long=1 && shift && all+=("${only_long[@]}")
[ $# -gt 0 ] || set -- "${all[@]}"
for name in "$@"; do
	check "$name"
done
echo "1..$number"
exit $failed
