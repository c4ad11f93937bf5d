/* SPDX-License-Identifier: GPL-2.0-only */
/* Entries beside flows that no flow owns any more: found, and taken out when nobody can be on his way to them. */
#include "orphans.h"

#include <bpf/bpf.h>
#include <stdbool.h>
#include <stdlib.h>

#include "table.h"

#define ROOM_FIRST 64u

static void note(struct orphans *orphans, int map_fd, const struct beside_key *key)
{
	if (orphans->count == orphans->room) {
		size_t room = orphans->room ? orphans->room * 2 : ROOM_FIRST;
		struct orphan *seen = reallocarray(orphans->seen, room, sizeof(*seen));

		if (!seen)
			return;
		orphans->seen = seen;
		orphans->room = room;
	}
	orphans->seen[orphans->count++] = (struct orphan){map_fd, *key};
}

void orphans_look(struct orphans *orphans, const struct table *flows, int map_fd)
{
	struct beside_key key, next;
	bool has_key = false;

	while (!bpf_map_get_next_key(map_fd, has_key ? &key : NULL, &next)) {
		if (!table_owns(flows, &next))
			note(orphans, map_fd, &next);
		key = next;
		has_key = true;
	}
}

void orphans_drop(struct orphans *orphans, const struct table *flows)
{
	for (size_t i = 0; i < orphans->count; i++) {
		const struct orphan *orphan = &orphans->seen[i];

		if (!table_owns(flows, &orphan->key))
			bpf_map_delete_elem(orphan->map_fd, &orphan->key);
	}
	orphans->count = 0;
}

void orphans_free(struct orphans *orphans)
{
	free(orphans->seen);
	*orphans = (struct orphans){};
}
