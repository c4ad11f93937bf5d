#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What the compiler does not prove: who includes whom, headers that stand alone, what the verifier walks.
#
# usage: tests/check.sh            speaks TAP; the verifier's part needs root and skips without it
set -u
exec </dev/null
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin

# Instructions one walk through a program may take; the kernel's own end is one million.
WALKED_MAX=${WALKED_MAX:-55000}
# Octets of stack of the deepest chain of calls, by the reckoning of Linux 6.1, which takes no more.
STACK_MAX=${STACK_MAX:-512}
CC=${CC:-gcc}
CLANG=${CLANG:-clang}
arch_include=/usr/include/$(uname -m)-linux-gnu
. tests/tap.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---------------------------------------------------------------- who includes whom

# What each room may include, as one regular expression over the name between <> or "".
packet_headers='linux/(types|if_ether|ip|ipv6)\.h'
system='[a-z_/0-9]+\.h'
leaves='core/(count|histogram|labels|opener|seq)\.h'
allowed_abi='linux/types\.h|abi/.*'
allowed_core="$packet_headers|abi/.*|core/.*"
allowed_kern='linux/(types|bpf|pkt_cls)\.h|bpf/.*|abi/.*|core/.*|kern/.*'
allowed_door='kern/.*'
own=$(cd user && printf '%s\n' *.h | sed 's/\./\\./' | paste -sd'|')

# Exceptions, each for one reason:
#   reader*         ask core/expire.h when a connection is over, and core/half_open.h and core/half_open_flow.h
#                   what it is, as the kernel side does
#   table.c         shares the kernel side's tables, and must agree with it where a key lives
#   pcap_source.h, replay.h   hand over core/frame.h, the form every door uses
allowed_user() { # FILE
	local allowed="abi/.*|$leaves|$own|$system"
	case $1 in
	user/replay.c) allowed="$allowed|core/monitor\.h" ;;
	user/reader*.[ch]) allowed="$allowed|core/(expire|half_open|half_open_flow)\.h" ;;
	user/table.c) allowed="$allowed|core/table\.h" ;;
	user/pair_maps.c) allowed="$allowed|core/(owner|pair)\.h" ;;
	user/record.c) allowed="$allowed|core/outcome\.h" ;;
	user/pcap_source.h | user/replay.h) allowed="$allowed|core/frame\.h" ;;
	esac
	case $1 in
	user/attach*.[ch]) allowed="$allowed|monitor(_older|_vlan)?\.skel\.h" ;;
	esac
	echo "$allowed"
}

