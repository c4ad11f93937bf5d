/* SPDX-License-Identifier: GPL-2.0-only */
/* The two rooms of the hall: what enters which, what full rooms do, and two CPUs at once. */
#include "hall.h"

static void a_syn_opens_a_flow_in_the_half_open_room(void **state)
{
	(void)state;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_us(10));
	assert_non_null(in_room(half_open, 1));
	assert_int_equal(counters[COUNTER_flows_opened], 1);
	assert_int_equal(counters[COUNTER_flows_promoted], 0);
}

static void a_completed_handshake_moves_to_the_flow_table(void **state)
{
	(void)state;
	connect_port(1, 10);
	assert_null(in_room(half_open, 1));
	assert_non_null(in_room(proven, 1));
	assert_int_equal(counters[COUNTER_flows_promoted], 1);
}

static void what_was_learned_moves_along(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(in_room(proven, 1)->flow.responder_handshake_ns, 100 * US);
	assert_int_equal(unique_bytes_in(proven, 1, CLIENT), 100);
}

static void a_first_syn_is_entered_without_a_look(void **state)
{
	(void)state;
	pass(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	assert_int_equal(looks, 0);
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(1000));
	assert_int_equal(looks > 0, 1);
	assert_int_equal(counters[COUNTER_flows_opened], 1);
	assert_int_equal(counters[FRAMES_TRACKED], 2);
}

static void a_syn_that_does_not_fit_is_looked_for_first(void **state)
{
	(void)state;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_us(10));
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), two_sacks(1, 2, 5, 6), at_ms(1000));
	assert_null(in_room(half_open, 1));
	assert_non_null(in_room(proven, 1));
	assert_int_equal(counters[COUNTER_flows_opened], 1);
}

static void of_several_interfaces_a_repeated_syn_claims_nothing(void **state)
{
	(void)state;
	config.several = 1;
	pass(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(1000));
	assert_int_equal(claims_asked, 1);
}

static void a_flood_of_syns_never_enters_the_flow_table(void **state)
{
	__u16 port;

	(void)state;
	for (port = 1; port <= 100; port++)
		pass(CLIENT, .client_port = port, seq(999), flags(TCP_SYN), at_us(10));
	assert_int_equal(counters[COUNTER_flows_promoted], 0);
	assert_int_equal(counters[COUNTER_frames_no_room], 100 - ROOM_MAX);
}

static void without_room_a_new_flow_is_counted_and_nothing_else(void **state)
{
	(void)state;
	half_open_room = 0;
	pass(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	assert_int_equal(counters[COUNTER_frames_no_room], 1);
	assert_int_equal(counters[FRAMES_TRACKED], 0);
	assert_int_equal(counters[COUNTER_flows_opened], 0);
}

static void a_full_flow_table_refuses_once_and_shows_the_opening(void **state)
{
	(void)state;
	proven_room = 0;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(counters[COUNTER_flows_refused], 1);
	assert_int_equal(counters[COUNTER_flows_promoted], 0);
	assert_int_equal(posted_count, 1);
	assert_int_equal(posted[0].flow.close, CLOSE_EVICTED);
	assert_int_equal(posted[0].flow.opener_handshake_ns, 50 * US);
}

static void frames_of_a_refused_flow_are_counted_and_open_nothing(void **state)
{
	(void)state;
	proven_room = 0;
	connect_port(1, 10);
	proven_room = 1;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(SERVER, .client_port = 1, seq(5000), ack(1100), bytes(100), at_ms(2));
	assert_int_equal(counters[COUNTER_frames_refused], 2);
	assert_int_equal(counters[FRAMES_TRACKED], 3);
	assert_int_equal(counters[COUNTER_flows_opened], 1);
	assert_null(in_room(proven, 1));
}

static void a_new_syn_may_try_again_where_a_flow_was_refused(void **state)
{
	(void)state;
	proven_room = 0;
	connect_port(1, 10);
	proven_room = 1;
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(1));
	assert_int_equal(counters[COUNTER_flows_opened], 2);
	assert_int_equal(half_open_flow(1)->syn_ns, 1 * S);
}

static void a_refused_flow_that_fell_silent_is_forgotten(void **state)
{
	(void)state;
	proven_room = 0;
	connect_port(1, 10);
	proven_room = 1;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_s(40));
	assert_int_equal(counters[COUNTER_frames_refused], 0);
	assert_int_equal(counters[COUNTER_flows_opened], 2);
}

static void what_does_not_fit_the_first_room_enters_the_second_early(void **state)
{
	(void)state;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), bytes(10), at_us(10));
	pass(SERVER, .client_port = 1, seq(4999), ack(1010), flags(SYN_ACK), at_us(20));
	assert_int_equal(counters[COUNTER_flows_early], 1);
	assert_false(in_room(proven, 1)->flow.proven);
	pass(CLIENT, .client_port = 1, seq(1010), ack(5000), at_us(30));
	assert_true(in_room(proven, 1)->flow.proven);
	assert_int_equal(counters[COUNTER_flows_promoted], 0);
}

