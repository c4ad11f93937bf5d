/* SPDX-License-Identifier: GPL-2.0-only */
/* The tables of connections in the kernel's maps: finding an entry, entering one, taking one out. */
#ifndef ACKMON_KERN_TABLE_H
#define ACKMON_KERN_TABLE_H

#include "kern/maps.h"

#include "core/table.h"

/*
 * Both tables go by the same functions, written out for each: the verifier wants to know which map it is.
 * `tags` and `places` are the two maps of one; a struct table_head stands first in each place.
 */

/* Instead of the number of a place. */
#define TABLE_NOWHERE (~0u)
#define TABLE_IS_KNOWN (~1u)
#define TABLE_STRANGER (~2u) /* another key of that bucket has the same tag */
#define TABLE_STRANGER_IN_OTHER (~3u)

core_inline const struct table_about *table_about(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tables, &zero);
}

core_inline __u32 table_place(__u32 bucket, __u32 way)
{
	return bucket * TABLE_WAYS + way;
}

/* Where a key likes best to be, and most are: one look, without the tags. */
core_inline __u32 table_best_place(__u64 hash, __u32 buckets)
{
	return table_place(table_home(hash, buckets), table_first_way(hash));
}

/* The way of one bucket with the key's tag, if it is the key's. */
core_inline __u32 table_choose(void *places, __u32 bucket, __u32 alike, __u32 tag, const struct flow_key *key)
{
	const struct table_head *head;
	__u32 place;

	if (likely(!alike))
		return TABLE_NOWHERE;
	place = table_place(bucket, table_any(alike));
	head = bpf_map_lookup_elem(places, &place);
	return head && table_holds(head, tag, key) ? place : TABLE_NOWHERE;
}

/* By the tags of its two buckets. */
core_inline __u32 table_search(void *tags, void *places, const struct flow_key *key, __u64 hash, __u32 buckets)
{
	__u32 bucket = table_home(hash, buckets), tag = table_tag(hash), place;
	const struct table_bucket *at = bpf_map_lookup_elem(tags, &bucket);
	__u32 spilled;

	if (!at)
		return TABLE_NOWHERE;
	spilled = READ_ONCE(at->spilled) & TABLE_SPILLED;
	place = table_choose(places, bucket, table_alike(at, tag), tag, key);
	if (place != TABLE_NOWHERE || !spilled)
		return place;
	bucket = table_other(hash, buckets);
	at = bpf_map_lookup_elem(tags, &bucket);
	return at ? table_choose(places, bucket, table_alike(at, tag), tag, key) : TABLE_NOWHERE;
}

core_inline struct lock *table_lock(__u32 home)
{
#ifdef ACKMON_OLDER
	__u32 number = home & 0; /* see table_take_way() */
#else
	__u32 number = home & (LOCKS - 1);
#endif

	return bpf_map_lookup_elem(&locks, &number);
}

/* A place for the key, which is not live before table_fill(); or one of the answers above. */
core_inline __u32 table_enter(void *tags, void *places, const struct flow_key *key, __u64 hash, __u32 buckets,
			      __u32 avoid)
{
	__u32 home = table_home(hash, buckets), other = table_other(hash, buckets), place, answer;
	struct table_bucket *near = bpf_map_lookup_elem(tags, &home);
	struct table_bucket *far = bpf_map_lookup_elem(tags, &other);
	struct lock *mine = table_lock(home);
	const struct table_head *head;

	if (!near || !far || !mine)
		return TABLE_NOWHERE;
	bpf_spin_lock(&mine->lock);
	answer = table_claim(near, far, home == other, hash, avoid);
	bpf_spin_unlock(&mine->lock);
	if (answer & TABLE_FULL)
		return TABLE_NOWHERE;
	place = table_place(answer & TABLE_IN_OTHER ? other : home, answer & TABLE_WAY);
	if (!(answer & TABLE_KNOWN))
		return place;
	head = bpf_map_lookup_elem(places, &place);
	if (!head || READ_ONCE(head->live) != table_tag(hash) || table_holds(head, table_tag(hash), key))
		return TABLE_IS_KNOWN;
	return answer & TABLE_IN_OTHER ? TABLE_STRANGER_IN_OTHER : TABLE_STRANGER;
}

/* Asked again with the bucket to avoid: of which there are two. */
#define TABLE_ASKED 3u

core_inline __u32 table_to_avoid(__u32 answer)
{
	if (answer == TABLE_STRANGER)
		return TABLE_AVOID_HOME;
	return answer == TABLE_STRANGER_IN_OTHER ? TABLE_AVOID_OTHER : 0;
}

/* The value behind it is complete: from now on it is found. */
core_inline void table_fill(struct table_head *head, __u32 place, const struct flow_key *key, __u64 hash)
{
	head->place = place;
	head->key = *key;
#ifdef ACKMON_OLDER
	WRITE_ONCE(head->live, table_tag(hash));
#else
	__sync_lock_test_and_set(&head->live, table_tag(hash)); /* after all that was written before */
#endif
}

