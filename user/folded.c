/* SPDX-License-Identifier: GPL-2.0-only */
/* Holes and round trips of a replayed flow, folded: as much memory as there is to remember. */
#include "folded.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ holes */

/* Beyond it folding copies more than it saves, and the whole lies there. */
#define FOLDED_BYTES_MAX 1024u
#define FOLDED_STEP 64u /* so that not every hole is another piece of memory */

struct folded_holes {
	uint32_t room; /* in pieces */
	bool is_whole; /* then they are a struct holes */
	uint64_t pieces[];
};

/* The parts of struct holes in their order: what is fixed, and of each list as much as it holds. */
enum part { PART_USED, PART_SLOTS, PART_FILLED, PART_FILLS, PART_REPEATS, PART_ECHOES, PART_REST, PART_TAGS,
	    PART_COUNT };

struct span {
	size_t start;
	size_t bytes;
};

static size_t at_most(uint32_t count, uint32_t max)
{
	return count < max ? count : max;
}

/* How many a list holds stands in a part before it. */
static struct span part_of(const struct holes *holes, enum part part)
{
	switch (part) {
	case PART_USED:
		return (struct span){0, offsetof(struct holes, slot)};
	case PART_SLOTS:
		return (struct span){offsetof(struct holes, slot),
				     at_most(holes->used, HOLES_MAX) * sizeof(struct hole)};
	case PART_FILLED:
		return (struct span){offsetof(struct holes, filled),
				     offsetof(struct holes, fill) - offsetof(struct holes, filled)};
	case PART_FILLS:
		return (struct span){offsetof(struct holes, fill),
				     at_most(holes->fills, FILLS_MAX) * sizeof(struct fill)};
	case PART_REPEATS:
		return (struct span){offsetof(struct holes, repeat),
				     at_most(holes->repeats, REPEATS_MAX) * sizeof(struct repeat)};
	case PART_ECHOES:
		return (struct span){offsetof(struct holes, echo),
				     at_most(holes->echoes, ECHOES_MAX) * sizeof(struct recent)};
	case PART_REST:
		return (struct span){offsetof(struct holes, echoes_until),
				     offsetof(struct holes, echo_tags) - offsetof(struct holes, echoes_until)};
	default: /* words of eight */
		return (struct span){offsetof(struct holes, echo_tags),
				     (at_most(holes->echoes, ECHOES_MAX) + 7) / 8 * sizeof(holes->echo_tags[0])};
	}
}

static size_t folded_bytes(const struct holes *holes)
{
	size_t bytes = 0;

	for (int part = 0; part < PART_COUNT; part++)
		bytes += part_of(holes, (enum part)part).bytes;
	return bytes;
}

struct holes *folded_holes_open(struct folded_holes *folded, struct holes *space)
{
	const char *from;

	if (folded->is_whole)
		return (struct holes *)folded->pieces;
	from = (const char *)folded->pieces;
	for (int part = 0; part < PART_COUNT; part++) {
		struct span span = part_of(space, (enum part)part);

		memcpy((char *)space + span.start, from, span.bytes);
		from += span.bytes;
	}
	return space;
}

const struct holes *folded_holes_lie(const struct folded_holes *folded, const struct holes *space)
{
	return folded->is_whole ? (const struct holes *)folded->pieces : space;
}

static int make_room(struct folded_holes **folded, size_t bytes, bool is_whole)
{
	struct folded_holes *larger;

	if (*folded && (*folded)->room >= bytes)
		return 0;
	if (!is_whole)
		bytes = (bytes + FOLDED_STEP - 1) / FOLDED_STEP * FOLDED_STEP;
	larger = realloc(*folded, sizeof(*larger) + bytes);
	if (!larger)
		return -ENOMEM;
	larger->room = (uint32_t)bytes;
	larger->is_whole = is_whole;
	*folded = larger;
	return 0;
}

int folded_holes_keep(struct folded_holes **folded, const struct holes *holes)
{
	size_t bytes = folded_bytes(holes);
	bool is_whole = bytes > FOLDED_BYTES_MAX || (*folded && (*folded)->is_whole);
	char *to;

	if (*folded && holes == (const struct holes *)(*folded)->pieces)
		return 0;
	if (make_room(folded, is_whole ? sizeof(*holes) : bytes, is_whole))
		return -ENOMEM;
	to = (char *)(*folded)->pieces;
	if (is_whole) {
		memcpy(to, holes, sizeof(*holes));
		return 0;
	}
	for (int part = 0; part < PART_COUNT; part++) {
		struct span span = part_of(holes, (enum part)part);

		memcpy(to, (const char *)holes + span.start, span.bytes);
		to += span.bytes;
	}
	return 0;
}

/* ------------------------------------------------------------------ round trips */

#define PART_BUCKETS (1u << HISTOGRAM_SCALE)

struct folded_histogram {
	uint32_t total;
	uint8_t octaves;                   /* there are */
	uint8_t place[HISTOGRAM_OCTAVES];  /* of each, from 1 on; 0: it has no samples */
	uint32_t count[][PART_BUCKETS];
};

/* Memory for another octave, or for the histogram itself. */
static int add_octave(struct folded_histogram **folded, uint32_t octave)
{
	uint32_t octaves = *folded ? (*folded)->octaves : 0;
	struct folded_histogram *larger =
		realloc(*folded, sizeof(*larger) + (octaves + 1) * sizeof(larger->count[0]));

	if (!larger)
		return -ENOMEM;
	if (!*folded)
		memset(larger, 0, sizeof(*larger));
	memset(larger->count[octaves], 0, sizeof(larger->count[0]));
	larger->octaves = (uint8_t)(octaves + 1);
	larger->place[octave] = larger->octaves;
	*folded = larger;
	return 0;
}

int folded_histogram_take(struct folded_histogram **folded, const __u16 *buckets, __u32 count)
{
	for (__u32 i = 0; i < count; i++) {
		uint32_t octave = buckets[i] / PART_BUCKETS;

		if (octave >= HISTOGRAM_OCTAVES)
			continue;
		if ((!*folded || !(*folded)->place[octave]) && add_octave(folded, octave))
			return -ENOMEM;
		(*folded)->count[(*folded)->place[octave] - 1][buckets[i] % PART_BUCKETS]++;
		(*folded)->total++;
	}
	return 0;
}

void folded_histogram_read(const struct folded_histogram *folded, struct histogram *ret_histogram)
{
	memset(ret_histogram, 0, sizeof(*ret_histogram));
	ret_histogram->total = folded->total;
	for (uint32_t i = 0; i < HISTOGRAM_OCTAVES; i++) {
		if (folded->place[i])
			memcpy(ret_histogram->count + i * PART_BUCKETS, folded->count[folded->place[i] - 1],
			       sizeof(folded->count[0]));
	}
}
