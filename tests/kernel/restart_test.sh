#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Readers that are killed, upgrades, neighbours: what is attached for good counts on, and leaves no trace.
#
#   near0 10.78.0.1  ---- far0 10.78.0.2      ackmon is attached to near0
#
# usage: restart_test.sh        the short form; KILLS=1000 ROUNDS=100 restart_test.sh is the bar
set -u
exec </dev/null
cd "$(dirname "$0")/../.." || exit 1
PATH=$PATH:/usr/sbin:/sbin
KILLS=${KILLS:-10}
ROUNDS=${ROUNDS:-2}
near=${NETNS_PREFIX:-ackR-}near-$$
far=${NETNS_PREFIX:-ackR-}far-$$
ackmon=$PWD/build/ackmon
traffic=$PWD/build/tests/traffic
neighbour=$PWD/build/tests/neighbour
export ACKMON_BPFFS=/sys/fs/bpf/ackmon-test-$$
. tests/tap.sh
pids=()

needs_root
[ "$(stat -fc %T /sys/fs/bpf 2>/dev/null)" = bpf_fs ] ||
	skip_all "no bpffs here; mount -t bpf bpf /sys/fs/bpf"
ip netns add "$near" 2>/dev/null && ip netns add "$far" ||
	skip_all "no network namespaces here (a container without CAP_SYS_ADMIN?)"
work=$(mktemp -d)

# nsenter and not `ip netns exec`: the latter remounts /sys and hides bpffs.
on_near() { nsenter --net="/run/netns/$near" "$@"; }

