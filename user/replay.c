/* SPDX-License-Identifier: GPL-2.0-only */
/* The core, hosted by a hash table: frames in, ended flows out. No root, no kernel. */
#include "replay.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/monitor.h"
#include "flow_table.h"
#include "folded.h"
#include "labels.h"
#include "pair_store.h"

/* Many enough to hand over at one price, few enough that all that are on their way stay in the cache. */
#define BATCH_PACKETS 128u

/*
 * Packets of a batch are tracked a little later than memory is asked for what is known of their flows: with
 * a million flows a frame waits for nothing else. So many packets ahead the index is fetched, and the entry.
 */
#define INDEX_AHEAD 8u
#define ENTRY_AHEAD 4u
#define FAR_AHEAD 8u /* packets between both, when the thread that looks into frames does so */
#define FEW_LISTED 12u
#define SHOWN_AHEAD 2u /* the same for flows on their way out, each of which is read whole */

struct replay_batch {
	struct door_counters counters; /* of its frames, as far as looking into them counts them */
	uint64_t frames;               /* those the filter selected */
	uint64_t newest_ns;            /* of these */
	uint32_t count;                /* packets to track */
	bool fetches;                  /* who looks into frames asks for the memory of their flows */
	const struct table_index *flows, *half_open; /* as they were when it was begun */
	uint32_t hashes[BATCH_PACKETS]; /* of their keys */
	bool is_unusual[BATCH_PACKETS]; /* opens, closes or repairs: more of a flow is touched than by what only goes on */
	struct {
		_Alignas(64) struct packet pkt;
	} at[BATCH_PACKETS];
};

struct replay {
	struct monitor_config config;
	struct door_counters counters;
	struct flow_table flows;
	struct flow_table half_open;
	struct half_open_work work;
	uint64_t opened; /* flows so far */
	uint32_t hash;   /* of the key of the packet that is tracked */
	void *expected[ENTRY_AHEAD]; /* entries of the next packets: of their flows, as it seemed; or NULL */
	struct flow_entry *likely;   /* that of the packet that is tracked */
	struct holes holes[2];     /* by direction: those of that packet's flow, unfolded */
	struct flow_entry *unfolded; /* whose they are; NULL: nobody's */
	struct flow_entry *taken;  /* the flow that leaves, from host_take_flow() to host_close_flow() */
	bool is_unfolded[2];
	replay_flow_fn on_flow;
	replay_event_fn on_event;
	void *context;
	const struct labels *labels; /* with config.aggregate */
	struct pair_store *pairs;
	uint64_t frames_since_sweep;
	uint64_t swept_ns;
	uint64_t newest_ns; /* time of the newest frame */
};

/*
 * The core is compiled into this file with these services; whom they serve is set before it is called. Looking
 * into frames may be another thread's than tracking them, so what both need each has for itself.
 */
static struct replay *serving; /* of the thread that tracks */
static _Thread_local const struct monitor_config *configured;
static _Thread_local struct door_counters *counting;

/* ------------------------------------------------------------------ services of the hall */

static const volatile struct monitor_config *host_config(void)
{
	return configured;
}

static void host_count(__u8 door, enum counter counter)
{
	(void)door;
	counting->value[counter]++;
}

static int host_parse_hops(const struct frame *frame, struct packet *pkt, int hop)
{
	return parse_hops(frame, pkt, hop);
}

static struct flow_entry *entry_of(const struct flow *flow)
{
	return (struct flow_entry *)((char *)flow - offsetof(struct flow_entry, flow));
}

/* The hall asks for no other connection than the one of the packet it is given. */
static struct flow *host_find_flow(const struct flow_key *key)
{
	struct flow_entry *entry = serving->likely;

	if (!entry || !flow_table_is(&entry->head, key))
		entry = flow_table_find(&serving->flows, key, serving->hash);
	return entry ? &entry->flow : NULL;
}

