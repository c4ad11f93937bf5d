#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The real programs on Debian's kernels, one virtual machine after the other.
#
# usage: tests/vm/check_kernels.sh [KERNEL...]      5.10 6.1 6.12 newest; speaks TAP
set -u
exec </dev/null
cd "$(dirname "$0")/../.." || exit 1
number=0 failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ $# -gt 0 ] || set -- 5.10 6.1 6.12 newest
for kernel in "$@"; do
	begin=$SECONDS
	VM_SECONDS=${VM_SECONDS:-1500} tests/vm/run.sh "$kernel" tests/vm/guest_test.py \
		>"$work/output" 2>"$work/errors"
	status=$?
	if [ $status = 77 ]; then
		number=$((number + 1))
		echo "ok $number - kernel $kernel # SKIP $(tail -n 1 "$work/errors")"
		continue
	fi
	release=$(sed -n 's/^# running //p' "$work/output")
	while read -r line; do
		case $line in
		"ok "* | "not ok "*)
			number=$((number + 1))
			echo "${line%% - *} $number - ${release:-$kernel}: ${line#* - }" |
				sed -E 's/^(ok|not ok) [0-9]* /\1 /'
			[[ $line == "not ok"* ]] && failed=1
			;;
		*) echo "# $line" ;;
		esac
	done <"$work/output"
	if [ $status != 0 ] && [ $status != 1 ] || ! grep -q '^1\.\.' "$work/output"; then
		number=$((number + 1)) failed=1
		echo "not ok $number - kernel $kernel: the machine runs the test to its end"
		tail -n 20 "$work/errors" | sed 's/^/# /'
	fi
	echo "# kernel $kernel took $((SECONDS - begin)) s"
done
echo "1..$number"
exit $failed
