/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How fast each exporter spells: records, events, pairs of labels and series of metrics for a second of CPU.
 *
 * usage: export_bench [EXPORTER]      as it is called in the output; all
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/verdict.h"
#include "export.h"
#include "export_events.h"
#include "export_pairs.h"
#include "metrics.h"
#include "records.h"

#define RECORDS 50000u
#define FLOWS 1024u /* different ones */
#define NAMESPACES 100u /* of either side, each with each */
#define ROUNDS 5

static struct record records[FLOWS];

/* Input */

static struct segment_event make_event(const struct record *record)
{
	return (struct segment_event){
		.type = EVENT_SEGMENT,
		.key = record->key,
		.has_opener_seq = 1,
		.opener_seq = record->flow.side[0].first_seq,
		.time_ns = record->flow.side[0].last_ns,
		.start_ns = record->flow.start_ns,
		.seq = next_random(),
		.end = next_random(),
		.segments = 1,
		.class = SEGMENT_RETRANSMITTED,
		.cause = CAUSE_RTO,
	};
}

/* A group for each namespace, so that pairs of groups are pairs of namespaces. */
static struct labels *make_labels(void)
{
	char path[] = "/tmp/ackmon-labels-XXXXXX", error[512];
	int fd = mkstemp(path);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	struct labels *labels = NULL;

	if (!file)
		return NULL;
	fputs("prefix,namespace,region\n", file);
	for (uint32_t i = 0; i < 2 * NAMESPACES; i++)
		fprintf(file, "10.0.%u.0/24,namespace-%u,region-%u\n", i, i, i % 4);
	fclose(file);
	if (labels_open(&labels, path, error, sizeof(error)))
		fprintf(stderr, "export_bench: %s\n", error);
	unlink(path);
	return labels;
}

/* All counters and, of each histogram, some twenty buckets in two chunks. */
static int make_pair(struct pairs *pairs, uint32_t opener, uint32_t responder)
{
	struct pair_counters counters = {.segments = next_random(), .payload_bytes = next_random()};
	int err;

	for (int i = 0; i < PAIR_HISTOGRAMS; i++)
		counters.sum_ns[i] = 1000000ull * next_random();
	for (int i = 0; i < OUTCOME_COUNT; i++)
		counters.outcomes[i] = next_random() % 10000;
	for (int i = 0; i < PAIR_CAUSES; i++)
		counters.retransmitted[i] = next_random() % 10000;
	err = pairs_begin(pairs, opener, responder, false, &counters);
	for (uint32_t i = 0; i < PAIR_HISTOGRAMS * 2 && !err; i++) {
		struct chunk chunk;

		for (int j = 0; j < CHUNK_BUCKETS; j++)
			chunk.count[j] = next_random() % 3 ? next_random() % 1000 : 0;
		err = pairs_add_chunk(pairs, i / 2 * PAIR_CHUNKS + 16 + i % 2, &chunk);
	}
	return err;
}

static int make_pairs(struct pairs *pairs, const struct labels *labels)
{
	int err = 0;

	for (uint32_t i = 0; i < NAMESPACES * NAMESPACES && !err; i++)
		err = make_pair(pairs, GROUP_EXTERNAL + 1 + i / NAMESPACES,
				GROUP_EXTERNAL + 1 + NAMESPACES + i % NAMESPACES);
	if (!err)
		pairs_sort(pairs, labels);
	return err;
}

/* Measuring */

static struct sink *sink;
static const char *only;

static bool is_left_out(const char *what)
{
	return only && strcmp(only, what);
}

static void say(const char *what, const char *unit, uint64_t count, uint64_t best_ns, uint64_t bytes)
{
	printf("%-32s %9.0f k %-8s/s %7.2f us each", what, count * 1e6 / (double)best_ns, unit,
	       (double)best_ns / 1e3 / (double)count);
	if (bytes)
		printf(" %6.0f octets", (double)bytes / (double)count);
	puts("");
}

static int bench_records(const char *what, enum output_format format, const char *const *fields, size_t count)
{
	uint64_t best_ns = ~0ull;

	if (is_left_out(what))
		return 0;
	for (int round = 0; round < ROUNDS; round++) {
		struct exporter *exporter;
		const char *bad_field;
		uint64_t begin_ns = cpu_ns(), taken_ns;
		int err = export_open(&exporter, format, sink, true, fields, count, &bad_field);

		if (err)
			return err;
		for (uint32_t i = 0; i < RECORDS; i++)
			export_record(exporter, &records[i % FLOWS]);
		export_finish(exporter);
		export_close(exporter);
		taken_ns = cpu_ns() - begin_ns;
		if (taken_ns < best_ns)
			best_ns = taken_ns;
	}
	say(what, "records", RECORDS, best_ns, 0);
	return 0;
}

