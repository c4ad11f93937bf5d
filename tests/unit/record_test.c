/* SPDX-License-Identifier: GPL-2.0-only */
/* What each field of the record says of a flow, and when it says nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "abi/tunnel.h"
#include "record_make.h"

#define TEST(name) static void name(__attribute__((unused)) void **state)

static void assert_number(const struct record *record, const char *name, uint64_t number)
{
	struct value value = read_field(record, name);

	assert_int_equal(value.kind, VALUE_NUMBER);
	assert_int_equal(value.number, number);
}

static void assert_text(const struct record *record, const char *name, const char *text)
{
	struct value value = read_field(record, name);

	assert_true(value.kind == VALUE_WORD || value.kind == VALUE_TEXT);
	assert_string_equal(value.text, text);
}

static void assert_absent(const struct record *record, const char *name)
{
	assert_int_equal(read_field(record, name).kind, VALUE_ABSENT);
}

/* What the record has of each end, and the labels behind them. */
#define END_FIELDS 42
#define END_LABELS 9

TEST(fields_are_in_the_order_of_the_record)
{
	static const char *const first[] = { "v", "id", "community_id", "iface", "netns",
					     "also_ifaces", "vlan", "tunnel", "tunnel_id", "role",
					     "opener_addr", "opener_port", "responder_addr",
					     "responder_port", "start_ns", "end_ns" };
	size_t count;
	const struct record_field *fields = record_fields(&count);

	assert_int_equal(count, 28 + 2 * END_FIELDS + 2 * END_LABELS);
	for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++)
		assert_string_equal(fields[i].name, first[i]);
	assert_string_equal(fields[27].name, "approximate");
	assert_string_equal(fields[28].name, "opener_segments");
	assert_string_equal(fields[28 + END_FIELDS].name, "responder_segments");
	assert_string_equal(fields[count - 1].name, "responder_transit_max_ns");
}

TEST(every_field_is_found_by_its_name_alone)
{
	size_t count;
	const struct record_field *fields = record_fields(&count);

	for (size_t i = 0; i < count; i++)
		assert_ptr_equal(record_field(fields[i].name), &fields[i]);
	assert_null(record_field("opener"));
	assert_null(record_field(""));
}

TEST(numbers_of_an_end_come_from_its_side)
{
	struct record record = established_record();

	assert_number(&record, "opener_segments", 100);
	assert_number(&record, "responder_segments", 200);
	assert_number(&record, "responder_payload_bytes", 5600000);
	record.flow.opener = 1;
	assert_number(&record, "opener_segments", 200);
	assert_text(&record, "opener_addr", "10.0.0.2");
	assert_number(&record, "opener_port", 443);
	assert_text(&record, "responder_addr", "10.0.0.1");
	assert_number(&record, "responder_port", 40000);
}

TEST(wide_and_narrow_numbers_are_read_whole)
{
	struct record record = established_record();

	record.flow.side[0].wire_bytes = UINT64_MAX;
	record.flow.side[0].frames = INT32_MAX;
	record.flow.side[0].segments = 0;
	assert_number(&record, "opener_wire_bytes", UINT64_MAX);
	assert_number(&record, "opener_frames", INT32_MAX);
	assert_number(&record, "opener_segments", 0);
	record.flow.segments_high[0] = 2;
	record.flow.frames_high[0] = 1;
	assert_number(&record, "opener_segments", 0x100000000);
	assert_number(&record, "opener_frames", 0xffffffff);
	assert_number(&record, "responder_segments", 200);
}

TEST(times_are_wall_clock_and_durations_are_not)
{
	struct record record = established_record();

	record.wall_offset_ns = (int64_t)(1000 * S);
	assert_number(&record, "start_ns", 1010 * S);
	assert_number(&record, "end_ns", 1012 * S);
	assert_number(&record, "duration_ns", 2 * S);
	assert_number(&record, "connect_ns", 300 * US);
	record.wall_offset_ns = -(int64_t)(4 * S);
	assert_number(&record, "start_ns", 6 * S);
}

