#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The package and its unit under a real systemd; runs inside a virtual machine, started by that systemd.
#
# usage: systemd_guest.sh      speaks TAP; see systemd_test.sh
#
#   here  near0 10.78.0.1 ---- far0 10.78.0.2  far: a server
set -u
cd /root || exit 1
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root SYSTEMD_COLORS=0 SYSTEMD_PAGER=cat
number=0 failed=0
work=$(mktemp -d)
records=/var/log/ackmon/flows.ndjson
echo "# running $(uname -r), $(systemctl --version | head -n 1)"

report() { # NAME FILE: no line in the file is good news; it is empty again afterwards
	number=$((number + 1))
	if [ -s "$2" ]; then
		failed=1
		echo "not ok $number - $1"
		{ tail -n 12 "$2"; journalctl -q -o cat _SYSTEMD_UNIT=ackmon.service -n 6; journalctl -q -u ackmon -n 4; } | cut -c 1-300 | sed 's/^/# /'
	else
		echo "ok $number - $1"
	fi
	: >"$2"
}

complain() { echo "$*" >>"$work/not"; }
property() { systemctl show -p "$1" --value ackmon; }
until_true() { # COMMAND...: within two minutes
	local end=$((SECONDS + 120))
	until "$@"; do
		if [ $SECONDS -ge $end ]; then
			complain "waited in vain for: $*"
			return 1
		fi
		sleep 0.1
	done
}
is() { [ "$(property "$1")" = "$2" ]; } # PROPERTY VALUE
is_not() { [ "$(property "$1")" != "$2" ]; }
count_lines() { cat "$@" 2>/dev/null | wc -l; } # FILE...
has_lines() { [ "$(count_lines "${@:2}")" -ge "$1" ]; } # COUNT FILE...
try() { "$@" >"$work/said" 2>&1 || complain "$* ended with $?: $(tail -n 5 "$work/said")"; }
connect() { # COUNT connections through near0
	try ./traffic client 10.78.0.2 --port 8080 --count "$1"
}
traces() {
	bpftool net show | grep ackmon
	bpftool prog show | grep ackmon
	tc qdisc show | grep clsact
	find /sys/fs/bpf -path '*ackmon*' 2>/dev/null
	ls /run/ackmon 2>/dev/null
}

ip netns add far
ip link add near0 type veth peer name far0 netns far
ip addr add 10.78.0.1/24 dev near0
ip -n far addr add 10.78.0.2/24 dev far0
ip link set near0 up
ip -n far link set far0 up
ip netns exec far ./traffic server --port 8080 --count 1000000 --seconds 100000 >/dev/null &
server=$!

# ---------------------------------------------------------------- package

try dpkg -i ackmon.deb
systemctl cat ackmon >"$work/said" 2>&1 || complain "no unit: $(cat "$work/said")"
is ActiveState inactive || complain "it is $(property ActiveState) before anybody started it"
report "the package installs, and its unit is there" "$work/not"

# ---------------------------------------------------------------- start

try systemctl start ackmon
is ActiveState active || complain "it is $(property ActiveState), $(property Result)"
pid=$(property MainPID)
uid=$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")
[ "${uid:-0}" -ge 61184 ] || complain "it runs as user ${uid:-nobody at all}"
awk '/^NoNewPrivs:/ && $2 != 1 || /^Seccomp:/ && $2 != 2' "/proc/$pid/status" >>"$work/not"
report "systemctl start comes back when it watches, as a user of its own, confined" "$work/not"

connect 5
until_true has_lines 5 $records
[ "$(grep -c '"outcome":"established"' $records)" = 5 ] || complain "$(cut -c 1-200 $records)"
report "what the default file says is done: connections are written to $records" "$work/not"

level=$(systemd-analyze security ackmon.service 2>&1 | sed -n 's/.*exposure level for ackmon.service: \([0-9.]*\).*/\1/p')
awk -v f="${level:-10}" 'BEGIN { if (f + 0 > 2.0) print "exposure level " f }' >>"$work/not"
report "systemd-analyze security says ${level:-nothing} of the unit that runs, at most 2.0" "$work/not"

# ---------------------------------------------------------------- reload

mv $records $records.1
try systemctl reload ackmon
until_true test -e $records
connect 3
until_true has_lines 3 $records
has_lines 6 $records.1 && complain "the old file still grows"
is MainPID "$pid" || complain "it is another process"
report "systemctl reload lets it open its file again" "$work/not"

# ---------------------------------------------------------------- restart

exec 3<>/dev/tcp/10.78.0.2/8080 || complain "no connection"
before=$(count_lines $records*)
try systemctl restart ackmon
is_not MainPID "$pid" || complain "it is the same process"
tail -n 1 $records | grep -q '"close":"open"' || complain "the connection that was open is not written"
exec 3>&-
connect 2
until_true has_lines $((before + 3)) $records*
report "a restart writes what is open, and goes on" "$work/not"

# ---------------------------------------------------------------- watchdog

mkdir -p /etc/systemd/system/ackmon.service.d
printf '[Service]\nWatchdogSec=16\nTimeoutAbortSec=16\n' >/etc/systemd/system/ackmon.service.d/soon.conf
try systemctl daemon-reload
try systemctl restart ackmon
pid=$(property MainPID)
first=$(property WatchdogTimestampMonotonic)
for _ in 1 2 3; do # every 8 s
	until_true is_not WatchdogTimestampMonotonic "$first"
	first=$(property WatchdogTimestampMonotonic)
done
is MainPID "$pid" && is NRestarts 0 || complain "it was killed: $(property Result)"
report "the watchdog hears it, and leaves it alone" "$work/not"
kill -STOP "$pid"
until_true is NRestarts 1
until_true is ActiveState active
is_not MainPID "$pid" || complain "it is the same process"
journalctl -q -u ackmon --no-pager | grep -q 'Watchdog timeout' || complain "no watchdog timeout in the journal"
report "one that hangs is killed by the watchdog and started again" "$work/not"
before=$(count_lines $records*)
connect 4
until_true has_lines $((before + 4)) $records*
report "and watches again" "$work/not"

# ---------------------------------------------------------------- stop

try systemctl stop ackmon
is Result success || complain "it ended with $(property Result), code $(property ExecMainStatus)"
traces >>"$work/not"
report "systemctl stop ends well and leaves no program, link, qdisc or pin" "$work/not"

try dpkg --purge ackmon
find / -xdev \( -path /proc -o -path /root -o -path '/var/lib/dpkg' -o -path /tmp -o -path /sys \
	-o -path /etc/systemd/system/ackmon.service.d \) -prune -o -name '*ackmon*' -print >>"$work/not"
systemctl cat ackmon 2>/dev/null | grep -q ExecStart && complain "the unit is still known"
report "purged, nothing is left" "$work/not"
kill $server
echo "1..$number"
exit $failed
