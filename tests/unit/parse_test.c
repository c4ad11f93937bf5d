/* SPDX-License-Identifier: GPL-2.0-only */
/* What is read from frames, and every way out by its counter. */
#include "frame_make.h"

/* ------------------------------------------------------------------ what is read */

static void an_ipv4_segment_is_read_whole(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp_with_options(TCP_PSH | TCP_ACK, 0);
	zeros(100);
	ip_ends_here();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.seq, 1000);
	assert_int_equal(pkt.ack, 5000);
	assert_int_equal(pkt.flags, TCP_PSH | TCP_ACK);
	assert_int_equal(pkt.window, 512);
	assert_int_equal(pkt.payload_bytes, 100);
	assert_int_equal(pkt.wire_bytes, 14 + 20 + 20 + 100);
	assert_int_equal(pkt.ip_id, 0x1234);
	assert_int_equal(pkt.ttl, 64);
}

static void an_ipv6_segment_is_read_whole(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(TCP);
	tcp();
	zeros(100);
	ip_ends_here();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.seq, 1000);
	assert_int_equal(pkt.payload_bytes, 100);
	assert_int_equal(pkt.ttl, 64);
	assert_int_equal(pkt.ip_id, 0);
	assert_int_equal(pkt.key.addr[0].bytes[15], 1);
	assert_int_equal(pkt.key.addr[1].bytes[15], 2);
}

static void an_ipv4_address_is_kept_mapped(void **state)
{
	const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1};

	(void)state; /* RFC 4291, 2.5.5.2 */
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	parse();
	assert_memory_equal(pkt.key.addr[0].bytes, mapped, 16);
}

static void both_directions_have_one_key(void **state)
{
	struct flow_key there;

	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	parse();
	there = pkt.key;
	assert_int_equal(pkt.direction, 0);
	buffer[ip_at + 15] = 2; /* and back again */
	buffer[ip_at + 19] = 1;
	set_u16(ip_at + 20, 80);
	set_u16(ip_at + 22, 40000);
	parse();
	assert_memory_equal(&pkt.key, &there, sizeof(there));
	assert_int_equal(pkt.direction, 1);
}

static void between_equal_addresses_the_lower_port_comes_first(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	buffer[ip_at + 19] = 1;
	parse();
	assert_int_equal(be16_to_host(pkt.key.port_be16[0]), 80);
	assert_int_equal(pkt.direction, 1);
}

static void the_interface_is_part_of_the_key(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	frame.ifindex = 7;
	parse();
	assert_int_equal(pkt.key.ifindex, 7);
}

static void time_and_segments_are_the_doors(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	frame.time_ns = 123;
	frame.segments = 4;
	parse();
	assert_int_equal(pkt.now_ns, 123);
	assert_int_equal(pkt.segments, 4);
}

static void congestion_experienced_is_read_from_ipv4(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	buffer[ip_at + 1] = 0xfc | 3;
	parse();
	assert_int_equal(pkt.ecn, 3);
}

static void congestion_experienced_is_read_from_ipv6(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(TCP);
	tcp();
	ip_ends_here();
	buffer[ip_at + 1] = 3 << 4; /* the traffic class straddles two bytes */
	parse();
	assert_int_equal(pkt.ecn, 3);
}

static void ipv4_options_are_stepped_over(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4_with_options(TCP, 10);
	tcp();
	zeros(100);
	ip_ends_here();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.seq, 1000);
	assert_int_equal(pkt.payload_bytes, 100);
}

static void tcp_options_are_no_payload(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp_with_options(TCP_ACK, 10);
	zeros(100);
	ip_ends_here();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.payload_bytes, 100);
}

static void padding_is_no_payload(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	zeros(6); /* to the 60 bytes Ethernet wants */
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.payload_bytes, 0);
	assert_int_equal(pkt.wire_bytes, 60);
}

static void payload_that_was_not_captured_is_payload(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	zeros(1000);
	ip_ends_here();
	assert_int_equal(parse_cut(14 + 20 + 20), 0);
	assert_int_equal(pkt.payload_bytes, 1000);
}

static void a_frame_starting_with_ip_is_read(void **state)
{
	(void)state;
	ipv4(TCP);
	tcp();
	ip_ends_here();
	frame.link = LINK_RAW_IP;
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.seq, 1000);
}

static void a_frame_starting_with_ipv6_is_read(void **state)
{
	(void)state;
	ipv6(TCP);
	tcp();
	ip_ends_here();
	frame.link = LINK_RAW_IP;
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.seq, 1000);
}

static void a_length_of_zero_reaches_to_the_end_of_an_ipv4_frame(void **state)
{
	(void)state; /* captured before the card's segmentation filled it in */
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	zeros(2000);
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.payload_bytes, 2000);
}

static void a_length_of_zero_reaches_to_the_end_of_an_ipv6_frame(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(TCP);
	tcp();
	zeros(2000);
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.payload_bytes, 2000);
}

/* ------------------------------------------------------------------ ways out */

