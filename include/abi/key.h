/* SPDX-License-Identifier: GPL-2.0-only */
/* What names a flow: two addresses, two ports and the interface they were seen on. */
#ifndef ACKMON_ABI_KEY_H
#define ACKMON_ABI_KEY_H

#include <linux/types.h>

struct ip_addr {
	union { /* network order; IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2) */
		__u8 bytes[16];
		__be32 words_be32[4];
	};
};

/*
 * Interfaces of other network namespaces are numbered there as ours are here: the namespace's number
 * stands above theirs.
 */
#define KEY_NETNS_SHIFT 24

struct flow_key { /* canonical: the lower (address, port) comes first */
	struct ip_addr addr[2];
	__be16 port_be16[2];
	__u32 ifindex; /* and namespace; 0 in replay */
} __attribute__((aligned(8))); /* they are hashed and compared by eights */
_Static_assert(sizeof(struct flow_key) == 40, "flow_key has no hidden padding");

#endif
