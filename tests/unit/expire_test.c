/* SPDX-License-Identifier: GPL-2.0-only */
/* When a flow is over, and why its last record says it is. */
#include "core.h"

static const struct monitor_config config = {
	.idle_timeout_ns = 100 * S,
	.half_open_timeout_ns = 30 * S,
	.closed_timeout_ns = 5 * S,
};

static int is_over_at_s(__u64 at_s)
{
	return flow_is_over(&flow, &config, at_s * S);
}

/* An established, proven flow that was last heard of at 10 s. */
static void established(void)
{
	connect_with(1000, 5000);
	flow.proven = 1;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_s(10));
}

static void one_fin_closes_half_of_it(void **state)
{
	(void)state;
	established();
	send(CLIENT, seq(1100), ack(5000), flags(FIN_ACK), at_s(10));
	assert_false(flow_is_closed(&flow));
}

static void fins_both_ways_close_it(void **state)
{
	(void)state;
	established();
	send(CLIENT, seq(1100), ack(5000), flags(FIN_ACK), at_s(10));
	send(SERVER, seq(5000), ack(1101), flags(FIN_ACK), at_s(10));
	assert_true(flow_is_closed(&flow));
	assert_int_equal(flow_close_reason(&flow), CLOSE_FIN);
}

static void it_is_settled_when_both_fins_are_acknowledged(void **state)
{
	(void)state;
	established();
	send(CLIENT, seq(1100), ack(5000), flags(FIN_ACK), at_s(10));
	send(SERVER, seq(5000), ack(1101), flags(FIN_ACK), at_s(10));
	assert_false(flow_is_settled(&flow));
	send(CLIENT, seq(1101), ack(5001), at_s(10));
	assert_true(flow_is_settled(&flow));
}

static void fins_at_zero_are_settled_too(void **state)
{
	(void)state;
	connect_with(0xffffffff, 0xffffffff);
	send(CLIENT, seq(0xffffffff), ack(0xffffffff), flags(FIN_ACK), at_s(10));
	send(SERVER, seq(0xffffffff), ack(0), flags(FIN_ACK), at_s(10));
	assert_false(flow_is_settled(&flow));
	send(CLIENT, seq(0), ack(0), at_s(10));
	assert_true(flow_is_settled(&flow));
}

static void fins_that_nobody_acknowledged_are_not_settled(void **state)
{
	(void)state; /* both lie before 0, which is no acknowledgment */
	send(CLIENT, seq(0xf0000000u), flags(TCP_FIN), at_s(10));
	send(SERVER, seq(0xf0000000u), flags(TCP_FIN), at_s(10));
	assert_true(flow_is_closed(&flow));
	assert_false(flow_is_settled(&flow));
}

static void a_reset_closes_and_settles_at_once(void **state)
{
	(void)state;
	established();
	send(SERVER, seq(5000), ack(1100), flags(RST_ACK), at_s(10));
	assert_true(flow_is_closed(&flow));
	assert_true(flow_is_settled(&flow));
	assert_int_equal(flow_close_reason(&flow), CLOSE_RST);
}

static void what_was_not_closed_was_idle(void **state)
{
	(void)state;
	established();
	assert_int_equal(flow_close_reason(&flow), CLOSE_IDLE);
}

static void a_silent_flow_is_over_after_the_idle_timeout(void **state)
{
	(void)state;
	established();
	assert_false(is_over_at_s(10 + 100));
	assert_true(is_over_at_s(10 + 101));
}

static void either_end_keeps_it_alive(void **state)
{
	(void)state;
	established();
	send(SERVER, seq(5000), ack(1100), at_s(60));
	assert_false(is_over_at_s(60 + 100));
}

static void an_unanswered_syn_is_over_after_the_half_open_timeout(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), at_s(10));
	assert_false(is_over_at_s(10 + 30));
	assert_true(is_over_at_s(10 + 31));
}

static void a_lone_mid_stream_segment_waits_as_long_as_any_flow(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_s(10));
	assert_false(is_over_at_s(10 + 100));
	assert_true(is_over_at_s(10 + 101));
}

static void a_settled_flow_is_over_after_the_closed_timeout(void **state)
{
	(void)state;
	established();
	send(SERVER, seq(5000), ack(1100), flags(RST_ACK), at_s(10));
	assert_false(is_over_at_s(10 + 5));
	assert_true(is_over_at_s(10 + 6));
}

static void an_unacknowledged_fin_may_come_again_for_longer(void **state)
{
	(void)state;
	established();
	send(CLIENT, seq(1100), ack(5000), flags(FIN_ACK), at_s(10));
	send(SERVER, seq(5000), ack(1101), flags(FIN_ACK), at_s(10));
	assert_false(is_over_at_s(10 + 30));
	assert_true(is_over_at_s(10 + 31));
}

