/* SPDX-License-Identifier: GPL-2.0-only */
/* Metrics as OpenTelemetry's ExportMetricsServiceRequest in protobuf, with exponential histograms. */
#include "metrics.h"
#include "protobuf.h"

/* Field numbers of opentelemetry.proto.metrics.v1. */
enum {
	REQUEST_RESOURCE_METRICS = 1,
	RESOURCE_METRICS_RESOURCE = 1, RESOURCE_METRICS_SCOPE_METRICS = 2,
	RESOURCE_ATTRIBUTES = 1,
	SCOPE_METRICS_SCOPE = 1, SCOPE_METRICS_METRICS = 2,
	SCOPE_NAME = 1, SCOPE_VERSION = 2,
	METRIC_NAME = 1, METRIC_DESCRIPTION = 2, METRIC_UNIT = 3, METRIC_GAUGE_FIELD = 5, METRIC_SUM = 7,
	METRIC_EXPONENTIAL_HISTOGRAM = 10,
	DATA_POINTS = 1, AGGREGATION_TEMPORALITY = 2, SUM_IS_MONOTONIC = 3,
	NUMBER_START = 2, NUMBER_TIME = 3, NUMBER_DOUBLE = 4, NUMBER_ATTRIBUTES = 7,
	POINT_ATTRIBUTES = 1, POINT_START = 2, POINT_TIME = 3, POINT_COUNT = 4, POINT_SUM = 5,
	POINT_SCALE = 6, POINT_ZERO_COUNT = 7, POINT_POSITIVE = 8, POINT_ZERO_THRESHOLD = 14,
	BUCKETS_OFFSET = 1, BUCKETS_COUNTS = 2,
	KEY = 1, VALUE = 2, VALUE_STRING = 1,
	CUMULATIVE = 2,
};

/* Bucket i of ours is (2^((i-1)/32 - 20), ...], OpenTelemetry's bucket i of scale 5 (2^(i/32), ...]. */
#define BUCKET_OFFSET (1 + (20 << FINE_SCALE))
#define ZERO_THRESHOLD (1.0 / (1 << 20))

static void put_attribute(struct buffer *buffer, uint32_t field, const char *name, const char *value)
{
	size_t attribute = protobuf_begin(buffer, field), any;

	protobuf_text(buffer, KEY, name);
	any = protobuf_begin(buffer, VALUE);
	protobuf_text(buffer, VALUE_STRING, value);
	protobuf_end(buffer, any);
	protobuf_end(buffer, attribute);
}

static void put_attributes(struct buffer *buffer, uint32_t field, const struct metric_labels *labels)
{
	for (size_t i = 0; i < labels->count; i++)
		put_attribute(buffer, field, labels->label[i].name, labels->label[i].value);
}

/*
 * The request, its resource and its scope are open as long as there are families: their lengths come
 * first on the wire and last in time, so the families gather in writer->series.
 */
static void otlp_begin(struct metrics_writer *writer)
{
	struct buffer *buffer = &writer->series;
	const struct metric_family *family = writer->family;
	uint32_t field = METRIC_GAUGE_FIELD;

	if (family->type == METRIC_COUNTER)
		field = METRIC_SUM;
	else if (family->type == METRIC_HISTOGRAM)
		field = METRIC_EXPONENTIAL_HISTOGRAM;
	writer->family_start = protobuf_begin(buffer, SCOPE_METRICS_METRICS);
	protobuf_text(buffer, METRIC_NAME, family->name);
	protobuf_text(buffer, METRIC_DESCRIPTION, family->help);
	/* UCUM, as OpenTelemetry wants it. */
	protobuf_text(buffer, METRIC_UNIT, !strcmp(family->unit, "seconds") ? "s" :
					   !strcmp(family->unit, "bytes")   ? "By" : "1");
	writer->data_start = protobuf_begin(buffer, field);
}

static void otlp_value(struct metrics_writer *writer, const struct metric_labels *labels, double value)
{
	struct buffer *buffer = &writer->series;
	size_t point = protobuf_begin(buffer, DATA_POINTS);

	protobuf_fixed64(buffer, NUMBER_START, writer->metrics->start_wall_ns);
	protobuf_fixed64(buffer, NUMBER_TIME, writer->metrics->now_wall_ns);
	protobuf_double(buffer, NUMBER_DOUBLE, value);
	put_attributes(buffer, NUMBER_ATTRIBUTES, labels);
	protobuf_end(buffer, point);
}

