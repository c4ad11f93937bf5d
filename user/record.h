/* SPDX-License-Identifier: GPL-2.0-only */
/* The flow record: its fields, in order, each with its name and how it is read from a flow. */
#ifndef ACKMON_RECORD_H
#define ACKMON_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "abi/flow.h"
#include "abi/key.h"
#include "abi/transit.h"

struct labels;

#define RECORD_VERSION 1

/* A flow on its way out. */
struct record {
	struct flow_key key;
	union {
		struct flow_whole whole;
		struct {
			struct flow flow; /* flow.close says why it left; CLOSE_OPEN for interval records */
			struct rare rare[2];
		};
	};
	int64_t wall_offset_ns; /* add to the flow's times for wall clock; 0 in replay */
	const char *iface;      /* interface name, or NULL in replay */
	const char *netns;      /* its network namespace as --netns named it; NULL: our own */
	const char *cgroup[2];  /* paths of the sockets' cgroups, by side; NULL: not of this host */
	struct transit transit[2]; /* time inside this box, by side; no samples: not measured */
	const char *also_ifaces; /* others that saw it, "veth1,br0"; NULL: none */
	const struct labels *labels; /* of both ends; NULL: no label fields */
};

enum value_kind {
	VALUE_ABSENT, /* not known; never printed as 0 */
	VALUE_NUMBER,
	VALUE_BOOL,
	/* Texts are these and what is below. */
	VALUE_WORD, /* a text of ours: no format has anything to escape in it */
	VALUE_TEXT, /* a text of others: any octets, any length */
};

#define VALUE_ROOM 256

struct value {
	enum value_kind kind;
	uint32_t len; /* of a word */
	uint64_t number;
	const char *text; /* ends with NUL; may lie in room, so a value is not copied */
	char room[VALUE_ROOM];
};

/*
 * Fields that all say nothing (0 or absent, as of a record of zeros) of most flows, and stand side by side: who
 * spells a million records asks once for all of them.
 */
enum record_quiet {
	QUIET_NEVER,
	QUIET_OPENER,    /* nothing was lost, repeated, reordered, marked or refused of it */
	QUIET_RESPONDER,
	QUIET_PLACE,     /* neither namespace nor other interfaces, tag or tunnel */
	QUIET_HOST,      /* neither labels nor cgroups nor times inside this box */
};

/* What a field is read from: the record, and the end it is of (the opener for flow fields). */
struct record_end {
	const struct record *record;
	const struct side *side;
	const struct rare *rare;
	uint8_t index; /* of side and rare, and of its address and port in the key */
};

struct record_field {
	const char *name; /* as in NDJSON and CSV; its unit ends it */
	void (*read)(const struct record_end *end, struct value *ret_value);
	uint8_t of_responder; /* an X_ field of the responder; else of the opener or the flow */
	uint8_t width;        /* read is NULL: a plain number, this wide, in struct side */
	uint8_t is_rare;      /* or in struct rare, */
	uint16_t offset;      /* here */
	uint8_t quiet;        /* enum record_quiet */
};

/* All fields, in the order of the record. */
const struct record_field *record_fields(size_t *ret_count);

/* NULL when there is none of that name. */
const struct record_field *record_field(const char *name);

void record_read(const struct record *record, const struct record_field *field,
		 struct value *ret_value);

/* The same for many fields of a record: its ends by of_responder, and a number of one of them. */
void record_ends(const struct record *record, struct record_end ret_ends[2]);

static inline uint64_t record_number(const struct record_end *end, const struct record_field *field)
{
	const char *at = (field->is_rare ? (const char *)end->rare : (const char *)end->side) + field->offset;
	uint64_t wide;
	uint32_t narrow;

	if (field->width == sizeof(wide)) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

/* Which fields are quiet in this record: bit i is enum record_quiet i. */
uint32_t record_quiet(const struct record *record);

/* What became of the connection, as in the fields; "" while nobody knows. */
const char *record_outcome(const struct record *record);
const char *record_state(const struct record *record);
const char *record_close(const struct record *record);

/* Stable for a connection: same key, same initial sequence number or start, same id. */
uint64_t record_id(const struct record *record);
uint64_t record_flow_id(const struct flow_key *key, bool has_opener_seq, uint32_t opener_seq,
			uint64_t start_ns);

#endif
