/* SPDX-License-Identifier: GPL-2.0-only */
/* The tables connections are kept in: buckets of tags, and the places they speak of. */
#ifndef ACKMON_ABI_TABLE_H
#define ACKMON_ABI_TABLE_H

#include <linux/types.h>

#include "abi/flow.h"
#include "abi/half_open.h"
#include "abi/key.h"

/*
 * A table is two arrays. A bucket of the first is one line of the cache: tags, each of a place of the second.
 * Place number bucket * TABLE_WAYS + way belongs to a tag for good, so nothing is ever moved, and whoever
 * has both arrays mapped into his memory reads what is in there without asking the kernel.
 *
 * A key has two buckets. It goes into the first, its home, unless that is nearly full and the other has more
 * room; so a table is filled to eight tenths before any key finds both full.
 *
 *   tag:   0             a free place; taken by a CPU that changes it, at once
 *          else          bits of the hash of the key there, and whether the connection is closed
 *   live:  0             the place is being filled, or emptied
 *          tag           key and value are complete
 *          with a bit    somebody takes it out
 *
 * Whoever changes `live` from the bare tag has taken the entry out, and is the only one; when he is done
 * he sets the tag to 0.
 */
#define TABLE_WAYS 15u

#define TABLE_CLOSED 1u /* in a bucket: FIN both ways, or an RST; set once */
#define TABLE_READER 1u /* in `live`: the reader takes it ... */
#define TABLE_KERNEL 2u /* ... or a CPU, before Linux 5.12; see table_part_by_lock() */
#define TABLE_IS_TAG 4u /* in every tag */
#define TABLE_TAG_BITS (~3u)

struct table_bucket {
	union {
		struct {
			__u32 tag[TABLE_WAYS];
			__u32 spilled; /* entries at home here that are in their other bucket; the high half counts those pushed out */
		};
		__u64 pair[(TABLE_WAYS + 1) / 2]; /* the same, to look at two tags at once */
	};
};
_Static_assert(sizeof(struct table_bucket) == 64, "a bucket is one line of the cache");

#define TABLE_SPILLED 0xffffu
#define TABLE_PUSHED 0x10000u /* one */

struct table_head {
	__u32 live;
	__u32 place; /* its own number */
	struct flow_key key;
};
_Static_assert(sizeof(struct table_head) == 48, "table_head has no hidden padding");

/*
 * The hot lines of both sides begin lines of the cache: see struct flow. A place counts its lives in the flow that
 * is there, or was there last.
 */
struct flow_place {
	struct table_head head;
	struct flow flow;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct flow_place) == 640, "flow_place is ten lines of the cache");

struct half_open_place {
	struct table_head head;
	struct half_open entry;
};
_Static_assert(sizeof(struct half_open_place) == 112, "half_open_place has no hidden padding");

#define TABLE_SEEDS 6

/* Of both tables; userspace fills it before the first frame. */
struct table_about {
	__u64 seed[TABLE_SEEDS]; /* random: who sends frames cannot choose which of them meet in a bucket; see table_hash() */
	__u32 flow_buckets;
	__u32 half_open_buckets;
};

#endif
