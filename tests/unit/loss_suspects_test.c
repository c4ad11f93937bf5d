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
		core_test(a_segment_over_everything_counts_what_it_overlaps),
		core_test(thousands_of_holes_stay_within_the_list),
		core_test(a_split_in_a_full_list_stays_within_it),
		core_test(a_moved_stream_starts_without_holes),
		core_test(the_acknowledged_holes_of_a_moved_stream_are_a_gap),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("loss_suspects", tests, NULL, NULL);
}
