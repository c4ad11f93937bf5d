/* SPDX-License-Identifier: GPL-2.0-only */
/* What a flow adds to its pair of labels: all it has when it is counted, and the rest when it leaves. */
#ifndef ACKMON_CORE_PAIR_H
#define ACKMON_CORE_PAIR_H

#include "abi/aggregate.h"
#include "abi/flow.h"
#include "core/compiler.h"
#include "core/count.h"
#include "core/outcome.h"

/* Everything up to now, samples apart; of each side what is rare comes extra. */
core_inline void pair_add_flow(struct pair_counters *pair, const struct flow *flow);
core_inline void pair_add_rare(struct pair_counters *pair, const struct rare *rare);

/* A flow leaves. is_over: nobody stopped watching it while it went on. */
core_inline void pair_add_leaving(struct pair_counters *pair, const struct flow_whole *whole, int is_over);

core_inline void pair_add_side(struct pair_counters *pair, const struct flow *flow, __u32 index)
{
	pair->segments += count_segments(flow, index);
	pair->payload_bytes += flow->side[index].payload_bytes;
}

core_inline void pair_add_rare(struct pair_counters *pair, const struct rare *rare)
{
	__u32 again = rare->fast + rare->probe + rare->rto;

	/* The causes are of repeats and of fills; before a flow is proven there hardly are any fills. */
	if (again == rare->retransmitted_segments) {
		pair->retransmitted[CAUSE_FAST] += rare->fast;
		pair->retransmitted[CAUSE_PROBE] += rare->probe;
		pair->retransmitted[CAUSE_RTO] += rare->rto;
	} else {
		pair->retransmitted[CAUSE_RTO] += rare->retransmitted_segments;
	}
	pair->spurious += rare->spurious + rare->dsack_spurious;
	pair->recovered += rare->recovered_segments;
	pair->reordered += rare->reordered;
	pair->zero_window_ns += rare->zero_window_ns;
}

core_inline void pair_add_flow(struct pair_counters *pair, const struct flow *flow)
{
	pair_add_side(pair, flow, 0);
	pair_add_side(pair, flow, 1);
}

/* A window still closed when the flow is over was closed until then. */
core_inline void pair_add_open_window(struct pair_counters *pair, const struct rare *rare, __u64 end_ns)
{
	if (rare->zero_window_since_ns && end_ns > rare->zero_window_since_ns)
		pair->zero_window_ns += end_ns - rare->zero_window_since_ns;
}

core_inline void pair_add_leaving(struct pair_counters *pair, const struct flow_whole *whole, int is_over)
{
	const struct flow *flow = &whole->flow;
	__u64 a = flow->side[0].last_ns, b = flow->side[1].last_ns, end_ns = a > b ? a : b;

	if (!(flow->counted & COUNTED_WHOLE)) {
		pair_add_flow(pair, flow);
		pair_add_rare(pair, &whole->rare[0]);
		pair_add_rare(pair, &whole->rare[1]);
		pair->outcomes[outcome_of(flow, is_over) & (OUTCOME_COUNT - 1)]++;
	}
	if (!is_over)
		return;
	pair_add_open_window(pair, &whole->rare[0], end_ns);
	pair_add_open_window(pair, &whole->rare[1], end_ns);
}

#endif
