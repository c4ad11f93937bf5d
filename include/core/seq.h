/* SPDX-License-Identifier: GPL-2.0-only */
/* Order in sequence space: all arithmetic modulo 2^32 (RFC 9293, 3.4). */
#ifndef ACKMON_CORE_SEQ_H
#define ACKMON_CORE_SEQ_H

#include <linux/types.h>

#include "core/compiler.h"

/* The largest window TCP can have (RFC 7323, 2.3): a number farther away is not of this connection. */
#define SEQ_WINDOW_MAX (1u << 30)

core_inline __s32 seq_distance(__u32 from, __u32 to)
{
	return (__s32)(to - from);
}

core_inline int seq_before(__u32 a, __u32 b)
{
	return seq_distance(b, a) < 0;
}

core_inline int seq_after(__u32 a, __u32 b)
{
	return seq_distance(b, a) > 0;
}

/* Without a branch, which the verifier would walk both ways in every loop. */
core_inline __u32 seq_max(__u32 a, __u32 b)
{
	__s32 above = seq_distance(b, a);

	return b + (__u32)(above & ~(above >> 31));
}

core_inline __u32 seq_min(__u32 a, __u32 b)
{
	__s32 below = seq_distance(a, b);

	return b - (__u32)(below & ~(below >> 31));
}

core_inline int seq_in_reach(__u32 seq, __u32 of)
{
	__s32 d = seq_distance(of, seq);

	return d <= (__s32)SEQ_WINDOW_MAX && d >= -(__s32)SEQ_WINDOW_MAX;
}

#endif
