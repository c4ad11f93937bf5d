/* SPDX-License-Identifier: GPL-2.0-only */
/* The loaded programs as a test sees them: see programs.h. */
#include "programs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "config.h"
#include "core/expire.h"
#include "core/half_open.h"
#include "core/half_open_flow.h"

/* Connections at once. */
#define ROOM_FLOWS 131072u
#define ROOM_HALF_OPEN 65536u

static const char *const door_names[DOOR_CAPTURE] = {
	[DOOR_XDP] = "xdp",
	[DOOR_TC_INGRESS] = "tc_ingress",
	[DOOR_TC_EGRESS] = "tc_egress",
};

bool program_find_door(const char *name, enum door *ret_door)
{
	int door;

	for (door = 0; door < DOOR_CAPTURE; door++) {
		if (!strcmp(name, door_names[door])) {
			*ret_door = door;
			return true;
		}
	}
	return false;
}

struct monitor_config program_config(void)
{
	struct monitor_config config = config_of_captures();

	config.rehearsing = 1;
	config.events = 1;
	return config;
}

/* ---------------------------------------------------------------- flows out */

/* What the entries beside a flow still say is added when it is shown, as replay and the reader do. */
static void settle(struct program *program, struct flow_whole *whole)
{
	int holes_fd = bpf_map__fd(program->skel->maps.holes);
	int histograms_fd = bpf_map__fd(program->skel->maps.histograms);
	int rares_fd = bpf_map__fd(program->skel->maps.rares);
	struct histogram histogram;
	struct holes holes;
	__u32 direction;

	for (direction = 0; direction < 2; direction++) {
		struct beside_key beside = table_beside(&whole->flow, direction);
		__u32 bits = whole->flow.side[direction].bits;
		bool has_holes = bits & SIDE_HOLES, has_histogram = bits & SIDE_HISTOGRAM;

		has_holes = has_holes && !bpf_map_lookup_elem(holes_fd, &beside, &holes);
		has_histogram = has_histogram &&
				!bpf_map_lookup_elem(histograms_fd, &beside, &histogram);
		if (!(bits & SIDE_RARE) ||
		    bpf_map_lookup_elem(rares_fd, &beside, &whole->rare[direction]))
			whole->rare[direction] = (struct rare){0};
		flow_settle(whole, direction, has_holes ? &holes : NULL,
			    has_histogram ? &histogram : NULL);
	}
}

static int on_ring_event(void *context, void *data, size_t size)
{
	struct program *program = context;
	const struct flow_event *event = data;
	struct flow_whole whole;

	if (size >= sizeof(*event) && event->type == EVENT_FLOW_CLOSED) {
		whole = event->whole;
		program->on_flow(program->context, &event->key, &whole);
		return 0;
	}
	if (size < sizeof(struct segment_event))
		return -EPROTO;
	program->on_event(program->context, data);
	return 0;
}

int program_take_events(struct program *program)
{
	int taken = ring_buffer__consume(program->events);

	return taken < 0 ? taken : 0;
}

static int take_flow(void *context, const struct table_head *head, bool is_closed)
{
	struct program *program = context;
	struct flow_place place;
	struct flow_whole whole;

	(void)is_closed;
	if (!table_copy(&program->flows, head, &place) || !table_take(&program->flows, head))
		return -EBUSY; /* nobody else is here */
	whole.flow = place.flow;
	settle(program, &whole);
	program->on_flow(program->context, &place.head.key, &whole);
	table_release(&program->flows, head);
	return 0;
}

/* What never proved itself owns nothing beside it. */
static int take_half_open(void *context, const struct table_head *head, bool is_closed)
{
	static struct half_open_work work;
	struct program *program = context;
	struct half_open_place place;

	(void)is_closed;
	if (!table_copy(&program->half_open, head, &place) || !table_take(&program->half_open, head))
		return -EBUSY;
	work.key = place.head.key;
	work.entry = place.entry;
	if (work.entry.kind != HALF_OPEN_REFUSED) {
		half_open_expand(&work);
		program->on_flow(program->context, &work.key, &work.whole);
	}
	table_release(&program->half_open, head);
	return 0;
}

static int empty_map(struct bpf_map *map)
{
	int err = 0, map_fd = bpf_map__fd(map);
	struct beside_key beside;

	while (!err && !bpf_map_get_next_key(map_fd, NULL, &beside))
		err = bpf_map_delete_elem(map_fd, &beside);
	return err;
}

int program_take_flows(struct program *program)
{
	int err = program_take_events(program);

	if (!err)
		err = table_walk(&program->flows, 0, program->flows.buckets, take_flow, program);
	if (!err)
		err = table_walk(&program->half_open, 0, program->half_open.buckets, take_half_open, program);
	if (!err)
		err = empty_map(program->skel->maps.holes);
	if (!err)
		err = empty_map(program->skel->maps.rares);
	return err ? err : empty_map(program->skel->maps.histograms);
}

