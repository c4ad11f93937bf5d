/* SPDX-License-Identifier: GPL-2.0-only */
/* What is looked for in the kernel side's tables because it may be over, or its interface gone. */
#include "reader_parts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "core/expire.h"

/*
 * A sweep looks at all that is marked as closed, and at so many of the others, some 25 ms: the silent ones of a
 * larger table are found in turn.
 */
#define LOOKS_A_SWEEP (1u << 20)

/* How often entries without an owner are looked for; less often where that took more than a part of the time. */
#define ORPHANS_EVERY_NS (30 * 1000000000ull)
#define ORPHANS_SHARE 20

/* A walk through one of the tables. */
struct sweep {
	struct reader *reader;
	uint64_t now_ns;
	uint32_t looks; /* left */
	bool is_tired;
	uint32_t tired_at; /* bucket */
};

static bool looks(struct sweep *sweep, const struct table_head *head, bool is_closed)
{
	if (is_closed)
		return true;
	if (sweep->looks) {
		sweep->looks--;
		return true;
	}
	if (!sweep->is_tired)
		sweep->tired_at = head->place / TABLE_WAYS;
	sweep->is_tired = true;
	return false;
}

static int end_flow_if_over(void *context, const struct table_head *head, bool is_closed)
{
	const struct flow *flow = &((const struct flow_place *)head)->flow;
	struct sweep *sweep = context;

	if (!looks(sweep, head, is_closed) || !table_is_live(head) ||
	    !flow_is_over(flow, &sweep->reader->config, sweep->now_ns))
		return 0;
	return reader_end_flow(sweep->reader, head, reader_wants(head, sweep->now_ns));
}

static int end_half_open_if_over(void *context, const struct table_head *head, bool is_closed)
{
	const struct half_open *entry = &((const struct half_open_place *)head)->entry;
	struct sweep *sweep = context;

	if (!looks(sweep, head, is_closed) || !table_is_live(head) ||
	    !half_open_is_over(entry, &sweep->reader->config, sweep->now_ns))
		return 0;
	return reader_end_half_open(sweep->reader, head, reader_wants(head, sweep->now_ns));
}

/* All of the table, from where the last one was tired. */
static int sweep_table(struct sweep sweep, struct table *table, table_visit visit, uint32_t *next)
{
	int err = table_walk(table, *next, table->buckets, visit, &sweep);

	if (!err)
		err = table_walk(table, 0, *next, visit, &sweep);
	if (sweep.is_tired)
		*next = sweep.tired_at;
	return err;
}

static int sweep(struct reader *reader, uint64_t now_ns, uint32_t looks)
{
	struct sweep sweep = {.reader = reader, .now_ns = now_ns, .looks = looks};
	int err = sweep_table(sweep, &reader->half_open, end_half_open_if_over, &reader->half_open_next);

	return err ? err : sweep_table(sweep, &reader->flows, end_flow_if_over, &reader->flows_next);
}

/* Two CPUs, of which one ends a flow, may leave entries beside it behind. */
static void look_for_orphans(struct reader *reader, uint64_t now_ns)
{
	uint64_t since_ns = now_ns - reader->orphans_sought_ns, begin_ns = clock_monotonic_ns();

	if (reader->orphans.count && since_ns > GRACE_NS)
		orphans_drop(&reader->orphans, &reader->flows);
	if (since_ns <= ORPHANS_EVERY_NS || since_ns < ORPHANS_SHARE * reader->orphans_cost_ns)
		return;
	orphans_look(&reader->orphans, &reader->flows, reader->holes_fd);
	orphans_look(&reader->orphans, &reader->flows, reader->rares.fd);
	orphans_look(&reader->orphans, &reader->flows, reader->histograms_fd);
	reader->orphans_sought_ns = now_ns;
	reader->orphans_cost_ns = clock_monotonic_ns() - begin_ns;
}

static int sweep_with(struct reader *reader, uint64_t now_ns, uint32_t looks)
{
	int err;

	if (reader->only_looks)
		return 0;
	err = reader_begin(reader);
	if (!err)
		err = reader_catch_up(reader);
	if (err)
		return err;
	err = sweep(reader, now_ns - GRACE_NS, looks);
	if (!err)
		err = reader_deliver(reader);
	look_for_orphans(reader, now_ns);
	return err;
}

int reader_sweep(struct reader *reader, uint64_t now_ns)
{
	return sweep_with(reader, now_ns, LOOKS_A_SWEEP);
}

int reader_sweep_now(struct reader *reader, uint64_t now_ns)
{
	return sweep_with(reader, now_ns, UINT32_MAX);
}

/* Interfaces that are gone */

struct gone {
	struct reader *reader;
	const uint32_t *ifindexes; /* sorted */
	size_t count;
};

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool is_gone(const struct gone *gone, const struct flow_key *key)
{
	uint32_t ifindex = key->ifindex;

	return bsearch(&ifindex, gone->ifindexes, gone->count, sizeof(ifindex), by_number);
}

static int end_flow_if_gone(void *context, const struct table_head *head, bool is_closed)
{
	const struct gone *gone = context;

	(void)is_closed;
	return is_gone(gone, &head->key) ? reader_end_flow(gone->reader, head, reader_wants(head, 0)) : 0;
}

static int end_half_open_if_gone(void *context, const struct table_head *head, bool is_closed)
{
	const struct gone *gone = context;

	(void)is_closed;
	return is_gone(gone, &head->key) ? reader_end_half_open(gone->reader, head, reader_wants(head, 0)) : 0;
}

int reader_leave(struct reader *reader, const uint32_t *ifindexes, size_t count)
{
	uint32_t *sorted;
	int err;

	if (!count || reader->only_looks)
		return 0;
	err = reader_catch_up(reader);
	if (err)
		return err;
	sorted = malloc(count * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, ifindexes, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), by_number);
	err = table_walk_all(&reader->half_open, end_half_open_if_gone, &(struct gone){reader, sorted, count});
	if (!err)
		err = table_walk_all(&reader->flows, end_flow_if_gone, &(struct gone){reader, sorted, count});
	free(sorted);
	return err ? err : reader_deliver(reader);
}
