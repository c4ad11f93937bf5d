#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A disk that is full, and has room again: nothing is lost but what is told, and every line is whole. And readers
# that sleep: they hold up their output, and nothing else.
#
# usage: tests/kernel/disk_test.sh      speaks TAP; needs root
#
#   a -- r -- b      ackmon watches b and writes to a file system of 256 kB
set -u
exec </dev/null
NETNS_PREFIX=${NETNS_PREFIX:-ackdisk$$-}
cd "$(dirname "$0")/../.." || exit 1
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C ACKMON_BPFFS=/sys/fs/bpf/ackmon-disk-$$
. tests/tap.sh
COUNT=300 # connections, each a record of some 2 kB

needs_root
work=$(mktemp -d)
disk=$work/disk
mkdir "$disk"
mount -t tmpfs -o size=256k tmpfs "$disk" 2>/dev/null || { rm -rf "$work"; skip_all "no file system may be mounted here"; }
. tests/netns/lib.sh

finish() {
	on b "$ACKMON" detach -q 2>/dev/null
	netns_down
	umount "$disk"
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

report() { # NAME FILE: no line in the file is good news
	number=$((number + 1))
	if [ -s "$2" ]; then
		failed=1
		echo "not ok $number - $1"
		head -n 20 "$2" | sed 's/^/# /'
		tail -n 3 "$work/err" | sed 's/^/# /'
	else
		echo "ok $number - $1"
	fi
}

until_true() { # COMMAND...: within a minute
	local i
	for i in $(seq 1200); do
		"$@" && return 0
		sleep 0.05
	done
	echo "waited in vain for: $*" >>"$work/bad"
	return 1
}

said() { grep -q -- "$1" "$work/err"; }

begin() { # a disk of 256 kB, and a watch that writes to it
	: >"$work/bad"
	rm -f "$disk"/*
	mount -o remount,size=256k "$disk"
	watch "$@"
}

watch() { # OPTION...
	: >"$work/err"
	nsenter --net="/run/netns/${NETNS_PREFIX}b" "$ACKMON" -i eth0 -j -w "$disk/flows" --closed-timeout 0.2 \
		"$@" >"$work/out" 2>"$work/err" &
	watch=$!
	until_true said "room for"
}

ended() { # SIGNAL: its exit code
	kill "-$1" "$watch"
	wait "$watch"
}

connections() {
	job "$work/server" end, b "$TRAFFIC" server --count $COUNT --seconds 60
	on a "$TRAFFIC" client "$B4" --count $COUNT --parallel 10 >"$work/client"
	job_wait
	[ "$(grep -c ,done, "$work/client")" = $COUNT ] || echo "not all of $COUNT connections were made" >>"$work/bad"
}

# Every line is whole, no record is there twice, and with what was lost they are all there.
check_records() { # CONNECTIONS LOST
	python3 - "$disk/flows" "$@" >>"$work/bad" <<-'END'
		import json, sys
		ids, text = [], open(sys.argv[1], "rb").read()
		for number, line in enumerate(text.splitlines(), 1):
		    try:
		        ids.append(json.loads(line)["id"])
		    except ValueError:
		        print(f"line {number} is not whole: {line[:60]}...{line[-60:]}")
		if not text.endswith(b"\n"):
		    print("the last line has no end")
		if len(set(ids)) != len(ids):
		    print(f"{len(ids) - len(set(ids))} records are there twice")
		if len(ids) + int(sys.argv[3]) != int(sys.argv[2]):
		    print(f"{len(ids)} records and {sys.argv[3]} lost are not {sys.argv[2]} connections")
	END
}

netns_up

begin
connections
until_true said "No space left on device: records wait"
connections
mount -o remount,size=16m "$disk"
until_true said "there is room again"
ended TERM || echo "exit code $?, not 0" >>"$work/bad"
said "lost meanwhile: 0" || echo "records were lost" >>"$work/bad"
check_records $((2 * COUNT)) 0
report "a full disk is waited for: $((2 * COUNT)) records, none lost" "$work/bad"

begin
connections
until_true said "No space left on device: records wait"
ended TERM
code=$?
[ $code = 1 ] || echo "exit code $code, not 1" >>"$work/bad"
lost=$(grep -o '[0-9,]* (record the output could not take)' "$work/err" | tr -d , | grep -o '^[0-9]*')
[ "${lost:-0}" -gt 0 ] || echo "nothing was counted as lost" >>"$work/bad"
check_records $COUNT "${lost:-0}"
report "a disk that stays full: ${lost:-0} of $COUNT records are lost and counted, the file ends with a whole line" "$work/bad"

begin -I 0.3
connections
until_true said "No space left on device: records wait"
mv "$disk/flows" "$disk/flows.1"
mount -o remount,size=16m "$disk"
kill -HUP "$watch"
until_true said "there is room again"
ended TERM
cat "$disk/flows.1" "$disk/flows" >"$disk/both"
grep -hv '"close":"open"' "$disk/both" >"$disk/flows"
check_records $COUNT 0
report "a file rotated while the disk is full: every line is whole in one of the two" "$work/bad"

begin -o csv
connections
connections
connections
until_true said "No space left on device: records wait"
rm "$disk/flows"
kill -HUP "$watch" # the old file is gone when it is closed, and there is room
until_true test -s "$disk/flows"
mount -o remount,size=16m "$disk"
kill -HUP "$watch" # which finds it begun
ended TERM || echo "exit code $?, not 0" >>"$work/bad"
[ "$(grep -n '^v,id,' "$disk/flows" | tr '\n' ' ' | cut -c 1-7)" = "1:v,id," ] ||
	echo "the header is not in the first line: $(grep -n '^v,id,' "$disk/flows" | cut -c 1-40)" >>"$work/bad"
[ "$(grep -c '^v,id,' "$disk/flows")" = 1 ] || echo "$(grep -c '^v,id,' "$disk/flows") headers" >>"$work/bad"
[ "$(wc -l <"$disk/flows")" -gt 2 ] || echo "nothing stands behind the header" >>"$work/bad"
report "a CSV opened again while records wait begins with its header" "$work/bad"

begin
until_true test -e "$disk/flows"
connections
written() { [ "$(wc -l <"$disk/flows")" -ge "$1" ]; }
until_true written 20
truncate -s 0 "$disk/flows"
mount -o remount,size=16m "$disk"
connections
ended TERM || echo "exit code $?, not 0" >>"$work/bad"
tr -d '\000' <"$disk/flows" | cmp -s - "$disk/flows" || echo "the file goes on behind a hole of zeros" >>"$work/bad"
report "a file emptied under the watch, as by copytruncate, goes on at its begin" "$work/bad"

# A reader that sleeps: pipes hold 64 kB.
answers() { # as metrics do when the loop turns
	on b timeout 5 python3 -c 'import urllib.request
assert b"ackmon_frames" in urllib.request.urlopen("http://127.0.0.1:9502/metrics", timeout=5).read()' 2>/dev/null
}

ends_within() { # SECONDS CODE: asked to
	local begin=$SECONDS code
	ended TERM
	code=$?
	[ $((SECONDS - begin)) -le "$1" ] || echo "it took $((SECONDS - begin)) s to end" >>"$work/bad"
	[ $code = "$2" ] || echo "exit code $code, not $2" >>"$work/bad"
	on b bpftool net show | grep ackmon >>"$work/bad"
}

watch_into() { # OUTPUT OPTION...: and nobody reads it
	local output=$1
	shift
	: >"$work/bad"
	: >"$work/err"
	nsenter --net="/run/netns/${NETNS_PREFIX}b" "$ACKMON" -i eth0 -j --closed-timeout 0.2 --listen 9502 "$@" \
		>"$output" 2>"$work/err" &
	watch=$!
	until_true said "room for"
}

mkfifo "$work/pipe"
for options in --events "-I 0.5" ""; do
	sleep 1000 <>"$work/pipe" &
	sleeper=$!
	# shellcheck disable=SC2086
	watch_into "$work/pipe" $options
	connections
	connections
	until_true said "its reader takes no more: records wait"
	answers || echo "no metrics while nobody reads the pipe" >>"$work/bad"
	ends_within 8 3
	said "its reader takes no more; the records behind that point are lost" || echo "it did not say what is lost" >>"$work/bad"
	said "(record the output could not take)" || echo "nothing was counted as lost" >>"$work/bad"
	report "a pipe that nobody reads${options:+, $options}: metrics answer, and it ends when asked" "$work/bad"
	kill "$sleeper" # with what it did not read
	wait "$sleeper" 2>/dev/null
done

cat "$work/pipe" >"$work/first" &
reader=$!
watch_into "$work/out" -w "$work/pipe"
kill "$reader"
wait "$reader" 2>/dev/null
kill -HUP "$watch"
until_true said "nobody reads it"
answers || echo "no metrics while the pipe is opened again" >>"$work/bad"
cat "$work/pipe" >"$disk/flows" &
reader=$!
kill -HUP "$watch"
mount -o remount,size=16m "$disk"
connections
ended TERM || echo "exit code $?, not 0" >>"$work/bad"
wait "$reader"
check_records $COUNT 0
report "a pipe without a reader is not waited for by SIGHUP, and the next reader gets everything" "$work/bad"

if [ "$(stat -fc %T /sys/fs/bpf 2>/dev/null)" = bpf_fs ]; then
	on b "$ACKMON" attach -q -i eth0 --closed-timeout 0.2
	begin
	connections
	until_true said "No space left on device: records wait"
	ended KILL 2>/dev/null
	mount -o remount,size=16m "$disk"
	watch
	all_written() { [ "$(wc -l <"$disk/flows")" -ge $COUNT ]; }
	until_true all_written
	ended TERM
	check_records $COUNT 0
	rescued=$(on b "$ACKMON" status -j -i eth0 | grep -o '"records_rescued":[0-9]*' | grep -o '[0-9]*$')
	[ "${rescued:-0}" -gt 0 ] || echo "no record had to be rescued" >>"$work/bad"
	report "a reader killed while it waits: the next one writes ${rescued:-0} that were in its hands" "$work/bad"
fi

echo "1..$number"
exit $failed
