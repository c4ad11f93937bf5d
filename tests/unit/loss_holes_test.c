/* SPDX-License-Identifier: GPL-2.0-only */
/* Holes open, fill, split and give way; those that are acknowledged are gaps; all of it across zero too. */
#include "lossy.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("loss_holes", tests, NULL, NULL);
}
