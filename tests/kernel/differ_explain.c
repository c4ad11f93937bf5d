/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a program and the core part: the frame, and the counters, events and flows that differ. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "differ.h"
#include "export.h"
#include "record.h"
#include "sink.h"

static void explain_counters(const struct differ *differ)
{
	int i;

	for (i = 0; i < COUNTER_COUNT; i++) {
		if (differ->kernel.counters.value[i] != differ->native.counters.value[i])
			printf("# %s: program %llu, core %llu\n",
			       program_counter_name(i) ? program_counter_name(i) : "?",
			       differ->kernel.counters.value[i], differ->native.counters.value[i]);
	}
}

static void print_rows(const struct account *account, const char *who, const struct flow_key *key)
{
	struct exporter *exporter;
	struct sink *sink;
	size_t i;

	printf("# %s says:\n", who);
	fflush(stdout);
	if (sink_open(&sink, NULL) || export_open(&exporter, FORMAT_NDJSON, sink, false, NULL, 0, NULL))
		return;
	for (i = 0; i < account->row_count; i++) {
		struct record record = {.key = account->rows[i].key, .whole = account->rows[i].whole};

		if (!memcmp(&record.key, key, sizeof(*key)))
			export_record(exporter, &record);
	}
	export_finish(exporter);
	export_close(exporter);
	sink_close(sink);
}

static void explain_flows(struct differ *differ)
{
	struct account *kernel = &differ->kernel, *native = &differ->native;
	const uint8_t *x, *y;
	size_t i, at;

	printf("# %zu flows by the program, %zu by the core\n", kernel->row_count, native->row_count);
	for (i = 0; i < kernel->row_count && i < native->row_count; i++) {
		if (!memcmp(&kernel->rows[i], &native->rows[i], sizeof(kernel->rows[i])))
			continue;
		x = (const uint8_t *)&kernel->rows[i].whole;
		y = (const uint8_t *)&native->rows[i].whole;
		for (at = 0; at < sizeof(struct flow_whole) && x[at] == y[at]; at++)
			;
		printf("# first differing byte of the flow: %zu (side %zu, byte %zu)\n", at,
		       at / sizeof(struct side), at % sizeof(struct side));
		print_rows(kernel, "the program", &native->rows[i].key);
		print_rows(native, "the core", &native->rows[i].key);
		return;
	}
}

static void explain_events(const struct differ *differ)
{
	const struct account *kernel = &differ->kernel, *native = &differ->native;
	size_t i;

	printf("# %zu events by the program, %zu by the core\n", kernel->event_count,
	       native->event_count);
	for (i = 0; i < kernel->event_count && i < native->event_count; i++) {
		const struct segment_event *x = &kernel->events[i], *y = &native->events[i];

		if (!memcmp(x, y, sizeof(*x)))
			continue;
		printf("# event %zu: program type %u class %u seq %u-%u, core type %u class %u seq %u-%u\n",
		       i, x->type, x->class, x->seq, x->end, y->type, y->class, y->seq, y->end);
		return;
	}
}

/* The frames of the epoch up to the one that parts them, as a capture with nanoseconds. */
static void write_capture(const struct differ *differ, unsigned int count, const char *path)
{
	uint32_t header[6] = {0xa1b23c4d, 4 << 16 | 2, 0, 0, 65535, 1};
	FILE *file = fopen(path, "w");
	unsigned int i;

	if (!file)
		return;
	fwrite(header, sizeof(header), 1, file);
	for (i = 0; i < count; i++) {
		const struct feed *feed = &differ->epoch[i];
		uint32_t record[4] = {
			(uint32_t)(feed->rehearsal.time_ns / 1000000000u),
			(uint32_t)(feed->rehearsal.time_ns % 1000000000u),
			feed->captured, feed->rehearsal.wire_bytes,
		};

		fwrite(record, sizeof(record), 1, file);
		fwrite(feed->bytes, feed->captured, 1, file);
	}
	fclose(file);
}

/* The shortest beginning of the epoch on which they part. */
static unsigned int find_frame(struct differ *differ)
{
	unsigned int good = 0, bad = EPOCH_FRAMES;

	while (bad - good > 1) {
		unsigned int middle = good + (bad - good) / 2;
		int same = differ_run_epoch(differ, middle);

		if (same < 0)
			return bad;
		*(same ? &good : &bad) = middle;
	}
	return bad;
}

void differ_explain(struct differ *differ, uint64_t number)
{
	unsigned int count = find_frame(differ), i;
	const struct feed *feed = &differ->epoch[count - 1];
	char path[128];

	differ_run_epoch(differ, count);
	snprintf(path, sizeof(path), "build/differential-%s-%" PRIu64 ".pcap",
		 differ->program.door_name, number);
	write_capture(differ, count, path);
	printf("# they part on frame %u of epoch %" PRIu64 " (%s has the epoch up to there)\n", count,
	       number, path);
	printf("# captured %u, wire %u, tag beside %d:", feed->captured,
	       feed->rehearsal.wire_bytes, feed->has_vlan_tci ? feed->vlan_tci : -1);
	for (i = 0; i < feed->captured; i++)
		printf("%s%02x", i % 32 ? "" : "\n#   ", feed->bytes[i]);
	putchar('\n');
	explain_counters(differ);
	explain_events(differ);
	explain_flows(differ);
}
