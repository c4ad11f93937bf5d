/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rig of prog_bench: a driver that turns the test packet into the next one of many flows and
 * calls the program under test, the empty program, and the one-lookup floor.
 *
 * BPF_PROG_RUN repeats one packet, but the same packet again is a retransmission, and one flow is
 * always in the cache. So each repetition first rewrites addresses, ports, numbers and timestamps.
 * The driver's cost is in all programs alike and goes away with the empty one's.
 */
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi/key.h"
#include "prog_bench.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, TARGET_COUNT);
	__type(key, __u32);
	__type(value, __u32);
} xdp_targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, TARGET_COUNT);
	__type(key, __u32);
	__type(value, __u32);
} tc_targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__type(key, struct flow_key);
	__type(value, struct floor_flow);
} floor_flows SEC(".maps");

struct drive drive;

struct timestamps {
	__be32 tsval_be32;
	__be32 tsecr_be32;
} __attribute__((packed));

/* Ethernet, IPv4, TCP and, right behind it, NOP NOP timestamps; in a SYN one word later, behind MSS and SACK permitted. */
struct headers {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
	__u8 nops[4];
	struct timestamps timestamps;
} __attribute__((packed));

/* One to one on [0, mask], and not a stride a prefetcher could follow. */
static __always_inline __u32 scattered(__u32 i)
{
	__u32 x = i * drive.scatter & drive.flow_mask;

	x ^= x >> (drive.flow_shift / 2 + 1);
	return x * 0x9e3779b1u & drive.flow_mask;
}

static __always_inline __u32 isn(__u32 flow, __u32 end)
{
	return flow * 0x85ebca6bu + end * 0x40000000u;
}

static __always_inline void drive_packet(void *data, void *end)
{
	struct headers *headers = data;
	__u64 index = drive.index++;
	__u32 visit = index >> drive.flow_shift;
	__u32 flow = drive.first_flow + scattered(index);
	const struct leg *leg = &drive.leg[visit & drive.both & 1];
	__u32 turn = visit >> (drive.both & 1);
	__u32 clock = drive.first_visit + visit;
	__be32 opener_addr, responder_addr = bpf_htonl(RESPONDER_ADDR);
	__be16 opener_port, responder_port = bpf_htons(RESPONDER_PORT);
	struct timestamps *timestamps;

	if (data + sizeof(*headers) > end)
		return;
	opener_addr = bpf_htonl(OPENER_BASE + flow / OPENER_PORTS);
	opener_port = bpf_htons(OPENER_PORT_FIRST + flow % OPENER_PORTS);
	if (leg->from) {
		headers->ip.saddr = responder_addr;
		headers->ip.daddr = opener_addr;
		headers->tcp.source = responder_port;
		headers->tcp.dest = opener_port;
	} else {
		headers->ip.saddr = opener_addr;
		headers->ip.daddr = responder_addr;
		headers->tcp.source = opener_port;
		headers->tcp.dest = responder_port;
	}
	headers->tcp.seq = bpf_htonl(isn(flow, leg->from) + leg->seq + turn * leg->seq_step);
	headers->tcp.ack_seq =
		bpf_htonl(isn(flow, !leg->from) + leg->ack + turn * leg->ack_step);
	timestamps = &headers->timestamps;
	if (drive.is_syn)
		timestamps = (void *)timestamps + sizeof(__be32);
	if ((void *)(timestamps + 1) > end)
		return;
	/* A new timestamp every eighth packet of a flow: as often an RTT sample starts. */
	timestamps->tsval_be32 = bpf_htonl(1000 + clock / 8);
	timestamps->tsecr_be32 = bpf_htonl(1000 + (clock - 1) / 8);
}

SEC("xdp")
int drive_xdp(struct xdp_md *ctx)
{
	drive_packet((void *)(long)ctx->data, (void *)(long)ctx->data_end);
	bpf_tail_call(ctx, &xdp_targets, drive.target);
	return XDP_ABORTED;
}

SEC("tc")
int drive_tc(struct __sk_buff *skb)
{
	drive_packet((void *)(long)skb->data, (void *)(long)skb->data_end);
	bpf_tail_call(skb, &tc_targets, drive.target);
	return 2; /* TC_ACT_SHOT */
}

SEC("xdp")
int empty_xdp(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

SEC("tc")
int empty_tc(struct __sk_buff *skb)
{
	(void)skb;
	return -1; /* TC_ACT_UNSPEC */
}

static __always_inline void floor_addr(struct ip_addr *ret_addr, __be32 addr_be32)
{
	ret_addr->words_be32[2] = bpf_htonl(0xffff);
	ret_addr->words_be32[3] = addr_be32;
}

/* Parse, one lookup, update in place: no flow monitor does less. It reads no clock. */
static __always_inline void floor_track(void *data, void *end, __u32 ifindex)
{
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	struct tcphdr *tcp = (void *)ip + sizeof(*ip);
	struct flow_key key = { .ifindex = ifindex };
	struct floor_flow *flow;
	__u32 direction;

	if ((void *)(tcp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 ||
	    ip->protocol != 6 || tcp->doff < 5)
		return;
	direction = bpf_ntohl(ip->saddr) > bpf_ntohl(ip->daddr);
	floor_addr(&key.addr[0], direction ? ip->daddr : ip->saddr);
	floor_addr(&key.addr[1], direction ? ip->saddr : ip->daddr);
	key.port_be16[0] = direction ? tcp->dest : tcp->source;
	key.port_be16[1] = direction ? tcp->source : tcp->dest;
	flow = bpf_map_lookup_elem(&floor_flows, &key);
	if (!flow) {
		struct floor_flow opened = {};

		bpf_map_update_elem(&floor_flows, &key, &opened, BPF_NOEXIST);
		return;
	}
	flow->frames[direction]++;
	flow->bytes[direction] += bpf_ntohs(ip->tot_len);
	flow->next[direction] = bpf_ntohl(tcp->seq);
	flow->ack[direction] = bpf_ntohl(tcp->ack_seq);
}

SEC("xdp")
int floor_xdp(struct xdp_md *ctx)
{
	floor_track((void *)(long)ctx->data, (void *)(long)ctx->data_end, ctx->ingress_ifindex);
	return XDP_PASS;
}

SEC("tc")
int floor_tc(struct __sk_buff *skb)
{
	floor_track((void *)(long)skb->data, (void *)(long)skb->data_end, skb->ifindex);
	return -1; /* TC_ACT_UNSPEC */
}

char LICENSE[] SEC("license") = "GPL";
