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
	if (!options_usual(copy, len, copy + captured, &pkt))
		options_read(copy, len, copy + captured, &pkt);
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

static void a_syn_of_windows_is_read_whole(void **state)
{
	(void)state;
	parse(MSS_1460, NOP, WSCALE(8), NOP, NOP, SACK_OK);
	assert_false(pkt.options_len);
	assert_int_equal(pkt.mss, 1460);
	assert_true(pkt.sack_permitted);
	assert_false(pkt.has_ts);
	assert_int_equal(pkt.wscale, 8);
}

static void a_syn_of_macos_is_read_whole(void **state)
{
	(void)state;
	parse(MSS_1460, NOP, WSCALE(6), NOP, NOP, TIMES_7_3, SACK_OK, END, END);
	assert_false(pkt.options_len);
	assert_int_equal(pkt.mss, 1460);
	assert_true(pkt.sack_permitted);
	assert_int_equal(pkt.tsval, 7);
	assert_int_equal(pkt.wscale, 6);
}

static void an_mss_alone_permits_no_sack(void **state)
{
	(void)state;
	parse(MSS_1460);
	assert_false(pkt.options_len);
	assert_int_equal(pkt.mss, 1460);
	assert_false(pkt.sack_permitted);
	assert_false(pkt.has_wscale);
}

#define TIMES NOP, NOP, TIMES_7_3
#define SACKS(n) NOP, NOP, 5, 2 + 8 * (n)

/* Lists that are read in one piece, and some that only look like it. */
static const struct {
	uint32_t len;
	uint8_t bytes[40];
} usual[] = {
	{12, {TIMES}},
	{20, {MSS_1460, SACK_OK, TIMES_7_3, NOP, WSCALE(10)}},
	{4, {MSS_1460}},
	{12, {MSS_1460, NOP, WSCALE(8), NOP, NOP, SACK_OK}},
	{12, {MSS_1460, NOP, NOP, SACK_OK, NOP, WSCALE(15)}},
	{24, {MSS_1460, NOP, WSCALE(6), TIMES, SACK_OK, END, END}},
	{24, {TIMES, SACKS(1), BLOCK_1_2}},
	{32, {TIMES, SACKS(2), BLOCK_5_9, BLOCK_1_2}},
	{40, {TIMES, SACKS(3), BLOCK_1_2, BLOCK_5_9, BLOCK_1_2}},
	{12, {SACKS(1), BLOCK_5_9}},
	{20, {SACKS(2), BLOCK_1_2, BLOCK_5_9}},
	{36, {SACKS(4), BLOCK_1_2, BLOCK_5_9, BLOCK_1_2, BLOCK_5_9}},
	{16, {SACKS(1), BLOCK_1_2, MSS_1460}},
	{16, {TIMES, MSS_1460}},
};

static void assert_same_options(const struct packet *a, const struct packet *b)
{
	uint32_t i;

	assert_int_equal(a->mss, b->mss);
	assert_int_equal(a->has_wscale, b->has_wscale);
	assert_int_equal(a->wscale, b->wscale);
	assert_int_equal(a->sack_permitted, b->sack_permitted);
	assert_int_equal(a->has_ts, b->has_ts);
	assert_int_equal(a->tsval, b->tsval);
	assert_int_equal(a->tsecr, b->tsecr);
	assert_int_equal(a->sack_count, b->sack_count);
	for (i = 0; i < a->sack_count; i++) {
		assert_int_equal(a->sack[i].start, b->sack[i].start);
		assert_int_equal(a->sack[i].end, b->sack[i].end);
	}
}

/* 1: it was read in one piece. */
static uint32_t parse_and_walk(const uint8_t bytes[40], uint32_t len, uint32_t captured)
{
	struct packet walked = {0};

	parse_cut(bytes, len, captured);
	options_read(bytes, len, bytes + captured, &walked);
	assert_same_options(&pkt, &walked);
	return captured >= 4 && !pkt.options_len;
}

static uint32_t parse_and_walk_all_cuts(const uint8_t bytes[40])
{
	uint32_t len, captured, in_one_piece = 0;

	for (len = 4; len <= 40; len += 4)
		for (captured = 0; captured <= len; captured++)
			in_one_piece += parse_and_walk(bytes, len, captured);
	return in_one_piece;
}

/* Each list with every byte changed, of every length, and with every cut. */
static void what_is_read_in_one_piece_is_what_a_walk_gives(void **state)
{
	static const uint8_t others[] = {0, 1, 2, 4, 5, 8, 10, 18, 255};
	uint32_t list, at, i, in_one_piece = 0;

	(void)state;
	for (list = 0; list < sizeof(usual) / sizeof(usual[0]); list++)
		for (at = 0; at < usual[list].len; at++)
			for (i = 0; i < sizeof(others); i++) {
				uint8_t bytes[40];

				memcpy(bytes, usual[list].bytes, sizeof(bytes));
				bytes[at] = others[i];
				in_one_piece += parse_and_walk_all_cuts(bytes);
			}
	assert_true(in_one_piece > 1000);
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
		cmocka_unit_test(a_syn_of_windows_is_read_whole),
		cmocka_unit_test(a_syn_of_macos_is_read_whole),
		cmocka_unit_test(an_mss_alone_permits_no_sack),
		cmocka_unit_test(what_is_read_in_one_piece_is_what_a_walk_gives),
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
