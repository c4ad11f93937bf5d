/* SPDX-License-Identifier: GPL-2.0-only */
/* The very same packet twice, or one like it sent again: twins among the last segments. */
#include "lossy.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
