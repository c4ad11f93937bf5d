/* SPDX-License-Identifier: GPL-2.0-only */
/* How long segments were inside this box, from the interface they came in by to the one they left by. */
#ifndef ACKMON_ABI_TRANSIT_H
#define ACKMON_ABI_TRANSIT_H

#include <linux/types.h>

#include "abi/key.h"

/*
 * When a segment came in. A later one whose tag falls on the same slot takes it over: the earlier one
 * is then not measured. Any CPU writes; the tag goes last, and comes first when it is read.
 */
struct transit_mark {
	__u64 tag; /* 0: free */
	__u64 time_ns;
};

#define TRANSIT_MARKS 65536

/* Of one direction of a connection, written by the frames of that direction as they leave. */
struct transit {
	__u64 samples;
	__u64 sum_ns;
	__u64 min_ns;
	__u64 max_ns;
};

/* Of which side of a connection, whatever the interface: flow.ifindex is 0. */
struct transit_key {
	struct flow_key flow;
	__u32 direction;
	__u32 reserved;
};
_Static_assert(sizeof(struct transit_key) == 48, "transit_key has no hidden padding");

#endif
