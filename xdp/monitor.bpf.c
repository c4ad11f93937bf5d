/* SPDX-License-Identifier: GPL-2.0-only */
/* The XDP door: an xdp_md becomes a frame, the frame passes through the hall, and XDP passes it on. */
#include "kern/maps.h"
#include "kern/host.h"

/* data..data_end is only the linear part of a frame in several buffers. */
static __always_inline __u32 xdp_wire_bytes(struct xdp_md *ctx)
{
	if (config.has_frags)
		return (__u32)bpf_xdp_get_buff_len(ctx);
	return ctx->data_end - ctx->data;
}

SEC("xdp")
int ackmon_xdp(struct xdp_md *ctx)
{
	struct frame frame = {
		.data = (const void *)(long)ctx->data,
		.end = (const void *)(long)ctx->data_end,
		.wire_bytes = xdp_wire_bytes(ctx),
		.segments = 0, /* one, unless what came is a super-frame of a veth, LRO or generic XDP */
		.ifindex = ctx->ingress_ifindex,
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
	monitor_frame(&frame, pkt);
	return XDP_PASS;
}

char LICENSE[] SEC("license") __weak = "GPL";
