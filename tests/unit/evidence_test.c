/* SPDX-License-Identifier: GPL-2.0-only */
/* What tells sent before from sent after, a copy from a repeat, and why it was sent again. */
#include "core.h"

/* 30 ms to the server and back, 10 ms to the client: 40 ms in all, a quarter of it is 10. */
static void connect_40_ms(void)
{
	send(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_ms(40));
	send(CLIENT, seq(1000), ack(5000), at_ms(50));
}

#define data(start, ...) send(CLIENT, seq(start), ack(5000), bytes(100), __VA_ARGS__)
#define acks(n, ...) send(SERVER, seq(5000), ack(n), __VA_ARGS__)

/* [1100, 1200) is missing from 140 ms on, when [1200, 1300) passed. */
static void lose_one(void)
{
	connect_40_ms();
	data(1000, at_ms(100));
	acks(1100, at_ms(130));
	data(1200, at_ms(140));
}

/* What the receiver has got ends at 1100, it says from 170 ms on. */
static void duplicate_acks(int count)
{
	int i;

	for (i = 0; i < count; i++)
		acks(1100, at_ms(170 + i));
}

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

/* [1500, 1600) is missing, and IP-ID first + 5 with it. */
static void lose_one_of_counted(__u16 first)
{
	__u16 i;

	connect_40_ms();
	for (i = 0; i < 5; i++)
		data(1000 + 100 * i, ip_id((__u16)(first + i)), at_ms(100 + i));
	data(1600, ip_id((__u16)(first + 6)), at_ms(140));
}

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

/* ------------------------------------------------------------------ what the receiver asked for */

static void three_duplicate_acks_and_a_round_trip_show_a_loss(void **state)
{
	(void)state;
	lose_one();
	duplicate_acks(3);
	assert_int_equal(data(1100, at_ms(180)), SEGMENT_RECOVERED);
	assert_int_equal(verdict.cause, CAUSE_FAST);
	assert_int_equal(client_rare->fast, 1);
}

static void within_a_round_trip_nobody_can_have_answered(void **state)
{
	(void)state;
	lose_one();
	duplicate_acks(3);
	assert_int_equal(data(1100, at_ms(174)), SEGMENT_UNRESOLVED);
}

static void two_duplicate_acks_are_not_enough(void **state)
{
	(void)state;
	lose_one();
	duplicate_acks(2);
	assert_int_equal(data(1100, at_ms(180)), SEGMENT_UNRESOLVED);
}

static void a_sack_above_the_hole_is_as_good_as_three(void **state)
{
	(void)state;
	lose_one();
	acks(1100, sack(1200, 1300), at_ms(170));
	assert_int_equal(data(1100, at_ms(180)), SEGMENT_RECOVERED);
	assert_int_equal(verdict.cause, CAUSE_FAST);
}

static void a_sack_asks_only_for_what_lies_below_it(void **state)
{
	(void)state;
	lose_one();
	data(1400, at_ms(141)); /* and [1300, 1400) */
	acks(1100, sack(1200, 1300), at_ms(170));
	assert_int_equal(data(1300, at_ms(190)), SEGMENT_UNRESOLVED);
	assert_int_equal(data(1100, at_ms(191)), SEGMENT_RECOVERED);
}

static void a_dsack_asks_for_nothing(void **state)
{
	int i;

	(void)state;
	lose_one();
	for (i = 0; i < 3; i++)
		acks(1100, sack(1000, 1100), at_ms(170 + i));
	assert_int_equal(server->dup_run, 0);
	assert_int_equal(data(1100, at_ms(180)), SEGMENT_UNRESOLVED);
}

static void the_block_behind_a_dsack_still_asks(void **state)
{
	(void)state;
	lose_one();
	acks(1100, two_sacks(1000, 1050, 1200, 1300), at_ms(170));
	assert_int_equal(data(1100, at_ms(180)), SEGMENT_RECOVERED);
}

static void an_ack_that_moves_on_has_been_answered(void **state)
{
	(void)state;
	lose_one();
	duplicate_acks(3);
	acks(1150, at_ms(175)); /* it has got half of it, on another way */
	assert_int_equal(data(1100, at_ms(180)), SEGMENT_UNRESOLVED);
}

/* ------------------------------------------------------------------ age */

static void younger_than_a_quarter_of_the_round_trip_is_reordered(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_us(149900)), SEGMENT_REORDERED);
	assert_int_equal(unique_bytes_of(CLIENT), 300);
	assert_int_equal(client_rare->retransmitted_segments, 0);
}

static void neither_young_nor_old_enough_is_unresolved(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_ms(150)), SEGMENT_UNRESOLVED);
	assert_int_equal(verdict.cause, CAUSE_NONE);
	assert_int_equal(client_rare->unresolved, 1);
	assert_int_equal(client_rare->rto + client_rare->fast + client_rare->probe, 0);
}

static void as_old_as_the_shortest_timeout_is_recovered(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_ms(340)), SEGMENT_RECOVERED);
	assert_int_equal(verdict.cause, CAUSE_RTO);
	assert_int_equal(client_rare->rto, 1);
}

static void a_little_younger_than_the_shortest_timeout_is_unresolved(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_us(339900)), SEGMENT_UNRESOLVED);
}

static void on_a_long_way_the_timeout_is_two_round_trips(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_ms(210));
	send(CLIENT, seq(1000), ack(5000), at_ms(310)); /* 200 + 100 ms */
	data(1100, at_ms(400));
	assert_int_equal(data(1000, at_ms(999)), SEGMENT_UNRESOLVED);
	data(1300, at_ms(1400));
	assert_int_equal(data(1200, at_ms(2000)), SEGMENT_RECOVERED);
}

