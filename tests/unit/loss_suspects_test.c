/* SPDX-License-Identifier: GPL-2.0-only */
/* Sequence numbers that hurt: out of reach, over everything, by the thousand. */
#include "lossy.h"

static void a_number_out_of_reach_is_suspect(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	assert_int_equal(send(CLIENT, seq(1000 + 0x80000000u), ack(5000), bytes(100), at_ms(1)),
			 SEGMENT_SUSPECT);
	assert_int_equal(client_rare->suspects, 1);
	assert_int_equal(client->next, 1000);
	assert_int_equal(unique_bytes_of(CLIENT), 0);
	assert_int_equal(client_rare->retransmitted_segments, 0);
}

static void three_suspects_change_nothing(void **state)
{
	int i;

	(void)state;
	connect_with(1000, 5000);
	for (i = 0; i < 3; i++)
		send(CLIENT, seq(0x90000000u), ack(5000), bytes(100), at_ms(1 + i));
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(9)), SEGMENT_NEW);
	assert_int_equal(client->next, 1100);
}

static void a_fourth_suspect_in_a_row_shows_that_the_stream_moved(void **state)
{
	int i;

	(void)state;
	connect_with(1000, 5000);
	for (i = 0; i < 3; i++)
		send(CLIENT, seq(0x90000000u + 100 * i), ack(5000), bytes(100), at_ms(1 + i));
	assert_int_equal(send(CLIENT, seq(0x9000012cu), ack(5000), bytes(100), at_ms(5)),
			 SEGMENT_NEW);
	assert_int_equal(client->next, 0x90000190u);
	assert_int_equal(client_rare->retransmitted_segments, 0);
}

static void suspects_must_come_in_a_row(void **state)
{
	int i;

	(void)state;
	connect_with(1000, 5000);
	for (i = 0; i < 3; i++)
		send(CLIENT, seq(0x90000000u), ack(5000), bytes(100), at_ms(1 + i));
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(9));
	assert_int_equal(send(CLIENT, seq(0x90000000u), ack(5000), bytes(100), at_ms(10)),
			 SEGMENT_SUSPECT);
}

static void resets_never_move_the_stream(void **state)
{
	int i;

	(void)state;
	connect_with(1000, 5000);
	for (i = 0; i < 8; i++)
		send(CLIENT, seq(0x90000000u), ack(5000), flags(RST_ACK), at_ms(1 + i));
	assert_int_equal(client->next, 1000);
}

/* ------------------------------------------------------------------ resets */

/* Open, with windows of 1000 that are not scaled; both have acknowledged all there is. */
static void connect_and_talk(void)
{
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	send(SERVER, seq(5000), ack(1100), bytes(100), at_ms(2));
	send(CLIENT, seq(1100), ack(5100), at_ms(3));
}

static int is_closed_by_reset(__u32 server_seq)
{
	struct flow before = flow;
	int closes;

	send(SERVER, seq(server_seq), flags(TCP_RST), at_ms(4));
	closes = flow_is_closed(&flow);
	flow = before;
	return closes;
}

static void a_reset_in_the_window_closes(void **state)
{
	(void)state;
	connect_and_talk();
	assert_true(is_closed_by_reset(5100));
	assert_true(is_closed_by_reset(6099));
	assert_int_equal(server_rare->suspects, 0);
}

static void a_reset_far_outside_the_window_closes_nothing(void **state)
{
	(void)state;
	connect_and_talk();
	assert_int_equal(send(SERVER, seq(500005100), flags(TCP_RST), at_ms(4)), SEGMENT_SUSPECT);
	assert_int_equal(send(SERVER, seq(5100u - 500000000u), flags(RST_ACK), ack(1100), at_ms(5)), SEGMENT_SUSPECT);
	assert_int_equal(server_rare->suspects, 2);
	assert_int_equal(server->next, 5100);
	assert_false(flow_is_closed(&flow));
	assert_int_equal(send(SERVER, seq(5100), ack(1100), bytes(100), at_ms(6)), SEGMENT_NEW);
}

static void what_did_not_pass_here_may_lie_between(void **state)
{
	(void)state;
	connect_and_talk();
	assert_true(is_closed_by_reset(6100 + (1 << 20)));
	assert_false(is_closed_by_reset(6101 + (1 << 20)));
	assert_true(is_closed_by_reset(5100u - 1000 - (1 << 20)));
	assert_false(is_closed_by_reset(5099u - 1000 - (1 << 20)));
}

/* A closed socket answers each segment with the number that one acknowledges. */
static void a_reset_that_answers_an_older_segment_closes(void **state)
{
	(void)state;
	connect_and_talk();
	send(SERVER, seq(5100), ack(1100), bytes(1000), at_ms(4));
	send(CLIENT, seq(1100), ack(6100), bytes(100), at_ms(5));
	assert_true(is_closed_by_reset(5100));
}

