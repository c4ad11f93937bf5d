/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads what the kernel side gathered: flows that ended, flows still open, counters. */
#include "reader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/claim.h"
#include "abi/counters.h"
#include "abi/event.h"
#include "clock.h"
#include "core/expire.h"
#include "core/half_open.h"
#include "outbox.h"
#include "ring.h"

/* Entries a batch starts with; it grows when one hash bucket holds more. */
#define BATCH_ENTRIES 1024u
#define BATCH_ENTRIES_MAX 65536u

/* A sweep may cost this part of the time between two of them. */
#define SWEEP_SHARE 20

/* How often entries without an owner are looked for, unless that costs more than a sweep may. */
#define ORPHANS_EVERY_NS (30 * 1000000000ull)

/* The kernel's own "not supported", which errno.h does not know. */
#define KERNEL_ENOTSUPP 524

/*
 * Who deletes: a frame that finds its flow over, or this reader. A flow is taken out here only when it
 * has been over for so long that every frame still on its way would find it over, too: so none that
 * comes back to life is lost.
 */
#define GRACE_NS 1000000000ull

struct batch {
	struct flow_key *keys;
	char *values;
	uint32_t value_bytes;
	uint32_t room;
	uint32_t count;
};

/* What a listing keeps of a connection until its turn comes. */
struct listed {
	uint64_t start_ns;
	struct flow_key key;
	bool is_half_open;
	bool is_shown;
};

struct list {
	struct listed *entries;
	size_t count;
	size_t room;
};

struct reader {
	struct ring *events;
	struct outbox *outbox;
	int flows_fd;
	int half_open_fd;
	int holes_fd;
	int histograms_fd;
	int rares_fd;
	int counters_fd;
	int claims_fd;
	int transits_fd;
	int outbox_fd;
	struct monitor_config config;
	struct reader_output output;
	struct batch flows;
	struct batch half_open;
	struct half_open_work work;
	bool takes_in_one; /* LOOKUP_AND_DELETE of hash maps: Linux 5.14 and newer */
	uint64_t swept_ns; /* when the last sweep ended, and what it cost */
	uint64_t sweep_cost_ns;
	uint64_t orphans_dropped_ns; /* when this was last looked after, and what it cost */
	uint64_t orphans_cost_ns;
	uint64_t lines;      /* shown since the last delivery; intervals apart */
	uint64_t secondaries; /* left meanwhile, and count at another interface */
	uint64_t ring_flows; /* of them flows that the ring buffer told of */
	uint64_t lines_rescued; /* of them taken by a reader that was killed */
	uint64_t half_open_forgotten;
	const struct attach *attach;
	bool is_kept; /* the maps outlive this reader */
	bool only_looks; /* another one reads them */
	uint32_t asked_ifindex; /* whether this one is kept, too; most flows follow one of their own kind */
	bool asked_is_kept;
	bool is_behind; /* the output takes nothing at the moment: what was shown waits */
	uint64_t left; /* flows that go on without this reader */
	bool has_begun; /* what a killed reader left has been looked after */
};

/* value is a struct flow or a struct half_open, as the map has it. 0, or -errno to stop the walk. */
typedef int (*walk_fn)(struct reader *reader, const struct flow_key *key, const void *value,
		       void *context);

static int begin(struct reader *reader);

/* Batches */

static int batch_resize(struct batch *batch, uint32_t room)
{
	struct flow_key *keys = reallocarray(batch->keys, room, sizeof(*keys));
	char *values;

	if (!keys)
		return -ENOMEM;
	batch->keys = keys;
	values = reallocarray(batch->values, room, batch->value_bytes);
	if (!values)
		return -ENOMEM;
	batch->values = values;
	batch->room = room;
	return 0;
}

static void batch_free(struct batch *batch)
{
	free(batch->keys);
	free(batch->values);
}

/*
 * Fills the batch from where `position` says, in the kernel's order: whole hash buckets, each copied
 * under its lock, and a bucket that does not fit comes first in the next batch. An entry never moves to
 * another bucket, so what is there all the time comes exactly once, whatever happens around it. 1: more
 * follow; 0: these are the last; -errno. Every kernel with a ring buffer has batch lookups.
 */
static int batch_fill(struct batch *batch, int map_fd, uint32_t *position, bool is_first)
{
	for (;;) {
		uint32_t next = 0;
		int err;

		batch->count = batch->room;
		err = bpf_map_lookup_batch(map_fd, is_first ? NULL : position, &next, batch->keys,
					   batch->values, &batch->count, NULL);
		if (!err) {
			*position = next;
			return 1;
		}
		if (err == -ENOENT)
			return 0;
		if (err != -ENOSPC || batch->room >= BATCH_ENTRIES_MAX)
			return err;
		err = batch_resize(batch, batch->room * 2);
		if (err)
			return err;
	}
}