static void bench_events(void)
{
	uint64_t best_ns[2] = {~0ull, ~0ull};

	if (is_left_out("events"))
		return;
	for (int round = 0; round < 2 * ROUNDS; round++) {
		uint64_t begin_ns = cpu_ns(), taken_ns;

		for (uint32_t i = 0; i < RECORDS; i++) {
			const struct record *record = &records[i % FLOWS];
			struct segment_event event = make_event(record);

			if (round & 1)
				export_segment_event(sink, &event, record->wall_offset_ns);
			else
				export_closed_event(sink, record);
		}
		taken_ns = cpu_ns() - begin_ns;
		if (taken_ns < best_ns[round & 1])
			best_ns[round & 1] = taken_ns;
	}
	say("events, closed", "events", RECORDS, best_ns[0], 0);
	say("events, of segments", "events", RECORDS, best_ns[1], 0);
}

static int bench_pairs(const char *what, enum output_format format, const struct pairs *pairs,
		       const struct labels *labels)
{
	uint64_t best_ns = ~0ull;

	if (is_left_out(what))
		return 0;
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t begin_ns = cpu_ns(), taken_ns;
		int err = export_pairs(sink, format, true, pairs, labels);

		if (err)
			return err;
		taken_ns = cpu_ns() - begin_ns;
		if (taken_ns < best_ns)
			best_ns = taken_ns;
	}
	say(what, "pairs", pairs->count, best_ns, 0);
	return 0;
}

/* Of each pair six histograms and seventeen numbers; what is about ackmon itself is not counted. */
#define SERIES_OF_PAIR 23

static int bench_metrics(const char *what, enum metrics_format format, const struct pairs *pairs,
			 const struct labels *labels)
{
	struct summary summary = {0};
	const struct metrics metrics = {
		.pairs = pairs,
		.labels = labels,
		.summary = &summary,
		.series_max = 65534,
		.start_wall_ns = 1764201600 * S,
		.now_wall_ns = 1764205200 * S,
	};
	uint64_t best_ns = ~0ull, count = pairs->count * SERIES_OF_PAIR;
	size_t len = 0;

	if (is_left_out(what))
		return 0;
	for (int round = 0; round < ROUNDS; round++) {
		struct buffer buffer = {0};
		uint64_t begin_ns = cpu_ns(), taken_ns;
		int err = metrics_write(&metrics, format, &buffer);

		taken_ns = cpu_ns() - begin_ns;
		len = buffer.len;
		buffer_free(&buffer);
		if (err)
			return err;
		if (taken_ns < best_ns)
			best_ns = taken_ns;
	}
	say(what, "series", count, best_ns, len);
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const few[] = {"id", "opener_addr", "opener_port", "responder_addr", "responder_port",
					  "start_ns", "duration_ns", "close", "connect_ns"};
	struct labels *labels = make_labels();
	struct pairs pairs = {0};
	int err = sink_open(&sink, "/dev/null");

	only = argc > 1 ? argv[1] : NULL;
	if (!labels)
		return 1;
	for (uint32_t i = 0; i < FLOWS; i++)
		make_record(&records[i], i, 1000 * S);
	if (!err)
		err = make_pairs(&pairs, labels);
	if (!err)
		err = bench_records("NDJSON", FORMAT_NDJSON, NULL, 0);
	if (!err)
		err = bench_records("CSV", FORMAT_CSV, NULL, 0);
	if (!err)
		err = bench_records("CSV, nine fields", FORMAT_CSV, few, sizeof(few) / sizeof(*few));
	if (!err)
		err = bench_records("table", FORMAT_TABLE, NULL, 0);
	if (!err)
		err = bench_records("wide table", FORMAT_WIDE, NULL, 0);
	if (!err)
		bench_events();
	if (!err)
		err = bench_pairs("pairs as NDJSON", FORMAT_NDJSON, &pairs, labels);
	if (!err)
		err = bench_pairs("pairs as CSV", FORMAT_CSV, &pairs, labels);
	if (!err)
		err = bench_pairs("pairs as table", FORMAT_TABLE, &pairs, labels);
	if (!err)
		err = bench_metrics("Prometheus text", METRICS_TEXT, &pairs, labels);
	if (!err)
		err = bench_metrics("OpenMetrics text", METRICS_OPENMETRICS, &pairs, labels);
	if (!err)
		err = bench_metrics("Prometheus protobuf", METRICS_PROTOBUF, &pairs, labels);
	if (!err)
		err = bench_metrics("OTLP", METRICS_OTLP, &pairs, labels);
	if (err)
		fprintf(stderr, "export_bench: %s\n", strerror(-err));
	pairs_free(&pairs);
	labels_close(labels);
	sink_close(sink);
	return err ? 1 : 0;
}
