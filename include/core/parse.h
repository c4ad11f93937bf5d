/* SPDX-License-Identifier: GPL-2.0-only */
/* From a frame to a TCP segment; every way out has a counter's name. docs/frames.md says which. */
#ifndef ACKMON_CORE_PARSE_H
#define ACKMON_CORE_PARSE_H

#include <linux/if_ether.h>
#include <linux/types.h>

#include "abi/counters.h"
#include "core/compiler.h"
#include "core/cursor.h"
#include "core/frame.h"
#include "core/icmp.h"
#include "core/ip.h"
#include "core/link.h"
#include "core/options.h"
#include "core/packet.h"
#include "core/tag.h"
#include "core/tunnel.h"

/*
 * A frame is parsed in three steps. Nearly all are Ethernet, with one tag at most, and IP with nothing between its
 * header and TCP: these are read in one piece. Any other goes by hops from there, one header each. The last step
 * reads TCP, or what an ICMP error quotes of it. The hops are apart because the kernel's verifier walks every path: there
 * they are a function of their own, see host_parse_hops().
 */

/* HOP_TCP, the hop to go on with, or the reason the frame is not tracked, negative. */
core_inline int parse_begin(const struct frame *frame, __u32 decap, struct packet *ret_pkt);

/* One header: the next hop, or one of these answers. pkt->parsing is where it stands before and after. */
core_inline int parse_hop(const void *data, const void *captured, struct packet *pkt, int hop);

/* All that there are: HOP_TCP, or the reason the frame is not tracked, negative. */
core_inline int parse_hops(const struct frame *frame, struct packet *pkt, int hop);

/*
 * From the answer of the steps before: 0 and *pkt filled, or the reason. With pkt->parsing.options_len
 * HOP_OPTIONS is still to be done.
 */
core_inline enum counter parse_segment(const struct frame *frame, struct packet *pkt, int hop);

/* All three. 0 and *ret_pkt filled, or the reason the frame is not tracked. */
core_inline enum counter parse_frame(const struct frame *frame, __u32 decap,
				     struct packet *ret_pkt);

#define TCP_HEADER_MIN 20u

core_inline enum counter parse_tcp(struct cursor *cursor, struct packet *pkt, __be16 *ret_src,
				   __be16 *ret_dst)
{
	const __u8 *tcp = cursor_peek(cursor, TCP_HEADER_MIN);
	__u32 header_len;

	if (cursor->wire_left < TCP_HEADER_MIN)
		return COUNTER_frames_tcp_malformed;
	if (!tcp)
		return COUNTER_frames_truncated;
	header_len = (tcp[12] >> 4) * 4u;
	if (header_len < TCP_HEADER_MIN || header_len > cursor->wire_left)
		return COUNTER_frames_tcp_malformed;
	*ret_src = load_be16(tcp);
	*ret_dst = load_be16(tcp + 2);
	pkt->seq = load_u32(tcp + 4);
	pkt->ack = load_u32(tcp + 8);
	pkt->flags = tcp[13];
	pkt->window = load_u16(tcp + 14);
	pkt->payload_bytes = cursor->wire_left - header_len;
	if (header_len > TCP_HEADER_MIN &&
	    !options_usual(tcp + TCP_HEADER_MIN, header_len - TCP_HEADER_MIN, cursor->captured, pkt)) {
		pkt->parsing.offset = cursor->offset + TCP_HEADER_MIN;
		pkt->parsing.options_len = (__u8)(header_len - TCP_HEADER_MIN);
	}
	return 0;
}

/* The list of options that is none of the usual ones. */
core_inline int parse_options(const struct cursor *cursor, struct packet *pkt)
{
	const __u8 *at = cursor_peek(cursor, 0);

	if (at)
		options_read(at, pkt->parsing.options_len, cursor->captured, pkt);
	return HOP_TCP;
}