static void a_reset_behind_what_the_window_has_no_room_for_any_more_closes(void **state)
{
	(void)state;
	connect_and_talk();
	send(SERVER, seq(5100), ack(1100), bytes(1000), at_ms(4));
	send(CLIENT, seq(1100), ack(5100), window(0), at_ms(5));
	assert_true(is_closed_by_reset(6100));
	assert_true(is_closed_by_reset(5100));
}

static void the_window_of_a_reset_is_scaled(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), wscale(12), at_us(50));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), wscale(7), at_us(150));
	send(CLIENT, seq(1000), ack(5000), at_us(200)); /* 1000 << 12 */
	assert_true(is_closed_by_reset(5000 + 4096000));
	assert_false(is_closed_by_reset(5001 + 4096000 + (1 << 20)));
}

static void a_window_whose_scale_was_not_seen_may_be_the_largest(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), at_us(200)); /* 1000 << 14 */
	send(SERVER, seq(5000), ack(1000), at_us(300));
	assert_true(is_closed_by_reset(5000 + 16384000));
	assert_false(is_closed_by_reset(5001 + 16384000 + (1 << 20)));
}

static void before_a_window_is_known_every_reset_is_believed(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), at_us(50));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_us(150));
	assert_true(is_closed_by_reset(500005000));
}

static void once_it_is_closing_every_reset_is_believed(void **state)
{
	(void)state;
	connect_and_talk();
	send(CLIENT, seq(1100), ack(5100), flags(FIN_ACK), at_ms(3));
	send(SERVER, seq(500005000), flags(TCP_RST), at_ms(4));
	assert_true(server->flags & TCP_RST);
}

static void a_segment_over_everything_counts_what_it_overlaps(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	open_holes(64); /* 6400 octets seen, 6400 missing */
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), bytes(65495), at_ms(300)),
			 SEGMENT_RETRANSMITTED);
	assert_int_equal(client_rare->retransmitted_bytes, 6400);
	assert_int_equal(unique_bytes_of(CLIENT), 65495);
	assert_int_equal(client->holes, 0);
}

static void thousands_of_holes_stay_within_the_list(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	open_holes(5000);
	assert_int_equal(client->holes, 64);
	assert_int_equal(holes_dropped_of(CLIENT), 5000 - 64);
	assert_int_equal(client_rare->retransmitted_segments, 0);
}

static void a_split_in_a_full_list_stays_within_it(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	open_holes(64);
	send(CLIENT, seq(1040), ack(5000), bytes(20), at_ms(300));
	assert_int_equal(client->holes, 64);
	assert_int_equal(holes_dropped_of(CLIENT), 1);
}

static void a_moved_stream_starts_without_holes(void **state)
{
	int i;

	(void)state;
	connect_with(1000, 5000);
	open_holes(3);
	for (i = 0; i < 4; i++)
		send(CLIENT, seq(0x90000000u), ack(5000), bytes(100), at_ms(100 + i));
	assert_int_equal(client->holes, 0);
}

/* What the other end had acknowledged of them went by unseen. */
static void the_acknowledged_holes_of_a_moved_stream_are_a_gap(void **state)
{
	int i;

	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(1300), ack(5000), bytes(100), at_ms(1));
	send(SERVER, seq(5000), ack(1200), at_ms(2));
	for (i = 0; i < 4; i++)
		send(CLIENT, seq(0x90000000u), ack(5000), bytes(100), at_ms(100 + i));
	assert_int_equal(settled_gap_bytes_of(CLIENT), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		core_test(a_number_out_of_reach_is_suspect),
		core_test(three_suspects_change_nothing),
		core_test(a_fourth_suspect_in_a_row_shows_that_the_stream_moved),
		core_test(suspects_must_come_in_a_row),
		core_test(resets_never_move_the_stream),
		core_test(a_reset_in_the_window_closes),
		core_test(a_reset_far_outside_the_window_closes_nothing),
		core_test(what_did_not_pass_here_may_lie_between),
		core_test(a_reset_that_answers_an_older_segment_closes),
		core_test(a_reset_behind_what_the_window_has_no_room_for_any_more_closes),
		core_test(the_window_of_a_reset_is_scaled),
		core_test(a_window_whose_scale_was_not_seen_may_be_the_largest),
		core_test(before_a_window_is_known_every_reset_is_believed),
		core_test(once_it_is_closing_every_reset_is_believed),
		core_test(a_segment_over_everything_counts_what_it_overlaps),
		core_test(thousands_of_holes_stay_within_the_list),
		core_test(a_split_in_a_full_list_stays_within_it),
		core_test(a_moved_stream_starts_without_holes),
		core_test(the_acknowledged_holes_of_a_moved_stream_are_a_gap),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("loss_suspects", tests, NULL, NULL);
}