# System headers with one owner: nobody else may know these libraries.
owners() { # HEADER
	case $1 in
	bpf/* | xdp/* | linux/bpf.h) echo 'user/(attach[a-z_]*|claim_map|interfaces|map_entries|owner_maps|orphans|pair_maps|rare_map|reader[a-z_]*|table)\.[ch]' ;;
	microhttpd.h) echo 'user/http\.c' ;;
	curl/*) echo 'user/otlp\.c' ;;
	pcap.h | pcap/*) echo 'user/pcap_source\.c' ;;
	*) echo '.*' ;;
	esac
}

includes_of() { sed -nE 's/^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"].*/\1/p' "$1"; }

check_includes() { # FILE ALLOWED
	local header
	includes_of "$1" | while read -r header; do
		if ! [[ $header =~ ^($2)$ ]]; then
			echo "$1 includes $header, which is not for this room"
		elif [[ $header == tests/* || $header == ../* ]]; then
			echo "$1 includes $header"
		fi
		# core/ of user files is named above; <core.h> of the system is not meant.
		[[ $1 == user/* ]] || continue
		[[ $1 =~ ^$(owners "$header")$ ]] || echo "$1 includes $header, which has one owner"
	done
}

for file in include/abi/*.h; do check_includes "$file" "$allowed_abi"; done >"$work/abi"
for file in include/core/*.h; do check_includes "$file" "$allowed_core"; done >"$work/core"
for file in include/kern/*.h; do check_includes "$file" "$allowed_kern"; done >"$work/kern"
for file in xdp/*.c tc/*.c; do check_includes "$file" "$allowed_door"; done >"$work/doors"
# The pattern of system headers would let core/ and kern/ through: they are looked at by name first.
for file in user/*.[ch]; do
	check_includes "$file" "$(allowed_user "$file")"
	includes_of "$file" | grep -E '^(core|kern)/' | while read -r header; do
		case $file:$header in
		*:core/count.h | *:core/histogram.h | *:core/labels.h | *:core/opener.h | *:core/seq.h | user/replay.c:core/monitor.h | user/table.c:core/table.h | user/reader*:core/expire.h | user/reader*:core/half_open.h | user/reader*:core/half_open_flow.h) ;;
		user/pair_maps.c:core/owner.h | user/pair_maps.c:core/pair.h | user/record.c:core/outcome.h) ;;
		user/pcap_source.h:core/frame.h | user/replay.h:core/frame.h) ;;
		*) echo "$file includes $header, which is not for this room" ;;
		esac
	done
done >"$work/user"
report "include/abi includes linux/types.h and abi only" "$work/abi"
report "include/core includes abi, core and packet headers only" "$work/core"
report "include/kern includes abi, core and BPF headers only" "$work/kern"
report "xdp and tc include kern only" "$work/doors"
report "user includes abi, the leaves and what each file owns" "$work/user"

# ---------------------------------------------------------------- headers alone

flags="-std=gnu11 -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -Iinclude -Iuser -Ibuild"
bpf_flags="-O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -Iinclude -I$arch_include"

compiles() { # HEADER COMPILER FLAGS...
	local header=$1
	shift
	# Twice: the guard holds.
	printf '#include "%s"\n#include "%s"\n' "$header" "$header" >"$work/alone.c"
	"$@" -c "$work/alone.c" -o "$work/alone.o" 2>"$work/alone" ||
		{ echo "$header does not compile alone: $*"; grep -m 3 error "$work/alone"; }
}

# host.h and aggregate.h name the services that a host of monitor.h has to bring, so it is tried with one that does
# nothing: whatever else it and its parts need must come from its own includes. The services are read from where they are declared.
services() {
	awk '/^static .*[ *]host_[a-z_]*\(/ { inside = 1; body = /^static void / ? " { }" : " { return 0; }" }
		inside && /;$/ { sub(/;$/, body); print; inside = 0; next }
		inside' include/core/aggregate.h include/core/host.h
}

hosted() { # FILE COMPILER FLAGS...
	local file=$1
	shift
	"$@" -Wno-unused-parameter -c "$file" -o "$work/alone.o" 2>"$work/alone"
}

check_hosted() { # COMPILER FLAGS...
	hosted "$work/host.c" "$@" ||
		{ echo "core/monitor.h does not compile with a host of its own: $*"; grep -m 3 error "$work/alone"; }
	if hosted "$work/forgetful.c" "$@"; then
		echo "a host without host_open_holes() compiles: $*"
	fi
}

{
	echo '#include "core/monitor.h"'
	services
	echo 'void host_frame(const struct frame *frame, struct packet *pkt);'
	echo 'void host_frame(const struct frame *frame, struct packet *pkt) { monitor_frame(frame, pkt); }'
} >"$work/host.c"
sed '/host_open_holes(/,/}/d' "$work/host.c" >"$work/forgetful.c"

for path in include/abi/*.h include/core/*.h; do
	header=${path#include/}
	[[ $header =~ ^core/(monitor|aggregate|host|report|beside|first_room)\.h$ ]] && continue
	compiles "$header" $CC $flags
	compiles "$header" $CLANG $bpf_flags
done >"$work/native"
report "each header of abi and core compiles alone, natively and for BPF" "$work/native"
{
	check_hosted $CC $flags
	check_hosted $CLANG $bpf_flags
} >"$work/hosted"
report "core/monitor.h needs its host's services and nothing else" "$work/hosted"
compiles kern/maps.h $CLANG $bpf_flags >"$work/maps"
compiles kern/host.h $CLANG $bpf_flags >>"$work/maps"
report "each header of kern compiles alone for BPF" "$work/maps"
for path in user/*.h; do
	compiles "${path#user/}" $CC $flags
done >"$work/users"
report "each header of user compiles alone" "$work/users"

# ---------------------------------------------------------------- what the verifier walks

# Kernels before 5.12 take functions apart with numbers and their own context alone, and no atomics that
# give something back; of the latter tests/vm/verifier.sh knows.
pointers_of() { # OBJECT
	bpftool btf dump file "$1" 2>/dev/null | awk '
		/^\[/ { id = $1; kind[id] = $2; name_of[id] = $3 }
		/^\[.* PTR / { at = $0; sub(/^.*type_id=/, "[", at); to[id] = at "]" }
		/^\[.* FUNC_PROTO / { proto = id; next }
		/^\t/ && kind[id] == "FUNC_PROTO" {
			if (!sub(/^.*type_id=/, "[")) next
			params[proto] = params[proto] " " $1 "]"
		}
		/^\[.* FUNC .*linkage=global/ { name = $3; sub(/^.* type_id=/, "["); sub(/ .*/, "]"); of[name] = $0 }
		END {
			for (name in of) {
				found++
				count = split(params[of[name]], list, " ")
				for (i = 1; i <= count; i++)
					if (kind[list[i]] == "PTR" && name_of[to[list[i]]] !~ /xdp_md|__sk_buff/)
						print name " takes a pointer"
			}
			if (found < 10) print "only " found + 0 " functions apart were found"
		}'
}
if ! command -v bpftool >/dev/null; then
	skip "functions apart of the form for old kernels take numbers alone" "no bpftool"
else
	pointers_of build/monitor_older.bpf.o >"$work/pointers"
	# A check that finds nothing anywhere would prove nothing.
	pointers_of build/monitor.bpf.o | grep -q track_segment ||
		echo "pointers of the other form are not seen" >>"$work/pointers"
	report "functions apart of the form for old kernels take numbers alone" "$work/pointers"
fi

check_verifier() { # MAX WHAT [OPTION]
	local program instructions stack
	if [ "$(id -u)" != 0 ]; then
		skip "the verifier walks at most $1 instructions of $2" \
			"loading BPF programs needs root"
		return
	fi
	if ! build/tests/walked ${3:-} >"$work/walked" 2>"$work/walked.err"; then
		report "the verifier takes $2" "$work/walked.err"
		return
	fi
	while read -r program instructions _ _ stack; do
		: >"$work/many"
		[ "$instructions" -le "$1" ] ||
			echo "$instructions instructions walked, at most $1 are good" >"$work/many"
		report "the verifier walks $instructions instructions of $program, $2" "$work/many"
		: >"$work/deep"
		[ "$stack" -gt 0 ] && [ "$stack" -le "$STACK_MAX" ] ||
			echo "$stack octets of stack (0: not known), Linux 6.1 takes $STACK_MAX" >"$work/deep"
		report "$program, $2, needs $stack octets of stack on Linux 6.1" "$work/deep"
	done <"$work/walked"
}
check_verifier "$WALKED_MAX" "the programs"
check_verifier 420000 "the form for old kernels" -o

# ---------------------------------------------------------------- what has become dearer

check_guard() {
	local verdict name sentence
	tests/bench/guard.sh >"$work/guard"
	while IFS=$'\t' read -r verdict name sentence; do
		: >"$work/dearer"
		case $verdict in
		skip) skip "no dearer than before: $name" "$sentence" ;;
		*)
			[ "$verdict" = ok ] || echo "$sentence" >"$work/dearer"
			report "no dearer than before: $name" "$work/dearer"
			;;
		esac
	done <"$work/guard"
}
check_guard