static void without_a_round_trip_three_ms_are_reordering(void **state)
{
	(void)state;
	data(1000, at_ms(100));
	data(1200, at_ms(110));
	assert_int_equal(data(1100, at_us(112900)), SEGMENT_REORDERED);
	data(1400, at_ms(120));
	assert_int_equal(data(1300, at_ms(123)), SEGMENT_UNRESOLVED);
}

static void without_a_round_trip_three_duplicate_acks_must_do(void **state)
{
	(void)state;
	data(1000, at_ms(100));
	acks(1100, at_ms(100));
	data(1200, at_ms(101));
	acks(1100, sack(1200, 1300), at_ms(101)); /* as for a segment that was overtaken */
	acks(1100, sack(1200, 1300), at_ms(101));
	assert_int_equal(data(1100, at_ms(102)), SEGMENT_REORDERED);
	acks(1300, at_ms(102));
	data(1400, at_ms(103));
	acks(1300, at_ms(103));
	acks(1300, at_ms(103));
	acks(1300, at_ms(103));
	assert_int_equal(data(1300, at_ms(104)), SEGMENT_RECOVERED);
}

static void with_half_a_round_trip_no_answer_comes_sooner(void **state)
{
	(void)state;
	data(1000, at_ms(100));
	acks(1100, at_ms(120)); /* the server is 20 ms away, of the client nobody knows */
	data(1200, at_ms(200));
	acks(1100, at_ms(201));
	acks(1100, at_ms(202));
	acks(1100, at_ms(202));
	assert_int_equal(data(1100, at_us(202500)), SEGMENT_REORDERED);
	acks(1300, at_ms(222));
	data(1400, at_ms(300));
	acks(1300, at_ms(320));
	acks(1300, at_ms(320));
	acks(1300, at_ms(320));
	assert_int_equal(data(1300, at_ms(320)), SEGMENT_RECOVERED);
}

/* RFC 6582, 3.2: without SACK one loss is told at a time, by an ACK that goes half the way. */
static void a_partial_ack_asks_for_the_next(void **state)
{
	int i;

	(void)state;
	connect_40_ms();
	data(1000, at_ms(100)); /* 1100 and 1300 are lost */
	acks(1100, at_ms(130));
	data(1200, at_ms(140));
	data(1400, at_ms(140));
	data(1500, at_ms(140));
	for (i = 0; i < 3; i++)
		acks(1100, at_ms(170 + i));
	assert_int_equal(data(1100, at_ms(185)), SEGMENT_RECOVERED);
	acks(1300, at_ms(215)); /* moves, so there are no duplicates */
	assert_int_equal(data(1300, at_ms(225)), SEGMENT_RECOVERED);
	acks(1600, at_ms(255));
	/* What was sent after that began is another matter. */
	data(1700, at_ms(260));
	assert_int_equal(data(1600, at_ms(299)), SEGMENT_UNRESOLVED);
}

/* 1100 is repaired, then 1300 and 1500 are lost together. */
static void a_second_repair_asks_as_the_first_did(void **state)
{
	(void)state;
	lose_one();
	duplicate_acks(4);
	assert_int_equal(data(1100, at_ms(185)), SEGMENT_RECOVERED);
	acks(1300, at_ms(215));
	data(1400, at_ms(300));
	data(1600, at_ms(300));
	data(1700, at_ms(300));
	acks(1300, at_ms(330));
	acks(1300, at_ms(331));
	acks(1300, at_ms(332));
	assert_int_equal(data(1300, at_ms(345)), SEGMENT_RECOVERED);
	acks(1500, at_ms(375));
	assert_int_equal(data(1500, at_ms(385)), SEGMENT_RECOVERED);
}

static void below_the_first_number_seen_there_is_no_evidence(void **state)
{
	(void)state;
	data(1000, ts(100, 1), at_ms(100));
	assert_int_equal(data(900, ts(99, 1), at_ms(101)), SEGMENT_UNRESOLVED);
}

/* ------------------------------------------------------------------ copies */

static void the_same_packet_at_once_is_a_copy(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	assert_int_equal(data(1000, at_us(100900)), SEGMENT_COPY);
	assert_int_equal(client_rare->copies, 1);
	assert_int_equal(client_rare->retransmitted_segments, 0);
	assert_int_equal(unique_bytes_of(CLIENT), 100);
}

static void without_ip_id_a_ms_is_the_limit(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	data(1100, at_ms(100));
	assert_int_equal(data(1000, at_us(101100)), SEGMENT_RETRANSMITTED);
}

static void without_ip_id_nothing_may_have_come_back(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_ms(40));
	send(CLIENT, seq(1000), ack(5000), at_us(40200)); /* the client is 0.2 ms away */
	data(1000, at_ms(100));
	data(1100, at_ms(100));
	acks(1000, at_us(100400));
	assert_int_equal(data(1000, at_us(100900)), SEGMENT_RETRANSMITTED);
}

/* No timer is so short, and who asks has got something that was sent in between. */
static void next_to_its_like_it_is_a_copy_whatever_came_back(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	acks(1100, at_us(100010));
	assert_int_equal(data(1000, at_us(101900)), SEGMENT_COPY);
	assert_int_equal(data(1000, at_ms(102)), SEGMENT_RETRANSMITTED); /* Linux' shortest probe */
}

static void without_ip_id_another_ack_makes_it_another_packet(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	assert_int_equal(send(CLIENT, seq(1000), ack(5100), bytes(100), at_us(100100)),
			 SEGMENT_RETRANSMITTED);
	assert_int_equal(send(CLIENT, seq(1000), ack(5100), window(500), bytes(100), at_us(100200)),
			 SEGMENT_RETRANSMITTED);
}

