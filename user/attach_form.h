/* SPDX-License-Identifier: GPL-2.0-only */
/* The two forms of the programs, for kernels before 5.12 and since, and which of them this kernel takes. */
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

/* As monitor__open(). */
static inline struct monitor *form_open(bool is_older)
{
	struct monitor *monitor;
	int err;

	if (!is_older)
		return monitor__open();
	monitor = calloc(1, sizeof(*monitor));
	if (!monitor)
		return NULL;
	err = monitor__create_skeleton(monitor);
	if (!err) {
		monitor->skeleton->data = (void *)monitor_older__elf_bytes(&monitor->skeleton->data_sz);
		err = bpf_object__open_skeleton(monitor->skeleton, NULL);
	}
	if (err) {
		monitor__destroy(monitor);
		errno = -err;
		return NULL;
	}
	return monitor;
}

#endif
