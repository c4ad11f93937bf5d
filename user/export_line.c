/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A record as a line of text, for formats that have one value behind the other: CSV and NDJSON. There may be
 * a million of them, so what is the same in most lines is spelled once, and then copied.
 */
#include "export_line.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "format.h"

#define NAME_ROOM 40 /* ,"responder_retransmitted_segments": */
#define TEXT_ROOM (ESCAPE_MAX * VALUE_ROOM + 2)
#define CELL_ROOM (NAME_ROOM + TEXT_ROOM)
#define END_ROOM 8

struct cell {
	const struct record_field *field;
	uint8_t name_len;
	char name[NAME_ROOM]; /* what comes before the value: a comma, and the name if it is written */
};

/* Cells side by side that are quiet in the same records, or in none. */
struct stretch {
	const struct cell *cells;
	size_t count;
	uint32_t quiet; /* enum record_quiet */
	size_t text_len;
	char *text; /* of all of them when they are quiet */
};

struct line {
	const struct line_style *style;
	struct cell *cells; /* one a field */
	size_t cell_count;
	struct stretch *stretches;
	size_t stretch_count;
	size_t room; /* of text: CELL_ROOM for each cell, and what longer texts took beside it */
	char *text;
	struct value value; /* of the cell that is being spelled */
};

static size_t room_of_cells(const struct line *line)
{
	return line->cell_count * CELL_ROOM + END_ROOM;
}

/* So much, and all that may come behind it. NULL: no memory. */
static char *make_room(struct line *line, char *at, size_t len)
{
	size_t used = (size_t)(at - line->text), room = used + len + room_of_cells(line);
	char *text = line->text;

	if (room > line->room) {
		text = realloc(line->text, room);
		if (!text)
			return NULL;
		line->text = text;
		line->room = room;
	}
	return text + used;
}

/* A text of others may be longer than its cell has room for. */
static char *put_text(struct line *line, char *at, const char *text)
{
	size_t room = strlen(text) * ESCAPE_MAX + 2;
	char *longer;

	if (room <= TEXT_ROOM)
		return line->style->escape(at, text);
	longer = make_room(line, at, room);
	return longer ? line->style->escape(longer, text) : line->style->escape(at, "");
}

static inline char *put_quote(char *at, bool has_names)
{
	*at = '"';
	return at + has_names;
}

static inline char *put_value(struct line *line, char *at, bool has_names)
{
	const struct value *value = &line->value;

	if (value->kind == VALUE_NUMBER) /* nearly all are */
		return format_number(at, value->number);
	switch (value->kind) {
	case VALUE_WORD:
		at = put_quote(at, has_names);
		memcpy(at, value->text, value->len);
		return put_quote(at + value->len, has_names);
	case VALUE_TEXT:
		return put_text(line, at, value->text);
	case VALUE_BOOL:
		return format_text(at, value->number ? "true" : "false");
	default:
		return at;
	}
}

static inline char *put_name(char *at, const struct cell *cell, bool has_names)
{
	if (!has_names) {
		*at = ',';
		return at + 1;
	}
	/* All of its room, which the line has: a length known to the compiler is no call. */
	memcpy(at, cell->name, NAME_ROOM);
	return at + cell->name_len;
}

static inline char *put_cells(struct line *line, char *at, const struct stretch *stretch,
			      const struct record_end ends[2], bool has_names)
{
	const struct cell *stop = stretch->cells + stretch->count;

	for (const struct cell *cell = stretch->cells; cell < stop; cell++) {
		const struct record_field *field = cell->field;
		const struct record_end *end = &ends[field->of_responder];

		if (!field->read) {
			at = format_number(put_name(at, cell, has_names), record_number(end, field));
			continue;
		}
		field->read(end, &line->value);
		if (line->value.kind != VALUE_ABSENT || !has_names)
			at = put_value(line, put_name(at, cell, has_names), has_names);
	}
	return at;
}

