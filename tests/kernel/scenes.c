/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames for the differential run: see scenes.h. What they mean is nobody's business here; two readers must agree. */
#include "scenes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/frame.h"

#define CONNECTIONS 96
#define HISTORY 12
#define SKIPPED 4
#define MARKS_MAX 24
#define BUILD_BYTES 2048
#define BUILD_ROOM 1200 /* in front of the segment, for what is put around it */

#define US 1000ull
#define MS 1000000ull
#define S 1000000000ull

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, ECE = 64, CWR = 128 };

struct sent {
	uint32_t seq, len, tsval;
	uint16_t ip_id;
	uint8_t flags;
};

struct end {
	uint32_t next;  /* behind the last octet sent */
	uint32_t acked; /* what it acknowledged */
	uint16_t ip_id;
	uint16_t window;
	struct sent history[HISTORY];
	unsigned int sent;
	struct sent skipped[SKIPPED]; /* octets that never came by here */
	unsigned int skips;
};

/* What lies around a packet, from the outside. */
struct wrapping {
	uint8_t tags, labels, pppoe;
	uint8_t tunnels[3]; /* enum wrap, outermost first */
	uint8_t extensions; /* of the innermost packet */
	uint8_t options;    /* of its IPv4 header, in words */
};

enum wrap {
	WRAP_NONE, WRAP_IP, WRAP_GRE, WRAP_GRE_ETHERNET, WRAP_ERSPAN, WRAP_VXLAN, WRAP_VXLAN_GPE,
	WRAP_GENEVE, WRAP_GTP_U, WRAP_L2TPV3, WRAP_AH, WRAP_COUNT,
};

struct connection {
	struct end end[2];
	uint16_t port[2];
	uint8_t host[2];
	uint8_t is_ipv6, has_ts, has_sack, ip_id_mode, step, has_tag_beside, fragments;
	uint16_t mss, tag_beside;
	struct wrapping wrapping;
};

struct build {
	uint8_t bytes[BUILD_BYTES];
	uint32_t start, end; /* [start, end) is built */
	uint32_t missing;    /* payload on the wire that was not captured */
	uint32_t marks[MARKS_MAX]; /* where headers begin, from the end of bytes */
	unsigned int mark_count;
};

struct scene {
	const struct seed_frame *seeds;
	size_t seed_count;
	uint64_t random;
	uint64_t now_ns;
	struct connection connection[CONNECTIONS];
	struct build build;
};

/* ---------------------------------------------------------------- chance */

static uint32_t chance(struct scene *scene)
{
	uint64_t x = scene->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	scene->random = x;
	return (uint32_t)(x * 0x2545f4914f6cdd1dull >> 32);
}

static uint32_t below(struct scene *scene, uint32_t limit)
{
	return (uint32_t)((uint64_t)chance(scene) * limit >> 32);
}

static bool one_in(struct scene *scene, uint32_t n)
{
	return !below(scene, n);
}

#define PICK(scene, values) ((values)[below(scene, sizeof(values) / sizeof((values)[0]))])

/* ---------------------------------------------------------------- headers, inside out */