/* The same two rooms as in the kernel, but memory grows here: neither is ever full. */
static struct flow *host_seek_flow(const struct flow_key *key)
{
	return host_find_flow(key);
}

static struct flow *host_find_entered(const struct flow_key *key, const struct flow *flow)
{
	(void)flow;
	return host_find_flow(key);
}

static enum room_answer host_enter_flow(const struct flow_key *key, struct flow *flow)
{
	struct half_open_entry *before = flow_table_find(&serving->half_open, key, serving->hash);
	struct flow_entry *entry;

	if (host_find_flow(key))
		return ROOM_KNOWN;
	entry = flow_table_insert(&serving->flows, key, serving->hash);
	if (!entry)
		return ROOM_FULL;
	entry->serial = before ? before->serial : serving->opened++;
	entry->holes[0] = entry->holes[1] = NULL;
	entry->histograms[0] = entry->histograms[1] = NULL;
	entry->rares[0] = entry->rares[1] = NULL;
	entry->flow = *flow;
	return ROOM_TAKEN;
}

static void free_beside(struct flow_entry *entry)
{
	for (int side = 0; side < 2; side++) {
		free(entry->holes[side]);
		free(entry->histograms[side]);
		free(entry->rares[side]);
	}
}

/* A copy, with what is rare about it. */
static void copy_whole(const struct flow_entry *entry, struct flow_whole *ret_whole)
{
	static const struct rare none;

	ret_whole->flow = entry->flow;
	for (int side = 0; side < 2; side++)
		ret_whole->rare[side] = entry->rares[side] ? *entry->rares[side] : none;
}

/* Nobody else is here; it goes when it is closed. */
static struct flow_whole *host_take_flow(__u8 door, const struct flow_key *key, struct flow *flow)
{
	(void)door;
	(void)key;
	serving->taken = entry_of(flow);
	copy_whole(serving->taken, &serving->work.whole);
	return &serving->work.whole;
}

static void remove_flow(struct flow_entry *entry)
{
	free_beside(entry);
	flow_table_remove(&serving->flows, entry);
	/* Whoever is expected may be this one, or in the memory that went with it. */
	memset(serving->expected, 0, sizeof(serving->expected));
	serving->likely = NULL;
}

static void host_close_flow(const struct flow_key *key, struct flow_whole *whole)
{
	(void)key;
	(void)whole;
	remove_flow(serving->taken);
	serving->taken = NULL;
}

static struct rare *host_find_rare(const struct flow *flow, __u32 direction)
{
	return entry_of(flow)->rares[direction];
}

static struct rare *host_open_rare(const struct flow *flow, __u32 direction)
{
	struct flow_entry *entry = entry_of(flow);

	if (!entry->rares[direction])
		entry->rares[direction] = calloc(1, sizeof(struct rare));
	return entry->rares[direction];
}

static struct half_open *host_find_half_open(const struct flow_key *key)
{
	struct half_open_entry *entry = flow_table_find(&serving->half_open, key, serving->hash);

	return entry ? &entry->half_open : NULL;
}

static enum room_answer host_enter_half_open(__u8 door, const struct flow_key *key,
					     const struct half_open *half_open)
{
	struct half_open_entry *entry;

	(void)door;
	if (flow_table_find(&serving->half_open, key, serving->hash))
		return ROOM_KNOWN;
	entry = flow_table_insert(&serving->half_open, key, serving->hash);
	if (!entry)
		return ROOM_FULL;
	entry->serial = serving->opened++;
	entry->half_open = *half_open;
	return ROOM_TAKEN;
}

/* The clock of a capture ends them; nobody waits. */
static void host_note_closed(const struct flow_key *key)
{
	(void)key;
}

static int host_close_half_open(const struct flow_key *key, const struct half_open *half_open)
{
	struct half_open_entry *entry = flow_table_find(&serving->half_open, key, serving->hash);

	(void)half_open;
	if (!entry)
		return -ENOENT;
	flow_table_remove(&serving->half_open, entry);
	return 0;
}