/* The original came too late, and what was sent for it right behind. */
static void next_to_what_filled_a_hole_it_may_have_been_sent_again(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_ms(141)), SEGMENT_REORDERED);
	acks(1300, at_us(141010));
	assert_int_equal(data(1100, at_us(141020)), SEGMENT_RETRANSMITTED);
}

/* At microseconds it was asked for meanwhile, on a road that does not lead by here. */
static void of_one_direction_what_did_not_come_back_says_nothing(void **state)
{
	(void)state;
	data(1000, at_ms(100));
	data(1100, at_us(100010));
	assert_int_equal(data(1000, at_us(100100)), SEGMENT_RETRANSMITTED);
	assert_int_equal(data(1000, at_us(100110)), SEGMENT_COPY); /* next to it */
}

/* A SYN that comes twice is answered twice, which Linux counts. */
static void a_syn_ack_after_a_syn_is_no_copy(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), at_us(100));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_us(110));
	assert_int_equal(send(CLIENT, seq(999), flags(TCP_SYN), at_us(120)), SEGMENT_COPY);
	assert_int_equal(send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_us(130)),
			 SEGMENT_RETRANSMITTED);
}

static void far_from_the_sender_what_came_back_is_not_answered_so_soon(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_us(10100)); /* 0.1 ms away */
	send(CLIENT, seq(1000), ack(5000), at_us(20100)); /* 10 ms away */
	data(1000, at_ms(100));
	acks(1000, at_us(100400));
	assert_int_equal(data(1000, at_us(100900)), SEGMENT_COPY);
}

static void what_the_receiver_asked_for_is_no_copy(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_us(10007));
	/* Right beside the sender, though its one slow answer makes it look far away. */
	send(CLIENT, seq(1000), ack(5000), at_us(10140));
	data(1000, at_ms(100));
	data(1100, at_us(100019));
	acks(1000, sack(1100, 1200), at_us(100042));
	assert_int_equal(data(1000, at_us(100058)), SEGMENT_RETRANSMITTED);
}

/* A timer would have taken longer, and nobody asked; the receiver answered the first one. */
static void the_same_tsval_within_a_quarter_round_trip_is_a_copy(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	acks(1100, at_ms(101));
	assert_int_equal(data(1000, ts(100, 1), at_ms(102)), SEGMENT_COPY);
}

/* 300 us to the client, 50 to the server: a host that is busy for as long is no distance. */
static void at_microseconds_nothing_is_far(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), at_us(50));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_us(100));
	send(CLIENT, seq(1000), ack(5000), at_us(400));
	data(1000, ts(100, 1), at_us(1000));
	data(1100, ts(100, 1), at_us(1010));
	acks(1100, at_us(1020));
	assert_int_equal(data(1000, ts(100, 1), at_us(1070)), SEGMENT_RETRANSMITTED);
}

static void another_tsval_is_another_packet(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	assert_int_equal(data(1000, ts(101, 1), at_us(100900)), SEGMENT_RETRANSMITTED);
}

static void another_ip_id_is_another_packet(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ip_id(10), at_ms(100));
	assert_int_equal(data(1000, ip_id(11), at_us(100900)), SEGMENT_RETRANSMITTED);
}

static void another_length_is_another_packet(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), bytes(99), at_us(100900)),
			 SEGMENT_RETRANSMITTED);
}

static void the_same_ip_id_within_a_quarter_round_trip_is_a_copy(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ip_id(10), at_ms(100));
	assert_int_equal(data(1000, ip_id(10), at_ms(109)), SEGMENT_COPY);
	data(1100, ip_id(11), at_ms(200));
	assert_int_equal(data(1100, ip_id(11), at_ms(211)), SEGMENT_RETRANSMITTED);
}

static void a_packet_that_was_asked_for_is_no_copy(void **state)
{
	int i;

	(void)state; /* its IP-ID is a constant, the receiver answers quickly */
	connect_40_ms();
	data(1000, ip_id(10), at_ms(100));
	data(1100, ip_id(10), at_ms(100));
	for (i = 0; i < 4; i++)
		acks(1000, at_ms(101 + i));
	assert_int_equal(data(1000, ip_id(10), at_ms(106)), SEGMENT_RETRANSMITTED);
	assert_int_equal(verdict.cause, CAUSE_FAST);
}

/* Whoever counts never uses one twice so soon. */
static void the_same_ip_id_of_one_that_counts_is_a_copy_for_longer(void **state)
{
	__u16 i;

	(void)state;
	connect_40_ms();
	for (i = 0; i < 6; i++)
		data(1000 + 100 * i, ip_id(10 + i), at_ms(100));
	assert_int_equal(data(1500, ip_id(15), at_ms(190)), SEGMENT_COPY);
	assert_int_equal(data(1500, ip_id(15), at_ms(210)), SEGMENT_RETRANSMITTED);
}

/* Each comes behind the next one: their numbers go up and down. */
static void copies_of_a_packet_do_not_say_how_its_sender_counts(void **state)
{
	__u16 i;

	(void)state;
	connect_40_ms();
	data(1000, ip_id(10), at_ms(100));
	for (i = 1; i < 6; i++) {
		data(1000 + 100 * i, ip_id(10 + i), at_ms(100 + 5 * i));
		data(900 + 100 * i, ip_id(9 + i), at_ms(101 + 5 * i));
	}
	assert_int_equal(client_rare->copies, 5);
	assert_true(evidence_ip_ids_count_up(client));
}

static void a_copy_of_a_repeat_is_a_copy(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	assert_int_equal(data(1000, ts(400, 1), at_ms(400)), SEGMENT_RETRANSMITTED);
	assert_int_equal(data(1000, ts(400, 1), at_us(400500)), SEGMENT_COPY);
	assert_int_equal(client_rare->retransmitted_segments, 1);
}

