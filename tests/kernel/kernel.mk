# SPDX-License-Identifier: GPL-2.0-only
# The programs of the kernel tests. Included by the Makefile.

KERNEL_TOOLS := $(BUILD)/tests/rehearse $(BUILD)/tests/walked $(BUILD)/tests/differ $(BUILD)/tests/same_bytes $(BUILD)/tests/flood $(BUILD)/tests/neighbour \
	$(BUILD)/tests/two_cpus $(BUILD)/tests/foreign.bpf

$(BUILD)/tests/%: tests/kernel/%.c tests/kernel/programs.c tests/kernel/programs.h $(LIBRARY) $(BUILD)/monitor.skel.h $(BUILD)/monitor_older.skel.h $(BUILD)/monitor_vlan.skel.h
	@mkdir -p $(@D)
	$(Q)echo '  CC    ' $@; $(CC) $(CFLAGS_ALL) -MMD -MP -o $@ $< tests/kernel/programs.c $(LIBRARY) $(LDLIBS_ALL)

$(BUILD)/tests/feeder.bpf.o: tests/kernel/feeder.bpf.c tests/kernel/feeder.h include/abi/config.h
	@mkdir -p $(@D)
	$(Q)echo '  BPF   ' $@; $(CLANG) $(BPF_CFLAGS) -Itests/kernel -c $< -o $@

$(BUILD)/tests/feeder.skel.h: $(BUILD)/tests/feeder.bpf.o
	$(Q)echo '  SKEL  ' $@; $(BPFTOOL) gen skeleton $< name feeder >$@

DIFFER_SOURCES := $(wildcard tests/kernel/differ*.c tests/kernel/scene*.c) tests/kernel/programs.c
$(BUILD)/tests/differ: $(DIFFER_SOURCES) $(wildcard tests/kernel/*.h) $(BUILD)/tests/feeder.skel.h $(LIBRARY) \
		$(BUILD)/monitor.skel.h $(BUILD)/monitor_older.skel.h $(BUILD)/monitor_vlan.skel.h
	$(Q)echo '  CC    ' $@; $(CC) $(CFLAGS_ALL) -I$(BUILD)/tests -o $@ $(DIFFER_SOURCES) $(LIBRARY) $(LDLIBS_ALL)

$(BUILD)/tests/flood.bpf.o: tests/kernel/flood.bpf.c tests/kernel/flood.h
	@mkdir -p $(@D)
	$(Q)echo '  BPF   ' $@; $(CLANG) $(BPF_CFLAGS) -Itests/kernel -c $< -o $@

$(BUILD)/tests/flood.skel.h: $(BUILD)/tests/flood.bpf.o
	$(Q)echo '  SKEL  ' $@; $(BPFTOOL) gen skeleton $< name flood >$@

$(BUILD)/tests/flood: tests/kernel/flood.c tests/kernel/flood.h $(BUILD)/tests/flood.skel.h
	$(Q)echo '  CC    ' $@; $(CC) $(CFLAGS_ALL) -Itests/kernel -I$(BUILD)/tests -o $@ $< $(LDLIBS_ALL)

# Not called an object: tests/vm/run.sh takes it along.
$(BUILD)/tests/foreign.bpf: tests/kernel/foreign.bpf.c
	@mkdir -p $(@D)
	$(Q)echo '  BPF   ' $@; $(CLANG) $(BPF_CFLAGS) -c $< -o $@
