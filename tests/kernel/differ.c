/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differential run: generated frames, right and wrong, through a loaded program and through the native core.
 * Every counter, every event and every byte of every flow must be the same.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "abi/tunnel.h"
#include "config.h"
#include "core/expire.h"
#include "export.h"
#include "feeder.h"
#include "feeder.skel.h"
#include "pcap_source.h"
#include "programs.h"
#include "record.h"
#include "replay.h"
#include "scenes.h"
#include "sink.h"

/*
 * An epoch begins and ends with empty tables. It opens fewer flows than the half-open room holds: what
 * that room forgets when it is full depends on the kernel. One run of a program waits for all CPUs to
 * take note of it (20 ms, in XDP): so it is one run an epoch, and the ring buffer holds what it says.
 */
#define EPOCH_FRAMES FEED_FRAMES
#define EPOCH_EVENTS_BYTES (32u << 20)

struct row {
	struct flow_key key;
	struct flow_whole whole;
};

/* What one of the two said of an epoch. */
struct account {
	struct row *rows;
	size_t row_count, row_size;
	struct segment_event *events;
	size_t event_count, event_size;
	struct door_counters counters;
	uint64_t last_ns;
};

struct differ {
	struct program program;
	struct feeder *feeder;
	struct feed *feeds; /* the array of the feeder */
	int feed_fd;        /* the program that feeds */
	struct monitor_config config;
	struct account kernel, native;
	struct scene *scene;
	struct feed *epoch; /* EPOCH_FRAMES frames */
	uint64_t frames;
	uint64_t program_ns; /* in BPF_PROG_RUN */
	struct door_counters sum; /* of all epochs */
	uint64_t classes[SEGMENT_SUSPECT + 1]; /* segments by class, as events told them */
	uint64_t flows;
	bool lies; /* the core is told another length of one frame; see main() */
	char error[512];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int fail(struct differ *differ, int err, const char *what)
{
	snprintf(differ->error, sizeof(differ->error), "%s: %s", what, strerror(-err));
	return err;
}

/* ---------------------------------------------------------------- what was said */

static void *grown(void *array, size_t count, size_t *size, size_t bytes)
{
	if (count < *size)
		return array;
	*size = *size ? 2 * *size : 1024;
	array = realloc(array, *size * bytes);
	if (!array) {
		fputs("differ: out of memory\n", stderr);
		exit(1);
	}
	return array;
}

static void note_flow(struct account *account, const struct flow_key *key,
		      const struct flow_whole *whole)
{
	account->rows = grown(account->rows, account->row_count, &account->row_size,
			      sizeof(*account->rows));
	account->rows[account->row_count++] = (struct row){*key, *whole};
}

static void note_event(struct account *account, const struct segment_event *event)
{
	account->events = grown(account->events, account->event_count, &account->event_size,
				sizeof(*account->events));
	account->events[account->event_count++] = *event;
}

/* A flow the tables still held has no reason yet: replay_finish() gives it. */
static void on_program_flow(void *context, const struct flow_key *key, struct flow_whole *whole)
{
	struct differ *differ = context;
	struct flow *flow = &whole->flow;

	if (flow->close == CLOSE_OPEN && (flow_is_closed(flow) ||
	    flow_is_over(flow, &differ->config, differ->kernel.last_ns)))
		flow->close = flow_close_reason(flow);
	else if (flow->close == CLOSE_OPEN)
		flow->close = CLOSE_END_OF_CAPTURE;
	note_flow(&differ->kernel, key, whole);
}

static void on_program_event(void *context, const struct segment_event *event)
{
	note_event(&((struct differ *)context)->kernel, event);
}

static void on_native_flow(void *context, const struct flow_key *key, const struct flow_whole *whole)
{
	note_flow(&((struct differ *)context)->native, key, whole);
}

static void on_native_event(void *context, const struct segment_event *event)
{
	note_event(&((struct differ *)context)->native, event);
}

static void forget(struct account *account)
{
	account->row_count = account->event_count = 0;
	account->last_ns = 0;
	memset(&account->counters, 0, sizeof(account->counters));
}

/* ---------------------------------------------------------------- both runs */

static int run_kernel_epoch(struct differ *differ, const struct feed *feeds, unsigned int count)
{
	static uint8_t packet[FEED_BYTES_MAX] = {[12] = 0x08};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = (int)count);
	uint64_t start_ns;
	unsigned int i;
	int err;