/* Live, a flow and what is rare about it are read one after the other, and frames go on passing. */
TEST(a_part_that_is_newer_than_its_whole_leaves_nothing)
{
	struct record record = established_record();

	record.rare[0].again_bytes = 1000;
	assert_number(&record, "opener_unique_bytes", 234);
	record.rare[0].again_bytes = 1235;
	assert_number(&record, "opener_unique_bytes", 0);
}

TEST(a_flow_that_has_counted_no_frame_yet_has_lasted_no_time)
{
	struct record record = established_record();

	record.flow.side[0].last_ns = record.flow.side[1].last_ns = 0;
	assert_number(&record, "end_ns", 10 * S);
	assert_number(&record, "duration_ns", 0);
}

TEST(connect_is_absent_when_the_capture_has_the_answer_first)
{
	struct record record = established_record();

	record.flow.synack_ns = record.flow.syn_ns - 1;
	assert_absent(&record, "connect_ns");
	record.flow.synack_ns = record.flow.syn_ns;
	assert_number(&record, "connect_ns", 0);
	record.flow.has_syn = 0;
	assert_absent(&record, "connect_ns");
	record.flow.has_syn = 1;
	record.flow.has_synack = 0;
	assert_absent(&record, "connect_ns");
}

/* Some tools write captures that begin at 0. */
TEST(connect_is_known_of_a_syn_at_time_zero)
{
	struct record record = established_record();

	record.flow.syn_ns = 0;
	record.flow.synack_ns = 300 * US;
	assert_number(&record, "connect_ns", 300 * US);
}

TEST(handshake_legs_need_their_flag)
{
	struct record record = established_record();

	record.flow.responder_handshake_ns = 300 * US;
	record.flow.opener_handshake_ns = 100 * US;
	assert_absent(&record, "responder_handshake_ns");
	assert_absent(&record, "opener_handshake_ns");
	record.flow.has_responder_handshake = record.flow.has_opener_handshake = 1;
	assert_number(&record, "responder_handshake_ns", 300 * US);
	assert_number(&record, "opener_handshake_ns", 100 * US);
}

TEST(rtt_needs_a_sample)
{
	struct record record = established_record();
	struct side *side = &record.flow.side[1];

	assert_number(&record, "responder_rtt_samples", 0);
	assert_absent(&record, "responder_rtt_min_ns");
	assert_absent(&record, "responder_rtt_mean_ns");
	assert_absent(&record, "responder_rtt_max_ns");
	side->rtt_samples = 2;
	side->rtt_min_ns = 100;
	side->rtt_max_ns = 300;
	side->rtt_sum_ns = 400;
	assert_number(&record, "responder_rtt_min_ns", 100);
	assert_number(&record, "responder_rtt_mean_ns", 200);
	assert_number(&record, "responder_rtt_max_ns", 300);
	assert_absent(&record, "opener_rtt_mean_ns");
}

TEST(what_is_not_measured_yet_is_absent)
{
	static const char *const names[] = { "opener_name", "responder_name", "opener_namespace",
					     "responder_region", "responder_external" };
	struct record record = established_record();

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_absent(&record, names[i]);
}

TEST(classes_and_causes_are_zero_when_there_were_none)
{
	static const char *const names[] = { "opener_fast", "opener_rto", "opener_probe",
					     "responder_spurious", "opener_late",
					     "responder_recovered_segments", "opener_reordered",
					     "opener_copies", "responder_window_full",
					     "opener_ecn_ece", "opener_ecn_cwr",
					     "responder_suspects", "opener_ttl_changes" };
	struct record record = established_record();

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_number(&record, names[i], 0);
}

