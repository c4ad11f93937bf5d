/* SPDX-License-Identifier: GPL-2.0-only */
/* Flows by key, in user memory: an open-addressed index over slabs of entries that never move. */
#ifndef ACKMON_FLOW_TABLE_H
#define ACKMON_FLOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "abi/flow.h"
#include "abi/half_open.h"
#include "abi/key.h"

struct table_entry { /* how every entry begins */
	struct flow_key key;
	uint32_t hash;
	uint32_t place; /* in the slabs: its number + 1; 0: not in use */
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
	uint64_t reserved;               /* so that the first side begins a line of the cache */
	struct flow flow;
};

_Static_assert(offsetof(struct flow_entry, flow.side) % 64 == 0, "the first side begins a line of the cache");

/* Where entries are, by hash: open addressing. A table that grows gets another one; the older one is let go later. */
struct table_index {
	struct table_index *older; /* NULL: none, or it is gone */
	uint32_t mask;
	uint64_t slots[]; /* hash of the entry, so that most misses end here, and its place; 0: free */
};

/*
 * The slabs, which never move; one whose entries are all free may go, and comes back when one of its
 * numbers is used again. A longer list gets all of a shorter one, which stays.
 */
struct table_slabs {
	struct table_slabs *shorter;
	uint32_t room;
	char *at[]; /* NULL: not there */
};

/*
 * One thread owns a table. Another one may ask for memory to be fetched, and so it reads the index, the list of slabs and what
 * these hold; the owner writes all of it in one step each. Entries are read by the owner alone.
 */
struct flow_table {
	size_t entry_bytes;
	struct table_index *index;
	struct table_slabs *slabs;
	uint32_t count;  /* entries in use */
	uint32_t carved; /* entries ever handed out by the slabs */
	uint32_t *free_numbers;
	uint32_t free_count;
	uint32_t free_size;
	uint32_t *used; /* entries of each slab, as many as slabs have room */
	uint32_t slab_count;
	char *next_slab; /* mapped for a large table before it is needed; NULL: none */
	char *unready;   /* the same, until somebody has taken it to make it ready */
	uint32_t slabs_there;
	uint32_t slabs_unused; /* of these, without an entry in use */
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
 * of it as most packets touch, or all. NULL: there seems to be none; else probably the one, see flow_table_is().
 */
static inline void flow_table_expect(const struct table_index *index, uint32_t hash)
{
	__builtin_prefetch(&index->slots[hash & index->mask]);
}

void *flow_table_fetch(const struct flow_table *table, const struct table_index *index, uint32_t hash, bool all);
void flow_table_fetch_entry(const struct flow_table *table, uint32_t number); /* all of it */

/*
 * Any thread: the index as it is now, which stays readable until the owner has said that nobody
 * uses one that was had before this one.
 */
const struct table_index *flow_table_index(const struct flow_table *table);
void flow_table_let_go(struct flow_table *table, const struct table_index *in_use);

static inline bool table_keys_equal(const struct flow_key *a, const struct flow_key *b)
{
	uint64_t x[5], y[5];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

/*
 * Any thread that has time: memory that is used for the first time is cleared by the kernel, page by page, which is a
 * quarter of what opening a flow takes. The next slab has that behind it then.
 */
void flow_table_make_ready(struct flow_table *table);

/* The owner: an entry that was fetched. Not for one that may have been removed since. */
static inline bool flow_table_is(const struct table_entry *entry, const struct flow_key *key)
{
	return entry->place && table_keys_equal(&entry->key, key);
}

/* The key must not be in the table. NULL: no memory. What is behind the head is not initialised. */
void *flow_table_insert(struct flow_table *table, const struct flow_key *key, uint32_t hash);

/* Its memory may be gone then, and that of others which are not in use. */
void flow_table_remove(struct flow_table *table, void *entry);

/* The entry with this number, or NULL when it is not in use; numbers run up to table->carved. */
void *flow_table_entry(const struct flow_table *table, uint32_t number);

#endif
