/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose socket the end of a connection is, kept from its first segment until the connection is counted. */
#ifndef ACKMON_CORE_OWNER_H
#define ACKMON_CORE_OWNER_H

#include "abi/key.h"
#include "abi/owner.h"
#include "core/compiler.h"

/* Of the end that sends in that direction. */
core_inline __u64 owner_hash(const struct flow_key *key, __u32 direction);
core_inline __u32 owner_place(__u64 hash);

core_inline void owner_put(struct owner_place *place, __u64 hash, __u32 cgroup);
core_inline __u32 owner_get(const struct owner_place *place, __u64 hash); /* 0: not there */

core_inline __u64 owner_mix(__u64 state, __u64 word)
{
	state = (state ^ word) * 0x9e3779b97f4a7c15ull;
	return state ^ state >> 29;
}

core_inline __u64 owner_hash(const struct flow_key *key, __u32 direction)
{
	__u64 hash = (__u64)key->ifindex << 1 | (direction & 1);
	__u32 i;

	for (i = 0; i < 4; i++)
		hash = owner_mix(hash, (__u64)key->addr[0].words_be32[i] << 32 |
					       key->addr[1].words_be32[i]);
	return owner_mix(hash, (__u64)key->port_be16[0] << 16 | key->port_be16[1]);
}

core_inline __u32 owner_place(__u64 hash)
{
	return (__u32)hash & (OWNER_PLACES - 1);
}

core_inline __u64 owner_mark(__u64 hash, __u32 cgroup)
{
	return (hash & 0xffffffff00000000ull) | cgroup;
}

core_inline int owner_is_of(__u64 mark, __u64 hash)
{
	return mark && mark >> 32 == hash >> 32;
}

core_inline void owner_put(struct owner_place *place, __u64 hash, __u32 cgroup)
{
	__u32 i, at = OWNER_MARKS;

	for (i = 0; i < OWNER_MARKS; i++) {
		if (owner_is_of(place->mark[i], hash))
			at = i;
	}
	if (at >= OWNER_MARKS) {
		at = READ_ONCE(place->next);
		if (at >= OWNER_MARKS)
			at = 0;
		WRITE_ONCE(place->next, at + 1);
	}
	WRITE_ONCE(place->mark[at], owner_mark(hash, cgroup));
}

core_inline __u32 owner_get(const struct owner_place *place, __u64 hash)
{
	__u32 i, cgroup = 0;

	for (i = 0; i < OWNER_MARKS; i++) {
		__u64 mark = READ_ONCE(place->mark[i]);

		if (owner_is_of(mark, hash))
			cgroup = (__u32)mark;
	}
	return cgroup;
}

#endif
