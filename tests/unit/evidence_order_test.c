/* SPDX-License-Identifier: GPL-2.0-only */
/* Sent before or after: what TSval and IP-ID tell, each against its own clock. */
#include "lossy.h"

/* ------------------------------------------------------------------ order by TSval */

static void a_later_tsval_was_sent_after_however_soon_it_comes(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	data(1200, ts(140, 1), at_ms(140));
	assert_int_equal(data(1100, ts(141, 1), at_us(140100)), SEGMENT_RECOVERED);
	assert_int_equal(client_rare->recovered_segments, 1);
	assert_int_equal(client_rare->recovered_bytes, 100);
}

static void an_earlier_tsval_was_sent_before_however_late_it_comes(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	data(1200, ts(140, 1), at_ms(140));
	assert_int_equal(data(1100, ts(139, 1), at_s(2)), SEGMENT_REORDERED);
	assert_int_equal(client_rare->reordered, 1);
}

static void tsvals_are_compared_across_zero(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(0xfffffff0, 1), at_ms(100));
	data(1200, ts(0xffffffff, 1), at_ms(140));
	assert_int_equal(data(1100, ts(1, 1), at_us(140100)), SEGMENT_RECOVERED);
}

static void the_same_tsval_says_nothing(void **state)
{
	(void)state; /* one tick: it is the age that tells */
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	data(1200, ts(140, 1), at_ms(140));
	assert_int_equal(data(1100, ts(140, 1), at_ms(141)), SEGMENT_REORDERED);
	data(1400, ts(150, 1), at_ms(150));
	assert_int_equal(data(1300, ts(150, 1), at_ms(200)), SEGMENT_UNRESOLVED);
}

/* 40 ms there and back, and both clocks have told by SYN and SYN-ACK how long their ticks are. */
static void connect_40_ms_ticking(__u32 syn_tick, __u32 synack_tick)
{
	send(CLIENT, seq(999), flags(TCP_SYN), ts(syn_tick, 0), at_ms(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), ts(synack_tick, syn_tick), at_ms(40));
	send(CLIENT, seq(1000), ack(5000), ts(syn_tick + 4, synack_tick), at_ms(50));
}

/* Ticks of 1 ms: an answer to what opened the hole would carry another one. */
static void the_same_short_tick_was_sent_before_whoever_asked(void **state)
{
	(void)state;
	connect_40_ms_ticking(1000, 7);
	data(1000, ts(1090, 7), at_ms(100));
	acks(1100, ts(97, 1090), at_ms(130));
	data(1200, ts(1130, 7), at_ms(140));
	duplicate_acks(3);
	assert_int_equal(data(1100, ts(1130, 7), at_ms(185)), SEGMENT_REORDERED);
}

/* The server's, across zero: 0xfffffff0 at 40 ms, so 44 at 100 ms. */
static void the_responders_ticks_are_told_by_its_syn_ack(void **state)
{
	__u32 i;

	(void)state;
	connect_40_ms_ticking(1000, 0xfffffff0);
	send(SERVER, seq(5000), ack(1000), bytes(100), ts(34, 1040), at_ms(90));
	send(CLIENT, seq(1000), ack(5100), ts(1090, 34), at_ms(100));
	send(SERVER, seq(5200), ack(1000), bytes(100), ts(44, 1040), at_ms(100));
	for (i = 0; i < 4; i++)
		send(CLIENT, seq(1000), ack(5100), ts(1100, 34), at_ms(110 + i));
	assert_int_equal(send(SERVER, seq(5100), ack(1000), bytes(100), ts(44, 1040), at_ms(145)),
			 SEGMENT_REORDERED);
}

/* A round trip of 150 us and ticks of 1 ms: a repeat may have the same, but would come within it. */
static void the_same_tick_many_ticks_later_was_held_up(void **state)
{
	__u32 i;

	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), ts(1000, 0), at_us(50));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), ts(7, 1000), at_us(150));
	send(CLIENT, seq(1000), ack(5000), ts(1000, 7), at_us(200));
	data(1000, ts(1110, 7), at_ms(110));
	data(1200, ts(1110, 7), at_ms(110));
	data(1400, ts(1110, 7), at_ms(110));
	for (i = 0; i < 5; i++)
		acks(1100, ts(117, 1110), at_us(110200 + i));
	assert_int_equal(data(1100, ts(1110, 7), at_us(111500)), SEGMENT_RECOVERED);
	assert_int_equal(data(1300, ts(1110, 7), at_ms(115)), SEGMENT_REORDERED);
}

/* Ticks of 100 ms: what was sent a round trip later may well carry the same. */
static void the_same_long_tick_says_nothing(void **state)
{
	__u32 i;

	(void)state;
	connect_40_ms_ticking(1000, 7);
	data(1000, ts(1010, 7), at_ms(1010));
	acks(1100, ts(97, 1010), at_ms(1040));
	data(1200, ts(1010, 7), at_ms(1050));
	for (i = 0; i < 4; i++)
		acks(1100, ts(97, 1010), at_ms(1080 + i));
	assert_int_equal(data(1100, ts(1010, 7), at_ms(1095)), SEGMENT_RECOVERED);
}