static int host_claim(const struct packet *pkt)
{
	(void)pkt;
	return 0;
}

static struct half_open_work *host_half_open_work(__u8 door)
{
	(void)door;
	return &serving->work;
}

/* A packet's flow has its holes unfolded until the packet is tracked. */
static struct holes *unfold(struct flow_entry *entry, __u32 direction)
{
	serving->unfolded = entry;
	serving->is_unfolded[direction] = true;
	return folded_holes_open(entry->holes[direction], &serving->holes[direction]);
}

static struct holes *host_find_holes(const struct flow *flow, __u32 direction)
{
	struct flow_entry *entry = entry_of(flow);

	return entry->holes[direction] ? unfold(entry, direction) : NULL;
}

static struct holes *host_open_holes(const struct flow *flow, __u32 direction)
{
	static const struct holes none;
	struct flow_entry *entry = entry_of(flow);

	if (folded_holes_keep(&entry->holes[direction], &none))
		return NULL;
	return unfold(entry, direction);
}

/* Without memory to fold them they are gone: those that are open count as given up, so the flow is approximate. */
static void lose_holes(struct flow_entry *entry, __u32 direction)
{
	struct side *side = &entry->flow.side[direction];
	struct rare *rare = host_open_rare(&entry->flow, direction);

	free(entry->holes[direction]);
	entry->holes[direction] = NULL;
	if (rare)
		rare->holes_dropped += side->holes;
	side->bits |= rare ? SIDE_RARE : SIDE_RARE_REFUSED;
	side->holes = 0;
	host_count(DOOR_CAPTURE, COUNTER_holes_refused);
}

static void fold(struct replay *replay)
{
	struct flow_entry *entry = replay->unfolded;

	for (__u32 i = 0; i < 2; i++) {
		if (replay->is_unfolded[i] &&
		    folded_holes_keep(&entry->holes[i],
				      folded_holes_lie(entry->holes[i], &replay->holes[i])))
			lose_holes(entry, i);
		replay->is_unfolded[i] = false;
	}
	replay->unfolded = NULL;
}

static int host_take_samples(struct flow *flow, __u32 direction,
			     const __u16 buckets[RTT_WAITING], int opens)
{
	struct flow_entry *entry = entry_of(flow);

	if (!entry->histograms[direction] && !opens)
		return 0;
	return folded_histogram_take(&entry->histograms[direction], buckets, RTT_WAITING) ? -1 : 1;
}

/* A capture is played under one set of labels. */
static __u8 host_label_generation(void)
{
	return 1;
}

/* A capture does not know whose sockets these were. */
static __u32 host_group(const struct flow_key *key, struct flow *flow, __u32 end)
{
	(void)flow;
	return labels_find(serving->labels, &key->addr[end], be16_to_host(key->port_be16[end]))->group;
}

static __u32 host_pair(__u32 opener_group, __u32 responder_group)
{
	return pair_store_number(serving->pairs, (struct pair_key){opener_group, responder_group});
}

static struct pair_counters *host_pair_counters(__u32 pair)
{
	return pair_store_counters(serving->pairs, pair);
}

static __u32 host_pair_chunk(__u32 pair, __u32 place)
{
	return pair_store_chunk(serving->pairs, pair, place);
}

static struct chunk *host_chunk(__u32 chunk)
{
	return pair_store_chunk_at(serving->pairs, chunk);
}

static void serve(struct replay *replay)
{
	serving = replay;
	configured = &replay->config;
	counting = &replay->counters;
}

