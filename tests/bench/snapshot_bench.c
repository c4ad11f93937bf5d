/* SPDX-License-Identifier: GPL-2.0-only */
/* What all connections of the kernel's table as records cost (-I): reading them, and spelling them. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "clock.h"
#include "config.h"
#include "output.h"
#include "reader.h"
#include "records.h"
#include "table_fill.h"

#define ROUNDS 5

static struct output output;
static bool only_reads;
static uint64_t shown;

/* As watch.c does. */
static void on_flow(void *context, const struct flow_key *key, const struct flow_whole *whole)
{
	struct record own, *made = output_room(&output), *record = made ? made : &own;

	(void)context;
	shown++;
	if (only_reads)
		return;
	if (whole != &record->whole)
		record->whole = *whole;
	record->key = *key;
	record->wall_offset_ns = 1764201600 * (int64_t)S;
	record->iface = "eth0";
	record->netns = record->cgroup[0] = record->cgroup[1] = record->also_ifaces = NULL;
	record->transit[0] = record->transit[1] = (struct transit){};
	record->labels = NULL;
	output_record(&output, record, true);
}

static struct flow_whole *room(void *context)
{
	struct record *record = output_room(&output);

	(void)context;
	return record ? &record->whole : NULL;
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

static int fill_rares(int rares_fd, struct table *table, const struct record *record)
{
	struct flow_place place;
	int err = 0;

	if (!table_find(table, &record->key, &place))
		return -ENOENT;
	for (uint32_t i = 0; i < 2 && !err; i++) {
		struct beside_key beside = table_beside(&place.flow, i);

		if (record->flow.side[i].bits & SIDE_RARE)
			err = bpf_map_update_elem(rares_fd, &beside, &record->rare[i], BPF_ANY);
	}
	return err;
}

static int fill(struct attach *attach, uint32_t count, uint64_t after_ns)
{
	int rares_fd = bpf_map__fd(attach_map(attach, "rares"));
	struct table table;
	int err = table_open(&table, attach_object(attach), "flows", true);

	for (uint32_t i = 0; !err && i < count; i++) {
		struct record record;

		make_record(&record, i, after_ns);
		err = table_fill(&table, &record.key, &record.flow);
		if (!err)
			err = fill_rares(rares_fd, &table, &record);
	}
	table_close(&table);
	return err;
}

/* As watch.c does. */
static int snapshot_once(struct reader *reader)
{
	int err;

	shown = 0;
	if (only_reads)
		return reader_interval(reader);
	output_begin_many(&output);
	err = reader_interval(reader);
	output_end_many(&output);
	return err ? err : output_flush(&output);
}

static void keep_least(uint64_t *least, uint64_t value)
{
	if (value < *least)
		*least = value;
}

static int snapshot(const char *what, struct reader *reader)
{
	uint64_t least_cpu_ns = ~0ull, least_ns = ~0ull;
	int err = 0;

	for (int round = 0; round < ROUNDS && !err; round++) {
		uint64_t began_ns = clock_monotonic_ns(), began_cpu_ns = cpu_ns();

		err = snapshot_once(reader);
		keep_least(&least_cpu_ns, cpu_ns() - began_cpu_ns);
		keep_least(&least_ns, clock_monotonic_ns() - began_ns);
	}
	if (!err)
		printf("%-20s %llu flows: %7.1f ms by the clock, %7.1f ms of CPU, %5.0f ns each\n", what,
		       (unsigned long long)shown, least_ns / 1e6, least_cpu_ns / 1e6, (double)least_cpu_ns / (double)shown);
	return err;
}

static int snapshot_as(const char *what, enum output_format format, const char *const *fields, size_t count,
		       struct reader *reader)
{
	const struct options options = {
		.format = format, .fields = fields, .field_count = count, .output_path = "/dev/null"};
	int err = output_open(&output, &options);

	if (err)
		return -EIO;
	err = snapshot(what, reader);
	output_close(&output);
	return err;
}

static int snapshots(struct reader *reader)
{
	static const char *const few[] = {"opener_addr", "opener_port", "responder_addr", "responder_port",
					  "start_ns", "connect_ns", "opener_wire_bytes", "responder_wire_bytes",
					  "opener_retransmitted_segments", "responder_retransmitted_segments"};
	int err;

	only_reads = true;
	err = snapshot("read", reader);
	only_reads = false;
	if (!err)
		err = snapshot_as("CSV, every field", FORMAT_CSV, NULL, 0, reader);
	if (!err)
		err = snapshot_as("CSV, ten fields", FORMAT_CSV, few, sizeof(few) / sizeof(*few), reader);
	if (!err)
		err = snapshot_as("NDJSON, every field", FORMAT_NDJSON, NULL, 0, reader);
	return err;
}

int main(int argc, char **argv)
{
	const struct reader_output shows = {.on_flow = on_flow, .room = room, .place = place, .flush = flush};
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
		err = reader_open(&reader, attach, &config, &shows);
	if (!err)
		err = fill(attach, flows, clock_monotonic_ns() - 60 * S);
	if (!err)
		err = snapshots(reader);
	if (err)
		fprintf(stderr, "snapshot_bench: %s\n", error[0] ? error : strerror(-err));
	reader_close(reader);
	attach_close(attach);
	return err ? 1 : 0;
}
