/* SPDX-License-Identifier: GPL-2.0-only */
/* Which events a segment gives, and what each says of it. */
#include "core.h"

#include "core/monitor.h"

/* ------------------------------------------------------------------ a host for one flow */

#define NOTICES_MAX 64

static struct flow house;
static struct half_open porch;
static int house_is_open, porch_is_open;
static struct half_open_work work;
static struct holes house_holes[2];
static struct rare house_rares[2];
static struct histogram house_histograms[2];
static struct monitor_config config;
static struct segment_event notices[NOTICES_MAX];
static int notice_count;
static uint64_t events_lost;
static int mail_is_full;

static const volatile struct monitor_config *host_config(void)
{
	return &config;
}

static int host_parse_hops(const struct frame *frame, struct packet *pkt, int hop)
{
	return parse_hops(frame, pkt, hop);
}

static void host_count(__u8 door, enum counter counter)
{
	(void)door;
	events_lost += counter == COUNTER_events_lost;
}

static struct flow *host_find_flow(const struct flow_key *key)
{
	(void)key;
	return house_is_open ? &house : NULL;
}

static struct flow *host_seek_flow(const struct flow_key *key)
{
	return host_find_flow(key);
}

static struct flow *host_find_entered(const struct flow_key *key, const struct flow *entered)
{
	(void)entered;
	return host_find_flow(key);
}

static enum room_answer host_enter_flow(const struct flow_key *key, struct flow *entering)
{
	(void)key;
	house = *entering;
	house_is_open = 1;
	return ROOM_TAKEN;
}

static struct flow_whole *host_take_flow(__u8 door, const struct flow_key *key, struct flow *taken)
{
	(void)door;
	(void)key;
	work.whole = (struct flow_whole){*taken, {house_rares[0], house_rares[1]}};
	return &work.whole;
}

static void host_close_flow(const struct flow_key *key, struct flow_whole *closed)
{
	(void)key;
	(void)closed;
	house_is_open = 0;
}

static struct half_open *host_find_half_open(const struct flow_key *key)
{
	(void)key;
	return porch_is_open ? &porch : NULL;
}

static enum room_answer host_enter_half_open(__u8 door, const struct flow_key *key,
					     const struct half_open *entry)
{
	(void)door;
	(void)key;
	if (porch_is_open)
		return ROOM_KNOWN;
	porch = *entry;
	porch_is_open = 1;
	return ROOM_TAKEN;
}

static void host_note_closed(const struct flow_key *key)
{
	(void)key;
}

static int host_close_half_open(const struct flow_key *key, const struct half_open *entry)
{
	(void)entry;
	(void)key;
	porch_is_open = 0;
	return 0;
}

static int host_claim(const struct packet *pkt)
{
	(void)pkt;
	return 0;
}

static struct half_open_work *host_half_open_work(__u8 door)
{
	(void)door;
	return &work;
}

/* Nobody asked for pairs of labels. */

static __u8 host_label_generation(void)
{
	return 1;
}

static __u32 host_group(const struct flow_key *key, struct flow *flow, __u32 end)
{
	(void)flow;
	return key->port_be16[end];
}

static __u32 host_pair(__u32 opener_group, __u32 responder_group)
{
	return opener_group + responder_group;
}

static struct pair_counters *host_pair_counters(__u32 pair)
{
	fail_msg("pair %u", pair);
	return NULL;
}

static __u32 host_pair_chunk(__u32 pair, __u32 place)
{
	return pair + place;
}

static struct chunk *host_chunk(__u32 chunk)
{
	fail_msg("chunk %u", chunk);
	return NULL;
}

static struct holes *host_find_holes(const struct flow *of, __u32 direction)
{
	(void)of;
	return &house_holes[direction];
}

static struct holes *host_open_holes(const struct flow *of, __u32 direction)
{
	return host_find_holes(of, direction);
}

static struct rare *host_find_rare(const struct flow *of, __u32 direction)
{
	(void)of;
	return &house_rares[direction];
}

