/* SPDX-License-Identifier: GPL-2.0-only */
/* What is kept of a connection that has not proved itself: its few segments, in 64 bytes. */
#ifndef ACKMON_ABI_HALF_OPEN_H
#define ACKMON_ABI_HALF_OPEN_H

#include <linux/types.h>

enum half_open_kind {
	HALF_OPEN_LONE,    /* one segment of any kind */
	HALF_OPEN_PAIR,    /* a SYN and its repeats, and the SYN-ACK and its repeats */
	HALF_OPEN_REFUSED, /* it proved itself, and the full flow table could not take it */
};

/* Times are kept from the first segment on; what came later than 2^38 ns (4 min 34 s) does not fit. */
#define HALF_OPEN_AFTER_BITS 38
#define HALF_OPEN_AFTER_MAX ((1ull << HALF_OPEN_AFTER_BITS) - 1)
#define HALF_OPEN_FRAMES_MAX 15 /* of one end */

/* The RTT of a handshake is told by the SYN-ACK's echo when SYNs were repeated. */
enum half_open_leg {
	HALF_OPEN_LEG_NONE,
	HALF_OPEN_LEG_FIRST, /* it answers the first SYN */
	HALF_OPEN_LEG_LAST,  /* it answers the last one before it */
};

/* What a SYN, or any segment, says by single bits; enough to tell whether two say the same. */
enum half_open_said {
	HALF_OPEN_TS = 1 << 0,
	HALF_OPEN_WSCALE = 1 << 1,
	HALF_OPEN_SACK_PERMITTED = 1 << 2,
	HALF_OPEN_IP_ID = 1 << 3, /* IPv4 */
	HALF_OPEN_ECE = 1 << 4,
	HALF_OPEN_CWR = 1 << 5,
	HALF_OPEN_ECN = 3 << 6,      /* struct packet's ecn, so far up */
	HALF_OPEN_WSCALE_IS = 15 << 8, /* its wscale */
	HALF_OPEN_TUNNEL = 1 << 12,    /* a lone segment came in one */
};
#define HALF_OPEN_ECN_SHIFT 6
#define HALF_OPEN_WSCALE_SHIFT 8

struct half_open_lone {
	__u32 seq;
	__u32 ack;
	__u32 tsval;
	__u32 tsecr;
	__u32 payload_bytes;
	__u32 wire_bytes;
	__u32 sack_start; /* its only block; none: both 0. Or tunnel_id ... */
	__u32 sack_end;   /* ... and tunnel, see HALF_OPEN_TUNNEL */
	__u16 window;
	__u16 ip_id;
	__u16 mss;
	__u16 segments;
	__u16 said; /* enum half_open_said */
	__u16 rst_ip_id;
	__u8 flags;
	__u8 ttl;
	__u8 rst_ttl;
	__u8 rst_wire_bytes;
};
_Static_assert(sizeof(struct half_open_lone) == 48, "half_open_lone has no hidden padding");

/*
 * Index 0 is the end that sent the SYN, 1 the one that answered; before it did, an RST has its place.
 * Repeats differ from the first in time, TSval and IP-ID only, else they do not fit.
 */
struct half_open_pair {
	__u64 answer_after_ns : HALF_OPEN_AFTER_BITS; /* first SYN-ACK */
	__u64 syn_said : 12;        /* enum half_open_said */
	__u64 syn_frames : 4;
	__u64 syn_ip_ids : 4; /* see struct side */
	__u64 syn_ip_ids_upward : 4;
	__u64 syn_reserved : 2;
	__u64 answer_last_after_ns : HALF_OPEN_AFTER_BITS; /* last SYN-ACK; without repeats, the RST behind it */
	__u64 answer_said : 12;
	__u64 answer_frames : 4; /* 0: no answer yet */
	__u64 answer_ip_ids : 4;
	__u64 answer_ip_ids_upward : 4;
	__u64 answer_reserved : 2;
	__u32 seq[2];
	__u32 tsval[2];    /* newest */
	__u32 first_tsval; /* of the end that repeats: SYNs up to the answer, SYN-ACKs after it; or the RST */
	__u16 ip_id[2];    /* newest */
	__u16 mss[2];
	__u8 ttl[2];
	__u8 wire_bytes[2];
};
_Static_assert(sizeof(struct half_open_pair) == 48, "half_open_pair has no hidden padding");

/*
 * Written as a whole by whoever found its next segment fitting. Two CPUs at once: the later one
 * wins, and a segment of the opening is missing in the record.
 */
struct half_open {
	__u64 start_ns;           /* first segment; of a refused flow: the last */
	__u64 last_after_ns : HALF_OPEN_AFTER_BITS; /* last SYN of a pair; RST behind a lone segment; 0: none */
	__u64 vlan : 12;
	__u64 kind : 2;      /* enum half_open_kind */
	__u64 direction : 1; /* of the first segment */
	__u64 leg : 2;       /* enum half_open_leg */
	__u64 late : 1;      /* SYNs were repeated after the SYN-ACK, not before */
	__u64 has_rst : 1;   /* the last segment is an RST */
	__u64 rst_direction : 1;
	__u64 rst_has_ack : 1;
	__u64 secondary : 1; /* see struct flow */
	__u64 icmp : 4;      /* the same */
	union {
		struct half_open_lone lone;
		struct half_open_pair pair;
	};
};
_Static_assert(sizeof(struct half_open) == 64, "a half-open connection takes 64 bytes");

#endif
