/* SPDX-License-Identifier: GPL-2.0-only */
/* Flow records as a table for people: human units, the width of the terminal, the worst in red. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "export_internal.h"
#include "export_table_columns.h"
#include "format.h"

#define GAP 2 /* between columns; 1 where the terminal is narrow */
#define ADDRESS_WIDTH_MIN 12
#define NOTE_WIDTH_MIN 8
#define RED "\033[31m"
#define PLAIN "\033[0m"

/*
 * Rows of a replay are held back until the widths are known; the reader of a live table wants each
 * row at once. A capture that is still being written counts as live after this time.
 */
#define HELD_ROWS_MAX 1000
#define HELD_NS_MAX 1000000000ull

/* A column in this table. */
struct table_column {
	const struct column *column; /* NULL: a field the person chose */
	const struct record_field *field;
	const char *heading;
	enum unit unit;
	unsigned int width;
	bool left;
	bool hidden;
};

struct table {
	struct table_column *columns;
	size_t column_count;
	struct record *held;
	size_t held_count;
	uint64_t held_since_ns;
	unsigned int limit; /* columns of the terminal; 0: no end */
	unsigned int gap;
	bool colour;
	bool streaming; /* the header is out, the shown columns are settled */
	char *line;
};

/* Cells */

static bool is_note(const struct table_column *column)
{
	return column->column && column->column->traits & NOTE;
}

static bool is_address(const struct table_column *column)
{
	return column->column && column->column->traits & ADDRESS;
}

/* The text of a cell; "-" where nothing is known, but no note needs no dash. */
static size_t table_cell(struct table_column *column, const struct record *record, char *ret_text)
{
	if (!column->field)
		column->column->cell(record, ret_text);
	else if (table_field_cell(column->field, column->unit, record, ret_text) >= VALUE_WORD)
		column->left = true;
	if (!*ret_text && !is_note(column))
		strcpy(ret_text, "-");
	return strlen(ret_text);
}

/* Widths */

static unsigned int table_width(const struct table *table)
{
	unsigned int width = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		const struct table_column *column = &table->columns[i];

		if (!column->hidden && !is_note(column))
			width += column->width + table->gap;
	}
	return width ? width - table->gap : 0;
}

static void table_measure(struct table *table, const struct record *record)
{
	char text[CELL_MAX];

	for (size_t i = 0; i < table->column_count; i++) {
		struct table_column *column = &table->columns[i];
		size_t len;

		if (column->hidden)
			continue;
		len = table_cell(column, record, text);
		if (len > column->width)
			column->width = (unsigned int)len;
	}
}

static struct table_column *table_least_important(const struct table *table)
{
	struct table_column *least = NULL;

	for (size_t i = 0; i < table->column_count; i++) {
		struct table_column *column = &table->columns[i];

		if (column->hidden || is_note(column) || !column->column ||
		    !column->column->importance)
			continue;
		if (!least || column->column->importance > least->column->importance)
			least = column;
	}
	return least;
}

static struct table_column *table_widest_address(const struct table *table)
{
	struct table_column *widest = NULL;

	for (size_t i = 0; i < table->column_count; i++) {
		struct table_column *column = &table->columns[i];

		if (!is_address(column) || column->width <= ADDRESS_WIDTH_MIN)
			continue;
		if (!widest || column->width > widest->width)
			widest = column;
	}
	return widest;
}

/* What does not fit goes: columns from the least important on, then the middle of addresses. */
static void table_fit(struct table *table)
{
	struct table_column *column;

	if (table->limit && table_width(table) > table->limit)
		table->gap = 1;
	while (table->limit && table_width(table) > table->limit) {
		column = table_least_important(table);
		if (!column)
			break;
		column->hidden = true;
	}
	while (table->limit && table_width(table) > table->limit) {
		column = table_widest_address(table);
		if (!column)
			break;
		column->width--;
	}
}

/* Once the header is out, a column grows only where the terminal has room for it. */
static void table_grow(struct table *table, const struct record *record)
{
	char text[CELL_MAX];

	for (size_t i = 0; i < table->column_count; i++) {
		struct table_column *column = &table->columns[i];
		size_t len;

		if (column->hidden || is_note(column))
			continue;
		len = table_cell(column, record, text);
		if (len <= column->width)
			continue;
		if (!table->limit ||
		    table_width(table) + (unsigned int)len - column->width <= table->limit)
			column->width = (unsigned int)len;
	}
}

/* Lines */

/* "2001:db8..f]:443": both ends of an address tell more than its middle. */
static void cut_middle(char *text, size_t width)
{
	size_t len = strlen(text), head = (width - 2) / 2, tail = width - 2 - head;

	if (len <= width)
		return;
	text[head] = text[head + 1] = '.';
	memmove(text + head + 2, text + len - tail, tail + 1);
}

static char *pad(char *at, size_t count)
{
	memset(at, ' ', count);
	return at + count;
}

static char *put_cell(char *at, const struct table_column *column, const char *text)
{
	size_t len = strlen(text), padding = len < column->width ? column->width - len : 0;

	if (!column->left)
		at = pad(at, padding);
	at = format_text(at, text);
	return column->left ? pad(at, padding) : at;
}

/* The note takes what is left of the line. */
static char *put_note(const struct table *table, char *at, const char *line, char *text)
{
	size_t used = (size_t)(at - line);

	if (table->limit && used + NOTE_WIDTH_MIN > table->limit)
		return at;
	if (table->limit && strlen(text) > table->limit - used)
		strcpy(text + table->limit - used - 2, "..");
	return format_text(at, text);
}