finish() {
	local pid
	for pid in "${pids[@]}"; do
		kill -9 "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	on_near "$ackmon" detach -q 2>/dev/null
	ip netns del "$near" 2>/dev/null
	ip netns del "$far" 2>/dev/null
	[ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

start() { # READY OUTPUT NETNS COMMAND...: in the background, until READY stands in OUTPUT
	local ready=$1 output=$2 netns=$3 i
	shift 3
	: >"$output"
	nsenter --net="/run/netns/$netns" "$@" >"$output" 2>&1 &
	pids+=($!)
	for i in $(seq 1200); do
		grep -q "$ready" "$output" && return 0
		kill -0 "${pids[-1]}" 2>/dev/null || return 1
		sleep 0.05
	done
	return 1
}

stop() { # ends what was started last
	kill "-${1:-TERM}" "${pids[-1]}" 2>/dev/null
	wait "${pids[-1]}" 2>/dev/null
	unset 'pids[-1]'
}

status_of() { # FIELD
	on_near "$ackmon" status -q -j -i near0 | python3 -c "import json, sys
print(json.loads(sys.stdin.readline() or '{}').get('$1', -1))"
}

until_status() { # FIELD VALUE
	local i
	for i in $(seq 600); do
		[ "$(status_of "$1")" = "$2" ] && return 0
		sleep 0.1
	done
	return 1
}

# What the tools of others see there, and what is pinned.
traces() {
	on_near sh -c '
		tc qdisc show dev near0
		tc filter show dev near0 ingress 2>&1
		tc filter show dev near0 egress 2>&1
		bpftool net show dev near0
		ip -d link show dev near0
	'
	foreign_links | while read -r id; do bpftool -j link show id "$id" 2>&1; echo; done
	find "$ACKMON_BPFFS" -type f 2>/dev/null
	ls /run/ackmon 2>/dev/null | grep "clsact-$(stat -Lc %i "/run/netns/$near")-"
	return 0
}

foreign_links() { sed -n 's/^link //p' "$work/neighbour" 2>/dev/null; } # of the one here, not of another run

our_ids() { status_of programs | grep -o "'id': [0-9]*" | grep -o '[0-9]*'; }

address_of() { ip -n "$1" -o link show "$2" | sed 's,.*link/ether \([^ ]*\).*,\1,'; }

ip link add near0 netns "$near" type veth peer name far0 netns "$far"
ip -n "$near" addr add 10.78.0.1/24 dev near0
ip -n "$far" addr add 10.78.0.2/24 dev far0
for netns in "$near" "$far"; do
	ip -n "$netns" link set lo up
	# Nothing but the connections is on the wire.
	nsenter --net="/run/netns/$netns" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'
done
ip -n "$near" link set near0 up
ip -n "$far" link set far0 up
ip -n "$near" neigh replace 10.78.0.2 dev near0 nud permanent \
	lladdr "$(address_of "$far" far0)"
ip -n "$far" neigh replace 10.78.0.1 dev far0 nud permanent \
	lladdr "$(address_of "$near" near0)"

# ---------------------------------------------------------------- kill -9 under traffic

# Ports come again soon, so that frames find connections over, and the ring buffer gets records too.
begin_traffic() {
	touch "$work/go_on"
	nsenter --net="/run/netns/$near" sh -c \
		'echo "40000 41500" >/proc/sys/net/ipv4/ip_local_port_range'
	start end, "$work/server1" "$far" "$traffic" server --port 8080 --count 10000000 --seconds 3000 || return 1
	start end, "$work/server2" "$far" "$traffic" server --port 8081 --count 10000000 --seconds 3000 || return 1
	for kind in --reset --server-closes; do
		while [ -e "$work/go_on" ]; do
			on_near "$traffic" client 10.78.0.2 --port $([ $kind = --reset ] && echo 8080 || echo 8081) \
				$kind --count 100 --parallel 2 --request 200 --response 3000 --gap 5
		done >"$work/client$kind" 2>&1 &
		pids+=($!)
	done
}

end_traffic() {
	rm -f "$work/go_on"
	wait "${pids[-1]}" "${pids[-2]}"
	unset 'pids[-1]' 'pids[-1]'
	stop KILL
	stop KILL
}

# Every connection's record stands there once. Where nobody can know, in a pipe, the sum is asked for: lines
# that were read, and those that are not there, are as many as were counted as written, and the latter were
# told as unsure.
count_records() { # file|pipe FILE...
	python3 - "$work" "$(status_of records_unsure)" "$(status_of records_written)" "$(status_of events_lost)" \
		"$@" <<-'EOF'
		import collections, csv, glob, json, sys
		work, unsure, written, lost, kind, *files = sys.argv[1:]
		unsure, written, lost = int(unsure), int(written), int(lost)
		opened = failed = repeated = whole = 0
		for path in glob.glob(work + "/client--*"):
		    for row in csv.reader(open(path)):
		        if row[0] != "client":
		            continue
		        opened += 1
		        failed += row[4] != "done"
		        repeated += int(row[6] or 0)
		seen, broken = collections.Counter(), 0
		for path in files:
		    for line in open(path, errors="replace"):
		        try:
		            record = json.loads(line)
		            whole += 1
		            # A segment that comes after its connection's record has left is no connection.
		            if record.get("outcome") != "midstream":
		                seen[record["id"], record["start_ns"]] += 1
		        except (ValueError, KeyError):
		            broken += 1
		twice = sum(count - 1 for count in seen.values())
		missing = opened - len(seen)
		gone = written - whole
		print(f"figures connections={opened} records={len(seen)} twice={twice} broken={broken} missing={missing} "
		      f"{kind}_missing={missing} unsure={unsure} written={written} lines={whole} events_lost={lost} "
		      f"retransmitted={repeated}")
		if opened < 100:
		    print(f"only {opened} connections were there")
		if failed:
		    print(f"{failed} connections failed")
		if twice:
		    print(f"{twice} records were written twice")
		if missing < 0 or missing > gone + lost:
		    print(f"{missing} records are missing: {gone} were counted and are not there, {lost} events were lost")
		if not 0 <= gone <= unsure:
		    print(f"{written} lines were counted, {whole} are there, {unsure} were told as unsure")
		if kind == "file" and (missing > lost or broken or unsure):
		    print(f"a file tells what stands in it: {missing} missing, {broken} broken, {unsure} unsure")
	EOF
}

figures() { # FILE: its figures as a comment, its complaints stay
	grep '^figures' "$1" | sed 's/^figures/#/'
	sed -i '/^figures/d' "$1"
}

kill_readers() { # KILLS OPTION...
	local kills=$1
	shift
	rm -f "$work"/records* "$work"/client--*
	on_near "$ackmon" attach -q -i near0 2>"$work/kills" || return
	begin_traffic || { echo "no traffic" >"$work/kills"; return; }
	on_near python3 tests/kernel/restart_kills.py "$ackmon" near0 "$kills" "$work/records" "$@" \
		>"$work/kills" 2>&1
	end_traffic
	# Not through on_near: the number must be of the command, not of a shell around it.
	nsenter --net="/run/netns/$near" "$ackmon" -i near0 -j >>"$work/records" 2>"$work/last.err" &
	pids+=($!)
	until_status flows 0 || echo "connections stay in the tables" >>"$work/kills"
	stop TERM
}

before=$(traces)
kill_readers "$KILLS"
figures "$work/kills"
report "$KILLS readers killed at any moment: no counter falls" "$work/kills"
count_records file "$work/records" >"$work/counted"
figures "$work/counted"
report "every connection has its record once, and all of them passed" "$work/counted"
ids=$(our_ids)
on_near "$ackmon" detach -q >"$work/left" 2>&1
diff <(echo "$before") <(traces) >>"$work/left"
for id in $ids; do
	for _ in $(seq 100); do # a worker of the kernel frees what nobody holds
		bpftool prog show id "$id" >/dev/null 2>&1 || break
		sleep 0.1
	done
	bpftool prog show id "$id" 2>/dev/null >>"$work/left"
done
report "no link, pin, program or qdisc is left" "$work/left"

# Lines of intervals are in no outbox, and may be left half.
kill_readers $((KILLS / 2 + 2)) -I 0.02
sed -i '/"close":"open"/d' "$work/records"
figures "$work/kills"
report "the same with readers that also show open connections" "$work/kills"
count_records file "$work/records" >"$work/counted"
figures "$work/counted"
report "no line of an interval that was left half takes a record along" "$work/counted"
on_near "$ackmon" detach -q

: >"$work/half"
on_near "$ackmon" attach -q -i near0 2>>"$work/half"
leave_half() { # a reader that wrote to the file is killed, just when it writes
	nsenter --net="/run/netns/$near" "$ackmon" -i near0 "$@" 2>"$work/last.err" &
	pids+=($!)
	for _ in $(seq 200); do
		grep -q "room for" "$work/last.err" && break
		sleep 0.05
	done
	sleep 0.4 # it has looked once
	stop KILL
}
for kind in named inherited; do
	rm -f "$work/flows"
	for text in '{"v":1}\n{"half":' 'x'; do
		if [ $kind = named ]; then
			leave_half -w "$work/flows" -j
		else
			leave_half -j >>"$work/flows"
		fi
		printf "$text" >>"$work/flows"
	done
	if [ $kind = named ]; then
		leave_half -w "$work/flows" -j
	else
		leave_half -j >>"$work/flows"
	fi
	[ "$(cat "$work/flows")" = '{"v":1}' ] || echo "$kind: $(head -c 80 "$work/flows")" >>"$work/half"
done
# Of somebody else it is ended, not taken.
printf 'somebody' >"$work/other"
leave_half -w "$work/other" -j
[ "$(cat "$work/other")" = somebody ] || echo "another file: $(head -c 80 "$work/other")" >>"$work/half"
[ "$(wc -l <"$work/other")" = 1 ] || echo "another file was not ended by a line's end" >>"$work/half"
report "a line that a killed reader left half is cut off before the next one writes" "$work/half"
on_near "$ackmon" detach -q

kill_readers $((KILLS / 5 + 2)) --pipe
figures "$work/kills"
report "the same with readers that write into pipes" "$work/kills"
count_records pipe "$work"/records "$work"/records.[0-9]* >"$work/counted"
figures "$work/counted"
report "what may be lost in a pipe is told" "$work/counted"
on_near "$ackmon" detach -q

# ---------------------------------------------------------------- two at once

: >"$work/two"
refused() { # WORDS COMMAND...
	local words=$1
	shift
	if on_near timeout 60 "$@" >"$work/out" 2>"$work/err"; then
		echo "was not refused: $*" >>"$work/two"
	elif ! grep -q -- "$words" "$work/err"; then
		echo "$* said: $(tail -n 1 "$work/err")" >>"$work/two"
	fi
}

on_near "$ackmon" attach -q -i near0 2>>"$work/two"
start "taken over" "$work/reader" "$near" "$ackmon" -i near0 || cat "$work/reader" >>"$work/two"
refused "process ${pids[-1]}" "$ackmon" -i near0 --duration 0.1
refused "process ${pids[-1]}" "$ackmon" detach
refused "nothing is attached" env ACKMON_BPFFS="$ACKMON_BPFFS-other" "$ackmon" detach
nsenter --net="/run/netns/$near" "$ackmon" attach -i near0 >"$work/again" 2>&1 &
twin=$!
on_near "$ackmon" attach -q -i near0 2>>"$work/two"
wait "$twin" || cat "$work/again" >>"$work/two"
[ "$(our_ids | wc -l)" = 2 ] || echo "attached twice: $(our_ids | tr '\n' ' ')" >>"$work/two"
kill -0 "${pids[-1]}" || echo "the reader did not survive" >>"$work/two"
stop TERM
# One killed in the moment it forks leaves its lock to the other process until that lets go of it.
start "taken over" "$work/reader" "$near" "$ackmon" -i near0 || cat "$work/reader" >>"$work/two"
stop KILL
start held "$work/holder" "$near" flock "$(echo "$ACKMON_BPFFS"/v1/net-*/maps)" sh -c 'echo held; sleep 0.5'
start "taken over" "$work/reader" "$near" "$ackmon" -i near0 || cat "$work/reader" >>"$work/two"
stop TERM
wait "${pids[-1]}"
unset 'pids[-1]'
refused "another folder" env ACKMON_BPFFS="$ACKMON_BPFFS-other" "$ackmon" -i near0 --duration 0.1
refused "another folder" env ACKMON_BPFFS="$ACKMON_BPFFS-other" "$ackmon" attach -i near0
refused "another filter" "$ackmon" -i near0 port 443
[ -e "$ACKMON_BPFFS-other" ] && echo "a refused attach leaves a folder" >>"$work/two"
report "two readers, two attachments, a detach under a reader: each has its answer" "$work/two"

# ---------------------------------------------------------------- status

# Against what bpftool and the clock say: hooks, modes, ids, since when, whose.
status_tells() { # OWNER PID MODES
	on_near "$ackmon" status -q -j -i near0 >"$work/status"
	on_near "$ackmon" status -q -i near0 >"$work/table"
	python3 - "$work/status" "$work/table" "$attached_s" "$@" <<-'EOF'
		import json, subprocess, sys, time
		path, table, begin, owner, pid, modes = sys.argv[1:]
		said, table = json.load(open(path)), open(table).read()
		def demand(truth, *words):
		    if not truth:
		        print(*words, said)
		demand(said["owner"] == owner, "owner is not", owner)
		demand(str(said.get("pid", "")) == pid, "process is not", pid or "nobody")
		demand(not pid or pid in table, "the table does not name process", pid, table)
		demand(float(begin) - 1 <= said["since_ns"] / 1e9 <= time.time(), "since is not between", begin, "and now")
		got = [" ".join(filter(None, (p["hook"], p["mode"], p.get("with")))) for p in said["programs"]]
		demand(got == modes.split(","), "programs are not", modes)
		for program in said["programs"]:
		    name = {"xdp": "ackmon_xdp", "tc-ingress": "ackmon_ingress", "tc-egress": "ackmon_egress"}[program["hook"]]
		    told = subprocess.run(["bpftool", "prog", "show", "id", str(program["id"])], capture_output=True, text=True)
		    demand(name in told.stdout, "bpftool of", program, told.stdout, told.stderr)
		    demand(str(program["id"]) in table and program["mode"] in table, "the table lacks", program, table)
	EOF
}

: >"$work/status.not"
tc_mode=clsact
on_near "$ackmon" attach -q -i near0 -m tc 2>>"$work/status.not" && status_of programs | grep -q tcx && tc_mode=tcx
on_near "$ackmon" detach -q
for way in tc skb native; do
	attached_s=$(date +%s)
	on_near "$ackmon" attach -q -i near0 -m $way 2>>"$work/status.not"
	case $way in
	tc) modes="tc-ingress $tc_mode,tc-egress $tc_mode" ;;
	skb) modes="xdp generic $(status_of programs | grep -o 'alone\|dispatcher'),tc-egress $tc_mode" ;;
	native) modes="xdp native $(status_of programs | grep -o 'alone\|dispatcher'),tc-egress $tc_mode" ;;
	esac
	status_tells attached "" "$modes" >>"$work/status.not"
	start "taken over" "$work/reader" "$near" "$ackmon" -i near0 || cat "$work/reader" >>"$work/status.not"
	status_tells attached "${pids[-1]}" "$modes" >>"$work/status.not"
	stop TERM
	on_near "$ackmon" detach -q 2>>"$work/status.not"
