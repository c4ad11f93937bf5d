/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames and segments of an end: each a word that every frame writes, and above it what few connections need. */
#ifndef ACKMON_CORE_COUNT_H
#define ACKMON_CORE_COUNT_H

#include "abi/flow.h"
#include "core/compiler.h"

/* One more frame of this side, that stands for so many segments. */
core_inline void count_frame(struct flow *flow, __u32 direction, __u32 segments);

/* The same where the side is known: the one of that direction. */
core_inline void count_frame_of(struct flow *flow, struct side *side, __u32 direction, __u32 segments);

/* All of them, of the side with this index: up to 2^39 - 1, which stands for anything above it. */
core_inline __u64 count_frames(const struct flow *flow, __u32 index);
core_inline __u64 count_segments(const struct flow *flow, __u32 index);

/* A word is carried when its highest bit is set, not when it overflows: so one look is enough for both. */
#define COUNT_BITS 31
#define COUNT_MAX ((1u << COUNT_BITS) - 1)

core_inline void count_carry(__u8 *high, __u32 *word)
{
	if (*word <= COUNT_MAX)
		return;
	*word &= COUNT_MAX;
	if (*high == 0xff)
		*word = COUNT_MAX;
	else
		++*high;
}

/* At 10 Gbit/s every 41 minutes. */
core_apart int count_carry_both(struct flow *flow, __u32 direction)
{
	if (!flow)
		return 0;
	count_carry(&flow->frames_high[direction & 1], &flow->side[direction & 1].frames);
	count_carry(&flow->segments_high[direction & 1], &flow->side[direction & 1].segments);
	return 0;
}

core_inline void count_frame_of(struct flow *flow, struct side *side, __u32 direction, __u32 segments)
{
	__u32 frames = side->frames + 1;

	segments += side->segments;
	side->frames = frames;
	side->segments = segments;
	if (unlikely((frames | segments) > COUNT_MAX))
		count_carry_both(flow, direction);
}

core_inline void count_frame(struct flow *flow, __u32 direction, __u32 segments)
{
	count_frame_of(flow, &flow->side[direction & 1], direction, segments);
}

core_inline __u64 count_frames(const struct flow *flow, __u32 index)
{
	return ((__u64)flow->frames_high[index & 1] << COUNT_BITS) + flow->side[index & 1].frames;
}

core_inline __u64 count_segments(const struct flow *flow, __u32 index)
{
	return ((__u64)flow->segments_high[index & 1] << COUNT_BITS) + flow->side[index & 1].segments;
}

#endif