/*
 * Before Linux 5.12 nothing tells a CPU what stood in memory before it changed it. So it says that it wants
 * the entry, and then looks whether the reader had come before: he takes what nobody has touched.
 */
core_inline int table_part_by_lock(struct table_head *head, __u32 tag)
{
	struct lock *one = table_lock(0);
	int is_mine = 0;

	if (!one)
		return 0;
	bpf_spin_lock(&one->lock);
	if (READ_ONCE(head->live) == tag) {
		__sync_fetch_and_add(&head->live, TABLE_KERNEL);
		is_mine = READ_ONCE(head->live) == tag + TABLE_KERNEL;
	}
	bpf_spin_unlock(&one->lock);
	if (is_mine)
		WRITE_ONCE(head->live, 0);
	return is_mine;
}

/* 1: the entry was live, with that tag, and is the caller's now. */
core_inline int table_part(struct table_head *head, __u32 tag)
{
	if (!tag || (tag & ~TABLE_TAG_BITS))
		return 0;
#ifdef ACKMON_OLDER
	return table_part_by_lock(head, tag);
#else
	return __sync_val_compare_and_swap(&head->live, tag, 0) == tag;
#endif
}

/* The place of an entry that was taken out. */
core_inline void table_release(void *tags, const struct table_head *head, __u64 hash, __u32 buckets)
{
	__u32 home = table_home(hash, buckets), bucket = head->place / TABLE_WAYS;
	__u32 way = head->place - bucket * TABLE_WAYS;
	struct table_bucket *at = bpf_map_lookup_elem(tags, &bucket);

	if (at && way < TABLE_WAYS)
#ifdef ACKMON_OLDER
		WRITE_ONCE(at->tag[way], 0);
#else
		__sync_fetch_and_and(&at->tag[way], 0); /* after all that was read of it */
#endif
	if (bucket == home)
		return;
	at = bpf_map_lookup_elem(tags, &home);
	if (at)
		__sync_fetch_and_add(&at->spilled, -1);
}

/* ------------------------------------------------------------------ flows */

core_apart __u32 table_search_flows(const struct flow_key *key)
{
	const struct table_about *about = table_about();

	if (!key || !about)
		return TABLE_NOWHERE;
	return table_search(&flow_tags, &flows, key, table_hash(key, about), about->flow_buckets);
}

/*
 * A packet needs most lines of its flow, and would wait for each in turn where they are in no cache near by. So
 * those that nearly all packets need are asked for at once, and the processor goes on meanwhile: nothing depends
 * on what is read here.
 */
core_inline void table_touch(const struct flow_place *place)
{
	const volatile __u64 *a = &place->flow.side[0].payload_bytes, *b = &place->flow.side[1].payload_bytes;

	(void)a[0];
	(void)a[8];
	(void)a[16];
	(void)b[0];
	(void)b[8];
	(void)b[16];
}

core_inline struct flow_place *table_find_flow(const struct flow_key *key)
{
	const struct table_about *about = table_about();
	struct flow_place *found;
	__u64 hash;
	__u32 place;

	if (!about)
		return (struct flow_place *)0;
	hash = table_hash(key, about);
	place = table_best_place(hash, about->flow_buckets);
	found = bpf_map_lookup_elem(&flows, &place);
	if (found)
		table_touch(found);
	if (found && table_holds(&found->head, table_tag(hash), key))
		return found;
	place = table_search_flows(key);
	return bpf_map_lookup_elem(&flows, &place);
}

/* By the tags at once. */
core_inline struct flow_place *table_seek_flow(const struct flow_key *key)
{
	__u32 place = table_search_flows(key);

	return bpf_map_lookup_elem(&flows, &place);
}

/* At that place, or wherever else it is. */
core_apart __u32 table_search_entered(const struct flow_key *key, __u32 place)
{
	const struct flow_place *entered = bpf_map_lookup_elem(&flows, &place);
	__u32 tag;

	if (!key)
		return TABLE_NOWHERE;
	tag = entered ? READ_ONCE(entered->head.live) : 0;
	if (entered && (tag & TABLE_IS_TAG) && !(tag & ~TABLE_TAG_BITS) && table_holds(&entered->head, tag, key))
		return place;
	return table_search_flows(key);
}

core_apart __u32 table_enter_flow_once(const struct flow_key *key, __u64 hash, __u32 avoid)
{
	const struct table_about *about = table_about();

	if (!key || !about)
		return TABLE_NOWHERE;
	return table_enter(&flow_tags, &flows, key, hash, about->flow_buckets, avoid);
}

