/* SPDX-License-Identifier: GPL-2.0-only */
/* Pairs of labels in memory, for replay: what maps are for the kernel side. */
#ifndef ACKMON_PAIR_STORE_H
#define ACKMON_PAIR_STORE_H

#include <stdint.h>

#include "abi/aggregate.h"
#include "labels.h"
#include "pairs.h"

struct pair_store;

/* pairs_max: all pairs beyond are counted in PAIR_OTHER. 0 or -ENOMEM. */
int pair_store_open(struct pair_store **ret_store, uint32_t pairs_max);
void pair_store_close(struct pair_store *store);

uint32_t pair_store_number(struct pair_store *store, struct pair_key key);
struct pair_counters *pair_store_counters(struct pair_store *store, uint32_t pair);
uint32_t pair_store_chunk(struct pair_store *store, uint32_t pair, uint32_t place);
/* Stays where it is only until the next pair_store_chunk(). */
struct chunk *pair_store_chunk_at(struct pair_store *store, uint32_t chunk);

int pair_store_read(const struct pair_store *store, struct pairs *ret_pairs);

#endif
