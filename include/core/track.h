/* SPDX-License-Identifier: GPL-2.0-only */
/* One segment of a flow: the list of everything that is learned from it. */
#ifndef ACKMON_CORE_TRACK_H
#define ACKMON_CORE_TRACK_H

#include "abi/flow.h"
#include "core/compiler.h"
#include "core/count.h"
#include "core/handshake.h"
#include "core/loss.h"
#include "core/packet.h"
#include "core/rtt.h"
#include "core/side.h"
#include "core/window.h"

/* A flow as it is before its first segment was tracked. */
core_inline void track_open(struct flow *ret_flow, const struct packet *pkt);

/*
 * Updates the flow and pkt->verdict, and returns the class. holes are those of the sender's direction
 * as for loss_classify(), peer_holes those of the other one as for window_note().
 */
core_apart int track_segment(struct flow *flow, struct packet *pkt, struct holes *holes,
			     struct holes *peer_holes);

/* Mid-stream nobody saw who opened: clients use high ports, and usually speak first. */
core_inline __u8 track_guess_opener(const struct packet *pkt)
{
	__u16 first = be16_to_host(pkt->key.port_be16[0]);
	__u16 second = be16_to_host(pkt->key.port_be16[1]);

	if (first == second)
		return pkt->direction;
	return first < second;
}

core_inline void track_open(struct flow *ret_flow, const struct packet *pkt)
{
	__builtin_memset(ret_flow, 0, sizeof(*ret_flow));
	ret_flow->start_ns = pkt->now_ns;
	ret_flow->vlan = pkt->vlan;
	ret_flow->tunnel = pkt->tunnel;
	ret_flow->tunnel_id = pkt->tunnel_id;
	ret_flow->role = ROLE_GUESSED;
	ret_flow->opener = track_guess_opener(pkt);
}

core_inline void track_count(struct flow *flow, struct side *side, struct packet *pkt)
{
	if (pkt->now_ns > side->last_ns)
		side->last_ns = pkt->now_ns;
	count_frame(flow, pkt->direction, pkt->verdict.segments);
	side->wire_bytes += pkt->wire_bytes;
	side->payload_bytes += pkt->payload_bytes;
	if ((side->bits & SIDE_TTL) && side->ttl != pkt->ttl)
		pkt->verdict.marks |= MARK_TTL;
	side->ttl = pkt->ttl;
	side->bits |= SIDE_TTL;
}

/* ------------------------------------------------------------------ what most segments are */

/*
 * Nine of ten segments are the next one of an open connection, without news but its octets and what it
 * acknowledges. For these track_common() says all that track_segment() would, without asking what each
 * step has to ask. A unit test holds the two to the same flows.
 */
core_inline int track_is_common(const struct flow *flow, const struct side *side,
				const struct side *peer, const struct packet *pkt)
{
	const __u32 known = SIDE_SEQ | SIDE_ACK | SIDE_WINDOW | SIDE_TTL;
	__u32 wanted = pkt->payload_bytes ? known | SIDE_SPOKE : known;

	return (pkt->flags & ~TCP_PSH) == TCP_ACK && pkt->seq == side->next &&
	       (side->bits & (wanted | SIDE_PROBE_PENDING)) == wanted &&
	       (side->bits & (SIDE_ECHOES | SIDE_HOLES)) != SIDE_ECHOES && /* the list is to be opened first */
	       pkt->ack - side->ack <= SEQ_WINDOW_MAX &&
	       (!(peer->bits & SIDE_SEQ) || seq_in_reach(pkt->ack, READ_ONCE(peer->next))) &&
	       /* Once a window that is not zero was set, none is being waited for. */
	       pkt->window && side->raw_window && !pkt->sack_count &&
	       (pkt->payload_bytes != 1 || !loss_peer_window_is_zero(peer)) && /* or else a window probe */
	       pkt->ttl == side->ttl && pkt->ecn != 3 &&
	       (flow->is_established || !flow->has_synack) && !loss_holes_are_old(side) &&
	       !window_is_full(side, peer, pkt);
}

