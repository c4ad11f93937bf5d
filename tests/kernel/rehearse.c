/* SPDX-License-Identifier: GPL-2.0-only */
/* Captures through the loaded kernel programs, by BPF_PROG_RUN and the capture's own clock. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "abi/config.h"
#include "abi/counters.h"
#include "abi/event.h"
#include "config.h"
#include "core/expire.h"
#include "export.h"
#include "monitor.skel.h"
#include "pcap_source.h"
#include "record.h"
#include "replay.h"
#include "sink.h"

/*
 * What BPF_PROG_RUN takes. Headers lie in the first bytes and every length comes from the headers or
 * from `rehearsal`, so cutting a frame changes nothing. A frame too short for the headers it
 * announces may be refused: it is left out at both doors, and only counted.
 */
#define RUN_BYTES_MAX 1500
#define RUN_BYTES_SURE 54 /* Ethernet and IPv6 */

#define EVENTS_BETWEEN_READS 1000

#define PATH_BYTES 4096

struct rehearsing {
	const char *door_name;
	enum door door;
	struct monitor *skel;
	struct ring_buffer *events;
	int program_fd;
	struct replay *replay;  /* the same frames, for their counters */
	struct exporter *exporter;
	FILE *program_events;
	FILE *replay_events;
	uint64_t frames;
	uint64_t last_ns;       /* newest frame */
	uint64_t too_short;
	char error[8192];
};

static struct monitor_config rehearsal_config(void)
{
	struct monitor_config config = config_defaults();

	config.rehearsing = 1;
	config.events = 1;
	return config;
}

static int fail(struct rehearsing *run, int err, const char *what)
{
	snprintf(run->error, sizeof(run->error), "%s: %s", what, strerror(-err));
	return err;
}

/* ---------------------------------------------------------------- flows out */

static void export_flow(struct rehearsing *run, const struct flow_key *key, struct flow *flow,
			__u8 close)
{
	struct record record = {.key = *key};

	flow->close = close;
	record.flow = *flow;
	export_record(run->exporter, &record);
}

static void print_event(FILE *file, const struct segment_event *event)
{
	fprintf(file, "%llu type %u seq %u-%u segments %u direction %u class %u cause %u spurious %u "
		      "opener %u:%u:%u role %u start %llu\n",
		(unsigned long long)event->time_ns, event->type, event->seq, event->end,
		event->segments, event->direction, event->class, event->cause, event->spurious,
		event->opener, event->has_opener_seq, event->opener_seq, event->role,
		(unsigned long long)event->start_ns);
}

static void on_replay_event(void *context, const struct segment_event *event)
{
	struct rehearsing *run = context;

	print_event(run->replay_events, event);
}

/* What the entries beside a flow still say is added when it is shown, as replay and the reader do. */
static void settle(struct rehearsing *run, const struct flow_key *key, struct flow *flow)
{
	int holes_fd = bpf_map__fd(run->skel->maps.holes);
	int histograms_fd = bpf_map__fd(run->skel->maps.histograms);
	struct histogram histogram;
	struct holes holes;
	__u32 direction;

	for (direction = 0; direction < 2; direction++) {
		struct holes_key side_key = {.flow = *key, .direction = direction};
		__u32 bits = flow->side[direction].bits;
		bool has_holes = bits & SIDE_HOLES, has_histogram = bits & SIDE_HISTOGRAM;

		has_holes = has_holes && !bpf_map_lookup_elem(holes_fd, &side_key, &holes);
		has_histogram = has_histogram &&
				!bpf_map_lookup_elem(histograms_fd, &side_key, &histogram);
		flow_settle(flow, direction, has_holes ? &holes : NULL,
			    has_histogram ? &histogram : NULL);
	}
}

