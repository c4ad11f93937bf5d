/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of a scene share: its connections, the frame under construction, and chance. */
#ifndef ACKMON_TESTS_SCENES_INTERNAL_H
#define ACKMON_TESTS_SCENES_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenes.h"

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

struct segment {
	unsigned int side;
	uint32_t seq, ack, len, tsval, tsecr;
	uint16_t ip_id, window;
	uint8_t flags;
	unsigned int blocks;
	uint32_t block[4][2];
};

struct scene {
	const struct seed_frame *seeds;
	size_t seed_count;
	uint64_t random;
	uint64_t now_ns;
	struct connection connection[CONNECTIONS];
	struct build build;
};

/* scene_connections.c: what an end says next, and the connection it belongs to. */
void scene_begin_connection(struct scene *scene, struct connection *connection);
void scene_next_segment(struct scene *scene, struct connection *connection, struct segment *ret_segment);

/* scene_frames.c: into scene->build. */
void scene_put_segment(struct scene *scene, const struct connection *connection, const struct segment *segment);
/* An error that quotes what an end of the connection sent last, if that is the SYN it is about. */
void scene_put_icmp(struct scene *scene, const struct connection *connection);

/* scene_spoil.c: a byte or a length goes wrong. */
void scene_spoil(struct scene *scene, struct feed *feed);

static inline uint32_t chance(struct scene *scene)
{
	uint64_t x = scene->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	scene->random = x;
	return (uint32_t)(x * 0x2545f4914f6cdd1dull >> 32);
}

static inline uint32_t below(struct scene *scene, uint32_t limit)
{
	return (uint32_t)((uint64_t)chance(scene) * limit >> 32);
}

static inline bool one_in(struct scene *scene, uint32_t n)
{
	return !below(scene, n);
}

#define PICK(scene, values) ((values)[below(scene, sizeof(values) / sizeof((values)[0]))])

static inline uint32_t wire_len(const struct build *build)
{
	return build->end - build->start + build->missing;
}

#endif