/* The flow as the world sees it: what its holes and its histogram still say is added. */
static void show_whole(struct replay *replay, const struct flow_entry *entry, struct flow_whole *whole)
{
	struct histogram histogram;
	struct holes holes;
	__u32 i;

	for (i = 0; i < 2; i++) {
		if (entry->histograms[i])
			folded_histogram_read(entry->histograms[i], &histogram);
		flow_settle(whole, i, entry->holes[i] ? folded_holes_open(entry->holes[i], &holes) : NULL,
			    entry->histograms[i] ? &histogram : NULL);
	}
	replay->on_flow(replay->context, &entry->head.key, whole);
}

/* What a frame does to a flow it finds over, done by a sweep or the end. */
static void leave(struct replay *replay, const struct flow_key *key, struct flow_whole *whole)
{
	if (!replay->config.aggregate || whole->flow.close == CLOSE_OPEN)
		return;
	serve(replay);
	aggregate_leaving(key, whole);
}

static void show(struct replay *replay, const struct flow_entry *entry, __u8 close)
{
	struct flow_whole whole;

	copy_whole(entry, &whole);
	whole.flow.close = close;
	leave(replay, &entry->head.key, &whole);
	show_whole(replay, entry, &whole);
}

/* It is the one in the work; what never proved itself owns nothing beside that. */
static int host_post_flow(const struct flow_key *key, const struct flow_whole *whole)
{
	if (serving->taken)
		show_whole(serving, serving->taken, &serving->work.whole);
	else
		serving->on_flow(serving->context, key, whole);
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
	err = flow_table_open(&replay->flows, sizeof(struct flow_entry));
	if (!err)
		err = flow_table_open(&replay->half_open, sizeof(struct half_open_entry));
	if (err)
		replay_close(replay);
	else
		*ret_replay = replay;
	return err;
}

static void saw_frame(struct replay *replay, uint64_t frames, uint64_t newest_ns)
{
	replay->frames_since_sweep += frames;
	if (newest_ns > replay->newest_ns)
		replay->newest_ns = newest_ns;
}

static void track(struct replay *replay, struct packet *pkt, uint32_t hash)
{
	replay->hash = hash;
	monitor_packet(DOOR_CAPTURE, pkt);
	if (replay->unfolded)
		fold(replay);
}

void replay_frame(struct replay *replay, const struct frame *frame)
{
	struct packet pkt;

	serve(replay);
	saw_frame(replay, 1, frame->time_ns);
	if (!monitor_look(frame, &pkt))
		return;
	track(replay, &pkt, flow_table_hash(&pkt.key));
}

int replay_batch_open(struct replay_batch **ret_batch)
{
	struct replay_batch *batch = aligned_alloc(_Alignof(struct replay_batch), sizeof(*batch));

	if (!batch)
		return -ENOMEM;
	replay_batch_clear(batch);
	*ret_batch = batch;
	return 0;
}

void replay_batch_close(struct replay_batch *batch)
{
	free(batch);
}

void replay_batch_clear(struct replay_batch *batch)
{
	if (batch)
		memset(batch, 0, offsetof(struct replay_batch, hashes));
}

void replay_batch_begin(struct replay *replay, struct replay_batch *batch, bool fetches)
{
	configured = &replay->config;
	counting = &batch->counters;
	batch->fetches = fetches;
	batch->flows = flow_table_index(&replay->flows);
	batch->half_open = flow_table_index(&replay->half_open);
	if (!fetches)
		return;
	flow_table_make_ready(&replay->flows);
	flow_table_make_ready(&replay->half_open);
}

/* NULL: no flow is there yet. */
static inline __attribute__((always_inline)) void *fetch(const struct replay *replay, const struct replay_batch *batch,
		   const struct table_index *flows, const struct table_index *half_open, uint32_t i)
{
	void *entry = flow_table_fetch(&replay->flows, flows, batch->hashes[i], batch->is_unusual[i]);

	if (!entry)
		flow_table_fetch(&replay->half_open, half_open, batch->hashes[i], true);
	return entry;
}

