/* SPDX-License-Identifier: GPL-2.0-only */
/* The same segment coming in and going out: the time between is the time inside this box. */
#ifndef ACKMON_CORE_TRANSIT_H
#define ACKMON_CORE_TRANSIT_H

#include "abi/transit.h"
#include "core/compiler.h"
#include "core/packet.h"

/*
 * What a segment keeps on its way through: ends, numbers, IP-ID. Its length is not in it, for several
 * that came in may leave as one (GRO), which begins like the first.
 */
core_inline __u64 transit_tag(const struct packet *pkt);

core_inline void transit_arrive(struct transit_mark *mark, __u64 tag, __u64 now_ns);

/* Ends the measurement. 0: what came in last there was something else. */
core_inline int transit_leave(struct transit_mark *mark, __u64 tag, __u64 now_ns, __u64 *ret_ns);

core_inline void transit_add(struct transit *transit, __u64 ns);

core_inline __u64 transit_mix(__u64 state, __u64 word)
{
	state = (state ^ word) * 0x9e3779b97f4a7c15ull;
	return state ^ state >> 29;
}

core_inline __u64 transit_tag(const struct packet *pkt)
{
	const struct flow_key *key = &pkt->key;
	__u64 tag = pkt->direction;
	__u32 i;

	for (i = 0; i < 4; i++) {
		tag = transit_mix(tag, (__u64)key->addr[0].words_be32[i] << 32 |
					       key->addr[1].words_be32[i]);
	}
	tag = transit_mix(tag, (__u64)key->port_be16[0] << 48 | (__u64)key->port_be16[1] << 32 |
				       pkt->ip_id);
	tag = transit_mix(tag, (__u64)pkt->seq << 32 | pkt->ack);
	return tag ? tag : 1;
}

core_inline void transit_arrive(struct transit_mark *mark, __u64 tag, __u64 now_ns)
{
	WRITE_ONCE(mark->tag, 0);
	WRITE_ONCE(mark->time_ns, now_ns);
	WRITE_ONCE(mark->tag, tag);
}

core_inline int transit_leave(struct transit_mark *mark, __u64 tag, __u64 now_ns, __u64 *ret_ns)
{
	__u64 came_ns;

	if (READ_ONCE(mark->tag) != tag)
		return 0;
	came_ns = READ_ONCE(mark->time_ns);
	if (READ_ONCE(mark->tag) != tag || now_ns < came_ns)
		return 0;
	WRITE_ONCE(mark->tag, 0); /* leaving by a bond and then by its slave is leaving once */
	*ret_ns = now_ns - came_ns;
	return 1;
}

core_inline void transit_add(struct transit *transit, __u64 ns)
{
	if (!transit->samples || ns < transit->min_ns)
		transit->min_ns = ns;
	if (ns > transit->max_ns)
		transit->max_ns = ns;
	transit->sum_ns += ns;
	transit->samples++;
}

#endif
