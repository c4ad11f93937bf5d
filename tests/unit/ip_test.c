/* SPDX-License-Identifier: GPL-2.0-only */
/* Between IP and TCP: fragments, extension headers, and lengths that are told elsewhere. */
#include "frame_make.h"

/* ------------------------------------------------------------------ fragments */

static void a_first_fragment_is_read(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	zeros(100);
	ip_ends_here();
	set_u16(ip_at + 6, 0x2000); /* more fragments */
	assert_int_equal(parse(), 0);
	assert_true(pkt.first_fragment);
}

static void a_later_fragment_has_no_tcp_header(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	zeros(100);
	ip_ends_here();
	set_u16(ip_at + 6, 1480 / 8);
	assert_int_equal(parse(), COUNTER_frames_fragments);
}

static void do_not_fragment_is_no_fragment(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	assert_int_equal(parse(), 0);
	assert_false(pkt.first_fragment);
}

static void a_first_ipv6_fragment_is_read(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(IP_PROTO_FRAGMENT);
	fragment_header(TCP, 1); /* offset 0, more fragments */
	tcp();
	zeros(100);
	ip_ends_here();
	assert_int_equal(parse(), 0);
	assert_true(pkt.first_fragment);
	assert_int_equal(pkt.payload_bytes, 100);
}

static void a_later_ipv6_fragment_has_no_tcp_header(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(IP_PROTO_FRAGMENT);
	fragment_header(TCP, 1448);
	zeros(100);
	ip_ends_here();
	assert_int_equal(parse(), COUNTER_frames_fragments);
}

static void an_atomic_ipv6_fragment_is_no_fragment(void **state)
{
	(void)state; /* RFC 6946 */
	ethernet(IPV6);
	ipv6(IP_PROTO_FRAGMENT);
	fragment_header(TCP, 0);
	tcp();
	ip_ends_here();
	assert_int_equal(parse(), 0);
	assert_false(pkt.first_fragment);
}

/* ------------------------------------------------------------------ IPv6 extension headers */

static void extension_headers_are_stepped_over(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(IP_PROTO_HOP_BY_HOP);
	ext_header(IP_PROTO_ROUTING, 0);
	ext_header(IP_PROTO_DESTINATION, 2);
	ext_header(IP_PROTO_MOBILITY, 1);
	ext_header(TCP, 0);
	tcp();
	zeros(100);
	ip_ends_here();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.seq, 1000);
	assert_int_equal(pkt.payload_bytes, 100);
}

static void an_authentication_header_counts_its_length_in_words(void **state)
{
	(void)state; /* RFC 4302, 2.2: words less two */
	ethernet(IPV6);
	ipv6(IP_PROTO_AH);
	u8(TCP);
	u8(4);
	zeros(22);
	tcp();
	ip_ends_here();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.seq, 1000);
}

static void eight_extension_headers_are_followed(void **state)
{
	(void)state;
	chain(8);
	assert_int_equal(parse(), 0);
}

static void nine_extension_headers_are_too_many(void **state)
{
	(void)state;
	chain(9);
	assert_int_equal(parse(), COUNTER_frames_ext_headers);
}

static void an_extension_header_beyond_the_packet_is_malformed(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(IP_PROTO_DESTINATION);
	u8(TCP);
	u8(255);
	zeros(6);
	tcp();
	ip_ends_here();
	assert_int_equal(parse(), COUNTER_frames_ip_malformed);
}

static void a_packet_that_ends_before_its_extension_header_is_malformed(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(IP_PROTO_DESTINATION);
	u32(0);
	ip_ends_here();
	zeros(60); /* padding is not the header */
	assert_int_equal(parse(), COUNTER_frames_ip_malformed);
}

static void a_cut_within_an_extension_header_is_a_truncation(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(IP_PROTO_DESTINATION);
	ext_header(TCP, 0);
	tcp();
	ip_ends_here();
	assert_int_equal(parse_cut(14 + 40 + 7), COUNTER_frames_truncated);
}

/* ------------------------------------------------------- jumbograms, and an authentication header */

static void an_authentication_header_in_ipv4_is_stepped_over(void **state)
{
	(void)state;
	outer(51);
	bytes("06 04 0000 00000001 00000001 000000000000000000000000");
	tcp();
	outer_ends_here();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.seq, 1000);
	assert_int_equal(pkt.tunnel, 0);
}

static void a_jumbogram_as_long_as_its_frame_is_read_and_no_other(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(0);
	bytes("06 00 c204 00000bcc");
	tcp();
	zeros(3000);
	assert_int_equal(parse(), COUNTER_frames_jumbograms);
	buffer[14 + 40 + 4 + 3] = 0xd4; /* 3028: the rest of the frame */
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.payload_bytes, 3000);
	buffer[14 + 40 + 2] = 1; /* padding: no length at all */
	assert_int_equal(parse(), COUNTER_frames_jumbograms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		parse_test(a_first_fragment_is_read),
		parse_test(a_later_fragment_has_no_tcp_header),
		parse_test(do_not_fragment_is_no_fragment),
		parse_test(a_first_ipv6_fragment_is_read),
		parse_test(a_later_ipv6_fragment_has_no_tcp_header),
		parse_test(an_atomic_ipv6_fragment_is_no_fragment),
		parse_test(extension_headers_are_stepped_over),
		parse_test(an_authentication_header_counts_its_length_in_words),
		parse_test(eight_extension_headers_are_followed),
		parse_test(nine_extension_headers_are_too_many),
		parse_test(an_extension_header_beyond_the_packet_is_malformed),
		parse_test(a_packet_that_ends_before_its_extension_header_is_malformed),
		parse_test(a_cut_within_an_extension_header_is_a_truncation),
		parse_test(an_authentication_header_in_ipv4_is_stepped_over),
		parse_test(a_jumbogram_as_long_as_its_frame_is_read_and_no_other),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ip", tests, NULL, NULL);
}
