/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames for the differential run: see scenes.h. What they mean is nobody's business here; two readers must agree. */
#include <stdlib.h>
#include <string.h>

#include "core/frame.h"
#include "scenes_internal.h"

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
			scene_put_icmp(scene, connection);
		} else {
			scene_next_segment(scene, connection, &segment);
			scene_put_segment(scene, connection, &segment);
		}
		feed_build(scene, ret_feed);
		if (one_in(scene, 8))
			wrong = 1 + below(scene, 3);
	}
	while (wrong--)
		scene_spoil(scene, ret_feed);
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
		scene_begin_connection(scene, &scene->connection[i]);
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
