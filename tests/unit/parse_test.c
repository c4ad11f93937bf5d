/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames byte by byte: what is read from them, and every way out by its counter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
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
static __u32 decap;
static struct packet pkt;

static int forget_frame(void **state)
{
	(void)state;
	memset(buffer, 0, sizeof(buffer));
	len = ip_at = 0;
	decap = 0;
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
	reason = parse_frame(&frame, decap, &pkt);
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

static void chain(unsigned int headers)
{
	ethernet(IPV6);
	ipv6(IP_PROTO_DESTINATION);
	while (--headers)
		ext_header(IP_PROTO_DESTINATION, 0);
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

/* ------------------------------------------------------------------ links */

/* Ends the frame with IPv4 and TCP, whose length is right. */
static void ipv4_and_tcp(void)
{
	ipv4(TCP);
	tcp();
	ip_ends_here();
}

static void ipv6_and_tcp(void)
{
	ipv6(TCP);
	tcp();
	ip_ends_here();
}

static void bytes(const char *hex)
{
	unsigned int value;
	int used;

	for (; sscanf(hex, "%2x%n", &value, &used) == 1; hex += used)
		u8(value);
}

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

/* ------------------------------------------------------------------ tunnels */

static uint32_t outer_at;

static void outer(uint32_t proto)
{
	ethernet(IPV4);
	outer_at = (uint32_t)len;
	ipv4(proto);
}

static void udp_to(uint32_t port)
{
	outer(UDP);
	u16(50000);
	u16(port);
	u32(0);
}

static void outer_ends_here(void)
{
	set_u16(outer_at + 2, (uint32_t)(len - outer_at));
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

/* ------------------------------------------------------------------ ICMP */

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
		parse_test(four_tags_are_stepped_over),
		parse_test(five_tags_are_too_many),
		parse_test(a_tag_moved_out_of_the_frame_is_one_of_the_four),
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
		parse_test(every_link_header_is_stepped_over),
		parse_test(wireless_headers_have_many_lengths),
		parse_test(wireless_frames_without_a_readable_packet_are_not_ip),
		parse_test(log_attributes_are_stepped_over_up_to_the_packet),
		parse_test(what_a_link_carries_beside_ip_is_not_ip),
		parse_test(link_headers_that_cannot_be_are_malformed),
		parse_test(tags_and_labels_lead_on_to_each_other),
		parse_test(a_stack_of_labels_without_a_bottom_is_too_deep),
		parse_test(every_tunnel_is_followed_when_asked_for),
		parse_test(both_versions_of_ip_carry_each_other),
		parse_test(a_tunnel_in_a_tunnel_is_followed_and_a_third_one_is_not),
		parse_test(tunnel_headers_that_cannot_be_are_malformed),
		parse_test(every_cut_of_a_tunnel_is_a_truncation_or_malformed),
		parse_test(a_fragmented_tunnel_is_not_followed),
		parse_test(an_authentication_header_in_ipv4_is_stepped_over),
		parse_test(a_jumbogram_as_long_as_its_frame_is_read_and_no_other),
		parse_test(an_icmp_error_quotes_the_segment_it_is_about),
		parse_test(an_icmp_error_that_quotes_too_little_is_about_nothing),
		parse_test(an_icmp_error_about_something_else_is_not_tcp),
		parse_test(an_icmpv6_error_is_read_as_well),
		parse_test(nothing_of_the_frame_before_is_left),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
