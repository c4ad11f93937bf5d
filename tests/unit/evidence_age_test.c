/* SPDX-License-Identifier: GPL-2.0-only */
/* What fills a hole without a number to tell by: what the receiver asked for, and how long it took. */
#include "lossy.h"

/* ------------------------------------------------------- what the receiver asked for */

static void three_duplicate_acks_and_a_round_trip_show_a_loss(void **state)
{
	(void)state;
	lose_one();
	duplicate_acks(3);
	assert_int_equal(data(1100, at_ms(180)), SEGMENT_RECOVERED);
	assert_int_equal(verdict.cause, CAUSE_FAST);
	assert_int_equal(client_rare->fast, 1);
}

static void within_a_round_trip_nobody_can_have_answered(void **state)
{
	(void)state;
	lose_one();
	duplicate_acks(3);
	assert_int_equal(data(1100, at_ms(174)), SEGMENT_UNRESOLVED);
}

static void two_duplicate_acks_are_not_enough(void **state)
{
	(void)state;
	lose_one();
	duplicate_acks(2);
	assert_int_equal(data(1100, at_ms(180)), SEGMENT_UNRESOLVED);
}

static void a_sack_above_the_hole_is_as_good_as_three(void **state)
{
	(void)state;
	lose_one();
	acks(1100, sack(1200, 1300), at_ms(170));
	assert_int_equal(data(1100, at_ms(180)), SEGMENT_RECOVERED);
	assert_int_equal(verdict.cause, CAUSE_FAST);
}

static void a_sack_asks_only_for_what_lies_below_it(void **state)
{
	(void)state;
	lose_one();
	data(1400, at_ms(141)); /* and [1300, 1400) */
	acks(1100, sack(1200, 1300), at_ms(170));
	assert_int_equal(data(1300, at_ms(190)), SEGMENT_UNRESOLVED);
	assert_int_equal(data(1100, at_ms(191)), SEGMENT_RECOVERED);
}

static void a_dsack_asks_for_nothing(void **state)
{
	int i;

	(void)state;
	lose_one();
	for (i = 0; i < 3; i++)
		acks(1100, sack(1000, 1100), at_ms(170 + i));
	assert_int_equal(server->dup_run, 0);
	assert_int_equal(data(1100, at_ms(180)), SEGMENT_UNRESOLVED);
}

static void the_block_behind_a_dsack_still_asks(void **state)
{
	(void)state;
	lose_one();
	acks(1100, two_sacks(1000, 1050, 1200, 1300), at_ms(170));
	assert_int_equal(data(1100, at_ms(180)), SEGMENT_RECOVERED);
}

static void an_ack_that_moves_on_has_been_answered(void **state)
{
	(void)state;
	lose_one();
	duplicate_acks(3);
	acks(1150, at_ms(175)); /* it has got half of it, on another way */
	assert_int_equal(data(1100, at_ms(180)), SEGMENT_UNRESOLVED);
}

/* ------------------------------------------------------------------ age */

static void younger_than_a_quarter_of_the_round_trip_is_reordered(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_us(149900)), SEGMENT_REORDERED);
	assert_int_equal(unique_bytes_of(CLIENT), 300);
	assert_int_equal(client_rare->retransmitted_segments, 0);
}

static void neither_young_nor_old_enough_is_unresolved(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_ms(150)), SEGMENT_UNRESOLVED);
	assert_int_equal(verdict.cause, CAUSE_NONE);
	assert_int_equal(client_rare->unresolved, 1);
	assert_int_equal(client_rare->rto + client_rare->fast + client_rare->probe, 0);
}

static void as_old_as_the_shortest_timeout_is_recovered(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_ms(340)), SEGMENT_RECOVERED);
	assert_int_equal(verdict.cause, CAUSE_RTO);
	assert_int_equal(client_rare->rto, 1);
}

static void a_little_younger_than_the_shortest_timeout_is_unresolved(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_us(339900)), SEGMENT_UNRESOLVED);
}

static void on_a_long_way_the_timeout_is_two_round_trips(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_ms(210));
	send(CLIENT, seq(1000), ack(5000), at_ms(310)); /* 200 + 100 ms */
	data(1100, at_ms(400));
	assert_int_equal(data(1000, at_ms(999)), SEGMENT_UNRESOLVED);
	data(1300, at_ms(1400));
	assert_int_equal(data(1200, at_ms(2000)), SEGMENT_RECOVERED);
}

static void without_a_round_trip_three_ms_are_reordering(void **state)
{
	(void)state;
	data(1000, at_ms(100));
	data(1200, at_ms(110));
	assert_int_equal(data(1100, at_us(112900)), SEGMENT_REORDERED);
	data(1400, at_ms(120));
	assert_int_equal(data(1300, at_ms(123)), SEGMENT_UNRESOLVED);
}

