/* SPDX-License-Identifier: GPL-2.0-only */
/* Other interfaces of a connection are found whether each is asked for or all claims were copied. */
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "claim_map.h"
#include "clock.h"

#define CLAIMS 20000u /* more than are asked for one by one, and than a batch has */

static int fd = -1;

static struct flow_key key_of(uint32_t number)
{
	struct flow_key key = {.port_be16 = {(uint16_t)number, 443}};

	key.addr[0].words_be32[3] = number;
	key.addr[1].words_be32[3] = 7;
	return key;
}

/* Each third connection is seen at another interface as well. */
static uint32_t also_of(uint32_t number)
{
	return number % 3 ? 0 : 100 + number;
}

static void put(uint32_t number, uint32_t also)
{
	struct flow_key key = key_of(number);
	struct claim claim = {.ifindex = 1, .also = {also}};

	assert_int_equal(bpf_map_update_elem(fd, &key, &claim, BPF_ANY), 0);
}

/* 0: none, or it names no other interface. */
static uint32_t find(struct claim_map *map, uint32_t number, uint64_t start_ns)
{
	struct flow_key key = key_of(number);
	struct claim claim;

	return claim_map_find(map, &key, start_ns, &claim) ? claim.also[0] : 0;
}

/* As the kernel side's. */
static int make_map(void **state)
{
	(void)state;
	fd = bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "claims", sizeof(struct flow_key), sizeof(struct claim), 65536, NULL);
	for (uint32_t i = 0; fd >= 0 && i < CLAIMS; i++)
		put(i, also_of(i));
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
static struct claim_map open_map(void)
{
	struct claim_map map;

	if (fd < 0) {
		print_message("# no right to make a map\n");
		skip();
	}
	claim_map_open(&map, fd, 0x123456789abcdef);
	return map;
}

static void ask_for_many(struct claim_map *map)
{
	for (uint32_t i = 0; i < CLAIM_MAP_ALONE; i++)
		find(map, 0, 0);
}

static void each_is_found_alone_and_in_a_listing(void **state)
{
	struct claim_map map = open_map();

	(void)state;
	for (int is_listing = 0; is_listing < 2; is_listing++) {
		if (is_listing)
			claim_map_begin(&map);
		for (uint32_t i = 0; i < CLAIMS; i++)
			assert_int_equal(find(&map, i, 0), also_of(i));
		assert_int_equal(find(&map, CLAIMS, 0), 0);
		assert_int_equal(!!map.copy, is_listing);
	}
	claim_map_end(&map);
	assert_null(map.copy);
}

static void few_are_not_copied(void **state)
{
	struct claim_map map = open_map();

	(void)state;
	claim_map_begin(&map);
	for (uint32_t i = 1; i < CLAIM_MAP_ALONE; i++)
		assert_int_equal(find(&map, i, 0), also_of(i));
	assert_null(map.copy);
	claim_map_end(&map);
}

static void a_young_connection_is_asked_for(void **state)
{
	struct claim_map map = open_map();

	(void)state;
	claim_map_begin(&map);
	ask_for_many(&map);
	put(CLAIMS + 1, 55);
	put(3, 66);
	assert_int_equal(find(&map, CLAIMS + 1, clock_monotonic_ns()), 55);
	assert_int_equal(find(&map, 3, clock_monotonic_ns()), 66);
	assert_int_equal(find(&map, 3, 0), also_of(3)); /* as old as the listing */
	claim_map_end(&map);
	claim_map_begin(&map);
	ask_for_many(&map);
	assert_int_equal(find(&map, 3, 0), 66);
	claim_map_end(&map);
	put(3, also_of(3));
}

/* The usual thing: all claims are of connections that one interface sees. */
static void there_may_be_nothing_to_find(void **state)
{
	struct claim_map map = open_map();
	int all_fd = fd;

	(void)state;
	fd = bpf_map_create(BPF_MAP_TYPE_LRU_HASH, "claims", sizeof(struct flow_key), sizeof(struct claim), 65536, NULL);
	map.fd = fd;
	for (uint32_t i = 0; i < 2; i++) {
		claim_map_begin(&map);
		ask_for_many(&map);
		assert_non_null(map.copy);
		assert_int_equal(find(&map, 3, 0), 0);
		claim_map_end(&map);
		put(3, 0);
	}
	close(fd);
	fd = all_fd;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_found_alone_and_in_a_listing),
		cmocka_unit_test(few_are_not_copied),
		cmocka_unit_test(a_young_connection_is_asked_for),
		cmocka_unit_test(there_may_be_nothing_to_find),
	};

	return cmocka_run_group_tests_name("claim_map", tests, make_map, close_map);
}
