/* SPDX-License-Identifier: GPL-2.0-only */
/* Round trips: from timestamps, else from acknowledgments; absent rather than wrong. */
#include "core.h"

/* ------------------------------------------------------------------ by acknowledgment */

/* The handshake has given both ends one sample; from here on samples are counted anew. */
static void connect_and_count_anew(void)
{
	connect_with(1000, 5000);
	client->rtt_samples = server->rtt_samples = 0;
	client->rtt_sum_ns = server->rtt_sum_ns = 0;
}

static void the_handshake_is_the_first_round_trip_of_both_ends(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	assert_int_equal(server->rtt_samples, 1);
	assert_int_equal(server->rtt_sum_ns, 100 * US);
	assert_int_equal(client->rtt_samples, 1);
	assert_int_equal(client->rtt_sum_ns, 50 * US);
}

static void data_to_its_ack_is_a_round_trip_to_the_receiver(void **state)
{
	(void)state;
	connect_and_count_anew();
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(1000));
	send(SERVER, seq(5000), ack(1100), at_us(1250));
	assert_int_equal(server->rtt_samples, 1);
	assert_int_equal(server->rtt_sum_ns, 250 * US);
	assert_int_equal(client->rtt_samples, 0);
}

static void the_mean_is_of_the_samples_that_were_counted(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	server->rtt_samples = 0xffffffff;
	server->rtt_sum_ns = 0xffffffffull * 100 * US;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(1000));
	send(SERVER, seq(5000), ack(1100), at_us(1250));
	assert_int_equal(server->rtt_samples, 0xffffffff);
	assert_int_equal(server->rtt_sum_ns / server->rtt_samples, 100 * US);
	assert_int_equal(server->rtt_max_ns, 250 * US);
	assert_true(verdict.has_rtt);
}

static void it_works_across_zero(void **state)
{
	(void)state;
	connect_with(0xffffffce, 5000);
	send(CLIENT, seq(0xffffffce), ack(5000), bytes(100), at_us(1000));
	send(SERVER, seq(5000), ack(50), at_us(1250));
	assert_int_equal(server->rtt_samples, 2);
	assert_int_equal(server->rtt_max_ns, 250 * US);
}

static void an_ack_of_less_says_nothing_yet(void **state)
{
	(void)state;
	connect_and_count_anew();
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(1000));
	send(SERVER, seq(5000), ack(1099), at_us(1250));
	assert_int_equal(server->rtt_samples, 0);
}

static void an_ack_answers_the_segment_that_ends_there(void **state)
{
	(void)state;
	connect_and_count_anew();
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(1000));
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_us(1100));
	send(SERVER, seq(5000), ack(1200), at_us(1250));
	assert_int_equal(server->rtt_samples, 1);
	assert_int_equal(server->rtt_sum_ns, 150 * US);
}

static void the_same_ack_again_is_no_second_sample(void **state)
{
	(void)state;
	connect_and_count_anew();
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(1000));
	send(SERVER, seq(5000), ack(1100), at_us(1250));
	send(SERVER, seq(5000), ack(1100), at_us(1900));
	assert_int_equal(server->rtt_samples, 1);
}

static void a_pure_ack_starts_nothing(void **state)
{
	(void)state;
	connect_and_count_anew();
	send(CLIENT, seq(1000), ack(5000), at_us(1000));
	send(SERVER, seq(5000), ack(1000), at_us(1250));
	assert_int_equal(server->rtt_samples, 0);
}

static void an_ack_of_retransmitted_octets_says_nothing(void **state)
{
	(void)state; /* Karn; RFC 6298, 3 */
	connect_and_count_anew();
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(1000));
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(5000));
	send(SERVER, seq(5000), ack(1100), at_us(5250));
	assert_int_equal(server->rtt_samples, 0);
}

static void after_a_repeat_new_data_is_measured_again(void **state)
{
	(void)state;
	connect_and_count_anew();
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(1000));
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(5000));
	send(SERVER, seq(5000), ack(1100), at_us(5250));
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_us(6000));
	send(SERVER, seq(5000), ack(1200), at_us(6300));
	assert_int_equal(server->rtt_samples, 1);
	assert_int_equal(server->rtt_sum_ns, 300 * US);
}

/* The ring counts modulo 256. */
static void the_thousandth_segment_is_measured_like_the_first(void **state)
{
	__u32 i;

	(void)state;
	connect_and_count_anew();
	for (i = 0; i < 1000; i++) {
		send(CLIENT, seq(1000 + 100 * i), ack(5000), bytes(100), at_us(1000 + 1000 * i));
		send(SERVER, seq(5000), ack(1100 + 100 * i), at_us(1250 + 1000 * i));
	}
	assert_int_equal(server->rtt_samples, 1000);
	assert_int_equal(server->rtt_sum_ns, 1000 * 250 * US);
}

