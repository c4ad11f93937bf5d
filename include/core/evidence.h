/* SPDX-License-Identifier: GPL-2.0-only */
/* Which of two segments was sent first, whether they are one and the same, and why one came again. */
#ifndef ACKMON_CORE_EVIDENCE_H
#define ACKMON_CORE_EVIDENCE_H

#include "abi/flow.h"
#include "core/compiler.h"
#include "core/holes.h"
#include "core/packet.h"
#include "core/seq.h"
#include "core/side.h"

enum sent_order {
	SENT_UNKNOWN,
	SENT_BEFORE,
	SENT_AFTER,
};

#define EVIDENCE_MS 1000000ull

/* The shortest retransmission timeout in common use (Linux; RFC 6298, 2.4 would have 1 s). */
#define EVIDENCE_RTO_MIN_NS (200 * EVIDENCE_MS)
/* Reordering window when no round trip is known. */
#define EVIDENCE_REORDER_NS (3 * EVIDENCE_MS)
/* Copies of one packet come this close: with the same IP-ID, and without one. */
#define EVIDENCE_COPY_US 100000 /* of 1,024 ns, as below */
#define EVIDENCE_COPY_BARE_US 1000
/* ... and at once, nothing else of this direction in between: a tail loss probe waits 2 ms and more. */
#define EVIDENCE_COPY_NEXT_US 1950

core_inline __u32 evidence_us(__u64 ns)
{
	return (__u32)(ns >> 10);
}

/* ------------------------------------------------------------------ IP-ID */

/*
 * Does each packet of this end have an IP-ID of its own? Counted or drawn, for the connection or the whole
 * host: none comes again soon. Some stacks send one and the same.
 */
core_inline int evidence_ip_ids_vary(const struct side *side)
{
	return side->ip_ids >= 4;
}

/* Do this end's IP-IDs count up? Many stacks count per connection, some send zeros or noise. */
core_inline int evidence_ip_ids_count_up(const struct side *side)
{
	return side->ip_ids >= 4 && side->ip_ids_upward * 4 >= side->ip_ids * 3;
}

/* Of a segment that was not seen before. */
core_inline void evidence_take_ip_id(struct side *side, const struct packet *pkt)
{
	__u32 step = (__u16)(pkt->ip_id - side->ip_id);

	if (!pkt->ip_id || (!step && (side->bits & SIDE_IP_ID)))
		return;
	if (side->bits & SIDE_IP_ID) {
		/* Where they count up, an older one was overtaken, and says nothing else. */
		if (step > 0x8000 && evidence_ip_ids_count_up(side))
			return;
		if (unlikely(side->ip_ids == 0xffff)) { /* the past weighs half */
			side->ip_ids /= 2;
			side->ip_ids_upward /= 2;
		}
		side->ip_ids++;
		side->ip_ids_upward += step <= 64;
	}
	side->ip_id = pkt->ip_id;
	side->bits |= SIDE_IP_ID;
}

/* Copies come late and with the old number: they say nothing of how the sender counts. */
core_inline void evidence_note_ip_id(struct side *side, const struct packet *pkt)
{
	if (!pkt->verdict.familiar && pkt->verdict.class != SEGMENT_COPY && pkt->verdict.class != SEGMENT_LATE)
		evidence_take_ip_id(side, pkt);
}

/* ------------------------------------------------------------------ order */

/* Was pkt sent before or after the segment that carried tsval and ip_id? */
core_inline enum sent_order evidence_order(const struct side *side, const struct packet *pkt,
					   int has_ts, __u32 tsval, __u16 ip_id)
{
	if (has_ts && pkt->has_ts && tsval != pkt->tsval)
		return seq_after(pkt->tsval, tsval) ? SENT_AFTER : SENT_BEFORE;
	if (pkt->ip_id && ip_id != pkt->ip_id && evidence_ip_ids_count_up(side))
		return (__s16)(pkt->ip_id - ip_id) > 0 ? SENT_AFTER : SENT_BEFORE;
	return SENT_UNKNOWN;
}

