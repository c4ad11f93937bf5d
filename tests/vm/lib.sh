# SPDX-License-Identifier: GPL-2.0-only
# Other kernels: fetches them as packages, packs a small system around our programs, boots it in qemu. To be sourced.
#
#   vm_debian SUITE NAME PACKAGES  a minimal Debian with these as $VM_CACHE/SUITE-NAME.tar, or the reason why not
#   vm_fetch 5.10|newest           the newest image of that series into $VM_CACHE/5.10, or the reason why not
#   vm_tree DIR FILE...            a root with busybox and these programs, each with the libraries it wants
#   vm_modules 5.10 DIR NAME...    these modules, and what they need, into DIR/modules in loading order
#   vm_boot 5.10 DIR COMMAND...    runs it there as root; its output and its exit code are this function's
#
# Nothing is installed: packages are unpacked where they lie, and apt keeps its lists beside them.

VM_CACHE=${VM_CACHE:-build/vm}
VM_SECONDS=${VM_SECONDS:-120} # a machine that takes longer hangs
VM_MEGABYTES=${VM_MEGABYTES:-768}
VM_ACCEL=${VM_ACCEL:-tcg} # kvm inside a virtual machine seldom holds

# Of the sources of this machine; nothing when none of them is Debian's.
vm_mirror() {
	apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m 1 '/debian/*$' | sed 's,/*$,,'
}

# $VM_CACHE/SUITE-NAME.tar: a minimal Debian with these packages. 0, or 1 with a sentence on stdout.
vm_debian() { # SUITE NAME PACKAGE,...
	local tar=$VM_CACHE/$1-$2.tar root site script=
	[ -e "$tar" ] && [ "$(cat "$tar.packages" 2>/dev/null)" = "$3" ] && return 0
	site=$(vm_mirror)
	if [ -z "$site" ]; then
		echo "Debian $1: this machine knows no mirror of Debian"
		return 1
	fi
	mkdir -p "$VM_CACHE"
	root=$(mktemp -d "$VM_CACHE/$1.XXXXXX")
	chmod 755 "$root" # the tar tells what may go through the root of that machine
	# A release this debootstrap has not heard of is made like the last it has.
	[ -e "/usr/share/debootstrap/scripts/$1" ] || script=/usr/share/debootstrap/scripts/sid
	if ! unshare --mount debootstrap --variant=minbase --include="$3" "$1" "$root" "$site" $script \
		>"$tar.log" 2>&1; then
		echo "Debian $1: debootstrap makes none from $site: $(grep '^E:' "$tar.log" | tail -n 1)"
		rm -rf "$root"
		return 1
	fi
	rm -f "$root"/var/cache/apt/archives/*.deb
	tar -C "$root" --one-file-system -cf "$tar.$$" . && mv "$tar.$$" "$tar" && echo "$3" >"$tar.packages"
	rm -rf "$root" "$tar.log"
	[ -e "$tar" ]
}

# The releases that carry, or carried, the kernels we are tried with.
vm_sources() {
	local suite site keys=/usr/share/keyrings/debian-archive-keyring.gpg
	site=$(vm_mirror)
	[ -n "$site" ] || return 0 # nothing to be had
	for suite in bullseye bookworm bookworm-backports trixie trixie-backports sid; do
		echo "deb [arch=amd64 signed-by=$keys] $site $suite main"
	done
	for suite in bullseye bookworm trixie; do
		echo "deb [arch=amd64 signed-by=$keys] $site-security $suite-security main"
	done
}

# apt with lists of its own: what the machine itself has installed stays as it is.
vm_apt() {
	local top
	mkdir -p "$VM_CACHE/apt/lists/partial" "$VM_CACHE/apt/cache/archives/partial"
	top=$(realpath "$VM_CACHE/apt")
	[ -e "$top/sources.list" ] || vm_sources >"$top/sources.list"
	{
		echo "Dir::Etc::sourcelist \"$top/sources.list\"; Dir::Etc::sourceparts \"-\";"
		echo "Acquire::Languages \"none\"; APT::Architecture \"amd64\"; APT::Architectures \"amd64\";"
		echo "Dir::State::lists \"$top/lists\"; Dir::Cache \"$top/cache\"; APT::Sandbox::User \"root\";"
	} >"$top/apt.conf"
	APT_CONFIG=$top/apt.conf "$@"
}

vm_newest() { # SERIES, or "newest" of all; SERIES-full: not the small kernel for clouds, but the one with all drivers
	local pattern="^linux-image-${1//./\\.}(\.[0-9]+)?[-+].*-cloud-amd64\$"
	[[ $1 == *-full ]] && pattern="^linux-image-$(sed 's/-full$//; s/\./\\./g' <<<"$1")(\.[0-9]+)?[-+](deb)?[0-9]+-amd64\$"
	[ "$1" = newest ] && pattern='^linux-image-[0-9].*-cloud-amd64$'
	vm_apt apt-cache pkgnames linux-image 2>/dev/null | grep -E "$pattern" | sort -V | tail -n 1
}

# Newer kernels come in parts, which one package of their name asks for.
vm_parts() { # PACKAGE
	echo "$1"
	vm_apt apt-cache depends "$1" 2>/dev/null | sed -n 's/^ *Depends: \(linux-\(modules\|binary\)-.*\)/\1/p'
}

vm_unpack() { # DIR PACKAGE
	(cd "$1" && VM_CACHE=$cache vm_apt timeout 300 apt-get download -qq "$2" >fetch.log 2>&1) &&
		dpkg-deb -x "$1/$2"_*.deb "$1" && rm -f "$1/$2"_*.deb
}

# 0, or 1 with a sentence on stdout.
vm_fetch() { # SERIES
	local series=$1 package part image dir=$VM_CACHE/$1 cache
	[ -e "$dir/vmlinuz" ] && return 0
	if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
		echo "Linux $series: no apt here to fetch it with"
		return 1
	fi
	mkdir -p "$VM_CACHE"
	cache=$(realpath "$VM_CACHE")
	package=$(vm_newest "$series")
	if [ -z "$package" ]; then
		# A suite that is gone is no reason to miss the others.
		vm_apt timeout 300 apt-get update -qq >/dev/null 2>&1
		package=$(vm_newest "$series")
	fi
	if [ -z "$package" ]; then
		echo "Linux $series: the mirror has no package linux-image-$series*-cloud-amd64, or cannot be reached"
		return 1
	fi
	mkdir -p "$dir"
	for part in $(vm_parts "$package"); do
		vm_unpack "$dir" "$part" && continue
		echo "Linux $series: $part could not be fetched: $(tail -n 1 "$dir/fetch.log")"
		return 1
	done
	for image in "$dir"/boot/vmlinuz-* "$dir"/usr/lib/modules/*/vmlinuz; do
		[ -e "$image" ] && ln -sf "${image#"$dir"/}" "$dir/vmlinuz"
	done
	[ -e "$dir/vmlinuz" ]
}

