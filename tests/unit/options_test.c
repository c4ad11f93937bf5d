/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP options: each kind, every padding, and lists that lie about their length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/options.h"

static struct packet pkt;

/*
 * Parses `len` bytes of options, of which `captured` are there. They lie at the very end of a heap
 * block, so that reading past them is an error a sanitizer sees.
 */
static void parse_cut(const uint8_t *options, uint32_t len, uint32_t captured)
{
	uint8_t *copy = malloc(captured ? captured : 1);

	memcpy(copy, options, captured);
	pkt = (struct packet){0};
	options_parse(copy, len, copy + captured, &pkt);
	free(copy);
}

#define parse(...)                                                                                 \
	do {                                                                                       \
		const uint8_t list[] = {__VA_ARGS__};                                              \
		parse_cut(list, sizeof(list), sizeof(list));                                       \
	} while (0)

#define NOP 1
#define END 0
#define MSS_1460 2, 4, 0x05, 0xb4
#define WSCALE(n) 3, 3, (n)
#define SACK_OK 4, 2
#define BLOCK_1_2 0, 0, 0, 1, 0, 0, 0, 2
#define BLOCK_5_9 0, 0, 0, 5, 0, 0, 0, 9
#define TIMES_7_3 8, 10, 0, 0, 0, 7, 0, 0, 0, 3

static void no_options_say_nothing(void **state)
{
	(void)state;
	parse_cut((const uint8_t *)"", 0, 0);
	assert_int_equal(pkt.mss, 0);
	assert_false(pkt.has_ts);
	assert_false(pkt.has_wscale);
}

static void mss_is_read(void **state)
{
	(void)state;
	parse(MSS_1460);
	assert_int_equal(pkt.mss, 1460);
}

static void mss_of_another_length_is_ignored(void **state)
{
	(void)state;
	parse(2, 3, 0x05, NOP);
	assert_int_equal(pkt.mss, 0);
}

static void window_scale_is_read(void **state)
{
	(void)state;
	parse(NOP, WSCALE(7));
	assert_true(pkt.has_wscale);
	assert_int_equal(pkt.wscale, 7);
}

static void window_scale_zero_is_a_window_scale(void **state)
{
	(void)state;
	parse(NOP, WSCALE(0));
	assert_true(pkt.has_wscale);
	assert_int_equal(pkt.wscale, 0);
}

static void window_scale_above_14_is_taken_as_14(void **state)
{
	(void)state;
	parse(NOP, WSCALE(255)); /* RFC 7323, 2.3 */
	assert_int_equal(pkt.wscale, 14);
}

static void sack_permitted_is_read(void **state)
{
	(void)state;
	parse(NOP, NOP, SACK_OK);
	assert_true(pkt.sack_permitted);
}

static void one_sack_block_is_read(void **state)
{
	(void)state;
	parse(NOP, NOP, 5, 10, BLOCK_1_2);
	assert_int_equal(pkt.sack_count, 1);
	assert_int_equal(pkt.sack[0].start, 1);
	assert_int_equal(pkt.sack[0].end, 2);
}

static void four_sack_blocks_are_read_in_order(void **state)
{
	(void)state;
	parse(NOP, NOP, 5, 34, BLOCK_1_2, BLOCK_5_9, BLOCK_1_2, BLOCK_5_9);
	assert_int_equal(pkt.sack_count, 4);
	assert_int_equal(pkt.sack[2].end, 2);
	assert_int_equal(pkt.sack[3].end, 9);
}

static void three_sack_blocks_fit_beside_timestamps(void **state)
{
	(void)state;
	parse(NOP, NOP, TIMES_7_3, NOP, NOP, 5, 26, BLOCK_1_2, BLOCK_1_2, BLOCK_5_9);
	assert_int_equal(pkt.sack_count, 3);
	assert_int_equal(pkt.sack[2].start, 5);
	assert_int_equal(pkt.tsval, 7);
}

static void a_sack_option_without_blocks_has_none(void **state)
{
	(void)state;
	parse(NOP, NOP, 5, 2);
	assert_int_equal(pkt.sack_count, 0);
}

static void half_a_sack_block_is_not_one(void **state)
{
	(void)state;
	parse(NOP, NOP, 5, 14, BLOCK_1_2, 0, 0, 0, 5);
	assert_int_equal(pkt.sack_count, 1);
}

static void timestamps_in_the_usual_place_are_read(void **state)
{
	(void)state;
	parse(NOP, NOP, TIMES_7_3);
	assert_true(pkt.has_ts);
	assert_int_equal(pkt.tsval, 7);
	assert_int_equal(pkt.tsecr, 3);
}

static void timestamps_elsewhere_are_read(void **state)
{
	(void)state;
	parse(MSS_1460, SACK_OK, TIMES_7_3);
	assert_true(pkt.has_ts);
	assert_int_equal(pkt.tsval, 7);
	assert_int_equal(pkt.tsecr, 3);
}

