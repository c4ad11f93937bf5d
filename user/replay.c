/* SPDX-License-Identifier: GPL-2.0-only */
/* The core, hosted by a hash table: frames in, ended flows out. No root, no kernel. */
#include "replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/monitor.h"
#include "flow_table.h"

/*
 * Frames are parsed as they come and tracked a little later: meanwhile memory brings what is known of
 * their flows. With a million flows a frame waits for nothing else.
 */
#define FRAMES_AHEAD 8u

struct ahead {
	struct packet pkt;
	uint32_t hash; /* of pkt.key */
};

struct replay {
	struct monitor_config config;
	struct door_counters counters;
	struct flow_table table;
	struct ahead ahead[FRAMES_AHEAD]; /* a ring */
	uint32_t ahead_first;
	uint32_t ahead_count;
	replay_flow_fn on_flow;
	replay_event_fn on_event;
	void *context;
	uint64_t frames_since_sweep;
	uint64_t swept_ns;
	uint64_t newest_ns; /* time of the newest frame */
};

/* The core is compiled into this file with these services; whom they serve is set for each frame.
 */
static struct replay *serving;

/* ------------------------------------------------------------------ services of the hall */

static const volatile struct monitor_config *host_config(void)
{
	return &serving->config;
}

static void host_count(__u8 door, enum counter counter)
{
	(void)door;
	serving->counters.value[counter]++;
}

static int host_parse_hops(const struct frame *frame, struct packet *pkt, int hop)
{
	return parse_hops(frame, pkt, hop);
}

static struct flow_entry *entry_of(const struct flow *flow)
{
	return (struct flow_entry *)((char *)flow - offsetof(struct flow_entry, flow));
}

/* The hall asks for no other flow than the one of the packet it is given. */
static uint32_t hash_of(const struct flow_key *key)
{
	const char *ahead = (const char *)key - offsetof(struct ahead, pkt.key);

	return ((const struct ahead *)ahead)->hash;
}

static struct flow *host_find_flow(const struct flow_key *key)
{
	struct flow_entry *entry = flow_table_find(&serving->table, key, hash_of(key));

	return entry ? &entry->flow : NULL;
}

static struct flow *host_open_flow(const struct packet *pkt)
{
	struct flow_entry *entry = flow_table_insert(&serving->table, &pkt->key, hash_of(&pkt->key));

	if (!entry)
		return NULL;
	entry->holes[0] = entry->holes[1] = NULL;
	entry->histograms[0] = entry->histograms[1] = NULL;
	track_open(&entry->flow, pkt);
	return &entry->flow;
}

/* One table holds both rooms: memory grows here, so neither needs protection from the other. */
static struct flow *host_promote_flow(const struct flow_key *key, struct flow *flow)
{
	(void)key;
	flow->proven = 1;
	return flow;
}

static void host_close_flow(const struct flow_key *key, struct flow *flow)
{
	struct flow_entry *entry = entry_of(flow);

	(void)key;
	for (int side = 0; side < 2; side++) {
		free(entry->holes[side]);
		free(entry->histograms[side]);
	}
	flow_table_remove(&serving->table, entry);
}

static struct holes *host_find_holes(const struct flow_key *key, const struct flow *flow,
				     __u32 direction)
{
	(void)key;
	return entry_of(flow)->holes[direction];
}

static struct holes *host_open_holes(const struct flow_key *key, const struct flow *flow,
				     __u32 direction)
{
	struct flow_entry *entry = entry_of(flow);

	(void)key;
	entry->holes[direction] = calloc(1, sizeof(struct holes));
	return entry->holes[direction];
}

static struct histogram *host_find_histogram(const struct flow_key *key, const struct flow *flow,
					     __u32 direction)
{
	(void)key;
	return entry_of(flow)->histograms[direction];
}

static struct histogram *host_open_histogram(const struct flow_key *key, const struct flow *flow,
					     __u32 direction)
{
	struct flow_entry *entry = entry_of(flow);

	(void)key;
	entry->histograms[direction] = calloc(1, sizeof(struct histogram));
	return entry->histograms[direction];
}

/* The flow as the world sees it: what its entries beside it still say is added. */
static void show(struct replay *replay, const struct flow_entry *entry, __u8 close)
{
	struct flow flow = entry->flow;
	__u32 i;

	for (i = 0; i < 2; i++)
		flow_settle(&flow, i, entry->holes[i], entry->histograms[i]);
	flow.close = close;
	replay->on_flow(replay->context, &entry->key, &flow);
}

static int host_post_flow(const struct flow_key *key, const struct flow *flow)
{
	(void)key;
	show(serving, entry_of(flow), flow->close);
	return 0;
}

static int host_post_notice(enum event_type type, const struct flow *flow, const struct packet *pkt)
{
	struct segment_event event;

	notice_fill(&event, type, flow, pkt);
	serving->on_event(serving->context, &event);
	return 0;
}

/* ------------------------------------------------------------------ public */