done
attached_s=$(date +%s)
start "room for" "$work/reader" "$near" "$ackmon" -i near0 -m tc || cat "$work/reader" >>"$work/status.not"
status_tells process "${pids[-1]}" "tc-ingress $tc_mode,tc-egress $tc_mode" >>"$work/status.not"
stop TERM
report "status tells hooks, modes, ids, since when and whose, as bpftool and the clock do" "$work/status.not"

# ---------------------------------------------------------------- other wishes

: >"$work/wishes"
on_near "$ackmon" attach -q -i near0 -m tc 2>>"$work/wishes"
refused "without --transit" "$ackmon" -i near0 --transit --duration 0.1
refused "with fewer tunnels" "$ackmon" -i near0 --decap vxlan --duration 0.1
on_near "$ackmon" attach -q -i near0 --transit --decap vxlan 2>>"$work/wishes"
on_near timeout 60 "$ackmon" -q -i near0 --transit --decap vxlan --duration 0.1 2>>"$work/wishes"
# A connection that stays open: nobody may take it for one that is over.
start end, "$work/server" "$far" "$traffic" server --port 8083 --count 1 --seconds 600
nsenter --net="/run/netns/$near" "$traffic" client 10.78.0.2 --port 8083 --count 1 --rounds 2 \
	--pause 600000 --seconds 600 >"$work/out" 2>&1 &
