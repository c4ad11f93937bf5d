/* SPDX-License-Identifier: GPL-2.0-only */
/* VLAN tags, in the frame and moved out of it. */
#include "frame_make.h"

static void one_tag_is_stepped_over_and_named(void **state)
{
	(void)state;
	ethernet(VLAN);
	tag(0xe000 | 42, IPV4); /* priority bits are not the id */
	ipv4(TCP);
	tcp();
	ip_ends_here();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.vlan, 42);
	assert_int_equal(pkt.seq, 1000);
}

static void of_two_tags_the_outer_one_is_named(void **state)
{
	(void)state;
	ethernet(QINQ);
	tag(42, VLAN);
	tag(7, IPV6);
	ipv6(TCP);
	tcp();
	ip_ends_here();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.vlan, 42);
}

static void four_tags_are_stepped_over(void **state)
{
	(void)state;
	ethernet(QINQ);
	tag(42, QINQ);
	tag(43, VLAN);
	tag(44, 0x9100);
	tag(7, IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.vlan, 42);
}

static void five_tags_are_too_many(void **state)
{
	(void)state;
	ethernet(QINQ);
	tag(42, QINQ);
	tag(42, VLAN);
	tag(42, VLAN);
	tag(42, VLAN);
	tag(7, IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	assert_int_equal(parse(), COUNTER_frames_vlan_deep);
}

static void a_tag_moved_out_of_the_frame_is_one_of_the_four(void **state)
{
	(void)state;
	ethernet(QINQ);
	tag(42, QINQ);
	tag(42, VLAN);
	tag(42, VLAN);
	tag(7, IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	assert_int_equal(parse(), 0);
	frame.has_vlan_tci = 1;
	assert_int_equal(parse(), COUNTER_frames_vlan_deep);
}

static void a_tag_moved_out_of_the_frame_is_the_outermost(void **state)
{
	(void)state;
	ethernet(VLAN);
	tag(7, IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	frame.has_vlan_tci = 1;
	frame.vlan_tci = 0xe000 | 42;
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.vlan, 42);
}

static void a_cut_within_a_tag_is_a_truncation(void **state)
{
	(void)state;
	ethernet(VLAN);
	tag(7, IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	assert_int_equal(parse_cut(16), COUNTER_frames_truncated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		parse_test(one_tag_is_stepped_over_and_named),
		parse_test(of_two_tags_the_outer_one_is_named),
		parse_test(four_tags_are_stepped_over),
		parse_test(five_tags_are_too_many),
		parse_test(a_tag_moved_out_of_the_frame_is_one_of_the_four),
		parse_test(a_tag_moved_out_of_the_frame_is_the_outermost),
		parse_test(a_cut_within_a_tag_is_a_truncation),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tag", tests, NULL, NULL);
}
