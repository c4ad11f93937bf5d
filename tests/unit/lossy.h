/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections in which segments are missing, for what is said of those that come for them. */
#ifndef ACKMON_TESTS_LOSSY_H
#define ACKMON_TESTS_LOSSY_H

#include "core.h"

/* Whatever the evidence says of when it was sent. */
static inline int fills_hole(int class)
{
	return class == SEGMENT_RECOVERED || class == SEGMENT_REORDERED ||
	       class == SEGMENT_UNRESOLVED;
}

static inline void open_holes(unsigned int count)
{
	unsigned int i;

	/* Every other range of 100 octets is missing, the first one at 1000. */
	for (i = 0; i < count; i++)
		send(CLIENT, seq(1100 + 200 * i), ack(5000), bytes(100), at_ms(10 + i));
}

/* 30 ms to the server and back, 10 ms to the client: 40 ms in all, a quarter of it is 10. */
static inline void connect_40_ms(void)
{
	send(CLIENT, seq(999), flags(TCP_SYN), at_ms(10));
	send(SERVER, seq(4999), ack(1000), flags(SYN_ACK), at_ms(40));
	send(CLIENT, seq(1000), ack(5000), at_ms(50));
}

#define data(start, ...) send(CLIENT, seq(start), ack(5000), bytes(100), __VA_ARGS__)
#define acks(n, ...) send(SERVER, seq(5000), ack(n), __VA_ARGS__)

/* [1100, 1200) is missing from 140 ms on, when [1200, 1300) passed. */
static inline void lose_one(void)
{
	connect_40_ms();
	data(1000, at_ms(100));
	acks(1100, at_ms(130));
	data(1200, at_ms(140));
}

/* What the receiver has got ends at 1100, it says from 170 ms on. */
static inline void duplicate_acks(int count)
{
	int i;

	for (i = 0; i < count; i++)
		acks(1100, at_ms(170 + i));
}

/* [1500, 1600) is missing, and IP-ID first + 5 with it. */
static inline void lose_one_of_counted(__u16 first)
{
	__u16 i;

	connect_40_ms();
	for (i = 0; i < 5; i++)
		data(1000 + 100 * i, ip_id((__u16)(first + i)), at_ms(100 + i));
	data(1600, ip_id((__u16)(first + 6)), at_ms(140));
}

#endif
