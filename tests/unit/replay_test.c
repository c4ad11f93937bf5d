/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames in, ended flows out: when each flow leaves, in which order, and with what it knew. */
#include "core.h"

#include "replay.h"

#define SHOWN_MAX 32

static struct replay *replay;
static struct flow_whole shown[SHOWN_MAX];
static struct flow_key shown_key[SHOWN_MAX];
static int shown_count;

static void show_flow(void *context, const struct flow_key *key, const struct flow_whole *whole)
{
	assert_ptr_equal(context, shown);
	if (shown_count < SHOWN_MAX) {
		shown[shown_count] = *whole;
		shown_key[shown_count] = *key;
	}
	shown_count++;
}

static int open_replay(void **state)
{
	const struct monitor_config config = {
		.idle_timeout_ns = 100 * S,
		.half_open_timeout_ns = 30 * S,
		.closed_timeout_ns = 5 * S,
	};

	(void)state;
	shown_count = 0;
	return replay_open(&replay, &config, show_flow, NULL, shown);
}

static int close_replay(void **state)
{
	(void)state;
	replay_close(replay);
	return 0;
}

#define replay_test(name) cmocka_unit_test_setup_teardown(name, open_replay, close_replay)

static void pass_segment(const struct segment *segment)
{
	__u8 buffer[FRAME_MAX];
	struct frame frame = segment_frame(segment, buffer);

	replay_frame(replay, &frame);
}

#define pass(end, ...) pass_segment(&a_segment(end, __VA_ARGS__))

static void connect_port(__u16 port, __u64 start_us)
{
	pass(CLIENT, .client_port = port, seq(999), flags(TCP_SYN), at_us(start_us));
	pass(SERVER, .client_port = port, seq(4999), ack(1000), flags(SYN_ACK),
	     at_us(start_us + 100));
	pass(CLIENT, .client_port = port, seq(1000), ack(5000), at_us(start_us + 150));
}

static __u16 shown_port(int number)
{
	return __builtin_bswap16(shown_key[number].port_be16[CLIENT]);
}

static uint64_t counted(enum counter counter)
{
	return replay_counters(replay)->value[counter];
}

static void an_open_flow_leaves_at_the_end_of_the_capture(void **state)
{
	(void)state;
	connect_port(1, 10);
	replay_finish(replay);
	assert_int_equal(shown_count, 1);
	assert_int_equal(shown[0].flow.close, CLOSE_END_OF_CAPTURE);
	assert_true(shown[0].flow.proven);
}

static void a_closed_flow_leaves_as_closed(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), flags(FIN_ACK), at_ms(1));
	pass(SERVER, .client_port = 1, seq(5000), ack(1001), flags(FIN_ACK), at_ms(2));
	replay_finish(replay);
	assert_int_equal(shown[0].flow.close, CLOSE_FIN);
}

static void a_reset_flow_leaves_as_reset(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(SERVER, .client_port = 1, seq(5000), ack(1000), flags(RST_ACK), at_ms(1));
	replay_finish(replay);
	assert_int_equal(shown[0].flow.close, CLOSE_RST);
}

static void an_unanswered_syn_gets_its_record_too(void **state)
{
	(void)state;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_us(10));
	replay_finish(replay);
	assert_int_equal(shown_count, 1);
	assert_false(shown[0].flow.proven);
}

static void flows_leave_by_start(void **state)
{
	(void)state;
	connect_port(3, 30);
	connect_port(1, 10);
	connect_port(2, 20);
	replay_finish(replay);
	assert_int_equal(shown_count, 3);
	assert_int_equal(shown_port(0), 1);
	assert_int_equal(shown_port(1), 2);
	assert_int_equal(shown_port(2), 3);
}

static void flows_that_start_together_leave_as_they_came(void **state)
{
	(void)state;
	connect_port(3, 10);
	connect_port(1, 10);
	replay_finish(replay);
	assert_int_equal(shown_port(0), 3);
	assert_int_equal(shown_port(1), 1);
}

