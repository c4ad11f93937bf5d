/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames of a scene: a segment, and all that may lie around it, from the inside out. */
#include <string.h>

#include "scenes_internal.h"
#include "wire_put.h"

/* ---------------------------------------------------------------- headers, inside out */

static uint8_t *put(struct build *build, uint32_t len)
{
	build->start -= len;
	memset(build->bytes + build->start, 0, len);
	if (build->mark_count < MARKS_MAX)
		build->marks[build->mark_count++] = build->start;
	return build->bytes + build->start;
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

void scene_put_segment(struct scene *scene, const struct connection *connection, const struct segment *segment)
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

void scene_put_icmp(struct scene *scene, const struct connection *connection)
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
