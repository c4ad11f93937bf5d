/* SPDX-License-Identifier: GPL-2.0-only */
/* Segments built by meaning, a connection they belong to, and the frames they travel in. */
#ifndef ACKMON_TESTS_CORE_H
#define ACKMON_TESTS_CORE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "abi/config.h"
#include "abi/counters.h"
#include "abi/flow.h"
#include "core/expire.h"
#include "core/frame.h"
#include "core/packet.h"
#include "core/rare.h"
#include "core/track.h"

#define US 1000ull
#define MS 1000000ull
#define S 1000000000ull

/* The client opens, and is the lower end of the key; so an end is also its index in struct flow. */
enum end { CLIENT, SERVER };

#define CLIENT_ADDR 0x0a000001u /* 10.0.0.1 */
#define SERVER_ADDR 0x0a000002u
#define CLIENT_PORT 40000
#define SERVER_PORT 80

/*
 * A segment as a test tells it: send(CLIENT, seq(1000), bytes(100), at_us(20)). What is not said is
 * ordinary: ACK set, an open window, no options, the IP-ID 0 that says nothing.
 */
struct segment {
	enum end from;
	__u64 now_ns;
	__u32 seq;
	__u32 ack;
	__u32 payload_bytes;
	__u32 segments;
	__u32 tsval, tsecr;
	struct sack_block sack[4];
	__u16 client_port; /* 0: CLIENT_PORT */
	__u16 window;
	__u16 mss;
	__u16 ip_id;
	__u8 sack_count;
	__u8 flags; /* 0: ACK */
	__u8 no_flags;
	__u8 has_window;
	__u8 has_ts;
	__u8 has_wscale, wscale;
	__u8 sack_permitted;
	__u8 ttl;
	__u8 ecn;
};

#define seq(n) .seq = (n)
#define ack(n) .ack = (n)
#define bytes(n) .payload_bytes = (n)
#define at_ns(t) .now_ns = (t)
#define at_us(t) .now_ns = (t) * US
#define at_ms(t) .now_ns = (t) * MS
#define at_s(t) .now_ns = (t) * S
#define flags(f) .flags = (f)
#define window(n) .window = (n), .has_window = 1
#define ts(val, ecr) .tsval = (val), .tsecr = (ecr), .has_ts = 1
#define mss(n) .mss = (n)
#define wscale(n) .wscale = (n), .has_wscale = 1
#define sack(a, b) .sack = {{(a), (b)}}, .sack_count = 1
#define two_sacks(a, b, c, d) .sack = {{(a), (b)}, {(c), (d)}}, .sack_count = 2
#define segments(n) .segments = (n)
#define ip_id(n) .ip_id = (n)

#define a_segment(end, ...) ((struct segment){.from = (end), __VA_ARGS__})
#define send(end, ...) connection_send(&a_segment(end, __VA_ARGS__))

#define FIN_ACK (TCP_FIN | TCP_ACK)
#define SYN_ACK (TCP_SYN | TCP_ACK)
#define RST_ACK (TCP_RST | TCP_ACK)
#define PSH_ACK (TCP_PSH | TCP_ACK)

/* ------------------------------------------------------------------ segments as packets */

static inline struct ip_addr ipv4_addr(__u32 addr)
{
	return (struct ip_addr){.bytes = {[10] = 0xff, [11] = 0xff, [12] = (__u8)(addr >> 24),
					  [13] = (__u8)(addr >> 16), [14] = (__u8)(addr >> 8),
					  [15] = (__u8)addr}};
}

static inline __u16 segment_client_port(const struct segment *segment)
{
	return segment->client_port ? segment->client_port : CLIENT_PORT;
}

static inline __u8 segment_flags(const struct segment *segment)
{
	if (segment->no_flags)
		return 0;
	return segment->flags ? segment->flags : TCP_ACK;
}

static inline __u16 segment_window(const struct segment *segment)
{
	return segment->has_window ? segment->window : 1000;
}

static inline struct flow_key segment_key(const struct segment *segment)
{
	return (struct flow_key){
		.addr = {ipv4_addr(CLIENT_ADDR), ipv4_addr(SERVER_ADDR)},
		.port_be16 = {__builtin_bswap16(segment_client_port(segment)),
			      __builtin_bswap16(SERVER_PORT)},
	};
}