static int on_event(void *context, void *data, size_t size)
{
	struct rehearsing *run = context;
	const struct flow_event *event = data;
	struct flow flow;

	if (size >= sizeof(*event) && event->type == EVENT_FLOW_CLOSED) {
		flow = event->flow;
		export_flow(run, &event->key, &flow, flow.close);
		return 0;
	}
	if (size < sizeof(struct segment_event))
		return -EPROTO;
	print_event(run->program_events, data);
	return 0;
}

/* The close replay_finish() gives; a flow that was over by then may have been swept as idle. */
static __u8 close_at_end(const struct rehearsing *run, const struct flow *flow)
{
	struct monitor_config config = config_defaults();

	if (flow_is_closed(flow) || flow_is_over(flow, &config, run->last_ns))
		return flow_close_reason(flow);
	return CLOSE_END_OF_CAPTURE;
}

/* Every flow of the map is exported and deleted. */
static int drain_map(struct rehearsing *run, struct bpf_map *map)
{
	int map_fd = bpf_map__fd(map);
	struct flow_key key;
	struct flow flow;

	while (!bpf_map_get_next_key(map_fd, NULL, &key)) {
		int err = bpf_map_lookup_elem(map_fd, &key, &flow);

		if (err)
			return fail(run, err, bpf_map__name(map));
		settle(run, &key, &flow);
		export_flow(run, &key, &flow, close_at_end(run, &flow));
		err = bpf_map_delete_elem(map_fd, &key);
		if (err)
			return fail(run, err, bpf_map__name(map));
	}
	return 0;
}

static int empty_map(struct bpf_map *map)
{
	int err = 0, map_fd = bpf_map__fd(map);
	struct holes_key side_key;

	while (!err && !bpf_map_get_next_key(map_fd, NULL, &side_key))
		err = bpf_map_delete_elem(map_fd, &side_key);
	return err;
}

static int drain_flows(struct rehearsing *run)
{
	int err = ring_buffer__consume(run->events);

	if (err < 0)
		return fail(run, err, "events");
	err = drain_map(run, run->skel->maps.flows);
	if (!err)
		err = drain_map(run, run->skel->maps.half_open);
	if (!err)
		err = empty_map(run->skel->maps.holes);
	return err ? err : empty_map(run->skel->maps.histograms);
}

/* ---------------------------------------------------------------- counters out */

static const char *const counter_names[COUNTER_COUNT] = {
	[FRAMES_SEEN] = "frames_seen",
	[FRAMES_TRACKED] = "frames_tracked",
#define X(name, meaning) [COUNTER_##name] = #name,
	UNTRACKED_REASONS(X) OTHER_COUNTERS(X)
#undef X
};

static void print_counters(FILE *file, const struct door_counters *counters)
{
	int i;

	for (i = 0; i < COUNTER_COUNT; i++) {
		if (counter_names[i])
			fprintf(file, "%s %llu\n", counter_names[i], counters->value[i]);
	}
}

/* Summed over CPUs, and zero again for the next capture. Other doors must have counted nothing. */
static int take_counters(struct rehearsing *run, struct door_counters *ret_counters)
{
	int cpus = libbpf_num_possible_cpus(), counters_fd = bpf_map__fd(run->skel->maps.counters);
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
			if (door != run->door && by_cpu[cpu].value[FRAMES_SEEN])
				err = -EPROTO;
		}
		memset(by_cpu, 0, cpus * sizeof(*by_cpu));
		if (!err)
			err = bpf_map_update_elem(counters_fd, &door, by_cpu, BPF_ANY);
	}
	free(by_cpu);
	if (err)
		return fail(run, err, "counters");
	*ret_counters = sum;
	return 0;
}

