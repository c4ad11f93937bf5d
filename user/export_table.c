/* SPDX-License-Identifier: GPL-2.0-only */
/* Flow records as a table for people: human units, the width of the terminal, the worst in red. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "export_internal.h"
#include "format.h"

#define CELL_MAX 256
#define GAP 2 /* between columns; 1 where the terminal is narrow */
#define ADDRESS_WIDTH_MIN 12
#define NOTE_WIDTH_MIN 8
#define BAD_PERCENT 2 /* sent again, of what an end sent */
#define RED "\033[31m"
#define PLAIN "\033[0m"

/*
 * Rows of a replay are held back until the widths are known; the reader of a live table wants each
 * row at once. A capture that is still being written counts as live after this time.
 */
#define HELD_ROWS_MAX 1000
#define HELD_NS_MAX 1000000000ull

enum column_trait {
	NUMBER = 0, /* to the right */
	TEXT = 1 << 0,
	ADDRESS = 1 << 1, /* may be cut in the middle */
	WIDE = 1 << 2,    /* in the wide form only */
	LIVE = 1 << 3,    /* not in replay */
};

/* What a column shows: a field of the record, or a cell of its own. */
struct column {
	const char *heading;
	const char *field;
	void (*cell)(const struct record *record, char *ret_text);
	uint8_t width;      /* while nothing is known of the rows */
	uint8_t importance; /* 0: always shown; else the largest is dropped first */
	uint8_t traits;     /* enum column_trait */
};

enum unit {
	UNIT_PLAIN,
	UNIT_CLOCK,
	UNIT_DURATION,
	UNIT_BYTES,
};

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

static const struct side *opener_of(const struct record *record)
{
	return &record->flow.side[record->flow.opener & 1];
}

static const struct side *responder_of(const struct record *record)
{
	return &record->flow.side[!(record->flow.opener & 1)];
}

static void cell_end(const struct record *record, int index, char *ret_text)
{
	*format_endpoint(ret_text, &record->key.addr[index], ntohs(record->key.port_be16[index])) =
		'\0';
}

static void cell_opener(const struct record *record, char *ret_text)
{
	cell_end(record, record->flow.opener & 1, ret_text);
}

static void cell_responder(const struct record *record, char *ret_text)
{
	cell_end(record, !(record->flow.opener & 1), ret_text);
}

static bool has_failed_to_open(const struct record *record)
{
	const char *outcome = record_outcome(record);

	return *outcome && strcmp(outcome, "established") && strcmp(outcome, "midstream");
}

/* The one word a person asks for: why it never opened, how it ended, or how it stands. */
static void cell_state(const struct record *record, char *ret_text)
{
	const char *word = record_close(record);

	if (has_failed_to_open(record))
		word = record_outcome(record);
	else if (record->flow.close == CLOSE_OPEN || record->flow.close == CLOSE_END_OF_CAPTURE)
		word = record_state(record);
	*format_text(ret_text, word) = '\0';
}

/* On a narrow terminal this is the one place that tells why there was no answer. */
static void cell_connect(const struct record *record, char *ret_text)
{
	struct value connect;
	char *at = ret_text;

	record_read(record, record_field("connect_ns"), &connect);
	if (connect.kind == VALUE_NUMBER)
		at = format_duration(at, connect.number);
	else if (has_failed_to_open(record))
		at = format_text(at, record_outcome(record));
	*at = '\0';
}

/* "12 0.5%": segments sent again, and their share of all this end sent. */
static void cell_retransmitted(const struct side *side, char *ret_text)
{
	char *at = ret_text;

	if (side->segments) {
		at = format_count(at, side->retransmitted_segments);
		if (side->retransmitted_segments) {
			*at++ = ' ';
			at = format_percent(at, side->retransmitted_segments, side->segments);
		}
	}
	*at = '\0';
}

static void cell_opener_retransmitted(const struct record *record, char *ret_text)
{
	cell_retransmitted(opener_of(record), ret_text);
}

static void cell_responder_retransmitted(const struct record *record, char *ret_text)
{
	cell_retransmitted(responder_of(record), ret_text);
}

static bool sends_again_a_lot(const struct side *side)
{
	return side->retransmitted_segments &&
	       side->retransmitted_segments * 100ull >= side->segments * (uint64_t)BAD_PERCENT;
}