/* Far ahead of tracking: into the caches that all CPUs share. */
static void fetch_far_ahead(const struct replay *replay, const struct replay_batch *batch, uint32_t i)
{
	flow_table_expect(batch->flows, batch->hashes[i]);
	flow_table_expect(batch->half_open, batch->hashes[i]);
	if (i >= FAR_AHEAD)
		fetch(replay, batch, batch->flows, batch->half_open, i - FAR_AHEAD);
}

bool replay_look(const struct replay *replay, struct replay_batch *batch, const struct frame *frame)
{
	struct packet *pkt = &batch->at[batch->count].pkt;

	batch->frames++;
	if (frame->time_ns > batch->newest_ns)
		batch->newest_ns = frame->time_ns;
	if (monitor_look(frame, pkt)) {
		batch->hashes[batch->count] = flow_table_hash(&pkt->key);
		batch->is_unusual[batch->count] = (pkt->flags & ~TCP_PSH) != TCP_ACK || pkt->sack_count;
		if (batch->fetches)
			fetch_far_ahead(replay, batch, batch->count);
		batch->count++;
	}
	return batch->count == BATCH_PACKETS;
}

bool replay_look_filtered(struct replay_batch *batch)
{
	batch->counters.value[FRAMES_SEEN]++;
	batch->counters.value[COUNTER_frames_filtered]++;
	return false;
}

static void expect(const struct replay *replay, uint32_t hash)
{
	flow_table_expect(replay->flows.index, hash);
	flow_table_expect(replay->half_open.index, hash);
}

static void expect_entry(struct replay *replay, const struct replay_batch *batch, uint32_t i)
{
	replay->expected[i % ENTRY_AHEAD] =
		i < batch->count ? fetch(replay, batch, replay->flows.index, replay->half_open.index, i) : NULL;
}

/* It may lie in the cache of the CPU that parsed it. */
static inline __attribute__((always_inline)) void fetch_packet(const struct packet *pkt)
{
	for (size_t at = 0; at < offsetof(struct packet, sack); at += 64)
		__builtin_prefetch((const char *)pkt + at, 1);
}

static void fetch_ahead(struct replay *replay, const struct replay_batch *batch, uint32_t i)
{
	replay->likely = replay->expected[i % ENTRY_AHEAD];
	if (i + INDEX_AHEAD < batch->count) {
		expect(replay, batch->hashes[i + INDEX_AHEAD]);
		fetch_packet(&batch->at[i + INDEX_AHEAD].pkt);
	}
	expect_entry(replay, batch, i + ENTRY_AHEAD);
}

void replay_track(struct replay *replay, struct replay_batch *batch)
{
	serve(replay);
	for (uint32_t i = 0; i < COUNTER_COUNT; i++)
		replay->counters.value[i] += batch->counters.value[i];
	saw_frame(replay, batch->frames, batch->newest_ns);
	for (uint32_t i = 0; i < INDEX_AHEAD && i < batch->count; i++)
		expect(replay, batch->hashes[i]);
	for (uint32_t i = 0; i < ENTRY_AHEAD; i++)
		expect_entry(replay, batch, i);
	for (uint32_t i = 0; i < batch->count; i++) {
		fetch_ahead(replay, batch, i);
		track(replay, &batch->at[i].pkt, batch->hashes[i]);
	}
	replay->likely = NULL;
	/* Batches come in order: whatever is looked into from now on has these, or newer ones. */
	flow_table_let_go(&replay->flows, batch->flows);
	flow_table_let_go(&replay->half_open, batch->half_open);
	replay_batch_clear(batch);
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
	return replay->frames_since_sweep >=
		       (uint64_t)replay->flows.carved + replay->half_open.carved &&
	       now_ns > replay->swept_ns + replay->config.closed_timeout_ns;
}

static struct flow_whole *expand(struct replay *replay, const struct half_open_entry *entry)
{
	replay->work.key = entry->head.key;
	replay->work.entry = entry->half_open;
	half_open_expand(&replay->work);
	return &replay->work.whole;
}