/* A loop for each of both forms: what differs is settled before it. */
static char *put_stretch(struct line *line, char *at, const struct stretch *stretch,
			 const struct record_end ends[2])
{
	return line->style->has_names ? put_cells(line, at, stretch, ends, true)
				      : put_cells(line, at, stretch, ends, false);
}

const char *line_spell(struct line *line, const struct record *record, size_t *ret_len)
{
	uint32_t quiet = record_quiet(record);
	bool has_begin = line->style->begin;
	struct record_end ends[2];
	char *at = line->text;

	record_ends(record, ends);
	for (size_t i = 0; i < line->stretch_count; i++) {
		const struct stretch *stretch = &line->stretches[i];

		if (quiet >> stretch->quiet & 1) {
			memcpy(at, stretch->text, stretch->text_len);
			at += stretch->text_len;
		} else {
			at = put_stretch(line, at, stretch, ends);
		}
	}
	if (at == line->text) /* nothing is known of what was asked */
		at++;
	at = format_text(at, line->style->end);
	/* The first comma has the place of what a line begins with. */
	if (has_begin)
		*line->text = line->style->begin;
	*ret_len = (size_t)(at - line->text) - !has_begin;
	return line->text + !has_begin;
}

void line_write(struct line *line, struct sink *sink, const struct record *record)
{
	size_t len;
	const char *text = line_spell(line, record, &len);

	sink_write(sink, text, len);
}

/* Preparing */

static void name_cell(struct cell *ret_cell, const struct record_field *field, bool has_name)
{
	char *at = ret_cell->name;

	ret_cell->field = field;
	*at++ = ',';
	if (has_name) {
		*at++ = '"';
		at = format_text(at, field->name);
		at = format_text(at, "\":");
	}
	ret_cell->name_len = (uint8_t)(at - ret_cell->name);
}

/* What quiet cells say is what they say of a record of zeros. */
static int spell_quiet(struct line *line, struct stretch *stretch)
{
	static const struct record zeros;
	struct record_end ends[2];

	if (stretch->quiet == QUIET_NEVER)
		return 0;
	record_ends(&zeros, ends);
	stretch->text_len = (size_t)(put_stretch(line, line->text, stretch, ends) - line->text);
	stretch->text = malloc(stretch->text_len + 1);
	if (!stretch->text)
		return -ENOMEM;
	memcpy(stretch->text, line->text, stretch->text_len);
	return 0;
}

static int prepare(struct line *line)
{
	struct stretch *stretch = NULL;
	int err = 0;

	for (size_t i = 0; i < line->cell_count; i++) {
		const struct cell *cell = &line->cells[i];

		if (!stretch || stretch->quiet != cell->field->quiet) {
			stretch = &line->stretches[line->stretch_count++];
			stretch->cells = cell;
			stretch->quiet = cell->field->quiet;
		}
		stretch->count++;
	}
	for (size_t i = 0; i < line->stretch_count && !err; i++)
		err = spell_quiet(line, &line->stretches[i]);
	return err;
}

int line_open(struct line **ret_line, const struct exporter *exporter, const struct line_style *style)
{
	size_t count = exporter->field_count;
	struct line *line = calloc(1, sizeof(*line));
	int err = -ENOMEM;

	if (!line)
		return -ENOMEM;
	line->style = style;
	line->cell_count = count;
	line->cells = calloc(count, sizeof(*line->cells));
	line->stretches = calloc(count, sizeof(*line->stretches));
	line->room = room_of_cells(line);
	line->text = malloc(line->room);
	if (line->cells && line->stretches && line->text) {
		for (size_t i = 0; i < count; i++)
			name_cell(&line->cells[i], exporter->fields[i], style->has_names);
		err = prepare(line);
	}
	if (err)
		line_close(line);
	else
		*ret_line = line;
	return err;
}

void line_close(struct line *line)
{
	if (!line)
		return;
	for (size_t i = 0; i < line->stretch_count; i++)
		free(line->stretches[i].text);
	free(line->stretches);
	free(line->cells);
	free(line->text);
	free(line);
}
