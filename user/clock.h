/* SPDX-License-Identifier: GPL-2.0-only */
/* The two clocks: the monotonic one frames are stamped with, and how far the wall clock is from it.
 */
#ifndef ACKMON_CLOCK_H
#define ACKMON_CLOCK_H

#include <stdint.h>

/* The clock of bpf_ktime_get_ns(), also in a time namespace: stands still while the machine sleeps. */
uint64_t clock_monotonic_ns(void);

/* Add it to a monotonic time for ns since 1970. The wall clock may be set: ask again now and then.
 */
int64_t clock_wall_offset_ns(void);

#endif