/* The shortest way there and back, end to end, when both halves are known; else 0. */
core_inline __u64 evidence_rtt_min_ns(const struct side *side, const struct side *peer)
{
	if (!side->rtt_samples || !peer->rtt_samples)
		return 0;
	return side->rtt_min_ns + peer->rtt_min_ns;
}

/* RFC 8985, 6.2; 3 ms when no round trip is known. */
core_inline __u64 evidence_reorder_ns(const struct side *side, const struct side *peer)
{
	__u64 rtt_ns = evidence_rtt_min_ns(side, peer);

	return rtt_ns ? rtt_ns / 4 : EVIDENCE_REORDER_NS;
}

/* The receiver has asked for what ends at `end`: three duplicate ACKs, or SACKed data above it. */
core_inline int evidence_receiver_asked(const struct side *peer, __u32 end)
{
	return peer->dup_run >= 3 || ((peer->bits & SIDE_SACK) && seq_after(peer->sack_high, end));
}

/*
 * Does the sender repair what was under way, `end` included? Then a partial acknowledgment is a request
 * (RFC 6582, 3.2), and so is every other one after a timeout.
 */
core_inline int evidence_is_repaired(const struct side *side, const struct side *peer,
				     const struct holes *holes, __u32 end)
{
	if (!(side->bits & SIDE_REPAIR) || !holes || seq_after(end, holes->recover))
		return 0;
	/* Of a receiver that is not heard it is not known that all has come. */
	return !(peer->bits & SIDE_ACK) || seq_before(READ_ONCE(peer->ack), holes->recover);
}

/* Silence of this length is a timer's: what is on its way both ways, twice, and no less than the minimum. */
core_inline __u64 evidence_rto_ns(const struct side *side, const struct side *peer)
{
	__u64 twice_ns = 2 * ((__u64)side->rtt_smoothed_ns + peer->rtt_smoothed_ns);

	return twice_ns > EVIDENCE_RTO_MIN_NS ? twice_ns : EVIDENCE_RTO_MIN_NS;
}

/*
 * Of one tick of the sender's clock are both, and a tick is short against the round trip, or against the
 * time the one came behind the other: then no answer to the first can have been on its way in between, and
 * the one was held up. How long a tick is (RFC 7323, 5.4 allows 1 ms to 1 s) the time since the SYN of
 * this end tells; it counts as twice as long, and one tick less is believed.
 */
core_inline int evidence_is_of_one_moment(const struct flow *flow, const struct packet *pkt,
					  const struct hole *hole, __u64 rtt_ns, __u64 age_ns)
{
	int is_opener = (pkt->direction & 1) == flow->opener;
	__u32 tsval = is_opener ? flow->syn_tsval : flow->synack_tsval;
	__u64 since_ns = is_opener ? flow->syn_ns : flow->synack_ns;
	int known = is_opener ? flow->has_syn & flow->syn_has_ts :
				flow->has_synack & flow->synack_has_ts;
	__u32 ticks = hole->tsval - tsval - 1;

	if (!known || !(hole->has_ts & pkt->has_ts) || hole->tsval != pkt->tsval ||
	    hole->opened_ns < since_ns || (__s32)ticks <= 0)
		return 0;
	if (rtt_ns < age_ns)
		rtt_ns = age_ns;
	return (rtt_ns >> 11) * ticks >= (hole->opened_ns - since_ns) >> 10;
}

/*
 * Was the segment that fills this hole sent before the one that opened it, or after? Strongest
 * evidence first: what the sender wrote on both, what the receiver asked for, and how long it took.
 * Too old for reordering, too young for a timeout and nobody asked: unknown.
 */
