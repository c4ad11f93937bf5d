#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# make bench: what a packet costs in the kernel and in replay, beside the least that is possible.
#
# BENCH_LARGE=1   also 10 M packets in 1 M flows, and kernel programs with one and four million flows
# BENCH_ROUNDS=N  rounds of replay (5)
# BENCH_BEST=1    of kernel programs the best round instead of the median: for a busy machine
# BENCH_ONLY=kernel|parse|replay|labels|sweep|snapshot|export|pairs|growth
set -eu

cd "$(dirname "$0")/../.."
bench=tests/bench
out=build/bench
rounds=${BENCH_ROUNDS:-5}
only=${BENCH_ONLY:-}
CC=${CC:-gcc}
CLANG=${CLANG:-clang}
BPFTOOL=${BPFTOOL:-$(command -v bpftool || echo /usr/sbin/bpftool)}
flags="-std=gnu11 -O2 -g -Wall -Wextra -Werror -D_GNU_SOURCE -Iinclude -Iuser -Ibuild -I$out -I$bench"
mkdir -p $out

say() { printf '\n%s\n\n' "$*"; }

has() { command -v "$1" >/dev/null 2>&1; }

facts() {
	model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
	echo "kernel $(uname -r), $(nproc) x ${model:-$(uname -m)}"
	$CLANG --version | head -n 1
	$CC --version | head -n 1
	echo "load $(cut -d' ' -f1-3 /proc/loadavg), bpf_jit_enable $(cat /proc/sys/net/core/bpf_jit_enable 2>/dev/null || echo unknown)"
}

build_kernel() {
	arch=/usr/include/$(uname -m)-linux-gnu
	$CLANG -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -Iinclude -I$bench -I"$arch" \
		-c $bench/prog_bench.bpf.c -o $out/prog_bench.bpf.o
	"$BPFTOOL" gen skeleton $out/prog_bench.bpf.o name rig >$out/prog_bench.skel.h
	libs=$(pkg-config --libs libbpf)
	# shellcheck disable=SC2086
	$CC $flags $bench/prog_bench.c user/table.c -o $out/prog_bench $libs
}

build_replay() {
	for tool in generate loop_pcap race; do
		libs=
		[ $tool != loop_pcap ] || libs=$(pkg-config --libs libpcap)
		# shellcheck disable=SC2086
		$CC $flags $bench/$tool.c -o $out/$tool $libs
	done
}

bench_kernel() {
	if [ "$(id -u)" != 0 ]; then
		say "Kernel programs: skipped, BPF_PROG_RUN needs root"
		return
	fi
	build_kernel
	available_kib=$(sed -n 's/^MemAvailable: *\([0-9]*\).*/\1/p' /proc/meminfo)
	limit='-l 16384'
	[ "${BENCH_LARGE:-0}" != 1 ] || limit=
	if [ -z "$limit" ] && [ "$available_kib" -lt 10000000 ]; then
		say "Kernel programs: up to 16384 flows only, four million want 10 GB of free memory"
		limit='-l 16384'
	fi
	[ "${BENCH_BEST:-0}" != 1 ] || limit="$limit -b"
	say "Kernel programs (BPF_PROG_RUN)"
	# shellcheck disable=SC2086
	$out/prog_bench $limit
}

bench_parse() {
	say "Parsing plain frames, before the parser knew others and today"
	$bench/parse.sh
}

# A capture is built once and kept; its arguments are its name.
capture() { # PACKETS FLOWS -> path
	path=$out/$1-$2.pcap
	if [ ! -s "$path" ]; then
		$out/generate -n "$1" -f "$2" "$path.part"
		mv "$path.part" "$path"
	fi
}

