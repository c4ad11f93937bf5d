#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Figures of cost that no busy machine changes, beside those kept in tests/bench/guard.txt: instructions
# the verifier walks, size of the programs, instructions of theirs and of replay for each packet.
#
# usage: tests/bench/guard.sh            a line a figure: VERDICT TAB NAME TAB SENTENCE; ok, bad or skip
#        tests/bench/guard.sh --update   takes today's figures into guard.txt
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin

CC=${CC:-gcc}
CLANG=${CLANG:-clang}
kept=tests/bench/guard.txt
percent=10
packets=40000
flows=400
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A figure holds for what made it, and for nothing else.
arch=$(uname -m)
kernel=$(uname -r | cut -d. -f1,2)
clang=$($CLANG -dumpversion | cut -d. -f1)
gcc=$($CC -dumpversion | cut -d. -f1)
made_by_clang="$arch,linux-$kernel,clang-$clang"
made_by_gcc="$arch,gcc-$gcc"

# NAME MADE_BY NUMBER, or NAME MADE_BY - and why there is none.
programs() {
	local program walked translated jited
	if [ "$(id -u)" != 0 ]; then
		echo "programs $made_by_clang - loading programs needs root"
		return
	fi
	if ! build/tests/walked >"$work/walked" 2>"$work/walked.err"; then
		echo "programs $made_by_clang - build/tests/walked: $(head -n 1 "$work/walked.err")"
		return
	fi
	while read -r program walked translated jited _; do
		echo "$program.walked $made_by_clang $walked"
		echo "$program.translated_bytes $made_by_clang $translated"
		# Without a JIT there are none.
		[ "$jited" = 0 ] || echo "$program.jited_bytes $made_by_clang $jited"
	done <"$work/walked"
}

# NAME.KIND_steps: what a packet of each kind makes the programs do.
steps() {
	local name=$1 kind count
	shift
	if ! tests/bench/steps.py "$@" >"$work/steps" 2>"$work/steps.err"; then
		echo "$name.steps clang-$clang - tests/bench/steps.py: $(tail -n 1 "$work/steps.err")"
		return
	fi
	while read -r kind count; do
		echo "$name.${kind}_steps clang-$clang $count"
	done <"$work/steps"
}

# By one thread: what two do depends on which one is faster.
instructions() { # CAPTURE: of one replay, all of it
	ACKMON_THREADS=1 ACKMON_SECCOMP=off valgrind -q --tool=callgrind --callgrind-out-file="$work/callgrind" \
		build/ackmon -q -n -j -w /dev/null -r "$1" >/dev/null 2>"$work/valgrind" || return 1
	sed -n 's/^totals: *//p' "$work/callgrind"
}

# What starting costs is the dynamic linker's, and taken away.
replay() {
	local name=replay.instructions_per_packet all start
	if ! command -v valgrind >/dev/null; then
		echo "$name $made_by_gcc - valgrind is missing; run: sudo make test-deps"
		return
	fi
	$CC -std=gnu11 -O2 -D_GNU_SOURCE tests/bench/generate.c -o "$work/generate" &&
		"$work/generate" -s 1 -n $packets -f $flows "$work/all.pcap" 2>/dev/null &&
		head -c 24 "$work/all.pcap" >"$work/empty.pcap" &&
		start=$(instructions "$work/empty.pcap") && all=$(instructions "$work/all.pcap")
	if [ -z "${all:-}" ]; then
		echo "$name $made_by_gcc - replay under valgrind failed: $(tail -n 1 "$work/valgrind")"
		return
	fi
	echo "$name $made_by_gcc $(((all - start) / packets))"
}

judge() { # NAME MADE_BY NUMBER WHY
	local before
	if [ "$3" = - ]; then
		printf 'skip\t%s\t%s\n' "$1" "$4"
		return
	fi
	before=$(awk -v name="$1" -v by="$2" '$1 == name && $2 == by { print $3 }' $kept)
	if [ -z "$before" ]; then
		printf 'skip\t%s %s\t%s\n' "$1" "$3" \
			"no figure of $2 in $kept yet; make bench-guard-update adds it"
	elif [ $(($3 * 100)) -gt $((before * (100 + percent))) ]; then
		printf 'bad\t%s %s\t%s\n' "$1" "$3" \
			"$1 was $before and is $3 now, more than $percent% above; if that is what it must cost, say why in the commit and run make bench-guard-update (or write $3 into $kept)"
	else
		printf 'ok\t%s %s\t%s\n' "$1" "$3" "$before in $kept"
	fi
}

# Figures of other compilers and kernels stay as they are.
update() {
	grep '^#' $kept >"$work/new"
	{
		grep -v '^#' $kept | awk 'NR == FNR { now[$1 " " $2] = 1; next } !($1 " " $2 in now)' \
			"$work/now" -
		awk '$3 != "-"' "$work/now"
	} | sort >>"$work/new"
	diff $kept "$work/new"
	cp "$work/new" $kept
}

{
	programs
	steps ackmon_egress
	steps ackmon_xdp -x
	replay
} >"$work/now"
if [ "${1:-}" = --update ]; then
	awk '$3 == "-" { sub(/ [^ ]* -/, ":"); print "not taken: " $0 }' "$work/now" >&2
	update
	exit 0
fi
while read -r name made_by number why; do
	judge "$name" "$made_by" "$number" "$why"
done <"$work/now"
