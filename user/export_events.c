/* SPDX-License-Identifier: GPL-2.0-only */
/* Events as one JSON object a line: what an engineer greps. */
#include "export_events.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

#include "abi/verdict.h"
#include "format.h"

#define LINE_MAX_BYTES 640

static const char *const class_names[] = {
	[SEGMENT_PLAIN] = "plain",
	[SEGMENT_KEEPALIVE] = "keepalive",
	[SEGMENT_WINDOW_PROBE] = "window_probe",
	[SEGMENT_COPY] = "copy",
	[SEGMENT_LATE] = "late",
	[SEGMENT_RETRANSMITTED] = "retransmitted",
	[SEGMENT_RECOVERED] = "recovered",
	[SEGMENT_REORDERED] = "reordered",
	[SEGMENT_UNRESOLVED] = "unresolved",
	[SEGMENT_NEW] = "new",
	[SEGMENT_SUSPECT] = "suspect",
};

static const char *const cause_names[] = {
	[CAUSE_NONE] = NULL,
	[CAUSE_FAST] = "fast",
	[CAUSE_RTO] = "rto",
	[CAUSE_PROBE] = "probe",
};

static const char *event_name(const struct segment_event *event)
{
	switch (event->type) {
	case EVENT_OPENED:
		return "opened";
	case EVENT_REFUSED:
		return "refused";
	case EVENT_SPURIOUS:
		return "spurious";
	case EVENT_ZERO_WINDOW:
		return "zero_window";
	}
	return class_names[event->class % (sizeof(class_names) / sizeof(*class_names))];
}

/* Names and texts here are ours and addresses: nothing needs escaping. */
static char *put_text(char *at, const char *name, const char *text)
{
	at = format_text(at, ",\"");
	at = format_text(at, name);
	at = format_text(at, "\":\"");
	at = format_text(at, text);
	return format_text(at, "\"");
}

static char *put_number(char *at, const char *name, uint64_t number)
{
	at = format_text(at, ",\"");
	at = format_text(at, name);
	at = format_text(at, "\":");
	return format_number(at, number);
}

static char *put_end(char *at, const char *end, const struct flow_key *key, int side)
{
	char text[FORMAT_ENDPOINT_MAX];

	*format_addr(text, &key->addr[side]) = '\0';
	at = format_text(at, ",\"");
	at = format_text(at, end);
	at = format_text(at, "_addr\":\"");
	at = format_text(at, text);
	at = format_text(at, "\",\"");
	at = format_text(at, end);
	at = format_text(at, "_port\":");
	return format_number(at, ntohs(key->port_be16[side]));
}

/* What every event begins with: when, what, and which flow. */
static char *put_head(char *at, uint64_t time_ns, const char *name, uint64_t id,
		      const struct flow_key *key, int opener)
{
	at = format_text(at, "{\"time_ns\":");
	at = format_number(at, time_ns);
	at = put_text(at, "event", name);
	at = format_text(at, ",\"id\":\"");
	at = format_hex64(at, id);
	at = format_text(at, "\"");
	at = put_end(at, "opener", key, opener);
	return put_end(at, "responder", key, !opener);
}

/* Which octets, and on which wire segments. A D-SACK is about the other end's. */
static char *put_segment(char *at, const struct segment_event *event)
{
	bool by_opener = event->direction == event->opener;

	if (event->type == EVENT_SPURIOUS)
		by_opener = !by_opener;
	at = put_text(at, "from", by_opener ? "opener" : "responder");
	if (event->type == EVENT_ZERO_WINDOW || event->type == EVENT_OPENED ||
	    event->type == EVENT_REFUSED)
		return at;
	at = put_number(at, "seq", event->seq);
	at = put_number(at, "end", event->end);
	return put_number(at, "segments", event->segments);
}

void export_segment_event(struct sink *sink, const struct segment_event *event,
			  int64_t wall_offset_ns)
{
	uint64_t id = record_flow_id(&event->key, event->has_opener_seq, event->opener_seq,
				     event->start_ns);
	char line[LINE_MAX_BYTES], *at;

	at = put_head(line, event->time_ns + (uint64_t)wall_offset_ns, event_name(event), id,
		      &event->key, event->opener & 1);
	at = put_segment(at, event);
	if (event->type == EVENT_SEGMENT && cause_names[event->cause & 3])
		at = put_text(at, "cause", cause_names[event->cause & 3]);
	if (event->type == EVENT_SEGMENT && event->spurious)
		at = format_text(at, ",\"spurious\":true");
	at = format_text(at, "}\n");
	sink_write(sink, line, (size_t)(at - line));
}

void export_closed_event(struct sink *sink, const struct record *record)
{
	char line[LINE_MAX_BYTES], *at;
	struct value end_ns;

	record_read(record, record_field("end_ns"), &end_ns);
	at = put_head(line, end_ns.number, "closed", record_id(record), &record->key,
		      record->flow.opener & 1);
	at = put_text(at, "close", record_close(record));
	if (*record_outcome(record))
		at = put_text(at, "outcome", record_outcome(record));
	at = format_text(at, "}\n");
	sink_write(sink, line, (size_t)(at - line));
}