/* Some starts are the same, and a third of them never prove themselves. */
static void many_leave_by_start_in_whatever_order_they_came(void **state)
{
	(void)state;
	for (__u16 i = 0; i < SHOWN_MAX; i++) {
		__u16 port = (__u16)(1 + i * 7 % SHOWN_MAX);

		if (i % 3)
			connect_port(port, 10u * (port / 2));
		else
			pass(CLIENT, .client_port = port, seq(999), flags(TCP_SYN), at_us(10u * (port / 2)));
	}
	replay_finish(replay);
	assert_int_equal(shown_count, SHOWN_MAX);
	for (int i = 1; i < SHOWN_MAX; i++)
		assert_true(shown[i - 1].flow.start_ns <= shown[i].flow.start_ns);
	/* Ports 6 and 7 start together; 7 came as the 11th, 6 as the 20th. */
	assert_int_equal(shown[5].flow.start_ns, shown[6].flow.start_ns);
	for (int i = 0; i < SHOWN_MAX; i++)
		if (shown_port(i) == 6)
			assert_int_equal(shown_port(i - 1), 7);
}

static void a_reused_tuple_gives_two_flows(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), flags(RST_ACK), at_s(1));
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(2));
	assert_int_equal(shown_count, 1);
	assert_int_equal(shown[0].flow.close, CLOSE_REUSED);
	replay_finish(replay);
	assert_int_equal(shown_count, 2);
	assert_int_equal(shown[1].flow.start_ns, 2 * S);
}

/* The second one carries data, which the first room does not keep: both get their record, and the connection lives. */
static void a_syn_that_waits_beside_a_live_connection_is_not_forgotten(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), bytes(10), at_ms(2));
	assert_int_equal(shown_count, 1);
	assert_int_equal(shown[0].flow.close, CLOSE_REUSED);
	assert_int_equal(shown[0].flow.start_ns, 1 * MS);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(3));
	replay_finish(replay);
	assert_int_equal(shown[1].flow.close, CLOSE_END_OF_CAPTURE);
	assert_true(shown[1].flow.is_established);
	assert_int_equal(counted(COUNTER_flows_opened), shown_count);
}

/* Counted at once, tracked in the order in which they came, and none is left behind. */
static void frames_may_wait_and_none_is_forgotten(void **state)
{
	__u16 port;

	(void)state;
	for (port = 1; port <= 20; port++)
		connect_port(port, port * 10u);
	replay_finish(replay);
	assert_int_equal(shown_count, 20);
	assert_int_equal(counted(FRAMES_SEEN), 60);
	assert_int_equal(counted(FRAMES_TRACKED), 60);
	for (port = 1; port <= 20; port++)
		assert_true(shown[port - 1].flow.is_established);
}

static void a_silent_flow_leaves_by_the_sweep(void **state)
{
	(void)state;
	connect_port(1, 10);
	replay_sweep(replay, 200 * S);
	assert_int_equal(shown_count, 1);
	assert_int_equal(shown[0].flow.close, CLOSE_IDLE);
	replay_finish(replay);
	assert_int_equal(shown_count, 1);
}

static void the_sweep_leaves_the_living_alone(void **state)
{
	(void)state;
	connect_port(1, 10);
	replay_sweep(replay, 99 * S);
	assert_int_equal(shown_count, 0);
}

static void an_interval_shows_open_flows_and_keeps_them(void **state)
{
	(void)state;
	connect_port(1, 10);
	replay_interval(replay);
	assert_int_equal(shown_count, 1);
	assert_int_equal(shown[0].flow.close, CLOSE_OPEN);
	replay_finish(replay);
	assert_int_equal(shown_count, 2);
}

static void a_gap_is_shown_whenever_the_flow_is(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1100), ack(5000), bytes(100), at_ms(1));
	pass(SERVER, .client_port = 1, seq(5000), ack(1200), at_ms(2));
	replay_interval(replay);
	replay_finish(replay);
	assert_int_equal(shown[0].rare[CLIENT].gap_bytes, 100);
	assert_int_equal(shown[1].rare[CLIENT].gap_bytes, 100);
}

