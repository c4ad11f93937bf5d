/* SPDX-License-Identifier: GPL-2.0-only */
/* What stands before IP on each kind of link. */
#include "frame_make.h"

/* What a link's header is followed by is found behind it, and nowhere when it is cut. */
static void check_link(enum frame_link link, const char *header, bool is_ipv6, uint32_t pseudo)
{
	size_t cut;

	forget_frame(NULL);
	frame.link = link;
	bytes(header);
	if (is_ipv6)
		ipv6_and_tcp();
	else
		ipv4_and_tcp();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.seq, 1000);
	assert_int_equal(pkt.key.addr[0].bytes[10], is_ipv6 ? 0 : 0xff);
	assert_int_equal(pkt.wire_bytes, len - pseudo);
	for (cut = 0; cut < len; cut++)
		assert_int_equal(parse_cut(cut), COUNTER_frames_truncated);
}

static enum counter parse_link(enum frame_link link, const char *header)
{
	forget_frame(NULL);
	frame.link = link;
	bytes(header);
	ipv4_and_tcp();
	return parse();
}

#define SNAP "aaaa03000000"

static void every_link_header_is_stepped_over(void **state)
{
	(void)state;
	check_link(LINK_RAW_IP, "", false, 0);
	check_link(LINK_RAW_IP, "", true, 0);
	check_link(LINK_COOKED, "0000 0001 0006 020000000001 0000 0800", false, 2);
	check_link(LINK_COOKED, "0000 0001 0006 020000000001 0000 8100 002a 86dd", true, 2);
	check_link(LINK_COOKED2, "0800 0000 00000002 0001 00 06 0200000000010000", false, 20);
	check_link(LINK_COOKED2, "86dd 0000 00000002 0001 00 06 0200000000010000", true, 20);
	check_link(LINK_LOOPBACK, "02000000", false, 4);
	check_link(LINK_LOOPBACK, "0000001e", true, 4);
	check_link(LINK_PPP, "ff03 0021", false, 0);
	check_link(LINK_PPP, "0057", true, 0);
	check_link(LINK_PPP, "21", false, 0);
	check_link(LINK_PPP, "ff03 0281 00010140", false, 0);
	check_link(LINK_PPP_WITH_DIRECTION, "0103 0021", false, 0);
	check_link(LINK_PPP_WITH_DIRECTION, "00 ff03 0021", false, 1);
	check_link(LINK_PPPOE, "11 00 0001 002a 0021", false, 0);
	check_link(LINK_HDLC, "0f00 0800", false, 0);
	check_link(LINK_HDLC, "8f00 86dd", true, 0);
	check_link(LINK_FDDI, "50 020000000001 020000000002" SNAP "0800", false, 0);
	check_link(LINK_LLC, SNAP "86dd", true, 0);
	check_link(LINK_MPLS, "00010040 00020140", false, 0);
}

#define WLAN_ADDRESSES "020000000001 020000000002 020000000003"

static void wireless_headers_have_many_lengths(void **state)
{
	(void)state;
	check_link(LINK_WLAN, "0801 0000" WLAN_ADDRESSES "1000" SNAP "0800", false, 0);
	check_link(LINK_WLAN, "0803 0000" WLAN_ADDRESSES "1000 020000000004" SNAP "0800", false, 0);
	check_link(LINK_WLAN, "8801 0000" WLAN_ADDRESSES "1000 0000" SNAP "86dd", true, 0);
	check_link(LINK_WLAN, "8881 0000" WLAN_ADDRESSES "1000 0000 00000000" SNAP "86dd", true, 0);
	check_link(LINK_RADIOTAP, "0000 0800 00000000 0801 0000" WLAN_ADDRESSES "1000" SNAP "0800",
		   false, 8);
	/* TSFT and flags, which say that the QoS header of 26 bytes is padded to 28. */
	check_link(LINK_RADIOTAP,
		   "0000 1100 03000000 0000000000000000 20"
		   "8801 0000" WLAN_ADDRESSES "1000 0000 0000" SNAP "0800", false, 17);
	/* A second word of present bits, and flags alone. */
	check_link(LINK_RADIOTAP,
		   "0000 0d00 02000080 00000000 20"
		   "8801 0000" WLAN_ADDRESSES "1000 0000 0000" SNAP "0800", false, 13);
}

static void wireless_frames_without_a_readable_packet_are_not_ip(void **state)
{
	(void)state;
	assert_int_equal(parse_link(LINK_WLAN, "8000 0000" WLAN_ADDRESSES "1000"), /* beacon */
			 COUNTER_frames_not_ip);
	assert_int_equal(parse_link(LINK_WLAN, "0841 0000" WLAN_ADDRESSES "1000" SNAP "0800"),
			 COUNTER_frames_not_ip); /* protected */
	assert_int_equal(parse_link(LINK_WLAN, "4801 0000" WLAN_ADDRESSES "1000" SNAP "0800"),
			 COUNTER_frames_not_ip); /* no data */
	assert_int_equal(parse_link(LINK_WLAN, "8801 0000" WLAN_ADDRESSES "1000 8000" SNAP "0800"),
			 COUNTER_frames_not_ip); /* several in one */
	assert_int_equal(parse_link(LINK_WLAN, "0801 0000" WLAN_ADDRESSES "1100" SNAP "0800"),
			 COUNTER_frames_not_ip); /* a later fragment */
}