/* ... and what was void stays so as long as it waits, and no longer. */
static void a_repeat_voids_what_waits_wherever_the_ring_is(void **state)
{
	__u32 i, at = 1000;

	(void)state;
	connect_and_count_anew();
	for (i = 0; i < 300; i++, at += 200) {
		send(CLIENT, seq(at), ack(5000), bytes(100), at_us(at * 10));
		send(CLIENT, seq(at), ack(5000), bytes(100), at_us(at * 10 + 500)); /* both unmeasured */
		send(SERVER, seq(5000), ack(at + 100), at_us(at * 10 + 600));
		send(CLIENT, seq(at + 100), ack(5000), bytes(100), at_us(at * 10 + 1000));
		send(SERVER, seq(5000), ack(at + 200), at_us(at * 10 + 1300));
	}
	assert_int_equal(server->rtt_samples, 300);
	assert_int_equal(server->rtt_sum_ns, 300 * 300 * US);
}

static void a_repeated_syn_gives_no_round_trip(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	send(CLIENT, seq(999), flags(TCP_SYN), at_us(1010));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_us(1310));
	assert_int_equal(server->rtt_samples, 0);
}

static void a_keepalive_gives_no_round_trip(void **state)
{
	(void)state;
	connect_and_count_anew();
	send(CLIENT, seq(999), ack(5000), at_s(60));
	send(SERVER, seq(5000), ack(1000), at_s(61));
	assert_int_equal(server->rtt_samples, 0);
}

static void a_reset_answers_nothing(void **state)
{
	(void)state;
	connect_and_count_anew();
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(1000));
	send(SERVER, seq(5000), ack(1100), flags(RST_ACK), at_us(1250));
	assert_int_equal(server->rtt_samples, 0);
}

static void frames_in_the_wrong_order_give_no_round_trip(void **state)
{
	(void)state;
	connect_and_count_anew();
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(1000));
	send(SERVER, seq(5000), ack(1100), at_us(990));
	assert_int_equal(server->rtt_samples, 0);
}

static void one_sided_traffic_gives_no_round_trip(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(1000));
	send(CLIENT, seq(1100), ack(5100), bytes(100), at_us(2000));
	assert_int_equal(server->rtt_samples, 0);
	assert_int_equal(client->rtt_samples, 0);
}

static void behind_a_hole_nothing_is_measured(void **state)
{
	(void)state; /* its ACK waits for the hole */
	connect_and_count_anew();
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_us(1000));
	send(CLIENT, seq(1200), ack(5000), bytes(100), at_us(1100));
	send(SERVER, seq(5000), ack(1300), at_us(9000));
	assert_int_equal(server->rtt_samples, 0);
}

/* ------------------------------------------------------------------ by timestamps */

/* Both ends have shown that their segments carry timestamps; their newest are 100 and 200. */
static void connect_with_timestamps(void)
{
	send(CLIENT, seq(999), flags(TCP_SYN), ts(99, 0), at_us(50));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), ts(199, 99), at_us(150));
	send(CLIENT, seq(1000), ack(5000), ts(100, 199), at_us(200));
	send(SERVER, seq(5000), ack(1000), ts(200, 100), at_us(250));
	client->rtt_samples = server->rtt_samples = 0;
	client->rtt_sum_ns = server->rtt_sum_ns = 0;
}

static void a_tsval_to_its_echo_is_a_round_trip(void **state)
{
	(void)state;
	connect_with_timestamps();
	send(CLIENT, seq(1000), ack(5000), bytes(100), ts(110, 200), at_us(1000));
	send(SERVER, seq(5000), ack(1100), ts(210, 110), at_us(1250));
	assert_int_equal(server->rtt_samples, 1);
	assert_int_equal(server->rtt_sum_ns, 250 * US);
}

static void a_tsval_seen_before_leaves_it_to_the_ack(void **state)
{
	(void)state;
	connect_with_timestamps();
	send(CLIENT, seq(1000), ack(5000), ts(110, 200), at_us(900)); /* no data, same tick */
	send(CLIENT, seq(1000), ack(5000), bytes(100), ts(110, 200), at_us(1000));
	send(SERVER, seq(5000), ack(1100), ts(210, 110), at_us(1250));
	assert_int_equal(server->rtt_samples, 1);
	assert_int_equal(server->rtt_sum_ns, 250 * US); /* 350 from the first sight of 110 */
}

