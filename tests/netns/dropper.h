/* SPDX-License-Identifier: GPL-2.0-only */
/* What the dropper's two halves agree on: one rule, and what became of the packets it looked at. */
#ifndef ACKMON_TESTS_DROPPER_H
#define ACKMON_TESTS_DROPPER_H

#include <linux/types.h>

#define DROPPER_PASS_MARK 0xacd0 /* was looked at already: a duplicate, or a packet held back */
#define DROPPER_HELD_MAX 1600    /* longer packets (GSO) are not held back */

enum dropper_action {
	ACTION_DROP,
	ACTION_DUPLICATE,
	ACTION_DELAY,
};

enum dropper_match {
	MATCH_ANY,    /* IP or not */
	MATCH_TCP,
	MATCH_SYN,    /* without ACK */
	MATCH_SYNACK,
	MATCH_ACK,    /* no payload, no SYN, FIN or RST */
	MATCH_DATA,   /* payload, FIN or not */
	MATCH_PUSH,   /* payload with PSH: the end of a write */
	MATCH_FIN,
	MATCH_RST,
};

/* Packets that match are numbered from 1; any of the three ways of choosing is enough. */
struct dropper_rule {
	__u32 action; /* enum dropper_action */
	__u32 match;  /* enum dropper_match */
	__u32 port;   /* of either end; 0: all */
	__u32 first;  /* chosen by number, first to last; 0: not */
	__u32 last;
	__u32 every;  /* the first of every so many; 0: not */
	__u32 chance; /* of 2^32, decided by seed and number alone: every run decides the same */
	__u32 up_to;  /* nothing behind this number is chosen by chance; 0: no end */
	__u32 seed;
};

struct dropper_counts {
	__u64 packets; /* all that came by */
	__u64 matched;
	__u64 chosen;
	__u64 segments; /* wire segments of the chosen ones */
	__u64 too_long; /* chosen, but passed on: longer than can be held back */
};

struct dropper_held {
	__u64 seen_ns; /* CLOCK_MONOTONIC */
	__u32 len;
	__u32 reserved;
	__u8 bytes[DROPPER_HELD_MAX];
};

#endif
