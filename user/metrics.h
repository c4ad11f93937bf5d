/* SPDX-License-Identifier: GPL-2.0-only */
/* Every metric there is: its name, its meaning, and where its value comes from (DESIGN 6). */
#ifndef ACKMON_METRICS_H
#define ACKMON_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "labels.h"
#include "pairs.h"
#include "summary.h"

/* An interface and how it is watched. */
struct metrics_hook {
	const char *iface;
	const char *hook;
	const char *mode;
};

/* What is known at one moment. */
struct metrics {
	const struct pairs *pairs; /* merged by series, see pairs_merge_series() */
	const struct labels *labels;
	const struct summary *summary;
	uint64_t flows;     /* in the flow table */
	uint64_t half_open; /* in the room before it */
	uint64_t series_max;
	struct metrics_exports {
		uint64_t ok;
		uint64_t failed;
	} otlp, textfile;
	uint64_t longest_turn_ns; /* of the reader, see loop_longest_turn_ns() */
	const struct metrics_hook *hooks;
	size_t hook_count;
	uint64_t start_wall_ns; /* counters begin */
	uint64_t now_wall_ns;
};

enum metrics_format {
	METRICS_TEXT,        /* Prometheus text, version 0.0.4 */
	METRICS_OPENMETRICS, /* OpenMetrics text 1.0 */
	METRICS_PROTOBUF,    /* io.prometheus.client.MetricFamily, delimited; native histograms */
	METRICS_OTLP,        /* opentelemetry ExportMetricsServiceRequest; exponential histograms */
};

/* -ENOMEM when it does not fit into memory; the buffer is the caller's either way. */
int metrics_write(const struct metrics *metrics, enum metrics_format format, struct buffer *buffer);

/* The best format by an Accept header (RFC 9110, 12.5.1); NULL: none was sent. */
enum metrics_format metrics_negotiate(const char *accept);
const char *metrics_content_type(enum metrics_format format);

/* What a format's writer is asked to do, family by family. */

enum metric_type {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM,
	METRIC_INFO, /* a gauge of 1 whose labels are the message */
};

struct metric_family {
	const char *name; /* counters end in _total */
	enum metric_type type;
	const char *unit; /* "seconds", "bytes", or "" */
	const char *help;
};

struct metric_label {
	const char *name;
	const char *value;
};

#define METRIC_LABELS_MAX 8

struct metric_labels {
	struct metric_label label[METRIC_LABELS_MAX];
	size_t count;
};

struct metrics_writer {
	const struct metrics *metrics;
	struct buffer *buffer;
	const struct metric_family *family;
	size_t family_start;      /* in the buffer; the writer's own, as the next */
	size_t data_start;
	struct buffer series;
	bool is_openmetrics;
	void (*begin)(struct metrics_writer *writer);
	void (*value)(struct metrics_writer *writer, const struct metric_labels *labels, double value);
	void (*histogram)(struct metrics_writer *writer, const struct metric_labels *labels,
			  const struct pair *pair, enum pair_histogram histogram);
	void (*end)(struct metrics_writer *writer);
	void (*open)(struct metrics_writer *writer);  /* before the first family, */
	void (*close)(struct metrics_writer *writer); /* and behind the last */
};

void metrics_text_writer(struct metrics_writer *writer);
void metrics_protobuf_writer(struct metrics_writer *writer);
void metrics_otlp_writer(struct metrics_writer *writer);

#endif
