/* SPDX-License-Identifier: GPL-2.0-only */
/* Pairs of labels as a table for people, as CSV, or as one JSON object a line. */
#include "export_pairs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "format.h"

/* What a column is read from. */
struct row {
	const struct pairs *pairs;
	const struct pair *pair;
	const struct labels *labels;
};

enum cell_kind {
	CELL_ABSENT,
	CELL_NUMBER,
	CELL_RATIO,
	CELL_BOOL,
	CELL_TEXT,
};

struct cell {
	enum cell_kind kind;
	uint64_t number;
	double ratio;
	const char *text;
};

static struct cell number(uint64_t number)
{
	return (struct cell){.kind = CELL_NUMBER, .number = number};
}

static struct cell text(const char *text)
{
	return (struct cell){.kind = *text ? CELL_TEXT : CELL_ABSENT, .text = text};
}

/* Nothing of nothing is not known. */
static struct cell ratio(uint64_t part, uint64_t whole)
{
	if (!whole)
		return (struct cell){.kind = CELL_ABSENT};
	return (struct cell){.kind = CELL_RATIO, .ratio = (double)part / (double)whole};
}

/* Labels */

static const struct label_group *group(const struct row *row, bool of_responder)
{
	return labels_group(row->labels, of_responder ? row->pair->responder : row->pair->opener);
}

static struct cell namespace_of(const struct row *row, int of_responder)
{
	return text(row->pair->is_other ? "other" : group(row, of_responder)->namespace);
}

static struct cell region_of(const struct row *row, int of_responder)
{
	return text(row->pair->is_other ? "other" : group(row, of_responder)->region);
}

static struct cell external_of(const struct row *row, int of_responder)
{
	if (row->pair->is_other)
		return (struct cell){.kind = CELL_ABSENT};
	return (struct cell){.kind = CELL_BOOL, .number = group(row, of_responder)->external};
}

/* Numbers */

static struct cell connections(const struct row *row, int unused)
{
	(void)unused;
	return number(pair_connections(row->pair));
}

static struct cell outcome(const struct row *row, int outcome)
{
	return number(row->pair->counters.outcomes[outcome]);
}

static struct cell samples(const struct row *row, int histogram)
{
	return number(row->pair->samples[histogram]);
}

static struct cell quantile(const struct row *row, int histogram, double quantile)
{
	if (!row->pair->samples[histogram])
		return (struct cell){.kind = CELL_ABSENT};
	return number(pairs_quantile_ns(row->pairs, row->pair, histogram, quantile));
}

static struct cell p50(const struct row *row, int histogram)
{
	return quantile(row, histogram, 0.5);
}

static struct cell p95(const struct row *row, int histogram)
{
	return quantile(row, histogram, 0.95);
}

static struct cell p99(const struct row *row, int histogram)
{
	return quantile(row, histogram, 0.99);
}

static struct cell segments(const struct row *row, int unused)
{
	(void)unused;
	return number(row->pair->counters.segments);
}

static struct cell payload_bytes(const struct row *row, int unused)
{
	(void)unused;
	return number(row->pair->counters.payload_bytes);
}

static struct cell retransmitted(const struct row *row, int unused)
{
	(void)unused;
	return number(pair_retransmitted(row->pair));
}

static struct cell retransmitted_ratio(const struct row *row, int unused)
{
	(void)unused;
	return ratio(pair_retransmitted(row->pair), row->pair->counters.segments);
}

static struct cell spurious(const struct row *row, int unused)
{
	(void)unused;
	return number(row->pair->counters.spurious);
}

static struct cell lost_before(const struct row *row, int unused)
{
	(void)unused;
	return number(row->pair->counters.recovered);
}

static struct cell lost_before_ratio(const struct row *row, int unused)
{
	(void)unused;
	return ratio(row->pair->counters.recovered, row->pair->counters.segments);
}

static struct cell lost_after(const struct row *row, int unused)
{
	(void)unused;
	return number(row->pair->lost_after);
}

static struct cell lost_after_ratio(const struct row *row, int unused)
{
	(void)unused;
	return ratio(row->pair->lost_after, row->pair->counters.segments);
}