/* Each its own number, so that none can stand for another. */
TEST(classes_causes_and_signs_come_from_their_counters)
{
	struct record record = established_record();
	struct rare *rare = &record.rare[1];

	rare->recovered_segments = 1;
	rare->recovered_bytes = 2;
	rare->reordered = 3;
	rare->late = 4;
	rare->unresolved = 5;
	rare->copies = 6;
	rare->fast = 7;
	rare->rto = 8;
	rare->probe = 9;
	rare->window_full = 10;
	rare->ecn_ce = 11;
	rare->ecn_ece = 12;
	rare->ecn_cwr = 13;
	rare->suspects = 14;
	rare->ttl_changes = 15;
	assert_number(&record, "responder_recovered_segments", 1);
	assert_number(&record, "responder_recovered_bytes", 2);
	assert_number(&record, "responder_reordered", 3);
	assert_number(&record, "responder_late", 4);
	assert_number(&record, "responder_unresolved", 5);
	assert_number(&record, "responder_copies", 6);
	assert_number(&record, "responder_fast", 7);
	assert_number(&record, "responder_rto", 8);
	assert_number(&record, "responder_probe", 9);
	assert_number(&record, "responder_window_full", 10);
	assert_number(&record, "responder_ecn_ce", 11);
	assert_number(&record, "responder_ecn_ece", 12);
	assert_number(&record, "responder_ecn_cwr", 13);
	assert_number(&record, "responder_suspects", 14);
	assert_number(&record, "responder_ttl_changes", 15);
	assert_number(&record, "opener_ttl_changes", 0);
}

/* RFC 9768: they are digits, and set for most of the time without any mark. */
TEST(the_flags_of_accurate_ecn_are_no_marks)
{
	struct record record = established_record();

	record.flow.side[1].bits |= SIDE_ACCECN;
	record.rare[0].ecn_ece = 12;
	assert_absent(&record, "opener_ecn_ece");
	assert_absent(&record, "opener_ecn_cwr");
	assert_absent(&record, "responder_ecn_ece");
	assert_number(&record, "responder_ecn_ce", 0);
	assert_int_equal(record_quiet(&record) & (1 << QUIET_OPENER | 1 << QUIET_RESPONDER), 0);
}

/* By ACK the sender's own side knows it, by D-SACK the other one does. */
TEST(spurious_adds_what_the_other_end_called_needless)
{
	struct record record = established_record();

	record.rare[0].spurious = 2;
	record.rare[1].dsack_spurious = 3;
	assert_number(&record, "opener_spurious", 5);
	assert_number(&record, "responder_spurious", 0);
	record.flow.opener = 1;
	assert_number(&record, "responder_spurious", 5);
	assert_number(&record, "opener_spurious", 0);
}

TEST(percentiles_need_a_histogram)
{
	struct record record = established_record();
	struct side *side = &record.flow.side[1];

	side->rtt_samples = 100;
	side->rtt_p50_ns = 10 * S; /* in an open flow its probes lie there */
	assert_absent(&record, "responder_rtt_p50_ns");
	assert_absent(&record, "responder_rtt_p95_ns");
	side->bits |= SIDE_QUANTILES;
	side->rtt_p50_ns = 20 * MS;
	side->rtt_p95_ns = 40 * MS;
	assert_number(&record, "responder_rtt_p50_ns", 20 * MS);
	assert_number(&record, "responder_rtt_p95_ns", 40 * MS);
	assert_absent(&record, "opener_rtt_p50_ns");
}

TEST(response_needs_its_flag)
{
	struct record record = established_record();

	record.flow.response_ns = 7 * MS;
	assert_absent(&record, "response_ns");
	record.flow.has_response = 1;
	assert_number(&record, "response_ns", 7 * MS);
	record.flow.response_ns = 0; /* at once, as far as one can tell */
	assert_number(&record, "response_ns", 0);
}

TEST(options_of_the_syn_are_absent_when_it_had_none)
{
	struct record record = established_record();

	assert_absent(&record, "opener_mss");
	assert_absent(&record, "opener_wscale");
	record.flow.side[0].mss = 1460;
	record.flow.side[0].bits |= SIDE_WSCALE; /* a shift of 0 is an answer */
	assert_number(&record, "opener_mss", 1460);
	assert_number(&record, "opener_wscale", 0);
}

TEST(place_is_absent_in_replay_and_named_live)
{
	struct record record = established_record();

	assert_absent(&record, "iface");
	assert_absent(&record, "vlan");
	record.iface = "eth0";
	record.flow.vlan = 7;
	assert_text(&record, "iface", "eth0");
	assert_number(&record, "vlan", 7);
}

