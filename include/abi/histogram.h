/* SPDX-License-Identifier: GPL-2.0-only */
/* Round trips counted by length, an entry only flows with many samples own. */
#ifndef ACKMON_ABI_HISTOGRAM_H
#define ACKMON_ABI_HISTOGRAM_H

#include <linux/types.h>

/* 26 octaves of 16 buckets: from 2^-20 s (0.95 us) to 2^6 s (64 s). */
#define HISTOGRAM_OCTAVES 26
#define HISTOGRAM_SCALE 4
#define HISTOGRAM_BUCKETS (HISTOGRAM_OCTAVES << HISTOGRAM_SCALE)

struct histogram {
	__u32 total; /* of all counts */
	__u32 count[HISTOGRAM_BUCKETS]; /* bucket i holds (2^(i/16 - 20), 2^((i+1)/16 - 20)] seconds */
};

#endif
