/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies of a whole burst come behind it: what is remembered for them, and how it is found again. */
#include "lossy.h"

/* ------------------------------------------------------- a crowd of copies behind a crowd of segments */

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

/* ------------------------------------------------------- what is remembered of them, and how it is found again */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
