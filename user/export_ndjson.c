/* SPDX-License-Identifier: GPL-2.0-only */
/* Flow records as one JSON object a line (RFC 8259): what is not known is left out. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "export_internal.h"
#include "format.h"

#define NAME_MAX_BYTES 40
#define CELL_MAX (NAME_MAX_BYTES + ESCAPE_MAX * VALUE_TEXT_MAX + 2)

struct json_name { /* ,"name": as it is copied into the line */
	uint8_t len;
	char text[NAME_MAX_BYTES];
};

struct ndjson {
	struct json_name *names; /* one a field */
	char *line;
};

static void json_name(struct json_name *ret_name, const char *name)
{
	char *at = ret_name->text;

	*at++ = ',';
	*at++ = '"';
	at = format_text(at, name);
	*at++ = '"';
	*at++ = ':';
	ret_name->len = (uint8_t)(at - ret_name->text);
}

static char *json_value(char *at, const struct value *value)
{
	switch (value->kind) {
	case VALUE_NUMBER:
		return format_number(at, value->number);
	case VALUE_BOOL:
		return format_text(at, value->number ? "true" : "false");
	case VALUE_TEXT:
		return escape_json(at, value->text);
	case VALUE_LABEL: /* see ndjson_label() */
	case VALUE_ABSENT:
		break;
	}
	return at;
}

static void ndjson_close(struct exporter *exporter)
{
	struct ndjson *ndjson = exporter->state;

	free(ndjson->names);
	free(ndjson->line);
	free(ndjson);
}

static int ndjson_open(struct exporter *exporter)
{
	struct ndjson *ndjson = calloc(1, sizeof(*ndjson));

	if (!ndjson)
		return -ENOMEM;
	exporter->state = ndjson;
	ndjson->names = calloc(exporter->field_count, sizeof(*ndjson->names));
	ndjson->line = malloc(exporter->field_count * CELL_MAX + sizeof("{}\n"));
	if (!ndjson->names || !ndjson->line) {
		ndjson_close(exporter);
		return -ENOMEM;
	}
	for (size_t i = 0; i < exporter->field_count; i++)
		json_name(&ndjson->names[i], exporter->fields[i]->name);
	return 0;
}

/* A label may be longer than a line has room for: then what there is of the line goes out first. */
static char *ndjson_label(struct exporter *exporter, char *at, const char *label)
{
	struct ndjson *ndjson = exporter->state;
	size_t room = strlen(label) * ESCAPE_MAX + 2;
	char *text;

	if (room <= ESCAPE_MAX * VALUE_TEXT_MAX + 2)
		return escape_json(at, label);
	text = malloc(room);
	if (!text)
		return escape_json(at, "");
	sink_write(exporter->sink, ndjson->line, (size_t)(at - ndjson->line));
	sink_write(exporter->sink, text, (size_t)(escape_json(text, label) - text));
	free(text);
	return ndjson->line;
}

/* Each name brings the comma before it; the first has a brace in its place. */
static void ndjson_record(struct exporter *exporter, const struct record *record)
{
	const struct ndjson *ndjson = exporter->state;
	char *line = ndjson->line, *at = line;
	bool is_first = true;
	struct value value;

	for (size_t i = 0; i < exporter->field_count; i++) {
		record_read(record, exporter->fields[i], &value);
		if (value.kind == VALUE_ABSENT)
			continue;
		/* All of its room, which the line has: a length known to the compiler is no call. */
		memcpy(at, ndjson->names[i].text, NAME_MAX_BYTES);
		if (is_first)
			*at = '{';
		is_first = false;
		at += ndjson->names[i].len;
		if (value.kind == VALUE_LABEL)
			at = ndjson_label(exporter, at, value.label);
		else
			at = json_value(at, &value);
	}
	if (is_first)
		*at++ = '{';
	at = format_text(at, "}\n");
	sink_write(exporter->sink, line, (size_t)(at - line));
}

const struct export_writer export_ndjson = {
	.open = ndjson_open,
	.record = ndjson_record,
	.close = ndjson_close,
};
