/* SPDX-License-Identifier: GPL-2.0-only */
/* Flow records as one JSON object a line (RFC 8259): what is not known is left out. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "export_internal.h"
#include "format.h"

#define ESCAPE_MAX 6 /* \u001f */
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

/* Bytes of a well-formed UTF-8 sequence above ASCII (RFC 3629, 4), or 0. */
static size_t utf8_length(const uint8_t *text)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t more;

	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		more = 1;
	else if ((text[0] & 0xf0) == 0xe0)
		more = 2;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		more = 3;
	else
		return 0;
	if (text[0] == 0xe0)
		low = 0xa0;
	else if (text[0] == 0xed)
		high = 0x9f;
	else if (text[0] == 0xf0)
		low = 0x90;
	else if (text[0] == 0xf4)
		high = 0x8f;
	if (text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i <= more; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	return more + 1;
}

/* RFC 8259, 7: quotes, backslashes and control characters. */
static char *json_escape(char *at, uint8_t c)
{
	if (c == '"' || c == '\\') {
		*at++ = '\\';
		*at++ = (char)c;
		return at;
	}
	at = format_text(at, "\\u00");
	*at++ = "0123456789abcdef"[c >> 4];
	*at++ = "0123456789abcdef"[c & 15];
	return at;
}

/* JSON is UTF-8 (RFC 8259, 8.1), interface names are bytes: what is not UTF-8 becomes U+FFFD. */
static char *json_text(char *at, const char *text)
{
	const uint8_t *from = (const uint8_t *)text;
	size_t len;

	*at++ = '"';
	while (*from) {
		if (*from < 0x20 || *from == '"' || *from == '\\' || *from == 0x7f) {
			at = json_escape(at, *from++);
			continue;
		}
		len = *from < 0x80 ? 1 : utf8_length(from);
		if (!len) {
			at = format_text(at, "\\ufffd");
			from++;
			continue;
		}
		memcpy(at, from, len);
		at += len;
		from += len;
	}
	*at++ = '"';
	return at;
}

static char *json_value(char *at, const struct value *value)
{
	switch (value->kind) {
	case VALUE_NUMBER:
		return format_number(at, value->number);
	case VALUE_BOOL:
		return format_text(at, value->number ? "true" : "false");
	case VALUE_TEXT:
		return json_text(at, value->text);
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

/* Each name brings the comma before it; the first one is written over by the brace. */
static void ndjson_record(struct exporter *exporter, const struct record *record)
{
	const struct ndjson *ndjson = exporter->state;
	char *line = ndjson->line, *at = line;
	struct value value;

	for (size_t i = 0; i < exporter->field_count; i++) {
		record_read(record, exporter->fields[i], &value);
		if (value.kind == VALUE_ABSENT)
			continue;
		memcpy(at, ndjson->names[i].text, ndjson->names[i].len);
		at = json_value(at + ndjson->names[i].len, &value);
	}
	if (at == line)
		at++;
	line[0] = '{';
	at = format_text(at, "}\n");
	sink_write(exporter->sink, line, (size_t)(at - line));
}

const struct export_writer export_ndjson = {
	.open = ndjson_open,
	.record = ndjson_record,
	.close = ndjson_close,
};
