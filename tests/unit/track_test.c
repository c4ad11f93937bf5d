/* SPDX-License-Identifier: GPL-2.0-only */
/* What every segment adds to its flow, and what a segment that is not of the flow must not. */
#include "core.h"

static void mid_stream_the_higher_port_is_the_guessed_opener(void **state)
{
	(void)state;
	send(SERVER, seq(5000), ack(1000), bytes(100), at_ms(1));
	assert_int_equal(flow.role, ROLE_GUESSED);
	assert_int_equal(flow.opener, CLIENT);
}

static void with_equal_ports_the_first_sender_is_the_guessed_opener(void **state)
{
	(void)state;
	send(SERVER, .client_port = SERVER_PORT, seq(5000), ack(1000), bytes(100), at_ms(1));
	assert_int_equal(flow.opener, SERVER);
}

static void the_flow_starts_with_its_first_frame(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(7));
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(9));
	assert_int_equal(flow.start_ns, 7 * MS);
	assert_int_equal(client->last_ns, 9 * MS);
}

static void a_frame_from_before_the_first_moves_the_start(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(7));
	send(SERVER, seq(5000), ack(1000), at_ms(6));
	assert_int_equal(flow.start_ns, 6 * MS);
}

static void an_older_frame_does_not_turn_back_the_last_time(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(7));
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(6));
	assert_int_equal(client->last_ns, 7 * MS);
}

static void frames_and_bytes_are_counted_for_the_sender(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(1100), ack(5000), bytes(50), at_ms(2));
	assert_int_equal(client->frames, 2);
	assert_int_equal(client->payload_bytes, 150);
	assert_int_equal(client->wire_bytes, 54 + 100 + 54 + 50);
	assert_int_equal(server->frames, 0);
}

static void a_super_segment_is_one_frame_of_many_segments(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(14480), segments(10), at_ms(1));
	assert_int_equal(client->frames, 1);
	assert_int_equal(client->segments, 10);
}

/* 10 Gbit/s fill 32 bits with segments in 83 minutes. */
static void frames_and_segments_go_on_where_a_word_ends(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	flow.frames_high[CLIENT] = flow.segments_high[CLIENT] = 1;
	client->frames = 0x7fffffff;
	client->segments = 0x7ffffffe;
	send(CLIENT, seq(1000), ack(5000), bytes(1000), segments(10), at_ms(1));
	assert_int_equal(count_frames(&flow, CLIENT), 0x100000000);
	assert_int_equal(count_segments(&flow, CLIENT), 0x100000008);
	/* Carried, not only added up: both words have all their room again. */
	assert_int_equal(client->frames, 0);
	assert_int_equal(client->segments, 8);
	send(CLIENT, seq(2000), ack(5000), bytes(1000), segments(10), at_ms(2));
	assert_int_equal(count_frames(&flow, CLIENT), 0x100000001);
	assert_int_equal(count_segments(&flow, CLIENT), 0x100000012);
	assert_int_equal(count_frames(&flow, SERVER), 1);
	assert_int_equal(count_segments(&flow, SERVER), 1);
}

/* Many times the room of a word, in large steps; some of them carry one of the two and not the other. */
static void every_segment_is_counted_once(void **state)
{
	__u64 frames = 2, segments = 2;
	__u32 at = 1000, i;

	(void)state;
	connect_with(1000, 5000);
	for (i = 1; i <= 300; i++, at += 1000) {
		send(CLIENT, seq(at), ack(5000), bytes(1000), segments(0x7fffffff), at_ms(i));
		frames++;
		segments += 0x7fffffff;
		if (segments >> 39)
			segments = 0x7fffffffff;
		assert_int_equal(count_frames(&flow, CLIENT), frames);
		assert_int_equal(count_segments(&flow, CLIENT), segments);
	}
}

static void the_short_way_goes_on_where_a_word_ends_too(void **state)
{
	struct packet pkt = segment_packet(&a_segment(CLIENT, seq(1100), ack(5000), bytes(1000), segments(10), at_ms(2)));

	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	client->frames = client->segments = 0x7fffffff;
	assert_true(track_common(&flow, &pkt));
	assert_int_equal(count_frames(&flow, CLIENT), 0x80000000);
	assert_int_equal(count_segments(&flow, CLIENT), 0x80000009);
}

static void what_is_rare_stays_at_the_highest_number_there_is(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	client_rare->retransmitted_segments = client_rare->rto = client_rare->ecn_ce = 0xfffffffe;
	send(CLIENT, seq(1000), ack(5000), bytes(100), .ecn = 3, at_ms(400));
	assert_int_equal(client_rare->retransmitted_segments, 0xffffffff);
	send(CLIENT, seq(1000), ack(5000), bytes(100), .ecn = 3, at_ms(900));
	assert_int_equal(client_rare->retransmitted_segments, 0xffffffff);
	assert_int_equal(client_rare->rto, 0xffffffff);
	assert_int_equal(client_rare->ecn_ce, 0xffffffff);
}

