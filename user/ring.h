/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads a BPF ring buffer record by record, and lets go of the records only when told to. */
#ifndef ACKMON_RING_H
#define ACKMON_RING_H

#include <stddef.h>
#include <stdint.h>

struct ring;

/* bytes: max_entries of the map. */
int ring_open(struct ring **ret_ring, int map_fd, size_t bytes);

/* The next record, NULL when there is none (yet). It stays until it is let go. */
const void *ring_next(struct ring *ring, size_t *ret_size);

uint64_t ring_position(const struct ring *ring); /* behind the last record that was looked at */
void ring_rewind(struct ring *ring);             /* back to what was not let go */
void ring_let_go(struct ring *ring, uint64_t position); /* of all before it */

void ring_close(struct ring *ring); /* accepts NULL */

#endif
