/* SPDX-License-Identifier: GPL-2.0-only */
/* What an end says as receiver: ACKs, duplicates, SACK and D-SACK blocks, zero windows. */
#include "core.h"

/* 200 octets are under way from the client; the server has acknowledged the first 100. */
static void half_acknowledged(void)
{
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(200), at_ms(1));
	send(SERVER, seq(5000), ack(1100), at_ms(2));
}

/* ------------------------------------------------------------------ acknowledgments */

static void the_highest_ack_is_kept(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1200), at_ms(3));
	assert_int_equal(server->ack, 1200);
}

static void an_older_ack_takes_nothing_back(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1050), at_ms(3));
	assert_int_equal(server->ack, 1100);
}

static void acks_advance_across_zero(void **state)
{
	(void)state;
	connect_with(0xffffffce, 5000);
	send(CLIENT, seq(0xffffffce), ack(5000), bytes(100), at_ms(1));
	send(SERVER, seq(5000), ack(50), at_ms(2));
	assert_int_equal(server->ack, 50);
}

static void an_ack_far_from_anything_sent_says_nothing(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1200 + 0x50000000u), at_ms(3));
	assert_int_equal(server->ack, 1100);
}

static void an_ack_follows_a_stream_that_moved_back(void **state)
{
	const __u32 moved = 1200 - 0x50000000u; /* out of reach, and before what was acknowledged */
	int i;

	(void)state;
	half_acknowledged();
	for (i = 0; i < 4; i++)
		send(CLIENT, seq(moved), ack(5000), bytes(100), at_ms(10 + i));
	send(SERVER, seq(5000), ack(moved + 100), at_ms(20));
	assert_int_equal(server->ack, moved + 100);
}

static void the_number_without_the_ack_flag_is_no_ack(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1200), flags(TCP_PSH), at_ms(3));
	assert_int_equal(server->ack, 1100);
}

static void a_reset_acknowledges_nothing(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1200), flags(RST_ACK), at_ms(3));
	assert_int_equal(server->ack, 1100);
}

/* ------------------------------------------------------- duplicate ACKs (RFC 5681, 2) */

static void the_same_ack_with_data_outstanding_is_a_duplicate(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1100), at_ms(3));
	assert_int_equal(server->dup_acks, 1);
}

static void a_first_ack_is_no_duplicate(void **state)
{
	(void)state;
	half_acknowledged();
	assert_int_equal(server->dup_acks, 0);
}

static void with_nothing_outstanding_no_ack_is_a_duplicate(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1200), at_ms(3));
	send(SERVER, seq(5000), ack(1200), at_ms(4));
	assert_int_equal(server->dup_acks, 0);
}

static void a_changed_window_makes_an_update_not_a_duplicate(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1100), window(2000), at_ms(3));
	assert_int_equal(server->dup_acks, 0);
}

static void data_makes_no_duplicate(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1100), bytes(10), at_ms(3));
	assert_int_equal(server->dup_acks, 0);
}

static void a_fin_makes_no_duplicate(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1100), flags(FIN_ACK), at_ms(3));
	assert_int_equal(server->dup_acks, 0);
}

static void an_older_ack_is_no_duplicate(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1050), at_ms(3));
	assert_int_equal(server->dup_acks, 0);
}

/* ------------------------------------------------------------------ SACK */

static void sack_blocks_are_counted(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1100), two_sacks(1150, 1160, 1180, 1200), at_ms(3));
	assert_int_equal(server_rare->sacks, 2);
	assert_int_equal(server_rare->dsacks, 0);
}

static void a_first_block_below_the_ack_is_a_dsack(void **state)
{
	(void)state; /* RFC 2883, 4 */
	half_acknowledged();
	send(SERVER, seq(5000), ack(1100), sack(1000, 1100), at_ms(3));
	assert_int_equal(server_rare->dsacks, 1);
}

static void a_first_block_inside_the_second_is_a_dsack(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1100), two_sacks(1150, 1160, 1140, 1200), at_ms(3));
	assert_int_equal(server_rare->dsacks, 1);
}

static void blocks_beside_each_other_are_no_dsack(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1100), two_sacks(1150, 1160, 1160, 1200), at_ms(3));
	assert_int_equal(server_rare->dsacks, 0);
}

static void a_dsack_across_zero_is_one(void **state)
{
	(void)state;
	connect_with(0xffffffce, 5000);
	send(CLIENT, seq(0xffffffce), ack(5000), bytes(100), at_ms(1));
	send(SERVER, seq(5000), ack(50), sack(0xffffffce, 50), at_ms(2));
	assert_int_equal(server_rare->dsacks, 1);
}

static void an_empty_block_is_no_dsack(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1100), sack(1050, 1050), at_ms(3));
	assert_int_equal(server_rare->sacks, 1);
	assert_int_equal(server_rare->dsacks, 0);
}

