/* SPDX-License-Identifier: GPL-2.0-only */
/* Every segment gets one class; holes open, fill, split and give way; all of it across zero too. */
#include "core.h"

/* Whatever the evidence says of when it was sent. */
static int fills_hole(int class)
{
	return class == SEGMENT_RECOVERED || class == SEGMENT_REORDERED ||
	       class == SEGMENT_UNRESOLVED;
}

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

/* ------------------------------------------------------------------ holes */

static void a_jump_ahead_opens_a_hole(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	assert_int_equal(send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(1)), SEGMENT_NEW);
	assert_int_equal(client->holes, 1);
	assert_int_equal(client->next, 1200);
}

static void an_ack_from_ahead_opens_a_hole(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1100), ack(5000), at_ms(1));
	assert_int_equal(client->holes, 1);
	assert_int_equal(client->next, 1100);
}

static void what_fills_a_hole_is_no_retransmission(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(1));
	assert_true(fills_hole(send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(20))));
	assert_int_equal(client_rare->retransmitted_segments, 0);
	assert_int_equal(unique_bytes_of(CLIENT), 200);
	assert_int_equal(client->holes, 0);
}

static void a_hole_is_filled_once(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(20));
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(300)),
			 SEGMENT_RETRANSMITTED);
}

static void a_hole_across_zero_is_filled(void **state)
{
	(void)state;
	connect_with(0xffffffce, 5000);
	send(CLIENT, seq(50), ack(5000), bytes(100), at_ms(1)); /* 100 octets missing around zero */
	assert_int_equal(client->holes, 1);
	assert_true(fills_hole(send(CLIENT, seq(0xffffffce), ack(5000), bytes(100), at_ms(20))));
	assert_int_equal(client->holes, 0);
	assert_int_equal(unique_bytes_of(CLIENT), 200);
}

static void the_start_of_a_hole_leaves_its_end_open(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1300), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(20));
	assert_int_equal(client->holes, 1);
	assert_true(fills_hole(send(CLIENT, seq(1100), ack(5000), bytes(200), at_ms(20))));
	assert_int_equal(client->holes, 0);
}

static void the_middle_of_a_hole_leaves_two(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1300), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(20));
	assert_int_equal(client->holes, 2);
	assert_true(fills_hole(send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(21))));
	assert_true(fills_hole(send(CLIENT, seq(1200), ack(5000), bytes(100), at_ms(22))));
	assert_int_equal(client->holes, 0);
}

static void both_halves_remember_when_the_hole_opened(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1300), ack(5000), bytes(100), ts(7, 0), at_ms(1));
	send(CLIENT, seq(1100), ack(5000), bytes(100), ts(8, 0), at_ms(20));
	assert_int_equal(holes[CLIENT].slot[0].opened_ns, 1 * MS);
	assert_int_equal(holes[CLIENT].slot[1].opened_ns, 1 * MS);
	assert_int_equal(holes[CLIENT].slot[1].tsval, 7);
}

static void one_segment_fills_several_holes(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(1300), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(client->holes, 2);
	send(CLIENT, seq(1000), ack(5000), bytes(400), at_ms(20));
	assert_int_equal(client->holes, 0);
	assert_int_equal(unique_bytes_of(CLIENT), 400);
}

static void a_segment_over_a_hole_and_seen_octets_is_a_retransmission(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), bytes(200), at_ms(300)),
			 SEGMENT_RETRANSMITTED);
	assert_int_equal(client_rare->retransmitted_bytes, 100);
	assert_int_equal(unique_bytes_of(CLIENT), 200);
}

static void open_holes(unsigned int count)
{
	unsigned int i;

	/* Every other range of 100 octets is missing, the first one at 1000. */
	for (i = 0; i < count; i++)
		send(CLIENT, seq(1100 + 200 * i), ack(5000), bytes(100), at_ms(10 + i));
}

static void sixty_four_holes_are_kept(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	open_holes(64);
	assert_int_equal(client->holes, 64);
	assert_int_equal(holes_dropped_of(CLIENT), 0);
	assert_true(fills_hole(send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(300))));
}

static void the_65th_hole_gives_up_the_oldest(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	open_holes(65);
	assert_int_equal(client->holes, 64);
	assert_int_equal(holes_dropped_of(CLIENT), 1);
	assert_true(fills_hole(send(CLIENT, seq(1200), ack(5000), bytes(100), at_ms(300))));
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(300)),
			 SEGMENT_RETRANSMITTED);
}

static void an_acknowledged_hole_that_is_given_up_was_a_gap(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	open_holes(1);
	send(SERVER, seq(5000), ack(1200), at_ms(11));
	open_holes(65);
	assert_int_equal(holes_dropped_of(CLIENT), 0);
	assert_int_equal(settled_gap_bytes_of(CLIENT), 100);
}

