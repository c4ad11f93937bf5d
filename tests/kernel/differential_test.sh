#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Generated frames, right and wrong, through every loaded program and the native core: nothing may differ.
#
# usage: differential_test.sh [FRAMES [FIRST]]
#
# FRAMES is how many go through each program (200000), FIRST the number of the first epoch: the same
# number gives the same frames. What parts the two is printed with the frame, and kept as a capture.
set -u
exec </dev/null
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
differ=${DIFFER:-build/tests/differ}
frames=${1:-200000}
first=${2:-1}
number=0 failed=0

result() { # ok|"not ok" NAME
	number=$((number + 1))
	echo "$1 $number - $2"
	[ "$1" = ok ] || failed=1
}

if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP loading BPF programs needs root; try: sudo $0"
	exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! "$differ" -n 1 xdp >"$work/out" 2>"$work/err" && ! grep -q '^xdp: ' "$work/out"; then
	echo "1..0 # SKIP the feeder does not load, it needs Linux 5.18: $(tail -n 1 "$work/err")"
	exit 0
fi

agree() { # NAME OPTIONS...
	local name=$1
	shift
	if "$differ" "$@" 2>&1 >"$work/out" | tee "$work/err" >&2; [ "${PIPESTATUS[0]}" = 0 ]; then
		result ok "$name: $(sed -n 's/^[a-z_]*: //p' "$work/out")"
	else
		result "not ok" "$name: $(grep -h -m 1 -E '^[a-z_]*: |^differ: ' "$work/out" "$work/err" | tail -n 1)"
	fi
	grep '^#' "$work/out" | cut -c 1-400
}

python3 tests/frames/make_frames.py "$work/frames" >"$work/out" || exit 1
# Not those of a thousand frames that are all alike: each frame is a seed.
mapfile -t seeds < <(ls "$work"/frames/*.pcap | grep -v says_others)
for door in xdp tc_ingress tc_egress; do
	agree "$door" -n "$frames" -s "$first" "$door" "${seeds[@]}"
done
for door in xdp tc_ingress; do
	agree "$door, into tunnels" -d -n "$((frames / 2))" -s "$((first + 1000000))" "$door" "${seeds[@]}"
done
agree "tc_egress, into tunnels, with a filter" -d -f -n "$((frames / 4))" -s "$((first + 2000000))" tc_egress "${seeds[@]}"
export ACKMON_OLDER=1
for door in xdp tc_egress; do
	agree "$door, the form for kernels before 5.12" -d -n "$((frames / 4))" -s "$((first + 3000000))" "$door" "${seeds[@]}"
done
unset ACKMON_OLDER
# A run that could not see a difference would prove nothing.
if "$differ" -x -n 1 xdp >"$work/out" 2>"$work/err" || ! grep -q 'they part on frame 8193' "$work/out"; then
	result "not ok" "a lie about one frame is found, and that frame named"
	tail -n 3 "$work/out" | cut -c 1-300 | sed 's/^/# /'
else
	result ok "a lie about one frame is found, and that frame named"
fi
echo "1..$number"
exit $failed
