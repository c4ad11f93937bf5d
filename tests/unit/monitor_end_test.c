/* SPDX-License-Identifier: GPL-2.0-only */
/* How flows end in the hall: by FIN, reset, silence, or the next connection on their ports. */
#include "hall.h"

static void the_host_is_told_when_both_ends_have_sent_fin(void **state)
{
	(void)state;
	connect_port(1, 10);
	noted_closed = 0;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), flags(TCP_FIN | TCP_ACK), at_ms(1));
	assert_int_equal(noted_closed, 0);
	pass(SERVER, .client_port = 1, seq(5000), ack(1001), flags(TCP_FIN | TCP_ACK), at_ms(2));
	assert_int_equal(noted_closed, 1);
}

static void the_host_is_told_of_a_reset(void **state)
{
	(void)state;
	connect_port(1, 10);
	noted_closed = 0;
	pass(CLIENT, .client_port = 1, seq(1000), flags(TCP_RST), at_ms(1));
	assert_int_equal(noted_closed, 1);
}

static void another_syn_ends_the_flow_as_reused(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), flags(FIN_ACK), at_ms(1));
	pass(SERVER, .client_port = 1, seq(5000), ack(1001), flags(FIN_ACK), at_ms(2));
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_ms(3));
	assert_int_equal(posted_count, 1);
	assert_int_equal(posted[0].flow.close, CLOSE_REUSED);
	assert_int_equal(counters[COUNTER_flows_ended], 1);
	assert_int_equal(half_open_flow(1)->syn_ns, 3 * MS);
}

/* RFC 5961, 4: the responder answers with a challenge ACK, and nobody has lost a connection. */
static void a_forged_syn_does_not_cut_a_live_flow(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_ms(2));
	pass(SERVER, .client_port = 1, seq(5000), ack(1100), at_ms(3));
	pass(CLIENT, .client_port = 1, seq(1100), ack(5000), bytes(100), at_ms(4));
	assert_int_equal(posted_count, 0);
	assert_int_equal(unique_bytes_in(proven, 1, CLIENT), 200);
	assert_int_equal(in_room(proven, 1)->rares[CLIENT].suspects, 0);
	assert_int_equal(half_open_flow(1)->syn_ns, 2 * MS); /* it has a record of its own */
}

static void its_syn_ack_cuts_a_live_flow(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_ms(2));
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_ms(1002));
	assert_int_equal(posted_count, 0);
	pass(SERVER, .client_port = 1, seq(90000), ack(70001), flags(SYN_ACK), at_ms(1003));
	assert_int_equal(posted_count, 1);
	assert_int_equal(posted[0].flow.close, CLOSE_REUSED);
	pass(CLIENT, .client_port = 1, seq(70001), ack(90001), at_ms(1004));
	assert_int_equal(in_room(proven, 1)->flow.syn_ns, 2 * MS);
	assert_int_equal(in_room(proven, 1)->flow.synack_ns, 1003 * MS);
	assert_int_equal(in_room(proven, 1)->rares[CLIENT].syn_retrans, 1);
	assert_int_equal(in_room(proven, 1)->flow.is_established, 1);
}

static void after_a_minute_of_silence_a_syn_is_believed(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(61));
	assert_int_equal(posted_count, 1);
	assert_int_equal(posted[0].flow.close, CLOSE_REUSED);
}

static void a_frame_after_long_silence_opens_another_flow(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_s(200));
	assert_int_equal(posted_count, 1);
	assert_int_equal(posted[0].flow.close, CLOSE_IDLE);
	assert_int_equal(half_open_flow(1)->role, ROLE_GUESSED);
}

static void a_straggler_of_a_reset_flow_stays_with_it(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(SERVER, .client_port = 1, seq(5000), ack(1000), flags(RST_ACK), at_s(1));
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_s(2));
	assert_int_equal(posted_count, 0);
	assert_int_equal(counters[COUNTER_flows_opened], 1);
}

static void a_half_open_flow_that_ends_is_counted_as_half_open(void **state)
{
	(void)state;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_s(1));
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(2));
	assert_int_equal(counters[COUNTER_half_open_ended], 1);
	assert_int_equal(counters[COUNTER_flows_ended], 0);
	assert_int_equal(posted[0].flow.close, CLOSE_REUSED);
}

static void what_another_cpu_ends_is_posted_there_alone(void **state)
{
	(void)state;
	connect_port(1, 10);
	was_faster = 1;
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(200));
	assert_int_equal(posted_count, 0);
	assert_int_equal(counters[COUNTER_flows_ended], 0);
}

static void what_another_cpu_ends_in_the_first_room_is_posted_there_alone(void **state)
{
	(void)state;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_s(1));
	was_faster = 1;
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(2));
	assert_int_equal(posted_count, 0);
	assert_int_equal(counters[COUNTER_half_open_ended], 0);
}

static void mail_that_found_no_room_is_counted(void **state)
{
	(void)state;
	mail_is_full = 1;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(200));
	assert_int_equal(counters[COUNTER_events_lost], 1);
	assert_int_equal(counters[COUNTER_flows_opened], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hall_test(the_host_is_told_when_both_ends_have_sent_fin),
		hall_test(the_host_is_told_of_a_reset),
		hall_test(another_syn_ends_the_flow_as_reused),
		hall_test(a_forged_syn_does_not_cut_a_live_flow),
		hall_test(its_syn_ack_cuts_a_live_flow),
		hall_test(after_a_minute_of_silence_a_syn_is_believed),
		hall_test(a_frame_after_long_silence_opens_another_flow),
		hall_test(a_straggler_of_a_reset_flow_stays_with_it),
		hall_test(a_half_open_flow_that_ends_is_counted_as_half_open),
		hall_test(what_another_cpu_ends_is_posted_there_alone),
		hall_test(what_another_cpu_ends_in_the_first_room_is_posted_there_alone),
		hall_test(mail_that_found_no_room_is_counted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("monitor_end", tests, NULL, NULL);
}