/* Of a quoted header at least the ports and the sequence number are there. */
core_inline enum counter parse_quote(const struct cursor *cursor, struct packet *pkt,
				     __be16 *ret_src, __be16 *ret_dst)
{
	const __u8 *tcp = cursor_peek(cursor, ICMP_QUOTED_LEN);

	if (cursor->wire_left < ICMP_QUOTED_LEN || !tcp) {
		pkt->icmp = ICMP_NONE;
		return COUNTER_frames_icmp_errors;
	}
	*ret_src = load_be16(tcp);
	*ret_dst = load_be16(tcp + 2);
	pkt->seq = load_u32(tcp + 4);
	pkt->ack = pkt->payload_bytes = 0;
	pkt->flags = 0;
	pkt->window = 0;
	return 0;
}

/* The lower (address, port) comes first, in network order. */
core_inline int parse_is_lower(const struct flow_key *key, __be16 src_be16, __be16 dst_be16)
{
	__u32 i;

	for (i = 0; i < 16; i += 8) {
		__u64 src_be64 = load_be64(key->addr[0].bytes + i), dst_be64 = load_be64(key->addr[1].bytes + i);

		if (src_be64 != dst_be64)
			return be64_to_host(src_be64) < be64_to_host(dst_be64);
	}
	return be16_to_host(src_be16) <= be16_to_host(dst_be16);
}

/* By eights, too. */
core_inline void parse_ports(struct flow_key *key, __be16 first_be16, __be16 second_be16, __u32 ifindex)
{
	store_u64(key->port_be16, words_in_order(halves_in_order((__u16)first_be16, (__u16)second_be16), ifindex));
}

core_inline void parse_key(__be16 src_be16, __be16 dst_be16, __u32 ifindex, struct packet *pkt)
{
	/* Two whole branches: a computed index here costs the verifier more than it saves. */
	if (parse_is_lower(&pkt->key, src_be16, dst_be16)) {
		pkt->direction = 0;
		parse_ports(&pkt->key, src_be16, dst_be16, ifindex);
	} else {
		struct ip_addr src = pkt->key.addr[0];

		pkt->direction = 1;
		pkt->key.addr[0] = pkt->key.addr[1];
		pkt->key.addr[1] = src;
		parse_ports(&pkt->key, dst_be16, src_be16, ifindex);
	}
}

/* In one piece. HOP_TCP, or the hop to go on with from where pkt->parsing stands, or a reason, negative. */
core_inline int parse_usual(const struct frame *frame, struct packet *pkt)
{
	const __u8 *eth = frame->data, *ip = eth + ETH_HLEN, *end = frame->end;
	__be16 type_be16;

	if (frame->link != LINK_ETHERNET || ip + 4 > end || frame->wire_bytes < ETH_HLEN + 4)
		return HOP_LINKS + frame->link;
	type_be16 = load_be16(eth + offsetof(struct ethhdr, h_proto));
	pkt->parsing.offset = ETH_HLEN;
	if (type_be16 == host_to_be16(ETH_P_8021Q)) {
		if (!pkt->vlan)
			pkt->vlan = load_u16(ip) & 0x0fff;
		type_be16 = load_be16(ip + 2);
		ip += 4;
		pkt->parsing.offset = ETH_HLEN + 4;
		pkt->parsing.vlans++;
	}
	pkt->parsing.wire_left -= pkt->parsing.offset;
	if ((type_be16 == host_to_be16(ETH_P_IP) && ip_v4_usual(ip, end, pkt)) ||
	    (type_be16 == host_to_be16(ETH_P_IPV6) && ip_v6_usual(ip, end, pkt)))
		return HOP_TCP;
	return tag_next(be16_to_host(type_be16));
}

core_inline int parse_begin(const struct frame *frame, __u32 decap, struct packet *ret_pkt)
{
	__builtin_memset(&ret_pkt->tsval, 0, offsetof(struct packet, verdict.rtt_ns) - offsetof(struct packet, tsval));
	ret_pkt->now_ns = frame->time_ns;
	ret_pkt->wire_bytes = frame->wire_bytes;
	ret_pkt->segments = frame->segments;
	ret_pkt->vlan = frame->has_vlan_tci ? frame->vlan_tci & 0x0fff : 0;
	ret_pkt->parsing = (struct parsing){
		.offset = frame->outer,
		.wire_left = frame->wire_bytes,
		.decap = decap,
		.vlans = !!frame->has_vlan_tci,
	};
	return parse_usual(frame, ret_pkt);
}

