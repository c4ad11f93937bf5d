/* SPDX-License-Identifier: GPL-2.0-only */
/* Rare counts of directions out of the kernel's map: each by a call, or all by a few where many are asked for. */
#ifndef ACKMON_RARE_MAP_H
#define ACKMON_RARE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/flow.h"

/*
 * A call takes 1.4 us; in batches an entry takes 0.4. So of a listing the first are asked for one by one, then the
 * map is copied, as much of it as RARE_MAP_COPIED, and what the copy has is found there. The others are still asked for.
 */
#define RARE_MAP_ALONE 1000u
#define RARE_MAP_COPIED (1u << 18) /* 42 MB until the listing ends, and 8 bytes for each place of the table */

struct rare_copy;

struct rare_map {
	int fd;
	uint32_t places; /* of the table of flows */
	bool is_listing;
	uint32_t asked; /* how often, in this listing */
	struct rare_copy *copy; /* NULL: none yet, or there is no room */
};

void rare_map_open(struct rare_map *ret_map, int fd, uint32_t places);

/* Many may be asked for from now on; what is found may be as old as this. */
void rare_map_begin(struct rare_map *map);
void rare_map_end(struct rare_map *map); /* and with zeros */

/* false: no entry. */
bool rare_map_find(struct rare_map *map, const struct beside_key *key, struct rare *ret_rare);

#endif
