#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What ackmon may still do once it watches or parses: as little as that takes, and all of it works.
#
# usage: tests/kernel/privileges_test.sh      speaks TAP; needs root
set -u
exec </dev/null
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
ackmon=$(realpath "${ACKMON:-build/ackmon}")
near=${NETNS_PREFIX:-ackP-}near-$$ far=${NETNS_PREFIX:-ackP-}far-$$
number=0 failed=0 watcher=
work=$(mktemp -d)
chmod 755 "$work"
cp "$ackmon" "$work/ackmon"
chmod 755 "$work/ackmon"

if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP giving up privileges takes having them; try: sudo $0"
	rm -rf "$work"
	exit 0
fi

cleanup() {
	[ -n "$watcher" ] && kill -9 "$watcher" 2>/dev/null
	ip netns del "$near" 2>/dev/null
	ip netns del "$far" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

result() { # NAME COMMAND...
	local name=$1
	shift
	why=
	number=$((number + 1))
	if "$@" && ! grep -q 'was refused; please report' "$work"/*.err 2>/dev/null; then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		printf '%s\n' "${why:-failed}" | head -n 8 | sed 's/^/# /'
		grep -h 'was refused' "$work"/*.err 2>/dev/null | sed 's/^/# /'
		failed=1
	fi
	[ -n "$watcher" ] && kill -9 "$watcher" 2>/dev/null && wait "$watcher" 2>/dev/null
	watcher=
	rm -f "$work"/*.err "$work"/*.out
}

until_true() { # COMMAND...: within a minute
	local try
	for try in $(seq 1200); do
		"$@" && return 0
		[ -n "$watcher" ] && ! kill -0 "$watcher" 2>/dev/null && break
		sleep 0.05
	done
	why="waited in vain for: $*
$(tail -n 3 "$work/w.err")"
	return 1
}

said() { grep -q -- "$1" "$work/w.err"; }
has_lines() { [ "$(wc -l <"$2" 2>/dev/null || echo 0)" -ge "$1" ]; } # COUNT FILE
status_of() { sed -n "s/^$1:[[:space:]]*//p" "/proc/${3:-$watcher}/status" 2>/dev/null; } # NAME [VALUE PID]
deputy() { pgrep -P "$watcher" -x ackmon-attach; }
in_near() { nsenter --net="/run/netns/$near" "$@"; }

# Confined is the last step of getting ready.
is_confined() { [ "$(status_of Seccomp)" = 2 ]; }

watch_with() { # OPTIONS...
	nsenter --net="/run/netns/$near" ${begin:-} env ${tc:+ACKMON_TC=$tc} "$ackmon" --duration 100 "$@" \
		>"$work/w.out" 2>"$work/w.err" &
	watcher=$!
	until_true is_confined
}

end_watch() { # no trace, exit code 0
	local code
	kill -TERM "$watcher"
	wait "$watcher"
	code=$?
	watcher=
	in_near bpftool net show >"$work/left"
	in_near tc qdisc show | grep clsact >>"$work/left"
	if [ $code != 0 ] || grep -qE 'ackmon|clsact' "$work/left"; then
		why="exit code $code, left: $(grep -E 'ackmon|clsact' "$work/left")
$(tail -n 3 "$work/w.err")"
		return 1
	fi
}

holds() { # NAME VALUE [PID]: of /proc/PID/status
	[ "$(status_of "$@")" = "$2" ] && return 0
	why="$1 is $(status_of "$@"), not $2
$(tail -n 3 "$work/w.err")"
	return 1
}

connect() { # one connection through near0; refused is an answer, too
	in_near timeout 30 bash -c ': </dev/tcp/10.78.1.2/9' 2>/dev/null
	return 0
}

# ---------------------------------------------------------------- watching

none=0000000000000000
attaching=000000c000001000 # and CAP_BPF, CAP_PERFMON
root_ids='0	0	0	0'
nobody_ids='65534	65534	65534	65534'

has_tcx() { # its links go without a capability
	local major minor
	IFS=.- read -r major minor _ < <(uname -r)
	[ "$major" -gt 6 ] || { [ "$major" = 6 ] && [ "$minor" -ge 6 ]; }
}

keeps_nothing() { # OPTIONS...
	watch_with -i near0 "$@" && holds CapPrm $none && holds CapEff $none && holds CapBnd $none &&
		holds NoNewPrivs 1 && holds Uid "$root_ids" && end_watch
}

keeps_for_the_end() { # CAPABILITIES OPTIONS...
	local wanted=$1
	shift
	tc=clsact watch_with -i near0 -m tc "$@" && holds CapPrm $none && holds CapPrm "$wanted" "$(deputy)" &&
		said "kept by process $(deputy) alone" && end_watch
}

becomes_nobody() { # CAPABILITIES OPTIONS...: also who begins with groups of his own
	local wanted=$1
	shift
	begin="setpriv --groups 4242,4243" watch_with -Z nobody "$@" && holds Uid "$nobody_ids" && holds Gid "$nobody_ids" &&
		holds Groups "" && holds CapPrm "$wanted" && holds NoNewPrivs 1 && end_watch
}

everything_works() { # -Z USER or nothing
	mkdir -p "$work/logs"
	chown "${2:-root}" "$work/logs"
	printf 'prefix,name\n10.78.0.0/16,here\n' >"$work/labels"
	chmod 644 "$work/labels"
	watch_with -i near0 "$@" -I 0.2 -j -w "$work/logs/flows" --labels "$work/labels" || return 1
	connect
	until_true has_lines 1 "$work/logs/flows" || return 1
	mv "$work/logs/flows" "$work/logs/flows.1"
	kill -HUP "$watcher"
	until_true said "prefixes read again" || return 1
	connect
	until_true has_lines 1 "$work/logs/flows" || return 1
	kill -USR1 "$watcher"
	until_true said "frames seen" || return 1
	end_watch || return 1
	if grep -q "cannot be" "$work/w.err" || ! grep -q '"opener_name":"here"' "$work/logs/flows"; then
		why=$(cat "$work/w.err" "$work/logs/flows")
		return 1
	fi
}

takes_what_comes() {
	watch_with -i 'near*' -i 'come*' && holds CapPrm $none && holds CapPrm $attaching "$(deputy)" &&
		holds NoNewPrivs 1 "$(deputy)" && holds Seccomp 2 "$(deputy)" || return 1
	in_near ip link add come0 type veth peer name other0
	until_true said "come0: TC" || return 1
	end_watch
	local code=$?
	in_near ip link del come0
	return $code
}

events_work() {
	watch_with -i near0 --events || return 1
	connect
	until_true grep -q refused "$work/w.out" && end_watch
}

# Twice, and the second time under another user: its connections are seen, status knows whose it is.
comes_back() { # OPTIONS...
	local code=0
	in_near ip link add back0 type veth peer name gone0
	watch_with -i back0 "$@" || return 1
	in_near ip link del back0
	until_true said "back0: is gone" || code=1
	in_near ip link add back0 type veth peer name gone0
	until_true said_often 2 "back0: TC" || code=1
	until_true owned || code=1
	in_near ip link del back0
	[ $code = 0 ] && end_watch
}

said_often() { [ "$(grep -c -- "$2" "$work/w.err")" = "$1" ]; } # TIMES WORDS
owned() { in_near "$ackmon" status -i back0 | grep -q "process $watcher "; }

# The one that may attach is no way back to what was given up, and never outlives the one that reads.
goes_with_the_reader() {
	local pid
	watch_with -i near0 || return 1
	pid=$(deputy)
	kill -INT "$pid" && kill -TERM "$pid" && holds Seccomp 2 "$pid" || return 1
	kill -9 "$watcher"
	wait "$watcher" 2>/dev/null
	watcher=
	until_true is_gone "$pid"
}

ends_without_it() {
	local code
	watch_with -i near0 || return 1
	kill -9 "$(deputy)"
	wait "$watcher"
	code=$?
	watcher=
	[ $code = 1 ] && said "attaches to interfaces was ended"
}

# Or dead: an orphan goes when the first process of the machine, or of its container, asks for its end.
is_gone() { ! [ -e "/proc/$1" ] || [[ $(status_of State "" "$1") == Z* ]]; }

plain_user_watches() {
	nsenter --net="/run/netns/$near" setpriv --reuid 65534 --regid 65534 --clear-groups \
		--inh-caps +net_admin,+bpf,+perfmon --ambient-caps +net_admin,+bpf,+perfmon \
		"$work/ackmon" -i near0 --duration 100 >"$work/w.out" 2>"$work/w.err" &
	watcher=$!
	until_true is_confined && holds Uid "$nobody_ids" && holds CapPrm $none
}

plain_user_with_capabilities() { plain_user_watches && end_watch; }

# Who may not see what root keeps attached attaches beside it: two sets of programs, each with totals of its own.
plain_user_beside_root() {
	local code=0 before after
	in_near "$ackmon" attach -q -i near0 -m tc 2>"$work/attach.err" || return 1
	before=$(tracked_here)
	plain_user_watches || code=1
	for _ in 1 2 3; do connect; done
	after=$(tracked_here)
	kill -TERM "$watcher"
	wait "$watcher" || code=1
	watcher=
	in_near "$ackmon" detach -q 2>>"$work/attach.err" || code=1
	[ "$((after - before)) $(tracked_by "$work/w.err")" = "6 6" ] && return $code
	why="3 connections of 2 frames, root's count $((after - before)), the other's $(tracked_by "$work/w.err")
$(cat "$work"/*.err)"
	return 1
}

names_what_is_missing() { # CAPABILITIES WORDS
	if setpriv --reuid 65534 --clear-groups --inh-caps "$1" --ambient-caps "$1" \
		"$work/ackmon" -i lo --duration 1 >"$work/w.out" 2>"$work/w.err"; then
		why="was not refused"
		return 1
	fi
	said "needs $2; try sudo" && [ "$(wc -l <"$work/w.err")" = 1 ] && return 0
	why=$(cat "$work/w.err")
	return 1
}

# We ask for no more than the kernel does: see "Privileges" in docs/architecture.md.
kernel_wants_perfmon() {
	cp build/tests/walked "$work/walked"
	if setpriv --reuid 65534 --clear-groups --inh-caps +net_admin,+bpf --ambient-caps +net_admin,+bpf \
		"$work/walked" >"$work/w.out" 2>"$work/w.err"; then
		why="the verifier takes the programs with CAP_BPF and CAP_NET_ADMIN alone"
		return 1
	fi
	# Which one comes first is the compiler's choice.
	said 'pointer.* prohibited\|partial copy of pointer' && return 0
	why=$(tail -n 8 "$work/w.err")
	return 1
}

unknown_user_is_a_slip() {
	"$ackmon" -Z nosuchuser -r pcaps/handshake.pcap >"$work/w.out" 2>"$work/w.err"
	[ $? = 2 ] && said "no such user"
}

# ---------------------------------------------------------------- looking

# As nobody, of one group and without any capability.
as_nobody() { # GROUP COMMAND...
	local group=$1
	shift
	in_near setpriv --reuid 65534 --regid 65533 --groups "$group" --inh-caps=-all --bounding-set=-all \
		"$work/ackmon" "$@"
}

reads_maps_for_nothing() { # without CAP_BPF, as Linux 5.19 and newer let everybody
	local major minor
	IFS=.- read -r major minor _ < <(uname -r)
	[ "$major" -gt 5 ] || { [ "$major" = 5 ] && [ "$minor" -ge 19 ]; }
}

tracked_by() { sed -nE 's/^ackmon: .* ([0-9,]+) tracked in .*/\1/p' "$1" | tail -n 1; }
tracked_here() { in_near "$ackmon" status -j -i near0 | grep -o '"frames_tracked":[0-9]*' | grep -o '[0-9]*'; }
flows_here() { in_near "$ackmon" status -j -i near0 | grep -o '"flows":[0-9]*' | grep -o '[0-9]*'; }

# One connection that stays open until the test is over.
hold_connection() {
	: >"$work/server.out"
	: >"$work/client.out"
	nsenter --net="/run/netns/$far" python3 -c '
import socket, sys
s = socket.create_server(("10.78.1.2", 7000))
print("ready", flush=True)
c, _ = s.accept()
c.recv(10)
c.recv(1)' >"$work/server.out" &
	holders=($!)
	until_true grep -q ready "$work/server.out" || return 1
	in_near python3 -c '
import socket, sys, time
c = socket.create_connection(("10.78.1.2", 7000))
c.sendall(b"hello")
print("open", flush=True)
time.sleep(100)' >"$work/client.out" &
	holders+=($!)
	until_true grep -q open "$work/client.out"
}

end_connection() {
	kill "${holders[@]}" 2>/dev/null
	wait "${holders[@]}" 2>/dev/null
}

mounts_that_end_are_refused() {
	ip netns exec "$near" "$ackmon" attach -i near0 -m tc --group 65532 >"$work/w.out" 2>"$work/w.err"
	[ $? = 1 ] && grep -q "would end with this mount namespace" "$work/w.err" && return 0
	why=$(cat "$work/w.err")
	ip netns exec "$near" "$ackmon" detach -q 2>/dev/null
	return 1
}

# The same counters and the same connections as the one who reads, who notices nothing. Attached by a
# session of its own, as by a service or a runner whose first process is gone.
a_group_may_look() {
	local code=0
	setsid -w nsenter --net="/run/netns/$near" "$ackmon" attach -i near0 -m tc --group 65532 >"$work/w.out" 2>"$work/w.err" ||
		{ why=$(cat "$work/w.err"); return 1; }
	hold_connection || code=1
	connect
	[ "$(flows_here)" = 2 ] || { why="$(flows_here) flows, not 2"; code=1; }
	as_nobody 65532 --look -i near0 -j --duration 0.1 >"$work/alone.out" 2>"$work/alone.err" || code=1
	nsenter --net="/run/netns/$near" "$ackmon" -i near0 -j >"$work/reader.out" 2>"$work/w.err" &
	watcher=$!
	until_true is_confined || code=1
	as_nobody 65532 -i near0 -j --duration 0.1 >"$work/beside.out" 2>"$work/beside.err" || code=1
	as_nobody 65532 status -j -i near0 >"$work/status.out" 2>"$work/status.err" || code=1
	as_nobody 65531 -i near0 --duration 0.1 >"$work/other.out" 2>"$work/other.err" && code=1
	[ -z "$(find /run/ackmon/bpf -mindepth 2 -type f -perm /026)" ] || { why="open to more than the group, or to its writing"; code=1; }
	kill -TERM "$watcher"
	wait "$watcher" || code=1
	watcher=
	[ "$(flows_here)" = 2 ] || { why="$(flows_here) flows are left by the reader, not 2"; code=1; }
	end_connection
	in_near "$ackmon" detach -q 2>>"$work/w.err"
	why+=$(python3 - "$work" "$(tracked_by "$work/w.err")" "$(tracked_by "$work/alone.err")" \
		"$(tracked_by "$work/beside.err")" <<-'END'
		import json, sys
		work, frames = sys.argv[1], sys.argv[2:]
		rows = {name: [json.loads(line) for line in open(f"{work}/{name}.out")] for name in ("alone", "beside")}
		status = json.loads(open(f"{work}/status.out").read() or "{}")
		for name, got in rows.items():
		    if sorted(row["responder_port"] for row in got) != [9, 7000]:
		        print(f"{name}: {got}")
		if not frames[0] or len(set(frames)) != 1:
		    print(f"tracked by the reader, alone and beside it: {frames}")
		if status.get("flows") != 2 or status.get("frames_tracked") != int(frames[0].replace(",", "")):
		    print(f"status says {status}")
		if open(f"{work}/reader.out").read():
		    print("the reader took what goes on")
		if "needs CAP_BPF" not in open(f"{work}/other.err").read():
		    print("another group: " + open(f"{work}/other.err").read())
	END
	)
	[ -e /run/ackmon/bpf/v1 ] || ! mountpoint -q /run/ackmon/bpf || { why+="the bpffs stays mounted"; code=1; }
	[ -z "$why" ] || why+=$(tail -n 2 "$work"/*.err)
	[ $code = 0 ] && [ -z "$why" ]
}

low_port_is_taken_first() {
	watch_with -Z nobody -i near0 --listen 10.78.1.1:81 && holds CapPrm $none || return 1
	until_true scrape && end_watch
}

scrape() { in_near curl -sf "http://10.78.1.1:81/metrics" >"$work/scraped" && grep -q ackmon_frames_total "$work/scraped"; }

# ---------------------------------------------------------------- parsing

# A pipe that stays open holds it in the middle of parsing.
parses_without() { # UIDS OPTIONS...
	local ids=$1 code
	shift
	mkfifo "$work/pipe"
	exec 8<>"$work/pipe"
	cat pcaps/handshake.pcap >&8
	"$ackmon" -r - -j "$@" <"$work/pipe" 8<&- >"$work/w.out" 2>"$work/w.err" &
	watcher=$!
	until_true is_confined && holds CapPrm $none && holds CapEff $none && holds NoNewPrivs 1 && holds Uid "$ids"
	code=$?
	exec 8<&-
	rm -f "$work/pipe"
	wait "$watcher"
	[ $? = 0 ] && grep -q established "$work/w.out" || code=1
	watcher=
	return $code
}

# Opened while we may, parsed when we may not.
reads_what_only_root_may() {
	cp pcaps/handshake.pcap "$work/secret.pcap"
	cp pcaps/packed.pcap.gz "$work/secret.pcap.gz"
	chmod 600 "$work"/secret.pcap*
	"$ackmon" -Z nobody -j -r "$work/secret.pcap" "$work/secret.pcap.gz" >"$work/w.out" 2>"$work/w.err"
	[ $? = 0 ] && has_lines 2 "$work/w.out" && return 0
	why=$(cat "$work/w.err")
	return 1
}

same_output_when_confined() { # every capture of the tree
	local path
	for path in pcaps/*.pcap pcaps/*.pcapng pcaps/*.gz; do
		"$ackmon" -j -r "$path" tcp
		echo "exit $?"
	done >"$work/w.out" 2>"$work/w.err"
	for path in pcaps/*.pcap pcaps/*.pcapng pcaps/*.gz; do
		ACKMON_SECCOMP=off "$ackmon" -j -r "$path" tcp
		echo "exit $?"
	done >"$work/free.out" 2>"$work/free.err"
	why=$(diff "$work/w.out" "$work/free.out"; diff "$work/w.err" "$work/free.err")
	[ -z "$why" ]
}

# ---------------------------------------------------------------- run

ip netns add "$near" && ip netns add "$far" || exit 1
ip link add near0 netns "$near" type veth peer name far0 netns "$far"
ip -n "$near" addr add 10.78.1.1/24 dev near0
ip -n "$far" addr add 10.78.1.2/24 dev far0
for name in lo near0; do ip -n "$near" link set $name up; done
for name in lo far0; do ip -n "$far" link set $name up; done

if has_tcx; then
	result "watching by TCX keeps no capability" keeps_nothing -m tc
	result "-Z is that user, without groups and capabilities" becomes_nobody $none -i near0
else
	echo "# no TCX before Linux 6.6"
fi
result "a clsact filter is taken away by the one that may" keeps_for_the_end $attaching
result "the same under -Z" keeps_for_the_end $attaching -Z nobody
result "records, intervals, labels, SIGHUP, SIGUSR1 and the end work" everything_works
result "and under -Z" everything_works -Z nobody
result "events work" events_work
result "what a pattern selects is attached by a process that may, confined as well" takes_what_comes
result "a plain name that comes back is attached again" comes_back
result "and under -Z" comes_back -Z nobody
result "it takes no signals, and goes when its reader is killed" goes_with_the_reader
result "without it the reader ends and says why" ends_without_it
has_tcx && result "a plain user with three capabilities watches, and gives them up" plain_user_with_capabilities
has_tcx && result "beside what root keeps attached it counts each frame once, and root does" plain_user_beside_root
result "a low port is taken before the capabilities go" low_port_is_taken_first
result "what would end with a mount namespace is not begun" mounts_that_end_are_refused
reads_maps_for_nothing && result "a group looks at what is attached: same counters, same connections, no capability" a_group_may_look
result "no capability: the three are named" names_what_is_missing -all "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN"
result "one is missing: it is named" names_what_is_missing +net_admin,+bpf CAP_PERFMON
result "another is missing: it is named" names_what_is_missing +perfmon,+bpf CAP_NET_ADMIN
result "without CAP_PERFMON the verifier takes no arithmetic with packet pointers" kernel_wants_perfmon
result "an unknown user is a mistake of the command line" unknown_user_is_a_slip
result "captures are parsed without a capability" parses_without "$root_ids"
result "and as somebody else" parses_without "$nobody_ids" -Z nobody
result "files only root may read are opened first" reads_what_only_root_may
result "confined or not, the same comes out of every capture" same_output_when_confined
echo "1..$number"
exit $failed
