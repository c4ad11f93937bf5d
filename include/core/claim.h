/* SPDX-License-Identifier: GPL-2.0-only */
/* One connection on several watched interfaces: whose flow counts, and who saw it too. */
#ifndef ACKMON_CORE_CLAIM_H
#define ACKMON_CORE_CLAIM_H

#include "abi/claim.h"
#include "core/compiler.h"
#include "core/packet.h"

/* What the interface of this packet, the first of a flow there, would claim. */
core_inline struct claim claim_of(const struct packet *pkt);

/* Both are about one connection, as far as their first sequence numbers tell. */
core_inline int claim_is_same(const struct claim *a, const struct claim *b);

/* One more interface that sees the connection. */
core_inline void claim_add(struct claim *claim, __u32 ifindex);

core_inline struct claim claim_of(const struct packet *pkt)
{
	struct claim claim = {.ifindex = pkt->key.ifindex};

	if (!(pkt->flags & TCP_SYN))
		return claim;
	claim.has_opener_seq = 1;
	claim.opener_seq = pkt->flags & TCP_ACK ? pkt->ack - 1 : pkt->seq;
	return claim;
}

/* An interface that came while the connection ran does not know how it began. */
core_inline int claim_is_same(const struct claim *a, const struct claim *b)
{
	return !a->has_opener_seq || !b->has_opener_seq || a->opener_seq == b->opener_seq;
}

/*
 * No lock: an interface adds itself once a connection, and two of them need different time to see
 * its first packet. Were they to meet, one would be missing from the list, and still not count.
 */
core_inline void claim_add(struct claim *claim, __u32 ifindex)
{
	__u32 i;

	for (i = 0; i < CLAIM_ALSO_MAX; i++) {
		if (!claim->also[i])
			claim->also[i] = ifindex;
		if (claim->also[i] == ifindex)
			return;
	}
	claim->also_dropped++;
}

#endif
