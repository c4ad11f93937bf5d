/* SPDX-License-Identifier: GPL-2.0-only */
/* Rare counts of directions out of the kernel's map: each by a call, or all by a few where many are asked for. */
#include "rare_map.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define BATCH_ENTRIES 4096u

/* A connection so young may share its key with one whose entry was still there when the map was copied. */
#define YOUNG_NS 1000000000ull

struct rare_copy {
	uint64_t begun_ns;
	uint32_t count;
	struct holes_key *keys;
	struct rare *rares;
	uint32_t mask;   /* of slots, which are twice as many as entries or more */
	uint32_t *slots; /* number of an entry, plus one; 0: free. The next ones are for those that found it taken */
};

void rare_map_open(struct rare_map *ret_map, int fd, uint64_t seed)
{
	*ret_map = (struct rare_map){.fd = fd, .seed = seed};
}

static void free_copy(struct rare_copy *copy)
{
	if (!copy)
		return;
	free(copy->keys);
	free(copy->rares);
	free(copy->slots);
	free(copy);
}

void rare_map_begin(struct rare_map *map)
{
	rare_map_end(map);
	map->is_listing = true;
}

void rare_map_end(struct rare_map *map)
{
	free_copy(map->copy);
	map->copy = NULL;
	map->asked = 0;
	map->is_listing = false;
}

/* ------------------------------------------------------------------ copying */

static uint32_t slot_of(const struct rare_map *map, const struct holes_key *key)
{
	uint64_t words[sizeof(*key) / sizeof(uint64_t)], hash = map->seed;

	_Static_assert(sizeof(*key) == sizeof(words), "struct holes_key is whole words");
	memcpy(words, key, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 32;
	}
	return (uint32_t)hash;
}

static bool make_room(struct rare_copy *copy)
{
	/* Of memory that nothing is written to, the system gives none. */
	copy->keys = malloc(RARE_MAP_COPIED * sizeof(*copy->keys));
	copy->rares = malloc(RARE_MAP_COPIED * sizeof(*copy->rares));
	return copy->keys && copy->rares;
}

/* What fits, in the order of the map. An entry that is there all the time comes once. */
static void read_entries(int fd, struct rare_copy *copy)
{
	uint32_t position, next;
	bool is_first = true;
	int err = 0;

	while (!err && copy->count < RARE_MAP_COPIED) {
		uint32_t left = RARE_MAP_COPIED - copy->count, count = left < BATCH_ENTRIES ? left : BATCH_ENTRIES;

		err = bpf_map_lookup_batch(fd, is_first ? NULL : &position, &next, copy->keys + copy->count,
					   copy->rares + copy->count, &count, NULL);
		if (err && err != -ENOENT) /* -ENOENT: these are the last */
			return;
		copy->count += count;
		position = next;
		is_first = false;
	}
}

static bool make_slots(const struct rare_map *map, struct rare_copy *copy)
{
	uint32_t slots = 1;

	while (slots < 2 * copy->count)
		slots *= 2;
	copy->slots = calloc(slots, sizeof(*copy->slots));
	if (!copy->slots)
		return false;
	copy->mask = slots - 1;
	for (uint32_t i = 0; i < copy->count; i++) {
		uint32_t slot = slot_of(map, &copy->keys[i]) & copy->mask;

		while (copy->slots[slot])
			slot = (slot + 1) & copy->mask;
		copy->slots[slot] = i + 1;
	}
	return true;
}

static void make_copy(struct rare_map *map)
{
	struct rare_copy *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return;
	copy->begun_ns = clock_monotonic_ns();
	if (make_room(copy))
		read_entries(map->fd, copy);
	if (copy->count && make_slots(map, copy))
		map->copy = copy;
	else
		free_copy(copy);
}

/* ------------------------------------------------------------------ finding */

static const struct rare *find_copy(const struct rare_map *map, const struct holes_key *key)
{
	const struct rare_copy *copy = map->copy;

	for (uint32_t slot = slot_of(map, key) & copy->mask; copy->slots[slot]; slot = (slot + 1) & copy->mask) {
		uint32_t number = copy->slots[slot] - 1;

		if (!memcmp(&copy->keys[number], key, sizeof(*key)))
			return &copy->rares[number];
	}
	return NULL;
}

bool rare_map_find(struct rare_map *map, const struct holes_key *key, uint64_t start_ns, struct rare *ret_rare)
{
	const struct rare *rare = NULL;

	if (map->is_listing && ++map->asked == RARE_MAP_ALONE)
		make_copy(map);
	if (map->copy && start_ns + YOUNG_NS < map->copy->begun_ns)
		rare = find_copy(map, key);
	if (!rare)
		return !bpf_map_lookup_elem(map->fd, key, ret_rare);
	*ret_rare = *rare;
	return true;
}
