/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the hall counts each frame, and what it gives notice of. */
#include "hall.h"

static uint64_t reasons(void)
{
	uint64_t sum = 0;
	int i;

	for (i = FRAMES_TRACKED + 1; i <= COUNTER_REASONS_LAST; i++)
		sum += counters[i];
	return sum;
}

/* ------------------------------------------------------------------ notices */

static void nobody_asked_for_notices(void **state)
{
	(void)state;
	connect_port(1, 10);
	assert_int_equal(notices[EVENT_OPENED], 0);
}

static void a_proven_flow_is_noticed_once(void **state)
{
	(void)state;
	config.events = 1;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(notices[EVENT_OPENED], 1);
	assert_int_equal(notices[EVENT_SEGMENT], 0);
}

static void a_repeat_is_noticed(void **state)
{
	(void)state;
	config.events = 1;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(300));
	assert_int_equal(notices[EVENT_SEGMENT], 1);
}

static void a_refusal_is_noticed(void **state)
{
	(void)state;
	config.events = 1;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_us(10));
	pass(SERVER, .client_port = 1, seq(0), ack(1000), flags(RST_ACK), at_us(90));
	assert_int_equal(notices[EVENT_REFUSED], 1);
}

static void a_window_that_closes_is_noticed(void **state)
{
	(void)state;
	config.events = 1;
	connect_port(1, 10);
	pass(SERVER, .client_port = 1, seq(5000), ack(1000), window(0), at_ms(1));
	assert_int_equal(notices[EVENT_ZERO_WINDOW], 1);
}

/* ------------------------------------------------------------------ counters */

static void every_frame_is_tracked_or_has_a_reason(void **state)
{
	__u8 buffer[FRAME_MAX];
	struct segment data = a_segment(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	struct frame frame = segment_frame(&data, buffer);
	const __u8 *cut;

	(void)state;
	for (cut = buffer; cut <= buffer + 14 + 40; cut++) {
		frame.end = cut;
		pass_frame(&frame);
	}
	assert_int_equal(counters[FRAMES_SEEN], 14 + 40 + 1);
	assert_int_equal(counters[FRAMES_TRACKED], 1);
	assert_int_equal(counters[COUNTER_frames_truncated], 14 + 40);
	assert_int_equal(counters[FRAMES_TRACKED] + reasons(), counters[FRAMES_SEEN]);
}

/* From a router on the way: the SYN with this number could not be delivered. */
static void pass_icmp(__u32 syn_seq)
{
	__u8 syn_buffer[FRAME_MAX], buffer[FRAME_MAX];
	struct segment syn = a_segment(CLIENT, seq(syn_seq), flags(TCP_SYN), at_ms(2));
	struct frame frame = segment_frame(&syn, syn_buffer);
	const __u32 quote_len = 20 + 8;

	memcpy(buffer, syn_buffer, 14 + 20);
	buffer[14 + 2] = 0;
	buffer[14 + 3] = (__u8)(20 + 8 + quote_len);
	buffer[14 + 9] = 1;
	memset(buffer + 34, 0, 8);
	buffer[34] = 3;
	buffer[35] = 13;
	memcpy(buffer + 42, syn_buffer + 14, quote_len);
	frame.data = buffer;
	frame.end = buffer + 42 + quote_len;
	frame.wire_bytes = 42 + quote_len;
	pass_frame(&frame);
}

static void an_icmp_error_says_why_a_syn_has_no_answer(void **state)
{
	(void)state;
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(0));
	pass_icmp(1234); /* of another connection, or a guess */
	assert_int_equal(counters[COUNTER_frames_icmp_errors], 1);
	assert_int_equal(counters[COUNTER_unreachables], 0);
	assert_int_equal(half_open[0].entry.icmp, ICMP_NONE);
	pass_icmp(999);
	assert_int_equal(counters[COUNTER_frames_icmp_errors], 2);
	assert_int_equal(counters[COUNTER_unreachables], 1);
	assert_int_equal(half_open[0].entry.icmp, ICMP_ADMIN);
	assert_int_equal(counters[FRAMES_TRACKED] + reasons(), counters[FRAMES_SEEN]);
}

static void an_icmp_error_about_an_answered_syn_is_too_late(void **state)
{
	(void)state;
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(0));
	pass(SERVER, seq(4999), ack(1000), flags(TCP_SYN | TCP_ACK), at_ms(1));
	pass_icmp(999);
	assert_int_equal(counters[COUNTER_frames_icmp_errors], 1);
	assert_int_equal(counters[COUNTER_unreachables], 0);
}

static void a_first_fragment_is_tracked_and_noted(void **state)
{
	__u8 buffer[FRAME_MAX];
	struct segment data = a_segment(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	struct frame frame = segment_frame(&data, buffer);

	(void)state;
	buffer[14 + 6] = 0x20;
	pass_frame(&frame);
	assert_int_equal(counters[COUNTER_frames_first_fragments], 1);
	assert_int_equal(counters[FRAMES_TRACKED], 1);
}

static void a_suspect_segment_is_counted(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(0x90000000u), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(counters[COUNTER_segments_suspect], 1);
	assert_int_equal(counters[FRAMES_TRACKED], 4);
}

static void a_frame_older_than_its_flow_is_counted(void **state)
{
	(void)state;
	connect_port(1, 1000);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_us(900));
	assert_int_equal(counters[COUNTER_times_backwards], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hall_test(nobody_asked_for_notices),
		hall_test(a_proven_flow_is_noticed_once),
		hall_test(a_repeat_is_noticed),
		hall_test(a_refusal_is_noticed),
		hall_test(a_window_that_closes_is_noticed),
		hall_test(every_frame_is_tracked_or_has_a_reason),
		hall_test(an_icmp_error_says_why_a_syn_has_no_answer),
		hall_test(an_icmp_error_about_an_answered_syn_is_too_late),
		hall_test(a_first_fragment_is_tracked_and_noted),
		hall_test(a_suspect_segment_is_counted),
		hall_test(a_frame_older_than_its_flow_is_counted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
