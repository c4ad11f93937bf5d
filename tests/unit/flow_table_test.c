/* SPDX-License-Identifier: GPL-2.0-only */
/* Flows found again by key: after growth, after removal, and each where it always was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "flow_table.h"

#define MANY 20000u /* several slabs, and the slots grow several times */

static struct flow_table table;

static int open_table(void **state)
{
	(void)state;
	return flow_table_open(&table, sizeof(struct flow_entry));
}

static int close_table(void **state)
{
	(void)state;
	flow_table_close(&table);
	return 0;
}

#define table_test(name) cmocka_unit_test_setup_teardown(name, open_table, close_table)

static struct flow_key key_of(uint32_t number)
{
	return (struct flow_key){
		.addr = {{.words_be32 = {0, 0, 0, number}}, {.words_be32 = {1}}},
		.port_be16 = {1, 2},
	};
}

static struct flow_entry *put(uint32_t number)
{
	struct flow_key key = key_of(number);

	return flow_table_insert(&table, &key, flow_table_hash(&key));
}

static struct flow_entry *find(uint32_t number)
{
	struct flow_key key = key_of(number);

	return flow_table_find(&table, &key, flow_table_hash(&key));
}

static void an_empty_table_finds_nothing(void **state)
{
	(void)state;
	assert_null(find(1));
}

static void what_was_inserted_is_found(void **state)
{
	struct flow_entry *entry = put(1);

	(void)state;
	assert_ptr_equal(find(1), entry);
	assert_null(find(2));
	assert_int_equal(table.count, 1);
}

static void every_part_of_the_key_counts(void **state)
{
	struct flow_key key = key_of(1);

	(void)state;
	put(1);
	key.ifindex = 3;
	assert_null(flow_table_find(&table, &key, flow_table_hash(&key)));
	key = key_of(1);
	key.port_be16[1] = 9;
	assert_null(flow_table_find(&table, &key, flow_table_hash(&key)));
}

static void what_was_removed_is_not_found(void **state)
{
	(void)state;
	put(1);
	put(2);
	flow_table_remove(&table, find(1));
	assert_null(find(1));
	assert_non_null(find(2));
	assert_int_equal(table.count, 1);
}

static void a_removed_number_is_not_in_use(void **state)
{
	struct flow_entry *entry = put(1);
	uint32_t number = entry->head.place - 1;

	(void)state;
	flow_table_remove(&table, entry);
	assert_null(flow_table_entry(&table, number));
}

static void a_removed_place_is_used_again(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < MANY; i++) {
		put(i);
		flow_table_remove(&table, find(i));
	}
	assert_int_equal(table.carved, 1);
}

static void entries_never_move(void **state)
{
	struct flow_entry *first = put(0);
	uint32_t i;

	(void)state;
	for (i = 1; i < MANY; i++)
		put(i);
	assert_ptr_equal(find(0), first);
}

static void many_are_all_found(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < MANY; i++)
		put(i);
	for (i = 0; i < MANY; i++)
		assert_int_equal(find(i)->head.key.addr[0].words_be32[3], i);
	assert_null(find(MANY));
	assert_int_equal(table.count, MANY);
}

static void removing_every_other_one_keeps_the_rest(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < MANY; i++)
		put(i);
	for (i = 0; i < MANY; i += 2)
		flow_table_remove(&table, find(i));
	for (i = 0; i < MANY; i++)
		assert_int_equal(find(i) != NULL, i % 2);
	assert_int_equal(table.count, MANY / 2);
}

/* 200,000 steps over 2,000 keys; the table and a plain array must always agree. */
static void a_random_life_agrees_with_an_array(void **state)
{
	static uint8_t is_in[2000];
	uint32_t random = 1, step;

	(void)state;
	for (step = 0; step < 200000; step++) {
		uint32_t number;

		random = random * 1664525u + 1013904223u;
		number = (random >> 8) % 2000;
		assert_int_equal(find(number) != NULL, is_in[number]);
		if (is_in[number])
			flow_table_remove(&table, find(number));
		else
			put(number);
		is_in[number] = !is_in[number];
	}
}

static void walking_by_number_meets_each_entry_once(void **state)
{
	uint32_t i, met = 0;

	(void)state;
	for (i = 0; i < 3000; i++)
		put(i);
	for (i = 0; i < 1000; i++)
		flow_table_remove(&table, find(i * 3));
	for (i = 0; i < table.carved; i++)
		met += flow_table_entry(&table, i) != NULL;
	assert_int_equal(met, 2000);
}

