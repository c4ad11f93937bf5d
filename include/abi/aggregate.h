/* SPDX-License-Identifier: GPL-2.0-only */
/* What is counted for each pair of labels, and how an address gets its label. */
#ifndef ACKMON_ABI_AGGREGATE_H
#define ACKMON_ABI_AGGREGATE_H

#include <linux/types.h>

#include "abi/key.h"

/* Groups that always are there: addresses without a label, of inside and of outside. */
#define GROUP_INTERNAL 0u
#define GROUP_EXTERNAL 1u
#define GROUP_UNNAMED (~0u) /* in a label_value: one of these two, as the address says */

/* Key of the longest-prefix map; IPv4 as ::ffff:a.b.c.d, its lengths 96 more. */
struct label_prefix {
	__u32 bits;
	struct ip_addr addr;
};
_Static_assert(sizeof(struct label_prefix) == 20, "label_prefix has no hidden padding");

/* What a prefix says of an address whose port no rule names. */
struct label_value {
	__u32 group;
	__u32 ports; /* index of its struct label_ports; 0: there is none */
};

/*
 * What the numbers of groups mean, for who reads after the one that gave them: "0" or "1" (external), the
 * namespace, a zero, the region, a zero; cut into parts, of which part 0 is written last.
 */
struct label_name_key {
	__u32 group;
	__u32 part;
};

#define LABEL_NAME_PART 124

struct label_name {
	__u32 bytes; /* of all parts together */
	char text[LABEL_NAME_PART];
};
_Static_assert(sizeof(struct label_name) == 128, "label_name has no hidden padding");

#define LABEL_PORTS_MAX 16
#define LABEL_PORTS_HALF 1024 /* of the kernel's room for them: one for odd generations, one for even */

/* Ports of one prefix that are another group than the rest; the first rule that fits counts. */
struct label_ports {
	__u32 count;
	struct label_port {
		__u16 first;
		__u16 last;
		__u32 group;
	} port[LABEL_PORTS_MAX];
};
_Static_assert(sizeof(struct label_ports) == 132, "label_ports has no hidden padding");

/* What became of a connection (DESIGN 3, Opening). */
enum flow_outcome {
	OUTCOME_UNKNOWN, /* not yet */
	OUTCOME_ESTABLISHED,
	OUTCOME_REFUSED,
	OUTCOME_RESET,
	OUTCOME_NO_ANSWER,
	OUTCOME_UNREACHABLE,
	OUTCOME_ABANDONED,
	OUTCOME_MIDSTREAM,
	OUTCOME_COUNT,
};

enum pair_histogram {
	PAIR_CONNECT,
	PAIR_HANDSHAKE_OPENER, /* the leg to that end */
	PAIR_HANDSHAKE_RESPONDER,
	PAIR_RTT_OPENER,
	PAIR_RTT_RESPONDER,
	PAIR_RESPONSE,
	PAIR_HISTOGRAMS,
};

#define PAIR_CAUSES 4 /* enum segment_cause */

/*
 * Of one pair of groups, on one CPU, which alone writes it. Flows are added when they have proved
 * themselves, others when they leave.
 */
struct pair_counters {
	/* Every packet: one cache line. */
	__u64 segments;
	__u64 payload_bytes;
	__u64 sum_ns[PAIR_HISTOGRAMS]; /* of the samples in the histograms */

	__u64 outcomes[OUTCOME_COUNT];
	__u64 retransmitted[PAIR_CAUSES]; /* segments, by enum segment_cause */
	__u64 spurious;       /* of these, as they passed or by a later D-SACK */
	__u64 recovered;      /* segments */
	__u64 reordered;      /* segments */
	__u64 zero_window_ns; /* of windows that opened again, or whose flow is over */
};
_Static_assert(sizeof(struct pair_counters) == 192, "pair_counters is three cache lines");

/* Pairs that always are there. */
#define PAIR_NONE 0u  /* of flows that are counted nowhere yet */
#define PAIR_OTHER 1u /* of all pairs there was no room for */
#define PAIR_FIRST 2u
#define PAIRS_MAX 65536u /* struct flow has 16 bits for them */

struct pair_key {
	__u32 opener; /* groups */
	__u32 responder;
};

/*
 * Histograms of pairs are finer than those of flows: buckets grow by 2^(1/32), 2.2%, so that whatever
 * a reader takes from within a bucket is right to that. Bucket 0 holds what is at most 2^-20 s, bucket i
 * (2^((i-1)/32 - 20), 2^(i/32 - 20)] seconds: OpenTelemetry's and Prometheus' schema 5. They are kept in
 * chunks, of which a pair owns those it needs.
 */
#define FINE_SCALE 5
#define FINE_BUCKETS (1 + (26 << FINE_SCALE))
#define CHUNK_BUCKETS 16
#define PAIR_CHUNKS ((FINE_BUCKETS + CHUNK_BUCKETS - 1) / CHUNK_BUCKETS) /* of one histogram */

struct chunk { /* on one CPU */
	__u64 count[CHUNK_BUCKETS];
};

/* Where a pair's chunks are; 0: it has none there. Those of PAIR_OTHER come first and always exist. */
#define PAIR_PLACES (PAIR_HISTOGRAMS * PAIR_CHUNKS)
#define PAIR_PLACES_ROOM 512u /* a power of two, as the verifier likes it */

struct pair_chunks {
	__u32 chunk[PAIR_PLACES_ROOM];
};
_Static_assert(PAIR_PLACES <= PAIR_PLACES_ROOM, "every place has room");
#define CHUNK_OTHER 1u
#define CHUNK_FIRST (CHUNK_OTHER + PAIR_PLACES)

/* What the reader counts: flows that it takes out, and what it has already told the world. */
struct pair_reader {
	struct pair_counters counters;
	__u64 lost_after_told; /* a D-SACK may take some back later; a counter must not fall */
	/*
	 * PAIR_NONE's entry is the reader's own note: the pair that a flow is being counted in, whose counters
	 * these become. A reader that was killed meanwhile may do it again.
	 */
	__u64 leaving; /* which flow; 0: none */
	__u64 leaving_pair;
	__u64 reserved[5];
};
_Static_assert(sizeof(struct pair_reader) == 256, "pair_reader is four cache lines");

/* What all CPUs share; the counts are added to atomically. */
struct aggregate_state {
	__u32 pairs;         /* given out, PAIR_NONE and PAIR_OTHER included; may run past the end */
	__u32 chunks;        /* the same for chunks */
	__u32 generation;    /* of the labels, odd or even says which map; never 0 */
	__u32 reserved;
	__u64 pairs_refused;  /* times a flow was looked up and is in PAIR_OTHER for want of room */
	__u64 chunks_refused; /* samples that were, for the same reason */
	__u64 owners_unknown; /* ends counted by their address alone: nobody had told their cgroup, see owner.h */
	__u64 owners_late;    /* or it was known only after; then they go on in another pair */
};
_Static_assert(sizeof(struct aggregate_state) == 48, "aggregate_state has no hidden padding");

#endif
