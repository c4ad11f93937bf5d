#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What is installed beside the program: unit, completion, logrotate, package; and what the unit is told.
#
# usage: tests/packaging_test.sh            speaks TAP; skips what needs root or a tool that is not there
set -u
exec </dev/null
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
packaging=user/packaging
. tests/tap.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

has() { command -v "$1" >/dev/null; }

# ---------------------------------------------------------------- notify

# The manager's end: answers when it has heard of READY and of two WATCHDOGs, then of STOPPING.
manager='
import os, signal, socket, struct, subprocess, sys, time
name, program = sys.argv[1:]
end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
end.bind("\0" + name[1:] if name[0] == "@" else name)
end.settimeout(60)
end.setsockopt(socket.SOL_SOCKET, 35, 1) # SO_TIMESTAMPNS: when it was sent, however late it is read
child = subprocess.Popen([program, "-q", "-i", "lo", "-j"], stdout=subprocess.DEVNULL,
    env=dict(os.environ, NOTIFY_SOCKET=name, WATCHDOG_USEC="400000"))
begin, heard = time.time(), []
def hear(word):
    while True:
        text, ancillary = end.recvmsg(4096, 64)[:2]
        seconds, ns = struct.unpack("qq", ancillary[0][2])
        heard.append((seconds + ns / 1e9 - begin, text.decode()))
        text = heard[-1][1]
        if word in text.splitlines():
            return heard[-1][0]
try:
    hear("READY=1")
    first, second, third = hear("WATCHDOG=1"), hear("WATCHDOG=1"), hear("WATCHDOG=1")
    # Every 0.2 s, half of what was asked for: three are never closer than one period, late or not.
    if third - first < 0.15:
        print("three watchdogs within", third - first, "s")
    child.send_signal(signal.SIGTERM)
    hear("STOPPING=1")
except socket.timeout:
    print("not heard within 60 s; so far", heard)
finally:
    child.poll() is None and child.terminate()
    code = child.wait()
if code not in (0, 3):
    print("exit code", code)
'
for name in "$work/socket" "@ackmon-test-$$"; do
	title="a service manager hears READY, WATCHDOG and STOPPING at ${name%%[a-z]*}..."
	if [ "$(id -u)" != 0 ]; then
		skip "$title" "watching live needs root"
		continue
	fi
	python3 -c "$manager" "$name" build/ackmon >"$work/told" 2>&1
	report "$title" "$work/told"
done

# ---------------------------------------------------------------- unit

if has systemd-analyze; then
	figure=$(systemd-analyze security --offline=yes $packaging/ackmon.service 2>/dev/null |
		sed -n 's/.*exposure level for ackmon.service: \([0-9.]*\).*/\1/p')
	awk -v f="${figure:-10}" 'BEGIN { if (f + 0 > 2.0) print "exposure level " f ", more than 2.0" }' >"$work/unit"
	report "systemd-analyze security says ${figure:-nothing}, at most 2.0" "$work/unit"
else
	skip "systemd-analyze security says at most 2.0" "there is no systemd-analyze"
fi

# ---------------------------------------------------------------- completion

complete_line() { # WORD...: what the last one may become
	bash -c '. '$packaging'/ackmon.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ackmon 2>/dev/null
		printf "%s\n" "${COMPREPLY[@]}"' _ "$@" | paste -sd' '
}
expect() { # WANTED WORD...
	local wanted=$1 got
	shift
	got=$(complete_line "$@")
	[ "$got" = "$wanted" ] || echo "'$*' becomes '$got', not '$wanted'"
}
{
	expect 'attach' ackmon at
	expect 'attach status detach' ackmon ''
	expect '--interface --interval' ackmon --inter
	expect 'native native-vlan' ackmon -m n
	expect 'pairs pairs,csv pairs,ndjson' ackmon -o pa
	expect 'lo' ackmon -i lo
	expect '--half-open --half-open-timeout' ackmon attach --half
} >"$work/completion"
report "bash completes verbs, options and their words" "$work/completion"

options() { sed -n '/^static const struct option long_options/,/^};/s/.*{ "\([a-z-]*\)".*/--\1/p' user/cli.c | sort; }
comm -3 <(options) <(complete_line ackmon -- | tr ' ' '\n' | sort) >"$work/options"
report "bash completes each long option the program has" "$work/options"
build/ackmon -h | sed -n 's/^  \(-.*\)/\1/p' | grep -oE '^-[A-Za-z](, -[A-Za-z])?|^--[a-z-]+' | tr ', ' '\n\n' | grep . |
	sort -u >"$work/help"
