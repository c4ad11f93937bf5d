/* SPDX-License-Identifier: GPL-2.0-only */
/* The entries that some flows own beside them: holes, round trips, what is rare. */
#ifndef ACKMON_CORE_BESIDE_H
#define ACKMON_CORE_BESIDE_H

#include "abi/counters.h"
#include "abi/flow.h"
#include "core/aggregate.h"
#include "core/compiler.h"
#include "core/half_open_flow.h"
#include "core/histogram.h"
#include "core/host.h"
#include "core/packet.h"
#include "core/rare.h"
#include "core/side.h"
#include "core/track.h"

/* What placing this segment needs: the list of its direction, which is opened first; NULL where none is needed. */
core_inline struct holes *monitor_holes(__u8 door, const struct flow *flow, const struct packet *pkt);

/* Which bucket a sample of a tracked segment is for, and on its way to the histogram of its direction. */
core_inline void monitor_rtt(__u8 door, struct flow *flow, struct packet *pkt);

/* What is rare about a tracked segment is counted for its direction, whose entry is opened first. */
core_apart int monitor_rare(struct flow *flow, struct packet *pkt, __u32 door);

core_inline struct holes *monitor_list(__u8 door, const struct flow *flow, const struct packet *pkt)
{
	struct holes *holes;

	holes = host_find_holes(flow, pkt->direction & 1);
	if (holes)
		return holes;
	holes = host_open_holes(flow, pkt->direction & 1);
	if (!holes)
		host_count(door, COUNTER_holes_refused);
	return holes;
}

core_inline struct holes *monitor_holes(__u8 door, const struct flow *flow,
					const struct packet *pkt)
{
	if (!loss_needs_holes(side_from(flow, pkt), pkt))
		return (struct holes *)0;
	return monitor_list(door, flow, pkt);
}

/* A common segment in a direction that remembers them all for a while; rare, so apart. */
core_apart int monitor_echo(struct flow *flow, const struct packet *pkt, __u32 door)
{
	struct holes *holes;

	if (!flow || !pkt)
		return 0;
	holes = monitor_list((__u8)door, flow, pkt);
	if (holes)
		track_echo(flow, pkt, holes);
	return 0;
}

/* What the other end repeated, when this one reports a duplicate. */
core_inline struct holes *monitor_peer_holes(const struct flow *flow, const struct packet *pkt)
{
	__u32 peer = !(pkt->direction & 1);

	if (!window_is_dsack(pkt) || !(flow->side[peer].bits & SIDE_HOLES))
		return (struct holes *)0;
	return host_find_holes(flow, peer);
}

/* A flow with few samples needs no histogram: its minimum, mean and maximum say as much. */
#define MONITOR_HISTOGRAM_SAMPLES 32u

/* Four samples; apart, for the sake of the verifier. */
core_apart int monitor_rtt_take(struct flow *flow, const struct packet *pkt, __u32 door)
{
	struct side *side;
	int taken;

	if (!flow || !pkt)
		return 0;
	side = side_from(flow, pkt);
	taken = host_take_samples(flow, pkt->direction & 1, side->rtt_waiting,
				  side->rtt_samples == MONITOR_HISTOGRAM_SAMPLES + RTT_WAITING);
	if (taken > 0)
		side->bits |= SIDE_HISTOGRAM;
	else if (taken < 0)
		host_count((__u8)door, COUNTER_histograms_refused);
	return 0;
}

/* Finding the histogram costs more than all else that a sample costs, so samples go there by fours. */
core_inline void monitor_rtt(__u8 door, struct flow *flow, struct packet *pkt)
{
	struct side *side = side_from(flow, pkt);
	int waits = side->rtt_samples > MONITOR_HISTOGRAM_SAMPLES;

	if (!pkt->verdict.has_rtt || (!waits && !host_config()->aggregate))
		return;
	pkt->verdict.rtt_bucket = (__u16)histogram_fine_bucket(pkt->verdict.rtt_ns);
	if (!waits)
		return;
	side->rtt_waiting[(side->rtt_samples - 1) % RTT_WAITING] =
		(__u16)histogram_bucket_of(pkt->verdict.rtt_bucket);
	if (!(side->rtt_samples % RTT_WAITING))
		monitor_rtt_take(flow, pkt, door);
}

core_apart int monitor_rare(struct flow *flow, struct packet *pkt, __u32 door)
{
	__u32 direction;
	struct rare *rare;
	struct side *side;

	if (!flow || !pkt || !rare_has_news(pkt))
		return 0;
	if (pkt->in_work)
		return half_open_note(host_half_open_work((__u8)door), pkt);
	direction = pkt->direction & 1;
	side = &flow->side[direction];
	rare = host_find_rare(flow, direction);
	if (!rare)
		rare = host_open_rare(flow, direction);
	side->bits |= rare ? SIDE_RARE : SIDE_RARE_REFUSED;
	if (rare)
		rare_note(rare, pkt);
	else
		host_count((__u8)door, COUNTER_rares_refused);
	return 0;
}

/* Of one side of a flow that has just been counted as a whole. */
core_apart int monitor_aggregate_rare(const struct flow *flow, const struct packet *pkt, __u32 door,
				      __u32 direction)
{
	const struct half_open_work *work = host_half_open_work((__u8)door);
	struct pair_counters *pair;
	const struct rare *rare;

	if (!flow || !pkt || !work || !(flow->side[direction & 1].bits & SIDE_RARE))
		return 0;
	rare = pkt->in_work ? &work->rare[direction & 1]
			    : host_find_rare(flow, direction & 1);
	pair = host_pair_counters(flow->pair);
	if (rare && pair)
		pair_add_rare(pair, rare);
	return 0;
}

#endif