# ---------------------------------------------------------------- words

if ! command -v mandoc >/dev/null; then
	skip "the man page is well formed" "mandoc is missing; run: sudo make test-deps"
elif [ ! -e docs/ackmon.8 ]; then
	skip "the man page is well formed" "docs/ackmon.8 is not written yet"
else
	# Which other pages this machine has says nothing about ours.
	mandoc -Tlint docs/ackmon.8 2>&1 | grep -vE 'referenced manual not found|outdated mandoc.db' >"$work/man"
	report "the man page is well formed" "$work/man"
fi

# The first line, or the second behind a #!, names the licence; the next says what the file knows.
promise() { # FILE
	local licence after
	licence=$(head -n 2 "$1" | grep -n 'SPDX-License-Identifier: GPL-2.0-only' | cut -d: -f1)
	if [ -z "$licence" ]; then
		echo "$1: no SPDX line"
		return
	fi
	after=$(sed -n "$((licence + 1))p" "$1")
	[[ $after == '/*'* || $after == '#'* || $after == '"""'* ]] || echo "$1: no promise behind the SPDX line"
}

sources() {
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard
	else
		find . -path ./build -prune -o -type f -print | sed 's,^\./,,'
	fi | grep -E '\.(c|h|sh|py|mk)$|^Makefile$|^\.ci/run$' | sort -u
}

sources | while read -r path; do
	[ -e "$path" ] && promise "$path"
done >"$work/promises"
report "every source begins with its licence and a promise" "$work/promises"
sources | xargs grep -nIP '[^\x00-\x7f]' 2>/dev/null | cut -c 1-100 >"$work/ascii"
report "sources are plain ASCII" "$work/ascii"
# An update of a key that is there evicts others from a full LRU map, and starts a flow anew in the other.
grep -nE 'map_update_elem\(&(flows|half_open|claims)\b' include/kern/*.h | grep -v BPF_NOEXIST >"$work/updates"
report "connections are entered where none is, never over one" "$work/updates"

sources | xargs grep -nE '[[:blank:]]+$' 2>/dev/null | cut -c 1-100 >"$work/blanks"
report "no line of a source ends in blanks" "$work/blanks"

echo "1..$number"
exit $failed
