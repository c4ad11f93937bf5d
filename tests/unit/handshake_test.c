/* SPDX-License-Identifier: GPL-2.0-only */
/* The opening: what each leg took, which repeat was answered, where another begins. */
#include "core.h"

static void the_syn_names_the_opener(void **state)
{
	(void)state;
	send(SERVER, seq(5000), flags(TCP_SYN), at_us(10));
	assert_int_equal(flow.opener, SERVER);
	assert_int_equal(flow.role, ROLE_SEEN);
}

static void the_synack_names_the_opener_when_the_syn_was_missed(void **state)
{
	(void)state;
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(10));
	assert_int_equal(flow.opener, CLIENT);
	assert_int_equal(flow.role, ROLE_SEEN);
}

static void responder_handshake_is_syn_to_synack(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(20));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(320));
	assert_true(flow.has_responder_handshake);
	assert_int_equal(flow.responder_handshake_ns, 300 * US);
}

static void opener_handshake_is_synack_to_ack(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(20));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(320));
	send(CLIENT, seq(1001), ack(5001), at_us(370));
	assert_true(flow.has_opener_handshake);
	assert_int_equal(flow.opener_handshake_ns, 50 * US);
}

static void the_handshake_works_across_zero(void **state)
{
	(void)state;
	send(CLIENT, seq(0xffffffff), flags(TCP_SYN), at_us(20));
	send(SERVER, seq(0xffffffff), ack(0), flags(SYN_ACK), at_us(320));
	send(CLIENT, seq(0), ack(0), at_us(370));
	assert_int_equal(flow.responder_handshake_ns, 300 * US);
	assert_int_equal(flow.opener_handshake_ns, 50 * US);
}

static void data_completes_the_opening_when_the_ack_was_missed(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(20));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(320));
	send(CLIENT, seq(1001), ack(5001), bytes(100), at_us(370));
	assert_true(flow.is_established);
	assert_int_equal(flow.opener_handshake_ns, 50 * US);
}

static void the_responders_own_ack_completes_nothing(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(20));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(320));
	send(SERVER, seq(5001), ack(1001), at_us(370));
	assert_false(flow.is_established);
}

static void an_ack_that_does_not_cover_the_synack_completes_nothing(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(20));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(320));
	send(CLIENT, seq(1001), ack(5000), at_us(370));
	assert_false(flow.is_established);
}

static void a_reset_completes_nothing(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(20));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(320));
	send(CLIENT, seq(1001), ack(5001), flags(RST_ACK), at_us(370));
	assert_false(flow.is_established);
}

static void a_synack_for_another_syn_answers_nothing(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(20));
	send(SERVER, seq(5000), ack(777), flags(SYN_ACK), at_us(320));
	assert_false(flow.has_synack);
	assert_false(flow.has_responder_handshake);
}

/* ------------------------------------------------------------------ of an older connection */

/* The responder still knows an older connection: it challenges the SYN, is reset, and answers the next one (RFC 9293, 3.5.1). */
static void challenge(__u32 old_seq, __u32 old_ack)
{
	send(CLIENT, seq(1000), flags(TCP_SYN), at_ms(10));
	assert_int_equal(send(SERVER, seq(old_seq), ack(old_ack), at_ms(20)), SEGMENT_SUSPECT);
	assert_int_equal(send(CLIENT, seq(old_ack), flags(TCP_RST), at_ms(21)), SEGMENT_SUSPECT);
	assert_int_equal(send(CLIENT, seq(1000), flags(TCP_SYN), at_ms(1010)), SEGMENT_RETRANSMITTED);
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_ms(1020));
	send(CLIENT, seq(1001), ack(5001), at_ms(1030));
}

static void a_challenged_syn_is_answered_in_the_end(void **state)
{
	(void)state;
	challenge(700000, 4000000);
	assert_true(flow.has_synack && flow.is_established);
	assert_int_equal(flow.synack_ns - flow.syn_ns, 1010 * MS);
	assert_false(flow_is_closed(&flow));
	assert_int_equal(client_rare->syn_retrans, 1);
	assert_int_equal(client_rare->suspects + server_rare->suspects, 2);
	assert_int_equal(server->next, 5001);
	assert_int_equal(server->ack, 1001);
}

