/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads what the kernel side gathered: flows that ended, flows still open, counters. */
#include "reader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "abi/claim.h"
#include "abi/counters.h"
#include "abi/event.h"
#include "clock.h"
#include "core/expire.h"

/* Entries a batch starts with; it grows when one hash bucket holds more. */
#define BATCH_ENTRIES 1024u
#define BATCH_ENTRIES_MAX 65536u

/* A sweep may cost this part of the time between two of them. */
#define SWEEP_SHARE 20

/* How often holes without an owner are looked for. */
#define ORPHANS_EVERY_NS (30 * 1000000000ull)

/* The kernel's own "not supported", which errno.h does not know. */
#define KERNEL_ENOTSUPP 524

struct batch {
	struct flow_key *keys;
	struct flow *flows;
	uint32_t room;
	uint32_t count;
};

/* What a listing keeps of a flow until its turn comes. */
struct listed {
	uint64_t start_ns;
	struct flow_key key;
	bool is_half_open;
};

struct list {
	struct listed *entries;
	size_t count;
	size_t room;
};

struct reader {
	struct ring_buffer *events;
	int flows_fd;
	int half_open_fd;
	int holes_fd;
	int histograms_fd;
	int counters_fd;
	int claims_fd;
	struct monitor_config config;
	reader_flow_fn on_flow;
	reader_event_fn on_event; /* NULL: config.events is 0 */
	void *context;
	struct batch batch;
	bool takes_in_one; /* LOOKUP_AND_DELETE of hash maps: Linux 5.14 and newer */
	uint64_t swept_ns; /* when the last sweep ended, and what it cost */
	uint64_t sweep_cost_ns;
	uint64_t orphans_dropped_ns; /* when this was last looked after */
	uint64_t half_open_taken;
	uint64_t flows_shown; /* that left */
	uint64_t secondaries; /* that left, and count at another interface */
};

/* 0, or -errno to stop the walk. */
typedef int (*walk_fn)(struct reader *reader, int map_fd, const struct flow_key *key,
		       const struct flow *flow, void *context);

/* Batches */

static int batch_resize(struct batch *batch, uint32_t room)
{
	struct flow_key *keys = reallocarray(batch->keys, room, sizeof(*keys));
	struct flow *flows;

	if (!keys)
		return -ENOMEM;
	batch->keys = keys;
	flows = reallocarray(batch->flows, room, sizeof(*flows));
	if (!flows)
		return -ENOMEM;
	batch->flows = flows;
	batch->room = room;
	return 0;
}

/*
 * Fills the batch from where `position` says, in the kernel's order: by hash bucket, so entries may
 * be deleted between two batches. 1: more follow; 0: these are the last; -errno. Every kernel with
 * a ring buffer has batch lookups.
 */
