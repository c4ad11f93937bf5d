/* SPDX-License-Identifier: GPL-2.0-only */
/* Why it was sent again, and whether for nothing. */
#include "lossy.h"

/* ------------------------------------------------------------------ cause */

/* Three segments that nobody has acknowledged, the last one at 102 ms. */
static void send_three(void)
{
	connect_40_ms();
	data(1000, at_ms(100));
	data(1100, at_ms(101));
	data(1200, at_ms(102));
}

static void three_duplicate_acks_make_it_fast(void **state)
{
	int i;

	(void)state;
	send_three();
	for (i = 0; i < 4; i++)
		acks(1000, at_ms(130 + i));
	assert_int_equal(data(1000, at_ms(145)), SEGMENT_RETRANSMITTED);
	assert_int_equal(verdict.cause, CAUSE_FAST);
	assert_int_equal(client_rare->fast, 1);
	assert_int_equal(client_rare->rto + client_rare->probe, 0);
}

static void sacked_data_above_makes_it_fast(void **state)
{
	(void)state;
	send_three();
	acks(1000, sack(1100, 1300), at_ms(130));
	data(1000, at_ms(145));
	assert_int_equal(verdict.cause, CAUSE_FAST);
}

static void long_silence_is_the_timers(void **state)
{
	(void)state;
	send_three();
	data(1000, at_ms(302));
	assert_int_equal(verdict.cause, CAUSE_RTO);
	assert_int_equal(client_rare->rto, 1);
}

static void long_silence_is_the_timers_whoever_asked(void **state)
{
	int i;

	(void)state; /* what was sent again fast was lost again */
	send_three();
	for (i = 0; i < 4; i++)
		acks(1000, at_ms(130 + i));
	data(1000, at_ms(140));
	data(1000, at_ms(340));
	assert_int_equal(verdict.cause, CAUSE_RTO);
}

static void the_last_segment_alone_is_a_probe(void **state)
{
	(void)state;
	send_three();
	assert_int_equal(data(1200, at_ms(182)), SEGMENT_RETRANSMITTED);
	assert_int_equal(verdict.cause, CAUSE_PROBE);
	assert_int_equal(client_rare->probe, 1);
}

static void the_last_segment_after_a_duplicate_ack_is_no_probe(void **state)
{
	(void)state;
	send_three();
	acks(1000, at_ms(130));
	acks(1000, at_ms(131));
	data(1200, at_ms(182));
	assert_int_equal(verdict.cause, CAUSE_RTO);
}

static void not_the_last_segment_is_no_probe(void **state)
{
	(void)state;
	send_three();
	data(1000, at_ms(182));
	assert_int_equal(verdict.cause, CAUSE_RTO);
}

static void a_probe_that_ends_at_zero_is_one(void **state)
{
	(void)state;
	connect_with(0xffffff9c, 5000);
	send(CLIENT, seq(0xffffff9c), ack(5000), bytes(100), at_ms(100));
	send(CLIENT, seq(0xffffff9c), ack(5000), bytes(100), at_ms(180));
	assert_int_equal(verdict.cause, CAUSE_PROBE);
}

static void a_syn_is_sent_again_by_the_timer(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	assert_int_equal(send(CLIENT, seq(999), flags(TCP_SYN), at_ms(60)), SEGMENT_RETRANSMITTED);
	assert_int_equal(verdict.cause, CAUSE_RTO);
}

static void causes_count_wire_segments(void **state)
{
	(void)state;
	connect_40_ms();
	send(CLIENT, seq(1000), ack(5000), bytes(3000), segments(3), at_ms(100));
	send(CLIENT, seq(1000), ack(5000), bytes(3000), segments(3), at_ms(400));
	assert_int_equal(client_rare->retransmitted_segments, 3);
	assert_int_equal(client_rare->rto, 3);
}

static void new_data_has_no_cause(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(verdict.cause, CAUSE_NONE);
	assert_int_equal(client_rare->fast + client_rare->rto + client_rare->probe, 0);
}

/* ------------------------------------------------------------------ spurious */

static void what_was_acknowledged_was_sent_again_for_nothing(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	acks(1100, at_ms(130));
	assert_int_equal(data(1000, at_ms(400)), SEGMENT_RETRANSMITTED);
	assert_true(verdict.spurious);
	assert_int_equal(client_rare->spurious, 1);
}

