/* SPDX-License-Identifier: GPL-2.0-only */
/* What a reader that was killed left behind: nothing is lost, and nothing is told twice. */
#include "reader_parts.h"

#include <stdbool.h>
#include <string.h>

#include "core/expire.h"

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
		reader_copy_half_open(reader, slot, head);
	else
		reader_copy_flow(slot, head);
	is_refused = slot->is_half_open && slot->entry.kind == HALF_OPEN_REFUSED;
	slot->close = flow_close_reason(&slot->taken.flow);
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
		reader_show_event(reader, data, size);
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
			reader_count_slot(reader, slot);
			reader_settle_slot(reader, slot);
		} else if (!slot->is_half_open) {
			reader_drop_owned(reader, &slot->settled.flow);
		}
		reader_show_slot(reader, slot);
	}
}

/* Lines that the outbox does not know of, as those of intervals, may have been left half. Where ours go stands there too. */
static void resume(struct reader *reader)
{
	const struct reader_output *output = &reader->output;

	if (output->resume)
		output->resume(output->context, &reader->outbox->place);
	output->place(output->context, &reader->outbox->place);
}

/* Before the first look of this reader. */
int reader_begin(struct reader *reader)
{
	struct outbox *outbox = reader->outbox;

	if (reader->has_begun)
		return 0;
	reader->has_begun = true;
	rescue_slots(reader);
	resolve(reader);
	resume(reader);
	if (!has_slots(outbox))
		return 0;
	show_left_slots(reader);
	reader->lines_rescued = reader->lines;
	return reader_deliver(reader);
}
