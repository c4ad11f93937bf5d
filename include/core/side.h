/* SPDX-License-Identifier: GPL-2.0-only */
/* The side of a flow a packet comes from, and the one it goes to. */
#ifndef ACKMON_CORE_SIDE_H
#define ACKMON_CORE_SIDE_H

#include "abi/flow.h"
#include "core/compiler.h"
#include "core/packet.h"

/* Each of the flow that is given, which may be const. */
#define side_from(flow, pkt) side_at(&(flow)->side[(pkt)->direction & 1])
#define side_to(flow, pkt) side_at(&(flow)->side[!((pkt)->direction & 1)])

/* Clang would go there from the flow anew for each field, two instructions more: it may not know where it is. */
#define side_at(side)                                                                          \
	({                                                                                     \
		__typeof__(side) side_ = (side);                                               \
		compiler_forgets(side_);                                                       \
		side_;                                                                         \
	})

#endif
