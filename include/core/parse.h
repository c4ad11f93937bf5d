/* SPDX-License-Identifier: GPL-2.0-only */
/* From a frame to a TCP segment: links, tags, IPv4, IPv6, TCP; every way out has a counter's name. */
#ifndef ACKMON_CORE_PARSE_H
#define ACKMON_CORE_PARSE_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/types.h>

#include "abi/counters.h"
#include "core/compiler.h"
#include "core/frame.h"
#include "core/options.h"
#include "core/packet.h"

/* 0 and *ret_pkt filled, or the reason the frame is not tracked. */
core_inline enum counter parse_frame(const struct frame *frame, struct packet *ret_pkt);

#define PARSE_VLANS_MAX 2
#define PARSE_EXT_HEADERS_MAX 8
#define PARSE_PROTO_TCP 6
#define TCP_HEADER_MIN 20u

enum ipv6_ext_header {
	EXT_HOP_BY_HOP = 0,
	EXT_ROUTING = 43,
	EXT_FRAGMENT = 44,
	EXT_AUTHENTICATION = 51,
	EXT_DESTINATION = 60,
	EXT_MOBILITY = 135,
};

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

core_inline void cursor_join(struct cursor *cursor, struct packet *pkt)
{
	cursor->offset = verifier_joins(&pkt->joint, cursor->offset);
	cursor->wire_left = verifier_joins(&pkt->joint, cursor->wire_left);
}

core_inline void parse_mapped(struct ip_addr *ret_addr, __be32 addr_be32)
{
	ret_addr->words_be32[0] = 0;
	ret_addr->words_be32[1] = 0;
	ret_addr->bytes[8] = ret_addr->bytes[9] = 0;
	ret_addr->bytes[10] = ret_addr->bytes[11] = 0xff;
	ret_addr->words_be32[3] = addr_be32;
}

core_inline void parse_addr(struct ip_addr *ret_addr, const __u8 *at)
{
	__u32 i;

	for (i = 0; i < 4; i++)
		ret_addr->words_be32[i] = load_be32(at + 4 * i);
}

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
	if (header_len > TCP_HEADER_MIN)
		options_parse(tcp + TCP_HEADER_MIN, header_len - TCP_HEADER_MIN, cursor->captured, pkt);
	return 0;
}

core_inline enum counter parse_ipv4(struct cursor *cursor, struct packet *pkt,
				    struct ip_addr ret_ends[2], __u8 *ret_proto)
{
	const __u8 *ip = cursor_peek(cursor, sizeof(struct iphdr));
	__u32 header_len, total_len;
	__u16 fragment;

	if (!ip)
		return COUNTER_frames_truncated;
	header_len = (ip[0] & 0x0f) * 4u;
	if (ip[0] >> 4 != 4 || header_len < sizeof(struct iphdr))
		return COUNTER_frames_ip_malformed;
	total_len = load_u16(ip + offsetof(struct iphdr, tot_len));
	if (!total_len) /* TSO and BIG TCP: captured before the length was filled in */
		total_len = cursor->wire_left;
	if (total_len < header_len)
		return COUNTER_frames_ip_malformed;
	if (total_len > cursor->wire_left)
		return COUNTER_frames_ip_overlong;
	fragment = load_u16(ip + offsetof(struct iphdr, frag_off));
	if (fragment & 0x1fff)
		return COUNTER_frames_fragments;
	pkt->first_fragment = !!(fragment & 0x2000);
	pkt->has_ip_id = 1;
	pkt->ip_id = load_u16(ip + offsetof(struct iphdr, id));
	pkt->ttl = ip[offsetof(struct iphdr, ttl)];
	pkt->ecn = ip[offsetof(struct iphdr, tos)] & 3;
	parse_mapped(&ret_ends[0], load_be32(ip + offsetof(struct iphdr, saddr)));
	parse_mapped(&ret_ends[1], load_be32(ip + offsetof(struct iphdr, daddr)));
	*ret_proto = ip[offsetof(struct iphdr, protocol)];
	cursor->wire_left = total_len;
	cursor_step(cursor, header_len);
	return 0;
}

