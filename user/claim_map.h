/* SPDX-License-Identifier: GPL-2.0-only */
/* Which other interfaces saw a connection, out of the kernel's map: each by a call, or all by a few where many are asked for. */
#ifndef ACKMON_CLAIM_MAP_H
#define ACKMON_CLAIM_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/claim.h"
#include "abi/key.h"

/* With several interfaces each connection is asked for. See rare_map.h; a claim that names no other interface is none here. */
#define CLAIM_MAP_ALONE 1000u
#define CLAIM_MAP_COPIED (1u << 17) /* 10 MB until the listing ends. The map has half as many */

struct claim_copy;

struct claim_map {
	int fd;
	uint64_t seed;
	bool is_listing;
	uint32_t asked; /* of this listing, one by one */
	struct claim_copy *copy; /* NULL: none yet, or there is no room */
};

/* seed: nobody who sends frames knows it. */
void claim_map_open(struct claim_map *ret_map, int fd, uint64_t seed);

/* Many may be asked for from now on; what is found may be as old as this. */
void claim_map_begin(struct claim_map *map);
void claim_map_end(struct claim_map *map); /* and with zeros */

/* Of a connection, by its key without interface, that began then (monotonic): one that is young is asked for. */
bool claim_map_find(struct claim_map *map, const struct flow_key *tuple, uint64_t start_ns, struct claim *ret_claim);

#endif