static struct rare *host_open_rare(const struct flow *of, __u32 direction)
{
	return host_find_rare(of, direction);
}

static struct histogram *host_find_histogram(const struct flow *of, __u32 direction)
{
	(void)of;
	return &house_histograms[direction];
}

static struct histogram *host_open_histogram(const struct flow *of, __u32 direction)
{
	return host_find_histogram(of, direction);
}

static int host_take_samples(struct flow *of, __u32 direction,
			     const __u16 buckets[RTT_WAITING], int opens)
{
	struct histogram *histogram = host_find_histogram(of, direction);

	if (!histogram && opens)
		histogram = host_open_histogram(of, direction);
	if (!histogram)
		return opens ? -1 : 0;
	histogram_take(histogram, buckets, RTT_WAITING);
	return 1;
}

static int host_post_flow(const struct flow_key *key, const struct flow_whole *of)
{
	(void)key;
	(void)of;
	return 0;
}

static int host_post_notice(enum event_type type, const struct flow *of, const struct packet *pkt)
{
	if (mail_is_full)
		return -1;
	assert_in_range(notice_count, 0, NOTICES_MAX - 1);
	notice_fill(&notices[notice_count++], type, of, pkt);
	return 0;
}

/* ------------------------------------------------------------------ what tests say */

static int open_house(void **state)
{
	(void)state;
	memset(&house, 0, sizeof(house));
	memset(house_holes, 0, sizeof(house_holes));
	memset(house_rares, 0, sizeof(house_rares));
	memset(notices, 0, sizeof(notices));
	house_is_open = porch_is_open = notice_count = mail_is_full = 0;
	events_lost = 0;
	config = (struct monitor_config){
		.idle_timeout_ns = 100 * S,
		.half_open_timeout_ns = 30 * S,
		.closed_timeout_ns = 5 * S,
		.events = 1,
	};
	return 0;
}

#define notice_test(name) cmocka_unit_test_setup(name, open_house)

/* How many notices it gave; they are the first of `notices`. */
static int pass_segment(const struct segment *segment)
{
	__u8 buffer[FRAME_MAX];
	struct frame frame = segment_frame(segment, buffer);
	static struct packet pkt;

	notice_count = 0;
	monitor_frame(&frame, &pkt);
	return notice_count;
}

#define pass(end, ...) pass_segment(&a_segment(end, __VA_ARGS__))
#define data(start, ...) pass(CLIENT, seq(start), ack(5000), bytes(100), __VA_ARGS__)
#define acks(n, ...) pass(SERVER, seq(5000), ack(n), __VA_ARGS__)

/* SYN at 10 ms, SYN-ACK at 40 ms, ACK at 50 ms. */
static void open_connection(void)
{
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	pass(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_ms(40));
	pass(CLIENT, seq(1000), ack(5000), at_ms(50));
}

/* The one notice of the last segment. */
static void assert_one(enum event_type type)
{
	assert_int_equal(notice_count, 1);
	assert_int_equal(notices[0].type, type);
}

static void assert_one_class(enum segment_class class)
{
	assert_one(EVENT_SEGMENT);
	assert_int_equal(notices[0].class, class);
}

/* ------------------------------------------------------------------ nothing to tell */

static void what_is_as_it_should_be_is_not_told(void **state)
{
	(void)state;
	assert_int_equal(pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(10)), 0);
	assert_int_equal(pass(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_ms(40)), 0);
	pass(CLIENT, seq(1000), ack(5000), at_ms(50));
	assert_int_equal(data(1000, at_ms(60)), 0);
	assert_int_equal(acks(1100, at_ms(90)), 0);
	assert_int_equal(pass(CLIENT, seq(1100), ack(5000), flags(FIN_ACK), at_ms(100)), 0);
	assert_int_equal(pass(SERVER, seq(5000), ack(1101), flags(FIN_ACK), at_ms(130)), 0);
	assert_int_equal(pass(CLIENT, seq(1101), ack(5001), at_ms(140)), 0);
}

