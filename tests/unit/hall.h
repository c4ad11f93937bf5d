/* SPDX-License-Identifier: GPL-2.0-only */
/* The hall with arrays for a host, and frames that are passed to it. */
#ifndef ACKMON_TESTS_HALL_H
#define ACKMON_TESTS_HALL_H

#include "core.h"

#include "core/monitor.h"

/* ------------------------------------------------------------------ the host */

struct room_entry {
	int is_used;
	struct flow_key key;
	struct half_open entry; /* in the first room */
	struct flow flow;	/* in the second */
	struct holes holes[2];
	struct histogram histograms[2];
	struct rare rares[2];
	int has_holes[2], has_histogram[2], has_rare[2];
};

#define ROOM_MAX 8

static struct room_entry half_open[ROOM_MAX], proven[ROOM_MAX];
static struct half_open_work work;
static size_t half_open_room, proven_room; /* how many entries each takes */
static int holes_room;			   /* how many hole lists there may be */
static int histogram_room, rare_room;
static int mail_is_full;

static struct monitor_config config;
static uint64_t counters[COUNTER_COUNT];
static struct flow_whole posted[ROOM_MAX];
static int posted_count;
static int notices[EVENT_ZERO_WINDOW + 1];

static inline const volatile struct monitor_config *host_config(void)
{
	return &config;
}

static inline int host_parse_hops(const struct frame *frame, struct packet *pkt, int hop)
{
	return parse_hops(frame, pkt, hop);
}

static inline void host_count(__u8 door, enum counter counter)
{
	assert_int_equal(door, DOOR_CAPTURE);
	counters[counter]++;
}

static inline struct room_entry *entry_in(struct room_entry *room, const struct flow_key *key)
{
	size_t i;

	for (i = 0; i < ROOM_MAX; i++) {
		if (room[i].is_used && !memcmp(&room[i].key, key, sizeof(*key)))
			return &room[i];
	}
	return NULL;
}

static inline struct room_entry *take_place(struct room_entry *room, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (!room[i].is_used)
			return &room[i];
	}
	return NULL;
}

static inline struct flow *host_find_flow(const struct flow_key *key)
{
	struct room_entry *entry = entry_in(proven, key);

	return entry ? &entry->flow : NULL;
}

static inline struct flow *host_seek_flow(const struct flow_key *key)
{
	return host_find_flow(key);
}

static inline struct flow *host_find_entered(const struct flow_key *key, const struct flow *flow)
{
	(void)flow;
	return host_find_flow(key);
}

static inline enum room_answer host_enter_flow(const struct flow_key *key, struct flow *flow)
{
	struct room_entry *entry = take_place(proven, proven_room);

	if (entry_in(proven, key))
		return ROOM_KNOWN;
	if (!entry)
		return ROOM_FULL;
	*entry = (struct room_entry){.is_used = 1, .key = *key, .flow = *flow};
	return ROOM_TAKEN;
}

static int was_faster; /* another CPU, which takes what this one is about to */

static inline struct flow_whole *host_take_flow(__u8 door, const struct flow_key *key, struct flow *flow)
{
	struct room_entry *entry = entry_in(proven, key);

	(void)door;
	assert_ptr_equal(&entry->flow, flow);
	work.whole = (struct flow_whole){*flow, {entry->rares[0], entry->rares[1]}};
	return was_faster ? NULL : &work.whole;
}

static inline void host_close_flow(const struct flow_key *key, struct flow_whole *whole)
{
	struct room_entry *entry = entry_in(proven, key);

	assert_ptr_equal(whole, &work.whole);
	holes_room += entry->has_holes[0] + entry->has_holes[1];
	rare_room += entry->has_rare[0] + entry->has_rare[1];
	entry->is_used = 0;
}

/* Stands for a CPU that does its work between two looks of this one. */
static void (*meanwhile)(const struct flow_key *key);
static __u32 looks; /* for a half-open connection */

static inline struct half_open *host_find_half_open(const struct flow_key *key)
{
	struct room_entry *entry = entry_in(half_open, key);

	looks++;
	if (meanwhile)
		meanwhile(key);
	return entry ? &entry->entry : NULL;
}

