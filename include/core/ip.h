/* SPDX-License-Identifier: GPL-2.0-only */
/* IPv4, IPv6 and its extension headers, and what an IP protocol number names. */
#ifndef ACKMON_CORE_IP_H
#define ACKMON_CORE_IP_H

#include <linux/ip.h>
#include <linux/ipv6.h>

#include "abi/tunnel.h"
#include "core/compiler.h"
#include "core/cursor.h"
#include "core/packet.h"

/*
 * Each fills pkt->key.addr, the source first, and what else IP knows, and names the layer behind; answers as enum
 * hop does.
 */
core_inline int ip_v4(struct cursor *cursor, struct packet *pkt);
core_inline int ip_v6(struct cursor *cursor, struct packet *pkt);
core_inline int ip_by_version(const struct cursor *cursor);
core_inline int ip_ext_header(struct cursor *cursor, struct packet *pkt);
core_inline int ip_ah(struct cursor *cursor, struct packet *pkt);

#define IP_EXT_HEADERS_MAX 8

enum ip_proto {
	IP_PROTO_HOP_BY_HOP = 0,
	IP_PROTO_ICMP = 1,
	IP_PROTO_IPV4 = 4,
	IP_PROTO_TCP = 6,
	IP_PROTO_UDP = 17,
	IP_PROTO_IPV6 = 41,
	IP_PROTO_ROUTING = 43,
	IP_PROTO_FRAGMENT = 44,
	IP_PROTO_GRE = 47,
	IP_PROTO_AH = 51,
	IP_PROTO_ICMPV6 = 58,
	IP_PROTO_DESTINATION = 60,
	IP_PROTO_ETHERIP = 97,
	IP_PROTO_L2TP = 115,
	IP_PROTO_MOBILITY = 135,
	IP_PROTO_MPLS = 137,
	IP_PROTO_HIP = 139,
	IP_PROTO_SHIM6 = 140,
	IP_PROTO_ETHERNET = 143,
};

/*
 * Addresses are written by eights, as they will be read: a processor does not hand on what was stored in pieces
 * before it has reached the cache.
 */
core_inline void ip_mapped(struct ip_addr *ret_addr, __be32 addr_be32)
{
	store_u64(ret_addr->bytes, 0);
	store_u64(ret_addr->bytes + 8, words_in_order((__u32)host_to_be32(0xffff), (__u32)addr_be32));
}

core_inline void ip_addr(struct ip_addr *ret_addr, const __u8 *at)
{
	store_u64(ret_addr->bytes, (__u64)load_be64(at));
	store_u64(ret_addr->bytes + 8, (__u64)load_be64(at + 8));
}

#define IP_V4_LEN ((__u32)sizeof(struct iphdr))
#define IP_V6_LEN ((__u32)sizeof(struct ipv6hdr))
#define IP_FRAGMENT_OFFSET 0x1fff
#define IP_FRAGMENT_MORE 0x2000

/* All but what its length and its fragments say. */
core_inline void ip_v4_note(struct packet *pkt, const __u8 *ip)
{
	pkt->has_ip_id = 1;
	pkt->ip_id = load_u16(ip + offsetof(struct iphdr, id));
	pkt->ttl = ip[offsetof(struct iphdr, ttl)];
	pkt->ecn = ip[offsetof(struct iphdr, tos)] & 3;
	ip_mapped(&pkt->key.addr[0], load_be32(ip + offsetof(struct iphdr, saddr)));
	ip_mapped(&pkt->key.addr[1], load_be32(ip + offsetof(struct iphdr, daddr)));
}

core_inline void ip_v6_note(struct packet *pkt, const __u8 *ip)
{
	pkt->has_ip_id = 0;
	pkt->ip_id = 0;
	pkt->first_fragment = 0;
	pkt->ttl = ip[offsetof(struct ipv6hdr, hop_limit)];
	pkt->ecn = ip[1] >> 4 & 3;
	ip_addr(&pkt->key.addr[0], ip + offsetof(struct ipv6hdr, saddr));
	ip_addr(&pkt->key.addr[1], ip + offsetof(struct ipv6hdr, daddr));
}

