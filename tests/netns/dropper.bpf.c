/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes a path bad on purpose: drops, duplicates or holds back chosen packets of one interface. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "dropper.h"

const volatile struct dropper_rule rule;
struct dropper_counts counts;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024);
} held SEC(".maps");

struct segment {
	struct tcphdr tcp;
	__u32 payload_bytes;
};

/* 0, or -1 when it is not TCP directly behind IP, or no first fragment. */
static __always_inline int segment_read(struct __sk_buff *skb, struct segment *ret_segment)
{
	__u32 offset = ETH_HLEN;
	__u32 ip_end;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)))
			return -1;
		if (ip.protocol != IPPROTO_TCP || ip.frag_off & bpf_htons(0x1fff))
			return -1;
		ip_end = offset + bpf_ntohs(ip.tot_len);
		offset += ip.ihl * 4;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.nexthdr != IPPROTO_TCP)
			return -1;
		offset += sizeof(ip);
		ip_end = offset + bpf_ntohs(ip.payload_len);
	} else {
		return -1;
	}

	if (bpf_skb_load_bytes(skb, offset, &ret_segment->tcp, sizeof(ret_segment->tcp)))
		return -1;
	offset += ret_segment->tcp.doff * 4;
	ret_segment->payload_bytes = ip_end > offset ? ip_end - offset : 0;
	return 0;
}

static __always_inline int segment_matches(const struct segment *segment)
{
	const struct tcphdr *tcp = &segment->tcp;
	__u16 port_be16 = bpf_htons((__u16)rule.port);

	if (rule.port && tcp->source != port_be16 && tcp->dest != port_be16)
		return 0;

	switch (rule.match) {
	case MATCH_TCP:
		return 1;
	case MATCH_SYN:
		return tcp->syn && !tcp->ack;
	case MATCH_SYNACK:
		return tcp->syn && tcp->ack;
	case MATCH_ACK:
		return tcp->ack && !segment->payload_bytes && !tcp->syn && !tcp->fin && !tcp->rst;
	case MATCH_DATA:
		return segment->payload_bytes != 0;
	case MATCH_PUSH:
		return segment->payload_bytes != 0 && tcp->psh;
	case MATCH_FIN:
		return tcp->fin;
	case MATCH_RST:
		return tcp->rst;
	default:
		return 0;
	}
}

/* A number that looks random and depends on seed and number alone. */
static __always_inline __u32 shuffle(__u32 seed, __u32 number)
{
	__u32 x = seed + number * 0x9e3779b9;

	x = (x ^ (x >> 16)) * 0x7feb352d;
	x = (x ^ (x >> 15)) * 0x846ca68b;
	return x ^ (x >> 16);
}

static __always_inline int rule_chooses(__u32 number)
{
	if (rule.first && number >= rule.first && number <= rule.last)
		return 1;
	if (rule.every && (number - 1) % rule.every == 0)
		return 1;
	if (rule.up_to && number > rule.up_to)
		return 0;
	return rule.chance && shuffle(rule.seed, number) < rule.chance;
}

/* Copies the packet to userspace, which sends it later, and takes it off the wire here. */
static __always_inline int hold(struct __sk_buff *skb)
{
	struct dropper_held *copy;
	__u32 len = skb->len;

	if (len < ETH_HLEN || len > DROPPER_HELD_MAX)
		goto pass;
	copy = bpf_ringbuf_reserve(&held, sizeof(*copy), 0);
	if (!copy)
		goto pass;
	copy->seen_ns = bpf_ktime_get_ns();
	copy->len = len;
	copy->reserved = 0;
	if (bpf_skb_load_bytes(skb, 0, copy->bytes, len)) {
		bpf_ringbuf_discard(copy, 0);
		goto pass;
	}
	bpf_ringbuf_submit(copy, 0);
	return TC_ACT_SHOT;
pass:
	__sync_fetch_and_add(&counts.too_long, 1);
	return TC_ACT_UNSPEC;
}

static __always_inline int act(struct __sk_buff *skb)
{
	switch (rule.action) {
	case ACTION_DROP:
		return TC_ACT_SHOT;
	case ACTION_DUPLICATE:
		/* The mark travels with the clone, which comes by here again. */
		skb->mark = DROPPER_PASS_MARK;
		bpf_clone_redirect(skb, skb->ifindex, 0);
		return TC_ACT_UNSPEC;
	default:
		return hold(skb);
	}
}

SEC("tc")
int dropper(struct __sk_buff *skb)
{
	struct segment segment = {};
	__u64 number;

	if (skb->mark == DROPPER_PASS_MARK)
		return TC_ACT_UNSPEC;
	__sync_fetch_and_add(&counts.packets, 1);
	if (rule.match != MATCH_ANY && (segment_read(skb, &segment) || !segment_matches(&segment)))
		return TC_ACT_UNSPEC;

	number = __sync_fetch_and_add(&counts.matched, 1) + 1;
	if (!rule_chooses((__u32)number))
		return TC_ACT_UNSPEC;
	__sync_fetch_and_add(&counts.chosen, 1);
	__sync_fetch_and_add(&counts.segments, skb->gso_segs ? skb->gso_segs : 1);
	return act(skb);
}

char _license[] SEC("license") = "GPL";
