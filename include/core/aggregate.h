/* SPDX-License-Identifier: GPL-2.0-only */
/* Every proven flow counts in the pair of its ends' labels: packet by packet, sample by sample. */
#ifndef ACKMON_CORE_AGGREGATE_H
#define ACKMON_CORE_AGGREGATE_H

#include "abi/aggregate.h"
#include "abi/flow.h"
#include "core/compiler.h"
#include "core/histogram.h"
#include "core/labels.h"
#include "core/packet.h"
#include "core/pair.h"

/*
 * What a host provides beside those of monitor.h. Counters and chunks are those of this CPU.
 */
/* Of the labels now; never 0. */
static __u8 host_label_generation(void);
/* Of one end, by its address and port and by whose socket it is, which the flow is told where it is known. */
static __u32 host_group(const struct flow_key *key, struct flow *flow, __u32 end);
/* PAIR_OTHER: there was no room for one more. */
static __u32 host_pair(__u32 opener_group, __u32 responder_group);
/* NULL: no such. */
static struct pair_counters *host_pair_counters(__u32 pair);
/* Chunk number of that place in struct pair_chunks; below CHUNK_FIRST it is PAIR_OTHER's. */
static __u32 host_pair_chunk(__u32 pair, __u32 place);
/* NULL: no such. */
static struct chunk *host_chunk(__u32 chunk);

/* A packet of a proven flow, once it has been tracked. 1: the flow's rare counts are to be added to its pair, too. */
core_cut int aggregate_packet(struct flow *flow, const struct packet *pkt);

/* A flow leaves, proven or not; flow->close is set. */
core_cut int aggregate_leaving(const struct flow_key *key, struct flow_whole *whole);

/*
 * The pair of a flow. The labels may have changed since it was looked up: then the flow is counted under
 * the new ones from here on, and what it gave to the old pair stays there.
 */
core_inline __u32 aggregate_pair(struct flow *flow, const struct flow_key *key)
{
	__u32 opener = flow->opener & 1, counted = READ_ONCE(flow->counted);
	__u32 generation = host_label_generation();
	__u32 groups[2];

	if (counted >> COUNTED_GENERATION_SHIFT == generation)
		return flow->pair;
	groups[0] = host_group(key, flow, opener);
	groups[1] = host_group(key, flow, !opener);
	/* Both directions may be here at once; they find the same. Who is late does it again. */
	WRITE_ONCE(flow->pair, (__u16)host_pair(groups[0], groups[1]));
	atomic_change(&flow->counted, counted,
		      (counted & COUNTED_BITS) | generation << COUNTED_GENERATION_SHIFT);
	return flow->pair;
}

core_numbers int aggregate_sample(__u32 number, __u32 histogram, __u64 ns, __u32 bucket)
{
	__u32 at = host_pair_chunk(number, histogram * PAIR_CHUNKS + bucket / CHUNK_BUCKETS);
	/* Without room for a chunk it is PAIR_OTHER's sample: count and sum stay together. */
	struct pair_counters *pair = host_pair_counters(at < CHUNK_FIRST ? PAIR_OTHER : number);
	struct chunk *chunk = host_chunk(at);

	if (!chunk || !pair || histogram >= PAIR_HISTOGRAMS)
		return -1;
	chunk->count[bucket & (CHUNK_BUCKETS - 1)]++;
	pair->sum_ns[histogram] += ns;
	return 0;
}

core_numbers int aggregate_time(__u32 number, __u32 histogram, __u64 ns)
{
	return aggregate_sample(number, histogram, ns, histogram_fine_bucket(ns));
}

/* Once for each flow and bit. */
core_inline int aggregate_takes(struct flow *flow, __u32 bit)
{
	if (READ_ONCE(flow->counted) & bit)
		return 0;
	return !(atomic_or(&flow->counted, bit) & bit);
}

/* What the opening, and the first answer, give. */
core_inline void aggregate_opening(__u32 number, struct flow *flow)
{
	if (flow->has_syn && flow->has_synack && flow->synack_ns >= flow->syn_ns &&
	    aggregate_takes(flow, COUNTED_CONNECT))
		aggregate_time(number, PAIR_CONNECT, flow->synack_ns - flow->syn_ns);
	if (flow->has_responder_handshake && aggregate_takes(flow, COUNTED_RESPONDER_HANDSHAKE))
		aggregate_time(number, PAIR_HANDSHAKE_RESPONDER,
				 flow->responder_handshake_ns);
	if (flow->has_opener_handshake && aggregate_takes(flow, COUNTED_OPENER_HANDSHAKE))
		aggregate_time(number, PAIR_HANDSHAKE_OPENER, flow->opener_handshake_ns);
	if (flow->has_response && aggregate_takes(flow, COUNTED_RESPONSE))
		aggregate_time(number, PAIR_RESPONSE, flow->response_ns);
}

