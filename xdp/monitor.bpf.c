/* SPDX-License-Identifier: GPL-2.0-only */
/* The XDP door: an xdp_md becomes a frame, the frame passes through the hall, and XDP passes it on. */
#include "kern/maps.h"
#include "kern/host.h"

SEC("xdp")
int ackmon_xdp(struct xdp_md *ctx)
{
	struct frame frame = {
		.data = (const void *)(long)ctx->data,
		.end = (const void *)(long)ctx->data_end,
		.wire_bytes = ctx->data_end - ctx->data,
		.segments = 1,
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
