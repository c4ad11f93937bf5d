/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a key lives in a table, and how a place there is taken: see abi/table.h. */
#ifndef ACKMON_CORE_TABLE_H
#define ACKMON_CORE_TABLE_H

#include "abi/table.h"
#include "core/compiler.h"

/* All that is asked of a key, from which follow its two buckets, its tag and the way it likes best. */
core_inline __u64 table_hash(const struct flow_key *key, const struct table_about *about);

core_inline __u32 table_home(__u64 hash, __u32 buckets);
core_inline __u32 table_other(__u64 hash, __u32 buckets);
core_inline __u32 table_tag(__u64 hash);
core_inline __u32 table_first_way(__u64 hash);

/* Its key and value are complete, and it is the key's. */
core_inline int table_holds(const struct table_head *head, __u32 tag, const struct flow_key *key);

/* Ways of a bucket, a bit each, see table_bit(): those with this tag, and those that are free. */
core_inline __u32 table_alike(const struct table_bucket *bucket, __u32 tag);
core_inline __u32 table_free_ways(const struct table_bucket *bucket);

/* A way of a set that is not empty. */
core_inline __u32 table_any(__u32 ways);

/*
 * Takes a place for a key: a way of its home, or TABLE_IN_OTHER and a way of the other bucket. TABLE_KNOWN and a
 * way (and TABLE_IN_OTHER): that has the same tag, and may be the key's. Who finds that it is a stranger's asks
 * again with that bucket in `avoid`: no bucket holds a tag twice. TABLE_FULL: there is no room; `are_one` says
 * that both buckets are the same. One CPU at a time for keys of one home: who calls this holds its lock.
 */
#define TABLE_WAY 15u
#define TABLE_IN_OTHER 16u
#define TABLE_KNOWN 32u
#define TABLE_FULL 64u

#define TABLE_AVOID_HOME 1u
#define TABLE_AVOID_OTHER 2u

core_inline __u32 table_claim(struct table_bucket *home, struct table_bucket *other, int are_one,
			      __u64 hash, __u32 avoid);

/* By which what is kept beside a side of a flow of the table is found. */
core_inline struct beside_key table_beside_key(const struct flow *flow, __u32 direction)
{
	return (struct beside_key){.side = flow->place * 2 + direction, .life = flow->life};
}

/* When so few ways of a home are free the other bucket may be the better place. */
#define TABLE_CROWDED 5u

/*
 * Halves of each word, each with a random number added, times each other, and the sum of these products (NH of
 * UMAC, RFC 4418, 5.2.2): two keys have one sum once in 2^32 draws of the seeds, whatever the keys. A word times a
 * number would not do: of what differs in the upper bits of words, as addresses do, little more than the sum is left.
 * The last step spreads it over all bits.
 */
core_inline __u64 table_product(__u64 word, __u64 seed)
{
	return (__u64)((__u32)word + (__u32)seed) * ((__u32)(word >> 32) + (__u32)(seed >> 32));
}

core_inline __u64 table_hash(const struct flow_key *key, const struct table_about *about)
{
	const __u64 *words = (const void *)key;
	__u64 hash = about->seed[5];

	hash += table_product(words[0], about->seed[0]);
	hash += table_product(words[1], about->seed[1]);
	hash += table_product(words[2], about->seed[2]);
	hash += table_product(words[3], about->seed[3]);
	hash += table_product(words[4], about->seed[4]);
	hash ^= hash >> 32;
	hash *= 0xd6e8feb86659fd93ull;
	return hash ^ hash >> 32;
}

/* hash / 2^32 * count */
core_inline __u32 table_part_of(__u32 hash, __u32 count)
{
	return (__u32)((__u64)hash * count >> 32);
}

core_inline __u32 table_home(__u64 hash, __u32 buckets)
{
	return table_part_of((__u32)(hash >> 32), buckets);
}

core_inline __u32 table_other(__u64 hash, __u32 buckets)
{
	return table_part_of((__u32)hash, buckets);
}

core_inline __u32 table_tag(__u64 hash)
{
	return ((__u32)(hash >> 16) & TABLE_TAG_BITS) | TABLE_IS_TAG;
}

core_inline __u32 table_first_way(__u64 hash)
{
	return (((__u32)hash & 0xffff) * TABLE_WAYS) >> 16;
}

core_inline int table_holds(const struct table_head *head, __u32 tag, const struct flow_key *key)
{
	const __u64 *a = (const void *)&head->key, *b = (const void *)key;

	return READ_ONCE(head->live) == tag && a[4] == b[4] && a[1] == b[1] && a[3] == b[3] &&
	       a[0] == b[0] && a[2] == b[2];
}

/*
 * Tags are looked at two at a time: what is done to a word of a bucket is done to both halves, with numbers that
 * leave each half to itself. A set has the bits of the ways in the lower halves first, then those of the others.
 */
#define TABLE_BOTH(number) ((__u64)(number) << 32 | (number))

#define TABLE_PAIRS ((TABLE_WAYS + 1) / 2)

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TABLE_UPPER(way) ((way) & 1)
#else
#define TABLE_UPPER(way) (~(way) & 1)
#endif

