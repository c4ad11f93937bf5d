/* SPDX-License-Identifier: GPL-2.0-only */
/* The XDP door: an xdp_md becomes a frame, the frame passes through the hall, and XDP passes it on. */
#include "kern/maps.h"
#include "kern/host.h"

/*
 * The tag that the NIC took out of the frame, from Linux 6.8 on. Only a program that is bound to one
 * interface may ask, and one that is can not be in libxdp's dispatcher nor be tried by BPF_PROG_RUN: so it
 * is a form of its own, which userspace tells by its name.
 */
#ifdef ACKMON_VLAN
#define ackmon_xdp ackmon_xdp_vlan

extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *ctx, __be16 *ret_proto, __u16 *ret_tci) __ksym;

static __always_inline void xdp_read_tag(struct xdp_md *ctx, struct frame *frame)
{
	__be16 proto = 0;
	__u16 tci = 0;

	if (bpf_xdp_metadata_rx_vlan_tag(ctx, &proto, &tci))
		return;
	frame->vlan_tci = tci;
	frame->has_vlan_tci = 1;
}
#else
static __always_inline void xdp_read_tag(struct xdp_md *ctx, struct frame *frame)
{
	(void)ctx;
	(void)frame;
}
#endif

/* data..data_end is only the linear part of a frame in several buffers. */
static __always_inline __u32 xdp_wire_bytes(struct xdp_md *ctx)
{
	if (config.has_frags)
		return (__u32)bpf_xdp_get_buff_len(ctx);
	return ctx->data_end - ctx->data;
}

__attribute__((noinline)) int xdp_hop(struct xdp_md *ctx, int hop)
{
	struct packet *pkt = host_packet(DOOR_XDP);

	if (!pkt)
		return -(int)COUNTER_frames_truncated;
	return parse_hop((const void *)(long)ctx->data, (const void *)(long)ctx->data_end, pkt,
			 hop);
}

__attribute__((noinline)) int xdp_hops(struct xdp_md *ctx, int hop)
{
	__u32 i;

	for (i = 0; i < HOPS_MAX && hop > 0; i++)
		hop = xdp_hop(ctx, hop);
	return hop;
}

SEC("xdp")
int ackmon_xdp(struct xdp_md *ctx)
{
	struct frame frame = {
		.data = (const void *)(long)ctx->data,
		.end = (const void *)(long)ctx->data_end,
		.context = ctx,
		.wire_bytes = xdp_wire_bytes(ctx),
		.segments = 0, /* one, unless what came is a super-frame of a veth, LRO or generic XDP */
		.ifindex = ctx->ingress_ifindex | (__u32)config.netns << KEY_NETNS_SHIFT,
		.door = DOOR_XDP,
		.link = LINK_ETHERNET,
	};
	struct packet *pkt = host_packet(DOOR_XDP);

	if (!pkt)
		return XDP_PASS;
	if (config.rehearsing)
		host_rehearse(&frame);
	else
		frame.time_ns = bpf_ktime_get_ns();
	xdp_read_tag(ctx, &frame);
	host_enter(DOOR_XDP);
	monitor_frame(&frame, pkt);
	if (config.transit && pkt->of_proven)
		host_transit(pkt, DOOR_XDP);
	return XDP_PASS;
}

char LICENSE[] SEC("license") __weak = "GPL";
