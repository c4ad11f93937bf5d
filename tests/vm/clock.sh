#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A machine of its own whose clock is set by an hour, forth and back, while connections are watched.
#
# usage: clock.sh [SERIES]           6.12 when none is named
#
# Speaks TAP. The clock of the machine the test runs on stays as it is.
set -u
exec </dev/null
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
. tests/vm/lib.sh
. tests/tap.sh

series=${1:-6.12}
tree=$(mktemp -d)/clock
trap 'rm -rf "$(dirname "$tree")"' EXIT

# One connection that says a line before and after each step; a record of it every second. Across each step one more
# waits to be opened, the first SYNs of which find nobody, and one for an answer: what they waited for has no hour in it.
write_script() {
	cat >"$tree/bin/steps" <<'EOS'
#!/bin/sh
# A condition that never comes true is missed in the records, below.
soon() { # COMMAND...
	local i
	for i in $(seq 150); do
		"$@" && return
		usleep 100000
	done
}
records() { wc -l </tmp/records; }
has_records() { [ "$(records)" -ge "$1" ]; }
more_records() { soon has_records $(($(records) + $1)); } # COUNT
is_shown() { grep -q "\"responder_port\":$1,.*$2" /tmp/records; } # PORT FIELDS
listens() { netstat -ltn | grep -q ":$1 "; }
ip link set lo up
ackmon -j -I 1 -i lo -w /tmp/records 2>/tmp/said &
watcher=$!
soon grep -q "lo: TC" /tmp/said
mkfifo /tmp/words /tmp/silence
nc -l -p 7000 <>/tmp/silence >/dev/null &
soon listens 7000
nc 127.0.0.1 7000 </tmp/words &
exec 3>/tmp/words
step() { # NUMBER SECONDS
	ip route add 10.9.9.$1 dev lo src 127.0.0.1
	nc -l -p 710$1 </dev/null >/dev/null &
	mkfifo /tmp/ask$1 /tmp/answer$1
	nc -l -p 720$1 <>/tmp/answer$1 >/dev/null &
	soon listens 710$1
	soon listens 720$1
	nc 10.9.9.$1 710$1 </dev/null &
	nc 127.0.0.1 720$1 <>/tmp/ask$1 >/dev/null &
	echo ask >/tmp/ask$1
	soon is_shown 710$1 '"opener_segments":[1-9]'
	soon is_shown 720$1 '"opener_payload_bytes":4'
	date -s "@$(($(date +%s) + $2))" >/dev/null
	ip addr add 10.9.9.$1/32 dev lo
	echo answer >/tmp/answer$1
	echo "after $2" >&3
	soon is_shown 710$1 '"connect_ns":'
	soon is_shown 720$1 '"response_ns":'
	more_records 2
}
more_records 2
echo "before" >&3
more_records 2
step 1 3600
step 2 -7200
step 3 3600
exec 3>&-
sleep 1
kill -INT $watcher
wait $watcher
cat /tmp/records
EOS
	chmod 755 "$tree/bin/steps"
}

command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86 is missing; run: sudo make vm-deps"
command -v busybox >/dev/null && ! ldd "$(command -v busybox)" >/dev/null 2>&1 ||
	skip_all "busybox-static is missing; run: sudo make vm-deps"
why=$(vm_fetch "$series") || skip_all "Linux $series: $why"
mkdir -p "$tree"
vm_tree "$tree" build/ackmon
vm_modules "$series" "$tree" sch_ingress cls_bpf
write_script
vm_boot "$series" "$tree" steps >"$tree.out" || sed "s/^/# /" "$tree.out" | tail -n 20
python3 - "$tree.out" <<'END'
import json, sys
lines = [line for line in open(sys.argv[1]) if line.startswith("{")]
every = list(map(json.loads, lines))
rows = [row for row in every if row["responder_port"] == 7000]
starts = [row["start_ns"] for row in rows]
first = starts[0] if starts else 0
steps = [round((start - first) / 3.6e12) for start in starts]
apart = [abs(start - first - step * 3.6e12) for start, step in zip(starts, steps)]
span = [row["duration_ns"] for row in rows]
waited = {}
for row in every:
    for what, base in ("connect_ns", 7100), ("response_ns", 7200):
        if what in row and row["responder_port"] - base in (1, 2, 3):
            waited[row["responder_port"]] = row[what]
latencies = [value for row in every for name, value in row.items() if name.endswith("_ns")
             and name not in ("start_ns", "end_ns", "duration_ns")]
failed = False
def say(truth, name, figures):
    global failed, number
    number += 1
    print("%s %d - %s%s" % ("ok" if truth else "not ok", number, name, "" if truth else "\n# %s" % figures))
    failed |= not truth
number = 0
say(len(rows) >= 8 and len({row["id"] for row in rows}) == 1, "one connection is shown all along, under one id",
    "%d records: %s" % (len(rows), sorted({row["id"] for row in rows})))
say({0, 1, -1} == set(steps), "times of day follow the clock, an hour forth and back", steps)
# date cuts a second off at each of the three steps.
say(max(apart or [1e18]) < 4e9, "nothing stays between two times (at most %d ms)" % (max(apart or [0]) / 1e6), apart)
say(all(row["end_ns"] - row["start_ns"] == row["duration_ns"] for row in rows), "start, end and duration of a record agree", span)
say(span == sorted(span) and max(span or [1e18]) < 120e9, "no duration goes back or jumps (%d s at the end)" % (max(span or [0]) / 1e9), span)
say(len(waited) == 6 and all(1e8 < ns < 60e9 for ns in waited.values()),
    "three openings and three answers waited across a step (%d to %d ms)" % (
        min(waited.values(), default=0) / 1e6, max(waited.values(), default=0) / 1e6), waited)
say(latencies and 0 <= min(latencies) and max(latencies) < 60e9,
    "no latency has an hour in it (%d of them)" % len(latencies), sorted(latencies)[-9:])
print("1..%d" % number)
sys.exit(failed)
END
