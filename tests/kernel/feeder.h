/* SPDX-License-Identifier: GPL-2.0-only */
/* What the feeder and who fills it agree on. */
#ifndef ACKMON_TESTS_FEEDER_H
#define ACKMON_TESTS_FEEDER_H

#include <linux/types.h>

#include "abi/config.h"

#define FEED_FRAMES 16384
#define FEED_BYTES_MIN 14 /* the kernel runs programs on whole Ethernet headers only */
#define FEED_BYTES_MAX 1500

struct feed { /* one frame */
	struct rehearsal rehearsal;
	__u32 captured; /* FEED_BYTES_MIN to FEED_BYTES_MAX */
	__u16 vlan_tci; /* TC only: the tag beside the frame */
	__u8 has_vlan_tci;
	__u8 reserved;
	__u8 bytes[FEED_BYTES_MAX + 4];
};

_Static_assert(sizeof(struct feed) % 8 == 0, "feeds lie one behind the other");

#endif