static void log_attributes_are_stepped_over_up_to_the_packet(void **state)
{
	(void)state;
	forget_frame(NULL);
	frame.link = LINK_NFLOG;
	bytes("02 00 0000 0800 0100 08000000 0500 0a00 00000000 2c00 0900");
	ipv4_and_tcp();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.seq, 1000);
	assert_int_equal(pkt.wire_bytes, 40);
	assert_int_equal(parse_link(LINK_NFLOG, "02 01 0000"), COUNTER_frames_link_malformed);
	assert_int_equal(parse_link(LINK_NFLOG, "02 00 0000 0300 0100"),
			 COUNTER_frames_link_malformed);
	assert_int_equal(parse_link(LINK_NFLOG, "02 00 0000 ff00 0100"),
			 COUNTER_frames_link_malformed);
}

static void what_a_link_carries_beside_ip_is_not_ip(void **state)
{
	(void)state;
	assert_int_equal(parse_link(LINK_COOKED, "0000 0001 0006 020000000001 0000 0806"),
			 COUNTER_frames_not_ip);
	assert_int_equal(parse_link(LINK_COOKED, "0000 0001 0006 020000000001 0000 0001"),
			 COUNTER_frames_not_ip);
	assert_int_equal(parse_link(LINK_LOOPBACK, "07000000"), COUNTER_frames_not_ip);
	assert_int_equal(parse_link(LINK_PPP, "ff03 c021"), COUNTER_frames_not_ip);
	assert_int_equal(parse_link(LINK_PPPOE, "11 a7 0001 0000"), COUNTER_frames_not_ip);
	assert_int_equal(parse_link(LINK_LLC, "4242 03 000000 0800"), COUNTER_frames_not_ip);
	assert_int_equal(parse_link(LINK_LLC, "aaaa 03 00000c 2000"), COUNTER_frames_not_ip);
}

static void link_headers_that_cannot_be_are_malformed(void **state)
{
	(void)state;
	assert_int_equal(parse_link(LINK_PPP, "ff03 0020"), COUNTER_frames_link_malformed);
	assert_int_equal(parse_link(LINK_PPPOE, "21 00 0001 0000 0021"),
			 COUNTER_frames_link_malformed);
	assert_int_equal(parse_link(LINK_HDLC, "ff00 0800"), COUNTER_frames_link_malformed);
	assert_int_equal(parse_link(LINK_RADIOTAP, "0000 0700 00000000"),
			 COUNTER_frames_link_malformed);
	assert_int_equal(parse_link(LINK_RADIOTAP, "0100 0800 00000000"),
			 COUNTER_frames_link_malformed);
}

static void tags_and_labels_lead_on_to_each_other(void **state)
{
	(void)state;
	check_link(LINK_ETHERNET, "000000000000 000000000000 002e" SNAP "0800", false, 0);
	check_link(LINK_ETHERNET, "000000000000 000000000000 8864 1100 0001 002a 0057", true, 0);
	check_link(LINK_ETHERNET, "000000000000 000000000000 88a8 0007 8100 002a 8864"
				  "1100 0001 002a 0021", false, 0);
	assert_int_equal(pkt.vlan, 7);
	check_link(LINK_ETHERNET, "000000000000 000000000000 8847 00010040 00020140", true, 0);
	/* A pseudowire, with a control word and without. */
	check_link(LINK_ETHERNET, "000000000000 000000000000 8847 00010140 00000000"
				  "020000000001 020000000002 0800", false, 0);
	check_link(LINK_ETHERNET, "000000000000 000000000000 8847 00010140"
				  "120000000001 020000000002 8100 0009 86dd", true, 0);
}

static void a_stack_of_labels_without_a_bottom_is_too_deep(void **state)
{
	int i;

	(void)state;
	ethernet(0x8847);
	for (i = 0; i < 100; i++)
		u32(0x00001040);
	ipv4_and_tcp();
	assert_int_equal(parse(), COUNTER_frames_headers_deep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		parse_test(every_link_header_is_stepped_over),
		parse_test(wireless_headers_have_many_lengths),
		parse_test(wireless_frames_without_a_readable_packet_are_not_ip),
		parse_test(log_attributes_are_stepped_over_up_to_the_packet),
		parse_test(what_a_link_carries_beside_ip_is_not_ip),
		parse_test(link_headers_that_cannot_be_are_malformed),
		parse_test(tags_and_labels_lead_on_to_each_other),
		parse_test(a_stack_of_labels_without_a_bottom_is_too_deep),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
