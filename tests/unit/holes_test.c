/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of holes: what it takes, gives back, splits, gives up, and what came again beside it. */
#include "core.h"

static struct holes list;
static struct side side;

#define ACKED_NOTHING (side.next - (1u << 30))

static int forget(void **state)
{
	(void)state;
	memset(&list, 0, sizeof(list));
	memset(&side, 0, sizeof(side));
	side.bits = SIDE_SEQ;
	return 0;
}

#define holes_test(name) cmocka_unit_test_setup(name, forget)

/* [start, end) was passed by at this time; nothing of it is acknowledged. */
static void pass_by(__u32 start, __u32 end, __u64 now_ns)
{
	struct hole hole = {.start = start, .end = end, .opened_ns = now_ns};

	side.next = end + 100;
	holes_add(&list, &side, ACKED_NOTHING, &hole);
}

static __u32 fill(__u32 start, __u32 end)
{
	return holes_fill(&list, &side, ACKED_NOTHING, start, end);
}

/* How many octets the list still misses. */
static __u64 missing(void)
{
	return holes_acked_bytes(&list, side.next);
}

static void note_fill(__u32 start, __u32 end, __u32 tsval)
{
	struct packet pkt = {.tsval = tsval, .has_ts = 1, .ip_id = 7};

	holes_note_fill(&list, start, end, &pkt);
}

/* ------------------------------------------------------------------ add and fill */

static void a_hole_is_remembered(void **state)
{
	(void)state;
	pass_by(1000, 1100, 1);
	assert_int_equal(side.holes, 1);
	assert_true(side.bits & SIDE_HOLES);
	assert_int_equal(missing(), 100);
}

static void a_whole_fill_frees_the_place(void **state)
{
	(void)state;
	pass_by(1000, 1100, 1);
	assert_int_equal(fill(1000, 1100), 100);
	assert_int_equal(side.holes, 0);
	assert_int_equal(list.used, 0);
	assert_int_equal(fill(1000, 1100), 0);
}

static void a_fill_that_reaches_beyond_counts_only_the_hole(void **state)
{
	(void)state;
	pass_by(1000, 1100, 1);
	assert_int_equal(fill(900, 1200), 100);
	assert_int_equal(side.holes, 0);
}

static void a_fill_beside_the_hole_is_none(void **state)
{
	(void)state;
	pass_by(1000, 1100, 1);
	assert_int_equal(fill(900, 1000), 0);
	assert_int_equal(fill(1100, 1200), 0);
	assert_int_equal(side.holes, 1);
}

static void the_left_part_filled_leaves_the_right(void **state)
{
	(void)state;
	pass_by(1000, 1100, 1);
	assert_int_equal(fill(1000, 1040), 40);
	assert_int_equal(side.holes, 1);
	assert_int_equal(fill(1040, 1100), 60);
}

static void the_right_part_filled_leaves_the_left(void **state)
{
	(void)state;
	pass_by(1000, 1100, 1);
	assert_int_equal(fill(1040, 1100), 60);
	assert_int_equal(side.holes, 1);
	assert_int_equal(fill(1000, 1040), 40);
}

static void the_middle_filled_leaves_two(void **state)
{
	(void)state;
	pass_by(1000, 1100, 1);
	assert_int_equal(fill(1040, 1060), 20);
	assert_int_equal(side.holes, 2);
	assert_int_equal(missing(), 80);
}

static void both_halves_keep_what_the_opener_of_the_hole_carried(void **state)
{
	struct hole hole = {.start = 1000, .end = 1100, .opened_ns = 5 * MS, .tsval = 77,
			    .ip_id = 9, .has_ts = 1};

	(void)state;
	side.next = 1200;
	holes_add(&list, &side, ACKED_NOTHING, &hole);
	fill(1040, 1060);
	fill(1060, 1061); /* of the right half */
	assert_int_equal(list.filled.opened_ns, 5 * MS);
	assert_int_equal(list.filled.tsval, 77);
	assert_int_equal(list.filled.ip_id, 9);
	assert_true(list.filled.has_ts);
}

