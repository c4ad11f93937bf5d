/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections of a scene: orderly ones with losses and repeats, and what no stack would send. */
#include "scenes_internal.h"

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

void scene_begin_connection(struct scene *scene, struct connection *connection)
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

void scene_next_segment(struct scene *scene, struct connection *connection, struct segment *ret_segment)
{
	unsigned int side = below(scene, 2);
	struct end *end, *peer;

	if (connection->step < 3 && !one_in(scene, 8))
		side = connection->step == 1;
	end = &connection->end[side];
	peer = &connection->end[!side];
	*ret_segment = (struct segment){
		.side = side,
		.seq = end->next,
		.ack = one_in(scene, 20) ? peer->next - below(scene, 3000) : peer->next,
		.flags = ACK,
		.window = end->window,
		.tsval = (uint32_t)(scene->now_ns / MS),
		.tsecr = (uint32_t)(scene->now_ns / MS) - below(scene, 40),
	};
	ret_segment->ip_id = next_ip_id(scene, connection, end);
	if (connection->step == 0 && !one_in(scene, 4)) {
		ret_segment->flags = SYN;
		ret_segment->ack = 0;
		connection->step = !one_in(scene, 4);
		if (one_in(scene, 20))
			ret_segment->len = 100;
	} else if (connection->step == 1 && !one_in(scene, 10)) {
		ret_segment->flags = one_in(scene, 12) ? RST | ACK : SYN | ACK;
		connection->step = 1 + !one_in(scene, 4);
		ret_segment->ack = peer->next + !one_in(scene, 20);
	} else if (connection->step == 2) {
		connection->end[0].next++;
		connection->end[1].next++;
		ret_segment->seq = end->next;
		ret_segment->ack = peer->next;
		connection->step = 3;
	} else {
		choose_segment(scene, connection, ret_segment);
	}
	if (connection->step == 3 && (int32_t)(ret_segment->seq + octets(ret_segment) - end->next) > 0 &&
	    !(ret_segment->flags & RST) && octets(ret_segment) < 70000 && !one_in(scene, 50))
		end->next = ret_segment->seq + octets(ret_segment);
	end->acked = ret_segment->ack;
	remember(end, ret_segment);
	if (one_in(scene, 400))
		scene_begin_connection(scene, connection);
}
