#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The bar of production: what make test does in short, as often and as long as one has to believe it.
#
# usage: sudo tests/production.sh [PART...]      PART: clocks disk restart interfaces frames pressure
#
# Says for each claim whether it holds, with its figure; the last line is the sum. LOGS=DIR keeps what the
# parts printed. KILLS, ROUNDS (1000, 100) and FRAMES (10000000) may be less, for a look.
set -u
exec </dev/null
cd "$(dirname "$0")/.." || exit 1
KILLS=${KILLS:-1000} ROUNDS=${ROUNDS:-100} FRAMES=${FRAMES:-10000000}
AT_ONCE=4 # readers are killed in so many places at a time: they mostly wait
if [ -n "${LOGS:-}" ]; then
	mkdir -p "$LOGS"
	logs=$(realpath "$LOGS")
else
	logs=$(mktemp -d)
	trap 'rm -rf "$logs"' EXIT
fi
trap 'kill $(jobs -p) 2>/dev/null; exit 1' INT TERM
passed=0 failed=0 skipped=0

# A result with the figures that stand behind it, or under it as comments.
show() { # NAME LOG STATUS
	local ok skip bad
	awk '/^(ok|not ok|1\.\.0 # SKIP)/ || /^#/' "$2" | sed 's/^/  /'
	ok=$(grep -c '^ok ' "$2") bad=$(grep -c '^not ok ' "$2") skip=$(grep -ci '^1\.\.0 # skip\|^ok .* # SKIP' "$2")
	if [ "$3" != 0 ] && [ "$bad" = 0 ]; then
		echo "  not ok - $1 ended with exit code $3:"
		tail -n 5 "$2" | sed 's/^/  # /'
		bad=1
	fi
	passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

part() { # NAME COMMAND...
	local name=$1 begin=$SECONDS status
	shift
	"$@" >"$logs/$name" 2>&1
	status=$?
	echo "$name ($((SECONDS - begin)) s)"
	show "$name" "$logs/$name" $status
}

part_clocks() { part clocks tests/vm/clock.sh; }
part_disk() { part disk tests/kernel/disk_test.sh; }
part_interfaces() {
	part interfaces tests/kernel/interfaces_test.sh --long nothing_leaks_when_interfaces_come_and_go \
		nothing_leaks_when_they_come_and_go_under_clsact nothing_leaks_when_they_come_and_go_under_native_xdp
}
part_frames() {
	FRAMES=$FRAMES part frames tests/kernel/interfaces_test.sh --long a_changed_byte_and_a_lost_frame_would_be_noticed \
		frames_pass_unchanged_through_tc frames_pass_unchanged_through_generic_xdp \
		frames_pass_unchanged_through_native_xdp
}
part_pressure() { part pressure tests/kernel/pressure_test.sh --long; }

part_restart() {
	local i pids=() begin=$SECONDS status=0
	for i in $(seq $AT_ONCE); do
		SEED=$i NETNS_PREFIX=ackR$i- KILLS=$((KILLS / AT_ONCE)) ROUNDS=$((ROUNDS / AT_ONCE)) \
			tests/kernel/restart_test.sh >"$logs/restart$i" 2>&1 &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || status=$?
	done
	cat "$logs"/restart? >"$logs/restart"
	echo "restart ($((SECONDS - begin)) s)"
	show restart "$logs/restart" $status
	# "# kills=250 ended=20 falls=0 ..." four times over, and of the connections, and of the rounds
	awk -v OFS='' '
		/^# kills=/ || /^# connections=/ {
			for (i = 2; i <= NF; i++) { split($i, part, "="); sum[part[1]] += part[2] }
		}
		/^# [0-9]+ rounds compared/ { rounds += $2 }
		END {
			print "  all: ", sum["kills"], " kills, ", sum["falls"], " counters fell, ", sum["connections"],
			      " connections, ", sum["records"], " records, ", sum["twice"], " twice, ",
			      sum["file_missing"], " missing in files, ", sum["pipe_missing"], " in pipes of ", sum["unsure"],
			      " told as unsure, ", sum["retransmitted"], " repeats, ", rounds, " rounds beside others"
		}' "$logs/restart"
}

[ "$(id -u)" = 0 ] || { echo "network namespaces and BPF programs need root; try: sudo $0"; exit 1; }
[ $# -gt 0 ] || set -- clocks disk restart interfaces frames pressure
for name in "$@"; do
	declare -F "part_$name" >/dev/null || { echo "there is no part $name"; exit 1; }
	"part_$name"
done
echo "$passed passed, $failed failed, $skipped skipped in $SECONDS s"
[ "$failed" = 0 ]
