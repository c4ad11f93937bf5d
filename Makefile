# SPDX-License-Identifier: GPL-2.0-only
# Builds everything under build/; `make help` lists the verbs.

PREFIX ?= /usr/local
DESTDIR ?=
BUILD := build
Q := $(if $(V),,@)
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/bin/bpftool) bpftool)
VERSION := 0.1.0

LIBS := libbpf libxdp libpcap libelf zlib libzstd nettle libmicrohttpd libcurl libseccomp libmaxminddb
CFLAGS ?= -O2 -g
# An error where we build (.ci/run); a compiler that came later and warns of more keeps nobody from building.
WERROR ?=
WARNINGS := -Wall -Wextra $(WERROR)
CPPFLAGS += -D_GNU_SOURCE -DACKMON_VERSION=\"$(VERSION)\" -Iinclude -Iuser -I$(BUILD)
CFLAGS_ALL = -std=gnu11 $(CFLAGS) $(WARNINGS) $(CPPFLAGS) $(shell pkg-config --cflags $(LIBS))
LDLIBS_ALL = $(LDFLAGS) $(shell pkg-config --libs $(LIBS)) -lm
ARCH_INCLUDE := -I/usr/include/$(shell uname -m)-linux-gnu
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 $(WARNINGS) -Iinclude $(ARCH_INCLUDE)


BUILD_PACKAGES := gcc make pkg-config clang llvm bpftool libc6-dev linux-libc-dev libbpf-dev libxdp-dev \
	libpcap-dev libelf-dev zlib1g-dev libzstd-dev nettle-dev libmicrohttpd-dev libcurl4-openssl-dev libseccomp-dev libmaxminddb-dev iproute2
TEST_PACKAGES := prometheus curl libcmocka-dev python3 tcpdump iperf3 mandoc procps util-linux zstd logrotate valgrind
METRICS_PACKAGES := nginx-light wrk
BENCH_PACKAGES := tcptrace tshark nfdump
VM_PACKAGES := debootstrap e2fsprogs xdp-tools qemu-system-x86 busybox-static cpio kmod xz-utils zstd binutils wireguard-tools