static void without_a_round_trip_three_duplicate_acks_must_do(void **state)
{
	(void)state;
	data(1000, at_ms(100));
	acks(1100, at_ms(100));
	data(1200, at_ms(101));
	acks(1100, sack(1200, 1300), at_ms(101)); /* as for a segment that was overtaken */
	acks(1100, sack(1200, 1300), at_ms(101));
	assert_int_equal(data(1100, at_ms(102)), SEGMENT_REORDERED);
	acks(1300, at_ms(102));
	data(1400, at_ms(103));
	acks(1300, at_ms(103));
	acks(1300, at_ms(103));
	acks(1300, at_ms(103));
	assert_int_equal(data(1300, at_ms(104)), SEGMENT_RECOVERED);
}

static void with_half_a_round_trip_no_answer_comes_sooner(void **state)
{
	(void)state;
	data(1000, at_ms(100));
	acks(1100, at_ms(120)); /* the server is 20 ms away, of the client nobody knows */
	data(1200, at_ms(200));
	acks(1100, at_ms(201));
	acks(1100, at_ms(202));
	acks(1100, at_ms(202));
	assert_int_equal(data(1100, at_us(202500)), SEGMENT_REORDERED);
	acks(1300, at_ms(222));
	data(1400, at_ms(300));
	acks(1300, at_ms(320));
	acks(1300, at_ms(320));
	acks(1300, at_ms(320));
	assert_int_equal(data(1300, at_ms(320)), SEGMENT_RECOVERED);
}

/* RFC 6582, 3.2: without SACK one loss is told at a time, by an ACK that goes half the way. */
static void a_partial_ack_asks_for_the_next(void **state)
{
	int i;

	(void)state;
	connect_40_ms();
	data(1000, at_ms(100)); /* 1100 and 1300 are lost */
	acks(1100, at_ms(130));
	data(1200, at_ms(140));
	data(1400, at_ms(140));
	data(1500, at_ms(140));
	for (i = 0; i < 3; i++)
		acks(1100, at_ms(170 + i));
	assert_int_equal(data(1100, at_ms(185)), SEGMENT_RECOVERED);
	acks(1300, at_ms(215)); /* moves, so there are no duplicates */
	assert_int_equal(data(1300, at_ms(225)), SEGMENT_RECOVERED);
	acks(1600, at_ms(255));
	/* What was sent after that began is another matter. */
	data(1700, at_ms(260));
	assert_int_equal(data(1600, at_ms(299)), SEGMENT_UNRESOLVED);
}

/* 1100 is repaired, then 1300 and 1500 are lost together. */
static void a_second_repair_asks_as_the_first_did(void **state)
{
	(void)state;
	lose_one();
	duplicate_acks(4);
	assert_int_equal(data(1100, at_ms(185)), SEGMENT_RECOVERED);
	acks(1300, at_ms(215));
	data(1400, at_ms(300));
	data(1600, at_ms(300));
	data(1700, at_ms(300));
	acks(1300, at_ms(330));
	acks(1300, at_ms(331));
	acks(1300, at_ms(332));
	assert_int_equal(data(1300, at_ms(345)), SEGMENT_RECOVERED);
	acks(1500, at_ms(375));
	assert_int_equal(data(1500, at_ms(385)), SEGMENT_RECOVERED);
}

static void below_the_first_number_seen_there_is_no_evidence(void **state)
{
	(void)state;
	data(1000, ts(100, 1), at_ms(100));
	assert_int_equal(data(900, ts(99, 1), at_ms(101)), SEGMENT_UNRESOLVED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		core_test(three_duplicate_acks_and_a_round_trip_show_a_loss),
		core_test(within_a_round_trip_nobody_can_have_answered),
		core_test(two_duplicate_acks_are_not_enough),
		core_test(a_sack_above_the_hole_is_as_good_as_three),
		core_test(a_sack_asks_only_for_what_lies_below_it),
		core_test(a_dsack_asks_for_nothing),
		core_test(the_block_behind_a_dsack_still_asks),
		core_test(an_ack_that_moves_on_has_been_answered),
		core_test(younger_than_a_quarter_of_the_round_trip_is_reordered),
		core_test(neither_young_nor_old_enough_is_unresolved),
		core_test(as_old_as_the_shortest_timeout_is_recovered),
		core_test(a_little_younger_than_the_shortest_timeout_is_unresolved),
		core_test(on_a_long_way_the_timeout_is_two_round_trips),
		core_test(without_a_round_trip_three_ms_are_reordering),
		core_test(without_a_round_trip_three_duplicate_acks_must_do),
		core_test(with_half_a_round_trip_no_answer_comes_sooner),
		core_test(a_partial_ack_asks_for_the_next),
		core_test(a_second_repair_asks_as_the_first_did),
		core_test(below_the_first_number_seen_there_is_no_evidence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