/* May a tunnel begin here? 0, or why not, negative. */
core_inline int ip_refuses_tunnel(const struct packet *pkt, enum tunnel tunnel)
{
	if (pkt->icmp)
		return -(int)COUNTER_frames_not_tcp;
	if (!(pkt->parsing.decap & TUNNEL_BIT(tunnel)) || pkt->parsing.is_fragment)
		return -(int)COUNTER_frames_tunnel;
	return pkt->parsing.tunnels >= 2 ? -(int)COUNTER_frames_tunnel_deep : 0;
}

/* It does, with nothing left to check but what is inside. */
core_inline void ip_enter_tunnel(struct packet *pkt, enum tunnel tunnel, __u32 id)
{
	pkt->tunnel = (__u8)(pkt->tunnel << 4 | tunnel);
	if (id)
		pkt->tunnel_id = id;
	pkt->parsing.tunnels++;
	pkt->parsing.vlans = 0;
}

core_inline int ip_in_ip(struct packet *pkt, enum tunnel tunnel, int next)
{
	int refusal = ip_refuses_tunnel(pkt, tunnel);

	if (refusal)
		return refusal;
	ip_enter_tunnel(pkt, tunnel, 0);
	return next;
}

core_inline int ip_is_ext_header(__u8 proto)
{
	return proto == IP_PROTO_HOP_BY_HOP || proto == IP_PROTO_ROUTING ||
	       proto == IP_PROTO_FRAGMENT || proto == IP_PROTO_DESTINATION ||
	       proto == IP_PROTO_MOBILITY || proto == IP_PROTO_HIP || proto == IP_PROTO_SHIM6;
}

/* A tunnel that no --decap follows. What an ICMP error quotes of it is no TCP, as of any other. */
core_inline int ip_leaves_tunnel(const struct packet *pkt)
{
	return pkt->icmp ? -(int)COUNTER_frames_not_tcp : -(int)COUNTER_frames_tunnel;
}

core_inline int ip_next(struct packet *pkt, __u8 proto)
{
	__u8 is_ipv6 = pkt->parsing.is_ipv6;

	if (proto == IP_PROTO_TCP)
		return HOP_TCP;
	if (is_ipv6 && ip_is_ext_header(proto)) {
		pkt->parsing.ip_proto = proto;
		return HOP_EXT_HEADER;
	}
	switch (proto) {
	case IP_PROTO_AH:
		return HOP_AH;
	case IP_PROTO_UDP:
		return HOP_UDP;
	case IP_PROTO_GRE:
		return HOP_GRE;
	case IP_PROTO_L2TP:
		return HOP_L2TPV3;
	case IP_PROTO_ETHERIP: /* RFC 3378 */
	case IP_PROTO_MPLS:    /* RFC 4023 */
	case IP_PROTO_ETHERNET: /* RFC 8986, 4.9 */
		return ip_leaves_tunnel(pkt);
	case IP_PROTO_IPV4:
		return ip_in_ip(pkt, is_ipv6 ? TUNNEL_4IN6 : TUNNEL_IPIP, HOP_IPV4);
	case IP_PROTO_IPV6:
		return ip_in_ip(pkt, is_ipv6 ? TUNNEL_6IN6 : TUNNEL_SIT, HOP_IPV6);
	case IP_PROTO_ICMP:
		return is_ipv6 ? -(int)COUNTER_frames_not_tcp : HOP_ICMP;
	case IP_PROTO_ICMPV6:
		return is_ipv6 ? HOP_ICMPV6 : -(int)COUNTER_frames_not_tcp;
	}
	return -(int)COUNTER_frames_not_tcp;
}

