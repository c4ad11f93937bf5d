/* SPDX-License-Identifier: GPL-2.0-only */
/* What a frame starts with. */
#ifndef ACKMON_ABI_LINK_H
#define ACKMON_ABI_LINK_H

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

#endif