static void an_empty_capture_is_a_truncation(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	assert_int_equal(parse_cut(0), COUNTER_frames_truncated);
}

static void every_cut_before_the_end_of_tcp_is_a_truncation(void **state)
{
	size_t captured;

	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	for (captured = 0; captured < len; captured++)
		assert_int_equal(parse_cut(captured), COUNTER_frames_truncated);
	assert_int_equal(parse_cut(len), 0);
}

static void every_cut_of_ipv6_is_a_truncation(void **state)
{
	size_t captured;

	(void)state;
	chain(3);
	for (captured = 0; captured < len; captured++)
		assert_int_equal(parse_cut(captured), COUNTER_frames_truncated);
}

static void a_cut_within_ipv4_options_is_a_truncation(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4_with_options(TCP, 10);
	tcp();
	ip_ends_here();
	assert_int_equal(parse_cut(14 + 30), COUNTER_frames_truncated);
}

static void arp_is_not_ip(void **state)
{
	(void)state;
	ethernet(ARP);
	zeros(46);
	assert_int_equal(parse(), COUNTER_frames_not_ip);
}

static void an_802_3_length_is_not_ip(void **state)
{
	(void)state;
	ethernet(46);
	zeros(46);
	assert_int_equal(parse(), COUNTER_frames_not_ip);
}

static void udp_is_not_tcp(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(UDP);
	zeros(40);
	ip_ends_here();
	assert_int_equal(parse(), COUNTER_frames_not_tcp);
}

static void icmp_in_ipv6_is_not_tcp(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(58);
	zeros(40);
	ip_ends_here();
	assert_int_equal(parse(), COUNTER_frames_not_tcp);
}

static void another_version_in_an_ipv4_frame_is_malformed(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	buffer[ip_at] = 0x65;
	assert_int_equal(parse(), COUNTER_frames_ip_malformed);
}

static void another_version_in_an_ipv6_frame_is_malformed(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(TCP);
	tcp();
	ip_ends_here();
	buffer[ip_at] = 0x40;
	assert_int_equal(parse(), COUNTER_frames_ip_malformed);
}

static void raw_ip_of_no_version_is_malformed(void **state)
{
	(void)state;
	zeros(60);
	frame.link = LINK_RAW_IP;
	assert_int_equal(parse(), COUNTER_frames_ip_malformed);
}

static void an_ipv4_header_of_less_than_five_words_is_malformed(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	buffer[ip_at] = 0x44;
	assert_int_equal(parse(), COUNTER_frames_ip_malformed);
}

static void an_ipv4_length_shorter_than_its_header_is_malformed(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4_with_options(TCP, 2);
	tcp();
	set_u16(ip_at + 2, 27);
	assert_int_equal(parse(), COUNTER_frames_ip_malformed);
}

static void an_ipv4_length_beyond_the_frame_is_overlong(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	set_u16(ip_at + 2, 41);
	assert_int_equal(parse(), COUNTER_frames_ip_overlong);
}

static void an_ipv6_length_beyond_the_frame_is_overlong(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(TCP);
	tcp();
	set_u16(ip_at + 4, 21);
	assert_int_equal(parse(), COUNTER_frames_ip_overlong);
}

static void a_tcp_header_of_less_than_five_words_is_malformed(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	buffer[ip_at + 20 + 12] = 4 << 4;
	assert_int_equal(parse(), COUNTER_frames_tcp_malformed);
}

static void a_tcp_header_longer_than_the_packet_is_malformed(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
	zeros(40); /* padding does not help */
	buffer[ip_at + 20 + 12] = 6 << 4;
	assert_int_equal(parse(), COUNTER_frames_tcp_malformed);
}

static void a_packet_without_room_for_tcp_is_malformed(void **state)
{
	(void)state;
	ethernet(IPV4);
	ipv4(TCP);
	zeros(19);
	ip_ends_here();
	zeros(10);
	assert_int_equal(parse(), COUNTER_frames_tcp_malformed);
}

static void nothing_of_the_frame_before_is_left(void **state)
{
	(void)state;
	ethernet(VLAN);
	tag(42, IPV4);
	ipv4(TCP);
	tcp_with_options(TCP_SYN, 0);
	ip_ends_here();
	parse();
	forget_frame(NULL);
	ethernet(IPV6);
	ipv6(TCP);
	tcp();
	ip_ends_here();
	parse();
	assert_int_equal(pkt.vlan, 0);
	assert_int_equal(pkt.ip_id, 0);
	assert_int_equal(pkt.flags, TCP_ACK);
}

/* ------------------------------------------------------------------ in one piece, and by hops */

/* As parse_frame(), but that no frame is a usual one. */
static enum counter parse_by_hops(struct packet *ret_pkt)
{
	enum counter reason;

