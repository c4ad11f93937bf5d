/* SPDX-License-Identifier: GPL-2.0-only */
/* Flow records for tests, built by meaning: an established connection, then what differs. */
#ifndef ACKMON_TESTS_RECORD_MAKE_H
#define ACKMON_TESTS_RECORD_MAKE_H

#include <arpa/inet.h>
#include <string.h>

#include "record.h"

#define US 1000ull
#define MS 1000000ull
#define S 1000000000ull

enum {
	FIN = 0x01,
	SYN = 0x02,
	RST = 0x04,
	PSH = 0x08,
	ACK = 0x10,
};

static inline struct ip_addr ip4(const char *text)
{
	struct ip_addr addr = { .bytes = { [10] = 0xff, [11] = 0xff } };

	inet_pton(AF_INET, text, addr.bytes + 12);
	return addr;
}

static inline struct ip_addr ip6(const char *text)
{
	struct ip_addr addr;

	inet_pton(AF_INET6, text, addr.bytes);
	return addr;
}

/* The first end is the lower one of the key, and the opener. */
static inline struct record record_between(struct ip_addr opener, uint16_t opener_port,
					   struct ip_addr responder, uint16_t responder_port)
{
	return (struct record){
		.key = {
			.addr = { opener, responder },
			.port_be16 = { htons(opener_port), htons(responder_port) },
		},
	};
}

/* Opened at 10 s, answered 300 us later, complete after 100 us more, ended by FIN at 12 s. */
static inline struct record established_record(void)
{
	struct record record = record_between(ip4("10.0.0.1"), 40000, ip4("10.0.0.2"), 443);
	struct flow *flow = &record.flow;

	flow->role = ROLE_SEEN;
	flow->close = CLOSE_FIN;
	flow->start_ns = flow->syn_ns = 10 * S;
	flow->synack_ns = 10 * S + 300 * US;
	flow->has_syn = flow->has_synack = flow->is_established = 1;
	flow->side[0].last_ns = 11 * S;
	flow->side[1].last_ns = 12 * S;
	flow->side[0].bits = flow->side[1].bits = SIDE_SEQ | SIDE_ISN;
	flow->side[0].first_seq = 4294967290u;
	flow->side[1].first_seq = 5000;
	flow->side[0].flags = flow->side[1].flags = FIN | SYN | ACK;
	flow->side[0].segments = 100;
	flow->side[1].segments = 200;
	flow->side[0].payload_bytes = 1234;
	flow->side[1].payload_bytes = 5600000;
	return record;
}

/* A SYN at 10 s that nobody has answered when the flow is given up. */
static inline struct record unanswered_record(void)
{
	struct record record = record_between(ip4("10.0.0.1"), 40000, ip4("10.0.0.2"), 443);
	struct flow *flow = &record.flow;

	flow->role = ROLE_SEEN;
	flow->close = CLOSE_IDLE;
	flow->start_ns = flow->syn_ns = flow->side[0].last_ns = 10 * S;
	flow->has_syn = 1;
	flow->side[0].bits = SIDE_SEQ | SIDE_ISN;
	flow->side[0].flags = SYN;
	flow->side[0].segments = 1;
	return record;
}

/* Its text is valid until the next call. */
static inline struct value read_field(const struct record *record, const char *name)
{
	static struct value value;

	record_read(record, record_field(name), &value);
	return value;
}

#endif
