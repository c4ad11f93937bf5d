/* SPDX-License-Identifier: GPL-2.0-only */
/* Entries beside flows that no flow owns any more: found, and taken out when nobody can be on his way to them. */
#ifndef ACKMON_ORPHANS_H
#define ACKMON_ORPHANS_H

#include <stddef.h>

#include "abi/flow.h"

struct table;

struct orphan {
	int map_fd;
	struct beside_key key;
};

/*
 * Whoever ends a flow takes it out of its table first, and its entries then: meanwhile they look like those that two CPUs
 * left behind. As no flow gets a life that was there before, what is seen without an owner now and then again has none.
 */
struct orphans {
	struct orphan *seen;
	size_t count;
	size_t room;
};

/* Notes those of the map; what there is no memory for comes the next time. flows: the table, shared. */
void orphans_look(struct orphans *orphans, const struct table *flows, int map_fd);

/* Those noted before go: not until what was on its way then has arrived. */
void orphans_drop(struct orphans *orphans, const struct table *flows);

void orphans_free(struct orphans *orphans); /* and with zeros */

#endif