static bool is_bad(const struct record *record)
{
	return has_failed_to_open(record) || sends_again_a_lot(&record->flow.side[0]) ||
	       sends_again_a_lot(&record->flow.side[1]);
}

static void cell_mark(const struct record *record, char *ret_text)
{
	*format_text(ret_text, is_bad(record) ? "!" : " ") = '\0';
}

/* Notes */

static char *note_begin(char *at, const char *start)
{
	return at == start ? at : format_text(at, ", ");
}

static char *note_tries(char *at, const char *start, const char *name, uint32_t repeats)
{
	if (!repeats)
		return at;
	at = note_begin(at, start);
	at = format_text(at, name);
	at = format_text(at, " x");
	return format_number(at, repeats + 1ull);
}

static char *note_zero_window(char *at, const char *start, const struct record *record,
			      const char *name, const struct side *side, const char *field)
{
	struct value value;

	if (!side->zero_windows)
		return at;
	record_read(record, record_field(field), &value);
	at = note_begin(at, start);
	at = format_text(at, name);
	at = format_text(at, " window shut ");
	return format_duration(at, value.number);
}

static char *note_fact(char *at, const char *start, bool is_true, const char *fact)
{
	return is_true ? format_text(note_begin(at, start), fact) : at;
}

static void cell_note(const struct record *record, char *ret_text)
{
	const struct side *opener = opener_of(record), *responder = responder_of(record);
	uint64_t unresolved = (uint64_t)opener->unresolved + responder->unresolved;
	uint64_t gap_bytes = opener->gap_bytes + responder->gap_bytes;
	char *at = ret_text;

	at = note_fact(at, ret_text, record->flow.role == ROLE_GUESSED, "midstream");
	at = note_tries(at, ret_text, "SYN", opener->syn_retrans);
	at = note_tries(at, ret_text, "SYN-ACK", responder->syn_retrans);
	at = note_zero_window(at, ret_text, record, "opener", opener, "opener_zero_window_ns");
	at = note_zero_window(at, ret_text, record, "responder", responder,
			      "responder_zero_window_ns");
	if (unresolved) {
		at = format_count(note_begin(at, ret_text), unresolved);
		at = format_text(at, " out of order");
	}
	if (gap_bytes) {
		at = format_bytes(note_begin(at, ret_text), gap_bytes);
		at = format_text(at, " not captured");
	}
	at = note_fact(at, ret_text, opener->holes_dropped || responder->holes_dropped,
		       "approximate");
	*at = '\0';
}

/* Columns: "<" towards the opener or by the responder, ">" the other way. */

static const struct column columns[] = {
	{ "", NULL, cell_mark, 1, 0, TEXT },
	{ "START", "start_ns", NULL, 12, 7, TEXT },
	{ "IFACE", "iface", NULL, 6, 8, TEXT | LIVE },
	{ "VLAN", "vlan", NULL, 4, 0, WIDE },
	{ "OPENER", NULL, cell_opener, 21, 0, TEXT | ADDRESS },
	{ "RESPONDER", NULL, cell_responder, 21, 0, TEXT | ADDRESS },
	{ "STATE", NULL, cell_state, 12, 3, TEXT },
	{ "OUTCOME", "outcome", NULL, 11, 0, TEXT | WIDE },
	{ "DURATION", "duration_ns", NULL, 8, 0, WIDE },
	{ "CONNECT", NULL, cell_connect, 9, 2, NUMBER },
	{ "<OPEN", "opener_handshake_ns", NULL, 7, 0, WIDE },
	{ "OPEN>", "responder_handshake_ns", NULL, 7, 0, WIDE },
	{ "<RTT", "opener_rtt_mean_ns", NULL, 7, 4, NUMBER },
	{ "RTT>", "responder_rtt_mean_ns", NULL, 7, 1, NUMBER },
	{ "<MIN", "opener_rtt_min_ns", NULL, 7, 0, WIDE },
	{ "<MAX", "opener_rtt_max_ns", NULL, 7, 0, WIDE },
	{ "MIN>", "responder_rtt_min_ns", NULL, 7, 0, WIDE },
	{ "MAX>", "responder_rtt_max_ns", NULL, 7, 0, WIDE },
	{ "SENT", "opener_payload_bytes", NULL, 7, 6, NUMBER },
	{ "RECEIVED", "responder_payload_bytes", NULL, 8, 5, NUMBER },
	{ "SEGMENTS>", "opener_segments", NULL, 9, 0, WIDE },
	{ "<SEGMENTS", "responder_segments", NULL, 9, 0, WIDE },
	{ "RETRANS>", NULL, cell_opener_retransmitted, 9, 0, NUMBER },
	{ "<RETRANS", NULL, cell_responder_retransmitted, 9, 0, NUMBER },
	{ "UNRESOLVED>", "opener_unresolved", NULL, 11, 0, WIDE },
	{ "<UNRESOLVED", "responder_unresolved", NULL, 11, 0, WIDE },
	{ "ZEROWIN>", "opener_zero_window_ns", NULL, 8, 0, WIDE },
	{ "<ZEROWIN", "responder_zero_window_ns", NULL, 8, 0, WIDE },
	{ "FLAGS>", "opener_flags", NULL, 6, 0, TEXT | WIDE },
	{ "<FLAGS", "responder_flags", NULL, 6, 0, TEXT | WIDE },
	{ "ID", "id", NULL, 16, 0, TEXT | WIDE },
	{ "NOTE", NULL, cell_note, 0, 9, TEXT },
};

