/* SPDX-License-Identifier: GPL-2.0-only */
/* Rare counts of directions out of the kernel's map: each by a call, or all by a few where many are asked for. */
#include "rare_map.h"

#include <bpf/bpf.h>
#include <stddef.h>
#include <stdlib.h>

#include "map_entries.h"

struct rare_copy {
	struct map_entries entries;
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
	map_entries_free(&copy->entries);
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

static void number_entries(struct rare_copy *copy, uint32_t places)
{
	const struct beside_key *keys = copy->entries.keys;

	for (uint32_t i = 0; i < copy->entries.count; i++)
		if (keys[i].side / 2 < places)
			copy->numbers[keys[i].side] = i + 1;
}

static void make_copy(struct rare_map *map)
{
	struct rare_copy *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return;
	copy->numbers = calloc(map->places, 2 * sizeof(*copy->numbers));
	if (!copy->numbers || map_entries_read(&copy->entries, map->fd, sizeof(struct beside_key), sizeof(struct rare),
					       RARE_MAP_COPIED)) {
		free_copy(copy);
		return;
	}
	number_entries(copy, map->places);
	map->copy = copy;
}

/* NULL: it is not in the copy, or an earlier life of its place is. */
static const struct rare *find_copy(const struct rare_map *map, const struct beside_key *key)
{
	const struct map_entries *entries;
	const struct beside_key *keys;
	uint32_t number;

	if (!map->copy || key->side / 2 >= map->places)
		return NULL;
	entries = &map->copy->entries;
	keys = entries->keys;
	number = map->copy->numbers[key->side];
	return number && keys[number - 1].life == key->life ? (const struct rare *)entries->values + number - 1 : NULL;
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
