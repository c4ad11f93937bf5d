/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections and segments count in the pair of their labels, once each. */
#include "hall.h"

static uint64_t samples(uint32_t pair, enum pair_histogram histogram)
{
	uint64_t sum = 0;

	for (int place = 0; place < PAIR_CHUNKS; place++)
		for (int i = 0; i < CHUNK_BUCKETS; i++)
			sum += pair_buckets[pair][histogram * PAIR_CHUNKS + place].count[i];
	return sum;
}

static uint64_t samples_at(uint32_t pair, enum pair_histogram histogram, uint64_t ns)
{
	uint32_t bucket = histogram_fine_bucket(ns);

	return pair_buckets[pair][histogram * PAIR_CHUNKS + bucket / CHUNK_BUCKETS]
		.count[bucket % CHUNK_BUCKETS];
}

static void an_opening_counts_in_its_pair_when_it_is_complete(void **state)
{
	struct pair_counters *pair = &pair_counters[PAIR_FIRST];

	(void)state;
	config.aggregate = 1;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_us(10));
	pass(SERVER, .client_port = 1, seq(4999), ack(1000), flags(SYN_ACK), at_us(110));
	assert_int_equal(pair_count, PAIR_FIRST);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), at_us(160));
	assert_int_equal(pair_keys[PAIR_FIRST].opener, 1);
	assert_int_equal(pair_keys[PAIR_FIRST].responder, 2);
	assert_int_equal(pair->outcomes[OUTCOME_ESTABLISHED], 1);
	assert_int_equal(pair->segments, 3);
	assert_int_equal(samples_at(PAIR_FIRST, PAIR_CONNECT, 100 * US), 1);
	assert_int_equal(samples_at(PAIR_FIRST, PAIR_HANDSHAKE_RESPONDER, 100 * US), 1);
	assert_int_equal(samples_at(PAIR_FIRST, PAIR_HANDSHAKE_OPENER, 50 * US), 1);
	assert_int_equal(pair->sum_ns[PAIR_CONNECT], 100 * US);
	/* The SYN-ACK and the ACK are the first round trips to each end, and came before the pair was known. */
	assert_int_equal(samples_at(PAIR_FIRST, PAIR_RTT_RESPONDER, 100 * US), 1);
	assert_int_equal(samples_at(PAIR_FIRST, PAIR_RTT_OPENER, 50 * US), 1);
}

static void each_packet_counts_once_in_its_pair(void **state)
{
	struct pair_counters *pair = &pair_counters[PAIR_FIRST];

	(void)state;
	config.aggregate = 1;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(SERVER, .client_port = 1, seq(5000), ack(1100), bytes(500), at_ms(3));
	assert_int_equal(pair->segments, 5);
	assert_int_equal(pair->payload_bytes, 600);
	assert_int_equal(samples_at(PAIR_FIRST, PAIR_RTT_RESPONDER, 2 * MS), 1);
	/* 2 ms less the 100 us of the shortest way there and back. */
	assert_int_equal(samples_at(PAIR_FIRST, PAIR_RESPONSE, 1900 * US), 1);
	assert_int_equal(samples(PAIR_FIRST, PAIR_RESPONSE), 1);
	pass(SERVER, .client_port = 1, seq(5500), ack(1100), bytes(500), at_ms(4));
	assert_int_equal(samples(PAIR_FIRST, PAIR_RESPONSE), 1);
	assert_int_equal(pair->outcomes[OUTCOME_ESTABLISHED], 1);
}

static void what_was_sent_again_counts_by_its_cause(void **state)
{
	struct pair_counters *pair = &pair_counters[PAIR_FIRST];

	(void)state;
	config.aggregate = 1;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(900));
	assert_int_equal(pair->retransmitted[CAUSE_RTO], 1);
	assert_int_equal(pair->retransmitted[CAUSE_FAST], 0);
}

static void a_window_that_opens_again_counts_how_long_it_was_closed(void **state)
{
	struct pair_counters *pair = &pair_counters[PAIR_FIRST];

	(void)state;
	config.aggregate = 1;
	connect_port(1, 10);
	pass(SERVER, .client_port = 1, seq(5000), ack(1000), window(0), at_ms(10));
	assert_int_equal(pair->zero_window_ns, 0);
	pass(SERVER, .client_port = 1, seq(5000), ack(1000), window(100), at_ms(30));
	assert_int_equal(pair->zero_window_ns, 20 * MS);
}

static void what_never_opened_counts_when_it_leaves(void **state)
{
	struct pair_counters *pair = &pair_counters[PAIR_FIRST];

	(void)state;
	config.aggregate = 1;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_s(1));
	pass(CLIENT, .client_port = 1, seq(70000999), flags(TCP_SYN), at_s(50));
	assert_int_equal(pair->outcomes[OUTCOME_NO_ANSWER], 1);
	assert_int_equal(pair->outcomes[OUTCOME_ESTABLISHED], 0);
	assert_int_equal(pair->segments, 1);
}

static void what_opened_counts_no_second_time_when_it_leaves(void **state)
{
	struct pair_counters *pair = &pair_counters[PAIR_FIRST];

	(void)state;
	config.aggregate = 1;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(70000999), flags(TCP_SYN), at_s(500));
	assert_int_equal(counters[COUNTER_flows_ended], 1);
	assert_int_equal(pair->outcomes[OUTCOME_ESTABLISHED], 1);
	assert_int_equal(pair->segments, 3);
}