static int write_counters(const struct door_counters *counters, const char *dir, const char *door)
{
	char path[PATH_BYTES + 128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.counters", dir, door);
	file = fopen(path, "w");
	if (!file)
		return -errno;
	print_counters(file, counters);
	return fclose(file) ? -errno : 0;
}

/* ---------------------------------------------------------------- frames in */

/* Both programs let every frame go on as if they were not there. */
static bool verdict_is_neutral(const struct rehearsing *run, __u32 verdict)
{
	return run->door == DOOR_XDP ? verdict == XDP_PASS : verdict == (__u32)-1;
}

static int run_frame(struct rehearsing *run, const struct frame *frame)
{
	size_t len = (const char *)frame->end - (const char *)frame->data;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data);
	int err;

	run->skel->bss->rehearsal.time_ns = frame->time_ns;
	run->skel->bss->rehearsal.wire_bytes = frame->wire_bytes;
	options.data_size_in = len < RUN_BYTES_MAX ? len : RUN_BYTES_MAX;
	err = bpf_prog_test_run_opts(run->program_fd, &options);
	if (err == -EINVAL && len < RUN_BYTES_SURE) {
		run->too_short++;
		return 0;
	}
	if (err)
		return fail(run, err, "BPF_PROG_RUN");
	replay_frame(run->replay, frame);
	if (!verdict_is_neutral(run, options.retval)) {
		snprintf(run->error, sizeof(run->error), "frame %llu: verdict %u",
			 (unsigned long long)run->frames + 1, options.retval);
		return -EPROTO;
	}
	if (++run->frames % EVENTS_BETWEEN_READS == 0)
		ring_buffer__consume(run->events);
	if (frame->time_ns > run->last_ns)
		run->last_ns = frame->time_ns;
	return 0;
}

/* 0, -errno, or 1 when the capture cannot come to these doors, with the reason in error. */
static int run_capture(struct rehearsing *run, const char *path)
{
	struct pcap_source *source;
	struct frame frame;
	int err, selected;

	err = pcap_source_open(&source, path, NULL, run->error, sizeof(run->error));
	if (err)
		return 1;
	while ((err = pcap_source_next(source, &frame, &selected, run->error,
				       sizeof(run->error))) > 0) {
		if (frame.link != LINK_ETHERNET) {
			snprintf(run->error, sizeof(run->error),
				 "no Ethernet frames: the kernel doors only know these");
			err = 1;
			break;
		}
		frame.door = run->door;
		err = run_frame(run, &frame);
		if (err)
			break;
	}
	pcap_source_close(source);
	/* Damaged further on: what came before must agree all the same. */
	return err == -EPROTO && !run->frames ? 1 : err == -EPROTO ? 0 : err;
}

static void ignore_flow(void *context, const struct flow_key *key, const struct flow *flow)
{
	(void)context;
	(void)key;
	(void)flow;
}

static FILE *open_events(const char *dir, const char *door)
{
	char path[PATH_BYTES + 128];

	snprintf(path, sizeof(path), "%s/%s.events", dir, door);
	return fopen(path, "w");
}

static int open_outputs(struct rehearsing *run, const char *dir, struct sink **ret_sink)
{
	struct monitor_config config = rehearsal_config();
	char path[PATH_BYTES + 128];
	int err;

	snprintf(path, sizeof(path), "%s/%s.ndjson", dir, run->door_name);
	err = sink_open(ret_sink, path);
	if (err)
		return fail(run, err, path);
	err = export_open(&run->exporter, FORMAT_NDJSON, *ret_sink, false, NULL, 0, NULL);
	if (!err)
		err = replay_open(&run->replay, &config, ignore_flow, on_replay_event, run);
	if (err)
		return fail(run, err, "replay");
	run->program_events = open_events(dir, run->door_name);
	run->replay_events = open_events(dir, "capture");
	return run->program_events && run->replay_events ? 0 : fail(run, -errno, dir);
}

static void close_outputs(struct rehearsing *run, struct sink *sink)
{
	if (run->exporter)
		export_finish(run->exporter);
	export_close(run->exporter);
	sink_close(sink);
	replay_close(run->replay);
	if (run->program_events)
		fclose(run->program_events);
	if (run->replay_events)
		fclose(run->replay_events);
	run->exporter = NULL;
	run->replay = NULL;
	run->program_events = run->replay_events = NULL;
}

