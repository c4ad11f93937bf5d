/* SPDX-License-Identifier: GPL-2.0-only */
/* Holes and round trips of a replayed flow, folded: as much memory as there is to remember. */
#ifndef ACKMON_FOLDED_H
#define ACKMON_FOLDED_H

#include "abi/flow.h"
#include "abi/histogram.h"

/*
 * The kernel gives each direction that loses a whole struct holes, and each that has many samples a whole
 * struct histogram, for it cannot do otherwise. Most hold two or three holes and samples of a few
 * lengths: a tenth of that.
 */
struct folded_holes;     /* made by malloc(), gone by free(); NULL: none */
struct folded_histogram; /* the same */

/*
 * What was folded, in `space` or where it lies. What `space` holds beyond the pieces there are is of no meaning, and
 * nobody reads it. Afterwards, changed or not, it is folded again.
 */
struct holes *folded_holes_open(struct folded_holes *folded, struct holes *space);

/* What it gave, once more: where the holes are that may have been changed. */
const struct holes *folded_holes_lie(const struct folded_holes *folded, const struct holes *space);

/* 0 or -ENOMEM: then *folded is as it was. holes is what folded_holes_lie() gives, or a new one. */
int folded_holes_keep(struct folded_holes **folded, const struct holes *holes);

/* Samples are added where they belong. 0 or -ENOMEM: some are not. */
int folded_histogram_take(struct folded_histogram **folded, const __u16 *buckets, __u32 count);
void folded_histogram_read(const struct folded_histogram *folded, struct histogram *ret_histogram);

#endif