static void a_block_the_wrong_way_round_is_none(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1100), sack(1090, 1010), at_ms(3));
	assert_int_equal(server_rare->dsacks, 0);
	send(SERVER, seq(5000), ack(1100), sack(1200, 1150), at_ms(4));
	assert_false(server->bits & SIDE_SACK);
}

/* A firewall moved the numbers and left those in the option as they were. */
static void a_block_out_of_reach_is_no_dsack(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1100), sack(1099 - SEQ_WINDOW_MAX, 1100 - SEQ_WINDOW_MAX), at_ms(3));
	assert_int_equal(server_rare->dsacks, 0);
	send(SERVER, seq(5000), ack(1100), sack(1100 - SEQ_WINDOW_MAX, 1101 - SEQ_WINDOW_MAX), at_ms(4));
	assert_int_equal(server_rare->dsacks, 1);
}

/* ------------------------------------------------------------------ zero windows */

static void a_closed_window_is_an_episode_until_it_opens(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1200), window(0), at_ms(10));
	send(SERVER, seq(5000), ack(1200), window(500), at_ms(35));
	assert_int_equal(server_rare->zero_windows, 1);
	assert_int_equal(server_rare->zero_window_ns, 25 * MS);
}

static void a_closed_window_repeated_is_the_same_episode(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1200), window(0), at_ms(10));
	send(SERVER, seq(5000), ack(1200), window(0), at_ms(20));
	send(SERVER, seq(5000), ack(1200), window(500), at_ms(35));
	assert_int_equal(server_rare->zero_windows, 1);
	assert_int_equal(server_rare->zero_window_ns, 25 * MS);
}

static void episodes_add_up(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1200), window(0), at_ms(10));
	send(SERVER, seq(5000), ack(1200), window(500), at_ms(20));
	send(SERVER, seq(5000), ack(1200), window(0), at_ms(30));
	send(SERVER, seq(5000), ack(1200), window(500), at_ms(35));
	assert_int_equal(server_rare->zero_windows, 2);
	assert_int_equal(server_rare->zero_window_ns, 15 * MS);
}

static void each_needless_range_counts(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(300));
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(301));
	send(SERVER, seq(5000), ack(1200), sack(1000, 1100), at_ms(302));
	send(SERVER, seq(5000), ack(1200), sack(1100, 1200), at_ms(303));
	assert_int_equal(server_rare->dsacks, 2);
	assert_int_equal(server_rare->dsack_spurious, 2);
}

static void a_window_that_opens_before_it_closed_was_not_closed(void **state)
{
	(void)state; /* captured in the wrong order */
	half_acknowledged();
	send(SERVER, seq(5000), ack(1200), window(0), at_ms(10));
	send(SERVER, seq(5000), ack(1200), window(500), at_ms(5));
	assert_int_equal(server_rare->zero_windows, 1);
	assert_int_equal(server_rare->zero_window_ns, 0);
}

static void a_sack_of_what_was_never_sent_asks_for_nothing(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1100), sack(1150, 1201), at_ms(3));
	assert_false(server->bits & SIDE_SACK);
	send(SERVER, seq(5000), ack(1100), sack(1150, 1200), at_ms(4));
	assert_int_equal(server->sack_high, 1200);
}

/* Two gigabytes later the number would lie ahead again. */
static void what_was_sacked_is_forgotten_when_it_is_acknowledged(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1100), sack(1150, 1200), at_ms(3));
	assert_true(server->bits & SIDE_SACK);
	send(SERVER, seq(5000), ack(1200), at_ms(4));
	assert_false(server->bits & SIDE_SACK);
}

static void the_window_of_an_older_ack_is_ignored(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1050), window(0), at_ms(10));
	assert_int_equal(server_rare->zero_windows, 0);
}

/* ------------------------------------------------------------------ window full */

/* The server takes 1000 octets from 1100 on. */
static void octets_up_to_the_edge_of_the_window_fill_it(void **state)
{
	(void)state;
	half_acknowledged();
	send(CLIENT, seq(1200), ack(5000), bytes(899), at_ms(3));
	assert_int_equal(client_rare->window_full, 0);
	send(CLIENT, seq(2099), ack(5000), bytes(1), at_ms(3));
	assert_int_equal(client_rare->window_full, 1);
	assert_int_equal(server_rare->window_full, 0);
}

static void an_ack_at_the_edge_fills_no_window(void **state)
{
	(void)state;
	half_acknowledged();
	send(CLIENT, seq(1200), ack(5000), bytes(900), at_ms(3));
	send(CLIENT, seq(2100), ack(5000), at_ms(4));
	assert_int_equal(client_rare->window_full, 1);
}

