/* SPDX-License-Identifier: GPL-2.0-only */
/* What few segments say is counted here, by what tracking found out about them. */
#ifndef ACKMON_CORE_RARE_H
#define ACKMON_CORE_RARE_H

#include "abi/flow.h"
#include "core/compiler.h"
#include "core/packet.h"

/* Does this segment, which was tracked, say anything that is counted here? rare_note() changes nothing else. */
core_inline int rare_has_news(const struct packet *pkt);

/* Counts it for its sender; also says in the verdict how long a window was closed that it opens. */
core_apart int rare_note(struct rare *rare, struct packet *pkt);

/* The counts of before, from where they were kept meanwhile. */
core_apart int rare_add(struct rare *rare, const struct rare *before);

core_inline int rare_has_news(const struct packet *pkt)
{
	const struct verdict *verdict = &pkt->verdict;
	__u32 any = verdict->again_bytes | verdict->marks;

	/* On a SYN they only negotiate (RFC 3168, 6.1.1). */
	if (!(pkt->flags & TCP_SYN))
		any |= pkt->flags & (TCP_ECE | TCP_CWR);
	return any || pkt->ecn == 3 ||
	       (verdict->class != SEGMENT_PLAIN && verdict->class != SEGMENT_NEW);
}

/*
 * Of what a connection may say with every segment, as a copy of each or a mark on each: a word that is full stays
 * so. The others would need years.
 */
core_inline void rare_count(__u32 *counter, __u32 more)
{
	__u64 sum = (__u64)*counter + more;

	/* Without a branch, which the verifier would walk both ways for each counter. */
	*counter = (__u32)sum | -(__u32)(sum >> 32);
}

/* Sent again: why, and was it needed? */
core_inline void rare_note_again(struct rare *rare, const struct packet *pkt)
{
	__u32 segments = pkt->verdict.segments;

	if (pkt->verdict.cause == CAUSE_FAST)
		rare_count(&rare->fast, segments);
	else if (pkt->verdict.cause == CAUSE_PROBE)
		rare_count(&rare->probe, segments);
	else
		rare_count(&rare->rto, segments);
	if (pkt->verdict.spurious)
		rare_count(&rare->spurious, segments);
}

/* One class, one counter. */
core_inline void rare_note_class(struct rare *rare, const struct packet *pkt)
{
	__u32 segments = pkt->verdict.segments;

	switch (pkt->verdict.class) {
	case SEGMENT_KEEPALIVE:
		rare->keepalives++;
		return;
	case SEGMENT_WINDOW_PROBE:
		rare->window_probes++;
		return;
	case SEGMENT_COPY:
		rare_count(&rare->copies, segments);
		return;
	case SEGMENT_LATE:
		rare_count(&rare->late, segments);
		return;
	case SEGMENT_RETRANSMITTED:
		rare_count(&rare->retransmitted_segments, segments);
		rare->retransmitted_bytes += pkt->verdict.again_bytes;
		rare->syn_retrans += !!(pkt->flags & TCP_SYN);
		rare->fin_retrans += !!(pkt->verdict.marks & MARK_FIN_AGAIN);
		rare_note_again(rare, pkt);
		return;
	case SEGMENT_RECOVERED:
		rare_count(&rare->recovered_segments, segments);
		rare->recovered_bytes += pkt->payload_bytes - pkt->verdict.again_bytes;
		rare_note_again(rare, pkt);
		return;
	case SEGMENT_REORDERED:
		rare_count(&rare->reordered, segments);
		return;
	case SEGMENT_UNRESOLVED:
		rare_count(&rare->unresolved, segments);
		return;
	}
}

core_inline void rare_note_window(struct rare *rare, struct packet *pkt)
{
	__u64 since_ns = rare->zero_window_since_ns;

	if (pkt->verdict.marks & MARK_CLOSED) {
		rare->zero_windows++;
		rare->zero_window_since_ns = pkt->now_ns;
	} else if (pkt->verdict.marks & MARK_OPENED) {
		if (since_ns && pkt->now_ns > since_ns)
			pkt->verdict.zero_window_ns = pkt->now_ns - since_ns;
		rare->zero_window_ns += pkt->verdict.zero_window_ns;
		rare->zero_window_since_ns = 0;
	}
}

core_apart int rare_note(struct rare *rare, struct packet *pkt)
{
	__u32 marks;

	if (!rare || !pkt)
		return 0;
	marks = pkt->verdict.marks;
	rare_note_class(rare, pkt);
	rare_note_window(rare, pkt);
	rare->again_bytes += pkt->verdict.again_bytes;
	/* Of a probe that passed while there was no room for this entry nothing was counted. */
	rare->again_bytes -= rare->again_bytes && (marks & MARK_PROBE_SEEN);
	rare->holes_dropped += !!(marks & MARK_UNLISTED);
	rare_count(&rare->window_full, !!(marks & MARK_FULL));
	rare->suspects += !!(marks & MARK_OUTSIDE);
	rare_count(&rare->ttl_changes, !!(marks & MARK_TTL));
	rare_count(&rare->sacks, marks & MARK_SACKS ? pkt->sack_count : 0);
	rare->dsacks += !!(marks & MARK_DSACK);
	rare->dsack_spurious += pkt->verdict.dsack_spurious;
	rare_count(&rare->ecn_ce, pkt->ecn == 3);
	if (!(pkt->flags & TCP_SYN)) {
		rare_count(&rare->ecn_ece, !!(pkt->flags & TCP_ECE));
		rare->ecn_cwr += !!(pkt->flags & TCP_CWR);
	}
	return 0;
}

core_apart int rare_add(struct rare *rare, const struct rare *before)
{
	if (!rare || !before)
		return 0;
	rare->again_bytes += before->again_bytes;
	rare->retransmitted_bytes += before->retransmitted_bytes;
	rare->recovered_bytes += before->recovered_bytes;
	rare->gap_bytes += before->gap_bytes;
	rare->zero_window_ns += before->zero_window_ns;
	if (!rare->zero_window_since_ns)
		rare->zero_window_since_ns = before->zero_window_since_ns;
	rare->retransmitted_segments += before->retransmitted_segments;
	rare->recovered_segments += before->recovered_segments;
	rare->syn_retrans += before->syn_retrans;
	rare->fin_retrans += before->fin_retrans;
	rare->fast += before->fast;
	rare->rto += before->rto;
	rare->probe += before->probe;
	rare->spurious += before->spurious;
	rare->dsack_spurious += before->dsack_spurious;
	rare->reordered += before->reordered;
	rare->late += before->late;
	rare->copies += before->copies;
	rare->unresolved += before->unresolved;
	rare->holes_dropped += before->holes_dropped;
	rare->keepalives += before->keepalives;
	rare->window_probes += before->window_probes;
	rare->zero_windows += before->zero_windows;
	rare->window_full += before->window_full;
	rare->sacks += before->sacks;
	rare->dsacks += before->dsacks;
	rare->ecn_ce += before->ecn_ce;
	rare->ecn_ece += before->ecn_ece;
	rare->ecn_cwr += before->ecn_cwr;
	rare->ttl_changes += before->ttl_changes;
	rare->suspects += before->suspects;
	return 0;
}

#endif
