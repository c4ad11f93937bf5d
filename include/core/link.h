/* SPDX-License-Identifier: GPL-2.0-only */
/* Link headers: each a function that steps over its own and names what follows. */
#ifndef ACKMON_CORE_LINK_H
#define ACKMON_CORE_LINK_H

#include <linux/if_ether.h>

#include "core/compiler.h"
#include "core/cursor.h"
#include "core/packet.h"
#include "core/tag.h"

/* One link header of the kind that `link` says; answers as enum hop does. */
core_inline int link_hop(struct cursor *cursor, struct packet *pkt, int link);

#define LINK_PPP_IPV4 0x0021
#define LINK_PPP_IPV6 0x0057
#define LINK_PPP_MPLS 0x0281
#define LINK_PPP_MPLS_MULTICAST 0x0283
#define LINK_NFLOG_PAYLOAD 9
#define LINK_RADIOTAP_WORDS_MAX 8
#define LINK_SNAP_LEN 8

/* Bytes that some program put before the frame were never on the wire. */
core_inline void link_step_pseudo(struct cursor *cursor, struct packet *pkt, __u32 len)
{
	cursor_step(cursor, len);
	pkt->wire_bytes = pkt->wire_bytes > len ? pkt->wire_bytes - len : 0;
}

core_inline int link_ethernet(struct cursor *cursor)
{
	const __u8 *eth = cursor_peek(cursor, ETH_HLEN);

	if (!eth)
		return -(int)COUNTER_frames_truncated;
	cursor_step(cursor, ETH_HLEN);
	return tag_next(load_u16(eth + offsetof(struct ethhdr, h_proto)));
}

/* What the protocol means is up to the interface's type (ARPHRD). */
core_inline int link_cooked_next(__u16 type, __u16 protocol)
{
	switch (type) {
	case 770: /* Frame Relay */
	case 824: /* netlink: a family */
		return -(int)COUNTER_frames_not_ip;
	case 803:
		return HOP_LINKS + LINK_RADIOTAP;
	}
	return tag_next_cooked(protocol);
}

/* The header ends like an Ethernet header does: an address, EtherType. */
core_inline int link_cooked(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *header = cursor_peek(cursor, 16);

	if (!header)
		return -(int)COUNTER_frames_truncated;
	link_step_pseudo(cursor, pkt, 2);
	cursor_step(cursor, 14);
	return link_cooked_next(load_u16(header + 2), load_u16(header + 14));
}

core_inline int link_cooked2(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *header = cursor_peek(cursor, 20);

	if (!header)
		return -(int)COUNTER_frames_truncated;
	link_step_pseudo(cursor, pkt, 20);
	return link_cooked_next(load_u16(header + 8), load_u16(header));
}

/* Each system has its own number of IPv6; both byte orders are in use. */
core_inline int link_loopback(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *family = cursor_peek(cursor, 4);

	if (!family)
		return -(int)COUNTER_frames_truncated;
	if (family[1] || family[2] || (family[0] && family[3]))
		return -(int)COUNTER_frames_not_ip;
	link_step_pseudo(cursor, pkt, 4);
	switch (family[0] | family[3]) {
	case 2:  /* IPv4 everywhere */
	case 10: /* Linux */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* macOS */
		return HOP_IP;
	}
	return -(int)COUNTER_frames_not_ip;
}

core_inline int link_ppp_next(__u32 protocol)
{
	switch (protocol) {
	case LINK_PPP_IPV4:
		return HOP_IPV4;
	case LINK_PPP_IPV6:
		return HOP_IPV6;
	case LINK_PPP_MPLS:
	case LINK_PPP_MPLS_MULTICAST:
		return HOP_LINKS + LINK_MPLS;
	}
	return -(int)COUNTER_frames_not_ip;
}

/* RFC 1661, 2 and 6.5: the protocol is odd in its last byte, and one byte long when its first is. */
core_inline int link_ppp(struct cursor *cursor)
{
	const __u8 *ppp = cursor_peek(cursor, 2);

	if (!ppp)
		return -(int)COUNTER_frames_truncated;
	if (ppp[0] == 0x0f || ppp[0] == 0x8f) /* no protocol of PPP, but how Cisco begins (RFC 1547, 4.3.1) */
		return HOP_LINKS + LINK_HDLC;
	if (ppp[0] == 0xff && ppp[1] == 0x03) { /* RFC 1662, 3.1 */
		cursor_step(cursor, 2);
		ppp = cursor_peek(cursor, 2);
		if (!ppp)
			return -(int)COUNTER_frames_truncated;
	}
	if (ppp[0] & 1) {
		cursor_step(cursor, 1);
		return link_ppp_next(ppp[0]);
	}
	if (!(ppp[1] & 1))
		return -(int)COUNTER_frames_link_malformed;
	cursor_step(cursor, 2);
	return link_ppp_next(load_u16(ppp));
}

