#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Builds each fuzzer and lets it search: the same inputs each time, or new ones for FUZZ_SECONDS.
# What crashed is kept in build/fuzz/.
set -u
exec </dev/null
cd "$(dirname "$0")/../.." || exit 1

OUT=build/fuzz
CLANG=${CLANG:-clang}
FLAGS="-std=gnu11 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
	-Wall -Wextra -Werror -D_GNU_SOURCE -Iinclude -Iuser -Itests/unit"
REPLAY="user/replay.c user/flow_table.c user/folded.c user/pair_store.c user/pairs.c user/label_groups.c user/label_ranges.c user/labels.c
	user/labels_file.c user/geoip.c user/escape.c user/format.c -lmaxminddb"

export ASAN_OPTIONS=allocator_may_return_null=1:${ASAN_OPTIONS:-}

skip() { # WHY
	echo "1..0 # SKIP $1"
	exit 0
}

# The runtime is a package of its own; without it nothing here can be built.
check_compiler() {
	echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return !p && n; }' >"$OUT/probe.c"
	$CLANG -fsanitize=fuzzer,address,undefined -o "$OUT/probe" "$OUT/probe.c" 2>/dev/null ||
		skip "$CLANG has no fuzzer runtime; install libclang-rt-14-dev"
}

build() { # NAME SOURCES AND LIBRARIES...
	local name=$1
	shift
	# shellcheck disable=SC2086
	$CLANG $FLAGS -o "$OUT/$name" "tests/fuzz/$name.c" "$@" >"$OUT/$name.log" 2>&1
}

# What earlier runs found comes first: it must stay repaired.
replay_old_crashes() { # NAME
	local old
	for old in "$OUT/$1"-crash-* "$OUT/$1"-leak-* "$OUT/$1"-timeout-* "$OUT/$1"-oom-*; do
		[ -e "$old" ] || continue
		"$OUT/$1" "$old" >"$OUT/$1.log" 2>&1 || return 1
		rm -f "$old"
	done
}

# A test says the same to all, so it starts from seeds alone; a search goes on from what was found before.
search() { # NAME INPUTS MAX_LEN SEEDS...
	local name=$1 inputs=$2 max_len=$3 corpus="$OUT/$1.corpus"
	local amount=(-max_total_time="${FUZZ_SECONDS:-}")
	shift 3
	if [ -z "${FUZZ_SECONDS:-}" ]; then
		corpus="$OUT/$name.fixed"
		rm -rf "$corpus"
		amount=(-seed=1 -runs="$inputs")
	fi
	mkdir -p "$corpus"
	replay_old_crashes "$name" &&
		"$OUT/$name" "${amount[@]}" -max_len="$max_len" -timeout=10 \
			-rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$OUT/$name-" \
			"$corpus" "$@" >"$OUT/$name.log" 2>&1
}

report() { # NUMBER NAME CLAIM STATUS
	if [ "$4" = 0 ]; then
		echo "ok $1 - $2: $3"
		sed -n 's/^stat::number_of_executed_units: */# inputs tried: /p' "$OUT/$2.log"
		return
	fi
	echo "not ok $1 - $2: $3"
	failed=1
	grep -E 'undefined reference|error:|not true|differs|SUMMARY|Test unit written' "$OUT/$2.log" |
		head -n 8 | sed 's/^/# /'
}

fuzz_track() {
	# shellcheck disable=SC2086
	build track_fuzz $REPLAY && search track_fuzz 30000 4096 tests/fuzz/track
}

fuzz_capture() {
	# shellcheck disable=SC2086
	build capture_fuzz $REPLAY user/pcap_source.c user/pcap_records.c user/pcapng_records.c \
		-lpcap -lz -lzstd && search capture_fuzz 15000 65536 pcaps
}

fuzz_frame() {
	rm -rf "$OUT/frames"
	python3 tests/frames/make_frames.py build/frames "$OUT/frames" >/dev/null
	# shellcheck disable=SC2086
	build frame_fuzz $REPLAY && search frame_fuzz 40000 4096 "$OUT/frames"
}

mkdir -p "$OUT"
check_compiler
failed=0
# Side by side: each keeps one core busy.
fuzz_track & track=$!
fuzz_capture & capture=$!
fuzz_frame & frame=$!
trap 'kill $track $capture $frame 2>/dev/null' EXIT
echo 1..3
wait $track
report 1 track_fuzz "any segments leave flows that make sense" $?
wait $capture
report 2 capture_fuzz "any file ends in counted frames or a sentence" $?
wait $frame
report 3 frame_fuzz "any frame is tracked or counted once" $?
trap - EXIT
exit $failed