/* A repeat would carry the newest tick; this one was overtaken by what carries it. */
static void the_same_tsval_behind_newer_ones_was_sent_before(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	acks(1100, at_ms(130));
	data(1200, ts(140, 1), at_ms(140));
	data(1300, ts(141, 1), at_ms(141));
	duplicate_acks(3);
	assert_int_equal(data(1100, ts(140, 1), at_ms(185)), SEGMENT_REORDERED);
}

static void tsval_is_stronger_than_ip_id(void **state)
{
	__u16 i;

	(void)state;
	connect_40_ms();
	for (i = 0; i < 5; i++)
		data(1000 + 100 * i, ts(100, 1), ip_id(10 + i), at_ms(100 + i));
	data(1600, ts(140, 1), ip_id(16), at_ms(140));
	assert_int_equal(data(1500, ts(141, 1), ip_id(15), at_ms(300)), SEGMENT_RECOVERED);
}

/* ------------------------------------------------------------------ order by IP-ID */

static void a_lower_ip_id_of_those_that_count_up_was_sent_before(void **state)
{
	(void)state;
	lose_one_of_counted(10);
	assert_int_equal(data(1500, ip_id(15), at_s(2)), SEGMENT_REORDERED);
}

static void a_higher_ip_id_was_sent_after(void **state)
{
	(void)state;
	lose_one_of_counted(10);
	assert_int_equal(data(1500, ip_id(17), at_us(140100)), SEGMENT_RECOVERED);
}

static void ip_ids_are_compared_across_zero(void **state)
{
	(void)state;
	lose_one_of_counted(65531); /* 65531 ... 65535, then 0 is missing, and 1 passes */
	assert_int_equal(data(1500, ip_id(2), at_us(140100)), SEGMENT_RECOVERED);
}

static void ip_ids_that_are_noise_say_nothing(void **state)
{
	static const __u16 noise[] = {40000, 7, 30000, 12345, 60000};
	__u16 i;

	(void)state;
	connect_40_ms();
	for (i = 0; i < 5; i++)
		data(1000 + 100 * i, ip_id(noise[i]), at_ms(100 + i));
	data(1600, ip_id(500), at_ms(140));
	assert_int_equal(data(1500, ip_id(900), at_ms(141)), SEGMENT_REORDERED);
}

static void two_ip_ids_in_a_row_are_no_counter(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ip_id(10), at_ms(100));
	data(1200, ip_id(12), at_ms(140));
	assert_int_equal(data(1100, ip_id(13), at_ms(141)), SEGMENT_REORDERED);
}

static void what_was_overtaken_does_not_say_how_its_sender_counts(void **state)
{
	(void)state;
	lose_one_of_counted(10);
	assert_int_equal(data(1500, ip_id(15), at_ms(141)), SEGMENT_REORDERED);
	assert_int_equal(client->ip_id, 16);
	assert_int_equal(client->ip_ids, 5);
}

/* Steps of 100: a counter for all that a busy host sends. */
static void ip_ids_shared_with_many_others_say_nothing(void **state)
{
	__u16 i;

	(void)state;
	connect_40_ms();
	for (i = 0; i < 8; i++)
		data(1000 + 100 * i, ip_id(1000 + 100 * i), at_ms(100));
	assert_false(evidence_ip_ids_count_up(client));
}

static void ip_ids_count_up_however_many_there_were(void **state)
{
	__u32 i;

	(void)state;
	connect_40_ms();
	for (i = 0; i < 66000; i++)
		data(1000 + 100 * i, ip_id((__u16)(i + 1)), at_ms(100));
	assert_true(evidence_ip_ids_count_up(client));
	assert_true(client->ip_ids > 30000);
}

static void ip_id_is_stronger_than_what_the_receiver_asked_for(void **state)
{
	int i;

	(void)state;
	lose_one_of_counted(10);
	for (i = 0; i < 4; i++)
		acks(1500, at_ms(170 + i));
	assert_int_equal(data(1500, ip_id(15), at_ms(190)), SEGMENT_REORDERED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		core_test(a_later_tsval_was_sent_after_however_soon_it_comes),
		core_test(an_earlier_tsval_was_sent_before_however_late_it_comes),
		core_test(tsvals_are_compared_across_zero),
		core_test(the_same_tsval_says_nothing),
		core_test(the_same_tsval_behind_newer_ones_was_sent_before),
		core_test(the_same_short_tick_was_sent_before_whoever_asked),
		core_test(the_responders_ticks_are_told_by_its_syn_ack),
		core_test(the_same_tick_many_ticks_later_was_held_up),
		core_test(the_same_long_tick_says_nothing),
		core_test(tsval_is_stronger_than_ip_id),
		core_test(a_lower_ip_id_of_those_that_count_up_was_sent_before),
		core_test(a_higher_ip_id_was_sent_after),
		core_test(ip_ids_are_compared_across_zero),
		core_test(ip_ids_that_are_noise_say_nothing),
		core_test(two_ip_ids_in_a_row_are_no_counter),
		core_test(what_was_overtaken_does_not_say_how_its_sender_counts),
		core_test(ip_ids_shared_with_many_others_say_nothing),
		core_test(ip_ids_count_up_however_many_there_were),
		core_test(ip_id_is_stronger_than_what_the_receiver_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