static void sweep_half_open(struct replay *replay, uint64_t now_ns)
{
	uint32_t i;

	for (i = 0; i < replay->half_open.carved; i++) {
		struct half_open_entry *entry = flow_table_entry(&replay->half_open, i);
		struct flow_whole *whole;

		if (!entry || !half_open_is_over(&entry->half_open, &replay->config, now_ns))
			continue;
		if (entry->half_open.kind != HALF_OPEN_REFUSED) {
			whole = expand(replay, entry);
			whole->flow.close = flow_close_reason(&whole->flow);
			leave(replay, &entry->head.key, whole);
			replay->on_flow(replay->context, &entry->head.key, whole);
		}
		flow_table_remove(&replay->half_open, entry);
	}
}

static void sweep(struct replay *replay, uint64_t now_ns)
{
	uint32_t i;

	serve(replay);
	replay->frames_since_sweep = 0;
	replay->swept_ns = now_ns;
	sweep_half_open(replay, now_ns);
	for (i = 0; i < replay->flows.carved; i++) {
		struct flow_entry *entry = flow_table_entry(&replay->flows, i);

		if (!entry || !flow_is_over(&entry->flow, &replay->config, now_ns))
			continue;
		show(replay, entry, flow_close_reason(&entry->flow));
		remove_flow(entry);
	}
}

void replay_sweep(struct replay *replay, uint64_t now_ns)
{
	if (sweep_is_due(replay, now_ns))
		sweep(replay, now_ns);
}

/* Nothing else is to be done: however few frames came, the walk may be. */
void replay_sweep_idle(struct replay *replay)
{
	if (replay->newest_ns > replay->swept_ns)
		sweep(replay, replay->newest_ns);
}

/* What a listing knows of an entry of either room; flows come before what is half-open. */
struct listed {
	uint64_t start_ns;
	uint32_t place; /* the entry's number, or what is above the flows' numbers */
};

static bool is_flow(const struct replay *replay, uint32_t place)
{
	return place < replay->flows.carved;
}

static struct flow_entry *listed_flow(const struct replay *replay, uint32_t place)
{
	return flow_table_entry(&replay->flows, place);
}

static struct half_open_entry *listed_half_open(const struct replay *replay, uint32_t place)
{
	return flow_table_entry(&replay->half_open, place - replay->flows.carved);
}

static uint64_t listed_serial(const struct replay *replay, uint32_t place)
{
	return is_flow(replay, place) ? listed_flow(replay, place)->serial
				      : listed_half_open(replay, place)->serial;
}

static inline bool starts_before(const struct replay *replay, const struct listed *x, const struct listed *y)
{
	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns;
	return listed_serial(replay, x->place) < listed_serial(replay, y->place);
}

static void sort_few(const struct replay *replay, struct listed *at, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct listed listed = at[i];
		size_t j = i;

		for (; j && starts_before(replay, &listed, &at[j - 1]); j--)
			at[j] = at[j - 1];
		at[j] = listed;
	}
}

/* The first `half` of them are in order, and those behind them; room is for the first ones. */
static void merge(const struct replay *replay, struct listed *at, size_t half, size_t count, struct listed *room)
{
	const struct listed *x = room, *x_end = room + half, *y = at + half, *y_end = at + count;

	memcpy(room, at, half * sizeof(*at));
	while (x < x_end && y < y_end)
		*at++ = starts_before(replay, y, x) ? *y++ : *x++;
	memcpy(at, x, (size_t)(x_end - x) * sizeof(*at));
}

/* By halves. Numbers of entries are nearly in the order of starts already, so that most halves need no merging. */
static void sort_by_start(const struct replay *replay, struct listed *at, size_t count, struct listed *room)
{
	size_t half = count / 2;

	if (count <= FEW_LISTED) {
		sort_few(replay, at, count);
		return;
	}
	sort_by_start(replay, at, half, room);
	sort_by_start(replay, at + half, count - half, room);
	if (starts_before(replay, &at[half], &at[half - 1]))
		merge(replay, at, half, count, room);
}

