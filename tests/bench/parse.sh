#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What plain frames (Ethernet, IPv4 or IPv6, TCP) pay for all the others: the parser as it was at a
# revision beside today's, each alone, in one run. BPF_PROG_RUN, and instructions of the native parser.
#
# usage: parse.sh [REVISION]     the last one that knew nothing but plain frames, when none is named
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
revision=${1:-ea895b7^}
bench=tests/bench
out=build/bench/parse
CC=${CC:-gcc}
CLANG=${CLANG:-clang}
arch=/usr/include/$(uname -m)-linux-gnu
times=10000

skip() {
	echo "the parser before and after: skipped, $*"
	exit 0
}

git cat-file -e "$revision:include/core/parse.h" 2>/dev/null ||
	skip "no $revision here (not a clone with its history?)"
rm -rf $out
mkdir -p $out/before
git archive "$revision" include | tar -x -C $out/before || exit 1
before="-I$out/before/include -I$bench"
after="-Iinclude -I$bench"
header=$out/before/include/core/parse.h
if grep -q parse_plain $header; then
	before="$before -DPARSE_BEGIN=parse_plain" # its name until all was read in one piece
elif ! grep -q parse_begin $header; then
	before="$before -DPARSE_BEFORE_HOPS"
fi

instructions() { # WHEN FRAME: of one parse
	local few many
	few=$(callgrind "$1" "$2" $times) && many=$(callgrind "$1" "$2" $((2 * times))) || return 1
	echo $(((many - few) / times))
}

callgrind() { # WHEN FRAME TIMES
	valgrind -q --tool=callgrind --callgrind-out-file=$out/callgrind $out/loop_"$1" "$2" "$3" \
		>$out/name 2>$out/valgrind || return 1
	sed -n 's/^totals: *//p' $out/callgrind
}

native() {
	local frame was is
	command -v valgrind >/dev/null || skip "valgrind is missing; run: sudo make test-deps"
	# shellcheck disable=SC2086
	$CC -std=gnu11 -O2 -Wall -Wextra $before $bench/parse_loop.c -o $out/loop_before &&
		$CC -std=gnu11 -O2 -Wall -Wextra $after $bench/parse_loop.c -o $out/loop_after || exit 1
	printf '\n%-28s %8s %8s\n' "instructions, natively" before after
	for frame in 0 1 2 3 4; do
		was=$(instructions before $frame) && is=$(instructions after $frame) || {
			cat $out/valgrind
			exit 1
		}
		printf '%-28s %8d %8d\n' "$(cat $out/name)" "$was" "$is"
	done
}

programs() {
	[ "$(id -u)" = 0 ] || {
		echo "BPF_PROG_RUN: skipped, it needs root"
		return
	}
	# shellcheck disable=SC2046,SC2086
	$CLANG -O2 -g -target bpf -mcpu=v3 -Wall -Wextra $before -I"$arch" -c $bench/parse_bench.bpf.c \
		-o $out/before.bpf.o &&
		$CLANG -O2 -g -target bpf -mcpu=v3 -Wall -Wextra $after -I"$arch" \
			-c $bench/parse_bench.bpf.c -o $out/after.bpf.o &&
		$CC -std=gnu11 -O2 -Wall -Wextra -D_GNU_SOURCE $after $bench/parse_bench.c -o $out/parse_bench \
			$(pkg-config --libs libbpf) || exit 1
	$out/parse_bench $out/before.bpf.o $out/after.bpf.o || exit 1
}

programs
native
