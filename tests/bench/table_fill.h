/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections put into the kernel side's tables as the programs would, before anything is attached. */
#ifndef ACKMON_BENCH_TABLE_FILL_H
#define ACKMON_BENCH_TABLE_FILL_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "core/table.h"
#include "table.h"

/* value: struct flow or half_open, as the table's. One that is there already is written over. */
static int table_fill(struct table *table, const struct flow_key *key, const void *value)
{
	uint32_t buckets = table->is_flows ? table->about.flow_buckets : table->about.half_open_buckets;
	uint64_t hash = table_hash(key, &table->about);
	uint32_t home = table_home(hash, buckets), other = table_other(hash, buckets);
	uint32_t answer = table_claim(&table->tags[home], &table->tags[other], home == other, hash, 0);
	uint32_t place = (answer & TABLE_IN_OTHER ? other : home) * TABLE_WAYS + (answer & TABLE_WAY);
	struct table_head *head = (struct table_head *)table_place(table, place);

	if (answer & TABLE_FULL)
		return -ENOSPC;
	head->place = place;
	head->key = *key;
	memcpy(head + 1, value, table->place_bytes - sizeof(*head));
	if (table->is_flows)
		((struct flow_place *)head)->flow.place = place;
	head->live = table_tag(hash);
	return 0;
}

#endif
