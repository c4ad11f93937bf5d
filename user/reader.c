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
#include "claim_map.h"
#include "clock.h"
#include "core/expire.h"
#include "core/half_open.h"
#include "core/half_open_flow.h"
#include "orphans.h"
#include "outbox.h"
#include "rare_map.h"
#include "ring.h"
#include "table.h"

/* Entries a listing starts with. */
#define LISTED_ENTRIES 1024u

/*
 * A sweep looks at all that is marked as closed, and at so many of the others, some 25 ms: the silent ones of a
 * larger table are found in turn.
 */
#define LOOKS_A_SWEEP (1u << 20)

/* How often entries without an owner are looked for; less often where that took more than a part of the time. */
#define ORPHANS_EVERY_NS (30 * 1000000000ull)
#define ORPHANS_SHARE 20

/*
 * Who deletes: a frame that finds its flow over, or this reader. A flow is taken out here only when it
 * has been over for so long that every frame still on its way would find it over, too: so none that
 * comes back to life is lost.
 */
#define GRACE_NS 1000000000ull

/* What a listing keeps of a connection until its turn comes. */
struct listed {
	uint64_t start_ns;
	struct flow_key key;
	uint32_t place;
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
	struct table flows;
	struct table half_open;
	int holes_fd;
	int histograms_fd;
	struct rare_map rares;
	int counters_fd;
	struct claim_map claims;
	int transits_fd;
	int outbox_fd;
	struct monitor_config config;
	struct reader_output output;
	struct half_open_work work;
	struct flow_whole shown; /* where the output has no room of its own */
	uint32_t flows_next; /* bucket where the next sweep goes on with what is not marked */
	uint32_t half_open_next;
	struct orphans orphans; /* seen a moment ago */
	uint64_t orphans_sought_ns; /* when this was last looked after, and what it cost */
	uint64_t orphans_cost_ns;
	uint64_t lines;      /* shown since the last delivery; intervals apart */
	uint64_t secondaries; /* left meanwhile, and count at another interface */
	uint64_t ring_flows; /* of them flows that the ring buffer told of */
	uint64_t lines_rescued; /* of them taken by a reader that was killed */
	const struct attach *attach;
	bool is_kept; /* the maps outlive this reader */
	bool only_looks; /* another one reads them */
	uint32_t asked_ifindex; /* whether this one is kept, too; most flows follow one of their own kind */
	bool asked_is_kept;
	bool is_behind; /* the output takes nothing at the moment: what was shown waits */
	uint64_t left; /* flows that go on without this reader */
	bool has_begun; /* what a killed reader left has been looked after */
};

static int begin(struct reader *reader);

/* Single flows */

static bool find_rare(struct reader *reader, const struct flow *flow, uint32_t direction, struct rare *ret_rare)
{
	struct beside_key beside;

	if (!(flow->side[direction].bits & SIDE_RARE))
		return false;
	beside = table_beside(flow, direction);
	return rare_map_find(&reader->rares, &beside, ret_rare);
}

/* Of a flow of the table. */
static void load_rares(struct reader *reader, struct flow_whole *whole)
{
	for (uint32_t direction = 0; direction < 2; direction++)
		if (!find_rare(reader, &whole->flow, direction, &whole->rare[direction]))
			whole->rare[direction] = (struct rare){};
}

static void settle_side(struct reader *reader, struct flow_whole *whole, uint32_t direction)
{
	struct beside_key beside = table_beside(&whole->flow, direction);
	uint32_t bits = whole->flow.side[direction].bits;
	bool has_holes = bits & SIDE_HOLES, has_histogram = bits & SIDE_HISTOGRAM;
	struct histogram histogram;
	struct holes holes;

	has_holes = has_holes && !bpf_map_lookup_elem(reader->holes_fd, &beside, &holes);
	has_histogram = has_histogram && !bpf_map_lookup_elem(reader->histograms_fd, &beside, &histogram);
	flow_settle(whole, direction, has_holes ? &holes : NULL, has_histogram ? &histogram : NULL);
}

/* Most sides own neither holes nor a histogram. */
static void settle(struct reader *reader, struct flow_whole *whole)
{
	for (uint32_t direction = 0; direction < 2; direction++)
		if (whole->flow.side[direction].bits & (SIDE_HOLES | SIDE_HISTOGRAM))
			settle_side(reader, whole, direction);
}

