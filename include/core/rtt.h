/* SPDX-License-Identifier: GPL-2.0-only */
/* Round-trip samples from timestamps or from acknowledged bytes. */
#ifndef ACKMON_CORE_RTT_H
#define ACKMON_CORE_RTT_H

#include "abi/flow.h"
#include "core/compiler.h"
#include "core/packet.h"
#include "core/seq.h"
#include "core/window.h"

/*
 * What an end just sent may start a probe, and its echo from the other end answers it. With
 * timestamps on both ends the first sight of a TSval waits for that very TSecr (RFC 7323, 4.1): no
 * repeat can confuse it. Every other segment waits for the ACK of exactly its end; a repeat in its
 * direction voids it (Karn; RFC 6298, 3), and behind a hole none is started, for its ACK waits for
 * the hole. Pure ACKs start nothing: they are not answered.
 */
core_inline void rtt_stamp(struct side *side, const struct side *peer, const struct packet *pkt);

/* Answers the other end's probes; the round trip is between here and this end. */
core_inline void rtt_answer(struct side *side, const struct side *peer, struct packet *pkt);

/*
 * A ring of one writer and one reader: the side that sends starts probes as long as a place is free,
 * the other one reads them and says how many it is done with. Nobody writes what the other reads.
 */
core_inline int rtt_has_room(const struct side *side, const struct side *peer)
{
	return (__u8)(side->probes - READ_ONCE(peer->probes_done)) < RTT_PROBES;
}

/* The first sight of a TSval, on whatever segment. */
core_inline int rtt_tsval_is_new(struct side *side, const struct packet *pkt)
{
	if (!pkt->has_ts)
		return 0;
	if ((side->bits & SIDE_TSVAL) && !seq_after(pkt->tsval, side->tsval))
		return 0;
	side->tsval = pkt->tsval;
	side->bits |= SIDE_TSVAL;
	return 1;
}

#define RTT_PROBES_ALL ((1u << RTT_PROBES) - 1)

core_inline void rtt_start(struct side *side, const struct packet *pkt, __u32 by_ts, __u32 end)
{
	__u32 i = side->probes % RTT_PROBES;

	side->probe_sent_ns[i] = pkt->now_ns;
	side->probe_id[i] = by_ts ? pkt->tsval : end;
	side->probes_by_ts = (__u8)((side->probes_by_ts & ~(1u << i)) | by_ts << i);
	side->probes_void = (__u8)(side->probes_void & ~(1u << i));
	/* The reader looks at a probe only once it is counted. */
	WRITE_ONCE(side->probes, (__u8)(side->probes + 1));
}

/* Its octets passed before: an ACK may answer the one or the other. */
core_inline int rtt_is_repeat(__u8 class)
{
	return class == SEGMENT_RETRANSMITTED || class == SEGMENT_COPY || class == SEGMENT_LATE;
}

/* By its TSval? */
core_inline int rtt_is_by_ts(struct side *side, const struct side *peer, const struct packet *pkt)
{
	return rtt_tsval_is_new(side, pkt) && (side->bits & peer->bits & SIDE_TIMESTAMPS);
}

/* Of a segment with new octets, which end there. */
core_inline void rtt_stamp_new(struct side *side, const struct side *peer, const struct packet *pkt, int by_ts,
			       __u32 end)
{
	if ((by_ts || !side->holes) && rtt_has_room(side, peer))
		rtt_start(side, pkt, (__u32)by_ts, end);
}

core_inline void rtt_stamp(struct side *side, const struct side *peer, const struct packet *pkt)
{
	int by_ts = rtt_is_by_ts(side, peer, pkt);

	if (rtt_is_repeat(pkt->verdict.class))
		WRITE_ONCE(side->probes_void, RTT_PROBES_ALL);
	if (pkt->verdict.class == SEGMENT_NEW)
		rtt_stamp_new(side, peer, pkt, by_ts, pkt->seq + packet_seq_len(pkt));
}

core_inline void rtt_sample(struct side *side, struct packet *pkt, __u64 rtt_ns)
{
	__u64 smoothed_ns;

	if (!side->rtt_samples || rtt_ns < side->rtt_min_ns)
		side->rtt_min_ns = rtt_ns;
	if (rtt_ns > side->rtt_max_ns)
		side->rtt_max_ns = rtt_ns;
	smoothed_ns = side->rtt_samples ? (side->rtt_smoothed_ns * 7ull + rtt_ns) / 8 : rtt_ns;
	side->rtt_smoothed_ns = smoothed_ns < ~0u ? (__u32)smoothed_ns : ~0u;
	if (likely(side->rtt_samples != ~0u)) { /* the mean is of those that are counted */
		side->rtt_sum_ns += rtt_ns;
		side->rtt_samples++;
	}
	pkt->verdict.rtt_ns = rtt_ns;
	pkt->verdict.has_rtt = 1;
}

/* Has this ACK reached the probe? Then *ret_exact says whether it answers this one and no other. */
core_inline int rtt_reaches(__u32 id, int by_ts, const struct packet *pkt, int *ret_exact)
{
	__s32 past = seq_distance(id, by_ts ? pkt->tsecr : pkt->ack);

	*ret_exact = 0;
	if (by_ts && !pkt->has_ts) /* timestamps have stopped: nothing will ever echo it */
		return 1;
	*ret_exact = !past;
	return past >= 0;
}

/* One ACK closes every probe it has reached; the newest that it answers exactly is its sample. */
core_inline void rtt_answer_ack(struct side *side, const struct side *peer, struct packet *pkt)
{
	__u32 started = READ_ONCE(peer->probes), first = side->probes_done, i;
	__u64 sent_ns = 0;
	int found = 0;

	if (started == first)
		return;
	for (i = 0; i < RTT_PROBES && (__u8)(first + i) != started; i++) {
		__u32 at = (first + i) % RTT_PROBES;
		int by_ts = READ_ONCE(peer->probes_by_ts) >> at & 1, exact;

		if (!rtt_reaches(peer->probe_id[at], by_ts, pkt, &exact))
			break;
		if (!by_ts && READ_ONCE(peer->probes_void) >> at & 1)
			exact = 0;
		if (exact) {
			sent_ns = peer->probe_sent_ns[at];
			found = 1;
		}
	}
	/* Done with these: their places are free again, so nothing of them is read from here on. */
	WRITE_ONCE(side->probes_done, (__u8)(first + i));
	/* A D-SACK is sent because of what came twice, and echoes what was newest before that. */
	if (found && pkt->now_ns >= sent_ns && !window_is_dsack(pkt))
		rtt_sample(side, pkt, pkt->now_ns - sent_ns);
}

core_inline void rtt_answer(struct side *side, const struct side *peer, struct packet *pkt)
{
	if ((pkt->flags & (TCP_ACK | TCP_RST)) == TCP_ACK)
		rtt_answer_ack(side, peer, pkt);
}

#endif