static void a_challenge_may_name_numbers_on_either_side(void **state)
{
	(void)state;
	challenge(5000u - 300000, 1000u - 4000000);
	assert_true(flow.is_established && !flow_is_closed(&flow));
}

static void a_synack_for_an_older_syn_is_of_another_connection(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_ms(10));
	assert_int_equal(send(SERVER, seq(90000), ack(0x40000000), flags(SYN_ACK), at_ms(20)), SEGMENT_SUSPECT);
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_ms(30));
	assert_int_equal(server->first_seq, 5000);
	assert_int_equal(flow.responder_handshake_ns, 20 * MS);
}

static void a_fin_of_an_older_connection_closes_nothing(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_ms(10));
	send(SERVER, seq(90000), ack(0x40000000), flags(FIN_ACK), at_ms(20));
	assert_int_equal(server->flags, 0);
}

static void a_reset_that_names_the_syn_refuses(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), bytes(100), at_ms(10));
	send(SERVER, seq(0), ack(1000), flags(RST_ACK), at_ms(20)); /* not it */
	assert_false(flow_is_closed(&flow));
	send(SERVER, seq(0), flags(TCP_RST), at_ms(21)); /* nor anything */
	assert_false(flow_is_closed(&flow));
	send(SERVER, seq(0), ack(1101), flags(RST_ACK), at_ms(22));
	assert_true(flow_is_closed(&flow));
}

static void the_opener_may_take_back_its_syn(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_ms(10));
	send(CLIENT, seq(1001), flags(TCP_RST), at_ms(20));
	assert_true(flow_is_closed(&flow));
}

/* Its answer, and what it sent then, passed elsewhere. */
static void what_an_opener_sends_that_was_answered_is_its_own(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_ms(10));
	send(CLIENT, seq(1001), ack(5001), at_ms(20));
	send(CLIENT, seq(4000000), flags(TCP_RST), at_ms(30));
	assert_true(flow_is_closed(&flow));
}

static void what_the_opener_sent_may_have_passed_elsewhere(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_ms(10));
	assert_int_equal(send(SERVER, seq(5001), ack(60000), bytes(100), at_ms(20)), SEGMENT_NEW);
	assert_int_equal(send(SERVER, seq(5101), ack(5000000), bytes(100), at_ms(30)), SEGMENT_NEW);
}

/* ------------------------------------------------------------------ repeats */

static void a_repeated_syn_is_counted_once_a_repeat(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_ms(10));
	send(CLIENT, seq(1000), flags(TCP_SYN), at_s(1));
	send(CLIENT, seq(1000), flags(TCP_SYN), at_s(3));
	assert_int_equal(client_rare->syn_retrans, 2);
	assert_int_equal(client_rare->retransmitted_segments, 2);
	assert_int_equal(client_rare->retransmitted_bytes, 0);
}

static void the_wait_begins_with_the_first_syn(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(10));
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(1000010));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(1000310));
	assert_int_equal(flow.synack_ns - flow.syn_ns, 1000300 * US);
}

static void an_answer_to_repeated_syns_measures_nothing(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(10));
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(1000010));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(1000310));
	assert_false(flow.has_responder_handshake);
}

static void tsecr_names_the_first_of_two_syns(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), ts(1, 0), at_us(10));
	send(CLIENT, seq(1000), flags(TCP_SYN), ts(2, 0), at_us(1000010));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), ts(9, 1), at_us(1000310));
	assert_true(flow.has_responder_handshake);
	assert_int_equal(flow.responder_handshake_ns, 1000300 * US);
}

static void tsecr_names_the_last_of_two_syns(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), ts(1, 0), at_us(10));
	send(CLIENT, seq(1000), flags(TCP_SYN), ts(2, 0), at_us(1000010));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), ts(9, 2), at_us(1000310));
	assert_int_equal(flow.responder_handshake_ns, 300 * US);
}

static void tsecr_of_a_middle_syn_measures_nothing(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), ts(1, 0), at_us(10));
	send(CLIENT, seq(1000), flags(TCP_SYN), ts(2, 0), at_us(1000010));
	send(CLIENT, seq(1000), flags(TCP_SYN), ts(3, 0), at_us(3000010));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), ts(9, 2), at_us(3000310));
	assert_false(flow.has_responder_handshake);
}