static void a_flow_the_full_table_refused_counts_too(void **state)
{
	(void)state;
	config.aggregate = 1;
	proven_room = 0;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1)); /* counted as refused */
	assert_int_equal(pair_counters[PAIR_FIRST].outcomes[OUTCOME_ESTABLISHED], 1);
	assert_int_equal(pair_counters[PAIR_FIRST].segments, 3);
	assert_int_equal(samples(PAIR_FIRST, PAIR_CONNECT), 1);
}

static struct pair_counters sum_of_pairs(void)
{
	struct pair_counters sum = {};

	for (uint32_t pair = PAIR_FIRST; pair < pair_count; pair++) {
		sum.segments += pair_counters[pair].segments;
		sum.payload_bytes += pair_counters[pair].payload_bytes;
		sum.outcomes[OUTCOME_ESTABLISHED] += pair_counters[pair].outcomes[OUTCOME_ESTABLISHED];
	}
	return sum;
}

/* A question each minute; who looks each hour finds sixty more, whatever the labels are called by then. */
static void a_flow_open_for_a_day_is_in_every_hour_and_never_twice(void **state)
{
	struct pair_counters now, before;
	uint32_t minute;

	(void)state;
	config.aggregate = 1;
	connect_port(1, 10);
	before = sum_of_pairs();
	assert_int_equal(before.outcomes[OUTCOME_ESTABLISHED], 1);
	for (minute = 1; minute <= 24 * 60; minute++) {
		pass(CLIENT, .client_port = 1, seq(1000 + 100 * (minute - 1)), ack(5000), bytes(100),
		     at_s(60ull * minute));
		if (minute % 60)
			continue;
		now = sum_of_pairs();
		assert_int_equal(now.segments - before.segments, 60);
		assert_int_equal(now.payload_bytes - before.payload_bytes, 6000);
		before = now;
		if (minute == 5 * 60 || minute == 17 * 60) { /* new labels; the first two pairs come again */
			generation++;
			group_shift = group_shift ? 0 : 10;
		}
	}
	assert_int_equal(pair_count, PAIR_FIRST + 2);
	pass(SERVER, .client_port = 1, seq(5000), ack(1000), flags(RST_ACK), at_s(60ull * minute));
	pass(CLIENT, .client_port = 1, seq(70000999), flags(TCP_SYN), at_s(60ull * minute + 30));
	assert_int_equal(posted_count, 1);
	now = sum_of_pairs();
	assert_int_equal(now.segments, 3 + 24 * 60 + 1);
	assert_int_equal(now.outcomes[OUTCOME_ESTABLISHED], 1);
	assert_int_equal(samples(PAIR_FIRST, PAIR_CONNECT) + samples(PAIR_FIRST + 1, PAIR_CONNECT), 1);
}

/* What left without having been counted, as where nobody asked for metrics before. */
static void a_flow_of_more_segments_than_a_word_holds_is_counted_whole(void **state)
{
	struct flow_whole whole = {};
	struct pair_counters pair = {};

	(void)state;
	whole.flow.segments_high[CLIENT] = 2;
	whole.flow.side[CLIENT].segments = 7;
	whole.flow.side[SERVER].segments = 3;
	pair_add_leaving(&pair, &whole, 1);
	assert_int_equal(pair.segments, 0x10000000a);
}

static void new_labels_move_a_flow_and_count_nothing_twice(void **state)
{
	(void)state;
	config.aggregate = 1;
	connect_port(1, 10);
	generation = 2;
	group_shift = 10;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(pair_counters[PAIR_FIRST].segments, 3);
	assert_int_equal(pair_counters[PAIR_FIRST].payload_bytes, 0);
	assert_int_equal(pair_keys[PAIR_FIRST + 1].opener, 11);
	assert_int_equal(pair_counters[PAIR_FIRST + 1].segments, 1);
	assert_int_equal(pair_counters[PAIR_FIRST + 1].payload_bytes, 100);
	assert_int_equal(pair_counters[PAIR_FIRST + 1].outcomes[OUTCOME_ESTABLISHED], 0);
}

static void pairs_without_room_are_the_other_one(void **state)
{
	(void)state;
	config.aggregate = 1;
	pair_count = PAIR_FIRST + 2;
	memset(pair_keys, 0xff, sizeof(pair_keys));
	connect_port(1, 10);
	assert_int_equal(pair_counters[PAIR_OTHER].outcomes[OUTCOME_ESTABLISHED], 1);
	assert_int_equal(samples(PAIR_OTHER, PAIR_CONNECT), 1);
}

static void a_flow_that_another_interface_claimed_counts_nowhere(void **state)
{
	(void)state;
	config.aggregate = 1;
	is_claimed = 1;
	connect_port(1, 10);
	assert_int_equal(counters[COUNTER_flows_promoted], 1);
	assert_int_equal(pair_count, PAIR_FIRST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hall_test(an_opening_counts_in_its_pair_when_it_is_complete),
		hall_test(each_packet_counts_once_in_its_pair),
		hall_test(what_was_sent_again_counts_by_its_cause),
		hall_test(a_window_that_opens_again_counts_how_long_it_was_closed),
		hall_test(what_never_opened_counts_when_it_leaves),
		hall_test(what_opened_counts_no_second_time_when_it_leaves),
		hall_test(a_flow_the_full_table_refused_counts_too),
		hall_test(a_flow_open_for_a_day_is_in_every_hour_and_never_twice),
		hall_test(a_flow_of_more_segments_than_a_word_holds_is_counted_whole),
		hall_test(new_labels_move_a_flow_and_count_nothing_twice),
		hall_test(pairs_without_room_are_the_other_one),
		hall_test(a_flow_that_another_interface_claimed_counts_nowhere),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("monitor_pairs", tests, NULL, NULL);
}
