/* SPDX-License-Identifier: GPL-2.0-only */
/* What the monitor tells the reader while frames pass. */
#ifndef ACKMON_ABI_EVENT_H
#define ACKMON_ABI_EVENT_H

#include <linux/types.h>

#include "abi/flow.h"
#include "abi/key.h"

enum event_type {
	EVENT_FLOW_CLOSED, /* struct flow_event: a frame found the flow over, or another one on its tuple */
	/* Only when asked for (config.events); struct segment_event: */
	EVENT_OPENED,      /* the flow proved itself */
	EVENT_REFUSED,     /* RST to a SYN */
	EVENT_SEGMENT,     /* any class but plain and new */
	EVENT_SPURIOUS,    /* a D-SACK says that what was sent again need not have been */
	EVENT_ZERO_WINDOW, /* a window closed */
};

struct flow_event {
	__u32 type; /* enum event_type */
	__u32 reserved;
	struct flow_key key;
	struct flow_whole whole;
};
_Static_assert(sizeof(struct flow_event) == 936, "flow_event has no hidden padding");

struct segment_event {
	__u32 type;       /* enum event_type */
	__u32 opener_seq; /* initial sequence number of the opener; valid with has_opener_seq */
	struct flow_key key;
	__u64 time_ns;
	__u64 start_ns; /* of the flow */
	__u32 seq;      /* [seq, end): the octets it is about */
	__u32 end;
	__u32 segments; /* wire segments, as they were counted */
	__u8 has_opener_seq;
	__u8 opener;    /* side of the opener */
	__u8 direction; /* side that sent the segment, be it a D-SACK that names the other one's */
	__u8 class;     /* enum segment_class */
	__u8 cause;     /* enum segment_cause */
	__u8 spurious;
	__u8 role; /* enum flow_role */
	__u8 reserved[5];
};
_Static_assert(sizeof(struct segment_event) == 88, "segment_event has no hidden padding");

#endif