/* What a flow that left owned beside its entry. */
static void drop_owned(struct reader *reader, const struct flow *flow)
{
	for (uint32_t direction = 0; direction < 2; direction++) {
		struct beside_key beside = table_beside(flow, direction);

		if (flow->side[direction].bits & SIDE_HOLES)
			bpf_map_delete_elem(reader->holes_fd, &beside);
		if (flow->side[direction].bits & SIDE_HISTOGRAM)
			bpf_map_delete_elem(reader->histograms_fd, &beside);
		if (flow->side[direction].bits & SIDE_RARE)
			bpf_map_delete_elem(reader->rares.fd, &beside);
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
	ret_transit[0] = ret_transit[1] = (struct transit){};
	for (uint32_t direction = 0; direction < 2 && reader->config.transit; direction++) {
		struct transit_key side_key = {.flow = *key, .direction = direction};

		side_key.flow.ifindex = 0;
		if (bpf_map_lookup_elem(reader->transits_fd, &side_key, &ret_transit[direction]))
			continue;
		if (is_leaving && !reader->only_looks)
			bpf_map_delete_elem(reader->transits_fd, &side_key);
	}
}

size_t reader_also(struct reader *reader, const struct flow_key *key, const struct flow *flow,
		   uint32_t *ret_ifindexes, size_t room)
{
	const struct side *opener = &flow->side[flow->opener & 1];
	struct flow_key tuple = *key;
	struct claim claim;
	size_t count = 0;

	if (!reader->config.several)
		return 0;
	tuple.ifindex = 0;
	if (!claim_map_find(&reader->claims, &tuple, flow->start_ns, &claim) || claim.ifindex != key->ifindex)
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
	/* A full disk: it is tried again, if not by us then by the next reader. */
	reader->is_behind = err && (reader->is_kept || err == -EAGAIN);
	if (reader->is_behind)
		return err;
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
		settle(reader, &whole);
	whole.flow.close = slot->close;
	slot->settled = whole;
	outbox_slot_is(slot, SLOT_SETTLED);
	if (!slot->is_half_open)
		drop_owned(reader, &whole.flow);
}

static void show_slot(struct reader *reader, struct outbox_slot *slot)
{
	struct flow_whole whole = slot->settled;
	uint64_t lines = reader->lines;

	show_flow(reader, &slot->key, &whole, slot->close);
	slot->is_shown = reader->lines > lines;
}

/* NULL and *ret_err: every place is taken, and what is there cannot be delivered. */
static struct outbox_slot *open_slot(struct reader *reader, uint32_t place, bool is_half_open, int *ret_err)
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
	slot->place = place;
	outbox_slot_is(slot, SLOT_TAKING);
	return slot;
}

/* In its pair of labels. Before it is settled: what a killed reader did not count, the next one does. */
static void count_slot(struct reader *reader, struct outbox_slot *slot)
{
	if (!slot->is_half_open)
		load_rares(reader, &slot->taken);
	if (slot->is_counted)
		return;
	slot->taken.flow.close = slot->close;
	if (reader->output.on_taken)
		reader->output.on_taken(reader->output.context, &slot->key, &slot->taken);
	__atomic_store_n(&slot->is_counted, 1, __ATOMIC_RELEASE);
}

/* Out of the table into the slot. It stays where it is until the slot is safe. */
static void copy_flow(struct outbox_slot *slot, const struct table_head *head)
{
	slot->key = head->key;
	slot->taken.flow = ((const struct flow_place *)head)->flow;
}

static const struct flow_whole *expand(struct reader *reader, const struct flow_key *key)
{
	reader->work.key = *key;
	half_open_expand(&reader->work);
	return &reader->work.whole;
}

static void copy_half_open(struct reader *reader, struct outbox_slot *slot, const struct table_head *head)
{
	slot->key = head->key;
	slot->entry = ((const struct half_open_place *)head)->entry;
	reader->work.entry = slot->entry;
	slot->taken = *expand(reader, &slot->key);
}