static void timestamps_of_another_length_are_ignored(void **state)
{
	(void)state;
	parse(8, 6, 0, 0, 0, 7, NOP, NOP);
	assert_false(pkt.has_ts);
}

static void a_syn_of_linux_is_read_whole(void **state)
{
	(void)state;
	parse(MSS_1460, SACK_OK, TIMES_7_3, NOP, WSCALE(10));
	assert_int_equal(pkt.mss, 1460);
	assert_true(pkt.sack_permitted);
	assert_true(pkt.has_ts);
	assert_int_equal(pkt.wscale, 10);
}

static void unknown_options_are_stepped_over(void **state)
{
	(void)state;
	parse(253, 4, 0xf9, 0x89, MSS_1460);
	assert_int_equal(pkt.mss, 1460);
}

static void nothing_is_read_behind_the_end_of_the_list(void **state)
{
	(void)state;
	parse(END, NOP, NOP, NOP, MSS_1460);
	assert_int_equal(pkt.mss, 0);
}

static void forty_nops_come_to_an_end(void **state)
{
	uint8_t nops[40];

	(void)state;
	memset(nops, NOP, sizeof(nops));
	parse_cut(nops, sizeof(nops), sizeof(nops));
	assert_int_equal(pkt.options_len, 40);
}

static void a_length_of_zero_ends_the_list(void **state)
{
	(void)state;
	parse(253, 0, NOP, NOP, MSS_1460);
	assert_int_equal(pkt.mss, 0);
}

static void a_length_of_one_ends_the_list(void **state)
{
	(void)state;
	parse(253, 1, NOP, NOP, MSS_1460);
	assert_int_equal(pkt.mss, 0);
}

static void what_stands_before_a_bad_length_counts(void **state)
{
	(void)state;
	parse(MSS_1460, 253, 0, NOP, NOP);
	assert_int_equal(pkt.mss, 1460);
}

static void an_option_longer_than_the_list_is_not_read(void **state)
{
	(void)state;
	parse(NOP, NOP, 8, 10, 0, 0, 0, 7);
	assert_false(pkt.has_ts);
}

static void a_kind_without_a_length_ends_the_list(void **state)
{
	(void)state;
	parse(NOP, NOP, NOP, 2);
	assert_int_equal(pkt.mss, 0);
}

static void options_cut_off_by_the_capture_are_not_read(void **state)
{
	const uint8_t list[] = {NOP, NOP, TIMES_7_3};

	(void)state;
	parse_cut(list, sizeof(list), 11);
	assert_false(pkt.has_ts);
}

static void options_before_the_cut_count(void **state)
{
	const uint8_t list[] = {MSS_1460, SACK_OK, TIMES_7_3};

	(void)state;
	parse_cut(list, sizeof(list), 10);
	assert_int_equal(pkt.mss, 1460);
	assert_true(pkt.sack_permitted);
	assert_false(pkt.has_ts);
}

static void options_not_captured_at_all_say_nothing(void **state)
{
	const uint8_t list[] = {MSS_1460};

	(void)state;
	parse_cut(list, sizeof(list), 0);
	assert_int_equal(pkt.mss, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_options_say_nothing),
		cmocka_unit_test(mss_is_read),
		cmocka_unit_test(mss_of_another_length_is_ignored),
		cmocka_unit_test(window_scale_is_read),
		cmocka_unit_test(window_scale_zero_is_a_window_scale),
		cmocka_unit_test(window_scale_above_14_is_taken_as_14),
		cmocka_unit_test(sack_permitted_is_read),
		cmocka_unit_test(one_sack_block_is_read),
		cmocka_unit_test(four_sack_blocks_are_read_in_order),
		cmocka_unit_test(three_sack_blocks_fit_beside_timestamps),
		cmocka_unit_test(a_sack_option_without_blocks_has_none),
		cmocka_unit_test(half_a_sack_block_is_not_one),
		cmocka_unit_test(timestamps_in_the_usual_place_are_read),
		cmocka_unit_test(timestamps_elsewhere_are_read),
		cmocka_unit_test(timestamps_of_another_length_are_ignored),
		cmocka_unit_test(a_syn_of_linux_is_read_whole),
		cmocka_unit_test(unknown_options_are_stepped_over),
		cmocka_unit_test(nothing_is_read_behind_the_end_of_the_list),
		cmocka_unit_test(forty_nops_come_to_an_end),
		cmocka_unit_test(a_length_of_zero_ends_the_list),
		cmocka_unit_test(a_length_of_one_ends_the_list),
		cmocka_unit_test(what_stands_before_a_bad_length_counts),
		cmocka_unit_test(an_option_longer_than_the_list_is_not_read),
		cmocka_unit_test(a_kind_without_a_length_ends_the_list),
		cmocka_unit_test(options_cut_off_by_the_capture_are_not_read),
		cmocka_unit_test(options_before_the_cut_count),
		cmocka_unit_test(options_not_captured_at_all_say_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