TEST(tunnels_are_named_from_outside_in)
{
	struct record record = established_record();

	assert_absent(&record, "tunnel");
	assert_absent(&record, "tunnel_id");
	record.flow.tunnel = TUNNEL_VXLAN;
	record.flow.tunnel_id = 5000;
	assert_text(&record, "tunnel", "vxlan");
	assert_number(&record, "tunnel_id", 5000);
	record.flow.tunnel = TUNNEL_GRE << 4 | TUNNEL_VXLAN;
	assert_text(&record, "tunnel", "gre/vxlan");
}

TEST(flags_are_letters_in_the_order_of_the_bits)
{
	struct record record = established_record();

	record.flow.side[0].flags = 0xff;
	record.flow.side[1].flags = 0;
	assert_text(&record, "opener_flags", "FSRPAUEC");
	assert_absent(&record, "responder_flags");
}

TEST(closed_window_counts_up_to_the_last_packet)
{
	struct record record = established_record();

	record.rare[1].zero_window_ns = 5 * MS;
	record.rare[1].zero_window_since_ns = 12 * S - 20 * MS;
	assert_number(&record, "responder_zero_window_ns", 25 * MS);
	record.flow.close = CLOSE_OPEN;
	assert_number(&record, "responder_zero_window_ns", 25 * MS);
}

TEST(dropped_holes_make_a_record_approximate)
{
	struct record record = established_record();

	assert_int_equal(read_field(&record, "approximate").kind, VALUE_BOOL);
	assert_int_equal(read_field(&record, "approximate").number, 0);
	record.rare[1].holes_dropped = 1;
	assert_int_equal(read_field(&record, "approximate").number, 1);
}

TEST(repeats_of_syn_and_synack_belong_to_their_senders)
{
	struct record record = established_record();

	record.rare[0].syn_retrans = 2;
	record.rare[1].syn_retrans = 3;
	assert_number(&record, "syn_retrans", 2);
	assert_number(&record, "synack_retrans", 3);
}

/* State and outcome */

TEST(established_connection_that_ended_by_fin)
{
	struct record record = established_record();

	assert_text(&record, "role", "seen");
	assert_text(&record, "state", "closed");
	assert_text(&record, "close", "fin");
	assert_text(&record, "outcome", "established");
}

TEST(one_fin_is_closing)
{
	struct record record = established_record();

	record.flow.side[1].flags = SYN | ACK;
	record.flow.close = CLOSE_OPEN;
	assert_text(&record, "state", "closing");
	assert_text(&record, "close", "open");
	assert_text(&record, "outcome", "established");
}

TEST(midstream_flow_has_a_guessed_role)
{
	struct record record = established_record();

	record.flow.role = ROLE_GUESSED;
	record.flow.has_syn = record.flow.has_synack = record.flow.is_established = 0;
	record.flow.side[0].flags = record.flow.side[1].flags = ACK;
	assert_text(&record, "role", "guessed");
	assert_text(&record, "state", "established");
	assert_text(&record, "outcome", "midstream");
	assert_absent(&record, "connect_ns");
}

TEST(unanswered_syn_is_no_answer_once_it_is_over)
{
	struct record record = unanswered_record();

	assert_text(&record, "state", "syn_sent");
	assert_text(&record, "outcome", "no_answer");
	assert_number(&record, "responder_segments", 0); /* it sent nothing: known */
	record.flow.close = CLOSE_OPEN;
	assert_absent(&record, "outcome");
}

TEST(icmp_error_to_a_syn_is_unreachable_once_it_is_over)
{
	struct record record = unanswered_record();

	record.flow.icmp = ICMP_PORT;
	assert_text(&record, "outcome", "unreachable");
	assert_text(&record, "icmp", "port");
	record.flow.close = CLOSE_OPEN; /* the next SYN may get through */
	assert_absent(&record, "outcome");
}

TEST(icmp_error_to_a_syn_that_was_answered_later_says_no_more_than_that)
{
	struct record record = established_record();

	record.flow.icmp = ICMP_FRAG_NEEDED;
	assert_text(&record, "outcome", "established");
	assert_text(&record, "icmp", "frag-needed");
}

TEST(rst_to_a_syn_is_refused)
{
	struct record record = unanswered_record();

	record.flow.side[1].flags = RST | ACK;
	record.flow.close = CLOSE_RST;
	assert_text(&record, "state", "closed");
	assert_text(&record, "outcome", "refused");
}

