/* SPDX-License-Identifier: GPL-2.0-only */
/* Flow records as RFC 4180 text: fixed columns, a header line, nothing where nothing is known. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "export_internal.h"
#include "format.h"

/* A text doubled quote by quote, its quotes, and the comma; a number needs less. */
#define CELL_MAX (2 * VALUE_TEXT_MAX + 3)
#define LINE_END "\r\n"

static char *csv_value(char *at, const struct value *value)
{
	switch (value->kind) {
	case VALUE_NUMBER:
		return format_number(at, value->number);
	case VALUE_BOOL:
		return format_text(at, value->number ? "true" : "false");
	case VALUE_TEXT:
		return escape_csv(at, value->text);
	case VALUE_LABEL: /* see csv_label() */
	case VALUE_ABSENT:
		break;
	}
	return at;
}

static void csv_header(struct exporter *exporter)
{
	for (size_t i = 0; i < exporter->field_count; i++) {
		if (i)
			sink_text(exporter->sink, ",");
		sink_text(exporter->sink, exporter->fields[i]->name);
	}
	sink_text(exporter->sink, LINE_END);
}

static int csv_open(struct exporter *exporter)
{
	exporter->state = malloc(exporter->field_count * CELL_MAX + sizeof(LINE_END));
	if (!exporter->state)
		return -ENOMEM;
	return 0;
}

/* A label may be longer than a line has room for: then what there is of the line goes out first. */
static char *csv_label(struct exporter *exporter, char *at, const char *label)
{
	size_t room = strlen(label) * 2 + 2;
	char *line = exporter->state, *text;

	if (room <= CELL_MAX - 1)
		return escape_csv(at, label);
	text = malloc(room);
	if (!text)
		return at;
	sink_write(exporter->sink, line, (size_t)(at - line));
	sink_write(exporter->sink, text, (size_t)(escape_csv(text, label) - text));
	free(text);
	return line;
}

static void csv_record(struct exporter *exporter, const struct record *record)
{
	char *line = exporter->state, *at = line;
	struct value value;

	for (size_t i = 0; i < exporter->field_count; i++) {
		if (i)
			*at++ = ',';
		record_read(record, exporter->fields[i], &value);
		if (value.kind == VALUE_LABEL)
			at = csv_label(exporter, at, value.label);
		else
			at = csv_value(at, &value);
	}
	at = format_text(at, LINE_END);
	sink_write(exporter->sink, line, (size_t)(at - line));
}

static void csv_close(struct exporter *exporter)
{
	free(exporter->state);
}

const struct export_writer export_csv = {
	.open = csv_open,
	.begin = csv_header,
	.record = csv_record,
	.close = csv_close,
};