static inline struct packet segment_packet(const struct segment *segment)
{
	struct packet pkt = {
		.key = segment_key(segment),
		.now_ns = segment->now_ns,
		.seq = segment->seq,
		.ack = segment->ack,
		.tsval = segment->tsval,
		.tsecr = segment->tsecr,
		.payload_bytes = segment->payload_bytes,
		.wire_bytes = 54 + segment->payload_bytes,
		.segments = segment->segments,
		.window = segment_window(segment),
		.ip_id = segment->ip_id,
		.has_ip_id = 1,
		.mss = segment->mss,
		.direction = (__u8)segment->from,
		.flags = segment_flags(segment),
		.ttl = segment->ttl ? segment->ttl : 64,
		.ecn = segment->ecn,
		.has_ts = segment->has_ts,
		.has_wscale = segment->has_wscale,
		.wscale = segment->wscale,
		.sack_permitted = segment->sack_permitted,
		.sack_count = segment->sack_count,
	};

	memcpy(pkt.sack, segment->sack, sizeof(pkt.sack));
	return pkt;
}

/* ------------------------------------------------------------------ one connection */

static struct flow flow;
static struct rare rare[2];
static struct holes holes[2];
static int flow_is_open;
static struct verdict verdict; /* of the last segment */

#define client (&flow.side[CLIENT])
#define server (&flow.side[SERVER])
#define client_rare (&rare[CLIENT])
#define server_rare (&rare[SERVER])

static inline int forget_connection(void **state)
{
	(void)state;
	memset(&flow, 0, sizeof(flow));
	memset(holes, 0, sizeof(holes));
	memset(rare, 0, sizeof(rare));
	flow_is_open = 0;
	return 0;
}

/* A test that begins with no connection. */
#define core_test(name) cmocka_unit_test_setup(name, forget_connection)

/* What says that there is no news must be right. */
static inline void note_rare(struct rare *of_sender, struct packet *pkt)
{
	static const struct rare none;
	struct packet copy = *pkt;
	struct rare noted = none;

	if (rare_has_news(pkt)) {
		rare_note(of_sender, pkt);
		return;
	}
	rare_note(&noted, &copy);
	assert_memory_equal(&noted, &none, sizeof(none));
	assert_memory_equal(&copy, pkt, sizeof(copy));
}

/* As the hall does it; gives the class of the segment. */
static inline int connection_send(const struct segment *segment)
{
	struct packet pkt = segment_packet(segment);
	const struct side *side = &flow.side[pkt.direction];
	struct holes *own = loss_needs_holes(side, &pkt) ? &holes[pkt.direction] : NULL;

	if (!flow_is_open)
		track_open(&flow, &pkt);
	flow_is_open = 1;
	track_segment(&flow, &pkt, own, &holes[!pkt.direction]);
	note_rare(&rare[pkt.direction], &pkt);
	verdict = pkt.verdict;
	return verdict.class;
}

/* The hall would end the flow before this segment. */
static inline int connection_reopens(const struct segment *segment)
{
	struct packet pkt = segment_packet(segment);

	return (pkt.flags & TCP_SYN) && handshake_reopens(&flow, &pkt);
}

#define reopens(end, ...) connection_reopens(&a_segment(end, __VA_ARGS__))

/* SYN at 50 us, SYN-ACK at 150 us, ACK at 200 us; each end's first octet of data is as given. */
static inline void connect_with(__u32 client_first, __u32 server_first)
{
	send(CLIENT, seq(client_first - 1), flags(TCP_SYN), at_us(50));
	send(SERVER, seq(server_first - 1), ack(client_first), flags(SYN_ACK), at_us(150));
	send(CLIENT, seq(client_first), ack(server_first), at_us(200));
}

/* Acknowledged octets of `from` that were never seen here. */
static inline __u64 gap_bytes_of(enum end from)
{
	struct flow_whole copy = {.flow = flow};

	flow_settle(&copy, from, &holes[from], NULL);
	return copy.rare[from].gap_bytes;
}

/* The same of holes that are no more. */
static inline __u64 settled_gap_bytes_of(enum end from)
{
	return holes[from].gap_bytes;
}