static void the_65th_hole_of_one_sided_traffic_is_no_gap(void **state)
{
	__u32 i;

	(void)state; /* nobody acknowledged anything, and 0xf0000000 lies before 0 */
	for (i = 0; i < 66; i++)
		send(CLIENT, seq(0xf0000000u + 200 * i), ack(5000), bytes(100), at_ms(1 + i));
	assert_int_equal(settled_gap_bytes_of(CLIENT), 0);
	assert_int_equal(holes_dropped_of(CLIENT), 1);
}

static void without_room_for_a_list_the_hole_is_dropped_and_counted(void **state)
{
	struct segment ahead = a_segment(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(1));
	struct packet pkt = segment_packet(&ahead);

	(void)state;
	connect_with(1000, 5000);
	track_segment(&flow, &pkt, NULL, NULL);
	note_rare(client_rare, &pkt);
	assert_int_equal(holes_dropped_of(CLIENT), 1);
	assert_int_equal(client->holes, 0);
	assert_int_equal(client->next, 1200);
}

static void acknowledged_octets_never_seen_are_a_gap(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	open_holes(1);
	assert_int_equal(gap_bytes_of(CLIENT), 0);
	send(SERVER, seq(5000), ack(1200), at_ms(11));
	assert_int_equal(gap_bytes_of(CLIENT), 100);
}

static void a_gap_counts_only_its_acknowledged_part(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	open_holes(1);
	send(SERVER, seq(5000), ack(1030), at_ms(11));
	assert_int_equal(gap_bytes_of(CLIENT), 30);
}

static void a_gap_is_still_one_two_gigabytes_later(void **state)
{
	__u32 at = 1200;
	int i;

	(void)state;
	connect_with(1000, 5000);
	open_holes(1);
	send(SERVER, seq(5000), ack(1200), at_ms(11));
	for (i = 0; i < 4; i++) { /* 2 GiB in four jumps of 512 MiB */
		send(CLIENT, seq(at), ack(5000), bytes(1u << 29), at_s(1 + i));
		at += 1u << 29;
		send(SERVER, seq(5000), ack(at), at_s(1 + i));
	}
	assert_int_equal(gap_bytes_of(CLIENT), 100);
}

static void an_old_hole_is_not_filled_by_the_next_lap(void **state)
{
	__u32 at = 1200;
	int i;

	(void)state;
	connect_with(1000, 5000);
	/* [1000, 1100) stays open. */
	open_holes(1);
	for (i = 0; i < 8; i++) { /* 4 GiB: once around, to 1200 again */
		send(CLIENT, seq(at), ack(5000), bytes(1u << 29), at_s(1 + i));
		at += 1u << 29;
		send(SERVER, seq(5000), ack(at), at_s(1 + i));
	}
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), bytes(100), at_s(20)),
			 SEGMENT_RETRANSMITTED);
}

static void a_repair_is_over_when_numbers_come_round(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	client->bits |= SIDE_REPAIR;
	holes_forget_old(&holes[CLIENT], client, 1000);
	assert_false(client->bits & SIDE_REPAIR);
}

static void an_empty_place_in_the_list_holds_nothing_half_a_lap_later(void **state)
{
	const __u32 last = 1500 + 0x80000000u - 50; /* around half a lap behind 1500 */
	__u32 missing[6] = {1000, 1200}, at = 1600;
	int i;

	(void)state;
	connect_with(1000, 5000);
	open_holes(3);
	send(CLIENT, seq(1400), ack(5000), bytes(100), at_ms(20)); /* empties the third place */
	for (i = 0; i < 3; i++) { /* the first two are used by turns, 512 MiB apart */
		send(CLIENT, seq(missing[i]), ack(5000), bytes(100), at_s(1 + i));
		missing[i + 2] = at;
		send(CLIENT, seq(at + 100), ack(5000), bytes((1u << 29) - 100), at_s(1 + i));
		at += 1u << 29;
	}
	send(CLIENT, seq(missing[3]), ack(5000), bytes(100), at_s(5));
	send(CLIENT, seq(at), ack(5000), bytes(last - at), at_s(5));
	send(CLIENT, seq(last + 100), ack(5000), bytes(100), at_s(6));
	assert_int_equal(client->holes, 2);
	assert_true(fills_hole(send(CLIENT, seq(last), ack(5000), bytes(100), at_s(7))));
	assert_int_equal(client->holes, 1);
	assert_int_equal(client_rare->retransmitted_segments, 0);
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

/* ------------------------------------------------------- keepalives and window probes */

static void an_empty_segment_below_next_is_a_keepalive(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	send(SERVER, seq(5000), ack(1100), at_ms(2));
	assert_int_equal(send(CLIENT, seq(1099), ack(5000), at_s(60)), SEGMENT_KEEPALIVE);
	assert_int_equal(client_rare->keepalives, 1);
	assert_int_equal(client_rare->retransmitted_segments, 0);
}

static void a_keepalive_may_send_the_last_octet_again(void **state)
{
	(void)state; /* RFC 9293, 3.8.4: one garbage octet */
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	send(SERVER, seq(5000), ack(1100), at_ms(2));
	assert_int_equal(send(CLIENT, seq(1099), ack(5000), bytes(1), at_s(60)), SEGMENT_KEEPALIVE);
	assert_int_equal(client_rare->retransmitted_segments, 0);
	assert_int_equal(unique_bytes_of(CLIENT), 100);
}

static void the_last_octet_unacknowledged_is_a_retransmission(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(1), at_ms(1));
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), bytes(1), at_ms(300)),
			 SEGMENT_RETRANSMITTED);
	assert_int_equal(client_rare->keepalives, 0);
}

