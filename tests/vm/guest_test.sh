#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What has to hold on every kernel; runs inside a virtual machine, as its only work.
#
# usage: tests/vm/run.sh KERNEL tests/vm/guest_test.sh      speaks TAP
set -u
cd "$(dirname "$0")/../.." || exit 1
number=0 failed=0
work=$(mktemp -d)
echo "# running $(uname -r)"

result() { # NAME COMMAND...: the command's output explains a failure
	local name=$1
	shift
	number=$((number + 1))
	if "$@" >"$work/said" 2>&1; then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		tail -n 12 "$work/said" | cut -c 1-300 | sed 's/^/# /'
		failed=1
	fi
}

result "the verifier takes the programs" build/tests/walked

echo "1..$number"
exit $failed
