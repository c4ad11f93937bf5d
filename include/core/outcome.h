/* SPDX-License-Identifier: GPL-2.0-only */
/* What became of a connection: did it open, and if not, why. */
#ifndef ACKMON_CORE_OUTCOME_H
#define ACKMON_CORE_OUTCOME_H

#include "abi/aggregate.h"
#include "abi/flow.h"
#include "core/compiler.h"
#include "core/packet.h"

/* OUTCOME_UNKNOWN while nobody knows; never that when the flow is over. */
core_inline enum flow_outcome outcome_of(const struct flow *flow, int is_over);

/*
 * Where one direction takes another road, the answer or the last ACK is never seen here; the end
 * that goes on with plain segments has got it. The responder's acknowledge the SYN: see handshake_is_foreign().
 */
core_inline int outcome_is_established(const struct flow *flow)
{
	const struct side *opener = &flow->side[flow->opener & 1];
	const struct side *responder = &flow->side[!(flow->opener & 1)];

	return flow->role == ROLE_GUESSED || flow->is_established || opener->orderly || responder->orderly;
}

core_inline enum flow_outcome outcome_of(const struct flow *flow, int is_over)
{
	const struct side *responder = &flow->side[!(flow->opener & 1)];

	if (flow->role == ROLE_GUESSED)
		return OUTCOME_MIDSTREAM;
	if (outcome_is_established(flow))
		return OUTCOME_ESTABLISHED;
	if (!flow->has_synack && (responder->flags & TCP_RST))
		return OUTCOME_REFUSED;
	if (flow->has_synack && ((flow->side[0].flags | flow->side[1].flags) & TCP_RST))
		return OUTCOME_RESET;
	if (!is_over)
		return OUTCOME_UNKNOWN;
	if (!flow->has_synack && flow->icmp)
		return OUTCOME_UNREACHABLE;
	return flow->has_synack ? OUTCOME_ABANDONED : OUTCOME_NO_ANSWER;
}

#endif