static int walk_map(struct reader *reader, int map_fd, struct batch *batch, walk_fn visit,
		    void *context)
{
	uint32_t position = 0;
	bool is_first = true;
	int more, err;

	do {
		more = batch_fill(batch, map_fd, &position, is_first);
		if (more < 0)
			return more;
		is_first = false;
		for (uint32_t i = 0; i < batch->count; i++) {
			err = visit(reader, &batch->keys[i],
				    batch->values + (size_t)i * batch->value_bytes, context);
			if (err)
				return err;
		}
	} while (more);
	return 0;
}

static int walk_flows(struct reader *reader, walk_fn visit, void *context)
{
	return walk_map(reader, reader->flows_fd, &reader->flows, visit, context);
}

static int walk_half_open(struct reader *reader, walk_fn visit, void *context)
{
	return walk_map(reader, reader->half_open_fd, &reader->half_open, visit, context);
}

/* Single flows */

/* Of a flow of the table. */
static void load_rares(struct reader *reader, const struct flow_key *key, struct flow_whole *whole)
{
	for (uint32_t direction = 0; direction < 2; direction++) {
		struct holes_key side_key = {.flow = *key, .direction = direction};
		struct rare *rare = &whole->rare[direction];

		if (!(whole->flow.side[direction].bits & SIDE_RARE) ||
		    bpf_map_lookup_elem(reader->rares_fd, &side_key, rare))
			*rare = (struct rare){};
	}
}

static void settle(struct reader *reader, const struct flow_key *key, struct flow_whole *whole)
{
	for (uint32_t direction = 0; direction < 2; direction++) {
		struct holes_key side_key = {.flow = *key, .direction = direction};
		uint32_t bits = whole->flow.side[direction].bits;
		bool has_holes = bits & SIDE_HOLES, has_histogram = bits & SIDE_HISTOGRAM;
		struct histogram histogram;
		struct holes holes;

		has_holes = has_holes && !bpf_map_lookup_elem(reader->holes_fd, &side_key, &holes);
		has_histogram = has_histogram && !bpf_map_lookup_elem(reader->histograms_fd,
								      &side_key, &histogram);
		flow_settle(whole, direction, has_holes ? &holes : NULL,
			    has_histogram ? &histogram : NULL);
	}
}

/* What a flow that left owned beside its entry. */
static void drop_owned(struct reader *reader, const struct flow_key *key, const struct flow *flow)
{
	for (uint32_t direction = 0; direction < 2; direction++) {
		struct holes_key side_key = {.flow = *key, .direction = direction};

		if (flow->side[direction].bits & SIDE_HOLES)
			bpf_map_delete_elem(reader->holes_fd, &side_key);
		if (flow->side[direction].bits & SIDE_HISTOGRAM)
			bpf_map_delete_elem(reader->histograms_fd, &side_key);
		if (flow->side[direction].bits & SIDE_RARE)
			bpf_map_delete_elem(reader->rares_fd, &side_key);
	}
}

static void show_flow(struct reader *reader, const struct flow_key *key, struct flow_whole *whole,
		      uint8_t close)
{
	whole->flow.close = close;
	if (whole->flow.secondary) {
		reader->secondaries++;
	} else {
		reader->output.on_flow(reader->output.context, key, whole);
		reader->lines++;
	}
}

void reader_transit(const struct reader *reader, const struct flow_key *key, bool is_leaving,
		    struct transit ret_transit[2])
{
	for (uint32_t direction = 0; direction < 2; direction++) {
		struct holes_key side_key = {.flow = *key, .direction = direction};

		ret_transit[direction] = (struct transit){};
		side_key.flow.ifindex = 0;
		if (!reader->config.transit ||
		    bpf_map_lookup_elem(reader->transits_fd, &side_key, &ret_transit[direction]))
			continue;
		if (is_leaving && !reader->only_looks)
			bpf_map_delete_elem(reader->transits_fd, &side_key);
	}
}

size_t reader_also(const struct reader *reader, const struct flow_key *key, const struct flow *flow,
		   uint32_t *ret_ifindexes, size_t room)
{
	const struct side *opener = &flow->side[flow->opener & 1];
	struct flow_key tuple = *key;
	struct claim claim;
	size_t count = 0;

	if (!reader->config.several)
		return 0;
	tuple.ifindex = 0;
	if (bpf_map_lookup_elem(reader->claims_fd, &tuple, &claim) ||
	    claim.ifindex != key->ifindex)
		return 0;
	/* Of the next connection of this tuple already. */
	if (claim.has_opener_seq && (opener->bits & SIDE_ISN) &&
	    claim.opener_seq != opener->first_seq)
		return 0;
	while (count < CLAIM_ALSO_MAX && claim.also[count]) {
		if (count < room)
			ret_ifindexes[count] = claim.also[count];
		count++;
	}
	return count + claim.also_dropped;
}