USER_OBJECTS := $(patsubst user/%.c,$(BUILD)/user/%.o,$(wildcard user/*.c))
LIBRARY := $(BUILD)/libackmon.a
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*_test.c))

# Behind the variables their rules depend on.
include tests/netns/netns.mk
include tests/kernel/kernel.mk

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all help deps test-deps vm-deps metrics-deps bench-deps run demo test test-programs unit check check-production check-verifier check-differential check-truth bench update-golden install uninstall clean

all: $(BUILD)/ackmon

help:
	@echo 'make                 build $(BUILD)/ackmon'
	@echo 'make deps            install what building needs (Debian, Ubuntu; root)'
	@echo 'sudo make run        install, build, then watch the default-route interface; IFACE=... another'
	@echo 'sudo make demo       two hosts and a lossy router in namespaces, what ackmon says of them'
	@echo 'sudo make test       every test; parts that need root skip without it'
	@echo 'make unit            the unit tests alone'
	@echo 'make check           who includes whom, headers alone, the verifier, the man page'
	@echo 'sudo make check-production  long forms: interfaces by the thousand, frames by the million, floods, clocks (qemu)'
	@echo 'sudo make check-verifier Linux 5.10 to 6.18 take what clang 14, 16 and 19 make (in qemu)'
	@echo 'sudo make check-differential  10 million frames through programs and core; FRAMES=n FIRST=n'
	@echo 'sudo make check-truth    captures and live stacks against the kernels and the oracle; SEED=n'
	@echo 'sudo make check-fresh    Debian 12 and 13 with nothing in them: the commands of README.md, tests, package'
	@echo 'sudo make check-systemd  the package and its unit under a real systemd, in qemu'
	@echo 'make check-threads   replay by two threads under ThreadSanitizer'
	@echo 'make check-kernels   the programs on Debian'"'"'s kernels 5.10, 6.1, 6.12 and the newest, in qemu'
	@echo 'sudo make check-metrics  a live ackmon scraped by Prometheus, the alert rules, the long form'
	@echo 'make bench           costs beside an empty program, libpcap and tcptrace'
	@echo 'sudo make bench-live     what is left of a link'"'"'s rate while it is watched'
	@echo 'make bench-guard-update   take what programs and replay cost today as accepted (say why in the commit)'
	@echo 'make update-golden NAME=...   take today'"'"'s output as expected (say why in the commit)'
	@echo 'make install         into $$(DESTDIR)$$(PREFIX); make uninstall takes it out again'
	@echo 'make deb             a Debian package in $(BUILD)/'
	@echo 'make clean           remove $(BUILD)/'

# ---------------------------------------------------------------- packages

# $(call install,PACKAGES): only what is missing, and only where there is an apt-get to do it.
define install
	@if command -v dpkg-query >/dev/null; then \
		missing=$$(for p in $(1); do \
			dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || echo $$p; \
		done); \
		if [ -n "$$missing" ]; then \
			if [ "$$(id -u)" != 0 ]; then \
				echo "missing packages:" $$missing; \
				echo "install them with: sudo make $@"; exit 1; \
			fi; \
			echo "installing:" $$missing; \
			apt-get update -qq >/dev/null 2>&1; \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing \
				>/dev/null || exit 1; \
		fi; \
	else \
		echo "not a Debian or Ubuntu; please see that these are there: $(1)"; \
	fi
endef

deps:
	$(call install,$(BUILD_PACKAGES))

# The fuzzers need the runtime of whatever clang there is.
test-deps: deps
	$(call install,$(TEST_PACKAGES) libclang-rt-$$($(CLANG) -dumpversion | cut -d. -f1)-dev)

# Other kernels, and those other compilers this release has; the kernels themselves are fetched by the tests.
vm-deps: deps
	$(call install,$(VM_PACKAGES) $$(apt-cache pkgnames clang- 2>/dev/null | grep -xE 'clang-(14|16|19)'))

# A web server and what keeps it busy; not for `make test`, for installing a server may start it.
metrics-deps: test-deps
	$(call install,$(METRICS_PACKAGES))

bench-deps: test-deps
	$(call install,$(BENCH_PACKAGES))

# ---------------------------------------------------------------- programs

$(BUILD)/%.bpf.o: %/monitor.bpf.c
	@mkdir -p $(@D)
	$(Q)echo '  BPF   ' $@; $(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/monitor.bpf.o: $(BUILD)/xdp.bpf.o $(BUILD)/tc.bpf.o
	$(Q)echo '  LINK  ' $@; $(BPFTOOL) gen object $@ $^

# The form for kernels before 5.12, see core/compiler.h.
$(BUILD)/%.older.bpf.o: %/monitor.bpf.c
	@mkdir -p $(@D)
	$(Q)echo '  BPF   ' $@; $(CLANG) $(BPF_CFLAGS) -DACKMON_OLDER -MMD -MP -c $< -o $@

$(BUILD)/monitor_older.bpf.o: $(BUILD)/xdp.older.bpf.o $(BUILD)/tc.older.bpf.o
	$(Q)echo '  LINK  ' $@; $(BPFTOOL) gen object $@ $^

# The form that reads the tag in XDP metadata: each copy is bound to one interface, and of XDP alone.
$(BUILD)/%.vlan.bpf.o: %/monitor.bpf.c
	@mkdir -p $(@D)
	$(Q)echo '  BPF   ' $@; $(CLANG) $(BPF_CFLAGS) -DACKMON_VLAN -MMD -MP -c $< -o $@

$(BUILD)/monitor_vlan.bpf.o: $(BUILD)/xdp.vlan.bpf.o
	$(Q)echo '  LINK  ' $@; $(BPFTOOL) gen object $@ $^

$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(Q)echo '  SKEL  ' $@; $(BPFTOOL) gen skeleton $< name $* >$@

$(BUILD)/user/%.o: user/%.c
	@mkdir -p $(@D)
	$(Q)echo '  CC    ' $@; $(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

# Made before the first file that includes them; after that the .d files say who does.
$(USER_OBJECTS): | $(BUILD)/monitor.skel.h $(BUILD)/monitor_older.skel.h $(BUILD)/monitor_vlan.skel.h

$(LIBRARY): $(filter-out $(BUILD)/user/main.o,$(USER_OBJECTS))
	$(Q)echo '  AR    ' $@; $(AR) rcs $@ $^

$(BUILD)/ackmon: $(BUILD)/user/main.o $(LIBRARY)
	$(Q)echo '  LINK  ' $@; $(CC) $(CFLAGS) -o $@ $^ $(LDLIBS_ALL)

# Without optimisation, for most of the time goes into compiling the core once more; the library is as it is shipped.
$(BUILD)/unit/%: tests/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(Q)echo '  CC    ' $@; $(CC) $(CFLAGS_ALL) -O0 -Itests/unit -MMD -MP -o $@ $< $(LIBRARY) $(LDLIBS_ALL) -lcmocka

-include $(wildcard $(BUILD)/*.d $(BUILD)/*/*.d)

# ---------------------------------------------------------------- verbs

run: deps
	@$(MAKE) --no-print-directory all
	$(BUILD)/ackmon -i $(or $(IFACE),$(shell ip route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1),lo)

demo: deps
	@$(MAKE) --no-print-directory all $(NETNS_TOOLS)
	tests/netns/demo.sh

test-programs: all $(UNIT_TESTS) $(NETNS_TOOLS) $(KERNEL_TOOLS)

unit: $(UNIT_TESTS)
	tests/run.sh unit

test:
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory test-deps; fi
	@$(MAKE) --no-print-directory test-programs
	tests/run.sh

check: all $(KERNEL_TOOLS)
	tests/check.sh

.PHONY: bench-guard-update
bench-guard-update: all $(KERNEL_TOOLS)
	tests/bench/guard.sh --update

check-production: all $(NETNS_TOOLS) $(KERNEL_TOOLS)
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory vm-deps; fi
	tests/production.sh

check-verifier: all $(KERNEL_TOOLS)
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory vm-deps; fi
	tests/vm/verifier.sh

check-differential: all $(KERNEL_TOOLS)
	tests/kernel/differential_test.sh $(or $(FRAMES),10000000) $(or $(FIRST),1)

check-metrics: all $(NETNS_TOOLS)
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory metrics-deps; fi
	tests/metrics/metrics_test.py --long
	tests/metrics/churn_test.py 20 5
	tests/metrics/kept_test.py 40
	tests/metrics/export_test.py
	tests/metrics/owners_test.py
	tests/metrics/scale_test.py
	promtool check rules docs/metrics/alerts.yml
	promtool test rules docs/metrics/alerts_test.yml

check-truth: all $(NETNS_TOOLS) $(KERNEL_TOOLS)
	tests/truth/run_captures.py -v
	tests/truth/run_simulated.py -a -k $(BUILD)/simulated
	tests/kernel/run_parity.sh $(BUILD)/simulated/*_1.pcap
	CAPTURE=$${CAPTURE-1} tests/truth/live_matrix.sh

.PHONY: check-threads
check-threads: all
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory test-deps; fi
	tests/threads.sh

.PHONY: check-fresh
check-fresh:
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory vm-deps; fi
	tests/vm/fresh_machine.sh $(SUITES)

.PHONY: check-systemd
check-systemd: all $(NETNS_TOOLS)
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory vm-deps; fi
	tests/vm/systemd_test.sh

.PHONY: check-kernels
check-kernels:
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory test-deps vm-deps; fi
	@$(MAKE) --no-print-directory test-programs
	tests/vm/check_kernels.sh

bench:
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory bench-deps; fi
	@$(MAKE) --no-print-directory test-programs
	tests/bench/run.sh

.PHONY: bench-live
bench-live: all $(KERNEL_TOOLS)
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory test-deps; fi
	tests/bench/live.sh

update-golden: all
	tests/golden/run.sh --update $(NAME)

# The default file is its owner's once it is there: only one nobody changed goes with the rest.
PACKAGING := user/packaging
SYSCONFDIR ?= /etc
SBIN := $(DESTDIR)$(PREFIX)/sbin/ackmon
MAN := $(DESTDIR)$(PREFIX)/share/man/man8/ackmon.8
UNIT := $(DESTDIR)$(PREFIX)/lib/systemd/system/ackmon.service
COMPLETION := $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ackmon
LOGROTATE := $(DESTDIR)$(SYSCONFDIR)/logrotate.d/ackmon
DEFAULT := $(DESTDIR)$(SYSCONFDIR)/default/ackmon

install: all
	install -D -m 755 $(BUILD)/ackmon $(SBIN)
	install -D -m 644 docs/ackmon.8 $(MAN)
	install -D -m 644 $(PACKAGING)/ackmon.service $(UNIT)
	sed -i 's|/usr/sbin/|$(PREFIX)/sbin/|' $(UNIT)
	install -D -m 644 $(PACKAGING)/ackmon.bash $(COMPLETION)
	install -D -m 644 $(PACKAGING)/ackmon.logrotate $(LOGROTATE)
	test -e $(DEFAULT) || install -D -m 644 $(PACKAGING)/ackmon.default $(DEFAULT)

uninstall:
	rm -f $(SBIN) $(MAN) $(UNIT) $(COMPLETION) $(LOGROTATE)
	@if cmp -s $(PACKAGING)/ackmon.default $(DEFAULT); then rm -f $(DEFAULT); \
	elif [ -e $(DEFAULT) ]; then echo '$(DEFAULT) was changed and stays'; fi

.PHONY: deb
deb: all
	$(PACKAGING)/make_deb.sh $(VERSION) $(BUILD)

clean:
	rm -rf $(BUILD)