static void syns_with_one_tsval_cannot_be_told_apart(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), ts(1, 0), at_us(10));
	send(CLIENT, seq(1000), flags(TCP_SYN), ts(1, 0), at_us(1000010));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), ts(9, 1), at_us(1000310));
	assert_false(flow.has_responder_handshake);
}

static void a_syn_repeated_after_the_answer_changes_no_measure(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(10));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(310));
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(1000010));
	assert_int_equal(flow.responder_handshake_ns, 300 * US);
	assert_int_equal(client_rare->syn_retrans, 1);
}

static void a_repeated_synack_is_the_responders_repeat(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(10));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(310));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_s(1));
	assert_int_equal(server_rare->syn_retrans, 1);
	assert_int_equal(server_rare->retransmitted_segments, 1);
	assert_int_equal(client_rare->syn_retrans, 0);
}

static void an_ack_of_repeated_synacks_measures_nothing(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(10));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(310));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_s(1));
	send(CLIENT, seq(1001), ack(5001), at_s(2));
	assert_true(flow.is_established);
	assert_false(flow.has_opener_handshake);
}

static void tsecr_names_the_last_of_two_synacks(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), ts(1, 0), at_us(10));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), ts(7, 1), at_us(310));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), ts(8, 1), at_us(1000310));
	send(CLIENT, seq(1001), ack(5001), ts(2, 8), at_us(1000350));
	assert_int_equal(flow.opener_handshake_ns, 40 * US);
}

static void frames_in_the_wrong_order_measure_nothing(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(310));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(300));
	assert_false(flow.has_responder_handshake);
}

/* ------------------------------------------------------------------ unusual openings */

static void data_on_the_syn_is_data(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), bytes(100), at_us(10));
	assert_int_equal(unique_bytes_of(CLIENT), 100);
	assert_int_equal(client->next, 1101);
}

static void a_synack_may_acknowledge_the_data_of_the_syn(void **state)
{
	(void)state; /* RFC 7413, 3 */
	send(CLIENT, seq(1000), flags(TCP_SYN), bytes(100), at_us(10));
	send(SERVER, seq(5000), ack(1101), flags(SYN_ACK), at_us(310));
	assert_int_equal(flow.responder_handshake_ns, 300 * US);
}

static void a_synack_may_refuse_the_data_of_the_syn(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), bytes(100), at_us(10));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(310));
	assert_int_equal(flow.responder_handshake_ns, 300 * US);
}

static void crossing_syns_are_one_connection(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(10));
	assert_false(reopens(SERVER, seq(5000), flags(TCP_SYN), at_us(20)));
	send(SERVER, seq(5000), flags(TCP_SYN), at_us(20));
	assert_true(flow.simultaneous);
	assert_int_equal(flow.opener, CLIENT);
}

static void a_syn_that_arrives_late_is_no_repeat(void **state)
{
	(void)state;
	send(CLIENT, seq(1001), ack(5001), bytes(100), at_us(10));
	assert_false(reopens(CLIENT, seq(1000), flags(TCP_SYN), at_us(20)));
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(20));
	assert_int_equal(client_rare->retransmitted_segments, 0);
	assert_int_equal(client_rare->syn_retrans, 0);
	assert_int_equal(flow.role, ROLE_SEEN);
}

/* ------------------------------------------------------------------ another connection */

static void a_syn_far_below_its_data_is_another_connection(void **state)
{
	(void)state; /* 65,536 octets are what may have come before it */
	send(CLIENT, seq(200000), ack(5001), bytes(100), at_us(10));
	assert_false(reopens(CLIENT, seq(200000 - 65536), flags(TCP_SYN), at_us(20)));
	assert_true(reopens(CLIENT, seq(200000 - 65537), flags(TCP_SYN), at_us(20)));
}

static void a_synack_tells_who_opened(void **state)
{
	(void)state; /* against the guess: the end with the higher port listens */
	send(SERVER, seq(5000), ack(1000), bytes(100), at_us(10));
	assert_int_equal(flow.opener, CLIENT);
	send(CLIENT, seq(999), ack(5000), flags(SYN_ACK), at_us(20));
	assert_int_equal(flow.opener, SERVER);
	assert_int_equal(flow.role, ROLE_SEEN);
}