static void the_options_of_a_syn_are_its_senders(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), mss(1460), wscale(7), .sack_permitted = 1,
	     at_us(10));
	assert_int_equal(client->mss, 1460);
	assert_int_equal(client->wscale, 7);
	assert_true(client->bits & SIDE_WSCALE);
	assert_true(client->bits & SIDE_SACK_PERMITTED);
	assert_int_equal(server->mss, 0);
}

static void an_mss_outside_a_syn_is_ignored(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), mss(1460), at_us(10));
	assert_int_equal(client->mss, 0);
}

static void timestamps_on_a_syn_are_only_an_offer(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), ts(1, 0), at_us(10));
	assert_false(client->bits & SIDE_TIMESTAMPS);
}

static void congestion_marks_are_counted(void **state)
{
	(void)state; /* RFC 3168, 5: only 3 is CE */
	send(CLIENT, seq(1000), ack(5000), bytes(100), .ecn = 2, at_ms(1));
	send(CLIENT, seq(1100), ack(5000), bytes(100), .ecn = 3, at_ms(2));
	send(CLIENT, seq(1200), ack(5000), bytes(100), .ecn = 3, at_ms(2));
	send(CLIENT, seq(1300), ack(5000), bytes(100), .ecn = 1, at_ms(2));
	assert_int_equal(client_rare->ecn_ce, 2);
	assert_int_equal(server_rare->ecn_ce, 0);
}

/* RFC 9768, 3.1.1: its SYN-ACK has CWR, that of the older ECN only ECE. */
static void a_synack_with_cwr_agrees_to_accurate_ecn(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN | TCP_ECE | TCP_CWR), at_us(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK | TCP_ECE), at_us(20));
	assert_false((client->bits | server->bits) & SIDE_ACCECN);
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK | TCP_CWR), at_us(30));
	assert_true(server->bits & SIDE_ACCECN);
}

static void echoes_of_marks_are_counted_but_not_on_a_syn(void **state)
{
	(void)state; /* RFC 3168, 6.1.1: there they negotiate */
	send(CLIENT, seq(999), flags(TCP_SYN | TCP_ECE | TCP_CWR), at_us(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK | TCP_ECE), at_us(20));
	send(CLIENT, seq(1000), ack(5000), flags(TCP_ACK | TCP_ECE), at_us(30));
	send(CLIENT, seq(1000), ack(5000), flags(TCP_ACK | TCP_ECE), at_us(40));
	send(CLIENT, seq(1000), ack(5000), flags(TCP_ACK | TCP_CWR), bytes(100), at_us(50));
	assert_int_equal(client_rare->ecn_ece, 2);
	assert_int_equal(client_rare->ecn_cwr, 1);
	assert_int_equal(server_rare->ecn_ece, 0);
}

static void another_ttl_is_a_change(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), .ttl = 60, at_ms(1));
	send(SERVER, seq(5000), ack(1000), .ttl = 50, at_ms(2));
	assert_int_equal(client_rare->ttl_changes + server_rare->ttl_changes, 0);
	send(CLIENT, seq(1000), ack(5000), .ttl = 61, at_ms(3));
	send(CLIENT, seq(1000), ack(5000), .ttl = 61, at_ms(4));
	assert_int_equal(client_rare->ttl_changes, 1);
	send(CLIENT, seq(1000), ack(5000), .ttl = 60, at_ms(5));
	assert_int_equal(client_rare->ttl_changes, 2);
	assert_int_equal(server_rare->ttl_changes, 0);
}

static void flags_are_remembered(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), flags(PSH_ACK), bytes(100), at_ms(1));
	send(CLIENT, seq(1100), ack(5000), flags(FIN_ACK), at_ms(2));
	assert_int_equal(client->flags, TCP_PSH | TCP_ACK | TCP_FIN);
}

static void a_copied_syn_was_not_sent_twice(void **state)
{
	(void)state;
	send(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	assert_int_equal(send(CLIENT, seq(999), flags(TCP_SYN), at_us(12)), SEGMENT_COPY);
	assert_int_equal(flow.syns, 1);
	assert_int_equal(client_rare->syn_retrans, 0);
}

/* ------------------------------------------------------------------ response */

/* The round trip to the server is 100 us. */
static void the_response_is_what_the_network_did_not_take(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(1000));
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_us(1200));
	send(SERVER, seq(5000), ack(1200), at_us(1350));
	assert_false(flow.has_response);
	send(SERVER, seq(5000), ack(1200), bytes(100), at_us(4000));
	assert_true(flow.has_response);
	assert_int_equal(flow.response_ns, 2900 * US);
	send(SERVER, seq(5100), ack(1200), bytes(100), at_us(9000));
	assert_int_equal(flow.response_ns, 2900 * US);
}