pids+=($!)
until_status flows 1 || echo "the connection is not there" >>"$work/wishes"
start "taken over" "$work/reader" "$near" "$ackmon" -i near0 || cat "$work/reader" >>"$work/wishes"
refused "process ${pids[-1]} reads it" "$ackmon" attach -i near0 -m native
stop TERM
seen=$(status_of frames_tracked) flows=$(status_of flows)
[ "$flows" -ge 1 ] || echo "a reader that was asked to end took what goes on" >>"$work/wishes"
on_near "$ackmon" attach -q -i near0 -m native 2>>"$work/wishes"
status_of programs | grep -q "'mode': 'native'" || echo "not native: $(status_of programs)" >>"$work/wishes"
[ "$(status_of frames_tracked) $(status_of flows)" = "$seen $flows" ] ||
	echo "counters do not go on: $seen $flows, $(status_of frames_tracked) $(status_of flows)" >>"$work/wishes"
on_near "$ackmon" attach -q -i near0 -m tc 2>>"$work/wishes"
status_of programs | grep -q "'hook': 'tc-ingress'" || echo "not TC again: $(status_of programs)" >>"$work/wishes"
stop KILL
stop KILL
report "another mode, tunnels, transit: done or refused, never ignored" "$work/wishes"

# ---------------------------------------------------------------- upgrades