core_inline int ip_v4_header(struct cursor *cursor, struct packet *pkt, __u8 *ret_proto)
{
	const __u8 *ip = cursor_peek(cursor, IP_V4_LEN);
	__u32 header_len, total_len;
	__u16 fragment;

	if (!ip)
		return -(int)COUNTER_frames_truncated;
	header_len = (ip[0] & 0x0f) * 4u;
	if (ip[0] >> 4 != 4 || header_len < IP_V4_LEN)
		return -(int)COUNTER_frames_ip_malformed;
	total_len = load_u16(ip + offsetof(struct iphdr, tot_len));
	/* TSO and BIG TCP: captured before the length was filled in. A quote is not as long as it says. */
	if (!total_len || pkt->icmp)
		total_len = cursor->wire_left;
	if (total_len < header_len)
		return -(int)COUNTER_frames_ip_malformed;
	if (total_len > cursor->wire_left)
		return -(int)COUNTER_frames_ip_overlong;
	fragment = load_u16(ip + offsetof(struct iphdr, frag_off));
	if (fragment & IP_FRAGMENT_OFFSET)
		return -(int)COUNTER_frames_fragments;
	pkt->first_fragment = !!(fragment & IP_FRAGMENT_MORE);
	ip_v4_note(pkt, ip);
	*ret_proto = ip[offsetof(struct iphdr, protocol)];
	cursor->wire_left = total_len;
	cursor_step(cursor, header_len);
	return 0;
}

core_inline int ip_v4(struct cursor *cursor, struct packet *pkt)
{
	__u8 proto;
	int refusal = ip_v4_header(cursor, pkt, &proto);

	if (refusal)
		return refusal;
	pkt->parsing.is_ipv6 = 0;
	pkt->parsing.is_fragment = pkt->first_fragment;
	return ip_next(pkt, proto);
}

core_inline int ip_v6_header(struct cursor *cursor, struct packet *pkt, __u8 *ret_proto)
{
	const __u32 header_len = IP_V6_LEN;
	const __u8 *ip = cursor_peek(cursor, header_len);
	__u32 payload_len;

	if (!ip)
		return -(int)COUNTER_frames_truncated;
	if (ip[0] >> 4 != 6)
		return -(int)COUNTER_frames_ip_malformed;
	if (cursor->wire_left < header_len)
		return -(int)COUNTER_frames_ip_overlong;
	payload_len = load_u16(ip + offsetof(struct ipv6hdr, payload_len));
	if (!payload_len || pkt->icmp) /* BIG TCP: the frame knows. A quote is not as long as it says */
		payload_len = cursor->wire_left - header_len;
	if (payload_len > cursor->wire_left - header_len)
		return -(int)COUNTER_frames_ip_overlong;
	ip_v6_note(pkt, ip);
	*ret_proto = ip[offsetof(struct ipv6hdr, nexthdr)];
	cursor->wire_left = payload_len + header_len;
	cursor_step(cursor, header_len);
	return 0;
}

core_inline int ip_v6_has_length(const struct cursor *cursor)
{
	const __u8 *ip = cursor_peek(cursor, sizeof(struct ipv6hdr));

	return ip && load_u16(ip + offsetof(struct ipv6hdr, payload_len));
}

core_inline int ip_v6(struct cursor *cursor, struct packet *pkt)
{
	int has_length = ip_v6_has_length(cursor);
	__u8 proto;
	int refusal = ip_v6_header(cursor, pkt, &proto);

	if (refusal)
		return refusal;
	pkt->parsing.is_ipv6 = 1;
	pkt->parsing.is_fragment = 0;
	pkt->parsing.ext_headers = 0;
	pkt->parsing.is_jumbo = !has_length && proto == IP_PROTO_HOP_BY_HOP && !pkt->icmp;
	return ip_next(pkt, proto);
}

core_inline int ip_by_version(const struct cursor *cursor)
{
	const __u8 *first = cursor_peek(cursor, 1);

	if (!first)
		return -(int)COUNTER_frames_truncated;
	if (*first >> 4 == 4)
		return HOP_IPV4;
	return *first >> 4 == 6 ? HOP_IPV6 : -(int)COUNTER_frames_ip_malformed;
}

/*
 * A jumbogram (RFC 2675) longer than its frame is none of ours. One of the frame's length is what Linux
 * makes of large super-frames (BIG TCP); it puts the option first, and so does everybody who aligns it.
 */
