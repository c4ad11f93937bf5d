/* SPDX-License-Identifier: GPL-2.0-only */
/* What was seen before and what was not: sequence ranges, holes, and the class of every segment. */
#ifndef ACKMON_CORE_LOSS_H
#define ACKMON_CORE_LOSS_H

#include "abi/flow.h"
#include "core/compiler.h"
#include "core/evidence.h"
#include "core/holes.h"
#include "core/packet.h"
#include "core/seq.h"
#include "core/side.h"

/* Does placing this segment read or write the hole list? Then the host must bring it. */
core_inline int loss_needs_holes(const struct side *side, const struct packet *pkt);

/*
 * Places the segment in its side's sequence space and fills pkt->verdict, whose segments are known. holes may be NULL when
 * loss_needs_holes() said no, or when there was no room for a list (counted as a dropped hole).
 */
core_inline void loss_classify(const struct flow *flow, struct side *side, const struct side *peer,
			       struct packet *pkt, struct holes *holes);

/* Consecutive segments outside the window after which the stream is believed to have moved. */
#define LOSS_SUSPECTS_MAX 4

/* How far a stream may move before its old holes are given up. */
#define LOSS_CHECK_OCTETS (SEQ_WINDOW_MAX / 2)

core_inline int loss_is_placeable(const struct side *side, const struct packet *pkt)
{
	return (side->bits & SIDE_SEQ) && seq_in_reach(pkt->seq, side->next);
}

/* Sequence numbers come round again: what is remembered must be looked through before they do. */
core_inline int loss_holes_are_old(const struct side *side)
{
	return (side->bits & SIDE_HOLES) && side->next - side->holes_checked > LOSS_CHECK_OCTETS;
}

core_inline int loss_needs_holes(const struct side *side, const struct packet *pkt)
{
	if (loss_holes_are_old(side))
		return 1;
	if ((side->bits & SIDE_SEQ) && !seq_in_reach(pkt->seq, side->next))
		return !!side->holes; /* should this be where the stream has moved to */
	if (pkt->seq == side->next)
		return (side->bits & SIDE_ECHOES) && pkt->payload_bytes;
	if (!loss_is_placeable(side, pkt) || pkt->flags & TCP_RST)
		return 0;
	if (seq_after(pkt->seq, side->next))
		return 1;
	if (side->holes)
		return 1;
	/* Repeats are remembered there, but not keepalives, and not the SYNs a flood is made of. */
	return !(pkt->flags & TCP_SYN) && packet_seq_len(pkt) > (pkt->seq == side->next - 1);
}

core_inline int loss_peer_window_is_zero(const struct side *peer)
{
	return (peer->bits & SIDE_WINDOW) && !READ_ONCE(peer->raw_window);
}

/* The peer acknowledged everything up to `end`. */
core_inline int loss_is_acked(const struct side *peer, __u32 end)
{
	return (peer->bits & SIDE_ACK) && !seq_before(READ_ONCE(peer->ack), end);
}

/* What the peer acknowledged of this side; before anything remembered when it acknowledged nothing. */
core_inline __u32 loss_acked(const struct side *side, const struct side *peer)
{
	if (peer->bits & SIDE_ACK)
		return READ_ONCE(peer->ack);
	return side->next - SEQ_WINDOW_MAX / 4 * 7;
}

core_cut_inline int loss_gap(struct side *side, const struct side *peer, struct packet *pkt,
			     struct holes *holes, __u32 start, __u32 end, __u32 before_start);

core_cut_inline int core_body(loss_gap)(struct side *side, const struct side *peer,
					struct packet *pkt, struct holes *holes, __u32 start,
					__u32 end, __u32 before_start)
{
	struct hole hole = {
		.start = start,
		.end = end,
		.opened_ns = pkt->now_ns,
		.tsval = pkt->tsval,
		.ip_id = pkt->ip_id,
		.has_ts = pkt->has_ts,
		.before_start = (__u8)before_start,
	};

	if (holes)
		holes_add(holes, side, loss_acked(side, peer), &hole);
	else
		pkt->verdict.marks |= MARK_UNLISTED;
	return 0;
}

core_inline void loss_advance(struct side *side, __u32 end)
{
	if (!seq_after(end, side->next))
		return;
	side->next = end;
	side->bits &= ~SIDE_PROBE_PENDING; /* its octet was passed by, or came again in this one */
	if (end - side->first_seq > SEQ_WINDOW_MAX)
		side->bits &= ~SIDE_FLOOR;
}

