/* SPDX-License-Identifier: GPL-2.0-only */
/* Parsing and nothing else, as the programs do it: compiled once for each tree that is compared. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "parse_bench.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packet);
} space SEC(".maps");

static __always_inline struct packet *bench_packet(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&space, &zero);
}

#ifndef PARSE_BEGIN
#define PARSE_BEGIN parse_begin
#endif

#ifndef PARSE_BEFORE_HOPS
__attribute__((noinline)) int bench_hop(struct xdp_md *ctx, int hop)
{
	struct packet *pkt = bench_packet();

	if (!pkt)
		return -1;
	return parse_hop((const void *)(long)ctx->data, (const void *)(long)ctx->data_end, pkt,
			 hop);
}

__attribute__((noinline)) int bench_hops(struct xdp_md *ctx, int hop)
{
	__u32 i;

	for (i = 0; i < HOPS_MAX && hop > 0; i++)
		hop = bench_hop(ctx, hop);
	return hop;
}
#endif

static __always_inline enum counter bench_parse(struct xdp_md *ctx, const struct frame *frame,
						struct packet *pkt)
{
#ifdef PARSE_BEFORE_HOPS
	(void)ctx;
	return parse_frame(frame, pkt);
#else
	int hop = PARSE_BEGIN(frame, 0, pkt);

	if (hop > 0)
		hop = bench_hops(ctx, hop);
	return parse_segment(frame, pkt, hop);
#endif
}

__attribute__((noinline)) int bench_once(struct xdp_md *ctx)
{
	struct frame frame = {
		.data = (const void *)(long)ctx->data,
		.end = (const void *)(long)ctx->data_end,
		.time_ns = 1,
		.wire_bytes = ctx->data_end - ctx->data,
		.ifindex = ctx->ingress_ifindex,
		.door = DOOR_XDP,
		.link = LINK_ETHERNET,
	};
	struct packet *pkt = bench_packet();

	if (!pkt)
		return -1;
	return (int)verifier_joins(&pkt->joint, bench_parse(ctx, &frame, pkt));
}

/* What calling and finding the working space costs; both parsers are over this. */
__attribute__((noinline)) int empty_once(struct xdp_md *ctx)
{
	struct packet *pkt = bench_packet();

	if (!pkt)
		return -1;
	return (int)verifier_joins(&pkt->joint, (__u32)(ctx->data_end - ctx->data) & 0);
}

SEC("xdp")
int bench_xdp(struct xdp_md *ctx)
{
	int sum = 0;
	__u32 i;

	for (i = 0; i < PARSES_A_RUN; i++)
		sum |= bench_once(ctx);
	return sum ? XDP_ABORTED : XDP_PASS;
}

SEC("xdp")
int empty_xdp(struct xdp_md *ctx)
{
	int sum = 0;
	__u32 i;

	for (i = 0; i < PARSES_A_RUN; i++)
		sum |= empty_once(ctx);
	return sum ? XDP_ABORTED : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
