/* SPDX-License-Identifier: GPL-2.0-only */
/* Round-trip samples from timestamps or from acknowledged bytes. */
#ifndef ACKMON_CORE_RTT_H
#define ACKMON_CORE_RTT_H

#include "abi/flow.h"
#include "core/compiler.h"
#include "core/packet.h"
#include "core/seq.h"

/*
 * One sample at a time per direction, as in RFC 6298: what this end just sent starts one, its echo
 * from the other end closes it. With timestamps on both ends the first sight of a TSval waits for
 * that TSecr (RFC 7323, 4.1); else the end of the segment waits for its ACK, and a repeat cancels it
 * (Karn; RFC 6298, 3). Pure ACKs start nothing: they are not answered.
 */
core_inline void rtt_stamp(struct side *side, const struct side *peer, const struct packet *pkt);

/* Closes the sample that the other end waits for; the round trip is between here and this end. */
core_inline void rtt_answer(struct side *side, const struct side *peer, const struct packet *pkt);

core_inline int rtt_is_outstanding(const struct side *side, const struct side *peer)
{
	return side->sample_ns && !((READ_ONCE(peer->bits) & SIDE_SAMPLE_USED) &&
				    READ_ONCE(peer->sample_taken) == side->sample_id);
}

/* The reader checks sample_id before and after sample_ns: a sample being replaced is left alone. */
core_inline void rtt_start(struct side *side, __u32 id, __u32 by_ts, __u64 now_ns)
{
	WRITE_ONCE(side->sample_ns, 0);
	WRITE_ONCE(side->sample_id, id);
	WRITE_ONCE(side->bits, (side->bits & ~(__u32)SIDE_SAMPLE_TS) | by_ts);
	WRITE_ONCE(side->sample_ns, now_ns);
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

/* Its octets passed before: an ACK may answer the one or the other (Karn). */
core_inline int rtt_is_repeat(__u8 class)
{
	return class == SEGMENT_RETRANSMITTED || class == SEGMENT_COPY || class == SEGMENT_LATE;
}

core_inline void rtt_stamp(struct side *side, const struct side *peer, const struct packet *pkt)
{
	int tsval_is_new = rtt_tsval_is_new(side, pkt);
	int by_ts = (side->bits & peer->bits & SIDE_TIMESTAMPS) && pkt->has_ts;

	if (rtt_is_repeat(pkt->verdict.class) && !(side->bits & SIDE_SAMPLE_TS))
		side->sample_ns = 0;
	if (pkt->verdict.class != SEGMENT_NEW || rtt_is_outstanding(side, peer))
		return;
	if (!by_ts)
		rtt_start(side, pkt->seq + packet_seq_len(pkt), 0, pkt->now_ns);
	else if (tsval_is_new)
		rtt_start(side, pkt->tsval, SIDE_SAMPLE_TS, pkt->now_ns);
}

core_inline void rtt_sample(struct side *side, __u64 rtt_ns)
{
	if (!side->rtt_samples || rtt_ns < side->rtt_min_ns)
		side->rtt_min_ns = rtt_ns;
	if (rtt_ns > side->rtt_max_ns)
		side->rtt_max_ns = rtt_ns;
	side->rtt_smoothed_ns =
		side->rtt_samples ? (side->rtt_smoothed_ns * 7 + rtt_ns) / 8 : rtt_ns;
	side->rtt_sum_ns += rtt_ns;
	side->rtt_samples++;
}

core_inline void rtt_answer(struct side *side, const struct side *peer, const struct packet *pkt)
{
	__u32 id = READ_ONCE(peer->sample_id);
	int by_ts = READ_ONCE(peer->bits) & SIDE_SAMPLE_TS;
	__u64 sent_ns = READ_ONCE(peer->sample_ns);
	__s32 past;

	if (!sent_ns || !(pkt->flags & TCP_ACK) || (pkt->flags & TCP_RST))
		return;
	if ((side->bits & SIDE_SAMPLE_USED) && side->sample_taken == id)
		return;
	if (by_ts && !pkt->has_ts)
		return;
	past = by_ts ? seq_distance(id, pkt->tsecr) : seq_distance(id, pkt->ack);
	if (past < 0 || past > (__s32)SEQ_WINDOW_MAX || READ_ONCE(peer->sample_id) != id)
		return;
	side->sample_taken = id;
	side->bits |= SIDE_SAMPLE_USED;
	/* A later TSecr passed ours by: its echo was lost, or was never sent. */
	if ((by_ts && past) || pkt->now_ns < sent_ns)
		return;
	rtt_sample(side, pkt->now_ns - sent_ns);
}

#endif
