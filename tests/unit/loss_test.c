/* SPDX-License-Identifier: GPL-2.0-only */
/* What was sent is new or was seen before, to the octet and the segment; also from before the first look. */
#include "lossy.h"

/* ------------------------------------------------------------------ new and seen before */

static void data_in_order_is_new(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1)), SEGMENT_NEW);
	assert_int_equal(send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(2)), SEGMENT_NEW);
	assert_int_equal(client->next, 1200);
	assert_int_equal(unique_bytes_of(CLIENT), 200);
}

static void an_ack_takes_no_sequence_space(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), at_ms(1)), SEGMENT_PLAIN);
	assert_int_equal(client->next, 1000);
}

static void the_same_octets_again_are_retransmitted(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(300)),
			 SEGMENT_RETRANSMITTED);
	assert_int_equal(client_rare->retransmitted_segments, 1);
	assert_int_equal(client_rare->retransmitted_bytes, 100);
	assert_int_equal(unique_bytes_of(CLIENT), 100);
}

static void one_octet_seen_before_makes_a_retransmission(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(send(CLIENT, seq(1099), ack(5000), bytes(51), at_ms(300)),
			 SEGMENT_RETRANSMITTED);
	assert_int_equal(client_rare->retransmitted_bytes, 1);
	assert_int_equal(unique_bytes_of(CLIENT), 150);
	assert_int_equal(client->next, 1150);
}

static void a_retransmission_across_zero_is_one(void **state)
{
	(void)state;
	connect_with(0xffffffce, 5000); /* 50 octets before zero */
	assert_int_equal(send(CLIENT, seq(0xffffffce), ack(5000), bytes(100), at_ms(1)),
			 SEGMENT_NEW);
	assert_int_equal(client->next, 50);
	assert_int_equal(send(CLIENT, seq(0xffffffce), ack(5000), bytes(100), at_ms(300)),
			 SEGMENT_RETRANSMITTED);
	assert_int_equal(client_rare->retransmitted_bytes, 100);
}

static void each_direction_has_its_own_sequence_space(void **state)
{
	(void)state;
	connect_with(1000, 1000);
	send(CLIENT, seq(1000), ack(1000), bytes(100), at_ms(1));
	assert_int_equal(send(SERVER, seq(1000), ack(1100), bytes(100), at_ms(2)), SEGMENT_NEW);
	assert_int_equal(server_rare->retransmitted_segments, 0);
}

static void a_retransmitted_super_segment_counts_its_wire_segments(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(4000), segments(4), at_ms(1));
	send(CLIENT, seq(1000), ack(5000), bytes(3000), segments(3), at_ms(300));
	assert_int_equal(client_rare->retransmitted_segments, 3);
}

/* GRO joins a segment that was sent again and new ones behind it. */
static void a_super_segment_that_is_partly_a_repeat_counts_the_segments_that_are(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(2000), segments(2), at_ms(1));
	assert_int_equal(send(CLIENT, seq(2000), ack(5000), bytes(4000), segments(4), at_ms(300)),
			 SEGMENT_RETRANSMITTED);
	assert_int_equal(client_rare->retransmitted_segments, 1);
	assert_int_equal(client_rare->retransmitted_bytes, 1000);
	assert_int_equal(client_rare->rto, 1);
	assert_int_equal(unique_bytes_of(CLIENT), 5000);
	assert_int_equal(client->segments, 2 + 2 + 4); /* SYN and ACK before */
	/* Two octets over: the segment they are in was sent again, too. */
	send(CLIENT, seq(4998), ack(5000), bytes(3000), segments(3), at_ms(600));
	assert_int_equal(client_rare->retransmitted_segments, 1 + 2);
	assert_int_equal(client_rare->retransmitted_bytes, 1000 + 1002);
}

static void without_the_doors_word_segments_come_from_the_mss(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), mss(1000), at_us(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), mss(1400), at_us(100));
	send(CLIENT, seq(1000), ack(5000), bytes(2001), at_ms(1));
	assert_int_equal(client->segments, 1 + 3);
}

static void the_smaller_mss_of_the_two_counts(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), mss(1460), at_us(50));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), mss(500), at_us(150));
	send(CLIENT, seq(1000), ack(5000), bytes(1001), at_ms(1));
	assert_int_equal(client->segments, 1 + 3);
	send(SERVER, seq(5000), ack(2001), bytes(1000), at_ms(2));
	assert_int_equal(server->segments, 1 + 2);
}

static void timestamps_take_twelve_octets_of_each_segment(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), mss(1012), ts(1, 0), at_us(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), mss(1012), ts(1, 1), at_us(100));
	send(CLIENT, seq(1000), ack(5000), bytes(2001), ts(2, 1), at_ms(1));
	assert_int_equal(client->segments, 1 + 3);
}

static void a_fin_takes_one_octet(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), flags(FIN_ACK), at_ms(1)), SEGMENT_NEW);
	assert_int_equal(client->next, 1001);
	assert_int_equal(unique_bytes_of(CLIENT), 0);
}

