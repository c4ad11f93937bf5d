/* SPDX-License-Identifier: GPL-2.0-only */
/* A segment that comes in and goes out again gives one time; anything else gives none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/transit.h"

static struct packet segment(uint32_t seq, uint32_t ack, uint16_t ip_id)
{
	return (struct packet){
		.key = {.addr[0].words_be32 = {1, 2, 3, 4}, .port_be16 = {5, 6}, .ifindex = 2},
		.seq = seq,
		.ack = ack,
		.ip_id = ip_id,
	};
}

static void the_interface_and_the_length_are_not_in_the_tag(void **state)
{
	struct packet in = segment(1000, 1, 7), out = in;

	(void)state;
	out.key.ifindex = 3;
	in.payload_bytes = 1448;
	out.payload_bytes = 4 * 1448;
	assert_true(transit_tag(&in) == transit_tag(&out));
}

static void every_number_of_a_segment_is_in_the_tag(void **state)
{
	struct packet base = segment(1000, 1, 7), other[] = {
		segment(1001, 1, 7), segment(1000, 2, 7), segment(1000, 1, 8),
		segment(1000, 1, 7), segment(1000, 1, 7), segment(1000, 1, 7),
	};

	(void)state;
	other[3].direction = 1;
	other[4].key.port_be16[1] = 9;
	other[5].key.addr[1].words_be32[3] = 9;
	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++)
		assert_true(transit_tag(&base) != transit_tag(&other[i]));
}

static void what_came_at_1000_and_left_at_1250_was_inside_for_250(void **state)
{
	struct transit_mark mark = {};
	__u64 ns = 0;

	(void)state;
	transit_arrive(&mark, 42, 1000);
	assert_int_equal(transit_leave(&mark, 42, 1250, &ns), 1);
	assert_int_equal(ns, 250);
}

static void leaving_twice_is_leaving_once(void **state)
{
	struct transit_mark mark = {};
	__u64 ns;

	(void)state;
	transit_arrive(&mark, 42, 1000);
	assert_int_equal(transit_leave(&mark, 42, 1250, &ns), 1);
	assert_int_equal(transit_leave(&mark, 42, 1300, &ns), 0);
}

static void another_segment_in_the_slot_is_not_it(void **state)
{
	struct transit_mark mark = {};
	__u64 ns;

	(void)state;
	transit_arrive(&mark, 42, 1000);
	transit_arrive(&mark, 43, 1100);
	assert_int_equal(transit_leave(&mark, 42, 1250, &ns), 0);
	assert_int_equal(transit_leave(&mark, 43, 1250, &ns), 1);
	assert_int_equal(ns, 150);
}

static void what_never_came_in_was_made_here(void **state)
{
	struct transit_mark mark = {};
	__u64 ns;

	(void)state;
	assert_int_equal(transit_leave(&mark, 42, 1250, &ns), 0);
}

static void times_add_up(void **state)
{
	struct transit transit = {};

	(void)state;
	transit_add(&transit, 300);
	transit_add(&transit, 100);
	transit_add(&transit, 200);
	assert_int_equal(transit.samples, 3);
	assert_int_equal(transit.sum_ns, 600);
	assert_int_equal(transit.min_ns, 100);
	assert_int_equal(transit.max_ns, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_interface_and_the_length_are_not_in_the_tag),
		cmocka_unit_test(every_number_of_a_segment_is_in_the_tag),
		cmocka_unit_test(what_came_at_1000_and_left_at_1250_was_inside_for_250),
		cmocka_unit_test(leaving_twice_is_leaving_once),
		cmocka_unit_test(another_segment_in_the_slot_is_not_it),
		cmocka_unit_test(what_never_came_in_was_made_here),
		cmocka_unit_test(times_add_up),
	};

	return cmocka_run_group_tests_name("transit", tests, NULL, NULL);
}
