/* SPDX-License-Identifier: GPL-2.0-only */
/* Originals that come behind what was sent for them, and packets that only took long. */
#include "lossy.h"

/* ------------------------------------------------------------------ slow */

static void slower_than_reordering_makes_it_the_original_is_late(void **state)
{
	__u32 i;

	(void)state;
	connect_40_ms();
	for (i = 0; i < 8; i++)
		data(1000 + 100 * i, ts(100 + i, 1), at_ms(100 + i));
	assert_int_equal(data(1000, ts(100, 1), at_ms(150)), SEGMENT_LATE);
	assert_int_equal(client_rare->late, 1);
	assert_int_equal(client_rare->retransmitted_segments, 0);
}

/* The other direction takes another road: what the receiver asked for is not known. */
static void of_one_direction_nobody_knows_what_is_slow(void **state)
{
	__u32 i;

	(void)state;
	for (i = 0; i < 8; i++)
		data(1000 + 100 * i, ts(100 + i, 1), at_ms(100 + i));
	assert_int_equal(data(1000, ts(100, 1), at_ms(110)), SEGMENT_RETRANSMITTED);
}

/* Its second repeat comes behind newer data: TCP sent it, the octets were sent again before. */
static void what_was_sent_again_is_never_slow(void **state)
{
	__u32 i;

	(void)state;
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	data(1100, ts(101, 1), at_ms(101));
	acks(1100, at_ms(130));
	assert_int_equal(data(1100, ts(400, 1), at_ms(400)), SEGMENT_RETRANSMITTED);
	acks(1200, at_ms(430));
	for (i = 0; i < 5; i++)
		data(1200 + 100 * i, ts(440 + i, 1), at_ms(440 + i));
	assert_int_equal(data(1100, ts(439, 1), at_ms(450)), SEGMENT_RETRANSMITTED);
}

static void what_was_asked_for_is_not_slow(void **state)
{
	__u32 i;

	(void)state;
	connect_40_ms();
	for (i = 0; i < 8; i++)
		data(1000 + 100 * i, ts(100 + i, 1), at_ms(100));
	acks(1000, at_ms(130));
	for (i = 0; i < 3; i++)
		acks(1000, at_ms(131));
	assert_int_equal(data(1000, ts(100, 1), at_ms(140)), SEGMENT_RETRANSMITTED);
}

/* ------------------------------------------------------------------ late */

static void the_original_behind_its_own_repeat_is_late(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	data(1200, ts(140, 1), at_ms(140));
	assert_int_equal(data(1100, ts(400, 1), at_ms(400)), SEGMENT_RECOVERED);
	assert_int_equal(data(1100, ts(120, 1), at_ms(410)), SEGMENT_LATE);
	assert_int_equal(client_rare->late, 1);
	assert_int_equal(client_rare->retransmitted_segments, 0);
	assert_int_equal(unique_bytes_of(CLIENT), 300);
}

static void the_original_is_told_by_its_ip_id_too(void **state)
{
	(void)state;
	lose_one_of_counted(10);
	assert_int_equal(data(1500, ip_id(17), at_ms(400)), SEGMENT_RECOVERED);
	assert_int_equal(data(1500, ip_id(15), at_ms(410)), SEGMENT_LATE);
}

/* Nobody can have asked once more within a round trip of the repeat. */
static void without_a_number_the_original_is_told_by_its_haste(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_ms(400)), SEGMENT_RECOVERED);
	assert_int_equal(data(1100, at_ms(439)), SEGMENT_LATE);
	assert_int_equal(data(1100, at_ms(700)), SEGMENT_RETRANSMITTED);
}

static void there_is_only_one_original(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_ms(400)), SEGMENT_RECOVERED);
	assert_int_equal(data(1100, at_ms(410)), SEGMENT_LATE);
	assert_int_equal(data(1100, at_ms(420)), SEGMENT_RETRANSMITTED);
}

static void of_what_was_acknowledged_only_a_timer_sends_another(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_ms(400)), SEGMENT_RECOVERED);
	acks(1300, at_ms(430));
	assert_int_equal(data(1100, at_ms(590)), SEGMENT_LATE);
}

/* One tick for both, the hole below keeps the ACK; but newer ticks have passed since. */
static void the_original_of_an_old_tick_is_late_however_long_it_took(void **state)
{
	(void)state;
	lose_one();
	data(1300, ts(150, 1), at_ms(150));
	data(1500, ts(150, 1), at_ms(150));
	duplicate_acks(3);
	assert_int_equal(data(1400, ts(151, 1), at_ms(195)), SEGMENT_RECOVERED);
	data(1600, ts(152, 1), at_ms(196));
	assert_int_equal(data(1400, ts(151, 1), at_ms(260)), SEGMENT_LATE);
}

static void a_second_repeat_behind_the_first_is_not_late(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	data(1200, ts(140, 1), at_ms(140));
	data(1100, ts(400, 1), at_ms(400));
	assert_int_equal(data(1100, ts(900, 1), at_ms(900)), SEGMENT_RETRANSMITTED);
	assert_int_equal(client_rare->late, 0);
}

static void an_original_that_comes_second_is_late_without_a_hole(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(101, 1), at_ms(101));
	assert_int_equal(data(1000, ts(100, 1), at_ms(102)), SEGMENT_LATE);
}

/* It is the copy we saw that counts, not what was sent meanwhile. */
static void a_repeat_held_up_behind_newer_data_is_retransmitted(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	data(1100, ts(300, 1), at_ms(300));
	assert_int_equal(data(1000, ts(200, 1), at_ms(350)), SEGMENT_RETRANSMITTED);
	assert_int_equal(client_rare->late, 0);
}

static void a_synack_sent_again_behind_newer_segments_is_retransmitted(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), ts(1, 0), at_ms(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), ts(100, 1), at_ms(40));
	send(CLIENT, seq(1000), ack(5000), ts(2, 100), at_ms(50));
	data(1000, ts(3, 100), at_ms(60));
	acks(1100, ts(2100, 3), at_ms(2050));
	assert_int_equal(send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), ts(1100, 1),
			      at_ms(2060)),
			 SEGMENT_RETRANSMITTED);
	assert_int_equal(server_rare->syn_retrans, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		core_test(slower_than_reordering_makes_it_the_original_is_late),
		core_test(of_one_direction_nobody_knows_what_is_slow),
		core_test(what_was_sent_again_is_never_slow),
		core_test(what_was_asked_for_is_not_slow),
		core_test(the_original_behind_its_own_repeat_is_late),
		core_test(the_original_is_told_by_its_ip_id_too),
		core_test(without_a_number_the_original_is_told_by_its_haste),
		core_test(a_second_repeat_behind_the_first_is_not_late),
		core_test(there_is_only_one_original),
		core_test(of_what_was_acknowledged_only_a_timer_sends_another),
		core_test(the_original_of_an_old_tick_is_late_however_long_it_took),
		core_test(an_original_that_comes_second_is_late_without_a_hole),
		core_test(a_repeat_held_up_behind_newer_data_is_retransmitted),
		core_test(a_synack_sent_again_behind_newer_segments_is_retransmitted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