core_inline int ip_is_false_jumbogram(const struct cursor *cursor, const __u8 *hop_by_hop)
{
	return hop_by_hop[2] != 0xc2 || hop_by_hop[3] != 4 ||
	       load_u32(hop_by_hop + 4) != cursor->wire_left;
}

/* One of them (RFC 8200, 4); pkt->parsing.ip_proto says which. Bounded: a hostile chain need not end. */
core_inline int ip_ext_header(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *ext = cursor_peek(cursor, 8);
	int lack = cursor_lacks(cursor, 8, COUNTER_frames_ip_malformed);
	__u8 proto = pkt->parsing.ip_proto;
	__u32 len;

	if (pkt->parsing.ext_headers >= IP_EXT_HEADERS_MAX)
		return -(int)COUNTER_frames_ext_headers;
	if (lack || !ext)
		return lack;
	pkt->parsing.ext_headers++;
	if (pkt->parsing.is_jumbo && ip_is_false_jumbogram(cursor, ext))
		return -(int)COUNTER_frames_jumbograms;
	pkt->parsing.is_jumbo = 0;
	len = (ext[1] + 1u) * 8;
	if (proto == IP_PROTO_FRAGMENT) {
		if (load_u16(ext + 2) & 0xfff8)
			return -(int)COUNTER_frames_fragments;
		pkt->first_fragment |= ext[3] & 1;
		pkt->parsing.is_fragment = pkt->first_fragment;
		len = 8;
	}
	if (len > cursor->wire_left)
		return -(int)COUNTER_frames_ip_malformed;
	cursor_step(cursor, len);
	return ip_next(pkt, ext[0]);
}

/* RFC 4302, 2: a header inside the packet, with what it protects in the clear. */
core_inline int ip_ah(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *ah = cursor_peek(cursor, 8);
	int lack = cursor_lacks(cursor, 8, COUNTER_frames_ip_malformed);
	__u32 len;

	if (pkt->parsing.is_ipv6 && pkt->parsing.ext_headers++ >= IP_EXT_HEADERS_MAX)
		return -(int)COUNTER_frames_ext_headers;
	if (lack || !ah)
		return lack;
	len = (ah[1] + 2u) * 4;
	if (len > cursor->wire_left)
		return -(int)COUNTER_frames_ip_malformed;
	cursor_step(cursor, len);
	return ip_next(pkt, ah[0]);
}

/* ------------------------------------------------------------------ what nearly all packets are */

/*
 * Those with a header that is as short as it can be, and TCP behind it. 1: it was read, and pkt->parsing stands
 * behind it; 0: it is another, and nothing was done.
 */
core_inline int ip_v4_usual(const __u8 *ip, const __u8 *end, struct packet *pkt)
{
	__u32 total_len;

	if (ip + IP_V4_LEN > end)
		return 0;
	total_len = load_u16(ip + offsetof(struct iphdr, tot_len));
	if (ip[0] != 0x45 || ip[offsetof(struct iphdr, protocol)] != IP_PROTO_TCP || total_len < IP_V4_LEN ||
	    total_len > pkt->parsing.wire_left ||
	    load_u16(ip + offsetof(struct iphdr, frag_off)) & (IP_FRAGMENT_OFFSET | IP_FRAGMENT_MORE))
		return 0;
	pkt->first_fragment = 0;
	ip_v4_note(pkt, ip);
	pkt->parsing.offset += IP_V4_LEN;
	pkt->parsing.wire_left = total_len - IP_V4_LEN;
	return 1;
}

core_inline int ip_v6_usual(const __u8 *ip, const __u8 *end, struct packet *pkt)
{
	__u32 payload_len;

	if (ip + IP_V6_LEN > end)
		return 0;
	payload_len = load_u16(ip + offsetof(struct ipv6hdr, payload_len));
	if (ip[0] >> 4 != 6 || ip[offsetof(struct ipv6hdr, nexthdr)] != IP_PROTO_TCP || !payload_len ||
	    payload_len + IP_V6_LEN > pkt->parsing.wire_left)
		return 0;
	ip_v6_note(pkt, ip);
	pkt->parsing.offset += IP_V6_LEN;
	pkt->parsing.wire_left = payload_len;
	return 1;
}

#endif