static void a_keepalive_works_at_zero(void **state)
{
	(void)state;
	connect_with(0xffffff9c, 5000);
	send(CLIENT, seq(0xffffff9c), ack(5000), bytes(100), at_ms(1)); /* next is 0 */
	send(SERVER, seq(5000), ack(0), at_ms(2));
	assert_int_equal(send(CLIENT, seq(0xffffffff), ack(5000), at_s(60)), SEGMENT_KEEPALIVE);
}

static void a_keepalive_before_any_data_is_one(void **state)
{
	(void)state; /* its octet lies on the SYN's */
	connect_with(1000, 5000);
	assert_int_equal(send(CLIENT, seq(999), ack(5000), bytes(1), at_s(60)), SEGMENT_KEEPALIVE);
	assert_int_equal(client_rare->retransmitted_segments, 0);
}

/* The octet below the first that is not acknowledged, while later ones are under way. */
static void a_keepalive_may_lie_below_what_is_not_acknowledged(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(1));
	send(SERVER, seq(5000), ack(1100), at_ms(2));
	assert_int_equal(send(CLIENT, seq(1099), ack(5000), at_s(60)), SEGMENT_KEEPALIVE);
	assert_int_equal(send(CLIENT, seq(1098), ack(5000), at_s(61)), SEGMENT_PLAIN);
}

static void behind_a_fin_nothing_is_kept_alive(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), flags(FIN_ACK), at_ms(1));
	assert_int_equal(send(CLIENT, seq(1000), ack(5001), at_ms(2)), SEGMENT_PLAIN);
	assert_int_equal(client_rare->keepalives, 0);
}

static void a_fin_below_next_is_no_keepalive(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), flags(FIN_ACK), at_ms(1));
	send(SERVER, seq(5000), ack(1001), at_ms(2));
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), flags(FIN_ACK), at_ms(300)),
			 SEGMENT_RETRANSMITTED);
}

static void fill_the_window(void)
{
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	send(SERVER, seq(5000), ack(1100), window(0), at_ms(2));
}

static void an_empty_segment_against_a_closed_window_is_a_window_probe(void **state)
{
	(void)state;
	fill_the_window();
	assert_int_equal(send(CLIENT, seq(1099), ack(5000), at_ms(300)), SEGMENT_WINDOW_PROBE);
	assert_int_equal(client_rare->window_probes, 1);
	assert_int_equal(client_rare->keepalives, 0);
}

static void one_new_octet_against_a_closed_window_is_a_window_probe(void **state)
{
	(void)state;
	fill_the_window();
	assert_int_equal(send(CLIENT, seq(1100), ack(5000), bytes(1), at_ms(300)),
			 SEGMENT_WINDOW_PROBE);
	assert_int_equal(unique_bytes_of(CLIENT), 100);
}

static void the_same_probe_again_is_another_probe(void **state)
{
	(void)state;
	fill_the_window();
	send(CLIENT, seq(1100), ack(5000), bytes(1), at_ms(300));
	assert_int_equal(send(CLIENT, seq(1100), ack(5000), bytes(1), at_ms(900)),
			 SEGMENT_WINDOW_PROBE);
	assert_int_equal(client_rare->window_probes, 2);
	assert_int_equal(client_rare->retransmitted_segments, 0);
}

static void the_octet_of_an_acknowledged_probe_was_seen(void **state)
{
	(void)state;
	fill_the_window();
	send(CLIENT, seq(1100), ack(5000), bytes(1), at_ms(300));
	send(SERVER, seq(5000), ack(1101), window(1000), at_ms(301));
	assert_int_equal(send(CLIENT, seq(1101), ack(5000), bytes(99), at_ms(302)), SEGMENT_NEW);
	assert_int_equal(unique_bytes_of(CLIENT), 200);
	assert_int_equal(client->holes, 0);
}