static int batch_fill(struct batch *batch, int map_fd, uint32_t *position, bool is_first)
{
	for (;;) {
		uint32_t next = 0;
		int err;

		batch->count = batch->room;
		err = bpf_map_lookup_batch(map_fd, is_first ? NULL : position, &next, batch->keys,
					   batch->flows, &batch->count, NULL);
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

static int walk_map(struct reader *reader, int map_fd, walk_fn visit, void *context)
{
	struct batch *batch = &reader->batch;
	uint32_t position = 0;
	bool is_first = true;
	int more, err;

	do {
		more = batch_fill(batch, map_fd, &position, is_first);
		if (more < 0)
			return more;
		is_first = false;
		for (uint32_t i = 0; i < batch->count; i++) {
			err = visit(reader, map_fd, &batch->keys[i], &batch->flows[i], context);
			if (err)
				return err;
		}
	} while (more);
	return 0;
}

static int walk_flows(struct reader *reader, walk_fn visit, void *context)
{
	int err = walk_map(reader, reader->half_open_fd, visit, context);

	return err ? err : walk_map(reader, reader->flows_fd, visit, context);
}

/* Single flows */

static void settle(struct reader *reader, const struct flow_key *key, struct flow *flow,
		   bool is_leaving)
{
	for (uint32_t direction = 0; direction < 2; direction++) {
		struct holes_key side_key = {.flow = *key, .direction = direction};
		uint32_t bits = flow->side[direction].bits;
		bool has_holes = bits & SIDE_HOLES, has_histogram = bits & SIDE_HISTOGRAM;
		struct histogram histogram;
		struct holes holes;

		has_holes = has_holes && !bpf_map_lookup_elem(reader->holes_fd, &side_key, &holes);
		has_histogram = has_histogram && !bpf_map_lookup_elem(reader->histograms_fd,
								      &side_key, &histogram);
		flow_settle(flow, direction, has_holes ? &holes : NULL,
			    has_histogram ? &histogram : NULL);
		if (is_leaving && has_holes)
			bpf_map_delete_elem(reader->holes_fd, &side_key);
		if (is_leaving && has_histogram)
			bpf_map_delete_elem(reader->histograms_fd, &side_key);
	}
}

static void show_flow(struct reader *reader, const struct flow_key *key, struct flow *flow,
		      uint8_t close)
{
	flow->close = close;
	if (flow->secondary)
		reader->secondaries += close != CLOSE_OPEN;
	else
		reader->on_flow(reader->context, key, flow);
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

/* Takes the flow out as it is at the very end. -ENOENT: the kernel side was faster. */
static int take_flow(struct reader *reader, int map_fd, const struct flow_key *key,
		     struct flow *ret_flow)
{
	int err;

	if (reader->takes_in_one) {
		err = bpf_map_lookup_and_delete_elem(map_fd, key, ret_flow);
		if (err != -EINVAL && err != -EOPNOTSUPP && err != -KERNEL_ENOTSUPP)
			return err;
		reader->takes_in_one = false;
	}
	err = bpf_map_lookup_elem(map_fd, key, ret_flow);
	return err ? err : bpf_map_delete_elem(map_fd, key);
}

static int end_flow(struct reader *reader, int map_fd, const struct flow_key *key,
		    uint8_t (*close)(const struct flow *flow))
{
	struct flow flow;
	int err;

	err = take_flow(reader, map_fd, key, &flow);
	if (err == -ENOENT)
		return 0;
	if (err)
		return err;
	if (map_fd == reader->half_open_fd)
		reader->half_open_taken++;
	reader->flows_shown++;
	settle(reader, key, &flow, true);
	show_flow(reader, key, &flow, close(&flow));
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

static int end_if_over(struct reader *reader, int map_fd, const struct flow_key *key,
		       const struct flow *flow, void *context)
{
	uint64_t now_ns = *(const uint64_t *)context;
	struct flow current;

	if (!flow_is_over(flow, &reader->config, now_ns))
		return 0;
	/* The batch is some milliseconds old: it may have woken up, or another have taken its
	 * place. */
	if (bpf_map_lookup_elem(map_fd, key, &current) ||
	    !flow_is_over(&current, &reader->config, now_ns))
		return 0;
	return end_flow(reader, map_fd, key, close_over);
}

/* A flow that the full half-open room forgot leaves its holes behind: they go when nobody owns them. */
static void drop_orphans(struct reader *reader)
{
	struct holes_key key, next;
	bool has_key = false, is_orphan = false;
	struct flow flow;

	/* Deleted one step late: from a key that is gone the walk would begin anew. */
	while (!bpf_map_get_next_key(reader->holes_fd, has_key ? &key : NULL, &next)) {
		if (is_orphan)
			bpf_map_delete_elem(reader->holes_fd, &key);
		is_orphan = bpf_map_lookup_elem(reader->flows_fd, &next.flow, &flow) &&
			    bpf_map_lookup_elem(reader->half_open_fd, &next.flow, &flow);
		key = next;
		has_key = true;
	}
	if (is_orphan)
		bpf_map_delete_elem(reader->holes_fd, &key);
}

int reader_sweep(struct reader *reader, uint64_t now_ns)
{
	uint64_t begin_ns = clock_monotonic_ns();
	int err;

	if (begin_ns - reader->swept_ns < SWEEP_SHARE * reader->sweep_cost_ns)
		return 0;
	err = walk_flows(reader, end_if_over, &now_ns);
	reader->swept_ns = clock_monotonic_ns();
	reader->sweep_cost_ns = reader->swept_ns - begin_ns;
	if (now_ns - reader->orphans_dropped_ns > ORPHANS_EVERY_NS) {
		drop_orphans(reader);
		reader->orphans_dropped_ns = now_ns;
	}
	return err;
}

/* Listings: by start, so keys are gathered first and flows fetched in order. */

static int list_flow(struct reader *reader, int map_fd, const struct flow_key *key,
		     const struct flow *flow, void *context)
{
	struct list *list = context;

	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : BATCH_ENTRIES;
		struct listed *entries = reallocarray(list->entries, room, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		list->entries = entries;
		list->room = room;
	}
	list->entries[list->count++] = (struct listed){
		.start_ns = flow->start_ns,
		.key = *key,
		.is_half_open = map_fd == reader->half_open_fd,
	};
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

static int list_flows(struct reader *reader, struct list *ret_list)
{
	struct list list = {};
	int err;

	err = walk_flows(reader, list_flow, &list);
	if (err) {
		free(list.entries);
		return err;
	}
	if (list.count)
		qsort(list.entries, list.count, sizeof(*list.entries), by_start);
	*ret_list = list;
	return 0;
}

static int listed_map_fd(const struct reader *reader, const struct listed *listed)
{
	return listed->is_half_open ? reader->half_open_fd : reader->flows_fd;
}

int reader_interval(struct reader *reader)
{
	struct list list;
	struct flow flow;
	int err;

	err = list_flows(reader, &list);
	if (err)
		return err;
	for (size_t i = 0; i < list.count; i++) {
		const struct flow_key *key = &list.entries[i].key;
		int map_fd = listed_map_fd(reader, &list.entries[i]);

		/* Promoted meanwhile: the first room is left for the second, never the reverse. */
		if (bpf_map_lookup_elem(map_fd, key, &flow) &&
		    (map_fd == reader->flows_fd ||
		     bpf_map_lookup_elem(reader->flows_fd, key, &flow)))
			continue;
		settle(reader, key, &flow, false);
		show_flow(reader, key, &flow, CLOSE_OPEN);
	}
	free(list.entries);
	return 0;
}

int reader_finish(struct reader *reader, uint64_t now_ns)
{
	struct list list;
	int err;

	(void)now_ns;
	err = reader_poll(reader);
	if (err)
		return err;
	err = list_flows(reader, &list);
	if (err)
		return err;
	for (size_t i = 0; i < list.count && !err; i++)
		err = end_flow(reader, listed_map_fd(reader, &list.entries[i]),
			       &list.entries[i].key, close_finish);
	free(list.entries);
	return err;
}

/* Events */

static void take_flow_event(struct reader *reader, const struct flow_event *event)
{
	struct flow flow = event->flow;

	reader->flows_shown++;
	show_flow(reader, &event->key, &flow, flow.close);
}

static int take_event(void *context, void *data, size_t size)
{
	struct reader *reader = context;
	const uint32_t *type = data;

	if (size >= sizeof(struct flow_event) && *type == EVENT_FLOW_CLOSED)
		take_flow_event(reader, data);
	else if (size >= sizeof(struct segment_event) && *type != EVENT_FLOW_CLOSED &&
		 reader->on_event)
		reader->on_event(reader->context, data);
	return 0;
}

/* Records come without a wake-up, so there is nothing to wait for: whoever calls has the timer. */
int reader_poll(struct reader *reader)
{
	int taken = ring_buffer__consume(reader->events);

	return taken < 0 ? taken : 0;
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

static int count_flow(struct reader *reader, int map_fd, const struct flow_key *key,
		      const struct flow *flow, void *context)
{
	(void)reader;
	(void)map_fd;
	(void)key;
	(void)flow;
	++*(uint64_t *)context;
	return 0;
}

/* The LRU map does not tell what it forgot: it is what came in and is nowhere else. */
static uint64_t half_open_evicted(struct reader *reader, const struct summary *summary)
{
	uint64_t opened = sum_doors(summary, COUNTER_flows_opened);
	uint64_t left = sum_doors(summary, COUNTER_flows_promoted) +
			sum_doors(summary, COUNTER_half_open_ended) + reader->half_open_taken;
	uint64_t present = 0;

	if (opened <= left || walk_map(reader, reader->half_open_fd, count_flow, &present))
		return 0;
	return opened - left > present ? opened - left - present : 0;
}

void reader_counters(struct reader *reader, struct summary *ret_summary)
{
	struct summary summary = {
		.flows = reader->flows_shown - reader->secondaries,
		.secondaries = reader->secondaries,
	};

	if (!add_cpus(reader, &summary))
		summary.half_open_evicted = half_open_evicted(reader, &summary);
	*ret_summary = summary;
}

/* Opening and closing */

static int map_fd(const struct attach *attach, const char *name)
{
	const struct bpf_map *map = attach_map(attach, name);

	return map ? bpf_map__fd(map) : -ENOENT;
}

int reader_open(struct reader **ret_reader, struct attach *attach,
		const struct monitor_config *config, reader_flow_fn on_flow,
		reader_event_fn on_event, void *context)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	int events_fd = map_fd(attach, "events");
	int err;

	if (!reader)
		return -ENOMEM;
	reader->config = *config;
	reader->on_flow = on_flow;
	reader->on_event = on_event;
	reader->context = context;
	reader->takes_in_one = true;
	reader->flows_fd = map_fd(attach, "flows");
	reader->half_open_fd = map_fd(attach, "half_open");
	reader->holes_fd = map_fd(attach, "holes");
	reader->histograms_fd = map_fd(attach, "histograms");
	reader->counters_fd = map_fd(attach, "counters");
	reader->claims_fd = map_fd(attach, "claims");
	err = -EBADF;
	if (events_fd < 0 || reader->flows_fd < 0 || reader->half_open_fd < 0 ||
	    reader->holes_fd < 0 || reader->histograms_fd < 0 || reader->counters_fd < 0 ||
	    reader->claims_fd < 0)
		goto out;
	err = batch_resize(&reader->batch, BATCH_ENTRIES);
	if (err)
		goto out;
	reader->events = ring_buffer__new(events_fd, take_event, reader, NULL);
	err = reader->events ? 0 : -errno;
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
	ring_buffer__free(reader->events);
	free(reader->batch.keys);
	free(reader->batch.flows);
	free(reader);
}
