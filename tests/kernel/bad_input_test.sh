#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What goes wrong is said in one sentence that names the thing and the way out; what is known is written.
set -u
exec </dev/null
cd "$(dirname "$0")/../.." || exit 1
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C
ackmon=$PWD/build/ackmon
netns=${NETNS_PREFIX:-ackbad$$-}n
number=0
work=$(mktemp -d)
chmod 755 "$work" # nobody has to get in

finish() {
	[ -z "${foreign:-}" ] || kill "$foreign" 2>/dev/null
	ip netns del "$netns" 2>/dev/null
	umount "$work/full" 2>/dev/null
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

report() { # NAME
	number=$((number + 1))
	if [ -s "$work/complaints" ]; then
		echo "not ok $number - $1"
		sed 's/^/# /' "$work/complaints"
	else
		echo "ok $number - $1"
	fi
	: >"$work/complaints"
}

skip() { # NAME WHY
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

complain() { echo "$*" >>"$work/complaints"; }

# run COMMAND...: its exit code into $code, what it said into out and err
run() {
	timeout 30 "$@" >"$work/out" 2>"$work/err"
	code=$?
}

exits() { # CODE
	[ "$code" = "$1" ] || complain "exit code $code, not $1: $(head -n 1 "$work/err")"
}

# says WORDS...: one sentence, beside summary and notes, with each of these in it
says() {
	local word sentences
	grep -vE 'frames? seen|room for' "$work/err" >"$work/sentence"
	sentences=$(wc -l <"$work/sentence")
	[ "$sentences" = 1 ] || complain "$sentences sentences instead of one: $(tr '\n' '|' <"$work/sentence")"
	for word; do
		grep -qF -- "$word" "$work/sentence" ||
			complain "\"$word\" is not in: $(cat "$work/sentence")"
	done
}

records() { # FILE NUMBER
	local count
	count=$(grep -c '^{.*}$' "$1")
	[ "$count" = "$2" ] || complain "$count whole records, not $2"
	[ "$(wc -l <"$1")" = "$count" ] || complain "lines that are no record: $(grep -v '^{.*}$' "$1" | head -c 80)"
}

# A file that -w names, and what it held: a slip of the finger must not empty it.
precious=$work/precious.csv
keep_precious() { echo "worth a year" >"$precious"; }
precious_is_there() { [ "$(cat "$precious")" = "worth a year" ] || complain "-w has emptied its file: $(head -c 80 "$precious")"; }

# ---------------------------------------------------------------- captures

run "$ackmon" -j -r "$work/missing.pcap"
exits 1
says "$work/missing.pcap" "No such file"
report "a capture that is not there"

run "$ackmon" -j -r pcaps/empty.pcap
exits 1
says pcaps/empty.pcap "empty"
report "an empty file"

run "$ackmon" -j -r pcaps/header_cut.pcap
exits 1
says pcaps/header_cut.pcap "header"
report "a file that ends inside its header"

run "$ackmon" -j -r pcaps/not_a_capture.txt
exits 1
says pcaps/not_a_capture.txt "pcap"
report "a file that is no capture"

run "$ackmon" -j -r pcaps/unknown_link.pcap
exits 1
says pcaps/unknown_link.pcap 147 Ethernet
report "a link type that is not supported"

run "$ackmon" -j -r pcaps/cut_off.pcap
exits 3
says pcaps/cut_off.pcap "frame 12"
records "$work/out" 1
report "a truncated capture: its flows are written"

run "$ackmon" -j -r pcaps/damaged.pcap
exits 3
says pcaps/damaged.pcap "frame 8"
records "$work/out" 1
report "a capture damaged inside a record: its flows are written"

run "$ackmon" -j -r pcaps/damaged.pcap pcaps/handshake.pcap
exits 3
says pcaps/damaged.pcap
records "$work/out" 2
report "a damaged capture does not keep the next one from being read"

gzip -c pcaps/requests.pcap | head -c 2000 >"$work/cut.pcap.gz"
run "$ackmon" -j -r "$work/cut.pcap.gz"
exits 3
says "$work/cut.pcap.gz"
[ -s "$work/out" ] || complain "no record was written"
report "a packed capture that ends too early"

run "$ackmon" -j -r "$work"
exits 1
says "$work"
report "a directory"

# ---------------------------------------------------------------- the command line

run "$ackmon" -r pcaps/handshake.pcap -j 'port eighty and'
exits 2
says eighty
report "a bad filter over a capture"

run "$ackmon" -i lo 'tcp[tcpflags] & tcp-syn != 0'
exits 2
says 'tcp['
report "a filter the kernel side does not know"

run "$ackmon" -r pcaps/handshake.pcap -o xml
exits 2
says xml
report "an output format that is not there"

run "$ackmon" -r pcaps/handshake.pcap -e opener_port,colour
exits 2
says colour
report "a field that is not there"

run "$ackmon"
exits 2
[ -s "$work/err" ] || complain "nothing was said"
report "no arguments"

# ---------------------------------------------------------------- outputs

run "$ackmon" -j -r pcaps/handshake.pcap -w "$work/nowhere/out.ndjson"
exits 1
says "$work/nowhere/out.ndjson"
report "-w into a directory that is not there"

run "$ackmon" -q -r pcaps/handshake.pcap -w "$work/few.csv" -e id,close
run "$ackmon" -q -r pcaps/handshake.pcap -w "$work/few.csv" --append -e id,close
exits 0
run "$ackmon" -r pcaps/handshake.pcap -w "$work/few.csv" --append
exits 1
says "$work/few.csv" "columns" "-e" "-H"
run "$ackmon" -r pcaps/handshake.pcap -w "$work/few.csv" --append -e close,id
exits 1
says "$work/few.csv" "columns"
[ "$(wc -l <"$work/few.csv")" = 3 ] || complain "not a header and two records: $(cat "$work/few.csv")"
run "$ackmon" -q -r pcaps/handshake.pcap -w "$work/few.csv" --append -H -e close
exits 0
report "columns behind a header of others"

keep_precious
run "$ackmon" -r "$work/missing.pcap" -w "$precious"
exits 1
precious_is_there
run "$ackmon" -r pcaps/not_a_capture.txt -w "$precious"
exits 1
precious_is_there
run "$ackmon" -r pcaps/handshake.pcap -w "$precious" 'port eighty and'
exits 2
precious_is_there
run "$ackmon" -i lo -w "$precious" 'tcp[tcpflags] & tcp-syn != 0'
exits 2
precious_is_there
run "$ackmon" -r "$work/missing.pcap" pcaps/handshake.pcap -w "$precious"
exits 1
[ "$(wc -l <"$precious")" = 2 ] || complain "$(wc -l <"$precious") lines instead of a header and a record"
report "-w leaves its file alone until there is something to write"

cp pcaps/requests.pcap "$work/own.pcap"
ln -s own.pcap "$work/own.ndjson"
run "$ackmon" -r "$work/own.pcap" -w "$work/own.pcap"
exits 2
says "$work/own.pcap" "-w"
run "$ackmon" -r pcaps/handshake.pcap "$work/own.pcap" -w "$work/own.ndjson"
exits 2
says "$work/own.pcap" "-w"
run "$ackmon" -r "$work/own.pcap" --append -w "$work/own.ndjson"
exits 2
timeout 30 "$ackmon" -r - -w "$work/own.pcap" <"$work/own.pcap" >"$work/out" 2>"$work/err"
code=$?
exits 2
cmp -s pcaps/requests.pcap "$work/own.pcap" || complain "the capture was written to"
report "-w that names the capture which is read, by whatever name"

for printed in -h -V -D; do
	timeout 30 "$ackmon" $printed >/dev/full 2>"$work/err"
	code=$?
	exits 1
	says "standard output"
done
report "help, version and lists onto a full device"

run "$ackmon" -j -r pcaps/syn_flood.pcap -w /dev/full
exits 1
says /dev/full "No space left"
report "a full device"

{ "$ackmon" -j -r pcaps/syn_flood.pcap 2>"$work/err"; echo $? >"$work/code"; } | head -n 1 >"$work/out"
code=$(cat "$work/code")
records "$work/out" 1
# 201 records are more than one buffer, but head may read them all before it ends.
if [ "$code" != 0 ]; then
	exits 1
	says "standard output" "closed"
fi
report "a closed pipe"

{ sleep 0.3; cat pcaps/syn_flood.pcap; } | { "$ackmon" -j -r - 2>"$work/err"; echo $? >"$work/code"; } | true
code=$(cat "$work/code")
exits 1
says "standard output" "closed"
report "a pipe that was closed before the first record"

# ---------------------------------------------------------------- what needs root to try

if [ "$(id -u)" != 0 ]; then
	run "$ackmon" -i lo --duration 1
	exits 1
	says sudo
	report "no root"
	skip "the other cases of watching live" "need root to be arranged; try: sudo $0"
	echo "1..$number"
	exit 0
fi

# A copy: nobody may not see into the directories above this one.
cp "$ackmon" "$work/ackmon"
chmod 755 "$work/ackmon"

mkdir "$work/full"
if mount -t tmpfs -o size=64k tmpfs "$work/full" 2>/dev/null; then
	run "$ackmon" -j -r pcaps/syn_flood.pcap -w "$work/full/out.ndjson"
	exits 1
	says "$work/full/out.ndjson" "No space left" "-w"
	[ "$(grep -c '^{.*}$' "$work/full/out.ndjson")" -ge 10 ] || complain "what had room was not written"
	report "a full disk: what has room is written"
	umount "$work/full"
else
	skip "a full disk" "tmpfs cannot be mounted here"
fi

if ! ip netns add "$netns" 2>/dev/null; then
	skip "the other cases of watching live" "no network namespaces here"
	echo "1..$number"
	exit 0
fi
ip -n "$netns" link set lo up
ip -n "$netns" link add bad0 type veth peer name bad1
ip -n "$netns" link set bad0 up
ip -n "$netns" link set bad1 up

inside() { timeout 30 nsenter --net="/run/netns/$netns" "$@" >"$work/out" 2>"$work/err"; code=$?; }

# With these capabilities and no others, as setpriv names them.
inside_as_nobody() { # CAPABILITIES COMMAND...
	local caps=$1
	shift
	inside setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps="$caps" \
		--ambient-caps="$caps" --bounding-set="$caps" "$@"
}

# Notes of what was attached are no complaint.
forget_notes() { sed -i "/$1/d" "$work/err"; }

attached() {
	nsenter --net="/run/netns/$netns" sh -c '
		bpftool net show | grep ackmon
		tc qdisc show dev bad0 | grep clsact
		tc qdisc show dev lo | grep clsact'
}

nothing_attached() {
	attached >"$work/attached"
	[ ! -s "$work/attached" ] || complain "still attached: $(tr '\n' '|' <"$work/attached")"
}

inside "$ackmon" -i nosuch0 --duration 1
exits 1
says nosuch0 "-D"
nothing_attached
report "an interface that is not there"

keep_precious
inside "$ackmon" -i nosuch0 -w "$precious" --duration 1
exits 1
precious_is_there
inside python3 -c '
import socket, subprocess, sys
busy = socket.create_server(("127.0.0.1", 9501))
sys.exit(subprocess.call(sys.argv[1:]))' "$ackmon" -i bad0 --listen 9501 -w "$precious" --duration 1
exits 1
precious_is_there
nothing_attached
inside_as_nobody -all "$work/ackmon" -i lo -w "$precious" --duration 1
exits 1
precious_is_there
inside "$ackmon" -i bad0 -w "$precious" --duration 0.2
exits 0
[ "$(cut -c 1-5 <"$precious")" = v,id, ] || complain "not begun with a header: $(head -c 80 "$precious")"
report "-w leaves its file alone until interfaces are attached and ports bound"

inside "$ackmon" -i bad0 -i nosuch0 --duration 1
exits 1
forget_notes "bad0: "
says nosuch0
nothing_attached
report "a second interface that is not there: the first is given back"

inside_as_nobody -all "$work/ackmon" -i lo --duration 1
exits 1
says CAP_BPF CAP_NET_ADMIN sudo
nothing_attached
report "no root"

inside_as_nobody -all,+net_admin "$work/ackmon" -i lo --duration 1
exits 1
says CAP_BPF
nothing_attached
report "a missing capability"

# Some kernels want it for what the programs do, some do not.
inside_as_nobody -all,+bpf,+net_admin "$work/ackmon" -i lo --duration 1
if [ "$code" != 0 ]; then
	exits 1
	says CAP_PERFMON
fi
nothing_attached
report "CAP_BPF without CAP_PERFMON"

echo '__attribute__((section("xdp"), used)) int pass(void *ctx) { return 2; }' >"$work/pass.c"
if clang -O2 -target bpf -c "$work/pass.c" -o "$work/pass.o" 2>/dev/null &&
	ip -n "$netns" link set dev bad0 xdpgeneric obj "$work/pass.o" sec xdp 2>"$work/foreign.err"; then
	for mode in native skb; do
		inside "$ackmon" -i bad0 -m $mode --duration 1
		exits 1
		says bad0 "-m tc"
		nothing_attached
		ip -n "$netns" -d link show dev bad0 | grep -q 'xdp' || complain "the foreign program is gone"
		report "an interface with a foreign XDP program, -m $mode"
	done
	inside "$ackmon" -i bad0 -m tc --duration 0.2
	exits 0
	nothing_attached
	ip -n "$netns" -d link show dev bad0 | grep -q 'xdp' || complain "the foreign program is gone"
	report "beside a foreign XDP program, -m tc"
	ip -n "$netns" link set dev bad0 xdpgeneric off
else
	skip "an interface with a foreign XDP program" "none can be loaded here: $(head -n 1 "$work/foreign.err")"
fi

# Records of connections that are seen while we watch, onto a disk that is full.
if mount -t tmpfs -o size=4k tmpfs "$work/full" 2>/dev/null; then
	: >"$work/err"
	nsenter --net="/run/netns/$netns" timeout 30 "$ackmon" -i lo -m tc -j -I 1 --duration 8 \
		-w "$work/full/out.ndjson" >"$work/out" 2>"$work/err" &
	watcher=$!
	until grep -q '^ackmon: lo: ' "$work/err" || [ ! -e "/proc/$watcher" ]; do sleep 0.1; done
	nsenter --net="/run/netns/$netns" python3 - <<'EOS'
import socket
for port in range(1, 60):
    try:
        socket.create_connection(("127.0.0.1", port), 1)
    except OSError:
        pass
EOS
	wait $watcher
	code=$?
	exits 1
	forget_notes "lo: "
	forget_notes "kept by process"
	forget_notes "records wait in the kernel" # when there were any before the end
	says "$work/full/out.ndjson" "No space left"
	nothing_attached
	report "a disk that is full to the end of the watch: it says so and gives the interface back"
	umount "$work/full"
fi
echo "1..$number"