/* Takes the value out as it is at the very end. -ENOENT: the kernel side was faster. */
static int take(struct reader *reader, int map_fd, const struct flow_key *key, void *ret_value)
{
	int err;

	if (reader->takes_in_one) {
		err = bpf_map_lookup_and_delete_elem(map_fd, key, ret_value);
		if (err != -EINVAL && err != -EOPNOTSUPP && err != -KERNEL_ENOTSUPP)
			return err;
		reader->takes_in_one = false;
	}
	err = bpf_map_lookup_elem(map_fd, key, ret_value);
	return err ? err : bpf_map_delete_elem(map_fd, key);
}

/* Delivering: see abi/outbox.h. Flows stay in their slots until their lines are written. */

/* What is on its way now, and where to. */
static void announce(struct reader *reader)
{
	const struct reader_output *output = &reader->output;
	struct outbox_totals next = outbox_next(reader->outbox, reader->lines, reader->ring_flows,
						ring_position(reader->events));
	struct outbox_place place = {};

	next.secondaries += reader->secondaries;
	next.lines_rescued += reader->lines_rescued;
	output->place(output->context, &place);
	outbox_begin(reader->outbox, &place, &next);
}

static int deliver(struct reader *reader)
{
	struct outbox *outbox = reader->outbox;
	int err;

	if (!reader->is_behind)
		announce(reader);
	err = reader->output.flush(reader->output.context);
	reader->is_behind = err == -EAGAIN;
	if (err && (reader->is_kept || reader->is_behind))
		return err; /* a full disk: it is tried again, if not by us then by the next reader */
	outbox_written(outbox);
	ring_let_go(reader->events, outbox->next.ring_position);
	outbox_end(outbox);
	reader->lines = 0;
	reader->secondaries = 0;
	reader->ring_flows = 0;
	reader->lines_rescued = 0;
	return 0;
}

/* While something waits nothing more is taken: it is safer in the kernel's tables than here. */
static int catch_up(struct reader *reader)
{
	return reader->is_behind ? deliver(reader) : 0;
}

/* Settles the flow in the slot; what it owned beside its entry goes once that is safe in the slot. */
static void settle_slot(struct reader *reader, struct outbox_slot *slot)
{
	struct flow_whole whole = slot->taken;

	if (!slot->is_half_open) /* which owns nothing but what is with it */
		settle(reader, &slot->key, &whole);
	whole.flow.close = slot->close;
	slot->settled = whole;
	outbox_slot_is(slot, SLOT_SETTLED);
	if (!slot->is_half_open)
		drop_owned(reader, &slot->key, &whole.flow);
}

static void show_slot(struct reader *reader, struct outbox_slot *slot)
{
	struct flow_whole whole = slot->settled;
	uint64_t lines = reader->lines;

	show_flow(reader, &slot->key, &whole, slot->close);
	slot->is_shown = reader->lines > lines;
}

/* NULL and *ret_err: every place is taken, and what is there cannot be delivered. */
static struct outbox_slot *open_slot(struct reader *reader, const struct flow_key *key,
				     bool is_half_open, int *ret_err)
{
	struct outbox_slot *slot = outbox_slot(reader->outbox);

	*ret_err = 0;
	if (!slot) {
		*ret_err = deliver(reader);
		slot = outbox_slot(reader->outbox);
		if (!slot)
			return NULL;
	}
	slot->is_half_open = is_half_open;
	slot->is_shown = 0;
	slot->is_counted = 0;
	slot->key = *key;
	slot->taken.flow.start_ns = 0;
	slot->entry.start_ns = 0;
	outbox_slot_is(slot, SLOT_TAKING);
	return slot;
}

/* In its pair of labels. Before it is settled: what a killed reader did not count, the next one does. */
static void count_slot(struct reader *reader, struct outbox_slot *slot)
{
	if (!slot->is_half_open)
		load_rares(reader, &slot->key, &slot->taken);
	if (slot->is_counted)
		return;
	slot->taken.flow.close = slot->close;
	if (reader->output.on_taken)
		reader->output.on_taken(reader->output.context, &slot->key, &slot->taken);
	__atomic_store_n(&slot->is_counted, 1, __ATOMIC_RELEASE);
}

static void show_taken(struct reader *reader, struct outbox_slot *slot,
		       uint8_t (*close)(const struct flow *flow))
{
	slot->close = close(&slot->taken.flow);
	outbox_slot_is(slot, SLOT_TAKEN);
	count_slot(reader, slot);
	settle_slot(reader, slot);
	show_slot(reader, slot);
}

static int end_flow(struct reader *reader, const struct flow_key *key,
		    uint8_t (*close)(const struct flow *flow))
{
	struct outbox_slot *slot;
	int err;

	slot = open_slot(reader, key, false, &err);
	if (!slot)
		return err;
	err = take(reader, reader->flows_fd, key, &slot->taken.flow);
	if (err) {
		outbox_slot_is(slot, SLOT_FREE);
		return err == -ENOENT ? 0 : err;
	}
	show_taken(reader, slot, close);
	return 0;
}

static const struct flow_whole *expand(struct reader *reader, const struct flow_key *key)
{
	reader->work.key = *key;
	half_open_expand(&reader->work);
	return &reader->work.whole;
}

