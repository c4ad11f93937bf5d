/* SPDX-License-Identifier: GPL-2.0-only */
/* Tunnels are followed when asked for, twice, and their headers may be wrong. */
#include "frame_make.h"

static void udp_to(uint32_t port)
{
	outer(UDP);
	u16(50000);
	u16(port);
	u32(0);
}

/* The frame so far, a tunnel's header, and the packet in it. */
static enum counter parse_inside(const char *header)
{
	bytes(header);
	ipv4_and_tcp();
	outer_ends_here();
	return parse();
}

#define INNER_ETHERNET "020000000001 020000000002 0800"

static void check_tunnel(enum tunnel tunnel, uint32_t id)
{
	assert_int_equal(pkt.tunnel, tunnel);
	assert_int_equal(pkt.tunnel_id, id);
	assert_int_equal(pkt.seq, 1000);
	assert_int_equal(pkt.payload_bytes, 0);
	/* Not asked for: counted, and not looked into. */
	decap = TUNNELS_ALL & ~TUNNEL_BIT(tunnel);
	assert_int_equal(parse(), COUNTER_frames_tunnel);
	decap = TUNNELS_ALL;
}

static void every_tunnel_is_followed_when_asked_for(void **state)
{
	static const struct {
		enum tunnel tunnel;
		uint32_t proto, port;
		const char *header;
		uint32_t id;
	} tunnels[] = {
		{ TUNNEL_IPIP, 4, 0, "", 0 },
		{ TUNNEL_GRE, 47, 0, "0000 0800", 0 },
		{ TUNNEL_GRE, 47, 0, "2000 0800 00000007", 7 },
		{ TUNNEL_GRE, 47, 0, "b000 0800 00000000 00000007 00000009", 7 },
		{ TUNNEL_GRE, 47, 0, "2000 6558 00138807" INNER_ETHERNET, 0x138807 },
		{ TUNNEL_GRE, 47, 0, "0000 8847 00010140", 0 },
		{ TUNNEL_ERSPAN, 47, 0, "0000 88be" INNER_ETHERNET, 0 },
		{ TUNNEL_ERSPAN, 47, 0, "1000 88be 00000001 1064 0065 00000000" INNER_ETHERNET, 101 },
		{ TUNNEL_ERSPAN, 47, 0, "1000 22eb 00000001 2064 0065 00000000 00000000"
					INNER_ETHERNET, 101 },
		{ TUNNEL_ERSPAN, 47, 0, "1000 22eb 00000001 2064 0065 00000000 00000001"
					"0000000000000000" INNER_ETHERNET, 101 },
		{ TUNNEL_VXLAN, UDP, 4789, "08000000 00138800" INNER_ETHERNET, 5000 },
		{ TUNNEL_VXLAN, UDP, 8472, "08000000 00138800" INNER_ETHERNET, 5000 },
		{ TUNNEL_VXLAN_GPE, UDP, 4790, "0c000001 00138800", 5000 },
		{ TUNNEL_VXLAN_GPE, UDP, 4790, "0c000003 00138800" INNER_ETHERNET, 5000 },
		{ TUNNEL_VXLAN_GPE, UDP, 4790, "0c000005 00138800 00010140", 5000 },
		{ TUNNEL_GENEVE, UDP, 6081, "0000 6558 00138800" INNER_ETHERNET, 5000 },
		{ TUNNEL_GENEVE, UDP, 6081, "0200 0800 00138800 0102800100000000", 5000 },
		{ TUNNEL_GTP_U, UDP, 2152, "30ff 0028 00001234", 0x1234 },
		{ TUNNEL_GTP_U, UDP, 2152, "32ff 002c 00001234 0001 00 00", 0x1234 },
		{ TUNNEL_GTP_U, UDP, 2152, "34ff 0030 00001234 0000 00 85 01 0000 00", 0x1234 },
		{ TUNNEL_L2TPV3, 115, 0, "00000009 00000000" INNER_ETHERNET, 9 },
		{ TUNNEL_L2TPV3, 115, 0, "00000009" INNER_ETHERNET, 9 },
		{ TUNNEL_L2TPV3, 115, 0, "00000009 0102030405060708 00000000" INNER_ETHERNET, 9 },
		{ TUNNEL_L2TPV3, UDP, 1701, "0003 0000 00000009 00000000" INNER_ETHERNET, 9 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(tunnels) / sizeof(*tunnels); i++) {
		forget_frame(NULL);
		decap = TUNNELS_ALL;
		if (tunnels[i].port)
			udp_to(tunnels[i].port);
		else
			outer(tunnels[i].proto);
		assert_int_equal(parse_inside(tunnels[i].header), 0);
		check_tunnel(tunnels[i].tunnel, tunnels[i].id);
	}
}

static void both_versions_of_ip_carry_each_other(void **state)
{
	(void)state;
	decap = TUNNELS_ALL;
	outer(41);
	ipv6_and_tcp();
	outer_ends_here();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.has_ip_id, 0); /* of the inner packet */
	check_tunnel(TUNNEL_SIT, 0);

	forget_frame(NULL);
	decap = TUNNELS_ALL;
	ethernet(IPV6);
	ipv6(4);
	ip_ends_here();
	set_u16(ip_at + 4, 40);
	ipv4_and_tcp();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.has_ip_id, 1);
	check_tunnel(TUNNEL_4IN6, 0);

	forget_frame(NULL);
	decap = TUNNELS_ALL;
	ethernet(IPV6);
	ipv6(41);
	set_u16(ip_at + 4, 60);
	ipv6_and_tcp();
	assert_int_equal(parse(), 0);
	check_tunnel(TUNNEL_6IN6, 0);
}