/* Which way a frame went stands in its first byte. */
core_inline int link_ppp_with_direction(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *ppp = cursor_peek(cursor, 2);

	if (!ppp)
		return -(int)COUNTER_frames_truncated;
	if (ppp[1] == 0x03) { /* it took the place of the address */
		cursor_step(cursor, 2);
		return HOP_LINKS + LINK_PPP;
	}
	link_step_pseudo(cursor, pkt, 1);
	return HOP_LINKS + LINK_PPP;
}

/* RFC 2516, 4 */
core_inline int link_pppoe(struct cursor *cursor)
{
	const __u8 *pppoe = cursor_peek(cursor, 6);

	if (!pppoe)
		return -(int)COUNTER_frames_truncated;
	if (pppoe[0] != 0x11)
		return -(int)COUNTER_frames_link_malformed;
	if (pppoe[1])
		return -(int)COUNTER_frames_not_ip;
	cursor_step(cursor, 6);
	return HOP_LINKS + LINK_PPP;
}

core_inline int link_hdlc(struct cursor *cursor)
{
	const __u8 *hdlc = cursor_peek(cursor, 4);

	if (!hdlc)
		return -(int)COUNTER_frames_truncated;
	if (hdlc[0] != 0x0f && hdlc[0] != 0x8f)
		return -(int)COUNTER_frames_link_malformed;
	cursor_step(cursor, 4);
	return tag_next(load_u16(hdlc + 2));
}

enum wlan_bits { /* IEEE 802.11, 9.2.4: frame control, and QoS control */
	WLAN_VERSION = 0x03,
	WLAN_TYPE = 0x0c,
	WLAN_TYPE_DATA = 0x08,
	WLAN_NO_DATA = 0x40,
	WLAN_QOS = 0x80,
	WLAN_FOUR_ADDRESSES = 0x03,
	WLAN_PROTECTED = 0x40,
	WLAN_ORDER = 0x80,
	WLAN_AGGREGATE = 0x80,
};

/* IEEE 802.11, 9.3.2.2: an aggregate (A-MSDU) of one; of several, one frame is several packets. */
core_inline int link_wlan_aggregate(struct cursor *cursor)
{
	const __u8 *part = cursor_peek(cursor, ETH_HLEN);
	__u32 len;

	if (!part)
		return -(int)COUNTER_frames_truncated;
	len = ETH_HLEN + load_u16(part + offsetof(struct ethhdr, h_proto));
	if (len + ETH_HLEN <= cursor->wire_left)
		return -(int)COUNTER_frames_not_ip;
	cursor_step(cursor, ETH_HLEN);
	return HOP_LINKS + LINK_LLC;
}

core_inline int link_wlan(struct cursor *cursor, const struct packet *pkt)
{
	const __u8 *wlan = cursor_peek(cursor, 2); /* control frames are short */
	__u32 len = 24;
	int is_aggregate = 0;

	if (!wlan)
		return -(int)COUNTER_frames_truncated;
	if ((wlan[0] & (WLAN_VERSION | WLAN_TYPE | WLAN_NO_DATA)) != WLAN_TYPE_DATA ||
	    (wlan[1] & WLAN_PROTECTED))
		return -(int)COUNTER_frames_not_ip;
	wlan = cursor_peek(cursor, len);
	if (!wlan)
		return -(int)COUNTER_frames_truncated;
	if (wlan[22] & 0x0f) /* a later fragment has no headers */
		return -(int)COUNTER_frames_not_ip;
	if ((wlan[1] & WLAN_FOUR_ADDRESSES) == WLAN_FOUR_ADDRESSES)
		len = 30;
	if (wlan[0] & WLAN_QOS) {
		struct cursor qos = *cursor;
		const __u8 *control;

		cursor_step(&qos, len);
		control = cursor_peek(&qos, 2);
		if (!control)
			return -(int)COUNTER_frames_truncated;
		is_aggregate = control[0] & WLAN_AGGREGATE;
		len += wlan[1] & WLAN_ORDER ? 6 : 2;
	}
	if (pkt->parsing.wlan_pads)
		len = (len + 3) & ~3u;
	cursor_step(cursor, len);
	return is_aggregate ? link_wlan_aggregate(cursor) : HOP_LINKS + LINK_LLC;
}

enum radiotap_bits { /* radiotap.org; little-endian words */
	RADIOTAP_TSFT = 1 << 0,
	RADIOTAP_FLAGS = 1 << 1,
	RADIOTAP_FLAG_PADDED = 0x20,
};

/* Where the fields start, behind words that say which there are; 0: nowhere. */
core_inline __u32 link_radiotap_fields(const struct cursor *cursor)
{
	__u32 at = 4, i;

	for (i = 0; i < LINK_RADIOTAP_WORDS_MAX; i++) {
		struct cursor word = *cursor;
		const __u8 *present;

		cursor_step(&word, at);
		present = cursor_peek(&word, 4);
		if (!present)
			return 0;
		at += 4;
		if (!(present[3] & 0x80))
			return at;
	}
	return 0;
}