vm_tree() { # DIR FILE...
	local dir=$1 file library
	shift
	mkdir -p "$dir"/{bin,dev,proc,sys,run,tmp,etc}
	cp "$(command -v busybox)" "$dir/bin/busybox"
	for file in "$@"; do
		cp "$file" "$dir/bin/"
		ldd "$file" 2>/dev/null | grep -oE '/[^ ]+' | while read -r library; do
			mkdir -p "$dir$(dirname "$library")"
			cp -L "$library" "$dir$library"
		done
	done
}

vm_modules() { # SERIES DIR NAME...
	local series=$1 dir=$2 top module path
	shift 2
	top=$(echo "$VM_CACHE/$series"/lib/modules/* "$VM_CACHE/$series"/usr/lib/modules/*)
	for path in $top; do [ -d "$path/kernel" ] && top=$path; done
	[ -e "$top/modules.dep.bin" ] || depmod -b "${top%/lib/modules/*}" "${top##*/}" 2>/dev/null
	mkdir -p "$dir/modules"
	for module in "$@"; do
		modprobe -d "${top%/lib/modules/*}" -S "${top##*/}" --show-depends "$module" 2>/dev/null |
			sed -n 's/^insmod \([^ ]*\).*/\1/p'
	done | awk '!seen[$0]++' | while read -r path; do
		module=$(basename "$path")
		case $path in
		*.xz) xz -dc "$path" >"$dir/modules/${module%.xz}" ;;
		*.zst) zstd -dcq "$path" >"$dir/modules/${module%.zst}" ;;
		*) cp "$path" "$dir/modules/" ;;
		esac
		module=${module%.xz}
		echo "${module%.zst}" >>"$dir/modules/order"
	done
}

# The first program of the machine. What the command said goes out between two lines of ours: the
# firmware and the kernel speak on the same wire.
vm_init() { # COMMAND...
	cat <<'EOS'
#!/bin/busybox sh
export PATH=/sbin:/usr/sbin:/bin:/usr/bin LC_ALL=C
/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s /bin
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
[ -e /modules/order ] && while read -r module; do insmod "/modules/$module"; done </modules/order
ulimit -l unlimited
echo; echo "vm: begin"
EOS
	printf '%q ' "$@"
	cat <<'EOS'

code=$?
echo; echo "vm: end $code"
poweroff -f
EOS
}

vm_boot() { # SERIES DIR COMMAND...
	local series=$1 dir=$2 log
	shift 2
	vm_init "$@" >"$dir/init"
	chmod 755 "$dir/init"
	(cd "$dir" && find . | cpio -o -H newc --quiet 2>/dev/null) | gzip -1 >"$dir.cpio.gz"
	log=$dir.log
	timeout "$VM_SECONDS" qemu-system-x86_64 -accel "$VM_ACCEL" -cpu max -m "$VM_MEGABYTES" -nographic \
		-no-reboot -append "console=ttyS0 quiet panic=-1 rdinit=/init" -kernel "$VM_CACHE/$series/vmlinuz" \
		-initrd "$dir.cpio.gz" </dev/null 2>&1 | tr -d '\r' >"$log"
	rm -f "$dir.cpio.gz"
	sed -n '/^vm: begin$/,/^vm: end /p' "$log" | sed '1d; $d' | sed '$ { /^$/d }'
	if ! grep -q '^vm: end ' "$log"; then
		echo "Linux $series did not come to its end within $VM_SECONDS s; its last words:"
		tail -n 5 "$log"
		return 1
	fi
	return "$(sed -n 's/^vm: end \([0-9]*\)$/\1/p' "$log" | tail -n 1)"
}