static void connect_scaled(int both)
{
	send(CLIENT, seq(999), flags(TCP_SYN), .has_wscale = (__u8)both, .wscale = 7, at_us(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), wscale(2), at_us(20));
	send(CLIENT, seq(1000), ack(5000), at_us(30));
	send(SERVER, seq(5000), ack(1000), window(100), at_us(40));
}

/* 100 of four octets each; the client's own scale is of no account. */
static void the_window_is_scaled_when_both_ends_agreed(void **state)
{
	(void)state;
	connect_scaled(1);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(client_rare->window_full, 0);
	send(CLIENT, seq(1100), ack(5000), bytes(300), at_ms(1));
	assert_int_equal(client_rare->window_full, 1);
}

static void a_scale_that_only_one_end_offers_is_none(void **state)
{
	(void)state; /* RFC 7323, 2.2 */
	connect_scaled(0);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(client_rare->window_full, 1);
}

static void a_fin_closes_no_window(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1200), flags(FIN_ACK), window(0), at_ms(3));
	assert_int_equal(server_rare->zero_windows, 0);
}

static void a_fin_without_a_window_opens_none(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1200), window(0), at_ms(10));
	send(SERVER, seq(5000), ack(1200), flags(FIN_ACK), window(0), at_ms(20));
	send(SERVER, seq(5001), ack(1200), window(0), at_ms(30));
	send(SERVER, seq(5001), ack(1200), window(500), at_ms(35));
	assert_int_equal(server_rare->zero_windows, 1);
	assert_int_equal(server_rare->zero_window_ns, 25 * MS);
}

static void a_reset_closes_no_window(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000), ack(1100), flags(RST_ACK), window(0), at_ms(10));
	assert_int_equal(server_rare->zero_windows, 0);
}

static void a_syn_says_nothing_about_the_scaled_window(void **state)
{
	(void)state; /* RFC 7323, 2.2; data may follow at once */
	send(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), window(0), at_us(20));
	assert_int_equal(server_rare->zero_windows, 0);
	assert_false(server->bits & SIDE_WINDOW);
}

static void a_suspect_segment_changes_no_ack_and_no_window(void **state)
{
	(void)state;
	half_acknowledged();
	send(SERVER, seq(5000 + 0x80000000u), ack(1200), window(0), at_ms(10));
	assert_int_equal(server->ack, 1100);
	assert_int_equal(server_rare->zero_windows, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		core_test(the_highest_ack_is_kept),
		core_test(an_older_ack_takes_nothing_back),
		core_test(acks_advance_across_zero),
		core_test(an_ack_far_from_anything_sent_says_nothing),
		core_test(an_ack_follows_a_stream_that_moved_back),
		core_test(the_number_without_the_ack_flag_is_no_ack),
		core_test(a_reset_acknowledges_nothing),
		core_test(the_same_ack_with_data_outstanding_is_a_duplicate),
		core_test(a_first_ack_is_no_duplicate),
		core_test(with_nothing_outstanding_no_ack_is_a_duplicate),
		core_test(a_changed_window_makes_an_update_not_a_duplicate),
		core_test(data_makes_no_duplicate),
		core_test(a_fin_makes_no_duplicate),
		core_test(an_older_ack_is_no_duplicate),
		core_test(sack_blocks_are_counted),
		core_test(a_first_block_below_the_ack_is_a_dsack),
		core_test(a_first_block_inside_the_second_is_a_dsack),
		core_test(blocks_beside_each_other_are_no_dsack),
		core_test(a_dsack_across_zero_is_one),
		core_test(an_empty_block_is_no_dsack),
		core_test(a_block_the_wrong_way_round_is_none),
		core_test(a_block_out_of_reach_is_no_dsack),
		core_test(a_closed_window_is_an_episode_until_it_opens),
		core_test(a_closed_window_repeated_is_the_same_episode),
		core_test(episodes_add_up),
		core_test(each_needless_range_counts),
		core_test(a_window_that_opens_before_it_closed_was_not_closed),
		core_test(a_sack_of_what_was_never_sent_asks_for_nothing),
		core_test(what_was_sacked_is_forgotten_when_it_is_acknowledged),
		core_test(the_window_of_an_older_ack_is_ignored),
		core_test(octets_up_to_the_edge_of_the_window_fill_it),
		core_test(an_ack_at_the_edge_fills_no_window),
		core_test(the_window_is_scaled_when_both_ends_agreed),
		core_test(a_scale_that_only_one_end_offers_is_none),
		core_test(a_fin_closes_no_window),
		core_test(a_fin_without_a_window_opens_none),
		core_test(a_reset_closes_no_window),
		core_test(a_syn_says_nothing_about_the_scaled_window),
		core_test(a_suspect_segment_changes_no_ack_and_no_window),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
