/* SPDX-License-Identifier: GPL-2.0-only */
/* Tunnels over UDP, GRE and L2TP: each a function that steps over its header and names what is inside. */
#ifndef ACKMON_CORE_TUNNEL_H
#define ACKMON_CORE_TUNNEL_H

#include <linux/if_ether.h>

#include "abi/tunnel.h"
#include "core/compiler.h"
#include "core/cursor.h"
#include "core/ip.h"
#include "core/packet.h"
#include "core/tag.h"

/* One tunnel header of the kind that `hop` says; answers as enum hop does. */
core_inline int tunnel_hop(struct cursor *cursor, struct packet *pkt, int hop);

enum tunnel_port {
	TUNNEL_PORT_L2TP = 1701,
	TUNNEL_PORT_GTP_U = 2152,
	TUNNEL_PORT_TEREDO = 3544,
	TUNNEL_PORT_LISP = 4341,
	TUNNEL_PORT_GRE = 4754, /* RFC 8086 */
	TUNNEL_PORT_VXLAN = 4789,
	TUNNEL_PORT_VXLAN_GPE = 4790,
	TUNNEL_PORT_GUE = 6080,
	TUNNEL_PORT_GENEVE = 6081,
	TUNNEL_PORT_MPLS = 6635, /* RFC 7510 */
	TUNNEL_PORT_VXLAN_LINUX = 8472, /* the default of Linux, older than the RFC */
};

#define TUNNEL_MALFORMED (-(int)COUNTER_frames_tunnel_malformed)

core_inline __u32 tunnel_u24(const __u8 *at)
{
	return load_u32(at) >> 8;
}

core_inline int tunnel_if(const struct packet *pkt, enum tunnel tunnel, int hop)
{
	int refusal = ip_refuses_tunnel(pkt, tunnel);

	return refusal ? refusal : hop;
}

core_inline int tunnel_by_port(const struct packet *pkt, __u16 source, __u16 destination)
{
	switch (destination) {
	case TUNNEL_PORT_VXLAN:
	case TUNNEL_PORT_VXLAN_LINUX:
		return tunnel_if(pkt, TUNNEL_VXLAN, HOP_VXLAN);
	case TUNNEL_PORT_VXLAN_GPE:
		return tunnel_if(pkt, TUNNEL_VXLAN_GPE, HOP_VXLAN_GPE);
	case TUNNEL_PORT_GENEVE:
		return tunnel_if(pkt, TUNNEL_GENEVE, HOP_GENEVE);
	case TUNNEL_PORT_LISP:
	case TUNNEL_PORT_GRE:
	case TUNNEL_PORT_GUE:
	case TUNNEL_PORT_MPLS:
		return ip_leaves_tunnel(pkt);
	}
	if (source == TUNNEL_PORT_GTP_U || destination == TUNNEL_PORT_GTP_U)
		return tunnel_if(pkt, TUNNEL_GTP_U, HOP_GTP_U);
	if (source == TUNNEL_PORT_L2TP || destination == TUNNEL_PORT_L2TP)
		return tunnel_if(pkt, TUNNEL_L2TPV3, HOP_L2TPV3_UDP);
	if (source == TUNNEL_PORT_TEREDO || destination == TUNNEL_PORT_TEREDO)
		return tunnel_if(pkt, TUNNEL_TEREDO, HOP_TEREDO);
	return -(int)COUNTER_frames_not_tcp;
}

core_inline int tunnel_udp(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *udp = cursor_peek(cursor, 8);
	int lack = cursor_lacks(cursor, 8, COUNTER_frames_not_tcp);

	if (lack || !udp)
		return lack;
	cursor_step(cursor, 8);
	return tunnel_by_port(pkt, load_u16(udp), load_u16(udp + 2));
}

enum gre_bits { /* RFC 2784, 2; RFC 2890, 2; RFC 1701 */
	GRE_CHECKSUM = 0x8000,
	GRE_ROUTING = 0x4000,
	GRE_KEY = 0x2000,
	GRE_SEQUENCE = 0x1000,
	GRE_VERSION = 0x0007,
};