/* ---------------------------------------------------------------- counters out */

const char *program_counter_name(enum counter counter)
{
	static const char *const names[COUNTER_COUNT] = {
		[FRAMES_SEEN] = "frames_seen",
		[FRAMES_TRACKED] = "frames_tracked",
#define X(name, meaning) [COUNTER_##name] = #name,
		UNTRACKED_REASONS(X) OTHER_COUNTERS(X)
#undef X
	};

	return names[counter];
}

int program_take_counters(struct program *program, struct door_counters *ret_counters)
{
	int cpus = libbpf_num_possible_cpus();
	int counters_fd = bpf_map__fd(program->skel->maps.counters);
	struct door_counters *by_cpu = calloc(cpus, sizeof(*by_cpu));
	struct door_counters sum = {};
	__u32 door;
	int cpu, i, err = 0;

	if (!by_cpu)
		return -ENOMEM;
	for (door = 0; !err && door < DOOR_COUNT; door++) {
		err = bpf_map_lookup_elem(counters_fd, &door, by_cpu);
		for (cpu = 0; !err && cpu < cpus; cpu++) {
			for (i = 0; i < COUNTER_COUNT; i++)
				sum.value[i] += by_cpu[cpu].value[i];
			if (door != program->door && by_cpu[cpu].value[FRAMES_SEEN])
				err = -EPROTO;
		}
		memset(by_cpu, 0, cpus * sizeof(*by_cpu));
		if (!err)
			err = bpf_map_update_elem(counters_fd, &door, by_cpu, BPF_ANY);
	}
	free(by_cpu);
	if (!err)
		*ret_counters = sum;
	return err;
}

/* ---------------------------------------------------------------- frames in */

bool program_verdict_is_neutral(const struct program *program, __u32 verdict)
{
	return program->door == DOOR_XDP ? verdict == XDP_PASS : verdict == (__u32)-1;
}

int program_run(struct program *program, const struct frame *frame, __u32 *ret_verdict)
{
	size_t len = (const char *)frame->end - (const char *)frame->data;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data);
	int err;

	program->skel->bss->rehearsal.time_ns = frame->time_ns;
	program->skel->bss->rehearsal.wire_bytes = frame->wire_bytes;
	program->skel->bss->rehearsal.link = frame->link;
	options.data_size_in = len < RUN_BYTES_MAX ? len : RUN_BYTES_MAX;
	err = bpf_prog_test_run_opts(bpf_program__fd(program->bpf), &options);
	if (!err)
		*ret_verdict = options.retval;
	return err;
}

/* ---------------------------------------------------------------- the program */

static struct bpf_program *choose(struct program *program)
{
	switch (program->door) {
	case DOOR_XDP:
		return program->skel->progs.ackmon_xdp;
	case DOOR_TC_EGRESS:
		return program->skel->progs.ackmon_egress;
	default:
		return program->skel->progs.ackmon_ingress;
	}
}

int program_load(struct program *program, const struct monitor_config *config)
{
	struct bpf_program *other;
	int err;

	program->door_name = door_names[program->door];
	/* ACKMON_OLDER=1: the form for kernels before 5.12 */
	program->skel = form_open(form_is_older() || getenv("ACKMON_OLDER"));
	if (!program->skel)
		return -errno;
	program->bpf = choose(program);
	memcpy((void *)&program->skel->rodata->config, config, sizeof(*config));
	if (program->events_bytes)
		bpf_map__set_max_entries(program->skel->maps.events, program->events_bytes);
	if (program->pairs_max) {
		bpf_map__set_max_entries(program->skel->maps.pair_numbers, program->pairs_max);
		bpf_map__set_max_entries(program->skel->maps.pairs, program->pairs_max);
		bpf_map__set_max_entries(program->skel->maps.pair_chunks, program->pairs_max);
		bpf_map__set_max_entries(program->skel->maps.chunks, program->chunks_max);
	}
	table_resize(program->skel->obj, "flows", ROOM_FLOWS);
	table_resize(program->skel->obj, "half_open", ROOM_HALF_OPEN);
	bpf_object__for_each_program(other, program->skel->obj)
		bpf_program__set_autoload(other, other == program->bpf);
	err = monitor__load(program->skel);
	if (!err)
		err = table_begin(program->skel->obj);
	if (!err)
		err = table_open(&program->flows, program->skel->obj, "flows", true);
	if (!err)
		err = table_open(&program->half_open, program->skel->obj, "half_open", true);
	if (err)
		return err;
	program->events = ring_buffer__new(bpf_map__fd(program->skel->maps.events), on_ring_event,
					   program, NULL);
	return program->events ? 0 : -errno;
}

void program_close(struct program *program)
{
	ring_buffer__free(program->events);
	table_close(&program->flows);
	table_close(&program->half_open);
	monitor__destroy(program->skel);
}
