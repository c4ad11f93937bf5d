# SPDX-License-Identifier: GPL-2.0-only
# bash completion of ackmon: verbs, options and the words some options take.

_ackmon() {
	local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words=
	COMPREPLY=()
	case $before in
	-i | --interface) words="all $(ls /sys/class/net 2>/dev/null)" ;;
	-m | --mode) words='auto native native-vlan skb tc' ;;
	-o | --output) words='table wide csv ndjson pairs pairs,csv pairs,ndjson' ;;
	--decap) words='all ipip sit 4in6 6in6 gre erspan vxlan vxlan-gpe geneve gtp-u l2tpv3 teredo' ;;
	--netns) words=$(ls /run/netns 2>/dev/null) ;;
	-Z | --relinquish-privileges) words=$(compgen -u) ;;
	--group) words=$(compgen -g) ;;
	-r | --read | -w | --write | --labels | --geoip | --textfile | --bpffs)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	*)
		if [[ $cur == -* ]]; then
			words='-i -r -o -j -H -e -w -I -c -m -n -D -Z -v -q -V -h
				--interface --read --output --ndjson --no-header --fields --write --append --interval --count --mode
				--numeric --list-interfaces --relinquish-privileges --duration --events --bpffs --group --look --labels --geoip
				--decap --netns --transit --flows --half-open --holes --histograms --idle-timeout
				--half-open-timeout --closed-timeout --max-series --listen --textfile --otlp --export-interval
				--verbose --quiet --version --help'
		elif [ "$COMP_CWORD" = 1 ]; then
			words='attach status detach'
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o default -F _ackmon ackmon