core_inline __u32 table_enter_flow(const struct flow_key *key, __u64 hash)
{
	__u32 answer = TABLE_NOWHERE, avoid = 0, i;

	for (i = 0; i < TABLE_ASKED; i++) {
		answer = table_enter_flow_once(key, hash, avoid);
		if (likely(!table_to_avoid(answer)))
			return answer;
		avoid |= table_to_avoid(answer);
	}
	return TABLE_NOWHERE;
}

/*
 * FIN both ways or RST: the reader looks at it from now on, until it is over. Before Linux 5.12 he finds it as
 * any other: a mark could not be set but by who may be too late, in a place that is free by then.
 */
core_apart int table_note_closed(const struct flow_key *key)
{
#ifdef ACKMON_OLDER
	(void)key;
#else
	struct table_bucket *at;
	struct flow_place *found;
	__u32 bucket, way, tag;

	if (!key)
		return 0;
	found = table_seek_flow(key);
	if (!found)
		return 0;
	bucket = found->head.place / TABLE_WAYS;
	way = found->head.place - bucket * TABLE_WAYS;
	tag = READ_ONCE(found->head.live);
	at = bpf_map_lookup_elem(&flow_tags, &bucket);
	if (at && way < TABLE_WAYS && tag && !(tag & ~TABLE_TAG_BITS))
		atomic_change(&at->tag[way], tag, tag | TABLE_CLOSED);
#endif
	return 0;
}

core_inline void table_release_flow(const struct flow_place *place)
{
	const struct table_about *about = table_about();

	if (about)
		table_release(&flow_tags, &place->head, table_hash(&place->head.key, about), about->flow_buckets);
}

/* ------------------------------------------------------------------ half-open ones */

/* Whoever asks for one mostly finds it, where it likes best to be. */
core_apart __u32 table_search_half_open(const struct flow_key *key)
{
	const struct table_about *about = table_about();
	const struct half_open_place *best;
	__u64 hash;
	__u32 place;

	if (!key || !about)
		return TABLE_NOWHERE;
	hash = table_hash(key, about);
	place = table_best_place(hash, about->half_open_buckets);
	best = bpf_map_lookup_elem(&half_open, &place);
	if (best && table_holds(&best->head, table_tag(hash), key))
		return place;
	return table_search(&half_open_tags, &half_open, key, hash, about->half_open_buckets);
}

core_inline struct half_open_place *table_find_half_open(const struct flow_key *key)
{
	__u32 place = table_search_half_open(key);

	return bpf_map_lookup_elem(&half_open, &place);
}

core_apart __u32 table_enter_half_open_once(const struct flow_key *key, __u64 hash, __u32 avoid)
{
	const struct table_about *about = table_about();

	if (!key || !about)
		return TABLE_NOWHERE;
	return table_enter(&half_open_tags, &half_open, key, hash, about->half_open_buckets, avoid);
}

core_inline __u32 table_enter_half_open(const struct flow_key *key, __u64 hash)
{
	__u32 answer = TABLE_NOWHERE, avoid = 0, i;

	for (i = 0; i < TABLE_ASKED; i++) {
		answer = table_enter_half_open_once(key, hash, avoid);
		if (likely(!table_to_avoid(answer)))
			return answer;
		avoid |= table_to_avoid(answer);
	}
	return TABLE_NOWHERE;
}

core_inline void table_release_half_open(const struct half_open_place *place)
{
	const struct table_about *about = table_about();

	if (about)
		table_release(&half_open_tags, &place->head, table_hash(&place->head.key, about),
			      about->half_open_buckets);
}

/* Ways have their turn one after the other. */
core_inline __u32 table_next_out(struct table_bucket *home)
{
	__u32 turn = atomic_add(&home->spilled, TABLE_PUSHED) >> 16;

	return turn - turn / TABLE_WAYS * TABLE_WAYS;
}

/*
 * Out of the home of a key whose buckets are both full: of the way whose turn it is and the one behind it what came
 * first, so never what came last. 1: it had no record; 0: it had; -1: it leaves just now, or comes.
 */
core_numbers int table_push_half_open(__u64 hash)
{
	const struct table_about *about = table_about();
	struct half_open_place *old, *next;
	__u32 home, place, behind, turn;
	struct table_bucket *near;
	int had_none;

	if (!about)
		return -1;
	home = table_home(hash, about->half_open_buckets);
	near = bpf_map_lookup_elem(&half_open_tags, &home);
	if (!near)
		return -1;
	turn = table_next_out(near);
	place = table_place(home, turn);
	behind = table_place(home, turn + 1 < TABLE_WAYS ? turn + 1 : 0);
	old = bpf_map_lookup_elem(&half_open, &place);
	next = bpf_map_lookup_elem(&half_open, &behind);
	if (!old || !next)
		return -1;
	if (next->entry.start_ns < old->entry.start_ns)
		old = next;
	if (!table_part(&old->head, READ_ONCE(old->head.live)))
		return -1;
	had_none = old->entry.kind != HALF_OPEN_REFUSED;
	table_release_half_open(old);
	return had_none;
}

#endif
