/* SPDX-License-Identifier: GPL-2.0-only */
/* Pairs of labels in memory, for replay: what maps are for the kernel side. */
#include "pair_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct stored {
	struct pair_key key;
	struct pair_counters counters;
	struct pair_chunks chunks;
};

struct pair_store {
	struct stored *pairs; /* by number */
	uint32_t count;
	uint32_t room;
	uint32_t max;
	uint32_t *slots; /* hash table of numbers; 0: free */
	uint32_t slot_count;
	struct chunk *chunks;
	uint32_t chunk_count;
	uint32_t chunk_room;
	uint64_t refused;
	uint64_t samples_refused;
};

static uint32_t *slot_of(const struct pair_store *store, struct pair_key key)
{
	uint64_t hash = ((uint64_t)key.opener << 32 | key.responder) * 0x9e3779b97f4a7c15ull;
	uint32_t at = (uint32_t)(hash >> 32) & (store->slot_count - 1);

	while (store->slots[at] && memcmp(&store->pairs[store->slots[at]].key, &key, sizeof(key)))
		at = (at + 1) & (store->slot_count - 1);
	return &store->slots[at];
}

static int grow_pairs(struct pair_store *store)
{
	uint32_t room = store->room ? store->room * 2 : 16;
	struct stored *pairs = reallocarray(store->pairs, room, sizeof(*pairs));
	uint32_t *slots;

	if (!pairs)
		return -ENOMEM;
	store->pairs = pairs;
	slots = calloc(4ull * room, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(store->slots);
	store->slots = slots;
	store->slot_count = 4 * room;
	store->room = room;
	for (uint32_t i = PAIR_FIRST; i < store->count; i++)
		*slot_of(store, pairs[i].key) = i;
	return 0;
}

static int grow_chunks(struct pair_store *store)
{
	uint32_t room = store->chunk_room ? store->chunk_room * 2 : 2 * CHUNK_FIRST;
	struct chunk *chunks = reallocarray(store->chunks, room, sizeof(*chunks));

	if (!chunks)
		return -ENOMEM;
	memset(chunks + store->chunk_room, 0, (room - store->chunk_room) * sizeof(*chunks));
	store->chunks = chunks;
	store->chunk_room = room;
	return 0;
}

int pair_store_open(struct pair_store **ret_store, uint32_t pairs_max)
{
	struct pair_store *store = calloc(1, sizeof(*store));
	int err;

	if (!store)
		return -ENOMEM;
	store->max = pairs_max;
	err = grow_pairs(store);
	if (!err)
		err = grow_chunks(store);
	if (err) {
		pair_store_close(store);
		return err;
	}
	memset(store->pairs, 0, PAIR_FIRST * sizeof(*store->pairs));
	store->count = PAIR_FIRST;
	store->chunk_count = CHUNK_FIRST;
	*ret_store = store;
	return 0;
}

void pair_store_close(struct pair_store *store)
{
	if (!store)
		return;
	free(store->pairs);
	free(store->slots);
	free(store->chunks);
	free(store);
}

uint32_t pair_store_number(struct pair_store *store, struct pair_key key)
{
	uint32_t *slot = slot_of(store, key);

	if (*slot)
		return *slot;
	if (store->count >= store->max || (store->count == store->room && grow_pairs(store))) {
		store->refused++;
		return PAIR_OTHER;
	}
	store->pairs[store->count] = (struct stored){.key = key};
	*slot_of(store, key) = store->count;
	return store->count++;
}

struct pair_counters *pair_store_counters(struct pair_store *store, uint32_t pair)
{
	return pair < store->count ? &store->pairs[pair].counters : NULL;
}

uint32_t pair_store_chunk(struct pair_store *store, uint32_t pair, uint32_t place)
{
	uint32_t *chunk = &store->pairs[pair].chunks.chunk[place];

	if (pair == PAIR_OTHER)
		return CHUNK_OTHER + place;
	if (!*chunk) {
		if (store->chunk_count == store->chunk_room && grow_chunks(store)) {
			store->samples_refused++;
			return CHUNK_OTHER + place;
		}
		*chunk = store->chunk_count++;
	}
	return *chunk;
}

struct chunk *pair_store_chunk_at(struct pair_store *store, uint32_t chunk)
{
	return &store->chunks[chunk];
}

static int read_pair(const struct pair_store *store, uint32_t number, struct pairs *pairs)
{
	const struct stored *stored = &store->pairs[number];
	bool is_other = number == PAIR_OTHER;
	int err = pairs_begin(pairs, stored->key.opener, stored->key.responder, is_other,
			      &stored->counters);

	for (uint32_t place = 0; place < PAIR_PLACES && !err; place++) {
		uint32_t chunk = is_other ? CHUNK_OTHER + place : stored->chunks.chunk[place];

		if (chunk)
			err = pairs_add_chunk(pairs, place, &store->chunks[chunk]);
	}
	return err;
}

int pair_store_read(const struct pair_store *store, struct pairs *ret_pairs)
{
	struct pairs pairs = {
		.refused = store->refused,
		.samples_refused = store->samples_refused,
	};
	int err = 0;

	for (uint32_t i = PAIR_OTHER; i < store->count && !err; i++) {
		if (i != PAIR_OTHER || store->refused || store->samples_refused)
			err = read_pair(store, i, &pairs);
	}
	if (err)
		pairs_free(&pairs);
	else
		*ret_pairs = pairs;
	return err;
}
