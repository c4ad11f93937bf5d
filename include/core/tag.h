/* SPDX-License-Identifier: GPL-2.0-only */
/* What an EtherType names, and the tags and labels between a link header and IP. */
#ifndef ACKMON_CORE_TAG_H
#define ACKMON_CORE_TAG_H

#include <linux/if_ether.h>

#include "core/compiler.h"
#include "core/cursor.h"
#include "core/packet.h"

/* The layer an EtherType names. */
core_inline int tag_next(__u16 eth_type);

/* One VLAN tag, one label, or one of the rarer tags; answers as enum hop does. */
core_inline int tag_vlan(struct cursor *cursor, struct packet *pkt);
core_inline int tag_mpls(struct cursor *cursor);
core_inline int tag_pbb(struct cursor *cursor);
core_inline int tag_of_port(struct cursor *cursor, __u32 len);
core_inline int tag_nsh(struct cursor *cursor);

#define TAG_VLANS_MAX 4
enum tag_type {
	TAG_LLC = 0x8870,    /* longer than a length may be */
	TAG_PPP = 0x880b,    /* RFC 7637 knows it, too */
	TAG_PBB = 0x88e7,    /* IEEE 802.1ah: a service, and a whole frame behind it */
	TAG_VN = 0x8926,     /* which port of a virtual switch: Cisco's ... */
	TAG_E = 0x893f,      /* ... and IEEE 802.1BR's */
	TAG_NSH = 0x894f,    /* RFC 8300 */
};

#define TAG_LLC_BELOW 1536 /* a length, and LLC behind it (IEEE 802.3, 3.2.6) */

core_inline int tag_is_vlan(__u16 eth_type)
{
	/* The last three are older than 802.1ad and still sold. */
	return eth_type == ETH_P_8021Q || eth_type == ETH_P_8021AD || eth_type == 0x9100 ||
	       eth_type == 0x9200 || eth_type == 0x9300;
}

core_inline int tag_next(__u16 eth_type)
{
	if (eth_type == ETH_P_IP)
		return HOP_IPV4;
	if (eth_type == ETH_P_IPV6)
		return HOP_IPV6;
	if (tag_is_vlan(eth_type))
		return HOP_VLAN;
	if (eth_type < TAG_LLC_BELOW)
		return HOP_LINKS + LINK_LLC;
	switch (eth_type) {
	case TAG_LLC:
		return HOP_LINKS + LINK_LLC;
	case TAG_PBB:
		return HOP_PBB;
	case TAG_VN:
		return HOP_VN_TAG;
	case TAG_E:
		return HOP_E_TAG;
	case TAG_NSH:
		return HOP_NSH;
	case ETH_P_MPLS_UC:
	case ETH_P_MPLS_MC:
		return HOP_LINKS + LINK_MPLS;
	case ETH_P_PPP_SES:
		return HOP_LINKS + LINK_PPPOE;
	case ETH_P_TEB:
		return HOP_LINKS + LINK_ETHERNET;
	case TAG_PPP:
		return HOP_LINKS + LINK_PPP;
	}
	return -(int)COUNTER_frames_not_ip;
}

/* Linux numbers what has no EtherType below 1536: 4 is LLC. */
core_inline int tag_next_cooked(__u16 protocol)
{
	if (protocol < TAG_LLC_BELOW && protocol != ETH_P_802_2)
		return -(int)COUNTER_frames_not_ip;
	return tag_next(protocol);
}

core_inline int tag_vlan(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *tag = cursor_peek(cursor, 4);

	if (pkt->parsing.vlans >= TAG_VLANS_MAX)
		return -(int)COUNTER_frames_vlan_deep;
	if (!tag)
		return -(int)COUNTER_frames_truncated;
	pkt->parsing.vlans++;
	if (!pkt->vlan)
		pkt->vlan = load_u16(tag) & 0x0fff;
	cursor_step(cursor, 4);
	return tag_next(load_u16(tag + 2));
}

/* RFC 3032, 2.1: the bottom of the stack is marked; what follows, nothing says (RFC 4928, 3). */
core_inline int tag_mpls(struct cursor *cursor)
{
	const __u8 *label = cursor_peek(cursor, 5);

	if (!label)
		return -(int)COUNTER_frames_truncated;
	cursor_step(cursor, 4);
	if (!(label[2] & 1))
		return HOP_LINKS + LINK_MPLS;
	switch (label[4] >> 4) {
	case 4:
		return HOP_IPV4;
	case 6:
		return HOP_IPV6;
	case 0: /* a control word (RFC 4385, 3) */
		cursor_step(cursor, 4);
	}
	return HOP_LINKS + LINK_ETHERNET;
}

/* Flags and the number of the service; the customer's frame follows from its addresses on. */
core_inline int tag_pbb(struct cursor *cursor)
{
	if (!cursor_peek(cursor, 4))
		return -(int)COUNTER_frames_truncated;
	cursor_step(cursor, 4);
	return HOP_LINKS + LINK_ETHERNET;
}

/* `len` bytes of no interest, and the type of what follows. */
core_inline int tag_of_port(struct cursor *cursor, __u32 len)
{
	const __u8 *tag = cursor_peek(cursor, len + 2);

	if (!tag)
		return -(int)COUNTER_frames_truncated;
	cursor_step(cursor, len + 2);
	return tag_next(load_u16(tag + len));
}

core_inline int tag_nsh_next(__u8 next)
{
	switch (next) { /* RFC 8300, 11.2.5; those of VXLAN-GPE are the same */
	case 1:
		return HOP_IPV4;
	case 2:
		return HOP_IPV6;
	case 3:
		return HOP_LINKS + LINK_ETHERNET;
	case 4:
		return HOP_NSH;
	case 5:
		return HOP_LINKS + LINK_MPLS;
	}
	return -(int)COUNTER_frames_not_ip;
}

/* RFC 8300, 2.2: its length counts words. */
core_inline int tag_nsh(struct cursor *cursor)
{
	const __u8 *nsh = cursor_peek(cursor, 8);
	__u32 len;

	if (!nsh)
		return -(int)COUNTER_frames_truncated;
	len = (nsh[1] & 0x3f) * 4u;
	if (nsh[0] >> 6 || len < 8)
		return -(int)COUNTER_frames_link_malformed;
	cursor_step(cursor, len);
	return tag_nsh_next(nsh[3]);
}

#endif
