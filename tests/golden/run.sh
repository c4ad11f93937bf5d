#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every capture replayed, by one thread and by two: records, sentences and exit code are those expected, and
# what the kernel said.
#
# usage: run.sh [NAME...]             all cases, or those named
#        run.sh --update NAME...      takes what is said today as expected; --update all for every case
#
# A case is a capture of pcaps/, replayed with -j, or a NAME.args here, which holds the whole command line.
# Expected are NAME.ndjson (records; NAME.out for a case with arguments) and NAME.status (stderr, exit code).
set -u
exec </dev/null
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C TZ=UTC
expected=tests/golden
ackmon=${ACKMON:-build/ackmon}
number=0

case_names() {
	local path
	for path in pcaps/*.pcap pcaps/*.pcapng pcaps/*.gz pcaps/*.txt "$expected"/*.args; do
		[ -e "$path" ] || continue
		path=${path##*/}
		echo "${path%%.*}"
	done | sort
}

capture_of() { find pcaps -name "$1.*" ! -name '*.csv'; }

expected_records() {
	if [ -e "$expected/$1.args" ]; then
		echo "$expected/$1.out"
	else
		echo "$expected/$1.ndjson"
	fi
}

# Into $work/records and $work/status; so small a capture is read by a second thread only when that is wanted.
run_case() { # NAME [THREADS]
	local arguments
	export ACKMON_THREADS=${2:-1}
	if [ -e "$expected/$1.args" ]; then
		arguments=$(grep -v '^#' "$expected/$1.args")
		(eval "\"$ackmon\" $arguments") >"$work/records" 2>"$work/status"
	else
		"$ackmon" -j -r "$(capture_of "$1")" >"$work/records" 2>"$work/status"
	fi
	echo "exit code $?" >>"$work/status"
	# What libpcap itself says of damage differs from release to release.
	sed -i -E 's/(: frame [0-9]+: ).*(; flows up to here are kept)/\1...\2/' "$work/status"
}

explain_records() { # EXPECTED GOT
	if [ "${1%.ndjson}" = "$1" ]; then
		diff "$1" "$2" | head -n 12
		return
	fi
	python3 - "$1" "$2" <<'EOS'
import json, sys

one, other = ([json.loads(line) for line in open(path)] for path in sys.argv[1:3])
if len(one) != len(other):
    print(f"{len(one)} records expected, {len(other)} came")
found = [f"record {index + 1}: {name}: expected {a.get(name)}, came {b.get(name)}"
         for index, (a, b) in enumerate(zip(one, other)) for name in {**a, **b}
         if a.get(name) != b.get(name)]
print(*found[:16], sep="\n")
EOS
}

check_case() {
	local records threads
	records=$(expected_records "$1")
	number=$((number + 1))
	if [ ! -e "$records" ] || [ ! -e "$expected/$1.status" ]; then
		echo "not ok $number - golden: $1"
		echo "# nothing is expected yet; look at what comes, then: make update-golden NAME=$1"
		return
	fi
	for threads in 2 1; do
		run_case "$1" $threads
		if cmp -s "$records" "$work/records" && cmp -s "$expected/$1.status" "$work/status"; then
			continue
		fi
		echo "not ok $number - golden: $1"
		{
			echo "ACKMON_THREADS=$threads:"
			cmp -s "$records" "$work/records" || explain_records "$records" "$work/records"
			diff "$expected/$1.status" "$work/status"
			echo "if that is right and the commit says why: make update-golden NAME=$1"
		} | head -n 20 | sed 's/^/# /'
		return
	done
	echo "ok $number - golden: $1"
}

update_case() {
	if ! case_names | grep -qx "$1"; then
		echo "$1: there is no such capture in pcaps/ and no $expected/$1.args" >&2
		exit 2
	fi
	run_case "$1"
	cp "$work/records" "$(expected_records "$1")"
	cp "$work/status" "$expected/$1.status"
	echo "updated $(expected_records "$1")"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "${1:-}" = --update ]; then
	shift
	if [ $# = 0 ]; then
		echo "which one? usage: make update-golden NAME=fast_retransmit (NAME=all for every case)" >&2
		exit 2
	fi
	[ "$1" != all ] || set -- $(case_names)
	for name; do
		update_case "$name"
	done
	exit 0
fi
if [ $# -gt 0 ]; then
	for name; do
		check_case "$name"
	done
	exit 0
fi
for name in $(case_names); do
	check_case "$name"
done
if python3 tests/golden/make_captures.py --check >"$work/made" 2>&1; then
	echo "ok $((number += 1)) - make_captures.py makes the captures that are here"
else
	echo "not ok $((number += 1)) - make_captures.py makes the captures that are here"
	sed 's/^/# /' "$work/made"
fi
python3 tests/golden/kernel_truth.py "$ackmon" $((number + 1)) | tee "$work/truth"
number=$((number + $(grep -cE '^(ok|not ok)' "$work/truth")))
python3 tests/golden/shared_captures.py "$ackmon" $((number + 1))
