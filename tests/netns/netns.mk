# SPDX-License-Identifier: GPL-2.0-only
# The programs of the namespace tests: the dropper and the traffic maker. Included by the Makefile.

NETNS_TOOLS := $(BUILD)/tests/dropper $(BUILD)/tests/traffic

$(BUILD)/tests/dropper.bpf.o: tests/netns/dropper.bpf.c tests/netns/dropper.h
	@mkdir -p $(@D)
	$(Q)echo '  BPF   ' $@; $(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/tests/dropper.skel.h: $(BUILD)/tests/dropper.bpf.o
	$(Q)echo '  SKEL  ' $@; $(BPFTOOL) gen skeleton $< name dropper_bpf >$@

$(BUILD)/tests/dropper: tests/netns/dropper.c tests/netns/dropper.h $(BUILD)/tests/dropper.skel.h
	$(Q)echo '  CC    ' $@; $(CC) $(CFLAGS_ALL) -I$(BUILD)/tests -o $@ $< $(LDLIBS_ALL)

$(BUILD)/tests/traffic: tests/netns/traffic.c
	@mkdir -p $(@D)
	$(Q)echo '  CC    ' $@; $(CC) $(CFLAGS_ALL) -pthread -o $@ $<