link_frames() {
	on_near ip -s -j link show near0 | python3 -c "import json, sys
stats = json.load(sys.stdin)[0]['stats64']
print(stats['rx']['packets'] + stats['tx']['packets'])"
}

: >"$work/upgrade"
frames=$(link_frames) seen=$(status_of frames_seen)
begin_traffic
for _ in $(seq 5); do
	ids=$(our_ids)
	on_near "$ackmon" attach -q -i near0 2>>"$work/upgrade"
	[ "$(our_ids | grep -cxF "$ids")" = 0 ] || echo "the same programs:" $ids >>"$work/upgrade"
done
end_traffic
frames=$(($(link_frames) - frames)) seen=$(($(status_of frames_seen) - seen))
echo "# programs exchanged 5 times: $frames frames passed, $seen were seen"
[ "$frames" = "$seen" ] || echo "$frames frames passed, $seen were seen" >>"$work/upgrade"
[ "$frames" -gt 1000 ] || echo "only $frames frames passed" >>"$work/upgrade"
report "programs are exchanged and no frame passes unseen" "$work/upgrade"

: >"$work/layout"
seen=$(status_of frames_seen) flows=$(status_of flows)
rm "$ACKMON_BPFFS"/v1/net-*/maps/holes # as if an older version had had no such map
on_near timeout 60 "$ackmon" -i near0 --duration 0.2 >"$work/out" 2>"$work/err"
code=$?
[ $code = 3 ] || echo "exit code $code, not 3 for what was lost: $(tail -n 1 "$work/err")" >>"$work/layout"
grep -q "another layout: $flows connections" "$work/err" ||
	echo "$flows connections were let go, and it said: $(head -n 3 "$work/err")" >>"$work/layout"
