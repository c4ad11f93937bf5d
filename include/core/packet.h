/* SPDX-License-Identifier: GPL-2.0-only */
/* What parsing found: one TCP segment, every number in host order. */
#ifndef ACKMON_CORE_PACKET_H
#define ACKMON_CORE_PACKET_H

#include <linux/types.h>

#include "abi/key.h"
#include "abi/verdict.h"
#include "core/compiler.h"

enum tcp_flags {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
};

struct sack_block {
	__u32 start;
	__u32 end;
};

/* What else it said that is counted, and rare: see rare.h. */
enum verdict_marks {
	MARK_OUTSIDE = 1 << 0,    /* of any possible window, be it that the stream has moved there */
	MARK_TTL = 1 << 1,        /* another one than before */
	MARK_PROBE_SEEN = 1 << 2, /* the octet of a window probe before it counts as seen */
	MARK_CLOSED = 1 << 3,     /* the sender's window closes */
	MARK_OPENED = 1 << 4,     /* ... and opens again */
	MARK_SACKS = 1 << 5,      /* its SACK blocks count */
	MARK_DSACK = 1 << 6,      /* the first of them is one */
	MARK_FIN_AGAIN = 1 << 7,  /* its FIN was sent before */
	MARK_FULL = 1 << 8,       /* it ends where the window of the other end does */
	MARK_UNLISTED = 1 << 9,   /* it made a hole, for which there was no list */
};

struct verdict {
	__u8 class;    /* enum segment_class */
	__u8 cause;    /* enum segment_cause */
	__u8 spurious; /* all of it was already acknowledged */
	__u8 familiar; /* a segment just like it passed not long ago, copy or not */
	__u32 segments; /* wire segments it stands for */
	__u64 zero_window_ns; /* the sender's window opens again, after so long */
	__u32 again_bytes;    /* of its payload: no news */
	__u16 marks;          /* enum verdict_marks */
	__u8 has_rtt;
	__u8 dsack_spurious; /* it calls a repeat of the other end needless */
	__u64 rtt_ns;     /* round trip to its sender that it closed; valid with has_rtt */
	__u16 rtt_bucket; /* of rtt_ns, where anybody wants it: see monitor_rtt() */
};

/* Between two steps, or hops, of parsing: see parse.h; valid only while a frame is parsed. */
struct parsing {
	__u32 offset; /* of the cursor */
	__u32 wire_left;
	__u32 decap; /* tunnels to follow */
	__u8 vlans;  /* tags so far ... */
	__u8 ext_headers;
	__u8 tunnels;
	__u8 is_fragment; /* the packet around it is a first fragment */
	__u8 is_ipv6;
	__u8 is_jumbo; /* no payload length: a jumbo option must follow */
	__u8 wlan_pads; /* 802.11 headers are padded to four bytes */
	__u8 ip_proto;
	__u8 options_len; /* of a list of TCP options that is not yet read */
	__u8 reserved[3];
};

struct packet {
	/* Parsing writes all of these. */
	struct flow_key key; /* until all is parsed: the sender's address first */
	__u64 now_ns;
	__u32 seq;
	__u32 ack;
	__u32 payload_bytes; /* by the IP length, not by what was captured */
	__u32 wire_bytes;
	__u32 segments; /* 0: derive from the MSS */
	__u16 window;   /* as in the header, unscaled */
	__u16 ip_id;    /* 0 in IPv6 */
	__u16 vlan;     /* outermost VLAN id, 0: none */
	__u8 direction; /* 0: the sender is key.addr[0] */
	__u8 flags;     /* enum tcp_flags */
	__u8 ttl;
	__u8 ecn; /* RFC 3168, 5: 3 is CE */
	__u8 first_fragment;
	__u8 has_ip_id; /* IPv4 */
	/* A packet starts with zeros from here ... */
	__u32 tsval; /* valid with has_ts (RFC 7323, 3.2) */
	__u32 tsecr;
	__u32 tunnel_id; /* VNI, key, TEID or session; 0: none */
	__u32 options_len; /* of options, as captured */
	__u16 mss; /* 0: no MSS option */
	__u8 has_ts;
	__u8 has_wscale;
	__u8 wscale; /* at most 14 (RFC 7323, 2.3) */
	__u8 sack_permitted;
	__u8 sack_count;
	__u8 tunnel;    /* enum tunnel; two: the outer one in the high half */
	__u8 icmp;      /* enum flow_icmp: not a segment, but an error that quotes one */
	__u8 asks_owner; /* its sender is a side of which nobody knows yet whose socket it is */
	__u8 of_proven;  /* its flow is proven; only with config.transit */
	__u8 in_work;    /* its flow is that of the working space, and what is rare about it beside it there */
	__u32 joint;     /* see verifier_joins() */
	struct verdict verdict;    /* what tracking found out about it */
	/* ... up to verdict.rtt_ns. What follows is valid where a field above says so. */
	struct sack_block sack[4]; /* RFC 2018, 3 */
	__u8 options[72] __attribute__((aligned(4)));          /* a copy, only when they hold more than timestamps; 40 are used */
	struct parsing parsing;
};

/* Octets of sequence space it takes: payload, SYN and FIN; a RST takes none. */
core_inline __u32 packet_seq_len(const struct packet *pkt)
{
	if (pkt->flags & TCP_RST)
		return 0;
	return pkt->payload_bytes + !!(pkt->flags & TCP_SYN) + !!(pkt->flags & TCP_FIN);
}

#endif