/* A window probe's octet counts as seen once it was acknowledged or passed by. */
core_inline void loss_settle_probe(struct side *side, const struct side *peer, struct packet *pkt)
{
	__u32 end = side->next + 1;

	if (!loss_is_acked(peer, end) && seq_before(pkt->seq, end))
		return;
	loss_advance(side, end);
	pkt->verdict.marks |= MARK_PROBE_SEEN;
}

/* Nothing in it: a keepalive or window probe below next, or an ACK that shows we missed something. */
core_inline enum segment_class loss_classify_empty(struct side *side, const struct side *peer,
						   struct packet *pkt, struct holes *holes)
{
	if (seq_after(pkt->seq, side->next)) {
		loss_gap(side, peer, pkt, holes, side->next, pkt->seq, 0);
		loss_advance(side, pkt->seq);
		return SEGMENT_PLAIN;
	}
	if (pkt->seq == side->next || (side->flags & TCP_FIN))
		return SEGMENT_PLAIN;
	if ((side->bits & SIDE_ISN) && (side->bits & SIDE_FLOOR) &&
	    seq_before(pkt->seq, side->first_seq))
		return SEGMENT_PLAIN;
	if (pkt->seq != side->next - 1 &&
	    !((peer->bits & SIDE_ACK) && pkt->seq == READ_ONCE(peer->ack) - 1))
		return SEGMENT_PLAIN;
	return loss_peer_window_is_zero(peer) ? SEGMENT_WINDOW_PROBE : SEGMENT_KEEPALIVE;
}

/* Octets of [start, end) below next that were never seen; they are marked as seen. */
core_cut_inline __u32 loss_fill(struct side *side, const struct side *peer, struct packet *pkt,
				struct holes *holes, __u32 start, __u32 end);

core_cut_inline __u32 core_body(loss_fill)(struct side *side, const struct side *peer,
					   struct packet *pkt, struct holes *holes,
					   __u32 start, __u32 end)
{
	__u32 acked = loss_acked(side, peer), filled = 0;

	if (holes && side->holes)
		filled = holes_fill(holes, side, acked, start, end);
	if ((side->bits & SIDE_FLOOR) && seq_before(start, side->first_seq)) {
		__u32 to = seq_min(end, side->first_seq);

		filled += to - start;
		/* Older than what we saw first: mid-stream the floor moves down, a SYN's stays. */
		if (!(side->bits & SIDE_ISN)) {
			if (to != side->first_seq)
				loss_gap(side, peer, pkt, holes, to, side->first_seq, 1);
			side->first_seq = start;
		}
	}
	/* Holes that two CPUs opened at once may overlap. */
	return seq_min(filled, end - start);
}

/* Wire segments a frame stands for, where the door could not say (DESIGN 3). */
core_inline __u32 loss_segments(const struct side *side, const struct side *peer,
				const struct packet *pkt)
{
	__u32 mss = side->mss, count;

	if (pkt->segments)
		return pkt->segments;
	if (!mss || (peer->mss && peer->mss < mss))
		mss = peer->mss;
	if (!mss)
		mss = 1460;
	if (((side->bits | peer->bits) & SIDE_TIMESTAMPS) && mss > 12)
		mss -= 12;
	if (pkt->payload_bytes <= mss)
		return 1;
	count = (pkt->payload_bytes + mss - 1) / mss;
	return count;
}

/*
 * The class of octets that were seen before. What TCP itself sent again may come in any order, so
 * being slow says nothing of it.
 */
core_cut int loss_classify_seen(const struct side *side, const struct side *peer,
				struct packet *pkt, struct holes *holes, __u32 end);

core_cut int core_body(loss_classify_seen)(const struct side *side, const struct side *peer,
					   struct packet *pkt, struct holes *holes, __u32 end)
{
	int twin, repaired;

