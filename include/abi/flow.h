/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known of one connection: two sides, its opening, and the holes in what was seen. */
#ifndef ACKMON_ABI_FLOW_H
#define ACKMON_ABI_FLOW_H

#include <linux/types.h>

#include "abi/key.h"

enum flow_role {
	ROLE_SEEN,    /* a SYN or SYN-ACK told who opened */
	ROLE_GUESSED, /* first seen mid-stream: the higher port, else the first sender */
};

enum flow_state {
	STATE_SYN_SENT,
	STATE_SYN_RECEIVED,
	STATE_ESTABLISHED,
	STATE_CLOSING, /* one FIN */
	STATE_CLOSED,  /* FIN both ways, or RST */
};

enum flow_close {
	CLOSE_OPEN, /* not over yet */
	CLOSE_FIN,
	CLOSE_RST,
	CLOSE_IDLE,
	CLOSE_REUSED,
	CLOSE_EVICTED,
	CLOSE_END_OF_CAPTURE,
};

/* Why an ICMP error says that the SYN was not delivered, by the words of the record. */
#define ICMP_REASONS(X)                                                                        \
	X(NET, "net")                                                                          \
	X(HOST, "host")                                                                        \
	X(PROTOCOL, "protocol")                                                                \
	X(PORT, "port")                                                                        \
	X(FRAG_NEEDED, "frag-needed")                                                          \
	X(ADMIN, "admin")                                                                      \
	X(TTL, "ttl")                                                                          \
	X(PARAMETER, "parameter")

enum flow_icmp {
	ICMP_NONE,
#define X(name, word) ICMP_##name,
	ICMP_REASONS(X)
#undef X
	ICMP_COUNT,
};

#define RTT_PROBES 4
#define RTT_WAITING 4 /* a power of two */
#define RECENT_SEGMENTS 3

struct recent { /* a segment that took sequence space, as far as a copy of it can be told */
	__u32 seq;
	__u32 tsval; /* 0 without timestamps */
	__u32 time_us; /* see evidence_us() */
	__u16 ip_id;   /* 0 in IPv6 */
	__u16 shape;   /* payload length and flags, folded; with seq both 0: free */
};

enum side_bits {
	SIDE_SEQ = 1 << 0,           /* next and first_seq are valid */
	SIDE_ISN = 1 << 1,           /* first_seq is the initial sequence number: a SYN was seen */
	SIDE_ACK = 1 << 2,           /* ack is valid */
	SIDE_WINDOW = 1 << 3,        /* window is valid (never from a SYN, which is not scaled) */
	SIDE_PROBE_PENDING = 1 << 4, /* the octet at next was only sent as a window probe so far */
	SIDE_TIMESTAMPS = 1 << 5,    /* segments other than SYN carry timestamps */
	SIDE_SPOKE = 1 << 6,         /* sent payload */
	SIDE_WSCALE = 1 << 8,        /* wscale is valid */
	SIDE_SACK_PERMITTED = 1 << 9,
	SIDE_SYNACK = 1 << 10, /* synack_ack is valid */
	SIDE_TTL = 1 << 11,    /* ttl is valid */
	SIDE_FLOOR = 1 << 12,  /* next is still within reach of first_seq: what lies below it is known */
	SIDE_TSVAL = 1 << 13,  /* tsval is valid */
	SIDE_HOLES = 1 << 14,  /* a struct holes was opened for this direction, empty by now or not */
	SIDE_IP_ID = 1 << 15,  /* ip_id is valid */
	SIDE_SACK = 1 << 16,   /* sack_high is valid */
	SIDE_HISTOGRAM = 1 << 17, /* a histogram of its round trips was opened */
	SIDE_QUANTILES = 1 << 18, /* see flow_settle() */
	SIDE_OWNER = 1 << 19, /* the cgroup of its socket was asked for */
	SIDE_REPAIR = 1 << 20, /* recover in struct holes is valid */
	SIDE_FILLED = 1 << 21, /* the last segment filled a hole, and may have been the original */
	SIDE_ECHOES = 1 << 22, /* struct holes remembers segments, too: copies pass, or what looks like it */
	SIDE_RARE = 1 << 23, /* a struct rare was opened for this direction */
	SIDE_RARE_REFUSED = 1 << 24, /* there was no room for it: something went uncounted */
	SIDE_ZERO_WINDOW = 1 << 25, /* the window is closed; since when, struct rare knows */
	SIDE_ACCECN = 1 << 26, /* its SYN-ACK agreed to accurate ECN: ECE and CWR are a counter (RFC 9768) */
};

