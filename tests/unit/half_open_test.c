/* SPDX-License-Identifier: GPL-2.0-only */
/* What is kept in 64 bytes becomes the very flow it would have been, and what does not fit is refused. */
#include "core.h"

#include "core/half_open.h"
#include "core/half_open_flow.h"

static struct half_open_work work;
static const struct monitor_config patient = {
	.idle_timeout_ns = ~0ull,
	.half_open_timeout_ns = ~0ull,
	.closed_timeout_ns = ~0ull,
};
static struct half_open_work plain; /* the same segments, tracked as they came */
static int kept;	  /* segments */
static __u32 answered;	  /* by the short way */

static int forget(void **state)
{
	(void)state;
	memset(&work, 0, sizeof(work));
	memset(&plain, 0, sizeof(plain));
	kept = 0;
	return 0;
}

#define room_test(name) cmocka_unit_test_setup(name, forget)

/* As the hall does it. 1: the entry took the segment. */
static int keep_packet(const struct packet *given)
{
	struct packet pkt = *given;

	if (!kept) {
		if (!half_open_begin(&work.entry, &pkt))
			return 0;
		track_open(&plain.flow, &pkt);
	} else {
		struct half_open short_way = work.entry;

		if (!half_open_takes(&work.entry, &pkt)) {
			assert_false(half_open_answer(&short_way, &patient, &pkt));
			return 0;
		}
		half_open_expand(&work);
		track_segment(&work.flow, &pkt, NULL, NULL);
		if (!half_open_keep(&work.entry, &work.flow, &pkt)) {
			assert_false(half_open_answer(&short_way, &patient, &pkt));
			return 0;
		}
		if (half_open_answer(&short_way, &patient, &pkt)) {
			assert_memory_equal(&short_way, &work.entry, sizeof(short_way));
			answered++;
		}
	}
	work.key = pkt.key;
	pkt = *given;
	track_segment(&plain.flow, &pkt, NULL, NULL);
	half_open_note(&plain, &pkt);
	kept++;
	return 1;
}

static int keep_segment(const struct segment *segment)
{
	struct packet pkt = segment_packet(segment);

	return keep_packet(&pkt);
}

#define keep(end, ...) keep_segment(&a_segment(end, __VA_ARGS__))

/*
 * What an entry does not remember, and nobody asks a flow for: the segments between the first and the
 * last of several, as far as a copy of them could be told, and which of two SYNs had which TSval once
 * the answer has told them apart.
 */
static void forget_details(struct flow *flow, int repeats)
{
	int i, j;

	for (i = 0; i < 2; i++) {
		for (j = 0; repeats && j < RECENT_SEGMENTS; j++)
			flow->side[i].recent[j] = (struct recent){0};
		if (repeats)
			flow->side[i].recent_next = 0;
	}
	if (flow->has_synack)
		flow->syn_tsval = 0;
}

static void assert_same(int repeats)
{
	const unsigned char *a = (const unsigned char *)&work.whole;
	const unsigned char *b = (const unsigned char *)&plain.whole;
	size_t i;

	half_open_expand(&work);
	forget_details(&work.flow, repeats);
	forget_details(&plain.flow, repeats);
	for (i = 0; i < sizeof(plain.whole); i++) {
		if (a[i] != b[i])
			fail_msg("byte %zu of the flow differs (side %zu, byte %zu)", i,
				 i / sizeof(struct side), i % sizeof(struct side));
	}
}

/* ------------------------------------------------------------------ what fits */

static void a_syn_is_the_flow_it_opens(void **state)
{
	(void)state;
	assert_true(keep(CLIENT, seq(999), flags(TCP_SYN), mss(1460), wscale(7), ts(5, 0), at_us(10)));
	assert_same(0);
}

static void a_syn_with_data_fits_alone(void **state)
{
	(void)state;
	assert_true(keep(CLIENT, seq(999), flags(TCP_SYN), bytes(1400), mss(1460), at_us(10)));
	assert_same(0);
}

