/* SPDX-License-Identifier: GPL-2.0-only */
/* The hall: parse, find the flow, let TCP knowledge update it, post an event. */
#ifndef ACKMON_CORE_MONITOR_H
#define ACKMON_CORE_MONITOR_H

#include "abi/config.h"
#include "abi/counters.h"
#include "abi/flow.h"
#include "core/compiler.h"
#include "core/expire.h"
#include "core/frame.h"
#include "core/notice.h"
#include "core/packet.h"
#include "core/parse.h"
#include "core/track.h"

/*
 * What a host provides. Flows live in two rooms (half-open, and proven); the host knows which, the
 * hall does not ask. Forgetting one of these is a compile error.
 */
/* Volatile: constant once the programs are loaded, and not a moment before. */
static const volatile struct monitor_config *host_config(void);
static void host_count(__u8 door, enum counter counter);
/* parse_hops(), where the kernel programs have a function apart. */
static int host_parse_hops(const struct frame *frame, struct packet *pkt, int hop);
/* NULL: in neither room. */
static struct flow *host_find_flow(const struct flow_key *key);
/* Into the half-open room. NULL: no room. */
static struct flow *host_open_flow(const struct packet *pkt);
/* Into the flow table, under the same key. NULL: it is full. */
static struct flow *host_promote_flow(const struct flow_key *key, struct flow *flow);
/* Out of its room, with its holes and histograms. */
static void host_close_flow(const struct flow_key *key, struct flow *flow);
/* NULL: none, or no room. A host that keeps them with the flow needs no key. */
static struct holes *host_find_holes(const struct flow_key *key, const struct flow *flow,
				     __u32 direction);
static struct holes *host_open_holes(const struct flow_key *key, const struct flow *flow,
				     __u32 direction);
/* The same for the round trips to one end. */
static struct histogram *host_find_histogram(const struct flow_key *key, const struct flow *flow,
					     __u32 direction);
static struct histogram *host_open_histogram(const struct flow_key *key, const struct flow *flow,
					     __u32 direction);
/* The flow as it is now, with flow->close set; 0, or -1 when the event was lost. */
static int host_post_flow(const struct flow_key *key, const struct flow *flow);
/* The same for what happened to a segment; the event is the host's to fill, see notice_fill(). */
static int host_post_notice(enum event_type type, const struct flow *flow,
			    const struct packet *pkt);

/* Every frame comes through here once. pkt is working space, which the host owns. */
core_inline void monitor_frame(const struct frame *frame, struct packet *pkt);

/*
 * The same in two steps, for a host that reads ahead: monitor_look() counts the frame and says whether
 * there is a packet to look into; monitor_packet() does it, in the order in which frames came.
 */
core_inline int monitor_look(const struct frame *frame, struct packet *pkt);
core_inline void monitor_packet(__u8 door, struct packet *pkt);

core_inline int filter_net_matches(const volatile struct filter_term *term,
				   const struct ip_addr *addr)
{
	__u32 i;

	for (i = 0; i < 4; i++) {
		if ((addr->words_be32[i] & term->mask.words_be32[i]) != term->addr.words_be32[i])
			return 0;
	}
	return 1;
}

core_inline int filter_is_ipv4(const struct ip_addr *addr)
{
	return !addr->words_be32[0] && !addr->words_be32[1] &&
	       load_u32(&addr->words_be32[2]) == 0xffff;
}

core_inline int filter_port_matches(const volatile struct filter_term *term, __be16 port_be16)
{
	__u16 port = be16_to_host(port_be16);

	return port >= term->port_first && port <= term->port_last;
}

core_inline int filter_term_matches(const volatile struct filter_term *term,
				    const struct flow_key *key)
{
	switch (term->kind) {
	case FILTER_NET:
		return filter_net_matches(term, &key->addr[0]) ||
		       filter_net_matches(term, &key->addr[1]);
	case FILTER_PORT:
		return filter_port_matches(term, key->port_be16[0]) ||
		       filter_port_matches(term, key->port_be16[1]);
	case FILTER_IP4:
		return filter_is_ipv4(&key->addr[0]);
	case FILTER_IP6:
		return !filter_is_ipv4(&key->addr[0]);
	}
	return 1;
}

core_inline int filter_matches(const volatile struct monitor_config *config,
			       const struct flow_key *key)
{
	__u32 i;

	for (i = 0; i < FILTER_TERMS_MAX; i++) {
		if (config->filter[i].kind == FILTER_NONE)
			return 1;
		if (!filter_term_matches(&config->filter[i], key))
			return 0;
	}
	return 1;
}

core_inline void monitor_end_flow(__u8 door, const struct flow_key *key, struct flow *flow,
				  __u8 close)
{
	host_count(door, flow->proven ? COUNTER_flows_ended : COUNTER_half_open_ended);
	flow->close = close;
	if (host_post_flow(key, flow))
		host_count(door, COUNTER_events_lost);
	host_close_flow(key, flow);
}

/* The flow this packet belongs to: found, or opened after its predecessor on the tuple was ended.
 */
core_inline struct flow *monitor_flow(__u8 door, const struct packet *pkt)
{
	struct flow *flow = host_find_flow(&pkt->key);

	if (flow && flow_is_over(flow, host_config(), pkt->now_ns)) {
		monitor_end_flow(door, &pkt->key, flow, flow_close_reason(flow));
		flow = (struct flow *)0;
	} else if (flow && (pkt->flags & TCP_SYN) && handshake_reopens(flow, pkt)) {
		monitor_end_flow(door, &pkt->key, flow, CLOSE_REUSED);
		flow = (struct flow *)0;
	}
	if (flow)
		return flow;
	flow = host_open_flow(pkt);
	if (flow)
		host_count(door, COUNTER_flows_opened);
	return flow;
}

