/* SPDX-License-Identifier: GPL-2.0-only */
/* What the monitor is told before it starts; it never changes while it runs. */
#ifndef ACKMON_ABI_CONFIG_H
#define ACKMON_ABI_CONFIG_H

#include <linux/types.h>

#include "abi/key.h"

#define FILTER_TERMS_MAX 4

enum filter_kind {
	FILTER_NONE, /* matches everything */
	FILTER_NET,  /* one end's address, masked, equals addr */
	FILTER_PORT, /* one end's port lies in [port_first, port_last] */
	FILTER_IP4,
	FILTER_IP6,
};

/* One term of a conjunction. Both directions of a flow match or neither does. */
struct filter_term {
	struct ip_addr addr; /* already masked */
	struct ip_addr mask;
	__u16 port_first;
	__u16 port_last;
	__u8 kind; /* enum filter_kind */
	__u8 reserved[3];
};
_Static_assert(sizeof(struct filter_term) == 40, "filter_term has no hidden padding");

/* Tells programs that were attached for good from what a killed ackmon left behind. */
#define CONFIG_KEPT 0x6b6570742d61636bull

struct monitor_config {
	__u64 kept; /* CONFIG_KEPT or 0; stays first in every version */
	__u64 idle_timeout_ns;      /* a flow silent for longer is over */
	__u64 half_open_timeout_ns; /* one that is opening, or whose FINs nobody acknowledged */
	__u64 closed_timeout_ns;    /* one that is closed for good waits for stragglers */
	__u32 aggregate;            /* flows count in the pairs of their labels, and there is room for ... */
	__u32 pairs_max;            /* ... so many pairs ... */
	__u32 chunks_max;           /* ... and chunks of their histograms */
	__u32 reserved_pairs;
	struct filter_term filter[FILTER_TERMS_MAX];
	__u32 decap;     /* tunnels to follow: TUNNEL_BIT() each */
	__u8 has_frags;  /* XDP programs see multi-buffer frames and can ask for their length (5.18) */
	__u8 events;     /* post what happens to segments, not only flows that are over */
	__u8 several;    /* more than one interface may be watched: a connection is claimed by one */
	__u8 netns;      /* number of the network namespace these programs are for; 0: our own */
	__u8 transit;    /* measure how long segments are inside this box */
	__u8 owners;     /* at TC egress, ask once whose socket a connection is */
	__u8 rehearsing; /* time and wire length come from `rehearsal`, not from the kernel (tests) */
	__u8 link;       /* TC programs: enum frame_link of the interfaces they are for */
	__u8 reserved[4];
};

/* A frame of a test run: what a capture knows and BPF_PROG_RUN cannot pass. */
struct rehearsal {
	__u64 time_ns;
	__u32 wire_bytes;
	__u32 link; /* enum frame_link */
};

#endif