/*
 * One end of a flow. Every field is written by frames this end sent, and by no others: the two
 * directions may run on two CPUs at once and need no lock. The other direction reads, and may
 * read a value one frame old.
 *
 * What most frames touch comes first; what few need is in struct rare.
 */
struct side {
	/* Every frame; the other end's frames read here, too. */
	__u64 last_ns;
	__u64 wire_bytes;    /* frames as they were on the wire, link header included */
	__u64 payload_bytes; /* by the IP length */
	__u64 octets_ns;     /* last segment that took sequence space */
	__u32 frames; /* their low bits, as of segments: see core/count.h */
	__u32 segments;
	__u32 next;       /* highest sequence end seen */
	__u32 ack;        /* highest acknowledgment sent */
	__u32 bits;       /* enum side_bits */
	__u16 raw_window; /* window field of the last segment that set it, unscaled */
	__u16 mss;
	__u8 flags; /* TCP flags ever seen */
	__u8 ttl;   /* last TTL or hop limit */
	__u8 wscale; /* RFC 7323, 2.2 */
	__u8 dup_run;     /* duplicate ACKs since the acknowledgment moved, counted up to 255 */
	__u8 orderly;     /* plain segments inside the window, counted up to 2: they prove a flow */
	__u8 suspect_run;
	__u8 recent_next; /* where the next one goes in recent */

	/* Round trips: what this end sent and waits for, and what its answers told about the other's. */
	__u8 probes;       /* ever started, modulo 256; the next goes to probes % RTT_PROBES */
	__u8 probes_done;  /* how many of the *other* end's were answered or passed by, the same way */
	__u8 probes_by_ts; /* bit i: probe i waits for the echo of a TSval */
	__u8 probes_void;  /* bit i: probe i no longer counts by sequence number: Karn */
	__u8 reserved;
	__u16 ip_id;         /* newest; valid with SIDE_IP_ID */
	__u16 ip_ids;        /* IPv4 segments whose IP-ID was compared with the one before ... */
	__u16 ip_ids_upward; /* ... and lay a little above it */
	__u16 holes;         /* open holes in this direction; their list is in struct holes */
	__u32 tsval;         /* newest TSval sent; valid with SIDE_TSVAL */
	__u32 first_seq;
	__u32 rtt_samples;
	__u32 rtt_smoothed_ns; /* RFC 6298, 2; 4.3 s stand for anything longer */
	__u32 probe_id[RTT_PROBES]; /* a TSval at its first sight, or a segment's end in sequence space */
	/*
	 * Low half of the number of its socket's cgroup, which no other has at that time; 0: the socket is not of
	 * this host. Written as the flow is counted, too.
	 */
	__u32 cgroup;
	__u64 rtt_sum_ns;
	__u64 rtt_min_ns;
	__u64 rtt_max_ns;
	union {
		__u64 probe_sent_ns[RTT_PROBES];
		struct {
			__u64 rtt_p50_ns; /* only in a flow that leaves, valid with SIDE_QUANTILES */
			__u64 rtt_p95_ns;
		};
	};
	/* Buckets of the last rtt_samples % RTT_WAITING samples, on their way to the histogram. */
	__u16 rtt_waiting[RTT_WAITING];

	/* Which repeat is what: see core/evidence.h. */
	struct recent recent[RECENT_SEGMENTS]; /* the last segments that took sequence space */
	__u32 dup_acks;      /* RFC 5681, 2 */
	__u32 sack_high;     /* highest SACKed sequence end this end reported; valid with SIDE_SACK */
	__u32 holes_checked; /* next when the holes were last looked through for old ones */
	__u32 synack_ack; /* acknowledgment of the SYN-ACK this end sent last; valid with SIDE_SYNACK */
};
_Static_assert(sizeof(struct side) == 240, "side has no hidden padding");