/* One line of headings, or of a record. */
static char *put_cells(struct table *table, char *line, const struct record *record)
{
	char text[CELL_MAX], *at = line;
	bool first = true;

	for (size_t i = 0; i < table->column_count; i++) {
		struct table_column *column = &table->columns[i];

		if (column->hidden)
			continue;
		if (record)
			table_cell(column, record, text);
		else
			strcpy(text, column->heading);
		if (!first)
			at = pad(at, table->gap);
		first = false;
		if (is_address(column))
			cut_middle(text, column->width);
		at = is_note(column) ? put_note(table, at, line, text) : put_cell(at, column, text);
	}
	while (at > line && at[-1] == ' ')
		at--;
	return at;
}

static void table_line(struct exporter *exporter, const struct record *record)
{
	struct table *table = exporter->state;
	bool red = record && table->colour && table_row_is_bad(record);
	char *end = put_cells(table, table->line, record);

	if (red)
		sink_text(exporter->sink, RED);
	sink_write(exporter->sink, table->line, (size_t)(end - table->line));
	sink_text(exporter->sink, red ? PLAIN "\n" : "\n");
}

/* Rows */

static void table_begin(struct exporter *exporter)
{
	struct table *table = exporter->state;

	table_fit(table);
	if (exporter->header)
		table_line(exporter, NULL);
	table->streaming = true;
}

static void table_hide_live_columns(struct table *table)
{
	for (size_t i = 0; i < table->column_count; i++) {
		if (table->columns[i].column && table->columns[i].column->traits & LIVE)
			table->columns[i].hidden = true;
	}
}

static void table_release(struct exporter *exporter)
{
	struct table *table = exporter->state;

	for (size_t i = 0; i < table->held_count; i++)
		table_measure(table, &table->held[i]);
	table_begin(exporter);
	for (size_t i = 0; i < table->held_count; i++)
		table_line(exporter, &table->held[i]);
	free(table->held);
	table->held = NULL;
	table->held_count = 0;
}

/* True when the row was kept for later. */
static bool table_hold(struct table *table, const struct record *record)
{
	if (!table->held_count) {
		table_hide_live_columns(table);
		table->held_since_ns = clock_monotonic_ns();
	}
	if (table->held_count == HELD_ROWS_MAX)
		return false;
	if (table->limit && clock_monotonic_ns() - table->held_since_ns > HELD_NS_MAX)
		return false;
	table->held[table->held_count++] = *record;
	return true;
}

/* A live table knows nothing of its rows when the header is written, and takes the usual widths. */
static void table_expect_usual_widths(struct table *table)
{
	for (size_t i = 0; i < table->column_count; i++) {
		struct table_column *column = &table->columns[i];

		if (column->column && column->column->width > column->width)
			column->width = column->column->width;
	}
}

static void table_record(struct exporter *exporter, const struct record *record)
{
	struct table *table = exporter->state;
	bool live = record->iface != NULL;

	if (!table->streaming && !live && table_hold(table, record))
		return;
	if (!table->streaming && live)
		table_expect_usual_widths(table);
	if (!table->streaming)
		table_release(exporter);
	table_grow(table, record);
	table_line(exporter, record);
}

/* Without rows there is nothing to head. */
static void table_let_go(struct exporter *exporter)
{
	struct table *table = exporter->state;

	if (table->held_count)
		table_release(exporter);
}

/* Opening */

static void table_set_column(struct table_column *ret_column, const struct column *column,
			     const struct record_field *field)
{
	ret_column->column = column;
	ret_column->field = field;
	ret_column->heading = column ? column->heading : field->name;
	ret_column->unit = field ? table_field_unit(field) : UNIT_PLAIN;
	ret_column->width = (unsigned int)strlen(ret_column->heading);
	ret_column->left = column && column->traits & TEXT;
}

static void table_choose_columns(struct table *table, const struct exporter *exporter)
{
	const struct column *columns;
	size_t count;

	if (exporter->chosen) {
		table->column_count = exporter->field_count;
		for (size_t i = 0; i < table->column_count; i++)
			table_set_column(&table->columns[i], NULL, exporter->fields[i]);
		return;
	}
	columns = table_columns(&count);
	for (size_t i = 0; i < count; i++) {
		const struct column *column = &columns[i];

		if ((column->traits & WIDE) && !exporter->wide)
			continue;
		table_set_column(&table->columns[table->column_count++], column,
				 column->field ? record_field(column->field) : NULL);
	}
}

static bool colour_is_wanted(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no_color && *no_color) && !(term && !strcmp(term, "dumb"));
}

static void table_close(struct exporter *exporter)
{
	struct table *table = exporter->state;

	free(table->columns);
	free(table->held);
	free(table->line);
	free(table);
}

static size_t table_room(const struct exporter *exporter)
{
	size_t count = exporter->field_count;

	if (!exporter->chosen)
		table_columns(&count);
	return count;
}

static int table_open(struct exporter *exporter)
{
	size_t room = table_room(exporter);
	struct table *table = calloc(1, sizeof(*table));
	int terminal_columns;

	if (!table)
		return -ENOMEM;
	exporter->state = table;
	table->gap = GAP;
	table->columns = calloc(room, sizeof(*table->columns));
	table->held = calloc(HELD_ROWS_MAX, sizeof(*table->held));
	table->line = malloc(room * (CELL_MAX + GAP) * 2 + 1);
	if (!table->columns || !table->held || !table->line) {
		table_close(exporter);
		return -ENOMEM;
	}
	table_choose_columns(table, exporter);
	if (sink_is_terminal(exporter->sink, &terminal_columns)) {
		table->colour = colour_is_wanted();
		table->limit = exporter->wide || exporter->chosen ?
				       0 : (unsigned int)terminal_columns;
	}
	return 0;
}

const struct export_writer export_table = {
	.open = table_open,
	.record = table_record,
	.let_go = table_let_go,
	.finish = table_let_go,
	.close = table_close,
};