comm -23 "$work/help" <(complete_line ackmon - | tr ' ' '\n' | sort) >"$work/options"
[ "$(wc -l <"$work/help")" -ge 30 ] || echo "-h names only $(wc -l <"$work/help") options" >>"$work/options"
report "and each option -h names" "$work/options"

# ---------------------------------------------------------------- logrotate

if has logrotate; then
	# As it is installed: logrotate refuses what others may write, as a clone under umask 002 is.
	install -m 644 $packaging/ackmon.logrotate "$work/snippet"
	logrotate -d "$work/snippet" >"$work/rotate" 2>&1 || echo "exit code $?" >>"$work/rotate"
	grep -E '^error|^exit code|[Uu]nknown' "$work/rotate" >"$work/rotate.bad"
	report "logrotate accepts its snippet" "$work/rotate.bad"
else
	skip "logrotate accepts its snippet" "there is no logrotate"
fi

# ---------------------------------------------------------------- install

quiet_make() { make --no-print-directory -s "$@" >"$work/make" 2>&1 || cat "$work/make"; }
{
	quiet_make install DESTDIR="$work/root"
	[ "$(find "$work/root" -type f | wc -l)" = 6 ] || find "$work/root" -type f
	grep -q '^ExecStart=/usr/local/sbin/ackmon ' "$work/root/usr/local/lib/systemd/system/ackmon.service" ||
		echo "the unit starts another ackmon than the installed one"
	quiet_make uninstall DESTDIR="$work/root"
	find "$work/root" ! -type d
} >"$work/install"
report "uninstall takes out what install put in" "$work/install"
{
	quiet_make install DESTDIR="$work/root"
	echo 'ACKMON_OPTIONS="-i eth0"' >"$work/root/etc/default/ackmon"
	quiet_make install DESTDIR="$work/root"
	grep -q eth0 "$work/root/etc/default/ackmon" || echo "install wrote over a changed default file"
	make -s uninstall DESTDIR="$work/root" >/dev/null
	grep -q eth0 "$work/root/etc/default/ackmon" || echo "uninstall removed a changed default file"
} >"$work/default"
report "a default file somebody changed stays" "$work/default"

# ---------------------------------------------------------------- package

if has dpkg-deb && has strip; then
	{
		quiet_make deb | grep -v '^dpkg-deb: building'
		deb=$(ls -t build/ackmon_*.deb | head -n 1)
		dpkg-deb --fsys-tarfile "$deb" | tar -t | grep -v '/$' | sort >"$work/contents"
		diff - "$work/contents" <<'CONTENTS'
./etc/default/ackmon
./etc/logrotate.d/ackmon
./usr/lib/systemd/system/ackmon.service
./usr/sbin/ackmon
./usr/share/bash-completion/completions/ackmon
./usr/share/doc/ackmon/copyright
./usr/share/man/man8/ackmon.8.gz
CONTENTS
		dpkg-deb -f "$deb" Depends | grep -q 'libbpf1.*libc6' || echo "Depends: $(dpkg-deb -f "$deb" Depends)"
	} >"$work/deb" 2>&1
	report "the package has what install installs, and names its libraries" "$work/deb"
	if [ "$(id -u)" = 0 ]; then
		mkdir -p "$work/target/var/lib/dpkg"
		: >"$work/target/var/lib/dpkg/status"
		# The scripts run here, not in a root without a shell; the packages it depends on are not in there.
		into() { dpkg --root="$work/target" --force-script-chrootless --force-depends --log=/dev/null "$@"; }
		{
			into -i "$deb" >"$work/dpkg" 2>&1 || cat "$work/dpkg"
			[ -x "$work/target/usr/sbin/ackmon" ] || echo "installed, but no ackmon is there"
			into --purge ackmon >"$work/dpkg" 2>&1 || cat "$work/dpkg"
			find "$work/target" -path "$work/target/var/lib/dpkg" -prune -o ! -type d -print
			grep -r 'ackmon' "$work/target/var/lib/dpkg/status"
		} >"$work/purged"
		report "dpkg installs the package and purges all of it" "$work/purged"
	else
		skip "dpkg installs the package and purges all of it" "dpkg needs root"
	fi
else
	skip "the package has what install installs" "there is no dpkg-deb or no strip"
fi
echo "1..$number"
exit $failed
