/* SPDX-License-Identifier: GPL-2.0-only */
/* Ranges that were passed by and never seen, and what filled or repeated them. */
#ifndef ACKMON_CORE_HOLES_H
#define ACKMON_CORE_HOLES_H

#include "abi/flow.h"
#include "core/compiler.h"
#include "core/packet.h"
#include "core/seq.h"

/* Octets of the holes that the other end acknowledged all the same: never seen here, not lost. */
core_apart __u64 holes_acked_bytes(const struct holes *holes, __u32 acked)
{
	__u64 bytes = 0;
	__u32 i;

	if (!holes)
		return 0;
	for (i = 0; i < HOLES_MAX && i < holes->used; i++) {
		const struct hole *hole = &holes->slot[i];

		if (seq_after(acked, hole->start))
			bytes += seq_min(acked, hole->end) - hole->start;
	}
	return bytes;
}

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
 * Takes [start, end) out of the holes and returns how many of its octets they held; holes->filled is
 * one of them as it was before. At most one
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
		if (hole->start == hole->end)
			continue;
		from = seq_max(start, hole->start);
		to = seq_min(end, hole->end);
		if (!seq_before(from, to))
			continue;
		filled += to - from;
		holes->filled = *hole;
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
		right.has_ts = holes->slot[split].has_ts;
		right.before_start = holes->slot[split].before_start;
		holes_add(holes, side, acked, &right);
	}
	if (!side->holes)
		holes->used = 0;
	return filled;
}

/*
 * Gives up what lies more than a window below next: numbers that far apart will soon compare the
 * other way round. Acknowledged ones become gap_bytes.
 */
core_apart int holes_forget_old(struct holes *holes, struct side *side, __u32 acked)
{
	__u32 i;

	if (!holes || !side)
		return 0;
	if (!side->holes)
		holes->used = 0;
	for (i = 0; i < HOLES_MAX; i++) {
		struct hole *hole = &holes->slot[i];

		if (i >= holes->used)
			break;
		if (hole->start == hole->end || seq_in_reach(hole->end, side->next))
			continue;
		if (!seq_after(hole->end, acked))
			side->gap_bytes += hole->end - hole->start;
		else
			side->holes_dropped++;
		side->holes--;
		hole->end = hole->start;
	}
	for (i = 0; i < FILLS_MAX; i++)
		holes->fill[i].end = holes->fill[i].start;
	for (i = 0; i < REPEATS_MAX; i++)
		holes->repeat[i].end = holes->repeat[i].start;
	return 0;
}

core_inline void holes_note_fill(struct holes *holes, __u32 start, __u32 end,
				 const struct packet *pkt)
{
	holes->fill[holes->fills++ % FILLS_MAX] = (struct fill){
		.start = start,
		.end = end,
		.tsval = pkt->tsval,
		.time_us = (__u32)(pkt->now_ns >> 10),
		.ip_id = pkt->ip_id,
		.has_ts = pkt->has_ts,
	};
}

core_inline void holes_note_repeat(struct holes *holes, struct side *side, __u32 start, __u32 end,
				   __u8 spurious)
{
	side->bits |= SIDE_HOLES;
	holes->repeat[holes->repeats++ % REPEATS_MAX] = (struct repeat){
		.start = start,
		.end = end,
		.spurious = spurious,
	};
}

/*
 * How often [start, end) was sent again not long ago; or, `open` being set, how often without its
 * being known at once that it was needless.
 */
core_apart __u32 holes_repeated(const struct holes *holes, __u32 start, __u32 end, __u32 open)
{
	__u32 i, count = 0;

	if (!holes)
		return 0;
	for (i = 0; i < REPEATS_MAX; i++) {
		const struct repeat *repeat = &holes->repeat[i];

		if (repeat->start == repeat->end || seq_before(start, repeat->start) ||
		    seq_after(end, repeat->end))
			continue;
		count += !(open & repeat->spurious);
	}
	return count;
}

#endif
