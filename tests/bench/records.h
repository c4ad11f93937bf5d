/* SPDX-License-Identifier: GPL-2.0-only */
/* Records as a busy host has them: each fourth IPv6, each eighth with repeats and losses. */
#ifndef ACKMON_BENCH_RECORDS_H
#define ACKMON_BENCH_RECORDS_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "record.h"

#define S 1000000000ull

static uint32_t next_random(void)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)state;
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * S + now.tv_nsec;
}

static struct ip_addr make_addr(bool is_ipv4, uint8_t net)
{
	struct ip_addr addr = {.bytes = {0x20, 0x01, 0x0d, 0xb8, [7] = net}};

	if (is_ipv4)
		addr = (struct ip_addr){.bytes = {[10] = 0xff, 0xff, 10, net}};
	else
		addr.words_be32[2] = htonl(next_random());
	addr.words_be32[3] = is_ipv4 ? addr.words_be32[3] | htonl(next_random() & 0xffff) : htonl(next_random());
	return addr;
}

/* A connection that asked and was answered, as most are. */
static void make_side(struct side *side, uint64_t last_ns, uint32_t segments, uint32_t bytes)
{
	*side = (struct side){
		.last_ns = last_ns,
		.wire_bytes = bytes + 66ull * segments,
		.payload_bytes = bytes,
		.frames = segments,
		.segments = segments,
		.bits = SIDE_SEQ | SIDE_ISN | SIDE_WSCALE,
		.first_seq = next_random(),
		.rtt_samples = 1 + segments / 2,
		.rtt_sum_ns = (1 + segments / 2) * 350000ull,
		.rtt_min_ns = 200000 + next_random() % 100000,
		.rtt_max_ns = 400000 + next_random() % 1000000,
		.mss = 1460,
		.flags = 0x1b,
		.orderly = 2,
		.wscale = 7,
	};
}

static void make_trouble(struct record *record, uint32_t index)
{
	struct side *side = &record->flow.side[index];
	struct rare *rare = &record->rare[index];

	side->bits |= SIDE_RARE;
	rare->retransmitted_segments = rare->fast = 2;
	rare->retransmitted_bytes = rare->again_bytes = 2920;
	rare->recovered_segments = 1;
	rare->recovered_bytes = 1460;
	side->dup_acks = 7;
	rare->sacks = 5;
	rare->window_full = 3;
}

/* Times are after this one. */
static void make_record(struct record *record, uint32_t number, uint64_t after_ns)
{
	uint64_t start_ns = after_ns + number * 1000ull, last_ns = start_ns + 2000000 + next_random() % S;
	bool is_ipv4 = number % 4 != 3;

	*record = (struct record){
		.key = {.addr = {make_addr(is_ipv4, 1), make_addr(is_ipv4, 2)},
			.port_be16 = {htons(32768 + number % 28000), htons(443)}},
		.flow = {.start_ns = start_ns,
			 .syn_ns = start_ns,
			 .synack_ns = start_ns + 300000 + next_random() % 100000,
			 .responder_handshake_ns = 300000 + next_random() % 100000,
			 .opener_handshake_ns = 50000 + next_random() % 10000,
			 .response_ns = 1000000 + next_random() % 1000000,
			 .has_syn = 1,
			 .has_synack = 1,
			 .is_established = 1,
			 .has_responder_handshake = 1,
			 .has_opener_handshake = 1,
			 .has_response = 1,
			 .close = CLOSE_FIN},
		.wall_offset_ns = 1764201600 * (int64_t)S,
		.iface = "eth0",
	};
	make_side(&record->flow.side[0], last_ns, 6, 500 + next_random() % 1000);
	make_side(&record->flow.side[1], last_ns + 100000, 12, 2000 + next_random() % 20000);
	if (number % 8 == 7)
		make_trouble(record, number / 8 % 2);
}

#endif