static void a_copy_of_what_filled_a_hole_is_a_copy(void **state)
{
	(void)state;
	lose_one();
	data(1100, at_ms(400));
	assert_int_equal(data(1100, at_us(400500)), SEGMENT_COPY);
	assert_int_equal(client_rare->recovered_segments, 1);
	assert_int_equal(client_rare->retransmitted_segments, 0);
}

static void a_copy_of_a_fin_closes_nothing_twice(void **state)
{
	(void)state;
	connect_40_ms();
	send(CLIENT, seq(1000), ack(5000), flags(FIN_ACK), at_ms(100));
	assert_int_equal(send(CLIENT, seq(1000), ack(5000), flags(FIN_ACK), at_us(100500)),
			 SEGMENT_COPY);
	assert_int_equal(client_rare->fin_retrans, 0);
}

/* Older than the newest we saw, and nobody asked: the network held it up, TCP did not send it. */
static void a_slow_copy_is_one_after_many_others(void **state)
{
	__u32 i;

	(void)state;
	connect_40_ms();
	for (i = 0; i < 8; i++)
		data(1000 + 100 * i, ts(100 + i, 1), at_ms(100 + i));
	assert_int_equal(data(1000, ts(100, 1), at_ms(110)), SEGMENT_COPY);
	assert_int_equal(client_rare->retransmitted_segments, 0);
}

/* ---- a crowd of copies behind a crowd of segments */

/* SYN twice: this is a mirror. Then `count` segments in as many us, the first one of them at 100 ms. */
static void mirrored_burst(__u32 count, __u16 first_ip_id)
{
	__u32 i;

	send(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	assert_int_equal(send(CLIENT, seq(999), flags(TCP_SYN), at_us(10001)), SEGMENT_COPY);
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_ms(40));
	send(CLIENT, seq(1000), ack(5000), at_ms(50));
	for (i = 0; i < count; i++)
		assert_int_equal(data(1000 + 100 * i, ip_id((__u16)(first_ip_id ? first_ip_id + i : 0)),
				      at_us(100000 + i)), SEGMENT_NEW);
}

static void copies_of_a_burst_that_come_behind_it_are_copies(void **state)
{
	__u32 i;

	(void)state;
	mirrored_burst(60, 0);
	for (i = 0; i < 60; i++)
		assert_int_equal(data(1000 + 100 * i, at_us(100100 + i)), SEGMENT_COPY);
	assert_int_equal(client_rare->copies, 61);
	assert_int_equal(client_rare->retransmitted_segments, 0);
}

static void a_crowd_of_copies_is_told_while_the_receiver_asks(void **state)
{
	__u32 i;

	(void)state;
	mirrored_burst(20, 100);
	for (i = 0; i < 4; i++)
		acks(1000, at_us(100050 + i));
	for (i = 0; i < 20; i++)
		assert_int_equal(data(1000 + 100 * i, ip_id((__u16)(100 + i)), at_us(100100 + i)), SEGMENT_COPY);
	assert_int_equal(data(1000, ip_id(120), at_us(100200)), SEGMENT_RETRANSMITTED);
}

/* Its original is remembered, and had another IP-ID: so it is a repeat, be it as slow as it likes. */
static void a_slow_repeat_of_what_is_remembered_is_retransmitted(void **state)
{
	(void)state;
	mirrored_burst(20, 100);
	data(3000, ip_id(130), at_ms(101));
	data(3100, ip_id(131), at_ms(102));
	assert_int_equal(data(1000, ip_id(125), at_ms(103)), SEGMENT_RETRANSMITTED);
	assert_int_equal(client_rare->copies, 1);
}

/* Nobody asks, and it is no copy of what is remembered for longer than reordering takes. */
static void a_repeat_that_was_overtaken_is_no_copy(void **state)
{
	__u32 i;

	(void)state;
	mirrored_burst(10, 100);
	for (i = 0; i < 80; i++)
		data(2000 + 100 * i, ip_id((__u16)(110 + i)), at_us(101000 + 500 * i));
	assert_int_equal(data(1000, ip_id(150), at_us(141000)), SEGMENT_RETRANSMITTED);
	assert_int_equal(client_rare->copies, 1);
}

static void sixty_four_segments_are_remembered_for_their_copies(void **state)
{
	(void)state;
	mirrored_burst(65, 0);
	assert_int_equal(data(1000, at_us(100100)), SEGMENT_RETRANSMITTED);
	assert_int_equal(data(1100, at_us(100101)), SEGMENT_RETRANSMITTED); /* the repeat took its place */
	assert_int_equal(data(1300, at_us(100102)), SEGMENT_COPY);
}

static void where_no_copies_come_any_more_nothing_is_remembered(void **state)
{
	(void)state;
	mirrored_burst(200, 0);
	assert_true(client->bits & SIDE_ECHOES);
	forget_connection(state);
	mirrored_burst(300, 0);
	assert_false(client->bits & SIDE_ECHOES);
}

static void without_copies_nothing_is_remembered(void **state)
{
	__u32 i;

	(void)state;
	lose_one();
	for (i = 0; i < 20; i++)
		data(1300 + 100 * i, at_us(140001 + i));
	duplicate_acks(3);
	data(1100, at_ms(180)); /* asked for */
	assert_false(client->bits & SIDE_ECHOES);
	assert_int_equal(holes[CLIENT].echoes, 0);
}

/* ---- what is remembered of them, and how it is found again */

static struct packet remembered(__u32 start, __u32 tsval)
{
	return segment_packet(&a_segment(CLIENT, seq(start), ack(5000), bytes(100), ts(tsval, 1)));
}

/* `count` segments of 100 octets, the first one at 1000. */
static void remember(__u32 count)
{
	__u32 i;

	for (i = 0; i < count; i++) {
		struct packet pkt = remembered(1000 + 100 * i, 7);

		evidence_echo(&holes[CLIENT], client, &pkt);
	}
}

