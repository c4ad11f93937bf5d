/* SPDX-License-Identifier: GPL-2.0-only */
/* What all connections of the kernel's table as records cost (-I): reading them, and spelling them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "clock.h"
#include "config.h"
#include "export.h"
#include "reader.h"
#include "records.h"
#include "table_fill.h"

#define ROUNDS 5

static struct exporter *exporter; /* NULL: only read */
static uint64_t shown;

/* As watch.c does. */
static void on_flow(void *context, const struct flow_key *key, const struct flow_whole *whole)
{
	struct record record;

	(void)context;
	shown++;
	if (!exporter)
		return;
	record = (struct record){.key = *key, .whole = *whole, .wall_offset_ns = 1764201600 * (int64_t)S, .iface = "eth0"};
	export_record(exporter, &record);
}

static void place(void *context, struct outbox_place *ret_place)
{
	(void)context;
	*ret_place = (struct outbox_place){};
}

static int flush(void *context)
{
	(void)context;
	return 0;
}

static int fill(struct attach *attach, uint32_t count, uint64_t now_ns)
{
	struct table table;
	int err = table_open(&table, attach_object(attach), "flows", true);

	for (uint32_t i = 0; !err && i < count; i++) {
		struct record record;

		make_record(&record, i, now_ns);
		err = table_fill(&table, &record.key, &record.flow);
	}
	table_close(&table);
	return err;
}

static int snapshot(const char *what, struct reader *reader)
{
	uint64_t best_ns = ~0ull;
	int err = 0;

	for (int round = 0; round < ROUNDS && !err; round++) {
		uint64_t begin_ns = cpu_ns(), taken_ns;

		shown = 0;
		err = reader_interval(reader);
		taken_ns = cpu_ns() - begin_ns;
		if (taken_ns < best_ns)
			best_ns = taken_ns;
	}
	if (!err)
		printf("%-24s %llu flows: %7.1f ms, %5.0f ns each\n", what, (unsigned long long)shown, best_ns / 1e6,
		       (double)best_ns / (double)shown);
	return err;
}

static int snapshot_as(const char *what, enum output_format format, const char *path, const char *const *fields,
		       size_t count, struct reader *reader)
{
	const char *bad_field;
	struct sink *sink;
	int err = sink_open(&sink, path);

	if (err)
		return err;
	err = export_open(&exporter, format, sink, true, fields, count, &bad_field);
	if (!err)
		err = snapshot(what, reader);
	export_close(exporter);
	exporter = NULL;
	sink_close(sink);
	return err;
}

static int snapshots(struct reader *reader)
{
	static const char *const few[] = {"opener_addr", "opener_port", "responder_addr", "responder_port",
					  "start_ns", "connect_ns", "opener_wire_bytes", "responder_wire_bytes",
					  "opener_retransmitted_segments", "responder_retransmitted_segments"};
	const char *null = "/dev/null";
	int err = snapshot("read", reader);

	if (!err)
		err = snapshot_as("CSV, every field", FORMAT_CSV, null, NULL, 0, reader);
	if (!err)
		err = snapshot_as("CSV, ten fields", FORMAT_CSV, null, few, sizeof(few) / sizeof(*few), reader);
	if (!err)
		err = snapshot_as("NDJSON, every field", FORMAT_NDJSON, null, NULL, 0, reader);
	return err;
}

int main(int argc, char **argv)
{
	const struct reader_output output = {.on_flow = on_flow, .place = place, .flush = flush};
	uint32_t flows = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
	struct room_sizes rooms = {.flows = flows + flows / 16};
	struct monitor_config config = config_defaults();
	struct attach *attach = NULL;
	struct reader *reader = NULL;
	char error[512] = "";
	int err;

	err = attach_open(&attach, &config, error, sizeof(error));
	if (!err) {
		attach_resize(attach, &rooms);
		err = attach_load(attach, error, sizeof(error));
	}
	if (!err)
		err = reader_open(&reader, attach, &config, &output);
	if (!err)
		err = fill(attach, flows, clock_monotonic_ns());
	if (!err)
		err = snapshots(reader);
	if (err)
		fprintf(stderr, "snapshot_bench: %s\n", error[0] ? error : strerror(-err));
	reader_close(reader);
	attach_close(attach);
	return err ? 1 : 0;
}
