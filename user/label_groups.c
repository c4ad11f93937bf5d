/* SPDX-License-Identifier: GPL-2.0-only */
/* Places that labels speak of, by a hash table of their texts. */
#include "label_groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

static uint64_t hash_text(uint64_t hash, const char *text)
{
	do {
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3ull;
	} while (*text++);
	return hash;
}

static uint64_t group_hash(const struct label_group *group)
{
	uint64_t hash = hash_text(hash_text(0xcbf29ce484222325ull, group->namespace), group->region);

	return (hash ^ group->external) * 0x9e3779b97f4a7c15ull >> 16;
}

static bool group_equals(const struct label_group *a, const struct label_group *b)
{
	return a->external == b->external && !strcmp(a->namespace, b->namespace) &&
	       !strcmp(a->region, b->region);
}

static uint32_t *groups_slot(const struct label_groups *groups, const struct label_group *group)
{
	uint32_t at = (uint32_t)group_hash(group) & (groups->slot_count - 1);

	while (groups->slots[at] != NONE &&
	       !group_equals(&groups->entries[groups->slots[at]], group))
		at = (at + 1) & (groups->slot_count - 1);
	return &groups->slots[at];
}

static int groups_grow(struct label_groups *groups)
{
	uint32_t room = groups->room ? groups->room * 2 : 64;
	struct label_group *entries = reallocarray(groups->entries, room, sizeof(*entries));
	uint32_t *slots;

	if (!entries)
		return -ENOMEM;
	groups->entries = entries;
	slots = malloc(4ull * room * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(groups->slots);
	groups->slots = slots;
	groups->slot_count = 4 * room;
	groups->room = room;
	memset(slots, 0xff, 4ull * room * sizeof(*slots));
	for (uint32_t i = 0; i < groups->count; i++)
		*groups_slot(groups, &entries[i]) = i;
	return 0;
}

int label_groups_intern(struct label_groups *groups, const struct label_group *group, uint32_t *ret_group)
{
	struct label_group copy = {.external = group->external};
	uint32_t *slot;
	int err;

	if (groups->count == groups->room) {
		err = groups_grow(groups);
		if (err)
			return err;
	}
	slot = groups_slot(groups, group);
	if (*slot == NONE) {
		copy.namespace = strdup(group->namespace);
		copy.region = strdup(group->region);
		if (!copy.namespace || !copy.region) {
			free((void *)copy.namespace);
			free((void *)copy.region);
			return -ENOMEM;
		}
		*slot = groups->count;
		groups->entries[groups->count++] = copy;
	}
	*ret_group = *slot;
	return 0;
}

void label_groups_close(struct label_groups *groups)
{
	for (uint32_t i = 0; i < groups->count; i++) {
		free((void *)groups->entries[i].namespace);
		free((void *)groups->entries[i].region);
	}
	free(groups->entries);
	free(groups->slots);
}