static void a_response_faster_than_the_network_took_no_time(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(1000));
	send(SERVER, seq(5000), ack(1100), bytes(100), at_us(1090));
	assert_true(flow.has_response);
	assert_int_equal(flow.response_ns, 0);
}

static void who_is_greeted_first_makes_no_request(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(SERVER, seq(5000), ack(1000), bytes(100), at_us(1000));
	send(CLIENT, seq(1000), ack(5100), bytes(100), at_us(1200));
	send(SERVER, seq(5100), ack(1100), bytes(100), at_us(4000));
	assert_false(flow.has_response);
}

static void a_request_in_the_syn_has_no_response_time(void **state)
{
	(void)state;
	send(CLIENT, seq(899), flags(TCP_SYN), bytes(100), at_us(50));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_us(150));
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(200));
	send(SERVER, seq(5000), ack(1100), bytes(100), at_us(4000));
	assert_false(flow.has_response);
}

static void mid_stream_nobody_knows_which_request_was_the_first(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(1000));
	send(SERVER, seq(5000), ack(1100), bytes(100), at_us(4000));
	assert_false(flow.has_response);
}

static void a_suspect_segment_gives_no_unique_bytes(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000 + 0x80000000u), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(unique_bytes_of(CLIENT), 0);
	assert_int_equal(client->frames, 3);
}

static void a_suspect_fin_closes_nothing(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000 + 0x80000000u), ack(5000), flags(FIN_ACK), at_ms(1));
	assert_false(client->flags & TCP_FIN);
}

static void a_suspect_reset_closes_nothing(void **state)
{
	(void)state; /* RFC 5961, 3.2: no end would believe it */
	connect_with(1000, 5000);
	send(CLIENT, seq(1000 + 0x80000000u), ack(5000), flags(RST_ACK), at_ms(1));
	assert_false(flow_is_closed(&flow));
}

static void unique_bytes_never_exceed_payload_bytes(void **state)
{
	(void)state;
	connect_with(1000, 5000);
	send(CLIENT, seq(1000), ack(5000), bytes(100), flags(FIN_ACK), at_ms(1));
	send(CLIENT, seq(1000), ack(5000), bytes(100), flags(FIN_ACK), at_ms(300));
	assert_int_equal(unique_bytes_of(CLIENT), 100);
	assert_int_equal(client->payload_bytes, 200);
}

/* ------------------------------------------------------------------ the short way */

static __u32 random_state;

static __u32 draw(__u32 below)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % below;
}

/* One of `count` chances, less and less likely: mostly 0. */
static int rarely(__u32 one_in)
{
	return !draw(one_in);
}

/* Of the server nothing comes by here: answers go another way. */
static int one_sided;

/* Mostly what comes next, sometimes what was there before, or something odd. */
static struct packet draw_packet(__u64 now_ns)
{
	__u8 from = one_sided ? CLIENT : (__u8)draw(2);
	const struct side *side = &flow.side[from], *peer = &flow.side[!from];
	__u32 heard = one_sided ? side->ack + draw(2) * draw(3000) : peer->next;
	struct segment segment = a_segment(from, seq(side->next), ack(heard),
		flags(draw(2) ? TCP_ACK : PSH_ACK), at_ns(now_ns), bytes(draw(3) ? draw(3000) : draw(3)),
		segments(draw(3)), ip_id((__u16)now_ns), ts((__u32)(now_ns / MS), peer->tsval),
		window((__u16)(rarely(8) ? draw(3) : 500)));
	struct packet pkt;

	if (rarely(4))
		segment.seq += draw(6000) - 3000;
	if (rarely(4))
		segment.ack -= draw(3000);
	if (rarely(100))
		segment.seq += draw(4) << 30;
	if (rarely(100))
		segment.ack += draw(4) << 30;
	if (rarely(10))
		segment.has_ts = 0;
	if (rarely(10))
		segment.sack[segment.sack_count++] =
			(struct sack_block){segment.ack + draw(2000), segment.ack + 2000 + draw(2000)};
	if (rarely(30))
		segment.flags = (__u8)draw(256);
	pkt = segment_packet(&segment);
	pkt.ttl = rarely(10) ? 63 : 64;
	pkt.ecn = rarely(10) ? 3 : 0;
	return pkt;
}

static __u32 echoed, of_one_side;

