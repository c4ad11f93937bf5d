/* SPDX-License-Identifier: GPL-2.0-only */
/* Flows by key, in user memory: an open-addressed index over slabs of entries that never move. */
#include "flow_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SLAB_ENTRIES 1024u
#define SLOTS_AT_FIRST 1024u
#define LINE_BYTES 64u
#define SIDE_LINES 4u /* see struct side */
#define NUMBER_FREE UINT32_MAX /* entry->number of an entry not in use */

/* Three multiplications over five words; the upper halves carry the mixing down. */
uint32_t flow_table_hash(const struct flow_key *key)
{
	const uint64_t odd = 0x9e3779b97f4a7c15ull;
	uint64_t words[5], hash;

	memcpy(words, key, sizeof(words));
	hash = (words[0] ^ words[1] * odd) + (words[2] ^ words[3] >> 32 ^ words[3] << 32);
	hash = (hash ^ hash >> 32) * 0xff51afd7ed558ccdull ^ words[4];
	hash = (hash ^ hash >> 29) * odd;
	return (uint32_t)(hash >> 32);
}

static bool keys_equal(const struct flow_key *a, const struct flow_key *b)
{
	uint64_t x[5], y[5];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

static struct table_entry *entry_at(const struct flow_table *table, uint32_t number)
{
	char *slab = table->slabs[number / SLAB_ENTRIES];

	return (struct table_entry *)(slab + number % SLAB_ENTRIES * table->entry_bytes);
}

/*
 * Large entries take an odd number of lines: those that many of them have at the same place then lie in
 * all sets of the caches and not in every sixteenth.
 */
static size_t whole_lines(size_t bytes)
{
	size_t lines = (bytes + LINE_BYTES - 1) / LINE_BYTES;

	return (lines > 4 ? lines | 1 : lines) * LINE_BYTES;
}

int flow_table_open(struct flow_table *table, size_t entry_bytes)
{
	*table = (struct flow_table){.entry_bytes = whole_lines(entry_bytes), .mask = SLOTS_AT_FIRST - 1};
	table->slots = calloc(SLOTS_AT_FIRST, sizeof(*table->slots));
	if (table->slots)
		return 0;
	flow_table_close(table);
	return -ENOMEM;
}

void flow_table_close(struct flow_table *table)
{
	uint32_t i;

	for (i = 0; i < table->slab_count; i++)
		free(table->slabs[i]);
	free(table->slabs);
	free(table->slots);
	free(table->free_numbers);
	*table = (struct flow_table){0};
}

void *flow_table_entry(const struct flow_table *table, uint32_t number)
{
	struct table_entry *entry = entry_at(table, number);

	return entry->number == NUMBER_FREE ? NULL : entry;
}

void flow_table_expect(const struct flow_table *table, uint32_t hash)
{
	__builtin_prefetch(&table->slots[hash & table->mask]);
}

/* Inline: gcc takes a function that does nothing but this for one that does nothing, and leaves the call out. */
static inline __attribute__((always_inline)) void fetch_lines(const void *at, size_t count)
{
	for (size_t i = 0; i < count; i++)
		__builtin_prefetch((const char *)at + i * LINE_BYTES, 1);
}

void flow_table_fetch_entry(const struct flow_table *table, uint32_t number)
{
	fetch_lines(entry_at(table, number), table->entry_bytes / LINE_BYTES);
}

/* What most packets touch of a flow: its first two lines, and those in front of each side. */
bool flow_table_fetch(const struct flow_table *table, uint32_t hash, bool all)
{
	uint32_t i = hash & table->mask;
	const struct flow_entry *flow;
	uint32_t number;

	while (table->slots[i].place && table->slots[i].hash != hash)
		i = (i + 1) & table->mask;
	if (!table->slots[i].place)
		return false;
	number = table->slots[i].place - 1;
	flow = (const struct flow_entry *)entry_at(table, number);
	if (all) {
		fetch_lines(flow, table->entry_bytes / LINE_BYTES);
		return true;
	}
	fetch_lines(flow, 2);
	fetch_lines(&flow->flow.side[0], SIDE_LINES);
	fetch_lines(&flow->flow.side[1], SIDE_LINES);
	return true;
}

void *flow_table_find(const struct flow_table *table, const struct flow_key *key, uint32_t hash)
{
	uint32_t i;

	for (i = hash & table->mask; table->slots[i].place; i = (i + 1) & table->mask) {
		struct table_entry *entry;

		if (table->slots[i].hash != hash)
			continue;
		entry = entry_at(table, table->slots[i].place - 1);
		if (keys_equal(&entry->key, key))
			return entry;
	}
	return NULL;
}

static void put(struct table_slot *slots, uint32_t mask, struct table_slot slot)
{
	uint32_t i = slot.hash & mask;

	while (slots[i].place)
		i = (i + 1) & mask;
	slots[i] = slot;
}

static int grow_slots(struct flow_table *table)
{
	uint32_t size = (table->mask + 1) * 2, i;
	struct table_slot *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (i = 0; i <= table->mask; i++) {
		if (table->slots[i].place)
			put(slots, size - 1, table->slots[i]);
	}
	free(table->slots);
	table->slots = slots;
	table->mask = size - 1;
	return 0;
}

static int grow_slabs(struct flow_table *table)
{
	char **slabs, *slab;

	slabs = realloc(table->slabs, (table->slab_count + 1) * sizeof(*slabs));
	if (!slabs)
		return -ENOMEM;
	table->slabs = slabs;
	slab = aligned_alloc(LINE_BYTES, SLAB_ENTRIES * table->entry_bytes);
	if (!slab)
		return -ENOMEM;
	table->slabs[table->slab_count++] = slab;
	return 0;
}

/* The number of an unused entry. */
static int take_number(struct flow_table *table, uint32_t *ret_number)
{
	if (table->free_count) {
		*ret_number = table->free_numbers[--table->free_count];
		return 0;
	}
	if (table->carved == table->slab_count * SLAB_ENTRIES && grow_slabs(table))
		return -ENOMEM;
	*ret_number = table->carved++;
	return 0;
}

void *flow_table_insert(struct flow_table *table, const struct flow_key *key, uint32_t hash)
{
	struct table_entry *entry;
	uint32_t number;

	/* At most two thirds full: probes stay short. */
	if (table->count >= (table->mask + 1) / 3 * 2 && grow_slots(table))
		return NULL;
	if (take_number(table, &number))
		return NULL;
	entry = entry_at(table, number);
	entry->key = *key;
	entry->hash = hash;
	entry->number = number;
	put(table->slots, table->mask, (struct table_slot){number + 1, hash});
	table->count++;
	return entry;
}

/* Backward-shift deletion: entries behind the gap move up unless that would pass their home slot. */
static void unplace(struct flow_table *table, uint32_t gap)
{
	uint32_t i = gap;

	for (;;) {
		uint32_t home;

		i = (i + 1) & table->mask;
		if (!table->slots[i].place)
			break;
		home = table->slots[i].hash & table->mask;
		if (((i - home) & table->mask) < ((i - gap) & table->mask))
			continue;
		table->slots[gap] = table->slots[i];
		gap = i;
	}
	table->slots[gap].place = 0;
}

static void give_number(struct flow_table *table, uint32_t number)
{
	if (table->free_count == table->free_size) {
		uint32_t size = table->free_size ? table->free_size * 2 : 256;
		uint32_t *numbers = realloc(table->free_numbers, size * sizeof(*numbers));

		if (!numbers) /* the entry stays unused until the table closes */
			return;
		table->free_numbers = numbers;
		table->free_size = size;
	}
	table->free_numbers[table->free_count++] = number;
}

void flow_table_remove(struct flow_table *table, void *removed)
{
	struct table_entry *entry = removed;
	uint32_t i = entry->hash & table->mask, number = entry->number;

	while (table->slots[i].place != number + 1)
		i = (i + 1) & table->mask;
	unplace(table, i);
	entry->number = NUMBER_FREE;
	table->count--;
	give_number(table, number);
}
