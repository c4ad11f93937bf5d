/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames of any link, changed where headers begin and end: each ends tracked or under one counter's name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/tunnel.h"
#include "abi/verdict.h"
#include "config.h"
#include "core/frame.h"
#include "replay.h"

/* A script is frames one behind the other: link, bits, captured length (little-endian), bytes. */
#define HEAD_BYTES 4
#define FRAMES_MAX 64

enum bits {
	BIT_DECAP = 1,  /* of the first frame: for all */
	BIT_LONGER = 2, /* the wire was longer than what was captured */
	BIT_TAG = 4,    /* a tag lies beside the frame */
};

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

#define must(claim)                                                                                \
	do {                                                                                       \
		if (!(claim)) {                                                                    \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #claim);      \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The frame's bytes, or what is left of them; 0: no whole head. */
static size_t frame_len(const uint8_t *script, size_t size)
{
	size_t len;

	if (size < HEAD_BYTES)
		return 0;
	len = (size_t)(script[2] | script[3] << 8);
	return len < size - HEAD_BYTES ? len : size - HEAD_BYTES;
}

/* ---------------------------------------------------------------- playing */

static void check_flow(void *context, const struct flow_key *key, const struct flow_whole *whole)
{
	const struct flow *flow = &whole->flow;

	(void)context;
	must(memcmp(&key->addr[0], &key->addr[1], sizeof(key->addr[0])) <= 0);
	must(flow->side[0].frames + flow->side[1].frames > 0);
	must(whole->rare[0].again_bytes <= flow->side[0].payload_bytes);
	must(whole->rare[1].again_bytes <= flow->side[1].payload_bytes);
}

static void check_event(void *context, const struct segment_event *event)
{
	(void)context;
	must(event->class <= SEGMENT_SUSPECT);
}

/* Tracked, or counted once, under one name. */
static void check_counters(struct replay *replay, __u64 seen)
{
	const __u64 *value = replay_counters(replay)->value;
	__u64 accounted = value[FRAMES_TRACKED];
	int i;

	for (i = FRAMES_TRACKED + 1; i <= COUNTER_REASONS_LAST; i++)
		accounted += value[i];
	must(value[FRAMES_SEEN] == seen);
	must(accounted == seen);
	must(value[COUNTER_frames_decapsulated] <= value[FRAMES_TRACKED]);
	must(value[COUNTER_frames_first_fragments] <= value[FRAMES_TRACKED]);
	must(value[COUNTER_unreachables] <= value[COUNTER_frames_icmp_errors]);
}

/* In memory of exactly its size: a byte read behind it is found. */
static void play_frame(struct replay *replay, const uint8_t *script, size_t len, __u64 now_ns)
{
	uint8_t *bytes = malloc(len ? len : 1);
	struct frame frame = {
		.data = bytes,
		.end = bytes + len,
		.time_ns = now_ns,
		.wire_bytes = (__u32)len + (script[1] & BIT_LONGER ? 1400 : 0),
		.link = script[0] % LINK_COUNT,
		.has_vlan_tci = !!(script[1] & BIT_TAG),
		.vlan_tci = 7,
		.door = DOOR_CAPTURE,
	};

	must(bytes);
	memcpy(bytes, script + HEAD_BYTES, len);
	replay_frame(replay, &frame);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct monitor_config config = config_defaults();
	struct replay *replay;
	__u64 seen = 0;

	config.events = 1;
	config.decap = size >= HEAD_BYTES && (data[1] & BIT_DECAP) ? TUNNELS_ALL : 0;
	must(!replay_open(&replay, &config, check_flow, check_event, NULL));
	while (size >= HEAD_BYTES && seen < FRAMES_MAX) {
		size_t len = frame_len(data, size);

		play_frame(replay, data, len, 1700000000000000000ull + seen * 1000000);
		check_counters(replay, ++seen);
		data += HEAD_BYTES + len;
		size -= HEAD_BYTES + len;
	}
	replay_finish(replay);
	check_counters(replay, seen);
	replay_close(replay);
	return 0;
}

/* ---------------------------------------------------------------- mutating */

/* Headers, and words that say which header follows. */
static const struct {
	uint8_t len;
	uint8_t bytes[40];
} pieces[] = {
	{4, {0x81, 0x00, 0x00, 0x07}},
	{4, {0x88, 0xa8, 0x00, 0x08}},
	{4, {0x00, 0x01, 0x01, 0x40}}, /* MPLS, bottom */
	{4, {0x00, 0x01, 0x00, 0x40}},
	{8, {0x11, 0x00, 0x00, 0x07, 0x00, 0x80, 0x00, 0x21}}, /* PPPoE */
	{4, {0xff, 0x03, 0x00, 0x21}},
	{8, {0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00, 0x08, 0x00}},
	{14, {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00}},
	{20, {0x45, 0, 0, 0, 0, 1, 0, 0, 64, 4, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}},
	{20, {0x45, 0, 0, 0, 0, 1, 0, 0, 64, 47, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}},
	{20, {0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}},
	{20, {0x45, 0, 0, 0, 0, 1, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}},
	{40, {0x60, 0, 0, 0, 0, 0, 41, 64, 0xfd}},
	{40, {0x60, 0, 0, 0, 0, 0, 60, 64, 0xfd}},
	{8, {60, 0, 1, 4}},
	{8, {6, 0, 0xc2, 4, 0, 1, 0, 0}},
	{8, {6, 0, 0, 1}}, /* fragment */
	{8, {0x13, 0x88, 0x12, 0xb5}}, /* UDP to VXLAN */
	{8, {0x08, 0, 0, 0, 0, 0, 1, 0}},
	{8, {0x13, 0x88, 0x17, 0xc1}}, /* to GENEVE */
	{8, {0x02, 0, 0x65, 0x58, 0, 0, 1, 0}},
	{8, {0x13, 0x88, 0x08, 0x68}}, /* to GTP-U */
	{12, {0x34, 0xff, 0, 60, 0, 0, 0, 1, 0, 0, 0, 0x85}},
	{8, {0x20, 0x00, 0x65, 0x58, 0, 0, 0, 1}}, /* GRE with a key */
	{8, {0x10, 0x00, 0x88, 0xbe, 0, 0, 0, 1}},
	{8, {3, 3}}, /* ICMP, port unreachable */
};

static const uint16_t words[] = {
	0x0800, 0x86dd, 0x8100, 0x88a8, 0x8847, 0x8864, 0x6558, 0x88be, 0x22eb, 0x0021, 0x0057,
	4789, 4790, 6081, 2152, 1701, 0, 1, 5, 20, 40, 0x2000, 0x4000, 0x1fff, 0xffff,
};

/* Another piece at `at`, or as much less there. *size is the script's. */
static void resize(uint8_t *data, size_t *size, size_t max_size, uint8_t *frame, size_t at,
		   unsigned int choice, int insert)
{
	size_t len = frame_len(frame, *size - (size_t)(frame - data));
	unsigned int piece = choice % (sizeof(pieces) / sizeof(pieces[0]));
	size_t bytes = pieces[piece].len;
	uint8_t *from = frame + HEAD_BYTES + at;

	if (insert && *size + bytes <= max_size && len + bytes < 65536) {
		memmove(from + bytes, from, (size_t)(data + *size - from));
		memcpy(from, pieces[piece].bytes, bytes);
		*size += bytes;
		len += bytes;
	} else if (!insert && at + bytes <= len) {
		memmove(from, from + bytes, (size_t)(data + *size - from) - bytes);
		*size -= bytes;
		len -= bytes;
	}
	frame[2] = (uint8_t)len;
	frame[3] = (uint8_t)(len >> 8);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	uint8_t *frame = data;
	size_t left = size, len, at;
	unsigned int skip = seed % 3;

	if (size < HEAD_BYTES + 2 || seed % 8 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	len = frame_len(frame, left);
	while (skip-- && left - HEAD_BYTES - len >= HEAD_BYTES + 2) {
		frame += HEAD_BYTES + len;
		left -= HEAD_BYTES + len;
		len = frame_len(frame, left);
	}
	if (len < 2)
		return LLVMFuzzerMutate(data, size, max_size);
	seed = seed * 2654435761u >> 3;
	at = seed / 16 % (len < 128 ? len : 128) & ~(size_t)1;
	switch (seed % 8) {
	case 0:
		frame[0] = (uint8_t)(seed >> 8);
		break;
	case 1:
		frame[1] ^= (uint8_t)(1u << (seed >> 8) % 3);
		break;
	case 2:
	case 3:
		resize(data, &size, max_size, frame, at, seed >> 8, 1);
		break;
	case 4:
		resize(data, &size, max_size, frame, at, seed >> 8, 0);
		break;
	case 5:
	case 6:
		frame[HEAD_BYTES + at] = (uint8_t)(words[(seed >> 8) % (sizeof(words) / sizeof(words[0]))] >> 8);
		if (at + 1 < len)
			frame[HEAD_BYTES + at + 1] =
				(uint8_t)words[(seed >> 8) % (sizeof(words) / sizeof(words[0]))];
		break;
	default:
		LLVMFuzzerMutate(frame + HEAD_BYTES, len, len);
	}
	return size;
}
