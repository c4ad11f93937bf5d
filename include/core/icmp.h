/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP errors: why a packet could not be delivered, and the packet they quote. */
#ifndef ACKMON_CORE_ICMP_H
#define ACKMON_CORE_ICMP_H

#include "abi/flow.h"
#include "core/compiler.h"
#include "core/cursor.h"
#include "core/packet.h"

/* Answers as enum hop does; pkt->icmp is set when it is an error, and what follows is the quote. */
core_inline int icmp_v4(struct cursor *cursor, struct packet *pkt);
core_inline int icmp_v6(struct cursor *cursor, struct packet *pkt);

#define ICMP_HEADER_LEN 8
#define ICMP_QUOTED_LEN 8 /* of TCP: ports and sequence number (RFC 792) */

core_inline __u8 icmp_v4_unreachable(__u8 code)
{
	switch (code) { /* RFC 792; RFC 1122, 3.2.2.1; RFC 1812, 5.2.7.1 */
	case 0:
	case 6:
	case 8:
	case 11:
		return ICMP_NET;
	case 2:
		return ICMP_PROTOCOL;
	case 3:
		return ICMP_PORT;
	case 4:
		return ICMP_FRAG_NEEDED;
	case 9:
	case 10:
	case 13:
		return ICMP_ADMIN;
	}
	return ICMP_HOST;
}

core_inline __u8 icmp_v4_reason(__u8 type, __u8 code)
{
	switch (type) {
	case 3:
		return icmp_v4_unreachable(code);
	case 11:
		return ICMP_TTL;
	case 12:
		return ICMP_PARAMETER;
	}
	return ICMP_NONE;
}

core_inline __u8 icmp_v6_unreachable(__u8 code)
{
	switch (code) { /* RFC 4443, 3.1 */
	case 0:
	case 2:
		return ICMP_NET;
	case 1:
	case 5: /* "more informative subsets of code 1" */
	case 6:
		return ICMP_ADMIN;
	case 4:
		return ICMP_PORT;
	}
	return ICMP_HOST;
}

core_inline __u8 icmp_v6_reason(__u8 type, __u8 code)
{
	switch (type) {
	case 1:
		return icmp_v6_unreachable(code);
	case 2:
		return ICMP_FRAG_NEEDED;
	case 3:
		return ICMP_TTL;
	case 4:
		return ICMP_PARAMETER;
	}
	return ICMP_NONE;
}

/* An error about an error is not sent (RFC 1122, 3.2.2), and would not be about TCP. */
core_inline int icmp_v4(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *icmp = cursor_peek(cursor, ICMP_HEADER_LEN);
	int lack = cursor_lacks(cursor, ICMP_HEADER_LEN, COUNTER_frames_not_tcp);

	if (lack || !icmp)
		return lack;
	if (pkt->icmp)
		return -(int)COUNTER_frames_not_tcp;
	pkt->icmp = icmp_v4_reason(icmp[0], icmp[1]);
	cursor_step(cursor, ICMP_HEADER_LEN);
	return pkt->icmp ? HOP_IPV4 : -(int)COUNTER_frames_not_tcp;
}

core_inline int icmp_v6(struct cursor *cursor, struct packet *pkt)
{
	const __u8 *icmp = cursor_peek(cursor, ICMP_HEADER_LEN);
	int lack = cursor_lacks(cursor, ICMP_HEADER_LEN, COUNTER_frames_not_tcp);

	if (lack || !icmp)
		return lack;
	if (pkt->icmp)
		return -(int)COUNTER_frames_not_tcp;
	pkt->icmp = icmp_v6_reason(icmp[0], icmp[1]);
	cursor_step(cursor, ICMP_HEADER_LEN);
	return pkt->icmp ? HOP_IPV6 : -(int)COUNTER_frames_not_tcp;
}

#endif