static void a_handshake_without_its_ack_fits(void **state)
{
	(void)state;
	assert_true(keep(CLIENT, seq(999), flags(TCP_SYN), mss(1460), wscale(7), ts(5, 0), ip_id(77),
			 at_us(10)));
	assert_true(keep(SERVER, seq(4999), ack(1000), flags(SYN_ACK), mss(1400), wscale(9),
			 ts(70, 5), at_us(110)));
	assert_same(0);
	assert_int_equal(work.flow.responder_handshake_ns, 100 * US);
}

static void the_server_may_have_the_lower_address(void **state)
{
	(void)state;
	assert_true(keep(SERVER, seq(999), flags(TCP_SYN), at_us(10)));
	assert_true(keep(CLIENT, seq(4999), ack(1000), flags(SYN_ACK), at_us(110)));
	assert_same(0);
	assert_int_equal(work.flow.opener, SERVER);
}

static void repeated_syns_fit_and_the_echo_names_the_first(void **state)
{
	(void)state;
	keep(CLIENT, seq(999), flags(TCP_SYN), ts(5, 0), ip_id(10), at_ms(0));
	assert_true(keep(CLIENT, seq(999), flags(TCP_SYN), ts(1005, 0), ip_id(11), at_ms(1000)));
	assert_true(keep(CLIENT, seq(999), flags(TCP_SYN), ts(3005, 0), ip_id(12), at_ms(3000)));
	assert_true(keep(CLIENT, seq(999), flags(TCP_SYN), ts(7005, 0), ip_id(13), at_ms(7000)));
	assert_true(keep(SERVER, seq(4999), ack(1000), flags(SYN_ACK), ts(9, 5), at_ms(7100)));
	assert_same(1);
	assert_int_equal(work.flow.responder_handshake_ns, 7100 * MS);
	assert_int_equal(work.flow.syns, 4);
	assert_int_equal(work.rare[CLIENT].syn_retrans, 3);
}

static void without_an_echo_nobody_knows_which_syn_was_answered(void **state)
{
	(void)state;
	keep(CLIENT, seq(999), flags(TCP_SYN), at_ms(0));
	keep(CLIENT, seq(999), flags(TCP_SYN), at_ms(1000));
	assert_true(keep(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_ms(1100)));
	assert_same(1);
	assert_false(work.flow.has_responder_handshake);
}

static void a_syn_repeated_after_its_answer_fits(void **state)
{
	(void)state;
	keep(CLIENT, seq(999), flags(TCP_SYN), ts(5, 0), at_ms(0));
	keep(SERVER, seq(4999), ack(1000), flags(SYN_ACK), ts(9, 5), at_ms(10));
	assert_true(keep(CLIENT, seq(999), flags(TCP_SYN), ts(1005, 0), at_ms(1000)));
	assert_true(keep(SERVER, seq(4999), ack(1000), flags(SYN_ACK), ts(1009, 5), at_ms(1010)));
	assert_true(keep(SERVER, seq(4999), ack(1000), flags(SYN_ACK), ts(3009, 5), at_ms(3010)));
	assert_same(1);
	assert_int_equal(work.flow.syns, 1);
	assert_int_equal(work.flow.synacks, 3);
}

static void a_refused_syn_fits(void **state)
{
	(void)state;
	keep(CLIENT, seq(999), flags(TCP_SYN), ip_id(3), at_us(10));
	assert_true(keep(SERVER, seq(0), ack(1000), flags(RST_ACK), .ttl = 61, at_us(90)));
	assert_same(0);
	assert_int_equal(flow_last_ns(&work.flow), 90 * US);
}

static void repeated_syns_and_a_refusal_fit(void **state)
{
	(void)state;
	keep(CLIENT, seq(999), flags(TCP_SYN), ip_id(3), at_ms(0));
	keep(CLIENT, seq(999), flags(TCP_SYN), ip_id(4), at_ms(1000));
	assert_true(keep(SERVER, seq(0), ack(1000), flags(RST_ACK), .ttl = 61, at_ms(1001)));
	assert_same(1);
}

