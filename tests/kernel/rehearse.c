/* SPDX-License-Identifier: GPL-2.0-only */
/* Captures through the loaded kernel programs, by BPF_PROG_RUN and the capture's own clock. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/counters.h"
#include "abi/event.h"
#include "config.h"
#include "core/expire.h"
#include "export.h"
#include "pcap_source.h"
#include "programs.h"
#include "record.h"
#include "replay.h"
#include "sink.h"

#define EVENTS_BETWEEN_READS 1000

#define PATH_BYTES 4096

struct rehearsing {
	struct program program;
	struct monitor_config config;
	struct replay *replay;  /* the same frames, for their counters */
	struct exporter *exporter;
	FILE *program_events;
	FILE *replay_events;
	uint64_t frames;
	uint64_t last_ns;       /* newest frame */
	uint64_t too_short;
	char error[8192];
};

static int fail(struct rehearsing *run, int err, const char *what)
{
	snprintf(run->error, sizeof(run->error), "%s: %s", what, strerror(-err));
	return err;
}

/* ---------------------------------------------------------------- flows out */

/* The close replay_finish() gives; a flow that was over by then may have been swept as idle. */
static __u8 close_at_end(const struct rehearsing *run, const struct flow *flow)
{
	if (flow_is_closed(flow) || flow_is_over(flow, &run->config, run->last_ns))
		return flow_close_reason(flow);
	return CLOSE_END_OF_CAPTURE;
}

static void on_program_flow(void *context, const struct flow_key *key, struct flow_whole *whole)
{
	struct rehearsing *run = context;
	struct record record = {.key = *key};

	if (whole->flow.close == CLOSE_OPEN)
		whole->flow.close = close_at_end(run, &whole->flow);
	record.whole = *whole;
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

static void on_program_event(void *context, const struct segment_event *event)
{
	struct rehearsing *run = context;

	print_event(run->program_events, event);
}

/* ---------------------------------------------------------------- counters out */

static void print_counters(FILE *file, const struct door_counters *counters)
{
	int i;

	for (i = 0; i < COUNTER_COUNT; i++) {
		const char *name = program_counter_name(i);

		if (name)
			fprintf(file, "%s %llu\n", name, counters->value[i]);
	}
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

static int run_frame(struct rehearsing *run, const struct frame *frame)
{
	size_t len = (const char *)frame->end - (const char *)frame->data;
	__u32 verdict;
	int err = program_run(&run->program, frame, &verdict);

	/* Left out at both doors, and only counted. */
	if (err == -EINVAL && len < RUN_BYTES_SURE) {
		run->too_short++;
		return 0;
	}
	if (err)
		return fail(run, err, "BPF_PROG_RUN");
	replay_frame(run->replay, frame);
	if (!program_verdict_is_neutral(&run->program, verdict)) {
		snprintf(run->error, sizeof(run->error), "frame %llu: verdict %u",
			 (unsigned long long)run->frames + 1, verdict);
		return -EPROTO;
	}
	if (++run->frames % EVENTS_BETWEEN_READS == 0)
		program_take_events(&run->program);
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
		frame.door = run->program.door;
		err = run_frame(run, &frame);
		if (err)
			break;
	}
	pcap_source_close(source);
	/* Damaged further on: what came before must agree all the same. */
	return err == -EPROTO && !run->frames ? 1 : err == -EPROTO ? 0 : err;
}

static void ignore_flow(void *context, const struct flow_key *key, const struct flow_whole *whole)
{
	(void)context;
	(void)key;
	(void)whole;
}

static FILE *open_events(const char *dir, const char *door)
{
	char path[PATH_BYTES + 128];

	snprintf(path, sizeof(path), "%s/%s.events", dir, door);
	return fopen(path, "w");
}

static int open_outputs(struct rehearsing *run, const char *dir, struct sink **ret_sink)
{
	char path[PATH_BYTES + 128];
	int err;

	snprintf(path, sizeof(path), "%s/%s.ndjson", dir, run->program.door_name);
	err = sink_open(ret_sink, path);
	if (err)
		return fail(run, err, path);
	err = export_open(&run->exporter, FORMAT_NDJSON, *ret_sink, false, NULL, 0, NULL);
	if (!err)
		err = replay_open(&run->replay, &run->config, ignore_flow, on_replay_event, run);
	if (err)
		return fail(run, err, "replay");
	run->program_events = open_events(dir, run->program.door_name);
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
	drained = program_take_flows(&run->program);
	if (!drained)
		drained = program_take_counters(&run->program, &counters);
	if (drained)
		fail(run, drained, "flows and counters");
	if (err >= 0)
		err = drained;
	if (!err)
		err = write_counters(&counters, dir, run->program.door_name);
	if (!err)
		err = write_counters(replay_counters(run->replay), dir, "capture");
out:
	close_outputs(run, sink);
	return err ? err : skip;
}

/* ---------------------------------------------------------------- the command line */

static const char usage[] =
	"usage: rehearse [-d MASK] xdp|tc_ingress|tc_egress DIR <CAPTURES\n"
	"MASK: tunnels to follow, a bit each by abi/tunnel.h.\n"
	"Each line of CAPTURES is a number and a path; DIR/NUMBER must be there. For each: its number and\n"
	"\"done\", \"skip WHY\" or \"failed WHY\" on stdout.\n";

int main(int argc, char **argv)
{
	struct rehearsing run = {
		.program = {.on_flow = on_program_flow, .on_event = on_program_event, .context = &run},
	};
	char path[PATH_BYTES], dir[PATH_BYTES + 64];
	unsigned int number;
	int option, err, failed = 0;

	run.config = program_config();
	while ((option = getopt(argc, argv, "d:")) == 'd')
		run.config.decap = (__u32)strtoul(optarg, NULL, 0);
	if (option != -1 || argc != optind + 2 ||
	    !program_find_door(argv[optind], &run.program.door)) {
		fputs(usage, stderr);
		return 2;
	}
	err = program_load(&run.program, &run.config);
	if (err) {
		fprintf(stderr, "rehearse: loading the program: %s\n", strerror(-err));
		return 1;
	}
	while (scanf("%u %4095[^\n]", &number, path) == 2) {
		snprintf(dir, sizeof(dir), "%.4000s/%u", argv[optind + 1], number);
		err = rehearse(&run, dir, path);
		if (err > 0)
			printf("%u skip %s\n", number, run.error);
		else if (err)
			printf("%u failed %s\n", number, run.error);
		else
			printf("%u done %llu\n", number, (unsigned long long)run.too_short);
		failed |= err < 0;
	}
	program_close(&run.program);
	return failed;
}
