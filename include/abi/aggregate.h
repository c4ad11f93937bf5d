/* SPDX-License-Identifier: GPL-2.0-only */
/* What is counted for each pair of labels, and how an address gets its label. */
#ifndef ACKMON_ABI_AGGREGATE_H
#define ACKMON_ABI_AGGREGATE_H

#include <linux/types.h>

#include "abi/key.h"

/* Groups that always are there: addresses without a label, of inside and of outside. */
#define GROUP_INTERNAL 0u
#define GROUP_EXTERNAL 1u
#define GROUP_UNNAMED (~0u) /* in a label_value: one of these two, as the address says */

/* Key of the longest-prefix map; IPv4 as ::ffff:a.b.c.d, its lengths 96 more. */
struct label_prefix {
	__u32 bits;
	struct ip_addr addr;
};
_Static_assert(sizeof(struct label_prefix) == 20, "label_prefix has no hidden padding");

/* What a prefix says of an address whose port no rule names. */
struct label_value {
	__u32 group;
	__u32 ports; /* index of its struct label_ports; 0: there is none */
};

#define LABEL_PORTS_MAX 16

/* Ports of one prefix that are another group than the rest; the first rule that fits counts. */
struct label_ports {
	__u32 count;
	struct label_port {
		__u16 first;
		__u16 last;
		__u32 group;
	} port[LABEL_PORTS_MAX];
};
_Static_assert(sizeof(struct label_ports) == 132, "label_ports has no hidden padding");

#endif
