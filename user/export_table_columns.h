/* SPDX-License-Identifier: GPL-2.0-only */
/* What each column of the table shows: units for people, the state in one word, the notes. */
#ifndef ACKMON_EXPORT_TABLE_COLUMNS_H
#define ACKMON_EXPORT_TABLE_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

#define CELL_MAX 256

enum column_trait {
	NUMBER = 0, /* to the right */
	TEXT = 1 << 0,
	ADDRESS = 1 << 1, /* may be cut in the middle */
	WIDE = 1 << 2,    /* in the wide form only */
	LIVE = 1 << 3,    /* not in replay */
	NOTE = 1 << 4,    /* takes what is left of the line */
};

/* What a column shows: a field of the record, or a cell of its own. */
struct column {
	const char *heading;
	const char *field;
	void (*cell)(const struct record *record, char *ret_text); /* CELL_MAX bytes */
	uint8_t width;      /* while nothing is known of the rows */
	uint8_t importance; /* 0: always shown; else the largest is dropped first */
	uint8_t traits;     /* enum column_trait */
};

/* What a number counts, so that a person can read it. */
enum unit {
	UNIT_PLAIN,
	UNIT_CLOCK,
	UNIT_DURATION,
	UNIT_BYTES,
};

/* All of them, from the left. */
const struct column *table_columns(size_t *ret_count);

/* The unit of a field's numbers, and a field as text in it; "" when the value is absent. */
enum unit table_field_unit(const struct record_field *field);
enum value_kind table_field_cell(const struct record_field *field, enum unit unit,
				 const struct record *record, char *ret_text);

/* Never opened, or an end sends a lot again: worth a person's look. */
bool table_row_is_bad(const struct record *record);

#endif