core_inline void track_common_octets(struct side *side, struct packet *pkt, __u32 end)
{
	pkt->verdict.class = SEGMENT_NEW;
	side->next = end;
	if (end - side->first_seq > SEQ_WINDOW_MAX)
		side->bits &= ~SIDE_FLOOR;
	side->octets_ns = pkt->now_ns;
	evidence_remember(side, pkt);
}

/* It moves on, or is the last once more. */
core_inline void track_common_ack(struct side *side, const struct side *peer, const struct packet *pkt)
{
	if (pkt->ack != side->ack) {
		side->ack = pkt->ack;
		side->dup_run = 0;
	} else if (window_is_dup_ack(side, peer, pkt)) {
		side->dup_acks++;
		side->dup_run += side->dup_run < 255;
	}
	window_settle_sack(side);
	side->raw_window = pkt->window;
}

enum track_common {
	TRACK_OTHER,  /* the segment is not one of these, and nothing was done */
	TRACK_COMMON,
	TRACK_ECHOED, /* the same, but it is still to be remembered: see track_echo() */
};

/* pkt->verdict is as parsing left it, zeros. */
core_apart int track_common(struct flow *flow, struct packet *pkt)
{
	const struct side *peer;
	struct side *side;
	__u32 bits, end;
	int by_ts;

	if (!flow || !pkt)
		return TRACK_OTHER;
	side = side_from(flow, pkt);
	peer = side_to(flow, pkt);
	if (!track_is_common(flow, side, peer, pkt))
		return TRACK_OTHER;
	if (pkt->now_ns < flow->start_ns)
		flow->start_ns = pkt->now_ns;
	if (pkt->now_ns > side->last_ns)
		side->last_ns = pkt->now_ns;
	bits = pkt->has_ts ? side->bits | SIDE_TIMESTAMPS : side->bits;
	side->bits = pkt->payload_bytes ? bits & ~SIDE_FILLED : bits;
	pkt->verdict.segments = verifier_joins(&pkt->joint, loss_segments(side, peer, pkt));
	count_frame_of(flow, side, pkt->direction, pkt->verdict.segments);
	side->wire_bytes += pkt->wire_bytes;
	side->payload_bytes += pkt->payload_bytes;
	side->suspect_run = 0;
	side->orderly += side->orderly < 2;
	side->flags |= pkt->flags;
	end = pkt->seq + pkt->payload_bytes;
	if (pkt->payload_bytes)
		track_common_octets(side, pkt, end);
	rtt_answer_ack(side, peer, pkt);
	by_ts = rtt_is_by_ts(side, peer, pkt);
	if (pkt->payload_bytes)
		rtt_stamp_new(side, peer, pkt, by_ts, end);
	track_common_ack(side, peer, pkt);
	evidence_take_ip_id(side, pkt);
	return pkt->payload_bytes && (side->bits & SIDE_ECHOES) ? TRACK_ECHOED : TRACK_COMMON;
}

/* What the list of its direction is for, when nothing but this is to be done with it. */
core_inline void track_echo(struct flow *flow, const struct packet *pkt, struct holes *holes)
{
	holes->filled.end = holes->filled.start;
	evidence_echo(holes, side_from(flow, pkt), pkt);
}

/* What only SYNs say, and that the others carry timestamps. */
core_inline void track_options(struct side *side, const struct packet *pkt)
{
	if (!(pkt->flags & TCP_SYN)) {
		if (pkt->has_ts)
			side->bits |= SIDE_TIMESTAMPS;
		return;
	}
	if (pkt->mss)
		side->mss = pkt->mss;
	if (pkt->has_wscale) {
		side->wscale = pkt->wscale;
		side->bits |= SIDE_WSCALE;
	}
	if (pkt->sack_permitted)
		side->bits |= SIDE_SACK_PERMITTED;
	if (pkt->flags & TCP_ACK) {
		side->synack_ack = pkt->ack;
		side->bits |= SIDE_SYNACK;
		if (pkt->flags & TCP_CWR) /* never in one that agrees to the older ECN (RFC 3168, 6.1.1) */
			side->bits |= SIDE_ACCECN;
	}
}

