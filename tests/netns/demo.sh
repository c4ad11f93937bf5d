#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What ackmon is, in twenty seconds: two hosts, a router that loses 1% of what passes, and the table.
set -u
NETNS_PREFIX=${NETNS_PREFIX:-ackdemo-}
. "$(dirname "$0")/lib.sh"
work=$(mktemp -d)

clients=()
monitor=

finish() {
	kill $monitor "${clients[@]}" 2>/dev/null
	netns_down
	rm -rf "$work"
}

client() { # OPTIONS...: in the background on a, at most 8 seconds
	nsenter --net="/run/netns/${NETNS_PREFIX}a" "$TRAFFIC" client --seconds 8 "$@" \
		>"$work/client${#clients[@]}" &
	clients+=($!)
}

need "$ACKMON" "$DROPPER" "$TRAFFIC"
trap finish EXIT
trap 'exit 1' INT TERM

cat >&2 <<TEXT

  client a ($A4) ---- router: loses 1% each way, answers take 10 ms ---- server b ($B4)

  In a's namespace runs: ackmon -i eth0 --duration 10
TEXT
netns_up
# What is lost on the way back is lost before the delay: the order of attaching is the order of passing.
job "$work/to_a" ready r "$DROPPER" --dev toa --match tcp --loss 1 --seed 2
job "$work/delay" ready r "$DROPPER" --dev toa --match any --every 1 --delay 10
job "$work/to_b" ready r "$DROPPER" --dev tob --match tcp --loss 1 --seed 7
job "$work/server" end, b "$TRAFFIC" server --count 9 --seconds 12

nsenter --net="/run/netns/${NETNS_PREFIX}a" "$ACKMON" -i eth0 --duration 10 &
monitor=$!
sleep 1.5
# HTTP-like: small pages, a few uploads, one reader that stalls, one door that is closed.
client $B4 --count 6 --parallel 2 --rounds 10 --response 20000 --pause 100
client $B6 --count 2 --rounds 5 --request 150000 --response 300 --pause 200
client $B4 --response 400000 --rcvbuf 8192 --stall 1500
client $B4 --port 9
wait "$monitor"
status=$?
monitor=
wait "${clients[@]}"
clients=()
jobs_stop

sent_again=$(cat "$work"/client* |
	awk -F, '$1 == "client" && $7 != "" { sum += $7 } END { print sum + 0 }')
cat >&2 <<TEXT

  What one sees
  - CONNECT: from the SYN to its answer, about 10 ms; a second more where one of them was lost.
  - RTT> is the way from here to the responder and back: the network. <RTT is the opener's own stack.
  - RETRANS> is what a sent again. We watch where a sends, so it is what a's kernel counts itself:
    it says $sent_again. What b sent again was lost before it came here: "lost before here" counts them.
  - "window shut": the reader was slow, not the network. "refused": nobody listens on that port.
  The router says: $(tail -n 1 "$work/to_b")
                   $(tail -n 1 "$work/to_a")
TEXT
exit $status
