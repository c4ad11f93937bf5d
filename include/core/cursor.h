/* SPDX-License-Identifier: GPL-2.0-only */
/* Where parsing stands in a frame, what may be read from there, and which layer comes next. */
#ifndef ACKMON_CORE_CURSOR_H
#define ACKMON_CORE_CURSOR_H

#include <linux/types.h>

#include "abi/counters.h"
#include "core/compiler.h"
#include "core/frame.h"

/*
 * Two ends, two questions. `captured` bounds what may be read. `wire_left` is how much of the packet
 * is left on the wire from `offset` on: first to the end of the frame, then to the end by the IP length.
 * A snaplen cuts the first and not the second; Ethernet padding the other way round.
 */
struct cursor {
	const __u8 *data;
	const __u8 *captured;
	__u32 offset;
	__u32 wire_left;
};

/*
 * What a layer answers: the layer that follows, HOP_TCP when the cursor stands on the TCP header,
 * or the reason why the frame is not tracked, negative. Links are enum frame_link + HOP_LINKS.
 */
enum hop {
	HOP_TCP,
	HOP_LINKS,
	HOP_NFLOG_ATTRIBUTE = HOP_LINKS + LINK_COUNT,
	HOP_VLAN,
	HOP_PBB,
	HOP_VN_TAG,
	HOP_E_TAG,
	HOP_NSH,
	HOP_IP, /* by its version */
	HOP_IPV4,
	HOP_IPV6,
	HOP_EXT_HEADER,
	HOP_AH,
	HOP_ICMP,
	HOP_ICMPV6,
	HOP_UDP,
	HOP_GRE,
	HOP_ERSPAN2,
	HOP_ERSPAN3,
	HOP_VXLAN,
	HOP_VXLAN_GPE,
	HOP_GENEVE,
	HOP_GTP_U,
	HOP_GTP_U_EXT,
	HOP_L2TPV3,
	HOP_L2TPV3_UDP,
	HOP_TEREDO,
	HOP_OPTIONS, /* of TCP, when all else is parsed */
};

#define HOPS_MAX 64

/* No chain of headers we follow is longer. */
#define CURSOR_OFFSET_MAX 2047u

/* The next len bytes, when they were captured; the cursor stays. */
core_inline const void *cursor_peek(const struct cursor *cursor, __u32 len)
{
	const __u8 *at;

	if (cursor->offset > CURSOR_OFFSET_MAX)
		return (const void *)0;
	at = cursor->data + cursor->offset;
	return at + len <= cursor->captured ? at : (const void *)0;
}

core_inline void cursor_step(struct cursor *cursor, __u32 len)
{
	cursor->offset += len;
	cursor->wire_left = cursor->wire_left > len ? cursor->wire_left - len : 0;
}

/* Why a header of len bytes inside an IP packet cannot be read, negative; 0: it can. */
core_inline int cursor_lacks(const struct cursor *cursor, __u32 len, enum counter malformed)
{
	if (cursor->wire_left < len)
		return -(int)malformed;
	return cursor_peek(cursor, len) ? 0 : -(int)COUNTER_frames_truncated;
}

#endif