/* How many came behind it; ECHOES_MAX: it is not remembered. */
static __u32 found(__u32 start, __u32 tsval, __u32 exactly)
{
	struct packet pkt = remembered(start, tsval);

	return evidence_find_echo(&holes[CLIENT], &pkt, exactly);
}

/* Behind 64 the places are used again, and again behind 128. */
static void each_of_the_last_sixty_four_is_found_and_none_before(void **state)
{
	__u32 count, i;

	for (count = 1; count <= 200; count++) {
		forget_connection(state);
		remember(count);
		for (i = 0; i < count; i++) {
			__u32 behind = count - 1 - i;

			assert_int_equal(found(1000 + 100 * i, 7, ~0u), seq_min(behind, ECHOES_MAX));
			assert_int_equal(found(1000 + 100 * i, 8, 0), seq_min(behind, ECHOES_MAX));
			assert_int_equal(found(1000 + 100 * i, 8, ~0u), ECHOES_MAX);
		}
		assert_int_equal(found(900, 7, ~0u), ECHOES_MAX);
	}
}

static void of_the_same_octets_the_newest_is_found_and_exactly_the_newest_alike(void **state)
{
	__u32 tsval;

	(void)state;
	for (tsval = 1; tsval <= 3; tsval++) {
		struct packet pkt = remembered(1000, tsval);

		evidence_echo(&holes[CLIENT], client, &pkt);
	}
	remember(10); /* begins with the same octets, at 7 */
	assert_int_equal(found(1000, 9, 0), 9);
	assert_int_equal(found(1000, 7, ~0u), 9);
	assert_int_equal(found(1000, 3, ~0u), 10);
	assert_int_equal(found(1000, 1, ~0u), 12);
	assert_int_equal(found(1000, 9, ~0u), ECHOES_MAX);
}

/* A place where nothing lies yet reads as a segment of zeros. */
static void what_was_never_remembered_is_not_found(void **state)
{
	struct packet zeros = {};

	(void)state;
	assert_int_equal(evidence_find_echo(&holes[CLIENT], &zeros, ~0u), ECHOES_MAX);
	remember(3);
	assert_int_equal(evidence_find_echo(&holes[CLIENT], &zeros, ~0u), ECHOES_MAX);
	assert_int_equal(evidence_find_echo(&holes[CLIENT], &zeros, 0), ECHOES_MAX);
}

static __u8 tag_at(__u32 place)
{
	return (__u8)(holes[CLIENT].echo_tags[place / 8] >> place % 8 * 8);
}

/* Also where places were used before. */
static void each_place_has_the_tag_of_what_lies_there(void **state)
{
	__u32 place;

	(void)state;
	remember(150);
	for (place = 0; place < ECHOES_MAX; place++)
		assert_int_equal(tag_at(place), evidence_tag(holes[CLIENT].echo[place].seq));
}

/* Drawn by chance, 64 tags of 256 would have eight pairs of the same. Where all have one, all are compared. */
static void segments_of_one_burst_seldom_share_a_tag(void **state)
{
	static const __u32 lengths[] = {1, 100, 536, 1400, 1428, 1440, 1448, 1460, 8948};
	__u32 of, i, j;

	(void)state;
	for (of = 0; of < sizeof(lengths) / sizeof(lengths[0]); of++) {
		__u32 pairs = 0;

		for (i = 0; i < ECHOES_MAX; i++)
			for (j = 0; j < i; j++)
				pairs += evidence_tag(i * lengths[of]) == evidence_tag(j * lengths[of]);
		assert_in_range(pairs, 0, 8);
	}
}

static void slower_than_reordering_makes_it_the_original_is_late(void **state)
{
	__u32 i;

	(void)state;
	connect_40_ms();
	for (i = 0; i < 8; i++)
		data(1000 + 100 * i, ts(100 + i, 1), at_ms(100 + i));
	assert_int_equal(data(1000, ts(100, 1), at_ms(150)), SEGMENT_LATE);
	assert_int_equal(client_rare->late, 1);
	assert_int_equal(client_rare->retransmitted_segments, 0);
}

/* The other direction takes another road: what the receiver asked for is not known. */
static void of_one_direction_nobody_knows_what_is_slow(void **state)
{
	__u32 i;

	(void)state;
	for (i = 0; i < 8; i++)
		data(1000 + 100 * i, ts(100 + i, 1), at_ms(100 + i));
	assert_int_equal(data(1000, ts(100, 1), at_ms(110)), SEGMENT_RETRANSMITTED);
}

/* Its second repeat comes behind newer data: TCP sent it, the octets were sent again before. */
static void what_was_sent_again_is_never_slow(void **state)
{
	__u32 i;

	(void)state;
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	data(1100, ts(101, 1), at_ms(101));
	acks(1100, at_ms(130));
	assert_int_equal(data(1100, ts(400, 1), at_ms(400)), SEGMENT_RETRANSMITTED);
	acks(1200, at_ms(430));
	for (i = 0; i < 5; i++)
		data(1200 + 100 * i, ts(440 + i, 1), at_ms(440 + i));
	assert_int_equal(data(1100, ts(439, 1), at_ms(450)), SEGMENT_RETRANSMITTED);
}

static void what_was_asked_for_is_not_slow(void **state)
{
	__u32 i;

	(void)state;
	connect_40_ms();
	for (i = 0; i < 8; i++)
		data(1000 + 100 * i, ts(100 + i, 1), at_ms(100));
	acks(1000, at_ms(130));
	for (i = 0; i < 3; i++)
		acks(1000, at_ms(131));
	assert_int_equal(data(1000, ts(100, 1), at_ms(140)), SEGMENT_RETRANSMITTED);
}

