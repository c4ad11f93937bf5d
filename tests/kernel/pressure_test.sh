#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Floods: what is real is measured all the same, and what is lost is counted to the last connection.
#
# usage: tests/kernel/pressure_test.sh [--long]     speaks TAP; --long is part of make check-production
#
#   a -- r -- b      ackmon watches b; the flood appears on b's interface as if it had been received
#
# KEEP=DIR keeps what was written.
set -u
exec </dev/null
NETNS_PREFIX=${NETNS_PREFIX:-ackpress$$-} # two runs at once do not meet
cd "$(dirname "$0")/../.." || exit 1
PATH=$PATH:/usr/sbin:/sbin
FLOOD=build/tests/flood
. tests/tap.sh

needs_netns

if [ "${1:-}" = --long ]; then
	syns=4000000 syns_per_s=0 room=1048576 real=10000 probes=2000000 probing_real=10000
	forged=200000 silence_s=60
else
	syns=1000000 syns_per_s=400000 room=262144 real=2000 probes=200000 probing_real=500
	forged=20000 silence_s=0
fi

. tests/netns/lib.sh
work_begin

finish() {
	netns_down
	work_end
}
trap finish EXIT
trap 'exit 1' INT TERM

watch() { # NAME OPTION...: begins to watch b
	local name=$1
	shift
	: >"$work/$name.err"
	nsenter --net="/run/netns/${NETNS_PREFIX}b" "$ACKMON" -i eth0 -m tc -w "$work/$name.csv" -o csv \
		-e opener_addr,opener_port,state,outcome,close,connect_ns,responder_handshake_ns,opener_handshake_ns \
		-e syn_retrans,synack_retrans,opener_payload_bytes "$@" 2>"$work/$name.err" &
	job_pids+=($!)
	until grep -q 'room for' "$work/$name.err"; do
		kill -0 "${job_pids[-1]}" 2>/dev/null || die "ackmon ended: $(cat "$work/$name.err")"
		sleep 0.05
	done
}

watched() { # ends the watch begun last; the others are no jobs
	kill -INT "${job_pids[-1]}" && job_wait
}

# One number of the summary: what stands before "(MEANING" or before the word.
figure() { # NAME WORDS
	grep 'frames\? seen' "$work/$1.err" | tail -n 1 | tr -d , | grep -oE "[0-9]+ \(?$2" | head -n 1 |
		grep -oE '^[0-9]+' || echo 0
}

# One number of the metrics of the watch begun last.
metric() { # NAME{LABEL="VALUE"}
	curl -sS -m 60 --unix-socket "$work/metrics" http://x/metrics | sed -n "s/^$1 //p" | sed 's/\.0*$//'
}

check() { tests/kernel/pressure_check.py "$@"; }

flood() { # MODE FRAMES [PER_SECOND]
	on b "$FLOOD" "$@" >"$work/flood" 2>"$work/flood.err" || die "flood: $(cat "$work/flood.err")"
}

flood_in_between() { # NAME MODE FRAMES PER_SECOND REAL OPTION...
	local name=$1 mode=$2 frames=$3 per_second=$4 real=$5
	shift 5
	watch "$name" "$@"
	# Before the watch in the row of jobs, which ends first.
	local watch=${job_pids[-1]}
	unset 'job_pids[-1]'
	job "$work/server" end, b "$TRAFFIC" server --count $((real + 200)) --seconds 300
	job_pids+=("$watch")
	# Open before the flood, and all through it.
	on a "$TRAFFIC" client "$B4" --count 200 --parallel 200 --rounds 3 --pause 1000 --seconds 300 >"$work/$name.lasting" &
	lasting=$!
	on b "$FLOOD" "$mode" eth0 "$frames" "$per_second" >"$work/$name.flood" 2>&1 &
	flood=$!
	on a "$TRAFFIC" client "$B4" --count "$real" --parallel 20 --seconds 300 >"$work/$name.real"
	wait $flood
	wait $lasting
	watched
	jobs_stop # the server, where a client has tried less often than it waits for
	check real "$work/$name.csv" "$A4" $((real + 200)) >"$work/$name.bad"
}

netns_up

opened=$((syns + real + 200))
flood_in_between syn syn $syns $syns_per_s $real --half-open $room
report "$real connections open and end while $syns SYNs come: every one is measured" "$work/syn.bad" \
	"$(check figures "$work/syn.csv" "$A4"); the flood: $(cat "$work/syn.flood")"
check sum "$opened" records="$(check count "$work/syn.csv")" \
	forgotten="$(figure syn 'half-open flow')" events="$(figure syn 'event the')" >"$work/sum.bad"
report "each connection has a record, or is counted as forgotten" "$work/sum.bad" \
	"$(figure syn 'half-open flow') of $opened were forgotten"

opened=$((probes / 2 + probing_real + 200))
flood_in_between scan scan $probes 0 $probing_real --half-open $room
report "... while a port scan tries $((probes / 2)) ports" "$work/scan.bad" \
	"$(check figures "$work/scan.csv" "$A4"); the scan: $(cat "$work/scan.flood")"
check sum "$opened" records="$(check count "$work/scan.csv")" \
	forgotten="$(figure scan 'half-open flow')" events="$(figure scan 'event the')" >"$work/sum.bad"
report "... each port has a record, or is counted as forgotten" "$work/sum.bad"

