#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A machine of its own whose clock is set by an hour, forth and back, while a connection is watched.
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

series=${1:-6.12}
tree=$(mktemp -d)/clock
trap 'rm -rf "$(dirname "$tree")"' EXIT

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

# One connection that says a line before and after each step; a record of it every second.
write_script() {
	cat >"$tree/bin/steps" <<'EOS'
#!/bin/sh
ip link set lo up
ackmon -j -I 1 -i lo -w /tmp/records 2>/tmp/said &
watcher=$!
until grep -q "lo: TC" /tmp/said; do usleep 100000; done
mkfifo /tmp/words /tmp/silence
nc -l -p 7000 <>/tmp/silence >/dev/null &
until netstat -ltn | grep -q :7000; do usleep 100000; done
nc 127.0.0.1 7000 </tmp/words &
exec 3>/tmp/words
records() { wc -l </tmp/records; }
more_records() { # COUNT
	want=$(($(records) + $1))
	until [ "$(records)" -ge $want ]; do usleep 100000; done
}
step() { # SECONDS
	date -s "@$(($(date +%s) + $1))" >/dev/null
	echo "after $1" >&3
	more_records 2
}
more_records 2
echo "before" >&3
more_records 2
step 3600
step -7200
step 3600
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
rows = [row for row in map(json.loads, lines) if row["responder_port"] == 7000]
starts = [row["start_ns"] for row in rows]
first = starts[0] if starts else 0
steps = [round((start - first) / 3.6e12) for start in starts]
apart = [abs(start - first - step * 3.6e12) for start, step in zip(starts, steps)]
span = [row["duration_ns"] for row in rows]
rtts = [row.get(end + "_rtt_max_ns", 0) for row in rows for end in ("opener", "responder")]
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
say(max(rtts or [1e18]) < 5e9, "no latency has an hour in it (at most %d us)" % (max(rtts or [0]) / 1e3), rtts)
print("1..%d" % number)
sys.exit(failed)
END