static void expand_slot(struct reader *reader, struct outbox_slot *slot)
{
	reader->work.entry = slot->entry;
	slot->taken = *expand(reader, &slot->key);
}

/* The record of a refused flow left when it was refused. */
static int end_half_open(struct reader *reader, const struct flow_key *key,
			 uint8_t (*close)(const struct flow *flow))
{
	struct outbox_slot *slot;
	int err;

	slot = open_slot(reader, key, true, &err);
	if (!slot)
		return err;
	err = take(reader, reader->half_open_fd, key, &slot->entry);
	if (err || slot->entry.kind == HALF_OPEN_REFUSED) {
		outbox_slot_is(slot, SLOT_FREE);
		return err == -ENOENT ? 0 : err;
	}
	expand_slot(reader, slot);
	show_taken(reader, slot, close);
	return 0;
}

static uint8_t close_over(const struct flow *flow)
{
	return flow_close_reason(flow);
}

/* The watching ends, the connection goes on. */
static uint8_t close_finish(const struct flow *flow)
{
	return flow_is_closed(flow) ? flow_close_reason(flow) : (uint8_t)CLOSE_OPEN;
}

/* Sweeps */

static int end_flow_if_over(struct reader *reader, const struct flow_key *key, const void *value,
			    void *context)
{
	uint64_t now_ns = *(const uint64_t *)context;
	struct flow current;

	if (!flow_is_over(value, &reader->config, now_ns))
		return 0;
	/* The batch is some milliseconds old: it may have woken up, or another have taken its
	 * place. */
	if (bpf_map_lookup_elem(reader->flows_fd, key, &current) ||
	    !flow_is_over(&current, &reader->config, now_ns))
		return 0;
	return end_flow(reader, key, close_over);
}

static int end_half_open_if_over(struct reader *reader, const struct flow_key *key,
				 const void *value, void *context)
{
	uint64_t now_ns = *(const uint64_t *)context;
	struct half_open current;

	if (!half_open_is_over(value, &reader->config, now_ns))
		return 0;
	if (bpf_map_lookup_elem(reader->half_open_fd, key, &current) ||
	    !half_open_is_over(&current, &reader->config, now_ns))
		return 0;
	return end_half_open(reader, key, close_over);
}

static int sweep(struct reader *reader, uint64_t now_ns)
{
	int err = walk_half_open(reader, end_half_open_if_over, &now_ns);

	return err ? err : walk_flows(reader, end_flow_if_over, &now_ns);
}

/* Two CPUs that end and open a flow at once may leave entries beside it behind: they go when nobody owns them. */
static void drop_orphans(struct reader *reader, int map_fd)
{
	struct holes_key key, next;
	bool has_key = false, is_orphan = false;
	struct flow flow;

	/* Deleted one step late: from a key that is gone the walk would begin anew. */
	while (!bpf_map_get_next_key(map_fd, has_key ? &key : NULL, &next)) {
		if (is_orphan)
			bpf_map_delete_elem(map_fd, &key);
		is_orphan = bpf_map_lookup_elem(reader->flows_fd, &next.flow, &flow) != 0;
		key = next;
		has_key = true;
	}
	if (is_orphan)
		bpf_map_delete_elem(map_fd, &key);
}

static void drop_all_orphans(struct reader *reader, uint64_t now_ns)
{
	uint64_t since_ns = now_ns - reader->orphans_dropped_ns, begin_ns = clock_monotonic_ns();

	if (since_ns <= ORPHANS_EVERY_NS || since_ns < SWEEP_SHARE * reader->orphans_cost_ns)
		return;
	drop_orphans(reader, reader->holes_fd);
	drop_orphans(reader, reader->rares_fd);
	reader->orphans_dropped_ns = now_ns;
	reader->orphans_cost_ns = clock_monotonic_ns() - begin_ns;
}

int reader_sweep(struct reader *reader, uint64_t now_ns)
{
	if (reader->only_looks)
		return 0;
	if (clock_monotonic_ns() - reader->swept_ns < SWEEP_SHARE * reader->sweep_cost_ns)
		return begin(reader);
	return reader_sweep_now(reader, now_ns);
}

int reader_sweep_now(struct reader *reader, uint64_t now_ns)
{
	uint64_t begin_ns = clock_monotonic_ns();
	int err;

	err = begin(reader);
	if (!err)
		err = catch_up(reader);
	if (err)
		return err;
	err = sweep(reader, now_ns - GRACE_NS);
	if (!err)
		err = deliver(reader);
	reader->swept_ns = clock_monotonic_ns();
	reader->sweep_cost_ns = reader->swept_ns - begin_ns;
	drop_all_orphans(reader, now_ns);
	return err;
}

/*
 * Listings. A connection that moves to the second room while both are walked must come once: the first
 * room is listed first, then the second is walked, and what came there is struck off the list. What is
 * left on it is still half-open, or moved behind the walk's back, or has ended and shown its record.
 */

