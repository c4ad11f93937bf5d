#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Proves that several interfaces are watched as one: nothing counts twice, and they may come and go.
#
# Usage: interfaces_test.sh [CHECK...]   Needs root. Speaks TAP.
set -u
exec </dev/null
NETNS_PREFIX=${NETNS_PREFIX:-ackI-$$-}
. "$(dirname "$0")/../netns/lib.sh"

work=$(mktemp -d)
number=0 failed=0
watcher=

cleanup() {
	[ -n "$watcher" ] && kill -9 "$watcher" 2>/dev/null
	netns_down
	rm -rf "$work"
}
trap cleanup EXIT

# ---------------------------------------------------------------- helpers

# A check is a function that returns 0, or non-zero with its reason in $why.
check() {
	local status
	why=""
	"$@"
	status=$?
	number=$((number + 1))
	if [ $status = 0 ]; then
		echo "ok $number - ${1//_/ }${why:+ # $why}"
	else
		echo "not ok $number - ${1//_/ }"
		echo "# ${why:-no reason given}"
		failed=1
	fi
	[ -n "$watcher" ] && kill -9 "$watcher" 2>/dev/null && wait "$watcher" 2>/dev/null
	watcher=
}

# Waits until the command succeeds, 15 s at most.
until_true() {
	local i
	for i in $(seq 300); do
		"$@" && return 0
		sleep 0.05
	done
	why="${why:-waited in vain for: $*}"
	return 1
}

said() { grep -q -- "$1" "$work/err"; }

# Starts ackmon on a host in the background, and comes back once it says that it is on an interface.
watch_on() { # HOST LAST-INTERFACE OPTIONS...
	local host=$1 last=$2
	shift 2
	nsenter --net="/run/netns/$NETNS_PREFIX$host" "$ACKMON" -j "$@" >"$work/out" 2>"$work/err" &
	watcher=$!
	until_true said "^ackmon: $last: \|^$last: " && return 0
	why="did not start: $(tail -2 "$work/err")"
	return 1
}

end_watcher() {
	kill -INT "$watcher"
	wait "$watcher"
	status=$?
	watcher=
	return $status
}

# COUNT connections from host a to b, each with a request and an answer of BYTES.
connections() { # COUNT ADDRESS [BYTES]
	: >"$work/port"
	on b python3 - "$1" "$2" "${3:-1000}" "$work/port" <<-'END' &
		import socket, sys
		count, size = int(sys.argv[1]), int(sys.argv[3])
		s = socket.create_server((sys.argv[2], 0), family=socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET)
		open(sys.argv[4], "w").write("%d\n" % s.getsockname()[1])
		for i in range(count):
		    c, _ = s.accept()
		    c.recv(10)
		    c.sendall(bytes(size))
		    while c.recv(65536): pass
		    c.close()
	END
	job_pids+=($!)
	until_true test -s "$work/port" || return 1
	on a python3 - "$1" "$2" "${3:-1000}" "$(cat "$work/port")" <<-'END' || return 1
		import socket, sys
		for i in range(int(sys.argv[1])):
		    c = socket.create_connection((sys.argv[2], int(sys.argv[4])))
		    c.sendall(b"x" * 10)
		    left = int(sys.argv[3])
		    while left: left -= len(c.recv(65536))
		    c.close()
	END
	job_wait
}

# What the records say: python expressions over `rows`, all true or the first false one is the reason.
records() {
	why=$(python3 - "$work/out" "$@" <<-'END'
		import json, sys
		rows = [json.loads(line) for line in open(sys.argv[1])]
		for claim in sys.argv[2:]:
		    if not eval(claim):
		        print("not so: %s; %d rows, first: %s" % (claim, len(rows), {k: v for k, v in (rows or [{}])[0].items()
		              if k in ("iface", "also_ifaces", "netns", "role", "outcome", "opener_addr", "opener_segments")}))
		        sys.exit(1)
	END
	)
}

# ---------------------------------------------------------------- checks

forwarded_connections_count_once_and_name_both_interfaces() {
	watch_on r tob -i toa -i tob || return 1
	connections 20 $B4 && connections 20 $B6 || return 1
	end_watcher
	records 'len(rows) == 40' 'all(r["iface"] == "toa" and r["also_ifaces"] == "tob" for r in rows)' \
		'all(r["outcome"] == "established" and r["close"] == "fin" for r in rows)' || return 1
	said "counted once though seen at another interface too: 40" && return 0
	why=$(tail -1 "$work/err")
	return 1
}

the_interface_nearest_to_the_opener_claims() {
	watch_on r toa -i tob -i toa || return 1
	connections 5 $B4 || return 1
	end_watcher
	records 'len(rows) == 5' 'all(r["iface"] == "toa" and r["also_ifaces"] == "tob" for r in rows)'
}

refused_and_unanswered_connections_count_once() {
	local i
	watch_on r tob -i toa -i tob || return 1
	for i in 1 2 3; do on a timeout 2 bash -c ": </dev/tcp/$B4/9" 2>/dev/null; done
	end_watcher
	records 'len(rows) == 3' 'all(r["outcome"] == "refused" and r["also_ifaces"] == "tob" for r in rows)'
}

# ---------------------------------------------------------------- all of it

need ip nsenter python3
netns_up
all=(
	forwarded_connections_count_once_and_name_both_interfaces
	the_interface_nearest_to_the_opener_claims
	refused_and_unanswered_connections_count_once
)
[ $# -gt 0 ] || set -- "${all[@]}"
for name in "$@"; do
	check "$name"
done
echo "1..$number"
exit $failed
