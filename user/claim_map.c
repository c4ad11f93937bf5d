/* SPDX-License-Identifier: GPL-2.0-only */
/* Which other interfaces saw a connection, out of the kernel's map: each by a call, or all by a few where many are asked for. */
#include "claim_map.h"

#include <bpf/bpf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "map_entries.h"

/* A connection so young may have been claimed after the map was copied. */
#define YOUNG_NS 1000000000ull

struct claim_copy {
	struct map_entries entries;
	uint64_t begun_ns;
	uint32_t mask;   /* of slots, which are twice as many as entries or more */
	uint32_t *slots; /* number of an entry, plus one; 0: free. The next ones are for those that found it taken */
};

void claim_map_open(struct claim_map *ret_map, int fd, uint64_t seed)
{
	*ret_map = (struct claim_map){.fd = fd, .seed = seed};
}

static void free_copy(struct claim_copy *copy)
{
	if (!copy)
		return;
	map_entries_free(&copy->entries);
	free(copy->slots);
	free(copy);
}

void claim_map_begin(struct claim_map *map)
{
	claim_map_end(map);
	map->is_listing = true;
}

void claim_map_end(struct claim_map *map)
{
	free_copy(map->copy);
	map->copy = NULL;
	map->asked = 0;
	map->is_listing = false;
}

static uint32_t slot_of(const struct claim_map *map, const struct flow_key *tuple)
{
	uint64_t words[sizeof(*tuple) / sizeof(uint64_t)], hash = map->seed;

	memcpy(words, tuple, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 32;
	}
	return (uint32_t)hash & map->copy->mask;
}

/* Nearly all claims are of one interface: those are left out, to the front of the others. */
static void keep_shared(struct map_entries *entries)
{
	struct flow_key *keys = entries->keys;
	struct claim *claims = entries->values;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < entries->count; i++) {
		if (!claims[i].also[0])
			continue;
		keys[kept] = keys[i];
		claims[kept++] = claims[i];
	}
	entries->count = kept;
}

static bool make_slots(struct claim_copy *copy)
{
	uint32_t slots = 2;

	while (slots < 2 * copy->entries.count)
		slots *= 2;
	copy->mask = slots - 1;
	copy->slots = calloc(slots, sizeof(*copy->slots));
	return copy->slots;
}

static void fill_slots(const struct claim_map *map)
{
	const struct claim_copy *copy = map->copy;
	const struct flow_key *keys = copy->entries.keys;

	for (uint32_t i = 0; i < copy->entries.count; i++) {
		uint32_t slot = slot_of(map, &keys[i]);

		while (copy->slots[slot])
			slot = (slot + 1) & copy->mask;
		copy->slots[slot] = i + 1;
	}
}

static void make_copy(struct claim_map *map)
{
	struct claim_copy *copy = calloc(1, sizeof(*copy));
	int err;

	if (!copy)
		return;
	copy->begun_ns = clock_monotonic_ns();
	err = map_entries_read(&copy->entries, map->fd, sizeof(struct flow_key), sizeof(struct claim), CLAIM_MAP_COPIED);
	keep_shared(&copy->entries);
	if (err || !copy->entries.is_all || !make_slots(copy)) {
		free_copy(copy);
		return;
	}
	map->copy = copy;
	fill_slots(map);
}

static bool find_copy(const struct claim_map *map, const struct flow_key *tuple, struct claim *ret_claim)
{
	const struct claim_copy *copy = map->copy;
	const struct flow_key *keys = copy->entries.keys;
	const struct claim *claims = copy->entries.values;

	for (uint32_t slot = slot_of(map, tuple); copy->slots[slot]; slot = (slot + 1) & copy->mask) {
		uint32_t number = copy->slots[slot] - 1;

		if (memcmp(&keys[number], tuple, sizeof(*tuple)))
			continue;
		*ret_claim = claims[number];
		return true;
	}
	return false;
}

bool claim_map_find(struct claim_map *map, const struct flow_key *tuple, uint64_t start_ns, struct claim *ret_claim)
{
	if (map->is_listing && ++map->asked == CLAIM_MAP_ALONE)
		make_copy(map);
	if (map->copy && start_ns + YOUNG_NS < map->copy->begun_ns)
		return find_copy(map, tuple, ret_claim);
	return !bpf_map_lookup_elem(map->fd, tuple, ret_claim) && ret_claim->also[0];
}
