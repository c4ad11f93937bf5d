/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose socket an end of this host is: from the cgroup to a namespace, and what waits until a flow is counted. */
#ifndef ACKMON_ABI_OWNER_H
#define ACKMON_ABI_OWNER_H

#include <linux/types.h>

/*
 * The reader says which cgroup has which owner: the number of the group that has the owner's namespace, is
 * inside, and has no region. One whose cgroup gives no namespace has OWNER_NONE.
 */
#define OWNER_NONE 0u
#define OWNERS_MAX 65536u /* cgroups told, and as many pairs of owner and group */

/* Which group an end is in whose address has a group without a namespace; other groups stay as they are. */
struct owner_key {
	__u32 owner;
	__u32 group;
};

#define OWNER_MARKS 7
#define OWNER_PLACES 16384u

/*
 * The cgroup of a socket is known as its SYN or SYN-ACK leaves, and asked for when the connection has proved
 * itself, a round trip later. Meanwhile it is here: by a hash of the key and the direction, of which the low
 * bits are the place and the high half stands before the cgroup in a mark, so that one store writes both.
 * The oldest mark of a place goes when there is no room.
 */
struct owner_place {
	__u32 next; /* the oldest mark, if there is one; past the end stands for the first */
	__u32 reserved;
	__u64 mark[OWNER_MARKS]; /* 0: free */
};
_Static_assert(sizeof(struct owner_place) == 64, "owner_place is a cache line");

#endif
