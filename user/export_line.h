/* SPDX-License-Identifier: GPL-2.0-only */
/* A record as a line of text, for formats that have one value behind the other: CSV and NDJSON. */
#ifndef ACKMON_EXPORT_LINE_H
#define ACKMON_EXPORT_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "export_internal.h"
#include "record.h"
#include "sink.h"

struct line;

struct line_style {
	bool has_names; /* as in JSON: "name": before each value, words in quotes, what is absent left out */
	char begin;     /* of a line; 0: nothing */
	const char *end;
	char *(*escape)(char *at, const char *text);
};

/* 0 or -ENOMEM. For the exporter's fields; the style must stay. */
int line_open(struct line **ret_line, const struct exporter *exporter, const struct line_style *style);
/* The text is the line's own, until it spells another one. */
const char *line_spell(struct line *line, const struct record *record, size_t *ret_len);
void line_write(struct line *line, struct sink *sink, const struct record *record);
void line_close(struct line *line); /* accepts NULL */

#endif
