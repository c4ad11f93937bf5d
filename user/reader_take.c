/* SPDX-License-Identifier: GPL-2.0-only */
/* What is taken out of the kernel side's tables, on its way to the output: see abi/outbox.h. */
#include "reader_parts.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "core/expire.h"

/* Flows stay in their slots until their lines are written. */

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

int reader_deliver(struct reader *reader)
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

int reader_catch_up(struct reader *reader)
{
	return reader->is_behind ? reader_deliver(reader) : 0;
}

/* What a flow that left owned beside its entry. */
void reader_drop_owned(struct reader *reader, const struct flow *flow)
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

/* Settles the flow in the slot; what it owned beside its entry goes once that is safe in the slot. */
void reader_settle_slot(struct reader *reader, struct outbox_slot *slot)
{
	struct flow_whole whole = slot->taken;

	if (!slot->is_half_open) /* which owns nothing but what is with it */
		reader_settle(reader, &whole);
	whole.flow.close = slot->close;
	slot->settled = whole;
	outbox_slot_is(slot, SLOT_SETTLED);
	if (!slot->is_half_open)
		reader_drop_owned(reader, &whole.flow);
}

void reader_show_slot(struct reader *reader, struct outbox_slot *slot)
{
	struct flow_whole whole = slot->settled;
	uint64_t lines = reader->lines;

	reader_show(reader, &slot->key, &whole, slot->close);
	slot->is_shown = reader->lines > lines;
}

/* NULL and *ret_err: every place is taken, and what is there cannot be delivered. */
static struct outbox_slot *open_slot(struct reader *reader, uint32_t place, bool is_half_open, int *ret_err)
{
	struct outbox_slot *slot = outbox_slot(reader->outbox);

	*ret_err = 0;
	if (!slot) {
		*ret_err = reader_deliver(reader);
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
void reader_count_slot(struct reader *reader, struct outbox_slot *slot)
{
	if (!slot->is_half_open)
		reader_load_rares(reader, &slot->taken.flow, slot->taken.rare);
	if (slot->is_counted)
		return;
	slot->taken.flow.close = slot->close;
	if (reader->output.on_taken)
		reader->output.on_taken(reader->output.context, &slot->key, &slot->taken);
	__atomic_store_n(&slot->is_counted, 1, __ATOMIC_RELEASE);
}

/* Out of the table into the slot. It stays where it is until the slot is safe. */
void reader_copy_flow(struct outbox_slot *slot, const struct table_head *head)
{
	slot->key = head->key;
	slot->taken.flow = ((const struct flow_place *)head)->flow;
}

void reader_copy_half_open(struct reader *reader, struct outbox_slot *slot, const struct table_head *head)
{
	slot->key = head->key;
	slot->entry = ((const struct half_open_place *)head)->entry;
	reader->work.entry = slot->entry;
	slot->taken = *reader_expand(reader, &slot->key);
}

static void show_taken(struct reader *reader, struct outbox_slot *slot, struct table *table,
		       const struct table_head *head, uint8_t close)
{
	slot->close = close;
	outbox_slot_is(slot, SLOT_TAKEN);
	table_release(table, head);
	reader_count_slot(reader, slot);
	reader_settle_slot(reader, slot);
	reader_show_slot(reader, slot);
}

/* The watching ends, the connection goes on. */
uint8_t reader_close_at_end(const struct flow *flow)
{
	return flow_is_closed(flow) ? flow_close_reason(flow) : (uint8_t)CLOSE_OPEN;
}

/* Making room for it may take long: by then something else may be where it was. */
static bool is_wanted(const struct table_head *head, const struct wanted *wanted)
{
	return !memcmp(&head->key, &wanted->key, sizeof(head->key));
}

static uint8_t close_of(const struct flow *flow, const struct wanted *wanted)
{
	return wanted->over_ns ? flow_close_reason(flow) : reader_close_at_end(flow);
}

int reader_end_flow(struct reader *reader, const struct table_head *head, const struct wanted wanted)
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
	reader_copy_flow(slot, head);
	show_taken(reader, slot, &reader->flows, head, close_of(&slot->taken.flow, &wanted));
	return 0;
}

/* The record of a refused flow left when it was refused. */
int reader_end_half_open(struct reader *reader, const struct table_head *head, const struct wanted wanted)
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
	reader_copy_half_open(reader, slot, head);
	show_taken(reader, slot, &reader->half_open, head, close_of(&slot->taken.flow, &wanted));
	return 0;
}