core_inline int parse_is_ext_header(__u8 proto)
{
	return proto == EXT_HOP_BY_HOP || proto == EXT_ROUTING || proto == EXT_FRAGMENT ||
	       proto == EXT_AUTHENTICATION || proto == EXT_DESTINATION || proto == EXT_MOBILITY;
}

/* Steps over one extension header (RFC 8200, 4); *proto becomes the next one's. */
core_inline enum counter parse_ext_header(struct cursor *cursor, struct packet *pkt, __u8 *proto)
{
	const __u8 *ext = cursor_peek(cursor, 8);
	__u32 len;

	if (cursor->wire_left < 8)
		return COUNTER_frames_ip_malformed;
	if (!ext)
		return COUNTER_frames_truncated;
	len = (ext[1] + 1u) * 8;
	if (*proto == EXT_FRAGMENT) {
		if (load_u16(ext + 2) & 0xfff8)
			return COUNTER_frames_fragments;
		pkt->first_fragment |= ext[3] & 1;
		len = 8;
	} else if (*proto == EXT_AUTHENTICATION) {
		len = (ext[1] + 2u) * 4; /* RFC 4302, 2.2 */
	}
	if (len > cursor->wire_left)
		return COUNTER_frames_ip_malformed;
	*proto = ext[0];
	cursor_step(cursor, len);
	return 0;
}

/* Steps over all of them; bounded, because a hostile chain need not end. */
core_inline enum counter parse_ext_headers(struct cursor *cursor, struct packet *pkt, __u8 *proto)
{
	__u32 i;

	for (i = 0; i < PARSE_EXT_HEADERS_MAX; i++) {
		enum counter reason;

		cursor_join(cursor, pkt);
		*proto = (__u8)verifier_joins(&pkt->joint, *proto);
		if (!parse_is_ext_header(*proto))
			return 0;
		reason = parse_ext_header(cursor, pkt, proto);
		if (reason)
			return reason;
	}
	return parse_is_ext_header(*proto) ? COUNTER_frames_ext_headers : 0;
}

core_inline enum counter parse_ipv6(struct cursor *cursor, struct packet *pkt,
				    struct ip_addr ret_ends[2], __u8 *ret_proto)
{
	const __u32 header_len = sizeof(struct ipv6hdr);
	const __u8 *ip = cursor_peek(cursor, header_len);
	__u32 payload_len;

	if (!ip)
		return COUNTER_frames_truncated;
	if (ip[0] >> 4 != 6)
		return COUNTER_frames_ip_malformed;
	if (cursor->wire_left < header_len)
		return COUNTER_frames_ip_overlong;
	payload_len = load_u16(ip + offsetof(struct ipv6hdr, payload_len));
	if (!payload_len) /* BIG TCP: the frame knows */
		payload_len = cursor->wire_left - header_len;
	if (payload_len > cursor->wire_left - header_len)
		return COUNTER_frames_ip_overlong;
	pkt->ttl = ip[offsetof(struct ipv6hdr, hop_limit)];
	pkt->ecn = ip[1] >> 4 & 3;
	parse_addr(&ret_ends[0], ip + offsetof(struct ipv6hdr, saddr));
	parse_addr(&ret_ends[1], ip + offsetof(struct ipv6hdr, daddr));
	*ret_proto = ip[offsetof(struct ipv6hdr, nexthdr)];
	cursor->wire_left = payload_len + header_len;
	cursor_step(cursor, header_len);
	return parse_ext_headers(cursor, pkt, ret_proto);
}

/* Steps over the link header and its tags; *ret_eth_type is what follows. */
core_inline enum counter parse_ethernet(const struct frame *frame, struct cursor *cursor,
					struct packet *pkt, __u16 *ret_eth_type)
{
	const __u8 *eth = cursor_peek(cursor, ETH_HLEN);
	__u16 eth_type;
	__u32 i;

