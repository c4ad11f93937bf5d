/* SPDX-License-Identifier: GPL-2.0-only */
/* How far a long replay has come: percent, packets per second, time left. */
#ifndef ACKMON_PROGRESS_H
#define ACKMON_PROGRESS_H

#include <stdint.h>

/*
 * frames and bytes since the start, over all captures; size of all captures, 0 when unknown. Cheap
 * enough for every few thousand frames: shows something at most four times a second, and nothing
 * before a second has passed. log_progress_done() ends the line.
 */
void progress_update(uint64_t frames, uint64_t bytes, uint64_t size);

#endif