	for (i = 0; i < count; i++) {
		if (feeds[i].rehearsal.time_ns > differ->kernel.last_ns)
			differ->kernel.last_ns = feeds[i].rehearsal.time_ns;
	}
	memcpy(differ->feeds, feeds, count * sizeof(*feeds));
	differ->feeder->bss->position = 0;
	start_ns = now_ns();
	err = bpf_prog_test_run_opts(differ->feed_fd, &options);
	differ->program_ns += now_ns() - start_ns;
	if (err)
		return fail(differ, err, "BPF_PROG_RUN");
	if (!program_verdict_is_neutral(&differ->program, options.retval)) {
		snprintf(differ->error, sizeof(differ->error), "verdict %u", options.retval);
		return -EPROTO;
	}
	err = program_take_flows(&differ->program);
	if (!err)
		err = program_take_counters(&differ->program, &differ->kernel.counters);
	return err ? fail(differ, err, "flows and counters") : 0;
}

static int run_native_epoch(struct differ *differ, const struct feed *feeds, unsigned int count)
{
	struct replay *replay;
	unsigned int i;
	int err = replay_open(&replay, &differ->config, on_native_flow, on_native_event, differ);

	if (err)
		return fail(differ, err, "replay");
	for (i = 0; i < count; i++) {
		const struct feed *feed = &feeds[i];
		struct frame frame = {
			.data = feed->bytes,
			.end = feed->bytes + feed->captured,
			.time_ns = feed->rehearsal.time_ns,
			.wire_bytes = feed->rehearsal.wire_bytes,
			.door = (__u8)differ->program.door,
			.link = (__u8)feed->rehearsal.link,
		};

		if (differ->program.door != DOOR_XDP && feed->has_vlan_tci) {
			frame.has_vlan_tci = 1;
			frame.vlan_tci = feed->vlan_tci;
		}
		if (differ->lies && i == EPOCH_FRAMES / 2)
			frame.wire_bytes++;
		replay_frame(replay, &frame);
	}
	replay_finish(replay);
	differ->native.counters = *replay_counters(replay);
	replay_close(replay);
	return 0;
}

/* ---------------------------------------------------------------- comparing */

static int by_key_and_start(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = memcmp(&x->key, &y->key, sizeof(x->key));

	if (!order && x->whole.flow.start_ns != y->whole.flow.start_ns)
		order = x->whole.flow.start_ns < y->whole.flow.start_ns ? -1 : 1;
	return order ? order : memcmp(&x->whole, &y->whole, sizeof(x->whole));
}

static bool flows_agree(struct differ *differ)
{
	struct account *kernel = &differ->kernel, *native = &differ->native;

	if (kernel->row_count != native->row_count)
		return false;
	if (!kernel->row_count)
		return true;
	qsort(kernel->rows, kernel->row_count, sizeof(*kernel->rows), by_key_and_start);
	qsort(native->rows, native->row_count, sizeof(*native->rows), by_key_and_start);
	return !memcmp(kernel->rows, native->rows, kernel->row_count * sizeof(*kernel->rows));
}

static bool agree(struct differ *differ)
{
	struct account *kernel = &differ->kernel, *native = &differ->native;

	return !memcmp(&kernel->counters, &native->counters, sizeof(kernel->counters)) &&
	       kernel->event_count == native->event_count &&
	       (!kernel->event_count || !memcmp(kernel->events, native->events,
						kernel->event_count * sizeof(*kernel->events))) &&
	       flows_agree(differ);
}

/* 1: they agree, 0: they do not, or -errno. */
static int run_epoch(struct differ *differ, unsigned int count)
{
	int err;

	forget(&differ->kernel);
	forget(&differ->native);
	err = run_kernel_epoch(differ, differ->epoch, count);
	if (!err)
		err = run_native_epoch(differ, differ->epoch, count);
	return err ? err : agree(differ);
}

/* ---------------------------------------------------------------- explaining */

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
		int same = run_epoch(differ, middle);

		if (same < 0)
			return bad;
		*(same ? &good : &bad) = middle;
	}
	return bad;
}