static void a_clock_that_went_back_ends_nothing(void **state)
{
	(void)state;
	established();
	assert_false(is_over_at_s(1));
}

static void holes_beyond_the_ack_are_no_gap(void **state)
{
	struct holes list = {.used = 1, .slot = {{.start = 1000, .end = 1100}}};

	(void)state;
	assert_int_equal(holes_acked_bytes(&list, 1000), 0);
}

static void acknowledged_holes_add_up(void **state)
{
	struct holes list = {
		.used = 2,
		.slot = {{.start = 1000, .end = 1100}, {.start = 1200, .end = 1300}},
	};

	(void)state;
	assert_int_equal(holes_acked_bytes(&list, 1250), 150);
}

static void a_hole_across_zero_adds_up(void **state)
{
	struct holes list = {.used = 1, .slot = {{.start = 0xffffffce, .end = 50}}};

	(void)state;
	assert_int_equal(holes_acked_bytes(&list, 0), 50);
	assert_int_equal(holes_acked_bytes(&list, 80), 100);
}

/* 36 samples of 1 ms are in the histogram, three of 100 ms wait: the 95th of 39 is one of those. */
static void samples_that_wait_count_in_the_last_record(void **state)
{
	struct histogram histogram = {0};
	struct flow_whole copy = {0};
	struct side *side = &copy.flow.side[0];
	__u32 i;

	(void)state;
	for (i = 0; i < 36; i++)
		histogram_add(&histogram, 1 * MS);
	*side = (struct side){.rtt_samples = 39, .rtt_min_ns = 1 * MS, .rtt_max_ns = 100 * MS};
	for (i = 0; i < 3; i++)
		side->rtt_waiting[i] = (__u16)histogram_bucket(100 * MS);
	flow_settle(&copy, 0, NULL, &histogram);
	assert_int_equal(histogram.total, 39);
	assert_in_range(side->rtt_p50_ns, 970 * US, 1030 * US);
	assert_in_range(side->rtt_p95_ns, 97 * MS, 100 * MS);
}

/* With a multiple of four samples none waits, whatever the places still hold. */
static void samples_that_were_taken_do_not_count_twice(void **state)
{
	struct histogram histogram = {0};
	struct flow_whole copy = {0};

	(void)state;
	histogram_add(&histogram, 1 * MS);
	copy.flow.side[0] = (struct side){.rtt_samples = 40, .rtt_waiting = {1, 2, 3, 4}};
	flow_settle(&copy, 0, NULL, &histogram);
	assert_int_equal(histogram.total, 1);
}

/* A percentile is a bucket's middle: here above or below all there was. */
static void a_percentile_lies_between_the_least_and_the_most(void **state)
{
	__u64 rtt_ns;

	(void)state;
	for (rtt_ns = 1000 * US; rtt_ns < 1040 * US; rtt_ns += 10 * US) {
		struct histogram histogram = {0};
		struct flow_whole copy = {0};
		__u32 i;

		for (i = 0; i < 40; i++)
			histogram_add(&histogram, rtt_ns);
		copy.flow.side[0] = (struct side){.rtt_samples = 40, .rtt_min_ns = rtt_ns, .rtt_max_ns = rtt_ns};
		flow_settle(&copy, 0, NULL, &histogram);
		assert_int_equal(copy.flow.side[0].rtt_p50_ns, rtt_ns);
		assert_int_equal(copy.flow.side[0].rtt_p95_ns, rtt_ns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		core_test(samples_that_wait_count_in_the_last_record),
		core_test(samples_that_were_taken_do_not_count_twice),
		core_test(a_percentile_lies_between_the_least_and_the_most),
		core_test(one_fin_closes_half_of_it),
		core_test(fins_both_ways_close_it),
		core_test(it_is_settled_when_both_fins_are_acknowledged),
		core_test(fins_at_zero_are_settled_too),
		core_test(fins_that_nobody_acknowledged_are_not_settled),
		core_test(a_reset_closes_and_settles_at_once),
		core_test(what_was_not_closed_was_idle),
		core_test(a_silent_flow_is_over_after_the_idle_timeout),
		core_test(either_end_keeps_it_alive),
		core_test(an_unanswered_syn_is_over_after_the_half_open_timeout),
		core_test(a_lone_mid_stream_segment_waits_as_long_as_any_flow),
		core_test(a_settled_flow_is_over_after_the_closed_timeout),
		core_test(an_unacknowledged_fin_may_come_again_for_longer),
		core_test(a_clock_that_went_back_ends_nothing),
		core_test(holes_beyond_the_ack_are_no_gap),
		core_test(acknowledged_holes_add_up),
		core_test(a_hole_across_zero_adds_up),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("expire", tests, NULL, NULL);
}