static void two_sack_blocks_are_a_flow_at_once(void **state)
{
	(void)state;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), two_sacks(6000, 6100, 7000, 7100),
	     at_us(10));
	assert_int_equal(counters[COUNTER_flows_early], 1);
	assert_int_equal(in_room(proven, 1)->rares[CLIENT].sacks, 2);
}

static void what_fits_neither_room_is_refused_with_its_record(void **state)
{
	(void)state;
	proven_room = 0;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), two_sacks(6000, 6100, 7000, 7100),
	     at_us(10));
	assert_int_equal(counters[COUNTER_flows_refused], 1);
	assert_int_equal(counters[FRAMES_TRACKED], 1);
	assert_int_equal(posted[0].flow.side[CLIENT].frames, 1);
}

/* Opened is what is somewhere now: nothing is counted twice, nothing is lost. */
static void every_opened_flow_is_accounted_for(void **state)
{
	size_t i, present = 0;

	(void)state;
	proven_room = 2;
	connect_port(1, 10);
	connect_port(2, 20);
	connect_port(3, 30);
	pass(CLIENT, .client_port = 4, seq(999), flags(TCP_SYN), at_us(40));
	pass(CLIENT, .client_port = 5, seq(999), flags(TCP_SYN), at_us(40));
	pass(CLIENT, .client_port = 5, seq(70000), flags(TCP_SYN), at_us(50));
	for (i = 0; i < ROOM_MAX; i++)
		present += half_open[i].is_used &&
			   half_open[i].entry.kind != HALF_OPEN_REFUSED;
	assert_int_equal(counters[COUNTER_flows_opened],
			 counters[COUNTER_flows_promoted] + counters[COUNTER_flows_early] +
				 counters[COUNTER_flows_refused] +
				 counters[COUNTER_half_open_ended] + present);
	assert_int_equal(present, 2);
}

static void promote_meanwhile(const struct flow_key *key)
{
	meanwhile = NULL;
	work.flow = (struct flow){.start_ns = 1};
	host_enter_flow(key, &work.flow);
}

/* Its first room is empty already, and a moment ago the second one was. */
static void a_flow_promoted_by_another_cpu_is_found(void **state)
{
	(void)state;
	meanwhile = promote_meanwhile;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_null(in_room(half_open, 1));
	assert_int_equal(in_room(proven, 1)->flow.side[CLIENT].frames, 1);
	assert_int_equal(counters[COUNTER_flows_opened], 0);
}

static void open_meanwhile(const struct flow_key *key)
{
	struct segment syn = a_segment(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	struct packet pkt = segment_packet(&syn);
	struct half_open entry;

	meanwhile = NULL;
	half_open_begin(&entry, &pkt);
	host_enter_half_open(DOOR_CAPTURE, key, &entry);
}

static void a_connection_opened_by_another_cpu_is_found(void **state)
{
	(void)state;
	meanwhile = open_meanwhile;
	pass(SERVER, .client_port = 1, seq(4999), ack(1000), flags(SYN_ACK), at_us(110));
	assert_int_equal(half_open_flow(1)->responder_handshake_ns, 100 * US);
	assert_int_equal(counters[COUNTER_flows_opened], 0);
	assert_int_equal(counters[FRAMES_TRACKED], 1);
}

static void a_full_flow_table_forgets_nobody(void **state)
{
	(void)state;
	proven_room = 1;
	connect_port(1, 10);
	connect_port(2, 20);
	assert_non_null(in_room(proven, 1));
	assert_null(in_room(proven, 2));
	assert_int_equal(counters[COUNTER_flows_refused], 1);
}

static void tuples_do_not_mix(void **state)
{
	(void)state;
	connect_port(1, 10);
	connect_port(2, 20);
	pass(CLIENT, .client_port = 2, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(unique_bytes_in(proven, 1, CLIENT), 0);
	assert_int_equal(unique_bytes_in(proven, 2, CLIENT), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hall_test(a_syn_opens_a_flow_in_the_half_open_room),
		hall_test(a_completed_handshake_moves_to_the_flow_table),
		hall_test(what_was_learned_moves_along),
		hall_test(a_first_syn_is_entered_without_a_look),
		hall_test(a_syn_that_does_not_fit_is_looked_for_first),
		hall_test(of_several_interfaces_a_repeated_syn_claims_nothing),
		hall_test(a_flood_of_syns_never_enters_the_flow_table),
		hall_test(without_room_a_new_flow_is_counted_and_nothing_else),
		hall_test(a_full_flow_table_refuses_once_and_shows_the_opening),
		hall_test(frames_of_a_refused_flow_are_counted_and_open_nothing),
		hall_test(a_new_syn_may_try_again_where_a_flow_was_refused),
		hall_test(a_refused_flow_that_fell_silent_is_forgotten),
		hall_test(what_does_not_fit_the_first_room_enters_the_second_early),
		hall_test(two_sack_blocks_are_a_flow_at_once),
		hall_test(what_fits_neither_room_is_refused_with_its_record),
		hall_test(every_opened_flow_is_accounted_for),
		hall_test(a_flow_promoted_by_another_cpu_is_found),
		hall_test(a_connection_opened_by_another_cpu_is_found),
		hall_test(a_full_flow_table_forgets_nobody),
		hall_test(tuples_do_not_mix),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("monitor_rooms", tests, NULL, NULL);
}