static void explain(struct differ *differ, uint64_t number)
{
	unsigned int count = find_frame(differ), i;
	const struct feed *feed = &differ->epoch[count - 1];
	char path[128];

	run_epoch(differ, count);
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

/* ---------------------------------------------------------------- the feeder */

static int open_feeder(struct differ *differ)
{
	struct program *program = &differ->program;
	int target_fd = bpf_program__fd(program->bpf), err;
	bool is_xdp = program->door == DOOR_XDP;
	struct feeder *feeder = feeder__open();
	__u32 zero = 0;

	if (!feeder)
		return fail(differ, -errno, "feeder");
	differ->feeder = feeder;
	feeder->rodata->rehearsal_at = (__u32)((char *)&program->skel->bss->rehearsal -
					       (char *)program->skel->bss);
	bpf_program__set_autoload(feeder->progs.feed_xdp, is_xdp);
	bpf_program__set_autoload(feeder->progs.feed_tc, !is_xdp);
	err = bpf_map__reuse_fd(feeder->maps.globals, bpf_map__fd(program->skel->maps.bss));
	if (!err)
		err = feeder__load(feeder);
	if (!err)
		err = bpf_map_update_elem(bpf_map__fd(is_xdp ? feeder->maps.xdp_target
							     : feeder->maps.tc_target),
					  &zero, &target_fd, BPF_ANY);
	if (err)
		return fail(differ, err, "feeder");
	differ->feed_fd = bpf_program__fd(is_xdp ? feeder->progs.feed_xdp : feeder->progs.feed_tc);
	differ->feeds = mmap(NULL, FEED_FRAMES * sizeof(struct feed), PROT_READ | PROT_WRITE, MAP_SHARED,
			     bpf_map__fd(feeder->maps.feeds), 0);
	return differ->feeds == MAP_FAILED ? fail(differ, -errno, "feeds") : 0;
}

static int open_all(struct differ *differ, const struct seed_frame *seeds, size_t seed_count)
{
	int err;

	differ->program.on_flow = on_program_flow;
	differ->program.on_event = on_program_event;
	differ->program.context = differ;
	differ->program.events_bytes = EPOCH_EVENTS_BYTES;
	differ->scene = scene_open(seeds, seed_count);
	differ->epoch = malloc(EPOCH_FRAMES * sizeof(*differ->epoch));
	if (!differ->scene || !differ->epoch)
		return fail(differ, -ENOMEM, "frames");
	err = program_load(&differ->program, &differ->config);
	return err ? fail(differ, err, "loading the program") : open_feeder(differ);
}

static void close_all(struct differ *differ)
{
	feeder__destroy(differ->feeder);
	program_close(&differ->program);
	scene_close(differ->scene);
	free(differ->epoch);
	free(differ->kernel.rows);
	free(differ->kernel.events);
	free(differ->native.rows);
	free(differ->native.events);
}

/* ---------------------------------------------------------------- the run */

static void make_epoch(struct differ *differ, uint64_t number)
{
	unsigned int i;

	scene_begin(differ->scene, number);
	for (i = 0; i < EPOCH_FRAMES; i++)
		scene_next(differ->scene, &differ->epoch[i]);
}

static void show_progress(const struct differ *differ, uint64_t wanted, uint64_t start_ns)
{
	double seconds = (double)(now_ns() - start_ns) / 1e9;

	fprintf(stderr, "%s: %" PRIu64 " of %" PRIu64 " frames, %.0f a second, the program %.0f ns a frame\n",
		differ->program.door_name, differ->frames, wanted, (double)differ->frames / seconds,
		(double)differ->program_ns / (double)differ->frames);
}

static void add_up(struct differ *differ)
{
	size_t i;

	for (i = 0; i < COUNTER_COUNT; i++)
		differ->sum.value[i] += differ->native.counters.value[i];
	for (i = 0; i < differ->native.event_count; i++) {
		if (differ->native.events[i].type == EVENT_SEGMENT)
			differ->classes[differ->native.events[i].class]++;
	}
	differ->flows += differ->native.row_count;
}

/* How far the frames went: a counter or class that stays at 0 was not tried. */
static void show_sums(const struct differ *differ)
{
	static const char *const names[] = {
		"plain", "keepalive", "window_probe", "copy", "late", "retransmitted",
		"recovered", "reordered", "unresolved", "new", "suspect",
	};
	int i;

	printf("# flows %" PRIu64 "\n", differ->flows);
	for (i = 0; i < COUNTER_COUNT; i++) {
		if (program_counter_name(i))
			printf("# %s %llu\n", program_counter_name(i), differ->sum.value[i]);
	}
	for (i = SEGMENT_KEEPALIVE; i <= SEGMENT_SUSPECT; i++) {
		if (i != SEGMENT_NEW)
			printf("# class %s %" PRIu64 "\n", names[i], differ->classes[i]);
	}
}

/* 0: no difference in `wanted` frames, 1: one was found and explained, or -errno. */
static int run(struct differ *differ, uint64_t wanted, uint64_t first)
{
	uint64_t start_ns = now_ns(), shown_ns = start_ns, number = first;
	int same = 1;

	for (; same > 0 && differ->frames < wanted; number++) {
		make_epoch(differ, number);
		same = run_epoch(differ, EPOCH_FRAMES);
		differ->frames += EPOCH_FRAMES;
		add_up(differ);
		if (now_ns() - shown_ns > 10000000000u) {
			shown_ns = now_ns();
			show_progress(differ, wanted, start_ns);
		}
	}
	if (same < 0)
		return same;
	show_progress(differ, wanted, start_ns);
	printf("%s: %" PRIu64 " frames, %llu tracked, %s\n", differ->program.door_name,
	       differ->frames, differ->sum.value[FRAMES_TRACKED],
	       same ? "0 differences" : "different");
	show_sums(differ);
	if (!same)
		explain(differ, number - 1);
	return !same;
}

/* The frames of a capture, as seeds. */
static int read_seeds(const char *path, struct seed_frame **seeds, size_t *count, size_t *size,
		      char *error, size_t error_size)
{
	struct pcap_source *source;
	struct frame frame;
	int selected, err = pcap_source_open(&source, path, NULL, error, error_size);

	if (err)
		return err;
	while (pcap_source_next(source, &frame, &selected, error, error_size) > 0) {
		size_t len = (const char *)frame.end - (const char *)frame.data;
		struct seed_frame *seed;

		if (len < FEED_BYTES_MIN)
			continue;
		*seeds = grown(*seeds, *count, size, sizeof(**seeds));
		seed = &(*seeds)[(*count)++];
		seed->len = (uint32_t)(len < FEED_BYTES_MAX ? len : FEED_BYTES_MAX);
		seed->wire_bytes = frame.wire_bytes;
		seed->link = frame.link;
		memcpy(seed->bytes, frame.data, seed->len);
	}
	pcap_source_close(source);
	return 0;
}

static const char usage[] =
	"usage: differ [-n FRAMES] [-s FIRST] [-d] [-f] [-x] xdp|tc_ingress|tc_egress [SEEDS.pcap...]\n"
	"  -n  how many frames, in epochs of 16384 (100000)\n"
	"  -s  number of the first epoch (1): the same number is the same frames\n"
	"  -d  all tunnels are followed\n"
	"  -f  with a filter\n"
	"  -x  the core is lied to about one frame: a difference must be found\n";

int main(int argc, char **argv)
{
	static struct differ differ;
	struct seed_frame *seeds = NULL;
	size_t seed_count = 0, seed_size = 0;
	uint64_t wanted = 100000, first = 1;
	int option, err = 0;

	differ.config = program_config();
	while ((option = getopt(argc, argv, "n:s:dfx")) != -1) {
		switch (option) {
		case 'n':
			wanted = strtoull(optarg, NULL, 10);
			break;
		case 's':
			first = strtoull(optarg, NULL, 10);
			break;
		case 'd':
			differ.config.decap = TUNNELS_ALL;
			break;
		case 'f':
			differ.config.filter[0] = (struct filter_term){
				.kind = FILTER_PORT, .port_first = 1500, .port_last = 2500,
			};
			break;
		case 'x':
			differ.lies = true;
			break;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind >= argc || !program_find_door(argv[optind], &differ.program.door)) {
		fputs(usage, stderr);
		return 2;
	}
	while (!err && ++optind < argc)
		err = read_seeds(argv[optind], &seeds, &seed_count, &seed_size, differ.error,
				 sizeof(differ.error));
	if (!err)
		err = open_all(&differ, seeds, seed_count);
	if (!err)
		err = run(&differ, wanted, first);
	if (err < 0)
		fprintf(stderr, "differ: %s\n", differ.error);
	close_all(&differ);
	free(seeds);
	return err ? 1 : 0;
}
