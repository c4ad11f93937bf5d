/* SPDX-License-Identifier: GPL-2.0-only */
/* What each column of the table shows: units for people, the state in one word, the notes. */
#include "export_table_columns.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/count.h"
#include "format.h"

#define BAD_PERCENT 2 /* sent again, of what an end sent */

/* Cells */

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

/* "gre/vxlan 77": what the first packet was wrapped in, and the number of that network. */
static void cell_tunnel(const struct record *record, char *ret_text)
{
	struct value tunnel, id;
	char *at = ret_text;

	record_read(record, record_field("tunnel"), &tunnel);
	record_read(record, record_field("tunnel_id"), &id);
	if (tunnel.kind == VALUE_WORD) {
		at = format_text(at, tunnel.text);
		if (id.kind == VALUE_NUMBER) {
			*at++ = ' ';
			at = format_number(at, id.number);
		}
	}
	*at = '\0';
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
static void cell_retransmitted(const struct record *record, uint32_t index, char *ret_text)
{
	uint64_t segments = count_segments(&record->flow, index);
	uint32_t again = record->rare[index].retransmitted_segments;
	char *at = ret_text;

	if (segments) {
		at = format_count(at, again);
		if (again) {
			*at++ = ' ';
			at = format_percent(at, again, segments);
		}
	}
	*at = '\0';
}

static void cell_opener_retransmitted(const struct record *record, char *ret_text)
{
	cell_retransmitted(record, record->flow.opener & 1, ret_text);
}

static void cell_responder_retransmitted(const struct record *record, char *ret_text)
{
	cell_retransmitted(record, !(record->flow.opener & 1), ret_text);
}

static bool sends_again_a_lot(const struct record *record, uint32_t index)
{
	uint64_t again = record->rare[index].retransmitted_segments;

	return again && again * 100 >= count_segments(&record->flow, index) * BAD_PERCENT;
}

bool table_row_is_bad(const struct record *record)
{
	return has_failed_to_open(record) || sends_again_a_lot(record, 0) || sends_again_a_lot(record, 1);
}

static void cell_mark(const struct record *record, char *ret_text)
{
	*format_text(ret_text, table_row_is_bad(record) ? "!" : " ") = '\0';
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
			      const char *name, const struct rare *rare, const char *field)
{
	struct value value;

	if (!rare->zero_windows)
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

static char *note_count(char *at, const char *start, uint64_t count, const char *what)
{
	if (!count)
		return at;
	return format_text(format_count(note_begin(at, start), count), what);
}

/* What is out of order, what is lost on the way to here, what came twice: both ends together. */
static char *note_order(char *at, const char *start, const struct rare *a, const struct rare *b)
{
	at = note_count(at, start, (uint64_t)a->recovered_segments + b->recovered_segments,
			" lost before here");
	at = note_count(at, start, (uint64_t)a->reordered + b->reordered, " reordered");
	at = note_count(at, start, (uint64_t)a->unresolved + b->unresolved, " out of order");
	return note_count(at, start, (uint64_t)a->copies + b->copies, " copied");
}

static void cell_note(const struct record *record, char *ret_text)
{
	const struct rare *opener = &record->rare[record->flow.opener & 1];
	const struct rare *responder = &record->rare[!(record->flow.opener & 1)];
	uint32_t bits = record->flow.side[0].bits | record->flow.side[1].bits;
	uint64_t gap_bytes = opener->gap_bytes + responder->gap_bytes;
	char *at = ret_text;

	at = note_fact(at, ret_text, record->flow.role == ROLE_GUESSED, "midstream");
	at = note_tries(at, ret_text, "SYN", opener->syn_retrans);
	at = note_tries(at, ret_text, "SYN-ACK", responder->syn_retrans);
	at = note_zero_window(at, ret_text, record, "opener", opener, "opener_zero_window_ns");
	at = note_zero_window(at, ret_text, record, "responder", responder,
			      "responder_zero_window_ns");
	at = note_order(at, ret_text, opener, responder);
	if (gap_bytes) {
		at = format_bytes(note_begin(at, ret_text), gap_bytes);
		at = format_text(at, " not captured");
	}
	at = note_fact(at, ret_text,
		       opener->holes_dropped || responder->holes_dropped || (bits & SIDE_RARE_REFUSED),
		       "approximate");
	*at = '\0';
}

/* Columns: "<" towards the opener or by the responder, ">" the other way. */

static const struct column columns[] = {
	{"", NULL, cell_mark, 1, 0, TEXT},
	{"START", "start_ns", NULL, 12, 7, TEXT},
	{"IFACE", "iface", NULL, 6, 8, TEXT | LIVE},
	{"VLAN", "vlan", NULL, 4, 0, WIDE},
	{"TUNNEL", NULL, cell_tunnel, 6, 0, TEXT | WIDE},
	{"OPENER", NULL, cell_opener, 21, 0, TEXT | ADDRESS},
	{"RESPONDER", NULL, cell_responder, 21, 0, TEXT | ADDRESS},
	{"STATE", NULL, cell_state, 12, 3, TEXT},
	{"OUTCOME", "outcome", NULL, 11, 0, TEXT | WIDE},
	{"DURATION", "duration_ns", NULL, 8, 0, WIDE},
	{"CONNECT", NULL, cell_connect, 9, 2, NUMBER},
	{"<OPEN", "opener_handshake_ns", NULL, 7, 0, WIDE},
	{"OPEN>", "responder_handshake_ns", NULL, 7, 0, WIDE},
	{"<RTT", "opener_rtt_mean_ns", NULL, 7, 4, NUMBER},
	{"RTT>", "responder_rtt_mean_ns", NULL, 7, 1, NUMBER},
	{"<MIN", "opener_rtt_min_ns", NULL, 7, 0, WIDE},
	{"<MAX", "opener_rtt_max_ns", NULL, 7, 0, WIDE},
	{"MIN>", "responder_rtt_min_ns", NULL, 7, 0, WIDE},
	{"MAX>", "responder_rtt_max_ns", NULL, 7, 0, WIDE},
	{"SENT", "opener_payload_bytes", NULL, 7, 6, NUMBER},
	{"RECEIVED", "responder_payload_bytes", NULL, 8, 5, NUMBER},
	{"SEGMENTS>", "opener_segments", NULL, 9, 0, WIDE},
	{"<SEGMENTS", "responder_segments", NULL, 9, 0, WIDE},
	{"RETRANS>", NULL, cell_opener_retransmitted, 9, 0, NUMBER},
	{"<RETRANS", NULL, cell_responder_retransmitted, 9, 0, NUMBER},
	{"SPURIOUS>", "opener_spurious", NULL, 9, 0, WIDE},
	{"<SPURIOUS", "responder_spurious", NULL, 9, 0, WIDE},
	{"RECOVERED>", "opener_recovered_segments", NULL, 10, 0, WIDE},
	{"<RECOVERED", "responder_recovered_segments", NULL, 10, 0, WIDE},
	{"REORDERED>", "opener_reordered", NULL, 10, 0, WIDE},
	{"<REORDERED", "responder_reordered", NULL, 10, 0, WIDE},
	{"UNRESOLVED>", "opener_unresolved", NULL, 11, 0, WIDE},
	{"<UNRESOLVED", "responder_unresolved", NULL, 11, 0, WIDE},
	{"ZEROWIN>", "opener_zero_window_ns", NULL, 8, 0, WIDE},
	{"<ZEROWIN", "responder_zero_window_ns", NULL, 8, 0, WIDE},
	{"FLAGS>", "opener_flags", NULL, 6, 0, TEXT | WIDE},
	{"<FLAGS", "responder_flags", NULL, 6, 0, TEXT | WIDE},
	{"ID", "id", NULL, 16, 0, TEXT | WIDE},
	{"NOTE", NULL, cell_note, 0, 9, TEXT | NOTE},
};

const struct column *table_columns(size_t *ret_count)
{
	*ret_count = sizeof(columns) / sizeof(*columns);
	return columns;
}

/* Fields */

static bool name_ends(const char *name, const char *ending)
{
	size_t len = strlen(name), ending_len = strlen(ending);

	return len >= ending_len && !strcmp(name + len - ending_len, ending);
}

enum unit table_field_unit(const struct record_field *field)
{
	const char *name = field->name;

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

/* Interface names are bytes; the terminal must not obey them. What is too long for a cell is cut. */
static char *format_harmless(char *at, const char *text)
{
	const char *end = at + CELL_MAX - 1;

	for (; *text && at < end; text++)
		*at++ = *text >= 0x20 && *text < 0x7f ? *text : '?';
	return at;
}

enum value_kind table_field_cell(const struct record_field *field, enum unit unit,
				 const struct record *record, char *ret_text)
{
	char *at = ret_text;
	struct value value;

	record_read(record, field, &value);
	switch (value.kind) {
	case VALUE_NUMBER:
		at = format_unit(at, unit, value.number);
		break;
	case VALUE_BOOL:
		at = format_text(at, value.number ? "yes" : "no");
		break;
	case VALUE_WORD:
	case VALUE_TEXT:
		at = format_harmless(at, value.text);
		break;
	case VALUE_ABSENT:
		break;
	}
	*at = '\0';
	return value.kind;
}
