/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose socket an end is waits in its place until the connection is counted, the oldest goes first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/owner.h"

static struct owner_place place;

static int empty_place(void **state)
{
	(void)state;
	memset(&place, 0, sizeof(place));
	return 0;
}

/* Of the same place: they differ in the high half. */
static uint64_t hash_number(uint32_t number)
{
	return (uint64_t)number << 32 | 5;
}

static void what_was_put_is_there(void **state)
{
	(void)state;
	owner_put(&place, hash_number(1), 77);
	assert_int_equal(owner_get(&place, hash_number(1)), 77);
	assert_int_equal(owner_get(&place, hash_number(2)), 0);
}

static void the_same_end_takes_one_mark(void **state)
{
	(void)state;
	owner_put(&place, hash_number(1), 77);
	for (uint32_t i = 0; i < 100; i++)
		owner_put(&place, hash_number(2), 100 + i);
	assert_int_equal(owner_get(&place, hash_number(1)), 77);
	assert_int_equal(owner_get(&place, hash_number(2)), 199);
}

static void the_oldest_goes_when_there_is_no_room(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= OWNER_MARKS; i++)
		owner_put(&place, hash_number(i), 1000 + i);
	for (uint32_t i = 1; i <= OWNER_MARKS; i++)
		assert_int_equal(owner_get(&place, hash_number(i)), 1000 + i);
	owner_put(&place, hash_number(50), 50);
	assert_int_equal(owner_get(&place, hash_number(1)), 0);
	assert_int_equal(owner_get(&place, hash_number(2)), 1002);
	assert_int_equal(owner_get(&place, hash_number(50)), 50);
}

static void a_socket_of_nobody_takes_the_place_of_one_before(void **state)
{
	(void)state;
	owner_put(&place, hash_number(1), 77);
	owner_put(&place, hash_number(1), 0);
	assert_int_equal(owner_get(&place, hash_number(1)), 0);
}

static void both_ends_and_every_interface_are_told_apart(void **state)
{
	struct flow_key key = {.ifindex = 3, .port_be16 = {1, 2}}, other = key;

	(void)state;
	key.addr[0].bytes[15] = 1;
	key.addr[1].bytes[15] = 2;
	assert_true(owner_hash(&key, 0) != owner_hash(&key, 1));
	other = key;
	assert_true(owner_hash(&key, 0) == owner_hash(&other, 0));
	other.ifindex = 4;
	assert_true(owner_hash(&key, 0) != owner_hash(&other, 0));
	other = key;
	other.port_be16[1] = 3;
	assert_true(owner_hash(&key, 0) != owner_hash(&other, 0));
	other = key;
	other.addr[1].bytes[0] = 1;
	assert_true(owner_hash(&key, 0) != owner_hash(&other, 0));
}

static void connections_of_one_client_spread_over_the_places(void **state)
{
	static uint8_t used[OWNER_PLACES];
	struct flow_key key = {.port_be16 = {0, 80}};
	uint32_t most = 0;

	(void)state;
	for (uint32_t port = 1024; port < 1024 + OWNER_PLACES; port++) {
		uint32_t at;

		key.port_be16[0] = (uint16_t)port;
		at = owner_place(owner_hash(&key, 0));
		assert_true(at < OWNER_PLACES);
		if (++used[at] > most)
			most = used[at];
	}
	assert_true(most <= 12); /* as many balls as bins: about 7 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_was_put_is_there, empty_place),
		cmocka_unit_test_setup(the_same_end_takes_one_mark, empty_place),
		cmocka_unit_test_setup(the_oldest_goes_when_there_is_no_room, empty_place),
		cmocka_unit_test_setup(a_socket_of_nobody_takes_the_place_of_one_before, empty_place),
		cmocka_unit_test(both_ends_and_every_interface_are_told_apart),
		cmocka_unit_test(connections_of_one_client_spread_over_the_places),
	};

	return cmocka_run_group_tests_name("owner", tests, NULL, NULL);
}