static inline enum room_answer host_enter_half_open(__u8 door, const struct flow_key *key,
					     const struct half_open *wanted)
{
	struct room_entry *entry = take_place(half_open, half_open_room);

	(void)door;
	if (entry_in(half_open, key))
		return ROOM_KNOWN;
	if (!entry)
		return ROOM_FULL;
	*entry = (struct room_entry){.is_used = 1, .key = *key, .entry = *wanted};
	return ROOM_TAKEN;
}

static int noted_closed; /* how often */

static inline void host_note_closed(const struct flow_key *key)
{
	(void)key;
	noted_closed++;
}

static inline int host_close_half_open(const struct flow_key *key, const struct half_open *closed)
{
	struct room_entry *entry = entry_in(half_open, key);

	(void)closed;
	if (!entry || was_faster)
		return -1;
	entry->is_used = 0;
	return 0;
}

static int is_claimed; /* by another interface */
static __u32 claims_asked;

static inline int host_claim(const struct packet *pkt)
{
	(void)pkt;
	claims_asked++;
	return is_claimed;
}

static inline struct half_open_work *host_half_open_work(__u8 door)
{
	(void)door;
	return &work;
}

static inline struct room_entry *entry_of(const struct flow *flow)
{
	size_t i;

	for (i = 0; i < ROOM_MAX; i++)
		if (&proven[i].flow == flow)
			return &proven[i];
	fail_msg("a flow that is not in the room");
	return NULL;
}

static inline struct holes *host_find_holes(const struct flow *flow, __u32 direction)
{
	struct room_entry *entry = entry_of(flow);

	return entry->has_holes[direction] ? &entry->holes[direction] : NULL;
}

static inline struct holes *host_open_holes(const struct flow *flow, __u32 direction)
{
	struct room_entry *entry = entry_of(flow);

	if (!holes_room)
		return NULL;
	holes_room--;
	entry->has_holes[direction] = 1;
	return &entry->holes[direction];
}

static inline struct rare *host_find_rare(const struct flow *flow, __u32 direction)
{
	struct room_entry *entry = entry_of(flow);

	return entry->has_rare[direction] ? &entry->rares[direction] : NULL;
}

static inline struct rare *host_open_rare(const struct flow *flow, __u32 direction)
{
	struct room_entry *entry = entry_of(flow);

	if (!rare_room)
		return NULL;
	rare_room--;
	entry->has_rare[direction] = 1;
	return &entry->rares[direction];
}

static inline struct histogram *host_find_histogram(const struct flow *flow, __u32 direction)
{
	struct room_entry *entry = entry_of(flow);

	return entry->has_histogram[direction] ? &entry->histograms[direction] : NULL;
}

static inline struct histogram *host_open_histogram(const struct flow *flow, __u32 direction)
{
	struct room_entry *entry = entry_of(flow);

	if (!histogram_room)
		return NULL;
	entry->has_histogram[direction] = 1;
	return &entry->histograms[direction];
}

static inline int host_take_samples(struct flow *flow, __u32 direction,
			     const __u16 buckets[RTT_WAITING], int opens)
{
	struct histogram *histogram = host_find_histogram(flow, direction);

	if (!histogram && opens)
		histogram = host_open_histogram(flow, direction);
	if (!histogram)
		return opens ? -1 : 0;
	histogram_take(histogram, buckets, RTT_WAITING);
	return 1;
}

/* Groups are the last byte of an address, pairs come in order, and there is room for two of them. */
static __u8 generation;
static struct pair_key pair_keys[PAIR_FIRST + 2];
static struct pair_counters pair_counters[PAIR_FIRST + 2];
static struct chunk pair_buckets[PAIR_FIRST + 2][PAIR_PLACES];
static uint32_t pair_count, group_shift;

static inline __u8 host_label_generation(void)
{
	return generation;
}

static inline __u32 host_group(const struct flow_key *key, struct flow *flow, __u32 end)
{
	(void)flow;
	return key->addr[end].bytes[15] + group_shift;
}

