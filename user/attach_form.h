/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The forms of the programs: for kernels before 5.12 and since, and which of the two this kernel takes; and XDP
 * with the tag in its metadata, for one interface.
 */
#ifndef ACKMON_ATTACH_FORM_H
#define ACKMON_ATTACH_FORM_H

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "abi/config.h"
#include "monitor.skel.h"
#include "monitor_older.skel.h"
#include "monitor_vlan.skel.h"

/* Does it know atomics that give something back? They came with functions that take pointers. */
static inline bool form_is_older(void)
{
	static int answer = -1;
	static const struct bpf_insn insns[] = {
		{.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = BPF_REG_10,
		 .src_reg = BPF_REG_1, .off = -8, .imm = BPF_ADD | BPF_FETCH},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd;

	if (answer >= 0)
		return answer;
	fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "atomics", "GPL", insns,
			   sizeof(insns) / sizeof(insns[0]), NULL);
	answer = fd == -EINVAL || fd == -EACCES; /* and not: no rights, no memory */
	if (fd >= 0)
		close(fd);
	return answer;
}

/* What is set before loading lies at the same place in both; maps and programs are found by name. */
_Static_assert(sizeof(*((struct monitor *)0)->rodata) == sizeof(*((struct monitor_older *)0)->rodata) &&
	       sizeof(*((struct monitor *)0)->bss) == sizeof(*((struct monitor_older *)0)->bss) &&
	       sizeof(((struct monitor *)0)->maps) == sizeof(((struct monitor_older *)0)->maps),
	       "both forms have the same constants and maps");
_Static_assert(offsetof(__typeof__(*((struct monitor *)0)->rodata), config) ==
		       offsetof(__typeof__(*((struct monitor_vlan *)0)->rodata), config) &&
	       sizeof(((struct monitor *)0)->maps) == sizeof(((struct monitor_vlan *)0)->maps),
	       "XDP alone has the same maps, and its configuration at the same place");

/* Its one program is XDP, under the name it has there. */
static inline void form_only_xdp(struct monitor *monitor, const char *name)
{
	struct bpf_object_skeleton *skeleton = monitor->skeleton;

	for (int i = 0; i < skeleton->prog_cnt; i++)
		if (skeleton->progs[i].prog == &monitor->progs.ackmon_xdp)
			skeleton->progs[0] = skeleton->progs[i];
	skeleton->progs[0].name = name;
	skeleton->prog_cnt = 1;
}

/* As monitor__open(), of another form's object. */
static inline struct monitor *form_open_object(const void *elf, size_t elf_bytes, const char *only_xdp)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));
	int err;

	if (!monitor)
		return NULL;
	err = monitor__create_skeleton(monitor);
	if (!err) {
		if (only_xdp)
			form_only_xdp(monitor, only_xdp);
		monitor->skeleton->data = (void *)elf;
		monitor->skeleton->data_sz = elf_bytes;
		err = bpf_object__open_skeleton(monitor->skeleton, NULL);
	}
	if (err) {
		monitor__destroy(monitor);
		errno = -err;
		return NULL;
	}
	return monitor;
}

static inline struct monitor *form_open(bool is_older)
{
	size_t elf_bytes;
	const void *elf;

	if (!is_older)
		return monitor__open();
	elf = monitor_older__elf_bytes(&elf_bytes);
	return form_open_object(elf, elf_bytes, NULL);
}

/* progs.ackmon_xdp is its only one; it takes an interface to be loaded. */
static inline struct monitor *form_open_vlan(void)
{
	size_t elf_bytes;
	const void *elf = monitor_vlan__elf_bytes(&elf_bytes);

	return form_open_object(elf, elf_bytes, "ackmon_xdp_vlan");
}

#endif
