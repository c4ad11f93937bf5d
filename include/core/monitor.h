/* SPDX-License-Identifier: GPL-2.0-only */
/* The hall: parse, find the flow, let TCP knowledge update it, post an event. */
#ifndef ACKMON_CORE_MONITOR_H
#define ACKMON_CORE_MONITOR_H

#include "abi/config.h"
#include "abi/counters.h"
#include "abi/flow.h"
#include "core/aggregate.h"
#include "core/beside.h"
#include "core/compiler.h"
#include "core/expire.h"
#include "core/filter.h"
#include "core/first_room.h"
#include "core/frame.h"
#include "core/host.h"
#include "core/notice.h"
#include "core/packet.h"
#include "core/parse.h"
#include "core/report.h"
#include "core/track.h"

/* Every frame comes through here once. pkt is working space, which the host owns. */
core_inline void monitor_frame(const struct frame *frame, struct packet *pkt);

/*
 * The same in two steps, for a host that reads ahead: monitor_look() counts the frame and says whether
 * there is a packet to look into; monitor_packet() does it, in the order in which frames came.
 */
core_inline int monitor_look(const struct frame *frame, struct packet *pkt);
core_inline void monitor_packet(__u8 door, struct packet *pkt);

core_apart int monitor_end_flow(struct flow *found, const struct packet *pkt, __u32 door, __u32 close)
{
	struct half_open_work *work = host_half_open_work((__u8)door);
	struct flow_whole *whole;

	if (!found || !pkt || !work)
		return 0;
	work->key = pkt->key; /* 6.1 takes no key that lies in an argument of a function apart */
	whole = host_take_flow((__u8)door, &work->key, found);
	if (!whole)
		return 0;
	host_count((__u8)door, COUNTER_flows_ended);
	monitor_post_flow((__u8)door, &work->key, whole, (__u8)close);
	host_close_flow(&work->key, whole);
	return 0;
}

/* The flow of the table this packet belongs to, unless it is over: then it is ended. */
core_inline struct flow *monitor_flow(__u8 door, const struct packet *pkt)
{
	struct flow *flow = pkt->flags & TCP_SYN ? host_seek_flow(&pkt->key) : host_find_flow(&pkt->key);
	__u8 close = CLOSE_REUSED;

	if (!flow)
		return flow;
	if (flow_is_over(flow, host_config(), pkt->now_ns))
		close = flow_close_reason(flow);
	else if (!(pkt->flags & TCP_SYN) || !handshake_reopens(flow, pkt))
		return flow;
	else if (!(pkt->flags & TCP_ACK) && handshake_is_alive(flow, pkt->now_ns))
		return (struct flow *)0; /* it waits in the first room, until it is answered */
	monitor_end_flow(flow, pkt, door, close);
	return (struct flow *)0;
}