#define COLUMN_COUNT (sizeof(columns) / sizeof(*columns))

static bool is_note(const struct table_column *column)
{
	return column->column && column->column->cell == cell_note;
}

static bool is_address(const struct table_column *column)
{
	return column->column && column->column->traits & ADDRESS;
}

static bool name_ends(const char *name, const char *ending)
{
	size_t len = strlen(name), ending_len = strlen(ending);

	return len >= ending_len && !strcmp(name + len - ending_len, ending);
}

static enum unit field_unit(const char *name)
{
	if (!strcmp(name, "start_ns") || !strcmp(name, "end_ns"))
		return UNIT_CLOCK;
	if (name_ends(name, "_ns"))
		return UNIT_DURATION;
	return name_ends(name, "_bytes") ? UNIT_BYTES : UNIT_PLAIN;
}

static char *format_unit(char *at, enum unit unit, uint64_t number)
{
	switch (unit) {
	case UNIT_CLOCK:
		return format_clock(at, number);
	case UNIT_DURATION:
		return format_duration(at, number);
	case UNIT_BYTES:
		return format_bytes(at, number);
	case UNIT_PLAIN:
		break;
	}
	return format_number(at, number);
}

/* Interface names are bytes; the terminal must not obey them. */
static char *format_harmless(char *at, const char *text)
{
	for (; *text; text++)
		*at++ = *text >= 0x20 && *text < 0x7f ? *text : '?';
	return at;
}

static void field_cell(struct table_column *column, const struct record *record, char *ret_text)
{
	char *at = ret_text;
	struct value value;

	record_read(record, column->field, &value);
	switch (value.kind) {
	case VALUE_NUMBER:
		at = format_unit(at, column->unit, value.number);
		break;
	case VALUE_BOOL:
		at = format_text(at, value.number ? "yes" : "no");
		break;
	case VALUE_TEXT:
		at = format_harmless(at, value.text);
		column->left = true;
		break;
	case VALUE_ABSENT:
		break;
	}
	*at = '\0';
}

/* The text of a cell; "-" where nothing is known, but no note needs no dash. */
static size_t table_cell(struct table_column *column, const struct record *record, char *ret_text)
{
	if (column->field)
		field_cell(column, record, ret_text);
	else
		column->column->cell(record, ret_text);
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
		at = is_note(column) ? put_note(table, at, line, text) :
				       put_cell(at, column, text);
	}
	while (at > line && at[-1] == ' ')
		at--;
	return at;
}

static void table_line(struct exporter *exporter, const struct record *record)
{
	struct table *table = exporter->state;
	bool red = record && table->colour && is_bad(record);
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
static void table_finish(struct exporter *exporter)
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
	ret_column->unit = field ? field_unit(field->name) : UNIT_PLAIN;
	ret_column->width = (unsigned int)strlen(ret_column->heading);
	ret_column->left = column && column->traits & TEXT;
}

static void table_choose_columns(struct table *table, const struct exporter *exporter)
{
	if (exporter->chosen) {
		table->column_count = exporter->field_count;
		for (size_t i = 0; i < table->column_count; i++)
			table_set_column(&table->columns[i], NULL, exporter->fields[i]);
		return;
	}
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
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

static int table_open(struct exporter *exporter)
{
	size_t room = exporter->chosen ? exporter->field_count : COLUMN_COUNT;
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
	.finish = table_finish,
	.close = table_close,
};
