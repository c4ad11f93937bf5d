/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many different frames in one BPF_PROG_RUN: each repetition turns the test packet into the next frame of
 * an array and calls the program under test, which sees a packet like any other.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "feeder.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FEED_FRAMES);
	__type(key, __u32);
	__type(value, struct feed);
} feeds SEC(".maps");

/* The globals of the program under test, in place of this map. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rehearsal);
} globals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} xdp_target SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} tc_target SEC(".maps");

const volatile __u32 rehearsal_at = 0; /* in globals */
__u32 position = 0;

static __always_inline struct feed *next_feed(void)
{
	__u32 index = position++, zero = 0;
	struct feed *feed = bpf_map_lookup_elem(&feeds, &index);
	char *found = bpf_map_lookup_elem(&globals, &zero);

	if (!feed || !found || feed->captured < FEED_BYTES_MIN || feed->captured > FEED_BYTES_MAX)
		return (struct feed *)0;
	*(struct rehearsal *)(found + rehearsal_at) = feed->rehearsal;
	return feed;
}

SEC("xdp")
int feed_xdp(struct xdp_md *ctx)
{
	struct feed *feed = next_feed();
	int len = (int)bpf_xdp_get_buff_len(ctx);
	__u32 captured;

	if (!feed)
		return XDP_ABORTED;
	captured = feed->captured;
	if (captured < FEED_BYTES_MIN || captured > FEED_BYTES_MAX ||
	    bpf_xdp_adjust_tail(ctx, (int)captured - len) ||
	    bpf_xdp_store_bytes(ctx, 0, feed->bytes, captured))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &xdp_target, 0);
	return XDP_ABORTED;
}

SEC("tc")
int feed_tc(struct __sk_buff *skb)
{
	struct feed *feed = next_feed();
	__u32 captured;

	if (!feed)
		return 0;
	captured = feed->captured;
	if (captured < FEED_BYTES_MIN || captured > FEED_BYTES_MAX)
		return 0;
	/* Before the bytes: the tag beside a frame moves into it when another comes. */
	if (skb->vlan_present && bpf_skb_vlan_pop(skb))
		return 0;
	if (bpf_skb_change_tail(skb, captured, 0) ||
	    bpf_skb_store_bytes(skb, 0, feed->bytes, captured, 0))
		return 0;
	if (feed->has_vlan_tci && bpf_skb_vlan_push(skb, bpf_htons(0x8100), feed->vlan_tci))
		return 0;
	bpf_tail_call(skb, &tc_target, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