/* From the first bucket to the last, those between with 0. */
static void put_buckets(struct buffer *buffer, const struct bucket *buckets, size_t at, size_t end)
{
	size_t positive = protobuf_begin(buffer, POINT_POSITIVE), counts;
	uint32_t number = buckets[at].number;

	protobuf_sint(buffer, BUCKETS_OFFSET, (int32_t)number - BUCKET_OFFSET);
	counts = protobuf_begin(buffer, BUCKETS_COUNTS);
	while (at < end) {
		if (buckets[at].number == number)
			protobuf_varint(buffer, buckets[at++].count);
		else
			protobuf_varint(buffer, 0);
		number++;
	}
	protobuf_end(buffer, counts);
	protobuf_end(buffer, positive);
}

static void otlp_histogram(struct metrics_writer *writer, const struct metric_labels *labels,
			   const struct pair *pair, enum pair_histogram histogram)
{
	const struct bucket *buckets = writer->metrics->pairs->buckets;
	size_t at = pair->first[histogram], end = pair->first[histogram + 1];
	struct buffer *buffer = &writer->series;
	size_t point = protobuf_begin(buffer, DATA_POINTS);

	put_attributes(buffer, POINT_ATTRIBUTES, labels);
	protobuf_fixed64(buffer, POINT_START, writer->metrics->start_wall_ns);
	protobuf_fixed64(buffer, POINT_TIME, writer->metrics->now_wall_ns);
	protobuf_fixed64(buffer, POINT_COUNT, pair->samples[histogram]);
	protobuf_double(buffer, POINT_SUM, (double)pair->counters.sum_ns[histogram] / 1e9);
	protobuf_sint(buffer, POINT_SCALE, FINE_SCALE);
	protobuf_fixed64(buffer, POINT_ZERO_COUNT,
			 at < end && !buckets[at].number ? buckets[at].count : 0);
	if (at < end && !buckets[at].number)
		at++;
	if (at < end)
		put_buckets(buffer, buckets, at, end);
	protobuf_double(buffer, POINT_ZERO_THRESHOLD, ZERO_THRESHOLD);
	protobuf_end(buffer, point);
}

static void otlp_end(struct metrics_writer *writer)
{
	struct buffer *buffer = &writer->series;

	if (writer->family->type == METRIC_COUNTER || writer->family->type == METRIC_HISTOGRAM)
		protobuf_uint(buffer, AGGREGATION_TEMPORALITY, CUMULATIVE);
	if (writer->family->type == METRIC_COUNTER)
		protobuf_uint(buffer, SUM_IS_MONOTONIC, 1);
	protobuf_end(buffer, writer->data_start);
	protobuf_end(buffer, writer->family_start);
}

static void otlp_close(struct metrics_writer *writer)
{
	struct buffer *buffer = writer->buffer;
	size_t resource_metrics = protobuf_begin(buffer, REQUEST_RESOURCE_METRICS), part;

	part = protobuf_begin(buffer, RESOURCE_METRICS_RESOURCE);
	put_attribute(buffer, RESOURCE_ATTRIBUTES, "service.name", "ackmon");
	protobuf_end(buffer, part);
	part = protobuf_begin(buffer, RESOURCE_METRICS_SCOPE_METRICS);
	{
		size_t scope = protobuf_begin(buffer, SCOPE_METRICS_SCOPE);

		protobuf_text(buffer, SCOPE_NAME, "ackmon");
		protobuf_text(buffer, SCOPE_VERSION, ACKMON_VERSION);
		protobuf_end(buffer, scope);
	}
	buffer_add(buffer, writer->series.bytes, writer->series.len);
	protobuf_end(buffer, part);
	protobuf_end(buffer, resource_metrics);
}

void metrics_otlp_writer(struct metrics_writer *writer)
{
	writer->begin = otlp_begin;
	writer->value = otlp_value;
	writer->histogram = otlp_histogram;
	writer->end = otlp_end;
	writer->close = otlp_close;
}