	if (!side || !peer || !pkt)
		return SEGMENT_RETRANSMITTED;
	twin = (int)verifier_joins(&pkt->joint, (__u32)evidence_find_twin(side, peer, pkt, holes, end));
	repaired = evidence_is_repaired(side, peer, holes, end);
	repaired = (int)verifier_joins(&pkt->joint, (__u32)repaired);
	if (twin == TWIN_COPY)
		return SEGMENT_COPY;
	if (evidence_is_late(side, pkt, holes, evidence_soon_ns(side, peer, end), end))
		return SEGMENT_LATE;
	/* What is asked first costs least: the list of repeats is read for what was slow. */
	if (twin == TWIN_BEFORE || !evidence_is_slow(side, peer, pkt, repaired, end) ||
	    holes_repeated(holes, pkt->seq, end, 0))
		return SEGMENT_RETRANSMITTED;
	/* The copy of a packet is no slower than reordering makes it; an original may be. */
	if (twin == TWIN_AFTER || pkt->now_ns - side->octets_ns > evidence_reorder_ns(side, peer))
		return SEGMENT_LATE;
	/* What it would be the copy of is none of the segments of that time: TCP sent it, and it was overtaken. */
	return evidence_echoes_reach(holes, side, pkt, evidence_reorder_ns(side, peer))
		       ? SEGMENT_RETRANSMITTED
		       : SEGMENT_COPY;
}

core_apart int loss_classify_fill(const struct flow *flow, const struct packet *pkt,
				  const struct holes *holes, __u32 end)
{
	const struct side *side, *peer;

	/* What lies below the first number seen was never passed by: there is no evidence. */
	if (!flow || !pkt || !holes || holes->filled.start == holes->filled.end || holes->filled.before_start)
		return SEGMENT_UNRESOLVED;
	side = side_from(flow, pkt);
	peer = side_to(flow, pkt);
	switch (evidence_fill_order(flow, pkt, &holes->filled,
				    evidence_is_repaired(side, peer, holes, end), end)) {
	case SENT_AFTER:
		return SEGMENT_RECOVERED;
	case SENT_BEFORE:
		return SEGMENT_REORDERED;
	default:
		return SEGMENT_UNRESOLVED;
	}
}

/* Sent again, before next moves: why, and was it needed? */
core_cut int loss_note_again(struct side *side, const struct side *peer, struct packet *pkt,
			     struct holes *holes, __u32 end);

core_cut int core_body(loss_note_again)(struct side *side, const struct side *peer,
					struct packet *pkt, struct holes *holes, __u32 end)
{
	if (!side || !peer || !pkt)
		return 0;
	pkt->verdict.cause = (__u8)evidence_cause(side, peer, pkt, end, side->next);
	if (!(pkt->flags & TCP_SYN) && loss_is_acked(peer, end))
		pkt->verdict.spurious = 1;
	if (!holes)
		return 0;
	if (!(side->bits & SIDE_REPAIR) || loss_is_acked(peer, holes->recover)) {
		holes->recover = side->next;
		side->bits |= SIDE_REPAIR;
	}
	holes_note_repeat(holes, side, pkt->seq, end, pkt->verdict.spurious);
	return 0;
}

/* Of a super-frame only as many wire segments were sent again as the octets that were seen before fill. */
core_inline __u32 loss_segments_of(const struct packet *pkt, __u32 bytes)
{
	__u32 segments = pkt->verdict.segments, size;

	if (segments <= 1 || !bytes || bytes >= pkt->payload_bytes)
		return segments;
	size = (pkt->payload_bytes + segments - 1) / segments;
	return (bytes + size - 1) / size;
}

/* What follows from the class. `seen` octets of the segment were seen before. */
core_inline void loss_note(struct side *side, const struct side *peer, struct packet *pkt,
			   struct holes *holes, __u32 seen, __u32 end, __u32 next)
{
	/* A SYN's octet comes first and is no payload; a FIN's comes last. */
	__u32 payload_seen = seen && (pkt->flags & TCP_SYN) ? seen - 1 : seen;
	__u32 bytes = payload_seen < pkt->payload_bytes ? payload_seen : pkt->payload_bytes;

	pkt->verdict.again_bytes = bytes;
	if (pkt->verdict.class == SEGMENT_RETRANSMITTED) {
		pkt->verdict.segments = loss_segments_of(pkt, bytes);
		if ((pkt->flags & (TCP_FIN | TCP_SYN)) == TCP_FIN && !seq_after(end, next))
			pkt->verdict.marks |= MARK_FIN_AGAIN;
		loss_note_again(side, peer, pkt, holes, end);
	} else if (pkt->verdict.class == SEGMENT_RECOVERED) {
		if (holes)
			holes_note_fill(holes, pkt->seq, end, pkt);
		loss_note_again(side, peer, pkt, holes, end);
	}
}

/* Copies come in crowds, and so may what looks like a repeat that neither receiver nor timer asked for. */
core_inline int loss_looks_copied(const struct side *side, const struct side *peer,
				  const struct packet *pkt)
{
	if (pkt->verdict.class == SEGMENT_COPY || pkt->verdict.class == SEGMENT_LATE)
		return 1;
	return pkt->verdict.class == SEGMENT_RETRANSMITTED && pkt->verdict.cause != CAUSE_FAST &&
	       !(pkt->flags & TCP_SYN) && pkt->now_ns < side->octets_ns + evidence_rto_ns(side, peer);
}