TEST(rst_of_the_opener_is_not_refused)
{
	struct record record = unanswered_record();

	record.flow.side[0].flags = SYN | RST;
	assert_text(&record, "outcome", "no_answer");
}

TEST(rst_after_the_synack_is_reset)
{
	struct record record = unanswered_record();

	record.flow.synack_ns = 11 * S;
	record.flow.has_synack = 1;
	record.flow.side[1].flags = SYN | ACK;
	record.flow.side[0].flags = SYN | RST;
	assert_text(&record, "outcome", "reset");
}

TEST(synack_without_an_answer_is_abandoned)
{
	struct record record = unanswered_record();

	record.flow.synack_ns = 11 * S;
	record.flow.has_synack = 1;
	record.flow.side[1].flags = SYN | ACK;
	assert_text(&record, "state", "syn_received");
	assert_text(&record, "outcome", "abandoned");
	record.flow.close = CLOSE_OPEN;
	assert_absent(&record, "outcome");
}

TEST(responder_that_goes_on_has_answered_on_a_way_not_seen_here)
{
	struct record record = unanswered_record();

	record.flow.side[1].orderly = 1;
	assert_text(&record, "state", "established");
	assert_text(&record, "outcome", "established");
	record.flow.side[1].flags = RST | ACK;
	assert_text(&record, "outcome", "established");
}

TEST(opener_that_goes_on_was_answered_on_a_way_not_seen_here)
{
	struct record record = unanswered_record();

	record.flow.side[0].orderly = 1;
	assert_text(&record, "state", "established");
	assert_text(&record, "outcome", "established");
	assert_absent(&record, "connect_ns");
}

/* Names of the connection */

TEST(id_is_the_same_on_every_interface_and_at_every_time)
{
	struct record record = established_record(), other = established_record();

	other.key.ifindex = 7;
	other.iface = "eth0";
	other.wall_offset_ns = 12345;
	other.flow.start_ns = 99 * S;
	other.flow.close = CLOSE_OPEN;
	assert_int_equal(record_id(&record), record_id(&other));
}

TEST(id_differs_by_port_and_by_initial_sequence_number)
{
	struct record record = established_record(), port = record, isn = record;

	port.key.port_be16[0] = htons(40001);
	isn.flow.side[0].first_seq = 1;
	assert_int_not_equal(record_id(&record), record_id(&port));
	assert_int_not_equal(record_id(&record), record_id(&isn));
}

TEST(id_without_a_syn_is_told_by_the_start)
{
	struct record record = established_record(), later;

	record.flow.side[0].bits = 0;
	later = record;
	later.wall_offset_ns = 1; /* the wall clock was set meanwhile */
	assert_int_equal(record_id(&record), record_id(&later));
	later.flow.start_ns++;
	assert_int_not_equal(record_id(&record), record_id(&later));
}

TEST(id_is_the_same_before_and_after_a_syn_that_comes_late)
{
	struct record record = established_record(), before;

	before = record;
	before.flow.side[0].bits = SIDE_SEQ;
	before.flow.side[0].first_seq = 7;
	before.flow.side[1].bits |= SIDE_SYNACK;
	before.flow.side[1].synack_ack = record.flow.side[0].first_seq + 1;
	before.flow.start_ns++;
	assert_int_equal(record_id(&before), record_id(&record));
	before.flow.opener = 1;
	assert_int_not_equal(record_id(&before), record_id(&record));
}

TEST(id_is_sixteen_hex_digits)
{
	struct record record = established_record();
	struct value value = read_field(&record, "id");

	assert_int_equal(strlen(value.text), 16);
	assert_int_equal(strtoull(value.text, NULL, 16), record_id(&record));
}