/* ------------------------------------------------------------------ late */

static void the_original_behind_its_own_repeat_is_late(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	data(1200, ts(140, 1), at_ms(140));
	assert_int_equal(data(1100, ts(400, 1), at_ms(400)), SEGMENT_RECOVERED);
	assert_int_equal(data(1100, ts(120, 1), at_ms(410)), SEGMENT_LATE);
	assert_int_equal(client_rare->late, 1);
	assert_int_equal(client_rare->retransmitted_segments, 0);
	assert_int_equal(unique_bytes_of(CLIENT), 300);
}

static void the_original_is_told_by_its_ip_id_too(void **state)
{
	(void)state;
	lose_one_of_counted(10);
	assert_int_equal(data(1500, ip_id(17), at_ms(400)), SEGMENT_RECOVERED);
	assert_int_equal(data(1500, ip_id(15), at_ms(410)), SEGMENT_LATE);
}

/* Nobody can have asked once more within a round trip of the repeat. */
static void without_a_number_the_original_is_told_by_its_haste(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_ms(400)), SEGMENT_RECOVERED);
	assert_int_equal(data(1100, at_ms(439)), SEGMENT_LATE);
	assert_int_equal(data(1100, at_ms(700)), SEGMENT_RETRANSMITTED);
}

static void there_is_only_one_original(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_ms(400)), SEGMENT_RECOVERED);
	assert_int_equal(data(1100, at_ms(410)), SEGMENT_LATE);
	assert_int_equal(data(1100, at_ms(420)), SEGMENT_RETRANSMITTED);
}

static void of_what_was_acknowledged_only_a_timer_sends_another(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(data(1100, at_ms(400)), SEGMENT_RECOVERED);
	acks(1300, at_ms(430));
	assert_int_equal(data(1100, at_ms(590)), SEGMENT_LATE);
}

/* One tick for both, the hole below keeps the ACK; but newer ticks have passed since. */
static void the_original_of_an_old_tick_is_late_however_long_it_took(void **state)
{
	(void)state;
	lose_one();
	data(1300, ts(150, 1), at_ms(150));
	data(1500, ts(150, 1), at_ms(150));
	duplicate_acks(3);
	assert_int_equal(data(1400, ts(151, 1), at_ms(195)), SEGMENT_RECOVERED);
	data(1600, ts(152, 1), at_ms(196));
	assert_int_equal(data(1400, ts(151, 1), at_ms(260)), SEGMENT_LATE);
}

static void a_second_repeat_behind_the_first_is_not_late(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	data(1200, ts(140, 1), at_ms(140));
	data(1100, ts(400, 1), at_ms(400));
	assert_int_equal(data(1100, ts(900, 1), at_ms(900)), SEGMENT_RETRANSMITTED);
	assert_int_equal(client_rare->late, 0);
}

static void an_original_that_comes_second_is_late_without_a_hole(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(101, 1), at_ms(101));
	assert_int_equal(data(1000, ts(100, 1), at_ms(102)), SEGMENT_LATE);
}

/* It is the copy we saw that counts, not what was sent meanwhile. */
static void a_repeat_held_up_behind_newer_data_is_retransmitted(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, ts(100, 1), at_ms(100));
	data(1100, ts(300, 1), at_ms(300));
	assert_int_equal(data(1000, ts(200, 1), at_ms(350)), SEGMENT_RETRANSMITTED);
	assert_int_equal(client_rare->late, 0);
}

static void a_synack_sent_again_behind_newer_segments_is_retransmitted(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), ts(1, 0), at_ms(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), ts(100, 1), at_ms(40));
	send(CLIENT, seq(1000), ack(5000), ts(2, 100), at_ms(50));
	data(1000, ts(3, 100), at_ms(60));
	acks(1100, ts(2100, 3), at_ms(2050));
	assert_int_equal(send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), ts(1100, 1),
			      at_ms(2060)),
			 SEGMENT_RETRANSMITTED);
	assert_int_equal(server_rare->syn_retrans, 1);
}

/* ------------------------------------------------------------------ cause */

/* Three segments that nobody has acknowledged, the last one at 102 ms. */
static void send_three(void)
{
	connect_40_ms();
	data(1000, at_ms(100));
	data(1100, at_ms(101));
	data(1200, at_ms(102));
}

static void three_duplicate_acks_make_it_fast(void **state)
{
	int i;

	(void)state;
	send_three();
	for (i = 0; i < 4; i++)
		acks(1000, at_ms(130 + i));
	assert_int_equal(data(1000, at_ms(145)), SEGMENT_RETRANSMITTED);
	assert_int_equal(verdict.cause, CAUSE_FAST);
	assert_int_equal(client_rare->fast, 1);
	assert_int_equal(client_rare->rto + client_rare->probe, 0);
}

static void sacked_data_above_makes_it_fast(void **state)
{
	(void)state;
	send_three();
	acks(1000, sack(1100, 1300), at_ms(130));
	data(1000, at_ms(145));
	assert_int_equal(verdict.cause, CAUSE_FAST);
}

static void long_silence_is_the_timers(void **state)
{
	(void)state;
	send_three();
	data(1000, at_ms(302));
	assert_int_equal(verdict.cause, CAUSE_RTO);
	assert_int_equal(client_rare->rto, 1);
}

static void long_silence_is_the_timers_whoever_asked(void **state)
{
	int i;

	(void)state; /* what was sent again fast was lost again */
	send_three();
	for (i = 0; i < 4; i++)
		acks(1000, at_ms(130 + i));
	data(1000, at_ms(140));
	data(1000, at_ms(340));
	assert_int_equal(verdict.cause, CAUSE_RTO);
}