core_apart int loss_note_echo(struct side *side, const struct side *peer, const struct packet *pkt,
			      struct holes *holes)
{
	if (!side || !peer || !pkt)
		return 0;
	if (loss_looks_copied(side, peer, pkt))
		evidence_want_echoes(holes, side);
	if (holes && (side->bits & SIDE_ECHOES) && pkt->verdict.class != SEGMENT_COPY)
		evidence_echo(holes, side, pkt);
	return 0;
}

#define LOSS_ONE_TO_ZERO 2u

/* A single octet of payload; LOSS_ONE_TO_ZERO: for a peer whose window is zero. */
core_inline __u32 loss_is_one_octet(const struct side *peer, struct packet *pkt, __u32 len)
{
	if ((len ^ 1) | (pkt->payload_bytes ^ 1))
		return 0;
	return 1 + verifier_joins(&pkt->joint, (__u32)loss_peer_window_is_zero(peer));
}

core_inline void loss_classify_octets(const struct flow *flow, struct side *side,
				      const struct side *peer, struct packet *pkt,
				      struct holes *holes, __u32 len)
{
	__u32 start = pkt->seq, end = start + len, next = side->next, seen = 0;
	__u32 one = verifier_joins(&pkt->joint, loss_is_one_octet(peer, pkt, len));

	pkt->verdict.class = SEGMENT_NEW;
	if (seq_before(start, next)) {
		__u32 below_end = seq_min(end, next);

		seen = below_end - start;
		seen -= loss_fill(side, peer, pkt, holes, start, below_end);
		if (seen)
			pkt->verdict.class = (__u8)loss_classify_seen(side, peer, pkt, holes, end);
		else
			pkt->verdict.class =
				(__u8)loss_classify_fill(flow, pkt, holes, end);
	}
	seen = verifier_joins(&pkt->joint, seen);
	if (one == LOSS_ONE_TO_ZERO && (start == next || (seen && start == next - 1))) {
		if (start == next)
			side->bits |= SIDE_PROBE_PENDING;
		pkt->verdict.class = SEGMENT_WINDOW_PROBE;
		return;
	}
	if (one && seen && start == next - 1 && loss_is_acked(peer, end)) {
		pkt->verdict.class = SEGMENT_KEEPALIVE;
		return;
	}
	if (seq_after(start, next))
		loss_gap(side, peer, pkt, holes, next, start, 0);
	loss_note(side, peer, pkt, holes, seen, end, next);
	loss_advance(side, end);
	if (pkt->verdict.class != SEGMENT_COPY)
		evidence_remember(side, pkt);
	loss_note_echo(side, peer, pkt, holes);
	side->bits &= ~SIDE_FILLED;
	if (pkt->verdict.class == SEGMENT_REORDERED || pkt->verdict.class == SEGMENT_UNRESOLVED)
		side->bits |= SIDE_FILLED;
	side->octets_ns = pkt->now_ns;
}

core_inline void loss_begin(struct side *side, __u32 seq)
{
	side->next = seq;
	side->first_seq = seq;
	side->bits |= SIDE_SEQ | SIDE_FLOOR;
}

/* The stream moved: what was remembered of it is settled and forgotten. */
core_cut_inline int loss_move(struct side *side, const struct side *peer, const struct packet *pkt,
			      struct holes *holes);

core_cut_inline int core_body(loss_move)(struct side *side, const struct side *peer,
					 const struct packet *pkt, struct holes *holes)
{
	if (holes && side->holes)
		holes->gap_bytes += holes_acked_bytes(holes, loss_acked(side, peer));
	if (holes)
		holes->used = 0;
	side->next = pkt->seq;
	side->bits &= ~(SIDE_FLOOR | SIDE_PROBE_PENDING | SIDE_REPAIR);
	side->holes = 0;
	side->suspect_run = 0;
	return 0;
}

/* It counts, and changes nothing else. */
core_inline void loss_suspect(struct packet *pkt)
{
	pkt->verdict.again_bytes = pkt->payload_bytes;
	pkt->verdict.marks |= MARK_OUTSIDE;
	pkt->verdict.class = SEGMENT_SUSPECT;
}