static void one_range_fills_parts_of_three(void **state)
{
	(void)state;
	pass_by(1000, 1100, 1);
	pass_by(1200, 1300, 2);
	pass_by(1400, 1500, 3);
	assert_int_equal(fill(1050, 1450), 50 + 100 + 50);
	assert_int_equal(side.holes, 2);
	assert_int_equal(missing(), 50 + 50);
}

static void the_hole_before_it_was_filled_is_the_evidence(void **state)
{
	(void)state;
	pass_by(1000, 1100, 5 * MS);
	fill(1000, 1040);
	assert_int_equal(list.filled.start, 1000);
	assert_int_equal(list.filled.end, 1100);
	assert_int_equal(list.filled.opened_ns, 5 * MS);
}

static void a_hole_across_zero_is_added_split_and_filled(void **state)
{
	(void)state;
	pass_by(0xffffffce, 50, 1); /* 50 octets on either side of zero */
	assert_int_equal(missing(), 100);
	assert_int_equal(fill(0xfffffff6, 10), 20);
	assert_int_equal(side.holes, 2);
	assert_int_equal(fill(0xffffffce, 50), 80);
	assert_int_equal(side.holes, 0);
}

static void a_freed_place_is_taken_again(void **state)
{
	(void)state;
	pass_by(1000, 1100, 1);
	pass_by(1200, 1300, 2);
	fill(1000, 1100);
	pass_by(1400, 1500, 3);
	assert_int_equal(list.used, 2);
	assert_int_equal(missing(), 200);
}

static void without_a_list_nothing_is_filled(void **state)
{
	(void)state;
	assert_int_equal(holes_fill(NULL, &side, 0, 1000, 1100), 0);
	assert_int_equal(holes_acked_bytes(NULL, 1000), 0);
	assert_int_equal(holes_repeated(NULL, 1000, 1100, 0), 0);
}

/* ------------------------------------------------------------------ acknowledged holes */

static void acknowledged_octets_are_counted_up_to_the_ack(void **state)
{
	(void)state;
	pass_by(1000, 1100, 1);
	pass_by(1200, 1300, 2);
	assert_int_equal(holes_acked_bytes(&list, 1000), 0);
	assert_int_equal(holes_acked_bytes(&list, 1040), 40);
	assert_int_equal(holes_acked_bytes(&list, 1200), 100);
	assert_int_equal(holes_acked_bytes(&list, 1300), 200);
}

/* ------------------------------------------------------------------ the 65th */

/* [1000, 1100), [1200, 1300), ... 64 of them, opened at 1, 2, ... ns. */
static void fill_the_list(void)
{
	__u32 i;

	for (i = 0; i < HOLES_MAX; i++)
		pass_by(1000 + 200 * i, 1100 + 200 * i, 1 + i);
}

static void sixty_four_fit(void **state)
{
	(void)state;
	fill_the_list();
	assert_int_equal(side.holes, 64);
	assert_int_equal(list.dropped, 0);
	assert_int_equal(missing(), 6400);
}

static void the_65th_takes_the_place_of_the_oldest(void **state)
{
	(void)state;
	fill_the_list();
	pass_by(50000, 50100, 100);
	assert_int_equal(side.holes, 64);
	assert_int_equal(list.dropped, 1);
	assert_int_equal(fill(1000, 1100), 0);
	assert_int_equal(fill(1200, 1300), 100);
	assert_int_equal(fill(50000, 50100), 100);
}

/* The oldest in time, wherever it stands in the list and in sequence space. */
static void the_oldest_is_told_by_time(void **state)
{
	(void)state;
	fill_the_list();
	fill(1000, 1100);
	pass_by(50000, 50100, 100); /* where the first one was */
	pass_by(60000, 60100, 101);
	assert_int_equal(fill(50000, 50100), 100);
	assert_int_equal(fill(1200, 1300), 0);
}

static void an_acknowledged_hole_is_given_up_as_a_gap(void **state)
{
	struct hole hole = {.start = 50000, .end = 50100, .opened_ns = 100};

	(void)state;
	fill_the_list();
	side.next = 50200;
	holes_add(&list, &side, 1100, &hole); /* acknowledged up to the end of the first */
	assert_int_equal(list.gap_bytes, 100);
	assert_int_equal(list.dropped, 0);
	assert_int_equal(side.holes, 64);
}

