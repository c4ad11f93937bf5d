#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs every part of the tests, shows what failed with its output, and counts.
#
# usage: tests/run.sh [PART...]      PART: unit golden frames parity differential attach restart live live_frames interfaces pressure disk privileges bad_input packaging netns truth fuzz
#
# A part speaks TAP: "ok N - name", "not ok N - name", "ok N - name # SKIP why", "# ..." about the line
# before. V=1 shows every line. The last line is always "N passed, N failed, N skipped".
set -u
exec </dev/null
cd "$(dirname "$0")/.." || exit 1

SECONDS_MAX=${SECONDS_MAX:-600} # a part that takes longer hangs
passed=0 failed=0 skipped=0
output=$(mktemp) report=$(mktemp)
trap 'rm -f "$output" "$report"' EXIT
export LC_ALL=C CMOCKA_MESSAGE_OUTPUT=TAP

# Reads what a part printed. Shows what failed with the lines that explain it; the last line of the
# report is "passed failed skipped planned", planned -1 when no plan was printed.
read_tap() {
	awk -v all="${V:-}" '
		function is_result(line) { return line ~ /^(ok|not ok|skip)([ \t]|$)/ }
		BEGIN { planned = -1 }
		/^1\.\.[0-9]+/ {
			planned = substr($1, 4) + 0
			if (planned == 0 && /# *[Ss][Kk][Ii][Pp]/)
				skipped++
		}
		is_result($0) {
			shown = 0
			if (/# *[Ss][Kk][Ii][Pp]/ || /^skip/) { skipped++; shown = 1 }
			else if (/^not ok/) { failed++; shown = 1 }
			else passed++
		}
		/^1\.\./ { shown = 0 }
		shown || all { print "  " $0 }
		END { print passed + 0, failed + 0, skipped + 0, planned }
	' "$output"
}

fail() { # NAME WHY
	printf '  not ok - %s: %s\n' "$1" "$2"
	failed=$((failed + 1))
}

show_tail() {
	tail -n 30 "$output" | sed 's/^/  | /'
}

run_part() { # NAME COMMAND...
	local name=$1 status p f s planned begin=$SECONDS
	shift
	if [ ! -x "$1" ]; then
		printf '%s\n' "$name"
		fail "$name" "$1 is not there; run make test, which builds it"
		return
	fi
	timeout --kill-after=10 "$SECONDS_MAX" "$@" >"$output" 2>&1
	status=$?
	read_tap >"$report"
	read -r p f s planned < <(tail -n 1 "$report")
	printf '%-28s %4d passed %3d failed %3d skipped  %3d s\n' "$name" "$p" "$f" "$s" \
		$((SECONDS - begin))
	sed '$d' "$report"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	if [ $status != 0 ] && [ $((SECONDS - begin)) -ge "$SECONDS_MAX" ]; then
		fail "$name" "did not end within $SECONDS_MAX s"
		show_tail
	elif [ $status != 0 ] && [ "$f" = 0 ]; then
		fail "$name" "ended with exit code $status"
		show_tail
	elif [ $((p + f + s)) = 0 ]; then
		fail "$name" "printed no result"
		show_tail
	elif [ "$planned" -gt 0 ] && [ $((p + f + s)) -ne "$planned" ]; then
		fail "$name" "planned $planned results and gave $((p + f + s))"
		show_tail
	fi
}

part_unit() {
	local source
	for source in tests/unit/*_test.c; do
		source=${source##*/}
		run_part "unit/${source%.c}" "build/unit/${source%.c}"
	done
}

part_netns() {
	local script
	for script in tests/netns/*_test.sh; do
		[ -e "$script" ] || continue
		run_part "netns/$(basename "$script" .sh)" "$script"
	done
}

part_golden() {
	run_part golden tests/golden/run.sh
	run_part pipe tests/pipe_test.py
	run_part pairs tests/metrics/pairs_add_up.py
	run_part geoip tests/metrics/geoip_test.py
	run_part merge tests/metrics/merge_test.py
}
part_frames() { run_part frames tests/frames/run.py; }
part_parity() {
	run_part kernel/parity tests/kernel/run_parity.sh
	run_part kernel/two_cpus build/tests/two_cpus 2000
}
part_differential() { run_part kernel/differential tests/kernel/differential_test.sh 100000; }
part_attach() { run_part kernel/attach tests/kernel/attach_test.sh; }
part_restart() { run_part kernel/restart tests/kernel/restart_test.sh; }
part_live() { run_part kernel/live tests/kernel/live_test.sh; }
part_interfaces() { run_part kernel/interfaces tests/kernel/interfaces_test.sh; }
part_live_frames() { run_part kernel/live_frames tests/kernel/live_frames_test.sh; }
part_pressure() { run_part kernel/pressure tests/kernel/pressure_test.sh; }
part_disk() { run_part kernel/disk tests/kernel/disk_test.sh; }
part_privileges() { run_part kernel/privileges tests/kernel/privileges_test.sh; }
part_bad_input() { run_part kernel/bad_input tests/kernel/bad_input_test.sh; }
part_truth() {
	run_part truth/events tests/truth/events_add_up.py
	run_part truth/captures tests/truth/run_captures.py
	run_part truth/random tests/truth/run_random.py
	run_part truth/bad_numbers tests/truth/bad_numbers.py
	run_part truth/simulated tests/truth/run_simulated.py
	BUDGET=32 AGAIN=1 run_part truth/live tests/truth/live_matrix.sh
}
part_packaging() { run_part packaging tests/packaging_test.sh; }
part_fuzz() { run_part fuzz tests/fuzz/run.sh; }

[ $# -gt 0 ] || set -- unit golden frames parity differential attach restart live live_frames interfaces pressure disk privileges bad_input packaging netns truth fuzz
for part in "$@"; do
	if ! declare -F "part_$part" >/dev/null; then
		fail "$part" "there is no such part"
		continue
	fi
	"part_$part"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
