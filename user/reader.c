/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads what the kernel side gathered: flows that ended, flows still open, counters. */
#include "reader_parts.h"

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
#include "core/half_open_flow.h"
#include "core/opener.h"

/* A connection as a record */

static bool find_rare(struct reader *reader, const struct flow *flow, uint32_t direction, struct rare *ret_rare)
{
	struct beside_key beside;

	if (!(flow->side[direction].bits & SIDE_RARE))
		return false;
	beside = table_beside(flow, direction);
	return rare_map_find(&reader->rares, &beside, ret_rare);
}

void reader_load_rares(struct reader *reader, const struct flow *flow, struct rare ret_rares[2])
{
	for (uint32_t direction = 0; direction < 2; direction++)
		if (!find_rare(reader, flow, direction, &ret_rares[direction]))
			ret_rares[direction] = (struct rare){};
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
void reader_settle(struct reader *reader, struct flow_whole *whole)
{
	for (uint32_t direction = 0; direction < 2; direction++)
		if (whole->flow.side[direction].bits & (SIDE_HOLES | SIDE_HISTOGRAM))
			settle_side(reader, whole, direction);
}

void reader_show(struct reader *reader, const struct flow_key *key, struct flow_whole *whole,
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
	struct flow_key tuple = *key;
	struct claim claim;
	size_t count = 0;

	if (!reader->config.several)
		return 0;
	tuple.ifindex = 0;
	if (!claim_map_find(&reader->claims, &tuple, flow->start_ns, &claim) || claim.ifindex != key->ifindex)
		return 0;
	/* Of the next connection of this tuple already. */
	if (claim.has_opener_seq && opener_has_seq(flow) && claim.opener_seq != opener_seq(flow))
		return 0;
	while (count < CLAIM_ALSO_MAX && claim.also[count]) {
		if (count < room)
			ret_ifindexes[count] = claim.also[count];
		count++;
	}
	return count + claim.also_dropped;
}

const struct flow_whole *reader_expand(struct reader *reader, const struct flow_key *key)
{
	reader->work.key = *key;
	half_open_expand(&reader->work);
	return &reader->work.whole;
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
	reader_show(reader, &event->key, &whole, whole.flow.close);
}

void reader_show_event(struct reader *reader, const void *data, size_t size)
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
		reader_show_event(reader, data, size);
		is_new = true;
		if (reader->lines < OUTBOX_SLOTS)
			continue;
		err = reader_deliver(reader);
		if (err)
			return err;
		is_new = false;
	}
	return is_new ? reader_deliver(reader) : 0;
}

int reader_poll(struct reader *reader)
{
	int err;

	if (reader->only_looks)
		return 0;
	err = reader_begin(reader);
	if (!err)
		err = reader_catch_up(reader);
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

uint64_t reader_left(const struct reader *reader)
{
	return reader->left;
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
	claim_map_end(&reader->claims);
	rare_map_end(&reader->rares);
	orphans_free(&reader->orphans);
	free(reader);
}