static uint8_t *put(struct build *build, uint32_t len)
{
	build->start -= len;
	memset(build->bytes + build->start, 0, len);
	if (build->mark_count < MARKS_MAX)
		build->marks[build->mark_count++] = build->start;
	return build->bytes + build->start;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t wire_len(const struct build *build)
{
	return build->end - build->start + build->missing;
}

static void put_ipv4(struct build *build, uint8_t proto, uint8_t src, uint8_t dst, uint32_t words)
{
	uint8_t *ip = put(build, 20 + 4 * words);
	uint32_t len = wire_len(build);

	memset(ip + 20, 1, 4 * words);
	ip[0] = (uint8_t)(0x45 + words);
	put16(ip + 2, len > 65535 ? 0 : len);
	ip[8] = 64;
	ip[9] = proto;
	put32(ip + 12, 0x0a000000u | src);
	put32(ip + 16, 0x0a000000u | dst);
}

static void put_ipv6(struct build *build, uint8_t proto, uint8_t src, uint8_t dst)
{
	uint32_t len = wire_len(build);
	uint8_t *ip = put(build, 40);

	ip[0] = 0x60;
	put16(ip + 4, len > 65535 ? 0 : len);
	ip[6] = proto;
	ip[7] = 64;
	ip[8] = ip[24] = 0xfd;
	ip[23] = src;
	ip[39] = dst;
}

static uint32_t put_outer_ip(struct scene *scene, uint8_t proto)
{
	if (one_in(scene, 3)) {
		put_ipv6(&scene->build, proto, 201, 202);
		return 0x86dd;
	}
	put_ipv4(&scene->build, proto, 201, 202, one_in(scene, 8) ? 1 : 0);
	return 0x0800;
}

static uint32_t put_ethernet(struct build *build, uint32_t eth_type)
{
	uint8_t *eth = put(build, 14);

	eth[0] = eth[6] = 2;
	eth[5] = 1;
	put16(eth + 12, eth_type);
	return 0x6558; /* what GRE calls it */
}

static void put_udp(struct scene *scene, uint16_t port)
{
	uint8_t *udp;
	uint32_t len;

	udp = put(&scene->build, 8);
	len = wire_len(&scene->build);
	put16(udp, 49152 + below(scene, 16384));
	put16(udp + 2, port);
	put16(udp + 4, len);
}

static uint32_t put_gre(struct scene *scene, uint32_t eth_type)
{
	static const uint8_t flags[] = {0, 0x20, 0x30, 0x80, 0xb0, 0x10, 0x40};
	uint8_t flag = PICK(scene, flags), *gre;
	uint32_t words = 1 + !!(flag & 0xc0) + !!(flag & 0x20) + !!(flag & 0x10);

	gre = put(&scene->build, 4 * words);
	gre[0] = flag;
	put16(gre + 2, eth_type);
	return put_outer_ip(scene, 47);
}

static uint32_t put_erspan(struct scene *scene)
{
	uint32_t type = below(scene, 3);
	uint8_t *gre;

	if (type == 0) {
		gre = put(&scene->build, 4);
		put16(gre + 2, 0x88be);
		return put_outer_ip(scene, 47);
	}
	gre = put(&scene->build, type == 1 ? 8 : 12);
	gre[0] = (uint8_t)(type << 4);
	put16(gre + 2, chance(scene) & 0x3ff);
	if (type == 2 && one_in(scene, 4))
		gre[11] = 1; /* says that more follows */
	gre = put(&scene->build, 8);
	gre[0] = 0x10;
	put16(gre + 2, type == 1 ? 0x88be : 0x22eb);
	return put_outer_ip(scene, 47);
}

static uint32_t put_vxlan(struct scene *scene, bool gpe, uint32_t eth_type)
{
	uint8_t *vxlan;

	if (!gpe)
		put_ethernet(&scene->build, eth_type);
	vxlan = put(&scene->build, 8);
	vxlan[0] = gpe ? 0x0c : 0x08;
	vxlan[3] = gpe ? (eth_type == 0x0800 ? 1 : eth_type == 0x86dd ? 2 : 3) : 0;
	put32(vxlan + 4, chance(scene) << 8);
	put_udp(scene, gpe ? 4790 : one_in(scene, 4) ? 8472 : 4789);
	return put_outer_ip(scene, 17);
}

static uint32_t put_geneve(struct scene *scene, uint32_t eth_type)
{
	uint32_t words = one_in(scene, 2) ? 0 : below(scene, 8);
	uint8_t *geneve;

	if (one_in(scene, 2))
		eth_type = put_ethernet(&scene->build, eth_type);
	geneve = put(&scene->build, 8 + 4 * words);
	geneve[0] = (uint8_t)words;
	put16(geneve + 2, eth_type);
	put32(geneve + 4, chance(scene) << 8);
	put_udp(scene, 6081);
	return put_outer_ip(scene, 17);
}

static uint32_t put_gtp(struct scene *scene)
{
	uint32_t extensions = below(scene, 3), len;
	uint8_t *gtp;

	len = wire_len(&scene->build);
	if (extensions)
		len += 4 + 4 * extensions;
	gtp = put(&scene->build, extensions ? 12 + 4 * extensions : 8);
	gtp[0] = extensions ? 0x34 : 0x30;
	gtp[1] = 0xff;
	put16(gtp + 2, len);
	put32(gtp + 4, chance(scene));
	if (extensions) {
		gtp[11] = 0x85;
		gtp[12] = 1;
		gtp[15] = extensions > 1 ? 0x85 : 0;
		if (extensions > 1)
			gtp[16] = 1;
	}
	put_udp(scene, 2152);
	return put_outer_ip(scene, 17);
}

static uint32_t put_l2tp(struct scene *scene, uint32_t eth_type)
{
	static const uint8_t cookies[] = {0, 4, 8, 12};
	uint8_t *l2tp;

	put_ethernet(&scene->build, eth_type);
	l2tp = put(&scene->build, 4u + PICK(scene, cookies));
	put32(l2tp, 1 + below(scene, 1000));
	if (one_in(scene, 2))
		return put_outer_ip(scene, 115);
	l2tp = put(&scene->build, 4);
	put16(l2tp, 3);
	put_udp(scene, 1701);
	return put_outer_ip(scene, 17);
}

/* Puts the tunnel around a packet of this type and returns the type of what it is now. */
static uint32_t put_tunnel(struct scene *scene, uint8_t wrap, uint32_t eth_type)
{
	struct build *build = &scene->build;
	uint8_t inner = eth_type == 0x0800 ? 4 : 41, *ah;

	switch (wrap) {
	case WRAP_IP:
		return put_outer_ip(scene, inner);
	case WRAP_GRE:
		return put_gre(scene, eth_type);
	case WRAP_GRE_ETHERNET:
		return put_gre(scene, put_ethernet(build, eth_type));
	case WRAP_ERSPAN:
		put_ethernet(build, eth_type);
		return put_erspan(scene);
	case WRAP_VXLAN:
		return put_vxlan(scene, false, eth_type);
	case WRAP_VXLAN_GPE:
		return put_vxlan(scene, true, eth_type);
	case WRAP_GENEVE:
		return put_geneve(scene, eth_type);
	case WRAP_GTP_U:
		return put_gtp(scene);
	case WRAP_L2TPV3:
		return put_l2tp(scene, eth_type);
	case WRAP_AH:
		ah = put(build, 24);
		ah[0] = inner;
		ah[1] = 4;
		return put_outer_ip(scene, 51);
	}
	return eth_type;
}

static void put_tags(struct scene *scene, const struct wrapping *wrapping, uint32_t eth_type)
{
	static const uint16_t types[] = {0x8100, 0x88a8, 0x8100, 0x9100, 0x9200};
	uint32_t i;
	uint8_t *at;

	for (i = 0; i < wrapping->labels; i++) {
		at = put(&scene->build, 4);
		put32(at, (100 + i) << 12 | (i == 0) << 8 | 64);
		eth_type = 0x8847;
	}
	if (wrapping->pppoe) {
		uint32_t protocol = eth_type == 0x0800 ? 0x21 : eth_type == 0x86dd ? 0x57 : 0x281;

		at = put(&scene->build, 8);
		at[0] = 0x11;
		put16(at + 4, wire_len(&scene->build) - 6);
		put16(at + 6, protocol);
		eth_type = 0x8864;
	}
	for (i = 0; i < wrapping->tags; i++) {
		at = put(&scene->build, 4);
		put16(at, 10 + i);
		put16(at + 2, eth_type);
		eth_type = PICK(scene, types);
	}
	put_ethernet(&scene->build, eth_type);
}

/* Any legal chain, and some that are not; the segment's protocol comes last. */
static uint8_t put_extensions(struct scene *scene, uint32_t count)
{
	static const uint8_t types[] = {0, 43, 44, 60, 51, 60, 135};
	uint8_t proto = 6;

	while (count--) {
		uint8_t type = PICK(scene, types);
		uint32_t units = type == 44 ? 1 : 1 + below(scene, 2);
		uint8_t *ext = put(&scene->build, type == 51 ? 24 : 8 * units);

		ext[0] = proto;
		ext[1] = (uint8_t)(type == 51 ? 4 : type == 44 ? 0 : units - 1);
		if (type == 44 && one_in(scene, 8))
			put16(ext + 2, one_in(scene, 2) ? 1 : 8 * 185);
		proto = type;
	}
	return proto;
}

/* ---------------------------------------------------------------- segments */

struct segment {
	unsigned int side;
	uint32_t seq, ack, len, tsval, tsecr;
	uint16_t ip_id, window;
	uint8_t flags;
	unsigned int blocks;
	uint32_t block[4][2];
};

static uint32_t put_options(struct scene *scene, const struct connection *connection,
			    const struct segment *segment, uint8_t *options)
{
	uint32_t len = 0, i;

	if (segment->flags & SYN) {
		options[len++] = 2;
		options[len++] = 4;
		put16(options + len, connection->mss);
		len += 2;
		options[len++] = 1;
		options[len++] = 3;
		options[len++] = 3;
		options[len++] = (uint8_t)below(scene, 16);
		if (connection->has_sack) {
			options[len++] = 4;
			options[len++] = 2;
			options[len++] = 1;
			options[len++] = 1;
		}
	}
	if (connection->has_ts && !one_in(scene, 200)) {
		options[len++] = 1;
		options[len++] = 1;
		options[len++] = 8;
		options[len++] = 10;
		put32(options + len, segment->tsval);
		put32(options + len + 4, segment->tsecr);
		len += 8;
	}
	if (segment->blocks && len + 4 + 8 * segment->blocks <= 40) {
		options[len++] = 1;
		options[len++] = 1;
		options[len++] = 5;
		options[len++] = (uint8_t)(2 + 8 * segment->blocks);
		for (i = 0; i < segment->blocks; i++) {
			put32(options + len, segment->block[i][0]);
			put32(options + len + 4, segment->block[i][1]);
			len += 8;
		}
	}
	if (one_in(scene, 300) && len <= 36) { /* an option that lies about its length */
		options[len++] = (uint8_t)below(scene, 10);
		options[len++] = (uint8_t)chance(scene);
		options[len++] = 0;
		options[len++] = 0;
	}
	return len;
}

static void put_segment(struct scene *scene, const struct connection *connection,
			const struct segment *segment)
{
	struct build *build = &scene->build;
	uint32_t room = one_in(scene, 16) ? 400 : 32, captured, options_len;
	unsigned int side = segment->side;
	uint8_t options[60] = {0}, *tcp, proto;
	uint32_t eth_type, i;

	captured = segment->len < room ? segment->len : room;
	build->end = BUILD_ROOM + captured;
	build->start = BUILD_ROOM;
	build->missing = segment->len - captured;
	build->mark_count = 0;
	memset(build->bytes + BUILD_ROOM, 'x', captured);
	options_len = put_options(scene, connection, segment, options);
	tcp = put(build, 20 + options_len);
	put16(tcp, connection->port[side]);
	put16(tcp + 2, connection->port[!side]);
	put32(tcp + 4, segment->seq);
	put32(tcp + 8, segment->ack);
	tcp[12] = (uint8_t)((20 + options_len) / 4 << 4);
	tcp[13] = segment->flags;
	put16(tcp + 14, segment->window);
	memcpy(tcp + 20, options, options_len);
	if (connection->is_ipv6) {
		proto = put_extensions(scene, connection->wrapping.extensions);
		put_ipv6(build, proto, connection->host[side], connection->host[!side]);
		build->bytes[build->start + 1] = (uint8_t)(one_in(scene, 40) ? 0x30 : 0);
		eth_type = 0x86dd;
	} else {
		put_ipv4(build, 6, connection->host[side], connection->host[!side],
			 connection->wrapping.options);
		put16(build->bytes + build->start + 4, segment->ip_id);
		if (one_in(scene, 40))
			build->bytes[build->start + 1] = 3;
		if (connection->fragments && one_in(scene, 8))
			put16(build->bytes + build->start + 6, one_in(scene, 2) ? 0x2000 : 185);
		eth_type = 0x0800;
	}
	for (i = 3; i--;)
		eth_type = put_tunnel(scene, connection->wrapping.tunnels[i], eth_type);
	put_tags(scene, &connection->wrapping, eth_type);
}

/* An error that quotes what an end of the connection sent last, if that is the SYN it is about. */
static void put_icmp(struct scene *scene, const struct connection *connection)
{
	static const uint8_t types[] = {3, 3, 3, 11, 12, 1, 2, 4, 8};
	struct build *build = &scene->build;
	const struct end *end = &connection->end[0];
	const struct sent *quoted = &end->history[(end->sent - 1) % HISTORY];
	uint32_t len = one_in(scene, 4) ? below(scene, 40) : 20;
	uint8_t *at;

	build->start = build->end = BUILD_ROOM;
	build->missing = 0;
	build->mark_count = 0;
	at = put(build, 40);
	put16(at, connection->port[0]);
	put16(at + 2, connection->port[1]);
	put32(at + 4, end->sent ? quoted->seq : end->next);
	at[12] = 0x50;
	at[13] = quoted->flags;
	build->end = build->start + len;
	if (connection->is_ipv6) {
		put_ipv6(build, 6, connection->host[0], connection->host[1]);
		at = put(build, 8);
		at[0] = (uint8_t)(1 + below(scene, 5));
	} else {
		put_ipv4(build, 6, connection->host[0], connection->host[1], one_in(scene, 8));
		at = put(build, 8);
		at[0] = PICK(scene, types);
	}
	at[1] = (uint8_t)below(scene, 16);
	if (connection->is_ipv6)
		put_ipv6(build, 58, 99, connection->host[0]);
	else
		put_ipv4(build, 1, 99, connection->host[0], 0);
	put_tags(scene, &connection->wrapping, connection->is_ipv6 ? 0x86dd : 0x0800);
}

/* ---------------------------------------------------------------- connections */

static void choose_wrapping(struct scene *scene, struct connection *connection)
{
	struct wrapping *wrapping = &connection->wrapping;

	*wrapping = (struct wrapping){0};
	if (one_in(scene, 2)) /* the segments of these say most about flows */
		return;
	if (one_in(scene, 3))
		wrapping->tags = (uint8_t)below(scene, 6);
	if (one_in(scene, 8))
		wrapping->labels = (uint8_t)(one_in(scene, 20) ? below(scene, 90) : below(scene, 4));
	if (one_in(scene, 8))
		wrapping->pppoe = 1;
	if (one_in(scene, 4))
		wrapping->extensions = (uint8_t)below(scene, 10);
	if (one_in(scene, 6))
		wrapping->options = (uint8_t)below(scene, 11);
	if (one_in(scene, 3))
		wrapping->tunnels[0] = (uint8_t)below(scene, WRAP_COUNT);
	if (one_in(scene, 8))
		wrapping->tunnels[1] = (uint8_t)below(scene, WRAP_COUNT);
	if (one_in(scene, 24))
		wrapping->tunnels[2] = (uint8_t)below(scene, WRAP_COUNT);
}

static void begin_connection(struct scene *scene, struct connection *connection)
{
	static const uint16_t sizes[] = {1460, 536, 1220, 8960, 0, 1};
	unsigned int side;

	*connection = (struct connection){
		.port = {(uint16_t)(1024 + below(scene, 3000)), one_in(scene, 8) ? 1024 : 443},
		.host = {(uint8_t)(1 + below(scene, 30)), (uint8_t)(1 + below(scene, 30))},
		.is_ipv6 = one_in(scene, 3),
		.has_ts = !one_in(scene, 3),
		.has_sack = !one_in(scene, 3),
		.ip_id_mode = (uint8_t)below(scene, 3),
		.step = one_in(scene, 6) ? 3 : 0, /* some are seen mid-stream */
		.fragments = one_in(scene, 12),
		.has_tag_beside = one_in(scene, 8),
		.tag_beside = (uint16_t)chance(scene),
		.mss = PICK(scene, sizes),
	};
	for (side = 0; side < 2; side++) {
		connection->end[side].next = one_in(scene, 3) ? -below(scene, 20000) : chance(scene);
		connection->end[side].ip_id = (uint16_t)chance(scene);
		connection->end[side].window = (uint16_t)(500 + below(scene, 60000));
	}
	choose_wrapping(scene, connection);
}

static uint16_t next_ip_id(struct scene *scene, const struct connection *connection,
			   struct end *end)
{
	if (connection->ip_id_mode == 1)
		return 0;
	if (connection->ip_id_mode == 2)
		return (uint16_t)chance(scene);
	return end->ip_id += (uint16_t)(1 + (one_in(scene, 10) ? below(scene, 100) : 0));
}

static void remember(struct end *end, const struct segment *segment)
{
	end->history[end->sent++ % HISTORY] = (struct sent){
		segment->seq, segment->len, segment->tsval, segment->ip_id, segment->flags,
	};
}

static uint32_t octets(const struct segment *segment)
{
	return segment->len + !!(segment->flags & SYN) + !!(segment->flags & FIN);
}

static uint32_t length(struct scene *scene)
{
	static const uint32_t lengths[] = {1, 2, 10, 100, 536, 1448, 1448, 1448, 1460, 2896, 14480, 64000};

	return PICK(scene, lengths);
}

static void choose_repeat(struct scene *scene, struct end *end, struct segment *segment)
{
	const struct sent *old;
	uint32_t count = end->sent < HISTORY ? end->sent : HISTORY;

	if (!count)
		return;
	old = &end->history[(end->sent - 1 - below(scene, count)) % HISTORY];
	segment->seq = old->seq;
	segment->len = old->len;
	segment->flags = old->flags;
	switch (below(scene, 5)) {
	case 0: /* the very same packet */
		segment->ip_id = old->ip_id;
		segment->tsval = old->tsval;
		return;
	case 1: /* partly */
		if (segment->len > 1)
			segment->len = 1 + below(scene, segment->len);
		return;
	case 2: /* from its middle on, and more */
		segment->seq += below(scene, segment->len + 1);
		segment->len = length(scene);
		return;
	case 3:
		segment->tsval = old->tsval;
		return;
	}
}

/* A hole of this end is filled, or a part of it; late, or in time. */
static void choose_fill(struct scene *scene, struct end *end, struct segment *segment)
{
	const struct sent *skipped;
	uint32_t count = end->skips < SKIPPED ? end->skips : SKIPPED;

	if (!count)
		return;
	skipped = &end->skipped[(end->skips - 1 - below(scene, count)) % SKIPPED];
	segment->seq = skipped->seq;
	segment->len = skipped->len;
	if (one_in(scene, 2)) { /* sent before what jumped over it */
		segment->tsval = skipped->tsval;
		segment->ip_id = skipped->ip_id;
	}
	if (one_in(scene, 4) && segment->len > 3) {
		segment->seq += 1 + below(scene, segment->len / 2);
		segment->len = 1 + below(scene, segment->len / 3);
	}
}

static void choose_blocks(struct scene *scene, const struct end *peer, struct segment *segment)
{
	uint32_t i;

	segment->blocks = 1 + below(scene, 4);
	for (i = 0; i < segment->blocks; i++) {
		uint32_t from = one_in(scene, 4) ? segment->ack - below(scene, 5000)
						 : segment->ack + below(scene, 20000);

		if (one_in(scene, 3) && peer->sent)
			from = peer->history[below(scene, peer->sent < HISTORY ? peer->sent : HISTORY)].seq;
		segment->block[i][0] = from;
		segment->block[i][1] = from + length(scene);
	}
}

static void skip_octets(struct scene *scene, struct end *end, const struct segment *segment)
{
	uint32_t len = length(scene);

	end->skipped[end->skips++ % SKIPPED] = (struct sent){
		end->next, len, segment->tsval, end->ip_id, ACK,
	};
	end->next += len;
	end->ip_id++;
}

static void choose_odd(struct scene *scene, struct end *end, struct end *peer,
		       struct segment *segment)
{
	static const uint32_t far[] = {1u << 29, 1u << 30, (1u << 30) + 1, 1u << 31, 3u << 30};

	switch (below(scene, 12)) {
	case 0:
		segment->flags = RST;
		return;
	case 1:
		segment->flags = RST | ACK;
		return;
	case 2:
		segment->seq += PICK(scene, far);
		segment->len = length(scene);
		return;
	case 3: /* the stream moves */
		end->next += PICK(scene, far);
		segment->seq = end->next;
		return;
	case 4:
		segment->ack += PICK(scene, far);
		return;
	case 5:
		segment->flags = (uint8_t)chance(scene);
		return;
	case 6:
		segment->flags = SYN; /* another connection on the tuple */
		segment->seq = end->next = chance(scene);
		return;
	case 7:
		segment->flags = SYN | ACK;
		segment->ack = peer->next + below(scene, 3);
		return;
	case 8:
		segment->tsval = chance(scene);
		return;
	case 9:
		segment->seq = end->next - below(scene, 100000);
		segment->len = length(scene);
		return;
	case 10: /* below what was seen first */
		segment->seq = end->next - (1u << 28);
		segment->len = 100;
		return;
	case 11:
		segment->flags |= FIN;
		return;
	}
}

/* The next segment of an open connection. */
static void choose_segment(struct scene *scene, struct connection *connection,
			   struct segment *segment)
{
	struct end *end = &connection->end[segment->side], *peer = &connection->end[!segment->side];

	switch (below(scene, 24)) {
	case 0:
	case 1:
		choose_repeat(scene, end, segment);
		return;
	case 2:
		skip_octets(scene, end, segment);
		segment->seq = end->next;
		segment->len = length(scene);
		return;
	case 3:
	case 4:
		choose_fill(scene, end, segment);
		return;
	case 5:
	case 6: /* asking for something */
		segment->ack = end->acked;
		if (connection->has_sack)
			choose_blocks(scene, peer, segment);
		return;
	case 7:
		segment->seq = end->next - 1;
		segment->len = below(scene, 2);
		return;
	case 8:
		segment->window = one_in(scene, 2) ? 0 : segment->window;
		return;
	case 9:
		segment->len = 1;
		return;
	case 10:
		if (one_in(scene, 6))
			segment->flags |= FIN;
		return;
	case 11:
		if (one_in(scene, 2))
			choose_odd(scene, end, peer, segment);
		return;
	case 12:
		segment->flags |= one_in(scene, 2) ? ECE : CWR;
		return;
	case 13:
	case 14:
	case 15:
	case 16:
		return; /* an ACK */
	default:
		segment->len = length(scene);
		segment->flags |= PSH;
	}
}

static void next_segment(struct scene *scene, struct connection *connection, struct segment *segment)
{
	unsigned int side = below(scene, 2);
	struct end *end, *peer;

	if (connection->step < 3 && !one_in(scene, 8))
		side = connection->step == 1;
	end = &connection->end[side];
	peer = &connection->end[!side];
	*segment = (struct segment){
		.side = side,
		.seq = end->next,
		.ack = one_in(scene, 20) ? peer->next - below(scene, 3000) : peer->next,
		.flags = ACK,
		.window = end->window,
		.tsval = (uint32_t)(scene->now_ns / MS),
		.tsecr = (uint32_t)(scene->now_ns / MS) - below(scene, 40),
	};
	segment->ip_id = next_ip_id(scene, connection, end);
	if (connection->step == 0 && !one_in(scene, 4)) {
		segment->flags = SYN;
		segment->ack = 0;
		connection->step = !one_in(scene, 4);
		if (one_in(scene, 20))
			segment->len = 100;
	} else if (connection->step == 1 && !one_in(scene, 10)) {
		segment->flags = one_in(scene, 12) ? RST | ACK : SYN | ACK;
		connection->step = 1 + !one_in(scene, 4);
		segment->ack = peer->next + !one_in(scene, 20);
	} else if (connection->step == 2) {
		connection->end[0].next++;
		connection->end[1].next++;
		segment->seq = end->next;
		segment->ack = peer->next;
		connection->step = 3;
	} else {
		choose_segment(scene, connection, segment);
	}
	if (connection->step == 3 && (int32_t)(segment->seq + octets(segment) - end->next) > 0 &&
	    !(segment->flags & RST) && octets(segment) < 70000 && !one_in(scene, 50))
		end->next = segment->seq + octets(segment);
	end->acked = segment->ack;
	remember(end, segment);
	if (one_in(scene, 400))
		begin_connection(scene, connection);
}

/* ---------------------------------------------------------------- bytes gone wrong */

static uint32_t some_place(struct scene *scene, uint32_t len)
{
	const struct build *build = &scene->build;
	uint32_t at;

	if (build->mark_count && !one_in(scene, 4)) {
		at = build->marks[below(scene, build->mark_count)] - build->start + below(scene, 16);
		if (at < len)
			return at;
	}
	return below(scene, len);
}

static void move_bytes(struct scene *scene, struct feed *feed, uint32_t at, bool insert)
{
	uint32_t len = 2 + 2 * below(scene, 6), rest = feed->captured - at;

	if (insert && feed->captured + len <= FEED_BYTES_MAX) {
		memmove(feed->bytes + at + len, feed->bytes + at, rest);
		feed->captured += len;
		feed->rehearsal.wire_bytes += len;
	} else if (!insert && rest > len && feed->captured - len >= FEED_BYTES_MIN) {
		memmove(feed->bytes + at, feed->bytes + at + len, rest - len);
		feed->captured -= len;
		feed->rehearsal.wire_bytes -= len;
	}
}

static void spoil(struct scene *scene, struct feed *feed)
{
	static const uint8_t bytes[] = {0, 1, 4, 5, 6, 0x0f, 0x11, 0x2f, 0x3a, 0x40, 0x45, 0x60, 0x7f, 0x80, 0xff};
	static const uint16_t words[] = {0, 1, 0x0800, 0x86dd, 0x8100, 0x88a8, 0x8847, 0x8864, 0x6558, 0x0806,
					 4789, 4790, 6081, 2152, 1701, 0x88be, 0x22eb, 40, 20, 0xffff, 0x2000};
	uint32_t at = some_place(scene, feed->captured), cut;

	switch (below(scene, 10)) {
	case 0:
	case 1:
		feed->bytes[at] ^= (uint8_t)(1u << below(scene, 8));
		return;
	case 2:
		feed->bytes[at] = PICK(scene, bytes);
		return;
	case 3:
		feed->bytes[at] = (uint8_t)chance(scene);
		return;
	case 4:
		if (at + 2 <= feed->captured)
			put16(feed->bytes + at, PICK(scene, words));
		return;
	case 5: /* cut by the capture */
		feed->captured = at < FEED_BYTES_MIN ? FEED_BYTES_MIN : at;
		return;
	case 6: /* cut on the wire */
		cut = at < FEED_BYTES_MIN ? FEED_BYTES_MIN : at;
		feed->captured = feed->rehearsal.wire_bytes = cut;
		return;
	case 7:
	case 8:
		move_bytes(scene, feed, at, one_in(scene, 2));
		return;
	case 9: /* the wire was longer */
		feed->rehearsal.wire_bytes += below(scene, 100);
		return;
	}
}

/* ---------------------------------------------------------------- the scene */

static void pass_time(struct scene *scene)
{
	static const uint64_t pauses_ns[] = {5 * S, 6 * S, 71 * S, 200 * MS, 1 * S, 3601 * S};

	if (one_in(scene, 4000))
		scene->now_ns += PICK(scene, pauses_ns);
	else if (one_in(scene, 500))
		scene->now_ns -= below(scene, 3 * MS);
	else if (one_in(scene, 12))
		scene->now_ns += below(scene, 300 * MS);
	else
		scene->now_ns += below(scene, 200 * US);
}

static void feed_build(struct scene *scene, struct feed *feed)
{
	const struct build *build = &scene->build;
	uint32_t len = build->end - build->start;

	feed->captured = len < FEED_BYTES_MAX ? len : FEED_BYTES_MAX;
	feed->rehearsal.wire_bytes = wire_len(build);
	memcpy(feed->bytes, build->bytes + build->start, feed->captured);
	while (feed->captured < FEED_BYTES_MIN || (feed->captured < 60 && one_in(scene, 2))) {
		feed->bytes[feed->captured++] = 0; /* Ethernet pads */
		if (feed->rehearsal.wire_bytes < feed->captured)
			feed->rehearsal.wire_bytes = feed->captured;
	}
}

static void feed_seed(struct scene *scene, struct feed *feed)
{
	const struct seed_frame *seed = &scene->seeds[below(scene, (uint32_t)scene->seed_count)];

	scene->build.mark_count = 0;
	feed->captured = seed->len;
	feed->rehearsal.wire_bytes = seed->wire_bytes;
	feed->rehearsal.link = seed->link;
	memcpy(feed->bytes, seed->bytes, seed->len);
}

void scene_next(struct scene *scene, struct feed *ret_feed)
{
	struct connection *connection = &scene->connection[below(scene, CONNECTIONS)];
	struct segment segment;
	uint32_t wrong = 0;

	pass_time(scene);
	memset(&ret_feed->rehearsal, 0, sizeof(ret_feed->rehearsal));
	ret_feed->has_vlan_tci = connection->has_tag_beside;
	ret_feed->vlan_tci = connection->tag_beside;
	if (scene->seed_count && one_in(scene, 10)) {
		feed_seed(scene, ret_feed);
		wrong = below(scene, 4);
	} else {
		if (one_in(scene, 100)) {
			put_icmp(scene, connection);
		} else {
			next_segment(scene, connection, &segment);
			put_segment(scene, connection, &segment);
		}
		feed_build(scene, ret_feed);
		if (one_in(scene, 8))
			wrong = 1 + below(scene, 3);
	}
	while (wrong--)
		spoil(scene, ret_feed);
	if (one_in(scene, 200)) /* taken for another link */
		ret_feed->rehearsal.link = below(scene, LINK_COUNT);
	ret_feed->rehearsal.time_ns = scene->now_ns;
	if (ret_feed->rehearsal.wire_bytes < ret_feed->captured)
		ret_feed->rehearsal.wire_bytes = ret_feed->captured;
}

void scene_begin(struct scene *scene, uint64_t number)
{
	unsigned int i;

	scene->random = (number + 1) * 0x9e3779b97f4a7c15ull;
	scene->now_ns = 1700000000 * S;
	for (i = 0; i < CONNECTIONS; i++)
		begin_connection(scene, &scene->connection[i]);
}

struct scene *scene_open(const struct seed_frame *seeds, size_t seed_count)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene)
		return NULL;
	scene->seeds = seeds;
	scene->seed_count = seed_count;
	return scene;
}

void scene_close(struct scene *scene)
{
	free(scene);
}