race_replay() { # ROUNDS PACKETS FLOWS
	capture "$2" "$3"
	cat "$path" >/dev/null # from now on it is in memory
	packets=$($out/loop_pcap -w "$path" | cut -d' ' -f1)
	say "Replay: $packets packets in $3 flows, $(($(stat -c %s "$path") / 1048576)) MiB; x is beside the libpcap loop with one lookup"
	set -- "$1" "$packets" "$3" \
		"libpcap loop" "exec $out/loop_pcap $path" \
		"libpcap walk" "exec $out/loop_pcap -w $path" \
		"ackmon -j" "exec build/ackmon -q -n -j -w /dev/null -r $path"
	if has tcptrace; then
		set -- "$@" "tcptrace -n -l" "exec tcptrace -n -l $path"
	fi
	if has nfpcapd; then
		mkdir -p $out/nfpcapd
		set -- "$@" "nfpcapd" "exec nfpcapd -r $path -w $out/nfpcapd"
	fi
	$out/race "$@"
	rm -rf $out/nfpcapd
}

# Two orders of magnitude slower than the others: a slice tells as much.
race_tshark() {
	has tshark || return 0
	capture 100000 500
	cat "$path" >/dev/null
	packets=$($out/loop_pcap -w "$path" | cut -d' ' -f1)
	say "Replay of a slice, $packets packets in 500 flows"
	$out/race 3 "$packets" 500 \
		"libpcap loop" "exec $out/loop_pcap $path" \
		"ackmon -j" "exec build/ackmon -q -n -j -w /dev/null -r $path" \
		"tshark conv,tcp" "exec tshark -n -q -z conv,tcp -r $path"
}

bench_replay() {
	build_replay
	race_replay "$rounds" 2100000 10000
	race_tshark
	if [ "${BENCH_LARGE:-0}" = 1 ]; then
		race_replay 1 10000000 1000000
	fi
}

bench_sweep() {
	if [ "$(id -u)" != 0 ]; then
		say "Sweeping the tables: skipped, maps need root"
		return
	fi
	# shellcheck disable=SC2046,SC2086
	$CC $flags $bench/sweep_bench.c -o $out/sweep_bench build/libackmon.a \
		$(pkg-config --libs libbpf libxdp libpcap libelf zlib libzstd nettle libmaxminddb) -lm
	say "Sweeping the tables: CPU time of the reader"
	$out/sweep_bench 1000000
}

bench_snapshot() {
	if [ "$(id -u)" != 0 ]; then
		say "All connections as records: skipped, maps need root"
		return
	fi
	# shellcheck disable=SC2046,SC2086
	$CC $flags $bench/snapshot_bench.c -o $out/snapshot_bench build/libackmon.a \
		$(pkg-config --libs libbpf libxdp libpcap libelf zlib libzstd nettle libmaxminddb) -lm
	say "All connections as records (-I): by the clock, and CPU time"
	$out/snapshot_bench 1000000
}

bench_export() {
	# shellcheck disable=SC2046,SC2086
	$CC $flags -DACKMON_VERSION=\"bench\" $bench/export_bench.c -o $out/export_bench build/libackmon.a \
		$(pkg-config --libs nettle libmaxminddb) -lm
	say "Exporters, for a second of CPU"
	$out/export_bench
}

bench_labels() {
	# shellcheck disable=SC2086
	$CC $flags $bench/labels_bench.c build/libackmon.a -o $out/labels_bench -lmaxminddb
	say "Labels"
	$out/labels_bench
}

bench_pairs() {
	if [ "$(id -u)" != 0 ] || [ ! -x build/tests/flood ]; then
		say "Pairs of labels: skipped, needs root and make test-programs"
		return
	fi
	say "Pairs of labels"
	tests/bench/pairs_bench.py
}

bench_growth() {
	if [ "$(id -u)" != 0 ] || [ ! -x build/tests/flood ]; then
		say "Growth: skipped, needs root and make test-programs"
		return
	fi
	say "Growth: the faster connections come"
	tests/bench/growth_bench.py
}

facts
case $only in
'' | kernel) bench_kernel ;;
esac
case $only in
'' | parse) bench_parse ;;
esac
case $only in
'' | replay) bench_replay ;;
esac
case $only in
'' | labels) bench_labels ;;
esac
case $only in
'' | sweep) bench_sweep ;;
esac
case $only in
'' | snapshot) bench_snapshot ;;
esac
case $only in
'' | export) bench_export ;;
esac
case $only in
'' | pairs) bench_pairs ;;
esac
case $only in
'' | growth) bench_growth ;;
esac