[ "$(status_of flows_let_go)" = "$flows" ] ||
	echo "$flows connections were let go, and status counts $(status_of flows_let_go)" >>"$work/layout"
[ "$(status_of frames_seen)" -ge "$seen" ] || echo "the frames counted before are gone" >>"$work/layout"
start end, "$work/server" "$far" "$traffic" server --port 8082 --count 10 --seconds 30
on_near "$traffic" client 10.78.0.2 --port 8082 --count 10 >"$work/out" 2>&1
wait "${pids[-1]}"
unset 'pids[-1]'
[ "$(status_of flows)" = 10 ] || echo "$(status_of flows) of 10 new connections are there" >>"$work/layout"
report "an older layout is let go, counted, and the reader starts" "$work/layout"
on_near "$ackmon" detach -q

# ---------------------------------------------------------------- neighbours

: >"$work/rounds"
cat >"$work/foreign.c" <<-'EOF'
	#define SEC(name) __attribute__((section(name), used))
	SEC("xdp") int neighbour_xdp(void *ctx) { return 2; }
	SEC("tc") int neighbour_tc(void *ctx) { return -1; }
	char LICENSE[] SEC("license") = "GPL";
EOF
clang -O2 -g -target bpf -c "$work/foreign.c" -o "$work/foreign.o" 2>>"$work/rounds"
on_near tc qdisc add dev near0 clsact
on_near tc filter add dev near0 ingress prio 172 handle 5 bpf da obj "$work/foreign.o" sec tc
on_near tc filter add dev near0 egress prio 9 bpf da obj "$work/foreign.o" sec tc
on_near ip link set dev near0 xdpdrv obj "$work/foreign.o" sec xdp
start ready "$work/neighbour" "$near" "$neighbour" near0 || echo "# no TCX neighbour: $(cat "$work/neighbour")"
traces >"$work/before"
for round in $(seq "$ROUNDS"); do
	case $((round % 3)) in
	0) choice="" mode=tc ;;
	1) choice=clsact mode=tc ;;
	2) choice="" mode=native ;;
	esac
	[ $mode = native ] && on_near ip link set dev near0 xdpdrv off &&
		on_near env ACKMON_TC=$choice "$ackmon" attach -q -i near0 -m native 2>>"$work/rounds" &&
		on_near "$ackmon" detach -q 2>>"$work/rounds" &&
		on_near ip link set dev near0 xdpdrv obj "$work/foreign.o" sec xdp &&
		traces >"$work/before"
	on_near env ACKMON_TC=$choice "$ackmon" attach -i near0 -m $mode >"$work/out" 2>&1
	code=$?
	if [ $mode = native ]; then
		[ $code = 1 ] && grep -q "neighbour_xdp.*id [0-9].*freplace.*-m tc\|neighbour_xdp.*dispatcher.*-m tc" "$work/out" ||
			echo "round $round: native over a neighbour: $(tail -n 1 "$work/out")" >>"$work/rounds"
	else
		[ $code = 0 ] || echo "round $round: $(tail -n 1 "$work/out")" >>"$work/rounds"
		on_near "$ackmon" detach -q 2>>"$work/rounds"
	fi
	traces | cmp -s "$work/before" - ||
		{ echo "round $round:"; traces | diff "$work/before" -; } >>"$work/rounds"
done
lines=$(wc -l <"$work/before")
echo "# $ROUNDS rounds compared, $lines lines of tc, ip, bpftool net and link each"
report "$ROUNDS rounds leave qdiscs, filters, TCX and XDP of others as they were" "$work/rounds"

echo "1..$number"
exit $failed
