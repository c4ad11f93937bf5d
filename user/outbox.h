/* SPDX-License-Identifier: GPL-2.0-only */
/* What is on its way from the kernel to the output, so that a killed reader loses nothing silently. */
#ifndef ACKMON_OUTBOX_H
#define ACKMON_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "abi/outbox.h"

/* Maps the entry of the "outbox" map; outbox_unmap() accepts NULL. */
int outbox_map(struct outbox **ret_outbox, int map_fd);
void outbox_unmap(struct outbox *outbox);

/* A place to take a flow into; NULL: all are taken, deliver first. */
struct outbox_slot *outbox_slot(struct outbox *outbox);
void outbox_slot_is(struct outbox_slot *slot, enum slot_state state);

/*
 * Delivering lines: begin, write them, written, let the ring buffer go, end. What is true afterwards
 * stands in `next` from the beginning: a reader killed in between leaves the rest to the next one.
 */
void outbox_begin(struct outbox *outbox, const struct outbox_place *place,
		  const struct outbox_totals *next);
void outbox_written(struct outbox *outbox);
void outbox_end(struct outbox *outbox);
void outbox_gather(struct outbox *outbox); /* the lines on their way are none any more */

/* The totals when what is in the slots and `ring_flows` more flows have left by `lines` lines. */
struct outbox_totals outbox_next(const struct outbox *outbox, uint64_t lines, uint64_t ring_flows,
				 uint64_t ring_position);

/*
 * For the next reader. How many of the lines on their way were written: all, or those that a file
 * shows. A line written in part is cut off again. -EAGAIN: nobody knows.
 */
int outbox_lines_written(const struct outbox *outbox, uint64_t *ret_lines);

/* The descriptor's file as a place; ino is 0 when it cannot tell later. */
void outbox_place_of(int fd, struct outbox_place *ret_place);

#endif