static void a_scanner_that_resets_an_answer_fits(void **state)
{
	(void)state;
	keep(CLIENT, seq(999), flags(TCP_SYN), ip_id(3), at_ms(0));
	keep(SERVER, seq(4999), ack(1000), flags(SYN_ACK), ip_id(9), mss(1460), at_ms(1));
	assert_true(keep(CLIENT, seq(1000), flags(TCP_RST), ip_id(4), .ttl = 50, at_ms(2)));
	assert_same(0);
	assert_int_equal(work.rare[CLIENT].ttl_changes, 1);
}

static void a_lone_segment_and_its_reset_fit(void **state)
{
	(void)state;
	assert_true(keep(CLIENT, seq(1000), ack(5000), bytes(3000), segments(3), ts(5, 6),
			 sack(6000, 6100), window(0), at_us(10)));
	assert_true(keep(SERVER, seq(5000), flags(TCP_RST), at_us(20)));
	assert_same(0);
}

/* ------------------------------------------------------------------ what does not */

static void a_copy_of_the_syn_does_not_fit(void **state)
{
	(void)state;
	keep(CLIENT, seq(999), flags(TCP_SYN), ip_id(3), at_us(10));
	assert_false(keep(CLIENT, seq(999), flags(TCP_SYN), ip_id(3), at_us(12)));
}

static void another_mss_does_not_fit(void **state)
{
	(void)state;
	keep(CLIENT, seq(999), flags(TCP_SYN), mss(1460), at_ms(0));
	assert_false(keep(CLIENT, seq(999), flags(TCP_SYN), mss(536), at_ms(1000)));
}

