/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the reader share: see reader.h for what they do together. */
#ifndef ACKMON_READER_PARTS_H
#define ACKMON_READER_PARTS_H

#include "abi/outbox.h"
#include "claim_map.h"
#include "core/half_open.h"
#include "orphans.h"
#include "outbox.h"
#include "rare_map.h"
#include "reader.h"
#include "ring.h"
#include "table.h"

/*
 * Who deletes: a frame that finds its flow over, or this reader. A flow is taken out here only when it
 * has been over for so long that every frame still on its way would find it over, too: so none that
 * comes back to life is lost.
 */
#define GRACE_NS 1000000000ull

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

/* reader.c: a connection as a record */

/* What is rare about a flow of the table, by side. */
void reader_load_rares(struct reader *reader, const struct flow *flow, struct rare ret_rares[2]);
/* What else it owns beside its entry, into what is shown of it. */
void reader_settle(struct reader *reader, struct flow_whole *whole);
/* The connection that a half-open entry (reader->work.entry) stands for. */
const struct flow_whole *reader_expand(struct reader *reader, const struct flow_key *key);
void reader_show(struct reader *reader, const struct flow_key *key, struct flow_whole *whole, uint8_t close);
void reader_show_event(struct reader *reader, const void *data, size_t size);

/* reader_take.c: out of the tables, and to the output */

/* What a walk has found and wants to take out. */
struct wanted {
	struct flow_key key;
	uint64_t over_ns; /* it must have been over then; 0: whether it was or not */
};

static inline struct wanted reader_wants(const struct table_head *head, uint64_t over_ns)
{
	return (struct wanted){.key = head->key, .over_ns = over_ns};
}

/* Takes it out if it is still what was wanted, and shows it. 0 or -errno. */
int reader_end_flow(struct reader *reader, const struct table_head *head, struct wanted wanted);
int reader_end_half_open(struct reader *reader, const struct table_head *head, struct wanted wanted);

/* What was shown is written, and the kernel side lets go of it. 0, -EAGAIN: not now, or -errno. */
int reader_deliver(struct reader *reader);
/* While something waits nothing more is taken: it is safer in the kernel's tables than here. */
int reader_catch_up(struct reader *reader);
/* How a connection is told of that goes on when watching ends. */
uint8_t reader_close_at_end(const struct flow *flow);

/* Steps of a slot: see abi/outbox.h. */
void reader_copy_flow(struct outbox_slot *slot, const struct table_head *head);
void reader_copy_half_open(struct reader *reader, struct outbox_slot *slot, const struct table_head *head);
void reader_count_slot(struct reader *reader, struct outbox_slot *slot);
void reader_settle_slot(struct reader *reader, struct outbox_slot *slot);
void reader_show_slot(struct reader *reader, struct outbox_slot *slot);
void reader_drop_owned(struct reader *reader, const struct flow *flow);

/* reader_rescue.c: before the first look of this reader, what one that was killed left. 0 or -errno. */
int reader_begin(struct reader *reader);

#endif