	if (!eth)
		return COUNTER_frames_truncated;
	eth_type = load_u16(eth + offsetof(struct ethhdr, h_proto));
	cursor_step(cursor, ETH_HLEN);
	/* A tag that was moved out of the frame counts as well. */
	for (i = !!frame->has_vlan_tci; eth_type == ETH_P_8021Q || eth_type == ETH_P_8021AD; i++) {
		const __u8 *tag = cursor_peek(cursor, 4);

		if (i == PARSE_VLANS_MAX)
			return COUNTER_frames_vlan_deep;
		if (!tag)
			return COUNTER_frames_truncated;
		if (!pkt->vlan)
			pkt->vlan = load_u16(tag) & 0x0fff;
		eth_type = load_u16(tag + 2);
		cursor_step(cursor, 4);
	}
	*ret_eth_type = eth_type;
	return 0;
}

core_inline enum counter parse_link(const struct frame *frame, struct cursor *cursor,
				    struct packet *pkt, __u16 *ret_eth_type)
{
	const __u8 *first;

	if (frame->link == LINK_ETHERNET)
		return parse_ethernet(frame, cursor, pkt, ret_eth_type);
	first = cursor_peek(cursor, 1);
	if (!first)
		return COUNTER_frames_truncated;
	*ret_eth_type = *first >> 4 == 4 ? ETH_P_IP : *first >> 4 == 6 ? ETH_P_IPV6 : 0;
	return *ret_eth_type ? 0 : COUNTER_frames_ip_malformed;
}

/* The lower (address, port) comes first, in network order. */
core_inline int parse_is_lower(const struct ip_addr ends[2], __be16 src_be16, __be16 dst_be16)
{
	__u32 i;

	for (i = 0; i < 4; i++) {
		__u32 src = be32_to_host(ends[0].words_be32[i]);
		__u32 dst = be32_to_host(ends[1].words_be32[i]);

		if (src != dst)
			return src < dst;
	}
	return be16_to_host(src_be16) <= be16_to_host(dst_be16);
}

core_inline void parse_key(const struct ip_addr ends[2], __be16 src_be16, __be16 dst_be16,
			   __u32 ifindex, struct packet *pkt)
{
	__u32 src = !parse_is_lower(ends, src_be16, dst_be16);

	pkt->direction = (__u8)src;
	/* Two whole branches: a computed index here costs the verifier more than it saves. */
	if (src) {
		pkt->key.addr[0] = ends[1];
		pkt->key.addr[1] = ends[0];
		pkt->key.port_be16[0] = dst_be16;
		pkt->key.port_be16[1] = src_be16;
	} else {
		pkt->key.addr[0] = ends[0];
		pkt->key.addr[1] = ends[1];
		pkt->key.port_be16[0] = src_be16;
		pkt->key.port_be16[1] = dst_be16;
	}
	pkt->key.ifindex = ifindex;
}

core_inline enum counter parse_frame(const struct frame *frame, struct packet *ret_pkt)
{
	struct cursor cursor = {
		.data = frame->data,
		.captured = frame->end,
		.wire_left = frame->wire_bytes,
	};
	struct ip_addr ends[2];
	__be16 src_be16, dst_be16;
	enum counter reason;
	__u16 eth_type;
	__u8 ip_proto;

	*ret_pkt = (struct packet){
		.now_ns = frame->time_ns,
		.wire_bytes = frame->wire_bytes,
		.segments = frame->segments,
		.vlan = frame->has_vlan_tci ? frame->vlan_tci & 0x0fff : 0,
	};
	reason = parse_link(frame, &cursor, ret_pkt, &eth_type);
	if (reason)
		return reason;
	cursor_join(&cursor, ret_pkt);
	if (eth_type == ETH_P_IP)
		reason = parse_ipv4(&cursor, ret_pkt, ends, &ip_proto);
	else if (eth_type == ETH_P_IPV6)
		reason = parse_ipv6(&cursor, ret_pkt, ends, &ip_proto);
	else
		return COUNTER_frames_not_ip;
	if (reason)
		return reason;
	if (ip_proto != PARSE_PROTO_TCP)
		return COUNTER_frames_not_tcp;
	cursor_join(&cursor, ret_pkt);
	reason = parse_tcp(&cursor, ret_pkt, &src_be16, &dst_be16);
	if (reason)
		return reason;
	parse_key(ends, src_be16, dst_be16, frame->ifindex, ret_pkt);
	return 0;
}

#endif