/* Both ways from the same flow: what the short one takes must come out as on the long one. */
static __u32 play_both_ways(__u32 seed)
{
	static struct holes lists[2];
	__u64 now_ns = draw(1000) * MS;
	__u32 i, common = 0;

	random_state = seed;
	memset(lists, 0, sizeof(lists));
	memset(&flow, 0, sizeof(flow));
	flow.start_ns = now_ns;
	one_sided = seed % 5 == 0;
	if (seed % 2 && one_sided)
		send(CLIENT, seq(0xfffff000u + draw(8192)), flags(TCP_SYN), at_ms(0));
	else if (seed % 2)
		connect_with(0xfffff000u + draw(8192), draw(8192));
	for (i = 0; i < 60; i++) {
		struct packet pkt = draw_packet(now_ns += draw(2) ? draw(100) * US : draw(100) * MS), apart = pkt;
		struct side *side = &flow.side[pkt.direction];
		struct holes *holes = loss_needs_holes(side, &pkt) ? &lists[pkt.direction] : NULL;
		struct flow before = flow;
		struct holes list = lists[pkt.direction];
		int way;

		track_segment(&flow, &pkt, holes, window_is_dsack(&pkt) ? &lists[!pkt.direction] : NULL);
		way = track_common(&before, &apart);
		if (way == TRACK_OTHER)
			continue;
		common++;
		of_one_side += (__u32)one_sided;
		assert_int_equal(way == TRACK_ECHOED, holes != NULL);
		if (way == TRACK_ECHOED) {
			echoed++;
			track_echo(&before, &apart, &list);
			assert_memory_equal(&list, holes, sizeof(list));
		}
		assert_memory_equal(&before, &flow, sizeof(flow));
		assert_memory_equal(&apart.verdict, &pkt.verdict, offsetof(struct verdict, rtt_ns));
		if (pkt.verdict.has_rtt)
			assert_int_equal(apart.verdict.rtt_ns, pkt.verdict.rtt_ns);
	}
	return common;
}

static void the_short_way_leaves_the_flow_of_the_long_way(void **state)
{
	__u32 seed, common = 0;

	(void)state;
	for (seed = 1; seed <= 20000; seed++)
		common += play_both_ways(seed);
	assert_in_range(common, 100000, 1200000);
	assert_in_range(echoed, 20000, common);
	assert_in_range(of_one_side, 20000, common / 2);
}

static void what_is_not_common_leaves_the_flow_as_it_was(void **state)
{
	struct packet pkt;
	struct flow before;

	(void)state;
	connect_with(1000, 5000);
	before = flow;
	pkt = segment_packet(&a_segment(CLIENT, seq(1000), ack(5000), flags(FIN_ACK), at_ms(1)));
	assert_false(track_common(&flow, &pkt));
	assert_memory_equal(&before, &flow, sizeof(flow));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		core_test(mid_stream_the_higher_port_is_the_guessed_opener),
		core_test(with_equal_ports_the_first_sender_is_the_guessed_opener),
		core_test(the_flow_starts_with_its_first_frame),
		core_test(a_frame_from_before_the_first_moves_the_start),
		core_test(an_older_frame_does_not_turn_back_the_last_time),
		core_test(frames_and_bytes_are_counted_for_the_sender),
		core_test(a_super_segment_is_one_frame_of_many_segments),
		core_test(frames_and_segments_go_on_where_a_word_ends),
		core_test(the_short_way_goes_on_where_a_word_ends_too),
		core_test(every_segment_is_counted_once),
		core_test(what_is_rare_stays_at_the_highest_number_there_is),
		core_test(the_options_of_a_syn_are_its_senders),
		core_test(an_mss_outside_a_syn_is_ignored),
		core_test(timestamps_on_a_syn_are_only_an_offer),
		core_test(congestion_marks_are_counted),
		core_test(a_synack_with_cwr_agrees_to_accurate_ecn),
		core_test(echoes_of_marks_are_counted_but_not_on_a_syn),
		core_test(another_ttl_is_a_change),
		core_test(flags_are_remembered),
		core_test(a_copied_syn_was_not_sent_twice),
		core_test(the_response_is_what_the_network_did_not_take),
		core_test(a_response_faster_than_the_network_took_no_time),
		core_test(who_is_greeted_first_makes_no_request),
		core_test(a_request_in_the_syn_has_no_response_time),
		core_test(mid_stream_nobody_knows_which_request_was_the_first),
		core_test(a_suspect_segment_gives_no_unique_bytes),
		core_test(a_suspect_fin_closes_nothing),
		core_test(a_suspect_reset_closes_nothing),
		core_test(unique_bytes_never_exceed_payload_bytes),
		core_test(the_short_way_leaves_the_flow_of_the_long_way),
		core_test(what_is_not_common_leaves_the_flow_as_it_was),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("track", tests, NULL, NULL);
}
