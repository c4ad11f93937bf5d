/* SPDX-License-Identifier: GPL-2.0-only */
/* The core, hosted by a hash table: frames in, ended flows out. No root, no kernel. */
#ifndef ACKMON_REPLAY_H
#define ACKMON_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/config.h"
#include "abi/counters.h"
#include "abi/event.h"
#include "abi/flow.h"
#include "core/frame.h"

struct replay;

/* Called once for each flow that leaves; flow.close says why. */
typedef void (*replay_flow_fn)(void *context, const struct flow_key *key, const struct flow_whole *whole);

/* Called for what happens to segments, when config.events asks for it. */
typedef void (*replay_event_fn)(void *context, const struct segment_event *event);

/* 0 or -ENOMEM. config is copied. on_event may be NULL when config.events is 0. */
int replay_open(struct replay **ret_replay, const struct monitor_config *config,
		replay_flow_fn on_flow, replay_event_fn on_event, void *context);

/*
 * From the first frame on flows count in the pairs of their labels, which stay the caller's; read them
 * after replay_finish(), when all that leaves has left. pairs_max: as for pair_store_open().
 */
struct labels;
struct pairs;
int replay_aggregate(struct replay *replay, const struct labels *labels, uint32_t pairs_max);
int replay_pairs(const struct replay *replay, struct pairs *ret_pairs);

/* One frame, tracked at once. */
void replay_frame(struct replay *replay, const struct frame *frame);
void replay_filtered(struct replay *replay); /* counts a frame the filter did not select */

/*
 * Many, in two steps. Beginning a batch and looking into frames takes nothing of a replay but its configuration and where flows lie,
 * so another thread may do it ahead of the one that tracks them, and while it does so with the next batch: one
 * thread at a time, and batches are tracked in the order in which they were begun. All other calls are the
 * tracking thread's.
 */
struct replay_batch;

/* 0 or -ENOMEM. */
int replay_batch_open(struct replay_batch **ret_batch);
void replay_batch_close(struct replay_batch *batch); /* accepts NULL */

/*
 * Before its first frame. fetches: memory is asked for what is known of its flows, so that the thread that tracks finds it in
 * the caches that both CPUs share, and made ready for flows that open; by another thread, when it has time for that.
 */
void replay_batch_begin(struct replay *replay, struct replay_batch *batch, bool fetches);

/* Takes a frame in. True: the batch is full. */
bool replay_look(const struct replay *replay, struct replay_batch *batch, const struct frame *frame);
bool replay_look_filtered(struct replay_batch *batch);

/* Counts and tracks its frames in the order in which they were taken in; then it is empty. */
void replay_track(struct replay *replay, struct replay_batch *batch);
void replay_batch_clear(struct replay_batch *batch); /* empties it, as if they had never come. Accepts NULL */

/* Flows that are over at now_ns leave. Called between frames, as often as is cheap. */
void replay_sweep(struct replay *replay, uint64_t now_ns);
/* The same at the time of the newest frame, when there is none to track. */
void replay_sweep_idle(struct replay *replay);

/* Shows every flow still open, by start; none leaves. */
void replay_interval(struct replay *replay);

/*
 * Every flow leaves, by start: CLOSE_FIN or CLOSE_RST where it was closed, else END_OF_CAPTURE.
 * Nothing but counters and closing is left to do after it.
 */
void replay_finish(struct replay *replay);

const struct door_counters *replay_counters(struct replay *replay);
void replay_close(struct replay *replay); /* accepts NULL */

#endif