core_inline __u32 table_bit(__u32 way)
{
	return TABLE_UPPER(way) * TABLE_PAIRS + (way >> 1);
}

core_inline __u32 table_way(__u32 bit)
{
	return (bit << 1 & TABLE_WAY) | TABLE_UPPER(bit >> 3);
}

/* A bit of each half of eight words: one bit more to the right a word, the first at the very right. */
core_inline __u32 table_set(__u64 bits)
{
	return (__u32)(bits | bits >> (32 - TABLE_PAIRS)) & 0xffff & ~(1u << table_bit(TABLE_WAYS)); /* `spilled` */
}

/* The compiler reads one word after the other: all at once would take half of a program's stack. */
core_inline __u64 table_next_word(__u64 bits)
{
#ifdef __bpf__
	__asm__ volatile("" : "+r"(bits));
#endif
	return bits;
}

/*
 * Without a branch: one would be as often wrong as right, and the verifier walks both ways. Bit 30 of a half is
 * set by adding 1 where all bits below were, which is where the tag is the same: the two low bits are shifted out.
 */
core_inline __u32 table_alike(const struct table_bucket *bucket, __u32 tag)
{
	const __u64 same = TABLE_BOTH(1u << 30);
	__u64 unlike = TABLE_BOTH((__u64)(~tag & TABLE_TAG_BITS)), bits = 0;
	__u32 i;

#pragma GCC unroll 8
	for (i = 0; i < TABLE_PAIRS; i++) {
		__u64 pair = (READ_ONCE(bucket->pair[i]) & TABLE_BOTH((__u64)TABLE_TAG_BITS)) ^ unlike;

		bits = table_next_word(bits >> 1 | (((pair >> 2) + TABLE_BOTH(1)) & same));
	}
	return table_set(bits >> (30 - (TABLE_PAIRS - 1)));
}

core_inline __u32 table_free_ways(const struct table_bucket *bucket)
{
	__u64 bits = 0;
	__u32 i;

#pragma GCC unroll 8
	for (i = TABLE_PAIRS; i--;)
		bits = table_next_word(bits << 1 | (READ_ONCE(bucket->pair[i]) & TABLE_BOTH(TABLE_IS_TAG)));
	return table_set(~bits / TABLE_IS_TAG & TABLE_BOTH((1u << TABLE_PAIRS) - 1));
}

core_inline __u32 table_count_ways(__u32 ways)
{
	ways = ways - (ways >> 1 & 0x5555);
	ways = (ways & 0x3333) + (ways >> 2 & 0x3333);
	ways = (ways + (ways >> 4)) & 0x0f0f;
	return (ways + (ways >> 8)) & 31;
}

/* The lowest bit is the one that has as many below it as are counted. */
core_inline __u32 table_any(__u32 ways)
{
	__u32 way = table_way(table_count_ways((ways & (0u - ways)) - 1) & TABLE_WAY);

	compiler_forgets(way); /* 5.10 and 6.1 see no bound in what was put together, and want a mask that stays */
	return way & TABLE_WAY;
}

/*
 * Keys of other homes take ways of this bucket under other locks; before Linux 5.12, which has no such
 * instruction, there is one lock for all.
 */
core_inline int table_take_way(__u32 *tag_at, __u32 tag)
{
#if defined(__bpf__) && defined(ACKMON_OLDER)
	if (READ_ONCE(*tag_at))
		return 0;
	WRITE_ONCE(*tag_at, tag);
	return 1;
#else
	return !__sync_val_compare_and_swap(tag_at, 0, tag);
#endif
}

/* The way a key likes best, or any. */
core_inline __u32 table_prefer(__u32 ways, __u32 first)
{
	return ways >> table_bit(first) & 1 ? first : table_any(ways);
}

/* The other bucket is another line of the cache: nobody looks at it who need not. */
core_inline __u32 table_claim(struct table_bucket *home, struct table_bucket *other, int are_one,
			      __u64 hash, __u32 avoid)
{
	__u32 tag = table_tag(hash), first = table_first_way(hash), way;
	__u32 alike = table_alike(home, tag), spilled = READ_ONCE(home->spilled) & TABLE_SPILLED;
	__u32 ways = alike ? 0 : table_free_ways(home), others = 0;

	if (alike && !(avoid & TABLE_AVOID_HOME))
		return TABLE_KNOWN | table_any(alike);
	if (!are_one && (spilled || table_count_ways(ways) <= TABLE_CROWDED)) {
		alike = table_alike(other, tag);
		if (alike && spilled && !(avoid & TABLE_AVOID_OTHER))
			return TABLE_KNOWN | TABLE_IN_OTHER | table_any(alike);
		if (!alike && table_count_ways(ways) <= TABLE_CROWDED)
			others = table_free_ways(other);
	}
	if (ways && table_count_ways(ways) >= table_count_ways(others)) {
		way = table_prefer(ways, first);
		if (table_take_way(&home->tag[way], tag))
			return way;
	}
	way = table_prefer(others, first);
	if (!others || !table_take_way(&other->tag[way], tag))
		return TABLE_FULL;
	__sync_fetch_and_add(&home->spilled, 1);
	return TABLE_IN_OTHER | way;
}

#endif