/* First request byte to first response byte, less the way there and back as far as it is known. */
core_inline void track_response(struct flow *flow, struct side *side, const struct side *peer,
				const struct packet *pkt)
{
	if (!pkt->payload_bytes || (side->bits & SIDE_SPOKE))
		return;
	side->bits |= SIDE_SPOKE;
	if (flow->role != ROLE_SEEN || (pkt->flags & TCP_SYN))
		return;
	if ((pkt->direction & 1) == flow->opener) {
		if (!(peer->bits & SIDE_SPOKE))
			flow->request_ns = pkt->now_ns;
	} else if (flow->request_ns && pkt->now_ns >= flow->request_ns) {
		__u64 waited_ns = pkt->now_ns - flow->request_ns;
		__u64 network_ns = side->rtt_samples ? side->rtt_min_ns : 0;

		flow->response_ns = waited_ns > network_ns ? waited_ns - network_ns : 0;
		flow->has_response = 1;
	}
}

core_leaf int track_loss(struct flow *flow, struct packet *pkt, struct holes *holes)
{
	struct side *side, *peer;

	if (!flow || !pkt)
		return 0;
	side = side_from(flow, pkt);
	peer = side_to(flow, pkt);
	if (handshake_is_foreign(flow, side, peer, pkt))
		loss_suspect(pkt);
	else
		loss_classify(flow, side, peer, pkt, holes);
	return 0;
}

/* What it is. */
core_cut_inline int track_place(struct flow *flow, struct packet *pkt, struct holes *holes);

core_cut_inline int core_body(track_place)(struct flow *flow, struct packet *pkt,
					   struct holes *holes)
{
	struct side *side = side_from(flow, pkt);
	const struct side *peer = side_to(flow, pkt);

	if (pkt->now_ns < flow->start_ns)
		flow->start_ns = pkt->now_ns;
	track_options(side, pkt);
	pkt->verdict = (struct verdict){.segments = verifier_joins(&pkt->joint, loss_segments(side, peer, pkt))};
	track_count(flow, side, pkt);
	track_loss(flow, pkt, holes);
	return 0;
}

/* Steps with many ways through them are verified apart: their ways add up, and do not multiply. */
core_leaf int track_handshake(struct flow *flow, const struct packet *pkt)
{
	if (flow && pkt)
		handshake_note(flow, pkt);
	return 0;
}

core_leaf int track_rtt(struct side *side, const struct side *peer, struct packet *pkt)
{
	if (!side || !peer || !pkt)
		return 0;
	rtt_answer(side, peer, pkt);
	rtt_stamp(side, peer, pkt);
	return 0;
}

core_leaf int track_window(struct side *side, const struct side *peer, struct packet *pkt,
			   struct holes *peer_holes)
{
	if (!side || !peer || !pkt)
		return 0;
	window_note(side, peer, pkt, peer_holes);
	return 0;
}

/* What it says. */
core_cut_inline int track_learn(struct flow *flow, struct packet *pkt,
				struct holes *peer_holes);

core_cut_inline int core_body(track_learn)(struct flow *flow, struct packet *pkt,
					   struct holes *peer_holes)
{
	struct side *side = side_from(flow, pkt);
	const struct side *peer = side_to(flow, pkt);

	/* Not of a copied SYN, which nobody sent twice; once it is established only SYNs have something to say. */
	if (pkt->verdict.class != SEGMENT_COPY && (!flow->is_established || (pkt->flags & TCP_SYN)))
		track_handshake(flow, pkt);
	if (pkt->verdict.class != SEGMENT_SUSPECT) {
		track_rtt(side, peer, pkt);
		track_window(side, peer, pkt, peer_holes);
		evidence_note_ip_id(side, pkt);
		track_response(flow, side, peer, pkt);
		if (!(pkt->flags & (TCP_SYN | TCP_RST)) && side->orderly < 2)
			side->orderly++;
		side->flags |= pkt->flags; /* not of a suspect: its FIN or RST closes nothing (RFC 5961, 3.2) */
	}
	return 0;
}

core_apart int track_segment(struct flow *flow, struct packet *pkt, struct holes *holes,
			     struct holes *peer_holes)
{
	if (!flow || !pkt)
		return SEGMENT_PLAIN;
	track_place(flow, pkt, holes);
	track_learn(flow, pkt, peer_holes);
	return pkt->verdict.class;
}

#endif