#define GRE_PROTO_PPP 0x880b
#define GRE_PROTO_ERSPAN2 0x88be
#define GRE_PROTO_ERSPAN3 0x22eb
#define ERSPAN_FRAME_IP 2 /* draft-foschiano-erspan, 4.3 */

core_inline __u32 tunnel_gre_key(const struct cursor *cursor, __u16 bits)
{
	struct cursor at = *cursor;
	const __u8 *key;

	if (!(bits & GRE_KEY))
		return 0;
	cursor_step(&at, bits & GRE_CHECKSUM ? 8 : 4);
	key = cursor_peek(&at, 4);
	return key ? load_u32(key) : 0;
}

core_inline int tunnel_gre(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *gre = cursor_peek(cursor, 4);
	int lack = cursor_lacks(cursor, 4, COUNTER_frames_tunnel_malformed), refusal;
	int is_erspan;
	__u32 len, key;
	__u16 bits, proto;

	if (lack || !gre)
		return lack;
	bits = load_u16(gre);
	proto = load_u16(gre + 2);
	is_erspan = proto == GRE_PROTO_ERSPAN2 || proto == GRE_PROTO_ERSPAN3;
	refusal = ip_refuses_tunnel(pkt, is_erspan ? TUNNEL_ERSPAN : TUNNEL_GRE);
	if (refusal)
		return refusal;
	if ((bits & GRE_VERSION) == 1 && proto == GRE_PROTO_PPP) /* PPTP (RFC 2637) */
		return ip_leaves_tunnel(pkt);
	if (bits & (GRE_VERSION | GRE_ROUTING))
		return TUNNEL_MALFORMED;
	len = 4 + (bits & GRE_CHECKSUM ? 4 : 0) + (bits & GRE_KEY ? 4 : 0) +
	      (bits & GRE_SEQUENCE ? 4 : 0);
	len = verifier_joins(&pkt->joint, len);
	if (len > cursor->wire_left)
		return TUNNEL_MALFORMED;
	key = tunnel_gre_key(cursor, bits);
	cursor_step(cursor, len);
	if (proto == GRE_PROTO_ERSPAN3)
		return HOP_ERSPAN3;
	if (proto == GRE_PROTO_ERSPAN2 && (bits & GRE_SEQUENCE))
		return HOP_ERSPAN2;
	ip_enter_tunnel(pkt, is_erspan ? TUNNEL_ERSPAN : TUNNEL_GRE, key);
	if (is_erspan) /* type I has no header of its own */
		return HOP_LINKS + LINK_ETHERNET;
	if (proto < TAG_LLC_BELOW)
		return -(int)COUNTER_frames_not_ip;
	return tag_next(proto);
}

core_inline int tunnel_erspan2(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *erspan = cursor_peek(cursor, 8);
	int lack = cursor_lacks(cursor, 8, COUNTER_frames_tunnel_malformed);

	if (lack || !erspan)
		return lack;
	ip_enter_tunnel(pkt, TUNNEL_ERSPAN, load_u16(erspan + 2) & 0x3ff);
	cursor_step(cursor, 8);
	return HOP_LINKS + LINK_ETHERNET;
}

core_inline int tunnel_erspan3(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *erspan = cursor_peek(cursor, 12);
	int lack = cursor_lacks(cursor, 12, COUNTER_frames_tunnel_malformed);
	__u32 len;

	if (lack || !erspan)
		return lack;
	len = erspan[11] & 1 ? 20 : 12; /* platform specific subheader */
	if (len > cursor->wire_left)
		return TUNNEL_MALFORMED;
	ip_enter_tunnel(pkt, TUNNEL_ERSPAN, load_u16(erspan + 2) & 0x3ff);
	cursor_step(cursor, len);
	return (erspan[10] >> 2 & 0x1f) == ERSPAN_FRAME_IP ? HOP_IP : HOP_LINKS + LINK_ETHERNET;
}

core_inline int tunnel_vxlan(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *vxlan = cursor_peek(cursor, 8);
	int lack = cursor_lacks(cursor, 8, COUNTER_frames_tunnel_malformed);

	if (lack || !vxlan)
		return lack;
	if (!(vxlan[0] & 0x08))
		return TUNNEL_MALFORMED;
	ip_enter_tunnel(pkt, TUNNEL_VXLAN, tunnel_u24(vxlan + 4));
	cursor_step(cursor, 8);
	return HOP_LINKS + LINK_ETHERNET;
}

