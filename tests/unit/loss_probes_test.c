/* SPDX-License-Identifier: GPL-2.0-only */
/* Keepalives and window probes are no repeats, and what they carry is seen once it is acknowledged. */
#include "lossy.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("loss_probes", tests, NULL, NULL);
}