enum counted_bits { /* what a pair of labels already has of the flow */
	COUNTED_WHOLE = 1 << 0, /* all up to its promotion; from then on each packet as it comes */
	COUNTED_CONNECT = 1 << 1,
	COUNTED_RESPONDER_HANDSHAKE = 1 << 2,
	COUNTED_OPENER_HANDSHAKE = 1 << 3,
	COUNTED_RESPONSE = 1 << 4,
	COUNTED_BITS = (1 << 8) - 1,
};
#define COUNTED_GENERATION_SHIFT 8

/*
 * One connection. The opening fields are written by frames of the end named behind them; role,
 * opener, vlan and tunnel by the frame that opened the flow, before anybody else can see it (a SYN that
 * arrives late corrects the first two).
 */
struct flow {
	__u64 start_ns; /* first frame */
	__u32 counted; /* enum counted_bits, and above them the generation of the labels `pair` is of; atomic */
	__u8 proven; /* both ends, or one of them twice, have shown that they mean it */
	__u8 secondary; /* another interface claimed the connection first: this flow counts in no total */
	__u8 has_synack; /* responder */
	__u8 is_established; /* opener */
	struct side side[2];   /* in key order: side[0] is key.addr[0] */
	__u16 pair;    /* of labels, that it is counted in */
	__u8 opener; /* index into side */
	__u8 role;   /* enum flow_role */
	__u8 close;  /* enum flow_close, set when the record leaves */
	__u8 has_response; /* responder */
	__u8 has_responder_handshake;
	__u8 has_opener_handshake;
	__u8 has_syn;    /* opener */
	__u8 syn_has_ts;
	__u8 synack_has_ts;
	__u8 simultaneous; /* SYNs crossed (RFC 9293, 3.5) */
	__u8 tunnel;   /* enum tunnel; two: the outer one in the high half */
	__u8 icmp;     /* responder, or a router before it: enum flow_icmp, why the SYN had no answer */
	__u16 vlan;    /* outermost VLAN id, 0: none */
	__u64 syn_ns;          /* opener: first SYN; valid with has_syn */
	__u64 synack_ns;       /* responder: first SYN-ACK that answers the SYN; valid with has_synack */
	union {
		__u64 syn_last_ns;            /* opener: last SYN; until has_synack */
		__u64 responder_handshake_ns; /* responder, from then on; valid with has_responder_handshake */
	};
	union {
		__u64 synack_last_ns;      /* responder: last SYN-ACK; until is_established */
		__u64 opener_handshake_ns; /* opener, from then on; valid with has_opener_handshake */
	};
	union {
		__u64 request_ns;  /* opener: its first payload, unless the responder spoke first; 0: none */
		__u64 response_ns; /* responder: from there to its first payload; valid with has_response */
	};
	__u32 syn_tsval; /* of syn_ns, and of the others: */
	union {
		__u32 syn_last_tsval;
		__u32 synack_tsval;
	};
	__u32 synack_last_tsval;
	__u32 tunnel_id; /* VNI, key, TEID or session of the frame that opened the flow; 0: none */
	__u16 syns;      /* opener: SYNs before the answer, counted up to 65,535 */
	__u16 synacks;   /* responder: SYN-ACKs before they were acknowledged, the same */
	__u32 place; /* in the kernel side's table, and which of the flows that were there one after the other it is: */
	__u32 life;  /* see struct beside_key; both 0 in replay */
	__u8 segments_high[2]; /* by side, written by it: what did not fit its words, see core/count.h */
	__u8 frames_high[2];
};
_Static_assert(sizeof(struct flow) == 584, "flow has no hidden padding");

/*
 * What few segments say, counted by direction: an entry of its own, which only directions with such segments have. Each
 * is counted by what tracking found out about it, its verdict: see core/rare.h. Written by frames of that direction.
 */