int replay_open(struct replay **ret_replay, const struct monitor_config *config,
		replay_flow_fn on_flow, replay_event_fn on_event, void *context)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	int err;

	if (!replay)
		return -ENOMEM;
	replay->config = *config;
	replay->on_flow = on_flow;
	replay->on_event = on_event;
	replay->context = context;
	err = flow_table_open(&replay->table);
	if (err) {
		free(replay);
		return err;
	}
	*ret_replay = replay;
	return 0;
}

static struct ahead *ahead_at(struct replay *replay, uint32_t behind_first)
{
	return &replay->ahead[(replay->ahead_first + behind_first) % FRAMES_AHEAD];
}

static void look(struct replay *replay, const struct frame *frame)
{
	struct ahead *ahead = ahead_at(replay, replay->ahead_count);

	if (!monitor_look(frame, &ahead->pkt))
		return;
	ahead->hash = flow_table_hash(&ahead->pkt.key);
	flow_table_expect(&replay->table, ahead->hash);
	replay->ahead_count++;
}

static void track_first(struct replay *replay)
{
	struct ahead *first = ahead_at(replay, 0);

	serving = replay;
	monitor_packet(DOOR_CAPTURE, &first->pkt);
	replay->ahead_first++;
	replay->ahead_count--;
}

void replay_frame(struct replay *replay, const struct frame *frame)
{
	serving = replay;
	replay->frames_since_sweep++;
	if (frame->time_ns > replay->newest_ns)
		replay->newest_ns = frame->time_ns;
	look(replay, frame);
	if (replay->ahead_count > FRAMES_AHEAD / 2)
		flow_table_fetch(&replay->table, ahead_at(replay, FRAMES_AHEAD / 2)->hash);
	if (replay->ahead_count == FRAMES_AHEAD)
		track_first(replay);
}

void replay_settle(struct replay *replay)
{
	while (replay->ahead_count)
		track_first(replay);
}

void replay_filtered(struct replay *replay)
{
	replay->counters.value[FRAMES_SEEN]++;
	replay->counters.value[COUNTER_frames_filtered]++;
}

/* A walk visits every entry, so it waits until as many frames have passed: constant cost a frame.
 */
static int sweep_is_due(const struct replay *replay, uint64_t now_ns)
{
	return replay->frames_since_sweep >= replay->table.carved &&
	       now_ns > replay->swept_ns + replay->config.closed_timeout_ns;
}

void replay_sweep(struct replay *replay, uint64_t now_ns)
{
	uint32_t i;

	if (!sweep_is_due(replay, now_ns))
		return;
	replay_settle(replay);
	serving = replay;
	replay->frames_since_sweep = 0;
	replay->swept_ns = now_ns;
	for (i = 0; i < replay->table.carved; i++) {
		struct flow_entry *entry = flow_table_entry(&replay->table, i);

		if (!entry || !flow_is_over(&entry->flow, &replay->config, now_ns))
			continue;
		show(replay, entry, flow_close_reason(&entry->flow));
		host_close_flow(&entry->key, &entry->flow);
	}
}

static int by_start(const void *a, const void *b)
{
	const struct flow_entry *x = *(struct flow_entry *const *)a;
	const struct flow_entry *y = *(struct flow_entry *const *)b;

	if (x->flow.start_ns != y->flow.start_ns)
		return x->flow.start_ns < y->flow.start_ns ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

/* Shows every flow, by start; without memory to sort, in table order. */
static void show_all(struct replay *replay,
		     __u8 (*close)(const struct replay *replay, const struct flow *flow))
{
	struct flow_entry **entries = malloc(((size_t)replay->table.count + 1) * sizeof(*entries));
	uint32_t i, count = 0;

	for (i = 0; i < replay->table.carved; i++) {
		struct flow_entry *entry = flow_table_entry(&replay->table, i);

		if (!entry)
			continue;
		if (entries)
			entries[count++] = entry;
		else
			show(replay, entry, close(replay, &entry->flow));
	}
	if (!entries)
		return;
	qsort(entries, count, sizeof(*entries), by_start);
	for (i = 0; i < count; i++)
		show(replay, entries[i], close(replay, &entries[i]->flow));
	free(entries);
}

static __u8 close_open(const struct replay *replay, const struct flow *flow)
{
	(void)replay;
	(void)flow;
	return CLOSE_OPEN;
}

/* What a sweep just now would have said; sweeping changes no record, only when it is shown. */
static __u8 close_finish(const struct replay *replay, const struct flow *flow)
{
	if (flow_is_closed(flow) || flow_is_over(flow, &replay->config, replay->newest_ns))
		return flow_close_reason(flow);
	return CLOSE_END_OF_CAPTURE;
}

void replay_interval(struct replay *replay)
{
	replay_settle(replay);
	show_all(replay, close_open);
}

void replay_finish(struct replay *replay)
{
	replay_settle(replay);
	show_all(replay, close_finish);
	flow_table_close(&replay->table);
}

const struct door_counters *replay_counters(struct replay *replay)
{
	replay_settle(replay);
	return &replay->counters;
}

void replay_close(struct replay *replay)
{
	if (!replay)
		return;
	flow_table_close(&replay->table);
	free(replay);
}
