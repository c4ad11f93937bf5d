/* SPDX-License-Identifier: GPL-2.0-only */
/* The two clocks: the monotonic one frames are stamped with, and how far the wall clock is from it.
 */
#ifndef ACKMON_CLOCK_H
#define ACKMON_CLOCK_H

#include <stdint.h>

/* The clock of bpf_ktime_get_ns(), also in a time namespace: stands still while the machine sleeps. */
uint64_t clock_monotonic_ns(void);

/* Add it to a monotonic time for ns since 1970. */
int64_t clock_wall_offset_ns(void);

/* The same, for who tells the same times again and again; it begins with zeros. */
struct clock_offset {
	int64_t ns;
	int64_t error_ns; /* it is no further from the truth */
};

/*
 * The wall clock may be set: now and then it is measured anew, but stays as it is unless it has moved by more than
 * both measurements may be wrong. So what was told of a time is told of it again.
 */
void clock_follow_wall(struct clock_offset *offset);

#endif
