/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames of a scene gone wrong: bits, bytes, lengths, and what was cut off. */
#include <string.h>

#include "scenes_internal.h"
#include "wire_put.h"

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

void scene_spoil(struct scene *scene, struct feed *feed)
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