core_inline enum sent_order evidence_fill_order(const struct flow *flow, const struct packet *pkt,
						const struct hole *hole, int repaired, __u32 end)
{
	const struct side *side = side_from(flow, pkt);
	const struct side *peer = side_to(flow, pkt);
	enum sent_order order = evidence_order(side, pkt, hole->has_ts, hole->tsval, hole->ip_id);
	__u64 rtt_ns = evidence_rtt_min_ns(side, peer), age_ns, least_ns;

	/* With the tick of the segment behind the hole, and newer ticks seen since: it was overtaken. */
	if (order == SENT_UNKNOWN && hole->has_ts && pkt->has_ts &&
	    seq_after(side->tsval, pkt->tsval))
		return SENT_BEFORE;
	if (order != SENT_UNKNOWN || pkt->now_ns < hole->opened_ns)
		return order;
	age_ns = pkt->now_ns - hole->opened_ns;
	if (evidence_is_of_one_moment(flow, pkt, hole, rtt_ns, age_ns))
		return SENT_BEFORE;
	/*
	 * The answer comes exactly one round trip later; the least of few samples is an eighth too long.
	 * Where none is known three duplicate ACKs must do: a SACK may tell of the very reordering. No sooner
	 * than the half that is known, though.
	 */
	least_ns = side->rtt_min_ns + peer->rtt_min_ns;
	if (age_ns >= least_ns - least_ns / 8 &&
	    (rtt_ns ? repaired | evidence_receiver_asked(peer, end) : peer->dup_run >= 3))
		return SENT_AFTER;
	if (age_ns < evidence_reorder_ns(side, peer))
		return SENT_BEFORE;
	return age_ns >= evidence_rto_ns(side, peer) ? SENT_AFTER : SENT_UNKNOWN;
}

/*
 * How soon octets that came again cannot come once more: nobody can ask for them within a round trip,
 * and of what was acknowledged only a timer that ran out sends another.
 */
core_inline __u64 evidence_soon_ns(const struct side *side, const struct side *peer, __u32 end)
{
	if ((peer->bits & SIDE_ACK) && !seq_before(READ_ONCE(peer->ack), end))
		return EVIDENCE_RTO_MIN_NS;
	return evidence_rtt_min_ns(side, peer);
}

/* Is it the delayed original of what was filled by this one? */
core_apart int evidence_is_original(const struct side *side, const struct packet *pkt,
				    const struct fill *fill, __u64 soon_ns, __u32 end)
{
	if (!side || !pkt || !fill)
		return 0;
	if (fill->start == fill->end || fill->original_came ||
	    seq_before(pkt->seq, fill->start) || seq_after(end, fill->end))
		return 0;
	switch (evidence_order(side, pkt, fill->has_ts, fill->tsval, fill->ip_id)) {
	case SENT_BEFORE:
		return 1;
	case SENT_AFTER:
		return 0;
	default:
		break;
	}
	/* Of that tick, and newer ones were seen; or it came sooner than one could be sent. */
	return (fill->has_ts & pkt->has_ts && seq_after(side->tsval, pkt->tsval)) ||
	       evidence_us(pkt->now_ns) - fill->time_us < evidence_us(soon_ns);
}

/* The delayed original of something that was lost, as we thought, and came again. */
core_apart int evidence_is_late(const struct side *side, const struct packet *pkt,
				struct holes *holes, __u64 soon_ns, __u32 end)
{
	__u32 i;

	if (!side || !pkt || !holes)
		return 0;
	for (i = 0; i < FILLS_MAX && i < holes->fills; i++) {
		if (evidence_is_original(side, pkt, &holes->fill[i], soon_ns, end)) {
			holes->fill[i].original_came = 1;
			return 1;
		}
	}
	return 0;
}

/* ------------------------------------------------------------------ copies */

enum evidence_twin {
	TWIN_NONE,   /* nothing with this range passed just now, or nobody knows in which order */
	TWIN_COPY,   /* this very packet did */
	TWIN_BEFORE, /* another packet did, and was sent before this one */
	TWIN_AFTER,  /* ... after this one */
	TWIN_UNLIKE, /* one of those that passed says nothing */
};

core_inline __u16 evidence_shape(const struct packet *pkt)
{
	return (__u16)(pkt->payload_bytes ^ (__u32)pkt->flags << 8);
}

/*
 * What else tells a packet from its like: the IP-ID, or where there is none what it acknowledges. Of a
 * SYN the first room does not keep the window, and it says the same each time.
 */
core_inline __u16 evidence_mark(const struct packet *pkt)
{
	if (pkt->ip_id || pkt->flags & TCP_SYN)
		return pkt->ip_id;
	return (__u16)(pkt->ack ^ pkt->window);
}

