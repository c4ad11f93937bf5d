/* SPDX-License-Identifier: GPL-2.0-only */
/* Flows by key, in user memory: an open-addressed index over slabs of entries that never move. */
#include "flow_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef SLAB_ENTRIES /* one in a test: what is used when it is gone is found then */
#define SLAB_ENTRIES 1024u
#endif
#define SLABS_AT_FIRST 64u
#define SLABS_AHEAD_FROM 16u
#define UNUSED_KEPT 4u /* slabs, and one of so many: */
#define UNUSED_SHARE 8u
#define SLOTS_AT_FIRST 1024u
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; an older one refuses it */
#endif
#define LINE_BYTES 64u
#define SIDE_LINES 4u /* see struct side */

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

static struct table_entry *entry_at(const struct flow_table *table, uint32_t number)
{
	char *slab = table->slabs->at[number / SLAB_ENTRIES];

	return (struct table_entry *)(slab + number % SLAB_ENTRIES * table->entry_bytes);
}

/* Slots, as both threads read them and one writes them. */

static inline uint64_t slot_of(uint32_t hash, uint32_t number)
{
	return (uint64_t)hash << 32 | (number + 1);
}

static inline uint32_t slot_hash(uint64_t slot)
{
	return (uint32_t)(slot >> 32);
}

static inline uint32_t slot_number(uint64_t slot)
{
	return (uint32_t)slot - 1;
}

static inline uint64_t slot_read(const struct table_index *index, uint32_t i)
{
	return __atomic_load_n(&index->slots[i], __ATOMIC_RELAXED);
}

