/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel side's tables of connections (abi/table.h) as userspace sees them: sizes, looks, and what is taken out. */
#ifndef ACKMON_TABLE_H
#define ACKMON_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/table.h"

struct bpf_object;

/*
 * Before loading: `name` ("flows" or "half_open") shall hold so many connections; it may hold up to a quarter more
 * before one finds its two buckets full.
 */
int table_resize(struct bpf_object *object, const char *name, uint32_t connections);

/*
 * What it holds at least: as many as were asked for where its size is of that many, else of as many as fill
 * its buckets. And the bytes it takes. 0: no such table.
 */
uint32_t table_room(const struct bpf_object *object, const char *name, uint32_t asked);
uint64_t table_bytes(const struct bpf_object *object, const char *name);
uint64_t table_bytes_for(const struct bpf_object *object, const char *name, uint32_t connections);

/* After loading, before the first frame. Tables that others have begun stay as they are. 0 or -errno. */
int table_begin(const struct bpf_object *object);

/*
 * One table. With `is_shared` its memory is this process's, too, which takes the right to write; without,
 * what is looked at is copied.
 */
struct table {
	int tags_fd;
	int places_fd;
	uint32_t buckets;
	uint32_t place_bytes;
	struct table_bucket *tags; /* shared, or a copy of some */
	char *places;              /* shared, or room for one */
	bool is_shared;
	bool is_flows;
	struct table_about about;
};

/* table_close() accepts a table of zeros, and one whose opening failed. */
int table_open(struct table *ret_table, const struct bpf_object *object, const char *name, bool is_shared);
/* The same by descriptors, of tags, places and the map `tables`. */
int table_open_fds(struct table *ret_table, int tags_fd, int places_fd, int about_fd, bool is_flows, bool is_shared);
void table_close(struct table *table);

/*
 * Every place that is taken, in the order of the table, from bucket `from` to before bucket `to`. What is there
 * all the time comes exactly once. The head is in the shared memory, and changes as it is looked at, or is a copy.
 * is_closed: the connection was marked as closed. visit gives 0, or -errno to stop, which is then given back.
 */
typedef int (*table_visit)(void *context, const struct table_head *head, bool is_closed);
int table_walk(struct table *table, uint32_t from, uint32_t to, table_visit visit, void *context);
int table_walk_all(struct table *table, table_visit visit, void *context);

/* How many there are; any thread may ask. */
uint64_t table_count(const struct table *table);

/* A copy of the whole place, struct flow_place or half_open_place. false: the entry is gone, or leaves just now. */
bool table_copy(const struct table *table, const struct table_head *head, void *ret_place);

/* The same into two places: the key, and struct flow or half_open. */
bool table_copy_apart(const struct table *table, const struct table_head *head, struct flow_key *ret_key, void *ret_value);

/* The place of a key, copied. false: it is not there. */
bool table_find(struct table *table, const struct flow_key *key, void *ret_place);

/*
 * Takes an entry out, of a shared table: from then on nobody else finds it, and it stays where it is until
 * table_release(). false: a CPU was faster.
 */
bool table_take(struct table *table, const struct table_head *head);
void table_release(struct table *table, const struct table_head *head);

/* The entry is complete, and nobody takes it out. */
bool table_is_live(const struct table_head *head);

/* What is kept beside a side of a flow: by which it is found, and whether a flow of the table, shared, owns it. */
struct beside_key table_beside(const struct flow *flow, uint32_t direction);
bool table_owns(const struct table *flows, const struct beside_key *beside);

/* What was taken is not what was meant: it is found again. */
void table_put_back(const struct table_head *head);

/* The place of that number, of a shared table; NULL: there is none. */
const struct table_head *table_place(const struct table *table, uint32_t place);
/*
 * Of a reader that was killed: it took the entry out, and had not begun to release it; or had not ended. Then
 * table_release() does what is left.
 */
bool table_is_taken(const struct table_head *head);
bool table_is_released_half(const struct table *table, const struct table_head *head);

#endif