core_inline void monitor_segment(__u8 door, struct packet *pkt)
{
	struct flow *flow = monitor_flow(door, pkt);
	struct holes *holes = (struct holes *)0, *peer_holes = (struct holes *)0;
	struct notice_before before = {0};
	int way = WAY_FOUND, common;

	if (!flow) {
		struct half_open_work *work = host_half_open_work(door);

		if (!work)
			return;
		pkt->asks_owner = door == DOOR_TC_EGRESS && host_config()->aggregate;
		way = monitor_half_open(door, pkt, work);
		if (way == WAY_DONE)
			return;
		flow = &work->flow;
		pkt->in_work = way == WAY_APART || way == WAY_REFUSE;
		if (!pkt->in_work)
			flow = host_find_entered(&pkt->key, &work->flow);
		if (!flow) { /* another CPU ended it */
			host_count(door, COUNTER_frames_no_room);
			return;
		}
	}
	monitor_count_tracked(door, pkt);
	if (pkt->now_ns < flow_last_ns(flow))
		host_count(door, COUNTER_times_backwards);
	if (host_config()->events)
		before = notice_before(flow);
	common = track_common(flow, pkt);
	if (common == TRACK_ECHOED && way == WAY_FOUND)
		monitor_echo(flow, pkt, door);
	if (common == TRACK_OTHER) {
		if (way == WAY_MOVED || way == WAY_FOUND) { /* nothing of the first room has holes */
			holes = monitor_holes(door, flow, pkt);
			peer_holes = monitor_peer_holes(flow, pkt);
		}
		if (track_segment(flow, pkt, holes, peer_holes) == SEGMENT_SUSPECT)
			host_count(door, COUNTER_segments_suspect);
		monitor_rare(flow, pkt, door);
	}
	monitor_rtt(door, flow, pkt);
	if (!flow->proven && handshake_proves(flow))
		flow->proven = 1;
	if (way == WAY_MOVED)
		host_count(door, flow->proven ? COUNTER_flows_promoted : COUNTER_flows_early);
	if (host_config()->transit)
		pkt->of_proven = flow->proven;
	if (door == DOOR_TC_EGRESS && host_config()->owners && flow->proven)
		pkt->asks_owner = !(flow->side[pkt->direction & 1].bits & SIDE_OWNER);
	if (host_config()->aggregate && flow->proven && !flow->secondary && aggregate_packet(flow, pkt) > 0) {
		monitor_aggregate_rare(flow, pkt, door, 0);
		monitor_aggregate_rare(flow, pkt, door, 1);
	}
	if (host_config()->events && !flow->secondary)
		monitor_notices(&before, flow, pkt, door);
	if (way == WAY_APART || way == WAY_REFUSE)
		monitor_settle(pkt, door, way);
	else if ((pkt->flags & (TCP_FIN | TCP_RST)) && flow_is_closed(flow))
		host_note_closed(&pkt->key);
}

/*
 * An ICMP error about a SYN without an answer, with the number it had: not from somebody who only guesses
 * what is open. pkt is the quoted segment, as far as it is quoted.
 */
core_inline void monitor_unreachable(__u8 door, const struct packet *pkt)
{
	struct flow *flow = host_seek_flow(&pkt->key);
	struct half_open *entry = flow ? (struct half_open *)0 : host_find_half_open(&pkt->key);

	if (flow && handshake_is_unanswered(flow, pkt))
		flow->icmp = pkt->icmp;
	else if (entry && half_open_is_unanswered(entry, pkt))
		entry->icmp = pkt->icmp & 15;
	else
		return;
	host_count(door, COUNTER_unreachables);
}

core_inline void monitor_packet(__u8 door, struct packet *pkt)
{
	if (unlikely(pkt->icmp))
		monitor_unreachable(door, pkt);
	else
		monitor_segment(door, pkt);
}

core_inline enum counter monitor_parse(const struct frame *frame, struct packet *pkt)
{
	int hop = parse_begin(frame, host_config()->decap, pkt);
	enum counter reason;

	if (hop > 0)
		hop = host_parse_hops(frame, pkt, hop);
	reason = (enum counter)verifier_joins(&pkt->joint, parse_segment(frame, pkt, hop));
	if (unlikely(pkt->parsing.options_len))
		host_parse_hops(frame, pkt, HOP_OPTIONS);
	return reason;
}

core_inline int monitor_look(const struct frame *frame, struct packet *pkt)
{
	enum counter reason = monitor_parse(frame, pkt);
	/* What an ICMP error quotes is looked at, though the frame is counted as one. */
	int has_key = !reason || (reason == COUNTER_frames_icmp_errors && pkt->icmp);

	host_count(frame->door, FRAMES_SEEN);
	if (has_key && !filter_matches(host_config(), &pkt->key)) {
		reason = COUNTER_frames_filtered;
		has_key = 0;
	}
	if (reason)
		host_count(frame->door, reason);
	return has_key;
}

core_inline void monitor_frame(const struct frame *frame, struct packet *pkt)
{
	if (monitor_look(frame, pkt))
		monitor_packet(frame->door, pkt);
}

#endif
