/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads what the kernel side gathered: flows that ended, flows still open, counters. */
#ifndef ACKMON_READER_H
#define ACKMON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/config.h"
#include "abi/event.h"
#include "abi/flow.h"
#include "abi/transit.h"
#include "abi/outbox.h"
#include "attach.h"
#include "summary.h"

struct reader;

/* Times in it are monotonic. flow.close says why it left; CLOSE_OPEN: it is still there. */
typedef void (*reader_flow_fn)(void *context, const struct flow_key *key, const struct flow_whole *whole);

/* What happened to a segment, when config.events asks for it. */
typedef void (*reader_event_fn)(void *context, const struct segment_event *event);

/*
 * Flows and events come in groups; after each group `flush` writes it, and `place` says before where
 * it will be written. Only then the kernel side lets go of what was shown.
 */
struct reader_output {
	reader_flow_fn on_flow;
	reader_event_fn on_event; /* NULL: nobody asked for events */
	/* Where an open flow may be put, which on_flow is then given: a copy less. NULL, as what it gives: nowhere. */
	struct flow_whole *(*room)(void *context);
	/* A flow that a sweep or the end took out, before it is shown; a frame did not. May be NULL. */
	void (*on_taken)(void *context, const struct flow_key *key, const struct flow_whole *whole);
	/* Before the first line of this reader: what one that was killed wrote, there, has been settled. May be NULL. */
	void (*resume)(void *context, const struct outbox_place *killed);
	void (*place)(void *context, struct outbox_place *ret_place);
	int (*flush)(void *context); /* 0, -EAGAIN: not now, it is asked again, or -errno */
	void *context;
};

int reader_open(struct reader **ret_reader, struct attach *attach,
		const struct monitor_config *config, const struct reader_output *output);

int reader_poll(struct reader *reader);                     /* takes what the ring buffer holds */
int reader_sweep(struct reader *reader, uint64_t now_ns);   /* flows that are over leave; of a large table not all */
int reader_sweep_now(struct reader *reader, uint64_t now_ns); /* all of them */
int reader_interval(struct reader *reader);                 /* shows every open flow */
/* Flows of interfaces that are gone leave; each as in their key. */
int reader_leave(struct reader *reader, const uint32_t *ifindexes, size_t count);
/* Everything leaves, but flows of interfaces that are kept: they go on, and the next reader has them. */
int reader_finish(struct reader *reader);
uint64_t reader_left(const struct reader *reader); /* how many go on */

/*
 * The other interfaces (as in flow_key) that see this flow, which counts for all of them. Returns how
 * many there are, of which at most `room` were written.
 */
size_t reader_also(struct reader *reader, const struct flow_key *key, const struct flow *flow,
		   uint32_t *ret_ifindexes, size_t room);

/* Flows in the two rooms now; any thread may ask. */
void reader_flows(const struct reader *reader, uint64_t *ret_flows, uint64_t *ret_half_open);

/*
 * How long the segments of each side of this flow were inside this box; all zeros without
 * config.transit. is_leaving: the flow has left, and this goes with it.
 */
void reader_transit(const struct reader *reader, const struct flow_key *key, bool is_leaving,
		    struct transit ret_transit[2]);

/* What the kernel side counts, and what left. */
void reader_counters(struct reader *reader, struct summary *ret_summary);
void reader_close(struct reader *reader); /* accepts NULL */

#endif
