/* SPDX-License-Identifier: GPL-2.0-only */
/* Which interface counts a connection that passes several that are watched. */
#ifndef ACKMON_ABI_CLAIM_H
#define ACKMON_ABI_CLAIM_H

#include <linux/types.h>

#define CLAIM_ALSO_MAX 6

/*
 * One for each connection, under its key without the interface. The first interface that saw it
 * claims it: for a connection seen from its SYN on that is the one nearest to the opener. The flows
 * of the others are marked (flow.secondary) and count in no total.
 */
struct claim {
	__u32 ifindex;              /* as in flow_key: of the flow that counts */
	__u32 opener_seq;           /* initial sequence number; valid with has_opener_seq */
	__u32 also[CLAIM_ALSO_MAX]; /* the other interfaces, in the order they came; 0: free */
	__u32 also_dropped;         /* more than that */
	__u8 has_opener_seq;
	__u8 reserved[3];
};
_Static_assert(sizeof(struct claim) == 40, "claim has no hidden padding");

#endif