static void a_hole_acknowledged_in_part_is_given_up_as_dropped(void **state)
{
	struct hole hole = {.start = 50000, .end = 50100, .opened_ns = 100};

	(void)state;
	fill_the_list();
	side.next = 50200;
	holes_add(&list, &side, 1099, &hole);
	assert_int_equal(list.gap_bytes, 0);
	assert_int_equal(list.dropped, 1);
}

static void a_split_in_a_full_list_gives_up_the_oldest(void **state)
{
	(void)state;
	fill_the_list();
	assert_int_equal(fill(1240, 1260), 20); /* the second one */
	assert_int_equal(side.holes, 64);
	assert_int_equal(list.dropped, 1);
	assert_int_equal(fill(1000, 1100), 0);
	assert_int_equal(fill(1200, 1300), 80);
}

/* ------------------------------------------------------------------ old ones */

static void what_lies_a_window_behind_is_forgotten(void **state)
{
	(void)state;
	pass_by(1000, 1100, 1);
	pass_by(1200, 1300, 2);
	side.next = 1200 + SEQ_WINDOW_MAX;
	holes_forget_old(&list, &side, 1000); /* neither is acknowledged, one is out of reach */
	assert_int_equal(side.holes, 1);
	assert_int_equal(list.dropped, 1);
	assert_int_equal(list.gap_bytes, 0);
	assert_int_equal(fill(1200, 1300), 100);
}

static void what_was_acknowledged_is_forgotten_as_a_gap(void **state)
{
	(void)state;
	pass_by(1000, 1100, 1);
	side.next = 1101 + SEQ_WINDOW_MAX;
	holes_forget_old(&list, &side, 2000);
	assert_int_equal(side.holes, 0);
	assert_int_equal(list.dropped, 0);
	assert_int_equal(list.gap_bytes, 100);
}

static void what_is_within_reach_stays(void **state)
{
	(void)state;
	pass_by(1000, 1100, 1);
	side.next = 1100 + SEQ_WINDOW_MAX;
	holes_forget_old(&list, &side, 2000);
	assert_int_equal(side.holes, 1);
	assert_int_equal(list.gap_bytes, 0);
}

static void fills_and_repeats_are_forgotten_with_them(void **state)
{
	(void)state;
	note_fill(1000, 1100, 5);
	holes_note_repeat(&list, &side, 1000, 1100, 0);
	holes_forget_old(&list, &side, 1000);
	assert_int_equal(list.fill[0].end - list.fill[0].start, 0);
	assert_int_equal(holes_repeated(&list, 1000, 1100, 0), 0);
}

static void a_list_of_a_stream_that_moved_starts_anew(void **state)
{
	(void)state;
	pass_by(1000, 1100, 1);
	side.holes = 0;
	pass_by(3000000000u, 3000000100u, 2);
	assert_int_equal(side.holes, 1);
	assert_int_equal(list.used, 1);
}

/* ------------------------------------------------------------------ fills */

static void a_fill_remembers_what_it_carried(void **state)
{
	(void)state;
	note_fill(1000, 1100, 5);
	assert_int_equal(list.fill[0].start, 1000);
	assert_int_equal(list.fill[0].end, 1100);
	assert_int_equal(list.fill[0].tsval, 5);
	assert_int_equal(list.fill[0].ip_id, 7);
	assert_true(list.fill[0].has_ts);
}

static void the_last_thirty_two_fills_are_kept(void **state)
{
	__u32 i;

	(void)state;
	for (i = 0; i < FILLS_MAX + 1; i++)
		note_fill(1000 + 100 * i, 1100 + 100 * i, i);
	assert_int_equal(list.fills, FILLS_MAX + 1);
	assert_int_equal(list.fill[0].tsval, FILLS_MAX);
	assert_int_equal(list.fill[1].tsval, 1);
}

/* ------------------------------------------------------------------ repeats */

static void a_repeat_is_found_by_any_part_of_it(void **state)
{
	(void)state;
	holes_note_repeat(&list, &side, 1000, 1100, 0);
	assert_int_equal(holes_repeated(&list, 1000, 1100, 1), 1);
	assert_int_equal(holes_repeated(&list, 1040, 1060, 1), 1);
	assert_true(side.bits & SIDE_HOLES);
}

