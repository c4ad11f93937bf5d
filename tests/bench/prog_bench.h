/* SPDX-License-Identifier: GPL-2.0-only */
/* What prog_bench.c asks of the rig in prog_bench.bpf.c. */
#ifndef ACKMON_PROG_BENCH_H
#define ACKMON_PROG_BENCH_H

#include <linux/types.h>

#define OPENER_BASE 0x0a000000u    /* 10.0.0.0 */
#define RESPONDER_ADDR 0x0ac80001u /* 10.200.0.1 */
#define RESPONDER_PORT 443
#define OPENER_PORTS 16384u /* flows share an address by so many */
#define OPENER_PORT_FIRST 1024

enum target {
	TARGET_EMPTY,
	TARGET_FLOOR,
	TARGET_OURS,
	TARGET_COUNT,
};

/* What one end sends on each of its turns; numbers count from that end's initial one. */
struct leg {
	__u32 seq;
	__u32 seq_step;
	__u32 ack;
	__u32 ack_step;
	__u32 from; /* 0: opener, 1: responder */
};

/* A run visits all its flows in scattered order, then again, and so on. */
struct drive {
	__u64 index;       /* packets driven so far */
	__u64 first_visit; /* of earlier runs: the timestamp clock goes on */
	__u32 first_flow;
	__u32 flow_mask; /* flows - 1; a power of two of them */
	__u32 flow_shift;
	__u32 scatter; /* odd; another one gives another order */
	__u32 both;    /* 0: leg[0] on all visits, 1: leg[0] and leg[1] take turns */
	__u32 target;  /* enum target */
	__u32 is_syn;  /* its timestamps stand where Linux has them in a SYN */
	struct leg leg[2];
};

/* The floor's whole state: one cache line. */
struct floor_flow {
	__u64 frames[2];
	__u64 bytes[2];
	__u32 next[2];
	__u32 ack[2];
	__u64 reserved[2];
};
_Static_assert(sizeof(struct floor_flow) == 64, "floor_flow is one cache line");

#endif