	parse_begin(&frame, decap, ret_pkt);
	ret_pkt->vlan = frame.has_vlan_tci ? frame.vlan_tci : 0;
	ret_pkt->parsing = (struct parsing){
		.wire_left = frame.wire_bytes,
		.decap = decap,
		.vlans = frame.has_vlan_tci,
	};
	reason = parse_segment(&frame, ret_pkt, parse_hops(&frame, ret_pkt, HOP_LINKS + frame.link));
	if (ret_pkt->parsing.options_len)
		parse_hop(frame.data, frame.end, ret_pkt, HOP_OPTIONS);
	return reason;
}

/* What others read of a packet is the same by both ways: 1 when it is a segment. */
static int both_ways_agree(void)
{
	struct packet apart;
	enum counter reason;

	memset(&apart, 0xa5, sizeof(apart));
	memset(&pkt, 0x5a, sizeof(pkt));
	reason = parse_by_hops(&apart);
	assert_int_equal(parse_frame(&frame, decap, &pkt), reason);
	if (reason)
		return 0;
	assert_memory_equal(&apart, &pkt, offsetof(struct packet, verdict.rtt_ns));
	assert_memory_equal(apart.sack, pkt.sack, pkt.sack_count * sizeof(*pkt.sack));
	return 1;
}

static void make_frame(uint32_t kind)
{
	forget_frame(NULL);
	frame.has_vlan_tci = kind >> 4 & 1;
	frame.vlan_tci = 9;
	ethernet(kind & 1 ? VLAN : kind & 2 ? IPV6 : IPV4);
	if (kind & 1)
		tag(42, kind & 2 ? IPV6 : IPV4);
	if (kind & 2)
		ipv6(TCP);
	else
		ipv4(TCP);
	tcp_with_options(TCP_PSH | TCP_ACK, kind & 4 ? 3 : 0);
	zeros(kind & 8 ? 100 : 0);
	ip_ends_here();
	frame.data = buffer;
	frame.end = buffer + len;
	frame.wire_bytes = (uint32_t)len;
}

/* Each octet of the headers, with each bit of it the other way; then cut off anywhere. */
static void what_is_read_in_one_piece_is_what_hops_read(void **state)
{
	uint32_t kind, i, bit, segments = 0;

	(void)state;
	for (kind = 0; kind < 32; kind++) {
		make_frame(kind);
		segments += (uint32_t)both_ways_agree();
		for (i = 0; i < 80 && i < len; i++) {
			for (bit = 1; bit < 256; bit <<= 1) {
				buffer[i] ^= (uint8_t)bit;
				segments += (uint32_t)both_ways_agree();
				buffer[i] ^= (uint8_t)bit;
			}
		}
		for (i = 0; i < len; i++) {
			frame.end = buffer + i;
			segments += (uint32_t)both_ways_agree();
		}
	}
	assert_in_range(segments, 8000, 24000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		parse_test(an_ipv4_segment_is_read_whole),
		parse_test(an_ipv6_segment_is_read_whole),
		parse_test(an_ipv4_address_is_kept_mapped),
		parse_test(both_directions_have_one_key),
		parse_test(between_equal_addresses_the_lower_port_comes_first),
		parse_test(the_interface_is_part_of_the_key),
		parse_test(time_and_segments_are_the_doors),
		parse_test(congestion_experienced_is_read_from_ipv4),
		parse_test(congestion_experienced_is_read_from_ipv6),
		parse_test(ipv4_options_are_stepped_over),
		parse_test(tcp_options_are_no_payload),
		parse_test(padding_is_no_payload),
		parse_test(payload_that_was_not_captured_is_payload),
		parse_test(a_frame_starting_with_ip_is_read),
		parse_test(a_frame_starting_with_ipv6_is_read),
		parse_test(a_length_of_zero_reaches_to_the_end_of_an_ipv4_frame),
		parse_test(a_length_of_zero_reaches_to_the_end_of_an_ipv6_frame),
		parse_test(an_empty_capture_is_a_truncation),
		parse_test(every_cut_before_the_end_of_tcp_is_a_truncation),
		parse_test(every_cut_of_ipv6_is_a_truncation),
		parse_test(a_cut_within_ipv4_options_is_a_truncation),
		parse_test(arp_is_not_ip),
		parse_test(an_802_3_length_is_not_ip),
		parse_test(udp_is_not_tcp),
		parse_test(icmp_in_ipv6_is_not_tcp),
		parse_test(another_version_in_an_ipv4_frame_is_malformed),
		parse_test(another_version_in_an_ipv6_frame_is_malformed),
		parse_test(raw_ip_of_no_version_is_malformed),
		parse_test(an_ipv4_header_of_less_than_five_words_is_malformed),
		parse_test(an_ipv4_length_shorter_than_its_header_is_malformed),
		parse_test(an_ipv4_length_beyond_the_frame_is_overlong),
		parse_test(an_ipv6_length_beyond_the_frame_is_overlong),
		parse_test(a_tcp_header_of_less_than_five_words_is_malformed),
		parse_test(a_tcp_header_longer_than_the_packet_is_malformed),
		parse_test(a_packet_without_room_for_tcp_is_malformed),
		parse_test(nothing_of_the_frame_before_is_left),
		parse_test(what_is_read_in_one_piece_is_what_hops_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