struct rare {
	__u64 again_bytes; /* payload that was no news: seen before, or of a segment that counts for nothing */
	__u64 retransmitted_bytes;
	__u64 recovered_bytes;
	__u64 gap_bytes; /* in struct holes until the flow leaves; so is holes_dropped, but of a refused list */
	__u64 zero_window_ns;
	__u64 zero_window_since_ns; /* 0: the window is open */
	__u32 retransmitted_segments;
	__u32 recovered_segments;
	__u32 syn_retrans; /* SYN or SYN-ACK, whichever this end sent */
	__u32 fin_retrans;
	__u32 fast;
	__u32 rto;
	__u32 probe;
	__u32 spurious;       /* repeats that were already acknowledged when they passed */
	__u32 dsack_spurious; /* repeats of the *other* end that this end's D-SACKs called needless */
	__u32 reordered;
	__u32 late;
	__u32 copies;
	__u32 unresolved;
	__u32 holes_dropped;
	__u32 keepalives;
	__u32 window_probes;
	__u32 zero_windows;
	__u32 window_full; /* segments that ended where the window of the other end did */
	__u32 sacks;
	__u32 dsacks;
	__u32 ecn_ce;
	__u32 ecn_ece;
	__u32 ecn_cwr;
	__u32 ttl_changes;
	__u32 suspects;
	__u32 reserved;
};
_Static_assert(sizeof(struct rare) == 152, "rare has no hidden padding");

/* All there is to tell of a flow: what leaves, and what is shown. */
struct flow_whole {
	struct flow flow;
	struct rare rare[2]; /* by side; zeros where there was no entry */
};
_Static_assert(sizeof(struct flow_whole) == sizeof(struct flow) + 304, "flow_whole has no hidden padding");


#define HOLES_MAX 64

struct hole { /* [start, end) was passed by and never seen; start == end: a free slot */
	__u32 start;
	__u32 end;
	__u64 opened_ns; /* when the segment behind it passed */
	__u32 tsval;     /* of that segment; valid with has_ts */
	__u16 ip_id;     /* of that segment; 0 in IPv6 */
	__u8 has_ts;
	__u8 before_start; /* below the first number seen: nothing jumped over it, order is unknown */
};
_Static_assert(sizeof(struct hole) == 24, "hole has no hidden padding");

/*
 * What the kernel side keeps beside a flow of its table (holes, round trips, rare counts) is found by where the flow
 * is: eight bytes, where its key has forty. What an earlier flow of that place may have left is not found by the next.
 */
struct beside_key {
	__u32 side; /* place * 2 + index of the side */
	__u32 life;
};

#define FILLS_MAX 32
#define REPEATS_MAX 32

struct fill { /* octets that came again after their first copy was lost before this point */
	__u32 start;
	__u32 end;
	__u32 tsval;
	__u32 time_us; /* see evidence_us() */
	__u16 ip_id;
	__u8 has_ts;
	__u8 original_came; /* there is only one */
};

struct repeat { /* octets sent again; a D-SACK may still call that needless */
	__u32 start;
	__u32 end;
	__u32 spurious; /* it was known to be at once */
};

#define ECHOES_MAX 64
#define ECHOES_LONG 256 /* so many segments behind the last one that was seen before they are let go */

/*
 * What a direction with holes or repeats remembers, an entry only such flows own. Written by frames
 * of that direction, dsack_start and dsack_count by the other one, which reads `repeat`.
 */
struct holes {
	__u32 used;  /* slots at and above this index were never used */
	__u32 joint; /* see verifier_joins() */
	__u64 gap_bytes;   /* acknowledged by the other end and never seen here, of holes that are no more */
	__u32 dropped;     /* holes that were given up */
	__u32 dsack_start; /* the other end: first octet of the last D-SACK it counted as spurious, */
	__u32 dsack_count; /* and how often */
	__u32 reserved_too;
	struct hole slot[HOLES_MAX];
	struct hole filled; /* what the last filling segment filled, for the evidence it gives */
	__u32 fills;        /* ever; the last FILLS_MAX are in fill */
	__u32 repeats;      /* ever; the last REPEATS_MAX are in repeat */
	__u32 recover;      /* next when the sender began to repair (RFC 6582); valid with SIDE_REPAIR */
	__u32 echoes;       /* ever; the last ECHOES_MAX are in echo; valid with SIDE_ECHOES */
	struct fill fill[FILLS_MAX];
	struct repeat repeat[REPEATS_MAX];
	struct recent echo[ECHOES_MAX]; /* segments that took sequence space, for copies that come late */
	__u32 echoes_until; /* that many, then they are let go */
	__u32 reserved;
	__u64 echo_tags[ECHOES_MAX / 8]; /* an octet of each, see evidence_tag() */
};

#endif
