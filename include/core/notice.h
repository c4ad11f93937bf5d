/* SPDX-License-Identifier: GPL-2.0-only */
/* What is worth telling of one segment: the events that explain the record's counters. */
#ifndef ACKMON_CORE_NOTICE_H
#define ACKMON_CORE_NOTICE_H

#include "abi/event.h"
#include "abi/flow.h"
#include "core/compiler.h"
#include "core/opener.h"
#include "core/outcome.h"
#include "core/packet.h"

/* What a flow was like before a segment changed it. */
struct notice_before {
	__u8 proven;
	__u8 flags; /* of both sides */
};

core_inline struct notice_before notice_before(const struct flow *flow)
{
	return (struct notice_before){
		.proven = flow->proven,
		.flags = flow->side[0].flags | flow->side[1].flags,
	};
}

/* Fills what every event of this segment has in common. */
core_inline void notice_fill(struct segment_event *ret_event, enum event_type type,
			     const struct flow *flow, const struct packet *pkt)
{
	*ret_event = (struct segment_event){
		.type = type,
		.opener_seq = opener_seq(flow),
		.key = pkt->key,
		.time_ns = pkt->now_ns,
		.start_ns = flow->start_ns,
		.seq = pkt->seq,
		.end = pkt->seq + packet_seq_len(pkt),
		.segments = pkt->verdict.segments,
		.has_opener_seq = (__u8)opener_has_seq(flow),
		.opener = flow->opener,
		.direction = pkt->direction & 1,
		.class = pkt->verdict.class,
		.cause = pkt->verdict.cause,
		.spurious = pkt->verdict.spurious,
		.role = flow->role,
	};
	if (type != EVENT_SPURIOUS)
		return;
	/* A D-SACK is one verdict on the octets of its first block (RFC 2883, 4). */
	ret_event->seq = pkt->sack[0].start;
	ret_event->end = pkt->sack[0].end;
	ret_event->segments = 1;
}

core_inline int notice_is_refusal(const struct notice_before *before, const struct flow *flow,
				  const struct packet *pkt)
{
	return (pkt->flags & TCP_RST) && !(before->flags & TCP_RST) && (pkt->direction & 1) != flow->opener &&
	       outcome_of(flow, 0) == OUTCOME_REFUSED;
}

core_inline int notice_is_about_segment(const struct packet *pkt)
{
	return pkt->verdict.class != SEGMENT_PLAIN && pkt->verdict.class != SEGMENT_NEW;
}

#endif