static void of_one_direction_nobody_knows_that_it_lives(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_ms(2));
	flow.proven = 1;
	assert_false(handshake_is_alive(&flow, 3 * MS));
	send(SERVER, seq(5000), ack(1200), at_ms(3));
	assert_true(handshake_is_alive(&flow, 4 * MS));
}

static void the_same_syn_is_the_same_connection(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_ms(10));
	assert_false(reopens(CLIENT, seq(1000), flags(TCP_SYN), at_s(1)));
}

static void the_same_syn_after_a_refusal_is_a_repeat(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(10));
	send(SERVER, seq(0), ack(1001), flags(RST_ACK), at_ms(1));
	assert_false(reopens(CLIENT, seq(1000), flags(TCP_SYN), at_ms(500)));
}

static void another_syn_while_half_open_is_another_connection(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_ms(10));
	assert_true(reopens(CLIENT, seq(9000), flags(TCP_SYN), at_s(1)));
}

static void another_syn_after_the_end_is_another_connection(void **state)
{
	(void)state;
	connect_with(1001, 5001);
	send(CLIENT, seq(1001), ack(5001), flags(FIN_ACK), at_ms(1));
	send(SERVER, seq(5001), ack(1002), flags(FIN_ACK), at_ms(2));
	assert_true(reopens(CLIENT, seq(9000), flags(TCP_SYN), at_ms(3)));
}

static void the_same_number_after_the_end_is_another_connection_too(void **state)
{
	(void)state;
	connect_with(1001, 5001);
	send(CLIENT, seq(1001), ack(5001), flags(FIN_ACK), at_ms(1));
	send(SERVER, seq(5001), ack(1002), flags(FIN_ACK), at_ms(2));
	assert_true(reopens(CLIENT, seq(1000), flags(TCP_SYN), at_ms(3)));
}

static void a_synack_never_seen_before_is_the_same_connection(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(10));
	assert_false(reopens(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(300)));
}

static void another_synack_for_the_same_syn_is_the_same_connection(void **state)
{
	(void)state; /* SYN cookies: a new number each time */
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(10));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(300));
	assert_false(reopens(SERVER, seq(7000), ack(1001), flags(SYN_ACK), at_us(900)));
}

static void another_synack_for_the_same_data_is_the_same_connection(void **state)
{
	(void)state; /* TCP Fast Open with a SYN cookie */
	send(CLIENT, seq(1000), flags(TCP_SYN), bytes(100), at_us(10));
	send(SERVER, seq(5000), ack(1101), flags(SYN_ACK), at_us(300));
	assert_false(reopens(SERVER, seq(7000), ack(1101), flags(SYN_ACK), at_us(900)));
}

static void a_synack_for_a_syn_we_missed_is_another_connection(void **state)
{
	(void)state;
	connect_with(1001, 5001);
	assert_true(reopens(SERVER, seq(90000), ack(70001), flags(SYN_ACK), at_s(9)));
}

static void a_reset_with_syn_opens_nothing(void **state)
{
	(void)state;
	connect_with(1001, 5001);
	assert_false(reopens(CLIENT, seq(9000), flags(TCP_SYN | TCP_RST), at_s(1)));
}

/* ------------------------------------------------------------------ proof */

static void a_syn_alone_proves_nothing(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(10));
	send(CLIENT, seq(1000), flags(TCP_SYN), at_s(1));
	assert_false(handshake_proves(&flow));
}

static void an_answered_syn_proves_nothing_yet(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), flags(TCP_SYN), at_us(10));
	send(SERVER, seq(5000), ack(1001), flags(SYN_ACK), at_us(300));
	assert_false(handshake_proves(&flow));
}

static void a_completed_handshake_proves_the_flow(void **state)
{
	(void)state;
	connect_with(1001, 5001);
	assert_true(handshake_proves(&flow));
}

static void a_lone_segment_proves_nothing(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(10));
	assert_false(handshake_proves(&flow));
}