core_inline struct holes *monitor_holes(__u8 door, const struct flow *flow,
					const struct packet *pkt)
{
	const struct side *side = &flow->side[pkt->direction & 1];
	struct holes *holes;

	if (!loss_needs_holes(side, pkt))
		return (struct holes *)0;
	holes = host_find_holes(&pkt->key, flow, pkt->direction & 1);
	if (holes)
		return holes;
	holes = host_open_holes(&pkt->key, flow, pkt->direction & 1);
	if (!holes)
		host_count(door, COUNTER_holes_refused);
	return holes;
}

/* What the other end repeated, when this one reports a duplicate. */
core_inline struct holes *monitor_peer_holes(const struct flow *flow, const struct packet *pkt)
{
	__u32 peer = !(pkt->direction & 1);

	if (!window_is_dsack(pkt) || !(flow->side[peer].bits & SIDE_HOLES))
		return (struct holes *)0;
	return host_find_holes(&pkt->key, flow, peer);
}

/* A flow with few samples needs no histogram: its minimum, mean and maximum say as much. */
#define MONITOR_HISTOGRAM_SAMPLES 32

core_inline void monitor_rtt(__u8 door, struct flow *flow, const struct packet *pkt)
{
	struct side *side = &flow->side[pkt->direction & 1];
	struct histogram *histogram;

	if (!pkt->verdict.has_rtt || side->rtt_samples < MONITOR_HISTOGRAM_SAMPLES)
		return;
	histogram = host_find_histogram(&pkt->key, flow, pkt->direction & 1);
	if (!histogram && side->rtt_samples == MONITOR_HISTOGRAM_SAMPLES) {
		histogram = host_open_histogram(&pkt->key, flow, pkt->direction & 1);
		if (!histogram)
			host_count(door, COUNTER_histograms_refused);
	}
	if (!histogram)
		return;
	side->bits |= SIDE_HISTOGRAM;
	histogram_add(histogram, pkt->verdict.rtt_ns);
}

core_inline void monitor_notice(__u8 door, enum event_type type, const struct flow *flow,
				const struct packet *pkt)
{
	if (host_post_notice(type, flow, pkt))
		host_count(door, COUNTER_events_lost);
}

core_inline void monitor_notices(__u8 door, const struct notice_before *before,
				 const struct flow *flow, const struct packet *pkt)
{
	const struct side *side = &flow->side[pkt->direction & 1];

	if (!before->proven && flow->proven)
		monitor_notice(door, EVENT_OPENED, flow, pkt);
	if (notice_is_refusal(before, flow, pkt))
		monitor_notice(door, EVENT_REFUSED, flow, pkt);
	if (notice_is_about_segment(pkt))
		monitor_notice(door, EVENT_SEGMENT, flow, pkt);
	if (side->dsack_spurious != before->dsack_spurious)
		monitor_notice(door, EVENT_SPURIOUS, flow, pkt);
	if (side->zero_windows != before->zero_windows)
		monitor_notice(door, EVENT_ZERO_WINDOW, flow, pkt);
}

/* Into the flow table, once the flow has proved itself. Returns where it is now. */
core_inline struct flow *monitor_promote(__u8 door, const struct packet *pkt, struct flow *flow)
{
	struct flow *proven = host_promote_flow(&pkt->key, flow);

	if (proven) {
		host_count(door, COUNTER_flows_promoted);
		return proven;
	}
	flow->refused = 1;
	host_count(door, COUNTER_flows_refused);
	return flow;
}

/*
 * An ICMP error about a SYN without an answer, with the number it had: not from somebody who only guesses
 * what is open. pkt is the quoted segment, as far as it is quoted.
 */
core_inline void monitor_unreachable(__u8 door, const struct packet *pkt)
{
	struct flow *flow = host_find_flow(&pkt->key);

	if (!flow || !handshake_is_unanswered(flow, pkt))
		return;
	flow->icmp = pkt->icmp;
	host_count(door, COUNTER_unreachables);
}

core_inline void monitor_segment(__u8 door, struct packet *pkt)
{
	struct flow *flow = monitor_flow(door, pkt);
	struct holes *holes, *peer_holes;
	struct notice_before before;

	if (!flow) {
		host_count(door, COUNTER_frames_no_room);
		return;
	}
	host_count(door, FRAMES_TRACKED);
	if (pkt->first_fragment)
		host_count(door, COUNTER_frames_first_fragments);
	if (pkt->tunnel)
		host_count(door, COUNTER_frames_decapsulated);
	if (pkt->now_ns < flow_last_ns(flow))
		host_count(door, COUNTER_times_backwards);
	before = notice_before(flow, pkt);
	holes = monitor_holes(door, flow, pkt);
	peer_holes = monitor_peer_holes(flow, pkt);
	if (track_segment(flow, pkt, holes, peer_holes) == SEGMENT_SUSPECT)
		host_count(door, COUNTER_segments_suspect);
	monitor_rtt(door, flow, pkt);
	if (!flow->proven && !flow->refused && handshake_proves(flow))
		flow = monitor_promote(door, pkt, flow);
	if (host_config()->events && !flow->secondary)
		monitor_notices(door, &before, flow, pkt);
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
	int hop = parse_plain(frame, host_config()->decap, pkt);

	if (hop > 0)
		hop = host_parse_hops(frame, pkt, hop);
	return (enum counter)verifier_joins(&pkt->joint, parse_segment(frame, pkt, hop));
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
