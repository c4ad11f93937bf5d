/* SPDX-License-Identifier: GPL-2.0-only */
/* Rare counts of directions out of the kernel's map: each by a call, or all by a few where many are asked for. */
#include "rare_map.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define BATCH_ENTRIES 4096u

struct rare_copy {
	uint32_t count;
	struct beside_key *keys;
	struct rare *rares;
	uint32_t *numbers; /* by side of a place: of its entry, plus one; 0: none. Listings come by in this order */
};

void rare_map_open(struct rare_map *ret_map, int fd, uint32_t places)
{
	*ret_map = (struct rare_map){.fd = fd, .places = places};
}

static void free_copy(struct rare_copy *copy)
{
	if (!copy)
		return;
	free(copy->keys);
	free(copy->rares);
	free(copy->numbers);
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

/* Of memory that nothing is written to, the system gives none. */
static bool make_room(struct rare_copy *copy, uint32_t places)
{
	copy->keys = malloc(RARE_MAP_COPIED * sizeof(*copy->keys));
	copy->rares = malloc(RARE_MAP_COPIED * sizeof(*copy->rares));
	copy->numbers = calloc(places, 2 * sizeof(*copy->numbers));
	return copy->keys && copy->rares && copy->numbers;
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

static void number_entries(struct rare_copy *copy, uint32_t places)
{
	for (uint32_t i = 0; i < copy->count; i++)
		if (copy->keys[i].side / 2 < places)
			copy->numbers[copy->keys[i].side] = i + 1;
}

static void make_copy(struct rare_map *map)
{
	struct rare_copy *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return;
	if (make_room(copy, map->places))
		read_entries(map->fd, copy);
	number_entries(copy, map->places);
	if (copy->count)
		map->copy = copy;
	else
		free_copy(copy);
}

/* NULL: it is not in the copy, or an earlier life of its place is. */
static const struct rare *find_copy(const struct rare_map *map, const struct beside_key *key)
{
	const struct rare_copy *copy = map->copy;
	uint32_t number;

	if (!copy || key->side / 2 >= map->places)
		return NULL;
	number = copy->numbers[key->side];
	return number && copy->keys[number - 1].life == key->life ? &copy->rares[number - 1] : NULL;
}

bool rare_map_find(struct rare_map *map, const struct beside_key *key, struct rare *ret_rare)
{
	const struct rare *rare;

	if (map->is_listing && ++map->asked == RARE_MAP_ALONE)
		make_copy(map);
	rare = find_copy(map, key);
	if (!rare)
		return !bpf_map_lookup_elem(map->fd, key, ret_rare);
	*ret_rare = *rare;
	return true;
}