/* The expected texts are those of the specification's own baseline and of an independent SHA-1. */
TEST(community_id_of_ipv4_is_that_of_the_specification)
{
	struct record record =
		record_between(ip4("66.35.250.204"), 80, ip4("128.232.110.120"), 34855);

	assert_text(&record, "community_id", "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
	record.flow.opener = 1;
	assert_text(&record, "community_id", "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
}

TEST(community_id_of_ipv6_hashes_whole_addresses)
{
	struct record record = record_between(ip6("2001:db8::1"), 40000, ip6("2001:db8::2"), 443);

	assert_text(&record, "community_id", "1:RYG3Msb11GthNt1OYXJouPzmrvA=");
}

TEST(ipv6_addresses_are_written_short)
{
	struct record record = record_between(ip6("2001:db8::1"), 40000, ip6("::1"), 443);

	assert_text(&record, "opener_addr", "2001:db8::1");
	assert_text(&record, "responder_addr", "::1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_in_the_order_of_the_record),
		cmocka_unit_test(every_field_is_found_by_its_name_alone),
		cmocka_unit_test(numbers_of_an_end_come_from_its_side),
		cmocka_unit_test(wide_and_narrow_numbers_are_read_whole),
		cmocka_unit_test(times_are_wall_clock_and_durations_are_not),
		cmocka_unit_test(a_part_that_is_newer_than_its_whole_leaves_nothing),
		cmocka_unit_test(a_flow_that_has_counted_no_frame_yet_has_lasted_no_time),
		cmocka_unit_test(connect_is_absent_when_the_capture_has_the_answer_first),
		cmocka_unit_test(connect_is_known_of_a_syn_at_time_zero),
		cmocka_unit_test(handshake_legs_need_their_flag),
		cmocka_unit_test(rtt_needs_a_sample),
		cmocka_unit_test(what_is_not_measured_yet_is_absent),
		cmocka_unit_test(classes_and_causes_are_zero_when_there_were_none),
		cmocka_unit_test(classes_causes_and_signs_come_from_their_counters),
		cmocka_unit_test(the_flags_of_accurate_ecn_are_no_marks),
		cmocka_unit_test(spurious_adds_what_the_other_end_called_needless),
		cmocka_unit_test(percentiles_need_a_histogram),
		cmocka_unit_test(response_needs_its_flag),
		cmocka_unit_test(options_of_the_syn_are_absent_when_it_had_none),
		cmocka_unit_test(place_is_absent_in_replay_and_named_live),
		cmocka_unit_test(tunnels_are_named_from_outside_in),
		cmocka_unit_test(flags_are_letters_in_the_order_of_the_bits),
		cmocka_unit_test(closed_window_counts_up_to_the_last_packet),
		cmocka_unit_test(dropped_holes_make_a_record_approximate),
		cmocka_unit_test(repeats_of_syn_and_synack_belong_to_their_senders),
		cmocka_unit_test(established_connection_that_ended_by_fin),
		cmocka_unit_test(one_fin_is_closing),
		cmocka_unit_test(midstream_flow_has_a_guessed_role),
		cmocka_unit_test(unanswered_syn_is_no_answer_once_it_is_over),
		cmocka_unit_test(rst_to_a_syn_is_refused),
		cmocka_unit_test(icmp_error_to_a_syn_is_unreachable_once_it_is_over),
		cmocka_unit_test(icmp_error_to_a_syn_that_was_answered_later_says_no_more_than_that),
		cmocka_unit_test(rst_of_the_opener_is_not_refused),
		cmocka_unit_test(rst_after_the_synack_is_reset),
		cmocka_unit_test(synack_without_an_answer_is_abandoned),
		cmocka_unit_test(responder_that_goes_on_has_answered_on_a_way_not_seen_here),
		cmocka_unit_test(opener_that_goes_on_was_answered_on_a_way_not_seen_here),
		cmocka_unit_test(id_is_the_same_on_every_interface_and_at_every_time),
		cmocka_unit_test(id_differs_by_port_and_by_initial_sequence_number),
		cmocka_unit_test(id_without_a_syn_is_told_by_the_start),
		cmocka_unit_test(id_is_the_same_before_and_after_a_syn_that_comes_late),
		cmocka_unit_test(id_is_sixteen_hex_digits),
		cmocka_unit_test(community_id_of_ipv4_is_that_of_the_specification),
		cmocka_unit_test(community_id_of_ipv6_hashes_whole_addresses),
		cmocka_unit_test(ipv6_addresses_are_written_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
