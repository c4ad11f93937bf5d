#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Records pcaps/: real TCP stacks in namespaces, one phenomenon each, and what the kernels say of it.
#
# usage: record_captures.sh [NAME...]      all of them, or those named
#
# Each NAME.pcap comes with NAME.tcp_info.csv: TCP_INFO of both ends of every connection. The answers
# are delayed by 10 ms, so a round trip through the router takes that long.
set -u
NETNS_PREFIX=${NETNS_PREFIX:-ackcap-}
. "$(dirname "$0")/lib.sh"
out=${OUT:-$root/pcaps}
work=$(mktemp -d)

finish() {
	netns_down
	rm -rf "$work"
}

# record NAME HOST [tcpdump filter]: from here to the end of the scenario
record() {
	capture=$1
	: >"$work/info"
	job "$work/tcpdump" "listening on" "$2" tcpdump -i eth0 -p -n -s 120 -U --immediate-mode \
		--time-stamp-precision=nano -Z root -w "$out/$1.pcap" "${3:-tcp or icmp}"
}

impair() { # INTERFACE RULE...: toa is on the way to a, tob on the way to b
	drops=$((drops + 1))
	job "$work/dropper$drops" ready r "$DROPPER" --dev "$@"
}

far() { impair toa --match any --every 1 --delay "${1:-10}"; }

talk() { # COUNT ADDRESS CLIENT-OPTIONS...
	local count=$1 address=$2
	shift 2
	job "$work/server" end, b "$TRAFFIC" server --count "$count" --seconds 15
	on a "$TRAFFIC" client "$address" --count "$count" --seconds 12 "$@" >>"$work/info"
	job_wait
	tail -n +2 "$work/server" >>"$work/info"
}

sysctl_set() { # NAME VALUE, on both hosts
	local host

	for host in a b; do
		on "$host" sh -c "echo $2 >/proc/sys/net/ipv4/$1"
	done
}

# Scenarios: each function is named as its capture.

handshake() { far; record handshake a; talk 1 $B4 --response 100; }
syn_loss() { impair tob --match syn --nth 1; far; record syn_loss a; talk 1 $B4 --response 100; }
synack_loss() {
	impair toa --match synack --nth 1
	far
	record synack_loss a
	talk 1 $B4 --response 100
}

# The first SYN is answered, but after the second one left: only its TSecr tells which was answered.
synack_late() {
	impair toa --match synack --every 1 --delay 1200
	far
	record synack_late a
	talk 1 $B4 --response 100 --rounds 2 --pause 1500
}
fast_retransmit() {
	impair tob --match data --nth 8
	far
	record fast_retransmit a
	talk 1 $B4 --request 40000
}

# The same loss from behind it: a hole that fills.
recovered() {
	impair tob --match data --nth 8
	far
	record recovered b
	talk 1 $B4 --request 40000
}

tail_loss() { impair tob --match push --nth 1; far; record tail_loss a; talk 1 $B4 --request 8000; }
rto() { impair tob --match data --nth 1-3; far; record rto a; talk 1 $B4 --request 300; }
fin_loss() { impair tob --match fin --nth 1; far; record fin_loss a; talk 1 $B4; }
ack_loss() { impair toa --match ack --every 3; far; record ack_loss a; talk 1 $B4 --request 60000; }
random_loss_sender() {
	impair tob --match data --loss 5 --seed 5
	far
	record random_loss_sender a
	talk 2 $B4 --request 90000
}

random_loss_receiver() {
	impair tob --match data --loss 5 --seed 5
	far
	record random_loss_receiver b
	talk 2 $B4 --request 90000
}

# Later ones are paced; half a millisecond lets one or two pass, too few to look like a loss.
reorder() {
	impair tob --match data --nth 16 --delay 0.5
	impair tob --match data --nth 27 --delay 0.5
	far
	record reorder b
	talk 1 $B4 --request 60000
}

duplicate() {
	impair tob --action duplicate --match data --every 5
	far
	record duplicate b
	talk 1 $B4 --request 40000
}

# Held back longer than the sender waits: sent again for nothing, and told so by D-SACK.
spurious() {
	impair tob --match push --nth 1 --delay 400
	far
	record spurious a
	talk 1 $B4 --request 20000 --rounds 2 --pause 600
}

late() {
	impair tob --match push --nth 1 --delay 400
	far
	record late b
	talk 1 $B4 --request 20000 --rounds 2 --pause 600
}

zero_window() { far; record zero_window a; talk 1 $B4 --response 60000 --rcvbuf 4096 --stall 1500; }
keepalive() {
	far
	record keepalive a
	talk 1 $B4 --keepalive 1 --rounds 2 --pause 3500 --response 100
}

reset() { far; record reset a; talk 1 $B4 --reset; }
port_reuse() { far; record port_reuse a; talk 3 $B4 --bind 40000 --server-closes --response 2000; }
server_closes() { far; record server_closes a; talk 1 $B4 --server-closes --response 2000; }
ipv6() { impair tob --match data --nth 8; far; record ipv6 a; talk 1 $B6 --request 40000; }
requests() { far; record requests a; talk 2 $B4 --rounds 8 --response 3000 --parallel 2; }

refused() {
	far
	record refused a
	on a "$TRAFFIC" client $B4 --port 9 >>"$work/info"
}

no_answer() {
	impair tob --match syn --every 1
	record no_answer a
	on a "$TRAFFIC" client $B4 --port 9 --syn-tries 2 >>"$work/info"
}

unreachable() {
	ip -n "${NETNS_PREFIX}r" route replace unreachable 10.77.9.0/24
	record unreachable a
	on a "$TRAFFIC" client 10.77.9.9 --port 9 --syn-tries 1 >>"$work/info"
}

# Only what the client sends passes here: the answers take another way.
one_sided() {
	impair tob --match data --nth 8
	far
	record one_sided a "tcp and src host $A4"
	talk 1 $B4 --request 40000
}

no_timestamps() {
	sysctl_set tcp_timestamps 0
	impair tob --match data --nth 8
	far
	record no_timestamps a
	talk 1 $B4 --request 40000
	sysctl_set tcp_timestamps 1
}

no_sack() {
	sysctl_set tcp_sack 0
	impair tob --match data --nth 8
	far
	record no_sack a
	talk 1 $B4 --request 40000
	sysctl_set tcp_sack 1
}

# Frames of many segments, as a sending host with segmentation offload shows them. No delay on the
# way: the dropper does not hold such frames back.
gso() {
	ip -n "${NETNS_PREFIX}a" link set eth0 gso_max_segs 65535
	impair tob --match data --nth 3
	record gso a
	talk 1 $B4 --request 400000
	ip -n "${NETNS_PREFIX}a" link set eth0 gso_max_segs 1
}

scenarios=(handshake syn_loss synack_loss synack_late fast_retransmit recovered tail_loss rto fin_loss
	ack_loss random_loss_sender random_loss_receiver reorder duplicate spurious late zero_window
	keepalive reset port_reuse server_closes ipv6 requests refused no_answer unreachable one_sided
	no_timestamps no_sack gso)

need "$DROPPER" "$TRAFFIC" tcpdump
trap finish EXIT
trap 'exit 1' INT TERM
mkdir -p "$out"
netns_up
for scenario in "${@:-${scenarios[@]}}"; do
	drops=0
	"$scenario"
	sleep 0.3
	jobs_stop
	cp "$work/info" "$out/$capture.tcp_info.csv"
	say "$capture: $(stat -c %s "$out/$capture.pcap") bytes"
done