static void segments_of_one_clock_tick_are_told_apart_by_their_acks(void **state)
{
	(void)state;
	connect_with_timestamps();
	send(CLIENT, seq(1000), ack(5000), bytes(100), ts(110, 200), at_us(1000));
	send(CLIENT, seq(1100), ack(5000), bytes(100), ts(110, 200), at_us(1100));
	send(SERVER, seq(5000), ack(1100), ts(210, 110), at_us(1250));
	send(SERVER, seq(5000), ack(1200), ts(210, 110), at_us(1370));
	assert_int_equal(server->rtt_samples, 2);
	assert_int_equal(server->rtt_min_ns, 250 * US);
	assert_int_equal(server->rtt_max_ns, 270 * US);
}

static void the_echo_of_an_older_tsval_answers_nothing(void **state)
{
	(void)state;
	connect_with_timestamps();
	send(CLIENT, seq(1000), ack(5000), bytes(100), ts(110, 200), at_us(1000));
	send(SERVER, seq(5000), ack(1000), ts(210, 100), at_us(1250));
	assert_int_equal(server->rtt_samples, 0);
}

static void a_tsval_passed_by_gives_no_sample(void **state)
{
	(void)state;
	connect_with_timestamps();
	send(CLIENT, seq(1000), ack(5000), bytes(100), ts(110, 200), at_us(1000));
	send(SERVER, seq(5000), ack(1100), ts(210, 115), at_us(9250));
	assert_int_equal(server->rtt_samples, 0);
}

static void tsvals_work_across_zero(void **state)
{
	(void)state;
	connect_with_timestamps();
	client->tsval = 0xfffffff0u;
	send(CLIENT, seq(1000), ack(5000), bytes(100), ts(0xffffffffu, 200), at_us(1000));
	send(SERVER, seq(5000), ack(1100), ts(210, 0xffffffffu), at_us(1250));
	send(CLIENT, seq(1100), ack(5000), bytes(100), ts(3, 210), at_us(2000));
	send(SERVER, seq(5000), ack(1200), ts(220, 3), at_us(2350));
	assert_int_equal(server->rtt_samples, 2);
	assert_int_equal(server->rtt_sum_ns, 600 * US);
}

/* By its echo and not by its ACK: what 3 measures is the first segment of that tick. */
static void behind_zero_each_tick_is_new_once(void **state)
{
	(void)state;
	connect_with_timestamps();
	client->tsval = 0xfffffff0u;
	send(CLIENT, seq(1000), ack(5000), bytes(100), ts(3, 200), at_us(2000));
	send(CLIENT, seq(1100), ack(5000), bytes(100), ts(4, 200), at_us(2100));
	send(SERVER, seq(5000), ack(1200), ts(220, 3), at_us(2350));
	assert_int_equal(server->rtt_samples, 1);
	assert_int_equal(server->rtt_sum_ns, 350 * US);
}

/* Four wait for echoes that never come; the ACK without one makes room. */
static void timestamps_that_stop_leave_no_one_waiting(void **state)
{
	__u32 i;

	(void)state;
	connect_with_timestamps();
	for (i = 0; i < RTT_PROBES; i++)
		send(CLIENT, seq(1000 + 100 * i), ack(5000), bytes(100), ts(110 + i, 200), at_us(1000 + i));
	send(SERVER, seq(5000), ack(1000 + 100 * RTT_PROBES), at_us(1250));
	assert_int_equal(server->rtt_samples, 0);
	send(CLIENT, seq(1000 + 100 * RTT_PROBES), ack(5000), bytes(100), at_us(2000));
	send(SERVER, seq(5000), ack(1100 + 100 * RTT_PROBES), at_us(2300));
	assert_int_equal(server->rtt_samples, 1);
	assert_int_equal(server->rtt_sum_ns, 300 * US);
}

static void a_retransmission_names_itself_by_its_tsval(void **state)
{
	(void)state;
	connect_with_timestamps();
	send(CLIENT, seq(1000), ack(5000), bytes(100), ts(110, 200), at_us(1000));
	send(CLIENT, seq(1000), ack(5000), bytes(100), ts(120, 200), at_us(5000));
	send(SERVER, seq(5000), ack(1100), ts(210, 120), at_us(5250));
	assert_int_equal(server->rtt_samples, 0);
}

/* Its first answer was lost before it came here: the second answers the repeat, by the TSval of the original. */
static void the_answer_to_a_repeat_is_no_sample_of_the_original(void **state)
{
	(void)state;
	connect_with_timestamps();
	send(CLIENT, seq(1000), ack(5000), bytes(100), ts(110, 200), at_ms(1));
	send(CLIENT, seq(1100), ack(5000), bytes(100), ts(110, 200), at_ms(1));
	send(CLIENT, seq(1000), ack(5000), bytes(100), ts(310, 200), at_ms(201));
	send(SERVER, seq(5000), ack(1200), ts(410, 110), sack(1000, 1100), at_ms(211));
	assert_int_equal(server->rtt_samples, 0);
	send(CLIENT, seq(1200), ack(5000), bytes(100), ts(320, 200), at_ms(212));
	send(SERVER, seq(5000), ack(1300), ts(420, 320), at_ms(222));
	assert_int_equal(server->rtt_samples, 1);
	assert_int_equal(server->rtt_max_ns, 10 * MS);
}