static void what_was_acknowledged_in_part_was_needed(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	acks(1099, at_ms(130));
	data(1000, at_ms(400));
	assert_false(verdict.spurious);
	assert_int_equal(client_rare->spurious, 0);
}

static void a_dsack_later_says_that_it_was_for_nothing(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	data(1000, at_ms(400));
	assert_int_equal(client_rare->spurious, 0);
	acks(1100, sack(1000, 1100), at_ms(430));
	assert_int_equal(server_rare->dsacks, 1);
	assert_int_equal(server_rare->dsack_spurious, 1);
}

static void a_dsack_of_what_was_never_sent_again_accuses_nobody(void **state)
{
	(void)state; /* the network made the second one, behind this point */
	connect_40_ms();
	data(1000, at_ms(100));
	acks(1100, sack(1000, 1100), at_ms(130));
	assert_int_equal(server_rare->dsacks, 1);
	assert_int_equal(server_rare->dsack_spurious, 0);
}

static void a_dsack_of_a_copy_accuses_nobody(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	data(1000, at_us(100500));
	acks(1100, sack(1000, 1100), at_ms(130));
	assert_int_equal(server_rare->dsack_spurious, 0);
}

static void known_by_ack_and_by_dsack_it_counts_once(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	acks(1100, at_ms(130));
	data(1000, at_ms(400));
	acks(1100, sack(1000, 1100), at_ms(430));
	assert_int_equal(client_rare->spurious + server_rare->dsack_spurious, 1);
}

/* RFC 2883, 4: a duplicate is reported once. The network has made two of that one ACK. */
static void a_dsack_that_comes_twice_counts_once(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	data(1000, at_ms(400));
	acks(1100, sack(1000, 1100), at_ms(430));
	acks(1100, sack(1000, 1100), at_us(430100));
	assert_int_equal(client_rare->retransmitted_segments, 1);
	assert_int_equal(server_rare->dsack_spurious, 1);
}

static void two_needless_repeats_count_twice(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	data(1000, at_ms(400));
	data(1000, at_ms(900));
	acks(1100, sack(1000, 1100), at_ms(930));
	acks(1100, sack(1000, 1100), at_ms(1400));
	assert_int_equal(client_rare->retransmitted_segments, 2);
	assert_int_equal(server_rare->dsack_spurious, 2);
}

static void a_dsack_above_the_ack_counts_too(void **state)
{
	(void)state; /* inside the second block (RFC 2883, 4.2) */
	connect_40_ms();
	data(1000, at_ms(100));
	data(1100, at_ms(101));
	data(1100, at_ms(400));
	acks(1000, two_sacks(1100, 1200, 1100, 1200), at_ms(430));
	assert_int_equal(server_rare->dsack_spurious, 1);
}

static void a_recovered_segment_can_be_spurious(void **state)
{
	(void)state; /* the original took another way and was acknowledged before */
	lose_one();
	acks(1300, at_ms(171));
	assert_int_equal(data(1100, at_ms(341)), SEGMENT_RECOVERED);
	assert_true(verdict.spurious);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		core_test(three_duplicate_acks_make_it_fast),
		core_test(sacked_data_above_makes_it_fast),
		core_test(long_silence_is_the_timers),
		core_test(long_silence_is_the_timers_whoever_asked),
		core_test(the_last_segment_alone_is_a_probe),
		core_test(the_last_segment_after_a_duplicate_ack_is_no_probe),
		core_test(not_the_last_segment_is_no_probe),
		core_test(a_probe_that_ends_at_zero_is_one),
		core_test(a_syn_is_sent_again_by_the_timer),
		core_test(causes_count_wire_segments),
		core_test(new_data_has_no_cause),
		core_test(what_was_acknowledged_was_sent_again_for_nothing),
		core_test(what_was_acknowledged_in_part_was_needed),
		core_test(a_dsack_later_says_that_it_was_for_nothing),
		core_test(a_dsack_of_what_was_never_sent_again_accuses_nobody),
		core_test(a_dsack_of_a_copy_accuses_nobody),
		core_test(known_by_ack_and_by_dsack_it_counts_once),
		core_test(a_dsack_that_comes_twice_counts_once),
		core_test(two_needless_repeats_count_twice),
		core_test(a_dsack_above_the_ack_counts_too),
		core_test(a_recovered_segment_can_be_spurious),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
