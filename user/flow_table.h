/* SPDX-License-Identifier: GPL-2.0-only */
/* Flows by key, in user memory: an open-addressed index over slabs of entries that never move. */
#ifndef ACKMON_FLOW_TABLE_H
#define ACKMON_FLOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/flow.h"
#include "abi/half_open.h"
#include "abi/key.h"

struct table_entry { /* how every entry begins */
	struct flow_key key;
	uint32_t hash;
	uint32_t number; /* position in the slabs */
};

struct half_open_entry {
	struct table_entry head;
	uint64_t serial; /* in the order of first segments */
	struct half_open half_open;
};

struct flow_entry {
	struct table_entry head;
	uint64_t serial;
	struct folded_holes *holes[2]; /* by direction, NULL until needed; owned */
	struct folded_histogram *histograms[2]; /* the same */
	struct rare *rares[2];           /* the same */
	uint64_t reserved[7];            /* so that a side begins a line of the cache */
	struct flow flow;
};

_Static_assert(offsetof(struct flow_entry, flow.side) % 64 == 0, "a side begins a line of the cache");

struct table_slot {
	uint32_t place; /* number + 1 of the entry, 0: free */
	uint32_t hash;  /* of the entry: most misses end here */
};

struct flow_table {
	size_t entry_bytes;
	struct table_slot *slots;
	uint32_t mask;
	uint32_t count;  /* entries in use */
	uint32_t carved; /* entries ever handed out by the slabs */
	uint32_t *free_numbers;
	uint32_t free_count;
	uint32_t free_size;
	char **slabs;
	uint32_t slab_count;
};

/* For entries of one kind, that many bytes each: 0 or -ENOMEM. */
int flow_table_open(struct flow_table *table, size_t entry_bytes);
void flow_table_close(struct flow_table *table);

uint32_t flow_table_hash(const struct flow_key *key);

/* hash is the key's, in every call; computed once, it serves for all of them. */
void *flow_table_find(const struct flow_table *table, const struct flow_key *key, uint32_t hash);

/*
 * A large table lies outside the caches, and a look-up waits for memory twice. Whoever knows early
 * which flows come next says so twice, some frames apart: first the index is fetched, then the entry: as much
 * of it as most packets touch, or all. False: there seems to be none.
 */
void flow_table_expect(const struct flow_table *table, uint32_t hash);
bool flow_table_fetch(const struct flow_table *table, uint32_t hash, bool all);
void flow_table_fetch_entry(const struct flow_table *table, uint32_t number); /* all of it */

/* The key must not be in the table. NULL: no memory. What is behind the head is not initialised. */
void *flow_table_insert(struct flow_table *table, const struct flow_key *key, uint32_t hash);

void flow_table_remove(struct flow_table *table, void *entry);

/* The entry with this number, or NULL when it is not in use; numbers run up to table->carved. */
void *flow_table_entry(const struct flow_table *table, uint32_t number);

#endif
