#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Live frames that are not plain: without Ethernet header, in tunnels, of 9000 bytes, and many segments in one.
#
# usage: live_frames_test.sh      speaks TAP; needs root
set -u
exec </dev/null
NETNS_PREFIX=${NETNS_PREFIX:-ackframes$$-}
cd "$(dirname "$0")/../.." || exit 1
PATH=$PATH:/usr/sbin:/sbin
. tests/tap.sh
BYTES=3000000

needs_netns

. tests/netns/lib.sh
work=$(mktemp -d)
trap 'hosts_down; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# ---------------------------------------------------------------- two hosts and a cable of large frames

hosts_down() {
	jobs_stop
	ip netns del "${NETNS_PREFIX}x" 2>/dev/null
	ip netns del "${NETNS_PREFIX}y" 2>/dev/null
}

hosts_up() {
	local host=1 name
	hosts_down
	ip netns add "${NETNS_PREFIX}x"
	ip netns add "${NETNS_PREFIX}y"
	ip -n "${NETNS_PREFIX}x" link add eth0 mtu 9000 type veth peer name eth0 mtu 9000 netns "${NETNS_PREFIX}y"
	for name in x y; do
		ip -n "$NETNS_PREFIX$name" addr add "10.78.0.$host/24" dev eth0
		ip -n "$NETNS_PREFIX$name" link set lo up
		ip -n "$NETNS_PREFIX$name" link set eth0 up
		host=$((host + 1))
	done
}

vxlan_up() {
	local host=1 name
	for name in x y; do
		ip -n "$NETNS_PREFIX$name" link add vx0 type vxlan id 77 dstport 4789 local "10.78.0.$host" \
			remote "10.78.0.$((3 - host))" 2>/dev/null || return 1
		ip -n "$NETNS_PREFIX$name" addr add "10.78.1.$host/24" dev vx0
		ip -n "$NETNS_PREFIX$name" link set vx0 up
		host=$((host + 1))
	done
}

tun_up() {
	local host=1 name
	[ -e /dev/net/tun ] || return 1
	tests/kernel/tun_pair.py tun0 "${NETNS_PREFIX}x" "${NETNS_PREFIX}y" >"$work/tun" 2>&1 &
	job_pids+=($!)
	wait_until grep -q ready "$work/tun" || return 1
	for name in x y; do
		ip -n "$NETNS_PREFIX$name" addr add "10.78.2.$host/24" dev tun0
		ip -n "$NETNS_PREFIX$name" link set tun0 up
		host=$((host + 1))
	done
}

wait_until() { # COMMAND...: 15 s at most
	local i
	for i in $(seq 300); do
		"$@" && return
		sleep 0.05
	done
	return 1
}

# ---------------------------------------------------------------- one transfer, watched

serve='import socket, sys
listener = socket.create_server(("", 5001))
print("ready", flush=True)
while True:
    connection = listener.accept()[0]
    got = 0
    while True:
        data = connection.recv(1 << 16)
        got += len(data)
        if not data:
            break
    connection.sendall(b"%d" % got)
    connection.close()'
send='import socket, sys
connection = socket.create_connection((sys.argv[1], 5001), 10)
connection.sendall(bytes(int(sys.argv[2])))
connection.shutdown(socket.SHUT_WR)
assert int(connection.recv(64)) == int(sys.argv[2])
assert not connection.recv(1)'

# watch HOST ADDRESS OPTIONS...: x sends BYTES to ADDRESS of y while ackmon watches on HOST.
watch() {
	local host=$1 address=$2
	shift 2
	: >"$work/ackmon.err" # or the words of the one before would be taken for its own
	nsenter --net="/run/netns/$NETNS_PREFIX$host" "$ACKMON" -j -w "$work/records" "$@" port 5001 \
		2>"$work/ackmon.err" &
	job_pids+=($!)
	if ! wait_until grep -qE "(in|e)gress" "$work/ackmon.err"; then
		cat "$work/ackmon.err" >>"$work/complaints"
		return 1
	fi
	on x python3 -c "$send" "$address" "$BYTES" >"$work/send" 2>&1 || cat "$work/send" >>"$work/complaints"
	kill -INT "${job_pids[-1]}"
	job_wait
}

# What the record of the transfer must be: Python, with r the record, n the bytes sent, said on stderr.
expect() { # EXPRESSION...
	python3 - "$work/records" "$work/ackmon.err" "$BYTES" "$@" >>"$work/complaints" 2>&1 <<'EOS'
import json, sys
records = [json.loads(line) for line in open(sys.argv[1])]
said, n = open(sys.argv[2]).read(), int(sys.argv[3])
r = records[0] if len(records) == 1 else {}
for expression in sys.argv[4:]:
    if not eval(expression):
        print(f"not so: {expression}; {len(records)} records")
        print({k: v for k, v in r.items() if v and ("opener" in k or k in ("iface", "tunnel", "tunnel_id"))})
        print(said)
        break
EOS
}

begin() { : >"$work/complaints"; }

# A stack may send something twice on a busy machine; what it sent once is there once.
WHOLE='len(records) == 1 and r["outcome"] == "established" and r["opener_unique_bytes"] == n'

hosts_up
job "$work/server" ready y python3 -c "$serve"

for mode in native skb tc; do
	begin
	watch y 10.78.0.2 -i eth0 -m $mode
	expect "$WHOLE" 'r["opener_segments"] * 8948 >= n'
	report "frames of 9000 bytes and super-frames are whole, received by $mode" "$work/complaints"
done

begin
watch x 10.78.0.2 -i eth0
expect "$WHOLE" 'n / 8948 <= r["opener_segments"] - r["opener_retransmitted_segments"] <= n / 8948 * 1.5 + 10' 'r["opener_frames"] <= r["opener_segments"]'
report "super-frames that are sent count as the segments they become" "$work/complaints"

if vxlan_up; then
	begin
	watch x 10.78.1.2 -i eth0 --decap vxlan
	expect "$WHOLE" 'r["tunnel"] == "vxlan" and r["tunnel_id"] == 77' 'r["iface"] == "eth0"'
	report "a connection in VXLAN is tracked inside, with its number" "$work/complaints"
	begin
	watch y 10.78.1.2 -i eth0 -m native --decap all
	expect "$WHOLE" 'r["tunnel"] == "vxlan" and r["tunnel_id"] == 77'
	report "the same where it is received, by native XDP" "$work/complaints"
	begin
	watch x 10.78.1.2 -i eth0
	expect 'not records' '"tunnel that is not followed" in said'
	report "without --decap it is counted, and not looked into" "$work/complaints"
else
	skip "connections in VXLAN" "no vxlan interfaces here (modprobe vxlan)"
fi

if tun_up; then
	begin
	watch x 10.78.2.2 -i tun0
	expect "$WHOLE" 'r["iface"] == "tun0"' '"frames without Ethernet header" in said'
	report "an interface without Ethernet header is watched" "$work/complaints"
	begin
	watch y 10.78.2.2 -i tun0 -i eth0
	expect "$WHOLE" 'r["iface"] == "tun0"'
	report "beside one with" "$work/complaints"
	on x "$ACKMON" -i tun0 -m native --duration 0.1 >"$work/refused" 2>&1
	begin
	grep -q "have no Ethernet header, which XDP wants; try -m tc" "$work/refused" ||
		cp "$work/refused" "$work/complaints"
	report "XDP on it is refused with the way out" "$work/complaints"
else
	skip "an interface without Ethernet header is watched" "no /dev/net/tun here"
fi
echo "1..$number"
