/* SPDX-License-Identifier: GPL-2.0-only */
/* Ranges that were passed by and never seen, and what filled or repeated them. */
#ifndef ACKMON_CORE_HOLES_H
#define ACKMON_CORE_HOLES_H

#include "abi/flow.h"
#include "core/compiler.h"
#include "core/packet.h"
#include "core/seq.h"

/*
 * What is done to one of them, or to one of their neighbours, is a function apart: the verifier walks it
 * once, and not once for each round of the loop around it. Of plain searches a row of eight is one: eight
 * calls at most, and the verifier walks one row instead of eight.
 */
#ifdef ACKMON_OLDER
#define HOLES_ROW 64u /* part of their callers there: one row is all */
#else
#define HOLES_ROW 8u
#endif

/*
 * Octets of the holes that the other end acknowledged all the same: never seen here, not lost. What lies
 * before the first look is no hole of what was looked at.
 */
core_inline __u32 holes_acked_of(const struct holes *holes, __u32 index, __u32 acked)
{
	const struct hole *hole = &holes->slot[index & (HOLES_MAX - 1)];
	__u32 below = (__u32)(seq_distance(hole->start, acked) >> 31);

	/* Without a branch: nothing when `acked` lies below the hole. */
	compiler_forgets(below);
	return (seq_min(acked, hole->end) - hole->start) & ~below & ((__u32)hole->before_start - 1u);
}

/* There is no room for it, or numbers will soon come round. */
core_inline void holes_give_up(struct holes *holes, struct side *side, const struct hole *hole,
			       int is_acked)
{
	if (!is_acked)
		holes->dropped++;
	else if (!hole->before_start)
		holes->gap_bytes += hole->end - hole->start;
	side->holes--;
}

core_leaf __u64 holes_acked_row(const struct holes *holes, __u32 from, __u32 acked)
{
	__u64 bytes = 0;
	__u32 i;

	if (!holes)
		return 0;
	for (i = 0; i < HOLES_ROW && from + i < holes->used; i++)
		bytes += holes_acked_of(holes, from + i, acked);
	return bytes;
}

core_apart __u64 holes_acked_bytes(const struct holes *holes, __u32 acked)
{
	__u64 bytes = 0;
	__u32 from;

	if (!holes)
		return 0;
	for (from = 0; from < HOLES_MAX && from < holes->used; from += HOLES_ROW)
		bytes += holes_acked_row(holes, from, acked);
	return bytes;
}

core_inline int holes_is_free(const struct holes *holes, __u32 index)
{
	return index >= holes->used || holes->slot[index & (HOLES_MAX - 1)].start ==
						holes->slot[index & (HOLES_MAX - 1)].end;
}

/*
 * Without a branch, as above; not by rows, for whoever calls this has little stack left, but seven to a
 * round: what the loop itself takes would be half of what the verifier walks.
 */
core_apart __u32 holes_oldest(const struct holes *holes)
{
	__u64 oldest_ns;
	__u32 oldest = 0, i, j;

	if (!holes)
		return 0;
	oldest_ns = holes->slot[0].opened_ns;
	for (i = 1; i < HOLES_MAX; i += 7) {
		for (j = 0; j < 7; j++) {
			__u64 later_ns = holes->slot[i + j].opened_ns - oldest_ns, older;

			older = (__u64)((__s64)later_ns >> 63); /* all ones */
			compiler_forgets(older);
			oldest += (i + j - oldest) & (__u32)older;
			oldest_ns += later_ns & older;
		}
	}
	return oldest;
}
_Static_assert((HOLES_MAX - 1) % 7 == 0, "rounds of seven reach all but the first");

/* The first free place of a row; HOLES_MAX: it has none. */
core_leaf __u32 holes_free(const struct holes *holes, __u32 from)
{
	__u32 i;

	if (!holes)
		return HOLES_MAX;
	for (i = 0; i < HOLES_ROW; i++) {
		if (holes_is_free(holes, from + i))
			return from + i;
	}
	return HOLES_MAX;
}

/*
 * Written only where it changes something, and looked at in this order, holes_add() having the other one:
 * else what another CPU adds at this moment, for the same direction, would be lost.
 */
core_inline void holes_empty_unused(struct holes *holes, const struct side *side)
{
	if (READ_ONCE(holes->used) && !READ_ONCE(side->holes))
		holes->used = 0;
}

/* Remembers [start, end) as passed by. Without a free slot the oldest hole is given up. */
core_apart int holes_add(struct holes *holes, struct side *side, __u32 acked,
			 const struct hole *wanted)
{
	__u32 slot = HOLES_MAX, from;
	struct hole *hole;

	if (!holes || !side || !wanted)
		return 0;
	holes_empty_unused(holes, side); /* it may still hold what is of a stream that moved away */
	for (from = 0; from < HOLES_MAX && slot == HOLES_MAX; from += HOLES_ROW)
		slot = holes_free(holes, from);
	slot = verifier_joins(&holes->joint, slot);
	if (slot == HOLES_MAX) {
		slot = holes_oldest(holes) & (HOLES_MAX - 1);
		hole = &holes->slot[slot];
		holes_give_up(holes, side, hole, (side->bits & SIDE_SEQ) && !seq_after(hole->end, acked));
	}
	holes->slot[slot & (HOLES_MAX - 1)] = *wanted;
	WRITE_ONCE(side->holes, side->holes + 1);
	if (slot >= holes->used)
		WRITE_ONCE(holes->used, slot + 1);
	side->bits |= SIDE_HOLES;
	return 0;
}