static void a_segment_that_opens_a_hole_is_new(void **state)
{
	(void)state; /* what fills it will tell */
	open_connection();
	assert_int_equal(data(1100, at_ms(60)), 0);
}

static void who_does_not_ask_is_not_told(void **state)
{
	(void)state;
	config.events = 0;
	open_connection();
	data(1000, at_ms(60));
	assert_int_equal(data(1000, at_ms(400)), 0);
}

/* ------------------------------------------------------------------ opened and refused */

static void the_ack_that_proves_a_flow_opens_it(void **state)
{
	(void)state;
	open_connection();
	assert_one(EVENT_OPENED);
	assert_int_equal(notices[0].direction, CLIENT);
	assert_int_equal(notices[0].opener, CLIENT);
	assert_int_equal(notices[0].role, ROLE_SEEN);
	assert_int_equal(notices[0].time_ns, 50 * MS);
	assert_int_equal(notices[0].start_ns, 10 * MS);
	assert_true(notices[0].has_opener_seq);
	assert_int_equal(notices[0].opener_seq, 999);
}

static void a_flow_seen_mid_stream_opens_without_a_first_number(void **state)
{
	(void)state;
	data(1000, at_ms(10));
	acks(1100, at_ms(40));
	assert_one(EVENT_OPENED);
	assert_int_equal(notices[0].role, ROLE_GUESSED);
	assert_false(notices[0].has_opener_seq);
}

static void a_reset_to_a_syn_is_a_refusal(void **state)
{
	(void)state;
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	pass(SERVER, seq(0), ack(1000), flags(RST_ACK), at_ms(40));
	assert_one(EVENT_REFUSED);
	assert_int_equal(notices[0].direction, SERVER);
	assert_int_equal(notices[0].opener, CLIENT);
}

static void a_reset_that_is_not_believed_refuses_nothing(void **state)
{
	(void)state;
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	pass(SERVER, seq(0), ack(0x40000000), flags(RST_ACK), at_ms(40));
	assert_one_class(SEGMENT_SUSPECT);
}

/* Its SYN-ACK passed elsewhere. */
static void a_reset_of_an_open_connection_refuses_nothing(void **state)
{
	(void)state;
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	pass(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(20));
	assert_int_equal(pass(SERVER, seq(5000), ack(1100), flags(RST_ACK), at_ms(40)), 0);
}

static void a_second_reset_refuses_nothing_more(void **state)
{
	(void)state;
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	pass(SERVER, seq(0), ack(1000), flags(RST_ACK), at_ms(40));
	assert_int_equal(pass(SERVER, seq(0), ack(1000), flags(RST_ACK), at_ms(41)), 0);
}

static void the_opener_refuses_nothing(void **state)
{
	(void)state; /* it gave up waiting */
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	assert_int_equal(pass(CLIENT, seq(1000), flags(TCP_RST), at_ms(40)), 0);
}

static void a_reset_after_the_synack_is_no_refusal(void **state)
{
	(void)state;
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	pass(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_ms(40));
	assert_int_equal(pass(SERVER, seq(5000), ack(1000), flags(RST_ACK), at_ms(41)), 0);
}

static void a_reset_mid_stream_is_no_refusal(void **state)
{
	(void)state;
	data(1000, at_ms(10));
	assert_int_equal(pass(SERVER, seq(5000), ack(1100), flags(RST_ACK), at_ms(40)), 0);
}

/* ------------------------------------------------------------------ segments */

static void a_repeat_says_which_octets_and_why(void **state)
{
	(void)state;
	open_connection();
	data(1000, at_ms(60));
	data(1000, at_ms(400));
	assert_one_class(SEGMENT_RETRANSMITTED);
	assert_int_equal(notices[0].seq, 1000);
	assert_int_equal(notices[0].end, 1100);
	assert_int_equal(notices[0].segments, 1);
	assert_int_equal(notices[0].cause, CAUSE_RTO);
	assert_false(notices[0].spurious);
	assert_int_equal(notices[0].direction, CLIENT);
	assert_int_equal(notices[0].time_ns, 400 * MS);
}