static void the_last_segment_alone_is_a_probe(void **state)
{
	(void)state;
	send_three();
	assert_int_equal(data(1200, at_ms(182)), SEGMENT_RETRANSMITTED);
	assert_int_equal(verdict.cause, CAUSE_PROBE);
	assert_int_equal(client_rare->probe, 1);
}

static void the_last_segment_after_a_duplicate_ack_is_no_probe(void **state)
{
	(void)state;
	send_three();
	acks(1000, at_ms(130));
	acks(1000, at_ms(131));
	data(1200, at_ms(182));
	assert_int_equal(verdict.cause, CAUSE_RTO);
}

static void not_the_last_segment_is_no_probe(void **state)
{
	(void)state;
	send_three();
	data(1000, at_ms(182));
	assert_int_equal(verdict.cause, CAUSE_RTO);
}

static void a_probe_that_ends_at_zero_is_one(void **state)
{
	(void)state;
	connect_with(0xffffff9c, 5000);
	send(CLIENT, seq(0xffffff9c), ack(5000), bytes(100), at_ms(100));
	send(CLIENT, seq(0xffffff9c), ack(5000), bytes(100), at_ms(180));
	assert_int_equal(verdict.cause, CAUSE_PROBE);
}

static void a_syn_is_sent_again_by_the_timer(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	assert_int_equal(send(CLIENT, seq(999), flags(TCP_SYN), at_ms(60)), SEGMENT_RETRANSMITTED);
	assert_int_equal(verdict.cause, CAUSE_RTO);
}

static void causes_count_wire_segments(void **state)
{
	(void)state;
	connect_40_ms();
	send(CLIENT, seq(1000), ack(5000), bytes(3000), segments(3), at_ms(100));
	send(CLIENT, seq(1000), ack(5000), bytes(3000), segments(3), at_ms(400));
	assert_int_equal(client_rare->retransmitted_segments, 3);
	assert_int_equal(client_rare->rto, 3);
}

static void new_data_has_no_cause(void **state)
{
	(void)state;
	lose_one();
	assert_int_equal(verdict.cause, CAUSE_NONE);
	assert_int_equal(client_rare->fast + client_rare->rto + client_rare->probe, 0);
}

/* ------------------------------------------------------------------ spurious */

static void what_was_acknowledged_was_sent_again_for_nothing(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	acks(1100, at_ms(130));
	assert_int_equal(data(1000, at_ms(400)), SEGMENT_RETRANSMITTED);
	assert_true(verdict.spurious);
	assert_int_equal(client_rare->spurious, 1);
}

static void what_was_acknowledged_in_part_was_needed(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	acks(1099, at_ms(130));
	data(1000, at_ms(400));
	assert_false(verdict.spurious);
	assert_int_equal(client_rare->spurious, 0);
}

static void a_dsack_later_says_that_it_was_for_nothing(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	data(1000, at_ms(400));
	assert_int_equal(client_rare->spurious, 0);
	acks(1100, sack(1000, 1100), at_ms(430));
	assert_int_equal(server_rare->dsacks, 1);
	assert_int_equal(server_rare->dsack_spurious, 1);
}

static void a_dsack_of_what_was_never_sent_again_accuses_nobody(void **state)
{
	(void)state; /* the network made the second one, behind this point */
	connect_40_ms();
	data(1000, at_ms(100));
	acks(1100, sack(1000, 1100), at_ms(130));
	assert_int_equal(server_rare->dsacks, 1);
	assert_int_equal(server_rare->dsack_spurious, 0);
}

static void a_dsack_of_a_copy_accuses_nobody(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	data(1000, at_us(100500));
	acks(1100, sack(1000, 1100), at_ms(130));
	assert_int_equal(server_rare->dsack_spurious, 0);
}

static void known_by_ack_and_by_dsack_it_counts_once(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	acks(1100, at_ms(130));
	data(1000, at_ms(400));
	acks(1100, sack(1000, 1100), at_ms(430));
	assert_int_equal(client_rare->spurious + server_rare->dsack_spurious, 1);
}

/* RFC 2883, 4: a duplicate is reported once. The network has made two of that one ACK. */
static void a_dsack_that_comes_twice_counts_once(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	data(1000, at_ms(400));
	acks(1100, sack(1000, 1100), at_ms(430));
	acks(1100, sack(1000, 1100), at_us(430100));
	assert_int_equal(client_rare->retransmitted_segments, 1);
	assert_int_equal(server_rare->dsack_spurious, 1);
}

static void two_needless_repeats_count_twice(void **state)
{
	(void)state;
	connect_40_ms();
	data(1000, at_ms(100));
	data(1000, at_ms(400));
	data(1000, at_ms(900));
	acks(1100, sack(1000, 1100), at_ms(930));
	acks(1100, sack(1000, 1100), at_ms(1400));
	assert_int_equal(client_rare->retransmitted_segments, 2);
	assert_int_equal(server_rare->dsack_spurious, 2);
}

static void a_dsack_above_the_ack_counts_too(void **state)
{
	(void)state; /* inside the second block (RFC 2883, 4.2) */
	connect_40_ms();
	data(1000, at_ms(100));
	data(1100, at_ms(101));
	data(1100, at_ms(400));
	acks(1000, two_sacks(1100, 1200, 1100, 1200), at_ms(430));
	assert_int_equal(server_rare->dsack_spurious, 1);
}

