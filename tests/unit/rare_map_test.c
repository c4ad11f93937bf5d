/* SPDX-License-Identifier: GPL-2.0-only */
/* Rare counts are found whether each is asked for or all were copied, and never those of another connection. */
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "rare_map.h"

#define ENTRIES 10000u /* more than one batch, and than are asked for one by one */

static int fd = -1;

static struct beside_key key_of(uint32_t number)
{
	return (struct beside_key){.side = number, .life = 1};
}

static void put(uint32_t number, uint32_t count)
{
	struct beside_key key = key_of(number);
	struct rare rare = {.retransmitted_segments = count};

	assert_int_equal(bpf_map_update_elem(fd, &key, &rare, BPF_ANY), 0);
}

/* -1: there is none. */
static int64_t find(struct rare_map *map, uint32_t number)
{
	struct beside_key key = key_of(number);
	struct rare rare;

	return rare_map_find(map, &key, &rare) ? (int64_t)rare.retransmitted_segments : -1;
}

static int make_map(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, on_demand, .map_flags = BPF_F_NO_PREALLOC);

	(void)state;
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "rares", sizeof(struct beside_key), sizeof(struct rare), 2 * RARE_MAP_COPIED,
			    &on_demand);
	for (uint32_t i = 0; fd >= 0 && i < ENTRIES; i++)
		put(i, i);
	return 0;
}

static int close_map(void **state)
{
	(void)state;
	if (fd >= 0)
		close(fd);
	return 0;
}

/* With the right to make a map. */
static struct rare_map open_map(void)
{
	struct rare_map map;

	if (fd < 0) {
		print_message("# no right to make a map\n");
		skip();
	}
	rare_map_open(&map, fd, RARE_MAP_COPIED);
	return map;
}

static void ask_for_many(struct rare_map *map)
{
	for (uint32_t i = 0; i < RARE_MAP_ALONE; i++)
		find(map, 0);
}

static void each_is_found_alone_and_in_a_listing(void **state)
{
	struct rare_map map = open_map();

	(void)state;
	for (int is_listing = 0; is_listing < 2; is_listing++) {
		if (is_listing)
			rare_map_begin(&map);
		for (uint32_t i = 0; i < ENTRIES; i++)
			assert_int_equal(find(&map, i), i);
		assert_int_equal(find(&map, ENTRIES), -1);
		assert_int_equal(!!map.copy, is_listing);
	}
	rare_map_end(&map);
	assert_null(map.copy);
}

static void few_are_not_copied(void **state)
{
	struct rare_map map = open_map();

	(void)state;
	rare_map_begin(&map);
	for (uint32_t i = 1; i < RARE_MAP_ALONE; i++)
		assert_int_equal(find(&map, i), i);
	assert_null(map.copy);
	rare_map_end(&map);
}

static void what_came_after_the_copy_is_asked_for(void **state)
{
	struct rare_map map = open_map();

	(void)state;
	rare_map_begin(&map);
	ask_for_many(&map);
	put(ENTRIES + 5, 77);
	assert_int_equal(find(&map, ENTRIES + 5), 77);
	rare_map_end(&map);
}

/* An earlier flow of that place left its counts behind; what came later has its own. */
static void another_life_of_a_place_has_other_counts(void **state)
{
	struct beside_key next = {.side = 7, .life = 2}, last = {.side = 7, .life = 3};
	struct rare_map map = open_map();
	struct rare rare = {.retransmitted_segments = 1000000};

	(void)state;
	rare_map_begin(&map);
	ask_for_many(&map);
	assert_int_equal(bpf_map_update_elem(fd, &next, &rare, BPF_ANY), 0);
	rare.retransmitted_segments = 0;
	assert_true(rare_map_find(&map, &next, &rare));
	assert_int_equal(rare.retransmitted_segments, 1000000);
	assert_false(rare_map_find(&map, &last, &rare));
	rare_map_end(&map);
	/* With both of them in the copy. */
	rare_map_begin(&map);
	ask_for_many(&map);
	assert_int_equal(find(&map, 7), 7);
	assert_true(rare_map_find(&map, &next, &rare));
	assert_int_equal(rare.retransmitted_segments, 1000000);
	assert_false(rare_map_find(&map, &last, &rare));
	rare_map_end(&map);
	assert_int_equal(bpf_map_delete_elem(fd, &next), 0);
}

/* Whatever stands in the map: the table it is of has as many places as it has. */
static void no_place_is_beyond_the_table(void **state)
{
	struct rare_map map = open_map();

	(void)state;
	map.places = ENTRIES / 4;
	rare_map_begin(&map);
	for (uint32_t i = 0; i < ENTRIES; i++)
		assert_int_equal(find(&map, i), i);
	rare_map_end(&map);
}

static void what_a_copy_has_no_room_for_is_asked_for(void **state)
{
	struct rare_map map = open_map();
	const uint32_t all = RARE_MAP_COPIED + 20000;

	(void)state;
	for (uint32_t i = ENTRIES; i < all; i++)
		put(i, i);
	rare_map_begin(&map);
	for (uint32_t i = 0; i < all; i++)
		assert_int_equal(find(&map, i), i);
	rare_map_end(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_found_alone_and_in_a_listing),
		cmocka_unit_test(few_are_not_copied),
		cmocka_unit_test(what_came_after_the_copy_is_asked_for),
		cmocka_unit_test(another_life_of_a_place_has_other_counts),
		cmocka_unit_test(no_place_is_beyond_the_table),
		cmocka_unit_test(what_a_copy_has_no_room_for_is_asked_for),
	};

	return cmocka_run_group_tests(tests, make_map, close_map);
}
