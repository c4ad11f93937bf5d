/* SPDX-License-Identifier: GPL-2.0-only */
/* What few flows own in the hall: rare counts and lists of holes, and where there is no room for them. */
#include "hall.h"

/* ------------------------------------------------------------------ what is rare */

static void an_orderly_flow_owns_no_rare_counts(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(SERVER, .client_port = 1, seq(5000), ack(1100), bytes(100), at_ms(2));
	pass(CLIENT, .client_port = 1, seq(1100), ack(5100), flags(FIN_ACK), at_ms(3));
	assert_int_equal(rare_room, ROOM_MAX);
}

/* Kept in the first room, entered with the flow, added to in the table, and gone with its record. */
static void rare_counts_go_with_their_flow(void **state)
{
	(void)state;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_ms(0));
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_ms(1000));
	pass(SERVER, .client_port = 1, seq(4999), ack(1000), flags(SYN_ACK), at_ms(1100));
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), at_ms(1101));
	assert_true(in_room(proven, 1)->has_rare[CLIENT]);
	assert_false(in_room(proven, 1)->has_rare[SERVER]);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1102));
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1500));
	assert_int_equal(in_room(proven, 1)->rares[CLIENT].retransmitted_segments, 2);
	pass(CLIENT, .client_port = 1, seq(999999), flags(TCP_SYN), at_s(200));
	assert_int_equal(posted[0].rare[CLIENT].retransmitted_segments, 2);
	assert_int_equal(posted[0].rare[CLIENT].syn_retrans, 1);
	assert_int_equal(rare_room, ROOM_MAX);
}

static void rare_counts_without_room_are_counted_and_the_flow_says_so(void **state)
{
	(void)state;
	rare_room = 0;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(300));
	assert_int_equal(counters[COUNTER_rares_refused], 1);
	assert_true(in_room(proven, 1)->flow.side[CLIENT].bits & SIDE_RARE_REFUSED);
	assert_false(in_room(proven, 1)->flow.side[CLIENT].bits & SIDE_RARE);
}

static void rare_counts_that_find_no_room_as_the_flow_enters_are_counted_too(void **state)
{
	(void)state;
	rare_room = 0;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_ms(0));
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_ms(1000));
	pass(SERVER, .client_port = 1, seq(4999), ack(1000), flags(SYN_ACK), at_ms(1100));
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), at_ms(1101));
	assert_int_equal(counters[COUNTER_rares_refused], 1);
	assert_true(in_room(proven, 1)->flow.side[CLIENT].bits & SIDE_RARE_REFUSED);
	assert_false(in_room(proven, 1)->flow.side[CLIENT].bits & SIDE_RARE);
}

static void a_probe_that_was_not_counted_is_not_taken_back(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(SERVER, .client_port = 1, seq(5000), ack(1000), window(0), at_ms(1));
	rare_room = 0;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(1), at_ms(300));
	assert_int_equal(counters[COUNTER_rares_refused], 1);
	rare_room = ROOM_MAX;
	pass(SERVER, .client_port = 1, seq(5000), ack(1001), window(1000), at_ms(301));
	pass(CLIENT, .client_port = 1, seq(1001), ack(5000), bytes(99), at_ms(302));
	assert_int_equal(in_room(proven, 1)->flow.side[CLIENT].payload_bytes, 100);
	assert_int_equal(in_room(proven, 1)->rares[CLIENT].again_bytes, 0);
}

/* ------------------------------------------------------------------ holes */

static void an_orderly_flow_owns_no_hole_list(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(1100), ack(5000), bytes(100), at_ms(2));
	assert_int_equal(holes_room, ROOM_MAX);
}

static void a_hole_opens_a_list_for_its_direction_only(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1100), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(1300), ack(5000), bytes(100), at_ms(2));
	assert_true(in_room(proven, 1)->has_holes[CLIENT]);
	assert_false(in_room(proven, 1)->has_holes[SERVER]);
	assert_int_equal(holes_room, ROOM_MAX - 1);
}

static void a_hole_list_without_room_is_counted_and_the_flow_says_so(void **state)
{
	(void)state;
	holes_room = 0;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1100), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(counters[COUNTER_holes_refused], 1);
	assert_int_equal(in_room(proven, 1)->rares[CLIENT].holes_dropped, 1);
	assert_int_equal(counters[FRAMES_TRACKED], 4);
}

static void the_hole_list_goes_with_its_flow(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1100), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(200));
	assert_int_equal(holes_room, ROOM_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hall_test(an_orderly_flow_owns_no_rare_counts),
		hall_test(rare_counts_go_with_their_flow),
		hall_test(rare_counts_without_room_are_counted_and_the_flow_says_so),
		hall_test(rare_counts_that_find_no_room_as_the_flow_enters_are_counted_too),
		hall_test(a_probe_that_was_not_counted_is_not_taken_back),
		hall_test(an_orderly_flow_owns_no_hole_list),
		hall_test(a_hole_opens_a_list_for_its_direction_only),
		hall_test(a_hole_list_without_room_is_counted_and_the_flow_says_so),
		hall_test(the_hole_list_goes_with_its_flow),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("monitor_rare", tests, NULL, NULL);
}