static void show_taken(struct reader *reader, struct outbox_slot *slot, struct table *table,
		       const struct table_head *head, uint8_t close)
{
	slot->close = close;
	outbox_slot_is(slot, SLOT_TAKEN);
	table_release(table, head);
	count_slot(reader, slot);
	settle_slot(reader, slot);
	show_slot(reader, slot);
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

/* What a walk has found and wants to take out. */
struct wanted {
	struct flow_key key;
	uint64_t over_ns; /* it must have been over then; 0: whether it was or not */
};

static struct wanted wanted(const struct table_head *head, uint64_t over_ns)
{
	return (struct wanted){.key = head->key, .over_ns = over_ns};
}

/* Making room for it may take long: by then something else may be where it was. */
static bool is_wanted(const struct table_head *head, const struct wanted *wanted)
{
	return !memcmp(&head->key, &wanted->key, sizeof(head->key));
}

static uint8_t close_of(const struct flow *flow, const struct wanted *wanted)
{
	return wanted->over_ns ? close_over(flow) : close_finish(flow);
}

static int end_flow(struct reader *reader, const struct table_head *head, const struct wanted wanted)
{
	const struct flow *flow = &((const struct flow_place *)head)->flow;
	struct outbox_slot *slot;
	int err;

	slot = open_slot(reader, head->place, false, &err);
	if (!slot)
		return err;
	if (!table_take(&reader->flows, head)) { /* the kernel side was faster */
		outbox_slot_is(slot, SLOT_FREE);
		return 0;
	}
	if (!is_wanted(head, &wanted) ||
	    (wanted.over_ns && !flow_is_over(flow, &reader->config, wanted.over_ns))) {
		table_put_back(head);
		outbox_slot_is(slot, SLOT_FREE);
		return 0;
	}
	copy_flow(slot, head);
	show_taken(reader, slot, &reader->flows, head, close_of(&slot->taken.flow, &wanted));
	return 0;
}

/* The record of a refused flow left when it was refused. */
static int end_half_open(struct reader *reader, const struct table_head *head, const struct wanted wanted)
{
	const struct half_open *entry = &((const struct half_open_place *)head)->entry;
	struct outbox_slot *slot;
	int err;

	slot = open_slot(reader, head->place, true, &err);
	if (!slot)
		return err;
	if (!table_take(&reader->half_open, head)) {
		outbox_slot_is(slot, SLOT_FREE);
		return 0;
	}
	if (!is_wanted(head, &wanted) ||
	    (wanted.over_ns && !half_open_is_over(entry, &reader->config, wanted.over_ns))) {
		table_put_back(head);
		outbox_slot_is(slot, SLOT_FREE);
		return 0;
	}
	if (entry->kind == HALF_OPEN_REFUSED) {
		table_release(&reader->half_open, head);
		outbox_slot_is(slot, SLOT_FREE);
		return 0;
	}
	copy_half_open(reader, slot, head);
	show_taken(reader, slot, &reader->half_open, head, close_of(&slot->taken.flow, &wanted));
	return 0;
}

/* Sweeps */

/* A walk through one of the tables. */
struct sweep {
	struct reader *reader;
	uint64_t now_ns;
	uint32_t looks; /* left */
	bool is_tired;
	uint32_t tired_at; /* bucket */
};

static bool looks(struct sweep *sweep, const struct table_head *head, bool is_closed)
{
	if (is_closed)
		return true;
	if (sweep->looks) {
		sweep->looks--;
		return true;
	}
	if (!sweep->is_tired)
		sweep->tired_at = head->place / TABLE_WAYS;
	sweep->is_tired = true;
	return false;
}

static int end_flow_if_over(void *context, const struct table_head *head, bool is_closed)
{
	const struct flow *flow = &((const struct flow_place *)head)->flow;
	struct sweep *sweep = context;

	if (!looks(sweep, head, is_closed) || !table_is_live(head) ||
	    !flow_is_over(flow, &sweep->reader->config, sweep->now_ns))
		return 0;
	return end_flow(sweep->reader, head, wanted(head, sweep->now_ns));
}

static int end_half_open_if_over(void *context, const struct table_head *head, bool is_closed)
{
	const struct half_open *entry = &((const struct half_open_place *)head)->entry;
	struct sweep *sweep = context;

	if (!looks(sweep, head, is_closed) || !table_is_live(head) ||
	    !half_open_is_over(entry, &sweep->reader->config, sweep->now_ns))
		return 0;
	return end_half_open(sweep->reader, head, wanted(head, sweep->now_ns));
}

/* All of the table, from where the last one was tired. */
static int sweep_table(struct sweep sweep, struct table *table, table_visit visit, uint32_t *next)
{
	int err = table_walk(table, *next, table->buckets, visit, &sweep);

	if (!err)
		err = table_walk(table, 0, *next, visit, &sweep);
	if (sweep.is_tired)
		*next = sweep.tired_at;
	return err;
}

static int sweep(struct reader *reader, uint64_t now_ns, uint32_t looks)
{
	struct sweep sweep = {.reader = reader, .now_ns = now_ns, .looks = looks};
	int err = sweep_table(sweep, &reader->half_open, end_half_open_if_over, &reader->half_open_next);

	return err ? err : sweep_table(sweep, &reader->flows, end_flow_if_over, &reader->flows_next);
}

/* Two CPUs, of which one ends a flow, may leave entries beside it behind. */
static void look_for_orphans(struct reader *reader, uint64_t now_ns)
{
	uint64_t since_ns = now_ns - reader->orphans_sought_ns, begin_ns = clock_monotonic_ns();

	if (reader->orphans.count && since_ns > GRACE_NS)
		orphans_drop(&reader->orphans, &reader->flows);
	if (since_ns <= ORPHANS_EVERY_NS || since_ns < ORPHANS_SHARE * reader->orphans_cost_ns)
		return;
	orphans_look(&reader->orphans, &reader->flows, reader->holes_fd);
	orphans_look(&reader->orphans, &reader->flows, reader->rares.fd);
	orphans_look(&reader->orphans, &reader->flows, reader->histograms_fd);
	reader->orphans_sought_ns = now_ns;
	reader->orphans_cost_ns = clock_monotonic_ns() - begin_ns;
}

static int sweep_with(struct reader *reader, uint64_t now_ns, uint32_t looks)
{
	int err;

	if (reader->only_looks)
		return 0;
	err = begin(reader);
	if (!err)
		err = catch_up(reader);
	if (err)
		return err;
	err = sweep(reader, now_ns - GRACE_NS, looks);
	if (!err)
		err = deliver(reader);
	look_for_orphans(reader, now_ns);
	return err;
}

int reader_sweep(struct reader *reader, uint64_t now_ns)
{
	return sweep_with(reader, now_ns, LOOKS_A_SWEEP);
}

int reader_sweep_now(struct reader *reader, uint64_t now_ns)
{
	return sweep_with(reader, now_ns, UINT32_MAX);
}

/*
 * Listings. A connection that moves to the second room while both are walked must come once: the first
 * room is listed first, then the second is walked, and what came there is struck off the list. What is
 * left on it is still half-open, or moved behind the walk's back, or has ended and shown its record.
 */

static int list_add(struct list *list, const struct flow_key *key, uint64_t start_ns, uint32_t place,
		    bool is_half_open)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : LISTED_ENTRIES;
		struct listed *entries = reallocarray(list->entries, room, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		list->entries = entries;
		list->room = room;
	}
	list->entries[list->count++] = (struct listed){
		.start_ns = start_ns,
		.key = *key,
		.place = place,
		.is_half_open = is_half_open,
	};
	return 0;
}

