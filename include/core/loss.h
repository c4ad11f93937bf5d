/* SPDX-License-Identifier: GPL-2.0-only */
/* What was seen before and what was not: sequence ranges, holes, and the class of every segment. */
#ifndef ACKMON_CORE_LOSS_H
#define ACKMON_CORE_LOSS_H

#include "abi/flow.h"
#include "core/compiler.h"
#include "core/packet.h"
#include "core/seq.h"

enum segment_class {
	SEGMENT_PLAIN, /* takes no sequence space */
	SEGMENT_NEW,
	SEGMENT_KEEPALIVE,
	SEGMENT_WINDOW_PROBE,
	SEGMENT_RETRANSMITTED, /* at least one octet seen before in this direction */
	SEGMENT_UNRESOLVED,    /* fills a hole; sent before or after its neighbours, nobody knows */
	SEGMENT_SUSPECT,       /* outside any possible window */
};

/* Does placing this segment read or write the hole list? Then the host must bring it. */
core_inline int loss_needs_holes(const struct side *side, const struct packet *pkt);

/*
 * Places the segment in its side's sequence space and gives it its class. holes may be NULL when
 * loss_needs_holes() said no, or when there was no room for a list (counted as a dropped hole).
 */
core_inline enum segment_class loss_classify(struct side *side, const struct side *peer,
					     const struct packet *pkt, struct holes *holes);

/* Consecutive segments outside the window after which the stream is believed to have moved. */
#define LOSS_SUSPECTS_MAX 4

/* ------------------------------------------------------------------ holes */

/* Remembers [start, end) as passed by. Without a free slot the oldest hole is given up. */
core_apart int holes_add(struct holes *holes, struct side *side, __u32 acked,
			 const struct hole *wanted)
{
	__u32 i, slot = HOLES_MAX, oldest = 0;
	__u64 oldest_ns = ~0ull;
	struct hole *hole;

	if (!holes || !side || !wanted)
		return 0;
	if (!side->holes) /* what the list still holds is of a stream that moved away */
		holes->used = 0;
	for (i = 0; i < HOLES_MAX; i++) {
		if (i >= holes->used || holes->slot[i].start == holes->slot[i].end) {
			slot = i;
			break;
		}
		if (holes->slot[i].opened_ns < oldest_ns) {
			oldest_ns = holes->slot[i].opened_ns;
			oldest = i;
		}
		oldest = verifier_joins(&holes->joint, oldest);
	}
	slot = verifier_joins(&holes->joint, slot);
	if (slot == HOLES_MAX) {
		slot = oldest & (HOLES_MAX - 1);
		hole = &holes->slot[slot];
		if ((side->bits & SIDE_SEQ) && !seq_after(hole->end, acked))
			side->gap_bytes += hole->end - hole->start;
		else
			side->holes_dropped++;
		side->holes--;
	}
	holes->slot[slot & (HOLES_MAX - 1)] = *wanted;
	if (slot >= holes->used)
		holes->used = slot + 1;
	side->holes++;
	side->bits |= SIDE_HOLES;
	return 0;
}

/*
 * Takes [start, end) out of the holes and returns how many of its octets they held. At most one
 * hole can be split, the one that contains the whole range; its right part becomes a hole again.
 */
core_apart __u32 holes_fill(struct holes *holes, struct side *side, __u32 acked, __u32 start,
			    __u32 end)
{
	__u32 i, filled = 0, split = HOLES_MAX;
	struct hole right = {0};

	if (!holes || !side)
		return 0;
	for (i = 0; i < HOLES_MAX; i++) {
		struct hole *hole;
		__u32 from, to;

		if (i >= holes->used)
			break;
		hole = &holes->slot[i];
		from = seq_max(start, hole->start);
		to = seq_min(end, hole->end);
		if (!seq_before(from, to))
			continue;
		filled += to - from;
		if (from == hole->start) {
			hole->start = to;
			if (to == hole->end)
				side->holes--;
			continue;
		}
		if (to != hole->end)
			split = i;
		split = verifier_joins(&holes->joint, split);
		right.end = hole->end;
		hole->end = from;
	}
	if (split < HOLES_MAX) {
		right.start = end;
		right.opened_ns = holes->slot[split].opened_ns;
		right.tsval = holes->slot[split].tsval;
		right.ip_id = holes->slot[split].ip_id;
		holes_add(holes, side, acked, &right);
	}
	if (!side->holes)
		holes->used = 0;
	return filled;
}