static void crossing_syns_do_not_fit(void **state)
{
	(void)state;
	keep(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	assert_false(keep(SERVER, seq(4999), flags(TCP_SYN), at_us(20)));
}

static void an_answer_to_another_syn_does_not_fit(void **state)
{
	(void)state;
	keep(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	assert_false(keep(SERVER, seq(4999), ack(7), flags(SYN_ACK), at_us(20)));
}

static void data_does_not_fit_behind_anything(void **state)
{
	(void)state;
	keep(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	assert_false(keep(CLIENT, seq(1000), bytes(1), at_us(20)));
	assert_false(keep(CLIENT, seq(1000), at_us(20)));
}

static void a_wrong_order_does_not_fit(void **state)
{
	(void)state;
	keep(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	assert_false(keep(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_us(9)));
}

static void nothing_fits_behind_a_reset(void **state)
{
	(void)state;
	keep(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	keep(SERVER, seq(0), ack(1000), flags(RST_ACK), at_us(90));
	assert_false(keep(SERVER, seq(0), ack(1000), flags(RST_ACK), at_us(91)));
}

static void the_sixteenth_syn_does_not_fit(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < HALF_OPEN_FRAMES_MAX; i++)
		assert_true(keep(CLIENT, seq(999), flags(TCP_SYN), at_s(i)));
	assert_false(keep(CLIENT, seq(999), flags(TCP_SYN), at_s(i)));
	assert_same(1);
}

static void five_minutes_do_not_fit(void **state)
{
	(void)state;
	keep(CLIENT, seq(999), flags(TCP_SYN), at_s(0));
	assert_true(keep(CLIENT, seq(999), flags(TCP_SYN), at_s(4 * 60)));
	assert_false(keep(CLIENT, seq(999), flags(TCP_SYN), at_s(5 * 60)));
}

/* ------------------------------------------------------------------ any opening */

static __u32 dice;

static __u32 roll(__u32 sides)
{
	dice = dice * 1664525u + 1013904223u;
	return (dice >> 8) % sides;
}

/* Mostly like the end's first segment, so that much of it fits. */
static struct packet any_packet(__u64 now_ns)
{
	static const __u8 all_flags[] = {TCP_SYN, TCP_SYN,	     SYN_ACK,	       SYN_ACK, TCP_RST,
					 RST_ACK, TCP_SYN | TCP_ECE, TCP_ACK, FIN_ACK, SYN_ACK | TCP_CWR};
	enum end from = roll(3) ? CLIENT : SERVER;
	struct segment segment = {
		.from = from,
		.now_ns = now_ns,
		.flags = all_flags[roll(sizeof(all_flags))],
		.seq = from == CLIENT ? 0xffffffffu : 4999,
		.ack = from == CLIENT ? 5000 : 0,
		.mss = roll(8) ? 1460 : 536,
		.has_wscale = roll(4) != 0,
		.wscale = 7,
		.sack_permitted = 1,
		.has_ts = roll(4) != 0,
		.tsval = (__u32)(now_ns / MS),
		.tsecr = roll(2) ? 0 : (__u32)roll(4000),
		.ip_id = (__u16)(roll(3) ? 0 : now_ns / MS),
		.ecn = (__u8)(roll(9) ? 0 : roll(4)),
		.payload_bytes = roll(9) ? 0 : roll(100),
	};

	if (from == SERVER && segment.flags == TCP_SYN)
		segment.flags = SYN_ACK;
	if (from == CLIENT && segment.flags == SYN_ACK)
		segment.flags = TCP_SYN;
	if (!segment.has_ts)
		segment.tsval = segment.tsecr = 0;
	return segment_packet(&segment);
}

/* Two hundred thousand openings: each is a flow again after every segment it took, and is over when that is. */
static void any_opening_comes_back_as_it_went_in(void **state)
{
	const struct monitor_config config = {
		.idle_timeout_ns = 100 * S,
		.half_open_timeout_ns = 30 * S,
		.closed_timeout_ns = 5 * S,
	};
	__u32 seed, took = 0, simple = 0;

	answered = 0;
	for (seed = 1; seed <= 200000; seed++) {
		__u64 now_ns = S;
		int tries;

		dice = seed * 2654435761u;
		forget(state);
		for (tries = 0; tries < 8; tries++) {
			struct packet pkt = any_packet(now_ns);

			took += keep_packet(&pkt);
			now_ns += roll(4) ? roll(3000) * MS : roll(5000) * US;
		}
		if (!kept)
			continue;
		now_ns = half_open_last_ns(&work.entry) + (1 + roll(40)) * 3 * S;
		half_open_expand(&work);
		assert_int_equal(half_open_last_ns(&work.entry), flow_last_ns(&plain.flow));
		assert_int_equal(half_open_is_over(&work.entry, &config, now_ns),
				 flow_is_over(&plain.flow, &config, now_ns));
		assert_same(1);
		if (!half_open_is_simple(&work.entry))
			continue;
		simple++;
		half_open_expand_simple(&work);
		plain.whole = work.whole; /* every octet of it: nothing is forgotten here */
		half_open_expand_steps(&work);
		assert_memory_equal(&work.whole, &plain.whole, sizeof(plain.whole));
	}
	assert_true(took > 250000);
	assert_true(answered > 10000);
	assert_true(simple > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		room_test(a_syn_is_the_flow_it_opens),
		room_test(a_syn_with_data_fits_alone),
		room_test(a_handshake_without_its_ack_fits),
		room_test(the_server_may_have_the_lower_address),
		room_test(repeated_syns_fit_and_the_echo_names_the_first),
		room_test(without_an_echo_nobody_knows_which_syn_was_answered),
		room_test(a_syn_repeated_after_its_answer_fits),
		room_test(a_refused_syn_fits),
		room_test(repeated_syns_and_a_refusal_fit),
		room_test(a_scanner_that_resets_an_answer_fits),
		room_test(a_lone_segment_and_its_reset_fit),
		room_test(a_copy_of_the_syn_does_not_fit),
		room_test(another_mss_does_not_fit),
		room_test(crossing_syns_do_not_fit),
		room_test(an_answer_to_another_syn_does_not_fit),
		room_test(data_does_not_fit_behind_anything),
		room_test(a_wrong_order_does_not_fit),
		room_test(nothing_fits_behind_a_reset),
		room_test(the_sixteenth_syn_does_not_fit),
		room_test(five_minutes_do_not_fit),
		room_test(any_opening_comes_back_as_it_went_in),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("half_open", tests, NULL, NULL);
}
