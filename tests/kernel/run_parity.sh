#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The same capture through replay, the XDP program and the TC programs: the same records, events and counters.
#
# usage: run_parity.sh [CAPTURE...]   all of pcaps/ and, where it lies beside us, of ../shared/captures
#
# KEEP=DIR keeps what was compared. Records are compared byte for byte, sorted: they leave the kernel's
# tables in another order.
set -u
exec </dev/null
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
ackmon=build/ackmon
rehearse=${REHEARSE:-build/tests/rehearse}
number=0

if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP loading BPF programs needs root; try: sudo $0"
	exit 0
fi
if [ -n "${KEEP:-}" ]; then
	mkdir -p "$KEEP"
	work=$(realpath "$KEEP")
else
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
fi

result() { # ok|"not ok" NAME
	number=$((number + 1))
	echo "$1 $number - $2"
}

explain() { head -n "${2:-8}" "$1" | cut -c 1-400 | sed 's/^/# /'; }

# Which fields of which flow part: records are long.
explain_records() { # ONE OTHER
	python3 - "$1" "$2" <<'EOS'
import json, sys

def records(path):
    flows = {}
    for line in open(path):
        record = json.loads(line)
        flows.setdefault((record["id"], record["start_ns"]), []).append(record)
    return flows

one, other = records(sys.argv[1]), records(sys.argv[2])
said = 0
for key in sorted(set(one) | set(other)):
    a, b = one.get(key, []), other.get(key, [])
    if a == b:
        continue
    if len(a) != 1 or len(b) != 1:
        print(f"# flow {key[0]}: {len(a)} records by replay, {len(b)} by the program")
    else:
        parts = [f"{name} {a[0].get(name)} / {b[0].get(name)}"
                 for name in {**a[0], **b[0]} if a[0].get(name) != b[0].get(name)]
        print(f"# flow {key[0]}, replay / program: " + ", ".join(parts)[:600])
    said += 1
    if said == 5:
        break
EOS
}

compare() { # DOOR NUMBER NAME
	local dir=$work/$2
	sort -o "$dir/$1.ndjson" "$dir/$1.ndjson"
	if ! cmp -s "$dir/replay.ndjson" "$dir/$1.ndjson"; then
		result "not ok" "$1: $3"
		explain_records "$dir/replay.ndjson" "$dir/$1.ndjson"
	elif ! diff "$dir/capture.counters" "$dir/$1.counters" >"$dir/diff"; then
		result "not ok" "$1: $3"
		echo "# counters of replay < and of the program >"
		explain "$dir/diff"
	elif ! diff "$dir/capture.events" "$dir/$1.events" >"$dir/diff"; then
		result "not ok" "$1: $3"
		echo "# events of replay < and of the program >"
		explain "$dir/diff"
	else
		result ok "$1: $3"
	fi
}

captures() {
	find pcaps -name '*.pcap' -o -name '*.pcapng' -o -name '*.pcap.gz' | sort
	[ -d ../shared/captures ] || return
	find ../shared/captures/public ../shared/captures/live -type f ! -name '*.csv' | sort
}

# replay_all LIST OPTIONS...: what replay says of each capture of the list
replay_all() {
	local list=$1 index path
	shift
	while read -r index path; do
		mkdir -p "$work/$index"
		"$ackmon" -j "$@" -r "$path" 2>"$work/$index/stderr" | sort >"$work/$index/replay.ndjson"
	done <"$list"
}

# programs_all LIST WORDS OPTIONS...: what the programs say of them
programs_all() {
	local list=$1 words=$2 door index path name verdict skipped
	shift 2
	for door in xdp tc_ingress tc_egress; do
		"$rehearse" "$@" "$door" "$work" <"$list" >"$work/results" 2>"$work/errors" ||
			explain "$work/errors" 30
		skipped=0
		while read -r index path; do
			name=${path#pcaps/}
			name=${name#../shared/captures/}$words
			verdict=$(sed -n "s/^$index //p" "$work/results")
			case $verdict in
			"done 0") compare "$door" "$index" "$name" ;;
			done*) compare "$door" "$index" "$name (but ${verdict#done } frames BPF_PROG_RUN refuses)" ;;
			skip*) skipped=$((skipped + 1)) ;;
			*)
				result "not ok" "$door: $name"
				echo "# ${verdict:-not run: $(tail -n 1 "$work/errors")}"
				;;
			esac
		done <"$list"
		[ $skipped = 0 ] ||
			result ok "$door: $skipped captures # SKIP no Ethernet frames or no capture: no kernel door sees these"
	done
}

# Those that look different when tunnels are followed, under other numbers.
tunnelled() {
	local index path
	while read -r index path; do
		"$ackmon" -q -j --decap all -r "$path" 2>/dev/null | sort |
			cmp -s - "$work/$index/replay.ndjson" || echo "$((1000 + index)) $path"
	done <"$1"
}

if [ $# -gt 0 ]; then
	printf '%s\n' "$@"
else
	captures
fi | nl -b a -n ln -w 1 -s ' ' >"$work/captures"
replay_all "$work/captures"
programs_all "$work/captures" ""
tunnelled "$work/captures" >"$work/tunnelled"
replay_all "$work/tunnelled" --decap all
programs_all "$work/tunnelled" ", inside tunnels" -d 0xffff
[ -d ../shared/captures ] || result ok "third-party captures # SKIP no ../shared beside this tree"
echo "1..$number"
