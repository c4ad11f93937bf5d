# SPDX-License-Identifier: GPL-2.0-only
# The programs of the kernel tests. Included by the Makefile.

KERNEL_TOOLS := $(BUILD)/tests/rehearse $(BUILD)/tests/walked

$(BUILD)/tests/%: tests/kernel/%.c tests/kernel/programs.c tests/kernel/programs.h $(LIBRARY) $(BUILD)/monitor.skel.h
	@mkdir -p $(@D)
	$(Q)echo '  CC    ' $@; $(CC) $(CFLAGS_ALL) -MMD -MP -o $@ $< tests/kernel/programs.c $(LIBRARY) $(LDLIBS_ALL)
