/* SPDX-License-Identifier: GPL-2.0-only */
/* Events as one JSON object a line: what an engineer greps. */
#ifndef ACKMON_EXPORT_EVENTS_H
#define ACKMON_EXPORT_EVENTS_H

#include <stdint.h>

#include "abi/event.h"
#include "record.h"
#include "sink.h"

/* wall_offset_ns is added to the event's monotonic times; 0 in replay. */
void export_segment_event(struct sink *sink, const struct segment_event *event,
			  int64_t wall_offset_ns);

/* A flow that left, as the event "closed". */
void export_closed_event(struct sink *sink, const struct record *record);

#endif
