/* SPDX-License-Identifier: GPL-2.0-only */
/* What an end says as receiver: acknowledgments, duplicates, SACK blocks, and its window. */
#ifndef ACKMON_CORE_WINDOW_H
#define ACKMON_CORE_WINDOW_H

#include "abi/flow.h"
#include "core/compiler.h"
#include "core/holes.h"
#include "core/packet.h"
#include "core/seq.h"

/*
 * Takes the acknowledgment and the window of a segment into its side. peer_holes: what the peer
 * repeated, when window_is_dsack() says that this segment reports a duplicate; else NULL.
 */
core_inline void window_note(struct side *side, const struct side *peer, struct packet *pkt,
			     struct holes *peer_holes);

/* RFC 5681, 2: same ACK, same window, nothing in it, something outstanding. */
core_inline int window_is_dup_ack(const struct side *side, const struct side *peer,
				  const struct packet *pkt)
{
	return (side->bits & SIDE_ACK) && (side->bits & SIDE_WINDOW) && pkt->ack == side->ack &&
	       pkt->window == side->raw_window && !pkt->payload_bytes &&
	       !(pkt->flags & (TCP_SYN | TCP_FIN)) && (peer->bits & SIDE_SEQ) &&
	       seq_after(READ_ONCE(peer->next), pkt->ack);
}

/*
 * RFC 2883, 4: the first block lies below the ACK or inside the second block. One that is empty or the
 * wrong way round is none, nor is one out of reach: some firewalls move the numbers, but not those in
 * the option.
 */
core_inline int window_is_dsack(const struct packet *pkt)
{
	if (!pkt->sack_count || !seq_before(pkt->sack[0].start, pkt->sack[0].end) ||
	    !seq_in_reach(pkt->sack[0].start, pkt->ack))
		return 0;
	if (!seq_after(pkt->sack[0].end, pkt->ack))
		return 1;
	return pkt->sack_count > 1 && !seq_before(pkt->sack[0].start, pkt->sack[1].start) &&
	       !seq_after(pkt->sack[0].end, pkt->sack[1].end);
}

/* As the first word of its side; a SYN's window does not count. */
core_inline int window_is_closed_by(const struct packet *pkt)
{
	return !pkt->window &&
	       (pkt->flags & (TCP_ACK | TCP_SYN | TCP_FIN | TCP_RST)) == TCP_ACK;
}

core_inline void window_set(struct side *side, struct packet *pkt)
{
	int was_zero = !!(side->bits & SIDE_ZERO_WINDOW);
	/* With a FIN some say no window at all: that closes none, and opens none. */
	int is_zero = !pkt->window && (was_zero || !(pkt->flags & TCP_FIN));

	side->raw_window = pkt->window;
	side->bits |= SIDE_WINDOW;
	if (is_zero && !was_zero) {
		if (pkt->now_ns) /* which would stand for a window that is open */
			side->bits |= SIDE_ZERO_WINDOW;
		pkt->verdict.marks |= MARK_CLOSED;
	} else if (!is_zero && was_zero) {
		side->bits &= ~SIDE_ZERO_WINDOW;
		pkt->verdict.marks |= MARK_OPENED;
	}
}

/*
 * Does it call needless what was sent again and not known to be so? As often as that was sent again
 * and no oftener: an ACK that was copied on its way says the same once more.
 */
core_cut_inline int window_note_dsack(const struct side *side, struct packet *pkt,
				      struct holes *peer_holes);

core_cut_inline int core_body(window_note_dsack)(const struct side *side, struct packet *pkt,
						 struct holes *peer_holes)
{
	__u32 start = pkt->sack[0].start;
	__u32 repeats = holes_repeated(peer_holes, start, pkt->sack[0].end, 1);

	(void)side;
	if (!peer_holes)
		return 0;
	if (peer_holes->dsack_start != start)
		peer_holes->dsack_count = 0;
	if (peer_holes->dsack_count >= repeats)
		return 0;
	peer_holes->dsack_start = start;
	peer_holes->dsack_count++;
	pkt->verdict.dsack_spurious = 1;
	return 0;
}

/* The first block of a D-SACK is what came twice; the highest of the others is what came out of order. */
core_inline void window_note_sack(struct side *side, const struct side *peer,
				  struct packet *pkt, struct holes *peer_holes)
{
	int dsack = window_is_dsack(pkt);
	__u32 i;

	pkt->verdict.marks |= dsack ? MARK_SACKS | MARK_DSACK : MARK_SACKS;
	if (dsack)
		window_note_dsack(side, pkt, peer_holes);
	for (i = (__u32)dsack; i < 4 && i < pkt->sack_count; i++) {
		__u32 end = pkt->sack[i].end;

		if (!seq_before(pkt->sack[i].start, end) || !seq_after(end, pkt->ack) ||
		    ((peer->bits & SIDE_SEQ) && seq_after(end, READ_ONCE(peer->next))))
			continue;
		if (!(side->bits & SIDE_SACK) || seq_after(end, side->sack_high))
			side->sack_high = end;
		side->bits |= SIDE_SACK;
	}
}

/* What is acknowledged is not reported beside it any more. */
core_inline void window_settle_sack(struct side *side)
{
	if ((side->bits & SIDE_SACK) && !seq_after(side->sack_high, side->ack))
		side->bits &= ~SIDE_SACK;
}

/* The acknowledgment moved: what was asked for before has been answered. */
core_inline void window_advance(struct side *side, __u32 ack)
{
	if (!(side->bits & SIDE_ACK) || ack != side->ack)
		side->dup_run = 0;
	side->ack = ack;
	side->bits |= SIDE_ACK;
	window_settle_sack(side);
}

/* Does the payload end exactly where the window of the other end does? What is hardly ever so is asked first. */
core_inline int window_is_full(const struct side *side, const struct side *peer,
			       const struct packet *pkt)
{
	const __u32 known = SIDE_WINDOW | SIDE_ACK;
	__u32 window = READ_ONCE(peer->raw_window);

	if (side->bits & peer->bits & SIDE_WSCALE)
		window <<= peer->wscale;
	return pkt->seq + pkt->payload_bytes == READ_ONCE(peer->ack) + window && pkt->payload_bytes && window &&
	       (peer->bits & known) == known;
}

core_inline void window_note(struct side *side, const struct side *peer, struct packet *pkt,
			     struct holes *peer_holes)
{
	if (window_is_full(side, peer, pkt))
		pkt->verdict.marks |= MARK_FULL;
	if (!(pkt->flags & TCP_ACK) || (pkt->flags & TCP_RST))
		return;
	if (window_is_dup_ack(side, peer, pkt)) {
		side->dup_acks++;
		/* A D-SACK answers a duplicate; it does not ask for anything. */
		if (side->dup_run < 255 && !window_is_dsack(pkt))
			side->dup_run++;
	}
	if (pkt->sack_count)
		window_note_sack(side, peer, pkt, peer_holes);
	/* An ACK far from anything the peer sent says nothing. */
	if ((peer->bits & SIDE_SEQ) && !seq_in_reach(pkt->ack, READ_ONCE(peer->next)))
		return;
	/* An old one, unless the peer's stream has moved and took the acknowledgments along. */
	if ((side->bits & SIDE_ACK) && seq_before(pkt->ack, side->ack) &&
	    seq_in_reach(pkt->ack, side->ack))
		return;
	window_advance(side, pkt->ack);
	/* The window of a SYN is not scaled (RFC 7323, 2.2), and data may follow it at once. */
	if (pkt->flags & TCP_SYN)
		side->bits &= ~SIDE_WINDOW;
	else
		window_set(side, pkt);
}

#endif