static inline void slot_write(struct table_index *index, uint32_t i, uint64_t slot)
{
	__atomic_store_n(&index->slots[i], slot, __ATOMIC_RELAXED);
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

/* Mapped apart: what is let go goes back to the system. */
static char *new_slab(const struct flow_table *table)
{
	void *memory = mmap(NULL, SLAB_ENTRIES * table->entry_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static void free_slab(char *slab, const struct flow_table *table)
{
	if (slab)
		munmap(slab, SLAB_ENTRIES * table->entry_bytes);
}

static struct table_index *new_index(uint32_t size)
{
	struct table_index *index = calloc(1, sizeof(*index) + size * sizeof(*index->slots));

	if (index)
		index->mask = size - 1;
	return index;
}

static void free_older(struct table_index *index)
{
	struct table_index *older = index->older;

	index->older = NULL;
	while (older) {
		struct table_index *oldest = older->older;

		free(older);
		older = oldest;
	}
}

int flow_table_open(struct flow_table *table, size_t entry_bytes)
{
	*table = (struct flow_table){.entry_bytes = whole_lines(entry_bytes)};
	table->index = new_index(SLOTS_AT_FIRST);
	table->slabs = calloc(1, sizeof(*table->slabs)); /* room for none */
	if (table->index && table->slabs)
		return 0;
	flow_table_close(table);
	return -ENOMEM;
}

void flow_table_close(struct flow_table *table)
{
	uint32_t i;

	for (i = 0; i < table->slab_count; i++)
		free_slab(table->slabs->at[i], table);
	free_slab(table->next_slab, table);
	while (table->slabs) {
		struct table_slabs *shorter = table->slabs->shorter;

		free(table->slabs);
		table->slabs = shorter;
	}
	if (table->index)
		free_older(table->index);
	free(table->index);
	free(table->used);
	free(table->free_numbers);
	*table = (struct flow_table){0};
}

void *flow_table_entry(const struct flow_table *table, uint32_t number)
{
	struct table_entry *entry;

	if (!table->slabs->at[number / SLAB_ENTRIES])
		return NULL;
	entry = entry_at(table, number);
	return entry->place ? entry : NULL;
}

const struct table_index *flow_table_index(const struct flow_table *table)
{
	return __atomic_load_n(&table->index, __ATOMIC_ACQUIRE);
}

void flow_table_let_go(struct flow_table *table, const struct table_index *in_use)
{
	if (in_use == table->index && in_use->older)
		free_older(table->index);
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

/* For whoever fetches, with an index that may be old: NULL when it is not there yet, for this thread. */
static void *entry_to_fetch(const struct flow_table *table, uint32_t number)
{
	const struct table_slabs *slabs = __atomic_load_n(&table->slabs, __ATOMIC_ACQUIRE);
	uint32_t slab = number / SLAB_ENTRIES;
	char *at = slab < slabs->room ? __atomic_load_n(&slabs->at[slab], __ATOMIC_RELAXED) : NULL;

	return at ? at + number % SLAB_ENTRIES * table->entry_bytes : NULL;
}

/* What most packets touch of a flow: its first two lines, and those in front of each side. */
void *flow_table_fetch(const struct flow_table *table, const struct table_index *index, uint32_t hash, bool all)
{
	uint32_t i = hash & index->mask;
	struct flow_entry *flow;
	uint64_t slot;

	while ((slot = slot_read(index, i)) && slot_hash(slot) != hash)
		i = (i + 1) & index->mask;
	flow = slot ? entry_to_fetch(table, slot_number(slot)) : NULL;
	if (!flow)
		return NULL;
	if (all) {
		fetch_lines(flow, table->entry_bytes / LINE_BYTES);
		return flow;
	}
	fetch_lines(flow, 2);
	fetch_lines(&flow->flow.side[0], SIDE_LINES);
	fetch_lines(&flow->flow.side[1], SIDE_LINES);
	return flow;
}

void *flow_table_find(const struct flow_table *table, const struct flow_key *key, uint32_t hash)
{
	const struct table_index *index = table->index;
	uint64_t slot;
	uint32_t i;

	for (i = hash & index->mask; (slot = slot_read(index, i)); i = (i + 1) & index->mask) {
		struct table_entry *entry;

		if (slot_hash(slot) != hash)
			continue;
		entry = entry_at(table, slot_number(slot));
		if (table_keys_equal(&entry->key, key))
			return entry;
	}
	return NULL;
}

static void put(struct table_index *index, uint64_t slot)
{
	uint32_t i = slot_hash(slot) & index->mask;

	while (slot_read(index, i))
		i = (i + 1) & index->mask;
	slot_write(index, i, slot);
}

static int grow_index(struct flow_table *table)
{
	struct table_index *index = new_index((table->index->mask + 1) * 2);
	uint64_t slot;

	if (!index)
		return -ENOMEM;
	for (uint32_t i = 0; i <= table->index->mask; i++)
		if ((slot = slot_read(table->index, i)))
			put(index, slot);
	index->older = table->index;
	__atomic_store_n(&table->index, index, __ATOMIC_RELEASE);
	return 0;
}

static int lengthen_slabs(struct flow_table *table)
{
	uint32_t room = table->slabs->room ? table->slabs->room * 2 : SLABS_AT_FIRST;
	struct table_slabs *slabs = calloc(1, sizeof(*slabs) + room * sizeof(*slabs->at));
	uint32_t *used = slabs ? reallocarray(table->used, room, sizeof(*used)) : NULL;

	if (!used) {
		free(slabs);
		return -ENOMEM;
	}
	table->used = used;
	memcpy(slabs->at, table->slabs->at, table->slab_count * sizeof(*slabs->at));
	slabs->room = room;
	slabs->shorter = table->slabs;
	__atomic_store_n(&table->slabs, slabs, __ATOMIC_RELEASE);
	return 0;
}

static void set_slab(struct flow_table *table, uint32_t slab, char *memory)
{
	__atomic_store_n(&table->slabs->at[slab], memory, __ATOMIC_RELAXED);
}

/* Without memory for the next one there is none, yet. */
static void map_next_slab(struct flow_table *table)
{
	table->next_slab = table->slabs_there < SLABS_AHEAD_FROM ? NULL : new_slab(table);
	__atomic_store_n(&table->unready, table->next_slab, __ATOMIC_RELEASE);
}

/* The owner may use it already, or have let it go: what is there does not change by that. */
void flow_table_make_ready(struct flow_table *table)
{
	char *slab;

	if (!__atomic_load_n(&table->unready, __ATOMIC_RELAXED))
		return;
	slab = __atomic_exchange_n(&table->unready, NULL, __ATOMIC_ACQUIRE);
	if (slab)
		madvise(slab, SLAB_ENTRIES * table->entry_bytes, MADV_POPULATE_WRITE);
}

/* All zeros: none of its entries is in use. */
static int come_slab(struct flow_table *table, uint32_t slab)
{
	char *memory = table->next_slab ? table->next_slab : new_slab(table);

	if (!memory)
		return -ENOMEM;
	map_next_slab(table);
	set_slab(table, slab, memory);
	table->slabs_there++;
	table->slabs_unused++;
	return 0;
}

static int grow_slabs(struct flow_table *table)
{
	if (table->slab_count == table->slabs->room && lengthen_slabs(table))
		return -ENOMEM;
	table->used[table->slab_count] = 0;
	if (come_slab(table, table->slab_count))
		return -ENOMEM;
	table->slab_count++;
	return 0;
}

/* A part of the unused ones stays, so that a table of many comings and goings does not give and take. */
static void leave_slab(struct flow_table *table, uint32_t slab)
{
	table->slabs_unused++;
	if (table->slabs_unused <= UNUSED_KEPT + table->slabs_there / UNUSED_SHARE)
		return;
	free_slab(table->slabs->at[slab], table);
	set_slab(table, slab, NULL);
	table->slabs_there--;
	table->slabs_unused--;
}

static int use_number(struct flow_table *table, uint32_t number)
{
	uint32_t slab = number / SLAB_ENTRIES;

	if (!table->slabs->at[slab] && come_slab(table, slab))
		return -ENOMEM;
	table->slabs_unused -= !table->used[slab]++;
	return 0;
}

/* The number of an unused entry. */
static int take_number(struct flow_table *table, uint32_t *ret_number)
{
	if (table->free_count) {
		*ret_number = table->free_numbers[table->free_count - 1];
		if (use_number(table, *ret_number))
			return -ENOMEM;
		table->free_count--;
		return 0;
	}
	if (table->carved == table->slab_count * SLAB_ENTRIES && grow_slabs(table))
		return -ENOMEM;
	*ret_number = table->carved++;
	return use_number(table, *ret_number);
}

void *flow_table_insert(struct flow_table *table, const struct flow_key *key, uint32_t hash)
{
	struct table_entry *entry;
	uint32_t number;

	/* At most two thirds full: probes stay short. */
	if (table->count >= (table->index->mask + 1) / 3 * 2 && grow_index(table))
		return NULL;
	if (take_number(table, &number))
		return NULL;
	entry = entry_at(table, number);
	entry->key = *key;
	entry->hash = hash;
	entry->place = number + 1;
	put(table->index, slot_of(hash, number));
	table->count++;
	return entry;
}

/* Backward-shift deletion: entries behind the gap move up unless that would pass their home slot. */
static void unplace(struct table_index *index, uint32_t gap)
{
	uint32_t i = gap;

	for (;;) {
		uint64_t slot;
		uint32_t home;

		i = (i + 1) & index->mask;
		slot = slot_read(index, i);
		if (!slot)
			break;
		home = slot_hash(slot) & index->mask;
		if (((i - home) & index->mask) < ((i - gap) & index->mask))
			continue;
		slot_write(index, gap, slot);
		gap = i;
	}
	slot_write(index, gap, 0);
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
	struct table_index *index = table->index;
	uint32_t i = entry->hash & index->mask, number = entry->place - 1;

	while (slot_read(index, i) != slot_of(entry->hash, number))
		i = (i + 1) & index->mask;
	unplace(index, i);
	entry->place = 0;
	table->count--;
	give_number(table, number);
	if (!--table->used[number / SLAB_ENTRIES])
		leave_slab(table, number / SLAB_ENTRIES);
}