static void what_reaches_beyond_a_repeat_was_not_repeated(void **state)
{
	(void)state;
	holes_note_repeat(&list, &side, 1000, 1100, 0);
	assert_int_equal(holes_repeated(&list, 999, 1100, 0), 0);
	assert_int_equal(holes_repeated(&list, 1000, 1101, 0), 0);
}

static void a_repeat_known_to_be_spurious_says_so(void **state)
{
	(void)state;
	holes_note_repeat(&list, &side, 1000, 1100, 1);
	assert_int_equal(holes_repeated(&list, 1000, 1100, 0), 1);
	assert_int_equal(holes_repeated(&list, 1000, 1100, 1), 0);
}

static void one_needful_repeat_outweighs_a_spurious_one(void **state)
{
	(void)state;
	holes_note_repeat(&list, &side, 1000, 1100, 1);
	holes_note_repeat(&list, &side, 1000, 1100, 0);
	assert_int_equal(holes_repeated(&list, 1000, 1100, 1), 1);
}

static void the_last_thirty_two_repeats_are_kept(void **state)
{
	__u32 i;

	(void)state;
	for (i = 0; i < REPEATS_MAX + 1; i++)
		holes_note_repeat(&list, &side, 1000 + 100 * i, 1100 + 100 * i, 0);
	assert_int_equal(holes_repeated(&list, 1000, 1100, 0), 0);
	assert_int_equal(holes_repeated(&list, 1100, 1200, 1), 1);
	assert_int_equal(holes_repeated(&list, 1000 + 100 * REPEATS_MAX,
					1100 + 100 * REPEATS_MAX, 1),
			 1);
}

static void a_repeat_across_zero_is_found(void **state)
{
	(void)state;
	holes_note_repeat(&list, &side, 0xffffffce, 50, 0);
	assert_int_equal(holes_repeated(&list, 0xfffffff6, 10, 1), 1);
	assert_int_equal(holes_repeated(&list, 10, 51, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		holes_test(a_hole_is_remembered),
		holes_test(a_whole_fill_frees_the_place),
		holes_test(a_fill_that_reaches_beyond_counts_only_the_hole),
		holes_test(a_fill_beside_the_hole_is_none),
		holes_test(the_left_part_filled_leaves_the_right),
		holes_test(the_right_part_filled_leaves_the_left),
		holes_test(the_middle_filled_leaves_two),
		holes_test(both_halves_keep_what_the_opener_of_the_hole_carried),
		holes_test(one_range_fills_parts_of_three),
		holes_test(the_hole_before_it_was_filled_is_the_evidence),
		holes_test(a_hole_across_zero_is_added_split_and_filled),
		holes_test(a_freed_place_is_taken_again),
		holes_test(without_a_list_nothing_is_filled),
		holes_test(acknowledged_octets_are_counted_up_to_the_ack),
		holes_test(sixty_four_fit),
		holes_test(the_65th_takes_the_place_of_the_oldest),
		holes_test(the_oldest_is_told_by_time),
		holes_test(an_acknowledged_hole_is_given_up_as_a_gap),
		holes_test(a_hole_acknowledged_in_part_is_given_up_as_dropped),
		holes_test(a_split_in_a_full_list_gives_up_the_oldest),
		holes_test(what_lies_a_window_behind_is_forgotten),
		holes_test(what_was_acknowledged_is_forgotten_as_a_gap),
		holes_test(what_is_within_reach_stays),
		holes_test(fills_and_repeats_are_forgotten_with_them),
		holes_test(a_list_of_a_stream_that_moved_starts_anew),
		holes_test(a_fill_remembers_what_it_carried),
		holes_test(the_last_thirty_two_fills_are_kept),
		holes_test(a_repeat_is_found_by_any_part_of_it),
		holes_test(what_reaches_beyond_a_repeat_was_not_repeated),
		holes_test(a_repeat_known_to_be_spurious_says_so),
		holes_test(one_needful_repeat_outweighs_a_spurious_one),
		holes_test(the_last_thirty_two_repeats_are_kept),
		holes_test(a_repeat_across_zero_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