static void a_tunnel_in_a_tunnel_is_followed_and_a_third_one_is_not(void **state)
{
	(void)state;
	decap = TUNNELS_ALL;
	outer(47);
	bytes("2000 0800 00000007");
	ipv4(UDP);
	bytes("c350 12b5 0000 0000 08000000 00138800" INNER_ETHERNET);
	ipv4_and_tcp();
	outer_ends_here();
	set_u16(outer_at + 28 + 2, (uint32_t)(len - outer_at - 28));
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.tunnel, TUNNEL_GRE << 4 | TUNNEL_VXLAN);
	assert_int_equal(pkt.tunnel_id, 5000);

	forget_frame(NULL);
	decap = TUNNELS_ALL;
	outer(4);
	ipv4(4);
	ipv4(4);
	ipv4_and_tcp();
	outer_ends_here();
	set_u16(outer_at + 20 + 2, 80);
	set_u16(outer_at + 40 + 2, 60);
	assert_int_equal(parse(), COUNTER_frames_tunnel_deep);
}

static void tunnel_headers_that_cannot_be_are_malformed(void **state)
{
	static const struct {
		uint32_t proto, port;
		const char *header;
		enum counter reason;
	} headers[] = {
		{ 47, 0, "4000 0800", COUNTER_frames_tunnel_malformed },
		{ 47, 0, "0002 0800", COUNTER_frames_tunnel_malformed },
		{ 47, 0, "2001 880b 00280001", COUNTER_frames_tunnel },
		{ 47, 0, "0000 0806", COUNTER_frames_not_ip },
		{ UDP, 4789, "00000000 00138800" INNER_ETHERNET, COUNTER_frames_tunnel_malformed },
		{ UDP, 4790, "3c000001 00138800", COUNTER_frames_tunnel_malformed },
		{ UDP, 4790, "0c000006 00138800", COUNTER_frames_not_ip },
		{ UDP, 6081, "4000 0800 00138800", COUNTER_frames_tunnel_malformed },
		{ UDP, 6081, "3f00 0800 00138800", COUNTER_frames_tunnel_malformed },
		{ UDP, 2152, "3001 0000 00000000", COUNTER_frames_not_tcp },
		{ UDP, 2152, "5000 0000 00000000", COUNTER_frames_not_tcp },
		{ UDP, 2152, "34ff 0030 00001234 0000 00 85 00 0000 00",
		  COUNTER_frames_tunnel_malformed },
		{ UDP, 4790, "0c000004 00138800 4fc20201 000001ff", COUNTER_frames_link_malformed },
		{ UDP, 3544, "0001ffff 00000000", COUNTER_frames_tunnel_malformed },
		{ UDP, 3544, "45000000 00000000", COUNTER_frames_not_tcp },
		{ 97, 0, "3000" INNER_ETHERNET, COUNTER_frames_tunnel },
		{ UDP, 6635, "00010140", COUNTER_frames_tunnel },
		{ 115, 0, "00000000", COUNTER_frames_not_tcp },
		{ 115, 0, "00000009 01", COUNTER_frames_not_ip },
		{ UDP, 1701, "c802 000c 00010000", COUNTER_frames_tunnel },
		{ UDP, 1701, "c803 000c 00010000", COUNTER_frames_not_tcp },
		{ UDP, 53, "", COUNTER_frames_not_tcp },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		forget_frame(NULL);
		decap = TUNNELS_ALL;
		if (headers[i].port)
			udp_to(headers[i].port);
		else
			outer(headers[i].proto);
		assert_int_equal(parse_inside(headers[i].header), headers[i].reason);
	}
}

static void every_cut_of_a_tunnel_is_a_truncation_or_malformed(void **state)
{
	size_t cut;

	(void)state;
	decap = TUNNELS_ALL;
	udp_to(6081);
	assert_int_equal(parse_inside("0200 0800 00138800 0102800100000000"), 0);
	for (cut = 0; cut < len; cut++)
		assert_int_equal(parse_cut(cut), COUNTER_frames_truncated);
	/* The outer packet ends in each of its headers: they do not fit. */
	for (cut = 28; cut < 36; cut++) {
		set_u16(outer_at + 2, (uint32_t)cut);
		assert_int_equal(parse(), COUNTER_frames_tunnel_malformed);
	}
	set_u16(outer_at + 2, 27);
	assert_int_equal(parse(), COUNTER_frames_not_tcp);
	set_u16(outer_at + 2, 50);
	assert_int_equal(parse(), COUNTER_frames_ip_overlong);
}

static void a_fragmented_tunnel_is_not_followed(void **state)
{
	(void)state;
	decap = TUNNELS_ALL;
	outer(4);
	set_u16(ip_at + 6, 0x2000);
	assert_int_equal(parse_inside(""), COUNTER_frames_tunnel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		parse_test(every_tunnel_is_followed_when_asked_for),
		parse_test(both_versions_of_ip_carry_each_other),
		parse_test(a_tunnel_in_a_tunnel_is_followed_and_a_third_one_is_not),
		parse_test(tunnel_headers_that_cannot_be_are_malformed),
		parse_test(every_cut_of_a_tunnel_is_a_truncation_or_malformed),
		parse_test(a_fragmented_tunnel_is_not_followed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tunnel", tests, NULL, NULL);
}