static void a_segment_each_way_proves_the_flow(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(10));
	send(SERVER, seq(5000), ack(1100), at_us(10));
	assert_true(handshake_proves(&flow));
}

static void two_segments_in_order_prove_the_flow(void **state)
{
	(void)state;
	send(CLIENT, seq(1000), ack(5000), bytes(100), at_us(10));
	send(CLIENT, seq(1100), ack(5000), bytes(100), at_us(10));
	assert_true(handshake_proves(&flow));
}

static void resets_prove_nothing(void **state)
{
	(void)state;
	send(SERVER, seq(5000), ack(1001), flags(RST_ACK), at_us(10));
	send(SERVER, seq(5000), ack(1001), flags(RST_ACK), at_us(10));
	assert_false(handshake_proves(&flow));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		core_test(the_syn_names_the_opener),
		core_test(the_synack_names_the_opener_when_the_syn_was_missed),
		core_test(responder_handshake_is_syn_to_synack),
		core_test(opener_handshake_is_synack_to_ack),
		core_test(the_handshake_works_across_zero),
		core_test(data_completes_the_opening_when_the_ack_was_missed),
		core_test(the_responders_own_ack_completes_nothing),
		core_test(an_ack_that_does_not_cover_the_synack_completes_nothing),
		core_test(a_reset_completes_nothing),
		core_test(a_synack_for_another_syn_answers_nothing),
		core_test(a_challenged_syn_is_answered_in_the_end),
		core_test(a_challenge_may_name_numbers_on_either_side),
		core_test(a_synack_for_an_older_syn_is_of_another_connection),
		core_test(a_fin_of_an_older_connection_closes_nothing),
		core_test(a_reset_that_names_the_syn_refuses),
		core_test(the_opener_may_take_back_its_syn),
		core_test(what_an_opener_sends_that_was_answered_is_its_own),
		core_test(what_the_opener_sent_may_have_passed_elsewhere),
		core_test(a_repeated_syn_is_counted_once_a_repeat),
		core_test(the_wait_begins_with_the_first_syn),
		core_test(an_answer_to_repeated_syns_measures_nothing),
		core_test(tsecr_names_the_first_of_two_syns),
		core_test(tsecr_names_the_last_of_two_syns),
		core_test(tsecr_of_a_middle_syn_measures_nothing),
		core_test(syns_with_one_tsval_cannot_be_told_apart),
		core_test(a_syn_repeated_after_the_answer_changes_no_measure),
		core_test(a_repeated_synack_is_the_responders_repeat),
		core_test(an_ack_of_repeated_synacks_measures_nothing),
		core_test(tsecr_names_the_last_of_two_synacks),
		core_test(frames_in_the_wrong_order_measure_nothing),
		core_test(data_on_the_syn_is_data),
		core_test(a_synack_may_acknowledge_the_data_of_the_syn),
		core_test(a_synack_may_refuse_the_data_of_the_syn),
		core_test(crossing_syns_are_one_connection),
		core_test(a_syn_that_arrives_late_is_no_repeat),
		core_test(a_syn_far_below_its_data_is_another_connection),
		core_test(a_synack_tells_who_opened),
		core_test(of_one_direction_nobody_knows_that_it_lives),
		core_test(the_same_syn_is_the_same_connection),
		core_test(the_same_syn_after_a_refusal_is_a_repeat),
		core_test(another_syn_while_half_open_is_another_connection),
		core_test(another_syn_after_the_end_is_another_connection),
		core_test(the_same_number_after_the_end_is_another_connection_too),
		core_test(a_synack_never_seen_before_is_the_same_connection),
		core_test(another_synack_for_the_same_syn_is_the_same_connection),
		core_test(another_synack_for_the_same_data_is_the_same_connection),
		core_test(a_synack_for_a_syn_we_missed_is_another_connection),
		core_test(a_reset_with_syn_opens_nothing),
		core_test(a_syn_alone_proves_nothing),
		core_test(an_answered_syn_proves_nothing_yet),
		core_test(a_completed_handshake_proves_the_flow),
		core_test(a_lone_segment_proves_nothing),
		core_test(a_segment_each_way_proves_the_flow),
		core_test(two_segments_in_order_prove_the_flow),
		core_test(resets_prove_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
