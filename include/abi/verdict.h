/* SPDX-License-Identifier: GPL-2.0-only */
/* The classes of segments, and why one was sent again. */
#ifndef ACKMON_ABI_VERDICT_H
#define ACKMON_ABI_VERDICT_H

enum segment_class { /* DESIGN 3, in the order the rules are tried */
	SEGMENT_PLAIN, /* takes no sequence space */
	SEGMENT_KEEPALIVE,
	SEGMENT_WINDOW_PROBE,
	SEGMENT_COPY,          /* the very same packet again */
	SEGMENT_LATE,          /* seen before, but sent before the one that was seen: the delayed original */
	SEGMENT_RETRANSMITTED, /* at least one octet seen before in this direction */
	SEGMENT_RECOVERED,     /* fills a hole, sent after the segment that opened it */
	SEGMENT_REORDERED,     /* fills a hole, sent before that segment */
	SEGMENT_UNRESOLVED,    /* fills a hole; sent before or after, nobody knows */
	SEGMENT_NEW,
	SEGMENT_SUSPECT, /* outside any possible window */
};

enum segment_cause { /* why a segment was sent again */
	CAUSE_NONE,
	CAUSE_FAST,  /* three duplicate ACKs, or SACKed data above it (RFC 5681, 3.2; RFC 6675) */
	CAUSE_RTO,   /* the timer (RFC 6298) */
	CAUSE_PROBE, /* tail loss probe (RFC 8985, 7) */
};

#endif