/*
 * Round trips of before. There are one or two of an end, hence its least and its greatest; of more, the
 * mean of the others stands for each of them.
 */
core_inline void aggregate_early_rtt(__u32 number, __u32 histogram, const struct side *side)
{
	__u64 sum_ns = READ_ONCE(side->rtt_sum_ns), ends_ns = side->rtt_min_ns + side->rtt_max_ns;
	/* Of the other direction's side, which another CPU may write just now. */
	__u64 others_ns = sum_ns > ends_ns ? sum_ns - ends_ns : 0;
	__u32 samples = READ_ONCE(side->rtt_samples), others = samples - 2, i;

	if (!samples)
		return;
	aggregate_time(number, histogram, side->rtt_min_ns);
	if (samples == 1)
		return;
	aggregate_time(number, histogram, side->rtt_max_ns);
	for (i = 0; i < RTT_PROBES && i < others; i++)
		aggregate_time(number, histogram, others_ns / others);
}

core_inline void aggregate_whole(struct pair_counters *pair, __u32 number, struct flow *flow)
{
	__u32 opener = flow->opener & 1;

	pair_add_flow(pair, flow);
	pair->outcomes[outcome_of(flow, 1) & (OUTCOME_COUNT - 1)]++;
	aggregate_early_rtt(number, PAIR_RTT_OPENER, &flow->side[opener]);
	aggregate_early_rtt(number, PAIR_RTT_RESPONDER, &flow->side[!opener]);
}

core_inline void aggregate_class(struct pair_counters *pair, const struct packet *pkt)
{
	__u32 segments = pkt->verdict.segments;

	switch (pkt->verdict.class) {
	case SEGMENT_RETRANSMITTED:
		pair->retransmitted[pkt->verdict.cause & (PAIR_CAUSES - 1)] += segments;
		if (pkt->verdict.spurious)
			pair->spurious += segments;
		return;
	case SEGMENT_RECOVERED:
		pair->recovered += segments;
		return;
	case SEGMENT_REORDERED:
		pair->reordered += segments;
		return;
	}
}

core_cut int core_body(aggregate_packet)(struct flow *flow, const struct packet *pkt)
{
	struct pair_counters *pair;
	__u32 number, leg;

	if (!flow || !pkt)
		return 0;
	number = aggregate_pair(flow, &pkt->key);
	pair = host_pair_counters(number);
	if (!pair)
		return 0;
	if (aggregate_takes(flow, COUNTED_WHOLE)) { /* this packet included */
		aggregate_whole(pair, number, flow);
		aggregate_opening(number, flow);
		return 1;
	}
	pair->segments += pkt->verdict.segments;
	pair->payload_bytes += pkt->payload_bytes;
	if (pkt->verdict.class != SEGMENT_PLAIN && pkt->verdict.class != SEGMENT_NEW)
		aggregate_class(pair, pkt);
	pair->spurious += pkt->verdict.dsack_spurious;
	pair->zero_window_ns += pkt->verdict.zero_window_ns;
	if (pkt->verdict.has_rtt) {
		leg = (pkt->direction & 1) == flow->opener ? PAIR_RTT_OPENER : PAIR_RTT_RESPONDER;
		aggregate_sample(number, leg, pkt->verdict.rtt_ns, pkt->verdict.rtt_bucket);
	}
	if ((flow->has_response && !(flow->counted & COUNTED_RESPONSE)) || (pkt->flags & TCP_SYN))
		aggregate_opening(number, flow);
	return 0;
}

core_cut int core_body(aggregate_leaving)(const struct flow_key *key, struct flow_whole *whole)
{
	struct pair_counters *pair;

	if (!key || !whole)
		return 0;
	pair = host_pair_counters(aggregate_pair(&whole->flow, key));
	if (pair)
		pair_add_leaving(pair, whole, whole->flow.close != CLOSE_OPEN);
	return 0;
}

#endif