static void the_octet_of_a_probe_passed_by_was_seen(void **state)
{
	(void)state;
	fill_the_window();
	send(CLIENT, seq(1100), ack(5000), bytes(1), at_ms(300));
	send(SERVER, seq(5000), ack(1100), window(1000), at_ms(301));
	send(CLIENT, seq(1101), ack(5000), bytes(99), at_ms(302));
	assert_int_equal(unique_bytes_of(CLIENT), 200);
	assert_int_equal(client->holes, 0);
}

static void the_octet_of_a_rejected_probe_is_new_when_it_comes_with_data(void **state)
{
	(void)state;
	fill_the_window();
	send(CLIENT, seq(1100), ack(5000), bytes(1), at_ms(300));
	send(SERVER, seq(5000), ack(1100), window(1000), at_ms(301));
	assert_int_equal(send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(302)), SEGMENT_NEW);
	assert_int_equal(client_rare->retransmitted_segments, 0);
	assert_int_equal(unique_bytes_of(CLIENT), 200);
}

static void a_probe_that_came_with_data_is_settled(void **state)
{
	(void)state;
	fill_the_window();
	send(CLIENT, seq(1100), ack(5000), bytes(1), at_ms(300));
	send(SERVER, seq(5000), ack(1100), window(1000), at_ms(301));
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(302));
	send(CLIENT, seq(1300), ack(5000), bytes(100), at_ms(303)); /* [1200, 1300) is missing */
	assert_int_equal(unique_bytes_of(CLIENT), 300);
	assert_true(fills_hole(send(CLIENT, seq(1200), ack(5000), bytes(100), at_ms(304))));
	assert_int_equal(client_rare->retransmitted_segments, 0);
}

/* ------------------------------------------------------------------ hurtful numbers */

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
		core_test(a_jump_ahead_opens_a_hole),
		core_test(an_ack_from_ahead_opens_a_hole),
		core_test(what_fills_a_hole_is_no_retransmission),
		core_test(a_hole_is_filled_once),
		core_test(a_hole_across_zero_is_filled),
		core_test(the_start_of_a_hole_leaves_its_end_open),
		core_test(the_middle_of_a_hole_leaves_two),
		core_test(both_halves_remember_when_the_hole_opened),
		core_test(one_segment_fills_several_holes),
		core_test(a_segment_over_a_hole_and_seen_octets_is_a_retransmission),
		core_test(sixty_four_holes_are_kept),
		core_test(the_65th_hole_gives_up_the_oldest),
		core_test(an_acknowledged_hole_that_is_given_up_was_a_gap),
		core_test(the_65th_hole_of_one_sided_traffic_is_no_gap),
		core_test(without_room_for_a_list_the_hole_is_dropped_and_counted),
		core_test(acknowledged_octets_never_seen_are_a_gap),
		core_test(a_gap_counts_only_its_acknowledged_part),
		core_test(a_gap_is_still_one_two_gigabytes_later),
		core_test(an_old_hole_is_not_filled_by_the_next_lap),
		core_test(a_repair_is_over_when_numbers_come_round),
		core_test(an_empty_place_in_the_list_holds_nothing_half_a_lap_later),
		core_test(octets_from_before_the_first_look_were_not_seen),
		core_test(between_the_first_look_and_what_came_before_it_lies_a_hole),
		core_test(what_lies_before_the_first_look_is_no_gap),
		core_test(octets_from_before_the_first_look_are_seen_once),
		core_test(acks_far_ahead_leave_no_floor_behind),
		core_test(an_empty_segment_below_next_is_a_keepalive),
		core_test(a_keepalive_may_send_the_last_octet_again),
		core_test(the_last_octet_unacknowledged_is_a_retransmission),
		core_test(a_keepalive_works_at_zero),
		core_test(a_keepalive_before_any_data_is_one),
		core_test(a_keepalive_may_lie_below_what_is_not_acknowledged),
		core_test(behind_a_fin_nothing_is_kept_alive),
		core_test(a_fin_below_next_is_no_keepalive),
		core_test(an_empty_segment_against_a_closed_window_is_a_window_probe),
		core_test(one_new_octet_against_a_closed_window_is_a_window_probe),
		core_test(the_same_probe_again_is_another_probe),
		core_test(the_octet_of_an_acknowledged_probe_was_seen),
		core_test(the_octet_of_a_probe_passed_by_was_seen),
		core_test(the_octet_of_a_rejected_probe_is_new_when_it_comes_with_data),
		core_test(a_probe_that_came_with_data_is_settled),
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
	return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
