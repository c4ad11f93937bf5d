/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP errors quote the segment they are about. */
#include "frame_make.h"

static void quoted(uint32_t type, uint32_t code)
{
	ethernet(IPV4);
	outer_at = (uint32_t)len;
	ipv4(1);
	u8(type);
	u8(code);
	zeros(6);
}

static void an_icmp_error_quotes_the_segment_it_is_about(void **state)
{
	(void)state;
	quoted(3, 1);
	ipv4(TCP);
	set_u16(ip_at + 2, 1500); /* of which eight bytes of TCP are quoted */
	u16(40000);
	u16(80);
	u32(1000);
	outer_ends_here();
	assert_int_equal(parse(), COUNTER_frames_icmp_errors);
	assert_int_equal(pkt.icmp, ICMP_HOST);
	assert_int_equal(pkt.seq, 1000);
	assert_int_equal(pkt.key.port_be16[0], htons(40000));
	assert_int_equal(pkt.direction, 0);
	buffer[outer_at + 20 + 1] = 3;
	assert_int_equal(parse(), COUNTER_frames_icmp_errors);
	assert_int_equal(pkt.icmp, ICMP_PORT);
	buffer[outer_at + 20] = 8; /* no error */
	assert_int_equal(parse(), COUNTER_frames_not_tcp);
	assert_int_equal(pkt.icmp, ICMP_NONE);
}

static void an_icmp_error_that_quotes_too_little_is_about_nothing(void **state)
{
	(void)state;
	quoted(3, 1);
	ipv4(TCP);
	u32(0);
	outer_ends_here();
	assert_int_equal(parse(), COUNTER_frames_icmp_errors);
	assert_int_equal(pkt.icmp, ICMP_NONE);
}

static void an_icmp_error_about_something_else_is_not_tcp(void **state)
{
	(void)state;
	decap = TUNNELS_ALL;
	quoted(3, 3);
	ipv4(UDP);
	bytes("c350 12b5 0000 0000");
	outer_ends_here();
	assert_int_equal(parse(), COUNTER_frames_not_tcp);
	buffer[ip_at] = 0x41; /* a header that cannot be: of no interest either */
	assert_int_equal(parse(), COUNTER_frames_not_tcp);
}

static void an_icmpv6_error_is_read_as_well(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(58);
	set_u16(ip_at + 4, 8 + 40 + 20);
	bytes("02 00 0000 00000500");
	ipv6(TCP);
	set_u16(ip_at + 4, 1440);
	tcp();
	assert_int_equal(parse(), COUNTER_frames_icmp_errors);
	assert_int_equal(pkt.icmp, ICMP_FRAG_NEEDED);
	assert_int_equal(pkt.seq, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		parse_test(an_icmp_error_quotes_the_segment_it_is_about),
		parse_test(an_icmp_error_that_quotes_too_little_is_about_nothing),
		parse_test(an_icmp_error_about_something_else_is_not_tcp),
		parse_test(an_icmpv6_error_is_read_as_well),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("icmp", tests, NULL, NULL);
}
