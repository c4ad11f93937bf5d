/* SPDX-License-Identifier: GPL-2.0-only */
/* What a door saw, before anybody looked inside. */
#ifndef ACKMON_CORE_FRAME_H
#define ACKMON_CORE_FRAME_H

#include <linux/types.h>

#include "abi/link.h"

struct frame {
	const void *data; /* captured bytes */
	const void *end;
	void *context;      /* the door's own, for its host */
	__u64 time_ns;      /* monotonic in the kernel, wall clock in replay */
	__u32 wire_bytes;   /* length on the wire, at least the captured one */
	__u32 segments;     /* wire segments it stands for; 0: derive them from the MSS */
	__u32 ifindex;      /* 0 in replay */
	__u16 vlan_tci;     /* tag that was moved out of the frame */
	__u8 has_vlan_tci;
	__u8 door; /* enum door */
	__u8 link; /* enum frame_link */
	__u8 outer; /* octets in front of where it starts, that are none of it */
};

#endif