core_inline struct recent evidence_recent(const struct packet *pkt)
{
	return (struct recent){
		.seq = pkt->seq,
		.tsval = pkt->tsval,
		.time_us = evidence_us(pkt->now_ns),
		.ip_id = evidence_mark(pkt),
		.shape = evidence_shape(pkt),
	};
}

core_inline void evidence_remember(struct side *side, const struct packet *pkt)
{
	__u32 at = side->recent_next;

	if (at >= RECENT_SEGMENTS) /* the ring is closed here, where the verifier sees it */
		at = 0;
	side->recent_next = (__u8)(at + 1);
	side->recent[at] = evidence_recent(pkt);
}

/* Eight in a word tell at once whether one of them is it: few segments are compared that are another. */
#define EVIDENCE_TAGS 0x0101010101010101ull

core_inline __u64 evidence_tag(__u32 seq)
{
	return seq * 0x9e3779b1u >> 24;
}

/*
 * A mirror of two links, or a queue behind a tap, lets the copies of a whole burst come behind it, further
 * than `recent` goes. Where a direction shows copies, or repeats that nobody asked for, its segments
 * are remembered in struct holes for a while.
 */
core_inline void evidence_echo(struct holes *holes, struct side *side, const struct packet *pkt)
{
	__u32 at, shift;
	__u64 *tags;

	if (!holes->echoes_until)
		holes->echoes_until = ECHOES_LONG;
	if ((__s32)(holes->echoes - holes->echoes_until) >= 0) {
		side->bits &= ~SIDE_ECHOES;
		return;
	}
	at = holes->echoes++ % ECHOES_MAX;
	holes->echo[at] = evidence_recent(pkt);
	shift = at % 8 * 8;
	tags = &holes->echo_tags[at / 8];
	*tags = (*tags & ~(255ull << shift)) | evidence_tag(pkt->seq) << shift;
	side->bits |= SIDE_HOLES;
}

/* Of a SYN's copy there is no list yet; the next segment brings it. */
core_inline void evidence_want_echoes(struct holes *holes, struct side *side)
{
	if (holes && !(side->bits & SIDE_ECHOES))
		holes->echoes = 0;
	if (holes)
		holes->echoes_until = holes->echoes + ECHOES_LONG;
	side->bits |= SIDE_ECHOES;
}

/* 0 stays 0, all else becomes 1: without a branch. */
core_inline __u32 evidence_is_some(__u32 x)
{
	__u32 minus = 0u - x;

	compiler_forgets(minus);
	return (x | minus) >> 31;
}

/*
 * Of eight of these segments, compared with this one because their tags are like its own: how many came
 * behind the newest with the same octets, or with `exactly` (~0) behind the newest that is the same in all.
 */
core_leaf __u32 evidence_echo_row(const struct holes *holes, const struct packet *pkt, __u32 row,
				  __u32 mark, __u32 exactly)
{
	__u32 least = ECHOES_MAX, i;

	if (!holes || !pkt)
		return ECHOES_MAX;
	for (i = 0; i < 8; i++) {
		__u32 at = (row * 8 + i) % ECHOES_MAX, age = (holes->echoes - 1 - at) % ECHOES_MAX;
		const struct recent *echo = &holes->echo[at];
		__u32 other = (echo->ip_id ^ mark) | (echo->tsval ^ pkt->tsval);
		__u64 below = (__u64)age - holes->echoes; /* negative */

		compiler_forgets(below);
		other = (other & exactly) | (echo->seq ^ pkt->seq) | (echo->shape ^ evidence_shape(pkt));
		/* What lies there and is not yet one of them counts as another. */
		other |= 1u - (__u32)(below >> 63);
		least = seq_min(least, age + ECHOES_MAX * evidence_is_some(other));
	}
	return least;
}