core_inline int parse_layer(struct cursor *cursor, struct packet *pkt, int hop)
{
	if (hop < HOP_NFLOG_ATTRIBUTE)
		return link_hop(cursor, pkt, hop - HOP_LINKS);
	switch (hop) {
	case HOP_NFLOG_ATTRIBUTE:
		return link_nflog_attribute(cursor, pkt);
	case HOP_VLAN:
		return tag_vlan(cursor, pkt);
	case HOP_PBB:
		return tag_pbb(cursor);
	case HOP_VN_TAG:
		return tag_of_port(cursor, 4);
	case HOP_E_TAG:
		return tag_of_port(cursor, 6);
	case HOP_NSH:
		return tag_nsh(cursor);
	case HOP_IP:
		return ip_by_version(cursor);
	case HOP_IPV4:
		return ip_v4(cursor, pkt);
	case HOP_IPV6:
		return ip_v6(cursor, pkt);
	case HOP_EXT_HEADER:
		return ip_ext_header(cursor, pkt);
	case HOP_AH:
		return ip_ah(cursor, pkt);
	case HOP_ICMP:
		return icmp_v4(cursor, pkt);
	case HOP_ICMPV6:
		return icmp_v6(cursor, pkt);
	case HOP_OPTIONS:
		return parse_options(cursor, pkt);
	}
	return tunnel_hop(cursor, pkt, hop);
}

core_inline int parse_hop(const void *data, const void *captured, struct packet *pkt, int hop)
{
	struct cursor cursor = {
		.data = data,
		.captured = captured,
		.offset = pkt->parsing.offset,
		.wire_left = pkt->parsing.wire_left,
	};

	hop = parse_layer(&cursor, pkt, hop);
	pkt->parsing.offset = cursor.offset;
	pkt->parsing.wire_left = cursor.wire_left;
	return hop;
}

core_inline int parse_hops(const struct frame *frame, struct packet *pkt, int hop)
{
	__u32 i;

	for (i = 0; i < HOPS_MAX && hop > 0; i++)
		hop = parse_hop(frame->data, frame->end, pkt, hop);
	return hop;
}

/* What is not TCP in a quote is of no interest, whatever is wrong with it. */
core_inline enum counter parse_reason(const struct packet *pkt, int hop)
{
	enum counter reason = hop > 0 ? COUNTER_frames_headers_deep : (enum counter)-hop;

	return pkt->icmp && reason != COUNTER_frames_truncated ? COUNTER_frames_not_tcp : reason;
}

core_inline enum counter parse_segment(const struct frame *frame, struct packet *pkt, int hop)
{
	struct cursor cursor = {
		.data = frame->data,
		.captured = frame->end,
		.offset = pkt->parsing.offset,
		.wire_left = pkt->parsing.wire_left,
	};
	enum counter reason;
	__be16 src_be16, dst_be16;

	if (hop != HOP_TCP)
		return parse_reason(pkt, hop);
	if (unlikely(pkt->icmp))
		reason = parse_quote(&cursor, pkt, &src_be16, &dst_be16);
	else
		reason = parse_tcp(&cursor, pkt, &src_be16, &dst_be16);
	if (reason)
		return reason;
	parse_key(src_be16, dst_be16, frame->ifindex, pkt);
	return pkt->icmp ? COUNTER_frames_icmp_errors : (enum counter)0;
}

core_inline enum counter parse_frame(const struct frame *frame, __u32 decap,
				     struct packet *ret_pkt)
{
	int hop = parse_begin(frame, decap, ret_pkt);
	enum counter reason;

	if (hop > 0)
		hop = parse_hops(frame, ret_pkt, hop);
	reason = parse_segment(frame, ret_pkt, hop);
	if (ret_pkt->parsing.options_len)
		parse_hop(frame->data, frame->end, ret_pkt, HOP_OPTIONS);
	return reason;
}

#endif
