/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames byte by byte, and parsing them. */
#ifndef ACKMON_TESTS_FRAME_MAKE_H
#define ACKMON_TESTS_FRAME_MAKE_H

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

static uint8_t buffer[4096];
static size_t len;
static size_t ip_at; /* where the last IP header begins */
static struct frame frame;
static __u32 decap;
static struct packet pkt;

static inline int forget_frame(void **state)
{
	(void)state;
	memset(buffer, 0, sizeof(buffer));
	len = ip_at = 0;
	decap = 0;
	frame = (struct frame){.link = LINK_ETHERNET, .door = DOOR_CAPTURE};
	return 0;
}

static inline void u8(uint32_t value)
{
	assert_true(len < sizeof(buffer));
	buffer[len++] = (uint8_t)value;
}

static inline void u16(uint32_t value)
{
	u8(value >> 8);
	u8(value);
}

static inline void u32(uint32_t value)
{
	u16(value >> 16);
	u16(value);
}

static inline void zeros(size_t count)
{
	while (count--)
		u8(0);
}

/* Changes what was written before. */
static inline void set_u16(size_t at, uint32_t value)
{
	buffer[at] = (uint8_t)(value >> 8);
	buffer[at + 1] = (uint8_t)value;
}

static inline void ethernet(uint32_t eth_type)
{
	zeros(12);
	u16(eth_type);
}

/* Behind ethernet(VLAN) or another tag. */
static inline void tag(uint32_t id, uint32_t eth_type)
{
	u16(id);
	u16(eth_type);
}

/* 10.0.0.1 to 10.0.0.2; options in whole words; its length is set by ip_length(). */
static inline void ipv4_with_options(uint32_t proto, uint32_t option_words)
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

static inline void ipv4(uint32_t proto)
{
	ipv4_with_options(proto, 0);
}

/* 2001:db8::1 to 2001:db8::2 */
static inline void ipv6(uint32_t proto)
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

static inline void ext_header(uint32_t next, uint32_t words)
{
	u8(next);
	u8(words);
	zeros(6 + 8 * words);
}

static inline void fragment_header(uint32_t next, uint32_t offset_and_more)
{
	u8(next);
	u8(0);
	u16(offset_and_more);
	u32(77);
}

/* Port 40000 to 80, sequence number 1000, acknowledgment 5000, window 512. */
static inline void tcp_with_options(uint32_t flags, uint32_t option_words)
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

static inline void tcp(void)
{
	tcp_with_options(TCP_ACK, 0);
}

/* The IP header's length field says that the packet ends here. */
static inline void ip_ends_here(void)
{
	if (buffer[ip_at] >> 4 == 4)
		set_u16(ip_at + 2, (uint32_t)(len - ip_at));
	else
		set_u16(ip_at + 4, (uint32_t)(len - ip_at - 40));
}

/* Parses the first `captured` bytes; they end a heap block: a sanitizer sees reading on. */
static inline enum counter parse_cut(size_t captured)
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

static inline enum counter parse(void)
{
	return parse_cut(len);
}

#define parse_test(name) cmocka_unit_test_setup(name, forget_frame)

static inline void chain(unsigned int headers)
{
	ethernet(IPV6);
	ipv6(IP_PROTO_DESTINATION);
	while (--headers)
		ext_header(IP_PROTO_DESTINATION, 0);
	ext_header(TCP, 0);
	tcp();
	ip_ends_here();
}

/* Ends the frame with IPv4 and TCP, whose length is right. */
static inline void ipv4_and_tcp(void)
{
	ipv4(TCP);
	tcp();
	ip_ends_here();
}

static inline void ipv6_and_tcp(void)
{
	ipv6(TCP);
	tcp();
	ip_ends_here();
}

static inline void bytes(const char *hex)
{
	unsigned int value;
	int used;

	for (; sscanf(hex, "%2x%n", &value, &used) == 1; hex += used)
		u8(value);
}

static uint32_t outer_at;

static inline void outer(uint32_t proto)
{
	ethernet(IPV4);
	outer_at = (uint32_t)len;
	ipv4(proto);
}

static inline void outer_ends_here(void)
{
	set_u16(outer_at + 2, (uint32_t)(len - outer_at));
}

#endif