/* The same of all; ECHOES_MAX: there is none. */
core_apart __u32 evidence_find_echo(const struct holes *holes, struct packet *pkt, __u32 exactly)
{
	__u32 least, row, mark;
	__u64 tags;

	if (!holes || !pkt)
		return ECHOES_MAX;
	mark = evidence_mark(pkt);
	least = verifier_joins(&pkt->joint, ECHOES_MAX);
	tags = evidence_tag(pkt->seq) * EVIDENCE_TAGS;
	for (row = 0; row < ECHOES_MAX / 8; row++) {
		__u64 x = holes->echo_tags[row] ^ tags;

		if (!((x - EVIDENCE_TAGS) & ~x & EVIDENCE_TAGS << 7)) /* no octet of x is 0 */
			continue;
		least = seq_min(least, evidence_echo_row(holes, pkt, row, mark, exactly));
		least = verifier_joins(&pkt->joint, least);
	}
	return least;
}

core_inline const struct recent *evidence_echo_of_age(const struct holes *holes, __u32 age)
{
	return &holes->echo[(holes->echoes - 1 - age) % ECHOES_MAX];
}

/* A quarter of what is known of the round trip, be it only one half: a shorter time than the whole. */
core_inline __u64 evidence_copy_ns(const struct side *side, const struct side *peer)
{
	__u64 rtt_ns = side->rtt_min_ns + peer->rtt_min_ns;

	return side->rtt_samples || peer->rtt_samples ? rtt_ns / 4 : EVIDENCE_REORDER_NS;
}

/*
 * Behind the longer part of the way, what is sent again because of what came back from the receiver
 * takes that part and back to come by. Near the sender nothing tells how soon that is: RACK sends
 * again without being asked for that octet (RFC 8985), and the least of few samples may be far above
 * the true least: a busy host takes a millisecond to answer, so less than that is not far.
 */
core_inline int evidence_is_far_from_sender(const struct side *side, const struct side *peer)
{
	return side->rtt_samples && peer->rtt_samples && side->rtt_min_ns > peer->rtt_min_ns &&
	       side->rtt_min_ns >= EVIDENCE_MS;
}

/*
 * Is the same packet seen again, not one like it sent again? A sender whose IP-IDs vary does not
 * use one twice in this time. One with always the same, or not yet another as far as we know, has sent the
 * ID again only if somebody asked, or a timer ran out: neither happens so soon. Without an ID, far from
 * the sender the same goes for a TSval; else nothing may have come back in between.
 */
core_inline int evidence_is_copy_of(const struct side *side, const struct side *peer,
				    const struct packet *pkt, const struct recent *recent,
				    int is_next, __u32 end)
{
	__u32 age_us = evidence_us(pkt->now_ns) - recent->time_us;
	int asked = evidence_receiver_asked(peer, end);
	int is_far = evidence_is_far_from_sender(side, peer);

	if (pkt->ip_id && evidence_ip_ids_vary(side))
		return age_us <= EVIDENCE_COPY_US;
	if (is_next && age_us <= EVIDENCE_COPY_NEXT_US && !(side->bits & SIDE_FILLED) &&
	    (pkt->ip_id || (pkt->flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK)))
		return 1;
	if (!asked && (pkt->ip_id || (pkt->has_ts && is_far)) &&
	    age_us <= evidence_us(evidence_copy_ns(side, peer)))
		return 1;
	if (age_us > EVIDENCE_COPY_BARE_US)
		return 0;
	if (!asked && is_far && !(pkt->flags & TCP_SYN) &&
	    age_us < evidence_us(side->rtt_min_ns / 2))
		return 1;
	/* Where the other direction does not pass here, that nothing came back says nothing. */
	return peer->frames && (__s32)(evidence_us(peer->last_ns) - recent->time_us) <= 0;
}

core_inline int evidence_twin_order(const struct side *side, const struct packet *pkt,
				    const struct recent *recent)
{
	switch (evidence_order(side, pkt, pkt->has_ts, recent->tsval, recent->ip_id)) {
	case SENT_BEFORE:
		return TWIN_AFTER;
	case SENT_AFTER:
		return TWIN_BEFORE;
	default:
		return TWIN_NONE;
	}
}

/* What one of the recent segments is to this one. */
core_apart int evidence_twin_of(const struct side *side, const struct side *peer,
				struct packet *pkt, __u32 index, __u32 end)
{
	const struct recent *recent;