core_inline int tunnel_vxlan_gpe(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *gpe = cursor_peek(cursor, 8);
	int lack = cursor_lacks(cursor, 8, COUNTER_frames_tunnel_malformed);

	if (lack || !gpe)
		return lack;
	if (!(gpe[0] & 0x08) || (gpe[0] & 0x30)) /* VNI there, version 0 */
		return TUNNEL_MALFORMED;
	ip_enter_tunnel(pkt, TUNNEL_VXLAN_GPE, tunnel_u24(gpe + 4));
	cursor_step(cursor, 8);
	/* Without the flag the field says nothing, and it is Ethernet as in VXLAN. */
	return gpe[0] & 0x04 ? tag_nsh_next(gpe[3]) : HOP_LINKS + LINK_ETHERNET;
}

core_inline int tunnel_geneve(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *geneve = cursor_peek(cursor, 8);
	int lack = cursor_lacks(cursor, 8, COUNTER_frames_tunnel_malformed);
	__u32 len;

	if (lack || !geneve)
		return lack;
	len = 8 + (geneve[0] & 0x3f) * 4u;
	if (geneve[0] >> 6 || len > cursor->wire_left)
		return TUNNEL_MALFORMED;
	ip_enter_tunnel(pkt, TUNNEL_GENEVE, tunnel_u24(geneve + 4));
	cursor_step(cursor, len);
	return tag_next(load_u16(geneve + 2));
}

enum gtp_u_bits { /* 3GPP TS 29.281, 5.1 */
	GTP_U_VERSION_1 = 0x30, /* and protocol type GTP */
	GTP_U_EXT = 0x04,
	GTP_U_OPTIONAL = 0x07, /* extension, sequence number or N-PDU number: all fields are there */
	GTP_U_G_PDU = 255,
};

core_inline int tunnel_gtp_u(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *gtp = cursor_peek(cursor, 8);
	int lack = cursor_lacks(cursor, 8, COUNTER_frames_tunnel_malformed);

	if (lack || !gtp)
		return lack;
	if ((gtp[0] & 0xf0) != GTP_U_VERSION_1 || gtp[1] != GTP_U_G_PDU)
		return -(int)COUNTER_frames_not_tcp;
	ip_enter_tunnel(pkt, TUNNEL_GTP_U, load_u32(gtp + 4));
	if (!(gtp[0] & GTP_U_OPTIONAL)) {
		cursor_step(cursor, 8);
		return HOP_IP;
	}
	if (cursor->wire_left < 12)
		return TUNNEL_MALFORMED;
	cursor_step(cursor, 11); /* to the type of the next extension header */
	if (gtp[0] & GTP_U_EXT)
		return HOP_GTP_U_EXT;
	cursor_step(cursor, 1);
	return HOP_IP;
}

/* Stands on the type of an extension header, which is the last byte of what is before it. */
core_inline int tunnel_gtp_u_ext(struct cursor *cursor)
{
	const __u8 *type = cursor_peek(cursor, 1), *ext;
	__u32 len;

	if (!type)
		return -(int)COUNTER_frames_truncated;
	if (!*type) {
		cursor_step(cursor, 1);
		return HOP_IP;
	}
	ext = cursor_peek(cursor, 2);
	if (!ext)
		return -(int)COUNTER_frames_truncated;
	len = ext[1] * 4u;
	if (!len || len >= cursor->wire_left)
		return TUNNEL_MALFORMED;
	cursor_step(cursor, len);
	return HOP_GTP_U_EXT;
}

/* Does Ethernet with something we follow start `skip` bytes further on? */
core_inline int tunnel_l2tpv3_fits(const struct cursor *cursor, __u32 skip)
{
	struct cursor at = *cursor;
	const __u8 *eth;
	__u16 eth_type;

	cursor_step(&at, skip);
	eth = cursor_peek(&at, ETH_HLEN + 1);
	if (!eth)
		return 0;
	eth_type = load_u16(eth + 12);
	if (tag_is_vlan(eth_type))
		return 1;
	return (eth_type == ETH_P_IP && eth[14] >> 4 == 4) ||
	       (eth_type == ETH_P_IPV6 && eth[14] >> 4 == 6);
}

