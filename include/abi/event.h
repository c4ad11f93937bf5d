/* SPDX-License-Identifier: GPL-2.0-only */
/* What the monitor tells the reader while frames pass. */
#ifndef ACKMON_ABI_EVENT_H
#define ACKMON_ABI_EVENT_H

#include <linux/types.h>

#include "abi/flow.h"
#include "abi/key.h"

enum event_type {
	EVENT_FLOW_CLOSED, /* the flow left its table, because a frame found it over */
};

struct event {
	__u32 type; /* enum event_type */
	__u32 reserved;
	struct flow_key key;
	struct flow flow;
};

#endif