/* ------------------------------------------------------------------ placing */

core_inline int loss_is_placeable(const struct side *side, const struct packet *pkt)
{
	return (side->bits & SIDE_SEQ) && seq_in_reach(pkt->seq, side->next);
}

core_inline int loss_needs_holes(const struct side *side, const struct packet *pkt)
{
	if (pkt->seq == side->next || !loss_is_placeable(side, pkt) || pkt->flags & TCP_RST)
		return 0;
	if (seq_after(pkt->seq, side->next))
		return 1;
	return side->holes || ((side->bits & SIDE_FLOOR) && seq_before(pkt->seq, side->first_seq));
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

core_inline void loss_gap(struct side *side, const struct side *peer, const struct packet *pkt,
			  struct holes *holes, __u32 start, __u32 end)
{
	struct hole hole = {
		.start = start,
		.end = end,
		.opened_ns = pkt->now_ns,
		.tsval = pkt->tsval,
		.ip_id = pkt->ip_id,
	};

	if (holes)
		holes_add(holes, side, READ_ONCE(peer->ack), &hole);
	else
		side->holes_dropped++;
}

/* A window probe's octet counts as seen once it was acknowledged or passed by. */
core_inline void loss_settle_probe(struct side *side, const struct side *peer, __u32 seq)
{
	__u32 end = side->next + 1;

	if (!loss_is_acked(peer, end) && seq_before(seq, end))
		return;
	side->next = end;
	side->unique_bytes++;
	side->bits &= ~SIDE_PROBE_PENDING;
}

/* Nothing in it: a keepalive or window probe below next, or an ACK that shows we missed something. */
core_inline enum segment_class loss_classify_empty(struct side *side, const struct side *peer,
						   const struct packet *pkt, struct holes *holes)
{
	if (seq_after(pkt->seq, side->next)) {
		loss_gap(side, peer, pkt, holes, side->next, pkt->seq);
		side->next = pkt->seq;
		return SEGMENT_PLAIN;
	}
	if (pkt->seq == side->next || (side->flags & TCP_FIN))
		return SEGMENT_PLAIN;
	if ((side->bits & SIDE_ISN) && (side->bits & SIDE_FLOOR) &&
	    !seq_after(pkt->seq, side->first_seq))
		return SEGMENT_PLAIN;
	if (pkt->seq != side->next - 1 &&
	    !((peer->bits & SIDE_ACK) && pkt->seq == READ_ONCE(peer->ack) - 1))
		return SEGMENT_PLAIN;
	return loss_peer_window_is_zero(peer) ? SEGMENT_WINDOW_PROBE : SEGMENT_KEEPALIVE;
}

/* Octets of [start, end) below next that were never seen; they are marked as seen. */
core_inline __u32 loss_fill(struct side *side, const struct side *peer, const struct packet *pkt,
			    struct holes *holes, __u32 start, __u32 end)
{
	__u32 acked = READ_ONCE(peer->ack), filled = 0;

	if (holes && side->holes)
		filled = holes_fill(holes, side, acked, start, end);
	if ((side->bits & SIDE_FLOOR) && seq_before(start, side->first_seq)) {
		__u32 to = seq_min(end, side->first_seq);

		filled += to - start;
		/* Older than what we saw first: mid-stream the floor moves down, a SYN's stays. */
		if (!(side->bits & SIDE_ISN)) {
			if (to != side->first_seq)
				loss_gap(side, peer, pkt, holes, to, side->first_seq);
			side->first_seq = start;
		}
	}
	return filled;
}

core_inline void loss_advance(struct side *side, __u32 end)
{
	if (!seq_after(end, side->next))
		return;
	side->next = end;
	if (end - side->first_seq > SEQ_WINDOW_MAX)
		side->bits &= ~SIDE_FLOOR;
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

core_inline enum segment_class loss_classify_octets(struct side *side, const struct side *peer,
						    const struct packet *pkt, struct holes *holes,
						    __u32 len)
{
	__u32 start = pkt->seq, end = start + len, next = side->next, seen = 0;
	int one = len == 1 && pkt->payload_bytes == 1;
	int peer_zero = loss_peer_window_is_zero(peer);
	enum segment_class class = SEGMENT_NEW;

	if (seq_before(start, next)) {
		__u32 below_end = seq_min(end, next);

		seen = below_end - start;
		seen -= loss_fill(side, peer, pkt, holes, start, below_end);
		class = seen ? SEGMENT_RETRANSMITTED : SEGMENT_UNRESOLVED;
	}
	if (one && peer_zero && (start == next || (seen && start == next - 1))) {
		if (start == next)
			side->bits |= SIDE_PROBE_PENDING;
		return SEGMENT_WINDOW_PROBE;
	}
	if (one && seen && start == next - 1 && loss_is_acked(peer, end))
		return SEGMENT_KEEPALIVE;
	if (seq_after(start, next))
		loss_gap(side, peer, pkt, holes, next, start);
	if (class == SEGMENT_RETRANSMITTED) {
		__u32 bytes = seen < pkt->payload_bytes ? seen : pkt->payload_bytes;

		side->retransmitted_segments += loss_segments(side, peer, pkt);
		side->retransmitted_bytes += bytes;
		side->unique_bytes += pkt->payload_bytes - bytes;
		if (pkt->flags & TCP_SYN)
			side->syn_retrans++;
		else if ((pkt->flags & TCP_FIN) && !seq_after(end, next))
			side->fin_retrans++;
	} else {
		side->unique_bytes += pkt->payload_bytes;
	}
	loss_advance(side, end);
	return class;
}

core_inline void loss_begin(struct side *side, __u32 seq)
{
	side->next = seq;
	side->first_seq = seq;
	side->bits |= SIDE_SEQ | SIDE_FLOOR;
}

/* Far outside: not ours, until several in a row show that the stream really moved. */
core_inline int loss_is_suspect(struct side *side, const struct packet *pkt)
{
	if (seq_in_reach(pkt->seq, side->next)) {
		side->suspect_run = 0;
		return 0;
	}
	side->suspects++;
	if (pkt->flags & TCP_RST || ++side->suspect_run < LOSS_SUSPECTS_MAX)
		return 1;
	side->suspect_run = 0;
	side->next = pkt->seq;
	side->bits &= ~(SIDE_FLOOR | SIDE_PROBE_PENDING);
	side->holes = 0;
	return 0;
}

core_inline enum segment_class loss_classify(struct side *side, const struct side *peer,
					     const struct packet *pkt, struct holes *holes)
{
	__u32 len = packet_seq_len(pkt);
	enum segment_class class;

	if (!(side->bits & SIDE_SEQ)) {
		if (pkt->flags & TCP_RST) /* its number may be anything (RFC 9293, 3.10.7.1) */
			return SEGMENT_PLAIN;
		loss_begin(side, pkt->seq);
	} else if (loss_is_suspect(side, pkt)) {
		return SEGMENT_SUSPECT;
	}
	if (side->bits & SIDE_PROBE_PENDING)
		loss_settle_probe(side, peer, pkt->seq);
	if (pkt->flags & TCP_RST)
		return SEGMENT_PLAIN;
	if (!len) {
		class = loss_classify_empty(side, peer, pkt, holes);
	} else {
		class = loss_classify_octets(side, peer, pkt, holes, len);
		if (class == SEGMENT_UNRESOLVED)
			side->unresolved++;
	}
	if (class == SEGMENT_KEEPALIVE)
		side->keepalives++;
	else if (class == SEGMENT_WINDOW_PROBE)
		side->window_probes++;
	/* A SYN that was captured late: from now on the side's start is known. */
	if ((pkt->flags & TCP_SYN) && !(side->bits & SIDE_ISN)) {
		side->bits |= SIDE_ISN;
		side->first_seq = pkt->seq;
	}
	return class;
}

#endif