/* RFC 3931, 4.1: cookie and sublayer are agreed upon elsewhere; Linux has 4 bytes by default. */
core_inline int tunnel_l2tpv3(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *session = cursor_peek(cursor, 4);
	int refusal = ip_refuses_tunnel(pkt, TUNNEL_L2TPV3);
	int lack = cursor_lacks(cursor, 4, COUNTER_frames_tunnel_malformed);
	__u32 skip;

	if (refusal)
		return refusal;
	if (lack || !session)
		return lack;
	if (!load_u32(session))
		return -(int)COUNTER_frames_not_tcp;
	ip_enter_tunnel(pkt, TUNNEL_L2TPV3, load_u32(session));
	cursor_step(cursor, 4);
	if (tunnel_l2tpv3_fits(cursor, 4))
		skip = 4;
	else if (tunnel_l2tpv3_fits(cursor, 0))
		skip = 0;
	else if (tunnel_l2tpv3_fits(cursor, 8))
		skip = 8;
	else if (tunnel_l2tpv3_fits(cursor, 12))
		skip = 12;
	else
		return -(int)COUNTER_frames_not_ip;
	cursor_step(cursor, skip);
	return HOP_LINKS + LINK_ETHERNET;
}

/* RFC 3931, 4.1.2.1; version 2 has other headers (RFC 2661). */
core_inline int tunnel_l2tpv3_udp(struct cursor *cursor)
{
	const __u8 *l2tp = cursor_peek(cursor, 4);
	int lack = cursor_lacks(cursor, 4, COUNTER_frames_tunnel_malformed);

	if (lack || !l2tp)
		return lack;
	if ((l2tp[1] & 0x0f) != 3)
		return -(int)COUNTER_frames_tunnel;
	if (l2tp[0] & 0x80)
		return -(int)COUNTER_frames_not_tcp;
	cursor_step(cursor, 4);
	return HOP_L2TPV3;
}

/* RFC 4380, 5.1.1: up to two headers of the relay's before the packet, told by their first two bytes. */
core_inline int tunnel_teredo(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *teredo = cursor_peek(cursor, 4);
	int lack = cursor_lacks(cursor, 4, COUNTER_frames_tunnel_malformed);
	__u32 len;

	if (lack || !teredo)
		return lack;
	if (teredo[0] >> 4 == 6) {
		ip_enter_tunnel(pkt, TUNNEL_TEREDO, 0);
		return HOP_IPV6;
	}
	if (teredo[0] || teredo[1] > 1) /* somebody else on this port */
		return -(int)COUNTER_frames_not_tcp;
	len = teredo[1] ? 13u + teredo[2] + teredo[3] : 8; /* who asks; where it came from */
	if (len > cursor->wire_left)
		return TUNNEL_MALFORMED;
	cursor_step(cursor, len);
	return HOP_TEREDO;
}

core_inline int tunnel_hop(struct cursor *cursor, struct packet *pkt, int hop)
{
	switch (hop) {
	case HOP_UDP:
		return tunnel_udp(cursor, pkt);
	case HOP_GRE:
		return tunnel_gre(cursor, pkt);
	case HOP_ERSPAN2:
		return tunnel_erspan2(cursor, pkt);
	case HOP_ERSPAN3:
		return tunnel_erspan3(cursor, pkt);
	case HOP_VXLAN:
		return tunnel_vxlan(cursor, pkt);
	case HOP_VXLAN_GPE:
		return tunnel_vxlan_gpe(cursor, pkt);
	case HOP_GENEVE:
		return tunnel_geneve(cursor, pkt);
	case HOP_GTP_U:
		return tunnel_gtp_u(cursor, pkt);
	case HOP_GTP_U_EXT:
		return tunnel_gtp_u_ext(cursor);
	case HOP_L2TPV3:
		return tunnel_l2tpv3(cursor, pkt);
	case HOP_L2TPV3_UDP:
		return tunnel_l2tpv3_udp(cursor);
	case HOP_TEREDO:
		return tunnel_teredo(cursor, pkt);
	}
	return -(int)COUNTER_frames_not_tcp;
}

#endif
