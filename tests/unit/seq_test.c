/* SPDX-License-Identifier: GPL-2.0-only */
/* Order in sequence space, also where the numbers begin again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/seq.h"

#define LAST 0xffffffffu /* the number before 0 */

static void distance_counts_octets(void **state)
{
	(void)state;
	assert_int_equal(seq_distance(1000, 1100), 100);
	assert_int_equal(seq_distance(1100, 1000), -100);
}

static void distance_crosses_zero(void **state)
{
	(void)state;
	assert_int_equal(seq_distance(LAST, 0), 1);
	assert_int_equal(seq_distance(0, LAST), -1);
	assert_int_equal(seq_distance(LAST - 9, 90), 100);
}

static void a_number_is_neither_before_nor_after_itself(void **state)
{
	(void)state;
	assert_false(seq_before(LAST, LAST));
	assert_false(seq_after(0, 0));
}

static void the_last_number_is_before_zero(void **state)
{
	(void)state;
	assert_true(seq_before(LAST, 0));
	assert_true(seq_after(0, LAST));
	assert_false(seq_after(LAST, 0));
}

static void order_holds_for_just_under_half_the_space(void **state)
{
	(void)state;
	assert_true(seq_before(5, 5 + 0x7fffffffu));
	assert_true(seq_after(5 + 0x7fffffffu, 5));
}

static void beyond_half_the_space_the_order_turns(void **state)
{
	(void)state;
	assert_true(seq_after(5, 5 + 0x80000001u));
}

static void max_and_min_choose_across_zero(void **state)
{
	(void)state;
	assert_int_equal(seq_max(LAST, 3), 3);
	assert_int_equal(seq_min(LAST, 3), LAST);
}

static void a_whole_window_is_in_reach_both_ways(void **state)
{
	(void)state;
	assert_true(seq_in_reach(7, 7));
	assert_true(seq_in_reach(7 + SEQ_WINDOW_MAX, 7));
	assert_true(seq_in_reach(7 - SEQ_WINDOW_MAX, 7));
}

static void one_octet_beyond_the_window_is_out_of_reach(void **state)
{
	(void)state;
	assert_false(seq_in_reach(7 + SEQ_WINDOW_MAX + 1, 7));
	assert_false(seq_in_reach(7 - SEQ_WINDOW_MAX - 1, 7));
}

static void the_opposite_point_is_out_of_reach(void **state)
{
	(void)state;
	assert_false(seq_in_reach(7 + 0x80000000u, 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distance_counts_octets),
		cmocka_unit_test(distance_crosses_zero),
		cmocka_unit_test(a_number_is_neither_before_nor_after_itself),
		cmocka_unit_test(the_last_number_is_before_zero),
		cmocka_unit_test(order_holds_for_just_under_half_the_space),
		cmocka_unit_test(beyond_half_the_space_the_order_turns),
		cmocka_unit_test(max_and_min_choose_across_zero),
		cmocka_unit_test(a_whole_window_is_in_reach_both_ways),
		cmocka_unit_test(one_octet_beyond_the_window_is_out_of_reach),
		cmocka_unit_test(the_opposite_point_is_out_of_reach),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("seq", tests, NULL, NULL);
}
