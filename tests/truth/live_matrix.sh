#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Real connections over a bad path, watched at three points at once, against what the kernels say.
#
#   a -- toa r tob -- b      ackmon in a, on one interface of r, and in b
#
# usage: live_matrix.sh [CASE-NUMBER...]     all cases of the plan, or those numbers
#
# SEED=N chooses the cases (default 1), BUDGET=SECONDS how many (default 270), KEEP=DIR keeps what
# was compared, CAPTURE=1 with captures of the three points. AGAIN=1: a case that is complained of runs once more,
# alone, and what is said then counts; both is printed (`make test`, on a machine that does much else). Speaks TAP,
# and prints a table. live_matrix.py chooses the cases, and judges them.
set -u
exec </dev/null
NETNS_PREFIX=${NETNS_PREFIX:-acktruth-}
cd "$(dirname "$0")/../.." || exit 1
PATH=$PATH:/usr/sbin:/sbin
. tests/tap.sh
SEED=${SEED:-1}
BUDGET=${BUDGET:-270}
TRAFFIC_SECONDS=20 # more than any case takes; a case that hangs ends by itself

command -v python3 >/dev/null || skip_all "python3 is missing; run make test-deps"
needs_netns

. tests/netns/lib.sh
judge=$root/tests/truth/live_matrix.py
work_begin

finish() {
	netns_down
	work_end
}

# ---------------------------------------------------------------- one case

set_sysctls() {
	local host

	for host in a b; do
		on "$host" sh -c "cd /proc/sys/net/ipv4 && echo $timestamps >tcp_timestamps &&
			echo $sack >tcp_sack && echo $ecn >tcp_ecn" || die "$host: a sysctl was refused"
	done
}

# By route: as a sysctl a namespace may only take what the whole machine allows everybody.
set_congestion() {
	local host net advmss=

	[ "$scenario" = small_mss ] && advmss="advmss 536"
	for host in a b; do
		net=1
		[ $host = b ] && net=2
		ip -n "$NETNS_PREFIX$host" route replace default via "10.77.$net.254" \
			congctl "$congestion" $advmss || die "$host: no congestion control $congestion"
		ip -n "$NETNS_PREFIX$host" -6 route replace default via "fd77:$net::254" \
			congctl "$congestion" $advmss || die "$host: no congestion control $congestion"
	done
}

set_offloads() {
	local segments=1 link

	[ "$offloads" = 1 ] && segments=65535
	for link in a:eth0 b:eth0 r:toa r:tob; do
		ip -n "$NETNS_PREFIX${link%:*}" link set "${link#*:}" gso_max_segs $segments
	done
}

# watch NAME HOST INTERFACE: before the droppers, so that it stands before them on an interface.
watch() {
	job "$dir/$1.log" "ingress" "$2" "$ACKMON" -v -i "$3" -m "$hook" -j -w "$dir/$1.ndjson"
	[ -z "${CAPTURE:-}" ] ||
		job "$dir/$1.tcpdump" "listening" "$2" tcpdump --immediate-mode -n -i "$3" -s 128 -w "$dir/$1.pcap" tcp
}

# impair NAME INTERFACE RULE...: the judge reads what became of drop.before and drop.after, which
# are the sides of the router's tap; held is not lost.
impair() {
	local name=$1.$((droppers += 1))
	shift
	job "$dir/$name" ready r "$DROPPER" --dev "$@"
	impairing+=("${job_pids[-1]}")
}

