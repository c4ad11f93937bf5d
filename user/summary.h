/* SPDX-License-Identifier: GPL-2.0-only */
/* The one line at the end: frames seen, tracked, not tracked and why, lost. */
#ifndef ACKMON_SUMMARY_H
#define ACKMON_SUMMARY_H

#include <stdint.h>

#include "abi/counters.h"

struct summary {
	struct door_counters doors[DOOR_COUNT]; /* summed over CPUs */
	uint64_t flows;            /* records of flows that ended (intervals apart) */
	uint64_t secondaries;      /* flows that were counted at another interface */
	uint64_t lines_unsure;     /* a killed reader was writing them: written or lost */
	uint64_t flows_let_go;     /* in tables of a layout that this version does not know */
	uint64_t records_lost;     /* records an output could not take */
};

uint64_t summary_count(const struct summary *summary, enum counter counter); /* at all doors */

/* "12,345 frames seen, 12,000 tracked in 57 flows; not tracked: 300 not TCP, 45 later fragments" */
void summary_print(const struct summary *summary);

/* Was a record lost, or a flow not followed, for want of room? */
int summary_is_lossy(const struct summary *summary);

#endif
