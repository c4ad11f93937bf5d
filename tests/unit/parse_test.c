/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames byte by byte: what is read from them, and every way out by its counter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/parse.h"

#define IPV4 0x0800
#define IPV6 0x86dd
#define ARP 0x0806
#define VLAN 0x8100
#define QINQ 0x88a8

#define TCP 6
#define UDP 17

/* ------------------------------------------------------- the frame under construction */

static uint8_t buffer[4096];
static size_t len;
static size_t ip_at; /* where the last IP header begins */
static struct frame frame;
static struct packet pkt;

static int forget_frame(void **state)
{
	(void)state;
	memset(buffer, 0, sizeof(buffer));
	len = ip_at = 0;
	frame = (struct frame){.link = LINK_ETHERNET, .door = DOOR_CAPTURE};
	return 0;
}

static void u8(uint32_t value)
{
	assert_true(len < sizeof(buffer));
	buffer[len++] = (uint8_t)value;
}

static void u16(uint32_t value)
{
	u8(value >> 8);
	u8(value);
}

static void u32(uint32_t value)
{
	u16(value >> 16);
	u16(value);
}

static void zeros(size_t count)
{
	while (count--)
		u8(0);
}

/* Changes what was written before. */
static void set_u16(size_t at, uint32_t value)
{
	buffer[at] = (uint8_t)(value >> 8);
	buffer[at + 1] = (uint8_t)value;
}

static void ethernet(uint32_t eth_type)
{
	zeros(12);
	u16(eth_type);
}

/* Behind ethernet(VLAN) or another tag. */
static void tag(uint32_t id, uint32_t eth_type)
{
	u16(id);
	u16(eth_type);
}

/* 10.0.0.1 to 10.0.0.2; options in whole words; its length is set by ip_length(). */
static void ipv4_with_options(uint32_t proto, uint32_t option_words)
{
	ip_at = len;
	u8(0x40 + 5 + option_words);
	u8(0);
	u16(0);
	u16(0x1234); /* id */
	u16(0x4000); /* do not fragment */
	u8(64);
	u8(proto);
	u16(0);
	u32(0x0a000001);
	u32(0x0a000002);
	while (option_words--)
		u32(0x01010101);
}

static void ipv4(uint32_t proto)
{
	ipv4_with_options(proto, 0);
}

/* 2001:db8::1 to 2001:db8::2 */
static void ipv6(uint32_t proto)
{
	ip_at = len;
	u32(0x60000000);
	u16(0);
	u8(proto);
	u8(64);
	u32(0x20010db8);
	zeros(11);
	u8(1);
	u32(0x20010db8);
	zeros(11);
	u8(2);
}

static void ext_header(uint32_t next, uint32_t words)
{
	u8(next);
	u8(words);
	zeros(6 + 8 * words);
}

static void fragment_header(uint32_t next, uint32_t offset_and_more)
{
	u8(next);
	u8(0);
	u16(offset_and_more);
	u32(77);
}

/* Port 40000 to 80, sequence number 1000, acknowledgment 5000, window 512. */
static void tcp_with_options(uint32_t flags, uint32_t option_words)
{
	u16(40000);
	u16(80);
	u32(1000);
	u32(5000);
	u8((5 + option_words) << 4);
	u8(flags);
	u16(512);
	u32(0);
	while (option_words--)
		u32(0x01010101);
}

static void tcp(void)
{
	tcp_with_options(TCP_ACK, 0);
}

/* The IP header's length field says that the packet ends here. */
static void ip_ends_here(void)
{
	if (buffer[ip_at] >> 4 == 4)
		set_u16(ip_at + 2, (uint32_t)(len - ip_at));
	else
		set_u16(ip_at + 4, (uint32_t)(len - ip_at - 40));
}

/* Parses the first `captured` bytes; they end a heap block: a sanitizer sees reading on. */
static enum counter parse_cut(size_t captured)
{
	uint8_t *copy = malloc(captured ? captured : 1);
	enum counter reason;

	memcpy(copy, buffer, captured);
	frame.data = copy;
	frame.end = copy + captured;
	frame.wire_bytes = (uint32_t)len;
	reason = parse_frame(&frame, &pkt);
	free(copy);
	return reason;
}

static enum counter parse(void)
{
	return parse_cut(len);
}

#define parse_test(name) cmocka_unit_test_setup(name, forget_frame)

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

/* ------------------------------------------------------------------ tags */

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

static void three_tags_are_too_many(void **state)
{
	(void)state;
	ethernet(QINQ);
	tag(42, QINQ);
	tag(42, VLAN);
	tag(7, IPV4);
	ipv4(TCP);
	tcp();
	ip_ends_here();
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
	ipv6(EXT_FRAGMENT);
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
	ipv6(EXT_FRAGMENT);
	fragment_header(TCP, 1448);
	zeros(100);
	ip_ends_here();
	assert_int_equal(parse(), COUNTER_frames_fragments);
}

static void an_atomic_ipv6_fragment_is_no_fragment(void **state)
{
	(void)state; /* RFC 6946 */
	ethernet(IPV6);
	ipv6(EXT_FRAGMENT);
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
	ipv6(EXT_HOP_BY_HOP);
	ext_header(EXT_ROUTING, 0);
	ext_header(EXT_DESTINATION, 2);
	ext_header(EXT_MOBILITY, 1);
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
	ipv6(EXT_AUTHENTICATION);
	u8(TCP);
	u8(4);
	zeros(22);
	tcp();
	ip_ends_here();
	assert_int_equal(parse(), 0);
	assert_int_equal(pkt.seq, 1000);
}

static void chain(unsigned int headers)
{
	ethernet(IPV6);
	ipv6(EXT_DESTINATION);
	while (--headers)
		ext_header(EXT_DESTINATION, 0);
	ext_header(TCP, 0);
	tcp();
	ip_ends_here();
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
	ipv6(EXT_DESTINATION);
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
	ipv6(EXT_DESTINATION);
	u32(0);
	ip_ends_here();
	zeros(60); /* padding is not the header */
	assert_int_equal(parse(), COUNTER_frames_ip_malformed);
}

static void a_cut_within_an_extension_header_is_a_truncation(void **state)
{
	(void)state;
	ethernet(IPV6);
	ipv6(EXT_DESTINATION);
	ext_header(TCP, 0);
	tcp();
	ip_ends_here();
	assert_int_equal(parse_cut(14 + 40 + 7), COUNTER_frames_truncated);
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
		parse_test(one_tag_is_stepped_over_and_named),
		parse_test(of_two_tags_the_outer_one_is_named),
		parse_test(three_tags_are_too_many),
		parse_test(a_tag_moved_out_of_the_frame_is_the_outermost),
		parse_test(a_cut_within_a_tag_is_a_truncation),
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
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