static void show_listed(struct replay *replay, uint32_t place,
			__u8 (*close)(const struct replay *replay, const struct flow *flow))
{
	struct half_open_entry *half_open;
	struct flow_entry *entry;
	struct flow_whole *whole;

	if (is_flow(replay, place)) {
		entry = listed_flow(replay, place);
		show(replay, entry, close(replay, &entry->flow));
		return;
	}
	half_open = listed_half_open(replay, place);
	whole = expand(replay, half_open);
	whole->flow.close = close(replay, &whole->flow);
	leave(replay, &half_open->head.key, whole);
	replay->on_flow(replay->context, &half_open->head.key, whole);
}

static void fetch_listed(const struct replay *replay, uint32_t place)
{
	if (is_flow(replay, place))
		flow_table_fetch_entry(&replay->flows, place);
	else
		flow_table_fetch_entry(&replay->half_open, place - replay->flows.carved);
}

/* False: there is nothing to show at this place. */
static bool list(const struct replay *replay, uint32_t place, struct listed *ret_listed)
{
	const struct half_open_entry *half_open;
	const struct flow_entry *entry;

	if (is_flow(replay, place)) {
		entry = listed_flow(replay, place);
		if (entry)
			*ret_listed = (struct listed){entry->flow.start_ns, place};
		return entry;
	}
	half_open = listed_half_open(replay, place);
	if (!half_open || half_open->half_open.kind == HALF_OPEN_REFUSED)
		return false;
	*ret_listed = (struct listed){half_open->half_open.start_ns, place};
	return true;
}

/* Shows every flow, by start; without memory to sort, in table order. */
static void show_all(struct replay *replay,
		     __u8 (*close)(const struct replay *replay, const struct flow *flow))
{
	size_t room = (size_t)replay->flows.count + replay->half_open.count + 1;
	struct listed *listing = reallocarray(NULL, room + room / 2, sizeof(*listing)), listed;
	size_t count = 0;

	for (uint32_t i = 0; i < replay->flows.carved + replay->half_open.carved; i++) {
		if (!list(replay, i, &listed))
			continue;
		if (listing)
			listing[count++] = listed;
		else
			show_listed(replay, i, close);
	}
	if (!listing)
		return;
	sort_by_start(replay, listing, count, listing + room);
	for (size_t i = 0; i < count; i++) {
		if (i + SHOWN_AHEAD < count)
			fetch_listed(replay, listing[i + SHOWN_AHEAD].place);
		show_listed(replay, listing[i].place, close);
	}
	free(listing);
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

static void close_tables(struct replay *replay)
{
	for (uint32_t i = 0; i < replay->flows.carved; i++) {
		struct flow_entry *entry = flow_table_entry(&replay->flows, i);

		if (entry)
			free_beside(entry);
	}
	flow_table_close(&replay->flows);
	flow_table_close(&replay->half_open);
}

void replay_interval(struct replay *replay)
{
	serve(replay);
	show_all(replay, close_open);
}

void replay_finish(struct replay *replay)
{
	serve(replay);
	show_all(replay, close_finish);
	close_tables(replay);
}

int replay_aggregate(struct replay *replay, const struct labels *labels, uint32_t pairs_max)
{
	int err = pair_store_open(&replay->pairs, pairs_max);

	if (err)
		return err;
	replay->labels = labels;
	replay->config.aggregate = 1;
	return 0;
}

int replay_pairs(const struct replay *replay, struct pairs *ret_pairs)
{
	return pair_store_read(replay->pairs, ret_pairs);
}

const struct door_counters *replay_counters(struct replay *replay)
{
	return &replay->counters;
}

void replay_close(struct replay *replay)
{
	if (!replay)
		return;
	close_tables(replay);
	pair_store_close(replay->pairs);
	free(replay);
}
