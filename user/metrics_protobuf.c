/* SPDX-License-Identifier: GPL-2.0-only */
/* Metrics as Prometheus' protobuf (io.prometheus.client.MetricFamily), with native histograms. */
#include "metrics.h"
#include "protobuf.h"

/* Field numbers of the messages, as in Prometheus' client model. */
enum {
	FAMILY_NAME = 1, FAMILY_HELP = 2, FAMILY_TYPE = 3, FAMILY_METRIC = 4,
	METRIC_LABEL = 1, METRIC_GAUGE_FIELD = 2, METRIC_COUNTER_FIELD = 3, METRIC_HISTOGRAM_FIELD = 7,
	LABEL_NAME = 1, LABEL_VALUE = 2,
	SAMPLE_VALUE = 1, /* of Gauge and of Counter */
	HISTOGRAM_COUNT = 1, HISTOGRAM_SUM = 2, HISTOGRAM_SCHEMA = 5, HISTOGRAM_ZERO_THRESHOLD = 6,
	HISTOGRAM_ZERO_COUNT = 7, HISTOGRAM_SPAN = 12, HISTOGRAM_DELTA = 13,
	SPAN_OFFSET = 1, SPAN_LENGTH = 2,
	TYPE_COUNTER = 0, TYPE_GAUGE = 1, TYPE_HISTOGRAM = 4,
};

/* Bucket i of ours ends at 2^(i/32 - 20), Prometheus' bucket i of schema 5 at 2^(i/32). */
#define BUCKET_OFFSET (20 << FINE_SCALE)
#define ZERO_THRESHOLD (1.0 / (1 << 20))

static void protobuf_begin_family(struct metrics_writer *writer)
{
	static const uint8_t types[] = {
		[METRIC_COUNTER] = TYPE_COUNTER,
		[METRIC_GAUGE] = TYPE_GAUGE,
		[METRIC_HISTOGRAM] = TYPE_HISTOGRAM,
		[METRIC_INFO] = TYPE_GAUGE,
	};

	writer->family_start = protobuf_begin(writer->buffer, 0);
	protobuf_text(writer->buffer, FAMILY_NAME, writer->family->name);
	protobuf_text(writer->buffer, FAMILY_HELP, writer->family->help);
	protobuf_uint(writer->buffer, FAMILY_TYPE, types[writer->family->type]);
	writer->data_start = writer->buffer->len;
}

static size_t begin_metric(struct metrics_writer *writer, const struct metric_labels *labels)
{
	struct buffer *buffer = writer->buffer;
	size_t metric = protobuf_begin(buffer, FAMILY_METRIC);

	for (size_t i = 0; i < labels->count; i++) {
		size_t label = protobuf_begin(buffer, METRIC_LABEL);

		protobuf_text(buffer, LABEL_NAME, labels->label[i].name);
		protobuf_text(buffer, LABEL_VALUE, labels->label[i].value);
		protobuf_end(buffer, label);
	}
	return metric;
}

static void protobuf_value(struct metrics_writer *writer, const struct metric_labels *labels,
			   double value)
{
	size_t metric = begin_metric(writer, labels), sample;

	sample = protobuf_begin(writer->buffer, writer->family->type == METRIC_COUNTER ?
							METRIC_COUNTER_FIELD : METRIC_GAUGE_FIELD);
	protobuf_double(writer->buffer, SAMPLE_VALUE, value);
	protobuf_end(writer->buffer, sample);
	protobuf_end(writer->buffer, metric);
}

/* Runs of buckets side by side: how many are skipped from the end of the last one, and how many there are. */
static void put_spans(struct buffer *buffer, const struct bucket *buckets, size_t at, size_t end)
{
	int32_t expected = 0; /* the first offset is from bucket 0 */

	while (at < end) {
		int32_t first = (int32_t)buckets[at].number - BUCKET_OFFSET;
		size_t span = protobuf_begin(buffer, HISTOGRAM_SPAN), run = at + 1;

		while (run < end && buckets[run].number == buckets[run - 1].number + 1)
			run++;
		protobuf_sint(buffer, SPAN_OFFSET, first - expected);
		protobuf_uint(buffer, SPAN_LENGTH, run - at);
		protobuf_end(buffer, span);
		expected = first + (int32_t)(run - at);
		at = run;
	}
}

/* Each count as its difference from the one before. */
static void put_deltas(struct buffer *buffer, const struct bucket *buckets, size_t at, size_t end)
{
	size_t deltas = protobuf_begin(buffer, HISTOGRAM_DELTA);
	uint64_t before = 0;

	for (; at < end; at++) {
		protobuf_varint(buffer, protobuf_zigzag((int64_t)(buckets[at].count - before)));
		before = buckets[at].count;
	}
	protobuf_end(buffer, deltas);
}

static void protobuf_histogram(struct metrics_writer *writer, const struct metric_labels *labels,
			       const struct pair *pair, enum pair_histogram histogram)
{
	const struct bucket *buckets = writer->metrics->pairs->buckets;
	size_t at = pair->first[histogram], end = pair->first[histogram + 1];
	size_t metric = begin_metric(writer, labels);
	struct buffer *buffer = writer->buffer;
	size_t message = protobuf_begin(buffer, METRIC_HISTOGRAM_FIELD);

	protobuf_uint(buffer, HISTOGRAM_COUNT, pair->samples[histogram]);
	protobuf_double(buffer, HISTOGRAM_SUM, (double)pair->counters.sum_ns[histogram] / 1e9);
	protobuf_sint(buffer, HISTOGRAM_SCHEMA, FINE_SCALE);
	protobuf_double(buffer, HISTOGRAM_ZERO_THRESHOLD, ZERO_THRESHOLD);
	if (at < end && !buckets[at].number)
		protobuf_uint(buffer, HISTOGRAM_ZERO_COUNT, buckets[at++].count);
	else
		protobuf_uint(buffer, HISTOGRAM_ZERO_COUNT, 0);
	put_spans(buffer, buckets, at, end);
	if (at < end)
		put_deltas(buffer, buckets, at, end);
	protobuf_end(buffer, message);
	protobuf_end(buffer, metric);
}

/* A family without a metric is not sent: Prometheus has no use for it. */
static void protobuf_end_family(struct metrics_writer *writer)
{
	if (writer->buffer->len == writer->data_start)
		writer->buffer->len = writer->family_start;
	else
		protobuf_end(writer->buffer, writer->family_start);
}

void metrics_protobuf_writer(struct metrics_writer *writer)
{
	writer->begin = protobuf_begin_family;
	writer->value = protobuf_value;
	writer->histogram = protobuf_histogram;
	writer->end = protobuf_end_family;
}
