/* SPDX-License-Identifier: GPL-2.0-only */
/* Metrics as text: Prometheus 0.0.4 and OpenMetrics 1.0, which differ in names, units and their end. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "escape.h"
#include "format.h"
#include "metrics.h"

/*
 * Edges of the buckets in text: the powers of two from 2^-16 s (15 us) to 2^5 s (32 s). They are edges of the
 * fine buckets, so the counts are exact; percentiles taken from them are as coarse as they are.
 */
#define EDGE_FIRST (-16)
#define EDGE_LAST 5

/* The name without _total, by which OpenMetrics knows a counter's family. */
static int family_len(const struct metrics_writer *writer)
{
	const struct metric_family *family = writer->family;
	size_t len = strlen(family->name);

	if (writer->is_openmetrics && family->type == METRIC_COUNTER)
		len -= strlen("_total");
	if (writer->is_openmetrics && family->type == METRIC_INFO)
		len -= strlen("_info");
	return (int)len;
}

static const char *type_name(const struct metrics_writer *writer)
{
	switch (writer->family->type) {
	case METRIC_COUNTER:
		return "counter";
	case METRIC_HISTOGRAM:
		return "histogram";
	case METRIC_INFO:
		return writer->is_openmetrics ? "info" : "gauge";
	default:
		return "gauge";
	}
}

static void text_begin(struct metrics_writer *writer)
{
	const struct metric_family *family = writer->family;
	char line[1024], help[512];
	int len = family_len(writer), written;

	/* HELP escapes backslashes and line ends, OpenMetrics quotes too; there is nothing else in ours. */
	*(writer->is_openmetrics ? escape_prometheus(help, family->help)
				 : format_text(help, family->help)) = '\0';
	written = snprintf(line, sizeof(line), "# HELP %.*s %s\n# TYPE %.*s %s\n", len, family->name,
			   help, len, family->name, type_name(writer));
	buffer_add(writer->buffer, line, (size_t)written);
	if (!writer->is_openmetrics || !*family->unit)
		return;
	written = snprintf(line, sizeof(line), "# UNIT %.*s %s\n", len, family->name, family->unit);
	buffer_add(writer->buffer, line, (size_t)written);
}

/* a="x",b="y" into writer->series, without braces. */
static void put_labels(struct metrics_writer *writer, const struct metric_labels *labels)
{
	struct buffer *series = &writer->series;

	series->len = 0;
	for (size_t i = 0; i < labels->count; i++) {
		const char *value = labels->label[i].value;
		char *at = buffer_room(series, strlen(labels->label[i].name) + 2 * strlen(value) + 8);

		if (!at)
			return;
		if (i)
			*at++ = ',';
		at = format_text(at, labels->label[i].name);
		at = format_text(at, "=\"");
		at = escape_prometheus(at, value);
		*at++ = '"';
		series->len = (size_t)(at - series->bytes);
	}
}

/* Whole numbers as they are, others with all digits they have. */
static char *format_value(char *at, double value)
{
	if (value >= 0 && value < 1e15 && value == (double)(uint64_t)value)
		return format_number(at, (uint64_t)value);
	return at + sprintf(at, "%.17g", value);
}

static void put_line(struct metrics_writer *writer, const char *suffix, const char *edge, double value)
{
	const char *name = writer->family->name;
	size_t name_len = strlen(name);
	char *at = buffer_room(writer->buffer, name_len + writer->series.len + 128);

	if (!at)
		return;
	memcpy(at, name, name_len);
	at = format_text(at + name_len, suffix);
	if (writer->series.len || edge) {
		*at++ = '{';
		if (writer->series.len)
			memcpy(at, writer->series.bytes, writer->series.len);
		at += writer->series.len;
		if (edge) {
			if (writer->series.len)
				*at++ = ',';
			at = format_text(at, "le=\"");
			at = format_text(at, edge);
			*at++ = '"';
		}
		*at++ = '}';
	}
	*at++ = ' ';
	at = format_value(at, value);
	*at++ = '\n';
	writer->buffer->len = (size_t)(at - writer->buffer->bytes);
}

static void text_value(struct metrics_writer *writer, const struct metric_labels *labels, double value)
{
	put_labels(writer, labels);
	put_line(writer, "", NULL, value);
}

#define EDGE_COUNT (EDGE_LAST - EDGE_FIRST + 1)

static char edge_texts[2][EDGE_COUNT][32]; /* by is_openmetrics, which wants a point in them */

/* 2^exponent each. Made once: there are millions of lines, and several threads that write them. */
static void make_edge_texts(void)
{
	for (int exponent = EDGE_FIRST; exponent <= EDGE_LAST; exponent++) {
		char *plain = edge_texts[0][exponent - EDGE_FIRST];
		char *open = edge_texts[1][exponent - EDGE_FIRST];

		if (exponent >= 0) {
			sprintf(plain, "%u", 1u << exponent);
			sprintf(open, "%u.0", 1u << exponent);
		} else {
			sprintf(plain, "%.17g", 1.0 / (double)(1u << -exponent));
			strcpy(open, plain);
		}
	}
}

static const char *edge_text(int exponent, bool is_openmetrics)
{
	return edge_texts[is_openmetrics][exponent - EDGE_FIRST];
}

static void text_histogram(struct metrics_writer *writer, const struct metric_labels *labels,
			   const struct pair *pair, enum pair_histogram histogram)
{
	const struct bucket *buckets = writer->metrics->pairs->buckets;
	size_t at = pair->first[histogram], end = pair->first[histogram + 1];
	uint64_t below = 0;

	put_labels(writer, labels);
	for (int exponent = EDGE_FIRST; exponent <= EDGE_LAST; exponent++) {
		uint32_t last = (uint32_t)(exponent + 20) << FINE_SCALE;

		for (; at < end && buckets[at].number <= last; at++)
			below += buckets[at].count;
		put_line(writer, "_bucket", edge_text(exponent, writer->is_openmetrics),
			 (double)below);
	}
	put_line(writer, "_bucket", "+Inf", (double)pair->samples[histogram]);
	put_line(writer, "_sum", NULL, (double)pair->counters.sum_ns[histogram] / 1e9);
	put_line(writer, "_count", NULL, (double)pair->samples[histogram]);
}

static void text_end(struct metrics_writer *writer)
{
	(void)writer;
}

static void text_close(struct metrics_writer *writer)
{
	if (writer->is_openmetrics)
		buffer_text(writer->buffer, "# EOF\n");
}

void metrics_text_writer(struct metrics_writer *writer)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_edge_texts);
	writer->begin = text_begin;
	writer->value = text_value;
	writer->histogram = text_histogram;
	writer->end = text_end;
	writer->close = text_close;
}