/* Writes {DOOR,capture}.{counters,events} and DOOR.ndjson into dir. */
static int rehearse(struct rehearsing *run, const char *dir, const char *path)
{
	struct door_counters counters;
	struct sink *sink = NULL;
	int err, drained, skip = 0;

	run->frames = run->last_ns = run->too_short = 0;
	err = open_outputs(run, dir, &sink);
	if (err)
		goto out;
	err = run_capture(run, path);
	skip = err > 0;
	/* Whatever happened, the next capture starts with empty tables. */
	drained = drain_flows(run);
	if (!drained)
		drained = take_counters(run, &counters);
	if (err >= 0)
		err = drained;
	if (!err)
		err = write_counters(&counters, dir, run->door_name);
	if (!err)
		err = write_counters(replay_counters(run->replay), dir, "capture");
out:
	close_outputs(run, sink);
	return err ? err : skip;
}

/* ---------------------------------------------------------------- the programs */

static int load(struct rehearsing *run)
{
	struct monitor_config config = rehearsal_config();
	struct bpf_program *program;
	int err;

	run->skel = monitor__open();
	if (!run->skel)
		return fail(run, -errno, "skeleton");
	memcpy((void *)&run->skel->rodata->config, &config, sizeof(config));
	bpf_object__for_each_program(program, run->skel->obj) {
		bool is_xdp = program == run->skel->progs.ackmon_xdp;

		bpf_program__set_autoload(program, is_xdp == (run->door == DOOR_XDP));
	}
	err = monitor__load(run->skel);
	if (err)
		return fail(run, err, "loading the programs");
	switch (run->door) {
	case DOOR_XDP:
		program = run->skel->progs.ackmon_xdp;
		break;
	case DOOR_TC_EGRESS:
		program = run->skel->progs.ackmon_egress;
		break;
	default:
		program = run->skel->progs.ackmon_ingress;
	}
	run->program_fd = bpf_program__fd(program);
	run->events = ring_buffer__new(bpf_map__fd(run->skel->maps.events), on_event, run, NULL);
	return run->events ? 0 : fail(run, -errno, "events");
}

static bool find_door(const char *name, enum door *ret_door)
{
	static const char *const names[DOOR_CAPTURE] = {
		[DOOR_XDP] = "xdp",
		[DOOR_TC_INGRESS] = "tc_ingress",
		[DOOR_TC_EGRESS] = "tc_egress",
	};
	int door;

	for (door = 0; door < DOOR_CAPTURE; door++) {
		if (!strcmp(name, names[door])) {
			*ret_door = door;
			return true;
		}
	}
	return false;
}

static const char usage[] =
	"usage: rehearse xdp|tc_ingress|tc_egress DIR <CAPTURES\n"
	"Each line of CAPTURES is a number and a path; DIR/NUMBER must be there. For each: its number and\n"
	"\"done\", \"skip WHY\" or \"failed WHY\" on stdout.\n";

int main(int argc, char **argv)
{
	struct rehearsing run = {};
	char path[PATH_BYTES], dir[PATH_BYTES + 64];
	unsigned int number;
	int err, failed = 0;

	if (argc != 3 || !find_door(argv[1], &run.door)) {
		fputs(usage, stderr);
		return 2;
	}
	run.door_name = argv[1];
	err = load(&run);
	if (err) {
		fprintf(stderr, "rehearse: %s\n", run.error);
		return 1;
	}
	while (scanf("%u %4095[^\n]", &number, path) == 2) {
		snprintf(dir, sizeof(dir), "%.4000s/%u", argv[2], number);
		err = rehearse(&run, dir, path);
		if (err > 0)
			printf("%u skip %s\n", number, run.error);
		else if (err)
			printf("%u failed %s\n", number, run.error);
		else
			printf("%u done %llu\n", number, (unsigned long long)run.too_short);
		failed |= err < 0;
	}
	ring_buffer__free(run.events);
	monitor__destroy(run.skel);
	return failed;
}