core_inline int link_radiotap(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *radiotap = cursor_peek(cursor, 8);
	__u32 len, fields;

	if (!radiotap)
		return -(int)COUNTER_frames_truncated;
	len = radiotap[2] | (__u32)radiotap[3] << 8;
	if (radiotap[0] || len < 8)
		return -(int)COUNTER_frames_link_malformed;
	fields = verifier_joins(&pkt->joint, link_radiotap_fields(cursor));
	if (fields && (radiotap[4] & RADIOTAP_FLAGS)) {
		struct cursor flags = *cursor;
		const __u8 *value;

		if (radiotap[4] & RADIOTAP_TSFT)
			fields = ((fields + 7) & ~7u) + 8;
		cursor_step(&flags, fields);
		value = cursor_peek(&flags, 1);
		if (value && fields < len)
			pkt->parsing.wlan_pads = !!(*value & RADIOTAP_FLAG_PADDED);
	}
	link_step_pseudo(cursor, pkt, len);
	return HOP_LINKS + LINK_WLAN;
}

core_inline int link_nflog(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *nflog = cursor_peek(cursor, 4);

	if (!nflog)
		return -(int)COUNTER_frames_truncated;
	if (nflog[1])
		return -(int)COUNTER_frames_link_malformed;
	link_step_pseudo(cursor, pkt, 4);
	return HOP_NFLOG_ATTRIBUTE;
}

/* Attributes in the order of a little-endian machine; the packet is one of them. */
core_inline int link_nflog_attribute(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *attribute = cursor_peek(cursor, 4);
	__u32 len;

	if (!attribute)
		return -(int)COUNTER_frames_truncated;
	len = attribute[0] | (__u32)attribute[1] << 8;
	if (len < 4 || len > cursor->wire_left)
		return -(int)COUNTER_frames_link_malformed;
	if (attribute[2] == LINK_NFLOG_PAYLOAD && !attribute[3]) {
		link_step_pseudo(cursor, pkt, 4);
		/* It may have been cut, and nothing but its IP header says how long it was. */
		cursor->wire_left = 65535;
		return HOP_IP;
	}
	link_step_pseudo(cursor, pkt, (len + 3) & ~3u);
	return HOP_NFLOG_ATTRIBUTE;
}

core_inline int link_fddi(struct cursor *cursor)
{
	if (!cursor_peek(cursor, 13))
		return -(int)COUNTER_frames_truncated;
	cursor_step(cursor, 13);
	return HOP_LINKS + LINK_LLC;
}

/* RFC 2684, 5.2: Ethernet with its checksum or without, after two bytes of padding. */
core_inline int link_llc_is_bridged(const __u8 *llc)
{
	return load_u32(llc) == 0xaaaa0300 && load_u16(llc + 4) == 0x80c2 && !llc[6] &&
	       (llc[7] == 1 || llc[7] == 7);
}

/* IEEE 802.2 with SNAP: of no organisation, or a bridge's (RFC 1042; IEEE 802.1H). */
core_inline int link_llc(struct cursor *cursor)
{
	const __u8 *llc = cursor_peek(cursor, LINK_SNAP_LEN);

	if (!llc)
		return -(int)COUNTER_frames_truncated;
	if (llc[0] == 0x06 && llc[1] == 0x06 && llc[2] == 0x03) { /* IP's own address; IPv6 never had one */
		cursor_step(cursor, 3);
		return HOP_IPV4;
	}
	if (link_llc_is_bridged(llc)) {
		cursor_step(cursor, LINK_SNAP_LEN + 2);
		return HOP_LINKS + LINK_ETHERNET;
	}
	if (llc[0] != 0xaa || llc[1] != 0xaa || llc[2] != 0x03 || llc[3] || llc[4] ||
	    (llc[5] && llc[5] != 0xf8))
		return -(int)COUNTER_frames_not_ip;
	cursor_step(cursor, LINK_SNAP_LEN);
	return tag_next(load_u16(llc + 6));
}

core_inline int link_hop(struct cursor *cursor, struct packet *pkt, int link)
{
	switch (link) {
	case LINK_ETHERNET:
		return link_ethernet(cursor);
	case LINK_RAW_IP:
		return HOP_IP;
	case LINK_COOKED:
		return link_cooked(cursor, pkt);
	case LINK_COOKED2:
		return link_cooked2(cursor, pkt);
	case LINK_LOOPBACK:
		return link_loopback(cursor, pkt);
	case LINK_PPP:
		return link_ppp(cursor);
	case LINK_PPP_WITH_DIRECTION:
		return link_ppp_with_direction(cursor, pkt);
	case LINK_PPPOE:
		return link_pppoe(cursor);
	case LINK_HDLC:
		return link_hdlc(cursor);
	case LINK_WLAN:
		return link_wlan(cursor, pkt);
	case LINK_RADIOTAP:
		return link_radiotap(cursor, pkt);
	case LINK_NFLOG:
		return link_nflog(cursor, pkt);
	case LINK_FDDI:
		return link_fddi(cursor);
	case LINK_LLC:
		return link_llc(cursor);
	case LINK_MPLS:
		return tag_mpls(cursor);
	}
	return -(int)COUNTER_frames_link_unknown;
}

#endif