static void a_needless_repeat_says_so(void **state)
{
	(void)state;
	open_connection();
	data(1000, at_ms(60));
	acks(1100, at_ms(90));
	data(1000, at_ms(400));
	assert_one_class(SEGMENT_RETRANSMITTED);
	assert_true(notices[0].spurious);
}

static void a_repeat_across_zero_ends_behind_it(void **state)
{
	(void)state;
	data(0xffffffce, at_ms(10));
	data(0xffffffce, at_ms(400));
	assert_int_equal(notices[notice_count - 1].seq, 0xffffffce);
	assert_int_equal(notices[notice_count - 1].end, 50);
}

static void a_repeated_syn_ends_behind_its_octet(void **state)
{
	(void)state;
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(1010));
	assert_one_class(SEGMENT_RETRANSMITTED);
	assert_int_equal(notices[0].seq, 999);
	assert_int_equal(notices[0].end, 1000);
}

static void a_repeat_of_several_segments_counts_them(void **state)
{
	(void)state;
	open_connection();
	pass(CLIENT, seq(1000), ack(5000), bytes(3000), segments(3), at_ms(60));
	pass(CLIENT, seq(1000), ack(5000), bytes(3000), segments(3), at_ms(400));
	assert_one_class(SEGMENT_RETRANSMITTED);
	assert_int_equal(notices[0].segments, 3);
}

static void what_fills_a_hole_tells_what_became_of_it(void **state)
{
	(void)state;
	open_connection();
	data(1100, at_ms(60));
	data(1000, at_ms(61));
	assert_one_class(SEGMENT_REORDERED);
	data(1300, at_ms(70));
	data(1200, at_ms(100));
	assert_one_class(SEGMENT_UNRESOLVED);
	data(1500, at_ms(110));
	data(1400, at_ms(400));
	assert_one_class(SEGMENT_RECOVERED);
	assert_int_equal(notices[0].cause, CAUSE_RTO);
}

static void a_copy_is_told(void **state)
{
	(void)state;
	open_connection();
	data(1000, at_ms(60));
	data(1000, at_us(60500));
	assert_one_class(SEGMENT_COPY);
	assert_int_equal(notices[0].cause, CAUSE_NONE);
}

static void a_late_original_is_told(void **state)
{
	(void)state;
	open_connection();
	data(1000, ts(61, 1), at_ms(61));
	data(1000, ts(60, 1), at_ms(62));
	assert_one_class(SEGMENT_LATE);
}

static void a_keepalive_is_told(void **state)
{
	(void)state;
	open_connection();
	data(1000, at_ms(60));
	acks(1100, at_ms(90));
	pass(CLIENT, seq(1099), ack(5000), at_s(60));
	assert_one_class(SEGMENT_KEEPALIVE);
}

static void a_suspect_is_told(void **state)
{
	(void)state;
	open_connection();
	data(1000 + (1u << 31), at_ms(60));
	assert_one_class(SEGMENT_SUSPECT);
}

/* ------------------------------------------------------------------ spurious by D-SACK */

static void a_dsack_names_the_octets_it_is_about(void **state)
{
	(void)state;
	open_connection();
	data(1000, at_ms(60));
	data(1000, at_ms(400));
	acks(1100, sack(1000, 1100), at_ms(430));
	assert_one(EVENT_SPURIOUS);
	assert_int_equal(notices[0].seq, 1000);
	assert_int_equal(notices[0].end, 1100);
	assert_int_equal(notices[0].segments, 1);
	assert_int_equal(notices[0].direction, SERVER);
}

