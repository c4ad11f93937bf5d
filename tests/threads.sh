#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Replay by several threads under ThreadSanitizer: no capture, option or damage makes both touch one thing.
#
# usage: tests/threads.sh [CAPTURE...]      those of pcaps/ and one of 300,000 packets; speaks TAP
set -u
exec </dev/null
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C ACKMON_THREADS=2 ACKMON_SECCOMP=off TSAN_OPTIONS="exitcode=66 ${TSAN_OPTIONS:-}"

CC=${CC:-gcc}
CLANG=${CLANG:-clang}
out=build/threads
libs=$(sed -n 's/^LIBS := //p' Makefile)
flags="-std=gnu11 -O1 -g -fsanitize=thread -Wall -Wextra -Werror -D_GNU_SOURCE -Iinclude -Iuser -Ibuild"
number=0 failed=0
mkdir -p $out

# shellcheck disable=SC2046,SC2086
build() { # NAME SOURCES AND LIBRARIES...
	local name=$1
	shift
	$CLANG $flags -o $out/$name "$@" $(pkg-config --libs $libs) -lm 2>$out/$name.log && return
	echo "not ok 1 - $name is built for ThreadSanitizer"
	grep -m 4 error $out/$name.log | sed 's/^/# /'
	exit 1
}

# The runtime is a package of its own.
check_compiler() {
	echo 'int main(void) { return 0; }' >$out/probe.c
	$CLANG -fsanitize=thread -o $out/probe $out/probe.c 2>/dev/null && return
	echo "1..0 # SKIP $CLANG has no ThreadSanitizer; run: sudo make test-deps"
	exit 0
}

report() { # NAME STATUS LOG
	number=$((number + 1))
	if [ "$2" = 66 ] || grep -q 'WARNING: ThreadSanitizer' "$3"; then
		echo "not ok $number - $1"
		grep -A 12 -m 1 'WARNING: ThreadSanitizer' "$3" | sed 's/^/# /'
		failed=1
	else
		echo "ok $number - $1"
	fi
}

replay() { # NAME ARGUMENTS...
	local name=$1
	shift
	$out/ackmon "$@" >$out/records 2>$out/said
	report "$name" $? $out/said
}

check_compiler
build ackmon -DACKMON_VERSION='"threads"' user/*.c
library=$(ls user/*.c | grep -v '/main\.c$')
for test in belt_test reading_test scribes_test; do
	# shellcheck disable=SC2086
	build $test -Itests/unit tests/unit/$test.c -DACKMON_VERSION='"threads"' $library -lcmocka
	$out/$test >$out/said 2>&1
	status=$?
	[ $status = 0 ] || status=66
	report "$test" $status $out/said
done
if [ $# = 0 ]; then
	$CC -std=gnu11 -O2 -D_GNU_SOURCE tests/bench/generate.c -o $out/generate &&
		$out/generate -s 1 -n 300000 -f 30000 $out/large.pcap 2>/dev/null
	head -c 20000000 $out/large.pcap >$out/cut.pcap
	set -- pcaps/*.pcap pcaps/*.pcapng pcaps/*.gz $out/large.pcap $out/cut.pcap
fi
replay "each capture behind the other" -j -r "$@"
replay "intervals" -j -I 0.05 -r "$@"
replay "a filter and events" --events -r "$@" tcp port 443
replay "so many frames and no more" -o csv -c 70000 -r "$@"
replay "pairs of labels, silent flows" -o pairs --closed-timeout 1 -r "$@"
replay "an output that is full" -j -w /dev/full -r "$@"
echo "1..$number"
exit $failed