static inline __u32 holes_dropped_of(enum end from)
{
	return holes[from].dropped + rare[from].holes_dropped;
}

static inline __u64 unique_bytes_of(enum end from)
{
	return flow.side[from].payload_bytes - rare[from].again_bytes;
}

/* ------------------------------------------------------------------ segments as frames */

#define FRAME_MAX 2048
#define FRAME_OPTIONS_MAX 40

static inline __u8 *put_u8(__u8 *at, __u32 value)
{
	*at = (__u8)value;
	return at + 1;
}

static inline __u8 *put_u16(__u8 *at, __u32 value)
{
	return put_u8(put_u8(at, value >> 8), value);
}

static inline __u8 *put_u32(__u8 *at, __u32 value)
{
	return put_u16(put_u16(at, value >> 16), value);
}

static inline __u8 *put_sacks(__u8 *at, const struct segment *segment)
{
	int i;

	at = put_u16(put_u16(at, 0x0101), 5u << 8 | (2u + 8u * segment->sack_count));
	for (i = 0; i < segment->sack_count; i++)
		at = put_u32(put_u32(at, segment->sack[i].start), segment->sack[i].end);
	return at;
}

/* Each option padded to whole words; gives their end. */
static inline __u8 *put_options(__u8 *at, const struct segment *segment)
{
	if (segment->mss)
		at = put_u16(put_u16(at, 0x0204), segment->mss);
	if (segment->has_wscale)
		at = put_u32(at, 0x01030300u | segment->wscale);
	if (segment->sack_permitted)
		at = put_u32(at, 0x01010402u);
	if (segment->has_ts)
		at = put_u32(put_u32(put_u32(at, 0x0101080au), segment->tsval), segment->tsecr);
	if (segment->sack_count)
		at = put_sacks(at, segment);
	return at;
}

static inline __u8 *put_ipv4(__u8 *at, const struct segment *segment, __u32 total_len)
{
	__u32 src = segment->from == CLIENT ? CLIENT_ADDR : SERVER_ADDR;
	__u32 dst = segment->from == CLIENT ? SERVER_ADDR : CLIENT_ADDR;

	at = put_u16(put_u8(put_u8(at, 0x45), segment->ecn), total_len);
	at = put_u16(put_u16(at, segment->ip_id), 0x4000);
	at = put_u16(put_u8(put_u8(at, segment->ttl ? segment->ttl : 64), 6), 0);
	return put_u32(put_u32(at, src), dst);
}

static inline __u8 *put_tcp(__u8 *at, const struct segment *segment, __u32 header_len)
{
	__u16 client_port = segment_client_port(segment);

	at = put_u16(at, segment->from == CLIENT ? client_port : SERVER_PORT);
	at = put_u16(at, segment->from == CLIENT ? SERVER_PORT : client_port);
	at = put_u32(put_u32(at, segment->seq), segment->ack);
	at = put_u8(put_u8(at, header_len / 4 << 4), segment_flags(segment));
	return put_u32(put_u16(at, segment_window(segment)), 0);
}

/*
 * Ethernet, IPv4, TCP and its options; the payload is on the wire and not in the capture, so that
 * any length fits. buffer has FRAME_MAX bytes.
 */
static inline struct frame segment_frame(const struct segment *segment, __u8 *buffer)
{
	__u8 options[128];
	__u32 options_len = (__u32)(put_options(options, segment) - options);
	__u32 header_len, total_len;
	__u8 *at = buffer;

	if (options_len > FRAME_OPTIONS_MAX)
		options_len = FRAME_OPTIONS_MAX;
	header_len = 20 + options_len;
	total_len = 20 + header_len + segment->payload_bytes;
	memset(at, 0x02, 12);
	at = put_u16(at + 12, 0x0800);
	at = put_ipv4(at, segment, total_len);
	at = put_tcp(at, segment, header_len);
	memcpy(at, options, options_len);
	return (struct frame){
		.data = buffer,
		.end = at + options_len,
		.time_ns = segment->now_ns,
		.wire_bytes = 14 + total_len,
		.segments = segment->segments,
		.door = DOOR_CAPTURE,
		.link = LINK_ETHERNET,
	};
}

#endif