static struct cell reordered(const struct row *row, int unused)
{
	(void)unused;
	return number(row->pair->counters.reordered);
}

static struct cell zero_window(const struct row *row, int unused)
{
	(void)unused;
	return number(row->pair->counters.zero_window_ns);
}

/* The columns */

static const struct field {
	const char *name;
	struct cell (*read)(const struct row *row, int what);
	int what;
} fields[] = {
	{"opener_namespace", namespace_of, 0},
	{"opener_region", region_of, 0},
	{"opener_external", external_of, 0},
	{"responder_namespace", namespace_of, 1},
	{"responder_region", region_of, 1},
	{"responder_external", external_of, 1},
	{"connections", connections, 0},
	{"established", outcome, OUTCOME_ESTABLISHED},
	{"refused", outcome, OUTCOME_REFUSED},
	{"reset", outcome, OUTCOME_RESET},
	{"no_answer", outcome, OUTCOME_NO_ANSWER},
	{"unreachable", outcome, OUTCOME_UNREACHABLE},
	{"abandoned", outcome, OUTCOME_ABANDONED},
	{"midstream", outcome, OUTCOME_MIDSTREAM},
	{"connect_samples", samples, PAIR_CONNECT},
	{"connect_p50_ns", p50, PAIR_CONNECT},
	{"connect_p95_ns", p95, PAIR_CONNECT},
	{"connect_p99_ns", p99, PAIR_CONNECT},
	{"opener_rtt_samples", samples, PAIR_RTT_OPENER},
	{"opener_rtt_p50_ns", p50, PAIR_RTT_OPENER},
	{"opener_rtt_p95_ns", p95, PAIR_RTT_OPENER},
	{"opener_rtt_p99_ns", p99, PAIR_RTT_OPENER},
	{"responder_rtt_samples", samples, PAIR_RTT_RESPONDER},
	{"responder_rtt_p50_ns", p50, PAIR_RTT_RESPONDER},
	{"responder_rtt_p95_ns", p95, PAIR_RTT_RESPONDER},
	{"responder_rtt_p99_ns", p99, PAIR_RTT_RESPONDER},
	{"response_samples", samples, PAIR_RESPONSE},
	{"response_p50_ns", p50, PAIR_RESPONSE},
	{"response_p95_ns", p95, PAIR_RESPONSE},
	{"response_p99_ns", p99, PAIR_RESPONSE},
	{"segments", segments, 0},
	{"payload_bytes", payload_bytes, 0},
	{"retransmitted_segments", retransmitted, 0},
	{"retransmitted_ratio", retransmitted_ratio, 0},
	{"spurious_segments", spurious, 0},
	{"lost_before_segments", lost_before, 0},
	{"lost_before_ratio", lost_before_ratio, 0},
	{"lost_after_segments", lost_after, 0},
	{"lost_after_ratio", lost_after_ratio, 0},
	{"reordered_segments", reordered, 0},
	{"zero_window_ns", zero_window, 0},
};

#define FIELD_COUNT (sizeof(fields) / sizeof(*fields))

/* CSV and NDJSON */

/* A cell through `escape`, which knows how its format writes texts. */
static int write_cell(struct sink *sink, const struct cell *cell, char *(*escape)(char *, const char *))
{
	char room[FORMAT_NUMBER_MAX + 1], *end, *longer;

	switch (cell->kind) {
	case CELL_NUMBER:
		end = format_number(room, cell->number);
		sink_write(sink, room, (size_t)(end - room));
		break;
	case CELL_RATIO:
		snprintf(room, sizeof(room), "%.6g", cell->ratio);
		sink_text(sink, room);
		break;
	case CELL_BOOL:
		sink_text(sink, cell->number ? "true" : "false");
		break;
	case CELL_TEXT:
		longer = malloc(strlen(cell->text) * ESCAPE_MAX + 2);
		if (!longer)
			return -ENOMEM;
		sink_write(sink, longer, (size_t)(escape(longer, cell->text) - longer));
		free(longer);
		break;
	case CELL_ABSENT:
		break;
	}
	return 0;
}

static void csv_header(struct sink *sink)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		sink_text(sink, i ? "," : "");
		sink_text(sink, fields[i].name);
	}
	sink_text(sink, "\r\n");
}

