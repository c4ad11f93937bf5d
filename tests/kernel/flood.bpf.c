/* SPDX-License-Identifier: GPL-2.0-only */
/* Every frame it is run on becomes the next one of a flood, and goes up to the stack, or out of the interface. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flood.h"

const volatile __u32 mode = FLOOD_SYN;
const volatile __u32 first = 0;    /* of the connections, so that two floods have none in common */
const volatile __u32 goes_out = 0;
__u32 next = 0;

#define SYN 0x02
#define RST_ACK 0x14
#define ACK 0x10
#define SYN_ACK 0x12
#define FIN_ACK 0x11

struct step {
	__u32 src, dst;
	__u16 src_port, dst_port;
	__u32 seq;
	__u32 ack;
	__u8 flags;
};

#define ISN 1000u

/* SYN, SYN-ACK, ACK, FIN, FIN, ACK; /24s of the opener are its namespaces. */
static __always_inline struct step step_of_churn(__u32 number)
{
	__u32 connection = first + number / FLOOD_CHURN_FRAMES, at = number % FLOOD_CHURN_FRAMES;
	int answers = at == 1 || at == 4;
	struct step step = {
		.src = 0xc6120000 + (connection & 0x1ffff),
		.dst = 0xcb007100 + (connection & 15),
		.src_port = 1024 + (connection >> 17),
		.dst_port = 443,
		.seq = ISN + (at > 1) + (at == 5),
		.ack = at ? ISN + 1 + (at == 4 || at == 5) : 0,
		.flags = !at ? SYN : at == 1 ? SYN_ACK : at == 3 || at == 4 ? FIN_ACK : ACK,
	};

	if (answers) {
		__u32 src = step.src;

		step.src = step.dst;
		step.dst = src;
		step.dst_port = step.src_port;
		step.src_port = 443;
	}
	return step;
}

/* 198.18.0.0/15 and 203.0.113.0/24 are for benchmarks and documentation (RFC 2544, RFC 5737). */
static __always_inline struct step step_of(__u32 number)
{
	__u32 opener = first + number;
	struct step step = {
		.src = 0xc6120000 + (opener & 0x1ffff),
		.dst = 0xcb007101,
		.src_port = 1024 + (opener >> 17),
		.dst_port = 443,
		.seq = opener * 2654435761u,
		.flags = SYN,
	};
	__u32 pair = number / 2, second = number & 1;

	if (mode == FLOOD_CHURN)
		return step_of_churn(number);
	step.ack = 5000;
	switch (mode) {
	case FLOOD_SCAN:
		step.src = second ? 0xcb007100 + (pair & 255) : 0xc6120001;
		step.dst = second ? 0xc6120001 : 0xcb007100 + (pair & 255);
		step.src_port = second ? 1 + (pair >> 8) : 50000;
		step.dst_port = second ? 50000 : 1 + (pair >> 8);
		step.flags = second ? RST_ACK : SYN;
		break;
	case FLOOD_DATA:
		step.src = 0xc6120000 + (pair & 0x1ffff);
		step.src_port = 1024 + (pair >> 17);
		step.seq = 1000;
		step.flags = ACK;
		break;
	case FLOOD_KNOWN:
		step.src = 0xc6120000 + first + number % FLOOD_FLOWS;
		step.src_port = 1024;
		step.seq = number / FLOOD_FLOWS * FLOOD_PAYLOAD_BYTES;
		step.flags = ACK;
		break;
	case FLOOD_REUSE:
		step.src = 0xc6120000 + number % FLOOD_TUPLES;
		step.src_port = 1024;
		break;
	}
	return step;
}

SEC("xdp")
int flood(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct step step;

	if ((void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	step = step_of(__sync_fetch_and_add(&next, 1));
	ip->saddr = bpf_htonl(step.src);
	ip->daddr = bpf_htonl(step.dst);
	tcp->source = bpf_htons(step.src_port);
	tcp->dest = bpf_htons(step.dst_port);
	tcp->seq = bpf_htonl(step.seq);
	tcp->ack_seq = bpf_htonl(step.flags == SYN ? 0 : step.ack);
	((__u8 *)tcp)[13] = step.flags;
	return goes_out ? XDP_TX : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
