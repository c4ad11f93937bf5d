/* SPDX-License-Identifier: GPL-2.0-only */
/* What is counted and told: tracked frames, records, notices. */
#ifndef ACKMON_CORE_REPORT_H
#define ACKMON_CORE_REPORT_H

#include "abi/counters.h"
#include "abi/event.h"
#include "abi/flow.h"
#include "core/aggregate.h"
#include "core/compiler.h"
#include "core/host.h"
#include "core/notice.h"
#include "core/packet.h"

/* The record of a flow that is over leaves, and is counted in its pair of labels. */
core_inline void monitor_post_flow(__u8 door, const struct flow_key *key, struct flow_whole *whole,
				   __u8 close);

/* The events that a tracked segment gives. Verified apart: two rooms' flows come here. */
core_apart int monitor_notices(const struct notice_before *before, const struct flow *flow,
			       const struct packet *pkt, __u32 door_number);

/* A segment of a connection, new or known. */
core_inline void monitor_count_tracked(__u8 door, const struct packet *pkt);

core_inline void monitor_post_flow(__u8 door, const struct flow_key *key, struct flow_whole *whole,
				   __u8 close)
{
	whole->flow.close = close;
	if (host_config()->aggregate && !whole->flow.secondary)
		aggregate_leaving(key, whole);
	if (host_post_flow(key, whole))
		host_count(door, COUNTER_events_lost);
}

core_inline void monitor_notice(__u8 door, enum event_type type, const struct flow *flow,
				const struct packet *pkt)
{
	if (host_post_notice(type, flow, pkt))
		host_count(door, COUNTER_events_lost);
}

core_apart int monitor_notices(const struct notice_before *before, const struct flow *flow,
			       const struct packet *pkt, __u32 door_number)
{
	__u8 door = (__u8)door_number;

	if (!before || !flow || !pkt)
		return 0;
	if (!before->proven && flow->proven)
		monitor_notice(door, EVENT_OPENED, flow, pkt);
	if (notice_is_refusal(before, flow, pkt))
		monitor_notice(door, EVENT_REFUSED, flow, pkt);
	if (notice_is_about_segment(pkt))
		monitor_notice(door, EVENT_SEGMENT, flow, pkt);
	if (pkt->verdict.dsack_spurious)
		monitor_notice(door, EVENT_SPURIOUS, flow, pkt);
	if (pkt->verdict.marks & MARK_CLOSED)
		monitor_notice(door, EVENT_ZERO_WINDOW, flow, pkt);
	return 0;
}

core_inline void monitor_count_tracked(__u8 door, const struct packet *pkt)
{
	host_count(door, FRAMES_TRACKED);
	if (pkt->first_fragment)
		host_count(door, COUNTER_frames_first_fragments);
	if (pkt->tunnel)
		host_count(door, COUNTER_frames_decapsulated);
}

#endif
