/* SPDX-License-Identifier: GPL-2.0-only */
/* All connections at once: those still open, at an interval and at the end. */
#include "reader_parts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/expire.h"

/* Entries a listing starts with. */
#define LISTED_ENTRIES 1024u

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

static void show_open(struct reader *reader, const struct flow_key *key, struct flow_whole *whole, uint8_t close)
{
	reader_settle(reader, whole);
	reader_show(reader, key, whole, close);
}

static void show_place(struct reader *reader, const struct flow_place *place, uint8_t close)
{
	struct flow_whole *whole = room_for_whole(reader);

	whole->flow = place->flow;
	reader_load_rares(reader, &whole->flow, whole->rare);
	show_open(reader, &place->head.key, whole, close);
}

/*
 * Rare counts come first: they are parts of what the flow counts, and frames go on passing. Read afterwards they
 * would be ahead of it, and an end would have repeated more than it sent.
 */
static bool copy_whole(struct reader *reader, const struct table_head *head, struct flow_key *ret_key,
		       struct flow_whole *ret_whole)
{
	const struct flow *flow = &((const struct flow_place *)head)->flow;
	uint32_t life = __atomic_load_n(&flow->life, __ATOMIC_RELAXED);

	reader_load_rares(reader, flow, ret_whole->rare);
	if (!table_copy_apart(&reader->flows, head, ret_key, &ret_whole->flow))
		return false;
	if (ret_whole->flow.life != life) /* another connection has come to this place */
		reader_load_rares(reader, &ret_whole->flow, ret_whole->rare);
	return true;
}

static int show_open_flow(void *context, const struct table_head *head, bool is_closed)
{
	struct listing *listing = context;
	struct list *half_open = listing->list;
	struct flow_whole *whole = room_for_whole(listing->reader);
	struct listed wanted, *listed = NULL;

	(void)is_closed;
	if (!copy_whole(listing->reader, head, &wanted.key, whole))
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
		reader_expand(reader, key);
		reader_show(reader, key, &reader->work.whole, CLOSE_OPEN);
	} else if (table_find(&reader->flows, key, &flow_place)) {
		show_place(reader, &flow_place, CLOSE_OPEN);
	}
}

int reader_interval(struct reader *reader)
{
	struct list half_open = {};
	struct listing listing = {reader, &half_open};
	int err = reader->only_looks ? 0 : reader_begin(reader);

	if (!err && !reader->only_looks)
		err = reader_catch_up(reader);
	if (err)
		return err;
	begin_listing(reader);
	err = table_walk_all(&reader->half_open, list_half_open, &listing);
	if (!err && half_open.count)
		qsort(half_open.entries, half_open.count, sizeof(*half_open.entries), by_key);
	if (!err)
		err = table_walk_all(&reader->flows, show_open_flow, &listing);
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
		show_place(reader, &place, reader_close_at_end(&place.flow));
}

static int end_listed(struct reader *reader, const struct listed *listed)
{
	const struct table *table = listed->is_half_open ? &reader->half_open : &reader->flows;
	const struct table_head *head = table_place(table, listed->place);
	struct wanted wanted = {.key = listed->key};

	return listed->is_half_open ? reader_end_half_open(reader, head, wanted) : reader_end_flow(reader, head, wanted);
}

/* Nothing moves any more: in the order of their starts. */
int reader_finish(struct reader *reader)
{
	struct list list = {};
	struct listing listing = {reader, &list};
	int err;

	err = reader_poll(reader);
	if (!err)
		err = table_walk_all(&reader->half_open, list_half_open, &listing);
	if (!err)
		err = table_walk_all(&reader->flows, list_flow, &listing);
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
	return err || reader->only_looks ? err : reader_deliver(reader);
}
