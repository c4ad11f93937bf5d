/* SPDX-License-Identifier: GPL-2.0-only */
/* A capture, read and looked into ahead of the analysis: by a thread of its own, where that pays. */
#include "reading.h"

#include <errno.h>

#include "replay.h"
#include "threads.h"

/* How many frames pass between looks at signals, progress and silent flows. */
#define FRAMES_BETWEEN_LOOKS 4096

/* Starting a thread takes as long as some hundred frames. */
#define THREAD_BYTES (1024 * 1024)

/* One CPU does both. So does a pipe, which says when it has nothing: what came is shown before it is waited for. */
static uint64_t thread_bytes(void)
{
	if (threads_usable() < 2)
		return UINT64_MAX;
	return threads_were_told() ? 0 : THREAD_BYTES;
}

int reading_open(struct reading *reading, struct replay *replay, uint64_t interval_ns,
		 uint64_t frame_limit)
{
	*reading = (struct reading){
		.replay = replay,
		.interval_ns = interval_ns,
		.frame_limit = frame_limit,
		.thread_bytes = thread_bytes(),
	};
	belt_open(&reading->belt, READING_BATCHES);
	return replay_batch_open(&reading->batches[0].looked);
}

void reading_close(struct reading *reading)
{
	if (!reading->replay)
		return;
	for (size_t i = 0; i < READING_BATCHES; i++)
		replay_batch_close(reading->batches[i].looked);
	belt_close(&reading->belt);
}

/* ------------------------------------------------------------------ filling a batch */

bool reading_has_enough(const struct reading *reading)
{
	return reading->frame_limit && reading->frames_selected >= reading->frame_limit;
}

static bool read_frame(struct reading *reading)
{
	if (reading->has_frame)
		return true;
	if (reading_has_enough(reading))
		return false;
	reading->got = pcap_source_next(reading->source, &reading->frame, &reading->selected,
					reading->error, sizeof(reading->error));
	reading->has_frame = reading->got > 0;
	return reading->has_frame;
}

/* Has the capture's own clock passed another interval with this frame? */
static bool passes_interval(struct reading *reading)
{
	uint64_t now_ns = reading->frame.time_ns;

	if (!reading->interval_ns)
		return false;
	if (!reading->interval_end_ns)
		reading->interval_end_ns = now_ns + reading->interval_ns;
	if (now_ns < reading->interval_end_ns)
		return false;
	reading->interval_end_ns +=
		(now_ns - reading->interval_end_ns) / reading->interval_ns * reading->interval_ns +
		reading->interval_ns;
	return true;
}

/* The frame that was read goes into the batch. True: the batch is full. */
static bool put_frame(struct reading *reading, struct reading_batch *batch)
{
	reading->has_frame = false;
	reading->frames++;
	batch->frames++;
	reading->frames_selected += !!reading->selected;
	if (reading->selected)
		return replay_look(reading->replay, batch->looked, &reading->frame);
	return replay_look_filtered(batch->looked);
}

/* False: nothing comes behind it. */
static bool fill(struct reading *reading, struct reading_batch *batch, bool is_far_ahead)
{
	bool is_full = false;

	batch->frames = 0;
	batch->due = DUE_NOTHING;
	replay_batch_begin(reading->replay, batch->looked, is_far_ahead);
	while (!is_full) {
		if (!read_frame(reading)) {
			batch->due = reading->got == -EAGAIN ? DUE_WAIT : DUE_NOTHING;
			return batch->due == DUE_WAIT;
		}
		if (passes_interval(reading)) {
			batch->due = DUE_INTERVAL;
			return true; /* the frame comes behind it */
		}
		is_full = put_frame(reading, batch);
		if (reading->frames % FRAMES_BETWEEN_LOOKS == 0) {
			batch->due = DUE_LOOK;
			batch->now_ns = reading->frame.time_ns;
			return true;
		}
	}
	return true;
}

static bool fill_and_note(struct reading *reading, struct reading_batch *batch, bool is_far_ahead)
{
	bool more = fill(reading, batch, is_far_ahead);
	uint64_t size;

	pcap_source_position(reading->source, &batch->bytes, &size);
	return more;
}

/* ------------------------------------------------------------------ by a thread */

static void *read_ahead(void *context)
{
	struct reading *reading = context;
	bool more = true;

	while (more) {
		int place = belt_room(&reading->belt);

		if (place < 0)
			break;
		/* Whoever is far ahead has time to spare. */
		more = fill_and_note(reading, &reading->batches[place], belt_is_half_full(&reading->belt));
		belt_load(&reading->belt);
	}
	belt_end(&reading->belt);
	return NULL;
}

static int open_batches(struct reading *reading)
{
	int err = 0;

	for (size_t i = 0; !err && i < READING_BATCHES; i++)
		if (!reading->batches[i].looked)
			err = replay_batch_open(&reading->batches[i].looked);
	return err;
}

static int start_thread(struct reading *reading)
{
	belt_clear(&reading->belt);
	return threads_start(&reading->thread, read_ahead, reading);
}

void reading_begin(struct reading *reading, struct pcap_source *source)
{
	uint64_t bytes, size;

	pcap_source_position(source, &bytes, &size);
	reading->source = source;
	reading->has_frame = false;
	pcap_source_never_wait(source);
	reading->got = 1;
	reading->is_done = false;
	/* Without memory for a thread there is none. */
	reading->has_thread = size && size >= reading->thread_bytes && !open_batches(reading) &&
			      !start_thread(reading);
}

struct reading_batch *reading_next(struct reading *reading)
{
	int place;

	if (reading->is_done)
		return NULL;
	if (!reading->has_thread) {
		reading->is_done = !fill_and_note(reading, &reading->batches[0], false);
		return &reading->batches[0];
	}
	if (reading->has_taken)
		belt_unload(&reading->belt);
	place = belt_piece(&reading->belt);
	reading->is_done = place < 0;
	reading->has_taken = place >= 0;
	return place < 0 ? NULL : &reading->batches[place];
}

/* What is still on the belt was never tracked, and is counted nowhere. */
static void stop_thread(struct reading *reading)
{
	belt_stop(&reading->belt);
	pthread_join(reading->thread, NULL);
	for (size_t i = 0; i < READING_BATCHES; i++)
		replay_batch_clear(reading->batches[i].looked);
	reading->has_thread = false;
	reading->has_taken = false;
}

int reading_end(struct reading *reading, const char **ret_error)
{
	if (reading->has_thread)
		stop_thread(reading);
	reading->source = NULL;
	*ret_error = reading->error;
	return reading->is_done ? reading->got : 1;
}
