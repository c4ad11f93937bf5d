/* SPDX-License-Identifier: GPL-2.0-only */
/* The TC doors, ingress and egress: an sk_buff becomes a frame; what others decide about it stands. */
#include "kern/maps.h"
#include "kern/host.h"

#define TC_ACT_UNSPEC (-1)

/* Ethernet, two tags, IPv6 with some extension headers, TCP with all its options. */
#define HEADERS_MAX 192u

/* And when tunnels are looked into: outer headers with options, then all that once more. */
#define TUNNEL_HEADERS_MAX 448u

/* Ethernet with a tag and IPv6, and a tunnel's own header. */
#define OUTER_HEADERS_MAX 128u

/* Headers beyond the linear part of the buffer are pulled into it; the bytes on the wire stay. */
static __always_inline void tc_pull_headers(struct __sk_buff *skb)
{
	__u32 linear = skb->data_end - skb->data;
	__u32 headers = config.decap ? TUNNEL_HEADERS_MAX : HEADERS_MAX;
	__u32 wanted = skb->len < headers ? skb->len : headers;

	if (linear < wanted)
		bpf_skb_pull_data(skb, wanted);
}

/*
 * Linux before 5.14 leaves what it has taken off a tunnel's packet in front of it, where other interfaces
 * have their Ethernet header. That many octets: nothing follows the packet, once it has been in a tunnel.
 */
static __always_inline __u32 tc_outer_headers(struct __sk_buff *skb, void *room)
{
	const __u64 *first = (const void *)(long)skb->data;
	const __u8 *ip = room;
	__u32 outer;

	if (bpf_skb_load_bytes_relative(skb, 0, room, sizeof(*first), BPF_HDR_START_NET))
		return 0;
	if ((const void *)(first + 1) > (const void *)(long)skb->data_end ||
	    *first == *(const __u64 *)room)
		return 0;
	outer = skb->len - (ip[0] >> 4 == 4 ? load_u16(ip + 2) : load_u16(ip + 4) + 40u);
	return outer <= OUTER_HEADERS_MAX ? outer : 0;
}

__attribute__((noinline)) int tc_hop(struct __sk_buff *skb, __u32 door, int hop)
{
	struct packet *pkt = host_packet((__u8)door);

	if (!pkt)
		return -(int)COUNTER_frames_truncated;
	return parse_hop((const void *)(long)skb->data, (const void *)(long)skb->data_end, pkt,
			 hop);
}

__attribute__((noinline)) int tc_hops(struct __sk_buff *skb, __u32 door, int hop)
{
	__u32 i;

	for (i = 0; i < HOPS_MAX && hop > 0; i++)
		hop = tc_hop(skb, door, hop);
	return hop;
}

static __always_inline int tc_monitor(struct __sk_buff *skb, __u8 door)
{
	struct packet *pkt = host_packet(door);
	struct frame frame;

	if (!pkt)
		return TC_ACT_UNSPEC;
	tc_pull_headers(skb);
	frame = (struct frame){
		.data = (const void *)(long)skb->data,
		.end = (const void *)(long)skb->data_end,
		.context = skb,
		.wire_bytes = skb->len,
		.segments = skb->gso_segs ? skb->gso_segs : 1,
		.ifindex = skb->ifindex | (__u32)config.netns << KEY_NETNS_SHIFT,
		.vlan_tci = (__u16)skb->vlan_tci,
		.has_vlan_tci = !!skb->vlan_present,
		.door = door,
		.link = config.link,
	};
	if (config.link == LINK_RAW_IP && door == DOOR_TC_INGRESS) {
		frame.outer = (__u8)tc_outer_headers(skb, pkt);
		frame.wire_bytes -= frame.outer;
	}
	if (config.rehearsing)
		host_rehearse(&frame);
	else
		frame.time_ns = bpf_ktime_get_ns();
	host_enter(door);
	monitor_frame(&frame, pkt);
	if (config.transit && pkt->of_proven)
		host_transit(pkt, door);
	if (door == DOOR_TC_EGRESS && config.owners && pkt->asks_owner)
		host_note_owner(pkt, bpf_skb_cgroup_id(skb));
	return TC_ACT_UNSPEC;
}

SEC("tc")
int ackmon_ingress(struct __sk_buff *skb)
{
	return tc_monitor(skb, DOOR_TC_INGRESS);
}

SEC("tc")
int ackmon_egress(struct __sk_buff *skb)
{
	return tc_monitor(skb, DOOR_TC_EGRESS);
}

char LICENSE[] SEC("license") __weak = "GPL";
