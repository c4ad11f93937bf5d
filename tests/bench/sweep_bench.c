/* SPDX-License-Identifier: GPL-2.0-only */
/* What a look at every flow costs the reader: the sweep that ends the silent ones, among a million. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "abi/half_open.h"
#include "attach.h"
#include "clock.h"
#include "config.h"
#include "reader.h"
#include "table_fill.h"

#define ROUNDS 5
#define DUE_EVERY 1000u /* one flow in so many has been silent for too long */

static uint64_t shown;

static void on_flow(void *context, const struct flow_key *key, const struct flow_whole *whole)
{
	(void)context;
	(void)key;
	(void)whole;
	shown++;
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

static struct flow_key key_of(uint32_t number)
{
	return (struct flow_key){
		.addr = {{.words_be32 = {0, 0, 0xffff0000, number}},
			 {.words_be32 = {0, 0, 0xffff0000, ~0u}}},
		.port_be16 = {1, 2},
		.ifindex = 1,
	};
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static int fill(struct attach *attach, const char *name, const void *value, uint32_t first, uint32_t count,
		uint32_t step)
{
	struct table table;
	int err = table_open(&table, attach_object(attach), name, true);

	for (uint32_t i = first; !err && i < count; i += step) {
		struct flow_key key = key_of(i);

		err = table_fill(&table, &key, value);
	}
	table_close(&table);
	return err;
}

static int fill_rooms(struct attach *attach, uint32_t flows, uint64_t now_ns)
{
	struct flow fresh = {.start_ns = now_ns, .proven = 1};
	struct half_open opening = {.start_ns = now_ns};
	int err;

	fresh.side[0].last_ns = now_ns;
	err = fill(attach, "flows", &fresh, 0, flows, 1);
	return err ? err : fill(attach, "half_open", &opening, 0, flows / 2, 1);
}

static int make_due(struct attach *attach, uint32_t flows, uint32_t round)
{
	struct flow silent = {.start_ns = 1, .proven = 1};

	return fill(attach, "flows", &silent, round, flows, DUE_EVERY);
}

static int sweep(struct reader *reader, uint32_t flows)
{
	uint64_t best_ns = ~0ull, begin_ns, taken;
	int err = 0;

	for (uint32_t round = 0; !err && round < ROUNDS; round++) {
		shown = 0;
		begin_ns = cpu_ns();
		err = reader_sweep_now(reader, clock_monotonic_ns());
		taken = cpu_ns() - begin_ns;
		if (taken < best_ns)
			best_ns = taken;
	}
	if (!err)
		printf("sweep of %u flows and %u half-open ones: %.1f ms, %.0f ns each\n", flows,
		       flows / 2, best_ns / 1e6, (double)best_ns / (flows + flows / 2));
	return err;
}

static int sweep_due(struct reader *reader, struct attach *attach, uint32_t flows)
{
	uint64_t begin_ns;
	int err = make_due(attach, flows, 7);

	if (err)
		return err;
	shown = 0;
	begin_ns = cpu_ns();
	err = reader_sweep_now(reader, clock_monotonic_ns());
	if (!err)
		printf("the same with %llu that are over: %.1f ms\n", (unsigned long long)shown,
		       (cpu_ns() - begin_ns) / 1e6);
	return err;
}

int main(int argc, char **argv)
{
	const struct reader_output output = {.on_flow = on_flow, .place = place, .flush = flush};
	uint32_t flows = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
	struct room_sizes rooms = {.flows = flows, .half_open = flows};
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
		err = fill_rooms(attach, flows, clock_monotonic_ns());
	if (!err)
		err = sweep(reader, flows);
	if (!err)
		err = sweep_due(reader, attach, flows);
	if (err)
		fprintf(stderr, "sweep_bench: %s\n", error[0] ? error : strerror(-err));
	reader_close(reader);
	attach_close(attach);
	return err ? 1 : 0;
}