# What is held back still goes out, and comes by the taps that are watched, which end after that.
impair_stop() {
	[ ${#impairing[@]} = 0 ] || kill "${impairing[@]}"
	[ ${#impairing[@]} = 0 ] || wait "${impairing[@]}"
}

# lose RULE...: on each way; on one of them before the router's tap as well, if the case says so.
# The ingress side of the other interface is before the tap, all else comes after it.
lose() {
	local near=toa far=tob

	[ "$tap" = toa ] && near=tob far=toa
	[ "$place" = after ] || impair drop.before $near --ingress "$@" --seed $((seed * 3 + 1))
	[ "$place" = before ] || impair drop.after $far "$@" --seed $((seed * 3 + 2))
	impair drop.after $near "$@" --seed $((seed * 3 + 3))
}

# lose_sent RULE...: on the way from a to b alone, once.
lose_sent() {
	if [ "$tap" = tob ] && [ "$place" = before ]; then
		impair drop.before toa --ingress "$@" --seed $((seed * 3 + 1))
	else
		impair drop.after tob "$@" --seed $((seed * 3 + 2))
	fi
}

# What is held back comes by twice: never on the interface that is watched.
away() {
	local interface=toa

	[ "$tap" = toa ] && interface=tob
	impair held $interface "$@"
}

delay_path() { # frames of many segments are not held back, and would overtake
	[ "$offloads" = 1 ] || away --match any --every 1 --delay "${1:-8}"
}

talk() { # CLIENT-OPTIONS...
	local count=4 address=$B4

	[ "$family" = 6 ] && address=$B6
	job "$dir/server.csv" end, b "$TRAFFIC" server --count $count --seconds $TRAFFIC_SECONDS
	on a "$TRAFFIC" client "$address" --count $count --parallel 4 --seconds $TRAFFIC_SECONDS "$@" \
		>"$dir/client.csv"
	job_wait
}

bulk() { talk --request 250000 --response 120000 "$@"; }

# The scenarios. Droppers of one interface work in the order they were begun; the delay is last. What one
# of them holds back passes the others by.

scenario_clean() { delay_path; bulk; }
scenario_loss_1() { lose --match data --loss 1; delay_path; bulk; }
scenario_loss_3() { lose --match data --loss 3; delay_path; bulk; }
# As one_byte and fin_loss of ../shared/captures/live.
scenario_one_byte() { lose_sent --match data --loss 5; delay_path; talk --request 64 --chunk 1 --response 1000; }
scenario_half_close() {
	lose_sent --match fin --nth 1-4
	delay_path
	talk --request 3000 --half-close --response 9000
}
scenario_bursts() {
	lose --match data --nth 60-66
	lose --match data --nth 200-203
	delay_path
	bulk
}
scenario_tail_loss() { lose --match push --nth 3; delay_path; talk --request 9000 --response 9000; }
scenario_syn_loss() { lose --match syn --nth 2; delay_path; talk --request 20000; }
scenario_synack_loss() { lose --match synack --nth 2; delay_path; talk --request 20000; }
scenario_fin_loss() { lose --match fin --nth 1; delay_path; talk --request 20000; }
scenario_ack_loss() { lose --match ack --loss 30; delay_path; bulk; }
scenario_reorder() { away --match data --every 23 --delay 1; bulk; }
scenario_far_reorder() { away --match data --every 40 --delay 12; bulk; }
scenario_duplicate() { away --action duplicate --match data --every 7; bulk; }
scenario_delay() { delay_path 40; talk --request 60000 --response 30000; }
scenario_zero_window() { delay_path; talk --response 60000 --rcvbuf 4096 --stall 700; }
scenario_keepalive() { delay_path; talk --keepalive 1 --rounds 2 --pause 2300 --response 100; }
scenario_far_loss() { lose --match data --loss 1; delay_path 100; talk --request 60000 --response 40000; }
scenario_small_mss() { lose --match data --loss 1; delay_path; talk --request 60000 --response 40000; }
# Not to the end: a FIN whose ACK is lost six times comes again when the connection is long over.
scenario_ack_thin() {
	local up_to=100

	[ "$offloads" = 1 ] && up_to=20
	lose --match ack --loss 60 --up-to $up_to
	delay_path
	bulk
}
# What is said are two segments; of one in two the first comes behind the second, too soon for RACK.
scenario_overtaken() {
	away --match data --every 4 --delay 9.5
	delay_path 8
	talk --rounds 12 --request 2600 --response 2600
}
scenario_overtaken_loss() {
	lose --match data --loss 2
	away --match data --every 9 --delay 10
	delay_path
	bulk
}
# One in ten takes a shorter way and overtakes a whole round trip.
scenario_overtaking() { away --match any --loss 90 --seed $seed --delay 10; bulk; }
# One segment each way, and its answer acknowledges it: every sample of the kernel's is one of ours.
scenario_ping_pong() { delay_path; talk --rounds 40 --request 100 --response 100; }
scenario_mixed() {
	lose --match data --loss 2
	lose --match ack --loss 10
	delay_path
	bulk --rounds 2 --pause 50
}

# Case lines are NAME=VALUE words, as live_matrix.py prints them.
run_case() {
	local scenario family timestamps sack offloads ecn congestion hook place tap seed number
	local droppers=0 impairing=() word

	for word in "$@"; do
		local "${word?}"
	done
	dir=$work/$number
	mkdir -p "$dir"
	printf '%s\n' "$@" >"$dir/case"
	set_sysctls
	set_congestion
	set_offloads
	watch sender a eth0
	watch router r "$tap"
	watch receiver b eth0
	"scenario_$scenario"
	impair_stop
	jobs_stop
}

run_cases() { # [CASE-NUMBER...]
	local words

	rm -rf "$work"/[0-9]* # what an earlier run has kept
	while read -r -a words; do
		run_case "${words[@]}"
	done < <(python3 "$judge" plan "$SEED" "$BUDGET" "$available" "$@")
}

trap finish EXIT
trap 'exit 1' INT TERM
need "$ACKMON" "$DROPPER" "$TRAFFIC"
available=$(cat /proc/sys/net/ipv4/tcp_available_congestion_control)
netns_up
run_cases "$@"
if [ -z "${AGAIN:-}" ]; then
	python3 "$judge" judge "$work"
	exit
fi
python3 "$judge" judge "$work" >"$work/judged"
status=$?
read -r -a numbers <"$work/again"
if [ $status = 0 ] || [ ${#numbers[@]} = 0 ]; then
	cat "$work/judged"
	exit $status
fi
sed 's/^/# first: /' "$work/judged"
echo "# once more, alone: case ${numbers[*]}"
run_cases "${numbers[@]}"
python3 "$judge" judge "$work"