static int csv_row(struct sink *sink, const struct row *row)
{
	int err = 0;

	for (size_t i = 0; i < FIELD_COUNT && !err; i++) {
		struct cell cell = fields[i].read(row, fields[i].what);

		sink_text(sink, i ? "," : "");
		err = write_cell(sink, &cell, escape_csv);
	}
	sink_text(sink, "\r\n");
	return err;
}

#define BUCKET_ROOM (4 + 2 * FORMAT_NUMBER_MAX)

/* By hand, for a pair may have hundreds. */
static char *put_bucket(char *at, const struct bucket *bucket, bool is_first)
{
	int exponent = (int)bucket->number - (20 << FINE_SCALE);

	if (!is_first)
		*at++ = ',';
	*at++ = '[';
	if (exponent < 0)
		*at++ = '-';
	at = format_number(at, (uint64_t)abs(exponent));
	*at++ = ',';
	at = format_number(at, bucket->count);
	*at++ = ']';
	return at;
}

#define BUCKETS_AT_ONCE 32

static void put_buckets(struct sink *sink, const struct bucket *buckets, size_t count)
{
	char text[BUCKETS_AT_ONCE * BUCKET_ROOM], *at;

	for (size_t i = 0; i < count;) {
		at = text;
		for (size_t stop = i + BUCKETS_AT_ONCE; i < count && i < stop; i++)
			at = put_bucket(at, &buckets[i], !i);
		sink_write(sink, text, (size_t)(at - text));
	}
}

/*
 * Counts that may be added to those of another host or capture: [k, count], where bucket k ends at
 * 2^(k/32) s and begins where k - 1 ends; what is at most 2^-20 s is "zero".
 */
static void ndjson_histogram(struct sink *sink, const struct row *row, int histogram)
{
	static const char *const names[PAIR_HISTOGRAMS] = {
		"connect", "opener_handshake", "responder_handshake", "opener_rtt", "responder_rtt",
		"response"};
	const struct pair *pair = row->pair;
	size_t at = pair->first[histogram], end = pair->first[histogram + 1];
	const struct bucket *buckets = row->pairs->buckets;
	bool has_zero = at < end && !buckets[at].number;
	char text[128];

	if (!pair->samples[histogram])
		return;
	snprintf(text, sizeof(text), ",\"%s_histogram\":{\"sum_ns\":%llu,\"zero\":%llu,\"buckets\":[",
		 names[histogram], (unsigned long long)pair->counters.sum_ns[histogram],
		 (unsigned long long)(has_zero ? buckets[at].count : 0));
	sink_text(sink, text);
	at += has_zero;
	put_buckets(sink, buckets + at, end - at);
	sink_text(sink, "]}");
}

static int ndjson_row(struct sink *sink, const struct row *row)
{
	const char *separator = "{\"";
	int err = 0;

	for (size_t i = 0; i < FIELD_COUNT && !err; i++) {
		struct cell cell = fields[i].read(row, fields[i].what);

		if (cell.kind == CELL_ABSENT)
			continue;
		sink_text(sink, separator);
		sink_text(sink, fields[i].name);
		sink_text(sink, "\":");
		separator = ",\"";
		err = write_cell(sink, &cell, escape_json);
	}
	for (int i = 0; i < PAIR_HISTOGRAMS; i++)
		ndjson_histogram(sink, row, i);
	sink_text(sink, "}\n");
	return err;
}

/* The table */

#define END_WIDTH 24

/* shop/eu, or inside and outside where nobody has a name; cut, and harmless to a terminal. */
static void put_end(char *ret_text, const struct row *row, bool of_responder)
{
	const struct label_group *end = group(row, of_responder);
	char *at = ret_text;

	if (row->pair->is_other)
		snprintf(ret_text, END_WIDTH + 1, "other");
	else if (!*end->namespace && !*end->region)
		snprintf(ret_text, END_WIDTH + 1, "%s", end->external ? "external" : "internal");
	else
		snprintf(ret_text, END_WIDTH + 1, "%s/%s", end->namespace, end->region);
	for (; *at; at++) {
		if (*at < 0x20 || *at > 0x7e)
			*at = '?';
	}
}