/* Who fetches ahead may still read the index of a table that has grown since. */
static void an_older_index_stays_until_it_is_let_go(void **state)
{
	const struct table_index *before = flow_table_index(&table);
	struct flow_key key = key_of(1);
	uint32_t hash = flow_table_hash(&key);
	struct flow_entry *entry = put(1);

	(void)state;
	for (uint32_t i = 2; i < MANY; i++)
		put(i);
	assert_ptr_not_equal(flow_table_index(&table), before);
	flow_table_let_go(&table, before); /* in use, so it stays */
	assert_ptr_equal(flow_table_fetch(&table, before, hash, false), entry);
	assert_ptr_equal(flow_table_fetch(&table, flow_table_index(&table), hash, true), entry);
	assert_non_null(table.index->older);
	flow_table_let_go(&table, flow_table_index(&table));
	assert_null(table.index->older);
	assert_ptr_equal(find(1), entry);
}

/* Two keys of one hash would need luck: it may be that of another one, and whoever fetched has to ask. */
static void what_was_fetched_is_asked_for_its_key(void **state)
{
	struct flow_key key = key_of(7), other = key_of(8);
	struct table_entry *entry;

	(void)state;
	put(7);
	entry = flow_table_fetch(&table, flow_table_index(&table), flow_table_hash(&key), true);
	assert_true(flow_table_is(entry, &key));
	assert_false(flow_table_is(entry, &other));
}

static void memory_of_many_that_left_is_given_back(void **state)
{
	uint32_t before, carved;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++)
		put(i);
	before = table.slabs_there;
	carved = table.carved;
	for (uint32_t i = 0; i < MANY; i++)
		if (i != 5000)
			flow_table_remove(&table, find(i));
	assert_true(table.slabs_there < before / 2);
	for (uint32_t i = 0; i < table.carved; i++)
		assert_true(!flow_table_entry(&table, i) == (i != 5000));
	/* It comes back when it is needed, and numbers are used again. */
	for (uint32_t i = 0; i < MANY; i++)
		if (i != 5000)
			put(i);
	assert_int_equal(table.slabs_there, before);
	assert_int_equal(table.carved, carved);
	for (uint32_t i = 0; i < MANY; i++)
		assert_non_null(find(i));
}

/* What is ready is there without having been written to; kernels before 5.14 do not know how. */
static void the_next_slab_of_a_large_table_is_made_ready(void **state)
{
	unsigned char is_there = 0;

	(void)state;
	put(0);
	assert_null(table.next_slab); /* not of a small one */
	for (uint32_t i = 1; i < 4 * MANY; i++)
		put(i);
	assert_non_null(table.next_slab);
	assert_ptr_equal(table.unready, table.next_slab);
	assert_int_equal(mincore(table.next_slab, 1, &is_there), 0);
	assert_false(is_there & 1);
	flow_table_make_ready(&table);
	assert_null(table.unready);
	assert_int_equal(mincore(table.next_slab, 1, &is_there), 0);
	if (!madvise(table.next_slab, 1, 23 /* MADV_POPULATE_WRITE */))
		assert_true(is_there & 1);
	flow_table_make_ready(&table); /* it is: nothing to do */
	for (uint32_t i = 4 * MANY; i < 5 * MANY; i++)
		put(i);
	for (uint32_t i = 0; i < 5 * MANY; i++)
		assert_non_null(find(i));
}

static void a_closed_table_can_be_closed_again(void **state)
{
	(void)state;
	put(1);
	flow_table_close(&table);
	assert_int_equal(table.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		table_test(an_empty_table_finds_nothing),
		table_test(what_was_inserted_is_found),
		table_test(every_part_of_the_key_counts),
		table_test(what_was_removed_is_not_found),
		table_test(a_removed_number_is_not_in_use),
		table_test(a_removed_place_is_used_again),
		table_test(entries_never_move),
		table_test(many_are_all_found),
		table_test(removing_every_other_one_keeps_the_rest),
		table_test(a_random_life_agrees_with_an_array),
		table_test(walking_by_number_meets_each_entry_once),
		table_test(an_older_index_stays_until_it_is_let_go),
		table_test(what_was_fetched_is_asked_for_its_key),
		table_test(memory_of_many_that_left_is_given_back),
		table_test(the_next_slab_of_a_large_table_is_made_ready),
		table_test(a_closed_table_can_be_closed_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("flow_table", tests, NULL, NULL);
}