/* How far beyond its window a reset may lie, for what did not pass here. */
#define LOSS_RESET_MARGIN (1u << 20)

/* As shown last; where one of the SYNs was not seen, the scale may be the largest there is (RFC 7323, 2.3). */
core_inline __u32 loss_window_of(const struct side *side, const struct side *peer)
{
	__u32 bits = side->bits & peer->bits, shift = 0;

	if (bits & SIDE_WSCALE)
		shift = peer->wscale & 15;
	else if (!(bits & SIDE_ISN))
		shift = 14;
	return (__u32)READ_ONCE(peer->raw_window) << shift;
}

/*
 * Would the other end believe this reset (RFC 9293, 3.10.7.4; RFC 5961, 3.2)? Its number lies within the window, or
 * where a reset lies that answers what this side had not acknowledged yet: a window below. Before a window is known,
 * and once something else has begun to close the connection, every reset is believed.
 */
core_inline int loss_reset_fits(const struct side *side, const struct side *peer, const struct packet *pkt)
{
	const __u32 known = SIDE_ACK | SIDE_WINDOW;
	__u32 ack = READ_ONCE(peer->ack), window, low, high;

	if ((peer->bits & known) != known || ((side->flags | peer->flags) & (TCP_FIN | TCP_RST)))
		return 1;
	window = loss_window_of(side, peer);
	low = seq_min(ack, side->next) - window - LOSS_RESET_MARGIN;
	high = seq_max(ack + window, side->next) + LOSS_RESET_MARGIN;
	return pkt->seq - low <= high - low;
}

/* Far outside: not ours, until several in a row show that the stream really moved. */
core_inline int loss_is_suspect(struct side *side, const struct side *peer, struct packet *pkt,
				struct holes *holes)
{
	if (seq_in_reach(pkt->seq, side->next) &&
	    (!(pkt->flags & TCP_RST) || loss_reset_fits(side, peer, pkt))) {
		side->suspect_run = 0;
		return 0;
	}
	pkt->verdict.marks |= MARK_OUTSIDE;
	if (pkt->flags & TCP_RST || ++side->suspect_run < LOSS_SUSPECTS_MAX)
		return 1;
	loss_move(side, peer, pkt, holes);
	return 0;
}

/* Before the list is used: what it holds may be of long ago. */
core_cut_inline int loss_look_through(struct side *side, const struct side *peer,
				      const struct packet *pkt, struct holes *holes);

core_cut_inline int core_body(loss_look_through)(struct side *side, const struct side *peer,
						 const struct packet *pkt, struct holes *holes)
{
	(void)pkt;
	holes_forget_old(holes, side, loss_acked(side, peer));
	side->holes_checked = side->next;
	return 0;
}

/* Places it; the verdict's class is left for who can tell. */
core_inline void loss_place(const struct flow *flow, struct side *side, const struct side *peer,
			    struct packet *pkt, struct holes *holes)
{
	__u32 len = packet_seq_len(pkt);

	if (side->bits & SIDE_PROBE_PENDING)
		loss_settle_probe(side, peer, pkt);
	if (pkt->flags & TCP_RST)
		return;
	if (holes) {
		holes->filled.end = holes->filled.start;
		if (!(side->bits & SIDE_HOLES) || loss_holes_are_old(side))
			loss_look_through(side, peer, pkt, holes);
	}
	if (!len)
		pkt->verdict.class = (__u8)loss_classify_empty(side, peer, pkt, holes);
	else
		loss_classify_octets(flow, side, peer, pkt, holes, len);
	/* A SYN that was captured late: from now on the side's start is known. */
	if ((pkt->flags & TCP_SYN) && !(side->bits & SIDE_ISN)) {
		side->bits |= SIDE_ISN;
		side->first_seq = pkt->seq;
	}
}

core_inline void loss_classify(const struct flow *flow, struct side *side, const struct side *peer,
			       struct packet *pkt, struct holes *holes)
{
	/* Until it is placed: what is outside, a reset or a probe brings no octets of its stream. */
	pkt->verdict.again_bytes = pkt->payload_bytes;
	if (!(side->bits & SIDE_SEQ)) {
		if (pkt->flags & TCP_RST) /* its number may be anything (RFC 9293, 3.10.7.1) */
			return;
		loss_begin(side, pkt->seq);
	} else if (loss_is_suspect(side, peer, pkt, holes)) {
		pkt->verdict.class = SEGMENT_SUSPECT;
		return;
	}
	loss_place(flow, side, peer, pkt, holes);
}

#endif
