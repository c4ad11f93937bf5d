/* SPDX-License-Identifier: GPL-2.0-only */
/* When a flow is over, and what its last record says of it. */
#ifndef ACKMON_CORE_EXPIRE_H
#define ACKMON_CORE_EXPIRE_H

#include "abi/config.h"
#include "abi/flow.h"
#include "core/compiler.h"
#include "core/histogram.h"
#include "core/holes.h"
#include "core/packet.h"
#include "core/seq.h"

/* RST seen, or FIN both ways. */
core_inline int flow_is_closed(const struct flow *flow);

/* Closed, and both ends know: only stragglers can follow. */
core_inline int flow_is_settled(const struct flow *flow);

/* Silent for so long that the next frame of the tuple belongs to another flow. */
core_inline int flow_is_over(const struct flow *flow,
			     const volatile struct monitor_config *config, __u64 now_ns);

/* Why a flow that is over, or was stopped being watched, has ended; enum flow_close. */
core_inline __u8 flow_close_reason(const struct flow *flow);

/*
 * Adds to a copy of a flow on its way out what its holes and its histogram know of one direction: gap_bytes,
 * holes_dropped and percentiles. Either entry may be NULL; the samples that still wait in the flow go into histogram,
 * so it is the flow's last, or a copy.
 */
core_inline void flow_settle(struct flow_whole *copy, __u32 direction, const struct holes *holes,
			     struct histogram *histogram);

core_inline __u64 flow_last_ns(const struct flow *flow)
{
	__u64 a = READ_ONCE(flow->side[0].last_ns), b = READ_ONCE(flow->side[1].last_ns);

	return a > b ? a : b;
}

core_inline int flow_is_closed(const struct flow *flow)
{
	__u8 any = flow->side[0].flags | flow->side[1].flags;
	__u8 both = flow->side[0].flags & flow->side[1].flags;

	return (any & TCP_RST) || (both & TCP_FIN);
}

core_inline int flow_is_settled(const struct flow *flow)
{
	const struct side *a = &flow->side[0], *b = &flow->side[1];

	if ((a->flags | b->flags) & TCP_RST)
		return 1;
	if (!(a->bits & b->bits & SIDE_ACK) || !(a->bits & b->bits & SIDE_SEQ))
		return 0;
	return flow_is_closed(flow) && !seq_before(b->ack, a->next) && !seq_before(a->ack, b->next);
}

core_inline int flow_is_over(const struct flow *flow,
			     const volatile struct monitor_config *config, __u64 now_ns)
{
	__u64 last_ns = flow_last_ns(flow), timeout_ns = config->idle_timeout_ns;

	/* Nearly every frame is settled here: it need not ask how the flow stands. */
	if (now_ns <= last_ns ||
	    (now_ns - last_ns <= config->closed_timeout_ns &&
	     now_ns - last_ns <= config->half_open_timeout_ns && now_ns - last_ns <= timeout_ns))
		return 0;
	if (flow_is_settled(flow))
		timeout_ns = config->closed_timeout_ns;
	else if (flow_is_closed(flow) || (!flow->proven && flow->role == ROLE_SEEN))
		timeout_ns = config->half_open_timeout_ns;
	return now_ns - last_ns > timeout_ns;
}

core_inline __u8 flow_close_reason(const struct flow *flow)
{
	if ((flow->side[0].flags | flow->side[1].flags) & TCP_RST)
		return CLOSE_RST;
	return flow_is_closed(flow) ? CLOSE_FIN : CLOSE_IDLE;
}

/* A percentile is a bucket's middle; the extremes are known exactly and bound it. */
core_inline __u64 flow_bound_ns(const struct side *side, __u64 ns)
{
	if (ns < side->rtt_min_ns)
		return side->rtt_min_ns;
	return ns > side->rtt_max_ns ? side->rtt_max_ns : ns;
}

core_inline void flow_settle(struct flow_whole *copy, __u32 direction, const struct holes *holes,
			     struct histogram *histogram)
{
	struct side *side = &copy->flow.side[direction];
	const struct side *peer = &copy->flow.side[!direction];
	struct rare *rare = &copy->rare[direction];
	struct percentiles percentiles;

	if (holes) {
		rare->gap_bytes += holes->gap_bytes;
		rare->holes_dropped += holes->dropped;
	}
	if (holes && side->holes && (peer->bits & SIDE_ACK))
		rare->gap_bytes += holes_acked_bytes(holes, peer->ack);
	if (!histogram)
		return;
	histogram_take(histogram, side->rtt_waiting, side->rtt_samples % RTT_WAITING);
	percentiles = histogram_percentiles(histogram);
	side->rtt_p50_ns = flow_bound_ns(side, percentiles.p50_ns);
	side->rtt_p95_ns = flow_bound_ns(side, percentiles.p95_ns);
	side->bits |= SIDE_QUANTILES;
}

#endif
