/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames nobody wrote down: whole connections in all wrappings, with losses, repeats and lies, and bytes gone wrong. */
#ifndef ACKMON_TESTS_SCENES_H
#define ACKMON_TESTS_SCENES_H

#include <stddef.h>
#include <stdint.h>

#include "feeder.h"

struct seed_frame {
	uint32_t len;
	uint32_t wire_bytes;
	uint32_t link; /* enum frame_link */
	uint8_t bytes[FEED_BYTES_MAX];
};

struct scene;

/* seeds (may be none) are mixed in, as they are and gone wrong. NULL: no memory. */
struct scene *scene_open(const struct seed_frame *seeds, size_t seed_count);

/* The same number gives the same frames. */
void scene_begin(struct scene *scene, uint64_t number);
void scene_next(struct scene *scene, struct feed *ret_feed);
void scene_close(struct scene *scene);

#endif
