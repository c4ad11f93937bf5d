# SPDX-License-Identifier: GPL-2.0-only
# What tests written in shell share: TAP, what is skipped and why, and a folder to work in. Sourced from the top.

number=0 failed=0

# A check is a name and a file of complaints; an empty one is good news. Figures are said either way.
report() { # NAME FILE [FIGURES]
	number=$((number + 1))
	if [ -s "$2" ]; then
		failed=1
		echo "not ok $number - $1"
		head -n 20 "$2" | sed 's/^/# /'
	else
		echo "ok $number - $1"
	fi
	[ -z "${3:-}" ] || echo "# $3"
}

skip() { # NAME WHY
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

skip_all() { # WHY
	echo "1..0 # SKIP $*"
	exit 0
}

needs_root() {
	[ "$(id -u)" = 0 ] || skip_all "network namespaces and BPF programs need root; try: sudo $0"
}

needs_netns() {
	needs_root
	ip netns add "${NETNS_PREFIX}probe" 2>/dev/null ||
		skip_all "no network namespaces here (a container without CAP_SYS_ADMIN?)"
	ip netns del "${NETNS_PREFIX}probe"
}

# $work; KEEP=DIR is where it stays, else it is gone at the end: see work_end.
work_begin() {
	if [ -n "${KEEP:-}" ]; then
		mkdir -p "$KEEP"
		work=$(realpath "$KEEP")
	else
		work=$(mktemp -d)
	fi
}

work_end() {
	[ -n "${KEEP:-}" ] || rm -rf "$work"
}
