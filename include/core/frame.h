/* SPDX-License-Identifier: GPL-2.0-only */
/* What a door saw, before anybody looked inside. */
#ifndef ACKMON_CORE_FRAME_H
#define ACKMON_CORE_FRAME_H

#include <linux/types.h>

enum frame_link {
	LINK_ETHERNET,
	LINK_RAW_IP,   /* starts with the IP header */
	LINK_COOKED,   /* Linux "any", version 1 */
	LINK_COOKED2,
	LINK_LOOPBACK, /* BSD: the address family, in the byte order of whoever captured it */
	LINK_PPP,      /* with or without ff 03 */
	LINK_PPP_WITH_DIRECTION,
	LINK_PPPOE,
	LINK_HDLC,     /* Cisco */
	LINK_WLAN,     /* IEEE 802.11 */
	LINK_RADIOTAP,
	LINK_NFLOG,
	LINK_FDDI,
	LINK_LLC,
	LINK_MPLS,
	LINK_UNKNOWN,  /* one of an interface that is not supported, beside others that are */
	LINK_COUNT,
};

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
};

#endif
