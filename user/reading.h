/* SPDX-License-Identifier: GPL-2.0-only */
/* A capture, read and looked into ahead of the analysis: by a thread of its own, where that pays. */
#ifndef ACKMON_READING_H
#define ACKMON_READING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "belt.h"
#include "pcap_source.h"

struct replay;
struct replay_batch;

/* Batches on their way: more would only push what is known of flows out of the caches. */
#define READING_BATCHES 16

/* What comes between two batches. A batch ends where something is due, so that it comes between the same frames always. */
enum reading_due {
	DUE_NOTHING,
	DUE_INTERVAL, /* the capture's own clock has passed another interval */
	DUE_LOOK,     /* time to look at signals, progress and silent flows */
	DUE_WAIT,     /* a pipe has nothing more yet: wait for it, then go on */
};

struct reading_batch {
	struct replay_batch *looked;
	uint64_t frames; /* how many it is of, tracked or not */
	uint64_t now_ns; /* time of the last one; valid with DUE_LOOK */
	uint64_t bytes;  /* how far the capture is read */
	enum reading_due due;
};

struct reading {
	/* For all captures. */
	struct replay *replay;
	uint64_t interval_ns; /* 0: no intervals */
	uint64_t interval_end_ns;
	uint64_t frame_limit; /* of those that are selected; 0: none */
	uint64_t frames;      /* taken so far */
	uint64_t frames_selected;
	uint64_t thread_bytes; /* a file of this size is read by a thread; UINT64_MAX: none is */
	struct belt belt;
	struct reading_batch batches[READING_BATCHES]; /* on the belt; the first one serves without a thread */

	/* For the one that is read. All of it, and what is above, is the thread's while there is one. */
	struct pcap_source *source;
	struct frame frame; /* was read and is in no batch yet; valid with has_frame */
	int selected;
	bool has_frame;
	int got; /* how reading it ended, as from pcap_source_next(); 1: it did not */
	char error[512];

	pthread_t thread;
	bool has_thread;
	bool has_taken; /* a batch is off the belt, and its place not yet free */
	bool is_done; /* no batch comes any more */
};

/* 0 or -ENOMEM. replay was opened, and is asked for what another thread may ask. */
int reading_open(struct reading *reading, struct replay *replay, uint64_t interval_ns,
		 uint64_t frame_limit);
void reading_close(struct reading *reading); /* accepts one of zeros */

/* From now on it is read from source, which is the caller's again after reading_end(). */
void reading_begin(struct reading *reading, struct pcap_source *source);

/* The next batch, the caller's until reading_next() or reading_end(); NULL: there are no more. */
struct reading_batch *reading_next(struct reading *reading);

/* So many frames are selected as there may be. Not while a capture is read: it is for between two. */
bool reading_has_enough(const struct reading *reading);

/*
 * How the capture ended, as from pcap_source_next(): 0, -errno with a sentence, or 1 when there is more of it.
 * What was read ahead and not taken is let go.
 */
int reading_end(struct reading *reading, const char **ret_error);

#endif