static void put_time(char *ret_text, const struct row *row, int histogram, double part)
{
	if (row->pair->samples[histogram])
		*format_duration(ret_text, pairs_quantile_ns(row->pairs, row->pair, histogram, part)) = '\0';
	else
		strcpy(ret_text, "-");
}

static void put_percent(char *ret_text, uint64_t part, uint64_t whole)
{
	if (whole)
		*format_percent(ret_text, part, whole) = '\0';
	else
		strcpy(ret_text, "-");
}

static void table_header(struct sink *sink)
{
	char line[256];

	snprintf(line, sizeof(line), "%-*s %-*s %8s %7s %24s %24s %24s %8s %8s %8s %8s %8s %7s %8s\n",
		 END_WIDTH, "OPENER", END_WIDTH, "RESPONDER", "CONNS", "FAILED",
		 "CONNECT P50/P95/P99", "<RTT P50/P95/P99", "RTT> P50/P95/P99", "SEGMENTS", "RETRANS",
		 "LOST<", "LOST>", "REORD", "ZEROWIN", "BYTES");
	sink_text(sink, line);
}

static void put_times(char *ret_text, const struct row *row, int histogram)
{
	char p50[FORMAT_NUMBER_MAX], p95[FORMAT_NUMBER_MAX], p99[FORMAT_NUMBER_MAX];

	put_time(p50, row, histogram, 0.5);
	put_time(p95, row, histogram, 0.95);
	put_time(p99, row, histogram, 0.99);
	sprintf(ret_text, "%s %s %s", p50, p95, p99);
}

static void table_row(struct sink *sink, const struct row *row)
{
	const struct pair_counters *counters = &row->pair->counters;
	uint64_t conns = pair_connections(row->pair);
	uint64_t failed = conns - counters->outcomes[OUTCOME_ESTABLISHED] -
			  counters->outcomes[OUTCOME_MIDSTREAM];
	char opener[END_WIDTH + 1], responder[END_WIDTH + 1];
	char times[3][3 * FORMAT_NUMBER_MAX], part[4][FORMAT_NUMBER_MAX], counts[4][FORMAT_NUMBER_MAX];
	char zero_window_text[FORMAT_NUMBER_MAX], line[1024];

	put_end(opener, row, false);
	put_end(responder, row, true);
	put_times(times[0], row, PAIR_CONNECT);
	put_times(times[1], row, PAIR_RTT_OPENER);
	put_times(times[2], row, PAIR_RTT_RESPONDER);
	put_percent(part[0], pair_retransmitted(row->pair), counters->segments);
	put_percent(part[1], counters->recovered, counters->segments);
	put_percent(part[2], row->pair->lost_after, counters->segments);
	put_percent(part[3], counters->reordered, counters->segments);
	*format_count(counts[0], conns) = '\0';
	*format_count(counts[1], failed) = '\0';
	*format_count(counts[2], counters->segments) = '\0';
	*format_bytes(counts[3], counters->payload_bytes) = '\0';
	*format_duration(zero_window_text, counters->zero_window_ns) = '\0';
	snprintf(line, sizeof(line), "%-*s %-*s %8s %7s %24s %24s %24s %8s %8s %8s %8s %8s %7s %8s\n",
		 END_WIDTH, opener, END_WIDTH, responder, counts[0], counts[1], times[0], times[1],
		 times[2], counts[2], part[0], part[1], part[2], part[3], zero_window_text,
		 counts[3]);
	sink_text(sink, line);
}

int export_pairs(struct sink *sink, enum output_format format, bool header,
		 const struct pairs *pairs, const struct labels *labels)
{
	int err = 0;

	if (header && format == FORMAT_CSV)
		csv_header(sink);
	else if (header && format != FORMAT_NDJSON)
		table_header(sink);
	for (size_t i = 0; i < pairs->count && !err; i++) {
		struct row row = {.pairs = pairs, .pair = &pairs->pairs[i], .labels = labels};

		if (format == FORMAT_CSV)
			err = csv_row(sink, &row);
		else if (format == FORMAT_NDJSON)
			err = ndjson_row(sink, &row);
		else
			table_row(sink, &row);
	}
	return err;
}