/* Whatever the segment that says so carries besides. */
static void a_dsack_is_one_verdict(void **state)
{
	(void)state;
	open_connection();
	data(1000, at_ms(60));
	data(1000, at_ms(400));
	acks(1100, sack(1000, 1100), bytes(3000), segments(3), at_ms(430));
	assert_one(EVENT_SPURIOUS);
	assert_int_equal(notices[0].segments, 1);
}

static void a_dsack_of_nothing_sent_again_is_not_told(void **state)
{
	(void)state;
	open_connection();
	data(1000, at_ms(60));
	assert_int_equal(acks(1100, sack(1000, 1100), at_ms(90)), 0);
}

/* ------------------------------------------------------------------ zero window */

static void a_window_that_closes_is_told_once(void **state)
{
	(void)state;
	open_connection();
	data(1000, at_ms(60));
	acks(1100, window(0), at_ms(90));
	assert_one(EVENT_ZERO_WINDOW);
	assert_int_equal(notices[0].direction, SERVER);
	assert_int_equal(acks(1100, window(0), at_ms(91)), 0);
	assert_int_equal(acks(1100, window(1000), at_ms(92)), 0);
	acks(1100, window(0), at_ms(93));
	assert_one(EVENT_ZERO_WINDOW);
}

static void a_probe_of_it_is_told(void **state)
{
	(void)state;
	open_connection();
	data(1000, at_ms(60));
	acks(1100, window(0), at_ms(90));
	pass(CLIENT, seq(1099), ack(5000), at_ms(400));
	assert_one_class(SEGMENT_WINDOW_PROBE);
}

/* ------------------------------------------------------------------ several, and none taken */

static void one_segment_can_give_two(void **state)
{
	(void)state; /* sent again, and it closes its sender's window */
	open_connection();
	data(1000, at_ms(60));
	assert_int_equal(data(1000, window(0), at_ms(400)), 2);
	assert_int_equal(notices[0].type, EVENT_SEGMENT);
	assert_int_equal(notices[1].type, EVENT_ZERO_WINDOW);
}

static void what_nobody_took_is_counted(void **state)
{
	(void)state;
	open_connection();
	data(1000, at_ms(60));
	mail_is_full = 1;
	data(1000, window(0), at_ms(400));
	assert_int_equal(events_lost, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		notice_test(what_is_as_it_should_be_is_not_told),
		notice_test(a_segment_that_opens_a_hole_is_new),
		notice_test(who_does_not_ask_is_not_told),
		notice_test(the_ack_that_proves_a_flow_opens_it),
		notice_test(a_flow_seen_mid_stream_opens_without_a_first_number),
		notice_test(a_reset_to_a_syn_is_a_refusal),
		notice_test(a_reset_that_is_not_believed_refuses_nothing),
		notice_test(a_reset_of_an_open_connection_refuses_nothing),
		notice_test(a_second_reset_refuses_nothing_more),
		notice_test(the_opener_refuses_nothing),
		notice_test(a_reset_after_the_synack_is_no_refusal),
		notice_test(a_reset_mid_stream_is_no_refusal),
		notice_test(a_repeat_says_which_octets_and_why),
		notice_test(a_needless_repeat_says_so),
		notice_test(a_repeat_across_zero_ends_behind_it),
		notice_test(a_repeated_syn_ends_behind_its_octet),
		notice_test(a_repeat_of_several_segments_counts_them),
		notice_test(what_fills_a_hole_tells_what_became_of_it),
		notice_test(a_copy_is_told),
		notice_test(a_late_original_is_told),
		notice_test(a_keepalive_is_told),
		notice_test(a_suspect_is_told),
		notice_test(a_dsack_names_the_octets_it_is_about),
		notice_test(a_dsack_is_one_verdict),
		notice_test(a_dsack_of_nothing_sent_again_is_not_told),
		notice_test(a_window_that_closes_is_told_once),
		notice_test(a_probe_of_it_is_told),
		notice_test(one_segment_can_give_two),
		notice_test(what_nobody_took_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