# While many more come and go beside them.
watch each -e opener_port -I 0.3
watcher=${job_pids[-1]}
unset 'job_pids[-1]'
job "$work/server" end, b "$TRAFFIC" server --count 3300 --seconds 300
job_pids+=("$watcher")
on a "$TRAFFIC" client "$B4" --count 300 --parallel 300 --rounds 5 --pause 1000 --seconds 300 >"$work/each.lasting" &
lasting=$!
on a "$TRAFFIC" client "$B4" --count 3000 --parallel 10 --seconds 300 >"$work/each.real"
wait $lasting
watched
jobs_stop
check each "$work/each.csv" "$A4" "$work/each.lasting" >"$work/each.bad" 2>"$work/each.figures"
report "-I shows each of 300 open connections once each time, while 3,000 come and go" "$work/each.bad" \
	"$(sed 's/^figures //' "$work/each.figures")"

# Silence: by default it takes 70 s and an hour.
watch quiet --half-open 100003 --half-open-timeout 0.4 --idle-timeout 1.2
watcher=${job_pids[-1]}
unset 'job_pids[-1]'
job "$work/server" end, b "$TRAFFIC" server --count 1 --seconds 300
job_pids+=("$watcher")
# Not through on(): what is killed would be a shell around it.
nsenter --net="/run/netns/${NETNS_PREFIX}a" "$TRAFFIC" client "$B4" --count 1 --rounds 2 --pause 600000 --seconds 60 >"$work/quiet.lasting" &
lasting=$!
flood syn eth0 5
bytes=$(bpftool -j map show | python3 -c 'import json, sys
maps = [m for m in json.load(sys.stdin) if m.get("name") in ("half_open", "half_open_tags")]
buckets = 8334 + 3  # for twelve connections each, and three more
print(sum(m["bytes_memlock"] for m in maps if m["max_entries"] in (buckets, buckets * 15)))')
until_records() { # COUNT PATTERN
	local try
	for try in $(seq 600); do
		[ "$(grep -c -- "$2" "$work/quiet.csv")" -ge "$1" ] && return
		sleep 0.05
	done
	echo "$(grep -c -- "$2" "$work/quiet.csv") records with $2, not $1"
}
{
	until_records 5 ',no_answer,idle,'
	until_records 1 "^$A4,.*,established,idle,"
	said=$(sed -n 's/.* that only open (\([0-9]*\) MB).*/\1/p' "$work/quiet.err")
	[ "$said" = $(((bytes + 500000) / 1000000)) ] ||
		echo "told $said MB for half-open ones, the kernel says $bytes octets"
} >"$work/quiet.bad" 2>&1
kill $lasting
wait $lasting 2>/dev/null
watched
jobs_stop
report "silence ends what waits and what is open after the time it was given" "$work/quiet.bad" \
	"a room for 100,003 half-open ones was said to take $said MB, the kernel says $bytes octets"

watch tiny --half-open 1000 --listen "$work/metrics"
flood syn eth0 20000
evicted=$(metric 'ackmon_flows_evicted_total{reason="half_open"}')
watched
{
	check sum 20000 records="$(check count "$work/tiny.csv")" forgotten="$evicted" events="$(figure tiny 'event the')"
	[ "$evicted" = "$(figure tiny 'half-open flow')" ] || echo "the summary says $(figure tiny 'half-open flow')"
	[ "$evicted" -gt 15000 ] || echo "only $evicted were forgotten"
} >"$work/tiny.bad" 2>&1
report "metrics say exactly what a small room for half-open ones forgot" "$work/tiny.bad" \
	"$evicted of 20000 forgotten, by a room of 1000"

watch full --flows 5000 --half-open $room --listen "$work/metrics"
flood data eth0 $((forged * 2)) 100000
evicted=$(metric 'ackmon_flows_evicted_total{reason="table_full"}')
watched
{
	# It holds what it was told to, and what else its buckets take.
	held=$((forged - evicted))
	[ $held -ge 5000 ] && [ $held -le 6300 ] || echo "$held were held"
	check sum "$evicted" refused="$(figure full 'proven flow')"
	check sum "$forged" records="$(check count "$work/full.csv")" events="$(figure full 'event the')"
	grep -q 'flow table is full' "$work/full.err" || [ "$silence_s" = 0 ] || echo "nobody was told"
} >"$work/full.bad"
report "a full flow table refuses exactly what it cannot take" "$work/full.bad" \
	"$(figure full 'proven flow') of $forged refused, by a table of 5000"

watch unread --half-open $room --listen "$work/metrics"
reader=${job_pids[-1]}
kill -STOP "$reader"
if [ $silence_s = 0 ]; then
	unread=100000
	flood reuse eth0 $unread
else
	unread=$((silence_s * 50000))
	flood reuse eth0 $unread 50000
fi
kill -CONT "$reader"
lost=$(metric 'ackmon_events_lost_total{where="ring_buffer"}')
watched
{
	[ "$lost" = "$(figure unread 'event the')" ] || echo "metrics say $lost"
	check sum $unread records="$(check count "$work/unread.csv")" events="$(figure unread 'event the')"
	[ "$(figure unread 'event the')" -gt 0 ] || echo "nothing was lost: the ring buffer was never full"
	[ "$(figure unread 'tracked in')" -ge $unread ] || echo "not every frame was tracked"
} >"$work/unread.bad"
report "a ring buffer nobody reads: what is lost is counted" "$work/unread.bad" \
	"$(figure unread 'event the') of $unread lost, $(cat "$work/flood")"

echo "1..$number"
exit $failed