static void a_fin_sent_again_is_a_retransmission_without_bytes(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), flags(FIN_ACK), at_ms(1));
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), flags(FIN_ACK), at_ms(300)),
			 SEGMENT_RETRANSMITTED);
	assert_int_equal(client_rare->fin_retrans, 1);
	assert_int_equal(client_rare->retransmitted_bytes, 0);
}

static void a_first_fin_behind_repeated_data_is_no_repeated_fin(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(1000), ack(5000), bytes(100), flags(FIN_ACK), at_ms(300));
	assert_int_equal(client_rare->retransmitted_bytes, 100);
	assert_int_equal(client_rare->fin_retrans, 0);
}

static void the_octet_of_a_syn_is_no_payload(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	send(CLIENT, seq(999), flags(TCP_SYN), bytes(100), at_ms(1000));
	assert_int_equal(client_rare->retransmitted_segments, 1);
	assert_int_equal(client_rare->retransmitted_bytes, 0);
	assert_int_equal(unique_bytes_of(CLIENT), 100);
}

static void a_reset_takes_no_sequence_space(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), flags(RST_ACK), bytes(10), at_ms(1)),
			 SEGMENT_PLAIN);
	assert_int_equal(client->next, 1000);
}

static void the_number_of_a_first_reset_is_not_believed(void **state)
{
	(void)state; /* RFC 9293, 3.10.7.1: it may be zero */
	send(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	send(SERVER, seq(0), ack(1000), flags(RST_ACK), at_us(100));
	assert_false(server->bits & SIDE_SEQ);
}

/* ------------------------------------------------------------------ mid-stream */

static void octets_from_before_the_first_look_were_not_seen(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(900), ack(5000), bytes(100), at_ms(2));
	assert_int_equal(client_rare->retransmitted_segments, 0);
	assert_int_equal(unique_bytes_of(CLIENT), 200);
}

static void between_the_first_look_and_what_came_before_it_lies_a_hole(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(800), ack(5000), bytes(100), at_ms(2));
	assert_int_equal(client->holes, 1);
	send(CLIENT, seq(900), ack(5000), bytes(100), at_ms(3));
	assert_int_equal(client_rare->retransmitted_segments, 0);
	assert_int_equal(client->holes, 0);
}

static void what_lies_before_the_first_look_is_no_gap(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(800), ack(5000), bytes(100), at_ms(2));
	send(CLIENT, seq(1200), ack(5000), bytes(100), at_ms(3));
	send(SERVER, seq(5000), ack(1300), at_ms(4));
	assert_int_equal(client->holes, 2);
	assert_int_equal(gap_bytes_of(CLIENT), 100); /* [1100, 1200), and not [900, 1000) */
}

static void octets_from_before_the_first_look_are_seen_once(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(900), ack(5000), bytes(100), at_ms(2));
	assert_int_equal(send(CLIENT, seq(900), ack(5000), bytes(100), at_ms(300)),
			 SEGMENT_RETRANSMITTED);
}

static void acks_far_ahead_leave_no_floor_behind(void **state)
{
	__u32 at = 1100;
	int i;

	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	for (i = 0; i < 3; i++) {
		at += 1u << 30;
		send(CLIENT, seq(at), ack(5000), at_ms(2 + i));
	}
	/* All of it lies in the last hole, and nowhere else. */
	assert_true(fills_hole(send(CLIENT, seq(at - 100), ack(5000), bytes(100), at_ms(300))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		core_test(data_in_order_is_new),
		core_test(an_ack_takes_no_sequence_space),
		core_test(the_same_octets_again_are_retransmitted),
		core_test(one_octet_seen_before_makes_a_retransmission),
		core_test(a_retransmission_across_zero_is_one),
		core_test(each_direction_has_its_own_sequence_space),
		core_test(a_retransmitted_super_segment_counts_its_wire_segments),
		core_test(a_super_segment_that_is_partly_a_repeat_counts_the_segments_that_are),
		core_test(without_the_doors_word_segments_come_from_the_mss),
		core_test(the_smaller_mss_of_the_two_counts),
		core_test(timestamps_take_twelve_octets_of_each_segment),
		core_test(a_fin_takes_one_octet),
		core_test(a_fin_sent_again_is_a_retransmission_without_bytes),
		core_test(a_first_fin_behind_repeated_data_is_no_repeated_fin),
		core_test(the_octet_of_a_syn_is_no_payload),
		core_test(a_reset_takes_no_sequence_space),
		core_test(the_number_of_a_first_reset_is_not_believed),
		core_test(octets_from_before_the_first_look_were_not_seen),
		core_test(between_the_first_look_and_what_came_before_it_lies_a_hole),
		core_test(what_lies_before_the_first_look_is_no_gap),
		core_test(octets_from_before_the_first_look_are_seen_once),
		core_test(acks_far_ahead_leave_no_floor_behind),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