static void the_echo_of_the_original_is_a_sample_in_spite_of_a_repeat(void **state)
{
	(void)state;
	connect_with_timestamps();
	send(CLIENT, seq(1000), ack(5000), bytes(100), ts(110, 200), at_us(1000));
	send(CLIENT, seq(1000), ack(5000), bytes(100), ts(120, 200), at_us(5000));
	send(SERVER, seq(5000), ack(1100), ts(210, 110), at_us(5250));
	assert_int_equal(server->rtt_samples, 1);
	assert_int_equal(server->rtt_sum_ns, 4250 * US);
}

/* ------------------------------------------------------------------ what is kept of the samples */

static void two_samples(void)
{
	connect_and_count_anew();
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(1000));
	send(SERVER, seq(5000), ack(1100), at_us(1400));
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_us(2000));
	send(SERVER, seq(5000), ack(1200), at_us(2800));
}

static void the_least_and_the_most_are_kept(void **state)
{
	(void)state;
	two_samples();
	assert_int_equal(server->rtt_min_ns, 400 * US);
	assert_int_equal(server->rtt_max_ns, 800 * US);
}

static void a_smaller_one_does_not_lower_the_most(void **state)
{
	(void)state;
	two_samples();
	send(CLIENT, seq(1200), ack(5000), bytes(100), at_us(3000));
	send(SERVER, seq(5000), ack(1300), at_us(3500));
	assert_int_equal(server->rtt_max_ns, 800 * US);
}

static void longer_than_four_seconds_is_smoothed_as_the_longest(void **state)
{
	(void)state;
	connect_and_count_anew();
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_s(1));
	send(SERVER, seq(5000), ack(1100), at_s(11));
	assert_int_equal(server->rtt_max_ns, 10 * S);
	assert_int_equal(server->rtt_smoothed_ns, ~0u);
}

static void the_sum_gives_the_mean(void **state)
{
	(void)state;
	two_samples();
	assert_int_equal(server->rtt_sum_ns / server->rtt_samples, 600 * US);
}

static void smoothing_takes_an_eighth_of_the_new(void **state)
{
	(void)state; /* RFC 6298, 2: 7/8 of 400 us and 1/8 of 800 us */
	two_samples();
	assert_int_equal(server->rtt_smoothed_ns, 450 * US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		core_test(the_handshake_is_the_first_round_trip_of_both_ends),
		core_test(data_to_its_ack_is_a_round_trip_to_the_receiver),
		core_test(the_mean_is_of_the_samples_that_were_counted),
		core_test(it_works_across_zero),
		core_test(an_ack_of_less_says_nothing_yet),
		core_test(an_ack_answers_the_segment_that_ends_there),
		core_test(the_same_ack_again_is_no_second_sample),
		core_test(a_pure_ack_starts_nothing),
		core_test(an_ack_of_retransmitted_octets_says_nothing),
		core_test(after_a_repeat_new_data_is_measured_again),
		core_test(the_thousandth_segment_is_measured_like_the_first),
		core_test(a_repeat_voids_what_waits_wherever_the_ring_is),
		core_test(a_repeated_syn_gives_no_round_trip),
		core_test(a_keepalive_gives_no_round_trip),
		core_test(a_reset_answers_nothing),
		core_test(frames_in_the_wrong_order_give_no_round_trip),
		core_test(one_sided_traffic_gives_no_round_trip),
		core_test(behind_a_hole_nothing_is_measured),
		core_test(a_tsval_to_its_echo_is_a_round_trip),
		core_test(a_tsval_seen_before_leaves_it_to_the_ack),
		core_test(segments_of_one_clock_tick_are_told_apart_by_their_acks),
		core_test(the_echo_of_an_older_tsval_answers_nothing),
		core_test(a_tsval_passed_by_gives_no_sample),
		core_test(tsvals_work_across_zero),
		core_test(behind_zero_each_tick_is_new_once),
		core_test(timestamps_that_stop_leave_no_one_waiting),
		core_test(a_retransmission_names_itself_by_its_tsval),
		core_test(the_answer_to_a_repeat_is_no_sample_of_the_original),
		core_test(the_echo_of_the_original_is_a_sample_in_spite_of_a_repeat),
		core_test(the_least_and_the_most_are_kept),
		core_test(a_smaller_one_does_not_lower_the_most),
		core_test(longer_than_four_seconds_is_smoothed_as_the_longest),
		core_test(the_sum_gives_the_mean),
		core_test(smoothing_takes_an_eighth_of_the_new),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("rtt", tests, NULL, NULL);
}