/* The same as holes_fill() for one hole; HOLES_SPLIT when the range lies in its middle. */
#define HOLES_SPLIT (1ull << 32)

core_apart __u64 holes_fill_one(struct holes *holes, struct side *side, __u32 index, __u32 start,
				__u32 end)
{
	struct hole *hole;
	__u32 from, to;
	__u64 filled;

	if (!holes || !side)
		return 0;
	hole = &holes->slot[index & (HOLES_MAX - 1)];
	if (hole->start == hole->end)
		return 0;
	from = seq_max(start, hole->start);
	to = seq_min(end, hole->end);
	if (!seq_before(from, to))
		return 0;
	filled = to - from;
	holes->filled = *hole;
	if (from == hole->start) {
		hole->start = to;
		if (to == hole->end)
			side->holes--;
		return filled;
	}
	if (to != hole->end)
		filled |= HOLES_SPLIT;
	hole->end = from;
	return filled;
}

/* A row of them, together. */
core_leaf __u64 holes_fill_row(struct holes *holes, struct side *side, __u32 from, __u32 start,
				__u32 end)
{
	__u32 i, filled = 0, split = 0;

	if (!holes)
		return 0;
	for (i = 0; i < HOLES_ROW && from + i < holes->used; i++) {
		__u64 of_one = holes_fill_one(holes, side, from + i, start, end);

		filled = verifier_joins(&holes->joint, filled + (__u32)of_one);
		split = verifier_joins(&holes->joint, split | (__u32)(of_one >> 32));
	}
	return filled | (__u64)split << 32;
}

/*
 * Takes [start, end) out of the holes and returns how many of its octets they held; holes->filled is
 * one of them as it was before. At most one
 * hole can be split, the one that contains the whole range; its right part becomes a hole again.
 */
core_apart __u32 holes_fill(struct holes *holes, struct side *side, __u32 acked, __u32 start,
			    __u32 end)
{
	__u32 from, filled = 0, split = 0;
	struct hole right;

	if (!holes || !side)
		return 0;
	for (from = 0; from < HOLES_MAX && from < holes->used; from += HOLES_ROW) {
		__u64 of_row = holes_fill_row(holes, side, from, start, end);

		filled = verifier_joins(&holes->joint, filled + (__u32)of_row);
		split = verifier_joins(&holes->joint, split | (__u32)(of_row >> 32));
	}
	if (split) {
		right = holes->filled;
		right.start = end;
		holes_add(holes, side, acked, &right);
	}
	holes_empty_unused(holes, side);
	return filled;
}

core_apart int holes_forget_one(struct holes *holes, struct side *side, __u32 index, __u32 acked)
{
	struct hole *hole;

	if (!holes || !side)
		return 0;
	hole = &holes->slot[index & (HOLES_MAX - 1)];
	if (hole->start == hole->end || seq_in_reach(hole->end, side->next))
		return 0;
	holes_give_up(holes, side, hole, !seq_after(hole->end, acked));
	hole->end = hole->start;
	return 0;
}

core_leaf int holes_forget_row(struct holes *holes, struct side *side, __u32 from, __u32 acked)
{
	__u32 i;

	if (!holes)
		return 0;
	for (i = 0; i < HOLES_ROW && from + i < holes->used; i++)
		holes_forget_one(holes, side, from + i, acked);
	return 0;
}

/*
 * Gives up what lies more than a window below next: numbers that far apart will soon compare the
 * other way round. Acknowledged ones become gap_bytes.
 */
core_apart int holes_forget_old(struct holes *holes, struct side *side, __u32 acked)
{
	__u32 from, i;

	if (!holes || !side)
		return 0;
	side->bits &= ~SIDE_REPAIR;
	holes_empty_unused(holes, side);
	for (from = 0; from < HOLES_MAX && from < holes->used; from += HOLES_ROW)
		holes_forget_row(holes, side, from, acked);
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
 * 1 when [start, end) lies in what was repeated, else 0: by sign bits and without a branch, so that
 * neither the verifier nor the processor has 32 times two ways to go.
 */
core_inline __u32 holes_is_repeat(const struct repeat *repeat, __u32 start, __u32 end, __u32 open)
{
	__u32 octets = repeat->end - repeat->start;
	__u32 outside = (start - repeat->start) | (repeat->end - end); /* either is negative */
	__u32 some = octets | (0 - octets);                            /* not empty, not a free place */

	return (some & ~outside) >> 31 & ~(open & repeat->spurious);
}

core_leaf __u32 holes_repeated_row(const struct holes *holes, __u32 from, __u32 start, __u32 end,
				    __u32 open)
{
	__u32 i, count = 0;

	if (!holes)
		return 0;
	for (i = 0; i < HOLES_ROW && i < REPEATS_MAX && from + i < holes->repeats; i++)
		count += holes_is_repeat(&holes->repeat[(from + i) & (REPEATS_MAX - 1)], start, end, open);
	return count;
}

/*
 * How often [start, end) was sent again not long ago; or, `open` being set, how often without its
 * being known at once that it was needless.
 */
core_apart __u32 holes_repeated(const struct holes *holes, __u32 start, __u32 end, __u32 open)
{
	__u32 from, count = 0;

	if (!holes)
		return 0;
	for (from = 0; from < REPEATS_MAX && from < holes->repeats; from += HOLES_ROW)
		count += holes_repeated_row(holes, from, start, end, open);
	return count;
}

#endif