static inline __u32 host_pair(__u32 opener_group, __u32 responder_group)
{
	struct pair_key key = {opener_group, responder_group};
	uint32_t i;

	for (i = PAIR_FIRST; i < pair_count; i++) {
		if (!memcmp(&pair_keys[i], &key, sizeof(key)))
			return i;
	}
	if (i == PAIR_FIRST + 2)
		return PAIR_OTHER;
	pair_keys[i] = key;
	return pair_count++;
}

static inline struct pair_counters *host_pair_counters(__u32 pair)
{
	return &pair_counters[pair];
}

/* A chunk's number is its place behind those of PAIR_OTHER. */
static inline __u32 host_pair_chunk(__u32 pair, __u32 place)
{
	return CHUNK_OTHER + (pair - PAIR_OTHER) * PAIR_PLACES + place;
}

static inline struct chunk *host_chunk(__u32 chunk)
{
	return &pair_buckets[PAIR_OTHER][chunk - CHUNK_OTHER];
}

static inline int host_post_flow(const struct flow_key *key, const struct flow_whole *whole)
{
	(void)key;
	if (mail_is_full)
		return -1;
	posted[posted_count++] = *whole;
	return 0;
}

static inline int host_post_notice(enum event_type type, const struct flow *flow, const struct packet *pkt)
{
	(void)flow;
	(void)pkt;
	if (mail_is_full)
		return -1;
	notices[type]++;
	return 0;
}

/* ------------------------------------------------------------------ what tests say */

static inline int open_house(void **state)
{
	(void)state;
	memset(half_open, 0, sizeof(half_open));
	memset(proven, 0, sizeof(proven));
	memset(counters, 0, sizeof(counters));
	memset(posted, 0, sizeof(posted));
	memset(notices, 0, sizeof(notices));
	meanwhile = NULL;
	half_open_room = proven_room = ROOM_MAX;
	holes_room = ROOM_MAX;
	histogram_room = 1;
	rare_room = ROOM_MAX;
	mail_is_full = was_faster = posted_count = 0;
	memset(pair_counters, 0, sizeof(pair_counters));
	memset(pair_buckets, 0, sizeof(pair_buckets));
	pair_count = PAIR_FIRST;
	generation = 1;
	group_shift = 0;
	is_claimed = 0;
	claims_asked = 0;
	looks = 0;
	config = (struct monitor_config){
		.idle_timeout_ns = 100 * S,
		.half_open_timeout_ns = 30 * S,
		.closed_timeout_ns = 5 * S,
	};
	return 0;
}

#define hall_test(name) cmocka_unit_test_setup(name, open_house)

static inline void pass_frame(const struct frame *frame)
{
	static struct packet pkt;

	monitor_frame(frame, &pkt);
}

static inline void pass_segment(const struct segment *segment)
{
	__u8 buffer[FRAME_MAX];
	struct frame frame = segment_frame(segment, buffer);

	pass_frame(&frame);
}

#define pass(end, ...) pass_segment(&a_segment(end, __VA_ARGS__))

/* Opens the connection of this client port, which begins at start_us. */
static inline void connect_port(__u16 port, __u64 start_us)
{
	pass(CLIENT, .client_port = port, seq(999), flags(TCP_SYN), at_us(start_us));
	pass(SERVER, .client_port = port, seq(4999), ack(1000), flags(SYN_ACK),
	     at_us(start_us + 100));
	pass(CLIENT, .client_port = port, seq(1000), ack(5000), at_us(start_us + 150));
}

static inline struct room_entry *in_room(struct room_entry *room, __u16 port)
{
	struct segment any = {.client_port = port};
	struct flow_key key = segment_key(&any);

	return entry_in(room, &key);
}

static inline __u64 unique_bytes_in(struct room_entry *room, __u16 port, enum end from)
{
	const struct room_entry *entry = in_room(room, port);

	return entry->flow.side[from].payload_bytes - entry->rares[from].again_bytes;
}

/* The flow that an entry of the first room stands for. */
static inline const struct flow *half_open_flow(__u16 port)
{
	struct room_entry *entry = in_room(half_open, port);

	work.key = entry->key;
	work.entry = entry->entry;
	half_open_expand(&work);
	return &work.flow;
}

#endif