	if (!side || !peer || !pkt || index >= RECENT_SEGMENTS)
		return TWIN_UNLIKE;
	recent = &side->recent[index];
	if (recent->seq != pkt->seq || recent->shape != evidence_shape(pkt) ||
	    !(recent->seq | recent->shape))
		return TWIN_UNLIKE;
	if (recent->ip_id != evidence_mark(pkt) || recent->tsval != pkt->tsval)
		return evidence_twin_order(side, pkt, recent);
	pkt->verdict.familiar = 1;
	return evidence_is_copy_of(side, peer, pkt, recent, index + 1 == side->recent_next, end)
		       ? TWIN_COPY
		       : TWIN_UNLIKE;
}

/* Are all that passed within so long remembered there? */
core_inline int evidence_echoes_reach(const struct holes *holes, const struct side *side,
				      const struct packet *pkt, __u64 long_ns)
{
	__u32 oldest;

	if (!holes || !(side->bits & SIDE_ECHOES) || !holes->echoes)
		return 0;
	oldest = holes->echoes <= ECHOES_MAX ? 0 : holes->echoes % ECHOES_MAX;
	return evidence_us(pkt->now_ns) - holes->echo[oldest].time_us >= evidence_us(long_ns);
}

/* The same of those in struct holes. */
core_apart int evidence_echo_twin(const struct side *side, const struct side *peer,
				  struct packet *pkt, const struct holes *holes, __u32 end)
{
	__u32 age;

	if (!side || !peer || !pkt || !holes || !(side->bits & SIDE_ECHOES))
		return TWIN_NONE;
	age = evidence_find_echo(holes, pkt, ~0u);
	if (age < ECHOES_MAX) {
		pkt->verdict.familiar = 1;
		return evidence_is_copy_of(side, peer, pkt, evidence_echo_of_age(holes, age), 0, end)
			       ? TWIN_COPY
			       : TWIN_NONE;
	}
	age = evidence_find_echo(holes, pkt, 0);
	if (age >= ECHOES_MAX)
		return TWIN_NONE;
	return evidence_twin_order(side, pkt, evidence_echo_of_age(holes, age));
}

core_inline int evidence_find_twin(const struct side *side, const struct side *peer,
				   struct packet *pkt, const struct holes *holes, __u32 end)
{
	__u32 found = TWIN_NONE, i;

	for (i = 0; i < RECENT_SEGMENTS && found != TWIN_COPY; i++) {
		__u32 twin = verifier_joins(&pkt->joint,
					    (__u32)evidence_twin_of(side, peer, pkt, i, end));

		if (twin != TWIN_UNLIKE)
			found = twin;
		found = verifier_joins(&pkt->joint, found);
	}
	found = verifier_joins(&pkt->joint, found);
	return found == TWIN_NONE ? evidence_echo_twin(side, peer, pkt, holes, end) : (int)found;
}

/*
 * Sent before the newest segment we saw, and nobody has asked for anything: then no timer and no
 * signal sent it. It is a packet that took a longer way than `recent` remembers. Where the receiver does
 * not pass here nobody knows what it asked for.
 */
core_inline int evidence_is_slow(const struct side *side, const struct side *peer,
				 const struct packet *pkt, int repaired, __u32 end)
{
	if (!peer->frames || repaired || evidence_receiver_asked(peer, end) ||
	    pkt->now_ns < side->octets_ns)
		return 0;
	return evidence_order(side, pkt, !!(side->bits & SIDE_TSVAL), side->tsval, side->ip_id) ==
	       SENT_BEFORE;
}

/* ------------------------------------------------------------------ cause */

/* Why octets up to `end`, the side having sent up to `next`, were sent again. */
core_inline enum segment_cause evidence_cause(const struct side *side, const struct side *peer,
					      const struct packet *pkt, __u32 end, __u32 next)
{
	__u64 silence_ns = pkt->now_ns > side->octets_ns ? pkt->now_ns - side->octets_ns : 0;

	if (pkt->flags & TCP_SYN)
		return CAUSE_RTO;
	if (silence_ns >= evidence_rto_ns(side, peer))
		return CAUSE_RTO;
	if (evidence_receiver_asked(peer, end))
		return CAUSE_FAST;
	return end == next && !peer->dup_run ? CAUSE_PROBE : CAUSE_RTO;
}

#endif