static void a_recovered_segment_can_be_spurious(void **state)
{
	(void)state; /* the original took another way and was acknowledged before */
	lose_one();
	acks(1300, at_ms(171));
	assert_int_equal(data(1100, at_ms(341)), SEGMENT_RECOVERED);
	assert_true(verdict.spurious);
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
		core_test(three_duplicate_acks_and_a_round_trip_show_a_loss),
		core_test(within_a_round_trip_nobody_can_have_answered),
		core_test(two_duplicate_acks_are_not_enough),
		core_test(a_sack_above_the_hole_is_as_good_as_three),
		core_test(a_sack_asks_only_for_what_lies_below_it),
		core_test(a_dsack_asks_for_nothing),
		core_test(the_block_behind_a_dsack_still_asks),
		core_test(an_ack_that_moves_on_has_been_answered),
		core_test(younger_than_a_quarter_of_the_round_trip_is_reordered),
		core_test(neither_young_nor_old_enough_is_unresolved),
		core_test(as_old_as_the_shortest_timeout_is_recovered),
		core_test(a_little_younger_than_the_shortest_timeout_is_unresolved),
		core_test(on_a_long_way_the_timeout_is_two_round_trips),
		core_test(without_a_round_trip_three_ms_are_reordering),
		core_test(without_a_round_trip_three_duplicate_acks_must_do),
		core_test(with_half_a_round_trip_no_answer_comes_sooner),
		core_test(a_partial_ack_asks_for_the_next),
		core_test(a_second_repair_asks_as_the_first_did),
		core_test(below_the_first_number_seen_there_is_no_evidence),
		core_test(the_same_packet_at_once_is_a_copy),
		core_test(without_ip_id_a_ms_is_the_limit),
		core_test(without_ip_id_nothing_may_have_come_back),
		core_test(next_to_its_like_it_is_a_copy_whatever_came_back),
		core_test(without_ip_id_another_ack_makes_it_another_packet),
		core_test(next_to_what_filled_a_hole_it_may_have_been_sent_again),
		core_test(a_syn_ack_after_a_syn_is_no_copy),
		core_test(of_one_direction_what_did_not_come_back_says_nothing),
		core_test(far_from_the_sender_what_came_back_is_not_answered_so_soon),
		core_test(what_the_receiver_asked_for_is_no_copy),
		core_test(the_same_tsval_within_a_quarter_round_trip_is_a_copy),
		core_test(at_microseconds_nothing_is_far),
		core_test(another_tsval_is_another_packet),
		core_test(another_ip_id_is_another_packet),
		core_test(another_length_is_another_packet),
		core_test(the_same_ip_id_within_a_quarter_round_trip_is_a_copy),
		core_test(a_packet_that_was_asked_for_is_no_copy),
		core_test(the_same_ip_id_of_one_that_counts_is_a_copy_for_longer),
		core_test(copies_of_a_packet_do_not_say_how_its_sender_counts),
		core_test(a_copy_of_a_repeat_is_a_copy),
		core_test(a_copy_of_what_filled_a_hole_is_a_copy),
		core_test(a_copy_of_a_fin_closes_nothing_twice),
		core_test(a_slow_copy_is_one_after_many_others),
		core_test(copies_of_a_burst_that_come_behind_it_are_copies),
		core_test(a_crowd_of_copies_is_told_while_the_receiver_asks),
		core_test(a_slow_repeat_of_what_is_remembered_is_retransmitted),
		core_test(a_repeat_that_was_overtaken_is_no_copy),
		core_test(sixty_four_segments_are_remembered_for_their_copies),
		core_test(where_no_copies_come_any_more_nothing_is_remembered),
		core_test(without_copies_nothing_is_remembered),
		core_test(each_of_the_last_sixty_four_is_found_and_none_before),
		core_test(of_the_same_octets_the_newest_is_found_and_exactly_the_newest_alike),
		core_test(what_was_never_remembered_is_not_found),
		core_test(each_place_has_the_tag_of_what_lies_there),
		core_test(segments_of_one_burst_seldom_share_a_tag),
		core_test(slower_than_reordering_makes_it_the_original_is_late),
		core_test(of_one_direction_nobody_knows_what_is_slow),
		core_test(what_was_sent_again_is_never_slow),
		core_test(what_was_asked_for_is_not_slow),
		core_test(the_original_behind_its_own_repeat_is_late),
		core_test(the_original_is_told_by_its_ip_id_too),
		core_test(without_a_number_the_original_is_told_by_its_haste),
		core_test(a_second_repeat_behind_the_first_is_not_late),
		core_test(there_is_only_one_original),
		core_test(of_what_was_acknowledged_only_a_timer_sends_another),
		core_test(the_original_of_an_old_tick_is_late_however_long_it_took),
		core_test(an_original_that_comes_second_is_late_without_a_hole),
		core_test(a_repeat_held_up_behind_newer_data_is_retransmitted),
		core_test(a_synack_sent_again_behind_newer_segments_is_retransmitted),
		core_test(three_duplicate_acks_make_it_fast),
		core_test(sacked_data_above_makes_it_fast),
		core_test(long_silence_is_the_timers),
		core_test(long_silence_is_the_timers_whoever_asked),
		core_test(the_last_segment_alone_is_a_probe),
		core_test(the_last_segment_after_a_duplicate_ack_is_no_probe),
		core_test(not_the_last_segment_is_no_probe),
		core_test(a_probe_that_ends_at_zero_is_one),
		core_test(a_syn_is_sent_again_by_the_timer),
		core_test(causes_count_wire_segments),
		core_test(new_data_has_no_cause),
		core_test(what_was_acknowledged_was_sent_again_for_nothing),
		core_test(what_was_acknowledged_in_part_was_needed),
		core_test(a_dsack_later_says_that_it_was_for_nothing),
		core_test(a_dsack_of_what_was_never_sent_again_accuses_nobody),
		core_test(a_dsack_of_a_copy_accuses_nobody),
		core_test(known_by_ack_and_by_dsack_it_counts_once),
		core_test(a_dsack_that_comes_twice_counts_once),
		core_test(two_needless_repeats_count_twice),
		core_test(a_dsack_above_the_ack_counts_too),
		core_test(a_recovered_segment_can_be_spurious),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