static void one_sided_traffic_has_no_gap(void **state)
{
	(void)state; /* 0xf0000000 lies before 0, which is no acknowledgment */
	pass(CLIENT, seq(0xf0000000u), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, seq(0xf0000200u), ack(5000), bytes(100), at_ms(2));
	replay_finish(replay);
	assert_int_equal(shown[0].rare[CLIENT].gap_bytes, 0);
}

static void a_moved_stream_left_no_gap(void **state)
{
	const __u32 moved = 0x50000000u;
	int i;

	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1100), ack(5000), bytes(100), at_ms(1));
	for (i = 0; i < 4; i++)
		pass(CLIENT, .client_port = 1, seq(moved), ack(5000), bytes(100), at_ms(10 + i));
	pass(SERVER, .client_port = 1, seq(5000), ack(moved + 100), at_ms(20));
	replay_finish(replay);
	assert_int_equal(shown[0].rare[CLIENT].gap_bytes, 0);
}

static void a_frame_the_filter_refused_is_seen_and_filtered(void **state)
{
	(void)state;
	replay_filtered(replay);
	assert_int_equal(counted(FRAMES_SEEN), 1);
	assert_int_equal(counted(COUNTER_frames_filtered), 1);
	assert_int_equal(counted(FRAMES_TRACKED), 0);
}

static void counters_outlive_the_flows(void **state)
{
	(void)state;
	connect_port(1, 10);
	replay_finish(replay);
	assert_int_equal(counted(FRAMES_SEEN), 3);
	assert_int_equal(counted(FRAMES_TRACKED), 3);
	assert_int_equal(counted(COUNTER_flows_promoted), 1);
}

static void a_flow_that_left_can_come_again_without_its_holes(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1100), ack(5000), bytes(100), at_ms(1));
	replay_sweep(replay, 200 * S);
	connect_port(1, 300 * 1000000);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_s(301));
	replay_finish(replay);
	assert_int_equal(shown[1].flow.side[CLIENT].holes, 0);
	assert_int_equal(shown[1].rare[CLIENT].gap_bytes, 0);
}

static void two_replays_do_not_share_flows(void **state)
{
	const struct monitor_config config = {.idle_timeout_ns = 100 * S};
	struct replay *first = replay, *second;

	(void)state;
	assert_int_equal(replay_open(&second, &config, show_flow, NULL, shown), 0);
	connect_port(1, 10);
	replay = second;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	replay = first;
	assert_int_equal(replay_counters(second)->value[COUNTER_flows_opened], 1);
	assert_int_equal(counted(COUNTER_flows_opened), 1);
	replay_close(second);
}

static void closing_nothing_is_harmless(void **state)
{
	(void)state;
	replay_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		replay_test(an_open_flow_leaves_at_the_end_of_the_capture),
		replay_test(a_closed_flow_leaves_as_closed),
		replay_test(a_reset_flow_leaves_as_reset),
		replay_test(an_unanswered_syn_gets_its_record_too),
		replay_test(flows_leave_by_start),
		replay_test(flows_that_start_together_leave_as_they_came),
		replay_test(many_leave_by_start_in_whatever_order_they_came),
		replay_test(a_reused_tuple_gives_two_flows),
		replay_test(a_syn_that_waits_beside_a_live_connection_is_not_forgotten),
		replay_test(frames_may_wait_and_none_is_forgotten),
		replay_test(a_silent_flow_leaves_by_the_sweep),
		replay_test(the_sweep_leaves_the_living_alone),
		replay_test(an_interval_shows_open_flows_and_keeps_them),
		replay_test(a_gap_is_shown_whenever_the_flow_is),
		replay_test(one_sided_traffic_has_no_gap),
		replay_test(a_moved_stream_left_no_gap),
		replay_test(a_frame_the_filter_refused_is_seen_and_filtered),
		replay_test(counters_outlive_the_flows),
		replay_test(a_flow_that_left_can_come_again_without_its_holes),
		replay_test(two_replays_do_not_share_flows),
		cmocka_unit_test(closing_nothing_is_harmless),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
