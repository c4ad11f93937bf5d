/* SPDX-License-Identifier: GPL-2.0-only */
/* The opener's initial sequence number, which names a connection: from its SYN, or from what answers it. */
#ifndef ACKMON_CORE_OPENER_H
#define ACKMON_CORE_OPENER_H

#include "abi/flow.h"
#include "core/compiler.h"

core_inline int opener_has_seq(const struct flow *flow);

/* Valid with opener_has_seq(). */
core_inline __u32 opener_seq(const struct flow *flow);

core_inline int opener_has_seq(const struct flow *flow)
{
	__u32 opener = flow->opener & 1;

	return (flow->side[opener].bits & SIDE_ISN) || (flow->side[!opener].bits & SIDE_SYNACK);
}

core_inline __u32 opener_seq(const struct flow *flow)
{
	__u32 opener = flow->opener & 1;

	/* A SYN that comes by late says the same, but of one with data that was taken at once (RFC 7413). */
	if (flow->side[opener].bits & SIDE_ISN)
		return flow->side[opener].first_seq;
	return flow->side[!opener].synack_ack - 1;
}

#endif