/* A walk that makes a list, or strikes from one what it meets. */
struct listing {
	struct reader *reader;
	struct list *list;
};

static int list_half_open(void *context, const struct table_head *head, bool is_closed)
{
	struct listing *listing = context;
	struct half_open_place place;

	(void)is_closed;
	if (!table_copy(&listing->reader->half_open, head, &place) || place.entry.kind == HALF_OPEN_REFUSED)
		return 0;
	return list_add(listing->list, &place.head.key, place.entry.start_ns, place.head.place, true);
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

/* Where a flow is put that is shown and stays in the table. */
static struct flow_whole *room_for_whole(struct reader *reader)
{
	const struct reader_output *output = &reader->output;
	struct flow_whole *room = output->room ? output->room(output->context) : NULL;

	return room ? room : &reader->shown;
}

/* *whole has only the flow yet. */
static void show_open(struct reader *reader, const struct flow_key *key, struct flow_whole *whole, uint8_t close)
{
	load_rares(reader, whole);
	settle(reader, whole);
	show_flow(reader, key, whole, close);
}

static void show_place(struct reader *reader, const struct flow_place *place, uint8_t close)
{
	struct flow_whole *whole = room_for_whole(reader);

	whole->flow = place->flow;
	show_open(reader, &place->head.key, whole, close);
}

static int show_open_flow(void *context, const struct table_head *head, bool is_closed)
{
	struct listing *listing = context;
	struct list *half_open = listing->list;
	struct flow_whole *whole = room_for_whole(listing->reader);
	struct listed wanted, *listed = NULL;

	(void)is_closed;
	if (!table_copy_apart(&listing->reader->flows, head, &wanted.key, &whole->flow))
		return 0;
	if (half_open->count)
		listed = bsearch(&wanted, half_open->entries, half_open->count,
				 sizeof(*half_open->entries), by_key);
	if (listed)
		listed->is_shown = true;
	show_open(listing->reader, &wanted.key, whole, CLOSE_OPEN);
	return 0;
}

static void show_open_half_open(struct reader *reader, const struct flow_key *key)
{
	struct half_open_place place;
	struct flow_place flow_place;

	if (table_find(&reader->half_open, key, &place)) {
		if (place.entry.kind == HALF_OPEN_REFUSED)
			return;
		reader->work.entry = place.entry;
		expand(reader, key);
		show_flow(reader, key, &reader->work.whole, CLOSE_OPEN);
	} else if (table_find(&reader->flows, key, &flow_place)) {
		show_place(reader, &flow_place, CLOSE_OPEN);
	}
}

static int walk_all(struct table *table, table_visit visit, void *context)
{
	return table_walk(table, 0, table->buckets, visit, context);
}

/* Of much that is shown and stays. */
static void begin_listing(struct reader *reader)
{
	claim_map_begin(&reader->claims);
	rare_map_begin(&reader->rares);
}

static void end_listing(struct reader *reader)
{
	claim_map_end(&reader->claims);
	rare_map_end(&reader->rares);
}

int reader_interval(struct reader *reader)
{
	struct list half_open = {};
	struct listing listing = {reader, &half_open};
	int err = reader->only_looks ? 0 : catch_up(reader);

	if (err)
		return err;
	begin_listing(reader);
	err = walk_all(&reader->half_open, list_half_open, &listing);
	if (!err && half_open.count)
		qsort(half_open.entries, half_open.count, sizeof(*half_open.entries), by_key);
	if (!err)
		err = walk_all(&reader->flows, show_open_flow, &listing);
	for (size_t i = 0; i < half_open.count && !err; i++) {
		if (!half_open.entries[i].is_shown)
			show_open_half_open(reader, &half_open.entries[i].key);
	}
	end_listing(reader);
	free(half_open.entries);
	/* Of flows that go on: whoever comes next shows them anew. */
	reader->lines = 0;
	reader->secondaries = 0;
	return err;
}

struct gone {
	struct reader *reader;
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

static int end_flow_if_gone(void *context, const struct table_head *head, bool is_closed)
{
	const struct gone *gone = context;

	(void)is_closed;
	return is_gone(gone, &head->key) ? end_flow(gone->reader, head, wanted(head, 0)) : 0;
}

static int end_half_open_if_gone(void *context, const struct table_head *head, bool is_closed)
{
	const struct gone *gone = context;

	(void)is_closed;
	return is_gone(gone, &head->key) ? end_half_open(gone->reader, head, wanted(head, 0)) : 0;
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
	err = walk_all(&reader->half_open, end_half_open_if_gone, &(struct gone){reader, sorted, count});
	if (!err)
		err = walk_all(&reader->flows, end_flow_if_gone, &(struct gone){reader, sorted, count});
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

static int list_flow(void *context, const struct table_head *head, bool is_closed)
{
	const struct flow_place *place = (const void *)head;
	struct listing *listing = context;

	(void)is_closed;
	if (!table_is_live(head))
		return 0;
	return list_add(listing->list, &head->key, place->flow.start_ns, head->place, false);
}

/* As they are now; who reads them may take them out meanwhile. */
static void show_listed(struct reader *reader, const struct listed *listed)
{
	struct flow_place place;

	if (listed->is_half_open)
		show_open_half_open(reader, &listed->key);
	else if (table_find(&reader->flows, &listed->key, &place))
		show_place(reader, &place, close_finish(&place.flow));
}

static int end_listed(struct reader *reader, const struct listed *listed)
{
	const struct table *table = listed->is_half_open ? &reader->half_open : &reader->flows;
	const struct table_head *head = table_place(table, listed->place);
	struct wanted wanted = {.key = listed->key};

	return listed->is_half_open ? end_half_open(reader, head, wanted) : end_flow(reader, head, wanted);
}

/* Nothing moves any more: in the order of their starts. */
int reader_finish(struct reader *reader, uint64_t now_ns)
{
	struct list list = {};
	struct listing listing = {reader, &list};
	int err;

	(void)now_ns;
	err = reader_poll(reader);
	if (!err)
		err = walk_all(&reader->half_open, list_half_open, &listing);
	if (!err)
		err = walk_all(&reader->flows, list_flow, &listing);
	if (!err && list.count)
		qsort(list.entries, list.count, sizeof(*list.entries), by_start);
	if (reader->only_looks)
		begin_listing(reader);
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
		err = end_listed(reader, listed);
	}
	end_listing(reader);
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

/* What was being taken: out of its table and safe in the slot, or back to where it was. */
static void rescue_taking(struct reader *reader, struct outbox_slot *slot)
{
	struct table *table = slot->is_half_open ? &reader->half_open : &reader->flows;
	const struct table_head *head = table_place(table, slot->place);
	bool is_refused;

	if (!head || !table_is_taken(head)) {
		/* A refused one makes no record, and may have been on its way out. */
		if (head && table_is_released_half(table, head))
			table_release(table, head);
		outbox_slot_is(slot, SLOT_FREE);
		return;
	}
	if (slot->is_half_open)
		copy_half_open(reader, slot, head);
	else
		copy_flow(slot, head);
	is_refused = slot->is_half_open && slot->entry.kind == HALF_OPEN_REFUSED;
	slot->close = close_over(&slot->taken.flow);
	if (!is_refused)
		outbox_slot_is(slot, SLOT_TAKEN);
	table_release(table, head);
	if (is_refused)
		outbox_slot_is(slot, SLOT_FREE);
}

/* Safe in the slot, and maybe still in its place. */
static void rescue_taken(struct reader *reader, const struct outbox_slot *slot)
{
	struct table *table = slot->is_half_open ? &reader->half_open : &reader->flows;
	const struct table_head *head = table_place(table, slot->place);

	if (head && !memcmp(&head->key, &slot->key, sizeof(head->key)) &&
	    (table_is_taken(head) || table_is_released_half(table, head)))
		table_release(table, head);
}

/* First what was being taken: a place may have been taken from twice, and only the last time is open. */
static void rescue_slots(struct reader *reader)
{
	struct outbox_slot *slots = reader->outbox->slot;

	for (size_t i = 0; i < OUTBOX_SLOTS; i++)
		if (slots[i].state == SLOT_TAKING)
			rescue_taking(reader, &slots[i]);
	for (size_t i = 0; i < OUTBOX_SLOTS; i++)
		if (slots[i].state != SLOT_FREE)
			rescue_taken(reader, &slots[i]);
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

		if (slot->state == SLOT_FREE)
			continue;
		if (slot->state == SLOT_TAKEN) {
			count_slot(reader, slot);
			settle_slot(reader, slot);
		} else if (!slot->is_half_open) {
			drop_owned(reader, &slot->settled.flow);
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
	rescue_slots(reader);
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

void reader_flows(const struct reader *reader, uint64_t *ret_flows, uint64_t *ret_half_open)
{
	*ret_flows = table_count(&reader->flows);
	*ret_half_open = table_count(&reader->half_open);
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
	int rares_fd = map_fd(attach, "rares"), claims_fd = map_fd(attach, "claims"), err;

	if (!reader)
		return -ENOMEM;
	reader->attach = attach;
	reader->is_kept = attach_has_kept(attach);
	reader->only_looks = attach_only_looks(attach);
	reader->config = *config;
	reader->output = *output;
	reader->holes_fd = map_fd(attach, "holes");
	reader->histograms_fd = map_fd(attach, "histograms");
	reader->counters_fd = map_fd(attach, "counters");
	reader->transits_fd = map_fd(attach, "transits");
	err = -EBADF;
	if (reader->holes_fd < 0 || reader->histograms_fd < 0 || rares_fd < 0 ||
	    reader->counters_fd < 0 || claims_fd < 0)
		goto out;
	err = table_open(&reader->flows, attach_object(attach), "flows", !reader->only_looks);
	claim_map_open(&reader->claims, claims_fd, reader->flows.about.seed[0]);
	rare_map_open(&reader->rares, rares_fd, reader->flows.buckets * TABLE_WAYS);
	if (!err)
		err = table_open(&reader->half_open, attach_object(attach), "half_open", !reader->only_looks);
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
	table_close(&reader->flows);
	table_close(&reader->half_open);
	end_listing(reader);
	orphans_free(&reader->orphans);
	free(reader);
}