static int list_add(struct list *list, const struct flow_key *key, uint64_t start_ns,
		    bool is_half_open)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : BATCH_ENTRIES;
		struct listed *entries = reallocarray(list->entries, room, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		list->entries = entries;
		list->room = room;
	}
	list->entries[list->count++] = (struct listed){
		.start_ns = start_ns,
		.key = *key,
		.is_half_open = is_half_open,
	};
	return 0;
}

static int list_half_open(struct reader *reader, const struct flow_key *key, const void *value,
			  void *context)
{
	const struct half_open *entry = value;

	(void)reader;
	if (entry->kind == HALF_OPEN_REFUSED)
		return 0;
	return list_add(context, key, entry->start_ns, true);
}

static int by_key(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static int by_start(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return by_key(a, b);
}

static int show_open_flow(struct reader *reader, const struct flow_key *key, const void *value,
			  void *context)
{
	struct list *half_open = context;
	struct listed wanted = {.key = *key}, *listed = NULL;
	struct flow_whole whole;

	if (half_open->count)
		listed = bsearch(&wanted, half_open->entries, half_open->count,
				 sizeof(*half_open->entries), by_key);
	if (listed)
		listed->is_shown = true;
	whole.flow = *(const struct flow *)value;
	load_rares(reader, key, &whole);
	settle(reader, key, &whole);
	show_flow(reader, key, &whole, CLOSE_OPEN);
	return 0;
}

static void show_open_half_open(struct reader *reader, const struct flow_key *key)
{
	struct flow_whole whole;

	if (!bpf_map_lookup_elem(reader->half_open_fd, key, &reader->work.entry)) {
		if (reader->work.entry.kind == HALF_OPEN_REFUSED)
			return;
		expand(reader, key);
		show_flow(reader, key, &reader->work.whole, CLOSE_OPEN);
	} else if (!bpf_map_lookup_elem(reader->flows_fd, key, &whole.flow)) {
		load_rares(reader, key, &whole);
		settle(reader, key, &whole);
		show_flow(reader, key, &whole, CLOSE_OPEN);
	}
}

int reader_interval(struct reader *reader)
{
	struct list half_open = {};
	int err = reader->only_looks ? 0 : catch_up(reader);

	if (err)
		return err;
	err = walk_half_open(reader, list_half_open, &half_open);
	if (!err && half_open.count)
		qsort(half_open.entries, half_open.count, sizeof(*half_open.entries), by_key);
	if (!err)
		err = walk_flows(reader, show_open_flow, &half_open);
	for (size_t i = 0; i < half_open.count && !err; i++) {
		if (!half_open.entries[i].is_shown)
			show_open_half_open(reader, &half_open.entries[i].key);
	}
	free(half_open.entries);
	/* Of flows that go on: whoever comes next shows them anew. */
	reader->lines = 0;
	reader->secondaries = 0;
	return err;
}

struct gone {
	const uint32_t *ifindexes; /* sorted */
	size_t count;
};

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool is_gone(const struct gone *gone, const struct flow_key *key)
{
	uint32_t ifindex = key->ifindex;

	return bsearch(&ifindex, gone->ifindexes, gone->count, sizeof(ifindex), by_number);
}

static int end_flow_if_gone(struct reader *reader, const struct flow_key *key, const void *value,
			    void *context)
{
	(void)value;
	return is_gone(context, key) ? end_flow(reader, key, close_finish) : 0;
}

static int end_half_open_if_gone(struct reader *reader, const struct flow_key *key,
				 const void *value, void *context)
{
	(void)value;
	return is_gone(context, key) ? end_half_open(reader, key, close_finish) : 0;
}

int reader_leave(struct reader *reader, const uint32_t *ifindexes, size_t count)
{
	uint32_t *sorted;
	int err;

	if (!count || reader->only_looks)
		return 0;
	err = catch_up(reader);
	if (err)
		return err;
	sorted = malloc(count * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, ifindexes, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_number);
	err = walk_half_open(reader, end_half_open_if_gone, &(struct gone){sorted, count});
	if (!err)
		err = walk_flows(reader, end_flow_if_gone, &(struct gone){sorted, count});
	free(sorted);
	return err ? err : deliver(reader);
}

static bool goes_on(struct reader *reader, const struct flow_key *key)
{
	if (!reader->is_kept)
		return false;
	if (reader->asked_ifindex != key->ifindex) {
		reader->asked_ifindex = key->ifindex;
		reader->asked_is_kept = attach_is_kept(reader->attach, key->ifindex);
	}
	return reader->asked_is_kept;
}

uint64_t reader_left(const struct reader *reader)
{
	return reader->left;
}

static int list_flow(struct reader *reader, const struct flow_key *key, const void *value,
		     void *context)
{
	const struct flow *flow = value;

	(void)reader;
	return list_add(context, key, flow->start_ns, false);
}

/* As they are now; who reads them may take them out meanwhile. */
static void show_listed(struct reader *reader, const struct listed *listed)
{
	struct flow_whole whole;

	if (listed->is_half_open) {
		show_open_half_open(reader, &listed->key);
	} else if (!bpf_map_lookup_elem(reader->flows_fd, &listed->key, &whole.flow)) {
		load_rares(reader, &listed->key, &whole);
		settle(reader, &listed->key, &whole);
		show_flow(reader, &listed->key, &whole, close_finish(&whole.flow));
	}
}

/* Nothing moves any more: in the order of their starts. */
int reader_finish(struct reader *reader, uint64_t now_ns)
{
	struct list list = {};
	int err;

	(void)now_ns;
	err = reader_poll(reader);
	if (!err)
		err = walk_half_open(reader, list_half_open, &list);
	if (!err)
		err = walk_flows(reader, list_flow, &list);
	if (!err && list.count)
		qsort(list.entries, list.count, sizeof(*list.entries), by_start);
	for (size_t i = 0; i < list.count && !err; i++) {
		const struct listed *listed = &list.entries[i];

		if (reader->only_looks) {
			show_listed(reader, listed);
			continue;
		}
		if (goes_on(reader, &listed->key)) {
			reader->left++;
			continue;
		}
		err = listed->is_half_open ? end_half_open(reader, &listed->key, close_finish)
					   : end_flow(reader, &listed->key, close_finish);
	}
	free(list.entries);
	return err || reader->only_looks ? err : deliver(reader);
}

/* Events */

static bool is_flow_event(const void *data, size_t size)
{
	return size >= sizeof(struct flow_event) && *(const uint32_t *)data == EVENT_FLOW_CLOSED;
}

static void show_flow_event(struct reader *reader, const struct flow_event *event)
{
	struct flow_whole whole = event->whole;

	reader->ring_flows++;
	show_flow(reader, &event->key, &whole, whole.flow.close);
}

static void show_event(struct reader *reader, const void *data, size_t size)
{
	if (is_flow_event(data, size)) {
		show_flow_event(reader, data);
	} else if (size >= sizeof(struct segment_event) && reader->output.on_event) {
		reader->output.on_event(reader->output.context, data);
		reader->lines++;
	}
}

/* Records come without a wake-up, so there is nothing to wait for: whoever calls has the timer. */
static int read_ring(struct reader *reader)
{
	bool is_new = false;
	const void *data;
	size_t size;
	int err;

	while ((data = ring_next(reader->events, &size))) {
		show_event(reader, data, size);
		is_new = true;
		if (reader->lines < OUTBOX_SLOTS)
			continue;
		err = deliver(reader);
		if (err)
			return err;
		is_new = false;
	}
	return is_new ? deliver(reader) : 0;
}

/* What a killed reader left behind */

/* Out of its table and into the slot goes in one step only from Linux 5.14 on. */
static bool slot_is_taken(const struct reader *reader, const struct outbox_slot *slot)
{
	const struct half_open *taken = &slot->entry;
	struct half_open entry;
	struct flow flow;

	if (slot->state != SLOT_TAKING)
		return slot->state != SLOT_FREE;
	if (slot->is_half_open)
		return taken->start_ns && taken->kind != HALF_OPEN_REFUSED &&
		       (bpf_map_lookup_elem(reader->half_open_fd, &slot->key, &entry) ||
			entry.start_ns != taken->start_ns);
	return slot->taken.flow.start_ns && (bpf_map_lookup_elem(reader->flows_fd, &slot->key, &flow) ||
				       flow.start_ns != slot->taken.flow.start_ns);
}

static void skip_flow(void *context, const struct flow_key *key, const struct flow_whole *whole)
{
	(void)context;
	(void)key;
	(void)whole;
}

static void skip_segment(void *context, const struct segment_event *event)
{
	(void)context;
	(void)event;
}

/* These were written: they make no line again. */
static void skip_slots(struct outbox *outbox, uint64_t lines)
{
	for (size_t i = 0; i < OUTBOX_SLOTS && lines; i++) {
		struct outbox_slot *slot = &outbox->slot[i];

		if (slot->state == SLOT_FREE)
			continue;
		lines -= slot->is_shown;
		outbox->now.lines += slot->is_shown;
		outbox->now.secondaries += slot->settled.flow.secondary;
		outbox->now.flows++;
		outbox->now.half_open_taken += slot->is_half_open;
		outbox_slot_is(slot, SLOT_FREE);
	}
}

static void skip_events(struct reader *reader, uint64_t lines)
{
	const struct reader_output output = reader->output;
	const void *data;
	size_t size;

	reader->output.on_flow = skip_flow;
	reader->output.on_event = output.on_event ? skip_segment : NULL;
	while (reader->lines < lines && (data = ring_next(reader->events, &size)))
		show_event(reader, data, size);
	reader->output = output;
	reader->outbox->now.lines += reader->lines;
	reader->outbox->now.flows += reader->ring_flows;
	reader->outbox->now.secondaries += reader->secondaries;
	reader->lines = 0;
	reader->secondaries = 0;
	reader->ring_flows = 0;
	ring_let_go(reader->events, ring_position(reader->events));
}

static bool has_slots(const struct outbox *outbox)
{
	for (size_t i = 0; i < OUTBOX_SLOTS; i++)
		if (outbox->slot[i].state != SLOT_FREE)
			return true;
	return false;
}

/* Which lines went out, and what follows from that. */
static void resolve(struct reader *reader)
{
	struct outbox *outbox = reader->outbox;
	uint64_t lines, all = outbox->next.lines - outbox->now.lines;
	int err;

	if (outbox->stage == OUTBOX_GATHERING)
		return;
	err = outbox_lines_written(outbox, &lines);
	if (err) { /* once is better than twice, and said is better than silent */
		outbox->next.lines_unsure = outbox->now.lines_unsure + all;
		lines = all;
	}
	if (lines == all) {
		outbox_written(outbox);
		ring_let_go(reader->events, outbox->next.ring_position);
		outbox_end(outbox);
		ring_rewind(reader->events);
		return;
	}
	if (has_slots(outbox))
		skip_slots(outbox, lines);
	else
		skip_events(reader, lines);
	outbox_gather(outbox);
}

/* Slots in their order: it is the order in which their lines were written. */
static void show_left_slots(struct reader *reader)
{
	for (size_t i = 0; i < OUTBOX_SLOTS; i++) {
		struct outbox_slot *slot = &reader->outbox->slot[i];

		if (!slot_is_taken(reader, slot)) {
			outbox_slot_is(slot, SLOT_FREE);
			continue;
		}
		if (slot->state == SLOT_TAKING && slot->is_half_open)
			expand_slot(reader, slot);
		if (slot->state == SLOT_TAKING) {
			slot->close = close_over(&slot->taken.flow);
			outbox_slot_is(slot, SLOT_TAKEN);
		}
		if (slot->state == SLOT_TAKEN) {
			count_slot(reader, slot);
			settle_slot(reader, slot);
		} else if (!slot->is_half_open) {
			drop_owned(reader, &slot->key, &slot->settled.flow);
		}
		show_slot(reader, slot);
	}
}

/* Before the first look of this reader. */
static int begin(struct reader *reader)
{
	struct outbox *outbox = reader->outbox;

	if (reader->has_begun)
		return 0;
	reader->has_begun = true;
	resolve(reader);
	if (!has_slots(outbox))
		return 0;
	show_left_slots(reader);
	reader->lines_rescued = reader->lines;
	return deliver(reader);
}

int reader_poll(struct reader *reader)
{
	int err;

	if (reader->only_looks)
		return 0;
	err = begin(reader);
	if (!err)
		err = catch_up(reader);
	return err ? err : read_ring(reader);
}

/* Counters */

static int add_cpus(const struct reader *reader, struct summary *summary)
{
	int cpus = libbpf_num_possible_cpus();
	struct door_counters *by_cpu;

	if (cpus < 0)
		return cpus;
	by_cpu = calloc(cpus, sizeof(*by_cpu));
	if (!by_cpu)
		return -ENOMEM;
	for (uint32_t door = 0; door < DOOR_COUNT; door++) {
		if (bpf_map_lookup_elem(reader->counters_fd, &door, by_cpu))
			continue;
		for (int cpu = 0; cpu < cpus; cpu++)
			for (int i = 0; i < COUNTER_COUNT; i++)
				summary->doors[door].value[i] += by_cpu[cpu].value[i];
	}
	free(by_cpu);
	return 0;
}

static uint64_t sum_doors(const struct summary *summary, enum counter counter)
{
	uint64_t sum = 0;

	for (int door = 0; door < DOOR_COUNT; door++)
		sum += summary->doors[door].value[counter];
	return sum;
}

static int count_half_open(struct reader *reader, const struct flow_key *key, const void *value,
			   void *context)
{
	const struct half_open *entry = value;

	(void)reader;
	(void)key;
	*(uint64_t *)context += entry->kind != HALF_OPEN_REFUSED;
	return 0;
}

/*
 * The LRU map does not tell what it forgot: it is what came in and is nowhere else. What came in is read
 * first, then the room is walked, then what left is read: so what moves meanwhile is never taken for
 * forgotten, the count is exact when all is still, and it never falls.
 */
static void add_forgotten(struct reader *reader, struct summary *ret_summary)
{
	struct summary before = {}, after = *ret_summary;
	uint64_t known = 0, opened;

	if (add_cpus(reader, &before) || walk_half_open(reader, count_half_open, &known) ||
	    add_cpus(reader, &after))
		return;
	opened = sum_doors(&before, COUNTER_flows_opened);
	known += reader->outbox->now.half_open_taken + outbox_half_open(reader->outbox) +
		 sum_doors(&after, COUNTER_flows_promoted) +
		 sum_doors(&after, COUNTER_flows_early) + sum_doors(&after, COUNTER_flows_refused) +
		 sum_doors(&after, COUNTER_half_open_ended);
	if (opened > known && opened - known > reader->half_open_forgotten)
		reader->half_open_forgotten = opened - known;
	*ret_summary = after;
	ret_summary->half_open_forgotten = reader->half_open_forgotten;
}

static int count_any(struct reader *reader, const struct flow_key *key, const void *value, void *context)
{
	(void)reader;
	(void)key;
	(void)value;
	++*(uint64_t *)context;
	return 0;
}

void reader_flows(struct reader *reader, uint64_t *ret_flows, uint64_t *ret_half_open)
{
	struct batch flows = {.value_bytes = sizeof(struct flow)};
	struct batch half_open = {.value_bytes = sizeof(struct half_open)};

	*ret_flows = *ret_half_open = 0;
	if (!batch_resize(&flows, BATCH_ENTRIES))
		walk_map(reader, reader->flows_fd, &flows, count_any, ret_flows);
	if (!batch_resize(&half_open, BATCH_ENTRIES))
		walk_map(reader, reader->half_open_fd, &half_open, count_any, ret_half_open);
	batch_free(&flows);
	batch_free(&half_open);
}

/* A copy: memory that is shared with the one who reads takes the right to write. */
static int look_at_outbox(struct reader *reader)
{
	__u32 zero = 0;

	if (!reader->outbox)
		reader->outbox = malloc(sizeof(*reader->outbox));
	return reader->outbox ? bpf_map_lookup_elem(reader->outbox_fd, &zero, reader->outbox) : -ENOMEM;
}

static struct summary outbox_summary(struct reader *reader)
{
	if (reader->only_looks)
		look_at_outbox(reader);
	return (struct summary){
		.flows = reader->outbox->now.flows - reader->outbox->now.secondaries,
		.secondaries = reader->outbox->now.secondaries,
		.lines_unsure = reader->outbox->now.lines_unsure,
	};
}

void reader_counters(struct reader *reader, struct summary *ret_summary)
{
	*ret_summary = outbox_summary(reader);
	add_forgotten(reader, ret_summary);
}

void reader_glance(struct reader *reader, struct summary *ret_summary)
{
	*ret_summary = outbox_summary(reader);
	add_cpus(reader, ret_summary);
}

/* Opening and closing */

static int map_fd(const struct attach *attach, const char *name)
{
	const struct bpf_map *map = attach_map(attach, name);

	return map ? bpf_map__fd(map) : -ENOENT;
}

static int open_rings(struct reader *reader, const struct attach *attach)
{
	const struct bpf_map *events = attach_map(attach, "events");
	int outbox_fd = map_fd(attach, "outbox");
	int err;

	reader->outbox_fd = outbox_fd;
	if (!events || bpf_map__fd(events) < 0 || outbox_fd < 0)
		return -EBADF;
	if (reader->only_looks) /* what is in the ring buffer is for one reader */
		return look_at_outbox(reader);
	err = outbox_map(&reader->outbox, outbox_fd);
	if (err)
		return err;
	if (reader->is_kept) /* whoever is refused because of us wants to know whom to ask */
		reader->outbox->reader_pid = (uint32_t)getpid();
	return ring_open(&reader->events, bpf_map__fd(events), bpf_map__max_entries(events));
}

int reader_open(struct reader **ret_reader, struct attach *attach,
		const struct monitor_config *config, const struct reader_output *output)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	int err;

	if (!reader)
		return -ENOMEM;
	reader->attach = attach;
	reader->is_kept = attach_has_kept(attach);
	reader->only_looks = attach_only_looks(attach);
	reader->config = *config;
	reader->output = *output;
	reader->takes_in_one = true;
	reader->flows_fd = map_fd(attach, "flows");
	reader->half_open_fd = map_fd(attach, "half_open");
	reader->holes_fd = map_fd(attach, "holes");
	reader->histograms_fd = map_fd(attach, "histograms");
	reader->rares_fd = map_fd(attach, "rares");
	reader->counters_fd = map_fd(attach, "counters");
	reader->claims_fd = map_fd(attach, "claims");
	reader->transits_fd = map_fd(attach, "transits");
	err = -EBADF;
	if (reader->flows_fd < 0 || reader->half_open_fd < 0 || reader->holes_fd < 0 ||
	    reader->histograms_fd < 0 || reader->rares_fd < 0 || reader->counters_fd < 0 || reader->claims_fd < 0)
		goto out;
	reader->flows.value_bytes = sizeof(struct flow);
	reader->half_open.value_bytes = sizeof(struct half_open);
	err = batch_resize(&reader->flows, BATCH_ENTRIES);
	if (!err)
		err = batch_resize(&reader->half_open, BATCH_ENTRIES);
	if (!err)
		err = open_rings(reader, attach);
out:
	if (err)
		reader_close(reader);
	else
		*ret_reader = reader;
	return err;
}

void reader_close(struct reader *reader)
{
	if (!reader)
		return;
	ring_close(reader->events);
	if (reader->only_looks)
		free(reader->outbox);
	else
		outbox_unmap(reader->outbox);
	batch_free(&reader->flows);
	batch_free(&reader->half_open);
	free(reader);
}
